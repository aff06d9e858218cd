/* check_int8.c: what products with activations of 8 bits make of x (docs/numerics.md), written down once more.
 *
 * The reference of a check multiplies in float32. Given x as 8 bits hold it, its result is that of whole-number
 * products but for float32's own rounding, so that the same small tolerance serves. */
#include "backends/program.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32 };

/* One scale per block: a 127th of its largest. To nearest, ties to even. What is no number takes its block along. */
static void round_block(float *x)
{
    float most = 0.0f;
    bool numbers = true;
    for (int i = 0; i < BLOCK; i++) {
        numbers = numbers && isfinite(x[i]);
        if (fabsf(x[i]) > most) most = fabsf(x[i]);
    }
    const float up = most > 0.0f ? 127.0f / most : 0.0f, scale = most / 127.0f;
    for (int i = 0; i < BLOCK; i++) x[i] = numbers ? scale * rintf(x[i] * up) : NAN;
}

static void round_row(unsigned char *root, int64_t at, int64_t step, int64_t n)
{
    float x[BLOCK];
    for (int64_t k = 0; k < n; k += BLOCK) {
        for (int64_t i = 0; i < BLOCK; i++) memcpy(x + i, root + (at + (k + i) * step) * 4, 4);
        round_block(x);
        for (int64_t i = 0; i < BLOCK; i++) memcpy(root + (at + (k + i) * step) * 4, x + i, 4);
    }
}

bool weft__norms_input(const weft_node *n)
{
    return n->op == WEFT_OP_linear && n->attrs.linear.norm;
}

bool weft__rounds_to_int8(const weft_program *p, const weft_node *n)
{
    const weft_graph *g = p->s->g;
    const weft_value *x = weft_graph_value(g, n->in[0]);
    const weft_ref root = weft__behind_views(g, n->in[0]);
    const weft_op op = weft__maker(g, root)->op;
    if (p->s->choices[n->id].arithmetic != WEFT_ARITH_INT8 || x->dtype != WEFT_F32) return false;
    if (weft__norms_input(n)) return true;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (weft__behind_views(g, n->in[i]).id == root.id) return false; /* added, too, as it is */
    return op != WEFT_OP_weight && op != WEFT_OP_constant;
}

void weft__round_to_int8(const weft_program *p, weft_ref x, unsigned char *root)
{
    const weft_slot *slots = p->s->plan->slots, *s = &slots[x.id];
    const weft_dims *dims = &weft_graph_value(p->s->g, x)->dims;
    int64_t dim[WEFT_MAX_RANK] = { 0 }, index[WEFT_MAX_RANK] = { 0 };
    weft_dims_resolve(p->s->g, dims, p->extents, dim);
    const uint32_t last = dims->rank - 1;
    for (bool more = true; more;) {
        int64_t at = s->first - slots[weft__behind_views(p->s->g, x).id].first;
        for (uint32_t i = 0; i < last; i++) at += index[i] * s->stride[i];
        round_row(root, at, s->stride[last], dim[last]);
        more = false;
        for (uint32_t i = last; i-- > 0 && !more;) {
            if (++index[i] < dim[i]) more = true;
            else index[i] = 0;
        }
    }
}
