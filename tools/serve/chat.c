/* chat.c: /v1/chat/completions: messages in OpenAI's form become the variables of the model's own template. */
#include "tools/serve/answer.h"

#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

/* Content in parts becomes one text: that is what templates know. */
static bool join_parts(exchange *x, json_t *message, const json_t *parts)
{
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    bool ok = true;
    for (size_t i = 0; i < json_array_size(parts) && ok; i++) {
        const json_t *part = json_array_get(parts, i), *t = json_object_get(part, "text");
        const char *type = json_string_value(json_object_get(part, "type"));
        if (!type || strcmp(type, "text") || !json_is_string(t))
            ok = exchange_refuse(x, "messages", "this model reads text alone: expected parts of type text");
        else if (json_string_length(t))
            ok = w.write(w.ctx, json_string_value(t), json_string_length(t)) ||
                 (exchange_error(x, 503, NULL, NULL, "out of memory"), false);
    }
    if (ok) json_object_set_new(message, "content", json_stringn(text.data ? text.data : "", text.size));
    weft_text_free(&text);
    return ok;
}

/* OpenAI's form has the arguments of a call as a text that holds JSON; templates write them themselves. */
static bool open_arguments(exchange *x, const json_t *call)
{
    json_t *function = json_object_get(call, "function"), *text = json_object_get(function, "arguments");
    if (!json_is_string(text)) return true;
    json_t *arguments = *json_string_value(text) ? json_loadb(json_string_value(text), json_string_length(text),
                                                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                                                 : json_object();
    if (!arguments) return exchange_refuse(x, "messages", "the arguments of a tool call are no JSON");
    return !json_object_set_new(function, "arguments", arguments);
}

static bool read_message(exchange *x, json_t *message)
{
    json_t *content = json_object_get(message, "content"), *calls = json_object_get(message, "tool_calls");
    if (!json_is_string(json_object_get(message, "role")))
        return exchange_expected(x, "messages", "objects with a role");
    if (json_is_array(content)) {
        if (!join_parts(x, message, content)) return false;
    } else if (content && !json_is_string(content) && !json_is_null(content)) {
        return exchange_expected(x, "messages", "a content that is a text, or parts of one");
    }
    for (size_t i = 0; i < json_array_size(calls); i++)
        if (!open_arguments(x, json_array_get(calls, i))) return false;
    return true;
}

static bool read_messages(exchange *x, const json_t *messages)
{
    if (!json_array_size(messages)) return exchange_expected(x, "messages", "a list of at least one message");
    for (size_t i = 0; i < json_array_size(messages); i++)
        if (!read_message(x, json_array_get(messages, i))) return false;
    return true;
}

/* ---- tools ---- */

static const char *tool_name(const json_t *tool)
{
    return json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
}

/* What is asked for by tool_choice: none of the tools, any (both NULL), at least one, or one by name. */
typedef struct choice_of_tools { bool none, demanded; const char *name; } choice_of_tools;

static bool read_choice(exchange *x, const json_t *which, choice_of_tools *out)
{
    const char *word = json_string_value(which), *type = json_string_value(json_object_get(which, "type"));
    *out = (choice_of_tools){ 0 };
    if (!which || json_is_null(which) || (word && !strcmp(word, "auto"))) return true;
    if (type && !strcmp(type, "function")) {
        out->name = tool_name(which);
        out->demanded = true;
        return out->name || exchange_expected(x, "tool_choice", "a function with a name");
    }
    out->none = word && !strcmp(word, "none");
    out->demanded = word && !strcmp(word, "required");
    return out->none || out->demanded || exchange_expected(x, "tool_choice", "auto, none, required, or a function");
}

static bool read_tools(exchange *x, const json_t *request, params *p, choice_of_tools *which)
{
    json_t *tools = json_object_get(request, "tools");
    bool found = false;
    if (tools && !json_is_null(tools) && !json_is_array(tools)) return exchange_expected(x, "tools", "a list");
    if (!read_choice(x, json_object_get(request, "tool_choice"), which)) return false;
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *name = tool_name(tool);
        if (!json_is_object(tool)) return exchange_expected(x, "tools", "objects");
        if (which->demanded && !name) return exchange_expected(x, "tools", "functions with names");
        found |= name && which->name && !strcmp(name, which->name);
    }
    if (which->demanded && !json_array_size(tools)) return exchange_refuse(x, "tool_choice", "there are no tools");
    if (which->name && !found) return exchange_refuse(x, "tool_choice", "there is no tool of this name");
    if (json_array_size(tools) && !which->none) p->tools = tools;
    return true;
}

/* ---- the template ---- */

static void add_now(json_t *root)
{
    char text[40];
    struct tm tm;
    const time_t now = time(NULL);
    if (localtime_r(&now, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
        json_object_set_new(root, "now", json_string(text));
}

/* What the template is given; NULL after an error. */
static json_t *variables(exchange *x, const json_t *request, const params *p)
{
    static const char *const passed[] = { "documents", "reasoning_effort" };
    json_t *root =
        json_pack("{s:O, s:b}", "messages", json_object_get(request, "messages"), "add_generation_prompt",
                  p->prompts && !p->goes_on);
    json_t *more = json_object_get(request, "chat_template_kwargs");
    bool ok = root;
    if (p->tools) json_object_set(root, "tools", (json_t *)(uintptr_t)p->tools);
    if (ok && more && !json_is_null(more) && !json_is_object(more))
        ok = exchange_expected(x, "chat_template_kwargs", "an object");
    for (size_t i = 0; i < 2 && ok; i++) {
        json_t *v = json_object_get(request, passed[i]);
        if (v && !json_is_null(v)) json_object_set(root, passed[i], v);
    }
    if (ok) add_now(root);
    if (ok && json_is_object(more)) json_object_update_missing(root, more);
    if (ok) return root;
    json_decref(root);
    return NULL;
}

static bool render(exchange *x, const served *m, json_t *root, weft_text *out)
{
    weft_error err;
    const weft_chat_limits limits = { .steps = 5000000, .bytes = 64 << 20 };
    char *json = json_dumps(root, JSON_COMPACT);
    if (!json) return exchange_error(x, 503, NULL, NULL, "out of memory"), false;
    weft_status status = weft_chat_template_render(m->chat, json, strlen(json), &limits, out, &err);
    free(json);
    if (status == WEFT_OOM) return exchange_error(x, 503, NULL, NULL, "out of memory"), false;
    if (status) return exchange_error(x, 422, "template", "messages", "the model's template: %s", err.text), false;
    return true;
}

/* ---- a message that goes on ---- */

static const char white[] = " \t\r\n\v\f";

/* As transformers' continue_final_message has it: the prompt ends where the last message's text does, the last time
 * that it is there. White space at that end stays if the template keeps it. */
static bool cut_behind(exchange *x, const json_t *request, weft_text *prompt)
{
    const json_t *messages = json_object_get(request, "messages");
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const json_t *text = json_object_get(last, "content"), *calls = json_object_get(last, "tool_calls");
    const char *from = json_string_value(text), *found = NULL;
    size_t n = json_string_length(text), whole;
    while (n && strchr(white, *from)) from++, n--;
    whole = n;
    while (n && strchr(white, from[n - 1])) n--;
    if (!n || json_array_size(calls))
        return exchange_refuse(x, "continue_final_message", "the last message has no text that could go on");
    for (size_t i = prompt->size >= n ? prompt->size - n + 1 : 0; i-- > 0 && !found;)
        if (!memcmp(prompt->data + i, from, n)) found = prompt->data + i;
    if (!found) {
        exchange_error(x, 422, "template", "continue_final_message",
                       "the model's template does not write the last message as it is");
        return false;
    }
    const size_t left = prompt->size - (size_t)(found - prompt->data);
    prompt->size -= left - (left >= whole && !memcmp(found, from, whole) ? whole : n);
    return true;
}

/* ---- forms of reasoning and calls ---- */

/* Whether a prompt ends with a mark, whatever white space is behind it. */
static bool ends_with(const weft_text *text, const char *mark)
{
    size_t n = text->size, k = strlen(mark);
    while (n && strchr(" \t\r\n", text->data[n - 1])) n--;
    while (k && strchr(" \t\r\n", mark[k - 1])) k--;
    return n >= k && !memcmp(text->data + n - k, mark, k);
}

static bool put(weft_text *to, const char *text)
{
    weft_writer w = weft_text_writer(to);
    return !*text || w.write(w.ctx, text, strlen(text));
}

/* Reasoning that the prompt has begun ends in it. */
static bool close_reasoning(const forms *f, weft_text *prompt)
{
    if (!f->think || !ends_with(prompt, f->think->open)) return true;
    return put(prompt, "\n") && put(prompt, f->think->close) && put(prompt, "\n\n");
}

/* A call that is demanded begins in the prompt, and the rest of it matches a schema. */
static bool demand(exchange *x, params *p, const choice_of_tools *which, const forms *f, weft_text *prompt,
                   weft_text *begun)
{
    const char *why = NULL;
    json_t *schema = NULL, *tools = json_array();
    for (size_t i = 0; i < json_array_size(p->tools); i++) {
        json_t *tool = json_array_get(p->tools, i);
        if (!which->name || !strcmp(which->name, tool_name(tool))) json_array_append(tools, tool);
    }
    bool ok = tools && form_demand(f, tools, begun, &schema, &why);
    json_decref(tools);
    if (!ok && tools && why) return exchange_refuse(x, "tool_choice", why);
    if (ok) ok = close_reasoning(f, prompt);
    size_t there = begun->size && f->call->drop && ends_with(prompt, f->call->open) ? strlen(f->call->open) : 0;
    if (ok) ok = !begun->size || put(prompt, begun->data + there);
    if (!ok) exchange_error(x, 503, NULL, NULL, "out of memory");
    ok = ok && params_set_schema(x, p, schema, "tool_choice");
    json_decref(schema);
    p->begun = begun->data;
    return ok;
}

/* Whether the request's grammar leaves no room for the end of reasoning that the prompt has begun: JSON does not, other
 * grammars where they name it. */
static bool forbids(const params *p, const char *mark)
{
    if (!p->grammar_field) return false;
    return p->grammar_kind != WEFT_GRAMMAR_GBNF || !memmem(p->grammar, p->n_grammar, mark, strlen(mark));
}

/* What of reasoning and calls is looked for in the answer, by the marks of the model's template. */
static bool choose_forms(exchange *x, const served *m, params *p, const choice_of_tools *which, weft_text *prompt,
                         weft_text *begun)
{
    size_t n;
    forms f;
    const char *text = weft_chat_template_text(m->chat, p->tools, &n);
    forms_of(text, n, &f);
    p->forms = f;
    bool channels = f.call && f.call->kind == CALL_CHANNELS;
    if (f.call && !channels && !p->tools && !f.call->drop) p->forms.call = NULL;
    if (channels && p->tools) p->stop[p->n_stop++] = "<|call|>"; /* which not all files name as an end */
    if (p->keep_reasoning) {
        p->kept = f.think;
        p->forms.think = NULL;
    }
    if (which->demanded) return demand(x, p, which, &f, prompt, begun);
    p->forms.marked = p->grammar_field; /* the answer's form is the request's */
    if (f.think && forbids(p, f.think->close) && !close_reasoning(&f, prompt))
        return exchange_error(x, 503, NULL, NULL, "out of memory"), false;
    if (p->forms.think && prompt->size && ends_with(prompt, f.think->open)) p->begun = f.think->open;
    else if (f.call && f.call->drop && prompt->size && ends_with(prompt, f.call->open)) p->begun = f.call->open;
    return true;
}

static bool make_prompt(exchange *x, const served *m, const json_t *request, params *p, const choice_of_tools *which,
                        weft_text *begun, answer_prompt *out)
{
    weft_error err;
    weft_text text = { 0 };
    const weft_encode_desc how = { .bos = WEFT_BOS_OFF, .no_template = true }; /* a template writes all tokens itself */
    json_t *root = variables(x, request, p);
    bool ok = root && render(x, m, root, &text) && (!p->goes_on || cut_behind(x, request, &text)) &&
              choose_forms(x, m, p, which, &text, begun);
    if (ok && weft_tokenizer_encode(m->tokenizer, text.data ? text.data : "", text.size, &how, &out->tokens, &err)) {
        exchange_error(x, 400, "invalid_value", "messages", "'messages': %s", err.text);
        ok = false;
    }
    weft_text_free(&text);
    json_decref(root);
    return ok;
}

void chat_answer(exchange *x, const json_t *request, params *p, const answer_shape *shape)
{
    answer_prompt prompt = { 0 };
    choice_of_tools which = { 0 };
    weft_text begun = { 0 };
    served *m = server_text_model(x, p->model);
    if (!m) return;
    if (!m->chat) {
        exchange_error(x, 422, "no_chat_template", "model",
                       "'%s' has no chat template: /v1/completions continues texts, --chat-template gives it one",
                       m->name);
        return;
    }
    if (p->n_top && !p->logprobs) {
        exchange_error(x, 400, "invalid_value", "top_logprobs", "'top_logprobs' needs 'logprobs': true");
        return;
    }
    if (p->goes_on && json_is_true(json_object_get(request, "add_generation_prompt"))) {
        exchange_refuse(x, "continue_final_message", "not together with add_generation_prompt");
        return;
    }
    if (read_tools(x, request, p, &which) && read_messages(x, json_object_get(request, "messages")) &&
        make_prompt(x, m, request, p, &which, &begun, &prompt) &&
        (!shape || answer_prompt_fits(x, m, prompt.tokens.n, "messages"))) {
        if (shape) answer_begin(x, m, p, shape, &prompt, 1);
        else exchange_answer(x, 200, json_pack("{s:I}", "input_tokens", (json_int_t)prompt.tokens.n));
    }
    weft_tokens_free(&prompt.tokens);
    weft_text_free(&begun);
}

void serve_chat(exchange *x)
{
    params p = { 0 };
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_CHAT, &p)) chat_answer(x, request, &p, &answer_chats);
    params_free(&p);
    json_decref(request);
}
