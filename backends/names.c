/* names.c: what devices, arithmetic, reasons, nodes and launches are called. */
#include "backends/names.h"

#include <stdio.h>

const char *weft_device_type_name(weft_device_type t)
{
    static const char *const names[] = { "cpu", "discrete", "integrated", "virtual", "software", "none" };
    return (unsigned)t < sizeof names / sizeof *names ? names[t] : "?";
}

const char *weft_arith_name(weft_arith a)
{
    static const char *const names[] = { "f32", "int8", "bf16", "f16 matrix" };
    return (unsigned)a < sizeof names / sizeof *names ? names[a] : "?";
}

static const struct {
    const char *name, *sentence;
} reasons[WEFT_PLACE_COUNT] = {
#define X(name, sentence) { #name, sentence },
    WEFT_PLACE_LIST(X)
#undef X
};

const char *weft_place_name(weft_place_reason r)
{
    return (unsigned)r < WEFT_PLACE_COUNT ? reasons[r].name : "?";
}

const char *weft_place_sentence(weft_place_reason r)
{
    return (unsigned)r < WEFT_PLACE_COUNT ? reasons[r].sentence : "?";
}

const char *weft__node_text(const weft_node *n, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s %%%u", n->scope, *n->scope ? " " : "", weft_op_get(n->op)->name, n->out[0].id);
    return buf;
}

const char *weft__launch_name(const weft_graph *g, const weft_plan *plan, uint32_t first, uint32_t n, char *buf,
                              size_t size)
{
    size_t at = 0;
    *buf = 0;
    for (uint32_t i = 0; i < n && at < size; i++) {
        const weft_node *node = weft_graph_node_by_id(g, plan->steps[first + i].node);
        at += (size_t)snprintf(buf + at, size - at, "%s%%%u %s%s%s", i ? " + " : "", node->out[0].id,
                               weft_op_get(node->op)->name, *node->scope ? " " : "", node->scope);
    }
    return buf;
}
