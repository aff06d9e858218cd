/* test_memory.c: memory on devices that nobody here has: what the shim says of them, and what is made of it. */
#include "tests/backends/small.h"

#include "tests/vulkan/shim.h"

#include <dlfcn.h>

static weft_error err;
static void (*begin)(int fail, int swallow);
static shim_profile *(*device)(const char *key);
static const shim_report *(*reported)(void);
static int (*alive)(void);
static void (*without)(int what);

static const char shimmed[] = "vulkan:0,loader=" SHIM_PATH, staged[] = "vulkan:0,staging=1,loader=" SHIM_PATH;
static const char *const profiles[] = { "radv", "radv-window", "radv-apu", "amd-apu", "anv", "anv-uncached", "anv-dgpu",
                                        "turnip", "moltenvk", "nvidia", "nvidia-rebar" };
enum { N_PROFILES = sizeof profiles / sizeof *profiles };
enum { LOCAL = 1, VISIBLE = 2, COHERENT = 4, CACHED = 8 }; /* Vulkan's */

static bool load_shim(void)
{
    void *library = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL)) return false;
    *(void **)&begin = dlsym(library, "shim_begin");
    *(void **)&device = dlsym(library, "shim_device");
    *(void **)&reported = dlsym(library, "shim_reported");
    *(void **)&alive = dlsym(library, "shim_alive");
    *(void **)&without = dlsym(library, "shim_without");
    if (!CHECK(begin && device && reported && alive && without)) return false;
    begin(0, 0);
    return true;
}

/* A profile alone on the list, to be changed. */
static shim_profile *only(const char *key)
{
    begin(0, 0);
    shim_profile *p = device(key);
    CHECK(p != NULL);
    return p;
}

typedef struct results {
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT], cells[SMALL_CELLS * SMALL_OUT];
} results;

/* Three runs, the last results and the state. */
static weft_status run_small(small_world *w, results *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < 3; i++) WEFT_TRY(small_run(w->p, 3 * i, SMALL_T - i, out->y, out->sum, &err));
    const weft_graph *g = weft_program_graph(w->p);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++)
        if (weft_graph_node(g, i)->op == WEFT_OP_state)
            return weft_program_read(w->p, weft_graph_node(g, i)->out[0], 0, out->cells, sizeof out->cells, &err);
    return WEFT_NOT_FOUND;
}

static bool same_results(const results *a, const results *b)
{
    for (uint32_t i = 0; i < sizeof *a / sizeof(float); i++) {
        float x = ((const float *)a)[i], y = ((const float *)b)[i];
        if (!(x - y < 1e-4f && y - x < 1e-4f)) return false; /* NaN is not the same */
    }
    return true;
}

static results want;
static const weft_program_desc keeping = { .keep = true }; /* so that the state can be read */

static bool make_expected(void)
{
    small_world w;
    begin(0, 0);
    bool ok = CHECK_OK(small_open(&w, "cpu,threads=1", &keeping, &err), err) && CHECK_OK(run_small(&w, &want), err);
    small_close(&w);
    return ok;
}

/* Opens what the shim says, runs, compares. */
static void check_runs(const char *spec, const char *key)
{
    small_world w;
    results got;
    if (CHECK_OK(small_open(&w, spec, &keeping, &err), err) && CHECK_OK(run_small(&w, &got), err) &&
        !CHECK(same_results(&got, &want)))
        printf("  on %s, %s\n", key, spec);
    small_close(&w);
    CHECK_EQ_INT(reported()->misused, 0);
    CHECK_EQ_INT(alive(), 0);
}

/* A1. The shim shows VOID to who reads memory that is not cached. */
static void a1_readback(void)
{
    if (!load_shim() || !make_expected()) return;
    for (int i = 0; i < N_PROFILES; i++) {
        shim_profile *p = only(profiles[i]);
        check_runs(shimmed, profiles[i]);
        unsigned cached = 0;
        for (uint32_t t = 0; t < p->n_types; t++) {
            if (p->types[t].not_for_buffers) CHECK_EQ_INT(reported()->by_type[t], 0);
            if (p->types[t].flags & CACHED) cached += reported()->by_type[t];
        }
        CHECK(cached > 0); /* somewhere to read from */
        only(profiles[i]);
        check_runs(staged, profiles[i]);
    }
}

/* An input can be read before the first run, also where it waits in a shadow. */
static void inputs_read_back(void)
{
    static const char *const keys[] = { "nvidia", "radv", "radv-apu", "anv" };
    if (!load_shim()) return;
    for (int i = 0; i < 8; i++) {
        small_world w;
        float x[SMALL_T * SMALL_IN], got[SMALL_T * SMALL_IN] = { 0 };
        for (int k = 0; k < SMALL_T * SMALL_IN; k++) x[k] = (float)(i + k + 1);
        only(keys[i / 2]);
        if (CHECK_OK(small_open(&w, i % 2 ? staged : shimmed, &keeping, &err), err)) {
            weft_ref port;
            CHECK_OK(weft_program_port(w.p, "x", &port, &err), err);
            CHECK_OK(weft_program_write(w.p, port, 0, x, sizeof x, &err), err);
            CHECK_OK(weft_program_read(w.p, port, 0, got, sizeof got, &err), err);
            CHECK(!memcmp(x, got, sizeof x));
        }
        small_close(&w);
    }
}

/* Memory that is not coherent: without a flush the device sees nothing, without an invalidate the host does not. */
static void flushes(void)
{
    static const unsigned atoms[] = { 64, 128, 256 };
    if (!load_shim() || !make_expected()) return;
    for (int i = 0; i < 6; i++) {
        shim_profile *p = only("anv-uncached");
        p->atom = atoms[i % 3];
        p->n_types = 1;
        p->types[0].flags = LOCAL | VISIBLE | CACHED; /* all there is */
        check_runs(i < 3 ? shimmed : staged, "a device without coherent memory");
        CHECK(reported()->flushes > 0 && reported()->invalidates > 0);
    }
}

static void spilled_to_the_host(void)
{
    small_world w;
    weft_device_info info;
    results got;
    if (!load_shim() || !make_expected()) return;
    static const char *const cards[] = { "radv", "radv-window", "anv-dgpu", "nvidia" };
    for (int i = 0; i < 4; i++) {
        shim_profile *p = only(cards[i]);
        for (uint32_t h = 0; h < p->n_heaps; h++)
            if (p->heap[h].local) p->heap[h].room = 300;
        if (CHECK_OK(small_open(&w, shimmed, &keeping, &err), err) && CHECK_OK(run_small(&w, &got), err)) {
            CHECK(same_results(&got, &want));
            weft_backend_info(w.device, &info);
            CHECK(info.spilled > 0);
            CHECK(reported()->refused > 0);
        }
        small_close(&w);
        CHECK_EQ_INT(alive(), 0);
        CHECK_EQ_INT(reported()->misused, 0);
        only(cards[i]);
        if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
            weft_backend_info(w.device, &info);
            CHECK_EQ_INT(info.spilled, 0);
        }
        small_close(&w);
    }
}

static uint64_t memory_of(const char *spec)
{
    weft_device_info info = { 0 };
    CHECK_OK(weft_backend_list(spec, 0, &info, &err), err);
    CHECK(info.memory_known);
    return info.memory;
}

static const char listed[] = "vulkan,loader=" SHIM_PATH;

/* A5. Devices that share the host's memory have all of it, cards what is on them. */
static void a5_heaps(void)
{
    const uint64_t mib = 1 << 20, gib = 1 << 30;
    if (!load_shim()) return;
    only("radv-apu");
    CHECK_EQ_INT(memory_of(listed), 24 * gib);
    only("amd-apu");
    CHECK_EQ_INT(memory_of(listed), 15 * gib + 512 * mib);
    only("anv");
    CHECK_EQ_INT(memory_of(listed), 24 * gib);
    only("radv");
    CHECK_EQ_INT(memory_of(listed), 24 * gib);
    only("radv-window");
    CHECK_EQ_INT(memory_of(listed), 16 * gib - 256 * mib);
    only("nvidia");
    CHECK_EQ_INT(memory_of(listed), 24 * gib);
    only("nvidia")->budget = false;
    CHECK_EQ_INT(memory_of(listed), 24 * gib / 10 * 8);
}

/* On an APU whose driver calls little memory local the rest is used, and nothing is said to be short. */
static void a5_small_carve_out(void)
{
    small_world w;
    weft_device_info info;
    results got;
    if (!load_shim() || !make_expected()) return;
    shim_profile *p = only("amd-apu");
    p->heap[0].room = 300;
    if (CHECK_OK(small_open(&w, shimmed, &keeping, &err), err) && CHECK_OK(run_small(&w, &got), err)) {
        CHECK(same_results(&got, &want));
        weft_backend_info(w.device, &info);
        CHECK_EQ_INT(info.spilled, 0);
        CHECK(reported()->by_type[2] + reported()->by_type[3] > 0);
    }
    small_close(&w);
    CHECK_EQ_INT(reported()->misused, 0);
}

static void budgets(void)
{
    const uint64_t gib = 1 << 30;
    small_world w;
    if (!load_shim()) return;
    shim_profile *p = only("nvidia");
    p->heap[0].budget = 20 * gib;
    p->heap[0].usage = 5 * gib;
    CHECK_EQ_INT(memory_of(listed), 15 * gib);
    p->heap[0].usage = 20 * gib; /* nothing left */
    CHECK_EQ_INT(memory_of(listed), 0);
    p->heap[0].usage = 23 * gib; /* used above the budget */
    CHECK_EQ_INT(memory_of(listed), 0);
    CHECK_STATUS(small_open(&w, shimmed, NULL, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "vulkan has 0 MiB");
    small_close(&w);
    p = only("nvidia");
    p->heap[0].budget = 0;
    CHECK_EQ_INT(memory_of(listed), 0);
    p->heap[0].budget = 1000 * gib; /* above the heap */
    p->heap[0].usage = gib;
    CHECK_EQ_INT(memory_of(listed), 23 * gib);
}

/* What the program has taken does not count as left, with a budget and without. */
static void budget_of_loaded(void)
{
    small_world w;
    weft_device_info before, after;
    if (!load_shim()) return;
    for (int i = 0; i < 2; i++) {
        only("nvidia")->budget = !i;
        CHECK_OK(weft_backend_list(listed, 0, &before, &err), err);
        if (CHECK_OK(small_open(&w, shimmed, NULL, &err), err)) {
            weft_backend_info(w.device, &after);
            uint64_t taken = before.memory - after.memory;
            CHECK(taken > 0 && taken < 1 << 20); /* not all of the slab */
        }
        small_close(&w);
    }
}

/* Weight number i is 64 floats; where all of them are the same, they lie at the same place. */
typedef struct many { const float *w; uint64_t step[3]; } many;

static weft_status find_many(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    const many *m = ctx;
    (void)e;
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 1, .dims = { 64 }, .bytes = 64 * sizeof(float),
                               .data = (const char *)m->w + m->step[atoi(name + 1) % 3] };
    return WEFT_OK;
}

/* x + the sum of n weights, with x = 0. */
static weft_status add_many(const char *spec, many *m, uint32_t n, float y[64])
{
    static float x[64];
    weft_graph *g;
    weft_ref in, out;
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_weights *weights = NULL;
    weft_weight_source source = { m, find_many };
    WEFT_TRY(weft_graph_create(NULL, &g, &err));
    weft_ref sum = weft_input(g, WEFT_F32, WEFT_DIMS(64), "x");
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%u", i);
        sum = weft_add(g, sum, weft_weight(g, WEFT_F32, WEFT_DIMS(64), name));
    }
    weft_output(g, sum, "y");
    weft_status s = weft_graph_seal(g, &err);
    if (!s) s = weft_backend_open(spec, &b, &err);
    if (!s) s = weft_program_create(g, &(weft_program_desc){ .devices = &b, .n_devices = 1 }, &p, &err);
    if (!s) s = weft_weights_create(&source, 1, &weights, &err);
    if (!s) s = weft_program_load(p, weights, NULL, &err);
    if (!s) s = weft_program_port(p, "x", &in, &err);
    if (!s) s = weft_program_port(p, "y", &out, &err);
    if (!s) s = weft_program_write(p, in, 0, x, sizeof x, &err);
    if (!s) s = weft_program_run(p, &err);
    if (!s) s = weft_program_read(p, out, 0, y, sizeof x, &err);
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    weft_backend_close(b);
    weft_graph_destroy(g);
    return s;
}

/* A12. Many tensors, few allocations; and where a device allows too few, it says which limit it is. */
static void a12_allocations(void)
{
    float y[64], w[64];
    many same = { w, { 0 } };
    if (!load_shim()) return;
    for (int i = 0; i < 64; i++) w[i] = (float)i;
    shim_profile *p = only("nvidia");
    p->max_allocations = 8;
    if (CHECK_OK(add_many(shimmed, &same, 200, y), err)) {
        for (int i = 0; i < 64; i++) CHECK_NEAR(y[i], 200.0 * i, 0.01);
        CHECK(reported()->most_allocations <= 8);
    }
    CHECK_EQ_INT(alive(), 0);
    p->max_allocations = 1;
    CHECK_STATUS(add_many(shimmed, &same, 200, y), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "maxMemoryAllocationCount");
    CHECK_EQ_INT(alive(), 0);
}

static void check_imports(const char *spec, many *m, unsigned done, unsigned refused)
{
    float y[64] = { 0 };
    if (!CHECK_OK(add_many(spec, m, 3, y), err)) return;
    CHECK_EQ_INT(reported()->imports, done);
    CHECK_EQ_INT(reported()->no_imports, refused);
    CHECK_EQ_INT(alive(), 0);
    for (int i = 0; i < 64; i++) {
        float sum = 0;
        for (int k = 0; k < 3; k++) sum += m->w[m->step[k] / sizeof(float) + (uint64_t)i];
        CHECK_NEAR(y[i], sum, 1e-3);
    }
}

/* The host's memory is read where it is if that is asked for, lies at a multiple of what the device can bind, and the
 * driver takes it; the last of a page as well. Else it is copied. */
static void imported(void)
{
    static const char spec[] = "vulkan:0,import=1,loader=" SHIM_PATH;
    static _Alignas(65536) float pages[2 * 65536 / sizeof(float)];
    many at = { pages, { 0, 65536 + 4096 - 256, 8 } };
    if (!load_shim()) return;
    for (uint32_t i = 0; i < sizeof pages / sizeof *pages; i++) pages[i] = (float)(i % 1000);
    check_imports(spec, &at, 2, 0);
    begin(0, 0);
    check_imports(shimmed, &at, 0, 0);
    begin(0, 0);
    without(SHIM_IMPORTS);
    check_imports(spec, &at, 0, 2);
    only("nvidia"); /* a card's own memory is faster */
    check_imports(spec, &at, 0, 0);
}

static const weft_test tests[] = {
    { "A1 readback", a1_readback },
    { "A1 inputs read back", inputs_read_back },
    { "flushes", flushes },
    { "A5 spilled to the host", spilled_to_the_host },
    { "A5 heaps", a5_heaps },
    { "A5 small carve-out", a5_small_carve_out },
    { "budgets", budgets },
    { "budget of loaded", budget_of_loaded },
    { "A12 allocations", a12_allocations },
    { "imported", imported },
};
TEST_MAIN(tests)
