/* messages.c: /v1/messages and /v1/messages/count_tokens: a request in the form of Anthropic's API becomes one in that
 * of OpenAI's chats, which chat.c reads. What has no meaning there is refused by name. */
#include "tools/serve/answer.h"
#include "tools/serve/fields.h"

#include <string.h>

/* ---- fields ---- */

/* What has no name here is looked at below, or of no effect. */
static const field_name fields[] = {
    FIELD_SAME("model"), FIELD_SAME("max_tokens"), FIELD_AS("stop_sequences", "stop"), FIELD_SAME("stream"),
    FIELD_SAME("temperature"), FIELD_SAME("top_p"), FIELD_SAME("top_k"), FIELD_HERE("messages"), FIELD_HERE("system"),
    FIELD_HERE("tools"), FIELD_HERE("tool_choice"), FIELD_HERE("thinking"), FIELD_HERE("metadata"),
    FIELD_HERE("service_tier"),
};

/* ---- texts ---- */

/* A text, or blocks of it, as one. NULL after an error has been answered. */
static json_t *text_of(exchange *x, const json_t *content, const char *field)
{
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    bool ok = true;
    if (json_is_string(content)) return json_incref((json_t *)(uintptr_t)content);
    if (content && !json_is_array(content)) ok = exchange_expected(x, field, "a text, or a list of blocks");
    for (size_t i = 0; i < json_array_size(content) && ok; i++) {
        const json_t *block = json_array_get(content, i), *t = json_object_get(block, "text");
        const char *type = json_string_value(json_object_get(block, "type"));
        if (!type || strcmp(type, "text") || !json_is_string(t))
            ok = exchange_refuse(x, field, "this model reads text alone: expected blocks of type text");
        else if (json_string_length(t) && !w.write(w.ctx, json_string_value(t), json_string_length(t)))
            ok = (exchange_error(x, 503, NULL, NULL, "out of memory"), false);
    }
    json_t *json = ok ? json_stringn(text.data ? text.data : "", text.size) : NULL;
    weft_text_free(&text);
    return json;
}

static bool put_text(exchange *x, json_t *messages, const char *role, const json_t *content, const char *field)
{
    json_t *text = text_of(x, content, field);
    return text && !json_array_append_new(messages, json_pack("{s:s, s:o}", "role", role, "content", text));
}

/* ---- messages ---- */

/* A message that is being put together from its blocks. */
typedef struct gathered {
    exchange *x;
    json_t *messages, *names; /* names: of the tools, by the ids of calls */
    json_t *texts, *calls;    /* blocks of text; calls in OpenAI's form */
    json_t *thinking;         /* lent; NULL: none */
} gathered;

static bool add_result(gathered *g, const json_t *block)
{
    json_t *id = json_object_get(block, "tool_use_id"), *content = json_object_get(block, "content");
    if (!json_is_string(id)) return exchange_expected(g->x, "messages", "a tool_result with a tool_use_id");
    json_t *text = text_of(g->x, content, "messages"), *name = json_object_get(g->names, json_string_value(id));
    return text && !json_array_append_new(g->messages, json_pack("{s:s, s:O, s:o, s:O*}", "role", "tool",
                                                                 "tool_call_id", id, "content", text, "name", name));
}

static bool add_use(gathered *g, const json_t *block)
{
    json_t *id = json_object_get(block, "id"), *name = json_object_get(block, "name");
    json_t *input = json_object_get(block, "input");
    if (!json_is_string(id) || !json_is_string(name) || !json_is_object(input))
        return exchange_expected(g->x, "messages", "a tool_use with an id, a name and an input");
    json_object_set(g->names, json_string_value(id), name);
    return !json_array_append_new(g->calls, json_pack("{s:O, s:s, s:{s:O, s:O}}", "id", id, "type", "function",
                                                      "function", "name", name, "arguments", input));
}

static bool add_block(gathered *g, json_t *block, bool assistant)
{
    const char *type = json_string_value(json_object_get(block, "type"));
    char why[160];
    if (type && !strcmp(type, "text")) return !json_array_append(g->texts, block);
    if (type && !strcmp(type, "tool_result") && !assistant) return add_result(g, block);
    if (type && !strcmp(type, "tool_use") && assistant) return add_use(g, block);
    if (type && !strcmp(type, "redacted_thinking") && assistant) return true;
    if (type && !strcmp(type, "thinking") && assistant) {
        g->thinking = json_object_get(block, "thinking");
        return true;
    }
    snprintf(why, sizeof why, "a block of type '%.40s' cannot be read here", type ? type : "");
    return exchange_refuse(g->x, "messages", why);
}

static bool add_blocks(gathered *g, const char *role, const json_t *content)
{
    const bool assistant = !strcmp(role, "assistant");
    g->texts = json_array();
    g->calls = json_array();
    g->thinking = NULL;
    bool ok = g->texts && g->calls;
    for (size_t i = 0; i < json_array_size(content) && ok; i++)
        ok = add_block(g, json_array_get(content, i), assistant);
    json_t *text = ok && (assistant || json_array_size(g->texts)) ? text_of(g->x, g->texts, "messages") : NULL;
    if (text) {
        json_t *calls = json_array_size(g->calls) ? g->calls : NULL;
        json_t *message = json_pack("{s:s, s:o, s:O*, s:O*}", "role", role, "content", text, "reasoning_content",
                                    g->thinking, "tool_calls", calls);
        ok = !json_array_append_new(g->messages, message);
    } else if (assistant || json_array_size(g->texts)) {
        ok = false;
    }
    json_decref(g->texts);
    json_decref(g->calls);
    return ok;
}

static bool add_message(gathered *g, const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *content = json_object_get(message, "content");
    if (!role || (strcmp(role, "user") && strcmp(role, "assistant")))
        return exchange_expected(g->x, "messages", "messages of user and assistant");
    if (json_is_array(content)) return add_blocks(g, role, content);
    if (!json_is_string(content)) return exchange_expected(g->x, "messages", "a content: a text, or a list of blocks");
    return put_text(g->x, g->messages, role, content, "messages");
}

static bool read_messages(exchange *x, const json_t *request, json_t *out)
{
    const json_t *list = json_object_get(request, "messages"), *system = json_object_get(request, "system");
    gathered g = { .x = x, .messages = json_array(), .names = json_object() };
    size_t n = json_array_size(list);
    const char *last = json_string_value(json_object_get(json_array_get(list, n ? n - 1 : 0), "role"));
    bool ok = g.messages && g.names;
    if (ok && !n) ok = exchange_expected(x, "messages", "a list of at least one message");
    if (ok && last && !strcmp(last, "assistant")) json_object_set_new(out, "continue_final_message", json_true());
    if (ok && system && !json_is_null(system)) ok = put_text(x, g.messages, "system", system, "system");
    for (size_t i = 0; i < n && ok; i++) ok = add_message(&g, json_array_get(list, i));
    if (ok) json_object_set(out, "messages", g.messages);
    json_decref(g.messages);
    json_decref(g.names);
    return ok;
}

/* ---- tools, and whether the model reasons ---- */

static bool read_tools(exchange *x, const json_t *request, json_t *out)
{
    const json_t *tools = json_object_get(request, "tools");
    json_t *list = json_array();
    bool ok = list;
    if (tools && !json_is_null(tools) && !json_is_array(tools)) ok = exchange_expected(x, "tools", "a list");
    for (size_t i = 0; i < json_array_size(tools) && ok; i++) {
        const json_t *tool = json_array_get(tools, i);
        json_t *name = json_object_get(tool, "name"), *schema = json_object_get(tool, "input_schema");
        const char *type = json_string_value(json_object_get(tool, "type"));
        ok = json_is_string(name) && json_is_object(schema) && (!type || !strcmp(type, "custom"));
        if (!ok) exchange_expected(x, "tools", "tools of type custom, with a name and an input_schema");
        else
            ok = !json_array_append_new(list, json_pack("{s:s, s:{s:O, s:O*, s:O}}", "type", "function", "function",
                                                        "name", name, "description",
                                                        json_object_get(tool, "description"), "parameters", schema));
    }
    if (ok && json_array_size(list)) json_object_set(out, "tools", list);
    json_decref(list);
    return ok;
}

static bool read_tool_choice(exchange *x, const json_t *request, json_t *out)
{
    const json_t *which = json_object_get(request, "tool_choice");
    json_t *name = json_object_get(which, "name"), *made = NULL;
    const char *type = json_string_value(json_object_get(which, "type"));
    if (!which || json_is_null(which)) return true;
    if (type && (!strcmp(type, "auto") || !strcmp(type, "none"))) made = json_string(type);
    else if (type && !strcmp(type, "any")) made = json_string("required");
    else if (type && !strcmp(type, "tool") && json_is_string(name))
        made = json_pack("{s:s, s:{s:O}}", "type", "function", "function", "name", name);
    if (!made) return exchange_expected(x, "tool_choice", "a type: auto, any, none, or tool with a name");
    return !json_object_set_new(out, "tool_choice", made);
}

static bool read_thinking(exchange *x, const json_t *request, json_t *out)
{
    const json_t *thinking = json_object_get(request, "thinking");
    const char *type = json_string_value(json_object_get(thinking, "type"));
    if (!thinking || json_is_null(thinking)) return true;
    if (!type || (strcmp(type, "enabled") && strcmp(type, "disabled") && strcmp(type, "adaptive")))
        return exchange_expected(x, "thinking", "a type: enabled, disabled or adaptive");
    if (!strcmp(type, "adaptive")) return true;
    return !json_object_set_new(out, "chat_template_kwargs", json_pack("{s:b}", "enable_thinking", *type == 'e'));
}

/* ---- answering ---- */

static void answer_in(exchange *x, const answer_shape *shape)
{
    params p = { 0 };
    json_t *request = request_json(x), *chat = json_object();
    bool ok = request && chat && fields_copy(x, request, fields, sizeof fields / sizeof *fields, chat);
    if (ok && shape && !json_is_integer(json_object_get(request, "max_tokens")))
        ok = exchange_expected(x, "max_tokens", "a whole number, which must be there");
    ok = ok && read_messages(x, request, chat) && read_tools(x, request, chat) && read_tool_choice(x, request, chat) &&
         read_thinking(x, request, chat);
    if (ok && params_read(x, chat, FOR_CHAT, &p)) chat_answer(x, chat, &p, shape);
    else if (!exchange_answered(x)) exchange_error(x, 503, NULL, NULL, "out of memory");
    params_free(&p);
    json_decref(chat);
    json_decref(request);
}

void serve_messages(exchange *x)
{
    answer_in(x, &answer_messages);
}

void serve_count_tokens(exchange *x)
{
    answer_in(x, NULL);
}
