/* cmd_imatrix.c: `weft imatrix`: what the columns of a model's matrices are multiplied with. */
#include "tools/cli.h"

#include <string.h>

#include "models/quantize/imatrix.h"

enum { CHUNK = 512 };

static const cli_option options[] = {
    { .name = "file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the text: a file's bytes as they are ('-': standard input)" },
    CLI_TEXT_OPTIONS,
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "token ids instead: 1,2,3" },
    { .name = "output", .kind = CLI_TEXT, .value = "FILE", .help = "what is written (a GGUF file)" },
    { .name = NULL },
};

/* In pieces that follow nothing each; what is left of the last is too short to tell much, unless it is all. */
static int gather(const cli_args *a, weft_imatrix *g, const weft_tokens *t)
{
    weft_error err;
    cli_work work;
    const size_t chunk = cli_u32(a, "chunk", CHUNK), n = t->n < chunk ? t->n : chunk;
    if (!n) return cli_fail("the text is empty");
    int status = 0;
    if (cli_work_begin(&work, "gathering", t->n / n * n, "tokens", &err)) status = cli_report(&err);
    for (size_t at = 0; !status && at + n <= t->n; at += n)
        if (weft_imatrix_add(g, t->ids + at, n, &err) || cli_work_did(&work, n, &err)) status = cli_report(&err);
    cli_work_end(&work);
    return status;
}

static int run_imatrix(const cli_args *a)
{
    cli_run run = { 0 };
    weft_tokens t = { 0 };
    weft_imatrix *g = NULL;
    weft_error err;
    const char *out = cli_text(a, "output", NULL), *from = cli_text(a, "file", "tokens");
    if (!out) return cli_misuse("imatrix: --output is missing: the file to write");
    weft_session_desc desc = { .outputs = WEFT_WANT_LOGITS, .as_built = true, .max_tokens = CHUNK };
    desc.context = cli_u32(a, "chunk", CHUNK);
    int status = cli_run_open(a, desc, &run);
    if (!status) status = cli_prompt(a, run.model, NULL, &t);
    if (!status && weft_imatrix_create(run.session, &g, &err)) status = cli_report(&err);
    if (!status) status = gather(a, g, &t);
    if (!status && weft_imatrix_write(g, out, from, &err)) status = cli_report(&err);
    weft_imatrix_destroy(g);
    weft_tokens_free(&t);
    cli_run_close(&run);
    return status;
}

const cli_command cli_imatrix = {
    .name = "imatrix", .summary = "Gathers how much the columns of a model's weights matter, for quantize",
    .positional = "MODEL", .runs = true, .options = options, .run = run_imatrix,
};
