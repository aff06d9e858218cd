/* Passes that tidy: goldens of small graphs before and after, and what each must leave alone. Goldens of blocks. */
#include <math.h>

#include "block.h"
#include "pass_support.h"

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
    { "old values are read first", old_values_are_read_first },
    { "old values as residuals", old_values_as_residuals },
    { "blocks", blocks },
    { "every node is accounted for", every_node_is_accounted_for },
    { "a second time changes nothing", a_second_time_changes_nothing },
    { "errors", errors },
};
GOLDEN_MAIN(tests)
