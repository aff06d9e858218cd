/* bench_profile.c: what profiling costs a decoded token: the same token after the same text, in turns of a few runs
 * that are profiled and a few that are not. Weights are random.
 *
 *   bench_profile [config.json [device [turns]]]      default: the 160-million-parameter shape on the CPU, 100 turns
 *
 * One line each for off and on: median, least and most milliseconds a token; then the median over turns of on / off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/noise.h"
#include "models/model.h"
#include "tools/cli.h"

enum { TURN = 8, MAX_TURNS = 2000, TEXT = 64 }; /* runs of a turn, the first of which does not count */

typedef struct bench {
    weft_model *model;
    weft_backend *device;
    weft_graph *graph; /* of the weights' names */
    weft__noise noise;
    weft_session *session;
    double took[2][MAX_TURNS]; /* off, on: the median token of each turn */
} bench;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static weft_status open_bench(bench *b, const char *config, const char *device, weft_error *err)
{
    WEFT_TRY(weft_model_open(config, NULL, &b->model, err));
    WEFT_TRY(weft_model_graph(b->model, &(weft_model_graph_desc){ 0 }, &b->graph, err));
    WEFT_TRY(weft__noise_open(b->graph, &b->noise, err));
    weft_weight_source source = weft__noise_source(&b->noise);
    weft_model_set_weights(b->model, &source);
    WEFT_TRY(weft_backend_open(device, &b->device, err));
    weft_session_desc d = { .devices = &b->device, .n_devices = 1, .candidates = 1, .context = 2 * TEXT,
                            .max_tokens = TEXT };
    return weft_session_create(b->model, &d, &b->session, err);
}

static void close_bench(bench *b)
{
    weft_session_destroy(b->session);
    weft_model_close(b->model);
    weft_backend_close(b->device);
    weft_graph_destroy(b->graph);
    weft__noise_close(&b->noise);
}

static weft_status take_turn(bench *b, weft_profile_mode mode, double *median, weft_error *err)
{
    weft_program *p = weft_session_program(b->session, 1);
    weft_batch_token token = { 1, 0, WEFT_WANT_CANDIDATES };
    weft_candidate best;
    double took[TURN];
    WEFT_TRY(weft_program_profile(p, mode, err));
    for (uint32_t i = 0; i < TURN; i++) {
        WEFT_TRY(weft_session_truncate(b->session, 0, TEXT, err));
        double start = weft__seconds();
        weft_program_spans_clear(p);
        WEFT_TRY(weft_session_eval(b->session, &token, 1, &(weft_rows){ .candidates = &best }, err));
        took[i] = weft__seconds() - start;
    }
    qsort(took + 1, TURN - 1, sizeof *took, ascending);
    *median = took[TURN / 2];
    return WEFT_OK;
}

static weft_status run(bench *b, uint32_t turns, weft_error *err)
{
    weft_batch_token text[TEXT];
    weft_candidate best;
    for (uint32_t i = 0; i < TEXT; i++) text[i] = (weft_batch_token){ .id = (int32_t)i + 1 };
    text[TEXT - 1].wants = WEFT_WANT_CANDIDATES;
    WEFT_TRY(weft_session_eval(b->session, text, TEXT, &(weft_rows){ .candidates = &best }, err));
    for (uint32_t i = 0; i < turns; i++)
        for (uint32_t k = 0; k < 2; k++) { /* each of them first in every second turn */
            bool on = (k + i) % 2;
            WEFT_TRY(take_turn(b, on ? WEFT_PROFILE_SCHEDULED : WEFT_PROFILE_OFF, &b->took[on][i], err));
        }
    return WEFT_OK;
}

static void print(bench *b, uint32_t turns)
{
    static const char *const names[] = { "off", "on" };
    static double ratio[MAX_TURNS];
    weft_device_info info;
    weft_backend_info(b->device, &info);
    printf("%s, %u turns of %d tokens\n", info.description, turns, TURN - 1);
    for (uint32_t i = 0; i < turns; i++) ratio[i] = b->took[1][i] / b->took[0][i];
    qsort(ratio, turns, sizeof *ratio, ascending);
    for (int on = 0; on < 2; on++) {
        qsort(b->took[on], turns, sizeof *b->took[on], ascending);
        printf("%-5s %8.3f ms a token (%.3f .. %.3f)\n", names[on], 1e3 * b->took[on][turns / 2], 1e3 * b->took[on][0],
               1e3 * b->took[on][turns - 1]);
    }
    printf("cost  %+.2f %% (half of the turns: %+.2f .. %+.2f %%)\n", 100 * (ratio[turns / 2] - 1),
           100 * (ratio[turns / 4] - 1), 100 * (ratio[turns - 1 - turns / 4] - 1));
}

int main(int argc, char **argv)
{
    static bench b;
    weft_error err;
    const char *config = argc > 1 ? argv[1] : WEFT_TEST_ROOT "/models/configs/pythia-160m.json";
    int turns = argc > 3 ? atoi(argv[3]) : 100;
    if (turns < 1 || turns > MAX_TURNS) {
        fprintf(stderr, "usage: bench_profile [config.json [device [turns (1..%d)]]]\n", MAX_TURNS);
        return 2;
    }
    weft_status s = open_bench(&b, config, argc > 2 ? argv[2] : "cpu", &err);
    if (!s) s = run(&b, (uint32_t)turns, &err);
    if (s) fprintf(stderr, "bench_profile: %s\n", err.text);
    else print(&b, (uint32_t)turns);
    close_bench(&b);
    return s ? 1 : 0;
}
