/* k_matmul.c: what the packed matrix multiplication of every instruction set has in common: finding the operands. */
#include "k_matmul.h"

#include "graph/linear.h"
#include "pack.h"

void cpu_mm_operands(const cpu_call *c, mm_operands *m)
{
    *m = (mm_operands){ .x = c->in, .w = c->in + 1, .y = c->out, .act = WEFT_ACT_NONE };
    if (c->op == WEFT_OP_linear) {
        const weft_attr_linear *a = &c->attrs->linear;
        const weft__linear_inputs at = weft__linear_inputs_of(a);
        m->act = a->act;
        m->eps = a->eps;
        m->one_plus = a->one_plus;
        if (at.up) m->up = c->in + at.up;
        if (at.bias) m->bias = c->in + at.bias;
        if (at.up_bias) m->up_bias = c->in + at.up_bias;
        if (at.gain) m->gain = c->in + at.gain;
        for (int32_t i = 0; i < a->n_residual; i++) m->residual[i] = c->in + at.residual + i;
    }
    m->n = m->w->dim[m->w->rank - 2];
    m->k = m->w->dim[m->w->rank - 1];
    m->tokens = 1;
    for (uint32_t i = 0; i + 1 < m->y->rank; i++) m->tokens *= m->y->dim[i];
}

static bool is_float(weft_dtype t) { return t == WEFT_F32 || t == WEFT_F16 || t == WEFT_BF16; }

static bool rows_of_floats(const cpu_tensor *t, const cpu_tensor *y)
{
    if (t->dtype != WEFT_F32 || t->rank != y->rank || t->stride[t->rank - 1] != 1) return false;
    for (uint32_t i = 0; i < t->rank; i++)
        if (t->dim[i] != y->dim[i]) return false;
    return true;
}

static bool is_vector(const cpu_tensor *t)
{
    return !t || (t->layout == CPU_LAYOUT_PLAIN && t->rank == 1 && t->stride[0] == 1 && is_float(t->dtype));
}

bool cpu_mm_accepts(const cpu_call *c)
{
    mm_operands m;
    if (c->n_in < 2 || c->in[1].layout != CPU_LAYOUT_PANEL || c->in[1].rank != 2 || c->in[0].rank < 1) return false;
    cpu_mm_operands(c, &m);
    if (!is_float(m.x->dtype) || m.x->layout != CPU_LAYOUT_PLAIN || m.x->stride[m.x->rank - 1] != 1 ||
        !rows_of_floats(m.y, m.y))
        return false;
    if (!is_vector(m.bias) || !is_vector(m.up_bias) || !is_vector(m.gain)) return false;
    if (m.gain && m.x->dtype != WEFT_F32) return false;
    if (m.up && (m.up->layout != CPU_LAYOUT_PANEL || m.up->dtype != m.w->dtype)) return false;
    for (int i = 0; i < 2; i++)
        if (m.residual[i] && !rows_of_floats(m.residual[i], m.y)) return false;
    return cpu_panel_fits(m.w->dtype, m.k);
}

bool cpu_mm_any_tile(const cpu_call *c)
{
    bool whole = cpu_is_block(c->in[1].dtype) && !c->exact; /* sums are of whole numbers */
    return whole || !c->deterministic;
}

bool cpu_mm_alone(const cpu_call *c)
{
    mm_operands m;
    cpu_mm_operands(c, &m);
    return m.tokens == 1 && cpu_mm_any_tile(c);
}

uint32_t cpu_mm_phases(const cpu_call *c)
{
    return cpu_mm_alone(c) ? 1 : 2;
}

void *cpu_mm_row(const cpu_tensor *t, int64_t r)
{
    int64_t at = 0;
    for (uint32_t i = t->rank - 1; i-- > 0;) {
        if (i == 0) { /* the outermost, and mostly the only one: no division */
            at += r * t->stride[0];
            break;
        }
        at += r % t->dim[i] * t->stride[i];
        r /= t->dim[i];
    }
    return (char *)t->data + at * (t->dtype == WEFT_F32 ? 4 : 2);
}
