/* test_verify.c: the verifier, one rule at a time: a good graph, one field of it spoiled, and the words of the
 * refusal. */
#include "graph/attr.h"
#include "support.h"

/* %1 input x [t, 4], %2 weight l.w [4], %3 constant, %4 state, %5 index, %6 mul(x, w), %7 store, %8 %9 top_k; outputs
 * y, k. */
static weft_graph *good(void)
{
    weft_graph *g = test_graph();
    weft_error err;
    weft_dim t = weft_extent(g, "t", 8);
    weft_extent(g, "u", 2);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(t, 4), "x"), values, indices;
    weft_scope_begin(g, "l");
    weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(4), "w");
    weft_constant(g, WEFT_F32, WEFT_DIMS(2), (float[]){ 1, 2 });
    weft_ref s = weft_state(g, WEFT_F16, WEFT_DIMS(16, 4), "s");
    weft_ref at = weft_input(g, WEFT_I32, WEFT_DIMS(t), "at");
    weft_ref m = weft_scope_end(g, weft_mul(g, x, w));
    weft_output(g, weft_store(g, s, m, at, 0), "y");
    weft_top_k(g, m, 2, &values, &indices);
    weft_output(g, indices, "k");
    CHECK_OK(weft_graph_seal(g, &err), err);
    return g;
}

enum { X = 1, W, C, S, AT, MUL, STORE, TOP_K };

static weft_ref *inputs_of(const weft_node *n)
{
    return (weft_ref *)(uintptr_t)n->in; /* const for readers */
}

/* Each spoils one thing. */
static void no_such_op(weft_graph *g)
{
    g->nodes[MUL]->op = WEFT_OP_COUNT;
}
static void too_few_inputs(weft_graph *g)
{
    g->nodes[MUL]->n_in = 1;
}
static void too_many_outputs(weft_graph *g)
{
    g->nodes[MUL]->n_out = 2;
}
static void no_scope(weft_graph *g)
{
    g->nodes[MUL]->scope = NULL;
}
static void bad_scope(weft_graph *g)
{
    g->nodes[MUL]->scope = "a\nb";
}
static void long_scope(weft_graph *g)
{
    char *text = weft__arena_alloc(&g->arena, 2000, 1);
    g->nodes[MUL]->scope = memset(text, 'a', 1999);
}
static void no_name(weft_graph *g)
{
    g->nodes[W]->name = NULL;
}
static void name_of_an_op(weft_graph *g)
{
    g->nodes[MUL]->name = "m";
}
static void bad_name(weft_graph *g)
{
    g->nodes[W]->name = "a\x7f";
}
static void no_data(weft_graph *g)
{
    g->nodes[C]->data = NULL;
}
static void data_of_an_op(weft_graph *g)
{
    g->nodes[MUL]->data = g;
}
static void no_output_value(weft_graph *g)
{
    g->nodes[MUL]->out[0].id = 99;
}
static void another_output(weft_graph *g)
{
    g->nodes[MUL]->out[0].id = 1;
}
static void wrong_index(weft_graph *g)
{
    g->values[9].index = 0;
}
static void wrong_maker(weft_graph *g)
{
    g->values[MUL].node = X;
}
static void zero_dim(weft_graph *g)
{
    g->values[X].dims.d[1].n = 0;
}
static void huge_rank(weft_graph *g)
{
    g->values[X].dims.rank = 7;
}
static void no_extent(weft_graph *g)
{
    g->values[X].dims.d[0].extent = 9;
}
static void no_dtype(weft_graph *g)
{
    g->values[X].dtype = (weft_dtype)55;
}
static void order_of_a_removed(weft_graph *g)
{
    g->nodes[TOP_K] = NULL;
}
static void order_out_of_range(weft_graph *g)
{
    g->order[0] = 1000;
}
static void order_twice(weft_graph *g)
{
    g->order[7] = MUL;
}
static void order_short(weft_graph *g)
{
    g->n_order--;
}
static void order_swapped(weft_graph *g)
{
    g->order[MUL - 1] = STORE;
    g->order[STORE - 1] = MUL;
}
static void wrong_id(weft_graph *g)
{
    g->nodes[MUL]->id = 3;
}
static void no_input_value(weft_graph *g)
{
    inputs_of(g->nodes[MUL])[1].id = 99;
}
static void value_of_a_removed(weft_graph *g)
{
    g->nodes[TOP_K] = NULL;
    g->n_order--;
    g->n_outputs--;
}
static void block_input(weft_graph *g)
{
    g->values[AT].dtype = WEFT_Q8_0;
    g->values[AT].dims = WEFT_DIMS(32);
}
static void extent_in_weight(weft_graph *g)
{
    g->values[W].dims.d[0] = (weft_dim){ 1, 1 };
}
static void same_name(weft_graph *g)
{
    g->nodes[AT]->name = "x";
}
static void renamed(weft_graph *g)
{
    g->nodes[AT]->name = "elsewhere";
}
static void wrong_dims(weft_graph *g)
{
    g->values[MUL].dims.d[0] = (weft_dim){ 8, 0 };
}
static void wrong_dtype(weft_graph *g)
{
    g->values[MUL].dtype = WEFT_F16;
}
static void wrong_second(weft_graph *g)
{
    g->values[9].dtype = WEFT_F32;
}
static void rule_broken(weft_graph *g)
{
    g->values[W].dims.d[0].n = 5;
}
static void attr_out_of_range(weft_graph *g)
{
    g->nodes[TOP_K]->attrs.top_k.k = 9;
}
static void axis_out_of_range(weft_graph *g)
{
    g->nodes[STORE]->attrs.axis.axis = 3;
}
static void zero_bound(weft_graph *g)
{
    g->extents[0].bound = 0;
}
static void same_extent(weft_graph *g)
{
    g->extents[1].name = "t";
}
static void output_gone(weft_graph *g)
{
    g->outputs[0].ref.id = 0;
}
static void output_block(weft_graph *g)
{
    g->values[W].dtype = WEFT_Q4_0;
    g->values[W].dims = WEFT_DIMS(32);
    inputs_of(g->nodes[MUL])[1].id = X;
    g->outputs[0].ref.id = W;
}
static void output_twice(weft_graph *g)
{
    g->outputs[1].name = "y";
}
static void output_as_input(weft_graph *g)
{
    g->outputs[1].name = "at";
}
static void store_into_other(weft_graph *g)
{
    inputs_of(g->nodes[STORE])[0].id = X;
}
static void state_as_output(weft_graph *g)
{
    g->outputs[1].ref.id = S;
}

static const struct {
    const char *name;
    void (*spoil)(weft_graph *g);
    weft_status status;
    const char *part;
} rows[] = {
#define ROW(name, status, part)          \
    {                                    \
#name, name, WEFT_##status, part \
    }
    ROW(no_such_op, INTERNAL, "node 6: no such op"),
    ROW(too_few_inputs, INVALID, "node 6 (mul, l): wrong number of inputs"),
    ROW(too_many_outputs, INVALID, "node 6 (mul, l): wrong number of outputs"),
    ROW(no_scope, INVALID, "its scope is not printable"),
    ROW(bad_scope, INVALID, "its scope is not printable"),
    ROW(long_scope, INVALID, "its scope is not printable"),
    ROW(no_name, INVALID, "node 2 (weight, l): no name"),
    ROW(name_of_an_op, INVALID, "node 6 (mul, l): a name"),
    ROW(bad_name, INVALID, "its name is not printable"),
    ROW(no_data, INVALID, "node 3 (constant, l): no data"),
    ROW(data_of_an_op, INVALID, "node 6 (mul, l): data"),
    ROW(no_output_value, INTERNAL, "an output that is another node's"),
    ROW(another_output, INTERNAL, "an output that is another node's"),
    ROW(wrong_index, INTERNAL, "an output that is another node's"),
    ROW(wrong_maker, INTERNAL, "an output that is another node's"),
    ROW(zero_dim, SHAPE, "[t, 0] has a dimension below 1"),
    ROW(huge_rank, SHAPE, "rank 7 is above 6"),
    ROW(no_extent, SHAPE, "names extent 9"),
    ROW(no_dtype, INVALID, "type '?' cannot be stored"),
    ROW(order_of_a_removed, INTERNAL, "the order names node 8, which is not"),
    ROW(order_out_of_range, INTERNAL, "the order names node 1000"),
    ROW(order_twice, INTERNAL, "twice in the order"),
    ROW(order_short, INTERNAL, "8 nodes, but 7 in the order"),
    ROW(order_swapped, INTERNAL, "reads a value before it is made"),
    ROW(wrong_id, INTERNAL, "the order names node 6, which is not"),
    ROW(no_input_value, INTERNAL, "an input that is no value"),
    ROW(value_of_a_removed, INTERNAL, "9 values, but the nodes have 7"),
    ROW(block_input, SHAPE, "a block type, which is for weights and states only"),
    ROW(extent_in_weight, SHAPE, "its dimensions must be plain numbers"),
    ROW(same_name, INVALID, "its name is not unique"),
    ROW(renamed, INVALID, "its name is not unique"),
    ROW(wrong_dims, SHAPE, "node 6 (mul): output 0 is f32[8, 4], must be f32[t, 4]"),
    ROW(wrong_dtype, SHAPE, "node 6 (mul): output 0 is f16[t, 4], must be f32[t, 4]"),
    ROW(wrong_second, SHAPE, "node 8 (top_k): output 1 is f32[t, 2], must be i32[t, 2]"),
    ROW(rule_broken, SHAPE, "node 6: mul: do not broadcast: [t, 4] x [5]"),
    ROW(attr_out_of_range, SHAPE, "node 8: top_k: k = 9"),
    ROW(axis_out_of_range, SHAPE, "node 7: store: axis 3"),
    ROW(zero_bound, INVALID, "extent 't': the bound is 0"),
    ROW(same_extent, INVALID, "extent 't' is there twice"),
    ROW(output_gone, INTERNAL, "output 'y' is no value"),
    ROW(output_block, SHAPE, "output 'y' is a weight of a block type"),
    ROW(output_twice, INVALID, "output 'y': the name is taken"),
    ROW(output_as_input, INVALID, "output 'at': the name is taken"),
    ROW(store_into_other, INVALID, "node 7: store: input 0 is made by input, must be a state"),
    ROW(state_as_output, INVALID, "output 'k' is the value of state 'l.s' from before node 7 (store)"),
#undef ROW
};

static void refuses(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_graph *g = good();
        weft_error err = { 0 };
        rows[i].spoil(g);
        bool ok =
            CHECK_STATUS(weft_graph_verify(g, &err), rows[i].status, err) && CHECK_CONTAINS(err.text, rows[i].part);
        if (!ok) printf("  %s\n", rows[i].name);
        weft_graph_destroy(g);
    }
}

/* A state's old value is read before the store, by whatever does not need the store's result; also by the store's own
 * rows. */
static void old_values(void)
{
    weft_error err = { 0 };
    for (int way = 0; way < 5; way++) {
        weft_graph *g = test_graph();
        weft_ref at = weft_input(g, WEFT_I32, WEFT_DIMS(4), "at"), s = weft_state(g, WEFT_F32, WEFT_DIMS(4, 2), "s");
        weft_ref view = weft_reshape(g, s, WEFT_DIMS(8)), before = weft_tanh(g, view);
        weft_ref stored = weft_store(g, s, weft_transpose(g, weft_reshape(g, s, WEFT_DIMS(2, 4)), 0, 1), at, 0);
        weft_output(g, weft_add(g, before, weft_reshape(g, stored, WEFT_DIMS(8))), "y");
        if (way == 1) weft_exp(g, view);                    /* by chance behind the store */
        if (way == 2) weft_add(g, s, stored);               /* and in need of it */
        if (way == 3) weft_output(g, weft_store(g, s, stored, at, 0), "z");
        if (way == 4) weft_output(g, weft_reshape(g, view, WEFT_DIMS(2, 4)), "z");
        static const char *const parts[] = {
            "", "state 's': node 10 (exp): it reads the value from before node 7 (store)",
            "state 's': node 10 (add): it reads the value from before node 7 (store)",
            "state 's': node 10 (store): it reads the value from before node 7 (store)",
            "state 's': node 10 (reshape): it reads the value from before node 7 (store)",
        };
        if (!way) CHECK_OK(weft_graph_seal(g, &err), err);
        else CHECK_STATUS(weft_graph_seal(g, &err), WEFT_INVALID, err), CHECK_CONTAINS(err.text, parts[way]);
        weft_graph_destroy(g);
    }
}

/* The error record is optional. */
static void needs_no_record(void)
{
    weft_graph *g = good();
    CHECK_EQ_INT(weft_graph_verify(g, NULL), WEFT_OK);
    g->values[MUL].dtype = WEFT_F16;
    CHECK_EQ_INT(weft_graph_verify(g, NULL), WEFT_SHAPE);
    weft_graph_destroy(g);
}

/* Copies and comparisons of attributes see the fields and nothing else. */
static void attributes_compare_by_field(void)
{
    weft_attrs a, b;
    memset(&a, 0x55, sizeof a);
    memset(&b, 0xaa, sizeof b);
    a.shape.dims = b.shape.dims = (weft_dims){ 2, { { 3, 0 }, { 1, 1 } } };
    a.shape.dims.d[5].n = 7; /* beyond the rank */
    CHECK(weft__attrs_equal(WEFT_OP_reshape, &a, &b));
    CHECK(weft__attrs_hash(WEFT_OP_reshape, &a) == weft__attrs_hash(WEFT_OP_reshape, &b));
    b.shape.dims.d[1].extent = 2;
    CHECK(!weft__attrs_equal(WEFT_OP_reshape, &a, &b));
    CHECK(weft__attrs_hash(WEFT_OP_reshape, &a) != weft__attrs_hash(WEFT_OP_reshape, &b));
    a.scale.factor = 0.0f;
    b.scale.factor = -0.0f;
    CHECK(!weft__attrs_equal(WEFT_OP_scale, &a, &b));
    weft__attrs_copy(WEFT_OP_scale, &b, &a);
    CHECK(weft__attrs_equal(WEFT_OP_scale, &a, &b));
    CHECK(weft__attrs_equal(WEFT_OP_relu, &a, &b));
}

static const weft_test tests[] = {
    { "refuses", refuses },
    { "old_values", old_values },
    { "needs_no_record", needs_no_record },
    { "attributes_compare_by_field", attributes_compare_by_field },
};
TEST_MAIN(tests)
