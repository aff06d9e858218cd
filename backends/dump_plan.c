/* dump_plan.c: what scheduling adds to a graph, as JSON: devices, placement, layouts, offsets, steps, memory. */
#include "backends/dump.h"
#include "backends/profile_impl.h"

#include <stdlib.h>
#include <string.h>

void weft__json_device(weft__json *j, uint32_t index, const weft_backend *b, const weft_roof *roof)
{
    weft_device_info info;
    weft_backend_info(b, &info);
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_u64(j, "index", index);
    weft__json_string(j, "name", info.name);
    weft__json_string(j, "model", info.model);
    weft__json_string(j, "description", info.description);
    weft__json_string(j, "driver", info.driver);
    weft__json_string(j, "type", weft_device_type_name(info.type));
    weft__json_u64(j, "threads", info.threads);
    if (roof) weft__json_roof(j, "roof", roof);
    weft__json_end_object(j);
}

/* ---- the planned stage ---- */

static void node_fields(weft__json *j, const weft_program *p, const weft_node *n)
{
    weft_place place = weft_program_place(p, n->id);
    weft__json_u64(j, "device", place.device);
    weft__json_string(j, "kernel", place.kernel);
    weft__json_string(j, "reason", weft_place_name(place.reason));
    weft__json_string(j, "layout", place.layout);
    const char *better = p->s->choices[n->id].instead_of;
    if (better) weft__json_string(j, "instead_of", better);
}

static const char *storage_name(weft_storage s)
{
    static const char *const names[] = {
        [WEFT_STORAGE_NONE] = "none",   [WEFT_STORAGE_ARENA] = "arena",       [WEFT_STORAGE_WEIGHT] = "weight",
        [WEFT_STORAGE_STATE] = "state", [WEFT_STORAGE_CONSTANT] = "constant",
    };
    return names[s];
}

static void value_fields(weft__json *j, const weft_program *p, weft_ref r)
{
    const weft_slot *s = &p->s->plan->slots[r.id];
    const weft_value *v = weft_graph_value(p->s->g, r);
    bool arena = s->storage == WEFT_STORAGE_ARENA, source = s->storage > WEFT_STORAGE_ARENA;
    weft__json_string(j, "storage", storage_name(s->storage));
    weft__json_u64(j, "device", s->device);
    weft__json_u64(j, "root", s->root.id);
    weft__json_i64(j, "first", s->first);
    weft__json_array(j, "strides");
    for (uint32_t i = 0; i < v->dims.rank; i++) weft__json_i64(j, NULL, s->stride[i]);
    weft__json_end_array(j);
    if (arena) {
        weft__json_u64(j, "offset", s->offset);
        weft__json_u64(j, "allocated", s->bytes);
        weft__json_u64(j, "birth", s->birth);
        weft__json_u64(j, "death", s->death);
    }
    if (!source || s->root.id != r.id) return;
    weft__json_array(j, "allocated_on"); /* per device */
    for (uint32_t d = 0; d < p->s->n_devices; d++) weft__json_u64(j, NULL, weft__resident_bytes(p->s, d, r));
    weft__json_end_array(j);
}

void weft__json_planned(weft__json *j, const weft_program *p, const int64_t *values)
{
    const weft_graph *g = p->s->g;
    const weft__stage s = { .name = "planned", .g = g, .values = values };
    uint32_t count = weft_graph_node_count(g);
    weft__json_stage_begin(j, &s);
    for (uint32_t i = 0; i < count && j->ok; i++) {
        const weft_node *n = weft_graph_node(g, i);
        weft__json_node(j, &s, n);
        node_fields(j, p, n);
        weft__json_end_object(j);
    }
    weft__json_stage_next(j);
    for (uint32_t i = 0; i < count && j->ok; i++) {
        const weft_node *n = weft_graph_node(g, i);
        for (uint32_t k = 0; k < n->n_out; k++) {
            weft__json_value(j, &s, n->out[k]);
            value_fields(j, p, n->out[k]);
            weft__json_end_object(j);
        }
    }
    weft__json_stage_end(j, &s);
}

/* ---- the plan ---- */

static void put_steps(weft__json *j, const weft_program *p)
{
    const weft_plan *plan = p->s->plan;
    uint32_t next = 0, launch = 0;
    weft__json_array(j, "steps");
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const weft_step *s = &plan->steps[i];
        const weft_kernel_choice *c = &p->s->choices[s->node];
        weft__json_line(j);
        weft__json_object(j, NULL);
        weft__json_u64(j, "step", i);
        weft__json_u64(j, "node", s->node);
        weft__json_u64(j, "device", s->device);
        weft__json_bool(j, "barrier", s->barrier);
        weft__json_bool(j, "joined", s->joined);
        if (c->kernel && !s->joined) {
            launch = next;
            next += c->launches ? c->launches : 1;
        }
        if (c->kernel) weft__json_u64(j, "launch", launch);
        else weft__json_null(j, "launch"); /* a transfer */
        weft__json_u64(j, "scratch_offset", s->scratch_offset);
        weft__json_u64(j, "scratch_bytes", s->scratch_bytes);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
}

/* Values that share a root: sets of two or more, by root. `next` is room for a list by value id. */
static void put_alias_sets(weft__json *j, const weft_program *p, uint32_t *next)
{
    const weft_plan *plan = p->s->plan;
    for (uint32_t id = plan->n_slots; id-- > 1;) { /* backwards, so that each list comes out ascending */
        uint32_t root = plan->slots[id].root.id;
        if (!root || root == id || !weft_graph_value(p->s->g, (weft_ref){ id })) continue;
        next[id] = next[root];
        next[root] = id;
    }
    weft__json_line(j);
    weft__json_array(j, "alias_sets");
    for (uint32_t root = 1; root < plan->n_slots; root++) {
        if (plan->slots[root].root.id != root || !next[root]) continue;
        weft__json_array(j, NULL);
        for (uint32_t id = root; id; id = next[id]) weft__json_u64(j, NULL, id);
        weft__json_end_array(j);
    }
    weft__json_end_array(j);
}

static void put_memory(weft__json *j, const weft_program *p)
{
    weft__json_line(j);
    weft__json_array(j, "memory");
    for (uint32_t d = 0; d < p->s->n_devices; d++) {
        weft_program_memory m = weft_program_device_memory(p, d);
        weft_device_info info;
        weft_backend_info(p->devices[d], &info);
        weft__json_line(j);
        weft__json_object(j, NULL);
        weft__json_u64(j, "device", d);
        weft__json_u64(j, "weights", m.weights);
        weft__json_u64(j, "states", m.states);
        weft__json_u64(j, "constants", m.constants);
        weft__json_u64(j, "arena", m.arena);
        weft__json_u64(j, "arena_unshared", p->s->plan->arena_unshared[d]);
        if (info.memory_known) weft__json_u64(j, "available", info.memory);
        else weft__json_null(j, "available");
        if (p->s->split) weft__json_u64(j, "layers", p->s->split[d]);
        weft__json_u64(j, "peak_step", p->s->plan->peak_step[d]);
        weft__json_array(j, "live");
        for (uint32_t i = 0; i < p->s->plan->n_steps; i++)
            weft__json_u64(j, NULL, p->s->plan->live[(size_t)d * p->s->plan->n_steps + i]);
        weft__json_end_array(j);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
}

weft_status weft__json_plan(weft__json *j, const weft_program *p, weft_error *err)
{
    uint32_t *next = calloc((size_t)p->s->plan->n_slots + 1, sizeof *next);
    if (!next) return WEFT_OOM_FAIL(err, "a dump");
    weft__json_line(j);
    weft__json_object(j, "plan");
    put_steps(j, p);
    weft__json_line(j);
    weft__json_u64(j, "launches", p->s->plan->n_launches);
    weft__json_u64(j, "barriers", p->s->plan->n_barriers);
    put_alias_sets(j, p, next);
    put_memory(j, p);
    weft__json_end_object(j);
    free(next);
    return WEFT_OK;
}
