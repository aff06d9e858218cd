/* test_build.c: builders: sticky errors, scopes, names, axes, extents, weights' types, sealing, cloning, replacing. */
#include "support.h"

static const weft_ref none = { 0 };

static weft_ref input(weft_graph *g, const char *name, weft_dims d)
{
    return weft_input(g, WEFT_F32, d, name);
}

/* "f32[2, 3]" of a value. */
static const char *type_text(const weft_graph *g, weft_ref r, char buf[200])
{
    char dims[160];
    const weft_value *v = weft_graph_value(g, r);
    if (!v) return "none";
    snprintf(buf, 200, "%s%s", weft_dtype_get(v->dtype)->name, weft__dims_text(g, &v->dims, dims, sizeof dims));
    return buf;
}

#define CHECK_TYPE(g, r, want) CHECK_STR(type_text((g), (r), (char[200]){ 0 }), (want))

static uint32_t count_op(const weft_graph *g, weft_op op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) n += weft_graph_node(g, i)->op == op;
    return n;
}

/* ---- sticky errors ---- */

/* The first error stays, later builders do nothing and return 0, sealing says what and where it was. */
static void first_error_stays(void)
{
    weft_graph *g = test_graph();
    weft_ref x = input(g, "x", WEFT_DIMS(3, 4));
    weft_scope_begin(g, "layers.%d", 7);
    weft_scope_begin(g, "mlp");
    weft_ref bad = weft_matmul_nt(g, x, weft_weight(g, WEFT_F16, WEFT_DIMS(8, 5), "weight"));
    CHECK_EQ_INT(bad.id, 0);
    uint32_t nodes = weft_graph_node_count(g);
    weft_ref after = weft_gelu(g, weft_add(g, bad, x)), values, indices, parts[3] = { x, x, x };
    CHECK_EQ_INT(after.id, 0);
    CHECK_EQ_INT(weft_softmax(g, x, 0).id, 0);
    CHECK_EQ_INT(weft_input(g, WEFT_F32, WEFT_DIMS(1), "y").id, 0);
    CHECK_EQ_INT(weft_constant(g, WEFT_F32, WEFT_DIMS(1), "abc").id, 0);
    CHECK_EQ_INT(weft_output(g, x, "out").id, 0);
    weft_top_k(g, x, 2, &values, &indices);
    weft_split(g, x, 1, 3, parts);
    bool all_none = !values.id && !indices.id && !parts[0].id && !parts[2].id;
    CHECK(all_none);
    CHECK_EQ_INT(weft_graph_node_count(g), nodes);
    weft_graph_fail(g, WEFT_INVALID, "later");
    weft_scope_end(g, none);
    test_fails(g, WEFT_SHAPE, "layers.7.mlp: matmul_nt: inner sizes differ: [3, 4] x [8, 5]");
}

static void id_zero_is_refused(void)
{
    weft_graph *g = test_graph();
    weft_gelu(g, none);
    test_fails(g, WEFT_INVALID, "gelu: input 0 is no value of this graph");
    g = test_graph();
    weft_softmax(g, (weft_ref){ 99 }, -1);
    test_fails(g, WEFT_INVALID, "softmax: input 0 is no value");
    g = test_graph();
    weft_output(g, (weft_ref){ 99 }, "y");
    test_fails(g, WEFT_INVALID, "output 'y': no value of this graph");
}

static void models_record_their_own_errors(void)
{
    weft_graph *g = test_graph();
    weft_scope_begin(g, "attention");
    weft_graph_fail(g, WEFT_UNSUPPORTED, "%d heads do not divide %d", 5, 12);
    test_fails(g, WEFT_UNSUPPORTED, "attention: 5 heads do not divide 12");
    g = test_graph();
    weft_graph_fail(g, WEFT_OK, "no status");
    test_fails(g, WEFT_INVALID, "no status");
}

static void sealing_needs_outputs_and_closed_scopes(void)
{
    weft_graph *g = test_graph();
    test_fails(g, WEFT_INVALID, "the graph has no output");
    g = test_graph();
    weft_output(g, input(g, "x", WEFT_DIMS(1)), "y");
    weft_scope_begin(g, "a");
    test_fails(g, WEFT_INVALID, "a scope was not ended");
}

static void a_sealed_graph_is_frozen(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_ref x = weft_output(g, input(g, "x", WEFT_DIMS(2)), "y");
    CHECK_OK(weft_graph_seal(g, &err), err);
    CHECK_EQ_INT(weft_gelu(g, x).id, 0);
    CHECK_EQ_INT(weft_graph_node_count(g), 1);
    CHECK_OK(weft_graph_verify(g, &err), err);
    test_fails(g, WEFT_INVALID, "the graph is sealed");
}

/* ---- scopes and names ---- */

static void scopes_prefix_names(void)
{
    weft_graph *g = test_graph();
    weft_ref x = input(g, "x", WEFT_DIMS(2, 4));
    weft_scope_begin(g, "layers.%u", 3u);
    weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(4), "norm.weight");
    weft_scope_begin(g, "attention");
    weft_ref k = weft_state(g, WEFT_F16, WEFT_DIMS(9, 4), "keys");
    weft_ref y = weft_scope_end(g, weft_mul(g, x, w));
    CHECK_EQ_INT(weft_graph_node_by_id(g, weft_graph_value(g, y)->node)->out[0].id, y.id);
    CHECK_STR(weft_graph_node_by_id(g, weft_graph_value(g, y)->node)->scope, "layers.3.attention");
    weft_ref z = weft_scope_end(g, weft_gelu(g, y));
    CHECK_STR(weft_graph_node_by_id(g, weft_graph_value(g, z)->node)->scope, "layers.3");
    CHECK_STR(weft_graph_node_by_id(g, weft_graph_value(g, w)->node)->name, "layers.3.norm.weight");
    CHECK_STR(weft_graph_node_by_id(g, weft_graph_value(g, k)->node)->name, "layers.3.attention.keys");
    weft_ref top = weft_relu(g, z);
    CHECK_STR(weft_graph_node_by_id(g, weft_graph_value(g, top)->node)->scope, "");
    CHECK_EQ_INT(weft_scope_end(g, top).id, 0);
    test_fails(g, WEFT_INVALID, "weft_scope_end without a scope");
}

static void scopes_have_limits(void)
{
    weft_graph *g = test_graph();
    for (int i = 0; i < 33; i++) weft_scope_begin(g, "a");
    test_fails(g, WEFT_LIMIT, "nested too deep");
    g = test_graph();
    weft_scope_begin(g, "%0600d", 1);
    weft_scope_begin(g, "%0600d", 1);
    test_fails(g, WEFT_LIMIT, "a scope's name is too long");
    g = test_graph();
    weft_scope_begin(g, "%s", "");
    test_fails(g, WEFT_INVALID, "a scope's name is empty");
    g = test_graph();
    weft_scope_begin(g, "a\nb");
    test_fails(g, WEFT_INVALID, "a scope's name is not printable");
}

static void the_same_name_is_the_same_weight(void)
{
    weft_graph *g = test_graph();
    weft_ref a = weft_weight(g, WEFT_F16, WEFT_DIMS(4, 32), "embed");
    CHECK_EQ_INT(weft_weight(g, WEFT_F16, WEFT_DIMS(4, 32), "embed").id, a.id);
    CHECK_EQ_INT(weft_weight(g, WEFT_ANY, WEFT_DIMS(4, 32), "embed").id, a.id);
    weft_ref s = weft_state(g, WEFT_F16, WEFT_DIMS(4, 32), "embed"); /* another kind, another name */
    CHECK(s.id != a.id);
    CHECK_EQ_INT(weft_state(g, WEFT_F16, WEFT_DIMS(4, 32), "embed").id, s.id);
    for (int i = 0; i < 500; i++) {
        char name[20];
        snprintf(name, sizeof name, "w%d", i);
        weft_weight(g, WEFT_F32, WEFT_DIMS(1), name);
    }
    CHECK_EQ_INT(weft_weight(g, WEFT_F16, WEFT_DIMS(4, 32), "embed").id, a.id);
    weft_weight(g, WEFT_F16, WEFT_DIMS(5, 32), "embed");
    test_fails(g, WEFT_SHAPE, "weight 'embed': f16 [5, 32], but f16 [4, 32] before");
    g = test_graph();
    weft_weight(g, WEFT_F16, WEFT_DIMS(4), "w");
    weft_weight(g, WEFT_F32, WEFT_DIMS(4), "w");
    test_fails(g, WEFT_SHAPE, "weight 'w': f32 [4], but f16 [4] before");
}

static void names_are_unique(void)
{
    weft_graph *g = test_graph();
    input(g, "x", WEFT_DIMS(1));
    input(g, "x", WEFT_DIMS(1));
    test_fails(g, WEFT_INVALID, "input 'x': the name is taken");
    g = test_graph();
    weft_ref x = input(g, "x", WEFT_DIMS(1));
    weft_output(g, x, "y%d", 1);
    weft_output(g, x, "y1");
    test_fails(g, WEFT_INVALID, "output 'y1': the name is taken");
    g = test_graph();
    weft_output(g, input(g, "x", WEFT_DIMS(1)), "x");
    test_fails(g, WEFT_INVALID, "output 'x': the name is taken");
    g = test_graph();
    input(g, "", WEFT_DIMS(1));
    test_fails(g, WEFT_INVALID, "input: the name is empty");
    g = test_graph();
    input(g, "a\x01", WEFT_DIMS(1));
    test_fails(g, WEFT_INVALID, "a control character in the name");
    g = test_graph();
    weft_output(g, input(g, "x", WEFT_DIMS(1)), "%0600d", 1);
    test_fails(g, WEFT_LIMIT, "the name is too long");
}

/* ---- sources ---- */

static void sources_have_limits(void)
{
    static const struct {
        weft_op op;
        weft_dtype t;
        weft_dims d;
        const char *part;
    } bad[] = {
        { WEFT_OP_input, WEFT_Q8_0, { 1, { { 32, 0 } } }, "input 'x': type q8_0 is for weights and states only" },
        { WEFT_OP_state, WEFT_Q8_0, { 2, { { 2, 0 }, { 80, 0 } } },
          "state 'x': q8_0 needs a last dimension that 32 divides, not [2, 80]" },
        { WEFT_OP_input, WEFT_ANY, { 1, { { 32, 0 } } }, "type 'any' cannot be stored" },
        { WEFT_OP_input, (weft_dtype)77, { 1, { { 32, 0 } } }, "type '?' cannot be stored" },
        { WEFT_OP_input, WEFT_F32, { 7, { { 1, 0 } } }, "rank 7 is above 6" },
        { WEFT_OP_input, WEFT_F32, { 2, { { 4, 0 }, { 0, 0 } } }, "[4, 0] has a dimension below 1" },
        { WEFT_OP_input, WEFT_F32, { 1, { { -3, 0 } } }, "[-3] has a dimension below 1" },
        { WEFT_OP_input, WEFT_F32, { 1, { { 1, 5 } } }, "names extent 5, which does not exist" },
        { WEFT_OP_input, WEFT_F32, { 2, { { INT64_MAX, 0 }, { 2, 0 } } }, "is too large" },
        { WEFT_OP_input, WEFT_F32, { 2, { { INT64_MAX / 8, 0 }, { 2, 0 } } }, "is too large" },
        { WEFT_OP_input, WEFT_F32, { 1, { { INT64_MAX / 4, 1 } } }, "is too large" },
        { WEFT_OP_weight, WEFT_F32, { 1, { { 1, 1 } } }, "weight 'x': [tokens] must be plain numbers" },
        { WEFT_OP_weight, WEFT_Q4_0, { 2, { { 32, 0 }, { 31, 0 } } }, "q4_0 needs a last dimension that 32 divides" },
        { WEFT_OP_weight, WEFT_Q4_0, { 0 }, "q4_0 needs a last dimension that 32 divides" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_graph *g = test_graph();
        weft_extent(g, "tokens", 8);
        if (bad[i].op == WEFT_OP_input) weft_input(g, bad[i].t, bad[i].d, "x");
        if (bad[i].op == WEFT_OP_state) weft_state(g, bad[i].t, bad[i].d, "x");
        if (bad[i].op == WEFT_OP_weight) weft_weight(g, bad[i].t, bad[i].d, "x");
        test_fails(g, bad[i].t == WEFT_ANY || bad[i].t == (weft_dtype)77 ? WEFT_INVALID : WEFT_SHAPE, bad[i].part);
    }
    weft_graph *g = test_graph();
    weft_constant(g, WEFT_F32, WEFT_DIMS(2), NULL);
    test_fails(g, WEFT_INVALID, "constant: no data");
}

/* A constant is copied, also a scalar. */
static void constants_are_copied(void)
{
    weft_graph *g = test_graph();
    float data[] = { 1, 2, 3 };
    weft_ref c = weft_constant(g, WEFT_F32, WEFT_DIMS(3), data), s = weft_constant(g, WEFT_F32, (weft_dims){ 0 }, data);
    data[0] = data[2] = 9;
    const float *kept = weft_graph_node_by_id(g, weft_graph_value(g, c)->node)->data;
    const float *one = weft_graph_node_by_id(g, weft_graph_value(g, s)->node)->data;
    bool same = kept[0] == 1 && kept[2] == 3 && one[0] == 1;
    CHECK(same);
    weft_graph_destroy(g);
}

static void any_takes_the_described_type(void)
{
    const weft_weight_type types[] = { { "l.b", WEFT_F16 }, { "l.e", WEFT_Q8_0 }, { "l.a", WEFT_Q8_0 } };
    weft_graph_desc desc = { .weight_types = types, .n_weight_types = 3 };
    weft_graph *g;
    weft_error err;
    if (!CHECK_OK(weft_graph_create(&desc, &g, &err), err)) return;
    weft_scope_begin(g, "l");
    CHECK_TYPE(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(4, 32), "a"), "q8_0[4, 32]");
    CHECK_TYPE(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(4, 32), "a"), "q8_0[4, 32]");
    CHECK_TYPE(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(4), "b"), "f16[4]");
    CHECK_TYPE(g, weft_weight(g, WEFT_F32, WEFT_DIMS(4), "c"), "f32[4]");
    CHECK_TYPE(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(4, 32), "e"), "q8_0[4, 32]");
    weft_weight(g, WEFT_ANY, WEFT_DIMS(4), "missing");
    test_fails(g, WEFT_NOT_FOUND, "weight 'l.missing': its type is not said");
    g = test_graph();
    CHECK_TYPE(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(4), "w"), "f32[4]");
    weft_graph_destroy(g);
}

/* ---- extents ---- */

static void extents_are_shared_by_name(void)
{
    weft_graph *g = test_graph();
    weft_dim t = weft_extent(g, "tokens", 512), again = weft_extent(g, "tokens", 512), u = weft_extent(g, "rows", 8);
    bool shared = t.extent == again.extent && t.extent != u.extent && t.n == 1;
    CHECK(shared);
    uint32_t bound;
    CHECK_STR(weft_graph_extent(g, u.extent, &bound), "rows");
    CHECK_EQ_INT(bound, 8);
    CHECK_STR(weft_graph_extent(g, 3, &bound), NULL);
    weft_ref x = input(g, "x", WEFT_DIMS(weft_dim_mul(t, 3), u, 2));
    CHECK_TYPE(g, x, "f32[3*tokens, rows, 2]");
    CHECK_EQ_INT(weft_value_elements(g, x, NULL), 3 * 512 * 8 * 2);
    CHECK_EQ_INT(weft_value_elements(g, x, (int64_t[]){ 5, 7 }), 3 * 5 * 7 * 2);
    CHECK_EQ_INT(weft_value_bytes(g, x, (int64_t[]){ 5, 7 }), 4 * 3 * 5 * 7 * 2);
    weft_extent(g, "tokens", 256);
    test_fails(g, WEFT_INVALID, "extent 'tokens': bound 256, but 512 before");
    g = test_graph();
    weft_extent(g, "tokens", 0);
    test_fails(g, WEFT_INVALID, "extent 'tokens': the bound is 0");
    g = test_graph();
    weft_extent(g, "2x", 4);
    test_fails(g, WEFT_INVALID, "not a name of letters");
    g = test_graph();
    const char *names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };
    for (int i = 0; i < 9; i++) weft_extent(g, names[i], 4);
    test_fails(g, WEFT_LIMIT, "extent 'i': more than 8 extents");
    g = test_graph();
    input(g, "x", WEFT_DIMS(weft_dim_mul((weft_dim){ INT64_MAX, 0 }, 2)));
    test_fails(g, WEFT_SHAPE, "below 1");
}

static void bounds_can_be_replaced(void)
{
    weft_bound bounds[] = { { "tokens", 16 } };
    weft_graph_desc desc = { .bounds = bounds, .n_bounds = 1 };
    weft_graph *g;
    weft_error err;
    if (!CHECK_OK(weft_graph_create(&desc, &g, &err), err)) return;
    bounds[0].bound = 99; /* copied */
    weft_extent(g, "tokens", 512);
    weft_dim t = weft_extent(g, "tokens", 256), u = weft_extent(g, "rows", 4);
    CHECK_EQ_INT(weft_value_elements(g, input(g, "x", WEFT_DIMS(t, u)), NULL), 64);
    weft_graph_destroy(g);
}

/* ---- what builders add to their ops ---- */

static void axes_are_normalised(void)
{
    weft_graph *g = test_graph();
    weft_dim t = weft_extent(g, "t", 8);
    weft_ref x = input(g, "x", WEFT_DIMS(2, t, 6)), parts[3], values, indices;
    CHECK_TYPE(g, weft_transpose(g, x, -1, 0), "f32[6, t, 2]");
    CHECK_TYPE(g, weft_slice(g, x, -1, 2, 3), "f32[2, t, 3]");
    CHECK_TYPE(g, weft_select(g, x, -3, 1), "f32[t, 6]");
    CHECK_TYPE(g, weft_softmax(g, x, -1), "f32[2, t, 6]");
    CHECK_TYPE(g, weft_softmax(g, x, 0), "f32[2, t, 6]");
    CHECK_TYPE(g, weft_reduce_sum(g, x, 1), "f32[2, 6]");
    CHECK_TYPE(g, weft_reduce_mean(g, x, 0), "f32[t, 6]");
    CHECK_TYPE(g, weft_reduce_max(g, x, -1), "f32[2, t]");
    CHECK_TYPE(g, weft_argmax(g, x, 0), "i32[t, 6]");
    CHECK_TYPE(g, weft_concat(g, (weft_ref[]){ x, x }, 2, -2), "f32[2, 2*t, 6]");
    CHECK_TYPE(g, weft_permute(g, x, (uint8_t[]){ 1, 2, 0 }, 3), "f32[t, 6, 2]");
    weft_split(g, x, 2, 3, parts);
    CHECK_TYPE(g, parts[2], "f32[2, t, 2]");
    CHECK_EQ_INT(weft_graph_node_by_id(g, weft_graph_value(g, parts[2])->node)->attrs.slice.start, 4);
    weft_top_k(g, x, 4, &values, &indices);
    CHECK_TYPE(g, values, "f32[2, t, 4]");
    CHECK_TYPE(g, indices, "i32[2, t, 4]");
    CHECK_EQ_INT(count_op(g, WEFT_OP_permute), 7); /* transpose, softmax 2, sum, mean, argmax, permute */
    weft_softmax(g, x, 3);
    test_fails(g, WEFT_SHAPE, "softmax: axis 3 is not one of [2, t, 6]");
    g = test_graph();
    weft_split(g, input(g, "x", WEFT_DIMS(2, 7)), 1, 2, parts);
    test_fails(g, WEFT_SHAPE, "split: [2, 7] does not split into 2 along axis 1");
    g = test_graph();
    weft_top_k(g, input(g, "x", WEFT_DIMS(2, 7)), UINT32_MAX, &values, &indices);
    test_fails(g, WEFT_SHAPE, "top_k: k = 2147483647 is not");
    g = test_graph();
    weft_permute(g, input(g, "x", WEFT_DIMS(2, 7)), (uint8_t[]){ 0, 1, 2, 3, 4, 5, 6 }, 7);
    test_fails(g, WEFT_SHAPE, "permute: rank 7 is above 6");
    g = test_graph();
    weft_concat(g, NULL, 0, 0);
    test_fails(g, WEFT_INVALID, "concat: input 0 is no value");
}

/* Norms take a weight, a bias, both or none. */
static void norms_are_optional(void)
{
    weft_graph *g = test_graph();
    weft_ref x = input(g, "x", WEFT_DIMS(2, 4)), w = weft_weight(g, WEFT_F32, WEFT_DIMS(4), "w");
    weft_layer_norm(g, x, none, none, 1e-5f);
    CHECK_EQ_INT(weft_graph_node(g, 2)->n_in, 1);
    weft_layer_norm(g, x, w, none, 1e-5f);
    CHECK_EQ_INT(weft_graph_node(g, 3)->n_in, 2);
    weft_layer_norm(g, x, w, w, 1e-5f);
    CHECK_EQ_INT(weft_graph_node(g, 4)->n_in, 3);
    CHECK_EQ_INT(count_op(g, WEFT_OP_add), 0);
    weft_layer_norm(g, x, none, w, 1e-5f);
    CHECK_EQ_INT(count_op(g, WEFT_OP_add), 1);
    weft_rms_norm(g, x, none, 0);
    weft_rms_norm(g, x, w, 0);
    CHECK_EQ_INT(count_op(g, WEFT_OP_rms_norm), 2);
    weft_graph_destroy(g);
}

static void activations_are_ops(void)
{
    weft_graph *g = test_graph();
    weft_ref x = input(g, "x", WEFT_DIMS(2));
    CHECK_EQ_INT(weft_activation(g, x, WEFT_ACT_NONE).id, x.id);
    for (unsigned a = WEFT_ACT_NONE + 1; a < WEFT_ACT_COUNT; a++) {
        weft_ref y = weft_activation(g, x, (weft_act)a);
        if (!CHECK(y.id != 0)) continue;
        weft_op op = weft_graph_node_by_id(g, weft_graph_value(g, y)->node)->op;
        CHECK(weft_op_get(op)->traits & WEFT_TRAIT_MAP);
        CHECK_EQ_INT(count_op(g, op), 1);
    }
    weft_activation(g, x, WEFT_ACT_COUNT);
    test_fails(g, WEFT_INVALID, "no such activation");
}

/* ---- states ---- */

static void stored_states(void)
{
    for (int twice = 0; twice < 3; twice++) {
        weft_graph *g = test_graph();
        weft_dim t = weft_extent(g, "t", 4);
        weft_ref s = weft_state(g, WEFT_F32, WEFT_DIMS(8, 3), "cache"), rows = input(g, "rows", WEFT_DIMS(t, 3));
        weft_ref at = weft_input(g, WEFT_I32, WEFT_DIMS(t), "at");
        weft_ref stored = weft_store(g, s, rows, at, 0);
        weft_output(g, weft_gelu(g, stored), "y");
        if (twice == 0) {
            weft_error err;
            CHECK_OK(weft_graph_seal(g, &err), err);
            weft_graph_destroy(g);
            continue;
        }
        weft_output(g, twice == 1 ? weft_relu(g, s) : weft_store(g, s, rows, at, 0), "z");
        test_fails(g, WEFT_INVALID,
                   twice == 1 ? "state 'cache': node 6 (relu): it reads the value from before node 4 (store)"
                              : "state 'cache': node 6 (store): it reads the value from before node 4 (store)");
    }
}

/* ---- reading, cloning, changing ---- */

static void finds_by_name(void)
{
    weft_graph *g = test_graph();
    weft_ref x = input(g, "x", WEFT_DIMS(2)), y = weft_output(g, weft_gelu(g, x), "y");
    weft_weight(g, WEFT_F32, WEFT_DIMS(2), "w");
    CHECK_EQ_INT(weft_graph_find(g, "x").id, x.id);
    CHECK_EQ_INT(weft_graph_find(g, "y").id, y.id);
    CHECK_EQ_INT(weft_graph_find(g, "w").id, 0);
    uint32_t n;
    CHECK_STR(weft_graph_outputs(g, &n)[0].name, "y");
    CHECK_EQ_INT(n, 1);
    bool none_there = !weft_graph_node(g, 3) && !weft_graph_node_by_id(g, 0) && !weft_graph_node_by_id(g, 99) &&
                      !weft_graph_value(g, none) && !weft_graph_value(g, (weft_ref){ 99 });
    CHECK(none_there);
    weft_graph_destroy(g);
}

/* An unsealed clone can be built further without the other seeing it. */
static void clones_are_independent(void)
{
    weft_graph *g = test_graph(), *c;
    weft_error err = { 0 };
    weft_scope_begin(g, "a");
    weft_ref x = input(g, "x", WEFT_DIMS(weft_extent(g, "t", 4), 2));
    weft_ref k = weft_constant(g, WEFT_F32, WEFT_DIMS(2), (float[]){ 1, 2 });
    weft_ref y = weft_add(g, x, k);
    if (!CHECK_OK(weft_graph_clone(g, &c, &err), err)) return;
    weft_ref w = weft_weight(c, WEFT_F32, WEFT_DIMS(2), "w");
    CHECK_STR(weft_graph_node_by_id(c, weft_graph_value(c, w)->node)->name, "a.w");
    weft_output(c, weft_scope_end(c, weft_mul(c, y, w)), "y");
    CHECK_OK(weft_graph_seal(c, &err), err);
    CHECK_EQ_INT(weft_graph_node_count(g), 3);
    weft_output(g, weft_scope_end(g, y), "y");
    CHECK_OK(weft_graph_seal(g, &err), err);
    weft_graph_destroy(g);
    CHECK_OK(weft_graph_verify(c, &err), err);
    weft_graph_destroy(c);
    g = test_graph();
    weft_gelu(g, none);
    if (!CHECK_OK(weft_graph_clone(g, &c, &err), err)) return;
    test_fails(c, WEFT_INVALID, "gelu: input 0");
    weft_graph_destroy(g);
}

static void keeps_outputs(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_ref x = input(g, "x", WEFT_DIMS(2));
    weft_output(g, weft_gelu(g, x), "a");
    weft_output(g, weft_relu(g, x), "b");
    const char *const b[] = { "b", "b" }, *const wrong[] = { "b", "c" };
    CHECK_STATUS(weft_graph_keep_outputs(g, b, 1, &err), WEFT_INVALID, err);
    CHECK_OK(weft_graph_seal(g, &err), err);
    CHECK_STATUS(weft_graph_keep_outputs(g, wrong, 2, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "'c'");
    CHECK_STATUS(weft_graph_keep_outputs(g, b, 0, &err), WEFT_INVALID, err);
    uint32_t n;
    weft_graph_outputs(g, &n);
    CHECK_EQ_INT(n, 2);
    CHECK_OK(weft_graph_keep_outputs(g, b, 2, &err), err);
    CHECK_STR(weft_graph_outputs(g, &n)[0].name, "b");
    CHECK_EQ_INT(n, 1);
    CHECK(weft_graph_find(g, "b").id);
    CHECK_EQ_INT(weft_graph_find(g, "a").id, 0);
    CHECK_OK(weft_graph_verify(g, &err), err);
    weft_graph_destroy(g);
}

/* What passes do by hand: add, replace, sort, remove; ids are not used again; origins are flattened. */
static void nodes_can_be_replaced(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_ref x = input(g, "x", WEFT_DIMS(2)), y = weft_gelu(g, x), z = weft_relu(g, y);
    weft_output(g, z, "z");
    CHECK_OK(weft_graph_seal(g, &err), err);
    weft_node *old = g->nodes[weft_graph_value(g, y)->node];
    weft_node *made = weft__graph_add(g, WEFT_OP_silu, NULL, &x, 1, "s", NULL, &err);
    CHECK(weft__graph_set_origin(g, made, (uint32_t[]){ old->id, 77, old->id }, 3));
    CHECK_EQ_INT(made->n_origin, 2);
    test_replace(g, y, made->out[0]);
    CHECK_STATUS(weft_graph_verify(g, &err), WEFT_INTERNAL, err); /* its reader stands before it */
    CHECK_OK(weft__graph_sort(g, &err), err);
    CHECK_OK(weft_graph_verify(g, &err), err);
    CHECK_EQ_INT(weft_graph_node(g, 2)->id, made->id);
    uint32_t *uses = weft__graph_uses(g);
    bool counted = uses && uses[y.id] == 0 && uses[x.id] == 2 && uses[z.id] == 1;
    CHECK(counted);
    free(uses);
    uint32_t old_id = old->id;
    test_remove(g, old);
    bool gone = !weft_graph_node_by_id(g, old_id) && !weft_graph_value(g, y);
    CHECK(gone);
    CHECK_OK(weft_graph_verify(g, &err), err);
    weft_node *fresh = weft__graph_add(g, WEFT_OP_tanh, NULL, &x, 1, "", NULL, &err);
    bool new_ids = fresh->id == made->id + 1 && fresh->out[0].id == made->out[0].id + 1;
    CHECK(new_ids);
    CHECK(weft__graph_set_origin(g, fresh, (uint32_t[]){ made->id, old_id }, 2));
    CHECK_EQ_INT(fresh->n_origin, 2);
    test_replace(g, x, fresh->out[0]); /* now it reads itself */
    CHECK_STATUS(weft__graph_sort(g, &err), WEFT_INTERNAL, err);
    CHECK_CONTAINS(err.text, "depends on itself");
    weft_graph_destroy(g);
}

/* A builder that comes too late changes nothing, and does not go unseen. */
static void a_builder_after_the_sealing(void)
{
    weft_error err;
    weft_graph *g, *copy;
    const char *keep[] = { "y" };
    CHECK_OK(weft_graph_create(NULL, &g, &err), err);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(2, 3), "x");
    weft_output(g, weft_relu(g, x), "y");
    CHECK_OK(weft_graph_seal(g, &err), err);
    uint32_t n = weft_graph_node_count(g);
    CHECK_EQ_INT(weft_add(g, x, x).id, 0);
    CHECK_EQ_INT(weft_graph_node_count(g), n);
    CHECK_STATUS(weft_graph_seal(g, &err), WEFT_INVALID, err);
    CHECK_STR(err.text, "the graph is sealed");
    err = (weft_error){ 0 };
    CHECK_STATUS(weft_graph_clone(g, &copy, &err), WEFT_INVALID, err);
    CHECK(!copy);
    CHECK_STATUS(weft_graph_keep_outputs(g, keep, 1, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_graph_optimise(g, NULL, 0, &err), WEFT_INVALID, err);
    CHECK_STR(err.text, "the graph is sealed");
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "first_error_stays", first_error_stays },
    { "id_zero_is_refused", id_zero_is_refused },
    { "models_record_their_own_errors", models_record_their_own_errors },
    { "sealing_needs_outputs_and_closed_scopes", sealing_needs_outputs_and_closed_scopes },
    { "a_sealed_graph_is_frozen", a_sealed_graph_is_frozen },
    { "scopes_prefix_names", scopes_prefix_names },
    { "scopes_have_limits", scopes_have_limits },
    { "the_same_name_is_the_same_weight", the_same_name_is_the_same_weight },
    { "names_are_unique", names_are_unique },
    { "sources_have_limits", sources_have_limits },
    { "constants_are_copied", constants_are_copied },
    { "any_takes_the_described_type", any_takes_the_described_type },
    { "extents_are_shared_by_name", extents_are_shared_by_name },
    { "bounds_can_be_replaced", bounds_can_be_replaced },
    { "axes_are_normalised", axes_are_normalised },
    { "norms_are_optional", norms_are_optional },
    { "activations_are_ops", activations_are_ops },
    { "stored_states", stored_states },
    { "finds_by_name", finds_by_name },
    { "clones_are_independent", clones_are_independent },
    { "keeps_outputs", keeps_outputs },
    { "nodes_can_be_replaced", nodes_can_be_replaced },
    { "a builder after the sealing", a_builder_after_the_sealing },
};
TEST_MAIN(tests)
