/* format.c: "..." % args, as far as templates use it: texts, whole numbers and floats with
 * width, precision and sign. */
#include <math.h>
#include <string.h>

#include "format.h"
#include "strings.h"

int64_t jinja_read_width(jinja_run *r, const char **s, const char *end)
{
    int64_t n = 0;
    for (; *s < end && **s >= '0' && **s <= '9'; ++*s)
        if ((n = n * 10 + (**s - '0')) > JINJA_WIDEST)
            jinja_fail_as(r, WEFT_LIMIT, "a format wider than %d", JINJA_WIDEST);
    return n;
}

/* ---- numbers ---- */

static void put_digits(jinja_run *r, jinja_buffer *b, const char *digits, size_t n, bool commas)
{
    size_t whole = 0;
    while (whole < n && digits[whole] != '.' && digits[whole] != 'e') whole++;
    for (size_t i = 0; i < n; i++) {
        if (commas && i && i < whole && (whole - i) % 3 == 0) jinja_put(r, b, ",", 1);
        jinja_put(r, b, digits + i, 1);
    }
}

/* The digits without a sign; *negative says whether there is one. */
static void number_digits(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_spec *s, bool *negative)
{
    char text[JINJA_FLOAT_ROOM];
    int64_t i = 0;
    double f = 0;
    size_t n;
    if (strchr("dxXob", s->type)) {
        if (!jinja_whole(v, &i)) {
            if (v.kind != JINJA_FLOAT || fabs(v.f) >= 0x1p63)
                jinja_fail(r, "%%%c format: an integer is required", s->type);
            i = (int64_t)v.f;
        }
        uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
        const unsigned base = s->type == 'd' ? 10 : s->type == 'o' ? 8 : s->type == 'b' ? 2 : 16;
        char *p = text + 80, *end = p;
        do *--p = (s->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
        while (u /= base);
        *negative = i < 0;
        if (s->alternate && base != 10) jinja_put(r, b, (const char[]){ '0', s->type }, 2);
        for (int64_t k = end - p; k < s->precision; k++) jinja_put(r, b, "0", 1);
        put_digits(r, b, p, (size_t)(end - p), s->commas);
        return;
    }
    if (!jinja_number(v, &f)) jinja_fail(r, "must be real number, not %s", jinja_type_name(v));
    *negative = signbit(f) != 0;
    const bool percent = s->type == '%';
    f = fabs(percent ? f * 100 : f);
    if (s->precision > 60) jinja_fail_as(r, WEFT_UNSUPPORTED, "more than 60 places are not supported");
    n = jinja_float_format(text, percent ? 'f' : (char)(s->type | 32), s->precision < 0 ? 6 : (int)s->precision, f);
    for (size_t k = 0; s->type == 'E' || s->type == 'F' || s->type == 'G' ? k < n : false; k++)
        if (text[k] >= 'a' && text[k] <= 'z') text[k] = (char)(text[k] - 32);
    put_digits(r, b, text, n, s->commas);
    if (percent) jinja_puts(r, b, "%");
}

/* ---- one value ---- */

static void put_padded(jinja_run *r, jinja_buffer *b, const char *sign, const jinja_text *t, const jinja_spec *s)
{
    const int64_t pad = s->width - (int64_t)t->chars - (int64_t)strlen(sign);
    const char align = s->align ? s->align : '<';
    const int64_t left = pad <= 0 ? 0 : align == '>' || align == '=' ? pad : align == '^' ? pad / 2 : 0;
    const char *fill = s->fill[0] ? s->fill : " ";
    if (align == '=') jinja_puts(r, b, sign);
    for (int64_t i = 0; i < left; i++) jinja_puts(r, b, fill);
    if (align != '=') jinja_puts(r, b, sign);
    jinja_put(r, b, t->s, t->n);
    for (int64_t i = left; i < pad; i++) jinja_puts(r, b, fill);
}

void jinja_put_number(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_spec *s)
{
    jinja_buffer digits = { 0 };
    jinja_spec own = *s;
    bool negative = false;
    number_digits(r, &digits, v, s, &negative);
    const char sign[] = { negative ? '-' : s->sign, 0 };
    if (!own.align) own.align = '>';
    put_padded(r, b, sign, jinja_buffer_value(r, &digits).text, &own);
}

void jinja_put_text(jinja_run *r, jinja_buffer *b, const jinja_text *t, const jinja_spec *s)
{
    if (s->precision >= 0 && s->precision < (int64_t)t->chars)
        t = jinja_text_part(r, t, t->s, (size_t)(jinja_at(t, (size_t)s->precision) - t->s));
    put_padded(r, b, "", t, s);
}

/* ---- % ---- */

typedef struct percent {
    jinja_run *r;
    jinja_value args;
    size_t at; /* how many were taken */
    const char *s, *end;
} percent;

static jinja_value take(percent *p)
{
    const size_t n = p->args.kind == JINJA_TUPLE ? p->args.list->n : 1;
    if (p->at >= n) jinja_fail(p->r, "not enough arguments for format string");
    p->at++;
    return p->args.kind == JINJA_TUPLE ? p->args.list->v[p->at - 1] : p->args;
}

static int64_t read_size(percent *p, jinja_spec *s)
{
    if (p->s == p->end || *p->s != '*') return jinja_read_width(p->r, &p->s, p->end);
    p->s++;
    int64_t n = jinja_need_int(p->r, take(p), "*");
    if (n < 0) s->align = '<', n = n < -JINJA_WIDEST ? JINJA_WIDEST + 1 : -n;
    if (n > JINJA_WIDEST) jinja_fail_as(p->r, WEFT_LIMIT, "a format wider than %d", JINJA_WIDEST);
    return n;
}

static void put_conversion(percent *p, jinja_buffer *b, jinja_spec *s, jinja_value v)
{
    jinja_buffer text = { 0 };
    jinja_run *r = p->r;
    switch (s->type) {
    case 'i':
    case 'u':
        s->type = 'd'; /* fall through */
    case 'd':
    case 'x':
    case 'X':
    case 'o':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        jinja_defined(r, v);
        if (strchr("xXo", s->type) && v.kind == JINJA_FLOAT)
            jinja_fail(r, "%%%c format: an integer is required", s->type);
        jinja_put_number(r, b, v, s);
        return;
    case 'c':
        if (v.kind == JINJA_TEXT && v.text->chars == 1)
            jinja_print(r, &text, v);
        else {
            const int64_t c = jinja_need_int(r, v, "%c");
            if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) jinja_fail(r, "%%c: no character");
            jinja_put_char(r, &text, (uint32_t)c);
        }
        break;
    case 's':
        jinja_print(r, &text, v);
        break;
    case 'r':
        jinja_repr(r, &text, v);
        break;
    default:
        jinja_fail(r, "unsupported format character '%c'", s->type < ' ' ? '?' : s->type);
    }
    if (!s->align || s->align == '=') s->align = '>';
    if (s->fill[0] == '0') s->fill[0] = 0;
    jinja_put_text(r, b, jinja_buffer_value(r, &text).text, s);
}

static void put_percent(percent *p, jinja_buffer *b)
{
    jinja_spec s = { .precision = -1 };
    jinja_value v = jinja_none();
    bool named = false;
    if (p->s < p->end && *p->s == '(') {
        const char *close = memchr(p->s, ')', (size_t)(p->end - p->s));
        if (!close) jinja_fail(p->r, "incomplete format key");
        if (p->args.kind != JINJA_DICT) jinja_fail(p->r, "format requires a mapping");
        const jinja_text *key = jinja_text_of(p->r, p->s + 1, (size_t)(close - p->s - 1));
        const jinja_pair *pair = jinja_dict_find(p->r, p->args.dict, jinja_from_text(key));
        if (!pair) jinja_fail(p->r, "format: there is no '%s'", jinja_c(p->r, key));
        v = pair->value;
        named = true;
        p->s = close + 1;
    }
    for (; p->s < p->end && *p->s && strchr("-+ #0", *p->s); p->s++) {
        if (*p->s == '-') s.align = '<';
        if (*p->s == '+' || (*p->s == ' ' && !s.sign)) s.sign = *p->s;
        if (*p->s == '#') s.alternate = true;
        if (*p->s == '0') s.fill[0] = '0';
    }
    if (s.fill[0] == '0' && !s.align)
        s.align = '=';
    else if (s.align == '<')
        s.fill[0] = 0;
    s.width = read_size(p, &s);
    if (p->s < p->end && *p->s == '.') {
        p->s++;
        s.precision = read_size(p, &s);
    }
    while (p->s < p->end && (*p->s == 'h' || *p->s == 'l' || *p->s == 'L')) p->s++;
    if (p->s == p->end) jinja_fail(p->r, "incomplete format");
    s.type = *p->s++;
    if (s.type == '%')
        jinja_put(p->r, b, "%", 1);
    else
        put_conversion(p, b, &s, named ? v : take(p));
}

jinja_value jinja_percent(jinja_run *r, const jinja_text *format, jinja_value args)
{
    percent p = { r, args, 0, format->s, format->s + format->n };
    jinja_buffer b = { 0 };
    if (format->markup) jinja_fail_as(r, WEFT_UNSUPPORTED, "%% of a safe text is not supported");
    while (p.s < p.end) {
        const char *sign = memchr(p.s, '%', (size_t)(p.end - p.s));
        jinja_put(r, &b, p.s, (size_t)((sign ? sign : p.end) - p.s));
        if (!sign) break;
        p.s = sign + 1;
        put_percent(&p, &b);
    }
    const size_t n = args.kind == JINJA_TUPLE                             ? args.list->n
                     : args.kind == JINJA_DICT || args.kind == JINJA_LIST ? 0
                                                                          : 1;
    if (p.at < n) jinja_fail(r, "not all arguments converted during string formatting");
    return jinja_buffer_value(r, &b);
}
