/* launch.c: what a step costs that does nothing: a chain of tiny element-wise nodes, each waiting for the one before,
 * run as a program like any other. What is left of such a node's time is the launch and the barrier before it. */
#include "backends/launch.h"

#include <stdlib.h>

enum { CHAIN = 64, ELEMENTS = 64, MIN_RUNS = 5, MAX_RUNS = 512 };

static weft_status make_chain(weft_graph **out, weft_error *err)
{
    weft_graph *g;
    WEFT_TRY(weft_graph_create(NULL, &g, err));
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(ELEMENTS), "x");
    for (uint32_t i = 0; i < CHAIN; i++) x = weft_relu(g, x);
    weft_output(g, x, "y");
    weft_status s = weft_graph_seal(g, err);
    if (s) weft_graph_destroy(g);
    else *out = g;
    return s;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static weft_status time_runs(weft_program *p, double seconds, weft__task *task, double *out, weft_error *err)
{
    static const float zeros[ELEMENTS];
    double took[MAX_RUNS], end;
    uint32_t n = 0;
    weft_ref x;
    WEFT_TRY(weft_program_port(p, "x", &x, err));
    WEFT_TRY(weft_program_write(p, x, 0, zeros, sizeof zeros, err));
    WEFT_TRY(weft_program_run(p, err)); /* records and wakes what sleeps */
    end = weft__seconds() + seconds;
    while (n < MIN_RUNS || (n < MAX_RUNS && weft__seconds() < end)) {
        double start = weft__seconds();
        WEFT_TRY(weft_program_run(p, err));
        took[n++] = weft__seconds() - start;
        WEFT_TRY(weft__task_reach(task, task->at.done + 1, err));
    }
    qsort(took, n, sizeof *took, by_value);
    *out = took[n / 2] / CHAIN;
    return WEFT_OK;
}

weft_status weft__launch_seconds(weft_backend *b, double seconds, weft__task *task, double *out, weft_error *err)
{
    weft_graph *g = NULL;
    weft_program *p = NULL;
    weft_program_desc desc = { .devices = &b, .n_devices = 1, .as_built = true, .progress = weft__task_part(task) };
    *out = 0;
    weft_status s = make_chain(&g, err);
    if (!s) s = weft_program_create(g, &desc, &p, err);
    if (!s) s = weft_program_load(p, NULL, NULL, err);
    if (!s) s = time_runs(p, seconds, task, out, err);
    weft_program_destroy(p);
    weft_graph_destroy(g);
    return s;
}
