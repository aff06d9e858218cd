/* cmd_convert.c: `weft convert`: a model in the other format of files. */
#include "models/convert.h"
#include "tools/cli.h"

static const cli_option options[] = {
    { .name = "dtype", .kind = CLI_TEXT, .value = "TYPE", .choices = "f16|bf16|f32",
      .help = "type of a folder's tensors (default: as they are, quantised ones as f32)" },
    { .name = "shard-size", .kind = CLI_WHOLE, .value = "BYTES", .min = 1, .max = 1e15,
      .help = "bytes of data per file of a folder at most (default: 5000000000)" },
    { .name = NULL },
};

static int run_convert(const cli_args *a)
{
    weft_model *m = NULL;
    weft_error err;
    const weft_progress_sink progress = cli_progress();
    weft_convert_desc d = { .shard_bytes = cli_u64(a, "shard-size", 0), .progress = &progress };
    if (cli_has(a, "dtype")) cli_dtype(cli_text(a, "dtype", "f16"), &d.dtype);
    int status = cli_model_open(a, &m);
    if (!status && weft_model_convert(m, a->second, &d, &err)) status = cli_report(&err);
    cli_progress_end();
    weft_model_close(m);
    return status;
}

const cli_command cli_convert = {
    .name = "convert", .summary = "Writes a model as a GGUF file, or a GGUF file as a folder of safetensors",
    .positional = "MODEL OUT", .options = options, .run = run_convert,
};
