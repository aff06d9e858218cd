/* noise.c: see noise.h. Of blocks a few are made and repeated: searching for scales would take minutes. */
#include "backends/noise.h"

#include "graph/convert.h"

#include <stdlib.h>
#include <string.h>

enum { POOL = 1 << 16 }; /* values that are quantised; whole blocks of every type */

/* As many blocks as the largest weight has. */
static weft_status make_blocks(weft__noise *n, weft_dtype t, weft_error *err)
{
    uint64_t pool, all;
    const uint64_t values = (n->largest + POOL - 1) / POOL * POOL;
    if (!weft_dtype_row_bytes(t, POOL, &pool) || !weft_dtype_row_bytes(t, (int64_t)values, &all))
        return WEFT_FAIL(err, WEFT_INTERNAL, "%s has no whole blocks", weft_dtype_get(t)->name);
    unsigned char *made = malloc(all);
    if (!made) return WEFT_FAIL(err, WEFT_OOM, "no memory for %llu random bytes", (unsigned long long)all);
    if (!weft__convert_row(WEFT_F16, n->halves, t, made, POOL)) memset(made, 0x28, pool); /* a scale of 0.03, as f16 */
    for (uint64_t at = pool; at < all; at += pool) memcpy(made + at, made, pool);
    n->blocks[t] = made;
    return WEFT_OK;
}

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    weft__noise *n = ctx;
    for (uint32_t i = 0; i < weft_graph_node_count(n->g); i++) {
        const weft_node *node = weft_graph_node(n->g, i);
        if (node->op != WEFT_OP_weight || strcmp(node->name, name)) continue;
        const weft_value *v = weft_graph_value(n->g, node->out[0]);
        const bool blocks = weft_dtype_get(v->dtype)->class_ == WEFT_DTYPE_BLOCK;
        int64_t rows = 1, length = 1;
        *out = (weft_weight_data){ .dtype = blocks ? v->dtype : WEFT_F16, .rank = v->dims.rank };
        for (uint32_t k = 0; k < v->dims.rank; k++) {
            out->dims[k] = v->dims.d[k].n;
            rows *= k + 1 < v->dims.rank ? out->dims[k] : 1;
            length = out->dims[k];
        }
        if (blocks && !n->blocks[v->dtype]) WEFT_TRY(make_blocks(n, v->dtype, err));
        out->data = blocks ? n->blocks[v->dtype] : (void *)n->halves;
        if (!weft_dtype_row_bytes(out->dtype, length, &out->bytes))
            return WEFT_FAIL(err, WEFT_SHAPE, "weight '%s': rows of no whole blocks", name);
        out->bytes *= (uint64_t)rows;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "the graph has no weight '%s'", name);
}

weft_status weft__noise_open(const weft_graph *g, weft__noise *out, weft_error *err)
{
    size_t largest = POOL;
    uint32_t state = 1;
    *out = (weft__noise){ .g = g };
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node->op != WEFT_OP_weight) continue;
        int64_t n = weft_value_elements(g, node->out[0], NULL);
        if (n > 0 && (size_t)n > largest) largest = (size_t)n;
    }
    out->largest = largest;
    out->halves = malloc(largest * sizeof *out->halves);
    if (!out->halves) return WEFT_FAIL(err, WEFT_OOM, "no memory for %zu random numbers", largest);
    for (size_t i = 0; i < largest; i++) { /* either sign, 2^-6 * 1.x */
        state = state * 1664525u + 1013904223u;
        out->halves[i] = (uint16_t)(0x2400u | (state >> 16 & 0x83ffu));
    }
    return WEFT_OK;
}

weft_weight_source weft__noise_source(weft__noise *n)
{
    return (weft_weight_source){ n, find };
}

void weft__noise_close(weft__noise *n)
{
    free(n->halves);
    for (unsigned t = 0; t < WEFT_DTYPE_COUNT; t++) free(n->blocks[t]);
    *n = (weft__noise){ 0 };
}
