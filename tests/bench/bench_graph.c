/* bench_graph.c: how long it takes to build, optimise and plan the graph of a decoder of 44 layers with the sizes of a
 * 20-billion-parameter model, in milliseconds (median, least, most).
 *
 *   bench_graph [layers [repetitions]]
 *   bench_graph wide [nodes]
 *
 * The second form takes graphs of other shapes, each with 20,000 nodes or as many as are asked for, once, and also
 * times reading their text and finding all their outputs by name. No time should grow much faster than the nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/plan.h"
#include "tests/graph/block.h"

enum { BUILD, PASSES, PLAN, TOTAL, PHASES };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A decoder of n layers. */
static void decoder(weft_graph *g, uint32_t n)
{
    block_build(g, &(block_desc){ n, 512, 6144, 64, 2048, 50432, WEFT_F16, true });
}

static weft_status run_once(void (*build)(weft_graph *g, uint32_t n), uint32_t n, double ms[PHASES], uint32_t nodes[2],
                            weft_plan **plan, weft_error *err)
{
    weft_graph *g;
    double start = now_ms();
    WEFT_TRY(weft_graph_create(NULL, &g, err));
    build(g, n);
    weft_status s = weft_graph_seal(g, err);
    double built = now_ms();
    nodes[0] = weft_graph_node_count(g);
    if (s == WEFT_OK) s = weft_graph_optimise(g, NULL, 0, err);
    double optimised = now_ms();
    nodes[1] = weft_graph_node_count(g);
    weft_plan_node *info = calloc(weft_graph_node_limit(g), sizeof *info);
    weft_plan_desc desc = { .nodes = info, .n_devices = 1, .alignment = 64 };
    for (uint32_t i = 0; info && i < weft_graph_node_limit(g); i++) info[i].inplace = true;
    if (s == WEFT_OK) s = info ? weft_plan_create(g, &desc, plan, err) : WEFT_OOM_FAIL(err, "a benchmark");
    double planned = now_ms();
    ms[BUILD] = built - start;
    ms[PASSES] = optimised - built;
    ms[PLAN] = planned - optimised;
    ms[TOTAL] = planned - start;
    free(info);
    weft_graph_destroy(g);
    return s;
}

/* ---- other shapes ---- */

static void chain(weft_graph *g, uint32_t n)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(64), "x");
    for (uint32_t i = 0; i < n; i++) x = weft_gelu(g, x);
    weft_output(g, x, "y");
}

static void outputs(weft_graph *g, uint32_t n)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(64), "x");
    for (uint32_t i = 0; i < n; i++) weft_output(g, weft_scale(g, x, (float)(i + 2)), "y%u", i);
}

static void inputs(weft_graph *g, uint32_t n)
{
    char name[16];
    for (uint32_t i = 0; i < n / 2; i++) {
        snprintf(name, sizeof name, "x%u", i);
        weft_output(g, weft_gelu(g, weft_input(g, WEFT_F32, WEFT_DIMS(1 + i % 97 * 16), name)), "y%u", i);
    }
}

/* One value with many readers, whose results differ in size and are read one by one. */
static void readers(weft_graph *g, uint32_t n)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(2000), "x"), sum = weft_reduce_sum(g, x, 0);
    for (uint32_t i = 0; i < n / 4; i++) {
        weft_ref part = weft_gelu(g, weft_slice(g, x, 0, i % 1000, 1 + i * 7 % 997));
        sum = weft_add(g, sum, weft_reduce_sum(g, part, 0));
    }
    weft_output(g, sum, "y");
}

static void equal(weft_graph *g, uint32_t n)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(64), "x");
    for (uint32_t i = 0; i < n; i++) weft_output(g, weft_gelu(g, x), "y%u", i);
}

static void scales(weft_graph *g, uint32_t n)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(64), "x");
    for (uint32_t i = 0; i < n; i++) x = weft_scale(g, x, i % 2 ? 3.0f : 1.0f / 3.0f);
    weft_output(g, x, "y");
}

static weft_status time_shape(const char *name, void (*shape)(weft_graph *g, uint32_t n), uint32_t n, weft_error *err)
{
    double ms[PHASES];
    uint32_t nodes[2], n_outputs, found = 0;
    weft_plan *plan = NULL;
    weft_graph *g, *read = NULL;
    weft_text text = { 0 };
    WEFT_TRY(run_once(shape, n, ms, nodes, &plan, err));
    WEFT_TRY(weft_graph_create(NULL, &g, err));
    shape(g, n);
    weft_writer writer = weft_text_writer(&text);
    weft_status s = weft_graph_print(g, &writer, err);
    double start = now_ms();
    if (s == WEFT_OK) s = weft_graph_parse(text.data, text.size, name, NULL, &read, err);
    double parsed = now_ms();
    const weft_named *named = weft_graph_outputs(g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++) found += weft_graph_find(g, named[i].name).id != 0;
    printf("%-8s %6u nodes, %6u after, %7.1f KiB: build %8.1f, passes %8.1f, plan %8.1f, parse %8.1f, find %6.1f ms\n",
           name, nodes[0], nodes[1], (double)plan->arena_bytes[0] / 1024, ms[BUILD], ms[PASSES], ms[PLAN],
           parsed - start, now_ms() - parsed);
    weft_plan_destroy(plan);
    weft_text_free(&text);
    weft_graph_destroy(read);
    weft_graph_destroy(g);
    return s == WEFT_OK && found != n_outputs ? WEFT_FAIL(err, WEFT_INTERNAL, "%s: an output is not found", name) : s;
}

static int time_shapes(uint32_t n)
{
    static const struct {
        const char *name;
        void (*build)(weft_graph *g, uint32_t n);
    } shapes[] = { { "chain", chain },     { "outputs", outputs }, { "inputs", inputs },
                   { "readers", readers }, { "equal", equal },     { "scales", scales } };
    weft_error err;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (time_shape(shapes[i].name, shapes[i].build, n, &err) == WEFT_OK) continue;
        fprintf(stderr, "bench_graph: %s\n", err.text);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[PHASES] = { "build", "passes", "plan", "total" };
    enum { MOST = 1000 };
    static double ms[PHASES][MOST];
    if (argc > 1 && !strcmp(argv[1], "wide")) return time_shapes(argc > 2 ? (uint32_t)atoi(argv[2]) : 20000);
    int layers = argc > 1 ? atoi(argv[1]) : 44, n = argc > 2 ? atoi(argv[2]) : 50;
    if (layers < 1 || n < 1 || n > MOST) {
        fprintf(stderr, "usage: bench_graph [layers [repetitions (1..%d)]] | wide [nodes]\n", MOST);
        return 2;
    }
    for (int i = 0; i < n; i++) {
        double once[PHASES];
        uint32_t nodes[2];
        weft_error err;
        weft_plan *plan = NULL;
        if (run_once(decoder, (uint32_t)layers, once, nodes, &plan, &err) != WEFT_OK) {
            fprintf(stderr, "bench_graph: %s\n", err.text);
            return 1;
        }
        for (int k = 0; k < PHASES; k++) ms[k][i] = once[k];
        if (i == 0)
            printf("%d layers: %u nodes, %u after passes, %u steps, %u barriers, arena %.1f MiB (%.1f unshared)\n",
                   layers, nodes[0], nodes[1], plan->n_steps, plan->n_barriers, (double)plan->arena_bytes[0] / 1048576,
                   (double)plan->arena_unshared[0] / 1048576);
        weft_plan_destroy(plan);
    }
    for (int k = 0; k < PHASES; k++) {
        qsort(ms[k], (size_t)n, sizeof ms[k][0], ascending);
        printf("%-7s %8.3f ms (%.3f .. %.3f)\n", names[k], ms[k][n / 2], ms[k][0], ms[k][n - 1]);
    }
    return 0;
}
