/* test_same.c: graphs that are the same but for their ids, and each way in which two differ. */
#include "graph/same.h"

#include "support.h"
#include "tests/oom.h"

#define HEAD "weft-graph 1\nextent t 8\n%1 = input \"x\" : f32[t, 4]\n%2 = weight \"w\" : f32[4, 4]\n"
#define TAIL "output \"y\" = %4\n"
static const char base[] = HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\n" TAIL;

/* Row: another text, and what the difference is said to be. */
static const char *const differs[][2] = {
    { "weft-graph 1\nextent t 9\n%1 = input \"x\" : f32[t, 4]\n%2 = weight \"w\" : f32[4, 4]\n"
      "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\n" TAIL, "extent 't' 8, and 't' 9" },
    { "weft-graph 1\nextent t 8\nextent u 1\n%1 = input \"x\" : f32[t, 4]\n%4 = gelu %1\n" TAIL, "1 extents, and 2" },
    { HEAD "%3 = matmul %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\n" TAIL,
      "node 2: op: matmul_nt '' in 'a', and matmul" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"b\"\n%4 = scale %3 {factor = 2}\n" TAIL, "node 2: scope" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 3}\n" TAIL, "node 3: attributes" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %1 {factor = 2}\n" TAIL, "node 3: inputs" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\n%5 = gelu %4\n" TAIL, "4 nodes, and 5" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\noutput \"y\" = %3\n",
      "output 0: 'y', and 'y' or" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\noutput \"z\" = %4\n", "output 0: 'y', and 'z'" },
    { HEAD "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\noutput \"z\" = %3\n" TAIL, "1 outputs, and 2" },
    { "weft-graph 1\nextent t 8\n%1 = input \"x\" : f32[t, 4]\n%2 = weight \"v\" : f32[4, 4]\n"
      "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\n" TAIL,
      "node 1: name: weight 'w' in '', and weight 'v'" },
    { "weft-graph 1\nextent t 8\n%1 = input \"x\" : f32[t, 4]\n%2 = weight \"w\" : f16[4, 4]\n"
      "%3 = matmul_nt %1, %2 @ \"a\"\n%4 = scale %3 {factor = 2}\n" TAIL, "node 1: type" },
};

static void tells_the_first_difference(void)
{
    weft_graph *a = test_parse(base);
    for (size_t i = 0; a && i < sizeof differs / sizeof *differs; i++) {
        weft_graph *b = test_parse(differs[i][0]);
        weft_error err = { 0 };
        if (!b) continue;
        CHECK_STATUS(weft__graph_same(a, b, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, differs[i][1]);
        CHECK(weft__graph_same(b, a, NULL) == WEFT_INVALID);
        weft_graph_destroy(b);
    }
    weft_graph_destroy(a);
}

static void ids_do_not_matter(void)
{
    weft_error err;
    weft_graph *a = test_parse(base);
    weft_graph *b = test_parse("weft-graph 1\nextent t 8\n%9 = input \"x\" : f32[t, 4]\n"
                               "%2 = weight \"w\" : f32[4, 4] @ \"b\"\n%7 = matmul_nt %9, %2 @ \"a\" node 3\n"
                               "%30 = scale %7 {factor = 2}\noutput \"y\" = %30\n");
    if (a && b) {
        CHECK_OK(weft__graph_same(a, b, &err), err);
        CHECK_OK(weft__graph_same(b, a, &err), err);
    }
    weft_graph_destroy(a);
    weft_graph_destroy(b);
}

static void data_matters(void)
{
    weft_error err = { 0 };
    weft_graph *a = test_parse("weft-graph 1\n%1 = constant : f32[2] data 1, 0\noutput \"y\" = %1\n");
    weft_graph *b = test_parse("weft-graph 1\n%1 = constant : f32[2] data 1, -0\noutput \"y\" = %1\n");
    if (a && b) {
        CHECK_OK(weft__graph_same(a, a, &err), err);
        CHECK_STATUS(weft__graph_same(a, b, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "node 0: data");
    }
    weft_graph_destroy(a);
    weft_graph_destroy(b);
}

static void without_memory(void)
{
    weft_error err;
    weft_graph *a = test_parse(base);
    OOM_LOOP(n)
    {
        weft_status s = weft__graph_same(a, a, &err);
        OOM_CHECK(s, err);
    }
    weft_graph_destroy(a);
}

static const weft_test tests[] = {
    { "tells_the_first_difference", tells_the_first_difference },
    { "ids_do_not_matter", ids_do_not_matter },
    { "data_matters", data_matters },
    { "without_memory", without_memory },
};
TEST_MAIN(tests)
