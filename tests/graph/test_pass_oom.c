/* Every allocation of the passes and of planning fails once: OOM each time, nothing lost, nothing left behind. */
#include "block.h"
#include "graph/plan.h"
#include "support.h"
#include "tests/oom.h"

static weft_graph *block(void)
{
    weft_graph *g = test_graph();
    weft_error err = { 0 };
    float half[2] = { 0.5f, 0.5f };
    block_desc b = { 1, 4, 32, 2, 16, 20, WEFT_F16, true };
    block_build(g, &b);
    weft_ref c = weft_exp(g, weft_constant(g, WEFT_F32, WEFT_DIMS(2), half)); /* work for eval, fold and dce */
    weft_output(g, weft_scale(g, weft_scale(g, c, 2), 3), "constant");
    weft_tanh(g, weft_input(g, WEFT_F32, WEFT_DIMS(5), "dead"));
    CHECK_OK(weft_graph_seal(g, &err), err);
    return g;
}

static void passes(void)
{
    weft_error err = { 0 };
    weft_graph *g = block();
    OOM_LOOP(n)
    {
        oom_disarm(); /* the copy is not what is tested */
        weft_graph *copy;
        CHECK_OK(weft_graph_clone(g, &copy, &err), err);
        oom_arm(n);
        weft_status s = weft_graph_optimise(copy, NULL, 0, &err);
        OOM_CHECK(s, err);
        if (oom_failed() && s != WEFT_OK) CHECK_CONTAINS(err.text, "after pass");
        weft_graph_destroy(copy);
    }
    weft_graph_destroy(g);
}

static void planning(void)
{
    weft_error err = { 0 };
    weft_graph *g = block();
    weft_plan_node *nodes = calloc(weft_graph_node_limit(g), sizeof *nodes);
    weft_plan_desc desc = { .nodes = nodes, .n_devices = 1, .alignment = 64 };
    OOM_LOOP(n)
    {
        weft_plan *p;
        weft_status s = weft_plan_create(g, &desc, &p, &err);
        OOM_CHECK(s, err);
        CHECK((p != NULL) == (s == WEFT_OK));
        weft_plan_destroy(p);
    }
    free(nodes);
    weft_graph_destroy(g);
}

static bool drop(void *ctx, const char *data, size_t n)
{
    (void)ctx, (void)data, (void)n;
    return true;
}

static void printing(void)
{
    weft_error err = { 0 };
    weft_graph *g = block();
    weft_plan_node *nodes = calloc(weft_graph_node_limit(g), sizeof *nodes);
    weft_plan_desc desc = { .nodes = nodes, .n_devices = 1, .alignment = 64 };
    weft_plan *p;
    weft_writer nowhere = { NULL, drop };
    if (!CHECK_OK(weft_plan_create(g, &desc, &p, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_status s = weft_plan_print(g, p, &nowhere, &err);
        OOM_CHECK(s, err);
    }
    weft_plan_destroy(p);
    free(nodes);
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "passes", passes },
    { "planning", planning },
    { "printing", printing },
};
TEST_MAIN(tests)
