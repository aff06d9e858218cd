/* texts.c: /v1/completions, /tokenize, /detokenize: prompts as they come, as texts or as tokens. */
#include "tools/serve/answer.h"

#include <stdlib.h>
#include <string.h>

/* ---- prompts ---- */

static bool refuse_ids(exchange *x, const char *field, uint32_t n_vocab)
{
    exchange_error(x, 400, "invalid_value", field, "'%s': expected token ids from 0 to %u", field, n_vocab - 1);
    return false;
}

static bool read_ids(exchange *x, const served *m, const char *field, const json_t *list, weft_tokens *out)
{
    out->n = json_array_size(list);
    out->ids = malloc((out->n + 1) * sizeof *out->ids);
    if (!out->ids) return exchange_error(x, 503, NULL, NULL, "out of memory"), false;
    for (size_t i = 0; i < out->n; i++) {
        const json_t *v = json_array_get(list, i);
        json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || id >= m->n_vocab) return refuse_ids(x, field, m->n_vocab);
        out->ids[i] = (int32_t)id;
    }
    return true;
}

static bool read_text(exchange *x, const served *m, const char *field, const json_t *text, answer_prompt *out)
{
    weft_error err;
    const char *bytes = json_string_value(text);
    size_t n = json_string_length(text);
    if (weft_tokenizer_encode(m->tokenizer, bytes, n, NULL, &out->tokens, &err))
        return exchange_error(x, 400, "invalid_value", field, "'%s': %s", field, err.text), false;
    out->echo = malloc(n + 1);
    if (!out->echo) return exchange_error(x, 503, NULL, NULL, "out of memory"), false;
    memcpy(out->echo, bytes, n + 1);
    out->n_echo = n;
    return true;
}

static bool read_one(exchange *x, const served *m, const char *field, const json_t *prompt, answer_prompt *out)
{
    if (json_is_string(prompt)) return read_text(x, m, field, prompt, out);
    if (json_is_array(prompt)) {
        weft_text text = { 0 };
        if (!read_ids(x, m, field, prompt, &out->tokens)) return false;
        if (weft_tokenizer_decode(m->tokenizer, out->tokens.ids, out->tokens.n, NULL, &text, NULL)) return true;
        out->echo = text.data;
        out->n_echo = text.size;
        return true;
    }
    exchange_error(x, 400, "invalid_value", field, "'%s': expected a text, token ids, or a list of them", field);
    return false;
}

void answer_prompts_free(answer_prompt *p, size_t n)
{
    for (size_t i = 0; p && i < n; i++) {
        weft_tokens_free(&p[i].tokens);
        free(p[i].echo);
    }
    free(p);
}

bool answer_prompt_fits(exchange *x, const served *m, size_t n, const char *field)
{
    if (!n) {
        exchange_error(x, 400, "invalid_value", field, "'%s': there are no tokens in it", field);
        return false;
    }
    if (n <= m->context) return true;
    exchange_error(x, 400, "context_length_exceeded", field, "'%s' has %zu tokens, and the context of this model %u",
                   field, n, m->context);
    return false;
}

answer_prompt *answer_prompts_read(exchange *x, const served *m, const char *field, const json_t *value, size_t *n)
{
    const json_t *first = json_array_get(value, 0);
    bool several = json_is_string(first) || json_is_array(first), ok = true;
    *n = several ? json_array_size(value) : 1;
    if (*n > PARAMS_CHOICES) {
        exchange_error(x, 400, "invalid_value", field, "'%s': at most %d texts, not %zu", field, PARAMS_CHOICES, *n);
        return NULL;
    }
    answer_prompt *prompts = calloc(*n, sizeof *prompts);
    if (!prompts) exchange_error(x, 503, NULL, NULL, "out of memory");
    for (size_t i = 0; prompts && i < *n && ok; i++) {
        ok = read_one(x, m, field, several ? json_array_get(value, i) : value, &prompts[i]) &&
             answer_prompt_fits(x, m, prompts[i].tokens.n, field);
    }
    if (ok) return prompts;
    answer_prompts_free(prompts, *n);
    return NULL;
}

static bool is_possible(exchange *x, const params *p, size_t n_prompts)
{
    if (p->best_of && p->best_of != p->n)
        exchange_error(x, 400, "unsupported_value", "best_of", "'best_of': only as many as 'n' are made");
    else if (n_prompts * p->n > PARAMS_CHOICES)
        exchange_error(x, 400, "invalid_value", "n", "'n': at most %d texts in all, not %zu", PARAMS_CHOICES,
                       n_prompts * p->n);
    else
        return true;
    return false;
}

static void complete(exchange *x, const json_t *request, params *p)
{
    size_t n;
    served *m = server_text_model(x, p->model);
    answer_prompt *prompts = m ? answer_prompts_read(x, m, "prompt", json_object_get(request, "prompt"), &n) : NULL;
    if (!prompts) return;
    if (!p->max_tokens && !p->none) p->max_tokens = 16; /* as OpenAI's API has it */
    if (is_possible(x, p, n)) answer_begin(x, m, p, &answer_completions, prompts, n);
    answer_prompts_free(prompts, n);
}

void serve_completions(exchange *x)
{
    params p = { 0 };
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_COMPLETIONS, &p)) complete(x, request, &p);
    params_free(&p);
    json_decref(request);
}

/* ---- tokens ---- */

enum { PIECES = 1 << 18 }; /* at most in an answer: each takes some hundred bytes until it is sent */

static json_t *piece(const served *m, int32_t id)
{
    size_t n;
    const char *bytes = weft_tokenizer_bytes(m->tokenizer, id, &n);
    json_t *text = json_stringn(bytes ? bytes : "", n);
    if (text) return text;
    text = json_array(); /* not UTF-8 by itself: its bytes */
    for (size_t i = 0; i < n; i++) json_array_append_new(text, json_integer((unsigned char)bytes[i]));
    return text;
}

static json_t *tokens_json(const served *m, const params *p, const weft_tokens *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(list, p->with_pieces ? json_pack("{s:i, s:o}", "id", (int)t->ids[i], "piece",
                                                               piece(m, t->ids[i]))
                                                   : json_integer(t->ids[i]));
    return json_pack("{s:o}", "tokens", list);
}

static void tokenize(exchange *x, const json_t *request, const params *p)
{
    weft_error err;
    weft_tokens t = { 0 };
    const json_t *content = json_object_get(request, "content");
    const weft_encode_desc how = { .bos = p->add_special ? WEFT_BOS_AS_FILES : WEFT_BOS_OFF,
                                   .no_template = !p->add_special };
    const served *m = server_model(x, p->model);
    if (!m) return;
    if (!json_is_string(content))
        exchange_error(x, 400, "invalid_value", "content", "'content': expected a text");
    else if (weft_tokenizer_encode(m->tokenizer, json_string_value(content), json_string_length(content), &how, &t,
                                   &err))
        exchange_error(x, 400, "invalid_value", "content", "'content': %s", err.text);
    else if (p->with_pieces && t.n > PIECES)
        exchange_error(x, 413, "too_many_tokens", "content", "'content': %zu tokens, and pieces are told of at most %d",
                       t.n, PIECES);
    else
        exchange_answer(x, 200, tokens_json(m, p, &t));
    weft_tokens_free(&t);
}

void serve_tokenize(exchange *x)
{
    params p;
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_TOKENIZE, &p)) tokenize(x, request, &p);
    json_decref(request);
}

static void detokenize(exchange *x, const json_t *request, const params *p)
{
    weft_error err;
    weft_tokens t = { 0 };
    weft_text text = { 0 };
    const json_t *tokens = json_object_get(request, "tokens");
    const served *m = server_model(x, p->model);
    if (!m) return;
    if (!json_is_array(tokens))
        exchange_error(x, 400, "invalid_value", "tokens", "'tokens': expected a list of token ids");
    else if (!read_ids(x, m, "tokens", tokens, &t))
        ;
    else if (weft_tokenizer_decode(m->tokenizer, t.ids, t.n, &(weft_decode_desc){ .repair = true }, &text, &err))
        exchange_error(x, 400, "invalid_value", "tokens", "'tokens': %s", err.text);
    else
        exchange_answer(x, 200, json_pack("{s:o}", "content", json_stringn(text.data ? text.data : "", text.size)));
    weft_text_free(&text);
    weft_tokens_free(&t);
}

void serve_detokenize(exchange *x)
{
    params p;
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_DETOKENIZE, &p)) detokenize(x, request, &p);
    json_decref(request);
}
