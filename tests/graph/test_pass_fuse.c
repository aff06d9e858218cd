/* The passes that fuse: goldens of small graphs before and after, and what each must leave alone. */
#include "pass_support.h"

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

static const weft_test tests[] = {
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
};
GOLDEN_MAIN(tests)
