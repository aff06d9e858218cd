/* text_methods.c: methods of texts, as Python's str has them. */
#include <string.h>

#include "jinja.h"
#include "strings.h"

/* An argument as a text; escaped where the text itself is markup, as markupsafe does. */
static const jinja_text *argument(jinja_run *r, const jinja_call *c, size_t i)
{
    const jinja_text *t = jinja_need_text(r, c->v[i], c->name);
    return c->self.text->markup ? jinja_escape(r, t) : t;
}

/* A method of markup gives markup. */
static jinja_value like_self(jinja_run *r, const jinja_call *c, const jinja_text *t)
{
    if (t->markup == c->self.text->markup) return jinja_from_text(t);
    jinja_text *own = jinja_alloc(r, 1, sizeof *own);
    *own = *t;
    own->markup = c->self.text->markup;
    return jinja_from_text(own);
}

/* ---- cases ---- */

static jinja_value m_upper(jinja_run *r, const jinja_call *c)
{
    jinja_buffer b = { 0 };
    jinja_upper_to(r, &b, c->self.text->s, c->self.text->n);
    return like_self(r, c, jinja_buffer_value(r, &b).text);
}

static jinja_value m_lower(jinja_run *r, const jinja_call *c)
{
    jinja_buffer b = { 0 };
    jinja_lower_to(r, &b, c->self.text->s, c->self.text->n);
    return like_self(r, c, jinja_buffer_value(r, &b).text);
}

static jinja_value m_capitalize(jinja_run *r, const jinja_call *c)
{
    return like_self(r, c, jinja_capitalize(r, c->self.text));
}

static jinja_value m_title(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = c->self.text;
    jinja_buffer b = { 0 };
    bool within = false;
    size_t n;
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t ch = jinja_char(p, &n);
        if (within)
            jinja_lower_part(r, &b, t->s, t->n, (size_t)(p - t->s), (size_t)(p - t->s) + n);
        else
            jinja_title_to(r, &b, p, n);
        within = jinja_is(ch, JINJA_CASED);
    }
    return like_self(r, c, jinja_buffer_value(r, &b).text);
}

static jinja_value m_swapcase(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = c->self.text;
    jinja_buffer b = { 0 };
    size_t n;
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t ch = jinja_char(p, &n);
        if (jinja_is(ch, JINJA_UPPER))
            jinja_lower_part(r, &b, t->s, t->n, (size_t)(p - t->s), (size_t)(p - t->s) + n);
        else if (jinja_is(ch, JINJA_LOWER))
            jinja_upper_to(r, &b, p, n);
        else
            jinja_put(r, &b, p, n);
    }
    return like_self(r, c, jinja_buffer_value(r, &b).text);
}

/* ---- ends ---- */

static jinja_value strip(jinja_run *r, const jinja_call *c, char side)
{
    const jinja_text *chars = c->v[0].kind == JINJA_NONE ? NULL : argument(r, c, 0);
    return jinja_from_text(jinja_strip(r, c->self.text, chars, side));
}

static jinja_value m_strip(jinja_run *r, const jinja_call *c)
{
    return strip(r, c, 'b');
}

static jinja_value m_lstrip(jinja_run *r, const jinja_call *c)
{
    return strip(r, c, 'l');
}

static jinja_value m_rstrip(jinja_run *r, const jinja_call *c)
{
    return strip(r, c, 'r');
}

static jinja_value pad(jinja_run *r, const jinja_call *c, char side)
{
    const jinja_text *fill = c->given[1] ? jinja_need_text(r, c->v[1], c->name) : jinja_text_of(r, " ", 1);
    if (fill->chars != 1) jinja_fail(r, "The fill character must be exactly one character long");
    return like_self(r, c, jinja_pad(r, c->self.text, jinja_need_int(r, c->v[0], c->name), fill->s, side));
}

static jinja_value m_center(jinja_run *r, const jinja_call *c)
{
    return pad(r, c, 'b');
}

static jinja_value m_ljust(jinja_run *r, const jinja_call *c)
{
    return pad(r, c, 'r');
}

static jinja_value m_rjust(jinja_run *r, const jinja_call *c)
{
    return pad(r, c, 'l');
}

static jinja_value m_zfill(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = c->self.text;
    const int64_t width = jinja_need_int(r, c->v[0], "zfill");
    if (!t->n || (t->s[0] != '-' && t->s[0] != '+')) return like_self(r, c, jinja_pad(r, t, width, "0", 'l'));
    const jinja_text *rest = jinja_pad(r, jinja_text_part(r, t, t->s + 1, t->n - 1), width - 1, "0", 'l');
    return like_self(r, c, jinja_text_join(r, jinja_text_part(r, t, t->s, 1), rest));
}

static bool has_end(const jinja_text *t, const jinja_text *with, bool start)
{
    return with->n <= t->n && memcmp(start ? t->s : t->s + t->n - with->n, with->s, with->n) == 0;
}

/* The part of the text that optional arguments from `i` on say; false: it begins behind the end. */
static bool part(jinja_run *r, const jinja_call *c, size_t i, jinja_text *out)
{
    const jinja_text *t = c->self.text;
    int64_t n = (int64_t)t->chars, from = 0, to = n;
    if (c->v[i].kind != JINJA_NONE) from = jinja_need_int(r, c->v[i], c->name);
    if (c->v[i + 1].kind != JINJA_NONE) to = jinja_need_int(r, c->v[i + 1], c->name);
    if (from < 0 && (from += n) < 0) from = 0;
    if (to < 0 && (to += n) < 0) to = 0;
    if (to > n) to = n;
    *out = *t;
    if (from > to) return false;
    const char *s = jinja_at(t, (size_t)from), *end = jinja_at(t, (size_t)to);
    *out = (jinja_text){ s, (size_t)(end - s), (size_t)(to - from), false };
    return true;
}

static jinja_value ends(jinja_run *r, const jinja_call *c, bool start)
{
    jinja_text t;
    const bool inside = part(r, c, 1, &t);
    if (c->v[0].kind != JINJA_TUPLE) {
        const jinja_text *with = jinja_need_text(r, c->v[0], c->name);
        return jinja_bool(inside && has_end(&t, with, start));
    }
    for (size_t i = 0; i < c->v[0].list->n; i++)
        if (has_end(&t, jinja_need_text(r, c->v[0].list->v[i], c->name), start)) return jinja_bool(inside);
    return jinja_bool(false);
}

static jinja_value m_startswith(jinja_run *r, const jinja_call *c)
{
    return ends(r, c, true);
}

static jinja_value m_endswith(jinja_run *r, const jinja_call *c)
{
    return ends(r, c, false);
}

static jinja_value m_removeprefix(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = c->self.text, *with = argument(r, c, 0);
    return jinja_from_text(has_end(t, with, true) ? jinja_text_part(r, t, t->s + with->n, t->n - with->n) : t);
}

static jinja_value m_removesuffix(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = c->self.text, *with = argument(r, c, 0);
    return jinja_from_text(has_end(t, with, false) ? jinja_text_part(r, t, t->s, t->n - with->n) : t);
}

/* ---- searching ---- */

static const char *find_last(jinja_run *r, const char *s, const char *end, const jinja_text *what)
{
    jinja_work(r, (size_t)(end - s) / 16 + 1);
    if (what->n > (size_t)(end - s)) return NULL;
    for (const char *p = end - what->n;; p--) {
        if (memcmp(p, what->s, what->n) == 0) return p;
        if (p == s) return NULL;
    }
}

static int64_t find(jinja_run *r, const jinja_call *c, bool last)
{
    const jinja_text *what = jinja_need_text(r, c->v[0], c->name);
    jinja_text t;
    if (!part(r, c, 1, &t)) return -1;
    const char *end = t.s + t.n, *p;
    if (!what->n)
        p = last ? end : t.s;
    else
        p = last ? find_last(r, t.s, end, what) : jinja_find(r, t.s, end, what);
    if (!p) return -1;
    return (int64_t)jinja_text_of(r, c->self.text->s, (size_t)(p - c->self.text->s))->chars;
}

static jinja_value m_find(jinja_run *r, const jinja_call *c)
{
    return jinja_int(find(r, c, false));
}

static jinja_value m_rfind(jinja_run *r, const jinja_call *c)
{
    return jinja_int(find(r, c, true));
}

static jinja_value found(jinja_run *r, int64_t at)
{
    if (at < 0) jinja_fail(r, "substring not found");
    return jinja_int(at);
}

static jinja_value m_index(jinja_run *r, const jinja_call *c)
{
    return found(r, find(r, c, false));
}

static jinja_value m_rindex(jinja_run *r, const jinja_call *c)
{
    return found(r, find(r, c, true));
}

static jinja_value m_count(jinja_run *r, const jinja_call *c)
{
    const jinja_text *what = jinja_need_text(r, c->v[0], "count");
    jinja_text t;
    int64_t n = 0;
    if (!part(r, c, 1, &t)) return jinja_int(0);
    if (!what->n) return jinja_int((int64_t)t.chars + 1);
    for (const char *p = t.s, *end = t.s + t.n; (p = jinja_find(r, p, end, what)); p += what->n) n++;
    return jinja_int(n);
}

static jinja_value m_replace(jinja_run *r, const jinja_call *c)
{
    const int64_t count = c->given[2] ? jinja_need_int(r, c->v[2], "replace") : -1;
    return like_self(r, c, jinja_replace(r, c->self.text, argument(r, c, 0), argument(r, c, 1), count));
}

/* ---- cutting and joining ---- */

static void push_part(jinja_run *r, jinja_list *l, const jinja_text *t, const char *s, const char *end)
{
    jinja_push(r, l, jinja_from_text(jinja_text_part(r, t, s, (size_t)(end - s))));
}

static const char *skip(const char *s, const char *end, bool space)
{
    size_t n;
    for (; s < end && jinja_is_space(jinja_char(s, &n)) == space; s += n) continue;
    return s;
}

static const char *skip_back(const char *s, const char *end, bool space)
{
    while (end > s) {
        const char *p = end - 1;
        size_t n;
        while (p > s && ((unsigned char)*p & 0xC0) == 0x80) p--;
        if (jinja_is_space(jinja_char(p, &n)) != space) break;
        end = p;
    }
    return end;
}

static void split_space(jinja_run *r, const jinja_text *t, int64_t max, jinja_list *l)
{
    const char *end = t->s + t->n, *s = skip(t->s, end, true);
    for (; s < end && max; max--) {
        const char *stop = skip(s, end, false);
        push_part(r, l, t, s, stop);
        s = skip(stop, end, true);
    }
    if (s < end) push_part(r, l, t, s, end);
}

static void rsplit_space(jinja_run *r, const jinja_text *t, int64_t max, jinja_list *l)
{
    const char *end = skip_back(t->s, t->s + t->n, true);
    for (; end > t->s && max; max--) {
        const char *from = skip_back(t->s, end, false);
        push_part(r, l, t, from, end);
        end = skip_back(t->s, from, true);
    }
    if (end > t->s) push_part(r, l, t, t->s, end);
}

static void reverse(jinja_list *l)
{
    for (size_t i = 0, j = l->n; i + 1 < j; i++) {
        const jinja_value v = l->v[i];
        l->v[i] = l->v[--j];
        l->v[j] = v;
    }
}

static jinja_value split(jinja_run *r, const jinja_call *c, bool last)
{
    const jinja_text *t = c->self.text;
    const char *s = t->s, *end = s + t->n, *p;
    jinja_list *l = jinja_list_new(r, 0);
    int64_t max = c->given[1] ? jinja_need_int(r, c->v[1], c->name) : -1;
    if (c->v[0].kind == JINJA_NONE) {
        if (last)
            rsplit_space(r, t, max, l);
        else
            split_space(r, t, max, l);
    } else {
        const jinja_text *by = jinja_need_text(r, c->v[0], c->name);
        if (!by->n) jinja_fail(r, "empty separator");
        for (; !last && max && (p = jinja_find(r, s, end, by)); max--, s = p + by->n) push_part(r, l, t, s, p);
        for (; last && max && (p = find_last(r, s, end, by)); max--, end = p) push_part(r, l, t, p + by->n, end);
        push_part(r, l, t, s, end);
    }
    if (last) reverse(l);
    return jinja_from_list(l);
}

static jinja_value m_split(jinja_run *r, const jinja_call *c)
{
    return split(r, c, false);
}

static jinja_value m_rsplit(jinja_run *r, const jinja_call *c)
{
    return split(r, c, true);
}

static jinja_value m_splitlines(jinja_run *r, const jinja_call *c)
{
    return jinja_from_list(jinja_lines(r, c->self.text, c->given[0] && jinja_true(r, c->v[0])));
}

static jinja_value partition(jinja_run *r, const jinja_call *c, bool last)
{
    const jinja_text *t = c->self.text, *by = jinja_need_text(r, c->v[0], c->name);
    const char *s = t->s, *end = s + t->n;
    if (!by->n) jinja_fail(r, "empty separator");
    const char *p = last ? find_last(r, s, end, by) : jinja_find(r, s, end, by);
    jinja_list *l = jinja_list_new(r, 3);
    push_part(r, l, t, s, p ? p : last ? s : end);
    push_part(r, l, t, p ? p : end, p ? p + by->n : end);
    push_part(r, l, t, p ? p + by->n : last ? s : end, end);
    return jinja_from_tuple(l);
}

static jinja_value m_partition(jinja_run *r, const jinja_call *c)
{
    return partition(r, c, false);
}

static jinja_value m_rpartition(jinja_run *r, const jinja_call *c)
{
    return partition(r, c, true);
}

static jinja_value m_join(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->v[0]);
    jinja_buffer b = { 0 };
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].kind != JINJA_TEXT)
            jinja_fail(r, "sequence item %zu: expected str instance, %s found", i, jinja_type_name(l->v[i]));
        const jinja_text *t = c->self.text->markup ? jinja_escape(r, l->v[i].text) : l->v[i].text;
        if (i) jinja_put(r, &b, c->self.text->s, c->self.text->n);
        jinja_put(r, &b, t->s, t->n);
    }
    return like_self(r, c, jinja_buffer_value(r, &b).text);
}

static jinja_value m_format(jinja_run *r, const jinja_call *c)
{
    if (c->self.text->markup) jinja_fail_as(r, WEFT_UNSUPPORTED, "format of a safe text is not supported");
    return jinja_format(r, c->self.text, c->args);
}

/* ---- classes ---- */

static jinja_value all_are(const jinja_call *c, jinja_class which, bool empty)
{
    const jinja_text *t = c->self.text;
    size_t n;
    for (const char *p = t->s; p < t->s + t->n; p += n)
        if (!jinja_is(jinja_char(p, &n), which)) return jinja_bool(false);
    return jinja_bool(t->n || empty);
}

/* name_(): whether all characters are of a class, and what an empty text gives. */
#define JINJA_CLASS_METHODS(X)            \
    X(isalnum, JINJA_ALNUM, false)        \
    X(isalpha, JINJA_ALPHA, false)        \
    X(isascii, JINJA_ASCII, true)         \
    X(isdecimal, JINJA_DECIMAL, false)    \
    X(isdigit, JINJA_DIGIT, false)        \
    X(isnumeric, JINJA_NUMERIC, false)    \
    X(isprintable, JINJA_PRINTABLE, true) \
    X(isspace, JINJA_SPACE, false)

#define X(name, which, empty)                                      \
    static jinja_value m_##name(jinja_run *r, const jinja_call *c) \
    {                                                              \
        jinja_work(r, c->self.text->n / 16);                       \
        return all_are(c, which, empty);                           \
    }
JINJA_CLASS_METHODS(X)
#undef X

static jinja_value m_islower(jinja_run *r, const jinja_call *c)
{
    return jinja_apply(r, jinja_find_test(r, "lower", 5), c->self, NULL);
}

static jinja_value m_isupper(jinja_run *r, const jinja_call *c)
{
    return jinja_apply(r, jinja_find_test(r, "upper", 5), c->self, NULL);
}

static jinja_value m_istitle(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = c->self.text;
    bool within = false, some = false;
    size_t n;
    jinja_work(r, t->n / 16);
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t ch = jinja_char(p, &n);
        const bool lower = jinja_is(ch, JINJA_LOWER), cased = jinja_is(ch, JINJA_CASED);
        if (cased && lower != within) return jinja_bool(false);
        some |= cased;
        within = cased;
    }
    return jinja_bool(some);
}

const jinja_row jinja_text_methods[] = {
    { "capitalize", m_capitalize, "", 0 },
    { "casefold", NULL, "", 0 },
    { "center", m_center, "width|fillchar", 0 },
    { "count", m_count, "sub|start,end", 0 },
    { "encode", NULL, "*", 0 },
    { "endswith", m_endswith, "suffix|start,end", 0 },
    { "expandtabs", NULL, "*", 0 },
    { "find", m_find, "sub|start,end", 0 },
    { "format", m_format, "*", 0 },
    { "format_map", NULL, "*", 0 },
    { "index", m_index, "sub|start,end", 0 },
#define X(name, which, empty) { #name, m_##name, "", 0 },
    JINJA_CLASS_METHODS(X)
#undef X
        { "isidentifier", NULL, "", 0 },
    { "islower", m_islower, "", 0 },
    { "istitle", m_istitle, "", 0 },
    { "isupper", m_isupper, "", 0 },
    { "join", m_join, "iterable", 0 },
    { "ljust", m_ljust, "width|fillchar", 0 },
    { "lower", m_lower, "", 0 },
    { "lstrip", m_lstrip, "|chars", 0 },
    { "maketrans", NULL, "*", 0 },
    { "partition", m_partition, "sep", 0 },
    { "removeprefix", m_removeprefix, "prefix", 0 },
    { "removesuffix", m_removesuffix, "suffix", 0 },
    { "replace", m_replace, "old,new|count", 0 },
    { "rfind", m_rfind, "sub|start,end", 0 },
    { "rindex", m_rindex, "sub|start,end", 0 },
    { "rjust", m_rjust, "width|fillchar", 0 },
    { "rpartition", m_rpartition, "sep", 0 },
    { "rsplit", m_rsplit, "|sep,maxsplit", 0 },
    { "rstrip", m_rstrip, "|chars", 0 },
    { "split", m_split, "|sep,maxsplit", 0 },
    { "splitlines", m_splitlines, "|keepends", 0 },
    { "startswith", m_startswith, "prefix|start,end", 0 },
    { "strip", m_strip, "|chars", 0 },
    { "swapcase", m_swapcase, "", 0 },
    { "title", m_title, "", 0 },
    { "translate", NULL, "*", 0 },
    { "upper", m_upper, "", 0 },
    { "zfill", m_zfill, "width", 0 },
    { NULL, NULL, NULL, 0 },
};
