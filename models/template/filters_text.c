/* filters_text.c: filters over texts and numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "jinja.h"
#include "strings.h"

static jinja_value f_string(jinja_run *r, const jinja_call *c)
{
    return jinja_from_text(jinja_str(r, c->self));
}

static jinja_value f_upper(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = jinja_str(r, c->self);
    jinja_buffer b = { 0 };
    jinja_upper_to(r, &b, t->s, t->n);
    return jinja_buffer_value(r, &b);
}

static jinja_value f_lower(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = jinja_str(r, c->self);
    jinja_buffer b = { 0 };
    jinja_lower_to(r, &b, t->s, t->n);
    return jinja_buffer_value(r, &b);
}

static jinja_value f_capitalize(jinja_run *r, const jinja_call *c)
{
    return jinja_from_text(jinja_capitalize(r, jinja_str(r, c->self)));
}

static bool begins_word(const char *p)
{
    size_t n;
    return jinja_is_space(jinja_char(p, &n)) || (*p && strchr("-({[<", *p));
}

/* Words are what stands between white space and -({[<. */
static jinja_value f_title(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = jinja_str(r, c->self);
    const char *end = t->s + t->n;
    jinja_buffer b = { 0 };
    size_t n;
    for (const char *p = t->s; p < end;) {
        const char *from = p;
        const bool between = begins_word(p);
        while (p < end && begins_word(p) == between) {
            jinja_char(p, &n);
            p += n;
        }
        jinja_char(from, &n);
        jinja_upper_to(r, &b, from, n);
        jinja_lower_to(r, &b, from + n, (size_t)(p - from) - n);
    }
    return jinja_buffer_value(r, &b);
}

static jinja_value f_trim(jinja_run *r, const jinja_call *c)
{
    const jinja_text *chars = c->v[0].kind == JINJA_NONE ? NULL : jinja_need_text(r, c->v[0], "trim");
    return jinja_from_text(jinja_strip(r, jinja_str(r, c->self), chars, 'b'));
}

static jinja_value f_replace(jinja_run *r, const jinja_call *c)
{
    const int64_t count = c->v[2].kind == JINJA_NONE ? -1 : jinja_need_int(r, c->v[2], "replace");
    return jinja_from_text(
        jinja_replace(r, jinja_str(r, c->self), jinja_str(r, c->v[0]), jinja_str(r, c->v[1]), count));
}

static jinja_value f_join(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->self);
    jinja_buffer b = { 0 };
    for (size_t i = 0; i < l->n; i++) {
        if (i && c->given[0]) jinja_print(r, &b, c->v[0]);
        jinja_print(r, &b, jinja_path(r, l->v[i], c->v[1], NULL));
    }
    return jinja_buffer_value(r, &b);
}

static jinja_value f_center(jinja_run *r, const jinja_call *c)
{
    const int64_t width = c->given[0] ? jinja_need_int(r, c->v[0], "center") : 80;
    return jinja_from_text(jinja_pad(r, jinja_str(r, c->self), width, " ", 'b'));
}

static jinja_value f_indent(jinja_run *r, const jinja_call *c)
{
    const bool first = c->given[1] && jinja_true(r, c->v[1]), blank = c->given[2] && jinja_true(r, c->v[2]);
    const jinja_text *with, *t = jinja_need_text(r, c->self, "indent");
    if (c->v[0].kind == JINJA_TEXT)
        with = c->v[0].text;
    else
        with = jinja_binary(r, '*', jinja_from_c(r, " "), c->given[0] ? c->v[0] : jinja_int(4)).text;
    const jinja_list *lines = jinja_lines(r, jinja_text_join(r, t, jinja_text_of(r, "\n", 1)), false);
    jinja_buffer b = { 0 };
    for (size_t i = 0; i < lines->n; i++) {
        const jinja_text *line = lines->v[i].text;
        if (i) jinja_puts(r, &b, "\n");
        if (i ? blank || line->n : first) jinja_put(r, &b, with->s, with->n);
        jinja_put(r, &b, line->s, line->n);
    }
    return jinja_buffer_value(r, &b);
}

static jinja_value f_truncate(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = jinja_need_text(r, c->self, "truncate"), *end;
    const int64_t length = c->given[0] ? jinja_need_int(r, c->v[0], "truncate") : 255;
    const int64_t leeway = c->v[3].kind != JINJA_NONE ? jinja_need_int(r, c->v[3], "truncate") : 5;
    end = c->given[2] ? jinja_need_text(r, c->v[2], "truncate") : jinja_text_of(r, "...", 3);
    if (length < (int64_t)end->chars || leeway < 0) jinja_fail(r, "truncate: a length or a leeway that is too small");
    if ((int64_t)t->chars - leeway <= length) return c->self;
    const char *stop = jinja_at(t, (size_t)length - end->chars);
    if (!(c->given[1] && jinja_true(r, c->v[1])))
        for (const char *p = stop; p > t->s; p--)
            if (p[-1] == ' ') {
                stop = p - 1;
                break;
            }
    return jinja_from_text(jinja_text_join(r, jinja_text_part(r, t, t->s, (size_t)(stop - t->s)), end));
}

static jinja_value f_wordcount(jinja_run *r, const jinja_call *c)
{
    const jinja_text *t = jinja_str(r, c->self);
    int64_t words = 0;
    bool within = false;
    size_t n;
    jinja_work(r, t->n / 16);
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t ch = jinja_char(p, &n);
        const bool word = ch == '_' || jinja_is(ch, JINJA_ALNUM);
        words += word && !within;
        within = word;
    }
    return jinja_int(words);
}

static jinja_value f_escape(jinja_run *r, const jinja_call *c)
{
    return jinja_from_text(jinja_escape(r, jinja_str(r, c->self)));
}

static jinja_value f_forceescape(jinja_run *r, const jinja_call *c)
{
    jinja_text t = *jinja_str(r, c->self);
    t.markup = false;
    return jinja_from_text(jinja_escape(r, &t));
}

static jinja_value f_safe(jinja_run *r, const jinja_call *c)
{
    jinja_text *t = jinja_alloc(r, 1, sizeof *t);
    *t = *jinja_str(r, c->self);
    t->markup = true;
    return jinja_from_text(t);
}

static jinja_value f_urlencode(jinja_run *r, const jinja_call *c)
{
    static const char hex[] = "0123456789ABCDEF";
    if (c->self.kind == JINJA_DICT || (jinja_can_iterate(c->self) && c->self.kind != JINJA_TEXT))
        jinja_fail_as(r, WEFT_UNSUPPORTED, "urlencode of a %s is not supported", jinja_type_name(c->self));
    const jinja_text *t = jinja_str(r, c->self);
    jinja_buffer b = { 0 };
    for (size_t i = 0; i < t->n; i++) {
        const unsigned char ch = (unsigned char)t->s[i];
        const char code[3] = { '%', hex[ch >> 4], hex[ch & 15] };
        const bool plain =
            (ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') || (ch && strchr("_.-~/", ch));
        jinja_put(r, &b, plain ? &t->s[i] : code, plain ? 1 : 3);
    }
    return jinja_buffer_value(r, &b);
}

static jinja_value f_format(jinja_run *r, const jinja_call *c)
{
    const jinja_args *a = c->args;
    if (a->n && a->n_named) jinja_fail(r, "can't handle positional and keyword arguments at the same time");
    if (a->n_named) {
        jinja_dict *d = jinja_dict_new(r);
        for (size_t i = 0; i < a->n_named; i++) jinja_dict_set(r, d, a->named[i].key, a->named[i].value);
        return jinja_percent(r, jinja_str(r, c->self), jinja_from_dict(d));
    }
    jinja_list *l = jinja_list_new(r, a->n);
    for (size_t i = 0; i < a->n; i++) jinja_push(r, l, a->v[i]);
    return jinja_percent(r, jinja_str(r, c->self), jinja_from_tuple(l));
}

/* ---- numbers ---- */

static jinja_value truncated(jinja_run *r, double f)
{
    if (fabs(f) >= 0x1p63) jinja_fail_as(r, WEFT_LIMIT, "an integer beyond 64 bits");
    return jinja_int((int64_t)f);
}

static jinja_value f_int(jinja_run *r, const jinja_call *c)
{
    int64_t i;
    double f;
    const jinja_value fallback = c->given[0] ? c->v[0] : jinja_int(0);
    jinja_defined(r, c->self);
    if (jinja_whole(c->self, &i)) return jinja_int(i);
    if (c->self.kind == JINJA_TEXT) {
        if (jinja_parse_int(r, c->self.text, c->given[1] ? jinja_need_int(r, c->v[1], "int") : 10, &i))
            return jinja_int(i);
        return jinja_parse_float(r, c->self.text, &f) && isfinite(f) ? truncated(r, f) : fallback;
    }
    return c->self.kind == JINJA_FLOAT && isfinite(c->self.f) ? truncated(r, c->self.f) : fallback;
}

static jinja_value f_float(jinja_run *r, const jinja_call *c)
{
    double f;
    jinja_defined(r, c->self);
    if (jinja_number(c->self, &f)) return jinja_float(f);
    if (c->self.kind == JINJA_TEXT && jinja_parse_float(r, c->self.text, &f)) return jinja_float(f);
    return c->given[0] ? c->v[0] : jinja_float(0);
}

static jinja_value f_abs(jinja_run *r, const jinja_call *c)
{
    jinja_defined(r, c->self);
    if (c->self.kind == JINJA_FLOAT) return jinja_float(fabs(c->self.f));
    int64_t i;
    if (!jinja_whole(c->self, &i)) jinja_fail(r, "bad operand type for abs(): '%s'", jinja_type_name(c->self));
    return i < 0 ? jinja_unary(r, '-', c->self) : jinja_int(i);
}

static int64_t round_int(jinja_run *r, int64_t i, int64_t digits)
{
    int64_t unit = 1;
    if (digits >= 0) return i;
    if (digits < -18) return 0;
    for (; digits; digits++) unit *= 10;
    const int64_t rest = ((i % unit) + unit) % unit, low = i - rest;
    const bool up = rest * 2 > unit || (rest * 2 == unit && (low / unit) % 2);
    return jinja_binary(r, '+', jinja_int(low), jinja_int(up ? unit : 0)).i;
}

static jinja_value f_round(jinja_run *r, const jinja_call *c)
{
    const int64_t digits = c->given[0] ? jinja_need_int(r, c->v[0], "round") : 0;
    const jinja_text *method = c->given[1] ? jinja_need_text(r, c->v[1], "round") : NULL;
    int64_t i;
    double f;
    jinja_defined(r, c->self);
    if (!jinja_number(c->self, &f)) jinja_fail(r, "type %s doesn't define __round__ method", jinja_type_name(c->self));
    if (!method || (method->n == 6 && memcmp(method->s, "common", 6) == 0)) {
        if (jinja_whole(c->self, &i)) return jinja_int(round_int(r, i, digits));
        return jinja_float(jinja_round_to(r, f, digits));
    }
    const bool ceiling = method->n == 4 && memcmp(method->s, "ceil", 4) == 0;
    if (!ceiling && !(method->n == 5 && memcmp(method->s, "floor", 5) == 0))
        jinja_fail(r, "method must be common, ceil or floor");
    if (digits < -300 || digits > 300) jinja_fail_as(r, WEFT_UNSUPPORTED, "round: more than 300 places");
    const double unit = pow(10, (double)(digits < 0 ? -digits : digits)), scaled = digits < 0 ? f / unit : f * unit;
    if (!isfinite(scaled)) jinja_fail(r, "cannot convert float infinity to integer");
    const double whole = ceiling ? ceil(scaled) : floor(scaled);
    return jinja_float(digits < 0 ? whole * unit : whole / unit);
}

static jinja_value f_filesizeformat(jinja_run *r, const jinja_call *c)
{
    static const char letters[] = "kMGTPEZY";
    const bool binary = c->given[0] && jinja_true(r, c->v[0]);
    const double base = binary ? 1024 : 1000;
    double f, unit = base * base;
    char text[JINJA_FLOAT_ROOM], tail[8];
    jinja_buffer b = { 0 };
    size_t i = 0;
    if (!jinja_number(c->self, &f) && !(c->self.kind == JINJA_TEXT && jinja_parse_float(r, c->self.text, &f)))
        jinja_fail(r, "filesizeformat: could not convert to float");
    if (f == 1) return jinja_from_c(r, "1 Byte");
    if (f < base) {
        jinja_print(r, &b, truncated(r, f));
        jinja_puts(r, &b, " Bytes");
        return jinja_buffer_value(r, &b);
    }
    for (; i < 7 && f >= unit; i++) unit *= base;
    jinja_float_format(text, 'f', 1, base * f / unit);
    snprintf(tail, sizeof tail, " %c%sB", binary && !i ? 'K' : letters[i], binary ? "i" : "");
    jinja_puts(r, &b, text);
    jinja_puts(r, &b, tail);
    return jinja_buffer_value(r, &b);
}

const jinja_row jinja_text_filters[] = {
    { "abs", f_abs, "", 0 },
    { "capitalize", f_capitalize, "", 0 },
    { "center", f_center, "|width", 0 },
    { "e", f_escape, "", 0 },
    { "escape", f_escape, "", 0 },
    { "filesizeformat", f_filesizeformat, "|binary", 0 },
    { "float", f_float, "|default", 0 },
    { "forceescape", f_forceescape, "", 0 },
    { "format", f_format, "*", 0 },
    { "indent", f_indent, "|width,first,blank", 0 },
    { "int", f_int, "|default,base", 0 },
    { "join", f_join, "|d,attribute", 0 },
    { "lower", f_lower, "", 0 },
    { "pprint", NULL, "", 0 },
    { "replace", f_replace, "old,new|count", 0 },
    { "round", f_round, "|precision,method", 0 },
    { "safe", f_safe, "", 0 },
    { "string", f_string, "", 0 },
    { "striptags", NULL, "", 0 },
    { "title", f_title, "", 0 },
    { "trim", f_trim, "|chars", 0 },
    { "truncate", f_truncate, "|length,killwords,end,leeway", 0 },
    { "upper", f_upper, "", 0 },
    { "urlencode", f_urlencode, "", 0 },
    { "urlize", NULL, "*", 0 },
    { "wordcount", f_wordcount, "", 0 },
    { "wordwrap", NULL, "*", 0 },
    { "xmlattr", NULL, "*", 0 },
    { NULL, NULL, NULL, 0 },
};
