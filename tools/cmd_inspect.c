/* cmd_inspect.c: `weft inspect`: what a model folder holds and what running it would need, without reading a weight. */
#include "tools/cli.h"

#include <string.h>

static const cli_option options[] = {
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

typedef struct needs {
    cli_device_list devices;
    weft_program_memory prompt[CLI_MAX_DEVICES], decode[CLI_MAX_DEVICES];
    uint32_t split[CLI_MAX_DEVICES], chunk, context;
    bool given;
} needs;

static weft_status plan(const cli_args *a, const weft_model *m, needs *n, weft_error *err)
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
        weft_program_desc pd = { .devices = n->devices.device,
                                 .n_devices = n->devices.n,
                                 .split = n->given ? n->split : NULL,
                                 .spread = true,
                                 .bounds = bounds,
                                 .n_bounds = 2,
                                 .outputs = outputs,
                                 .n_outputs = 1,
                                 .exact = cli_has(a, "exact") };
        s = weft_program_create(g, &pd, &p, err);
        for (uint32_t k = 0; k < n->devices.n && !s; k++) {
            (decode ? n->decode : n->prompt)[k] = weft_program_device_memory(p, k);
            n->split[k] = weft_program_split(p, k);
            n->given = n->split[k] != UINT32_MAX;
        }
        if (!s) weft_program_destroy(p);
    }
    weft_graph_destroy(g);
    return s;
}

static uint64_t total_of(const needs *n, uint32_t k)
{
    const weft_program_memory *m = &n->prompt[k];
    return m->weights + m->states + m->constants + m->arena + n->decode[k].arena;
}

static void print_needs(const needs *n, uint32_t k)
{
    double mib = 1048576.0;
    weft_device_info device;
    weft_backend_info(n->devices.device[k], &device);
    printf("\nmemory on %s (%s)\n", device.name, device.description);
    if (n->given) printf("  layers                 %8u\n", n->split[k]);
    printf("  weights                %10.1f MiB\n  cache                  %10.1f MiB  %u tokens\n"
           "  prompt arena           %10.1f MiB  %u tokens a run\n  decode arena           %10.1f MiB\n  total         "
           "         %10.1f MiB\n",
           (double)n->prompt[k].weights / mib, (double)n->prompt[k].states / mib, n->context,
           (double)n->prompt[k].arena / mib, n->chunk, (double)n->decode[k].arena / mib, (double)total_of(n, k) / mib);
    if (device.memory)
        printf("  the device has         %10.1f MiB%s\n", (double)device.memory / mib,
               total_of(n, k) > device.memory ? ": it does NOT fit" : "");
}

/* An object per device. */
static json_t *needs_json(const needs *n)
{
    json_t *list = json_array();
    for (uint32_t k = 0; k < n->devices.n; k++) {
        weft_device_info device;
        weft_backend_info(n->devices.device[k], &device);
        json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "device", device.name, "weights",
                              (json_int_t)n->prompt[k].weights, "cache", (json_int_t)n->prompt[k].states,
                              "prompt_arena", (json_int_t)n->prompt[k].arena, "decode_arena",
                              (json_int_t)n->decode[k].arena, "available", (json_int_t)device.memory);
        if (n->given) json_object_set_new(o, "layers", json_integer(n->split[k]));
        json_array_append_new(list, o);
    }
    return list;
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
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:o, s:o}", "architecture",
                     i->architecture, "layers", (int)i->n_layer, "hidden_size", (int)i->n_embed, "heads",
                     (int)i->n_head, "vocabulary", (int)i->n_vocab, "context", (int)i->context, "eos", (int)i->eos,
                     "parameters", (json_int_t)i->parameters, "tensors", tensors, "memory", needs_json(n));
}

static int run_inspect(const cli_args *a)
{
    weft_model *m;
    weft_error err;
    weft_model_info info;
    needs n = { 0 };
    int status = cli_model_open(a, &m);
    if (status) return status;
    weft_model_info_get(m, &info);
    status = cli_devices_open(a, &n.devices);
    if (!status) status = cli_split(a, &n.devices, n.split, &n.given);
    if (!status && plan(a, m, &n, &err)) status = cli_report(&err);
    if (!status && cli_has(a, "json")) {
        cli_print_json(object(m, &info, &n));
    } else if (!status) {
        const char *note;
        print_config(m, &info);
        print_tensors(m, cli_has(a, "tensors"));
        status = print_tokenizer(m, &info);
        for (uint32_t i = 0; (note = weft_model_note(m, i)); i++) printf("  note                   %s\n", note);
        for (uint32_t k = 0; k < n.devices.n; k++) print_needs(&n, k);
    }
    cli_devices_close(&n.devices);
    weft_model_close(m);
    return status;
}

const cli_command cli_inspect = {
    .name = "inspect", .summary = "Shows a model's configuration, tensors, tokenizer and memory needs",
    .positional = "MODEL", .plans = true,
    .options = options, .run = run_inspect,
};
