/* print.c: values as Python prints them, str() and repr(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/number.h"
#include "jinja.h"

/* ---- numbers ---- */

size_t jinja_float_format(char buf[JINJA_FLOAT_ROOM], char kind, int precision, double f)
{
    const char format[] = { '%', '.', '*', kind, 0 };
    char text[JINJA_FLOAT_ROOM];
    snprintf(text, sizeof text, format, precision, f);
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        const bool plain = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || (*p >= 'a' && *p <= 'z');
        if (plain)
            buf[n++] = *p;
        else if (n && buf[n - 1] != '.')
            buf[n++] = '.';
    }
    buf[n] = 0;
    return n;
}

/* As Python: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on. */
const char *jinja_float_repr(double f, char buf[JINJA_FLOAT_TEXT])
{
    char text[JINJA_FLOAT_ROOM], digits[24];
    double back;
    int n = 0, precision = 0;
    if (!isfinite(f)) return strcpy(buf, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
    do jinja_float_format(text, 'e', precision, f);
    while (++precision < 17 && !(weft__double_scan(text, &back) && back == f));
    const char *e = strchr(text, 'e');
    const int exponent = atoi(e + 1);
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9') digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0') n--;
    char *out = buf;
    if (signbit(f)) *out++ = '-';
    if (exponent < -4 || exponent >= 16) {
        out += sprintf(out, "%c%s%.*se%c%02d", digits[0], n > 1 ? "." : "", n - 1, digits + 1, exponent < 0 ? '-' : '+',
                       abs(exponent));
    } else if (exponent < 0) {
        out += sprintf(out, "0.%.*s%.*s", -exponent - 1, "000", n, digits);
    } else {
        for (int i = 0; i < n || i <= exponent; i++) {
            *out++ = i < n ? digits[i] : '0';
            if (i == exponent) *out++ = '.';
        }
        if (out[-1] == '.') *out++ = '0';
    }
    *out = 0;
    return buf;
}

/* ---- texts ---- */

static void put_escaped(jinja_run *r, jinja_buffer *b, uint32_t c)
{
    char text[16];
    const char *short_form = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    snprintf(text, sizeof text, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    jinja_puts(r, b, short_form ? short_form : text);
}

static void repr_text(jinja_run *r, jinja_buffer *b, const jinja_text *t)
{
    const bool single = t->n && memchr(t->s, '\'', t->n), twice = t->n && memchr(t->s, '"', t->n);
    const char quote = single && !twice ? '"' : '\'';
    size_t n;
    if (t->markup) jinja_puts(r, b, "Markup(");
    jinja_put(r, b, &quote, 1);
    jinja_work(r, t->n / 4);
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t c = jinja_char(p, &n);
        if (c == (uint32_t)quote || c == '\\') {
            jinja_put(r, b, "\\", 1);
            jinja_put(r, b, p, n);
        } else if (c == ' ' || jinja_is(c, JINJA_PRINTABLE)) {
            jinja_put(r, b, p, n);
        } else {
            put_escaped(r, b, c);
        }
    }
    jinja_put(r, b, &quote, 1);
    if (t->markup) jinja_puts(r, b, ")");
}

const jinja_text *jinja_escape(jinja_run *r, const jinja_text *t)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = { "&amp;", "&lt;", "&gt;", "&#39;", "&#34;" };
    jinja_buffer b = { 0 };
    if (t->markup) return t;
    jinja_work(r, t->n / 4);
    for (size_t i = 0; i < t->n; i++) {
        const char *known = t->s[i] ? strchr(from, t->s[i]) : NULL;
        if (known)
            jinja_puts(r, &b, to[known - from]);
        else
            jinja_put(r, &b, &t->s[i], 1);
    }
    jinja_text *out = jinja_alloc(r, 1, sizeof *out);
    *out = *jinja_text_of(r, b.s, b.n);
    out->markup = true;
    return out;
}

/* ---- the rest ---- */

static void repr_list(jinja_run *r, jinja_buffer *b, const jinja_list *l, const char *open, const char *close)
{
    jinja_puts(r, b, open);
    for (size_t i = 0; i < l->n; i++) {
        if (i) jinja_puts(r, b, ", ");
        jinja_repr(r, b, l->v[i]);
    }
    jinja_puts(r, b, close);
}

static void repr_dict(jinja_run *r, jinja_buffer *b, const jinja_dict *d)
{
    jinja_puts(r, b, "{");
    for (size_t i = 0; i < d->n; i++) {
        if (i) jinja_puts(r, b, ", ");
        jinja_repr(r, b, d->p[i].key);
        jinja_puts(r, b, ": ");
        jinja_repr(r, b, d->p[i].value);
    }
    jinja_puts(r, b, "}");
}

static void repr_range(jinja_run *r, jinja_buffer *b, const jinja_range *g)
{
    char text[100];
    const int64_t end = g->stop;
    int n = snprintf(text, sizeof text, "range(%lld, %lld", (long long)g->start, (long long)end);
    if (g->step != 1) n += snprintf(text + n, sizeof text - (size_t)n, ", %lld", (long long)g->step);
    jinja_put(r, b, text, (size_t)n);
    jinja_puts(r, b, ")");
}

static void repr_macro(jinja_run *r, jinja_buffer *b, const jinja_macro *m)
{
    jinja_puts(r, b, "<Macro ");
    if (m->caller)
        jinja_puts(r, b, "anonymous");
    else
        jinja_repr(r, b, m->node->value);
    jinja_puts(r, b, ">");
}

static void repr_other(jinja_run *r, jinja_buffer *b, jinja_value v)
{
    char text[64];
    switch (v.kind) {
    case JINJA_LIST:
        repr_list(r, b, v.list, "[", "]");
        break;
    case JINJA_TUPLE:
        repr_list(r, b, v.list, "(", v.list->n == 1 ? ",)" : ")");
        break;
    case JINJA_DICT:
        repr_dict(r, b, v.dict);
        break;
    case JINJA_RANGE:
        repr_range(r, b, v.range);
        break;
    case JINJA_MACRO:
        repr_macro(r, b, v.macro);
        break;
    case JINJA_NAMESPACE:
        jinja_puts(r, b, "<Namespace ");
        repr_dict(r, b, v.dict);
        jinja_puts(r, b, ">");
        break;
    case JINJA_LOOP:
        snprintf(text, sizeof text, "<LoopContext %zu/%zu>", v.loop->at + 1, v.loop->items->n);
        jinja_puts(r, b, text);
        break;
    case JINJA_VIEW:
        jinja_puts(r, b, jinja_type_name(v));
        repr_list(r, b, jinja_items(r, v), "([", "])");
        break;
    default:
        jinja_fail(r, "a %s has no text of its own", jinja_type_name(v));
    }
}

void jinja_repr(jinja_run *r, jinja_buffer *b, jinja_value v)
{
    char text[JINJA_FLOAT_TEXT];
    jinja_work(r, 1);
    switch (v.kind) {
    case JINJA_UNDEFINED:
        jinja_puts(r, b, "Undefined");
        break;
    case JINJA_NONE:
        jinja_puts(r, b, "None");
        break;
    case JINJA_BOOL:
        jinja_puts(r, b, v.yes ? "True" : "False");
        break;
    case JINJA_FLOAT:
        jinja_puts(r, b, jinja_float_repr(v.f, text));
        break;
    case JINJA_TEXT:
        repr_text(r, b, v.text);
        break;
    case JINJA_INT:
        snprintf(text, sizeof text, "%lld", (long long)v.i);
        jinja_puts(r, b, text);
        break;
    default:
        jinja_enter(r);
        repr_other(r, b, v);
        jinja_leave(r);
    }
}

void jinja_print(jinja_run *r, jinja_buffer *b, jinja_value v)
{
    if (v.kind == JINJA_TEXT)
        jinja_put(r, b, v.text->s, v.text->n);
    else if (v.kind != JINJA_UNDEFINED)
        jinja_repr(r, b, v);
}

const jinja_text *jinja_str(jinja_run *r, jinja_value v)
{
    jinja_buffer b = { 0 };
    if (v.kind == JINJA_TEXT) return v.text;
    jinja_print(r, &b, v);
    return jinja_buffer_value(r, &b).text;
}
