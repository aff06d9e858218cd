/* answer_json.c: answers in the forms of OpenAI's API: objects, chunks of streams, log-probabilities, usage. A NULL on
 * the way, where memory has run out, becomes a NULL at the end, which jansson's functions pass on. */
#include "tools/serve/answer_json.h"

#include <string.h>

/* ---- log-probabilities ---- */

/* A token's bytes as a text; what is not UTF-8 by itself becomes U+FFFD. */
static json_t *token_text(const answer *a, int32_t id)
{
    weft_text text = { 0 };
    const weft_decode_desc how = { .repair = true };
    size_t n;
    const char *bytes = weft_tokenizer_bytes(a->m->tokenizer, id, &n);
    json_t *json = bytes ? json_stringn(bytes, n) : json_string("");
    if (json || weft_tokenizer_decode(a->m->tokenizer, &id, 1, &how, &text, NULL)) return json;
    json = json_stringn(text.data ? text.data : "", text.size);
    weft_text_free(&text);
    return json;
}

static json_t *token_bytes(const answer *a, int32_t id)
{
    size_t n;
    const char *bytes = weft_tokenizer_bytes(a->m->tokenizer, id, &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer((unsigned char)bytes[i]));
    return list;
}

/* JSON has no infinity; -9999 is what OpenAI's API gives. */
static double bounded(float logprob)
{
    return logprob > -9999.0f ? (double)logprob : -9999.0;
}

static json_t *chat_token(const answer *a, const weft_logprob *l)
{
    return json_pack("{s:o, s:f, s:o}", "token", token_text(a, l->token), "logprob", bounded(l->logprob), "bytes",
                     token_bytes(a, l->token));
}

json_t *answer_logprobs_new(const answer *a)
{
    if (a->shape->chat) return json_pack("{s:[], s:n}", "content", "refusal");
    return json_pack("{s:[], s:[], s:[], s:[]}", "tokens", "token_logprobs", "top_logprobs", "text_offset");
}

static void add_chat(const answer *a, choice *c, const weft_logprob *l, uint32_t n_top)
{
    json_t *token = chat_token(a, l), *top = json_array();
    for (uint32_t i = 1; i <= n_top; i++) json_array_append_new(top, chat_token(a, &l[i]));
    json_object_set_new(token, "top_logprobs", top);
    json_array_append_new(json_object_get(c->logprobs, "content"), token);
}

static void add_legacy(const answer *a, choice *c, int32_t id, const weft_logprob *l, uint32_t n_top)
{
    json_t *top = l ? json_object() : json_null();
    for (uint32_t i = 1; l && i <= n_top; i++) {
        json_t *name = token_text(a, l[i].token);
        json_object_set_new(top, name ? json_string_value(name) : "", json_real(bounded(l[i].logprob)));
        json_decref(name);
    }
    json_array_append_new(json_object_get(c->logprobs, "tokens"), token_text(a, id));
    json_array_append_new(json_object_get(c->logprobs, "token_logprobs"), l ? json_real(bounded(l->logprob))
                                                                           : json_null());
    json_array_append_new(json_object_get(c->logprobs, "top_logprobs"), top);
    json_array_append_new(json_object_get(c->logprobs, "text_offset"), json_integer((json_int_t)c->n_before));
}

void answer_logprobs_add(answer *a, choice *c, const task_token *t)
{
    if (a->shape->chat) add_chat(a, c, t->logprobs, t->n_top);
    else add_legacy(a, c, t->id, t->logprobs, t->n_top);
}

/* Those that are waiting, which then are the caller's; null where there are none. */
static json_t *take_logprobs(answer *a, choice *c)
{
    json_t *taken = c->logprobs;
    if (!a->logprobs) return json_null();
    c->logprobs = a->stream ? answer_logprobs_new(a) : NULL;
    return taken ? taken : json_null();
}

/* ---- objects ---- */

json_t *answer_shifted(const choice *c, json_t *json)
{
    if (c->n_dropped && json) {
        json_object_set_new(json, "truncated", json_true());
        json_object_set_new(json, "dropped_tokens", json_integer((json_int_t)c->n_dropped));
    }
    return json;
}

static json_t *frame(answer *a, const char *object, json_t *choices)
{
    json_t *json = json_pack("{s:s, s:s, s:I, s:s, s:s, s:o}", "id", a->id, "object", object, "created",
                             (json_int_t)a->created, "model", a->model, "system_fingerprint", weft_version(),
                             "choices", choices);
    return json;
}

static json_t *usage(const answer *a)
{
    json_t *json = json_pack("{s:I, s:I, s:I, s:{s:I}}", "prompt_tokens", (json_int_t)a->prompt_tokens,
                             "completion_tokens", (json_int_t)a->picked_tokens, "total_tokens",
                             (json_int_t)(a->prompt_tokens + a->picked_tokens), "prompt_tokens_details",
                             "cached_tokens", (json_int_t)a->cached_tokens);
    json_t *details = json_object();
    if (a->reads) json_object_set_new(details, "reasoning_tokens", json_integer((json_int_t)a->reasoned_tokens));
    if (a->drafted_tokens) {
        json_object_set_new(details, "accepted_prediction_tokens", json_integer((json_int_t)a->accepted_tokens));
        json_object_set_new(details, "rejected_prediction_tokens",
                            json_integer((json_int_t)(a->drafted_tokens - a->accepted_tokens)));
    }
    if (json_object_size(details)) json_object_set(json, "completion_tokens_details", details);
    json_decref(details);
    return json;
}

/* One choice in a chunk; `delta` is taken over. */
static json_t *chunk(answer *a, choice *c, json_t *delta, json_t *logprobs, const char *finish)
{
    json_t *one = json_pack("{s:i, s:o, s:o, s:s?}", "index", (int)c->index, a->shape->chat ? "delta" : "text", delta,
                            "logprobs", logprobs, "finish_reason", finish);
    if (finish) answer_shifted(c, one);
    json_t *json = frame(a, a->shape->chat ? "chat.completion.chunk" : "text_completion", json_pack("[o]", one));
    if (a->include_usage) json_object_set_new(json, "usage", json_null());
    return json;
}

static bool send(answer *a, choice *c, json_t *delta)
{
    return exchange_event(a->x, chunk(a, c, delta, take_logprobs(a, c), NULL));
}

static bool send_piece(answer *a, choice *c, form_part part, const char *text, size_t n)
{
    json_t *t = json_stringn(text, n);
    const char *name = part == FORM_REASONING ? "reasoning_content" : "content";
    return send(a, c, a->shape->chat ? json_pack("{s:o}", name, t) : t);
}

static void begin_chat(answer *a, choice *c)
{
    json_t *delta = json_pack("{s:s, s:s}", "role", "assistant", "content", "");
    exchange_event(a->x, chunk(a, c, delta, json_null(), NULL));
}

static void begin_completion(answer *a, choice *c)
{
    if (c->text.size && !a->logprobs) /* an echo; with scores it waits for them */
        send_piece(a, c, FORM_ANSWER, c->text.data, c->text.size);
}

static void end(answer *a, choice *c)
{
    if (c->calls) send(a, c, json_pack("{s:O}", "tool_calls", c->calls));
    bool left = json_array_size(json_object_get(c->logprobs, "content")); /* of marks at the end */
    exchange_event(a->x, chunk(a, c, a->shape->chat ? json_object() : json_string(""),
                               left ? take_logprobs(a, c) : json_null(), c->finish));
}

static void finish(answer *a)
{
    if (a->include_usage) {
        json_t *json = frame(a, a->shape->chat ? "chat.completion.chunk" : "text_completion", json_array());
        json_object_set_new(json, "usage", usage(a));
        exchange_event(a->x, json);
    }
    exchange_end(a->x, "[DONE]");
}

static json_t *whole_choice(answer *a, choice *c)
{
    json_t *text = json_stringn(c->text.data ? c->text.data : "", c->text.size);
    if (c->calls && !c->text.size) {
        json_decref(text);
        text = json_null();
    }
    json_t *body = text;
    if (a->shape->chat) body = json_pack("{s:s, s:o, s:n}", "role", "assistant", "content", text, "refusal");
    if (c->reasoning.size)
        json_object_set_new(body, "reasoning_content", json_stringn(c->reasoning.data, c->reasoning.size));
    if (c->calls) json_object_set(body, "tool_calls", c->calls);
    return answer_shifted(c, json_pack("{s:i, s:o, s:o, s:s}", "index", (int)c->index,
                                       a->shape->chat ? "message" : "text", body, "logprobs", take_logprobs(a, c),
                                       "finish_reason", c->finish));
}

static json_t *object(answer *a)
{
    json_t *choices = json_array();
    for (uint32_t i = 0; i < a->n_choices; i++) json_array_append_new(choices, whole_choice(a, &a->choices[i]));
    json_t *json = frame(a, a->shape->chat ? "chat.completion" : "text_completion", choices);
    json_object_set_new(json, "usage", usage(a));
    return json;
}

const answer_shape answer_completions = { .prefix = "cmpl-", .begin = begin_completion, .piece = send_piece, .end = end,
                                          .finish = finish, .object = object };
const answer_shape answer_chats = { .prefix = "chatcmpl-", .chat = true, .begin = begin_chat, .piece = send_piece,
                                    .end = end, .finish = finish, .object = object };
