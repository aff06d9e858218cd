/* responses_json.c: answers in the form of OpenAI's responses: a list of items (reasoning, a message, calls), which a
 * stream opens, fills and closes one after the other. */
#include "tools/serve/answer_json.h"

#include <string.h>

/* ---- items ---- */

static void name_item(const answer *a, const char *prefix, unsigned index, char *out, size_t n)
{
    snprintf(out, n, "%s_%s_%u", prefix, a->id + strlen(a->shape->prefix), index);
}

static json_t *text_part(form_part part, const weft_text *text)
{
    json_t *t = json_stringn(text && text->data ? text->data : "", text ? text->size : 0);
    if (part == FORM_REASONING) return json_pack("{s:s, s:o}", "type", "reasoning_text", "text", t);
    return json_pack("{s:s, s:o, s:[], s:[]}", "type", "output_text", "text", t, "annotations", "logprobs");
}

/* text NULL: an item that has just begun. */
static json_t *text_item(const answer *a, form_part part, unsigned index, const weft_text *text, const char *status)
{
    char id[64];
    json_t *content = text ? json_pack("[o]", text_part(part, text)) : json_array();
    name_item(a, part == FORM_REASONING ? "rs" : "msg", index, id, sizeof id);
    if (part == FORM_REASONING)
        return json_pack("{s:s, s:s, s:[], s:o, s:s}", "id", id, "type", "reasoning", "summary", "content", content,
                         "status", status);
    return json_pack("{s:s, s:s, s:s, s:o, s:s}", "id", id, "type", "message", "role", "assistant", "content", content,
                     "status", status);
}

static json_t *call_item(const answer *a, const json_t *call, unsigned index, bool whole)
{
    char id[64];
    const json_t *function = json_object_get(call, "function");
    json_t *arguments = json_object_get(function, "arguments");
    name_item(a, "fc", index, id, sizeof id);
    return json_pack("{s:s, s:s, s:O, s:O, s:o, s:s}", "id", id, "type", "function_call", "call_id",
                     json_object_get(call, "id"), "name", json_object_get(function, "name"), "arguments",
                     whole ? json_incref(arguments) : json_string(""), "status", whole ? "completed" : "in_progress");
}

static json_t *items(const answer *a)
{
    const choice *c = a->choices;
    const char *status = !strcmp(c->finish, "length") ? "incomplete" : "completed";
    json_t *list = json_array();
    for (size_t i = 0; i < c->n_runs; i++)
        json_array_append_new(list, text_item(a, c->runs[i].part, (unsigned)i, &c->runs[i].text,
                                              i + 1 < c->n_runs ? "completed" : status));
    if (!c->n_runs && !c->calls) json_array_append_new(list, text_item(a, FORM_ANSWER, 0, &c->text, status));
    for (size_t i = 0; i < json_array_size(c->calls); i++)
        json_array_append_new(list, call_item(a, json_array_get(c->calls, i), (unsigned)json_array_size(list), true));
    return list;
}

/* ---- the response ---- */

static json_t *usage(const answer *a)
{
    return json_pack("{s:I, s:{s:I}, s:I, s:{s:I}, s:I}", "input_tokens", (json_int_t)a->prompt_tokens,
                     "input_tokens_details", "cached_tokens", (json_int_t)a->cached_tokens, "output_tokens",
                     (json_int_t)a->picked_tokens, "output_tokens_details", "reasoning_tokens",
                     (json_int_t)a->reasoned_tokens, "total_tokens", (json_int_t)(a->prompt_tokens + a->picked_tokens));
}

/* ended: with its items and usage. */
static json_t *response(const answer *a, bool ended)
{
    const bool length = ended && !strcmp(a->choices->finish, "length");
    json_t *json = json_pack("{s:s, s:s, s:I, s:s, s:s, s:n, s:n, s:n, s:o, s:b, s:b, s:[], s:s, s:{}}", "id", a->id,
                             "object", "response", "created_at", (json_int_t)a->created, "model", a->model, "status",
                             !ended ? "in_progress" : length ? "incomplete" : "completed", "error", "instructions",
                             "previous_response_id", "output", ended ? items(a) : json_array(), "parallel_tool_calls",
                             1, "store", 0, "tools", "tool_choice", "auto", "metadata");
    json_object_set_new(json, "incomplete_details",
                        length ? json_pack("{s:s}", "reason", "max_output_tokens") : json_null());
    json_object_set_new(json, "usage", ended ? usage(a) : json_null());
    return answer_shifted(a->choices, json);
}

static json_t *object(answer *a)
{
    return response(a, true);
}

/* ---- streams ---- */

static bool send(answer *a, const char *name, json_t *json)
{
    if (json) {
        json_object_set_new(json, "type", json_string(name));
        json_object_set_new(json, "sequence_number", json_integer((json_int_t)a->n_events++));
    }
    return exchange_event_named(a->x, name, json);
}

/* An event within the text of the item that is open; `more` is one more member. */
static bool send_text(answer *a, const choice *c, const char *name, const char *member, json_t *more)
{
    char id[64];
    name_item(a, c->part == FORM_REASONING ? "rs" : "msg", c->n_blocks, id, sizeof id);
    return send(a, name, json_pack("{s:s, s:i, s:i, s:o}", "item_id", id, "output_index", (int)c->n_blocks,
                                   "content_index", 0, member, more));
}

static bool send_item(answer *a, const choice *c, const char *name, json_t *item)
{
    return send(a, name, json_pack("{s:i, s:o}", "output_index", (int)c->n_blocks, "item", item));
}

static bool open_item(answer *a, choice *c, form_part part)
{
    c->open = true;
    c->part = part;
    return send_item(a, c, "response.output_item.added", text_item(a, part, c->n_blocks, NULL, "in_progress")) &&
           send_text(a, c, "response.content_part.added", "part", text_part(part, NULL));
}

static bool close_item(answer *a, choice *c, const char *status)
{
    const bool reasons = c->part == FORM_REASONING;
    const weft_text *text = c->n_blocks < c->n_runs ? &c->runs[c->n_blocks].text : &c->text; /* which then is empty */
    json_t *whole = json_stringn(text->data ? text->data : "", text->size);
    if (!c->open) return json_decref(whole), true;
    bool ok = send_text(a, c, reasons ? "response.reasoning_text.done" : "response.output_text.done", "text", whole) &&
              send_text(a, c, "response.content_part.done", "part", text_part(c->part, text)) &&
              send_item(a, c, "response.output_item.done", text_item(a, c->part, c->n_blocks, text, status));
    c->open = false;
    c->n_blocks++;
    return ok;
}

static void begin(answer *a, choice *c)
{
    (void)c;
    send(a, "response.created", json_pack("{s:o}", "response", response(a, false)));
    send(a, "response.in_progress", json_pack("{s:o}", "response", response(a, false)));
}

static bool piece(answer *a, choice *c, form_part part, const char *text, size_t n)
{
    if (!n) return true;
    if (c->open && c->part != part && !close_item(a, c, "completed")) return false;
    if (!c->open && !open_item(a, c, part)) return false;
    return send_text(a, c, part == FORM_REASONING ? "response.reasoning_text.delta" : "response.output_text.delta",
                     "delta", json_stringn(text, n));
}

static void send_call(answer *a, choice *c, const json_t *call)
{
    char id[64];
    json_t *function = json_object_get(call, "function");
    name_item(a, "fc", c->n_blocks, id, sizeof id);
    send_item(a, c, "response.output_item.added", call_item(a, call, c->n_blocks, false));
    send(a, "response.function_call_arguments.delta",
         json_pack("{s:s, s:i, s:O}", "item_id", id, "output_index", (int)c->n_blocks, "delta",
                   json_object_get(function, "arguments")));
    send(a, "response.function_call_arguments.done",
         json_pack("{s:s, s:i, s:O, s:O}", "item_id", id, "output_index", (int)c->n_blocks, "name",
                   json_object_get(function, "name"), "arguments", json_object_get(function, "arguments")));
    send_item(a, c, "response.output_item.done", call_item(a, call, c->n_blocks, true));
    c->n_blocks++;
}

static void end(answer *a, choice *c)
{
    if (!c->open && !c->n_blocks && !c->calls) open_item(a, c, FORM_ANSWER);
    close_item(a, c, !strcmp(c->finish, "length") ? "incomplete" : "completed");
    for (size_t i = 0; i < json_array_size(c->calls); i++) send_call(a, c, json_array_get(c->calls, i));
}

static void finish(answer *a)
{
    const bool length = !strcmp(a->choices->finish, "length");
    send(a, length ? "response.incomplete" : "response.completed", json_pack("{s:o}", "response", response(a, true)));
    exchange_end(a->x, NULL);
}

const answer_shape answer_responses = { .prefix = "resp_", .items = true, .chat = true, .begin = begin, .piece = piece,
                                        .end = end, .finish = finish, .object = object };
