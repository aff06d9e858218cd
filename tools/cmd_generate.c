/* cmd_generate.c: `weft generate`: continues a prompt, streaming to a terminal or printing one JSON object. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { .name = "prompt", .letter = 'p', .kind = CLI_TEXT, .value = "TEXT", .help = "the text to continue" },
    { .name = "prompt-file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the same from a file's bytes ('-': standard input)" },
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "the same as token ids: 1,2,3" },
    CLI_TEXT_OPTIONS,
    { .name = "max-tokens", .letter = 'n', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens to generate at most (default: 128)" },
    { .name = "stop", .kind = CLI_TEXT, .value = "STR",
      .help = "text that ends the output, itself left out", .repeats = true },
    { .name = "grammar", .kind = CLI_TEXT, .value = "FILE",
      .help = "the text is what this grammar allows, written as GBNF ('-': standard input)" },
    { .name = "json-schema", .kind = CLI_TEXT, .value = "FILE",
      .help = "the text is a JSON document that this schema allows ('-': standard input)" },
    { .name = "json-object", .kind = CLI_FLAG, .help = "the text is a JSON object" },
    CLI_SPECULATE_OPTIONS,
    { .name = "ignore-eos", .kind = CLI_FLAG, .help = "go on after the end-of-text token" },
    { .name = "logprobs", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1000,
      .help = "log-probabilities of the picked and the N best tokens (with --json)" },
    { .name = "save-state", .kind = CLI_TEXT, .value = "FILE",
      .help = "at the end, keep what was read and written, to go on from" },
    { .name = "load-state", .kind = CLI_TEXT, .value = "FILE",
      .help = "go on from there; a prompt comes after it" },
    { .name = "json", .kind = CLI_FLAG,
      .help = "print one object: prompt_tokens, tokens, text, logprobs, draft, timings, stop_reason" },
    { .name = NULL },
};

static bool stream(void *ctx, int32_t token, const char *text, size_t n)
{
    const bool *silent = ctx;
    (void)token;
    cli_progress_end(); /* of the prompt */
    if (!*silent && n) {
        fwrite(text, 1, n, stdout);
        fflush(stdout);
    }
    return !cli_interrupted() && !ferror(stdout);
}

static json_t *logprobs_json(const weft_generated *r, uint32_t step)
{
    const weft_logprob *row = r->logprobs + (size_t)step * (1 + r->n_logprobs);
    json_t *top = json_array();
    for (uint32_t i = 0; i < r->n_logprobs; i++)
        json_array_append_new(top, json_pack("{s:i, s:f}", "token", (int)row[1 + i].token, "logprob",
                                             (double)row[1 + i].logprob));
    return json_pack("{s:i, s:f, s:o}", "token", (int)row[0].token, "logprob", (double)row[0].logprob, "top", top);
}

static int print_object(const cli_run *run, const weft_tokens *prompt, const weft_generated *r)
{
    json_t *o = json_object(), *ids = json_array(), *tokens = json_array();
    for (size_t i = 0; i < prompt->n; i++) json_array_append_new(ids, json_integer(prompt->ids[i]));
    for (uint32_t i = 0; i < r->n_tokens; i++) json_array_append_new(tokens, json_integer(r->tokens[i]));
    json_object_set_new(o, "prompt_tokens", ids);
    json_object_set_new(o, "tokens", tokens);
    json_object_set_new(o, "text", json_stringn(r->text, r->text_size));
    if (r->logprobs) {
        json_t *steps = json_array();
        for (uint32_t i = 0; i < r->n_tokens; i++) json_array_append_new(steps, logprobs_json(r, i));
        json_object_set_new(o, "logprobs", steps);
    }
    if (r->drafted)
        json_object_set_new(o, "draft", json_pack("{s:I, s:I}", "tokens", (json_int_t)r->drafted, "accepted",
                                                  (json_int_t)r->accepted));
    weft_load_times t = weft_session_load_times(run->session);
    json_object_set_new(o, "timings",
                        json_pack("{s:f, s:f, s:f}", "load", run->open_seconds + t.graph + t.plan + t.load, "prompt",
                                  r->prompt_seconds, "decode", r->decode_seconds));
    json_object_set_new(o, "stop_reason", json_string(weft_stop_name(r->stop)));
    return cli_print_json(o);
}

/* The last token was picked, not read: nothing has needed what follows it. */
static int save(const cli_args *a, weft_session *s, const weft_generated *r)
{
    weft_error err;
    const int32_t *last = r->n_tokens ? &r->tokens[r->n_tokens - 1] : NULL;
    return weft_session_save(s, 0, last, last != NULL, cli_text(a, "save-state", ""), &err) ? cli_report(&err) : 0;
}

/* What is read next: tokens that the saved sequence has not read yet, then the prompt, if there is one. */
static int continue_from(const cli_args *a, cli_run *run, weft_tokens *prompt)
{
    weft_error err;
    weft_tokens pending, more = { 0 };
    if (weft_session_load(run->session, 0, cli_text(a, "load-state", ""), &pending, &err)) return cli_report(&err);
    bool asked = cli_has(a, "prompt") || cli_has(a, "prompt-file") || cli_has(a, "tokens");
    int status = asked ? cli_prompt(a, run->model, NULL, &more) : 0;
    prompt->n = pending.n + more.n;
    prompt->ids = malloc((prompt->n + 1) * sizeof *prompt->ids);
    if (!status && !prompt->ids) status = cli_fail("out of memory");
    if (!status && pending.n) memcpy(prompt->ids, pending.ids, pending.n * sizeof *prompt->ids);
    if (!status && more.n) memcpy(prompt->ids + pending.n, more.ids, more.n * sizeof *prompt->ids);
    weft_tokens_free(&pending);
    weft_tokens_free(&more);
    return status;
}

static int read_prompt(const cli_args *a, cli_run *run, weft_tokens *prompt)
{
    int status = cli_has(a, "load-state") ? continue_from(a, run, prompt) : cli_prompt(a, run->model, NULL, prompt);
    if (status) return status;
    if (!prompt->n) return cli_fail("the prompt has no tokens");
    uint32_t context = weft_session_context(run->session), before = weft_session_length(run->session, 0);
    if (prompt->n <= context - before) return 0;
    return before ? cli_fail("%u tokens and %zu of the prompt are more than the context of %u (--context)", before,
                             prompt->n, context)
                  : cli_fail("the prompt has %zu tokens, more than the context of %u (--context)", prompt->n, context);
}

static int generate(const cli_args *a, cli_run *run, const weft_tokens *prompt, const weft_sampling *how,
                    weft_matcher *matcher, const cli_speculation *speculation)
{
    bool json = cli_has(a, "json"), tokens_only;
    weft_model_info info = *weft_model_info_get(run->model);
    tokens_only = !info.has_tokenizer;
    const char *const *stop;
    weft_generate_desc d = {
        .sampling = *how,
        .matcher = matcher,
        .max_tokens = cli_u32(a, "max-tokens", 128),
        .n_stop = cli_texts(a, "stop", &stop),
        .ignore_eos = cli_has(a, "ignore-eos"),
        .n_logprobs = cli_u32(a, "logprobs", 0),
        .on_token = stream,
        .ctx = &json,
    };
    d.stop = stop;
    cli_speculation_apply(speculation, &d);
    weft_error err;
    weft_generated r;
    const char *text = cli_text(a, "prompt", NULL);
    if (!json && text) {
        fputs(text, stdout);
        fflush(stdout);
    }
    if (weft_generate(run->session, 0, prompt->ids, prompt->n, &d, &r, &err)) {
        if (!json && text) fputc('\n', stdout);
        return cli_report(&err);
    }
    int status = json ? print_object(run, prompt, &r) : 0;
    for (uint32_t i = 0; !json && tokens_only && i < r.n_tokens; i++) printf("%s%d", i ? "," : "", r.tokens[i]);
    if (!json) fputc('\n', stdout);
    fflush(stdout);
    if (cli_has(a, "verbose") || (cli_on_terminal() && !json)) cli_tell_speed(&r, prompt->n);
    bool cancelled = r.stop == WEFT_STOP_CANCELLED && cli_interrupted();
    if (!status && cli_has(a, "save-state")) status = save(a, run->session, &r);
    weft_generated_free(&r);
    return cancelled ? cli_interrupted_status() : status;
}

static int run_generate(const cli_args *a)
{
    cli_run run = { 0 };
    weft_tokens prompt = { 0 };
    cli_sampling sampling;
    cli_grammar grammar = { 0 };
    cli_speculation speculation = { 0 };
    weft_session_desc desc = { 0 };
    int status = cli_sampling_of(a, &sampling);
    if (status) return status;
    if (!cli_has(a, "logprobs") && !cli_grammar_asked(a)) desc.candidates = weft_sampling_candidates(&sampling.how);
    desc.outputs = desc.candidates ? WEFT_WANT_CANDIDATES : WEFT_WANT_LOGITS;
    cli_speculation_desc(a, &desc);
    status = cli_run_open(a, desc, &run);
    if (!status) status = cli_speculation_open(a, &run, &speculation);
    if (!status) status = cli_sampling_breakers(a, run.model, &sampling);
    if (!status) status = cli_grammar_open(a, run.model, run.session, &grammar);
    if (!status) status = read_prompt(a, &run, &prompt);
    if (!status && cli_has(a, "check")) status = cli_check(&run, &prompt);
    if (!status) status = generate(a, &run, &prompt, &sampling.how, grammar.matcher, &speculation);
    weft_tokens_free(&prompt);
    cli_sampling_free(&sampling);
    cli_grammar_close(&grammar);
    cli_speculation_close(&speculation);
    cli_run_close(&run);
    return status;
}

const cli_command cli_generate = {
    .name = "generate", .summary = "Continues a prompt",
    .positional = "MODEL", .runs = true, .samples = true, .options = options, .run = run_generate,
};
