/* test_recurrent.c: a session over a model that keeps one state per sequence instead of cells: what forks, chunks,
 * batches, saving and truncation are to it. The states are held against the recurrence in double precision. */
#include "models/model.h"
#include "tests/checkpoint/temp.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

enum { V = 11, E = 6, LENGTH = 9 };

static weft_error err;
static float table[2][V * E]; /* what a token adds, and what it keeps of what was there */
static const int32_t text[LENGTH] = { 4, 9, 0, 10, 3, 3, 7, 1, 5 };

/* h = keep[token] h + add[token]; logits are V sums of h with the additions again. */
static void build(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    (void)c, (void)ctx;
    weft_ref add = weft_weight(g, WEFT_F32, WEFT_DIMS(V, E), "add");
    weft_ref keep = weft_weight(g, WEFT_F32, WEFT_DIMS(V, E), "keep");
    weft_ref state = weft_state(g, WEFT_F32, WEFT_DIMS(in->S, E), "h");
    weft_ref a = weft_gather(g, keep, in->tokens), b = weft_gather(g, add, in->tokens);
    weft_ref h = weft_linear_scan(g, state, a, b, in->sequence, in->reset, NULL);
    weft_output(g, h, "hidden.0");
    weft_output(g, weft_matmul_nt(g, weft_gather(g, h, in->rows), add), "logits");
}

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)ctx, (void)e;
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { V, E }, .data = table[*name == 'k'],
                               .bytes = sizeof *table };
    return WEFT_OK;
}

typedef struct world { weft_model *m; weft_backend *device; weft_session *s; } world;

static bool world_open(world *w, const char *spec)
{
    static const weft_model_definition scan = { "scan", NULL, WEFT_HEAD_LOGITS, build, NULL };
    const weft_model_desc desc = { .graph = &scan, .context = 64 };
    const weft_weight_source source = { NULL, find };
    for (int i = 0; i < V * E; i++) {
        table[0][i] = (float)sin(1.0 + i * 1.7);
        table[1][i] = (float)(0.5 + 0.4 * cos(i * 2.3));
    }
    *w = (world){ NULL, NULL, NULL };
    weft_session_desc d = { .devices = &w->device, .n_devices = 1, .n_sequences = 4, .max_tokens = 5,
                            .outputs = WEFT_WANT_LOGITS | WEFT_WANT_HIDDEN };
    weft_status s = weft_model_open(NULL, &desc, &w->m, &err);
    if (!s) weft_model_set_weights(w->m, &source);
    if (!s) s = weft_backend_open(spec, &w->device, &err);
    if (!s) s = weft_session_create(w->m, &d, &w->s, &err);
    return CHECK_OK(s, err);
}

static void world_close(world *w)
{
    weft_session_destroy(w->s);
    weft_backend_close(w->device);
    weft_model_close(w->m);
}

static void compare(const float *got, const int32_t *ids, uint32_t n)
{
    double h[E] = { 0 };
    for (uint32_t t = 0; t < n; t++)
        for (int e = 0; e < E; e++)
            h[e] = (double)table[1][ids[t] * E + e] * h[e] + (double)table[0][ids[t] * E + e];
    for (int e = 0; e < E; e++) CHECK_NEAR((double)got[e], h[e], 1e-5);
}

/* Tokens `from` to `to` of the text, of which the last wants its state. */
static weft_status go_on(weft_session *s, uint32_t sequence, uint32_t from, uint32_t to, float *h)
{
    weft_batch_token t[LENGTH];
    for (uint32_t i = from; i < to; i++) t[i - from] = (weft_batch_token){ text[i], sequence, 0 };
    t[to - from - 1].wants = WEFT_WANT_HIDDEN;
    return weft_session_eval(s, t, to - from, &(weft_rows){ .hidden = h }, &err);
}

/* Two sequences token by token in one batch, another in one go: more than a run takes, and logits beside hidden
 * states. */
static void chunks_and_batches(const char *spec)
{
    world w;
    float h[2 * E], logits[V];
    if (world_open(&w, spec)) {
        for (uint32_t i = 0; i < LENGTH; i++) {
            const weft_batch_token t[2] = { { text[i], 1, WEFT_WANT_HIDDEN },
                                            { text[LENGTH - 1 - i], 3, WEFT_WANT_HIDDEN | WEFT_WANT_LOGITS } };
            CHECK_OK(weft_session_eval(w.s, t, 2, &(weft_rows){ .hidden = h, .logits = logits }, &err), err);
            compare(h, text, i + 1);
            for (int v = 0; v < V; v++) {
                double sum = 0;
                for (int e = 0; e < E; e++) sum += (double)table[0][v * E + e] * (double)h[E + e];
                CHECK_NEAR((double)logits[v], sum, 1e-5);
            }
        }
        CHECK_OK(go_on(w.s, 0, 0, LENGTH, h), err);
        compare(h, text, LENGTH);
        CHECK_OK(weft_session_truncate(w.s, 0, 0, &err), err);
        CHECK_OK(go_on(w.s, 0, 3, 8, h), err); /* begins anew, whatever the state holds */
        compare(h, text + 3, 5);
    }
    world_close(&w);
}

static void on_the_cpu(void)
{
    chunks_and_batches("cpu,threads=1");
    chunks_and_batches("cpu,isa=scalar,threads=2");
}

static void on_vulkan(void)
{
    chunks_and_batches("vulkan:0");
}

static void forks_and_files(void)
{
    world w;
    float h[E], again[E];
    uint32_t shared;
    temp_folder folder = temp_make();
    char path[600];
    snprintf(path, sizeof path, "%s/saved", folder.path);
    if (world_open(&w, "cpu,threads=1")) {
        CHECK_OK(go_on(w.s, 0, 0, 6, h), err);
        CHECK_OK(weft_session_fork(w.s, 0, 2, &err), err);
        CHECK_OK(weft_session_save(w.s, 0, NULL, 0, path, &err), err);
        CHECK_OK(weft_session_load(w.s, 1, path, NULL, &err), err);
        CHECK_OK(go_on(w.s, 0, 6, LENGTH, h), err);
        compare(h, text, LENGTH);
        for (uint32_t q = 1; q < 3; q++) {
            CHECK_OK(go_on(w.s, q, 6, LENGTH, again), err);
            CHECK(!memcmp(h, again, sizeof h));
        }
        CHECK_OK(weft_session_share(w.s, 3, text, 6, &shared, &err), err); /* no state is of these six alone */
        CHECK_EQ_INT(shared, 0);
        CHECK_OK(weft_session_share(w.s, 3, text, LENGTH, &shared, &err), err);
        CHECK_EQ_INT(shared, LENGTH);
    }
    world_close(&w);
    temp_remove(&folder);
}

static void does_not_go_back(void)
{
    world w;
    float h[E];
    weft_batch_token bad[6] = { { 1, 0, 0 }, { 2, 0, 0 }, { 3, 0, 0 }, { 1, 0, 0 }, { 1, 0, 0 }, { 1, 0, 0 } };
    if (world_open(&w, "cpu,threads=1")) {
        CHECK_OK(go_on(w.s, 0, 0, 6, h), err);
        CHECK_STATUS(weft_session_truncate(w.s, 0, 5, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "cannot go back to 5 of 6");
        CHECK_OK(weft_session_truncate(w.s, 0, 6, &err), err);
        table[1][E] = NAN; /* used where it lies: a run that fails behind its first chunk */
        bad[5].wants = WEFT_WANT_HIDDEN;
        CHECK_STATUS(weft_session_eval(w.s, bad, 6, &(weft_rows){ .hidden = h }, &err), WEFT_NOT_FINITE, err);
        CHECK_EQ_INT(weft_session_length(w.s, 0), 0); /* its state has gone on */
        CHECK_OK(go_on(w.s, 0, 0, 2, h), err);
        compare(h, text, 2);
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "CPU", on_the_cpu },
    { "Vulkan", on_vulkan },
    { "forks and files", forks_and_files },
    { "does not go back", does_not_go_back },
};
TEST_MAIN(tests)
