/* calls.c: calls of tools in a model's text, in the form of Qwen's and Hermes' templates: JSON between <tool_call> and
 * </tool_call>. What is none of it stays text. */
#include "tools/serve/calls.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char opens[] = "<tool_call>", closes[] = "</tool_call>";

size_t calls_begin(const char *text, size_t n)
{
    const size_t mark = sizeof opens - 1;
    for (size_t i = 0; i < n; i++) {
        size_t left = n - i < mark ? n - i : mark;
        if (!memcmp(text + i, opens, left)) return i;
    }
    return n;
}

/* One call in OpenAI's form; NULL: the text is none. */
static json_t *call_of(const char *text, size_t n, const char *id, size_t index)
{
    char name[64];
    json_t *call = json_loadb(text, n, JSON_ALLOW_NUL, NULL), *made = NULL;
    json_t *function = json_object_get(call, "name"), *arguments = json_object_get(call, "arguments");
    if (!arguments) arguments = json_object_get(call, "parameters");
    char *packed = json_is_object(arguments) ? json_dumps(arguments, JSON_COMPACT) : NULL;
    snprintf(name, sizeof name, "call_%.40s_%zu", id, index);
    if (json_is_string(function) && packed)
        made = json_pack("{s:i, s:s, s:s, s:{s:O, s:s}}", "index", (int)index, "id", name, "type", "function",
                         "function", "name", function, "arguments", packed);
    free(packed);
    json_decref(call);
    return made;
}

json_t *calls_read(const char *text, size_t n, const char *id)
{
    json_t *list = json_array();
    size_t at = 0;
    while (at < n) {
        if (strchr(" \n\r\t", text[at])) {
            at++;
            continue;
        }
        const char *body = text + at + sizeof opens - 1;
        bool opened = n - at > sizeof opens - 1 && !memcmp(text + at, opens, sizeof opens - 1);
        const char *end = opened ? memmem(body, (size_t)(text + n - body), closes, sizeof closes - 1) : NULL;
        if (opened && !end) end = text + n; /* the last one may be left open */
        json_t *call = opened ? call_of(body, (size_t)(end - body), id, json_array_size(list)) : NULL;
        if (!call) break;
        json_array_append_new(list, call);
        at = (size_t)(end - text) + (end < text + n ? sizeof closes - 1 : 0);
    }
    if (at >= n && json_array_size(list)) return list;
    json_decref(list);
    return NULL;
}
