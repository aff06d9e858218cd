/* test_windows.c: sessions over models whose layers see windows: what tokens see, what the caches take, what is given
 * back, and what can no longer be done then. Histories of them are test_histories.c's. */
#include "tests/checkpoint/temp.h"
#include "tests/oom.h"
#include "windows.h"

#include <math.h>
#include <stdlib.h>

enum { V = WINDOWS_VOCAB, PAGE = 16, WINDOW = 23, LONG = 20 * WINDOW };

static weft_error err;
static const windows_model narrow = { "narrow", 2, { WINDOW, WINDOW } }, mixed = { "mixed", 2, { WINDOW, 0 } };

typedef struct world {
    const windows_model *windows;
    weft_model *m;
    weft_backend *device;
    weft_session *s;
} world;

static bool world_open(world *w, const char *spec, const windows_model *windows, weft_session_desc d)
{
    *w = (world){ .windows = windows };
    d.devices = &w->device;
    d.n_devices = 1;
    d.page = d.page ? d.page : PAGE;
    d.kv = WEFT_F32;
    weft_status s = weft_backend_open(spec, &w->device, &err);
    if (!s) s = windows_open(windows, LONG + 1, &w->m, &err);
    if (!s) s = weft_session_create(w->m, &d, &w->s, &err);
    return CHECK_OK(s, err);
}

static void world_close(world *w)
{
    weft_session_destroy(w->s);
    weft_model_close(w->m);
    weft_backend_close(w->device);
}

/* Words [from, to) of the text, of which the last tells its logits. */
static weft_status go_on(weft_session *s, uint32_t q, uint32_t from, uint32_t to, float *out)
{
    weft_batch_token t[WINDOWS_MOST];
    for (uint32_t i = from; i < to; i++) t[i - from] = (weft_batch_token){ windows_word(i), q, 0 };
    if (out) t[to - from - 1].wants = WEFT_WANT_LOGITS;
    return weft_session_eval(s, t, to - from, &(weft_rows){ .logits = out }, &err);
}

static void compare(const windows_model *w, const float *got, uint32_t n)
{
    int32_t ids[WINDOWS_MOST];
    double want[V], most = 0, off = 0;
    for (uint32_t i = 0; i < n; i++) ids[i] = windows_word(i);
    windows_logits(w, ids, n, want);
    for (int v = 0; v < V; v++) {
        most = fmax(most, fabs(want[v]));
        off = fmax(off, fabs((double)got[v] - want[v]));
    }
    if (!CHECK(off < 2e-5 * most)) printf("  %s, %u tokens: off by %g of %g\n", w->name, n, off, most);
}

/* ---- what a token sees ---- */

/* Cells that nobody has hold what is no number. */
static void spoil(weft_session *s)
{
    weft_batch_token t[100];
    for (uint32_t i = 0; i < 100; i++) t[i] = (weft_batch_token){ WINDOWS_NAN, 0, 0 };
    CHECK_OK(weft_session_eval(s, t, 100, NULL, &err), err);
    CHECK_OK(weft_session_truncate(s, 0, 0, &err), err);
}

static void lengths(const char *spec, const windows_model *windows, uint32_t chunk)
{
    static const uint32_t ends[] = { 1, 5, 22, 23, 24, 25, 39, 64, 90 };
    world w;
    float row[V];
    uint32_t at = 0;
    if (world_open(&w, spec, windows, (weft_session_desc){ .max_tokens = chunk, .exact = true })) {
        spoil(w.s);
        for (size_t i = 0; i < sizeof ends / sizeof *ends; at = ends[i++])
            if (CHECK_OK(go_on(w.s, 0, at, ends[i], row), err)) compare(windows, row, ends[i]);
    }
    world_close(&w);
}

static const windows_model sights[] = { { "narrow", 2, { WINDOW, WINDOW } }, { "mixed", 2, { WINDOW, 0 } },
                                        { "three kinds", 3, { 5, 40, 0 } },  { "itself", 2, { 1, 16 } },
                                        { "all", 1, { 1000 } } };

static void tokens_see_their_windows(void)
{
    for (size_t i = 0; i < sizeof sights / sizeof *sights; i++) {
        lengths("cpu,threads=1", &sights[i], 64);
        lengths("cpu,threads=2,isa=scalar", &sights[i], 7);
    }
}

static void on_vulkan(void)
{
    for (size_t i = 1; i < 3; i++) lengths("vulkan:0", &sights[i], 20);
}

/* ---- what the caches take ---- */

static uint32_t bound_of(const weft_session *s, const char *extent)
{
    const weft_graph *g = weft_session_graph(s);
    uint32_t bound = 0;
    for (uint32_t i = 1; i <= weft_graph_extent_count(g); i++)
        if (!strcmp(weft_graph_extent(g, i, &bound), extent)) return bound;
    return 0;
}

/* Twenty windows of text in a cache of a window, two pages' waste and a run; beside it one that holds all of it. */
static void a_long_text_needs_no_more_than_its_window(void)
{
    world w;
    float row[V];
    for (int i = 0; i < 2; i++) {
        const windows_model *m = i ? &mixed : &narrow;
        if (world_open(&w, "cpu,threads=1", m, (weft_session_desc){ .max_tokens = 40, .exact = true })) {
            CHECK_EQ_INT(bound_of(w.s, "pages_23"), (2 + 2) + 40 / PAGE);
            CHECK_EQ_INT(bound_of(w.s, "pages"), (LONG + 1 + PAGE - 1) / PAGE);
            CHECK_OK(go_on(w.s, 0, 0, 400, row), err);
            for (uint32_t k = 400; k < LONG; k++) CHECK_OK(go_on(w.s, 0, k, k + 1, row), err);
            compare(m, row, LONG);
            uint32_t pages = i ? (LONG + 1 + PAGE - 1) / PAGE - (LONG + PAGE - 1) / PAGE
                               : 6 - ((LONG - 1) / PAGE - windows_begin(WINDOW, LONG, PAGE) / PAGE + 1);
            CHECK_EQ_INT(weft_session_cells_free(w.s), pages * PAGE);
        }
        world_close(&w);
    }
}

/* Of windows alone it is the widest that tells what is free, whichever layer comes first. */
static void free_cells_are_those_of_the_widest_window(void)
{
    static const windows_model rising = { "rising", 2, { 5, 100 } }, falling = { "falling", 2, { 100, 5 } };
    for (int i = 0; i < 2; i++) {
        world w;
        if (world_open(&w, "cpu,threads=1", i ? &rising : &falling, (weft_session_desc){ .max_tokens = 16 })) {
            CHECK_OK(go_on(w.s, 0, 0, 5 * PAGE, NULL), err);
            CHECK_EQ_INT(weft_session_cells_free(w.s), (bound_of(w.s, "pages_100") - 5) * PAGE);
        }
        world_close(&w);
    }
}

/* The windows of many sequences and a run of any of them always fit. */
static void windows_never_fill_their_cache(void)
{
    world w;
    if (world_open(&w, "cpu,threads=1", &narrow, (weft_session_desc){ .max_tokens = 40, .n_sequences = 5 }))
        for (uint32_t i = 0; i < 60; i++) {
            uint32_t q = i * i % 5, n = 1 + i * 7 % 50, length = weft_session_length(w.s, q);
            if (length + n > LONG) continue;
            CHECK_OK(go_on(w.s, q, length, length + n, NULL), err);
        }
    world_close(&w);
}

/* Fewer cells than that, and calls of any number of runs: what does not fit is refused before anything is run. */
static void refused(uint32_t cells, uint32_t chunk)
{
    const weft_session_desc d = { .cells = cells, .max_tokens = chunk, .exact = true };
    world w;
    float row[V];
    if (world_open(&w, "cpu,threads=1", &narrow, d))
        for (uint32_t i = 0; i < 30; i++) {
            uint32_t n = 1 + i * i * 7 % 90, length = weft_session_length(w.s, 0);
            uint32_t cells_free = weft_session_cells_free(w.s);
            if (length + n > LONG) continue;
            weft_status s = go_on(w.s, 0, length, length + n, row);
            if (s == WEFT_LIMIT) {
                CHECK_EQ_INT(weft_session_length(w.s, 0), length);
                CHECK_EQ_INT(weft_session_cells_free(w.s), cells_free);
                CHECK(n > cells_free);
            } else if (CHECK_OK(s, err)) {
                compare(&narrow, row, length + n);
            }
        }
    world_close(&w);
}

static void small_caches(void)
{
    for (uint32_t pages = 3; pages < 7; pages++)
        for (uint32_t chunk = 8; chunk < 48; chunk += 13) refused(pages * PAGE, chunk);
}

/* Of two caches the description's cells bound both, and the one of all tokens is full first. */
static void a_small_cache_is_full_and_says_so(void)
{
    world w;
    float row[V];
    if (world_open(&w, "cpu,threads=1", &narrow, (weft_session_desc){ .cells = 5 * PAGE, .max_tokens = 16 })) {
        CHECK_EQ_INT(bound_of(w.s, "pages_23"), 5);
        CHECK_OK(go_on(w.s, 0, 0, LONG, row), err); /* never more than five pages at once, which is found out before */
        compare(&narrow, row, LONG);
    }
    world_close(&w);
    if (world_open(&w, "cpu,threads=1", &narrow, (weft_session_desc){ .cells = 3 * PAGE, .max_tokens = 32 })) {
        CHECK_OK(go_on(w.s, 0, 0, 30, NULL), err);
        CHECK_STATUS(go_on(w.s, 0, 30, 200, NULL), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "the cache of layers that see 23 tokens of 48 cells is full");
        CHECK_EQ_INT(weft_session_length(w.s, 0), 30);
        for (uint32_t k = 30; k < 100; k++) CHECK_OK(go_on(w.s, 0, k, k + 1, row), err);
        compare(&narrow, row, 100);
    }
    world_close(&w);
    if (world_open(&w, "cpu,threads=1", &mixed, (weft_session_desc){ .cells = 6 * PAGE, .max_tokens = 16 })) {
        CHECK_OK(go_on(w.s, 0, 0, 96, NULL), err);
        CHECK_STATUS(go_on(w.s, 0, 96, 97, NULL), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "the cache of 96 cells is full: 1 pages of 16 are needed, 0 are free");
    }
    world_close(&w);
}

/* So many sequences share a page of ten tokens (the second of eight, if `shorter`), and some of them go on. */
static void go_on_together(uint32_t sharing, uint32_t going, uint32_t copies, bool shorter)
{
    static const windows_model all = { "all", 1, { 0 } };
    const weft_session_desc d = { .cells = (1 + copies) * PAGE, .n_sequences = sharing, .max_tokens = 16 };
    world w;
    weft_batch_token t[4];
    if (world_open(&w, "cpu,threads=1", &all, d)) {
        CHECK_OK(go_on(w.s, 0, 0, 10, NULL), err);
        for (uint32_t q = 1; q < sharing; q++) CHECK_OK(weft_session_fork(w.s, 0, q, &err), err);
        if (shorter) CHECK_OK(weft_session_truncate(w.s, 1, 8, &err), err);
        for (uint32_t q = 0; q < going; q++) t[q] = (weft_batch_token){ windows_word(10), q, 0 };
        CHECK_OK(weft_session_eval(w.s, t, going, NULL, &err), err);
        CHECK_EQ_INT(weft_session_cells_free(w.s), 0);
    }
    world_close(&w);
}

/* Where all go on the last of them keeps the page; none is asked for that is not needed. */
static void the_last_of_those_that_share_a_page_keeps_it(void)
{
    go_on_together(2, 2, 1, false);
    go_on_together(2, 2, 1, true);
    go_on_together(4, 4, 3, true);
    go_on_together(4, 3, 3, false);
    go_on_together(4, 1, 1, false);
}

/* ---- what cannot be done any more ---- */

static void goes_back_within_its_window_alone(void)
{
    world w;
    float row[V], again[V];
    if (world_open(&w, "cpu,threads=1", &mixed, (weft_session_desc){ .n_sequences = 2, .deterministic = true })) {
        CHECK_OK(go_on(w.s, 0, 0, 60, NULL), err); /* 38 is where the window begins, 32 its page */
        CHECK_STATUS(weft_session_truncate(w.s, 0, 53, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "where layers see a window of 23 tokens it has no cells of the first 32 any more: it "
                                 "cannot end at 53");
        CHECK_EQ_INT(weft_session_length(w.s, 0), 60);
        CHECK_OK(weft_session_fork(w.s, 0, 1, &err), err);
        CHECK_OK(go_on(w.s, 1, 60, 100, row), err);
        CHECK_STATUS(weft_session_truncate(w.s, 1, 60, &err), WEFT_INVALID, err);
        CHECK_OK(weft_session_truncate(w.s, 0, 55, &err), err);
        CHECK_OK(go_on(w.s, 0, 55, 100, again), err);
        CHECK(!memcmp(row, again, sizeof row));
        compare(&mixed, row, 100);
        CHECK_OK(weft_session_truncate(w.s, 1, 0, &err), err);
    }
    world_close(&w);
}

static void shares_what_windows_still_have(void)
{
    world w;
    int32_t ids[100];
    uint32_t got;
    float row[V];
    for (uint32_t i = 0; i < 100; i++) ids[i] = windows_word(i);
    if (world_open(&w, "cpu,threads=1", &mixed, (weft_session_desc){ .n_sequences = 3, .exact = true })) {
        CHECK_OK(go_on(w.s, 0, 0, 60, NULL), err);
        CHECK_OK(weft_session_share(w.s, 1, ids, 53, &got, &err), err); /* 32 is where pages begin */
        CHECK_EQ_INT(got, 0);
        CHECK_OK(weft_session_share(w.s, 1, ids, 54, &got, &err), err);
        CHECK_EQ_INT(got, 54);
        CHECK_OK(go_on(w.s, 0, 60, 99, NULL), err);
        CHECK_OK(go_on(w.s, 1, 54, 70, row), err);
        compare(&mixed, row, 70);
        CHECK_OK(weft_session_share(w.s, 2, ids, 60, &got, &err), err); /* both have left it behind */
        CHECK_EQ_INT(got, 0);
        CHECK_OK(weft_session_share(w.s, 2, ids, 100, &got, &err), err);
        CHECK_EQ_INT(got, 99);
    }
    world_close(&w);
}

/* A call of one run that fails leaves the sequence; of several, whose windows have moved on meanwhile, nothing. */
static void a_failure_behind_the_window_empties(void)
{
    world w;
    float row[V];
    weft_batch_token t[60];
    for (uint32_t i = 0; i < 60; i++) t[i] = (weft_batch_token){ windows_word(30 + i), 0, 0 };
    t[11].id = t[59].id = WINDOWS_NAN;
    t[11].wants = t[59].wants = WEFT_WANT_LOGITS;
    if (world_open(&w, "cpu,threads=1", &narrow, (weft_session_desc){ .max_tokens = 20, .exact = true })) {
        CHECK_OK(go_on(w.s, 0, 0, 30, NULL), err);
        CHECK_STATUS(weft_session_eval(w.s, t, 12, &(weft_rows){ .logits = row }, &err), WEFT_NOT_FINITE, err);
        CHECK_EQ_INT(weft_session_length(w.s, 0), 30);
        t[11].id = windows_word(41);
        CHECK_STATUS(weft_session_eval(w.s, t, 60, &(weft_rows){ .logits = (float[2 * V]){ 0 } }, &err),
                     WEFT_NOT_FINITE, err);
        CHECK_EQ_INT(weft_session_length(w.s, 0), 0);
        CHECK_EQ_INT(weft_session_cells_free(w.s), bound_of(w.s, "pages_23") * PAGE);
        CHECK_OK(go_on(w.s, 0, 0, 50, row), err);
        compare(&narrow, row, 50);
    }
    world_close(&w);
}

/* The same of a generation, whose tokens are a call each. */
static void a_failed_generation_says_why(void)
{
    world w;
    weft_generated r;
    int32_t prompt[30];
    for (uint32_t i = 0; i < 30; i++) prompt[i] = i < 29 ? windows_word(i) : WINDOWS_NAN;
    if (world_open(&w, "cpu,threads=1", &narrow, (weft_session_desc){ .max_tokens = 8 })) {
        for (uint32_t n = 3; n <= 30; n += 27) {
            CHECK_OK(go_on(w.s, 0, 0, 45, NULL), err);
            CHECK_STATUS(weft_generate(w.s, 0, prompt + 30 - n, n, &(weft_generate_desc){ 0 }, &r, &err),
                         WEFT_NOT_FINITE, err);
            CHECK_EQ_INT(weft_session_length(w.s, 0), n == 3 ? 45 : 0);
            CHECK_OK(weft_session_truncate(w.s, 0, 0, &err), err);
        }
        CHECK_OK(go_on(w.s, 0, 0, 45, NULL), err);
        CHECK_OK(weft_generate(w.s, 0, prompt, 20, &(weft_generate_desc){ .max_tokens = 60 }, &r, &err), err);
        CHECK_EQ_INT(weft_session_length(w.s, 0), 45 + 20 + 59);
        weft_generated_free(&r);
    }
    world_close(&w);
}

/* ---- files, discarding, checks ---- */

/* What is saved is what the next token sees: any pages take it. */
static void saved_in_one_page_size_loaded_in_another(void)
{
    world w, other;
    float row[V], again[V];
    temp_folder folder = temp_make();
    const char *path = temp_path(&folder, "saved");
    bool both = world_open(&w, "cpu,threads=1", &mixed, (weft_session_desc){ .deterministic = true });
    if (world_open(&other, "cpu,threads=1", &mixed, (weft_session_desc){ .deterministic = true, .page = 64,
                                                                         .max_tokens = 8 }) && both) {
        CHECK_OK(go_on(w.s, 0, 0, 100, NULL), err);
        CHECK_OK(weft_session_discard(w.s, 0, 40, &err), err);
        CHECK_OK(weft_session_save(w.s, 0, NULL, 0, path, &err), err);
        CHECK_OK(weft_session_load(other.s, 0, path, NULL, &err), err);
        CHECK_OK(go_on(w.s, 0, 100, 150, row), err);
        CHECK_OK(go_on(other.s, 0, 100, 150, again), err);
        CHECK(!memcmp(row, again, sizeof row));
        CHECK_STATUS(weft_session_truncate(other.s, 0, 31, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "its first 32 tokens were given back");
    }
    world_close(&w);
    world_close(&other);
    temp_remove(&folder);
}

/* The window of a session that no longer text fits in is that of any other. */
static void saved_where_the_context_ends_with_the_window(void)
{
    static const windows_model even = { "even", 1, { 2 * PAGE } };
    world w, other;
    float row[V];
    temp_folder folder = temp_make();
    const char *path = temp_path(&folder, "saved");
    bool both = world_open(&w, "cpu,threads=1", &even, (weft_session_desc){ .context = 2 * PAGE, .exact = true });
    if (world_open(&other, "cpu,threads=1", &even, (weft_session_desc){ .exact = true }) && both) {
        CHECK_OK(go_on(w.s, 0, 0, 2 * PAGE, NULL), err);
        CHECK_OK(weft_session_save(w.s, 0, NULL, 0, path, &err), err);
        CHECK_OK(weft_session_load(other.s, 0, path, NULL, &err), err);
        CHECK_OK(go_on(other.s, 0, 2 * PAGE, 50, row), err);
        compare(&even, row, 50);
    }
    world_close(&w);
    world_close(&other);
    temp_remove(&folder);
}

static bool count(void *ctx, const weft_check_node *n)
{
    unsigned *c = ctx;
    c[0]++;
    c[1] += n->failed;
    return true;
}

static void checks_leave_windows_alone(void)
{
    world w;
    float row[V];
    int32_t ids[40];
    unsigned counts[2] = { 0, 0 };
    for (uint32_t i = 0; i < 40; i++) ids[i] = windows_word(i + 50);
    if (world_open(&w, "cpu,threads=1", &mixed, (weft_session_desc){ .exact = true })) {
        CHECK_OK(go_on(w.s, 0, 0, 50, NULL), err);
        CHECK_OK(weft_session_check(w.s, ids, 40, count, counts, &err), err);
        CHECK(counts[0] > 5);
        CHECK_EQ_INT(counts[1], 0);
        CHECK_EQ_INT(weft_session_length(w.s, 0), 50);
        CHECK_OK(go_on(w.s, 0, 50, 60, row), err);
        compare(&mixed, row, 60);
    }
    world_close(&w);
}

/* ---- what there is no room for ---- */

static void too_many_windows(void)
{
    static const windows_model four = { "four", 4, { 3, 4, 5, 6 } };
    weft_model *m;
    CHECK_STATUS(windows_open(&four, LONG, &m, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "extent 'pages_6': more than 8 extents");
    weft_model_close(m);
}

static void every_allocation_may_fail(void)
{
    weft_model *m;
    weft_backend *device = NULL;
    weft_session *s;
    const int32_t text[3] = { 1, 2, 3 };
    weft_session_desc d = { .devices = &device, .n_devices = 1, .n_sequences = 2, .max_tokens = 8, .page = PAGE };
    if (CHECK_OK(windows_open(&mixed, 64, &m, &err), err) && CHECK_OK(weft_backend_open("cpu,threads=1", &device, &err),
                                                                      err))
        OOM_LOOP(n)
        {
            weft_status status = weft_session_create(m, &d, &s, &err);
            if (!status) status = go_on(s, 0, 0, 40, NULL);
            if (!status) status = weft_session_fork(s, 0, 1, &err);
            if (!status) status = go_on(s, 1, 40, 60, NULL);
            weft_generated r = { 0 };
            if (!status) {
                status = weft_generate(s, 0, text, 3, &(weft_generate_desc){ .max_tokens = 20 }, &r, &err);
                uint32_t length = weft_session_length(s, 0);
                CHECK(status ? length == 40 || !length : length == 40 + 3 + 19);
            }
            OOM_CHECK(status, err);
            weft_generated_free(&r);
            weft_session_destroy(s);
        }
    weft_backend_close(device);
    weft_model_close(m);
}

static const weft_test tests[] = {
    { "tokens see their windows", tokens_see_their_windows },
    { "on Vulkan", on_vulkan },
    { "a long text needs no more than its window", a_long_text_needs_no_more_than_its_window },
    { "free cells are those of the widest window", free_cells_are_those_of_the_widest_window },
    { "windows never fill their cache", windows_never_fill_their_cache },
    { "small caches", small_caches },
    { "a small cache is full and says so", a_small_cache_is_full_and_says_so },
    { "the last of those that share a page keeps it", the_last_of_those_that_share_a_page_keeps_it },
    { "goes back within its window alone", goes_back_within_its_window_alone },
    { "shares what windows still have", shares_what_windows_still_have },
    { "a failure behind the window empties", a_failure_behind_the_window_empties },
    { "a failed generation says why", a_failed_generation_says_why },
    { "saved in one page size, loaded in another", saved_in_one_page_size_loaded_in_another },
    { "saved where the context ends with the window", saved_where_the_context_ends_with_the_window },
    { "checks leave windows alone", checks_leave_windows_alone },
    { "too many windows", too_many_windows },
    { "every allocation may fail", every_allocation_may_fail },
};
TEST_MAIN(tests)
