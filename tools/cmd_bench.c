/* cmd_bench.c: `weft bench`: prompt and decode speed, and how much of the machine's own limits that is.
 *
 * Prompts are random token ids; only the last position's logits are computed. Decoding is greedy after 16 tokens, of
 * several sequences at once if asked; both come behind as many tokens as asked (--depth). Work per token
 * comes from the graph's cost rules at the run's sizes; the limits are measured by weft_backend_roof in turn with the
 * runs. A prompt's limit is the speed at which every node would run at the peak of the arithmetic that it uses. */
#include "backends/noise.h"
#include "tools/conditions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { DECODE_PROMPT = 16, MAX_REPEAT = 1000, MAX_SEQUENCES = 64 };

static const cli_option options[] = {
    { .name = "prompt-tokens", .letter = 'p', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 20,
      .help = "length of the prompt (default: 512)" },
    { .name = "decode-tokens", .letter = 'n', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 20,
      .help = "tokens to decode (default: 64)" },
    { .name = "sequences", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = MAX_SEQUENCES,
      .help = "sequences that are decoded at once (default: 1)" },
    { .name = "depth", .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 1 << 20,
      .help = "tokens that each sequence has before what is measured (default: 0)" },
    { .name = "load-state", .kind = CLI_TEXT, .value = "FILE",
      .help = "the first sequence begins with what generate --save-state wrote, which is its depth" },
    { .name = "repeat", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = MAX_REPEAT,
      .help = "measurements of each (default: 5)" },
    { .name = "json", .kind = CLI_FLAG, .help = "print one object" },
    { .name = "markdown", .kind = CLI_FLAG, .help = "print one row of a table" },
    { .name = NULL },
};

typedef struct rate { double median, min, max; } rate; /* tokens per second */

typedef struct bench {
    cli_run run;
    cli_work progress;
    weft__noise noise;   /* where the model has no files */
    weft_graph *graph; /* of the noise */
    uint32_t n_prompt, n_decode, repeat, chunk, n_sequences, depth;
    int32_t *ids;
    weft_candidate best[MAX_SEQUENCES]; /* after the last run */
    weft_batch_token *batch;
    double seconds[MAX_REPEAT];
    rate prompt, decode;
    weft_counters work; /* of all decoding */
    conditions conditions;
    weft_roof roof; /* the median of the turns */
    double flops_prompt, bytes_decode; /* per token */
    double prompt_limit;               /* tokens per second, at the peaks */
    const char *unit;                  /* of most of the arithmetic */
    weft_load_times load;
    uint64_t peak_bytes;
} bench;

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

/* A sequence of `depth` tokens takes n more in. */
static weft_status eval_prompt(bench *b, uint32_t sequence, uint32_t n, weft_error *err)
{
    for (uint32_t i = 0; i < n; i++) b->batch[i] = (weft_batch_token){ .id = b->ids[i], .sequence = sequence };
    b->batch[n - 1].wants = WEFT_WANT_CANDIDATES;
    WEFT_TRY(weft_session_truncate(b->run.session, sequence, b->depth, err));
    return weft_session_eval(b->run.session, b->batch, n, &(weft_rows){ .candidates = &b->best[sequence] }, err);
}

/* Every sequence's next token. */
static weft_status eval_next(bench *b, weft_error *err)
{
    weft_batch_token next[MAX_SEQUENCES];
    for (uint32_t i = 0; i < b->n_sequences; i++)
        next[i] = (weft_batch_token){ b->best[i].id, i, WEFT_WANT_CANDIDATES };
    return weft_session_eval(b->run.session, next, b->n_sequences, &(weft_rows){ .candidates = b->best }, err);
}

/* What stands before everything that is measured. */
static weft_status fill(bench *b, weft_error *err)
{
    for (uint32_t s = 0; s < b->n_sequences && b->depth; s++) {
        if (weft_session_length(b->run.session, s)) continue; /* loaded */
        for (uint32_t i = 0; i < b->depth; i++) b->batch[i] = (weft_batch_token){ .id = b->ids[i], .sequence = s };
        WEFT_TRY(weft_session_eval(b->run.session, b->batch, b->depth, NULL, err));
    }
    return WEFT_OK;
}

static weft_status measure_prompt(bench *b, weft_error *err)
{
    WEFT_TRY(cli_work_begin(&b->progress, "measuring prompts", b->repeat, "runs", err));
    for (uint32_t i = 0; i < b->repeat; i++) {
        if (i && i == b->repeat / 2) {
            WEFT_TRY(conditions_turn(&b->conditions, err));
            WEFT_TRY(eval_prompt(b, 0, b->n_prompt, err)); /* warm, as after measure_peak */
        }
        double start = weft__seconds();
        WEFT_TRY(eval_prompt(b, 0, b->n_prompt, err));
        b->seconds[i] = weft__seconds() - start;
        WEFT_TRY(cli_work_did(&b->progress, 1, err));
    }
    b->prompt = rates(b, b->n_prompt);
    return WEFT_OK;
}

static void add_work(weft_counters *sum, weft_counters before, weft_counters after)
{
    sum->launches += after.launches - before.launches;
    sum->barriers += after.barriers - before.barriers;
    sum->submits += after.submits - before.submits;
    sum->bytes_out += after.bytes_out - before.bytes_out;
    sum->host_seconds += after.host_seconds - before.host_seconds;
}

static weft_status measure_decode(bench *b, weft_error *err)
{
    const weft_program *p = weft_session_program(b->run.session, b->n_sequences);
    weft_status status =
        cli_work_begin(&b->progress, "measuring decoding", (uint64_t)b->repeat * b->n_decode, "tokens", err);
    for (uint32_t i = 0; i < b->repeat && !status; i++) {
        if (i && i == b->repeat / 2) WEFT_TRY(conditions_turn(&b->conditions, err));
        for (uint32_t s = 0; s < b->n_sequences && !status; s++) status = eval_prompt(b, s, DECODE_PROMPT, err);
        weft_counters before = weft_program_counters(p);
        double start = weft__seconds();
        for (uint32_t k = 0; k < b->n_decode && !status; k++) {
            status = eval_next(b, err);
            if (!status) status = cli_work_did(&b->progress, 1, err);
        }
        b->seconds[i] = weft__seconds() - start;
        add_work(&b->work, before, weft_program_counters(p));
    }
    b->decode = rates(b, b->n_decode * b->n_sequences);
    return status;
}

/* Each program has run once when this is read; measuring the limits takes memory of its own. */
static weft_status measure_peak(bench *b, weft_error *err)
{
    struct rusage usage;
    WEFT_TRY(fill(b, err));
    WEFT_TRY(eval_prompt(b, 0, b->n_prompt, err));
    for (uint32_t s = 0; s < b->n_sequences; s++) /* from the beginning: the context may be full */
        WEFT_TRY(eval_prompt(b, s, 1, err));
    if (b->n_sequences > 1) WEFT_TRY(eval_next(b, err));
    getrusage(RUSAGE_SELF, &usage);
    b->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    return WEFT_OK;
}

static weft_status measure_all(bench *b, weft_error *err)
{
    conditions_begin(&b->conditions, &b->run.devices, cli_progress());
    WEFT_TRY(conditions_turn(&b->conditions, err));
    WEFT_TRY(measure_prompt(b, err));
    WEFT_TRY(conditions_turn(&b->conditions, err));
    WEFT_TRY(measure_decode(b, err));
    WEFT_TRY(conditions_turn(&b->conditions, err));
    conditions_end(&b->conditions);
    b->conditions.sum.arithmetic = weft__program_arithmetic(weft_session_program(b->run.session, b->n_prompt)) |
                                   weft__program_arithmetic(weft_session_program(b->run.session, b->n_sequences));
    b->roof = b->conditions.roofs[0];
    return WEFT_OK;
}

/* rows: of results; cells: that a token sees, which count in whole pages. */
static void set_extents(const bench *b, const weft_graph *g, uint32_t tokens, uint32_t rows, uint32_t cells,
                        int64_t *extents)
{
    for (uint32_t i = 0; i < weft_graph_extent_count(g); i++) {
        const char *name = weft_graph_extent(g, i + 1, NULL);
        uint32_t pages = cli_pages_seen(name, weft_session_settled(b->run.session)->page, cells);
        extents[i] = !strcmp(name, "tokens")      ? tokens
                     : !strcmp(name, "rows")      ? rows
                     : !strcmp(name, "sequences") ? b->n_sequences
                     : pages                      ? pages
                                                  : 1;
    }
}

/* Work of one run of a program that decodes a token of every sequence. */
static weft_cost decode_cost(const bench *b, const weft_program *p, uint32_t cells)
{
    const weft_graph *g = weft_program_graph(p);
    int64_t extents[WEFT_MAX_EXTENTS];
    weft_cost sum = { 0 };
    set_extents(b, g, b->n_sequences, b->n_sequences, cells, extents);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        weft_cost c = weft_node_cost(g, weft_graph_node(g, i), extents);
        sum.flops += c.flops;
        sum.bytes_read += c.bytes_read;
        sum.bytes_written += c.bytes_written;
    }
    return sum;
}

/* A prompt longer than a run: its middle chunk stands for all. As many cells as tokens would mean the first chunk. */
static void count_prompt(bench *b)
{
    static const char *const units[] = { "f32 peak", "int8 peak", "bf16 peak (2 x f32)", "f16 matrix peak" };
    const weft_program *p = weft_session_program(b->run.session, b->n_prompt);
    const weft_graph *g = weft_program_graph(p);
    uint32_t tokens = b->n_prompt < b->chunk ? b->n_prompt : b->chunk;
    uint32_t cells = b->depth + (b->n_prompt > tokens ? b->n_prompt / 2 + 1 : tokens);
    int64_t extents[WEFT_MAX_EXTENTS];
    double seconds = 0.0, by_arith[sizeof units / sizeof *units] = { 0 };
    set_extents(b, g, tokens, 1, cells, extents);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        weft_arith a = weft_program_place(p, n->id).arithmetic;
        double flops = weft_node_cost(g, n, extents).flops, least = flops / weft_roof_peak(&b->roof, a);
        b->flops_prompt += flops / tokens;
        seconds += least;
        by_arith[a] += least;
    }
    b->prompt_limit = tokens / seconds;
    b->unit = units[0];
    for (size_t a = 0; a < sizeof units / sizeof *units; a++)
        if (by_arith[a] > seconds / 2) b->unit = units[a];
}

static void count_work(bench *b)
{
    count_prompt(b);
    weft_cost c = decode_cost(b, weft_session_program(b->run.session, b->n_sequences),
                              b->depth + DECODE_PROMPT + b->n_decode / 2);
    b->bytes_decode = (c.bytes_read + c.bytes_written) / b->n_sequences;
}

static void print_rate(const char *what, rate r, double achieved, const char *unit, double fraction, const char *of)
{
    printf("%-8s %10.2f tokens/s  (%.2f to %.2f)   %8.2f %s = %5.1f %% of %s\n", what, r.median, r.min, r.max,
           achieved * 1e-9, unit, 100.0 * fraction, of);
}

static json_t *conditions_json(const bench *b)
{
    const weft_conditions *c = &b->conditions.sum;
    const char *what;
    weft__warnings w;
    json_t *warnings = json_array();
    weft__conditions_warnings(c, b->run.devices.n, &w);
    for (uint32_t i = 0; i < w.n; i++) json_array_append_new(warnings, json_string(w.text[i]));
    return json_pack("{s:o, s:o, s:f, s:o}", "processors", c->processors > 0 ? json_real(c->processors) : json_null(),
                     "others", c->others >= 0 ? json_real(c->others) : json_null(), "roof_moved",
                     weft__roof_moved(c, b->run.devices.n, &what), "warnings", warnings);
}

static void print_warnings(const bench *b, FILE *to)
{
    weft__warnings w;
    weft__conditions_warnings(&b->conditions.sum, b->run.devices.n, &w);
    for (uint32_t i = 0; i < w.n; i++) fprintf(to, "warning  %s\n", w.text[i]);
}

static json_t *rate_json(rate r, const char *unit, double achieved, double fraction, const char *of)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:s}", "tokens_per_second", r.median, "min", r.min, "max", r.max, unit,
                     achieved * 1e-9, "fraction_of_limit", fraction, "limit", of);
}

/* Per run that decodes a token of every sequence. */
static json_t *work_json(const bench *b)
{
    double n = (double)b->n_decode * b->repeat;
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "launches", (double)b->work.launches / n, "barriers",
                     (double)b->work.barriers / n, "submits", (double)b->work.submits / n, "host_us",
                     1e6 * b->work.host_seconds / n, "bytes_returned", (double)b->work.bytes_out / n);
}

/* model, weights, prompt, of limit, decode, GB/s, of limit, launches, barriers, submits, host us, bytes back */
static void print_markdown(const cli_args *a, const bench *b)
{
    double n = (double)b->n_decode * b->repeat, decode = b->decode.median * b->bytes_decode;
    const char *name = strrchr(a->named, '/');
    printf("| %s | %s | %.4g | %.0f %% | %.4g | %.4g | %.0f %% | %.0f | %.0f | %.0f | %.1f | %.0f |\n",
           name && name[1] ? name + 1 : a->named, cli_text(a, "weights", "as in the files"), b->prompt.median,
           100 * b->prompt.median / b->prompt_limit, b->decode.median, decode * 1e-9,
           100 * decode / b->roof.bytes_per_second, (double)b->work.launches / n, (double)b->work.barriers / n,
           (double)b->work.submits / n, 1e6 * b->work.host_seconds / n, (double)b->work.bytes_out / n);
}

static int print(const cli_args *a, const bench *b)
{
    double prompt = b->prompt.median * b->flops_prompt, decode = b->decode.median * b->bytes_decode;
    double of_peak = b->prompt.median / b->prompt_limit, of_stream = decode / b->roof.bytes_per_second;
    const char *stream = of_stream > 1 ? "read-only stream from memory (some of it stays in the caches)"
                                       : "read-only stream from memory";
    weft_device_info d;
    weft_backend_info(b->run.devices.device[0], &d);
    if (cli_has(a, "json")) {
        return cli_print_json(json_pack(
            "{s:o, s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:{s:f, s:f, s:f, s:f}, s:{s:f, s:f, s:f, s:f}, s:I, s:o, "
            "s:o}",
            "model", cli_json_text(a->named), "device", d.description,
            "prompt_tokens", (int)b->n_prompt, "decode_tokens", (int)b->n_decode,
            "sequences", (int)b->n_sequences, "depth", (int)b->depth,
            "repeat", (int)b->repeat, "prompt", rate_json(b->prompt, "gflops", prompt, of_peak, b->unit), "decode",
            rate_json(b->decode, "gb_per_second", decode, of_stream, stream), "limits", "read_gb_per_second",
            b->roof.bytes_per_second * 1e-9, "f32_gflops", b->roof.f32_ops_per_second * 1e-9, "int8_gops",
            b->roof.int8_ops_per_second * 1e-9, "f16_matrix_gflops", b->roof.f16_matrix_ops_per_second * 1e-9,
            "load", "open", b->run.open_seconds, "graph", b->load.graph, "plan", b->load.plan, "weights", b->load.load,
            "peak_bytes", (json_int_t)b->peak_bytes, "per_token", work_json(b),
            "conditions", conditions_json(b)));
    }
    printf("%s on %s\n", a->named, d.description);
    print_rate("prompt", b->prompt, prompt, "GFLOP/s", of_peak, b->unit);
    print_rate("decode", b->decode, decode, "GB/s   ", of_stream, stream);
    printf("limits   %.2f GB/s read-only, %.1f GFLOP/s f32, %.1f GOP/s int8, %.1f GFLOP/s f16 matrices "
           "(measured in turn)\n",
           b->roof.bytes_per_second * 1e-9, b->roof.f32_ops_per_second * 1e-9, b->roof.int8_ops_per_second * 1e-9,
           b->roof.f16_matrix_ops_per_second * 1e-9);
    double n = (double)b->n_decode * b->repeat;
    printf("token    %.0f launches, %.0f barriers, %.0f submits, %.1f us of host time, %.0f bytes returned\n",
           (double)b->work.launches / n, (double)b->work.barriers / n, (double)b->work.submits / n,
           1e6 * b->work.host_seconds / n, (double)b->work.bytes_out / n);
    printf("load     open %.1f ms, graph %.1f ms, plan %.1f ms, weights %.1f ms; peak memory %.1f MiB\n",
           1e3 * b->run.open_seconds, 1e3 * b->load.graph, 1e3 * b->load.plan, 1e3 * b->load.load,
           (double)b->peak_bytes / 1048576.0);
    print_warnings(b, stdout);
    return 0;
}

/* A sequence's depth, from a file or as asked, and ids for the longest run. */
static int prepare(const cli_args *a, bench *b)
{
    weft_error err;
    weft_session *session = b->run.session;
    uint32_t n_vocab = weft_session_n_vocab(session), context = weft_session_context(session);
    if (cli_has(a, "load-state")) {
        weft_tokens pending;
        if (weft_session_load(session, 0, cli_text(a, "load-state", ""), &pending, &err)) return cli_report(&err);
        weft_tokens_free(&pending);
        b->depth = weft_session_length(session, 0);
    }
    uint32_t most = b->n_prompt > DECODE_PROMPT + b->n_decode ? b->n_prompt : DECODE_PROMPT + b->n_decode;
    if (most > context || b->depth > context - most)
        return cli_fail("bench: %u tokens do not fit the context of %u (--context)", b->depth + most, context);
    if (most < b->depth) most = b->depth;
    b->ids = calloc(most, sizeof *b->ids);
    b->batch = calloc(most, sizeof *b->batch);
    if (!b->ids || !b->batch) return cli_fail("bench: out of memory");
    uint32_t state = 1;
    for (uint32_t i = 0; i < most; i++)
        b->ids[i] = (int32_t)((state = state * 1664525u + 1013904223u) >> 8) % (int32_t)n_vocab;
    return 0;
}

static int measure(const cli_args *a, bench *b)
{
    weft_error err;
    int status = prepare(a, b);
    if (status) return status;
    b->load = weft_session_load_times(b->run.session);
    if (cli_has(a, "check")) {
        weft_tokens t = { b->ids, b->n_prompt < 64 ? b->n_prompt : 64 };
        status = cli_check(&b->run, &t);
        if (status) return status;
    }
    bool failed = measure_peak(b, &err) || measure_all(b, &err);
    cli_work_end(&b->progress);
    if (failed) return cli_report(&err);
    count_work(b);
    if (!cli_has(a, "markdown")) return print(a, b);
    print_markdown(a, b);
    print_warnings(b, stderr); /* a row has no room for it */
    return 0;
}

/* A configuration by itself runs with random weights. */
static int open_model(const cli_args *a, bench *b)
{
    weft_error err;
    weft_model_info info;
    int status = cli_model_open(a, &b->run.model);
    if (status) return status;
    info = *weft_model_info_get(b->run.model);
    if (info.has_weights) return 0;
    if (weft_model_graph(b->run.model, &(weft_model_graph_desc){ 0 }, &b->graph, &err)) return cli_report(&err);
    if (weft__noise_open(b->graph, &b->noise, &err)) return cli_report(&err);
    weft_weight_source source = weft__noise_source(&b->noise);
    weft_model_set_weights(b->run.model, &source);
    return 0;
}

static int run_bench(const cli_args *a)
{
    static bench b; /* the list of times is long for a stack */
    b = (bench){ .n_prompt = cli_u32(a, "prompt-tokens", 512),
                 .n_decode = cli_u32(a, "decode-tokens", 64),
                 .repeat = cli_u32(a, "repeat", 5),
                 .n_sequences = cli_u32(a, "sequences", 1),
                 .depth = cli_u32(a, "depth", 0),
                 .chunk = cli_u32(a, "chunk", 512) };
    int status = open_model(a, &b);
    weft_session_desc desc = { .candidates = 1, .n_sequences = b.n_sequences };
    if (!status) status = cli_run_open(a, desc, &b.run);
    if (!status) status = measure(a, &b);
    free(b.ids);
    free(b.batch);
    cli_run_close(&b.run);
    weft__noise_close(&b.noise);
    weft_graph_destroy(b.graph);
    return status;
}

const cli_command cli_bench = {
    .name = "bench", .summary = "Measures speed against the machine's own limits (a config.json: random weights)",
    .positional = "MODEL", .runs = true, .options = options, .run = run_bench,
};
