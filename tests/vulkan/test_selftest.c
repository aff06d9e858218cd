/* test_selftest.c: a wrong kernel is found before it is used, is not used, and is still known the next time. */
#include "tests/test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/contract.h"
#include "backends/gpu/shaders.h"
#include "tests/progress.h"
#include "tests/vulkan/shim.h"

static weft_error err;
static progress_log heard = { .cancel_at = -1 };
static void (*begin)(int, int);
static void (*corrupt)(const unsigned *, unsigned long);
static char folder[] = "/tmp/weft-selftest-XXXXXX", spec[1024];

static const char text[] =
    "weft-graph 1\n%1 = input \"x\" : f32[3, 96]\n%2 = weight \"w\" : f16[64, 96]\n%3 = weight \"g\" : f32[96]\n"
    "%4 = weight \"b\" : f32[96]\n%5 = layer_norm %1, %3, %4 {eps = 1e-05}\n%6 = matmul_nt %5, %2\noutput \"y\" = %6\n";
enum { N_X = 3 * 96, N_Y = 3 * 64, N_W = 64 * 96 };
static float x[N_X], weights[N_W];

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *error)
{
    (void)ctx;
    (void)error;
    bool matrix = *name == 'w';
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = matrix ? 2 : 1, .data = weights,
                               .bytes = 4 * (matrix ? N_W : 96), .dims = { matrix ? 64 : 96, 96 } };
    return WEFT_OK;
}

static bool set_up(void)
{
    void *library = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL)) return false;
    *(void **)&begin = dlsym(library, "shim_begin");
    *(void **)&corrupt = dlsym(library, "shim_corrupt");
    for (int i = 0; i < N_X; i++) x[i] = (float)(i * 37 % 101) * 0.02f - 1.0f;
    for (int i = 0; i < N_W; i++) weights[i] = (float)(i * 53 % 97) * 0.02f - 0.9f;
    strcpy(folder, "/tmp/weft-selftest-XXXXXX");
    if (!CHECK(begin && corrupt && mkdtemp(folder))) return false;
    snprintf(spec, sizeof spec, "vulkan:0,cache=%s,loader=" SHIM_PATH, folder);
    begin(0, 0);
    return true;
}

static bool is_verdicts(const char *name)
{
    size_t n = strlen(name);
    return n > 8 && !strcmp(name + n - 8, "verdicts");
}

/* Calls `use` with the path of every file of the folder; removes them and the folder if it is NULL. */
static void each_file(void (*use)(const char *path))
{
    DIR *d = opendir(folder);
    char path[600];
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (!use && *e->d_name != '.') unlink(path);
        else if (use && is_verdicts(e->d_name)) use(path);
    }
    if (d) closedir(d);
    if (!use) rmdir(folder);
}

/* Runs the graph; the kernels of the norm and the product, and what the device says is disabled. */
typedef struct result {
    char norm[48], product[48], disabled[256];
    weft_place_reason reason;
    float y[N_Y];
} result;

#define PRODUCT(rows)                                                                               \
    "weft-graph 1\n%1 = input \"x\" : f32[" rows ", 160]\n%2 = weight \"w\" : f16[64, 160]\n"        \
    "%3 = matmul_nt %1, %2\noutput \"y\" = %3\n"

/* The kernel of the only product of a graph, on a device with the verdicts so far. */
static weft_status product_of(const char *graph, char kernel[48])
{
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_graph *g = NULL;
    *kernel = 0;
    weft_status s = weft_backend_open(spec, &b, &err);
    if (!s) s = weft_graph_parse(graph, strlen(graph), "test", NULL, &g, &err);
    weft_program_desc d = { .devices = &b, .n_devices = 1 };
    if (!s) s = weft_program_create(g, &d, &p, &err);
    for (uint32_t i = 0; !s && i < weft_graph_node_count(weft_program_graph(p)); i++) {
        const weft_node *n = weft_graph_node(weft_program_graph(p), i);
        if (n->op == WEFT_OP_matmul_nt || n->op == WEFT_OP_linear)
            snprintf(kernel, 48, "%s", weft_program_place(p, n->id).kernel);
    }
    weft_program_destroy(p);
    weft_graph_destroy(g);
    weft_backend_close(b);
    return s;
}

static weft_status run(bool strict, bool with_cpu, result *r)
{
    weft_backend *b[2] = { NULL };
    weft_program *p = NULL;
    weft_weights *loaded = NULL;
    weft_graph *g = NULL;
    weft_device_info info;
    weft_weight_source source = { NULL, find };
    *r = (result){ .reason = WEFT_PLACE_COUNT };
    err = (weft_error){ 0 };
    weft_status s = weft_backend_open(spec, &b[0], &err);
    if (!s) s = weft_backend_open("cpu,threads=1", &b[1], &err);
    if (!s) s = weft_graph_parse(text, sizeof text - 1, "test", NULL, &g, &err);
    weft_program_desc d = { .devices = b, .n_devices = with_cpu ? 2 : 1, .strict = strict,
                            .progress = progress_sink(&heard) };
    if (!s) s = weft_program_create(g, &d, &p, &err);
    for (uint32_t i = 0; !s && i < weft_graph_node_count(weft_program_graph(p)); i++) {
        const weft_node *n = weft_graph_node(weft_program_graph(p), i);
        weft_place place = weft_program_place(p, n->id);
        if (n->op == WEFT_OP_layer_norm) snprintf(r->norm, sizeof r->norm, "%s", place.kernel);
        if (n->op == WEFT_OP_layer_norm) r->reason = place.reason;
        if (n->op == WEFT_OP_matmul_nt || n->op == WEFT_OP_linear)
            snprintf(r->product, sizeof r->product, "%s", place.kernel);
    }
    if (!s) s = weft_weights_create(&source, 1, &loaded, &err);
    if (!s) s = weft_program_load(p, loaded, NULL, &err);
    if (!s) s = weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, sizeof x, &err);
    if (!s) s = weft_program_run(p, &err);
    if (!s) s = weft_program_read(p, weft_graph_find(weft_program_graph(p), "y"), 0, r->y, sizeof r->y, &err);
    if (b[0]) weft_backend_info(b[0], &info);
    if (b[0]) snprintf(r->disabled, sizeof r->disabled, "%s", info.disabled);
    weft_program_destroy(p);
    weft_weights_destroy(loaded);
    weft_graph_destroy(g);
    weft_backend_close(b[1]);
    weft_backend_close(b[0]);
    return s;
}

static void plant(weft_shader_id id)
{
    begin(0, 0);
    corrupt(weft__shaders[id].code, weft__shaders[id].n_words);
}

static double difference(const float *a, const float *b)
{
    double worst = 0;
    for (int i = 0; i < N_Y; i++) worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static void a_wrong_product_makes_way(void)
{
    result good, r;
    if (!set_up()) return;
    if (CHECK_OK(run(true, false, &good), err)) {
        CHECK(!*good.disabled);
        each_file(NULL);
        set_up();
        bool subgroup = strstr(good.product, "subgroup") != NULL;
        plant(subgroup ? WEFT_SHADER_matvec_subgroup : WEFT_SHADER_matvec_lanes); /* that of processors */
        CHECK_OK(run(false, false, &r), err);
        CHECK(strcmp(r.product, good.product) != 0);
        CHECK_CONTAINS(r.disabled, good.product);
        CHECK(difference(r.y, good.y) < 1e-3);
        begin(0, 0); /* the verdict holds, whatever the driver does now */
        CHECK_STATUS(run(true, false, &r), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "disabled");
        CHECK_OK(run(false, false, &r), err);
        CHECK(strcmp(r.product, good.product) != 0);
    }
    each_file(NULL);
}

static void without_another_kernel_the_cpu_or_nothing(void)
{
    result good, r;
    if (!set_up()) return;
    if (CHECK_OK(run(true, false, &good), err)) {
        each_file(NULL);
        set_up();
        plant(WEFT_SHADER_norm_subgroup); /* the form that all drivers here take */
        weft_status s = run(false, false, &r);
        CHECK_STATUS(s, WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "layer_norm");
        CHECK_CONTAINS(err.text, "DISABLED");
        CHECK_OK(run(false, true, &r), err);
        CHECK_EQ_INT(r.reason, WEFT_PLACE_DISABLED);
        CHECK(difference(r.y, good.y) < 1e-3);
        CHECK_CONTAINS(r.disabled, "norm");
    }
    each_file(NULL);
}

static void crash(const char *path)
{
    char line[512], all[8192] = "";
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *word = strstr(line, " passed");
        if (word && !strncmp(line, "norm ", 5)) strcpy(word, " testing 999999999\n");
        strncat(all, line, sizeof all - strlen(all) - 1);
    }
    if (f) fclose(f);
    f = fopen(path, "w");
    if (CHECK(f != NULL)) {
        fputs(all, f);
        fclose(f);
    }
}

static void a_test_that_did_not_come_back(void)
{
    result r;
    if (!set_up()) return;
    if (CHECK_OK(run(true, false, &r), err)) {
        each_file(crash);
        CHECK_STATUS(run(false, false, &r), WEFT_UNSUPPORTED, err);
        CHECK(!strcmp(r.disabled, "norm"));
    }
    each_file(NULL);
}

/* Testing and compiling tell how far they are; cancelled, they condemn nothing, and the next run goes on. */
static void a_cancelled_test_is_no_verdict(void)
{
    result good, r;
    if (!set_up()) return;
    heard = (progress_log){ .cancel_at = -1 };
    if (CHECK_OK(run(true, false, &good), err)) {
        int64_t reports = heard.n;
        CHECK(progress_of(&heard, "testing kernels", 1) > 2);
        CHECK(progress_of(&heard, "compiling kernels", 1) > 1);
        CHECK(progress_of(&heard, "loading weights", 1) > 1);
        each_file(NULL);
        set_up();
        for (int64_t n = 0; n < reports; n += 1 + n / 2) {
            heard = (progress_log){ .cancel_at = n };
            weft_status s = run(true, false, &r);
            CHECK_EQ_INT(s, heard.cancelled ? WEFT_CANCELLED : WEFT_OK);
            CHECK(!*r.disabled);
        }
        heard = (progress_log){ .cancel_at = -1 };
        CHECK_OK(run(true, false, &r), err);
        CHECK(!strcmp(r.norm, good.norm) && !strcmp(r.product, good.product) && !*r.disabled);
        CHECK(difference(r.y, good.y) == 0);
    }
    each_file(NULL);
}

/* ---- a small error ---- */

static const weft_backend_vt *real;

/* The device's copy of a matrix of blocks is one percent off in one row. */
static weft_status write_off(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                             weft__task *task, weft_error *error)
{
    size_t row = (size_t)src->dims[src->rank - 1], at = src->bytes / sizeof(float) / row / 2 * row;
    float *copy = NULL;
    if (src->rank >= 2 && src->dtype == WEFT_F32 && t == WEFT_Q4_0) copy = malloc(src->bytes);
    if (!copy) return real->weight_write(buf, layout, t, src, task, error);
    memcpy(copy, src->data, src->bytes);
    for (size_t i = 0; i < row; i++) copy[at + i] *= 1.01f;
    weft_weight_data off = *src;
    off.data = copy;
    weft_status s = real->weight_write(buf, layout, t, &off, task, error);
    free(copy);
    return s;
}

typedef struct tally {
    unsigned products, wrong, others;
} tally;

static void count(void *ctx, const char *kernel, bool passed, const char *detail)
{
    tally *n = ctx;
    (void)detail;
    if (!strncmp(kernel, "mat", 3) && strstr(kernel, "q4_0")) {
        n->products++;
        n->wrong += !passed;
        if (passed) printf("  not found out: %s\n", kernel);
    } else {
        n->others += !passed && !strstr(kernel, "q4_0");
        if (!passed && !strstr(kernel, "q4_0")) printf("  failed: %s: %s\n", kernel, detail);
    }
}

/* Products of q4_0 compute in f32 here, so an error of one percent in one row is no rounding. */
static void one_percent_of_one_row(void)
{
    weft_backend *b = NULL;
    weft_backend_vt planted;
    tally n = { 0 };
    if (!set_up() || !CHECK_OK(weft_backend_open(spec, &b, &err), err)) return;
    real = b->vt;
    planted = *real;
    planted.weight_write = write_off;
    b->vt = &planted;
    CHECK_OK(weft_backend_self_test(b, count, &n, NULL, &err), err);
    CHECK(n.products >= 2);
    CHECK_EQ_INT(n.wrong, n.products);
    CHECK_EQ_INT(n.others, 0);
    b->vt = real;
    weft_backend_close(b);
    each_file(NULL);
}

static char condemned[64];

/* Every form of `condemned` that the file knows by now has failed. */
static void condemn(const char *path)
{
    char line[512], all[8192] = "";
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *word = strstr(line, " passed");
        if (word && !strncmp(line, condemned, strlen(condemned))) strcpy(word, " failed by hand\n");
        strncat(all, line, sizeof all - strlen(all) - 1);
    }
    if (f) fclose(f);
    f = fopen(path, "w");
    if (CHECK(f != NULL)) {
        fputs(all, f);
        fclose(f);
    }
}

/* Verdicts are of what is compiled: one row of x is another pipeline than two, which has a probe, and than three, which
 * has none and is not trusted where another form has failed. */
static void a_form_fails_alone(void)
{
    char one[48], again[48], two[48], three[48];
    if (!set_up()) return;
    if (CHECK_OK(product_of(PRODUCT("1"), one), err)) {
        snprintf(condemned, sizeof condemned, "%s ", one);
        each_file(condemn);
        CHECK_OK(product_of(PRODUCT("1"), again), err);
        CHECK_OK(product_of(PRODUCT("2"), two), err);
        CHECK_OK(product_of(PRODUCT("3"), three), err);
        CHECK(strcmp(one, again) != 0);
        CHECK(!strcmp(one, two));
        CHECK(strcmp(one, three) != 0);
    }
    each_file(NULL);
}

static void older(const char *path)
{
    FILE *f = fopen(path, "r+");
    if (!CHECK(f != NULL)) return;
    fputs("weft-verdicts 1", f); /* as long as the version of today */
    fclose(f);
}

/* What another version has written is not read: its lines may mean something else. */
static void verdicts_of_another_version(void)
{
    result r;
    if (!set_up()) return;
    if (CHECK_OK(run(true, false, &r), err)) {
        strcpy(condemned, "norm ");
        each_file(condemn);
        CHECK_STATUS(run(true, false, &r), WEFT_UNSUPPORTED, err);
        each_file(older);
        CHECK_OK(run(true, false, &r), err);
        CHECK(!*r.disabled);
    }
    each_file(NULL);
}

/* A test that was cancelled takes its verdict back, whichever stands behind it by now. */
static void a_verdict_is_taken_back(void)
{
    weft_kernel_choice c[3] = { { .name = "first", .compiled = 1 }, { .name = "second", .compiled = 2 },
                                { .name = "third", .compiled = 3 } };
    weft_backend *b = NULL;
    if (!set_up() || !CHECK_OK(weft_backend_open(spec, &b, &err), err)) return;
    for (int i = 0; i < 3; i++) b->vt->judge(b, &c[i], WEFT_VERDICT_FAILED, "by hand");
    b->vt->judge(b, &c[0], WEFT_VERDICT_NONE, "");
    CHECK_EQ_INT(b->vt->verdict(b, &c[0]), WEFT_VERDICT_NONE);
    CHECK_EQ_INT(b->vt->verdict(b, &c[1]), WEFT_VERDICT_FAILED);
    CHECK_EQ_INT(b->vt->verdict(b, &c[2]), WEFT_VERDICT_FAILED);
    b->vt->judge(b, &c[2], WEFT_VERDICT_NONE, "");
    CHECK_EQ_INT(b->vt->verdict(b, &c[2]), WEFT_VERDICT_NONE);
    b->vt->judge(b, &c[1], WEFT_VERDICT_NONE, "");
    CHECK_EQ_INT(b->vt->verdict(b, &c[1]), WEFT_VERDICT_NONE);
    weft_backend_close(b);
    each_file(NULL);
}

static const weft_test tests[] = {
    { "a wrong product makes way", a_wrong_product_makes_way },
    { "without another kernel: the CPU or nothing", without_another_kernel_the_cpu_or_nothing },
    { "a test that did not come back", a_test_that_did_not_come_back },
    { "a cancelled test is no verdict", a_cancelled_test_is_no_verdict },
    { "one percent of one row", one_percent_of_one_row },
    { "a form fails alone", a_form_fails_alone },
    { "verdicts of another version", verdicts_of_another_version },
    { "a verdict is taken back", a_verdict_is_taken_back },
};
TEST_MAIN(tests)
