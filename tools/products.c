/* products.c: times matrix products for products.h. */
#include "backends/noise.h"
#include "tools/products.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, MAX_CHAIN = 512, LEAVE_CACHES = 256 << 20 };

weft_dtype product_format(uint32_t n)
{
    for (weft_dtype t = WEFT_ANY + 1; t < WEFT_DTYPE_COUNT; t++)
        if (weft_dtype_quantizes(t) && !n--) return t;
    return WEFT_ANY;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Inputs that it takes for no two of `chain` products over `distinct` weights to be equal: those are made once. */
static uint32_t inputs_of(uint32_t chain, uint32_t distinct)
{
    return (chain + distinct - 1) / distinct;
}

static const char *numbered(char name[16], char letter, uint32_t i)
{
    snprintf(name, 16, "%c%u", letter, i);
    return name;
}

/* W0 x -> W1 x + that -> ...: `chain` products over `distinct` weights. */
static weft_status make_chain(const product *s, uint32_t chain, uint32_t distinct, weft_graph **out, weft_error *err)
{
    WEFT_TRY(weft_graph_create(NULL, out, err));
    weft_graph *g = *out;
    weft_ref w[MAX_CHAIN], x[MAX_CHAIN], y = { 0 };
    char name[16];
    for (uint32_t i = 0; i < distinct; i++)
        w[i] = weft_weight(g, s->type, WEFT_DIMS(s->n, s->k), numbered(name, 'w', i));
    for (uint32_t i = 0; i < inputs_of(chain, distinct); i++)
        x[i] = weft_input(g, WEFT_F32, WEFT_DIMS(s->columns, s->k), numbered(name, 'x', i));
    for (uint32_t i = 0; i < chain; i++) {
        weft_ref p = weft_matmul_nt(g, x[i / distinct], w[i % distinct]);
        y = i ? weft_add(g, y, p) : p;
    }
    weft_output(g, y, "y");
    weft_status status = weft_graph_seal(g, err);
    if (status) weft_graph_destroy(g);
    return status;
}

/* Median seconds of a run of the program, its inputs being ones. */
static weft_status time_runs(weft_program *p, const product *s, uint32_t n_inputs, double *median, weft_error *err)
{
    double seconds[ROUNDS];
    size_t n = (size_t)s->columns * s->k;
    float *x = malloc(n * sizeof *x);
    if (!x) return WEFT_OOM_FAIL(err, "a vector");
    for (size_t i = 0; i < n; i++) x[i] = 1.0f;
    weft_status status = WEFT_OK;
    for (int i = -2; i < ROUNDS && !status; i++) { /* two to warm up */
        char name[16];
        for (uint32_t k = 0; k < n_inputs && !status; k++) {
            weft_ref port;
            status = weft_program_port(p, numbered(name, 'x', k), &port, err);
            if (!status) status = weft_program_write(p, port, 0, x, n * sizeof *x, err);
        }
        double start = weft__seconds();
        if (!status) status = weft_program_run(p, err);
        if (i >= 0) seconds[i] = weft__seconds() - start;
    }
    free(x);
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    *median = seconds[ROUNDS / 2];
    return status;
}

/* How many products a run has, over how many weights: of at least some milliseconds, beyond the caches. */
static void size_chain(const weft_device_info *info, const weft_roof *roof, const product *s, double bytes,
                       uint32_t *chain, uint32_t *distinct)
{
    const double ops = 2.0 * s->n * s->k * s->columns / (roof->f32_ops_per_second / 4);
    double guess = bytes / roof->bytes_per_second;
    if (ops > guess) guess = ops;
    double want = 0.01 / guess + 1, many = (double)LEAVE_CACHES / bytes + 1;
    if (info->memory_known && many * bytes > (double)info->memory / 2) many = (double)info->memory / 2 / bytes;
    *distinct = many < 1 ? 1 : many > 64 ? 64 : (uint32_t)many;
    *chain = want > MAX_CHAIN ? MAX_CHAIN : (uint32_t)want < 4 ? 4 : (uint32_t)want;
    if (*chain < *distinct && s->columns == 1) *chain = *distinct;
    if (*distinct > *chain) *distinct = *chain;
}

static weft_status run_chain(weft_program *p, weft_weights *weights, const product *s, uint32_t chain,
                             uint32_t distinct, product_time *out, weft_error *err)
{
    const weft_plan *plan = weft_program_plan(p);
    if (plan->n_steps < chain)
        return WEFT_FAIL(err, WEFT_INTERNAL, "of %u products only %u are made", chain, plan->n_steps);
    const weft_place first = weft_program_place(p, plan->steps[0].node);
    out->arithmetic = first.arithmetic;
    snprintf(out->kernel, sizeof out->kernel, "%s", first.kernel);
    WEFT_TRY(weft_program_load(p, weights, NULL, err));
    WEFT_TRY(time_runs(p, s, inputs_of(chain, distinct), &out->seconds, err));
    out->seconds /= chain;
    return WEFT_OK;
}

weft_status product_measure(weft_backend *b, const weft_device_info *info, const weft_roof *roof, const product *s,
                            const weft_progress_sink *progress, product_time *out, weft_error *err)
{
    uint64_t row;
    uint32_t chain, distinct;
    weft_graph *g;
    weft_program *p = NULL;
    weft_weights *weights = NULL;
    weft__noise noise;
    *out = (product_time){ 0 };
    if (!weft_dtype_row_bytes(s->type, s->k, &row))
        return WEFT_FAIL(err, WEFT_LIMIT, "%u columns are no blocks", s->k);
    out->bytes = (double)row * s->n;
    out->ops = 2.0 * s->n * s->k * s->columns;
    size_chain(info, roof, s, out->bytes, &chain, &distinct);
    WEFT_TRY(make_chain(s, chain, distinct, &g, err));
    weft_program_desc d = { .devices = &b, .n_devices = 1, .exact = s->exact, .progress = *progress };
    weft_status status = weft__noise_open(g, &noise, err);
    const weft_weight_source source = weft__noise_source(&noise);
    if (!status) status = weft_program_create(g, &d, &p, err);
    if (!status) status = weft_weights_create(&source, 1, &weights, err);
    if (!status) status = run_chain(p, weights, s, chain, distinct, out, err);
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    weft__noise_close(&noise);
    weft_graph_destroy(g);
    return status;
}
