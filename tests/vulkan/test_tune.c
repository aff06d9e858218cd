/* test_tune.c: tuning on a real driver: what is kept is right and found again by the next process, what was killed is
 * gone on with, a wrong kernel is not kept. How fast anything is, is not asked. */
#include "tests/test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/tune.h"
#include "backends/gpu/shaders.h"
#include "tests/vulkan/shim.h"

static weft_error err;
static char folder[64], spec[1024];
static void (*begin)(int, int);
static void (*corrupt)(const unsigned *, unsigned long);

static const weft_tune_shape shapes[] = { { WEFT_Q8_0, 64, 96, 1, 0, 0 }, { WEFT_F16, 300, 32, 1, 4, 2 } };
enum { N = sizeof shapes / sizeof *shapes };

typedef struct heard {
    uint32_t measured, known, wrong, skipped, rowless; /* rowless: measured, and the row was not */
    char settings[64][WEFT_TUNE_TEXT]; /* that are wrong */
} heard;

static void on_done(void *ctx, const weft_tune_result *r)
{
    heard *h = ctx;
    h->measured += !r->known;
    h->rowless += !r->known && r->row_seconds == 0;
    h->known += r->known;
    CHECK(r->seconds > 0 && (r->known || (*r->kernel && r->tried > 0)));
    for (uint32_t i = 0; i < h->wrong; i++) CHECK(strcmp(r->setting, h->settings[i]));
}

static void on_wrong(void *ctx, const weft_tune_wrong *w)
{
    heard *h = ctx;
    if (CHECK(*w->detail && h->wrong < 64)) snprintf(h->settings[h->wrong++], WEFT_TUNE_TEXT, "%s", w->setting);
}

static void on_skipped(void *ctx, const weft_tune_shape *shape, const char *why)
{
    heard *h = ctx;
    (void)shape;
    h->skipped += *why != 0;
}

static bool set_up(void)
{
    void *library = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL)) return false;
    *(void **)&begin = dlsym(library, "shim_begin");
    *(void **)&corrupt = dlsym(library, "shim_corrupt");
    strcpy(folder, "/tmp/weft-tune-XXXXXX");
    if (!CHECK(begin && corrupt && mkdtemp(folder))) return false;
    snprintf(spec, sizeof spec, "vulkan:0,cache=%s,loader=" SHIM_PATH, folder);
    begin(0, 0);
    return true;
}

static void clean_up(void)
{
    DIR *d = opendir(folder);
    char path[600];
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (*e->d_name != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static weft_status tune(uint32_t n, bool again, const weft_progress_sink *progress, heard *h, uint32_t *left,
                        uint32_t *kept, uint32_t *changed)
{
    weft_backend *b;
    *h = (heard){ 0 };
    WEFT_TRY(weft_backend_open(spec, &b, &err));
    weft_tune_desc d = { .again = again, .done = on_done, .found_wrong = on_wrong, .skipped = on_skipped, .ctx = h };
    if (progress) d.progress = *progress;
    const weft_status s = weft_backend_tune(b, shapes, n, &d, left, &err);
    *kept = weft_backend_tuned_shapes(b, changed);
    weft_backend_close(b);
    return s;
}

/* Cancels while the second shape is at work. */
static bool in_the_second(void *ctx, const weft_progress *p)
{
    uint32_t *n = ctx;
    *n += p->done == 1 && p->total == N;
    return *n < 5;
}

static void kept_and_gone_on_with(void)
{
    static heard h;
    uint32_t left, kept, changed;
    if (!set_up()) return;
    if (CHECK_OK(tune(1, false, NULL, &h, &left, &kept, &changed), err)) { /* as if stopped after the first */
        CHECK(h.measured == 1 && !h.known && !h.wrong && !left);
        CHECK_EQ_INT(kept, 1);
    }
    uint32_t reports = 0;
    const weft_progress_sink sink = { in_the_second, &reports };
    CHECK_STATUS(tune(N, false, &sink, &h, &left, &kept, &changed), WEFT_CANCELLED, err);
    CHECK(h.known == 1 && !h.measured);
    if (CHECK_OK(tune(N, false, NULL, &h, &left, &kept, &changed), err)) {
        CHECK(h.known == 1 && h.measured == 1 && !h.wrong);
        CHECK_EQ_INT(kept, 2);
    }
    if (CHECK_OK(tune(N, false, NULL, &h, &left, &kept, &changed), err)) CHECK(h.known == 2 && !h.measured);
    clean_up();
}

/* Where adding is subtracting all forms of attention are wrong: none is kept, the shape is skipped, and the next
 * process does not run the same settings again, the row's own included, whatever the driver does by then. */
static void what_is_wrong_is_not_kept(void)
{
    static heard h;
    uint32_t left, kept, changed, wrong = 0;
    if (!set_up()) return;
    const weft_shader *adds = &weft__shaders[WEFT_SHADER_attention_split_subgroup];
    corrupt(adds->code, adds->n_words);
    if (CHECK_OK(tune(N, false, NULL, &h, &left, &kept, &changed), err)) {
        CHECK(h.wrong > 0 && h.measured == 1 && h.skipped == 1 && kept == 1);
        wrong = h.wrong;
    }
    begin(0, 0);
    if (CHECK_OK(tune(N, false, NULL, &h, &left, &kept, &changed), err))
        CHECK(wrong && !h.wrong && h.known == 1 && h.rowless == h.measured);
    clean_up();
}

static const weft_test tests[] = {
    { "kept, and gone on with", kept_and_gone_on_with },
    { "what is wrong is not kept", what_is_wrong_is_not_kept },
};
TEST_MAIN(tests)
