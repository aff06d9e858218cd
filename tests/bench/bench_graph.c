/* bench_graph.c: how long it takes to build, optimise and plan the graph of a decoder of 44 layers with the sizes of a
 * 20-billion-parameter model, in milliseconds (median, least, most).
 *
 *   bench_graph [layers [repetitions]]
 */
#include <stdio.h>
#include <stdlib.h>
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

static weft_status run_once(const block_desc *b, double ms[PHASES], uint32_t nodes[2], weft_plan **plan,
                            weft_error *err)
{
    weft_graph *g;
    double start = now_ms();
    WEFT_TRY(weft_graph_create(NULL, &g, err));
    block_build(g, b);
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

int main(int argc, char **argv)
{
    static const char *const names[PHASES] = { "build", "passes", "plan", "total" };
    enum { MOST = 1000 };
    static double ms[PHASES][MOST];
    int layers = argc > 1 ? atoi(argv[1]) : 44, n = argc > 2 ? atoi(argv[2]) : 50;
    if (layers < 1 || n < 1 || n > MOST) {
        fprintf(stderr, "usage: bench_graph [layers [repetitions (1..%d)]]\n", MOST);
        return 2;
    }
    block_desc b = { (uint32_t)layers, 512, 6144, 64, 2048, 50432, WEFT_F16, true };
    for (int i = 0; i < n; i++) {
        double once[PHASES];
        uint32_t nodes[2];
        weft_error err;
        weft_plan *plan = NULL;
        if (run_once(&b, once, nodes, &plan, &err) != WEFT_OK) {
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
