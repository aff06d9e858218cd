/* format.c: "..." % args and "{}".format(args), as far as templates use them: texts, whole numbers and floats with
 * width, precision and sign. */
#include <math.h>
#include <string.h>

#include "jinja.h"
#include "strings.h"

/* How one value is written. */
typedef struct spec {
    char type, align, sign; /* align: '<', '>', '^', '='; sign: '+', ' ' or 0 */
    char fill[5];
    bool alternate, commas;
    int64_t width, precision; /* precision -1: none */
} spec;

enum { WIDEST = 1 << 20 };

static int64_t read_number(jinja_run *r, const char **s, const char *end)
{
    int64_t n = 0;
    for (; *s < end && **s >= '0' && **s <= '9'; ++*s)
        if ((n = n * 10 + (**s - '0')) > WIDEST) jinja_fail_as(r, WEFT_LIMIT, "a format wider than %d", WIDEST);
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
static void number_digits(jinja_run *r, jinja_buffer *b, jinja_value v, const spec *s, bool *negative)
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

static void put_padded(jinja_run *r, jinja_buffer *b, const char *sign, const jinja_text *t, const spec *s)
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

static void put_number(jinja_run *r, jinja_buffer *b, jinja_value v, const spec *s)
{
    jinja_buffer digits = { 0 };
    spec own = *s;
    bool negative = false;
    number_digits(r, &digits, v, s, &negative);
    const char sign[] = { negative ? '-' : s->sign, 0 };
    if (!own.align) own.align = '>';
    put_padded(r, b, sign, jinja_buffer_value(r, &digits).text, &own);
}

static void put_text(jinja_run *r, jinja_buffer *b, const jinja_text *t, const spec *s)
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

static int64_t read_size(percent *p, spec *s)
{
    if (p->s == p->end || *p->s != '*') return read_number(p->r, &p->s, p->end);
    p->s++;
    int64_t n = jinja_need_int(p->r, take(p), "*");
    if (n < 0) s->align = '<', n = n < -WIDEST ? WIDEST + 1 : -n;
    if (n > WIDEST) jinja_fail_as(p->r, WEFT_LIMIT, "a format wider than %d", WIDEST);
    return n;
}

static void put_conversion(percent *p, jinja_buffer *b, spec *s, jinja_value v)
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
        put_number(r, b, v, s);
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
    put_text(r, b, jinja_buffer_value(r, &text).text, s);
}

static void put_percent(percent *p, jinja_buffer *b)
{
    spec s = { .precision = -1 };
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

/* ---- str.format ---- */

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

static void read_spec(braces *f, const char *s, const char *end, spec *out)
{
    size_t n = 0;
    *out = (spec){ .precision = -1 };
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
    out->width = read_number(f->r, &s, end);
    if (s < end && *s == ',') out->commas = true, s++;
    if (s < end && *s == '.') s++, out->precision = read_number(f->r, &s, end);
    if (s < end) out->type = *s++;
    if (s != end || (out->type && !strchr("sdxXobeEfFgG%", out->type))) jinja_fail(f->r, "Invalid format specifier");
    if (out->commas && out->align == '=')
        jinja_fail_as(f->r, WEFT_UNSUPPORTED, "',' with zeros before it is not supported");
}

static void put_formatted(braces *f, jinja_buffer *b, jinja_value v, spec *s)
{
    jinja_buffer text = { 0 };
    const bool number = v.kind == JINJA_INT || v.kind == JINJA_FLOAT || (v.kind == JINJA_BOOL && s->type);
    if (number && !s->type && v.kind == JINJA_INT) s->type = 'd';
    if (number && s->type && s->type != 's') {
        if (v.kind == JINJA_FLOAT && strchr("dxXob", s->type))
            jinja_fail(f->r, "Unknown format code '%c' for object of type 'float'", s->type);
        if (strchr("dxXob", s->type) && s->precision >= 0)
            jinja_fail(f->r, "Precision not allowed in integer format specifier");
        put_number(f->r, b, v, s);
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
    put_text(f->r, b, jinja_buffer_value(f->r, &text).text, s);
}

static void put_field(braces *f, jinja_buffer *b)
{
    const char *close = memchr(f->s, '}', (size_t)(f->end - f->s)), *p = f->s;
    jinja_buffer text = { 0 };
    spec s;
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
