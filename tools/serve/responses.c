/* responses.c: /v1/responses: a request in the form of OpenAI's responses becomes one in that of its chats, which
 * chat.c reads. Nothing is stored, so nothing that was can be gone on from: a conversation is in `input` as a whole. */
#include "tools/serve/answer.h"
#include "tools/serve/fields.h"

#include <string.h>

/* ---- fields ---- */

#define STORED "nothing is stored here: send the whole conversation as 'input'"
/* What has no name here is looked at below, or of no effect. */
static const field_name fields[] = {
    FIELD_SAME("model"), FIELD_SAME("stream"), FIELD_SAME("temperature"), FIELD_SAME("top_p"),
    FIELD_AS("max_output_tokens", "max_tokens"), FIELD_SAME("user"), FIELD_SAME("metadata"), FIELD_SAME("store"),
    FIELD_SAME("service_tier"), FIELD_SAME("prompt_cache_key"), FIELD_SAME("safety_identifier"),
    FIELD_SAME("parallel_tool_calls"), FIELD_HERE("input"), FIELD_HERE("instructions"), FIELD_HERE("tools"),
    FIELD_HERE("tool_choice"), FIELD_HERE("text"), FIELD_HERE("reasoning"), FIELD_HERE("include"),
    FIELD_HERE("truncation"), FIELD_REFUSED("previous_response_id", STORED), FIELD_REFUSED("conversation", STORED),
};

/* One value means that nothing is done. */
static bool read_truncation(exchange *x, const json_t *request)
{
    const json_t *value = json_object_get(request, "truncation");
    const char *text = json_string_value(value);
    return !value || json_is_null(value) || (text && !strcmp(text, "disabled")) ||
           exchange_expected(x, "truncation", "disabled: what is too long is refused");
}

/* ---- input ---- */

/* Parts as chats have them. NULL after an error has been answered. */
static json_t *content_of(exchange *x, json_t *content)
{
    json_t *list = json_array();
    if (json_is_string(content)) return json_decref(list), json_incref(content);
    bool ok = list && (json_is_array(content) || exchange_expected(x, "input", "a content: a text, or parts of one"));
    for (size_t i = 0; i < json_array_size(content) && ok; i++) {
        json_t *part = json_array_get(content, i), *text = json_object_get(part, "text");
        const char *type = json_string_value(json_object_get(part, "type"));
        ok = json_is_string(text) && type &&
             (!strcmp(type, "input_text") || !strcmp(type, "output_text") || !strcmp(type, "text"));
        if (ok) json_array_append_new(list, json_pack("{s:s, s:O}", "type", "text", "text", text));
        else
            exchange_refuse(x, "input",
                            "this model reads text alone: expected parts of type input_text or output_text");
    }
    if (ok) return list;
    json_decref(list);
    return NULL;
}

static json_t *last_of_assistant(const json_t *messages)
{
    size_t n = json_array_size(messages);
    json_t *last = json_array_get(messages, n ? n - 1 : 0);
    const char *role = json_string_value(json_object_get(last, "role"));
    return role && !strcmp(role, "assistant") ? last : NULL;
}

static bool add_call(exchange *x, const json_t *item, json_t *messages)
{
    json_t *id = json_object_get(item, "call_id"), *name = json_object_get(item, "name"), *calls, *last;
    json_t *arguments = json_object_get(item, "arguments");
    if (!json_is_string(id) || !json_is_string(name) || !json_is_string(arguments))
        return exchange_expected(x, "input", "a function_call with a call_id, a name and arguments");
    if (!(last = last_of_assistant(messages))) {
        json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "assistant", "content", ""));
        last = last_of_assistant(messages);
    }
    if (!(calls = json_object_get(last, "tool_calls"))) json_object_set_new(last, "tool_calls", calls = json_array());
    return !json_array_append_new(calls, json_pack("{s:O, s:s, s:{s:O, s:O}}", "id", id, "type", "function", "function",
                                                   "name", name, "arguments", arguments));
}

static bool add_output(exchange *x, const json_t *item, json_t *messages)
{
    json_t *id = json_object_get(item, "call_id"), *text = content_of(x, json_object_get(item, "output"));
    bool ok = text && (json_is_string(id) || exchange_expected(x, "input", "a function_call_output with a call_id"));
    if (ok) ok = !json_array_append_new(messages, json_pack("{s:s, s:O, s:O}", "role", "tool", "tool_call_id", id,
                                                            "content", text));
    json_decref(text);
    return ok;
}

static bool add_message(exchange *x, const json_t *item, json_t *messages)
{
    const char *role = json_string_value(json_object_get(item, "role"));
    if (!role) return exchange_expected(x, "input", "messages with a role");
    json_t *content = content_of(x, json_object_get(item, "content"));
    if (!strcmp(role, "developer")) role = "system"; /* which templates know */
    return content && !json_array_append_new(messages, json_pack("{s:s, s:o}", "role", role, "content", content));
}

static bool add_item(exchange *x, const json_t *item, json_t *messages)
{
    const char *type = json_string_value(json_object_get(item, "type"));
    char why[120];
    if (!type || !strcmp(type, "message")) return add_message(x, item, messages);
    if (!strcmp(type, "function_call")) return add_call(x, item, messages);
    if (!strcmp(type, "function_call_output")) return add_output(x, item, messages);
    if (!strcmp(type, "reasoning")) return true; /* of an earlier turn, which templates leave out */
    snprintf(why, sizeof why, "an item of type '%.40s' cannot be read here", type);
    return exchange_refuse(x, "input", why);
}

static bool read_input(exchange *x, const json_t *request, json_t *out)
{
    json_t *input = json_object_get(request, "input"), *messages = json_array();
    json_t *instructions = json_object_get(request, "instructions");
    bool ok = messages;
    if (json_is_string(instructions))
        json_array_append_new(messages, json_pack("{s:s, s:O}", "role", "system", "content", instructions));
    else if (instructions && !json_is_null(instructions)) ok = exchange_expected(x, "instructions", "a text");
    if (json_is_string(input))
        json_array_append_new(messages, json_pack("{s:s, s:O}", "role", "user", "content", input));
    else if (ok && !json_array_size(input)) ok = exchange_expected(x, "input", "a text, or a list of items");
    for (size_t i = 0; i < json_array_size(input) && ok; i++) ok = add_item(x, json_array_get(input, i), messages);
    if (ok) json_object_set(out, "messages", messages);
    json_decref(messages);
    return ok;
}

/* ---- tools and forms ---- */

static bool read_tools(exchange *x, const json_t *request, json_t *out)
{
    const json_t *tools = json_object_get(request, "tools");
    json_t *list = json_array(), *which = json_object_get(request, "tool_choice");
    bool ok = list;
    if (tools && !json_is_null(tools) && !json_is_array(tools)) ok = exchange_expected(x, "tools", "a list");
    for (size_t i = 0; i < json_array_size(tools) && ok; i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *type = json_string_value(json_object_get(tool, "type"));
        json_t *name = json_object_get(tool, "name"), *parameters = json_object_get(tool, "parameters");
        if (!type || strcmp(type, "function") || !json_is_string(name))
            ok = exchange_expected(x, "tools", "tools of type function, with a name");
        else if (!json_array_append_new(list, json_pack("{s:s, s:{s:O, s:O*, s:O*}}", "type", "function", "function",
                                                        "name", name, "description",
                                                        json_object_get(tool, "description"), "parameters",
                                                        json_is_object(parameters) ? parameters : NULL)))
            continue;
        else ok = false;
    }
    if (ok && json_array_size(list)) json_object_set(out, "tools", list);
    json_t *name = json_object_get(which, "name");
    if (ok && name) /* theirs is flat */
        json_object_set_new(out, "tool_choice", json_pack("{s:O*, s:{s:O}}", "type", json_object_get(which, "type"),
                                                          "function", "name", name));
    else if (ok && which) json_object_set(out, "tool_choice", which);
    json_decref(list);
    return ok;
}

static bool read_format(exchange *x, const json_t *request, json_t *out)
{
    json_t *format = json_object_get(json_object_get(request, "text"), "format");
    json_t *effort = json_object_get(json_object_get(request, "reasoning"), "effort");
    const char *type = json_string_value(json_object_get(format, "type"));
    if (effort && !json_is_null(effort)) json_object_set(out, "reasoning_effort", effort);
    if (!format || json_is_null(format)) return true;
    if (type && !strcmp(type, "json_schema")) {
        json_t *schema = json_object_get(format, "schema");
        if (!json_is_object(schema)) return exchange_expected(x, "text", "a format with a schema");
        return !json_object_set_new(out, "response_format", json_pack("{s:s, s:{s:s, s:O}}", "type", type,
                                                                      "json_schema", "name", "text", "schema", schema));
    }
    return !json_object_set(out, "response_format", format);
}

void serve_responses(exchange *x)
{
    params p = { 0 };
    json_t *request = request_json(x), *chat = json_object();
    bool ok = request && chat && fields_copy(x, request, fields, sizeof fields / sizeof *fields, chat) &&
              read_truncation(x, request) && read_input(x, request, chat) && read_tools(x, request, chat) &&
              read_format(x, request, chat);
    if (ok && params_read(x, chat, FOR_CHAT, &p)) chat_answer(x, chat, &p, &answer_responses);
    else if (!exchange_answered(x)) exchange_error(x, 503, NULL, NULL, "out of memory");
    params_free(&p);
    json_decref(chat);
    json_decref(request);
}
