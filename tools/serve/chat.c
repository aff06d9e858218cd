/* chat.c: /v1/chat/completions: messages in OpenAI's form become the variables of the model's own template. */
#include "tools/serve/answer.h"

#include <stdlib.h>
#include <string.h>

static bool refuse(exchange *x, const char *field, const char *why)
{
    exchange_error(x, 400, "invalid_value", field, "'%s': %s", field, why);
    return false;
}

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
            ok = refuse(x, "messages", "this model reads text alone: expected parts of type text");
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
    if (!arguments) return refuse(x, "messages", "the arguments of a tool call are no JSON");
    return !json_object_set_new(function, "arguments", arguments);
}

static bool read_message(exchange *x, json_t *message)
{
    json_t *content = json_object_get(message, "content"), *calls = json_object_get(message, "tool_calls");
    if (!json_is_string(json_object_get(message, "role")))
        return refuse(x, "messages", "expected objects with a role");
    if (json_is_array(content)) {
        if (!join_parts(x, message, content)) return false;
    } else if (content && !json_is_string(content) && !json_is_null(content)) {
        return refuse(x, "messages", "expected a content that is a text, or parts of one");
    }
    for (size_t i = 0; i < json_array_size(calls); i++)
        if (!open_arguments(x, json_array_get(calls, i))) return false;
    return true;
}

static bool read_messages(exchange *x, const json_t *messages)
{
    if (!json_array_size(messages)) return refuse(x, "messages", "expected a list of at least one message");
    for (size_t i = 0; i < json_array_size(messages); i++)
        if (!read_message(x, json_array_get(messages, i))) return false;
    return true;
}

/* ---- tools ---- */

static bool read_tools(exchange *x, const json_t *request, json_t *root)
{
    json_t *tools = json_object_get(request, "tools"), *which = json_object_get(request, "tool_choice");
    const char *name = json_string_value(which);
    if (tools && !json_is_null(tools) && !json_is_array(tools)) return refuse(x, "tools", "expected a list");
    for (size_t i = 0; i < json_array_size(tools); i++)
        if (!json_is_object(json_array_get(tools, i))) return refuse(x, "tools", "expected objects");
    if (which && !json_is_null(which) && !(name && (!strcmp(name, "auto") || !strcmp(name, "none")))) {
        exchange_error(x, 400, "unsupported_value", "tool_choice",
                       "'tool_choice': the model chooses; only auto and none can be asked for");
        return false;
    }
    bool none = name && !strcmp(name, "none");
    if (json_array_size(tools) && !none) json_object_set(root, "tools", tools);
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
static json_t *variables(exchange *x, const json_t *request)
{
    static const char *const passed[] = { "documents", "reasoning_effort" };
    json_t *root =
        json_pack("{s:O, s:b}", "messages", json_object_get(request, "messages"), "add_generation_prompt", 1);
    json_t *more = json_object_get(request, "chat_template_kwargs");
    bool ok = root && read_tools(x, request, root);
    if (ok && more && !json_is_null(more) && !json_is_object(more))
        ok = refuse(x, "chat_template_kwargs", "expected an object");
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

static bool make_prompt(exchange *x, const served *m, const json_t *request, answer_prompt *out)
{
    weft_error err;
    weft_text text = { 0 };
    const weft_encode_desc how = { .bos = WEFT_BOS_OFF, .no_template = true }; /* a template writes all tokens itself */
    json_t *root = variables(x, request);
    bool ok = root && render(x, m, root, &text);
    if (ok && weft_tokenizer_encode(m->tokenizer, text.data ? text.data : "", text.size, &how, &out->tokens, &err)) {
        exchange_error(x, 400, "invalid_value", "messages", "'messages': %s", err.text);
        ok = false;
    }
    weft_text_free(&text);
    json_decref(root);
    return ok;
}

/* Whether the model is told of tools. */
static bool has_tools(const json_t *request)
{
    const char *choice = json_string_value(json_object_get(request, "tool_choice"));
    return json_array_size(json_object_get(request, "tools")) && !(choice && !strcmp(choice, "none"));
}

static void chat(exchange *x, const json_t *request, params *p)
{
    answer_prompt prompt = { 0 };
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
    p->tools = has_tools(request);
    if (read_messages(x, json_object_get(request, "messages")) && make_prompt(x, m, request, &prompt) &&
        answer_prompt_fits(x, m, prompt.tokens.n, "messages"))
        answer_begin(x, m, p, true, &prompt, 1);
    weft_tokens_free(&prompt.tokens);
}

void serve_chat(exchange *x)
{
    params p = { 0 };
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_CHAT, &p)) chat(x, request, &p);
    params_free(&p);
    json_decref(request);
}
