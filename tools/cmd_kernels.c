/* cmd_kernels.c: `weft kernels`: how fast a device's matrix products are (products.h), beside its own limits in the
 * same run. One column counts bytes of weights against the bandwidth of a stream that is only read; many columns count
 * 2 N K per column against the peak of multiply-adds; both limits are measured by weft_backend_roof first (and again,
 * to see whether they moved). */
#include "tools/conditions.h"
#include "tools/products.h"

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

static uint32_t count_formats(void)
{
    uint32_t n = 0;
    while (product_format(n) != WEFT_ANY) n++;
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

/* A cell: "812 (0.83)"; what does not fit is a dash. */
static int add_cell(kernels *k, const shape *s, weft_dtype t, uint32_t columns, const weft_writer *out)
{
    weft_error err;
    product_time p;
    const product what = { s->n, s->k, columns, t, k->exact };
    const weft_progress_sink progress = cli_progress();
    weft_status status = product_measure(k->b, &k->info, &k->roof, &what, &progress, &p, &err);
    bool unfit = status == WEFT_LIMIT || status == WEFT_OOM;
    if (unfit || !status) status = cli_work_did(&k->work, 1, &err);
    if (status) return cli_report(&err);
    if (unfit) return weft_writef(out, " - |"), 0;
    const double bytes = p.bytes / p.seconds, ops = p.ops / p.seconds, peak = weft_roof_peak(&k->roof, p.arithmetic);
    if (columns == 1) weft_writef(out, " %.4g (%.0f %%) |", bytes * 1e-9, 100 * bytes / k->roof.bytes_per_second);
    else weft_writef(out, " %.4g (%.0f %%) |", ops * 1e-9, 100 * ops / peak);
    return 0;
}

static int print_table(kernels *k, const shape *list, uint32_t n, uint32_t columns)
{
    if (columns == 1) printf("\nMatrix-vector products, GB/s of weights (of the read bandwidth):\n\n");
    else printf("\nMatrix products with %u columns, GFLOP/s (of the peak of the kernel's arithmetic):\n\n", columns);
    printf("| matrix | rows x columns |");
    for (uint32_t f = 0; f < count_formats(); f++) printf(" %s |", weft_dtype_get(product_format(f))->name);
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
            status = add_cell(k, &list[i], product_format(f), columns, &w);
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
