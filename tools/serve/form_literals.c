/* form_literals.c: calls as source text: NAME{key:value,...} with texts between marks of their own (Gemma), or
 * [NAME(key=value, ...), ...] with values as Python writes them (LFM2). */
#include "tools/serve/form_literals.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 64 };

typedef struct source {
    const char *at, *end, *quote; /* quote: around texts, also keys; NULL: ' and ", with escapes */
    int depth;
} source;

static void skip(source *s)
{
    while (s->at < s->end && *s->at && strchr(" \t\r\n", *s->at)) s->at++;
}

static bool take(source *s, const char *mark)
{
    const size_t n = strlen(mark);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, mark, n)) return false;
    s->at += n;
    return true;
}

/* ---- texts ---- */

static bool put(weft_text *to, const char *text, size_t n)
{
    const weft_writer w = weft_text_writer(to);
    return w.write(w.ctx, text, n);
}

/* As UTF-8; halves of pairs are no characters. */
static bool put_code(weft_text *to, uint32_t c)
{
    const char one = (char)c, two[] = { (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)) };
    const char three[] = { (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)) };
    const char four[] = { (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)),
                          (char)(0x80 | (c & 63)) };
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    return c < 0x80    ? put(to, &one, 1)
         : c < 0x800   ? put(to, two, 2)
         : c < 0x10000 ? put(to, three, 3)
                       : put(to, four, 4);
}

/* Behind a backslash. */
static bool put_escape(source *s, weft_text *to)
{
    static const char from[] = "ntrbfav0\\'\"", is[] = "\n\t\r\b\f\a\v\0\\'\"";
    if (s->at == s->end) return false;
    const char c = *s->at++, *found = c ? strchr(from, c) : NULL;
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t code = 0;
    if (c == '\n') return true; /* the line goes on */
    if (found) return put(to, &is[found - from], 1);
    if (!digits) return put(to, (const char[]){ '\\', c }, 2);
    for (int i = 0; i < digits; i++, s->at++) {
        static const char hex[] = "0123456789abcdef";
        const char *digit = s->at < s->end && *s->at ? strchr(hex, *s->at | 0x20) : NULL;
        if (!digit || (*s->at < '0')) return false;
        code = code << 4 | (uint32_t)(digit - hex);
    }
    return put_code(to, code);
}

static bool take_quoted(source *s, char quote, weft_text *to)
{
    while (s->at < s->end && *s->at != quote) {
        const char c = *s->at++;
        if (c == '\\' ? !put_escape(s, to) : !put(to, &c, 1)) return false;
    }
    return s->at < s->end && *s->at++ == quote;
}

/* False: there is none here. */
static bool take_text(source *s, weft_text *to)
{
    if (s->quote) {
        if (!take(s, s->quote)) return false;
        const char *end = memmem(s->at, (size_t)(s->end - s->at), s->quote, strlen(s->quote));
        if (!end || (end > s->at && !put(to, s->at, (size_t)(end - s->at)))) return false;
        s->at = end + strlen(s->quote);
        return true;
    }
    if (s->at == s->end || (*s->at != '"' && *s->at != '\'')) return false;
    const char quote = *s->at++;
    return take_quoted(s, quote, to);
}

/* A name as it stands, or a text. */
static char *take_key(source *s)
{
    weft_text text = { 0 };
    const char *from = s->at;
    bool ok = take_text(s, &text);
    if (!ok && s->at == from) {
        while (s->at < s->end && *s->at && !strchr(" \t\r\n:=,(){}[]\"'", *s->at)) s->at++;
        ok = s->at > from && put(&text, from, (size_t)(s->at - from));
    }
    char *key = ok && text.size && !memchr(text.data, 0, text.size) ? strndup(text.data, text.size) : NULL;
    weft_text_free(&text);
    return key;
}

/* ---- values ---- */

static json_t *take_value(source *s);

static json_t *take_list(source *s)
{
    json_t *list = json_array();
    for (skip(s); list && !take(s, "]"); skip(s)) {
        json_t *v = take_value(s);
        skip(s);
        if (v && !json_array_append_new(list, v) && (take(s, ",") || (s->at < s->end && *s->at == ']'))) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

/* Up to `last`, which is passed. */
static json_t *take_members(source *s, const char *sign, const char *last)
{
    json_t *object = json_object();
    for (skip(s); object && !take(s, last); skip(s)) {
        char *key = take_key(s);
        skip(s);
        json_t *v = key && take(s, sign) ? take_value(s) : NULL;
        bool ok = v && !json_object_set_new(object, key, v);
        free(key);
        skip(s);
        if (ok && (take(s, ",") || (s->at < s->end && *s->at == *last))) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *take_word(source *s)
{
    static const struct { const char *name; int kind; } words[] = {
        { "true", 1 }, { "True", 1 }, { "false", 0 }, { "False", 0 }, { "null", -1 }, { "None", -1 },
    };
    const char *from = s->at;
    while (s->at < s->end && *s->at && !strchr(" \t\r\n,(){}[]", *s->at)) s->at++;
    const size_t n = (size_t)(s->at - from);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (n == strlen(words[i].name) && !memcmp(from, words[i].name, n))
            return words[i].kind < 0 ? json_null() : json_boolean(words[i].kind);
    json_t *v = json_loadb(from, n, JSON_DECODE_ANY, NULL);
    if (!v) v = json_loadb(from, n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    if (json_is_number(v)) return v;
    json_decref(v);
    return NULL;
}

static json_t *take_value(source *s)
{
    weft_text text = { 0 };
    json_t *v = NULL;
    skip(s);
    if (s->at == s->end || s->depth == DEPTH) return NULL;
    s->depth++;
    const char *from = s->at;
    if (take_text(s, &text)) v = json_stringn(text.data ? text.data : "", text.size);
    else if (s->at != from) v = NULL;
    else if (take(s, "[")) v = take_list(s);
    else if (take(s, "{")) v = take_members(s, ":", "}");
    else v = take_word(s);
    s->depth--;
    weft_text_free(&text);
    return v;
}

const char *form_literal(const call_form *f, const char *at, const char *end, const char **name, size_t *n,
                         json_t **arguments)
{
    source s = { .at = at, .end = end, .quote = f->begin };
    if (!take(&s, f->each)) return NULL;
    *name = s.at;
    while (s.at < s.end && *s.at != *f->named && *s.at && !strchr(" \t\r\n,()[]{}", *s.at)) s.at++;
    *n = (size_t)(s.at - *name);
    *arguments = *n && take(&s, f->named) ? take_members(&s, f->value, f->last) : NULL;
    return *arguments ? s.at : NULL;
}
