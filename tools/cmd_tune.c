/* cmd_tune.c: `weft tune`: measures how a device's kernels run fastest (backends/tune.h), for a model's shapes or for
 * those that most models have. */
#include "backends/tune.h"
#include "tools/cli.h"

#include <string.h>

enum { MAX_SHAPES = 512 };
/* Below this a device is not given the sizes of large models: multiply-adds per second. */
#define SLOW 1e12

static const cli_option options[] = {
    { .name = "budget", .kind = CLI_WHOLE, .value = "SECONDS", .min = 1, .max = 86400,
      .help = "seconds that it may take; another call goes on where this one stops (default: 300)" },
    { .name = "again", .kind = CLI_FLAG, .help = "measure also what is in the cache" },
    { .name = "export", .kind = CLI_TEXT, .value = "NAME",
      .help = "measure nothing: print what is in the cache as a row of backends/gpu/tuning.def of this name" },
    { .name = NULL },
};

typedef struct shapes {
    weft_tune_shape list[MAX_SHAPES];
    uint32_t n;
} shapes;

typedef struct tally { uint32_t measured, known, changed, wrong, skipped; } tally;

/* ---- shapes ---- */

static void add_shape(shapes *s, weft_tune_shape shape)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (!memcmp(&s->list[i], &shape, sizeof shape)) return;
    if (s->n < MAX_SHAPES) s->list[s->n++] = shape;
}

/* Runs of as many tokens as sessions plan programs for; decoding first. */
static const uint32_t runs[] = { 1, 512, 8, 32, 128 };
enum { N_RUNS = sizeof runs / sizeof *runs };

static void add_standard(shapes *s, const weft_roof *roof)
{
    static const weft_dtype types[] = { WEFT_Q4_0, WEFT_Q4_K, WEFT_Q8_0, WEFT_F16, WEFT_Q6_K };
    const bool slow = roof->f32_ops_per_second < SLOW;
    const uint32_t size = slow ? 1024 : 4096, n_types = sizeof types / sizeof *types;
    for (uint32_t r = 0; r < N_RUNS; r++) {
        for (uint32_t t = 0; t < n_types; t++)
            add_shape(s, (weft_tune_shape){ types[t], size, size, runs[r], 0, 0 });
        for (uint32_t d = 64; d <= 128; d += 64)
            add_shape(s, (weft_tune_shape){ WEFT_F16, size, d, runs[r], slow ? 8 : 32, slow ? 4 : 8 });
        for (uint32_t t = 0; t < n_types && !slow; t++) {
            add_shape(s, (weft_tune_shape){ types[t], size, 2 * size, runs[r], 0, 0 });
            add_shape(s, (weft_tune_shape){ types[t], size, size / 2, runs[r], 0, 0 });
            add_shape(s, (weft_tune_shape){ types[t], 2 * size, size, runs[r], 0, 0 });
        }
    }
}

static void add_program(shapes *s, const weft_program *p)
{
    weft_tune_shape found[MAX_SHAPES];
    const uint32_t n = p ? weft_tune_shapes(p, 0, found, MAX_SHAPES) : 0;
    for (uint32_t i = 0; i < n; i++) add_shape(s, found[i]);
}

static void add_source(shapes *s, const cli_source *source)
{
    for (uint32_t r = 0; r < N_RUNS && source->plan; r++)
        add_program(s, weft_session_plan_program(source->plan, runs[r]));
    for (uint32_t i = 0; i < source->n && !source->plan; i++) add_program(s, source->programs[i]);
}

/* ---- telling ---- */

static void print_shape(const weft_tune_shape *s)
{
    cli_progress_end();
    if (s->heads)
        printf("attention %s, %u cells of %u x %u, %u token%s", weft_dtype_get(s->type)->name, s->rows, s->groups,
               s->columns, s->tokens, s->tokens > 1 ? "s" : "");
    else
        printf("product %s, %u x %u, %u token%s", weft_dtype_get(s->type)->name, s->rows, s->columns, s->tokens,
               s->tokens > 1 ? "s" : "");
}

static void print_result(void *ctx, const weft_tune_result *r)
{
    tally *t = ctx;
    t->measured += !r->known;
    t->known += r->known;
    t->changed += *r->setting != 0;
    if (r->known) return;
    print_shape(r->shape);
    printf(": %s, %s: %.1f us", r->kernel, *r->setting ? r->setting : "as the row says", r->seconds * 1e6);
    if (*r->setting && r->row_seconds > 0) printf(", %.2f times as fast as the row", r->row_seconds / r->seconds);
    printf(" (%u settings", r->tried);
    if (r->skipped) printf(", of which %u could not be tested", r->skipped);
    printf(")\n");
    fflush(stdout);
}

static void print_wrong(void *ctx, const weft_tune_wrong *w)
{
    tally *t = ctx;
    t->wrong++;
    print_shape(w->shape);
    printf(": WRONG with %s: %s\n", *w->setting ? w->setting : "the row", w->detail);
    fflush(stdout);
}

static void print_skipped(void *ctx, const weft_tune_shape *shape, const char *why)
{
    tally *t = ctx;
    t->skipped++;
    print_shape(shape);
    printf(": skipped: %s\n", why);
    fflush(stdout);
}

static weft_status print_row(weft_backend *b, const char *name, weft_error *err)
{
    weft_writer out = cli_stdout();
    return weft_backend_tuned(b, name, &out, err);
}

/* ---- the command ---- */

static int tune(const cli_args *a, weft_backend *b, const shapes *s)
{
    weft_error err;
    tally t = { 0 };
    uint32_t left = 0;
    const weft_tune_desc desc = { .seconds = cli_u32(a, "budget", 300), .again = cli_has(a, "again"),
                                  .done = print_result, .found_wrong = print_wrong, .skipped = print_skipped,
                                  .ctx = &t, .progress = cli_progress() };
    const weft_status status = weft_backend_tune(b, s->list, s->n, &desc, &left, &err);
    cli_progress_end();
    printf("%u shapes measured, %u known before; %u of them run otherwise than the row says; %u settings are wrong\n",
           t.measured, t.known, t.changed, t.wrong);
    if (t.skipped) printf("%u shapes are skipped: nothing is kept for them\n", t.skipped);
    if (left) printf("no time for %u more: `weft tune` again goes on from here\n", left);
    return status ? cli_report(&err) : 0;
}

static int tune_standard(const cli_args *a)
{
    static shapes s;
    weft_error err;
    weft_roof roof;
    cli_device_list devices;
    int status = cli_devices_open(a, &devices);
    s.n = 0;
    if (!status && cli_has(a, "export")) {
        if (print_row(devices.device[0], cli_text(a, "export", ""), &err)) status = cli_report(&err);
    } else if (!status) {
        const weft_progress_sink progress = cli_progress();
        if (weft_backend_roof(devices.device[0], 0.05, &progress, &roof, &err)) status = cli_report(&err);
        else add_standard(&s, &roof);
        if (!status) status = tune(a, devices.device[0], &s);
    }
    cli_devices_close(&devices);
    return status;
}

static int tune_model(const cli_args *a)
{
    static shapes s;
    cli_source source;
    int status = cli_source_open(a, true, &source);
    s.n = 0;
    if (!status) add_source(&s, &source);
    if (!status) status = tune(a, source.devices.device[0], &s);
    cli_source_close(&source);
    return status;
}

static int run_tune(const cli_args *a)
{
    const char *name = cli_text(a, "export", "row");
    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
        return cli_misuse("--export %s: expected a name of small letters, digits and _", name);
    if (a->model && cli_has(a, "export")) return cli_misuse("--export: what is kept is of a device, not of a model");
    if (cli_has(a, "no-cache")) return cli_misuse("--no-cache: what is measured would not be kept");
    return a->model ? tune_model(a) : tune_standard(a);
}

const cli_command cli_tune = {
    .name = "tune", .summary = "Measures how a device's kernels run fastest, and keeps it", .positional = "MODEL",
    .optional = true, .plans = true, .sources = true, .options = options, .run = run_tune,
};
