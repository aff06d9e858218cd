/* test_histories.c: what a session's cache is, held against what it stands for. Random histories of append, fork,
 * share, truncate, remove, discard, save and load over several sequences and a cache that they do not all fit in; after
 * each, every sequence's next logits have the bits of the same tokens evaluated afresh, alone, in a session of one page
 * after the other. The test keeps the tokens of each sequence and when pages must be there; the session is asked
 * nothing. Models whose layers see windows give their pages back meanwhile, in runs of several tokens. */
#include "folder.h"
#include "windows.h"

#include "models/model.h"
#include "tests/models/killed.h"
#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VOCAB = 40, WORDS = WINDOWS_NAN, SEQUENCES = 4, SPARE = SEQUENCES };
enum { CONTEXT = 80, PAGE = 16, CELLS = 7 * PAGE, FEW = 5 * PAGE, STEPS = 40 };

static weft_error err;
static const folder_variant tiny = { "tiny",
                                     { 2, 32, 2, 64, VOCAB, 0.5, 1e4, 1e-5, NEOX_GELU, true, true, false }, "gelu" };
static const folder_variant wide = { "wide", /* heads of a block */
                                     { 2, 64, 2, 64, VOCAB, 0.5, 1e4, 1e-5, NEOX_GELU, true, true, false }, "gelu" };

typedef struct shadow { int32_t ids[CONTEXT]; uint32_t n, loaded; } shadow; /* loaded: how many came from a file; 0 */

/* One layer of each kind; and nothing but windows, whose cache is then the one that gets full. */
static const windows_model mixed = { "windows and all", 3, { 5, 0, 21 } };
static const windows_model narrow = { "windows", 2, { 7, 7 } };
static const windows_model all = { "all tokens", 0, { 0 } }; /* what `tiny` and `wide` see */

typedef struct world {
    temp_folder folder;
    const windows_model *windows;
    weft_model *m;
    weft_backend *device;
    weft_weights *weights; /* of both sessions */
    weft_session *s, *fresh;
    uint32_t cells;
    shadow q[SEQUENCES];
    uint32_t random, refused, shared, gone, compared;
} world;

static uint32_t draw(world *w, uint32_t n)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(w->random >> 8) * n >> 24);
}

static weft_status open_session(world *w, const weft_session_desc *d, weft_session **out)
{
    weft_session_plan *plan;
    WEFT_TRY(weft_session_plan_create(w->m, d, &plan, &err));
    return weft_session_open(plan, w->weights, out, &err);
}

static weft_status open_model(world *w, weft_dtype kv)
{
    neox_model ref;
    const folder_variant *variant = weft_dtype_get(kv)->block > 1 ? &wide : &tiny;
    if (w->windows->n_layers) return windows_open(w->windows, CONTEXT, &w->m, &err);
    neox_create(&ref, &variant->c, 1);
    folder_write(&w->folder, variant, &ref);
    neox_free(&ref);
    return weft_model_open(w->folder.path, NULL, &w->m, &err);
}

/* Runs of several tokens give the same bits in deterministic sessions alone. One sequence is there to compare in. */
static bool world_open_with(world *w, const char *spec, const windows_model *windows, weft_dtype kv)
{
    *w = (world){ .folder = temp_make(), .windows = windows, .random = 7,
                  .cells = windows == &narrow ? FEW : CELLS };
    weft_session_desc d = { .devices = &w->device, .n_devices = 1, .context = CONTEXT, .page = PAGE,
                            .n_sequences = SEQUENCES + 1, .cells = w->cells, .deterministic = windows->n_layers > 0,
                            .max_tokens = windows->n_layers ? 4 : 1, .kv = kv };
    weft_status s = weft_backend_open(spec, &w->device, &err);
    if (!s) s = open_model(w, kv);
    weft_weight_source source = { 0 };
    if (!s) source = weft_model_weights(w->m);
    if (!s) s = weft_weights_create(&source, 1, &w->weights, &err);
    if (!s) s = open_session(w, &d, &w->s);
    d.n_sequences = d.max_tokens = 1;
    d.cells = 0;
    if (!s) s = open_session(w, &d, &w->fresh);
    return CHECK_OK(s, err);
}

static bool world_open(world *w, const char *spec)
{
    return world_open_with(w, spec, &all, WEFT_ANY);
}

static void world_close(world *w)
{
    weft_session_destroy(w->s);
    weft_session_destroy(w->fresh);
    weft_weights_destroy(w->weights);
    weft_model_close(w->m);
    weft_backend_close(w->device);
    temp_remove(&w->folder);
}

/* ---- the model of a cache ---- */

/* Appends to the session and, where it took them, to the shadow. */
static void append(world *w, uint32_t q)
{
    weft_batch_token t[6];
    uint32_t n = 1 + draw(w, 6), before = weft_session_cells_free(w->s);
    if (w->q[q].n + n > CONTEXT) return;
    for (uint32_t i = 0; i < n; i++) t[i] = (weft_batch_token){ (int32_t)draw(w, WORDS), q, false };
    weft_status s = weft_session_eval(w->s, t, n, NULL, &err);
    if (s == WEFT_LIMIT) { /* a page for the tokens, and one for a shared one that is not full */
        CHECK(before < 2 * PAGE);
        CHECK_CONTAINS(err.text, "is full");
        CHECK_EQ_INT(weft_session_cells_free(w->s), before);
        w->refused++;
        return;
    }
    if (!CHECK_OK(s, err)) return;
    for (uint32_t i = 0; i < n; i++) w->q[q].ids[w->q[q].n++] = t[i].id;
}

static void fork_sequence(world *w, uint32_t from, uint32_t to)
{
    if (from == to || w->q[to].n) {
        CHECK_STATUS(weft_session_fork(w->s, from, to, &err), w->q[to].n ? WEFT_INVALID : WEFT_OK, err);
        return;
    }
    uint32_t before = weft_session_cells_free(w->s);
    CHECK_OK(weft_session_fork(w->s, from, to, &err), err);
    CHECK_EQ_INT(weft_session_cells_free(w->s), before);
    w->q[to] = w->q[from];
}

static bool can_end(const world *w, const shadow *q, uint32_t n)
{
    return windows_can_end(w->windows, q->n, q->loaded, n, PAGE);
}

/* The sequence that begins with most of n tokens, *best, and has what its windows see behind them. */
static const shadow *sharable(const world *w, const int32_t *ids, uint32_t n, uint32_t *best)
{
    const shadow *found = NULL;
    *best = 0;
    for (uint32_t q = 0; q < SEQUENCES; q++) {
        uint32_t k = 0;
        while (k < n && k < w->q[q].n && w->q[q].ids[k] == ids[k]) k++;
        if (k > *best && can_end(w, &w->q[q], k)) *best = k, found = &w->q[q];
    }
    return found;
}

/* A sequence that begins as another, and then otherwise. */
static void share_prefix(world *w, uint32_t from, uint32_t to)
{
    uint32_t got, want, n = w->q[from].n ? draw(w, w->q[from].n + 1) : 0;
    if (w->q[to].n) return;
    const shadow *of = sharable(w, w->q[from].ids, n, &want);
    CHECK_OK(weft_session_share(w->s, to, w->q[from].ids, n, &got, &err), err);
    CHECK_EQ_INT(got, want);
    memcpy(w->q[to].ids, w->q[from].ids, want * sizeof *w->q[to].ids);
    w->q[to].n = want;
    w->q[to].loaded = of ? of->loaded : 0;
    w->shared += want;
    w->gone += want < n;
}

static void truncate_to(world *w, uint32_t q, uint32_t n)
{
    bool can = can_end(w, &w->q[q], n);
    CHECK_STATUS(weft_session_truncate(w->s, q, n, &err), can ? WEFT_OK : WEFT_INVALID, err);
    if (!can) CHECK_CONTAINS(err.text, "where layers see a window of ");
    if (can) w->q[q].n = n;
    if (!n) w->q[q].loaded = 0;
    w->gone += !can;
}

static void save_and_load(world *w, uint32_t from, uint32_t to)
{
    char path[600];
    const int32_t last[2] = { 3, 5 };
    weft_tokens pending;
    uint32_t n = draw(w, 3);
    if (!w->q[from].n || w->q[to].n) return;
    snprintf(path, sizeof path, "%s/saved", w->folder.path);
    CHECK_OK(weft_session_save(w->s, from, last, n, path, &err), err);
    weft_status s = weft_session_load(w->s, to, path, &pending, &err);
    if (s == WEFT_LIMIT) {
        CHECK(weft_session_cells_free(w->s) < (w->q[from].n + PAGE - 1) / PAGE * PAGE);
        w->refused++;
    } else if (CHECK_OK(s, err)) {
        CHECK(pending.n == n && !memcmp(pending.ids, last, n * sizeof *last));
        weft_tokens_free(&pending);
        w->q[to] = w->q[from];
        w->q[to].loaded = w->q[to].n;
    }
}

/* ---- the comparison ---- */

/* The sequence's next logits, of a fork. */
static void compare(world *w, uint32_t q)
{
    weft_batch_token t[CONTEXT];
    float got[VOCAB], want[VOCAB];
    shadow *s = &w->q[q];
    if (s->n == CONTEXT) return;
    CHECK(weft_session_length(w->s, q) == s->n && !memcmp(weft_session_tokens(w->s, q), s->ids, s->n * sizeof *s->ids));
    s->ids[s->n] = (int32_t)draw(w, WORDS);
    const weft_batch_token next = { s->ids[s->n], SPARE, true };
    CHECK_OK(weft_session_fork(w->s, q, SPARE, &err), err);
    weft_status status = weft_session_eval(w->s, &next, 1, &(weft_rows){ .logits = got }, &err);
    CHECK_OK(weft_session_truncate(w->s, SPARE, 0, NULL), err);
    if (status == WEFT_LIMIT) return;
    CHECK_OK(status, err);
    w->compared++;
    for (uint32_t i = 0; i <= s->n; i++) t[i] = (weft_batch_token){ s->ids[i], 0, i == s->n };
    CHECK_OK(weft_session_eval(w->fresh, t, s->n + 1, &(weft_rows){ .logits = want }, &err), err);
    if (!CHECK(!memcmp(got, want, sizeof got)))
        printf("  %s, sequence %u of %u tokens: %g, afresh %g\n", w->windows->name, q, s->n, (double)got[0],
               (double)want[0]);
    CHECK_OK(weft_session_truncate(w->fresh, 0, 0, &err), err);
}

static void history(world *w)
{
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t q = draw(w, SEQUENCES), other = draw(w, SEQUENCES), kind = draw(w, 16);
        if (kind < 8) append(w, q);
        else if (kind < 10) fork_sequence(w, q, other);
        else if (kind < 12) share_prefix(w, q, other);
        else if (kind < 13) truncate_to(w, q, w->q[q].n ? draw(w, w->q[q].n) : 0);
        else if (kind < 14) truncate_to(w, q, 0);
        else save_and_load(w, q, other);
    }
    for (uint32_t q = 0; q < SEQUENCES; q++) compare(w, q);
    for (uint32_t q = 0; q < SEQUENCES; q++) truncate_to(w, q, 0);
    CHECK_EQ_INT(weft_session_cells_free(w->s), w->cells); /* nothing is lost */
}

static void histories(const char *spec, const windows_model *windows, weft_dtype kv, uint32_t n)
{
    world w;
    if (world_open_with(&w, spec, windows, kv)) {
        for (uint32_t i = 0; i < n; i++) history(&w);
        if (n >= 100) CHECK(w.refused > 0 && w.shared > 0); /* the cache was too small at times */
        if (n >= 100 && windows->n_layers) CHECK(w.gone > 30); /* what windows had left behind was wanted */
        CHECK(w.compared > n);
    }
    world_close(&w);
}

static void on_the_cpu(void)
{
    histories("cpu,threads=1", &all, WEFT_ANY, 1000);
    histories("cpu,isa=scalar,threads=2", &all, WEFT_ANY, 50);
    histories("cpu,threads=1", &all, WEFT_Q8_0, 60);
    histories("cpu,threads=1", &all, WEFT_Q4_0, 20);
    histories("cpu,threads=1", &mixed, WEFT_ANY, 400);
    histories("cpu,threads=1", &narrow, WEFT_ANY, 400);
    histories("cpu,isa=scalar,threads=2", &mixed, WEFT_ANY, 20);
}

static void on_vulkan(void)
{
    histories("vulkan:0", &all, WEFT_ANY, 40);
    histories("vulkan:0", &mixed, WEFT_ANY, 6);
}

/* ---- what else is promised ---- */

static void eval_all(weft_session *s, uint32_t q, uint32_t n, float *out)
{
    weft_batch_token t[CONTEXT];
    for (uint32_t i = 0; i < n; i++) t[i] = (weft_batch_token){ (int32_t)(i * 7 % VOCAB), q, i + 1 == n };
    CHECK_OK(weft_session_eval(s, t, n, &(weft_rows){ .logits = out }, &err), err);
}

/* Pages given back are free, what is left can be gone on with and cut down to there, not below. */
static void gives_pages_back(void)
{
    world w;
    float row[VOCAB];
    uint32_t got;
    const int32_t first[] = { 0, 7, 14 };
    if (world_open(&w, "cpu,threads=1")) {
        eval_all(w.s, 1, 70, row);
        uint32_t before = weft_session_cells_free(w.s);
        CHECK_OK(weft_session_discard(w.s, 1, 40, &err), err);
        CHECK_EQ_INT(weft_session_cells_free(w.s), before + 2 * PAGE);
        CHECK_STATUS(weft_session_truncate(w.s, 1, 31, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "first 32 tokens were given back");
        CHECK_OK(weft_session_share(w.s, 0, first, 3, &got, &err), err);
        CHECK_EQ_INT(got, 0);
        CHECK_OK(weft_session_fork(w.s, 1, 2, &err), err);
        CHECK_OK(weft_session_truncate(w.s, 1, 32, &err), err);
        const weft_batch_token next = { 1, 2, true };
        CHECK_OK(weft_session_eval(w.s, &next, 1, &(weft_rows){ .logits = row }, &err), err);
        CHECK_STATUS(weft_session_discard(w.s, 2, 72, &err), WEFT_INVALID, err);
    }
    world_close(&w);
}

/* 64 sequences of 100 tokens in 64 x 128 cells: none has to wait for room that it does not use. */
static void many_short_sequences(void)
{
    world w;
    weft_session *s = NULL;
    if (world_open(&w, "cpu,threads=1")) {
        weft_session_desc d = { .devices = &w.device, .n_devices = 1, .context = 2000, .page = PAGE,
                                .n_sequences = 64, .cells = 64 * 128, .max_tokens = 100 };
        if (CHECK_OK(open_session(&w, &d, &s), err))
            for (uint32_t q = 0; q < 64; q++)
                for (uint32_t i = 0; i < 2; i++) eval_all(s, q, 50, (float[VOCAB]){ 0 });
        CHECK_EQ_INT(weft_session_cells_free(s), 64 * 16);
        weft_session_destroy(s);
    }
    world_close(&w);
}

static void refuses_files_of_others(void)
{
    world w;
    weft_session *s = NULL;
    char path[600], text[8];
    if (!world_open(&w, "cpu,threads=1")) return;
    snprintf(path, sizeof path, "%s/saved", w.folder.path);
    weft_session_desc d = { .devices = &w.device, .n_devices = 1, .context = CONTEXT, .kv = WEFT_F32 };
    CHECK_STATUS(weft_session_save(w.s, 0, NULL, 0, path, &err), WEFT_INVALID, err);
    eval_all(w.s, 0, 20, (float[VOCAB]){ 0 });
    CHECK_OK(weft_session_save(w.s, 0, NULL, 0, path, &err), err);
    CHECK_STATUS(weft_session_load(w.s, 0, path, NULL, &err), WEFT_INVALID, err); /* not empty */
    CHECK_STATUS(weft_session_load(w.s, 1, "nowhere", NULL, &err), WEFT_NOT_FOUND, err);
    if (CHECK_OK(open_session(&w, &d, &s), err)) {
        CHECK_STATUS(weft_session_load(s, 0, path, NULL, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "a cache of f16, here it is f32");
    }
    weft_session_destroy(s);
    FILE *f = fopen(path, "r+b"); /* one byte of the last state */
    fseek(f, -20, SEEK_END);
    text[0] = (char)(fgetc(f) ^ 1);
    fseek(f, -20, SEEK_END);
    fputc(text[0], f);
    fclose(f);
    CHECK_STATUS(weft_session_load(w.s, 1, path, NULL, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "damaged");
    CHECK_EQ_INT(weft_session_length(w.s, 1), 0);
    world_close(&w);
}

/* ---- killed ---- */

/* The save of a child, which is told of before each of its writes, and before its file is named or after that. */
static struct { const weft_progress_sink *sink; uint64_t done, total; bool named; } saving;

static void tell_of_saving(void)
{
    const weft_progress at = { .what = "save", .done = saving.done, .total = saving.total, .unit = "bytes" };
    if (saving.sink) saving.sink->report(saving.sink->ctx, &at);
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t n)
{
    if (!saving.named) tell_of_saving();
    const ssize_t k = writev(fd, &(struct iovec){ (void *)(uintptr_t)data, n }, 1);
    if (k > 0) saving.done += (uint64_t)k;
    return k;
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
    if (!saving.named) tell_of_saving();
    const int result = renameat(AT_FDCWD, from, AT_FDCWD, to);
    if (saving.named) tell_of_saving();
    return result;
}

typedef struct save_work { world *w; const char *path; uint64_t total; bool named; } save_work;

static weft_status save_told(void *ctx, const weft_progress_sink *progress)
{
    const save_work *s = ctx;
    saving.done = 0;
    saving.total = s->total;
    saving.named = s->named;
    saving.sink = progress;
    return weft_session_save(s->w->s, 0, NULL, 0, s->path, &err);
}

/* Bytes of a file; 0: there is none. */
static uint64_t bytes_of(const char *path)
{
    struct stat info;
    return stat(path, &info) ? 0 : (uint64_t)info.st_size;
}

/* A whole sequence of n tokens: loading compares its checksum. */
static void check_saved(world *w, const char *path, uint32_t n)
{
    CHECK_OK(weft_session_load(w->s, 1, path, NULL, &err), err);
    CHECK_EQ_INT(weft_session_length(w->s, 1), n);
    CHECK_OK(weft_session_truncate(w->s, 1, 0, &err), err);
}

/* What was saved before is whole until what is saved now is, and what a killed save left is in nobody's way. */
static void a_save_that_is_killed(void)
{
    world w;
    char path[600], partial[620], whole[600];
    if (!world_open(&w, "cpu,threads=1")) return;
    snprintf(path, sizeof path, "%s/saved", w.folder.path);
    snprintf(partial, sizeof partial, "%s.partial", path);
    snprintf(whole, sizeof whole, "%s/whole", w.folder.path);
    eval_all(w.s, 0, 20, (float[VOCAB]){ 0 });
    CHECK_OK(weft_session_save(w.s, 0, NULL, 0, path, &err), err);
    eval_all(w.s, 0, 10, (float[VOCAB]){ 0 });
    CHECK_OK(weft_session_save(w.s, 0, NULL, 0, whole, &err), err);
    save_work work = { .w = &w, .path = path, .total = bytes_of(whole) };
    for (int k = 0; k < KILLED_MOMENTS; k++) {
        CHECK(killed_at(k, save_told, &work));
        const uint64_t left = bytes_of(partial);
        CHECK(k == KILLED_FIRST ? !left : k == KILLED_LAST ? left == work.total : left && left < work.total);
        check_saved(&w, path, 20);
    }
    work.named = true;
    CHECK(killed_at(KILLED_FIRST, save_told, &work));
    check_saved(&w, path, 30);
    work.named = false;
    CHECK(killed_at(KILLED_LAST, save_told, &work)); /* leaves more than what is saved next */
    CHECK_OK(weft_session_truncate(w.s, 0, 9, &err), err);
    CHECK_OK(weft_session_save(w.s, 0, NULL, 0, path, &err), err);
    CHECK(access(partial, F_OK));
    check_saved(&w, path, 9);
    world_close(&w);
}

/* Both of world's sessions have the weights once. */
static void sessions_share_weights(void)
{
    world w;
    if (world_open(&w, "cpu,threads=1")) {
        uint64_t bytes = weft_weights_bytes(w.weights);
        weft_session *third = NULL;
        weft_session_desc d = { .devices = &w.device, .n_devices = 1, .context = CONTEXT,
                                .max_tokens = 1 };
        CHECK_OK(open_session(&w, &d, &third), err);
        CHECK_EQ_INT(weft_weights_bytes(w.weights), bytes);
        CHECK(weft_session_bytes(w.s) > bytes);
        weft_session_destroy(third);
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "CPU", on_the_cpu },
    { "Vulkan", on_vulkan },
    { "gives pages back", gives_pages_back },
    { "many short sequences", many_short_sequences },
    { "refuses files of others", refuses_files_of_others },
    { "a save that is killed", a_save_that_is_killed },
    { "sessions share weights", sessions_share_weights },
};
TEST_MAIN(tests)
