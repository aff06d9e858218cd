/* bench_sessions.c: what another session over the same weights takes: sessions are opened one after the other, each
 * evaluates a prompt, and the process's peak memory is read. Weights are random.
 *
 *   bench_sessions [config.json [device [weights [sessions]]]]
 *
 * default: the 160-million-parameter shape on the CPU, q8_0, 2. A line for each: peak MiB, what it added, and the cache
 * and activations that its plan says. With a device whose memory is its own, only what the host holds is seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backends/noise.h"
#include "models/model.h"
#include "tools/cli.h"

enum { MAX_SESSIONS = 16, PROMPT = 512 };

typedef struct bench {
    weft_model *model;
    weft_backend *device;
    weft_graph *graph; /* of the weights' names */
    weft__noise noise;
    weft_weights *weights;
    weft_session *sessions[MAX_SESSIONS];
} bench;

static double peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static weft_status open_bench(bench *b, const char *config, const char *device, weft_error *err)
{
    WEFT_TRY(weft_model_open(config, NULL, &b->model, err));
    WEFT_TRY(weft_model_graph(b->model, &(weft_model_graph_desc){ 0 }, &b->graph, err));
    WEFT_TRY(weft__noise_open(b->graph, &b->noise, err));
    weft_weight_source source = weft__noise_source(&b->noise);
    weft_model_set_weights(b->model, &source);
    WEFT_TRY(weft_weights_create(&source, 1, &b->weights, err));
    return weft_backend_open(device, &b->device, err);
}

static void close_bench(bench *b)
{
    for (int i = 0; i < MAX_SESSIONS; i++) weft_session_destroy(b->sessions[i]);
    weft_weights_destroy(b->weights);
    weft_model_close(b->model);
    weft_backend_close(b->device);
    weft_graph_destroy(b->graph);
    weft__noise_close(&b->noise);
}

static weft_status add_session(bench *b, int i, weft_dtype weights, weft_error *err)
{
    const weft_session_desc d = { .devices = &b->device, .n_devices = 1, .weights = weights, .candidates = 1 };
    static weft_batch_token t[PROMPT];
    weft_candidate best;
    weft_session_plan *plan;
    double before = peak_mib(), mib = 1048576.0;
    WEFT_TRY(weft_session_plan_create(b->model, &d, &plan, err));
    WEFT_TRY(weft_session_open(plan, b->weights, &b->sessions[i], err));
    for (int k = 0; k < PROMPT; k++) t[k] = (weft_batch_token){ k + 1, 0, k + 1 == PROMPT ? WEFT_WANT_CANDIDATES : 0 };
    WEFT_TRY(weft_session_eval(b->sessions[i], t, PROMPT, &(weft_rows){ .candidates = &best }, err));
    weft_program_memory m = weft_program_device_memory(weft_session_program(b->sessions[i], PROMPT), 0);
    printf("session %d: peak %8.1f MiB, %8.1f more; weights %.1f, cache %.1f, activations %.1f\n", i + 1, peak_mib(),
           peak_mib() - before, (double)m.weights / mib, (double)m.states / mib, (double)m.arena / mib);
    return WEFT_OK;
}

int main(int argc, char **argv)
{
    const char *config = argc > 1 ? argv[1] : WEFT_TEST_ROOT "/models/configs/pythia-160m.json";
    const char *type = argc > 3 ? argv[3] : "q8_0";
    int n = argc > 4 ? atoi(argv[4]) : 2;
    static bench b;
    weft_error err;
    weft_dtype weights = WEFT_F16;
    while (weights < WEFT_DTYPE_COUNT && strcmp(weft_dtype_get(weights)->name, type)) weights++;
    if (weights == WEFT_DTYPE_COUNT || n < 1 || n > MAX_SESSIONS)
        return fprintf(stderr, "usage: bench_sessions [config.json [device [weights [sessions, 1 to 16]]]]\n"), 2;
    weft_status s = open_bench(&b, config, argc > 2 ? argv[2] : "cpu", &err);
    for (int i = 0; i < n && !s; i++) s = add_session(&b, i, weights, &err);
    if (s) fprintf(stderr, "bench_sessions: %s\n", err.text);
    close_bench(&b);
    return s ? 1 : 0;
}
