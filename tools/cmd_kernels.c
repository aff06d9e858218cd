/* cmd_kernels.c: `weft kernels`: how fast a device's matrix products are, beside its own limits in the same run.
 *
 * A product is measured as it stands in a model: a chain of linear nodes, each adding the result of the one before,
 * over as many different weights as leave the caches, in one submission of at least some milliseconds. One column
 * counts bytes of weights against the bandwidth of a stream that is only read; many columns count 2 N K per column
 * against the peak of multiply-adds; both limits are measured by weft_backend_roof first (and again, to see whether
 * they moved). */
#include "tools/conditions.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, MAX_CHAIN = 512, LEAVE_CACHES = 256 << 20 };

static const cli_option options[] = {
    { .name = "shape", .kind = CLI_TEXT, .value = "NxK", .repeats = true,
      .help = "a matrix of N rows and K columns (default: those of pythia-1.4b, pythia-6.9b and gpt-neox-20b)" },
    { .name = "columns", .kind = CLI_WHOLE, .value = "N", .min = 2, .max = 4096,
      .help = "columns of the matrix-matrix products (default: 512)" },
    { .name = "exact", .kind = CLI_FLAG, .help = "float32 arithmetic alone" },
    { .name = NULL },
};

typedef struct shape { const char *model, *part; uint32_t n, k; } shape;
static const shape shapes[] = {
    { "pythia-1.4b", "query_key_value", 6144, 2048 },   { "pythia-1.4b", "dense", 2048, 2048 },
    { "pythia-1.4b", "dense_h_to_4h", 8192, 2048 },     { "pythia-1.4b", "dense_4h_to_h", 2048, 8192 },
    { "pythia-6.9b", "query_key_value", 12288, 4096 },  { "pythia-6.9b", "dense", 4096, 4096 },
    { "pythia-6.9b", "dense_h_to_4h", 16384, 4096 },    { "pythia-6.9b", "dense_4h_to_h", 4096, 16384 },
    { "gpt-neox-20b", "query_key_value", 18432, 6144 }, { "gpt-neox-20b", "dense", 6144, 6144 },
    { "gpt-neox-20b", "dense_h_to_4h", 24576, 6144 },   { "gpt-neox-20b", "dense_4h_to_h", 6144, 24576 },
};

/* The n-th type that weights can have in memory; ANY: there is no more. */
static weft_dtype format(uint32_t n)
{
    for (weft_dtype t = WEFT_ANY + 1; t < WEFT_DTYPE_COUNT; t++)
        if (weft_dtype_quantizes(t) && !n--) return t;
    return WEFT_ANY;
}

static uint32_t count_formats(void)
{
    uint32_t n = 0;
    while (format(n) != WEFT_ANY) n++;
    return n;
}

typedef struct kernels {
    weft_backend *b;
    weft_device_info info;
    weft_roof roof; /* before the tables */
    conditions conditions;
    cli_work work;
    bool exact;
    uint32_t columns;
} kernels;

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
static weft_status make_chain(const shape *s, weft_dtype t, uint32_t columns, uint32_t chain, uint32_t distinct,
                              weft_graph **out, weft_error *err)
{
    WEFT_TRY(weft_graph_create(NULL, out, err));
    weft_graph *g = *out;
    weft_ref w[MAX_CHAIN], x[MAX_CHAIN], y = { 0 };
    char name[16];
    for (uint32_t i = 0; i < distinct; i++)
        w[i] = weft_weight(g, t, WEFT_DIMS(s->n, s->k), numbered(name, 'w', i));
    for (uint32_t i = 0; i < inputs_of(chain, distinct); i++)
        x[i] = weft_input(g, WEFT_F32, WEFT_DIMS(columns, s->k), numbered(name, 'x', i));
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
static weft_status time_runs(weft_program *p, const shape *s, uint32_t columns, uint32_t n_inputs, double *median,
                             weft_error *err)
{
    double seconds[ROUNDS];
    size_t n = (size_t)columns * s->k;
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

/* Seconds of one product, and the peak of the arithmetic that its kernel uses. */
static weft_status measure(const kernels *k, const shape *s, weft_dtype t, uint32_t columns, double *seconds,
                           double *peak, weft_error *err)
{
    uint64_t row;
    if (!weft_dtype_row_bytes(t, s->k, &row)) return WEFT_FAIL(err, WEFT_LIMIT, "%u columns are no blocks", s->k);
    double bytes = (double)row * s->n, guess = bytes / k->roof.bytes_per_second;
    double ops = 2.0 * s->n * s->k * columns / (k->roof.f32_ops_per_second / 4);
    if (ops > guess) guess = ops;
    double want = 0.01 / guess + 1, many = (double)LEAVE_CACHES / bytes + 1;
    if (k->info.memory_known && many * bytes > (double)k->info.memory / 2) many = (double)k->info.memory / 2 / bytes;
    uint32_t distinct = many < 1 ? 1 : many > 64 ? 64 : (uint32_t)many;
    uint32_t chain = want > MAX_CHAIN ? MAX_CHAIN : (uint32_t)want < 4 ? 4 : (uint32_t)want;
    if (chain < distinct && columns == 1) chain = distinct;
    if (distinct > chain) distinct = chain;
    weft_graph *g;
    weft_program *p = NULL;
    weft_weights *weights = NULL;
    cli_noise noise;
    WEFT_TRY(make_chain(s, t, columns, chain, distinct, &g, err));
    weft_program_desc d = { .devices = (weft_backend *const *)&k->b, .n_devices = 1, .exact = k->exact,
                            .progress = cli_progress() };
    weft_status status = cli_noise_open(g, &noise, err);
    weft_weight_source source = cli_noise_source(&noise);
    if (!status) status = weft_program_create(g, &d, &p, err);
    if (!status && weft_program_plan(p)->n_steps < chain)
        status = WEFT_FAIL(err, WEFT_INTERNAL, "of %u products only %u are made", chain, weft_program_plan(p)->n_steps);
    if (!status) {
        weft_place first = weft_program_place(p, weft_program_plan(p)->steps[0].node);
        *peak = weft_roof_peak(&k->roof, first.arithmetic);
    }
    if (!status) status = weft_weights_create(&source, 1, &weights, err);
    if (!status) status = weft_program_load(p, weights, NULL, err);
    if (!status) status = time_runs(p, s, columns, inputs_of(chain, distinct), seconds, err);
    *seconds /= chain;
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    cli_noise_close(&noise);
    weft_graph_destroy(g);
    return status;
}

/* A cell: "812 (0.83)"; what does not fit is a dash. */
static int add_cell(kernels *k, const shape *s, weft_dtype t, uint32_t columns, const weft_writer *out)
{
    weft_error err;
    double seconds = 0, peak = 0;
    weft_status status = measure(k, s, t, columns, &seconds, &peak, &err);
    bool unfit = status == WEFT_LIMIT || status == WEFT_OOM;
    if (unfit || !status) status = cli_work_did(&k->work, 1, &err);
    if (status) return cli_report(&err);
    if (unfit) return weft_writef(out, " - |"), 0;
    uint64_t row;
    weft_dtype_row_bytes(t, s->k, &row);
    double bytes = (double)row * s->n / seconds, ops = 2.0 * s->n * s->k * columns / seconds;
    if (columns == 1) weft_writef(out, " %.4g (%.0f %%) |", bytes * 1e-9, 100 * bytes / k->roof.bytes_per_second);
    else weft_writef(out, " %.4g (%.0f %%) |", ops * 1e-9, 100 * ops / peak);
    return 0;
}

static int print_table(kernels *k, const shape *list, uint32_t n, uint32_t columns)
{
    if (columns == 1) printf("\nMatrix-vector products, GB/s of weights (of the read bandwidth):\n\n");
    else printf("\nMatrix products with %u columns, GFLOP/s (of the peak of the kernel's arithmetic):\n\n", columns);
    printf("| matrix | rows x columns |");
    for (uint32_t f = 0; f < count_formats(); f++) printf(" %s |", weft_dtype_get(format(f))->name);
    printf("\n|---|---|");
    for (uint32_t f = 0; f < count_formats(); f++) printf("---|");
    printf("\n");
    for (uint32_t i = 0; i < n; i++) {
        weft_text row = { 0 };
        weft_writer w = weft_text_writer(&row);
        int status = 0;
        weft_writef(&w, "| %s%s%s | %u x %u |", list[i].model, *list[i].part ? " " : "", list[i].part, list[i].n,
                    list[i].k);
        for (uint32_t f = 0; f < count_formats() && !status; f++)
            status = add_cell(k, &list[i], format(f), columns, &w);
        if (!status && row.failed) status = cli_fail("kernels: out of memory");
        if (!status) {
            cli_progress_end();
            printf("%s\n", row.data);
            fflush(stdout);
        }
        weft_text_free(&row);
        if (status) return status;
    }
    return 0;
}

static void print_warnings(kernels *k)
{
    weft__warnings w;
    conditions_end(&k->conditions);
    weft__conditions_warnings(&k->conditions.sum, k->conditions.devices->n, &w);
    for (uint32_t i = 0; i < w.n; i++) printf("%sWarning: %s.\n", i ? "" : "\n", w.text[i]);
}

static int run_tables(const cli_args *a, kernels *k)
{
    weft_error err;
    const char *const *given;
    uint32_t n = cli_texts(a, "shape", &given), rest;
    shape own[CLI_MAX_VALUES];
    for (uint32_t i = 0; i < n; i++) {
        own[i] = (shape){ "given", "", 0, 0 };
        char tail;
        if (sscanf(given[i], "%ux%u%c", &own[i].n, &own[i].k, &tail) != 2 || !own[i].n || !own[i].k ||
            own[i].n > 1 << 20 || own[i].k > 1 << 20)
            return cli_misuse("--shape %s: expected two numbers like 8192x2048", given[i]);
    }
    rest = sizeof shapes / sizeof *shapes;
    if (conditions_turn(&k->conditions, &err)) return cli_report(&err);
    k->roof = k->conditions.roofs[0];
    printf("%s\n\n%s; read bandwidth %.4g GB/s, multiply-adds %.4g GFLOP/s (f32), %.4g GFLOP/s (f16 matrices; 0: "
           "none), measured in this run.\n", k->info.description, k->info.features, k->roof.bytes_per_second * 1e-9,
           k->roof.f32_ops_per_second * 1e-9, k->roof.f16_matrix_ops_per_second * 1e-9);
    cli_progress_end();
    fflush(stdout);
    uint64_t cells = (uint64_t)(n ? n : rest) * count_formats() * 2;
    if (cli_work_begin(&k->work, "measuring products", cells, "products", &err)) return cli_report(&err);
    int status = print_table(k, n ? own : shapes, n ? n : rest, 1);
    if (!status && conditions_turn(&k->conditions, &err)) status = cli_report(&err);
    if (!status) status = print_table(k, n ? own : shapes, n ? n : rest, k->columns);
    if (!status && conditions_turn(&k->conditions, &err)) status = cli_report(&err);
    cli_work_end(&k->work);
    if (!status) print_warnings(k);
    return status;
}

static int run_kernels(const cli_args *a)
{
    cli_device_list devices;
    int status = cli_devices_open(a, &devices);
    kernels k = { .b = devices.device[0], .exact = cli_has(a, "exact"), .columns = cli_u32(a, "columns", 512) };
    if (!status) weft_backend_info(k.b, &k.info);
    conditions_begin(&k.conditions, &devices, cli_progress());
    if (!status) status = run_tables(a, &k);
    cli_work_end(&k.work);
    cli_devices_close(&devices);
    return status;
}

const cli_command cli_kernels = {
    .name = "kernels", .summary = "Times a device's matrix products beside its own limits, as Markdown",
    .plans = true, .options = options, .run = run_kernels,
};
