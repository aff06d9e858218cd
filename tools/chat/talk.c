/* talk.c: what is said becomes tokens, and tokens an answer. The session has one sequence; of what it has read, all
 * that the next prompt begins with stays. */
#include "tools/chat/chat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

size_t chat_keep(weft_session *s, const int32_t *ids, size_t n)
{
    const int32_t *had = weft_session_tokens(s, 0);
    const size_t n_had = weft_session_length(s, 0);
    size_t same = 0;
    while (same < n_had && same + 1 < n && had[same] == ids[same]) same++;
    if (same == n_had || !weft_session_truncate(s, 0, (uint32_t)same, NULL)) return same;
    /* a recurrent model, or one whose windows have moved on, does not go back: it reads all of it again */
    return weft_session_truncate(s, 0, 0, NULL) ? same : 0; /* which always can be */
}

/* ---- the prompt ---- */

static json_t *variables(const chat *c)
{
    char now[40];
    struct tm tm;
    const time_t seconds = time(NULL);
    if (!localtime_r(&seconds, &tm) || !strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &tm)) return NULL;
    return json_pack("{s:O, s:b, s:s}", "messages", c->messages, "add_generation_prompt", 1, "now", now);
}

static int render(const chat *c, weft_tokens *out)
{
    weft_error err = { 0 };
    weft_text text = { 0 };
    const weft_encode_desc how = { .bos = WEFT_BOS_OFF, .no_template = true }; /* a template writes all of them */
    json_t *root = variables(c);
    char *json = root ? json_dumps(root, JSON_COMPACT) : NULL;
    weft_status s = json ? WEFT_OK : WEFT_FAIL(&err, WEFT_OOM, "out of memory");
    if (!s) s = weft_chat_template_render(c->template, json, strlen(json), NULL, &text, &err);
    if (!s) s = weft_tokenizer_encode(c->tokenizer, text.data ? text.data : "", text.size, &how, out, &err);
    free(json);
    json_decref(root);
    weft_text_free(&text);
    return s ? cli_report(&err) : 0;
}

static bool is_role(const json_t *message, const char *role)
{
    const char *is = json_string_value(json_object_get(message, "role"));
    return is && !strcmp(is, role);
}

/* Takes the oldest exchange out, but for the system's prompt and what was said last; false: there is none. */
static bool forget_oldest(json_t *messages)
{
    const size_t first = is_role(json_array_get(messages, 0), "system");
    if (json_array_size(messages) < first + 2) return false;
    do json_array_remove(messages, first);
    while (json_array_size(messages) > first + 1 && !is_role(json_array_get(messages, first), "user"));
    return true;
}

/* Tokens that an answer should have room for. */
static size_t wanted_room(const chat *c)
{
    const size_t quarter = weft_session_context(c->run.session) / 4, most = cli_u32(&c->args, "max-tokens", 0);
    return most && most < quarter ? most : quarter;
}

/* The prompt of all messages, or of those that the context has room for: what was left out is said. */
static int make_prompt(chat *c, weft_tokens *out)
{
    const size_t context = weft_session_context(c->run.session);
    bool forgot = false;
    for (;;) {
        int status = render(c, out);
        if (status) return status;
        if (out->n + wanted_room(c) <= context || !forget_oldest(c->messages)) break;
        forgot = true;
        weft_tokens_free(out);
        *out = (weft_tokens){ 0 };
    }
    if (forgot) fprintf(stderr, "note: the context of %zu is full: the oldest of what was said is left out\n", context);
    if (!out->n) return cli_fail("the template makes no tokens of this");
    if (out->n <= context) return 0;
    return cli_fail("this alone has %zu tokens, more than the context of %zu (--context)", out->n, context);
}

/* Of the text so far as much as is to stay before `more` tokens: all of it, or where that leaves no room, what makes
 * half of the context together with them. */
static size_t text_to_keep(const chat *c, size_t more)
{
    const size_t context = weft_session_context(c->run.session), half = context / 2;
    if (c->text.n + more + wanted_room(c) <= context) return c->text.n;
    const size_t keep = half > more ? half - more : 0;
    if (keep >= c->text.n) return c->text.n;
    fprintf(stderr, "note: the context of %zu is full: the model sees the last %zu tokens of the text\n", context,
            keep + more);
    return keep;
}

/* The text so far and what comes after it. */
static int make_text(const chat *c, const char *text, size_t n, weft_tokens *out)
{
    weft_error err;
    weft_tokens more;
    const size_t context = weft_session_context(c->run.session);
    const weft_encode_desc on = { .bos = WEFT_BOS_OFF, .no_template = true };
    if (weft_tokenizer_encode(c->tokenizer, text, n, c->text.n ? &on : NULL, &more, &err)) return cli_report(&err);
    int status = more.n <= context ? 0 : cli_fail("this alone has %zu tokens, more than the context of %zu (--context)",
                                                  more.n, context);
    const size_t keep = status ? 0 : text_to_keep(c, more.n);
    if (!status && !(keep + more.n)) status = cli_fail("this has no tokens");
    if (!status) out->ids = malloc((keep + more.n) * sizeof *out->ids);
    if (!status && !out->ids) status = cli_fail("out of memory");
    if (!status) {
        out->n = keep + more.n;
        if (keep) memcpy(out->ids, c->text.ids + c->text.n - keep, keep * sizeof *out->ids);
        if (more.n) memcpy(out->ids + keep, more.ids, more.n * sizeof *out->ids);
    }
    weft_tokens_free(&more);
    return status;
}

/* ---- the answer ---- */

static bool print(void *ctx, int32_t token, const char *text, size_t n)
{
    (void)ctx;
    (void)token;
    cli_progress_end();
    if (n) {
        fwrite(text, 1, n, stdout);
        fflush(stdout);
    }
    return !chat_signal() && !ferror(stdout);
}

static weft_status generate(chat *c, const weft_tokens *prompt, weft_generated *r, size_t *kept, weft_error *err)
{
    weft_generate_desc d = {
        .sampling = c->sampling.how,
        .max_tokens = cli_u32(&c->args, "max-tokens", c->template ? 0 : 128),
        .on_token = print,
    };
    cli_speculation_apply(&c->speculation, &d);
    *kept = chat_keep(c->run.session, prompt->ids, prompt->n);
    return weft_generate(c->run.session, 0, prompt->ids + *kept, prompt->n - *kept, &d, r, err);
}

/* What comes after the answer. */
static void close_answer(const chat *c, const weft_generated *r, size_t n_new)
{
    if (r->text_size && r->text[r->text_size - 1] == '\n' && c->prompted) fflush(stdout);
    else fputc('\n', stdout);
    fflush(stdout);
    if (c->told) cli_tell_speed(r, n_new);
    if (r->stop == WEFT_STOP_CONTEXT) fprintf(stderr, "note: the answer ends because the context is full\n");
    if (r->stop == WEFT_STOP_CANCELLED && c->prompted) fprintf(stderr, "note: interrupted; what was said stays\n");
}

/* Prompt and answer are the text now; the end-of-text token is not, so that it can go on. */
static int keep_text(chat *c, weft_tokens *prompt, const weft_generated *r)
{
    const size_t n = r->n_tokens - (r->stop == WEFT_STOP_EOS);
    int32_t *ids = realloc(prompt->ids, (prompt->n + n + 1) * sizeof *ids);
    if (!ids) return cli_fail("out of memory");
    if (n) memcpy(ids + prompt->n, r->tokens, n * sizeof *ids);
    weft_tokens_free(&c->text);
    c->text = (weft_tokens){ ids, prompt->n + n };
    *prompt = (weft_tokens){ 0 };
    return 0;
}

static int keep_answer(chat *c, weft_tokens *prompt, const weft_generated *r)
{
    if (!c->template) return keep_text(c, prompt, r);
    json_t *answer = json_pack("{s:s, s:o}", "role", "assistant", "content", json_stringn(r->text, r->text_size));
    return json_array_append_new(c->messages, answer) ? cli_fail("out of memory") : 0;
}

static int answer(chat *c, weft_tokens *prompt)
{
    weft_error err;
    weft_generated r;
    size_t kept;
    weft_status s = generate(c, prompt, &r, &kept, &err);
    if (s == WEFT_CANCELLED && chat_signal()) {
        if (c->prompted) fprintf(stderr, "note: interrupted before there was an answer: this was not said\n");
        return cli_interrupted_status();
    }
    if (s) return cli_report(&err);
    close_answer(c, &r, prompt->n - kept);
    int status = keep_answer(c, prompt, &r);
    weft_generated_free(&r);
    return status;
}

int chat_say(chat *c, const char *text, size_t n)
{
    weft_tokens prompt = { 0 };
    json_t *before = NULL;
    int status;
    if (c->template) {
        before = json_copy(c->messages);
        json_t *said = json_pack("{s:s, s:o}", "role", "user", "content", json_stringn(text, n));
        if (!before || json_array_append_new(c->messages, said))
            status = cli_fail("this is not UTF-8, or there is no memory");
        else status = make_prompt(c, &prompt);
    } else {
        status = make_text(c, text, n, &prompt);
    }
    if (!status) status = answer(c, &prompt);
    if (status && before) {
        json_decref(c->messages);
        c->messages = json_incref(before);
    }
    json_decref(before);
    weft_tokens_free(&prompt);
    return status;
}

int chat_reset(chat *c)
{
    weft_tokens_free(&c->text);
    c->text = (weft_tokens){ 0 };
    if (!c->template) return 0;
    json_t *messages = c->system ? json_pack("[{s:s, s:s}]", "role", "system", "content", c->system) : json_array();
    if (!messages) return cli_fail("--system: this is not UTF-8, or there is no memory");
    json_decref(c->messages);
    c->messages = messages;
    return 0;
}
