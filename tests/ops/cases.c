/* cases.c: the small vocabulary in which op_cases.def is written, and the rows themselves. */
#include "cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CASE_FLOAT = FILL_FLOAT,
    CASE_SPECIAL = FILL_SPECIAL,
    CASE_LARGE = FILL_LARGE,
    CASE_OFFSET = FILL_OFFSET,
    CASE_LONE = FILL_LONE,
    CASE_DARK = FILL_DARK,
    CASE_BENCH = 100
};

static const op_case cases[] = {
#define CASE(op, fill, graph) { WEFT_OP_##op, CASE_##fill == CASE_BENCH, #op ": " #graph },
#include "op_cases.def"
#undef CASE
};

const op_case *op_cases(uint32_t *n)
{
    *n = sizeof cases / sizeof *cases;
    return cases;
}

static weft_ref floats(subject *s, subject_fill fill, weft_dtype t, const char *name, weft_dims d)
{
    subject_source(s, WEFT_OP_input, name, t, t, &d, fill, 0, 0);
    weft_ref known = weft_graph_find(s->g, name);
    return known.id ? known : weft_input(s->g, t, d, name);
}

static weft_ref ints(subject *s, subject_fill fill, const char *name, int32_t lo, int32_t hi,
                     weft_dims d)
{
    subject_source(s, WEFT_OP_input, name, WEFT_I32, WEFT_I32, &d, fill, lo, hi);
    weft_ref known = weft_graph_find(s->g, name);
    return known.id ? known : weft_input(s->g, WEFT_I32, d, name);
}

static weft_ref weight(subject *s, weft_dtype t, weft_dtype stored, const char *name, weft_dims d)
{
    subject_source(s, WEFT_OP_weight, name, t, stored, &d, FILL_FLOAT, 0, 0);
    return weft_weight(s->g, t, d, name);
}

static weft_ref state(subject *s, weft_dtype t, const char *name, weft_dims d)
{
    subject_source(s, WEFT_OP_state, name, t, t, &d, FILL_FLOAT, 0, 0);
    return weft_state(s->g, t, d, name);
}

/* 1, 1.5, 2, ..: a factor for angles, say. */
static weft_ref constant(subject *s, weft_dtype t, weft_dims d)
{
    double v[64];
    unsigned char bytes[256];
    int64_t n = 1;
    for (uint32_t i = 0; i < d.rank; i++) n *= d.d[i].n;
    for (int64_t i = 0; i < n; i++) v[i] = 1.0 + 0.5 * (double)i;
    ref_encode(t, v, n, bytes);
    return weft_constant(s->g, t, d, bytes);
}

static weft_dim extent(subject *s, const char *name, uint32_t actual, uint32_t bound)
{
    weft_dim d = weft_extent(s->g, name, bound);
    if (d.extent) s->actual[d.extent - 1] = actual;
    return d;
}

static weft_ref angles(subject *s, weft_dim tokens, uint32_t n_rot)
{
    weft_ref pos = ints(s, FILL_INDEX, "pos", 0, 600, (weft_dims){ 1, { tokens } });
    return weft_rope_angles(s->g, pos, n_rot, 10000.0f);
}

/* Two layer norms of one value, as a parallel residual block has them. */
static weft_ref two_norms(subject *s, weft_ref x, int64_t n)
{
    weft_dims d = { 1, { { n, 0 } } };
    weft_ref a = weft_layer_norm(s->g, x, weight(s, WEFT_F32, WEFT_F32, "w1", d),
                                 weight(s, WEFT_F32, WEFT_F32, "b1", d), 1e-5f);
    weft_ref b = weft_layer_norm(s->g, x, weight(s, WEFT_F32, WEFT_F32, "w2", d),
                                 weight(s, WEFT_F32, WEFT_F32, "b2", d), 1e-5f);
    weft_output(s->g, b, "y2");
    return a;
}

/* Experts with SwiGLU: of E the K with the largest logits, weighted by the softmax over these. */
static weft_ref mixture(subject *s, weft_dim T, int64_t n, int64_t hidden, int64_t E, int64_t K, weft_dtype type)
{
    weft_graph *g = s->g;
    weft_ref x = floats(s, FILL_FLOAT, WEFT_F32, "x", WEFT_DIMS(T, n)), top, ids;
    weft_ref gate = weight(s, type, type, "gate", WEFT_DIMS(E, hidden, n));
    weft_ref up = weight(s, type, type, "up", WEFT_DIMS(E, hidden, n));
    weft_ref down = weight(s, WEFT_F16, WEFT_F16, "down", WEFT_DIMS(E, n, hidden));
    weft_ref router = weight(s, WEFT_F32, WEFT_F32, "router", WEFT_DIMS(E, n));
    weft_top_k(g, weft_matmul_nt(g, x, router), (uint32_t)K, &top, &ids);
    weft_ref h = weft_mul(g, weft_silu(g, weft_linear_select(g, x, gate, ids)), weft_linear_select(g, x, up, ids));
    weft_ref y = weft_linear_select(g, h, down, ids);
    weft_ref p = weft_reshape(g, weft_softmax(g, top, -1), WEFT_DIMS(T, 1, K));
    return weft_reshape(g, weft_matmul(g, p, y), WEFT_DIMS(T, n));
}

/* Attention over pages of cells: sequences 0..n-1, and some that are none; pages 0..m-1, and some that are not
 * there. */
static weft_ref paged(subject *s, weft_ref q, weft_ref k, weft_ref v, weft_ref first, weft_ref last, float scale,
                      weft_attention_desc d)
{
    return weft_attention_with(s->g, q, k, v, first, last, scale, &d);
}

static weft_attention_desc pages(subject *s, uint32_t page, weft_dim tokens, int32_t cells, weft_dims table)
{
    int32_t n = (int32_t)(table.d[0].n), m = cells / (int32_t)page;
    weft_dims one = { 1, { tokens } };
    return (weft_attention_desc){ .page = page,
                                  .sequence = ints(s, FILL_INDEX, "sequence", tokens.n > 3 ? -1 : 0, n - 1, one),
                                  .pages = ints(s, FILL_INDEX, "pages", table.d[1].n > 3 ? -1 : 0, m - 1, table) };
}

#define X(name, ...)             floats(s, fill, WEFT_F32, name, WEFT_DIMS(__VA_ARGS__))
#define XT(t, name, ...)         floats(s, fill, WEFT_##t, name, WEFT_DIMS(__VA_ARGS__))
#define W(t, name, ...)          weight(s, WEFT_##t, WEFT_##t, name, WEFT_DIMS(__VA_ARGS__))
#define WS(t, stored, name, ...) weight(s, WEFT_##t, WEFT_##stored, name, WEFT_DIMS(__VA_ARGS__))
#define S(t, name, ...)          state(s, WEFT_##t, name, WEFT_DIMS(__VA_ARGS__))
#define C(t, ...)                constant(s, WEFT_##t, WEFT_DIMS(__VA_ARGS__))
#define I(name, lo, hi, ...)     ints(s, FILL_INDEX, name, lo, hi, WEFT_DIMS(__VA_ARGS__))
#define U(name, n, ...)          ints(s, FILL_UNIQUE, name, 0, n, WEFT_DIMS(__VA_ARGS__))
#define T(actual, bound)         extent(s, "t", actual, bound)
#define P(actual, bound)         extent(s, "p", actual, bound)
#define ANGLES(tokens, n_rot)    angles(s, WEFT__DIM(tokens), n_rot)
#define DRESSED(q, k, v, first, last, scale, ...) \
    weft_attention_with(g, q, k, v, first, last, scale, &(weft_attention_desc){ __VA_ARGS__ })
#define PAGED(...)               paged(s, __VA_ARGS__)
#define PAGES(page, tokens, cells, ...) pages(s, page, WEFT__DIM(tokens), cells, (weft_dims)WEFT_DIMS(__VA_ARGS__))
#define BOTH(call)               ((call), weft_output(g, r[1], "y2"), r[0])
#define NO                       ((weft_ref){ 0 }) /* an input that is not given */
#define TWO_NORMS(x, n)          two_norms(s, x, n)

static weft_ref build(subject *s, uint32_t wanted, subject_fill fill)
{
    weft_graph *g = s->g;
    weft_ref r[2] = { { 0 }, { 0 } };
    uint32_t i = 0;
#define CASE(op, fill_, graph)                                                       \
    if (i++ == wanted) {                                                             \
        fill = CASE_##fill_ == CASE_BENCH ? FILL_FLOAT : (subject_fill)CASE_##fill_; \
        return graph;                                                                \
    }
#include "op_cases.def"
#undef CASE
    return r[0];
}

bool op_case_build(uint32_t i, subject *s)
{
    weft_error err;
    subject_begin(s, cases[i].text, subject_hash(cases[i].text));
    weft_output(s->g, build(s, i, FILL_FLOAT), "y");
    if (weft_graph_seal(s->g, &err) == WEFT_OK) return true;
    printf("%s\n    does not build: %s\n", cases[i].text, err.text);
    return false;
}
