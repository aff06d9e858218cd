/* cmd_graph.c: `weft graph`: the text form of a model's graph as built, after the passes, or as planned. */
#include "tools/cli.h"

#include <string.h>

static const cli_option options[] = {
    { .name = "stage", .kind = CLI_TEXT, .value = "STAGE", .choices = "built|optimised|planned",
      .help = "how far it has come (default: built)" },
    { .name = "weights", .kind = CLI_TEXT, .value = "FORMAT", .choices = "f32|f16|bf16|q8_0|q4_0",
      .help = "how matrices are stored" },
    { .name = "kv", .kind = CLI_TEXT, .value = "FORMAT", .choices = "f32|f16",
      .help = "how the cache is stored (default: f16, f32 with --exact)" },
    { .name = "context", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "cells of the cache (default: the model's context)" },
    { .name = "chunk", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "tokens per run at most (default: 512)" },
    { .name = "exact", .kind = CLI_FLAG, .help = "plan for float32 activations and cache" },
    { .name = NULL },
};

static bool write_stdout(void *ctx, const char *data, size_t n)
{
    (void)ctx;
    return fwrite(data, 1, n, stdout) == n;
}

static int print_planned(const cli_args *a, const weft_graph *g)
{
    cli_device_list devices;
    uint32_t split[CLI_MAX_DEVICES];
    bool given;
    weft_program *p = NULL;
    weft_error err;
    weft_writer w = { NULL, write_stdout };
    int status = cli_devices_open(a, &devices);
    if (!status) status = cli_split(a, &devices, split, &given);
    const char *outputs[] = { "logits" };
    weft_program_desc d = {
        .devices = devices.device, .n_devices = devices.n, .split = given ? split : NULL, .spread = true,
        .exact = cli_has(a, "exact"), .outputs = outputs, .n_outputs = 1
    };
    if (!status && (weft_program_create(g, &d, &p, &err) || weft_program_print(p, &w, &err))) status = cli_report(&err);
    weft_program_destroy(p);
    cli_devices_close(&devices);
    return status;
}

static int run_graph(const cli_args *a)
{
    weft_model *m;
    weft_graph *g = NULL;
    weft_error err;
    weft_writer w = { NULL, write_stdout };
    weft_model_graph_desc d = { .context = cli_u32(a, "context", 0), .max_tokens = cli_u32(a, "chunk", 0),
                                .kv = cli_has(a, "exact") ? WEFT_F32 : WEFT_ANY };
    const char *stage = cli_text(a, "stage", "built"), *outputs[] = { "logits" };
    if (cli_has(a, "weights")) cli_dtype(cli_text(a, "weights", ""), &d.weights);
    if (cli_has(a, "kv")) cli_dtype(cli_text(a, "kv", ""), &d.kv);
    int status = cli_model_open(a, &m);
    if (status) return status;
    if (weft_model_graph(m, &d, &g, &err)) status = cli_report(&err);
    else if (!strcmp(stage, "planned")) status = print_planned(a, g);
    else if (!strcmp(stage, "optimised") &&
             (weft_graph_keep_outputs(g, outputs, 1, &err) || weft_graph_optimise(g, NULL, 0, &err)))
        status = cli_report(&err);
    else if (weft_graph_print(g, &w, &err)) status = cli_report(&err);
    weft_graph_destroy(g);
    weft_model_close(m);
    return status;
}

const cli_command cli_graph = {
    .name = "graph", .summary = "Prints a model's graph as text",
    .positional = "MODEL", .plans = true, .options = options, .run = run_graph,
};
