/* json.c: the JSON writer: commas, escapes, numbers. */
#include "graph/json.h"

#include "graph/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(weft__json *j, const char *text, size_t n)
{
    if (n) j->ok = j->ok && j->w->write(j->w->ctx, text, n);
}

static void put_text(weft__json *j, const char *text)
{
    put(j, text, strlen(text));
}

/* ---- strings ---- */

size_t weft__utf8_sequence(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    static const struct { unsigned char lo, hi, second_lo, second_hi, n; } forms[] = {
        { 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (s[0] < forms[i].lo || s[0] > forms[i].hi) continue;
        size_t n = forms[i].n;
        if (n > 1 && (s[1] < forms[i].second_lo || s[1] > forms[i].second_hi)) return 0;
        for (size_t k = 2; k < n; k++)
            if ((s[k] & 0xc0) != 0x80) return 0;
        return n;
    }
    return 0;
}

/* '<' is escaped, too, so that a document may stand inside an HTML script element. */
static void put_escaped(weft__json *j, unsigned char c)
{
    static const char from[] = "\"\\\n\t\r", to[] = "\"\\ntr";
    const char *at = strchr(from, c);
    char text[8];
    if (at) snprintf(text, sizeof text, "\\%c", to[at - from]);
    else snprintf(text, sizeof text, "\\u%04x", c);
    put_text(j, text);
}

static void put_string(weft__json *j, const char *s)
{
    put(j, "\"", 1);
    const char *plain = s;
    while (*s) {
        unsigned char c = (unsigned char)*s;
        size_t n = weft__utf8_sequence(s);
        if (n && c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != 0x7f) {
            s += n;
            continue;
        }
        put(j, plain, (size_t)(s - plain));
        if (n) put_escaped(j, c);
        else put_text(j, "\xef\xbf\xbd"); /* U+FFFD */
        plain = ++s;
    }
    put(j, plain, (size_t)(s - plain));
    put(j, "\"", 1);
}

/* ---- structure ---- */

/* What stands before a value. */
static void before(weft__json *j, const char *key)
{
    if (j->inside) put(j, ",", 1);
    if (j->line) put(j, "\n", 1);
    else if (j->inside) put(j, " ", 1);
    j->inside = true;
    j->line = false;
    if (!key) return;
    put_string(j, key);
    put(j, ": ", 2);
}

static void open_with(weft__json *j, const char *key, const char *bracket)
{
    before(j, key);
    put(j, bracket, 1);
    j->inside = false;
}

static void close_with(weft__json *j, const char *bracket)
{
    put(j, bracket, 1);
    j->inside = true;
    j->line = false;
}

void weft__json_start(weft__json *j, const weft_writer *w)
{
    *j = (weft__json){ .w = w, .ok = true };
}

bool weft__json_finish(weft__json *j)
{
    put(j, "\n", 1);
    return j->ok;
}

void weft__json_object(weft__json *j, const char *key)
{
    open_with(j, key, "{");
}

void weft__json_end_object(weft__json *j)
{
    close_with(j, "}");
}

void weft__json_array(weft__json *j, const char *key)
{
    open_with(j, key, "[");
}

void weft__json_end_array(weft__json *j)
{
    close_with(j, "]");
}

void weft__json_line(weft__json *j)
{
    j->line = true;
}

/* ---- values ---- */

static void put_value(weft__json *j, const char *key, const char *text)
{
    before(j, key);
    put_text(j, text);
}

void weft__json_string(weft__json *j, const char *key, const char *s)
{
    before(j, key);
    if (s) put_string(j, s);
    else put_text(j, "null");
}

void weft__json_stringf(weft__json *j, const char *key, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    weft__json_string(j, key, text);
}

void weft__json_u64(weft__json *j, const char *key, uint64_t x)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, x);
    put_value(j, key, text);
}

void weft__json_i64(weft__json *j, const char *key, int64_t x)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, x);
    put_value(j, key, text);
}

void weft__json_f64(weft__json *j, const char *key, double x)
{
    char text[WEFT__FLOAT_TEXT];
    put_value(j, key, isfinite(x) ? weft__double_text(x, text) : "null");
}

void weft__json_f32(weft__json *j, const char *key, float x)
{
    char text[WEFT__FLOAT_TEXT];
    put_value(j, key, isfinite(x) ? weft__float_text(x, text) : "null");
}

void weft__json_bool(weft__json *j, const char *key, bool x)
{
    put_value(j, key, x ? "true" : "false");
}

void weft__json_null(weft__json *j, const char *key)
{
    put_value(j, key, "null");
}
