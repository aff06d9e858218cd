/* test_random.c: random graphs verify, print, parse back to the same text and ids, clone, and survive every pass. */
#include "graph/alias.h"
#include "support.h"
#include "tests/random_graph.h"

#define SEEDS 300
#define SIZE  25

static bool make(uint64_t seed, random_graph *r)
{
    weft_error err = { 0 };
    bool ok = CHECK_OK(random_graph_make(seed, SIZE, r, &err), err);
    if (!ok) printf("  seed %" PRIu64 "\n", seed);
    return ok;
}

/* Text -> graph -> text gives the same text, and the same values under the same ids. */
static void check_round_trip(const weft_graph *g, uint64_t seed)
{
    char *first = test_print(g);
    weft_graph *back = test_parse(first);
    if (!back) {
        printf("  seed %" PRIu64 "\n%s", seed, first);
    } else {
        char *second = test_print(back);
        CHECK_STR(second, first);
        for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
            const weft_node *a = weft_graph_node(g, i), *b = weft_graph_node_by_id(back, a->id);
            if (!CHECK(b != NULL)) break;
            CHECK(a->op == b->op && weft__attrs_equal(a->op, &a->attrs, &b->attrs));
            CHECK(weft__attrs_hash(a->op, &a->attrs) == weft__attrs_hash(b->op, &b->attrs));
        }
        free(second);
    }
    weft_graph_destroy(back);
    free(first);
}

static void round_trips(void)
{
    random_graph r;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!make(seed, &r)) return;
        check_round_trip(r.g, seed);
        weft_graph_destroy(r.g);
    }
}

/* Every op that builders can make turns up; else the generator has gone blind for it. */
static void covers_the_op_table(void)
{
    bool seen[WEFT_OP_COUNT] = { false };
    random_graph r;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!make(seed, &r)) return;
        for (uint32_t i = 0; i < weft_graph_node_count(r.g); i++) seen[weft_graph_node(r.g, i)->op] = true;
        weft_graph_destroy(r.g);
    }
    for (unsigned op = 0; op < WEFT_OP_COUNT; op++) {
        const weft_op_info *info = weft_op_get((weft_op)op);
        if (info->traits & (WEFT_TRAIT_FUSED | WEFT_TRAIT_SCHED)) continue;
        if (!CHECK(seen[op])) printf("  %s\n", info->name);
    }
}

static void survives_passes(void)
{
    random_graph r;
    weft_error err = { 0 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!make(seed, &r)) return;
        weft_graph *copy;
        if (!CHECK_OK(weft_graph_clone(r.g, &copy, &err), err)) return;
        char *before = test_print(r.g), *cloned = test_print(copy);
        CHECK_STR(cloned, before);
        if (!CHECK_OK(weft_graph_optimise(copy, NULL, 0, &err), err)) printf("  seed %" PRIu64 "\n", seed);
        check_round_trip(copy, seed);
        free(cloned);
        cloned = test_print(r.g);
        CHECK_STR(cloned, before); /* the original saw nothing of it */
        free(cloned);
        free(before);
        weft_graph_destroy(copy);
        weft_graph_destroy(r.g);
    }
}

/* The position of the store behind node `at` that replaces a value which that node reads; 0: there is none. */
static uint32_t store_behind(const weft_graph *g, uint32_t at)
{
    const weft_node *n = weft_graph_node(g, at);
    for (uint32_t i = at + 1; i < weft_graph_node_count(g); i++) {
        const weft_node *store = weft_graph_node(g, i);
        for (uint32_t k = 0; weft_op_get(store->op)->traits & WEFT_TRAIT_STATE && k < n->n_in; k++)
            if (weft__behind_views(g, n->in[k]).id == store->in[0].id) return i;
    }
    return 0;
}

/* Moves the node at `from` back to `to`, if nothing up to there reads it. */
static bool move_back(weft_graph *g, uint32_t from, uint32_t to)
{
    uint32_t id = g->order[from];
    for (uint32_t i = from + 1; i <= to; i++) {
        const weft_node *n = weft_graph_node(g, i);
        for (uint32_t k = 0; k < n->n_in; k++)
            if (weft__maker(g, n->in[k])->id == id) return false;
    }
    memmove(&g->order[from], &g->order[from + 1], (to - from) * sizeof *g->order);
    g->order[to] = id;
    return true;
}

/* A reader of an old value put behind the store: refused, and put right by sorting. */
static bool plant_misplaced_reader(const weft_graph *g, uint32_t at)
{
    weft_error err = { 0 };
    weft_graph *copy;
    uint32_t store = store_behind(g, at);
    if (!store || !CHECK_OK(weft_graph_clone(g, &copy, &err), err)) return false;
    bool planted = move_back(copy, at, store);
    if (planted) {
        CHECK_STATUS(weft_graph_verify(copy, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "reads the value from before");
        CHECK_OK(weft__graph_sort(copy, &err), err);
        CHECK_OK(weft_graph_verify(copy, &err), err);
    }
    weft_graph_destroy(copy);
    return planted;
}

/* A reader of the old value that needs the store's result: refused in any order. */
static bool plant_needy_reader(const weft_graph *g, uint32_t at)
{
    weft_error err = { 0 };
    weft_graph *copy;
    const weft_node *store = weft_graph_node(g, at);
    if (!(weft_op_get(store->op)->traits & WEFT_TRAIT_STATE)) return false;
    if (!CHECK_OK(weft_graph_clone(g, &copy, &err), err)) return false;
    CHECK(weft__graph_add(copy, WEFT_OP_add, NULL, (weft_ref[]){ store->in[0], store->out[0] }, 2, "", NULL, &err));
    CHECK_STATUS(weft_graph_verify(copy, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "reads the value from before");
    CHECK_STATUS(weft__graph_sort(copy, &err), WEFT_INTERNAL, err);
    CHECK_CONTAINS(err.text, "depends on itself");
    weft_graph_destroy(copy);
    return true;
}

static void refuses_planted_readers(void)
{
    random_graph r;
    uint32_t misplaced = 0, needy = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!make(seed, &r)) return;
        for (uint32_t i = 0; i < weft_graph_node_count(r.g); i++) {
            misplaced += plant_misplaced_reader(r.g, i);
            needy += plant_needy_reader(r.g, i);
        }
        weft_graph_destroy(r.g);
    }
    CHECK(misplaced > 20);
    CHECK(needy > 200);
}

/* Costs are finite and not negative, whatever the op and the extents. */
static void has_costs(void)
{
    random_graph r;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!make(seed, &r)) return;
        const int64_t ones[WEFT_MAX_EXTENTS] = { 1, 1, 1, 1, 1, 1, 1, 1 };
        for (uint32_t i = 0; i < weft_graph_node_count(r.g); i++) {
            const weft_node *n = weft_graph_node(r.g, i);
            weft_cost least = weft_node_cost(r.g, n, ones), most = weft_node_cost(r.g, n, NULL);
            bool ok = least.flops >= 0 && least.bytes_read >= 0 && least.bytes_written >= 0 &&
                      most.flops >= least.flops && most.bytes_read >= least.bytes_read &&
                      most.bytes_written >= least.bytes_written;
            if (!CHECK(ok)) printf("  seed %" PRIu64 ", node %u (%s)\n", seed, n->id, weft_op_get(n->op)->name);
        }
        weft_graph_destroy(r.g);
    }
}

static const weft_test tests[] = {
    { "round_trips", round_trips },
    { "covers_the_op_table", covers_the_op_table },
    { "survives_passes", survives_passes },
    { "refuses_planted_readers", refuses_planted_readers },
    { "has_costs", has_costs },
};
TEST_MAIN(tests)
