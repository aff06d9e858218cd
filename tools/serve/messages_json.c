/* messages_json.c: answers in the form of Anthropic's messages: content in blocks, which a stream opens, fills and
 * closes one after the other. */
#include "tools/serve/answer_json.h"

#include <string.h>

/* What was there already is counted apart. */
static json_t *usage(uint64_t prompt, uint64_t cached, uint64_t picked)
{
    return json_pack("{s:I, s:i, s:I, s:I}", "input_tokens", (json_int_t)(prompt - cached),
                     "cache_creation_input_tokens", 0, "cache_read_input_tokens", (json_int_t)cached, "output_tokens",
                     (json_int_t)picked);
}

static json_t *text_block(form_part part, const char *text, size_t n)
{
    json_t *t = json_stringn(text ? text : "", n);
    if (part == FORM_ANSWER) return json_pack("{s:s, s:o}", "type", "text", "text", t);
    return json_pack("{s:s, s:o, s:s}", "type", "thinking", "thinking", t, "signature", "");
}

/* A call; `input` is taken over. */
static json_t *call_block(const json_t *call, json_t *input)
{
    const json_t *function = json_object_get(call, "function");
    return json_pack("{s:s, s:O, s:O, s:o}", "type", "tool_use", "id", json_object_get(call, "id"), "name",
                     json_object_get(function, "name"), "input", input);
}

static const char *arguments_of(const json_t *call)
{
    const char *text = json_string_value(json_object_get(json_object_get(call, "function"), "arguments"));
    return text ? text : "{}";
}

/* Why it ended, and by which stop string. */
static const char *reason(const answer *a, const choice *c, const char **sequence)
{
    *sequence = c->calls ? NULL : json_string_value(json_array_get(a->stops, (size_t)c->stopped));
    if (c->stopped < 0 || (*sequence && !strcmp(*sequence, "<|call|>"))) *sequence = NULL;
    if (!strcmp(c->finish, "tool_calls")) return "tool_use";
    return *sequence ? "stop_sequence" : !strcmp(c->finish, "length") ? "max_tokens" : "end_turn";
}

static json_t *message(const answer *a, json_t *content, const char *why, const char *sequence, json_t *used)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s?, s:s?, s:o}", "id", a->id, "type", "message", "role", "assistant",
                     "model", a->model, "content", content, "stop_reason", why, "stop_sequence", sequence, "usage",
                     used);
}

static json_t *object(answer *a)
{
    choice *c = a->choices;
    const char *sequence, *why = reason(a, c, &sequence);
    json_t *content = json_array();
    if (c->reasoning.size)
        json_array_append_new(content, text_block(FORM_REASONING, c->reasoning.data, c->reasoning.size));
    if (c->text.size || (!c->reasoning.size && !c->calls))
        json_array_append_new(content, text_block(FORM_ANSWER, c->text.data, c->text.size));
    for (size_t i = 0; i < json_array_size(c->calls); i++) {
        const json_t *call = json_array_get(c->calls, i);
        const char *text = arguments_of(call);
        json_t *input = form_json(text, strlen(text), false, NULL);
        json_array_append_new(content, call_block(call, input));
    }
    return answer_shifted(c, message(a, content, why, sequence,
                                     usage(a->prompt_tokens, a->cached_tokens, a->picked_tokens)));
}

/* ---- streams ---- */

static bool send(answer *a, const char *name, json_t *json)
{
    if (json) json_object_set_new(json, "type", json_string(name));
    return exchange_event_named(a->x, name, json);
}

static bool open_block(answer *a, choice *c, json_t *block)
{
    c->open = true;
    return send(a, "content_block_start", json_pack("{s:i, s:o}", "index", (int)c->n_blocks, "content_block", block));
}

static bool fill_block(answer *a, choice *c, const char *type, const char *name, json_t *text)
{
    return send(a, "content_block_delta", json_pack("{s:i, s:{s:s, s:o}}", "index", (int)c->n_blocks, "delta", "type",
                                                    type, name, text));
}

static bool close_block(answer *a, choice *c)
{
    if (!c->open) return true;
    c->open = false;
    return send(a, "content_block_stop", json_pack("{s:i}", "index", (int)c->n_blocks++));
}

static void begin(answer *a, choice *c)
{
    json_t *used = usage(task_count(c->task).prompt, 0, 0);
    send(a, "message_start", json_pack("{s:o}", "message", message(a, json_array(), NULL, NULL, used)));
    send(a, "ping", json_object());
}

static bool piece(answer *a, choice *c, form_part part, const char *text, size_t n)
{
    if (!n) return true;
    if (c->open && c->part != part && !close_block(a, c)) return false;
    if (!c->open && !open_block(a, c, text_block(part, NULL, 0))) return false;
    c->part = part;
    json_t *t = json_stringn(text, n);
    return part == FORM_ANSWER ? fill_block(a, c, "text_delta", "text", t)
                               : fill_block(a, c, "thinking_delta", "thinking", t);
}

static void end(answer *a, choice *c)
{
    close_block(a, c);
    for (size_t i = 0; i < json_array_size(c->calls); i++) {
        const json_t *call = json_array_get(c->calls, i);
        open_block(a, c, call_block(call, json_object()));
        fill_block(a, c, "input_json_delta", "partial_json", json_string(arguments_of(call)));
        close_block(a, c);
    }
}

static void finish(answer *a)
{
    const char *sequence, *why = reason(a, a->choices, &sequence);
    send(a, "message_delta",
         answer_shifted(a->choices, json_pack("{s:{s:s, s:s?}, s:o}", "delta", "stop_reason", why, "stop_sequence",
                                              sequence, "usage",
                                              usage(a->prompt_tokens, a->cached_tokens, a->picked_tokens))));
    send(a, "message_stop", json_object());
    exchange_end(a->x, NULL);
}

const answer_shape answer_messages = { .prefix = "msg_", .chat = true, .begin = begin, .piece = piece, .end = end,
                                       .finish = finish, .object = object };
