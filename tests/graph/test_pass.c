/* Each pass: goldens of small graphs before and after, and what it must leave alone. Goldens of whole blocks. */
#include <math.h>
#include <stdlib.h>

#include "block.h"
#include "golden.h"
#include "support.h"

/* ---- tools ---- */

static void seal(weft_graph *g)
{
    weft_error err = { 0 };
    CHECK_OK(weft_graph_seal(g, &err), err);
}

/* Seals if need be and runs one pass; NULL: the default list. */
static void run(weft_graph *g, const char *pass)
{
    weft_error err = { 0 };
    if (!g->sealed) seal(g);
    CHECK_OK(weft_graph_optimise(g, pass ? &pass : NULL, 1, &err), err);
}

static uint32_t count(const weft_graph *g, weft_op op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) n += weft_graph_node(g, i)->op == op;
    return n;
}

/* The one node of an op; fails if there are none or more. */
static const weft_node *only(const weft_graph *g, weft_op op)
{
    static const weft_node none;
    if (!CHECK_EQ_INT(count(g, op), 1)) return &none;
    for (uint32_t i = 0;; i++)
        if (weft_graph_node(g, i)->op == op) return weft_graph_node(g, i);
}

/* Text before and after the pass, compared with the golden; destroys g. */
static void golden(weft_graph *g, const char *pass, const char *name)
{
    if (!g->sealed) seal(g);
    char *before = test_print(g), *all = NULL;
    run(g, pass);
    char *after = test_print(g);
    if (asprintf(&all, "%s\n==== after %s\n\n%s", before, pass ? pass : "all passes", after) < 0) abort();
    check_golden(name, all);
    free(before);
    free(after);
    free(all);
    weft_graph_destroy(g);
}

static weft_ref scalar(weft_graph *g, float x)
{
    return weft_constant(g, WEFT_F32, WEFT_DIMS(1), &x);
}

/* ---- dce ---- */

static void dce(void)
{
    weft_graph *g = test_graph();
    weft_dim T = weft_extent(g, "tokens", 4);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(T, 8), "x"), at = weft_input(g, WEFT_I32, WEFT_DIMS(T), "at");
    weft_input(g, WEFT_F32, WEFT_DIMS(T), "unread");                           /* stays: callers bind it by name */
    weft_store(g, weft_state(g, WEFT_F16, WEFT_DIMS(9, 8), "kept"), x, at, 0); /* stays: the next run reads it */
    weft_state(g, WEFT_F16, WEFT_DIMS(9, 8), "dropped");
    weft_ref dead = weft_matmul_nt(g, x, weft_weight(g, WEFT_F16, WEFT_DIMS(5, 8), "dropped"));
    weft_exp(g, dead);
    weft_ref values, indices;
    weft_top_k(g, x, 2, &values, &indices); /* one of its results is read */
    weft_output(g, indices, "y");
    golden(g, "dce", "pass_dce");
}

static void dce_after_keeping_outputs(void)
{
    weft_error err = { 0 };
    weft_graph *g = test_graph();
    block_desc b = { 2, 4, 32, 2, 16, 50, WEFT_F32, true };
    const char *hidden = "hidden", *unknown = "nothing";
    block_build(g, &b);
    seal(g);
    CHECK(weft__graph_source(g, WEFT_OP_weight, "head.weight") != NULL);
    CHECK_STATUS(weft_graph_keep_outputs(g, &unknown, 1, &err), WEFT_NOT_FOUND, err);
    CHECK_OK(weft_graph_keep_outputs(g, &hidden, 1, &err), err);
    run(g, "dce");
    CHECK(weft__graph_source(g, WEFT_OP_weight, "head.weight") == NULL);
    CHECK(weft__graph_source(g, WEFT_OP_weight, "final_norm.weight") != NULL);
    weft_graph_destroy(g);
}

/* ---- cse ---- */

static void cse(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "x"), y = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "y");
    weft_ref a = weft_exp(g, weft_add(g, x, y)), b = weft_exp(g, weft_add(g, y, x)); /* a chain, exchanged operands */
    weft_ref c = weft_sub(g, x, y), d = weft_sub(g, y, x);                           /* different */
    weft_ref e = weft_scale(g, x, 2), f = weft_scale(g, x, 2), h = weft_scale(g, x, 3);
    weft_ref v1, i1, v2, i2;
    weft_top_k(g, x, 2, &v1, &i1);
    weft_top_k(g, x, 2, &v2, &i2);
    weft_output(g, weft_concat(g, (weft_ref[]){ a, b, c, d, e, f, h, v1, v2 }, 9, 1), "all");
    weft_output(g, i2, "indices");
    golden(g, "cse", "pass_cse");
}

static void cse_leaves_stores_alone(void)
{
    weft_graph *g = test_graph();
    weft_ref rows = weft_input(g, WEFT_F32, WEFT_DIMS(2, 4), "rows"), at = weft_input(g, WEFT_I32, WEFT_DIMS(2), "at");
    weft_ref s = weft_state(g, WEFT_F32, WEFT_DIMS(9, 4), "s");
    s = weft_store(g, s, rows, at, 0);
    weft_ref before = weft_exp(g, rows);
    s = weft_store(g, s, rows, at, 0); /* the same rows again, into another value of the state */
    weft_output(g, weft_add(g, weft_reduce_sum(g, s, 0), weft_reduce_sum(g, before, 0)), "y");
    run(g, "cse");
    CHECK_EQ_INT(count(g, WEFT_OP_store), 2);
    weft_graph_destroy(g);
}

/* ---- fold ---- */

static void fold_identities(void)
{
    weft_graph *g = test_graph();
    weft_dim T = weft_extent(g, "tokens", 4);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(T, 8), "x"), y = x;
    y = weft_reshape(g, y, WEFT_DIMS(T, 8));
    y = weft_permute(g, y, (const uint8_t[]){ 0, 1 }, 2);
    y = weft_slice(g, y, 1, 0, 8);
    y = weft_broadcast(g, y, WEFT_DIMS(T, 8));
    y = weft_cast(g, y, WEFT_F32);
    y = weft_scale(g, y, 1);
    y = weft_mul(g, y, scalar(g, 1));
    y = weft_mul(g, scalar(g, 1), y);
    y = weft_div(g, y, scalar(g, 1));
    y = weft_add(g, y, scalar(g, -0.0f));
    y = weft_sub(g, y, scalar(g, 0));
    weft_output(g, weft_exp(g, y), "y");
    golden(g, "fold", "pass_fold_identities");
}

static void fold_pairs(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(2, 6, 8), "x");
    weft_ref a = weft_reshape(g, weft_reshape(g, x, WEFT_DIMS(12, 8)), WEFT_DIMS(3, 32));
    weft_ref b = weft_transpose(g, weft_transpose(g, x, 0, 1), 1, 2);
    weft_ref c = weft_slice(g, weft_slice(g, x, 2, 1, 6), 2, 2, 3);
    weft_ref d = weft_slice(g, weft_slice(g, x, 1, 1, 4), 2, 2, 3); /* different axes */
    weft_ref e = weft_scale(g, weft_scale(g, x, 0.5f), 3);
    weft_ref f =
        weft_broadcast(g, weft_broadcast(g, weft_slice(g, x, 0, 0, 1), WEFT_DIMS(3, 6, 8)), WEFT_DIMS(5, 3, 6, 8));
    weft_ref h = weft_transpose(g, weft_transpose(g, x, 0, 1), 0, 1); /* there and back */
    weft_ref i = weft_reshape(g, weft_reshape(g, x, WEFT_DIMS(96)), WEFT_DIMS(2, 6, 8));
    weft_output(g, a, "a"), weft_output(g, b, "b"), weft_output(g, c, "c"), weft_output(g, d, "d");
    weft_output(g, e, "e"), weft_output(g, f, "f"), weft_output(g, h, "h"), weft_output(g, i, "i");
    golden(g, "fold", "pass_fold_pairs");
}

static void fold_to_one_form(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "x"), row = weft_input(g, WEFT_F32, WEFT_DIMS(8), "row");
    float many[8] = { 5, 5, 5, 5, 5, 5, 5, 5 };
    weft_output(g, weft_mul(g, x, scalar(g, 3)), "a");
    weft_output(g, weft_mul(g, weft_constant(g, WEFT_F32, WEFT_DIMS(8), many), x), "b");
    weft_output(g, weft_div(g, x, scalar(g, -4)), "c");
    weft_output(g, weft_add(g, row, x), "d"); /* larger operand first */
    weft_output(g, weft_mul(g, row, x), "e");
    weft_ref five = weft_constant(g, WEFT_F32, WEFT_DIMS(8), many);
    weft_output(g, weft_mul(g, weft_slice(g, row, 0, 0, 1), five), "f");
    golden(g, "fold", "pass_fold_one_form");
}

/* Each of these would change some result by more than rounding, or some type. */
static void fold_leaves_alone(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "x"), h = weft_input(g, WEFT_F16, WEFT_DIMS(4, 8), "h");
    weft_ref row = weft_input(g, WEFT_F32, WEFT_DIMS(8), "row");
    float mixed[8] = { 1, 1, 1, 2, 1, 1, 1, 1 };
    weft_output(g, weft_add(g, x, scalar(g, 0)), "a"); /* -0 + 0 is 0 */
    weft_output(g, weft_sub(g, x, scalar(g, -0.0f)), "b");
    weft_output(g, weft_div(g, x, scalar(g, 3)), "c"); /* 1/3 is rounded */
    weft_output(g, weft_sub(g, scalar(g, 0), x), "d");
    weft_output(g, weft_div(g, scalar(g, 1), x), "e");
    weft_output(g, weft_scale(g, weft_scale(g, x, 1e-30f), 1e-30f), "f"); /* the product is no float */
    weft_output(g, weft_cast(g, x, WEFT_F16), "i");
    weft_output(g, weft_scale(g, h, 1), "j"); /* f16 to f32 */
    weft_output(g, weft_mul(g, x, weft_constant(g, WEFT_F32, WEFT_DIMS(8), mixed)), "k");
    weft_output(g, weft_sub(g, row, x), "l");                                     /* sub does not commute */
    weft_output(g, weft_add(g, row, weft_reshape(g, row, WEFT_DIMS(8, 1))), "m"); /* neither has the result's dims */
    seal(g);
    char *before = test_print(g);
    run(g, "fold");
    char *after = test_print(g);
    CHECK_STR(after, before);
    free(before);
    free(after);
    weft_graph_destroy(g);
}

/* ---- eval ---- */

static const float *constant_of(const weft_graph *g, const char *output)
{
    static const float none[64];
    const weft_value *v = weft_graph_value(g, weft_graph_find(g, output));
    const weft_node *n = v ? weft_graph_node_by_id(g, v->node) : NULL;
    return CHECK(n && n->op == WEFT_OP_constant) ? n->data : none;
}

static void eval(void)
{
    weft_graph *g = test_graph();
    const float values[6] = { -2, -0.5f, 0, 0.25f, 1, 3 };
    weft_ref x = weft_constant(g, WEFT_F32, WEFT_DIMS(2, 3), values), y;
    struct {
        weft_ref r;
        double (*want)(double);
    } maps[] = { { weft_exp(g, x), exp }, { weft_tanh(g, x), tanh } };
    for (int i = 0; i < 2; i++) weft_output(g, maps[i].r, "map%d", i);
    weft_output(g, weft_gelu(g, x), "gelu");
    weft_output(g, weft_gelu_tanh(g, x), "gelu_tanh");
    weft_output(g, weft_silu(g, x), "silu");
    weft_output(g, weft_relu(g, x), "relu");
    y = weft_sub(g, weft_mul(g, x, weft_constant(g, WEFT_F32, WEFT_DIMS(3), values)), scalar(g, 1)); /* a chain */
    weft_output(g, weft_div(g, y, weft_constant(g, WEFT_F32, WEFT_DIMS(2, 1), values)), "chain");
    weft_output(g, weft_add(g, weft_scale(g, weft_sigmoid(g, x), 2), x), "sum");
    run(g, "eval");
    for (int k = 0; k < 6; k++) {
        double v = (double)values[k];
        for (int i = 0; i < 2; i++) CHECK_NEAR((double)constant_of(g, i ? "map1" : "map0")[k], maps[i].want(v), 2e-6);
        CHECK_NEAR((double)constant_of(g, "gelu")[k], 0.5 * v * erfc(-v / sqrt(2)), 1e-6);
        CHECK_NEAR((double)constant_of(g, "gelu_tanh")[k], 0.5 * v * erfc(-v / sqrt(2)), 1e-3);
        CHECK_NEAR((double)constant_of(g, "silu")[k], v / (1 + exp(-v)), 1e-6);
        CHECK_NEAR((double)constant_of(g, "relu")[k], v > 0 ? v : 0, 0);
        double want = (v * (double)values[k % 3] - 1) / (double)values[k / 3];
        CHECK_NEAR((double)constant_of(g, "chain")[k], want, 1e-6);
        CHECK_NEAR((double)constant_of(g, "sum")[k], 2 / (1 + exp(-v)) + v, 1e-6);
    }
    weft_graph_destroy(g);
}

static void eval_whole(void)
{
    weft_graph *g = test_graph();
    const int32_t values[5] = { 7, -7, INT32_MIN, INT32_MAX, 0 }, by[5] = { -2, 2, -1, 0, 3 };
    const int32_t sum[5] = { 5, -5, INT32_MAX, INT32_MAX, 3 }, quotient[5] = { -3, -3, INT32_MIN, 0, 0 };
    weft_ref x = weft_constant(g, WEFT_I32, WEFT_DIMS(5), values), y = weft_constant(g, WEFT_I32, WEFT_DIMS(5), by);
    weft_output(g, weft_add(g, x, y), "sum");
    weft_output(g, weft_div(g, x, y), "quotient");
    weft_output(g, weft_where(g, weft_less(g, x, y), x, y), "least");
    run(g, "eval");
    CHECK(!memcmp(constant_of(g, "sum"), sum, sizeof sum));
    CHECK(!memcmp(constant_of(g, "quotient"), quotient, sizeof quotient));
    const int32_t least[5] = { -2, -7, INT32_MIN, 0, 0 };
    CHECK(!memcmp(constant_of(g, "least"), least, sizeof least));
    weft_graph_destroy(g);
}

static void eval_leaves_alone(void)
{
    weft_graph *g = test_graph();
    static float large[300 * 300];
    const int32_t ints[2] = { 1, 2 };
    weft_output(g, weft_exp(g, weft_constant(g, WEFT_F32, WEFT_DIMS(300, 300), large)), "large");
    weft_output(g, weft_cast(g, weft_constant(g, WEFT_I32, WEFT_DIMS(2), ints), WEFT_F32), "cast");
    weft_output(g, weft_exp(g, weft_input(g, WEFT_F32, WEFT_DIMS(2), "x")), "input");
    run(g, "eval");
    CHECK_EQ_INT(count(g, WEFT_OP_exp), 2);
    CHECK_EQ_INT(count(g, WEFT_OP_cast), 1);
    weft_graph_destroy(g);
}

/* ---- fuse_norm ---- */

static weft_ref norm(weft_graph *g, weft_ref x, const char *name, float eps)
{
    weft_scope_begin(g, "%s", name);
    weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(8), "weight"), b = weft_weight(g, WEFT_F32, WEFT_DIMS(8), "bias");
    return weft_scope_end(g, weft_layer_norm(g, x, w, b, eps));
}

static void fuse_norm(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "x");
    weft_scope_begin(g, "layers.0");
    weft_ref a = weft_exp(g, norm(g, x, "norm_1", 1e-5f));                     /* a use between the two */
    weft_ref b = norm(g, x, "norm_2", 1e-5f), c = norm(g, x, "norm_3", 1e-5f); /* the third stays alone */
    weft_scope_end(g, b);
    weft_output(g, weft_add(g, weft_add(g, a, b), c), "y");
    golden(g, "fuse_norm", "pass_fuse_norm");
}

static void fuse_norm_leaves_alone(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "x"), y = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "y");
    weft_ref none = { 0 }, w = weft_weight(g, WEFT_F32, WEFT_DIMS(8), "w");
    weft_output(g, norm(g, x, "a", 1e-5f), "a");
    weft_output(g, norm(g, x, "b", 1e-6f), "b");                /* another eps */
    weft_output(g, norm(g, y, "c", 1e-5f), "c");                /* another value */
    weft_output(g, weft_layer_norm(g, x, w, none, 1e-5f), "d"); /* no bias */
    weft_ref made = weft_reduce_sum(g, norm(g, y, "e", 1e-4f), 0);
    weft_output(g, weft_layer_norm(g, y, made, w, 1e-4f), "f"); /* a weight that needs the other norm */
    weft_output(g, weft_rms_norm(g, x, w, 1e-5f), "h");
    run(g, "fuse_norm");
    CHECK_EQ_INT(count(g, WEFT_OP_norm_pair), 0);
    CHECK_EQ_INT(count(g, WEFT_OP_layer_norm), 6);
    weft_graph_destroy(g);
}

/* ---- fuse_linear ---- */

/* x [T, 8] and a product of it with a weight [6, 8], in a scope of its own; the rest of a test is its tail. */
typedef struct product {
    weft_graph *g;
    weft_dim T;
    weft_ref x, y, bias, r, s; /* y: the product [T, 6]; r and s: inputs [T, 6] */
} product;

static product make_product(weft_dtype type)
{
    product p = { .g = test_graph() };
    p.T = weft_extent(p.g, "tokens", 4);
    int64_t K = weft_dtype_get(type)->block == 1 ? 8 : 32;
    p.x = weft_input(p.g, WEFT_F32, WEFT_DIMS(p.T, K), "x");
    p.r = weft_input(p.g, WEFT_F32, WEFT_DIMS(p.T, 6), "r");
    p.s = weft_input(p.g, WEFT_F32, WEFT_DIMS(p.T, 6), "s");
    weft_scope_begin(p.g, "dense");
    p.y = weft_matmul_nt(p.g, p.x, weft_weight(p.g, type, WEFT_DIMS(6, K), "weight"));
    p.bias = weft_weight(p.g, WEFT_F32, WEFT_DIMS(6), "bias");
    weft_scope_end(p.g, p.y);
    return p;
}

static void fuse_linear_with_everything(void)
{
    product p = make_product(WEFT_F16);
    weft_ref y = weft_gelu(p.g, weft_add(p.g, p.y, p.bias));
    weft_output(p.g, weft_add(p.g, p.s, weft_add(p.g, y, p.r)), "y");
    golden(p.g, "fuse_linear", "pass_fuse_linear");
}

/* What of a tail is taken up: attributes of the linear, and how many nodes stay behind it. */
static void expect(product p, weft_ref y, int bias, weft_act act, int residuals, uint32_t left)
{
    weft_output(p.g, y, "y");
    run(p.g, "fuse_linear");
    const weft_node *n = only(p.g, WEFT_OP_linear);
    CHECK_EQ_INT(n->attrs.linear.has_bias, bias);
    CHECK_EQ_INT(n->attrs.linear.act, act);
    CHECK_EQ_INT(n->attrs.linear.n_residual, residuals);
    CHECK_EQ_INT(n->n_in, 2 + bias + residuals);
    CHECK_EQ_INT(n->n_origin, 1 + bias + (act != WEFT_ACT_NONE) + residuals);
    CHECK_STR(n->scope, "dense");
    uint32_t others = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(p.g); i++) {
        const weft_node *other = weft_graph_node(p.g, i);
        others += other->op != WEFT_OP_linear && !(weft_op_get(other->op)->traits & WEFT_TRAIT_SOURCE);
    }
    CHECK_EQ_INT(others, left);
    weft_graph_destroy(p.g);
}

static void fuse_linear_in_parts(void)
{
    product p = make_product(WEFT_F32);
    expect(p, p.y, 0, WEFT_ACT_NONE, 0, 0);
    p = make_product(WEFT_Q8_0);
    expect(p, weft_add(p.g, p.y, p.bias), 1, WEFT_ACT_NONE, 0, 0);
    p = make_product(WEFT_Q4_0);
    expect(p, weft_add(p.g, p.bias, p.y), 1, WEFT_ACT_NONE, 0, 0);
    p = make_product(WEFT_BF16);
    expect(p, weft_silu(p.g, p.y), 0, WEFT_ACT_SILU, 0, 0);
    p = make_product(WEFT_F32);
    expect(p, weft_add(p.g, p.r, p.y), 0, WEFT_ACT_NONE, 1, 0);
    p = make_product(WEFT_F32); /* the bias after a residual, where no activation is between */
    expect(p, weft_add(p.g, weft_add(p.g, p.y, p.r), p.bias), 1, WEFT_ACT_NONE, 1, 0);
    p = make_product(WEFT_F32); /* two residuals are enough */
    expect(p, weft_add(p.g, weft_add(p.g, weft_add(p.g, p.y, p.r), p.s), p.r), 0, WEFT_ACT_NONE, 2, 1);
    p = make_product(WEFT_F32); /* an activation comes before residuals */
    expect(p, weft_relu(p.g, weft_add(p.g, p.y, p.r)), 0, WEFT_ACT_NONE, 1, 1);
    p = make_product(WEFT_F32); /* one activation */
    expect(p, weft_relu(p.g, weft_tanh(p.g, p.y)), 0, WEFT_ACT_TANH, 0, 1);
    p = make_product(WEFT_F32); /* the bias before the activation */
    expect(p, weft_add(p.g, weft_relu(p.g, p.y), p.bias), 0, WEFT_ACT_RELU, 0, 1);
    p = make_product(WEFT_F32); /* exp is no activation of a linear */
    expect(p, weft_exp(p.g, weft_add(p.g, p.y, p.bias)), 1, WEFT_ACT_NONE, 0, 1);
}

static void fuse_linear_stops_where_others_read(void)
{
    product p = make_product(WEFT_F32); /* the product is read twice */
    expect(p, weft_mul(p.g, weft_add(p.g, p.y, p.bias), p.y), 0, WEFT_ACT_NONE, 0, 2);
    p = make_product(WEFT_F32);
    expect(p, weft_add(p.g, p.y, p.y), 0, WEFT_ACT_NONE, 0, 1);
    p = make_product(WEFT_F32); /* the sum is an output */
    weft_ref sum = weft_output(p.g, weft_add(p.g, p.y, p.bias), "sum");
    expect(p, weft_gelu(p.g, sum), 1, WEFT_ACT_NONE, 0, 1);
    p = make_product(WEFT_F32); /* so is the product */
    weft_output(p.g, p.y, "product");
    expect(p, weft_add(p.g, p.y, p.bias), 0, WEFT_ACT_NONE, 0, 1);
}

static void fuse_linear_refuses_what_does_not_fit(void)
{
    product p = make_product(WEFT_F32);
    weft_ref row = weft_input(p.g, WEFT_F32, WEFT_DIMS(6), "row"); /* a vector, but no weight */
    expect(p, weft_add(p.g, p.y, row), 0, WEFT_ACT_NONE, 0, 1);
    p = make_product(WEFT_F32);
    weft_ref one = weft_weight(p.g, WEFT_F32, WEFT_DIMS(1), "one"); /* a vector of another size */
    expect(p, weft_add(p.g, p.y, one), 0, WEFT_ACT_NONE, 0, 1);
    p = make_product(WEFT_F32);
    weft_ref flat = weft_weight(p.g, WEFT_F32, WEFT_DIMS(1, 6), "flat"); /* a row, but of rank 2 */
    expect(p, weft_add(p.g, p.y, flat), 0, WEFT_ACT_NONE, 0, 1);
    p = make_product(WEFT_F32);
    weft_ref more = weft_input(p.g, WEFT_F32, WEFT_DIMS(3, p.T, 6), "more"); /* the sum is larger than the product */
    expect(p, weft_add(p.g, p.y, more), 0, WEFT_ACT_NONE, 0, 1);
    p = make_product(WEFT_F32);
    weft_ref half = weft_input(p.g, WEFT_F16, WEFT_DIMS(p.T, 6), "half"); /* residuals are f32 */
    expect(p, weft_add(p.g, p.y, half), 0, WEFT_ACT_NONE, 0, 1);
}

static void fuse_linear_wants_a_weight_matrix(void)
{
    weft_graph *g = test_graph();
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(2, 4, 8), "x"), w = weft_input(g, WEFT_F32, WEFT_DIMS(6, 8), "w");
    weft_output(g, weft_matmul_nt(g, x, w), "a");                                                 /* no weight */
    weft_output(g, weft_matmul_nt(g, x, weft_weight(g, WEFT_F32, WEFT_DIMS(2, 6, 8), "b")), "b"); /* a batch */
    weft_output(g, weft_matmul(g, x, weft_weight(g, WEFT_F32, WEFT_DIMS(8, 6), "c")), "c");       /* transposed */
    run(g, "fuse_linear");
    CHECK_EQ_INT(count(g, WEFT_OP_linear), 0);
    weft_graph_destroy(g);
}

/* Of two products that are added, the deeper one takes the sum, whichever was built first. */
static void fuse_linear_prefers_the_deeper_branch(void)
{
    for (int swap = 0; swap < 2; swap++) {
        product p = make_product(WEFT_F32);
        weft_ref deep = weft_weight(p.g, WEFT_F32, WEFT_DIMS(6, 8), "deep");
        weft_ref other = weft_matmul_nt(p.g, weft_exp(p.g, weft_tanh(p.g, p.x)), deep);
        weft_output(p.g, weft_add(p.g, p.r, swap ? weft_add(p.g, other, p.y) : weft_add(p.g, p.y, other)), "y");
        run(p.g, "fuse_linear");
        CHECK_EQ_INT(count(p.g, WEFT_OP_linear), 2);
        weft_ref y = weft_graph_find(p.g, "y");
        const weft_node *n = weft_graph_node_by_id(p.g, weft_graph_value(p.g, y)->node);
        CHECK_EQ_INT(n->in[1].id, deep.id);
        CHECK_EQ_INT(n->attrs.linear.n_residual, 2);
        weft_graph_destroy(p.g);
    }
}

/* ---- fuse_gate, fuse_reading ---- */

/* act(n gate^T + ..) * (n up^T + ..) of a norm of h, under "mlp", as most feed-forward parts begin. */
typedef struct gated {
    weft_graph *g;
    weft_ref h, normed, gate, up, gate_bias, up_bias;
} gated;

static gated make_gated(weft_dtype type, weft_dtype other, int64_t width)
{
    gated p = { .g = test_graph() };
    weft_dim T = weft_extent(p.g, "tokens", 4);
    p.h = weft_input(p.g, WEFT_F32, WEFT_DIMS(T, 8), "h");
    p.normed = weft_rms_norm(p.g, p.h, weft_weight(p.g, WEFT_F32, WEFT_DIMS(8), "norm.weight"), 1e-5f);
    weft_scope_begin(p.g, "mlp");
    p.gate = weft_matmul_nt(p.g, p.normed, weft_weight(p.g, type, WEFT_DIMS(6, 8), "gate.weight"));
    p.up = weft_matmul_nt(p.g, p.normed, weft_weight(p.g, other, WEFT_DIMS(width, 8), "up.weight"));
    p.gate_bias = weft_weight(p.g, WEFT_F32, WEFT_DIMS(6), "gate.bias");
    p.up_bias = weft_weight(p.g, WEFT_F16, WEFT_DIMS(width), "up.bias");
    return p;
}

static void fuse_gate(void)
{
    static const char *const names[] = { "fuse_linear", "fuse_gate", "fuse_reading" };
    weft_error err = { 0 };
    gated p = make_gated(WEFT_F16, WEFT_F16, 6);
    weft_ref y = weft_add(p.g, p.up, p.up_bias);
    weft_output(p.g, weft_scope_end(p.g, weft_mul(p.g, y, weft_silu(p.g, weft_add(p.g, p.gate, p.gate_bias)))), "y");
    seal(p.g);
    CHECK_OK(weft_graph_optimise(p.g, names, 1, &err), err);
    golden(p.g, "fuse_gate", "pass_fuse_gate");
    p = make_gated(WEFT_F16, WEFT_F16, 6);
    weft_output(p.g, weft_scope_end(p.g, weft_mul(p.g, weft_silu(p.g, p.gate), p.up)), "y");
    seal(p.g);
    CHECK_OK(weft_graph_optimise(p.g, names, 2, &err), err);
    golden(p.g, "fuse_reading", "pass_fuse_reading");
}

static void fuse_gate_leaves_alone(void)
{
    for (int way = 0; way < 8; way++) {
        gated p = make_gated(WEFT_F16, way == 0 ? WEFT_F32 : WEFT_F16, way == 1 ? 1 : 6); /* another type, size */
        weft_ref gate = weft_silu(p.g, p.gate), up = p.up;
        if (way == 2) up = weft_add(p.g, up, p.up_bias);       /* a bias on one side */
        if (way == 3) up = weft_gelu(p.g, up);                 /* two activations */
        if (way == 4) weft_output(p.g, gate, "gate");          /* read elsewhere, too */
        if (way == 5) weft_output(p.g, weft_exp(p.g, up), "e");
        if (way == 6) up = gate;                               /* a square */
        if (way == 7) up = weft_matmul_nt(p.g, p.h, weft_weight(p.g, WEFT_F16, WEFT_DIMS(6, 8), "v")); /* another x */
        weft_output(p.g, weft_scope_end(p.g, weft_mul(p.g, gate, up)), "y");
        run(p.g, NULL);
        for (uint32_t i = 0; i < weft_graph_node_count(p.g); i++) {
            const weft_node *n = weft_graph_node(p.g, i);
            CHECK(n->op != WEFT_OP_linear || !n->attrs.linear.gated);
        }
        CHECK_EQ_INT(count(p.g, WEFT_OP_mul), 1);
        weft_graph_destroy(p.g);
    }
}

/* A norm stays that somebody else reads, or a product in another place than as x, or that has no weight; so does one
 * of rows that are rounded, or whose weight is computed. */
static void fuse_reading_leaves_alone(void)
{
    for (int way = 0; way < 6; way++) {
        weft_graph *g = test_graph();
        weft_ref x = weft_input(g, way == 4 ? WEFT_F16 : WEFT_F32, WEFT_DIMS(4, 8), "x");
        weft_ref gain = weft_weight(g, WEFT_F32, WEFT_DIMS(8), "gain");
        weft_ref w = weft_weight(g, WEFT_F16, WEFT_DIMS(8, 8), "w");
        if (way == 0) gain = weft_exp(g, gain);
        weft_ref n = weft_rms_norm(g, x, way == 1 ? (weft_ref){ 0 } : gain, 1e-5f), y = weft_matmul_nt(g, n, w);
        if (way == 2) weft_output(g, weft_exp(g, n), "e");
        if (way == 3) y = weft_add(g, y, n);
        if (way == 5) n = weft_norm(g, x, &(weft_norm_desc){ WEFT_NORM_RMS, .w = gain, .eps = 1e-6f, .group = 4 });
        if (way == 5) y = weft_matmul_nt(g, n, w);
        weft_output(g, y, "y");
        run(g, NULL);
        CHECK_EQ_INT(count(g, WEFT_OP_rms_norm), 1);
        CHECK_EQ_INT(only(g, WEFT_OP_linear)->attrs.linear.norm, 0);
        weft_graph_destroy(g);
    }
}

/* ---- fuse_rope ---- */

/* Rows [T, 2, 4] of x rotated; a state's rows are heads first (axis 1) or tokens first (axis 0). */
static weft_graph *rotated(weft_ref *rows, weft_ref *at, weft_dtype *type)
{
    weft_graph *g = test_graph();
    weft_dim T = weft_extent(g, "tokens", 4);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(T, 2, 4), "x");
    weft_ref pos = weft_input(g, WEFT_I32, WEFT_DIMS(T), "pos");
    *at = weft_input(g, WEFT_I32, WEFT_DIMS(T), "at");
    *rows = weft_rope(g, x, weft_rope_angles(g, pos, 4, 100), true);
    *type = WEFT_F16;
    return g;
}

static void fuse_rope(void)
{
    weft_ref rows, at;
    weft_dtype type;
    weft_graph *g = rotated(&rows, &at, &type);
    weft_scope_begin(g, "layers.0.attention");
    rows = weft_transpose(g, rows, 0, 1);
    weft_ref s = weft_store(g, weft_state(g, type, WEFT_DIMS(2, 9, 4), "keys"), rows, at, 1);
    weft_scope_end(g, s);
    weft_output(g, weft_reduce_sum(g, s, 1), "y");
    golden(g, "fuse_rope", "pass_fuse_rope_heads");
    g = rotated(&rows, &at, &type);
    weft_store(g, weft_state(g, type, WEFT_DIMS(9, 2, 4), "keys"), rows, at, 0);
    weft_output(g, at, "y"); /* nothing reads the state, which is written all the same */
    golden(g, "fuse_rope", "pass_fuse_rope_tokens");
}

static void fuse_rope_leaves_alone(void)
{
    weft_ref rows, at, s;
    weft_dtype type;
    for (int way = 0; way < 5; way++) {
        weft_graph *g = rotated(&rows, &at, &type);
        weft_ref t = weft_transpose(g, rows, 0, 1);
        if (way == 0) weft_output(g, rows, "rows");             /* the rotated rows are an output */
        if (way == 1) weft_output(g, weft_exp(g, rows), "exp"); /* they are read elsewhere */
        if (way == 2) weft_output(g, weft_exp(g, t), "exp");    /* so are the permuted ones */
        if (way == 3) rows = weft_scale(g, rows, 2), t = weft_transpose(g, rows, 0, 1); /* something in between */
        s = way == 4 ? weft_store(g, weft_state(g, type, WEFT_DIMS(2, 4, 9), "keys"),   /* another permutation */
                                  weft_permute(g, rows, (const uint8_t[]){ 1, 2, 0 }, 3), at, 2)
                     : weft_store(g, weft_state(g, type, WEFT_DIMS(2, 9, 4), "keys"), t, at, 1);
        weft_output(g, s, "state");
        run(g, "fuse_rope");
        CHECK_EQ_INT(count(g, WEFT_OP_rope_store), 0);
        CHECK_EQ_INT(count(g, WEFT_OP_store), 1);
        weft_graph_destroy(g);
    }
}

/* ---- old values of states ---- */

/* What an identity keeps of a state's old value, what is multiplied with it and what rotates it stays apart from what
 * needs the store. */
static void old_values_are_read_first(void)
{
    weft_graph *g = test_graph();
    weft_ref at = weft_input(g, WEFT_I32, WEFT_DIMS(4), "at");
    weft_ref s = weft_state(g, WEFT_F32, WEFT_DIMS(4, 2, 4), "s"), w = weft_weight(g, WEFT_F32, WEFT_DIMS(4, 4), "w");
    weft_ref kept = weft_scale(g, weft_cast(g, weft_reshape(g, s, WEFT_DIMS(4, 8)), WEFT_F32), 1);
    weft_ref made = weft_matmul_nt(g, weft_select(g, s, 1, 0), w), angles = weft_rope_angles(g, at, 4, 100);
    weft_ref stored = weft_store(g, s, weft_rope(g, s, angles, false), at, 0);
    weft_output(g, weft_add(g, kept, weft_reshape(g, stored, WEFT_DIMS(4, 8))), "kept");
    weft_output(g, weft_add(g, made, weft_select(g, stored, 1, 1)), "made");
    golden(g, NULL, "pass_old_values");
}

/* An old value is the last residual that a product takes, and does no harm in any other place. */
static void old_values_as_residuals(void)
{
    weft_graph *g = test_graph();
    weft_ref at = weft_input(g, WEFT_I32, WEFT_DIMS(4), "at"), x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 8), "x");
    weft_ref s = weft_state(g, WEFT_F32, WEFT_DIMS(4, 8), "s"), w = weft_weight(g, WEFT_F32, WEFT_DIMS(8, 8), "w");
    weft_ref y = weft_add(g, weft_matmul_nt(g, x, w), s), z = weft_add(g, weft_matmul_nt(g, weft_exp(g, x), w), x);
    z = weft_add(g, z, s);
    weft_ref stored = weft_store(g, s, x, at, 0);
    weft_output(g, weft_add(g, y, stored), "y");
    weft_output(g, z, "z");
    run(g, NULL);
    CHECK_EQ_INT(count(g, WEFT_OP_linear), 2);
    CHECK_EQ_INT(count(g, WEFT_OP_add), 1);
    weft_graph_destroy(g);
}

/* ---- all of them ---- */

static weft_graph *two_layers(bool parallel)
{
    weft_graph *g = test_graph();
    block_desc b = { 2, 8, 64, 4, 128, 100, WEFT_F16, parallel };
    block_build(g, &b);
    return g;
}

static void blocks(void)
{
    golden(two_layers(true), NULL, "pass_block_parallel");
    golden(two_layers(false), NULL, "pass_block_sequential");
}

/* All that does work is still there under its own id, or named by one node that took its place. */
static void every_node_is_accounted_for(void)
{
    weft_graph *g = two_layers(true);
    seal(g);
    uint32_t limit = weft_graph_node_limit(g);
    uint32_t *seen = calloc(limit, sizeof *seen);
    bool *works = calloc(limit, sizeof *works);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        works[n->id] = !(weft_op_get(n->op)->traits & (WEFT_TRAIT_VIEW | WEFT_TRAIT_SOURCE));
    }
    run(g, NULL);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->id < limit && !n->n_origin) seen[n->id]++;
        for (uint32_t k = 0; k < n->n_origin; k++)
            if (CHECK(n->origin[k] < limit)) seen[n->origin[k]]++;
    }
    for (uint32_t i = 0; i < limit; i++)
        if (works[i] && !CHECK_EQ_INT(seen[i], 1)) printf("  node %u\n", i);
    free(seen);
    free(works);
    weft_graph_destroy(g);
}

static void a_second_time_changes_nothing(void)
{
    weft_graph *g = two_layers(true);
    run(g, NULL);
    char *once = test_print(g);
    run(g, NULL);
    char *twice = test_print(g);
    CHECK_STR(twice, once);
    free(once);
    free(twice);
    weft_graph_destroy(g);
}

static void errors(void)
{
    weft_error err = { 0 };
    weft_graph *g = two_layers(true);
    const char *unknown = "fuse_all";
    CHECK_STATUS(weft_graph_optimise(g, NULL, 0, &err), WEFT_INVALID, err);
    seal(g);
    CHECK_STATUS(weft_graph_optimise(g, &unknown, 1, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "fuse_all");
    CHECK_EQ_INT(weft_graph_optimise(g, &unknown, 1, NULL), WEFT_NOT_FOUND);
    CHECK_EQ_INT(weft_graph_optimise(g, NULL, 0, NULL), WEFT_OK);
    uint32_t n;
    const char *const *names = weft_pass_names(&n);
    CHECK(n >= 7 && names != NULL);
    CHECK_OK(weft_graph_optimise(g, names, n, &err), err);
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "dce", dce },
    { "dce after keeping outputs", dce_after_keeping_outputs },
    { "cse", cse },
    { "cse leaves stores alone", cse_leaves_stores_alone },
    { "fold identities", fold_identities },
    { "fold pairs", fold_pairs },
    { "fold to one form", fold_to_one_form },
    { "fold leaves alone", fold_leaves_alone },
    { "eval", eval },
    { "eval of i32", eval_whole },
    { "eval leaves alone", eval_leaves_alone },
    { "fuse_norm", fuse_norm },
    { "fuse_norm leaves alone", fuse_norm_leaves_alone },
    { "fuse_linear with everything", fuse_linear_with_everything },
    { "fuse_linear in parts", fuse_linear_in_parts },
    { "fuse_linear stops where others read", fuse_linear_stops_where_others_read },
    { "fuse_linear refuses what does not fit", fuse_linear_refuses_what_does_not_fit },
    { "fuse_linear wants a weight matrix", fuse_linear_wants_a_weight_matrix },
    { "fuse_linear prefers the deeper branch", fuse_linear_prefers_the_deeper_branch },
    { "fuse_gate and fuse_reading", fuse_gate },
    { "fuse_gate leaves alone", fuse_gate_leaves_alone },
    { "fuse_reading leaves alone", fuse_reading_leaves_alone },
    { "fuse_rope", fuse_rope },
    { "fuse_rope leaves alone", fuse_rope_leaves_alone },
    { "old values are read first", old_values_are_read_first },
    { "old values as residuals", old_values_as_residuals },
    { "blocks", blocks },
    { "every node is accounted for", every_node_is_accounted_for },
    { "a second time changes nothing", a_second_time_changes_nothing },
    { "errors", errors },
};
GOLDEN_MAIN(tests)
