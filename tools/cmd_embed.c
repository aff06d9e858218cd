/* cmd_embed.c: `weft embed`: hidden states of a layer, one row per token or pooled. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { .name = "prompt", .letter = 'p', .kind = CLI_TEXT, .value = "TEXT", .help = "the text to embed" },
    { .name = "prompt-file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the same from a file's bytes ('-': standard input)" },
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "the same as token ids: 1,2,3" },
    CLI_TEXT_OPTIONS,
    { .name = "layer", .kind = CLI_WHOLE, .value = "L", .min = 0, .max = 4096,
      .help = "0: embeddings, L: after layer L, the last one after the final norm (default: the last)" },
    { .name = "pool", .kind = CLI_TEXT, .value = "HOW", .choices = "none|mean|last",
      .help = "one row per token, their mean, or the last one's (default: none)" },
    { .name = "output", .kind = CLI_TEXT, .value = "FILE",
      .help = "where the little-endian float32 rows go ('-': standard output)" },
    { .name = NULL },
};

/* Averages n rows into the first, in double precision. */
static void mean_rows(float *rows, size_t n, size_t width)
{
    for (size_t j = 0; j < width; j++) {
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) sum += (double)rows[i * width + j];
        rows[j] = (float)(sum / (double)n);
    }
}

static int evaluate(const cli_args *a, cli_run *run, const weft_tokens *prompt, uint32_t width)
{
    const char *pool = cli_text(a, "pool", "none");
    bool last = !strcmp(pool, "last");
    size_t rows = last ? 1 : prompt->n;
    weft_batch_token *t = calloc(prompt->n, sizeof *t);
    float *out = calloc(rows, width * sizeof *out);
    weft_error err;
    int status = t && out ? 0 : cli_fail("embed: out of memory for %zu rows of %u", rows, width);
    for (size_t i = 0; i < prompt->n && !status; i++)
        t[i] = (weft_batch_token){ prompt->ids[i], 0, !last || i + 1 == prompt->n ? WEFT_WANT_HIDDEN : 0 };
    if (!status && weft_session_eval(run->session, t, prompt->n, &(weft_rows){ .hidden = out }, &err))
        status = cli_report(&err);
    if (!status && !strcmp(pool, "mean")) {
        mean_rows(out, rows, width);
        rows = 1;
    }
    if (!status) status = cli_write_file(cli_text(a, "output", "-"), out, rows * width * sizeof *out);
    free(t);
    free(out);
    return status;
}

static int run_embed(const cli_args *a)
{
    if (!cli_has(a, "output")) return cli_misuse("embed: --output is missing");
    cli_run run = { 0 };
    weft_tokens prompt = { 0 };
    weft_model_info info = { 0 };
    int status = cli_model_open(a, &run.model);
    if (!status) info = *weft_model_info_get(run.model); /* the default layer is the model's last */
    weft_session_desc desc = { .outputs = WEFT_WANT_HIDDEN, .layer = cli_u32(a, "layer", info.n_layer) };
    if (!status) status = cli_run_open(a, desc, &run);
    if (!status) status = cli_prompt(a, run.model, NULL, &prompt);
    if (!status && !prompt.n) status = cli_fail("the prompt has no tokens");
    if (!status && cli_has(a, "check")) status = cli_check(&run, &prompt);
    if (!status) status = evaluate(a, &run, &prompt, info.n_embed);
    weft_tokens_free(&prompt);
    cli_run_close(&run);
    return status;
}

const cli_command cli_embed = {
    .name = "embed", .summary = "Writes hidden states (features) of a text",
    .positional = "MODEL", .runs = true, .options = options,
    .run = run_embed,
};
