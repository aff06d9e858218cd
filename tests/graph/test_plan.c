/* Memory plans: layouts of views, goldens of whole plans, in-place results, devices, refusals. */
#include <stdlib.h>

#include "block.h"
#include "golden.h"
#include "graph/plan.h"
#include "plan_check.h"

/* ---- layouts of views ---- */

/* Each test makes one graph; T is an extent of at most 8. */
typedef struct fixture {
    weft_graph *g;
    weft_dim T;
    weft_error err;
} fixture;

static fixture begin(void)
{
    fixture f = { 0 };
    CHECK_OK(weft_graph_create(NULL, &f.g, &f.err), f.err);
    f.T = weft_extent(f.g, "tokens", 8);
    return f;
}

/* Whether r is a view, with this first element and these strides. */
static bool lies(const fixture *f, weft_ref r, int64_t first, uint32_t rank, const int64_t *stride)
{
    weft_slot s;
    if (!weft_plan_view(f->g, r, NULL, &s)) return false;
    bool ok = s.first == first;
    for (uint32_t i = 0; i < rank; i++) ok = ok && s.stride[i] == stride[i];
    if (!ok)
        printf("  first %lld, strides %lld %lld %lld %lld\n", (long long)s.first, (long long)s.stride[0],
               (long long)s.stride[1], (long long)s.stride[2], (long long)s.stride[3]);
    return ok;
}
#define LIES(f, r, first, ...) \
    CHECK(lies((f), (r), (first), sizeof((int64_t[]){ __VA_ARGS__ }) / 8, (int64_t[]){ __VA_ARGS__ }))

static bool is_view(const fixture *f, weft_ref r)
{
    weft_slot s;
    CHECK(r.id != 0);
    return weft_plan_view(f->g, r, NULL, &s);
}

static void views_of_plain_values(void)
{
    fixture f = begin();
    weft_ref x = weft_input(f.g, WEFT_F32, WEFT_DIMS(4, 6, 10), "x");
    LIES(&f, x, 0, 60, 10, 1);
    LIES(&f, weft_transpose(f.g, x, 0, 2), 0, 1, 10, 60);
    LIES(&f, weft_slice(f.g, x, 1, 2, 3), 20, 60, 10, 1);
    LIES(&f, weft_select(f.g, x, 1, 5), 50, 60, 1);
    LIES(&f, weft_select(f.g, weft_slice(f.g, x, 2, 4, 4), 0, 1), 64, 10, 1);
    LIES(&f, weft_reshape(f.g, x, WEFT_DIMS(24, 10)), 0, 10, 1);
    LIES(&f, weft_reshape(f.g, x, WEFT_DIMS(2, 2, 60)), 0, 120, 60, 1);
    LIES(&f, weft_reshape(f.g, x, WEFT_DIMS(4, 1, 60, 1)), 0, 60, 60, 1, 1);
    LIES(&f, weft_broadcast(f.g, weft_reshape(f.g, x, WEFT_DIMS(4, 1, 60)), WEFT_DIMS(3, 4, 5, 60)), 0, 0, 60, 0, 1);
    weft_graph_destroy(f.g);
}

static void views_of_views(void)
{
    fixture f = begin();
    weft_ref x = weft_input(f.g, WEFT_F32, WEFT_DIMS(4, 6, 10), "x");
    weft_ref t = weft_transpose(f.g, x, 0, 1); /* [6, 4, 10], strides 10 60 1 */
    LIES(&f, weft_reshape(f.g, t, WEFT_DIMS(6, 4, 2, 5)), 0, 10, 60, 5, 1);
    LIES(&f, weft_reshape(f.g, t, WEFT_DIMS(2, 3, 4, 10)), 0, 30, 10, 60, 1);
    CHECK(!is_view(&f, weft_reshape(f.g, t, WEFT_DIMS(24, 10)))); /* axes that lie in the other order */
    CHECK(!is_view(&f, weft_reshape(f.g, t, WEFT_DIMS(6, 40))));
    weft_ref s = weft_slice(f.g, x, 2, 0, 5);
    CHECK(!is_view(&f, weft_reshape(f.g, s, WEFT_DIMS(4, 30)))); /* holes between rows */
    LIES(&f, weft_reshape(f.g, s, WEFT_DIMS(24, 5)), 0, 10, 1);
    weft_ref b = weft_broadcast(f.g, weft_input(f.g, WEFT_F32, WEFT_DIMS(10), "row"), WEFT_DIMS(4, 6, 10));
    LIES(&f, b, 0, 0, 0, 1);
    LIES(&f, weft_reshape(f.g, b, WEFT_DIMS(24, 10)), 0, 0, 1); /* repeated axes can merge */
    CHECK(!is_view(&f, weft_reshape(f.g, b, WEFT_DIMS(4, 60))));
    weft_graph_destroy(f.g);
}

static void views_with_extents(void)
{
    fixture f = begin();
    weft_dim T = f.T, T12 = weft_dim_mul(f.T, 12);
    weft_ref x = weft_input(f.g, WEFT_F32, WEFT_DIMS(T, 12), "x"), y = weft_input(f.g, WEFT_F32, WEFT_DIMS(12, T), "y");
    LIES(&f, y, 0, 8, 1); /* laid out for the bound */
    LIES(&f, weft_reshape(f.g, x, WEFT_DIMS(T, 3, 4)), 0, 12, 4, 1);
    LIES(&f, weft_reshape(f.g, x, WEFT_DIMS(T12)), 0, 1);
    LIES(&f, weft_reshape(f.g, weft_reshape(f.g, x, WEFT_DIMS(T12)), WEFT_DIMS(T, 2, 6)), 0, 12, 6, 1);
    LIES(&f, weft_reshape(f.g, y, WEFT_DIMS(3, 4, T)), 0, 32, 8, 1);
    CHECK(!is_view(&f, weft_reshape(f.g, y, WEFT_DIMS(T12))));
    CHECK(!is_view(&f, weft_reshape(f.g, x, WEFT_DIMS(12, T))));
    weft_ref z = weft_input(f.g, WEFT_F32, WEFT_DIMS(T, 8), "z"); /* as large as the bound: still not exchanged */
    CHECK(!is_view(&f, weft_reshape(f.g, z, WEFT_DIMS(8, T))));
    int64_t one[] = { 1 };
    weft_slot s;
    weft_ref flat = weft_reshape(f.g, y, WEFT_DIMS(T12)); /* with one token at most there is nothing to go wrong */
    CHECK(weft_plan_view(f.g, flat, one, &s) && s.stride[0] == 1);
    weft_graph_destroy(f.g);
}

static void views_of_other_storage(void)
{
    fixture f = begin();
    weft_ref state = weft_state(f.g, WEFT_F16, WEFT_DIMS(2, 16, 4), "s");
    weft_ref rows = weft_input(f.g, WEFT_F32, WEFT_DIMS(2, f.T, 4), "rows");
    weft_ref index = weft_input(f.g, WEFT_I32, WEFT_DIMS(f.T), "index");
    weft_ref stored = weft_store(f.g, state, rows, index, 1);
    weft_slot s;
    CHECK(weft_plan_view(f.g, weft_select(f.g, stored, 0, 1), NULL, &s));
    CHECK_EQ_INT(s.storage, WEFT_STORAGE_STATE);
    CHECK_EQ_INT(s.root.id, state.id);
    CHECK_EQ_INT(s.first, 64);
    CHECK_EQ_INT(s.bytes, 2 * 16 * 4 * 2);
    weft_ref w = weft_weight(f.g, WEFT_Q8_0, WEFT_DIMS(4, 64), "w");
    CHECK(weft_plan_view(f.g, w, NULL, &s) && s.storage == WEFT_STORAGE_WEIGHT && s.bytes == 4 * 68);
    CHECK(!weft_plan_view(f.g, (weft_ref){ 0 }, NULL, &s));
    weft_graph_destroy(f.g);
}

static void chains_of_views_are_bounded(void)
{
    fixture f = begin();
    weft_ref x = weft_input(f.g, WEFT_F32, WEFT_DIMS(4, 6), "x");
    for (int i = 0; i < 64; i++) x = weft_transpose(f.g, x, 0, 1);
    LIES(&f, x, 0, 6, 1);
    CHECK(!is_view(&f, weft_transpose(f.g, x, 0, 1)));
    weft_graph_destroy(f.g);
}

/* ---- whole plans ---- */

typedef struct setup {
    weft_graph *g;
    weft_plan_node *nodes;
    weft_plan_desc desc;
    weft_error err;
} setup;

/* Every node may run in place; attention and layer norms use scratch. */
static void prepare(setup *s)
{
    CHECK_OK(weft_graph_seal(s->g, &s->err), s->err);
    s->nodes = calloc(weft_graph_node_limit(s->g), sizeof *s->nodes);
    for (uint32_t i = 0; i < weft_graph_node_count(s->g); i++) {
        const weft_node *n = weft_graph_node(s->g, i);
        s->nodes[n->id].inplace = true;
        s->nodes[n->id].scratch_bytes = n->op == WEFT_OP_attention ? 5000 : n->op == WEFT_OP_layer_norm ? 100 : 0;
    }
    s->desc = (weft_plan_desc){ .nodes = s->nodes, .n_devices = 1, .alignment = 64 };
}

static setup block_setup(const block_desc *b)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    block_build(s.g, b);
    prepare(&s);
    return s;
}

static void finish(setup *s)
{
    free(s->nodes);
    weft_graph_destroy(s->g);
}

/* Makes the plan, has it judged, and compares its text. golden may be NULL. */
static weft_plan *plan_of(setup *s, const char *golden)
{
    weft_plan *p = NULL;
    plan_judge judge;
    if (!CHECK_OK(weft_plan_create(s->g, &s->desc, &p, &s->err), s->err)) return NULL;
    CHECK_STR(plan_fault(&judge, s->g, p, &s->desc), NULL);
    if (golden) {
        weft_text t = { 0 };
        weft_writer w = weft_text_writer(&t);
        CHECK_OK(weft_plan_print(s->g, p, &w, &s->err), s->err);
        check_golden(golden, t.data);
        weft_text_free(&t);
    }
    return p;
}

static const block_desc two_layers = { 2, 8, 64, 4, 128, 100, WEFT_F16, true };

static void plan_of_blocks(void)
{
    setup s = block_setup(&two_layers);
    weft_plan_destroy(plan_of(&s, "plan_parallel"));
    finish(&s);
    block_desc b = two_layers;
    b.parallel = false;
    s = block_setup(&b);
    weft_plan_destroy(plan_of(&s, "plan_sequential"));
    finish(&s);
}

/* Of several steps at which as much is in use the first is the peak. */
static void the_first_of_equal_peaks_counts(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref x = weft_input(s.g, WEFT_F32, WEFT_DIMS(4, 64), "x");
    weft_ref small = weft_reduce_sum(s.g, weft_gelu(s.g, x), 0), y = small;
    for (int i = 0; i < 3; i++) y = weft_reduce_sum(s.g, weft_gelu(s.g, weft_add(s.g, x, y)), 0);
    weft_output(s.g, y, "y");
    prepare(&s);
    weft_plan *p = plan_of(&s, NULL);
    uint32_t first = 0, equal = 0;
    for (uint32_t i = 0; p && i < p->n_steps; i++) first = p->live[i] > p->live[first] ? i : first;
    for (uint32_t i = 0; p && i < p->n_steps; i++) equal += p->live[i] == p->live[first];
    CHECK(equal > 1);
    CHECK_EQ_INT(p ? p->peak_step[0] : UINT32_MAX, first);
    weft_plan_destroy(p);
    finish(&s);
}

static void plan_for_smaller_bounds(void)
{
    setup s = block_setup(&two_layers);
    int64_t bounds[] = { 1 };
    weft_plan *full = plan_of(&s, NULL);
    s.desc.bounds = bounds;
    weft_plan *small = plan_of(&s, NULL);
    if (full && small) CHECK(small->arena_bytes[0] * 3 < full->arena_bytes[0]);
    weft_plan_destroy(full);
    weft_plan_destroy(small);
    finish(&s);
}

static void plan_that_keeps_everything(void)
{
    setup s = block_setup(&two_layers);
    s.desc.keep = true;
    weft_plan *p = plan_of(&s, NULL);
    if (p) /* no two values meet; only scratch is shared */
        for (uint32_t i = 1; i < p->n_slots; i++)
            for (uint32_t k = 1; k < i; k++) {
                const weft_slot *a = &p->slots[i], *b = &p->slots[k];
                if (a->storage != WEFT_STORAGE_ARENA || b->storage != WEFT_STORAGE_ARENA) continue;
                bool apart = a->offset >= b->offset + b->bytes || b->offset >= a->offset + a->bytes;
                if (a->root.id != b->root.id && !apart) CHECK(apart);
            }
    weft_plan_destroy(p);
    finish(&s);
}

/* The second layer on another device: each device runs once, in one piece. */
static void plan_for_two_devices(void)
{
    setup s = block_setup(&two_layers);
    bool second = false;
    for (uint32_t i = 0; i < weft_graph_node_count(s.g); i++) {
        const weft_node *n = weft_graph_node(s.g, i);
        second = second || !strncmp(n->scope, "layers.1", 8);
        s.nodes[n->id].device = second && n->op != WEFT_OP_input;
    }
    s.desc.n_devices = 2;
    weft_plan *p = plan_of(&s, "plan_two_devices");
    uint32_t changes = 0;
    for (uint32_t i = 1; p && i < p->n_steps; i++) changes += p->steps[i].device != p->steps[i - 1].device;
    CHECK_EQ_INT(changes, 1);
    weft_plan_destroy(p);
    finish(&s);
}

/* ---- in place ---- */

static const weft_slot *slot_of(const weft_plan *p, weft_ref r)
{
    static const weft_slot none;
    return p ? &p->slots[r.id] : &none;
}

static void in_place_only_where_nobody_looks(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref x = weft_input(s.g, WEFT_F32, WEFT_DIMS(4, 8), "x");
    weft_ref row = weft_input(s.g, WEFT_F32, WEFT_DIMS(8), "row");
    weft_ref a = weft_exp(s.g, x);                             /* not over an input */
    weft_ref b = weft_tanh(s.g, a);                            /* over a */
    weft_ref c = weft_relu(s.g, weft_transpose(s.g, b, 0, 1)); /* not over a view that lies differently */
    weft_ref d = weft_sigmoid(s.g, c);                         /* c is read below */
    weft_ref e = weft_add(s.g, d, c);                          /* over d */
    weft_ref f = weft_mul(s.g, e, e);                          /* not over what is read twice */
    weft_ref h = weft_output(s.g, weft_silu(s.g, f), "h");     /* over f */
    weft_ref i = weft_output(s.g, weft_exp(s.g, h), "i");      /* not over an output */
    weft_ref k = weft_exp(s.g, row);
    weft_ref m = weft_add(s.g, k, weft_reshape(s.g, i, WEFT_DIMS(4, 8))); /* not over a smaller operand */
    weft_ref n = weft_gelu(s.g, weft_reshape(s.g, m, WEFT_DIMS(32)));     /* over a reshaped m */
    weft_output(s.g, n, "n");
    prepare(&s);
    weft_plan *p = plan_of(&s, "plan_in_place");
    CHECK_EQ_INT(slot_of(p, a)->root.id, a.id);
    CHECK_EQ_INT(slot_of(p, b)->root.id, a.id);
    CHECK_EQ_INT(slot_of(p, c)->root.id, c.id);
    CHECK_EQ_INT(slot_of(p, d)->root.id, d.id);
    CHECK_EQ_INT(slot_of(p, e)->root.id, d.id);
    CHECK_EQ_INT(slot_of(p, f)->root.id, f.id);
    CHECK_EQ_INT(slot_of(p, h)->root.id, f.id);
    CHECK_EQ_INT(slot_of(p, i)->root.id, i.id);
    CHECK_EQ_INT(slot_of(p, m)->root.id, m.id);
    CHECK_EQ_INT(slot_of(p, n)->root.id, m.id);
    weft_plan_destroy(p);
    finish(&s);
}

/* Two readers in one group may run at the same time: neither may write over what the other reads. */
static void in_place_never_beside_another_reader(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref a = weft_exp(s.g, weft_input(s.g, WEFT_F32, WEFT_DIMS(4, 8), "x"));
    weft_ref b = weft_tanh(s.g, a), c = weft_relu(s.g, a);
    weft_output(s.g, weft_add(s.g, b, c), "y");
    prepare(&s);
    weft_plan *p = plan_of(&s, NULL);
    CHECK_EQ_INT(slot_of(p, b)->root.id, b.id);
    CHECK_EQ_INT(slot_of(p, c)->root.id, c.id);
    if (p) CHECK_EQ_INT(p->n_barriers, 2);
    weft_plan_destroy(p);
    finish(&s);
}

/* ---- barriers of states ---- */

static void stores_into_different_states_run_together(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref rows = weft_input(s.g, WEFT_F32, WEFT_DIMS(2, 4), "rows");
    weft_ref index = weft_input(s.g, WEFT_I32, WEFT_DIMS(2), "index");
    weft_ref a = weft_state(s.g, WEFT_F32, WEFT_DIMS(9, 4), "a"), b = weft_state(s.g, WEFT_F32, WEFT_DIMS(9, 4), "b");
    a = weft_store(s.g, a, rows, index, 0);
    b = weft_store(s.g, b, rows, index, 0);
    b = weft_store(s.g, b, rows, index, 0); /* the same state again: waits */
    weft_output(s.g, weft_add(s.g, a, b), "y");
    prepare(&s);
    weft_plan *p = plan_of(&s, "plan_states");
    if (p) CHECK_EQ_INT(p->n_barriers, 2);
    weft_plan_destroy(p);
    finish(&s);
}

/* A store waits for those that read the state as it was, whatever their depth. */
static void stores_wait_for_readers(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref rows = weft_input(s.g, WEFT_F32, WEFT_DIMS(2, 4), "rows"), deep = rows;
    weft_ref index = weft_input(s.g, WEFT_I32, WEFT_DIMS(2), "index");
    weft_ref a = weft_state(s.g, WEFT_F32, WEFT_DIMS(2, 4), "a");
    for (int i = 0; i < 4; i++) deep = weft_exp(s.g, deep);
    weft_output(s.g, weft_add(s.g, deep, a), "y");
    weft_output(s.g, weft_store(s.g, a, rows, index, 0), "a now");
    prepare(&s);
    weft_plan *p = plan_of(&s, NULL);
    if (p) CHECK(weft_graph_node_by_id(s.g, p->steps[p->n_steps - 1].node)->op == WEFT_OP_store);
    if (p) CHECK(p->steps[p->n_steps - 1].barrier);
    weft_plan_destroy(p);
    finish(&s);
}

/* ---- edges ---- */

static void plans_without_steps(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref x = weft_input(s.g, WEFT_F32, WEFT_DIMS(4, 8), "x");
    weft_input(s.g, WEFT_F32, WEFT_DIMS(100), "unread");
    weft_output(s.g, weft_transpose(s.g, x, 0, 1), "y");
    prepare(&s);
    weft_plan *p = plan_of(&s, NULL);
    if (p) {
        CHECK_EQ_INT(p->n_steps, 0);
        CHECK_EQ_INT(p->arena_bytes[0], 128 + 448); /* inputs are bound even if nothing reads them */
    }
    weft_plan_destroy(p);
    finish(&s);
    weft_plan_destroy(NULL);
}

static void refusals(void)
{
    setup s = block_setup(&two_layers);
    weft_plan *p;
    s.desc.alignment = 48;
    CHECK_STATUS(weft_plan_create(s.g, &s.desc, &p, &s.err), WEFT_INVALID, s.err);
    CHECK(p == NULL);
    s.desc.alignment = 64;
    s.desc.n_devices = 0;
    CHECK_STATUS(weft_plan_create(s.g, &s.desc, &p, &s.err), WEFT_INVALID, s.err);
    s.desc.n_devices = 1;
    int64_t bounds[] = { 9 };
    s.desc.bounds = bounds;
    CHECK_STATUS(weft_plan_create(s.g, &s.desc, &p, &s.err), WEFT_INVALID, s.err);
    CHECK_CONTAINS(s.err.text, "tokens");
    s.desc.bounds = NULL;
    uint32_t last = weft_graph_node(s.g, weft_graph_node_count(s.g) - 1)->id;
    s.nodes[last].device = 1;
    CHECK_STATUS(weft_plan_create(s.g, &s.desc, &p, &s.err), WEFT_INVALID, s.err);
    s.nodes[last].device = 0;
    s.nodes[last].scratch_bytes = UINT64_MAX - 5;
    CHECK_STATUS(weft_plan_create(s.g, &s.desc, &p, &s.err), WEFT_LIMIT, s.err);
    finish(&s);
}

static void a_reshape_that_needs_a_copy_is_refused(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref x = weft_transpose(s.g, weft_input(s.g, WEFT_F32, WEFT_DIMS(4, 8), "x"), 0, 1);
    weft_output(s.g, weft_exp(s.g, weft_reshape(s.g, x, WEFT_DIMS(32))), "y");
    prepare(&s);
    weft_plan *p;
    CHECK_STATUS(weft_plan_create(s.g, &s.desc, &p, &s.err), WEFT_UNSUPPORTED, s.err);
    CHECK_CONTAINS(s.err.text, "must be copied");
    finish(&s);
}

static bool refuse_text(void *ctx, const char *data, size_t n)
{
    (void)data, (void)n;
    return --*(int *)ctx > 0;
}

static void a_writer_that_fails_is_reported(void)
{
    setup s = block_setup(&two_layers);
    weft_plan *p = plan_of(&s, NULL);
    for (int pieces = 1; p && pieces < 400; pieces += 37) {
        int left = pieces;
        weft_writer w = { &left, refuse_text };
        CHECK_STATUS(weft_plan_print(s.g, p, &w, &s.err), WEFT_IO, s.err);
    }
    weft_plan_destroy(p);
    finish(&s);
}

/* ---- the judge itself must notice what is wrong ---- */

static void the_judge_notices_faults(void)
{
    setup s = block_setup(&two_layers);
    weft_plan *p = plan_of(&s, NULL);
    plan_judge judge;
    for (uint32_t i = 1; p && i < p->n_steps; i++) { /* every barrier is needed, and missed */
        if (!p->steps[i].barrier) continue;
        p->steps[i].barrier = false;
        p->n_barriers--;
        const char *fault = plan_fault(&judge, s.g, p, &s.desc);
        CHECK(fault && strstr(fault, "need a barrier"));
        p->steps[i].barrier = true;
        p->n_barriers++;
    }
    for (uint32_t i = 1; p && i < p->n_slots; i++) { /* two values at one place */
        weft_slot *a = &p->slots[i];
        if (a->storage != WEFT_STORAGE_ARENA || a->root.id != i || !a->death) continue;
        uint64_t offset = a->offset;
        for (uint32_t k = 1; k < p->n_slots; k++) {
            const weft_slot *b = &p->slots[k];
            if (b->storage != WEFT_STORAGE_ARENA || b->root.id != k || k == i) continue;
            if (b->birth > a->death || a->birth > b->death) continue;
            a->offset = b->offset;
            CHECK(plan_fault(&judge, s.g, p, &s.desc) != NULL);
            a->offset = offset;
            break;
        }
    }
    for (uint32_t i = 1; p && i < p->n_steps; i++) { /* steps exchanged across a barrier */
        if (!p->steps[i].barrier) continue;
        weft_step a = p->steps[i - 1], b = p->steps[i];
        p->steps[i - 1].node = b.node;
        p->steps[i].node = a.node;
        CHECK(plan_fault(&judge, s.g, p, &s.desc) != NULL);
        p->steps[i - 1] = a;
        p->steps[i] = b;
    }
    weft_plan_destroy(p);
    finish(&s);
}

/* A result put over a value that a later step still reads, with lifetimes and barriers that look right. */
static void the_judge_notices_a_write_over_what_is_still_read(void)
{
    setup s = { 0 };
    CHECK_OK(weft_graph_create(NULL, &s.g, &s.err), s.err);
    weft_ref a = weft_exp(s.g, weft_input(s.g, WEFT_F32, WEFT_DIMS(4, 8), "x"));
    weft_ref b = weft_tanh(s.g, a), c = weft_relu(s.g, b);
    weft_output(s.g, weft_add(s.g, c, a), "y");
    prepare(&s);
    weft_plan *p = plan_of(&s, NULL);
    for (int later = 0; p && later < 2; later++) { /* over a: by its first reader, or by the step after that */
        weft_slot *over = &p->slots[later ? c.id : b.id], kept = *over;
        const weft_slot *under = &p->slots[a.id];
        over->root = a;
        over->offset = under->offset;
        over->birth = under->birth;
        over->death = under->death > kept.death ? under->death : kept.death;
        plan_judge judge;
        const char *fault = plan_fault(&judge, s.g, p, &s.desc);
        CHECK(fault && strstr(fault, "was overwritten"));
        *over = kept;
    }
    weft_plan_destroy(p);
    finish(&s);
}

static const weft_test tests[] = {
    { "views of plain values", views_of_plain_values },
    { "views of views", views_of_views },
    { "views with extents", views_with_extents },
    { "views of other storage", views_of_other_storage },
    { "chains of views are bounded", chains_of_views_are_bounded },
    { "plan of blocks", plan_of_blocks },
    { "the first of equal peaks counts", the_first_of_equal_peaks_counts },
    { "plan for smaller bounds", plan_for_smaller_bounds },
    { "plan that keeps everything", plan_that_keeps_everything },
    { "plan for two devices", plan_for_two_devices },
    { "in place only where nobody looks", in_place_only_where_nobody_looks },
    { "in place never beside another reader", in_place_never_beside_another_reader },
    { "stores into different states run together", stores_into_different_states_run_together },
    { "stores wait for readers", stores_wait_for_readers },
    { "plans without steps", plans_without_steps },
    { "refusals", refusals },
    { "a reshape that needs a copy is refused", a_reshape_that_needs_a_copy_is_refused },
    { "a writer that fails is reported", a_writer_that_fails_is_reported },
    { "the judge notices faults", the_judge_notices_faults },
    { "the judge notices a write over what is still read", the_judge_notices_a_write_over_what_is_still_read },
};
GOLDEN_MAIN(tests)
