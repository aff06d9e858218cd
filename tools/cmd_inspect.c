/* cmd_inspect.c: `weft inspect`: what a model folder holds and what running it would need, without reading a weight. */
#include "tools/cli.h"

#include <string.h>

static const cli_option options[] = {
    { .name = "device", .kind = CLI_TEXT, .value = "SPEC",
      .help = "plan for this device (default: cpu; see `weft devices`)" },
    { .name = "weights", .kind = CLI_TEXT, .value = "FORMAT", .choices = "f32|f16|bf16|q8_0|q4_0",
      .help = "how matrices are stored" },
    { .name = "kv", .kind = CLI_TEXT, .value = "FORMAT", .choices = "f32|f16",
      .help = "how the cache is stored (default: f16, f32 with --exact)" },
    { .name = "context", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens of the cache (default: the model's context)" },
    { .name = "chunk", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "prompt tokens per run (default: 512)" },
    { .name = "exact", .kind = CLI_FLAG, .help = "plan for float32 activations and cache" },
    { .name = "tensors", .kind = CLI_FLAG, .help = "list every tensor of the files" },
    { .name = "json", .kind = CLI_FLAG, .help = "print one object" },
    { .name = NULL },
};

static void print_config(const weft_model *m, const weft_model_info *i)
{
    static const char *const keys[] = { "intermediate_size", "layer_norm_eps",      "partial_rotary_factor",
                                        "rope_theta",        "rope_position_scale", "use_parallel_residual",
                                        "attention_bias",    "tie_word_embeddings" };
    const weft_config *c = weft_model_config(m);
    printf("%s\n  architecture           %s\n  layers                 %u\n  hidden size            %u\n  heads         "
           "         %u, each %u wide\n"
           "  vocabulary             %u\n  context                %u\n",
           i->path, i->architecture, i->n_layer, i->n_embed, i->n_head, i->n_head ? i->n_embed / i->n_head : 0,
           i->n_vocab, i->context);
    const char *act;
    if (c->text(c->ctx, "hidden_act", &act) == 1) printf("  activation             %s\n", act);
    for (unsigned k = 0; k < sizeof keys / sizeof *keys; k++) {
        double x;
        if (c->number(c->ctx, keys[k], &x) == 1) printf("  %-22s %g\n", keys[k], x);
    }
    printf("  bos, eos               %d, %d\n  parameters             %llu\n", i->bos, i->eos,
           (unsigned long long)i->parameters);
}

static void print_tensors(const weft_model *m, bool list)
{
    weft_tensor_info t;
    uint32_t n = 0, unused = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; weft_model_tensor(m, i, &t); i++) {
        n++;
        unused += !t.used;
        bytes += t.bytes;
        if (!list) continue;
        printf("  %-5s [", t.dtype);
        for (uint32_t k = 0; k < t.rank; k++) printf("%s%lld", k ? ", " : "", (long long)t.dims[k]);
        printf("] %s%s\n", t.name, t.used ? "" : " (ignored)");
    }
    printf("  tensors                %u, %.1f MiB%s\n", n, (double)bytes / 1048576.0,
           n ? "" : " (no files: configuration only)");
    if (unused) printf("  ignored tensors        %u\n", unused);
}

static int print_tokenizer(weft_model *m, const weft_model_info *i)
{
    weft_error err;
    uint32_t n_vocab, n_added;
    if (!i->has_tokenizer) return printf("  tokenizer              none (tokens only)\n"), 0;
    if (weft_model_tokenizer_info(m, &n_vocab, &n_added, &err)) return cli_report(&err);
    printf("  tokenizer              %u ids, %u of them added tokens\n", n_vocab, n_added);
    return 0;
}

typedef struct needs { weft_program_memory prompt, decode; weft_device_info device; uint32_t chunk, context; } needs;

static weft_status plan(const cli_args *a, const weft_model *m, weft_backend *b, needs *n, weft_error *err)
{
    weft_model_info info;
    weft_model_info_get(m, &info);
    weft_model_graph_desc d = { .context = cli_u32(a, "context", info.context), .max_tokens = cli_u32(a, "chunk", 512),
                                .kv = cli_has(a, "exact") ? WEFT_F32 : WEFT_ANY };
    if (d.max_tokens > d.context) d.max_tokens = d.context;
    if (cli_has(a, "weights")) cli_dtype(cli_text(a, "weights", ""), &d.weights);
    if (cli_has(a, "kv")) cli_dtype(cli_text(a, "kv", ""), &d.kv);
    n->chunk = d.max_tokens;
    n->context = d.context;
    weft_graph *g;
    WEFT_TRY(weft_model_graph(m, &d, &g, err));
    weft_status s = WEFT_OK;
    for (int decode = 0; decode < 2 && !s; decode++) {
        weft_program *p;
        const char *outputs[] = { "logits" };
        weft_bound bounds[] = { { "tokens", decode ? 1 : d.max_tokens }, { "rows", 1 } };
        weft_program_desc pd = { .devices = &b,
                                 .n_devices = 1,
                                 .bounds = bounds,
                                 .n_bounds = 2,
                                 .outputs = outputs,
                                 .n_outputs = 1,
                                 .exact = cli_has(a, "exact") };
        s = weft_program_create(g, &pd, &p, err);
        if (!s) *(decode ? &n->decode : &n->prompt) = weft_program_device_memory(p, 0);
        if (!s) weft_program_destroy(p);
    }
    weft_graph_destroy(g);
    return s;
}

static void print_needs(const needs *n)
{
    uint64_t total = n->prompt.weights + n->prompt.states + n->prompt.constants + n->prompt.arena + n->decode.arena;
    double mib = 1048576.0;
    printf("\nmemory on %s (%s)\n  weights                %10.1f MiB\n  cache                  %10.1f MiB  %u tokens\n"
           "  prompt arena           %10.1f MiB  %u tokens a run\n  decode arena           %10.1f MiB\n  total         "
           "         %10.1f MiB\n",
           n->device.name, n->device.description, (double)n->prompt.weights / mib, (double)n->prompt.states / mib,
           n->context, (double)n->prompt.arena / mib, n->chunk, (double)n->decode.arena / mib, (double)total / mib);
    if (n->device.memory)
        printf("  the device has         %10.1f MiB%s\n", (double)n->device.memory / mib,
               total > n->device.memory ? ": it does NOT fit" : "");
}

static json_t *object(const weft_model *m, const weft_model_info *i, const needs *n)
{
    json_t *tensors = json_array();
    weft_tensor_info t;
    for (uint32_t k = 0; weft_model_tensor(m, k, &t); k++) {
        json_t *dims = json_array();
        for (uint32_t d = 0; d < t.rank; d++) json_array_append_new(dims, json_integer(t.dims[d]));
        json_array_append_new(tensors, json_pack("{s:s, s:s, s:o, s:I, s:b}", "name", t.name, "dtype", t.dtype, "dims",
                                                 dims, "bytes", (json_int_t)t.bytes, "used", t.used));
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:o, s:{s:s, s:I, s:I, s:I, s:I, s:I}}", "architecture",
                     i->architecture, "layers", (int)i->n_layer, "hidden_size", (int)i->n_embed, "heads",
                     (int)i->n_head, "vocabulary", (int)i->n_vocab, "context", (int)i->context, "eos", (int)i->eos,
                     "parameters", (json_int_t)i->parameters, "tensors", tensors, "memory", "device", n->device.name,
                     "weights", (json_int_t)n->prompt.weights, "cache", (json_int_t)n->prompt.states, "prompt_arena",
                     (json_int_t)n->prompt.arena, "decode_arena", (json_int_t)n->decode.arena, "available",
                     (json_int_t)n->device.memory);
}

static int run_inspect(const cli_args *a)
{
    weft_model *m;
    weft_backend *b = NULL;
    weft_error err;
    weft_model_info info;
    needs n = { 0 };
    int status = cli_model_open(a, &m);
    if (status) return status;
    weft_model_info_get(m, &info);
    status = cli_device_open(a, &b);
    if (!status && plan(a, m, b, &n, &err)) status = cli_report(&err);
    if (!status) weft_backend_info(b, &n.device);
    if (!status && cli_has(a, "json")) {
        cli_print_json(object(m, &info, &n));
    } else if (!status) {
        const char *note;
        print_config(m, &info);
        print_tensors(m, cli_has(a, "tensors"));
        status = print_tokenizer(m, &info);
        for (uint32_t i = 0; (note = weft_model_note(m, i)); i++) printf("  note                   %s\n", note);
        print_needs(&n);
    }
    weft_backend_close(b);
    weft_model_close(m);
    return status;
}

const cli_command cli_inspect = {
    .name = "inspect", .summary = "Shows a model's configuration, tensors, tokenizer and memory needs",
    .positional = "MODEL",
    .options = options, .run = run_inspect,
};
