/* braces.c: "{}".format(args), as far as templates use it. */
#include <string.h>

#include "format.h"
#include "strings.h"

typedef struct braces {
    jinja_run *r;
    const jinja_args *args;
    int64_t next; /* the next argument of "{}"; -1: fields have numbers */
    const char *s, *end;
} braces;

static jinja_value first_part(braces *f, const char *s, size_t n)
{
    int64_t i = 0;
    size_t k = 0;
    for (; k < n && n < 10 && s[k] >= '0' && s[k] <= '9'; k++) i = i * 10 + (s[k] - '0');
    if (k < n) {
        const jinja_text key = { s, n, n, false };
        for (size_t a = 0; a < f->args->n_named; a++)
            if (jinja_equal(f->r, f->args->named[a].key, jinja_from_text(&key))) return f->args->named[a].value;
        jinja_fail(f->r, "format: there is no argument '%s'", jinja_c(f->r, &key));
    }
    if ((n == 0) != (f->next >= 0) && !(f->next == 0 && n))
        jinja_fail(f->r, "cannot switch from manual field specification to automatic field numbering");
    if (!n)
        i = f->next++;
    else if (f->next > 0)
        jinja_fail(f->r, "cannot switch from automatic field numbering to manual field specification");
    else
        f->next = -1;
    if ((size_t)i >= f->args->n)
        jinja_fail(f->r, "Replacement index %d out of range for positional args tuple", (int)i);
    return f->args->v[i];
}

/* name.attribute[item] */
static jinja_value field_value(braces *f, const char *s, const char *end)
{
    const char *p = s;
    while (p < end && *p != '.' && *p != '[') p++;
    jinja_value v = first_part(f, s, (size_t)(p - s));
    while (p < end) {
        const bool item = *p == '[';
        const char *from = ++p;
        while (p < end && (item ? *p != ']' : *p != '.' && *p != '[')) p++;
        if (p == from || (item && p == end)) jinja_fail(f->r, "Empty attribute in format string");
        const jinja_text *name = jinja_text_of(f->r, from, (size_t)(p - from));
        int64_t i;
        if (!item)
            v = jinja_attribute(f->r, v, name);
        else
            v = jinja_item(f->r, v,
                           strspn(from, "0123456789") >= name->n && jinja_parse_int(f->r, name, 10, &i)
                               ? jinja_int(i)
                               : jinja_from_text(name));
        p += item;
    }
    return v;
}

static void read_spec(braces *f, const char *s, const char *end, jinja_spec *out)
{
    size_t n = 0;
    *out = (jinja_spec){ .precision = -1 };
    if (s < end) jinja_char(s, &n);
    if (n && s + n < end && strchr("<>=^", s[n])) {
        memcpy(out->fill, s, n);
        out->align = s[n];
        s += n + 1;
    } else if (s < end && *s && strchr("<>=^", *s)) {
        out->align = *s++;
    }
    if (s < end && (*s == '+' || *s == '-' || *s == ' ')) out->sign = *s == '-' ? 0 : *s, s++;
    if (s < end && *s == '#') out->alternate = true, s++;
    if (s < end && *s == '0' && s++ && !out->align) out->align = '=', out->fill[0] = '0';
    out->width = jinja_read_width(f->r, &s, end);
    if (s < end && *s == ',') out->commas = true, s++;
    if (s < end && *s == '.') s++, out->precision = jinja_read_width(f->r, &s, end);
    if (s < end) out->type = *s++;
    if (s != end || (out->type && !strchr("sdxXobeEfFgG%", out->type))) jinja_fail(f->r, "Invalid format specifier");
    if (out->commas && out->align == '=')
        jinja_fail_as(f->r, WEFT_UNSUPPORTED, "',' with zeros before it is not supported");
}

static void put_formatted(braces *f, jinja_buffer *b, jinja_value v, jinja_spec *s)
{
    jinja_buffer text = { 0 };
    const bool number = v.kind == JINJA_INT || v.kind == JINJA_FLOAT || (v.kind == JINJA_BOOL && s->type);
    if (number && !s->type && v.kind == JINJA_INT) s->type = 'd';
    if (number && s->type && s->type != 's') {
        if (v.kind == JINJA_FLOAT && strchr("dxXob", s->type))
            jinja_fail(f->r, "Unknown format code '%c' for object of type 'float'", s->type);
        if (strchr("dxXob", s->type) && s->precision >= 0)
            jinja_fail(f->r, "Precision not allowed in integer format specifier");
        jinja_put_number(f->r, b, v, s);
        return;
    }
    if (v.kind == JINJA_FLOAT && (s->precision >= 0 || s->commas || s->sign))
        jinja_fail_as(f->r, WEFT_UNSUPPORTED, "this format of a float is not supported");
    if (s->type && s->type != 's')
        jinja_fail(f->r, "Unknown format code '%c' for object of type '%s'", s->type, jinja_type_name(v));
    if (v.kind != JINJA_TEXT && v.kind != JINJA_FLOAT && (s->width || s->precision >= 0 || s->align))
        jinja_fail(f->r, "unsupported format string passed to %s.__format__", jinja_type_name(v));
    jinja_print(f->r, &text, v);
    if (v.kind == JINJA_FLOAT && !s->align) s->align = '>';
    jinja_put_text(f->r, b, jinja_buffer_value(f->r, &text).text, s);
}

static void put_field(braces *f, jinja_buffer *b)
{
    const char *close = memchr(f->s, '}', (size_t)(f->end - f->s)), *p = f->s;
    jinja_buffer text = { 0 };
    jinja_spec s;
    if (!close) jinja_fail(f->r, "expected '}' before end of string");
    while (p < close && *p != '!' && *p != ':') p++;
    for (const char *q = f->s; q < close; q++)
        if (*q == '{') jinja_fail_as(f->r, WEFT_UNSUPPORTED, "fields within fields are not supported");
    jinja_value v = field_value(f, f->s, p);
    if (p < close && *p == '!') {
        if (close - p < 2 || (p[1] != 'r' && p[1] != 's')) jinja_fail(f->r, "Unknown conversion specifier");
        if (p[1] == 'r')
            jinja_repr(f->r, &text, v);
        else
            jinja_print(f->r, &text, v);
        v = jinja_buffer_value(f->r, &text);
        p += 2;
        if (p < close && *p != ':') jinja_fail(f->r, "expected ':' after conversion specifier");
    }
    read_spec(f, p < close ? p + 1 : close, close, &s);
    put_formatted(f, b, v, &s);
    f->s = close + 1;
}

jinja_value jinja_format(jinja_run *r, const jinja_text *t, const jinja_args *args)
{
    braces f = { r, args, 0, t->s, t->s + t->n };
    jinja_buffer b = { 0 };
    while (f.s < f.end) {
        const char c = *f.s++;
        if (c != '{' && c != '}') {
            jinja_put(r, &b, &c, 1);
        } else if (f.s < f.end && *f.s == c) {
            jinja_put(r, &b, f.s++, 1);
        } else if (c == '}') {
            jinja_fail(r, "Single '}' encountered in format string");
        } else {
            put_field(&f, &b);
        }
    }
    return jinja_buffer_value(r, &b);
}
