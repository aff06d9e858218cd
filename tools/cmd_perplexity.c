/* cmd_perplexity.c: `weft perplexity`: how well a model predicts a text.
 *
 * Windows of --context tokens start every --stride tokens; each token is scored once, in the first window that has it,
 * but a window's first token never (nothing precedes it there). Smaller strides give every token more context. This is
 * the sliding window of Hugging Face's documentation on perplexity. */
#include "tools/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 128 }; /* tokens, and rows of logits, per run */

static const cli_option options[] = {
    { .name = "file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the text: a file's bytes as they are ('-': standard input)" },
    CLI_TEXT_OPTIONS,
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "token ids instead: 1,2,3" },
    { .name = "stride", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens between the starts of windows (default: the window's length)" },
    { .name = "json", .kind = CLI_FLAG,
      .help = "print one object: tokens, scored, nats_per_token, perplexity, seconds" },
    { .name = NULL },
};

typedef struct score {
    const weft_tokens *t;
    double nats;
    size_t scored;
    float *logits;
    cli_work work;
    weft_batch_token batch[PIECE];
} score;

/* Scores tokens from..end of the window that begins at `begin`. */
static int score_window(cli_run *run, score *s, size_t begin, size_t from, size_t end)
{
    weft_error err;
    uint32_t width = weft_session_n_vocab(run->session);
    if (weft_session_truncate(run->session, 0, 0, &err)) return cli_report(&err);
    for (size_t at = begin; at + 1 < end;) {
        size_t n = end - 1 - at < PIECE ? end - 1 - at : PIECE, rows = 0;
        for (size_t i = 0; i < n; i++) s->batch[i] = (weft_batch_token){ s->t->ids[at + i], 0, at + i + 1 >= from };
        if (weft_session_eval(run->session, s->batch, n, &(weft_rows){ .logits = s->logits }, &err))
            return cli_report(&err);
        size_t before = s->scored;
        for (size_t i = 0; i < n; i++) {
            float p;
            if (!s->batch[i].wants) continue;
            weft_logprobs(s->logits + rows++ * width, width, &s->t->ids[at + i + 1], 1, &p);
            s->nats -= (double)p;
            s->scored++;
        }
        at += n;
        if (cli_work_did(&s->work, s->scored - before, &err)) return cli_report(&err);
    }
    return 0;
}

static int score_all(cli_run *run, score *s, size_t context, size_t stride)
{
    weft_error err;
    size_t done = 0;
    if (cli_work_begin(&s->work, "scoring", s->t->n ? s->t->n - 1 : 0, "tokens", &err)) return cli_report(&err);
    for (size_t begin = 0; done < s->t->n; begin += stride) {
        size_t end = begin + context < s->t->n ? begin + context : s->t->n, from = done > begin + 1 ? done : begin + 1;
        int status = end > from ? score_window(run, s, begin, from, end) : 0;
        if (status) return status;
        done = end;
    }
    return s->scored ? 0 : cli_fail("the text is too short: nothing to predict");
}

static int report(const cli_args *a, const score *s, double seconds)
{
    double mean = s->nats / (double)s->scored;
    if (cli_has(a, "json"))
        return cli_print_json(json_pack("{s:I, s:I, s:f, s:f, s:f}", "tokens", (json_int_t)s->t->n, "scored",
                                        (json_int_t)s->scored, "nats_per_token", mean, "perplexity", exp(mean),
                                        "seconds", seconds));
    printf("%zu tokens, %zu scored: %.4f nats per token, perplexity %.4f (%.1f s)\n", s->t->n, s->scored, mean,
           exp(mean), seconds);
    return 0;
}

static int run_perplexity(const cli_args *a)
{
    cli_run run = { 0 };
    weft_tokens t = { 0 };
    score s = { .t = &t };
    weft_session_desc desc = { .outputs = WEFT_WANT_LOGITS };
    desc.max_rows = desc.max_tokens = PIECE;
    int status = cli_run_open(a, desc, &run);
    if (!status) status = cli_prompt(a, run.model, NULL, &t);
    if (!status && t.n && cli_has(a, "check")) status = cli_check(&run, &t);
    double start = weft__seconds();
    if (!status) {
        uint32_t context = weft_session_context(run.session), stride = cli_u32(a, "stride", context);
        s.logits = malloc((size_t)PIECE * weft_session_n_vocab(run.session) * sizeof *s.logits);
        if (!s.logits) status = cli_fail("perplexity: out of memory");
        else if (stride > context)
            status = cli_misuse("--stride %u: larger than the window of %u tokens", stride, context);
        else status = score_all(&run, &s, context, stride);
        cli_work_end(&s.work);
    }
    if (!status) status = report(a, &s, weft__seconds() - start);
    free(s.logits);
    weft_tokens_free(&t);
    cli_run_close(&run);
    return status;
}

const cli_command cli_perplexity = {
    .name = "perplexity", .summary = "Measures how well a model predicts a text", .positional = "MODEL", .runs = true,
    .options = options, .run = run_perplexity,
};
