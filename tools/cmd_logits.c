/* cmd_logits.c: `weft logits`: raw float32 logits of every position, or the last, of one sequence or a batch. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SEQUENCES = 256, ROWS_PER_RUN = 64 };

static const cli_option options[] = {
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "the sequence: 1,2,3" },
    { .name = "prompt", .letter = 'p', .kind = CLI_TEXT, .value = "TEXT", .help = "the sequence as text" },
    { .name = "prompt-file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the same from a file's bytes ('-': standard input)" },
    CLI_TEXT_OPTIONS,
    { .name = "batch", .kind = CLI_TEXT, .value = "LISTS", .help = "several sequences in one batch: \"1,2,3;4,5\"" },
    { .name = "last", .kind = CLI_FLAG, .help = "the last position of each sequence only" },
    { .name = "output", .kind = CLI_TEXT, .value = "FILE",
      .help = "where the little-endian float32 rows go ('-': standard output)" },
    { .name = NULL },
};

typedef struct batch {
    weft_tokens seq[MAX_SEQUENCES];
    uint32_t n, longest;
    size_t total;
} batch;

static int add_sequence(batch *b, weft_tokens t)
{
    b->seq[b->n++] = t;
    b->total += t.n;
    if (t.n > b->longest) b->longest = (uint32_t)t.n;
    return 0;
}

static int read_lists(const char *text, batch *b)
{
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ";");
        weft_tokens t;
        if (b->n == MAX_SEQUENCES) return cli_misuse("--batch: more than %d sequences", MAX_SEQUENCES);
        if (!cli_parse_tokens(at, n, &t)) return cli_misuse("--batch %s: expected ids such as 1,2,3;4,5", text);
        add_sequence(b, t);
        at += n;
        if (!*at) return 0;
    }
}

/* Sequences one after the other in a single call: each run of the session takes what fits, across sequences. */
static int evaluate(const cli_args *a, cli_run *run, const batch *b)
{
    bool last = cli_has(a, "last");
    size_t n = 0, rows = last ? b->n : b->total, width = weft_session_n_vocab(run->session), bytes;
    if (__builtin_mul_overflow(rows, width * sizeof(float), &bytes)) return cli_fail("logits: too many rows");
    weft_batch_token *t = calloc(b->total, sizeof *t);
    float *out = malloc(bytes);
    int status = 0;
    if (!t || !out) status = cli_fail("logits: out of memory for %zu rows of %zu", rows, width);
    for (uint32_t s = 0; s < b->n && !status; s++)
        for (size_t i = 0; i < b->seq[s].n; i++)
            t[n++] = (weft_batch_token){ b->seq[s].ids[i], s, !last || i + 1 == b->seq[s].n };
    weft_error err;
    if (!status && weft_session_eval(run->session, t, n, &(weft_rows){ .logits = out }, &err))
        status = cli_report(&err);
    if (!status) status = cli_write_file(cli_text(a, "output", "-"), out, bytes);
    free(t);
    free(out);
    return status;
}

/* Many sequences share the cache: each gets what the longest needs, if the model has that much. */
static uint32_t shortest_context(const weft_model *m, const batch *b)
{
    weft_model_info info = *weft_model_info_get(m);
    return b->longest < info.context ? b->longest : info.context;
}

static int run_logits(const cli_args *a)
{
    const char *lists = cli_text(a, "batch", NULL);
    cli_run run = { 0 };
    batch b = { 0 };
    weft_tokens prompt;
    weft_session_desc desc = { .outputs = WEFT_WANT_LOGITS };
    if (!cli_has(a, "output")) return cli_misuse("logits: --output is missing");
    if (lists && (cli_has(a, "tokens") || cli_has(a, "prompt") || cli_has(a, "prompt-file")))
        return cli_misuse("logits: --batch is the whole prompt: give no other");
    int status = lists ? read_lists(lists, &b) : 0;
    desc.n_sequences = b.n;
    desc.max_rows = cli_has(a, "last") ? 0 : ROWS_PER_RUN;
    if (!status) status = cli_model_open(a, &run.model);
    if (!status && lists) desc.context = shortest_context(run.model, &b);
    if (!status) status = cli_run_open(a, desc, &run);
    if (!status && !lists) status = cli_prompt(a, run.model, NULL, &prompt);
    if (!status && !lists) status = prompt.n ? add_sequence(&b, prompt) : cli_fail("the prompt has no tokens");
    if (!status && cli_has(a, "check")) status = cli_check(&run, &b.seq[0]);
    if (!status) status = evaluate(a, &run, &b);
    for (uint32_t i = 0; i < b.n; i++) weft_tokens_free(&b.seq[i]);
    cli_run_close(&run);
    return status;
}

const cli_command cli_logits = {
    .name = "logits", .summary = "Writes the logits of token sequences",
    .positional = "MODEL", .runs = true, .options = options,
    .run = run_logits,
};
