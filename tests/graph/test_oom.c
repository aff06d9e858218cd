/* test_oom.c: every allocation of building, sealing, cloning, printing, parsing, reading and formatting fails once: OOM
 * each time, nothing lost. */
#include "block.h"
#include "graph/text.h"
#include "support.h"
#include "tests/oom.h"

static const weft_bound bounds[] = { { "tokens", 4 }, { "cells", 9 } };
static const weft_graph_desc desc = { .bounds = bounds, .n_bounds = 2 };

/* More weights than the table of names holds at first, a constant, and a name longer than a line of output. */
static weft_status build(weft_graph **out, weft_error *err)
{
    block_desc b = { 3, 4, 32, 2, 16, 20, WEFT_F16, true };
    float data[3] = { 1, 2, 3 };
    char name[400];
    WEFT_TRY(weft_graph_create(&desc, out, err));
    weft_graph *g = *out;
    block_build(g, &b);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "w%d", i);
        weft_weight(g, WEFT_F32, WEFT_DIMS(2), name);
    }
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    weft_output(g, weft_gelu(g, weft_constant(g, WEFT_F32, WEFT_DIMS(3), data)), "%s", name);
    weft_status s = weft_graph_seal(g, err);
    if (s == WEFT_OK) return s;
    weft_graph_destroy(g);
    *out = NULL;
    return s;
}

static void building(void)
{
    OOM_LOOP(n)
    {
        weft_graph *g;
        weft_error err = { 0 };
        weft_status s = build(&g, &err);
        OOM_CHECK(s, err);
        weft_graph_destroy(g);
    }
}

static void cloning(void)
{
    weft_graph *g;
    weft_error err = { 0 };
    if (!CHECK_OK(build(&g, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_graph *copy;
        weft_status s = weft_graph_clone(g, &copy, &err);
        OOM_CHECK(s, err);
        weft_graph_destroy(copy);
    }
    weft_graph_destroy(g);
}

/* A text that cannot grow is a write that failed; a line that needs a buffer too. */
static void printing(void)
{
    weft_graph *g;
    weft_error err = { 0 };
    if (!CHECK_OK(build(&g, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_text t = { 0 };
        weft_writer w = weft_text_writer(&t);
        weft_status s = weft_graph_print(g, &w, &err);
        CHECK_STATUS(s, oom_failed() ? WEFT_IO : WEFT_OK, err);
        weft_text_free(&t);
    }
    weft_graph_destroy(g);
}

static void parsing(void)
{
    weft_graph *g;
    weft_error err = { 0 };
    if (!CHECK_OK(build(&g, &err), err)) return;
    g->nodes[g->order[g->n_order - 1]]->origin = g->order; /* some ids */
    g->nodes[g->order[g->n_order - 1]]->n_origin = 20;
    char *text = test_print(g);
    OOM_LOOP(n)
    {
        weft_graph *back;
        weft_status s = weft_graph_parse(text, strlen(text), "text", &desc, &back, &err);
        OOM_CHECK(s, err);
        weft_graph_destroy(back);
    }
    free(text);
    weft_graph_destroy(g);
}

/* Comments, lists, strings, bodies: whatever the tree of a text is made of. */
static const char language[] =
    "# a\nweft-graph 2  # b\nmodel \"M\" logits\nfiles tied \"a\", \"b\"\n"
    "param n : [int] = [1, 2] in 0..9 from \"n\", \"m\"\n"
    "block f(%x, n, m = 2) {  # c\n    %x, %y = op \"w.{n}\" %x {a = [n * 2, -n], b = (1, 2)} : f32[n], f32[m]\n"
    "    return %x, %y\n    # d\n}\n"
    "repeat i in 0..n[0] {\n    if i % 2 == 0 {\n        output \"{i}\" = %x\n    } else {\n"
    "        let k = max(1, i) ? 1.5 : 0x7fc0\n    }\n}\n# e\n";

static void reading(void)
{
    char flat[] = "weft-graph 1\n%1 = constant : f32[2] @ \"s\" node 3 from 4, 5 data 1, -2\n";
    weft_error err = { 0 };
    OOM_LOOP(n)
    {
        weft_graph_text *t;
        weft_status s = weft_graph_text_read(language, sizeof language - 1, "text", &t, &err);
        OOM_CHECK(s, err);
        weft_graph_text_destroy(t);
    }
    OOM_LOOP(n)
    {
        weft_graph_text *t;
        weft_status s = weft_graph_text_read(flat, sizeof flat - 1, NULL, &t, &err);
        OOM_CHECK(s, err);
        weft_graph_text_destroy(t);
    }
}

static void formatting(void)
{
    weft_graph_text *t;
    weft_error err = { 0 };
    if (!CHECK_OK(weft_graph_text_read(language, sizeof language - 1, "text", &t, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_text out = { 0 };
        weft_writer w = weft_text_writer(&out);
        weft_status s = weft_graph_text_format(t, &w, &err);
        CHECK_STATUS(s, oom_failed() ? WEFT_IO : WEFT_OK, err);
        weft_text_free(&out);
    }
    weft_graph_text_destroy(t);
}

/* Verifying, sorting, counting uses and keeping outputs leave a graph as it was when they fail. */
static void changing(void)
{
    weft_graph *g;
    weft_error err = { 0 };
    const char *const keep[] = { "hidden" };
    if (!CHECK_OK(build(&g, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_status s = weft_graph_verify(g, &err);
        OOM_CHECK(s, err);
    }
    OOM_LOOP(n)
    {
        weft_status s = weft__graph_sort(g, &err);
        OOM_CHECK(s, err);
    }
    OOM_LOOP(n)
    {
        uint32_t *uses = weft__graph_uses(g);
        CHECK((uses == NULL) == oom_failed());
        free(uses);
    }
    OOM_LOOP(n)
    {
        weft_status s = weft_graph_keep_outputs(g, keep, 1, &err);
        OOM_CHECK(s, err);
    }
    CHECK_OK(weft_graph_verify(g, &err), err);
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "building", building }, { "cloning", cloning },   { "printing", printing },
    { "parsing", parsing },   { "changing", changing }, { "reading", reading },   { "formatting", formatting },
};
TEST_MAIN(tests)
