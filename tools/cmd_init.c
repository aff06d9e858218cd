/* cmd_init.c: `weft init`: a randomly initialised checkpoint of any size, a folder or a GGUF file. */
#include "tools/cli.h"

#include <string.h>

#define WEIGHTS "f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q2_K|q3_K|q4_K|q5_K|q6_K|iq4_nl|iq4_xs|mxfp4"

static const cli_option options[] = {
    { .name = "dtype", .kind = CLI_TEXT, .value = "TYPE", .choices = "f16|bf16|f32",
      .help = "type of the tensors in the files (default: f16)" },
    { .name = "format", .kind = CLI_TEXT, .value = "FORMAT", .choices = "safetensors|gguf",
      .help = "of the files: a folder, or OUT.gguf (default: what OUT's name says)" },
    { .name = "weights", .letter = 'w', .kind = CLI_TEXT, .value = "TYPE", .choices = WEIGHTS,
      .help = "type of matrices in a GGUF file, where their rows are whole blocks of it" },
    { .name = "seed", .letter = 's', .kind = CLI_WHOLE, .value = "S", .min = 0, .max = CLI_U64_MAX,
      .help = "of the random numbers (default: 0)" },
    { .name = "shard-size", .kind = CLI_WHOLE, .value = "BYTES", .min = 1, .max = 1e15,
      .help = "bytes of data per file at most (default: 5000000000)" },
    { .name = NULL },
};

static int run_init(const cli_args *a)
{
    weft_dtype t = WEFT_F16;
    const size_t n = strlen(a->second);
    const bool gguf = n > 5 && !strcmp(a->second + n - 5, ".gguf");
    if (cli_has(a, "format") && strcmp(cli_text(a, "format", ""), gguf ? "gguf" : "safetensors") != 0)
        return cli_misuse("init: a GGUF file's name ends with .gguf, and no folder's does");
    if (cli_has(a, "weights") && (!gguf || cli_has(a, "dtype")))
        return cli_misuse("init: --weights is for GGUF files, and instead of --dtype");
    cli_dtype(cli_text(a, "weights", cli_text(a, "dtype", "f16")), &t);
    return cli_model_init(a, t, cli_u64(a, "seed", 0), cli_u64(a, "shard-size", 0));
}

const cli_command cli_init = {
    .name = "init", .summary = "Writes a randomly initialised checkpoint for a configuration",
    .positional = "CONFIG.json OUT", .graphs = true,
    .options = options, .run = run_init,
};
