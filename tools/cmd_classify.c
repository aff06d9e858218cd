/* cmd_classify.c: `weft classify`: the scores of a model's classification head, with the names of its labels. */
#include "tools/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { .name = "prompt", .letter = 'p', .kind = CLI_TEXT, .value = "TEXT", .help = "the text to classify" },
    { .name = "prompt-file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the same from a file's bytes ('-': standard input)" },
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "the same as token ids: 1,2,3" },
    CLI_TEXT_OPTIONS,
    { .name = "json", .kind = CLI_FLAG, .help = "print one object with `labels`, `tokens`, `scores`, `probabilities`" },
    { .name = NULL },
};

/* How scores become probabilities: as Hugging Face's pipelines do it. */
typedef enum meaning { SOFTMAX, SIGMOID, PLAIN } meaning;

typedef struct result {
    weft_model *m;
    weft_head head;
    meaning meaning;
    const weft_tokens *tokens;
    size_t first, rows; /* the tokens that the rows belong to: one, or all */
    uint32_t width;
    float *scores;
    double *probabilities; /* NULL: scores are not chances */
} result;

static meaning meaning_of(const weft_model *m, const weft_model_info *info)
{
    const weft_config *c = weft_model_config(m);
    const char *type;
    if (info->head == WEFT_HEAD_SPAN) return PLAIN;
    if (info->head == WEFT_HEAD_TOKENS) return SOFTMAX;
    bool known = c->text(c->ctx, "problem_type", &type) == 1;
    if (known && !strcmp(type, "regression")) return PLAIN;
    return (known && !strcmp(type, "multi_label_classification")) || info->n_labels == 1 ? SIGMOID : SOFTMAX;
}

static void make_probabilities(const result *r)
{
    for (size_t i = 0; i < r->rows; i++) {
        const float *x = r->scores + i * r->width;
        double *p = r->probabilities + i * r->width, most = (double)x[0], sum = 0;
        for (uint32_t k = 1; k < r->width; k++) most = fmax(most, (double)x[k]);
        for (uint32_t k = 0; k < r->width; k++) sum += exp((double)x[k] - most);
        for (uint32_t k = 0; k < r->width; k++)
            p[k] = r->meaning == SOFTMAX ? exp((double)x[k] - most) / sum : 1 / (1 + exp(-(double)x[k]));
    }
}

static uint32_t best_of(const float *row, uint32_t n, const bool *taken)
{
    uint32_t best = n;
    for (uint32_t k = 0; k < n; k++)
        if (!(taken && taken[k]) && (best == n || row[k] > row[best])) best = k;
    return best;
}

static int evaluate(cli_run *run, result *r)
{
    weft_error err;
    size_t n = r->tokens->n;
    weft_batch_token *t = calloc(n, sizeof *t);
    r->scores = calloc(r->rows, r->width * sizeof *r->scores);
    if (r->meaning != PLAIN) r->probabilities = calloc(r->rows, r->width * sizeof *r->probabilities);
    bool ok = t && r->scores && (r->meaning == PLAIN || r->probabilities);
    int status = ok ? 0 : cli_fail("classify: out of memory for %zu rows of %u", r->rows, r->width);
    for (size_t i = 0; i < n && !status; i++)
        t[i] = (weft_batch_token){ .id = r->tokens->ids[i],
                                   .wants = i >= r->first && i < r->first + r->rows ? WEFT_WANT_SCORES : 0 };
    if (!status && weft_session_eval(run->session, t, n, &(weft_rows){ .scores = r->scores }, &err))
        status = cli_report(&err);
    for (size_t i = 0; i < r->rows * r->width && !status; i++)
        if (!isfinite(r->scores[i])) status = cli_fail("classify: the score of '%s' at token %zu is not a number",
                                                       weft_model_label(r->m, (uint32_t)(i % r->width)),
                                                       r->first + i / r->width);
    if (!status && r->probabilities) make_probabilities(r);
    free(t);
    return status;
}

/* ---- output ---- */

/* Of the whole text: a line per label, the best first. */
static int print_sequence(const result *r)
{
    bool *taken = calloc(r->width, sizeof *taken);
    if (!taken) return cli_fail("classify: out of memory");
    for (uint32_t i = 0; i < r->width; i++) {
        uint32_t k = best_of(r->scores, r->width, taken);
        taken[k] = true;
        if (r->probabilities) printf("%-20s %8.6f  %.6g\n", weft_model_label(r->m, k), r->probabilities[k],
                                     (double)r->scores[k]);
        else printf("%-20s %.6g\n", weft_model_label(r->m, k), (double)r->scores[k]);
    }
    free(taken);
    return 0;
}

/* A token's text on one line, in quotes as JSON has them; its id where there is no tokenizer. */
static void print_token(const result *r, int32_t id)
{
    weft_text text = { 0 };
    const weft_tokenizer *tok;
    if (weft_model_tokenizer(r->m, &tok, NULL) || weft_tokenizer_decode(tok, &id, 1, NULL, &text, NULL)) {
        printf("%-16d", id);
    } else {
        json_t *s = json_stringn_nocheck(text.data ? text.data : "", text.size);
        char *quoted = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL; /* NULL: a piece of a character */
        printf("%-16s", quoted ? quoted : "?");
        free(quoted);
        json_decref(s);
    }
    weft_text_free(&text);
}

static int print_tokens(const result *r)
{
    for (size_t i = 0; i < r->rows; i++) {
        const float *x = r->scores + i * r->width;
        uint32_t best = best_of(x, r->width, NULL);
        print_token(r, r->tokens->ids[r->first + i]);
        if (r->probabilities)
            printf(" %-20s %8.6f\n", weft_model_label(r->m, best), r->probabilities[i * r->width + best]);
        else
            for (uint32_t k = 0; k < r->width; k++)
                printf(" %s %-12.6g%s", weft_model_label(r->m, k), (double)x[k], k + 1 < r->width ? "" : "\n");
    }
    return 0;
}

/* One row for a whole text, else an array of rows. */
static json_t *rows_json(const result *r, bool probabilities)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < r->rows; i++) {
        json_t *row = json_array();
        for (uint32_t k = 0; k < r->width; k++) {
            size_t at = i * r->width + k;
            json_array_append_new(row, json_real(probabilities ? r->probabilities[at] : (double)r->scores[at]));
        }
        if (r->head == WEFT_HEAD_SEQUENCE) {
            json_decref(rows);
            return row;
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

static int print_json(const result *r)
{
    json_t *labels = json_array(), *ids = json_array(), *object = json_object();
    for (uint32_t k = 0; k < r->width; k++) json_array_append_new(labels, json_string(weft_model_label(r->m, k)));
    for (size_t i = 0; i < r->tokens->n; i++) json_array_append_new(ids, json_integer(r->tokens->ids[i]));
    json_object_set_new(object, "labels", labels);
    json_object_set_new(object, "tokens", ids);
    json_object_set_new(object, "scores", rows_json(r, false));
    if (r->probabilities) json_object_set_new(object, "probabilities", rows_json(r, true));
    return cli_print_json(object);
}

/* ---- the command ---- */

static int run_classify(const cli_args *a)
{
    cli_run run = { 0 };
    weft_tokens prompt = { 0 };
    weft_model_info info = { 0 };
    result r = { .tokens = &prompt };
    int status = cli_model_open(a, &run.model);
    if (!status) status = cli_prompt(a, run.model, NULL, &prompt);
    if (!status && !prompt.n) status = cli_fail("the prompt has no tokens");
    if (!status) {
        info = *weft_model_info_get(run.model);
        bool whole = info.head == WEFT_HEAD_SEQUENCE;
        r = (result){ .m = run.model, .head = info.head, .meaning = meaning_of(run.model, &info), .tokens = &prompt,
                      .first = whole ? weft_model_pooled_token(run.model, prompt.ids, prompt.n) : 0,
                      .rows = whole ? 1 : prompt.n, .width = info.n_labels };
        uint32_t context = prompt.n < info.context ? (uint32_t)prompt.n : info.context;
        status = cli_run_open(a, (weft_session_desc){ .outputs = WEFT_WANT_SCORES, .context = context }, &run);
    }
    if (!status && cli_has(a, "check")) status = cli_check(&run, &prompt);
    if (!status) status = evaluate(&run, &r);
    if (!status) status = cli_has(a, "json") ? print_json(&r) : info.head == WEFT_HEAD_SEQUENCE ? print_sequence(&r)
                                                                                                : print_tokens(&r);
    free(r.scores);
    free(r.probabilities);
    weft_tokens_free(&prompt);
    cli_run_close(&run);
    return status;
}

const cli_command cli_classify = {
    .name = "classify", .summary = "Prints the scores of a model that classifies texts or their tokens",
    .positional = "MODEL", .runs = true, .options = options, .run = run_classify,
};
