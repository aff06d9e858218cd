/* test_profile.c: spans of profiled programs on the driver that the environment chooses; that programs which are not
 * profiled record what they always did; labels. */
#include "tests/backends/small.h"
#include "tests/backends/span_check.h"

#include "backends/contract.h"
#include "tests/vulkan/shim.h"

#include <dlfcn.h>
#include <math.h>

static weft_error err;
static float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
static void (*begin)(int fail, int swallow);
static void (*without)(int what);
static shim_profile *(*device)(const char *key);
static const shim_report *(*reported)(void);
static unsigned long (*digest)(void);
static int (*timestamps)(void), (*alive)(void), (*labels)(const char **first);

static const uint32_t queue[] = { WEFT_TRACK_QUEUE };
static const char shimmed[] = "vulkan:0,loader=" SHIM_PATH;

static bool load_shim(void)
{
    void *library = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL)) return false;
    *(void **)&begin = dlsym(library, "shim_begin");
    *(void **)&without = dlsym(library, "shim_without");
    *(void **)&digest = dlsym(library, "shim_digest");
    *(void **)&timestamps = dlsym(library, "shim_timestamps");
    *(void **)&alive = dlsym(library, "shim_alive");
    *(void **)&labels = dlsym(library, "shim_labels");
    *(void **)&device = dlsym(library, "shim_device");
    *(void **)&reported = dlsym(library, "shim_reported");
    if (!CHECK(begin && without && digest && timestamps && alive && labels && device && reported)) return false;
    begin(0, 0);
    return true;
}

static void run_and_check(weft_program *p, uint32_t first, uint32_t rows)
{
    weft_program_spans_clear(p);
    uint64_t start = weft__nanoseconds();
    if (!CHECK_OK(small_run(p, first, rows, y, sum, &err), err)) return;
    check_run(p, start, weft__nanoseconds(), queue);
    CHECK_EQ_INT(count_spans(p, WEFT_SPAN_WRITE), 2);
    CHECK_EQ_INT(count_spans(p, WEFT_SPAN_READ), 2);
}

/* Runs in both modes with their spans checked; launches of a run in either. */
static void check_modes(const char *spec, unsigned launches[2])
{
    small_world w;
    weft_status s = small_open(&w, spec, NULL, &err);
    if (s == WEFT_NOT_FOUND && strstr(spec, "validation")) printf("  no validation layer\n");
    else if (CHECK_OK(s, err))
        for (weft_profile_mode m = WEFT_PROFILE_SCHEDULED; m <= WEFT_PROFILE_ISOLATED; m++) {
            CHECK_OK(weft_program_profile(w.p, m, &err), err);
            for (uint32_t k = 0; k < 5; k++) run_and_check(w.p, k, 1 + (k + 3) % SMALL_T);
            launches[m - 1] = count_spans(w.p, WEFT_SPAN_STEP);
            CHECK_EQ_INT(count_spans(w.p, WEFT_SPAN_SUBMIT),
                         m == WEFT_PROFILE_SCHEDULED ? 1 : weft_program_plan(w.p)->n_steps);
        }
    small_close(&w);
}

static void both_modes(void)
{
    unsigned launches[2];
    check_modes("vulkan:0", launches);
    check_modes("vulkan:0,staging=1", launches);
    check_modes("vulkan:0,submit-ms=0.0001", launches); /* a submission per launch */
    check_modes("vulkan:0,validation=1,labels=1", launches);
}

/* Where the host's clock and the device's cannot be read together, and where the device has no timestamps. */
static void other_clocks(void)
{
    small_world w;
    if (!load_shim()) return;
    without(SHIM_CALIBRATION);
    if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err) &&
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err)) {
        CHECK(!weft_program_spans_calibrated(w.p, 0));
        run_and_check(w.p, 0, 4);
        uint64_t n, last = 0, waited = 0;
        const weft_span *all = weft_program_spans(w.p, &n);
        for (uint64_t i = 0; i < n; i++) {
            if (all[i].kind == WEFT_SPAN_STEP && all[i].end > last) last = all[i].end;
            if (all[i].kind == WEFT_SPAN_WAIT) waited = all[i].end;
        }
        CHECK(last <= waited && waited - last < 100000000);
    }
    small_close(&w);
    begin(0, 0);
    without(SHIM_TIMESTAMPS);
    if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
        weft_device_info info;
        weft_backend_info(w.device, &info);
        CHECK_STATUS(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, info.model);
        CHECK_EQ_INT(weft_program_profile_mode(w.p), WEFT_PROFILE_OFF);
        CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
    }
    small_close(&w);
}

/* A driver whose tick is 52.08 ns, and whose counter has 36 bits and overflows: spans are still nanoseconds. Without
 * calibration they are as far apart as the timestamps, whatever the host did meanwhile. */
static void ticks(void)
{
    small_world w;
    if (!load_shim() || !CHECK(device("anv") != NULL)) return;
    without(SHIM_CALIBRATION);
    if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err) &&
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err))
        for (uint32_t run = 0; run < 3; run++) {
            weft_program_spans_clear(w.p);
            if (!CHECK_OK(small_run(w.p, run, 4, y, sum, &err), err)) break;
            uint64_t n, first = 0;
            const weft_span *all = weft_program_spans(w.p, &n);
            const shim_report *r = reported();
            uint32_t launch = 0;
            for (uint64_t i = 0; i < n; i++) {
                if (all[i].kind != WEFT_SPAN_STEP) continue;
                uint32_t at = 2 * launch + 1;
                if (!launch++) first = all[i].end;
                else if (CHECK(at < r->n_times))
                    CHECK_NEAR((double)(all[i].end - first), (double)(r->times[at] - r->times[1]), 2 * 52.1 + 2);
            }
            CHECK_EQ_INT(2 * launch, r->n_times);
            CHECK(r->times[r->n_times - 1] - r->times[1] > 1000); /* else this says nothing */
        }
    small_close(&w);
}

static void stuck_clock(void)
{
    small_world w;
    if (!load_shim()) return;
    for (weft_profile_mode m = WEFT_PROFILE_SCHEDULED; m <= WEFT_PROFILE_ISOLATED; m++) {
        begin(0, 0);
        device("anv")->stuck = true;
        if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
            CHECK_OK(weft_program_profile(w.p, m, &err), err);
            CHECK_STATUS(small_run(w.p, 0, 4, y, sum, &err), WEFT_UNSUPPORTED, err);
            CHECK_CONTAINS(err.text, "the driver's timestamps do not advance");
            CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_OFF, &err), err);
            CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
        }
        small_close(&w);
    }
}

/* A program that is profiled for `profiled` runs, before and after plain ones: what it has recorded, and its work. */
static unsigned long record(uint32_t profiled, weft_counters *work, float last[SMALL_OUT])
{
    small_world w;
    begin(0, 0);
    if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_OFF, &err), err);
        CHECK_OK(small_run(w.p, 0, 4, y, last, &err), err);
        if (profiled) {
            CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err);
            for (uint32_t i = 0; i < profiled; i++) CHECK_OK(small_run(w.p, 0, 4, y, last, &err), err);
            CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_OFF, &err), err);
        }
        weft_counters before = weft_program_counters(w.p), after;
        CHECK_OK(small_run(w.p, 0, 4, y, last, &err), err);
        after = weft_program_counters(w.p);
        CHECK_EQ_INT(after.recordings, before.recordings);
        *work = after;
        work->launches -= before.launches;
        work->barriers -= before.barriers;
        work->submits -= before.submits;
    }
    small_close(&w);
    return digest();
}

static void recorded_commands(void)
{
    weft_counters plain, profiled;
    float want[SMALL_OUT], got[SMALL_OUT];
    if (!load_shim()) return;
    unsigned long alone = record(0, &plain, want);
    CHECK_EQ_INT(timestamps(), 0);
    CHECK(record(0, &profiled, got) == alone);
    CHECK(record(3, &profiled, got) != alone);
    CHECK_EQ_INT(timestamps(), 2 * plain.launches);
    CHECK_EQ_INT(profiled.recordings, plain.recordings + 1);
    CHECK_EQ_INT(profiled.launches, plain.launches);
    CHECK_EQ_INT(profiled.barriers, plain.barriers);
    CHECK_EQ_INT(profiled.submits, plain.submits);
    CHECK(!memcmp(want, got, sizeof want));
}

static void labels_of_launches(void)
{
    small_world w;
    const char *text;
    if (!load_shim()) return;
    if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
    CHECK_EQ_INT(labels(&text), 0);
    unsigned long unlabelled = digest();
    small_close(&w);
    begin(0, 0);
    if (CHECK_OK(small_open(&w, "vulkan:0,labels=1,loader=" SHIM_PATH, NULL, &err), err)) {
        CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
        const weft_plan *plan = weft_program_plan(w.p);
        int n = labels(&text);
        CHECK_EQ_INT(n, weft_program_counters(w.p).launches);
        CHECK(digest() == unlabelled);
        uint32_t step = 0;
        for (int i = 0; i < n && i < SHIM_LABELS; i++, text += 256) {
            uint32_t steps = 1;
            char want[256];
            while (step + steps < plan->n_steps && plan->steps[step + steps].joined) steps++;
            CHECK_STR(text, weft__launch_name(weft_program_graph(w.p), plan, step, steps, want, sizeof want));
            step += steps;
        }
        CHECK_EQ_INT(step, plan->n_steps);
    }
    small_close(&w);
}

/* ---- launches of several steps ---- */

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)name, (void)e;
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { 64, 64 }, .data = ctx,
                               .bytes = 64 * 64 * sizeof(float) };
    return WEFT_OK;
}

static void joined_launches(void)
{
    static float weights[64 * 64];
    weft_backend *b;
    weft_graph *g;
    weft_program *p = NULL;
    weft_weights *loaded = NULL;
    weft_weight_source source = { weights, find };
    if (!CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err) || !CHECK_OK(weft_graph_create(NULL, &g, &err), err))
        return;
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(1, 64), "x");
    for (int i = 0; i < 2; i++) {
        weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(64, 64), i ? "b" : "a");
        weft_output(g, weft_matmul_nt(g, x, w), i ? "xb" : "xa");
    }
    const weft_program_desc desc = { .devices = &b, .n_devices = 1 };
    if (CHECK_OK(weft_graph_seal(g, &err), err) && CHECK_OK(weft_program_create(g, &desc, &p, &err), err) &&
        CHECK_OK(weft_weights_create(&source, 1, &loaded, &err), err) &&
        CHECK_OK(weft_program_load(p, loaded, NULL, &err), err)) {
        const weft_plan *plan = weft_program_plan(p);
        CHECK_EQ_INT(plan->n_launches, 1);
        for (weft_profile_mode m = WEFT_PROFILE_SCHEDULED; m <= WEFT_PROFILE_ISOLATED; m++) {
            uint64_t start = weft__nanoseconds();
            CHECK_OK(weft_program_profile(p, m, &err), err);
            CHECK_OK(weft_program_run(p, &err), err);
            check_run(p, start, weft__nanoseconds(), queue);
            CHECK_EQ_INT(count_spans(p, WEFT_SPAN_STEP), m == WEFT_PROFILE_SCHEDULED ? 1 : plan->n_steps);
        }
        char name[256];
        CHECK_CONTAINS(weft__launch_name(weft_program_graph(p), plan, 0, 2, name, sizeof name), " + %");
    }
    weft_program_destroy(p);
    weft_weights_destroy(loaded);
    weft_graph_destroy(g);
    weft_backend_close(b);
}

static void check_launch_cost(const char *spec)
{
    weft_backend *b;
    weft_roof roof;
    weft_status s = weft_backend_open(spec, &b, &err);
    if (s == WEFT_NOT_FOUND && strstr(spec, "validation")) {
        printf("  no validation layer\n");
        return;
    }
    if (!CHECK_OK(s, err)) return;
    CHECK_OK(weft_backend_roof(b, 0.01, NULL, &roof, &err), err);
    CHECK(roof.launch_seconds > 1e-9);
    weft_backend_close(b);
}

static void the_cost_of_a_launch(void)
{
    check_launch_cost("vulkan:0");
    check_launch_cost("vulkan:0,memory=16777216,validation=1"); /* many dispatches to a pass */
}

/* The roof of a device whose passes take step_ns by its timestamps, whatever they take; 0: what they do. */
static weft_roof roof_by(float period, uint32_t bits, uint64_t step_ns)
{
    weft_roof roof = { 0 };
    weft_backend *b = NULL;
    begin(0, 0);
    shim_profile *p = device("anv");
    p->type = 4; /* software: little is measured */
    p->period = period;
    p->timestamp_bits = bits;
    p->step = step_ns;
    p->stuck = period > 0 && step_ns == 0;
    if (CHECK_OK(weft_backend_open("vulkan:0,memory=16777216,loader=" SHIM_PATH, &b, &err), err))
        CHECK_OK(weft_backend_roof(b, 0.001, NULL, &roof, &err), err);
    weft_backend_close(b);
    CHECK_EQ_INT(alive(), 0);
    return roof;
}

static bool is_ratio(double a, double b, double want)
{
    return CHECK(a > 0 && b > 0 && isfinite(a) && isfinite(b)) && CHECK_NEAR(a / b, want, 1e-4 * want);
}

/* Bandwidth and operations are by the device's clock: its ticks are not nanoseconds, and its counter overflows in every
 * pass. */
static void a_roof_by_timestamps(void)
{
    const uint64_t step = 100000000;
    if (!load_shim()) return;
    weft_roof plain = roof_by(1, 64, step), ticks = roof_by(52.083332f, 36, step);
    weft_roof twice = roof_by(52.083332f, 48, 2 * step);
    is_ratio(ticks.bytes_per_second, plain.bytes_per_second, 1);
    is_ratio(ticks.f32_ops_per_second, plain.f32_ops_per_second, 1);
    is_ratio(twice.bytes_per_second, plain.bytes_per_second, 0.5);
    is_ratio(twice.f32_ops_per_second, plain.f32_ops_per_second, 0.5);
    /* passes that are shorter than they should be get more dispatches, 16 at most */
    weft_roof brief = roof_by(1, 64, 1000);
    is_ratio(brief.bytes_per_second, plain.bytes_per_second, 16.0 * (double)step / 1000);
}

/* Timestamps that stand still, whose tick has no length, and of which no bit counts: the host's clock. */
static void a_roof_without_timestamps(void)
{
    static const struct { float period; uint32_t bits; } clocks[] = { { 52.083332f, 36 }, { 0, 64 }, { 1, 0 } };
    if (!load_shim()) return;
    for (uint32_t i = 0; i < 3; i++) {
        weft_roof roof = roof_by(clocks[i].period, clocks[i].bits, 0);
        CHECK(roof.bytes_per_second > 0 && isfinite(roof.bytes_per_second));
        CHECK(roof.f32_ops_per_second > 0 && isfinite(roof.f32_ops_per_second));
    }
}

static const weft_test tests[] = {
    { "both modes", both_modes },
    { "other clocks", other_clocks },
    { "ticks", ticks },
    { "stuck clock", stuck_clock },
    { "recorded commands", recorded_commands },
    { "labels of launches", labels_of_launches },
    { "joined launches", joined_launches },
    { "the cost of a launch", the_cost_of_a_launch },
    { "a roof by timestamps", a_roof_by_timestamps },
    { "a roof without timestamps", a_roof_without_timestamps },
};
TEST_MAIN(tests)
