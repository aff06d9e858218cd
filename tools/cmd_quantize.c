/* cmd_quantize.c: `weft quantize`: a model as a GGUF file with weights of other types. */
#include "tools/cli.h"

#include <string.h>

#include "models/quantize/quantize.h"

static const cli_option options[] = {
    { .name = "weights", .letter = 'w', .kind = CLI_TEXT, .value = "TYPE",
      .choices = "q2_K_M|q2_K_S|q3_K_S|q3_K_M|q3_K_L|q4_K_S|q4_K_M|q5_K_S|q5_K_M|iq4_nl_M|iq4_xs_M|mxfp4_moe|"
                 "f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q2_K|q3_K|q4_K|q5_K|q6_K|iq4_nl|iq4_xs|mxfp4",
      .help = "what matrices become: a mixture, with more bits for what matters more, or one type (default: q4_K_M)" },
    { .name = "keep", .kind = CLI_TEXT, .value = "PATTERN=TYPE", .repeats = true,
      .help = "tensors whose GGUF names fit the pattern (* and ?) become that type; the first that fits counts" },
    { .name = "imatrix", .kind = CLI_TEXT, .value = "FILE",
      .help = "how much each column matters: a file of `weft imatrix` or llama.cpp" },
    { .name = "threads", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 256,
      .help = "threads that quantise (default: one for each processor)" },
    { .name = "verbose", .kind = CLI_FLAG, .help = "print each tensor's name and types" },
    { .name = NULL },
};

typedef struct report {
    bool verbose;
    uint64_t tensors, changed, elements, bytes;
} report;

static void tell(void *ctx, const weft_quantized *t)
{
    report *r = ctx;
    r->tensors++;
    r->elements += t->elements;
    r->bytes += t->bytes;
    r->changed += strcmp(t->from, t->to) != 0;
    if (r->verbose)
        printf("%-40s %6s -> %-6s %12llu bytes%s\n", t->name, t->from, t->to, (unsigned long long)t->bytes,
               t->importance ? ", by importance" : "");
}

static int run_quantize(const cli_args *a)
{
    weft_model *m = NULL;
    weft_error err;
    const weft_progress_sink progress = cli_progress();
    report r = { .verbose = cli_has(a, "verbose") };
    weft_quantize_desc d = { .weights = cli_text(a, "weights", "q4_K_M"), .importance = cli_text(a, "imatrix", NULL),
                             .threads = cli_u32(a, "threads", 0), .tell = tell, .ctx = &r, .progress = &progress };
    d.n_keep = cli_texts(a, "keep", &d.keep);
    int status = cli_model_open(a, &m);
    double start = weft__seconds();
    if (!status && weft_model_quantize(m, a->second, &d, &err)) status = cli_report(&err);
    cli_progress_end();
    if (!status)
        printf("%s: %llu tensors, %llu of them turned into other types: %.1f MB, %.2f bits a weight (%.1f s)\n",
               a->second, (unsigned long long)r.tensors, (unsigned long long)r.changed, (double)r.bytes / 1e6,
               8 * (double)r.bytes / (double)(r.elements ? r.elements : 1), weft__seconds() - start);
    weft_model_close(m);
    return status;
}

const cli_command cli_quantize = {
    .name = "quantize", .summary = "Writes a model as a GGUF file with weights of other types",
    .positional = "MODEL OUT.gguf", .graphs = true, .options = options, .run = run_quantize,
};
