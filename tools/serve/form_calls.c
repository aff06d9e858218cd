/* form_calls.c: from the text of calls to OpenAI's `tool_calls`. A text is read as far as it is calls; whoever asks
 * learns how far that was. */
#include "tools/serve/form_literals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text that is being read. */
typedef struct reading {
    const call_form *f;
    const json_t *tools;
    const char *at, *end, *id;
    json_t *list;
    bool ended; /* nothing could have followed */
} reading;

static void skip(reading *r, const char *what)
{
    while (r->at < r->end && *r->at && strchr(what, *r->at)) r->at++;
}

static bool take(reading *r, const char *mark)
{
    size_t n = mark ? strlen(mark) : 0;
    if (!mark || (size_t)(r->end - r->at) < n || memcmp(r->at, mark, n)) return false;
    r->at += n;
    return true;
}

/* What stands before a mark, which is passed, too. NULL: there is no such mark. */
static const char *take_until(reading *r, const char *mark, size_t *n)
{
    const char *from = r->at, *found = memmem(from, (size_t)(r->end - from), mark, strlen(mark));
    if (!found) return NULL;
    *n = (size_t)(found - from);
    r->at = found + strlen(mark);
    return from;
}

json_t *form_json(const char *text, size_t n, bool more, size_t *end)
{
    json_error_t told;
    const size_t flags = JSON_ALLOW_NUL | (more ? JSON_DISABLE_EOF_CHECK : 0);
    json_t *v = json_loadb(text, n, flags, &told);
    if (!v && json_error_code(&told) == json_error_numeric_overflow)
        v = json_loadb(text, n, flags | JSON_DECODE_INT_AS_REAL, &told);
    if (v && end) *end = (size_t)told.position;
    return v;
}

/* An object or a list; NULL: there is none. */
static json_t *take_json(reading *r)
{
    size_t n;
    if (r->at >= r->end || (*r->at != '{' && *r->at != '[')) return NULL;
    json_t *v = form_json(r->at, (size_t)(r->end - r->at), true, &n);
    if (v) r->at += n;
    return v;
}

/* The end of a value of JSON that has been read already. */
static const char *value_end(const char *at, const char *end)
{
    int depth = 0;
    bool quoted = false;
    for (; at < end; at++) {
        if (quoted) {
            if (*at == '\\') at++;
            else if (*at == '"') quoted = false;
            if (!quoted && !depth) return at + 1;
        } else if (*at == '"') {
            quoted = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (!depth) return at;
            if (!--depth) return at + 1;
        } else if (!depth && strchr(" \t\r\n,:", *at)) {
            return at;
        }
    }
    return end;
}

/* The text of an object's member; NULL: it is not found. */
static form_arguments member_of(const char *at, const char *end, const char *name, json_t *value)
{
    form_arguments out = { .json = value };
    reading r = { .at = at + 1, .end = end };
    for (skip(&r, " \t\r\n,"); r.at < end && *r.at == '"'; skip(&r, " \t\r\n,")) {
        const char *key = r.at + 1;
        r.at = value_end(r.at, end);
        bool is = (size_t)(r.at - key) == strlen(name) + 1 && !memcmp(key, name, strlen(name));
        skip(&r, " \t\r\n:");
        const char *from = r.at;
        r.at = value_end(r.at, end);
        if (is) out.text = from, out.n = (size_t)(r.at - from);
    }
    return out;
}

/* As it is written, without white space between what it consists of. */
static char *pack_text(const char *text, size_t n)
{
    char *out = malloc(n + 1), *to = out;
    bool quoted = false;
    for (size_t i = 0; out && i < n; i++) {
        if (!quoted && strchr(" \t\r\n", text[i])) continue;
        if (text[i] == '"') quoted = !quoted;
        *to++ = text[i];
        if (quoted && text[i] == '\\' && i + 1 < n) *to++ = text[++i];
    }
    if (out) *to = 0;
    return out;
}

/* ---- calls ---- */

const json_t *form_tool(const json_t *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *function = json_object_get(json_array_get(tools, i), "function");
        const char *n = json_string_value(json_object_get(function, "name"));
        if (n && !strcmp(n, name)) return function;
    }
    return NULL;
}

/* An id as the family's template demands it of the calls of a conversation. */
static void make_id(const call_form *f, const char *name, const char *given, const char *id, size_t i, char *out,
                    size_t n)
{
    size_t k = strlen(id);
    if (f->ids == CALL_IDS_COUNTED) snprintf(out, n, "functions.%.200s:%zu", name, i);
    else if (f->ids == CALL_IDS_NINE) snprintf(out, n, "%.6s%03zu", id + (k > 6 ? k - 6 : 0), i % 1000);
    else snprintf(out, n, "call_%.40s_%zu", id, i);
    if (given && *given && f->ids != CALL_IDS_NINE) snprintf(out, n, "%.200s", given);
}

static bool is_taken(const json_t *list, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(json_string_value(json_object_get(json_array_get(list, i), "id")), id)) return true;
    return false;
}

bool form_call_add(const call_form *f, const char *name, size_t n_name, form_arguments arguments, const char *given,
                   const char *id, json_t *list)
{
    char called[300], own[256];
    const size_t n = json_array_size(list);
    if (!json_is_object(arguments.json) || !n_name || n_name >= sizeof own) return false;
    memcpy(own, name, n_name);
    own[n_name] = 0;
    make_id(f, own, given, id, n, called, sizeof called);
    for (size_t i = n; i < n + 1000 && is_taken(list, called); i++)
        make_id(f, own, NULL, id, i, called, sizeof called);
    char *packed = arguments.n ? pack_text(arguments.text, arguments.n) : json_dumps(arguments.json, JSON_COMPACT);
    json_t *call = packed && !memchr(name, 0, n_name)
                       ? json_pack("{s:i, s:s, s:s, s:{s:s, s:s}}", "index", (int)n, "id", called,
                                   "type", "function", "function", "name", own, "arguments", packed)
                       : NULL;
    free(packed);
    return call && !json_array_append_new(list, call);
}

/* ---- objects ---- */

static json_t *first_of(const json_t *object, const char *a, const char *b)
{
    json_t *v = json_object_get(object, a);
    return v ? v : json_object_get(object, b);
}

/* Arguments as a text that holds JSON are read once more. */
static bool add_opened(reading *r, const char *name, form_arguments a, const char *given)
{
    json_t *inner = NULL;
    if (json_is_string(a.json)) {
        a.text = json_string_value(a.json);
        a.n = json_string_length(a.json);
        a.json = inner = form_json(a.text, a.n, false, NULL);
    }
    bool ok = form_call_add(r->f, name, strlen(name), a, given, r->id, r->list);
    json_decref(inner);
    return ok;
}

/* from, to: its text. */
static bool add_object(reading *r, json_t *object, const char *from, const char *to)
{
    static const char *const names[] = { "arguments", "parameters", "args" };
    char text[24];
    size_t which = 0;
    json_t *name = first_of(object, "name", "tool_name"), *given = first_of(object, "id", "tool_call_id");
    while (which < 2 && !json_object_get(object, names[which])) which++;
    json_t *arguments = json_object_get(object, names[which]);
    if (!name && json_object_size(object) == 1) { /* {"NAME": {...}} */
        void *one = json_object_iter(object);
        const char *key = json_object_iter_key(one);
        return form_tool(r->tools, key) &&
               add_opened(r, key, member_of(from, to, key, json_object_iter_value(one)), NULL);
    }
    const char *n = json_string_value(name), *i = json_string_value(given);
    if (!n || (r->f->start && !form_tool(r->tools, n))) return false;
    if (json_is_integer(given)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(given));
        i = text;
    }
    return strlen(n) == json_string_length(name) &&
           add_opened(r, n, member_of(from, to, names[which], arguments), i);
}

static bool add_objects(reading *r, json_t *value, const char *from)
{
    if (json_is_object(value)) return add_object(r, value, from, r->at);
    reading in = { .at = from + 1, .end = r->at };
    for (size_t i = 0; i < json_array_size(value); i++) {
        skip(&in, " \t\r\n,");
        const char *one = in.at;
        in.at = value_end(one, r->at);
        if (!json_is_object(json_array_get(value, i)) || !add_object(r, json_array_get(value, i), one, in.at))
            return false;
    }
    return json_array_size(value) > 0;
}

static bool read_objects(reading *r)
{
    for (;;) {
        skip(r, " \t\r\n,;");
        if (r->at == r->end || take(r, r->f->close)) return true;
        const char *before = r->at;
        json_t *value = take_json(r);
        size_t n = json_array_size(r->list);
        bool ok = value && add_objects(r, value, before);
        json_decref(value);
        if (ok) continue;
        while (json_array_size(r->list) > n) json_array_remove(r->list, n); /* of a list all or none */
        r->at = before;
        return false;
    }
}

/* ---- a name and an object ---- */

static bool is_known(const reading *r, const char *name, size_t n)
{
    char text[256];
    if (n >= sizeof text || memchr(name, 0, n)) return false;
    snprintf(text, sizeof text, "%.*s", (int)n, name);
    return form_tool(r->tools, text);
}

/* NAME[CALL_ID]ID and functions.NAME:NUMBER are names with an id. */
static bool add_named(reading *r, const char *name, size_t n, form_arguments arguments)
{
    char given[256];
    const char *mark = memmem(name, n, "[CALL_ID]", 9), *colon = memrchr(name, ':', n);
    if (r->f->ids == CALL_IDS_NINE && mark) n = (size_t)(mark - name);
    if (r->f->ids != CALL_IDS_COUNTED)
        return is_known(r, name, n) && form_call_add(r->f, name, n, arguments, NULL, r->id, r->list);
    if (n >= sizeof given) return false;
    snprintf(given, sizeof given, "%.*s", (int)n, name);
    if (colon) n = (size_t)(colon - name);
    size_t prefix = n > 10 && !memcmp(name, "functions.", 10) ? 10 : 0;
    return is_known(r, name + prefix, n - prefix) &&
           form_call_add(r->f, name + prefix, n - prefix, arguments, given, r->id, r->list);
}

static bool read_named(reading *r)
{
    for (;;) {
        size_t n;
        skip(r, " \t\r\n");
        if (r->at == r->end || take(r, r->f->close)) return true;
        const char *before = r->at, *name = take(r, r->f->each) ? take_until(r, r->f->named, &n) : NULL;
        if (name) skip(r, " \t\r\n");
        const char *from = r->at;
        json_t *arguments = name ? take_json(r) : NULL;
        bool ok = arguments && add_named(r, name, n, (form_arguments){ arguments, from, (size_t)(r->at - from) });
        json_decref(arguments);
        if (!ok) return r->at = before, false;
        const char *after = r->at;
        skip(r, " \t\r\n");
        if (!take(r, r->f->last)) r->at = after;
    }
}

/* ---- keys and values ---- */

/* A value is what the tool's schema says: a text as it stands, anything else as JSON; without a schema what it can
 * be. */
static json_t *value_of(const json_t *function, const char *key, const char *text, size_t n, bool is_text)
{
    const json_t *properties = json_object_get(json_object_get(function, "parameters"), "properties");
    const char *type = json_string_value(json_object_get(json_object_get(properties, key), "type"));
    json_t *v = is_text || (type && !strcmp(type, "string"))
                    ? NULL : json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return v ? v : json_stringn(text, n);
}

static bool take_value(reading *r, const json_t *function, json_t *arguments)
{
    const call_form *f = r->f;
    size_t n_key, n_mark = 0, n;
    const char *key = take_until(r, f->value, &n_key), *mark = NULL;
    char name[256];
    if (!key || n_key >= sizeof name || (f->begin && !(mark = take_until(r, f->begin, &n_mark)))) return false;
    const char *text = take_until(r, f->ended, &n);
    if (!text) return false;
    snprintf(name, sizeof name, "%.*s", (int)n_key, key);
    if (f->lines && n && *text == '\n') text++, n--;
    if (f->lines && n && text[n - 1] == '\n') n--;
    bool is_text = mark && memmem(mark, n_mark, "string=\"true\"", 13);
    json_t *v = value_of(function, name, text, n, is_text);
    return v && !json_object_set_new(arguments, name, v);
}

/* Whether a call ends here: with its mark, where it has none before that of all calls, or with the model's text. */
static bool take_end(reading *r)
{
    const char *here = r->at;
    if (r->at == r->end) return r->ended;
    if (*r->f->last) return take(r, r->f->last);
    bool ends = take(r, r->f->close);
    r->at = here;
    return ends;
}

static bool take_keyed(reading *r)
{
    const call_form *f = r->f;
    char called[256];
    size_t n = 0;
    const char *name = r->at;
    if (!take(r, f->each)) return false;
    if (f->named) {
        name = take_until(r, f->named, &n);
    } else {
        while (r->at < r->end && *r->at != '\n' && *r->at != '<') r->at++;
        n = (size_t)(r->at - name);
    }
    while (name && n && name[n - 1] && strchr(" \t\r", name[n - 1])) n--;
    if (!name || !is_known(r, name, n)) return false;
    snprintf(called, sizeof called, "%.*s", (int)n, name);
    json_t *arguments = json_object();
    bool ok = arguments;
    for (skip(r, " \t\r\n"); ok && take(r, f->key); skip(r, " \t\r\n"))
        ok = take_value(r, form_tool(r->tools, called), arguments);
    ok = ok && take_end(r) && form_call_add(f, name, n, (form_arguments){ .json = arguments }, NULL, r->id, r->list);
    json_decref(arguments);
    return ok;
}

static bool read_keyed(reading *r)
{
    for (;;) {
        skip(r, " \t\r\n");
        if (r->at == r->end || take(r, r->f->close)) return true;
        const char *before = r->at;
        if (!take_keyed(r)) return r->at = before, false;
    }
}

/* ---- source texts ---- */

static bool read_literals(reading *r)
{
    bool listed = false;
    for (;;) {
        const char *before = r->at, *name;
        json_t *arguments;
        size_t n;
        skip(r, " \t\r\n,");
        if (r->f->list && !listed) listed = take(r, "[");
        if (listed && take(r, "]")) listed = false;
        skip(r, " \t\r\n");
        if (r->at == r->end || take(r, r->f->close)) return true;
        const char *after = form_literal(r->f, r->at, r->end, &name, &n, &arguments);
        bool ok = after && is_known(r, name, n) &&
                  form_call_add(r->f, name, n, (form_arguments){ .json = arguments }, NULL, r->id, r->list);
        if (after) json_decref(arguments);
        if (!ok) return r->at = before, false;
        r->at = after;
    }
}

/* ---- all of them ---- */

size_t form_calls_read(const call_form *f, const json_t *tools, const form_text *from, const char *id, json_t *list)
{
    const char *text = from->text;
    reading r = { f, tools, text, text + from->n, id, list, from->ended };
    bool going = true;
    while (going) {
        const char *before = r.at;
        size_t had = json_array_size(list);
        skip(&r, " \t\r\n");
        bool again = f->each && !strcmp(f->open, f->each); /* the mark belongs to each call */
        bool opened = again ? r.at < r.end && r.end - r.at >= (ptrdiff_t)strlen(f->each) &&
                                  !memcmp(r.at, f->each, strlen(f->each))
                            : take(&r, f->open) || (!had && from->start && f->start && r.at == text &&
                                                     *text == *f->start);
        going = opened && (f->kind == CALL_JSON    ? read_objects(&r)
                           : f->kind == CALL_NAMED ? read_named(&r)
                           : f->kind == CALL_LITERAL ? read_literals(&r)
                                                   : read_keyed(&r));
        if (json_array_size(list) == had) {
            r.at = before;
            going = false;
        }
    }
    return (size_t)(r.at - text);
}
