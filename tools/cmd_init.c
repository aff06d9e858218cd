/* cmd_init.c: `weft init`: a randomly initialised checkpoint of any size. */
#include "tools/cli.h"

static const cli_option options[] = {
    { .name = "dtype", .kind = CLI_TEXT, .value = "TYPE", .choices = "f16|bf16|f32",
      .help = "type of the tensors in the files (default: f16)" },
    { .name = "seed", .letter = 's', .kind = CLI_WHOLE, .value = "S", .min = 0, .max = CLI_U64_MAX,
      .help = "of the random numbers (default: 0)" },
    { .name = "shard-size", .kind = CLI_WHOLE, .value = "BYTES", .min = 1, .max = 1e15,
      .help = "bytes of data per file at most (default: 5000000000)" },
    { .name = NULL },
};

static int run_init(const cli_args *a)
{
    weft_dtype t = WEFT_F16;
    cli_dtype(cli_text(a, "dtype", "f16"), &t);
    return cli_model_init(a, t, cli_u64(a, "seed", 0), cli_u64(a, "shard-size", 0));
}

const cli_command cli_init = {
    .name = "init", .summary = "Writes a randomly initialised checkpoint for a configuration",
    .positional = "CONFIG.json DIR", .graphs = true,
    .options = options, .run = run_init,
};
