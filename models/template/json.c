/* json.c: values from JSON (jansson), and as Python's json.dumps writes them. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "jinja.h"

jinja_value jinja_from_json(jinja_run *r, const json_t *v)
{
    jinja_value out = jinja_none();
    jinja_enter(r);
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        const char *key;
        json_t *value;
        out = jinja_from_dict(jinja_dict_new(r));
        json_t *object = (json_t *)(uintptr_t)v; /* jansson's loops want it not const */
        json_object_foreach(object, key, value)
            jinja_dict_set(r, out.dict, jinja_from_text(jinja_text_copy(r, key, strlen(key))),
                           jinja_from_json(r, value));
        break;
    }
    case JSON_ARRAY:
        out = jinja_from_list(jinja_list_new(r, json_array_size(v)));
        for (size_t i = 0; i < json_array_size(v); i++)
            jinja_push(r, out.list, jinja_from_json(r, json_array_get(v, i)));
        break;
    case JSON_STRING:
        out = jinja_from_text(jinja_text_copy(r, json_string_value(v), json_string_length(v)));
        break;
    case JSON_INTEGER:
        out = jinja_int(json_integer_value(v));
        break;
    case JSON_REAL:
        out = jinja_float(json_real_value(v));
        break;
    case JSON_TRUE:
        out = jinja_bool(true);
        break;
    case JSON_FALSE:
        out = jinja_bool(false);
        break;
    case JSON_NULL:
        break;
    }
    jinja_leave(r);
    return out;
}

/* ---- writing ---- */

static void put_unit(jinja_run *r, jinja_buffer *b, uint32_t c)
{
    char text[16];
    snprintf(text, sizeof text, "\\u%04x", c);
    jinja_puts(r, b, text);
}

static void put_text(jinja_run *r, jinja_buffer *b, const jinja_text *t, bool ascii)
{
    static const char from[] = "\"\\\n\r\t\f\b";
    static const char *const to[] = { "\\\"", "\\\\", "\\n", "\\r", "\\t", "\\f", "\\b" };
    size_t n;
    jinja_put(r, b, "\"", 1);
    jinja_work(r, t->n / 4);
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t c = jinja_char(p, &n);
        const char *known = c && c < 0x80 ? strchr(from, (int)c) : NULL;
        if (known) {
            jinja_puts(r, b, to[known - from]);
        } else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000)) {
            put_unit(r, b, c);
        } else if (ascii && c >= 0x10000) {
            put_unit(r, b, 0xD800 + ((c - 0x10000) >> 10));
            put_unit(r, b, 0xDC00 + ((c - 0x10000) & 0x3FF));
        } else {
            jinja_put(r, b, p, n);
        }
    }
    jinja_put(r, b, "\"", 1);
}

static void put_number(jinja_run *r, jinja_buffer *b, jinja_value v)
{
    char text[JINJA_FLOAT_TEXT];
    if (v.kind == JINJA_FLOAT && !isfinite(v.f))
        jinja_puts(r, b, isnan(v.f) ? "NaN" : v.f < 0 ? "-Infinity" : "Infinity");
    else if (v.kind == JINJA_FLOAT)
        jinja_puts(r, b, jinja_float_repr(v.f, text));
    else if (v.kind == JINJA_INT)
        jinja_repr(r, b, v);
    else
        jinja_puts(r, b, v.kind == JINJA_NONE ? "null" : v.yes ? "true" : "false");
}

static void put_line(jinja_run *r, jinja_buffer *b, const jinja_json_style *style, uint32_t level)
{
    if (!style->lines) return;
    jinja_puts(r, b, "\n");
    for (uint32_t i = 0; i < level; i++) jinja_put(r, b, style->indent->s, style->indent->n);
}

static void put_value(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_json_style *style, uint32_t level);

static void put_list(jinja_run *r, jinja_buffer *b, const jinja_list *l, const jinja_json_style *style, uint32_t level)
{
    jinja_puts(r, b, "[");
    for (size_t i = 0; i < l->n; i++) {
        if (i) jinja_put(r, b, style->comma->s, style->comma->n);
        put_line(r, b, style, level + 1);
        put_value(r, b, l->v[i], style, level + 1);
    }
    if (l->n) put_line(r, b, style, level);
    jinja_puts(r, b, "]");
}

static void put_key(jinja_run *r, jinja_buffer *b, jinja_value key, bool ascii)
{
    if (key.kind == JINJA_TEXT) {
        put_text(r, b, key.text, ascii);
        return;
    }
    if (key.kind != JINJA_NONE && key.kind != JINJA_BOOL && key.kind != JINJA_INT && key.kind != JINJA_FLOAT)
        jinja_fail(r, "keys must be str, int, float, bool or None, not %s", jinja_type_name(key));
    jinja_puts(r, b, "\"");
    put_number(r, b, key);
    jinja_puts(r, b, "\"");
}

static void put_dict(jinja_run *r, jinja_buffer *b, const jinja_dict *d, const jinja_json_style *style, uint32_t level)
{
    jinja_value *keys = jinja_alloc(r, d->n, sizeof *keys), *values = jinja_alloc(r, d->n, sizeof *values);
    for (size_t i = 0; i < d->n; i++) keys[i] = d->p[i].key, values[i] = d->p[i].value;
    if (style->sorted) {
        jinja_sort(r, values, keys, d->n, false);
        jinja_sort(r, keys, keys, d->n, false);
    }
    jinja_puts(r, b, "{");
    for (size_t i = 0; i < d->n; i++) {
        if (i) jinja_put(r, b, style->comma->s, style->comma->n);
        put_line(r, b, style, level + 1);
        put_key(r, b, keys[i], style->ascii);
        jinja_put(r, b, style->colon->s, style->colon->n);
        put_value(r, b, values[i], style, level + 1);
    }
    if (d->n) put_line(r, b, style, level);
    jinja_puts(r, b, "}");
}

static void put_value(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_json_style *style, uint32_t level)
{
    jinja_work(r, 1);
    jinja_enter(r);
    switch (v.kind) {
    case JINJA_TEXT:
        put_text(r, b, v.text, style->ascii);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
        put_list(r, b, v.list, style, level);
        break;
    case JINJA_DICT:
        put_dict(r, b, v.dict, style, level);
        break;
    case JINJA_NONE:
    case JINJA_BOOL:
    case JINJA_INT:
    case JINJA_FLOAT:
        put_number(r, b, v);
        break;
    default:
        jinja_fail(r, "Object of type %s is not JSON serializable", jinja_type_name(v));
    }
    jinja_leave(r);
}

void jinja_json(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_json_style *style)
{
    put_value(r, b, v, style, 0);
}
