/* ref_map.c: the oracle's element-wise ops, by formulas of its own: nothing of graph/map.def but the names is used. */
#include "ref_impl.h"

/* Of minus infinity, gelu and silu are 0 as a limit and no number as a formula: the bound is infinite there. */
double ref_act(weft_act act, double x, double *e)
{
    double y = x, slope = 1.0, own = 8 * REF_U * fabs(x);
    switch (act) {
    case WEFT_ACT_RELU:
        y = x > 0.0 ? x : isnan(x) ? x : 0.0;
        own = 0.0;
        break;
    case WEFT_ACT_GELU:
        y = isinf(x) ? (x > 0 ? x : 0.0) : 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
        slope = 1.13;
        break;
    case WEFT_ACT_GELU_TANH:
        y = isinf(x) ? (x > 0 ? x : 0.0)
                     : 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
        slope = 1.13;
        break;
    case WEFT_ACT_SILU:
        y = isinf(x) ? (x > 0 ? x : 0.0) : x / (1.0 + exp(-x));
        slope = 1.1;
        break;
    case WEFT_ACT_TANH:
        y = tanh(x);
        own = 8 * REF_U * fmin(1.0, fabs(x));
        break;
    case WEFT_ACT_RELU2:
        y = x > 0.0 ? x * x : isnan(x) ? x : 0.0;
        slope = x > 0.0 ? 2 * x + *e : *e;
        own = 2 * REF_U * y;
        break;
    case WEFT_ACT_SIGMOID:
        y = 1.0 / (1.0 + exp(-x));
        slope = 0.25;
        own = 8 * REF_U;
        break;
    default:
        own = 0.0;
        break;
    }
    *e = slope * *e + own;
    return y;
}

/* An element: its operands, their error bounds and the attributes; gives the bound of the value, too. */
typedef struct element {
    const weft_node *n;
    double x, y, ex, ey, e;
} element;

static double quotient(element *m)
{
    double v = m->x / m->y;
    m->e = m->ey < fabs(m->y) / 2 ? (m->ex + fabs(v) * m->ey) / (fabs(m->y) - m->ey) + 4 * REF_U * fabs(v) : INFINITY;
    if (m->y == 0.0) m->e = 0.0;
    return v;
}

static double of_act(element *m, weft_act act)
{
    m->e = m->ex;
    return ref_act(act, m->x, &m->e);
}

/* A value whose own rounding is u, and whose operands' errors add up to `inherited`. */
static double rounded(element *m, double v, double inherited)
{
    m->e = inherited + REF_U * fabs(v);
    return v;
}

/* A function that is monotonic between the ends of what x may be. */
static double monotonic(element *m, double (*f)(double))
{
    double v = f(m->x);
    m->e = fmax(fabs(f(m->x - m->ex) - v), fabs(f(m->x + m->ex) - v)) + 8 * REF_U * fabs(v);
    if (m->ex > 0 && (isnan(f(m->x - m->ex)) || isnan(f(m->x + m->ex)))) m->e = INFINITY;
    return v;
}

static double reciprocal_root(double x)
{
    return 1.0 / sqrt(x);
}

static double softplus(double x)
{
    return fmax(x, 0.0) + log1p(exp(-fabs(x))) + (isnan(x) ? x : 0.0);
}

/* The exponent y log x, rounded, is lost to as many units as it is large. */
static double power(element *m)
{
    double v = pow(m->x, m->y), exponent = m->y * log(fabs(m->x));
    m->e = isfinite(exponent) ? 8 * REF_U * (1 + fabs(exponent)) * fabs(v) : 0.0;
    for (int i = 0; i < 4 && (m->ex > 0 || m->ey > 0); i++) {
        double corner = pow(m->x + (i & 1 ? m->ex : -m->ex), m->y + (i & 2 ? m->ey : -m->ey));
        m->e = isnan(corner) ? INFINITY : m->e + fabs(corner - v);
    }
    return v;
}

static double extreme(element *m, bool largest)
{
    m->e = fmax(m->ex, m->ey);
    if (isnan(m->x) || isnan(m->y)) return NAN;
    return largest ? fmax(m->x, m->y) : fmin(m->x, m->y);
}

static bool value_of(element *m, double *v)
{
    double x = m->x, y = m->y, factor = (double)m->n->attrs.scale.factor;
    switch (m->n->op) {
    case WEFT_OP_relu: *v = of_act(m, WEFT_ACT_RELU); break;
    case WEFT_OP_gelu: *v = of_act(m, WEFT_ACT_GELU); break;
    case WEFT_OP_gelu_tanh: *v = of_act(m, WEFT_ACT_GELU_TANH); break;
    case WEFT_OP_silu: *v = of_act(m, WEFT_ACT_SILU); break;
    case WEFT_OP_tanh: *v = of_act(m, WEFT_ACT_TANH); break;
    case WEFT_OP_sigmoid: *v = of_act(m, WEFT_ACT_SIGMOID); break;
    case WEFT_OP_relu2: *v = of_act(m, WEFT_ACT_RELU2); break;
    case WEFT_OP_sqrt: *v = monotonic(m, sqrt); break;
    case WEFT_OP_rsqrt: *v = monotonic(m, reciprocal_root); break;
    case WEFT_OP_log: *v = monotonic(m, log); break;
    case WEFT_OP_softplus: *v = monotonic(m, softplus); break;
    case WEFT_OP_pow: *v = power(m); break;
    case WEFT_OP_min: *v = extreme(m, false); break;
    case WEFT_OP_max: *v = extreme(m, true); break;
    case WEFT_OP_sin:
        *v = sin(x);
        m->e = m->ex + 8 * REF_U * fmin(1.0, fabs(x));
        break;
    case WEFT_OP_cos:
        *v = cos(x);
        m->e = m->ex + 8 * REF_U;
        break;
    case WEFT_OP_abs:
    case WEFT_OP_neg:
        *v = m->n->op == WEFT_OP_neg ? 0.0 - x : fabs(x);
        m->e = m->ex;
        break;
    case WEFT_OP_exp:
        *v = exp(x);
        m->e = *v * (expm1(m->ex) + 8 * REF_U);
        break;
    case WEFT_OP_scale: *v = rounded(m, x * factor, fabs(factor) * m->ex); break;
    case WEFT_OP_clamp: {
        double low = (double)m->n->attrs.clamp.low, high = (double)m->n->attrs.clamp.high;
        *v = isnan(x) ? x : fmin(fmax(x, low), high);
        m->e = m->ex;
        break;
    }
    case WEFT_OP_add: *v = rounded(m, x + y, m->ex + m->ey); break;
    case WEFT_OP_sub: *v = rounded(m, x - y, m->ex + m->ey); break;
    case WEFT_OP_mul: *v = rounded(m, x * y, fabs(x) * m->ey + fabs(y) * m->ex + m->ex * m->ey); break;
    case WEFT_OP_div: *v = quotient(m); break;
    default: return false;
    }
    return true;
}

/* i32, in 64 bits and then cut to 32. */
static bool whole_of(const element *m, double *v)
{
    int64_t x = (int64_t)m->x, y = (int64_t)m->y, r;
    switch (m->n->op) {
    case WEFT_OP_add: r = x + y; break;
    case WEFT_OP_sub: r = x - y; break;
    case WEFT_OP_mul: r = x * y; break;
    case WEFT_OP_div: r = y ? x / y : 0; break;
    case WEFT_OP_abs: r = x > 0 ? x : -x; break;
    case WEFT_OP_neg: r = -x; break;
    case WEFT_OP_min: r = x > y ? y : x; break;
    case WEFT_OP_max: r = x > y ? x : y; break;
    default: return false;
    }
    r = (int64_t)((uint64_t)r & 0xffffffffu);
    *v = (double)(r >= INT64_C(1) << 31 ? r - (INT64_C(1) << 32) : r);
    return true;
}

/* A comparison, or a choice; `unsure` where errors may tip it. */
static bool decided(element *m, bool chosen, double *v, bool *unsure)
{
    double e = m->ex + m->ey, apart = fabs(m->x - m->y); /* what is tiny may be flushed to zero, as in ref_excess */
    bool tip = m->x == m->y ? e > 0 : e > 0 ? !(apart > e + 4e-38) : apart < 4e-38;
    m->e = 0;
    switch (m->n->op) {
    case WEFT_OP_less: *v = m->x < m->y; break;
    case WEFT_OP_less_equal: *v = m->x <= m->y; break;
    case WEFT_OP_equal: *v = m->x == m->y; break;
    case WEFT_OP_not_equal: *v = m->x != m->y; break;
    case WEFT_OP_where:
        *v = chosen ? m->x : m->y;
        m->e = chosen ? m->ex : m->ey;
        return true;
    default: return false;
    }
    *unsure = *unsure || tip;
    return true;
}

static weft_dtype type_of(const ref_call *c)
{
    weft_op op = c->n->op;
    bool truth = op == WEFT_OP_less || op == WEFT_OP_less_equal || op == WEFT_OP_equal || op == WEFT_OP_not_equal;
    return truth || c->in[c->n_in - 1]->dtype == WEFT_I32 ? WEFT_I32 : WEFT_F32;
}

static bool map(const ref_call *c)
{
    const ref_tensor *x = c->in[c->n_in > 2 ? 1 : 0], *y = c->in[c->n_in - 1], *choice = c->in[0];
    ref_tensor both = { 0 };
    uint32_t rank;
    int64_t dim[WEFT_MAX_RANK];
    bool whole = y->dtype == WEFT_I32;
    bool fit = ref_broadcast_dims(x, y, &both.rank, both.dim) && ref_broadcast_dims(&both, choice, &rank, dim);
    if (!fit) return ref_complain(c, "shapes do not broadcast");
    ref_alloc(c->out, type_of(c), rank, dim);
    for (int64_t i = 0; i < c->out->n; i++) {
        int64_t j = ref_broadcast_index(c->out, x, i), k = ref_broadcast_index(c->out, y, i);
        element m = { c->n, x->v[j], y->v[k], x->e[j], y->e[k], 0 };
        bool chosen = choice->v[ref_broadcast_index(c->out, choice, i)] != 0.0;
        double v = 0;
        if (!decided(&m, chosen, &v, &c->out->unsure) && !(whole ? whole_of(&m, &v) : value_of(&m, &v)))
            return ref_complain(c, "the oracle has no formula");
        if (v != 0.0 && fabs(v) < 1.2e-38) m.e += 1.2e-38; /* may be flushed to zero */
        ref_set(c->out, i, v, m.e);
    }
    return true;
}

#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) \
    bool ref_op_##name(const ref_call *c)                         \
    {                                                             \
        return map(c);                                            \
    }
#include "graph/map.def"
#undef WEFT_MAP
