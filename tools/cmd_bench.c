/* cmd_bench.c: `weft bench`: prompt and decode speed, and how much of the machine's own limits that is.
 *
 * Prompts are random token ids; only the last position's logits are computed. Decoding is greedy after 16 tokens. Work
 * per token comes from the graph's cost rules at the run's sizes; the limits are measured by weft_backend_roof in this
 * run. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { DECODE_PROMPT = 16, MAX_REPEAT = 1000 };

static const cli_option options[] = {
    { .name = "prompt-tokens", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 20,
      .help = "length of the prompt (default: 512)" },
    { .name = "decode-tokens", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 20,
      .help = "tokens to decode (default: 64)" },
    { .name = "repeat", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = MAX_REPEAT,
      .help = "measurements of each (default: 5)" },
    { .name = "json", .kind = CLI_FLAG, .help = "print one object" },
    { .name = NULL },
};

typedef struct rate { double median, min, max; } rate; /* tokens per second */

typedef struct bench {
    cli_run run;
    uint32_t n_prompt, n_decode, repeat;
    int32_t *ids;
    float *logits;
    weft_batch_token *batch;
    double seconds[MAX_REPEAT];
    rate prompt, decode;
    weft_roof roof;
    double flops_prompt, bytes_decode; /* per token */
    weft_load_times load;
    uint64_t peak_bytes;
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static rate rates(bench *b, uint32_t tokens)
{
    qsort(b->seconds, b->repeat, sizeof *b->seconds, compare);
    double mid =
        b->repeat % 2 ? b->seconds[b->repeat / 2] : (b->seconds[b->repeat / 2] + b->seconds[b->repeat / 2 - 1]) / 2;
    return (rate){ tokens / mid, tokens / b->seconds[b->repeat - 1], tokens / b->seconds[0] };
}

static weft_status eval_prompt(bench *b, uint32_t n, weft_error *err)
{
    for (uint32_t i = 0; i < n; i++) b->batch[i] = (weft_batch_token){ b->ids[i], 0, i + 1 == n };
    WEFT_TRY(weft_session_truncate(b->run.session, 0, 0, err));
    return weft_session_eval(b->run.session, b->batch, n, b->logits, err);
}

static weft_status measure_prompt(bench *b, weft_error *err)
{
    WEFT_TRY(eval_prompt(b, b->n_prompt, err)); /* warm */
    for (uint32_t i = 0; i < b->repeat; i++) {
        double start = now();
        WEFT_TRY(eval_prompt(b, b->n_prompt, err));
        b->seconds[i] = now() - start;
    }
    b->prompt = rates(b, b->n_prompt);
    return WEFT_OK;
}

static weft_status measure_decode(bench *b, weft_error *err)
{
    weft_sampler *s;
    weft_sampling greedy = { 0 };
    WEFT_TRY(weft_sampler_create(&greedy, weft_session_n_vocab(b->run.session), &s, err));
    weft_status status = WEFT_OK;
    for (uint32_t i = 0; i < b->repeat && !status; i++) {
        status = eval_prompt(b, DECODE_PROMPT, err);
        double start = now();
        for (uint32_t k = 0; k < b->n_decode && !status; k++) {
            weft_batch_token t = { weft_sampler_pick(s, b->logits, NULL, 0), 0, true };
            status = weft_session_eval(b->run.session, &t, 1, b->logits, err);
        }
        b->seconds[i] = now() - start;
    }
    weft_sampler_destroy(s);
    b->decode = rates(b, b->n_decode);
    return status;
}

/* Work of one run of a program at these extents. */
static weft_cost program_cost(const weft_program *p, uint32_t tokens, uint32_t cells)
{
    const weft_graph *g = weft_program_graph(p);
    int64_t extents[WEFT_MAX_EXTENTS];
    weft_cost sum = { 0 };
    for (uint32_t i = 0; i < weft_graph_extent_count(g); i++) {
        const char *name = weft_graph_extent(g, i + 1, NULL);
        extents[i] = !strcmp(name, "tokens") ? tokens : !strcmp(name, "cells") ? cells : 1;
    }
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        weft_cost c = weft_node_cost(g, weft_graph_node(g, i), extents);
        sum.flops += c.flops;
        sum.bytes_read += c.bytes_read;
        sum.bytes_written += c.bytes_written;
    }
    return sum;
}

static void count_work(bench *b)
{
    uint32_t chunk = weft_session_context(b->run.session) < 512 ? weft_session_context(b->run.session) : 512;
    uint32_t tokens = b->n_prompt < chunk ? b->n_prompt : chunk;
    b->flops_prompt = program_cost(weft_session_program(b->run.session, false), tokens, tokens).flops / tokens;
    weft_cost c = program_cost(weft_session_program(b->run.session, true), 1, DECODE_PROMPT + b->n_decode / 2);
    b->bytes_decode = c.bytes_read + c.bytes_written;
}

static void print_rate(const char *what, rate r, double achieved, const char *unit, double roof, const char *of)
{
    printf("%-8s %10.2f tokens/s  (%.2f to %.2f)   %8.2f %s = %5.1f %% of %s\n", what, r.median, r.min, r.max,
           achieved * 1e-9, unit, 100.0 * achieved / roof, of);
}

static json_t *rate_json(rate r, const char *unit, double achieved, double roof)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "tokens_per_second", r.median, "min", r.min, "max", r.max, unit,
                     achieved * 1e-9, "fraction_of_limit", achieved / roof);
}

static void print(const cli_args *a, const bench *b)
{
    double prompt = b->prompt.median * b->flops_prompt, decode = b->decode.median * b->bytes_decode;
    weft_device_info d;
    weft_backend_info(b->run.device, &d);
    if (cli_has(a, "json")) {
        cli_print_json(json_pack(
            "{s:s, s:s, s:i, s:i, s:i, s:o, s:o, s:{s:f, s:f, s:f}, s:{s:f, s:f, s:f, s:f}, s:I}", "model", a->model,
            "device", d.description, "prompt_tokens", (int)b->n_prompt, "decode_tokens", (int)b->n_decode, "repeat",
            (int)b->repeat, "prompt", rate_json(b->prompt, "gflops", prompt, b->roof.f32_ops_per_second), "decode",
            rate_json(b->decode, "gb_per_second", decode, b->roof.bytes_per_second), "limits", "read_gb_per_second",
            b->roof.bytes_per_second * 1e-9, "f32_gflops", b->roof.f32_ops_per_second * 1e-9, "int8_gops",
            b->roof.int8_ops_per_second * 1e-9, "load", "open", b->run.open_seconds, "graph", b->load.graph, "plan",
            b->load.plan, "weights", b->load.load, "peak_bytes", (json_int_t)b->peak_bytes));
        return;
    }
    printf("%s on %s\n", a->model, d.description);
    print_rate("prompt", b->prompt, prompt, "GFLOP/s", b->roof.f32_ops_per_second, "f32 multiply-add peak");
    print_rate("decode", b->decode, decode, "GB/s   ", b->roof.bytes_per_second, "read-only stream");
    printf("limits   %.2f GB/s read-only, %.1f GFLOP/s f32, %.1f GOP/s int8 (measured now)\n",
           b->roof.bytes_per_second * 1e-9, b->roof.f32_ops_per_second * 1e-9, b->roof.int8_ops_per_second * 1e-9);
    printf("load     open %.1f ms, graph %.1f ms, plan %.1f ms, weights %.1f ms; peak memory %.1f MiB\n",
           1e3 * b->run.open_seconds, 1e3 * b->load.graph, 1e3 * b->load.plan, 1e3 * b->load.load,
           (double)b->peak_bytes / 1048576.0);
}

static int measure(const cli_args *a, bench *b)
{
    weft_error err;
    uint32_t context = weft_session_context(b->run.session), n_vocab = weft_session_n_vocab(b->run.session);
    uint32_t longest = b->n_prompt > DECODE_PROMPT + b->n_decode ? b->n_prompt : DECODE_PROMPT + b->n_decode;
    if (longest > context)
        return cli_fail("bench: %u tokens do not fit the context of %u (--context)", longest, context);
    b->ids = calloc(longest, sizeof *b->ids);
    b->batch = calloc(longest, sizeof *b->batch);
    b->logits = calloc(n_vocab, sizeof *b->logits);
    if (!b->ids || !b->batch || !b->logits) return cli_fail("bench: out of memory");
    uint32_t state = 1;
    for (uint32_t i = 0; i < longest; i++)
        b->ids[i] = (int32_t)((state = state * 1664525u + 1013904223u) >> 8) % (int32_t)n_vocab;
    b->load = weft_session_load_times(b->run.session);
    if (cli_has(a, "check")) {
        weft_tokens t = { b->ids, b->n_prompt < 64 ? b->n_prompt : 64 };
        int status = cli_check(&b->run, &t);
        if (status) return status;
    }
    if (measure_prompt(b, &err) || measure_decode(b, &err) || weft_backend_roof(b->run.device, 0.3, &b->roof, &err))
        return cli_report(&err);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    b->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    count_work(b);
    print(a, b);
    return 0;
}

static int run_bench(const cli_args *a)
{
    static bench b; /* the list of times is long for a stack */
    b = (bench){ .n_prompt = cli_u32(a, "prompt-tokens", 512),
                 .n_decode = cli_u32(a, "decode-tokens", 64),
                 .repeat = cli_u32(a, "repeat", 5) };
    int status = cli_run_open(a, (weft_session_desc)WEFT_SESSION_DESC_DEFAULT, &b.run);
    if (!status) status = measure(a, &b);
    free(b.ids);
    free(b.batch);
    free(b.logits);
    cli_run_close(&b.run);
    return status;
}

const cli_command cli_bench = {
    .name = "bench", .summary = "Measures speed against the machine's own limits", .positional = "MODEL", .runs = true,
    .options = options, .run = run_bench,
};
