/* tune_programs.c: the graphs and programs that settings are tested and timed with (tune_impl.h). Runs are some
 * milliseconds long: enough for a clock, short for a watchdog. */
#include "backends/tune_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/names.h"
#include "backends/program.h"

#define RUN_SECONDS 0.005 /* of a chain, where the device does its work at a quarter of its roof */
enum { LEAVE_CACHES = 256 << 20, MOST_DISTINCT = 32, TEST_ROWS = 272, TEST_CELLS = 1100, TEST_TOKENS = 136,
       TEST_QUERIES = 40, FEW_TOKENS = 8, LONG_ROW = 32768, SHORT_ROW = 1024 };

const weft__tuning *weft__tuning_of(const weft_backend *b)
{
#ifdef WEFT_VULKAN
    if (b->vt == &weft__backend_vulkan) return &weft__tuning_vulkan;
#endif
    (void)b;
    return NULL;
}

/* ---- graphs ---- */

static const char *numbered(char name[16], char letter, uint32_t i)
{
    snprintf(name, 16, "%c%u", letter, i);
    return name;
}

/* Inputs that it takes for no two of `chain` products over `distinct` weights to be equal: those are made once. */
static uint32_t inputs_of(const weft__tune_bench *t)
{
    return t->shape->heads ? 1 : (t->chain + t->distinct - 1) / t->distinct;
}

/* W0 x -> W1 x + that -> ... */
static weft_ref add_products(weft_graph *g, const weft_tune_shape *s, uint32_t chain, uint32_t distinct)
{
    weft_ref w[WEFT__TUNE_CHAIN], x[WEFT__TUNE_CHAIN], y = { 0 };
    char name[16];
    for (uint32_t i = 0; i < distinct; i++)
        w[i] = weft_weight(g, s->type, WEFT_DIMS(s->rows, s->columns), numbered(name, 'w', i));
    for (uint32_t i = 0; i * distinct < chain; i++)
        x[i] = weft_input(g, WEFT_F32, WEFT_DIMS(s->tokens, s->columns), numbered(name, 'x', i));
    for (uint32_t i = 0; i < chain; i++) {
        weft_ref p = weft_matmul_nt(g, x[i / distinct], w[i % distinct]);
        y = i ? weft_add(g, y, p) : p;
    }
    return y;
}

/* attention(x, K0, V0) -> attention(that, K1, V1) -> ..., of the last tokens of a sequence that fills the cache. */
static weft_ref add_attentions(weft_graph *g, const weft_tune_shape *s, uint32_t chain, uint32_t distinct)
{
    char name[16];
    weft_ref k[WEFT__TUNE_CHAIN], v[WEFT__TUNE_CHAIN];
    int32_t *seen = calloc(2 * (size_t)s->tokens, sizeof *seen);
    if (!seen) return weft_constant(g, WEFT_I32, WEFT_DIMS(s->tokens), NULL); /* the graph says that it has failed */
    for (uint32_t i = 0; i < s->tokens; i++) seen[s->tokens + i] = (int32_t)(s->rows - s->tokens + i);
    const weft_ref first = weft_constant(g, WEFT_I32, WEFT_DIMS(s->tokens), seen);
    const weft_ref last = weft_constant(g, WEFT_I32, WEFT_DIMS(s->tokens), seen + s->tokens);
    free(seen);
    for (uint32_t i = 0; i < distinct; i++) {
        k[i] = weft_weight(g, s->type, WEFT_DIMS(s->groups, s->rows, s->columns), numbered(name, 'k', i));
        v[i] = weft_weight(g, s->type, WEFT_DIMS(s->groups, s->rows, s->columns), numbered(name, 'v', i));
    }
    weft_ref y = weft_input(g, WEFT_F32, WEFT_DIMS(s->tokens, s->heads, s->columns), "x0");
    for (uint32_t i = 0; i < chain; i++)
        y = weft_attention(g, y, k[i % distinct], v[i % distinct], first, last, 1.0f / sqrtf((float)s->columns));
    return y;
}

static weft_status make_graph(const weft_tune_shape *s, uint32_t chain, uint32_t distinct, weft_graph **out,
                              weft_error *err)
{
    WEFT_TRY(weft_graph_create(NULL, out, err));
    const weft_ref y = s->heads ? add_attentions(*out, s, chain, distinct) : add_products(*out, s, chain, distinct);
    weft_output(*out, y, "y");
    weft_status status = weft_graph_seal(*out, err);
    if (status) weft_graph_destroy(*out), *out = NULL;
    return status;
}

/* A program in which shapes like this one run by the setting. Its kernels are not tested again: that is done here. */
static weft_status make_program(weft_backend *b, const weft_tune_shape *s, const char *setting, const weft_graph *g,
                                const weft_progress_sink *progress, bool keep, weft_program **out, weft_error *err)
{
    const weft_program_desc desc = { .devices = &b, .n_devices = 1, .progress = *progress, .keep = keep };
    *out = NULL;
    const weft__tuning *tuning = weft__tuning_of(b);
    WEFT_TRY(tuning->try(b, s, setting, err));
    weft_status status = weft__program_create_untested(g, &desc, out, err);
    const weft_status back = tuning->try(b, s, NULL, status ? NULL : err);
    return status ? status : back;
}

/* The kernel of what the shape is about: the first step's. */
static weft_status find_choice(const weft_program *p, weft_kernel_choice *out, weft_error *err)
{
    for (uint32_t i = 0; i < p->s->plan->n_steps; i++) {
        const uint32_t id = p->s->plan->steps[i].node;
        const weft_op op = weft_graph_node_by_id(p->s->g, id)->op;
        if (op != WEFT_OP_linear && op != WEFT_OP_matmul_nt && op != WEFT_OP_attention) continue;
        *out = p->s->choices[id];
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_INTERNAL, "a program to be tuned has no step");
}

/* ---- timing ---- */

static void size_chain(weft__tune_bench *t, const weft_roof *roof)
{
    uint64_t row = 0;
    const weft_tune_shape *s = t->shape;
    weft_dtype_row_bytes(s->type, s->columns, &row);
    const double cells = s->heads ? (double)s->groups * s->rows * 2 : s->rows, bytes = (double)row * cells;
    const double ops = (s->heads ? 4.0 * s->heads : 2.0) * s->rows * s->columns * s->tokens;
    const double took = bytes / (roof->bytes_per_second / 4) + ops / (roof->f32_ops_per_second / 4);
    const double want = RUN_SECONDS / took + 1, many = LEAVE_CACHES / bytes + 1;
    t->chain = want > WEFT__TUNE_CHAIN ? WEFT__TUNE_CHAIN : (uint32_t)want;
    t->distinct = many < t->chain ? (uint32_t)many : t->chain;
    if (t->distinct > MOST_DISTINCT) t->distinct = MOST_DISTINCT;
}

weft_status weft__tune_bench_open(weft__tune_bench *t, weft_backend *b, const weft_tune_shape *shape,
                                  const weft_roof *roof, const weft_progress_sink *progress, weft_error *err)
{
    *t = (weft__tune_bench){ .b = b, .shape = shape, .progress = progress };
    size_chain(t, roof);
    WEFT_TRY(make_graph(shape, t->chain, t->distinct, &t->g, err));
    WEFT_TRY(weft__noise_open(t->g, &t->noise, err));
    const weft_weight_source source = weft__noise_source(&t->noise);
    WEFT_TRY(weft_weights_create(&source, 1, &t->weights, err));
    const size_t n = (size_t)shape->tokens * shape->columns * (shape->heads ? shape->heads : 1);
    t->ones = malloc(n * sizeof *t->ones);
    if (!t->ones) return WEFT_OOM_FAIL(err, "tuning");
    for (size_t i = 0; i < n; i++) t->ones[i] = 1.0f;
    return WEFT_OK;
}

void weft__tune_bench_close(weft__tune_bench *t)
{
    for (uint32_t i = 0; i < WEFT__TUNE_PROGRAMS; i++) weft_program_destroy(t->programs[i].p);
    weft_weights_destroy(t->weights);
    weft__noise_close(&t->noise);
    weft_graph_destroy(t->g);
    free(t->ones);
}

/* Loaded and profiled, where the device can. */
static weft_status program_of(weft__tune_bench *t, const char *setting, weft_program **out, weft_error *err)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < WEFT__TUNE_PROGRAMS; i++) {
        if (t->programs[i].p && !strcmp(t->programs[i].setting, setting)) {
            t->programs[i].used = ++t->clock;
            *out = t->programs[i].p;
            return WEFT_OK;
        }
        if (t->programs[i].used < t->programs[at].used) at = i;
    }
    weft_program_destroy(t->programs[at].p);
    t->programs[at].p = NULL;
    weft_program *p;
    weft_status s = make_program(t->b, t->shape, setting, t->g, t->progress, false, &p, err);
    if (!s) s = weft_program_load(p, t->weights, NULL, err);
    if (!s && weft_program_profile(p, WEFT_PROFILE_SCHEDULED, err) == WEFT_DEVICE_LOST) s = WEFT_DEVICE_LOST;
    if (s) {
        weft_program_destroy(p);
        return s;
    }
    snprintf(t->programs[at].setting, WEFT_TUNE_TEXT, "%s", setting);
    t->programs[at].p = *out = p;
    t->programs[at].used = ++t->clock;
    return WEFT_OK;
}

weft_status weft__tune_bench_choice(weft__tune_bench *t, const char *setting, weft_kernel_choice *out, weft_error *err)
{
    weft_program *p;
    WEFT_TRY(program_of(t, setting, &p, err));
    return find_choice(p, out, err);
}

/* From the first step's begin to the last one's end; 0: the device has no clock. */
static double device_seconds(const weft_program *p)
{
    uint64_t n, begin = UINT64_MAX, end = 0;
    const weft_span *spans = weft_program_spans(p, &n);
    for (uint64_t i = 0; i < n; i++) {
        if (spans[i].kind != WEFT_SPAN_STEP) continue;
        if (spans[i].begin < begin) begin = spans[i].begin;
        if (spans[i].end > end) end = spans[i].end;
    }
    return end > begin ? (double)(end - begin) * 1e-9 : 0;
}

weft_status weft__tune_bench_time(weft__tune_bench *t, const char *setting, double *seconds, weft_error *err)
{
    weft_program *p;
    weft_ref x;
    char name[16];
    const weft_tune_shape *s = t->shape;
    const uint64_t bytes = 4 * (uint64_t)s->tokens * s->columns * (s->heads ? s->heads : 1);
    WEFT_TRY(program_of(t, setting, &p, err));
    weft_program_spans_clear(p);
    for (uint32_t i = 0; i < inputs_of(t); i++) {
        WEFT_TRY(weft_program_port(p, numbered(name, 'x', i), &x, err));
        WEFT_TRY(weft_program_write(p, x, 0, t->ones, bytes, err));
    }
    const double begin = weft__seconds();
    WEFT_TRY(weft_program_run(p, err));
    const double host = weft__seconds() - begin, device = device_seconds(p);
    *seconds = (device > 0 ? device : host) / t->chain;
    weft__task alive; /* somebody may want to stop */
    return weft__task_begin(&alive, t->progress, "tuning", 0, "runs", err);
}

/* ---- testing ---- */

/* As small as may be without another kernel or another form of it: the same remainders, more than one tile. How many
 * chunks of a row a product of few tokens has in flight depends on how many there are, up to LONG_ROW (linear.c), so it
 * has its whole row. */
weft_tune_shape weft__tune_smaller(const weft_tune_shape *s)
{
    weft_tune_shape t = *s;
    const uint32_t columns = t.tokens <= FEW_TOKENS ? LONG_ROW : SHORT_ROW;
    if (s->heads) {
        if (t.tokens > TEST_QUERIES) t.tokens = TEST_QUERIES;
        if (t.rows > TEST_CELLS) t.rows = TEST_CELLS;
        if (t.groups > 2) t.heads = 2 * (t.heads / t.groups), t.groups = 2;
        return t;
    }
    if (t.rows > TEST_ROWS) t.rows = TEST_ROWS;
    if (t.columns > columns + 256) t.columns = columns + t.columns % 256;
    if (t.tokens > TEST_TOKENS) t.tokens = TEST_TOKENS;
    return t;
}

typedef struct verdict { bool right; char *detail; } verdict;

static bool note(void *ctx, const weft_check_node *c)
{
    verdict *v = ctx;
    if (!c->failed) return true;
    v->right = false;
    snprintf(v->detail, 96, "max error %.3g, tolerance %.3g, %llu NaN, %llu infinite", c->max_error, c->tolerance,
             (unsigned long long)c->n_nan, (unsigned long long)c->n_inf);
    return false;
}

/* Numbers in -1..1. */
static weft_status write_noise(weft_program *p, const weft_tune_shape *s, weft_error *err)
{
    weft_ref x;
    uint32_t state = 7;
    const size_t n = (size_t)s->tokens * s->columns * (s->heads ? s->heads : 1);
    float *data = malloc(n * sizeof *data);
    if (!data) return WEFT_OOM_FAIL(err, "tuning");
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(int32_t)(state & ~255u) * 0x1p-31f;
    }
    weft_status status = weft_program_port(p, "x0", &x, err);
    if (!status) status = weft_program_write(p, x, 0, data, n * sizeof *data, err);
    free(data);
    return status;
}

static weft_status check(weft_program *p, const weft_tune_shape *s, weft__noise *noise, verdict *v, weft_error *err)
{
    weft_weights *weights;
    const weft_weight_source source = weft__noise_source(noise);
    WEFT_TRY(weft_weights_create(&source, 1, &weights, err));
    weft_status status = weft_program_load(p, weights, NULL, err);
    if (!status) status = write_noise(p, s, err);
    if (!status) status = weft_program_check(p, &source, note, v, err);
    weft__program_unload(p);
    weft_weights_destroy(weights);
    return status;
}

weft_status weft__tune_form(weft_backend *b, const weft_tune_shape *shape, const char *setting,
                            const weft_progress_sink *progress, weft_kernel_choice *out, weft_error *err)
{
    const weft_tune_shape s = weft__tune_smaller(shape);
    weft_graph *g;
    weft_program *p = NULL;
    WEFT_TRY(make_graph(&s, 1, 1, &g, err));
    weft_status status = make_program(b, &s, setting, g, progress, true, &p, err);
    if (!status) status = find_choice(p, out, err);
    weft_program_destroy(p);
    weft_graph_destroy(g);
    return status;
}

weft_status weft__tune_test(weft_backend *b, const weft_tune_shape *shape, const char *setting,
                            const weft_progress_sink *progress, bool *right, char detail[96], weft_kernel_choice *out,
                            weft_error *err)
{
    const weft_tune_shape s = weft__tune_smaller(shape);
    verdict v = { true, detail };
    weft_graph *g;
    weft_program *p = NULL;
    weft__noise noise;
    WEFT_TRY(make_graph(&s, 1, 1, &g, err));
    weft_status status = weft__noise_open(g, &noise, err);
    if (!status) status = make_program(b, &s, setting, g, progress, true, &p, err);
    if (!status) status = find_choice(p, out, err);
    if (!status) status = check(p, &s, &noise, &v, err);
    weft_program_destroy(p);
    weft__noise_close(&noise);
    weft_graph_destroy(g);
    *right = !status && v.right;
    return status;
}
