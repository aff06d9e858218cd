/* lexer.c: see lexer.h. White space is cut as jinja2 does with trim_blocks and lstrip_blocks. */
#include "lexer.h"

#include <stdio.h>
#include <string.h>

#include "graph/number.h"
#include "models/tokenizer/unicode.h"

typedef struct lexer {
    jinja_run *r;
    const char *s, *end, *at;
    jinja_tokens out;
    bool line_starting; /* what was read last ended a line */
    char open[256];     /* brackets that wait for their closing ones */
    size_t n_open;
} lexer;

static jinja_token *push(lexer *x, jinja_token_kind kind, const char *s, size_t n)
{
    x->out.v = jinja_grow(x->r, x->out.v, x->out.n, &x->out.capacity, 256, sizeof *x->out.v);
    jinja_token *t = &x->out.v[x->out.n++];
    *t = (jinja_token){ .kind = kind, .line = x->r->line, .s = s, .n = n };
    return t;
}

/* Goes on to `to`, counting lines. */
static void advance(lexer *x, const char *to)
{
    for (const char *p = x->at; p < to; p++) x->r->line += *p == '\n';
    if (to > x->at) x->line_starting = to[-1] == '\n';
    x->at = to;
}

static bool starts(const lexer *x, const char *p, const char *what)
{
    const size_t n = strlen(what);
    return (size_t)(x->end - p) >= n && memcmp(p, what, n) == 0;
}

static const char *skip_space(const lexer *x, const char *p)
{
    while (p < x->end) {
        size_t n;
        if (!jinja_is_space(jinja_char(p, &n))) break;
        p += n;
    }
    return p;
}

/* The beginning of the white space at the end of s..end. */
static const char *back_space(const char *s, const char *end)
{
    while (end > s) {
        const char *p = end - 1;
        size_t n;
        while (p > s && ((unsigned char)*p & 0xC0) == 0x80) p--;
        if (!jinja_is_space(jinja_char(p, &n))) break;
        end = p;
    }
    return end;
}

/* The end of a tag whose closing characters are `close`: with a '-' before them white space behind goes, with a '+' it
 * stays, and a block's takes one newline along. NULL: it is none. */
static const char *closing(const lexer *x, const char *p, const char *close, bool block)
{
    const char sign = p < x->end ? *p : 0;
    if (starts(x, p, close)) {
        p += 2;
        return block && p < x->end && *p == '\n' ? p + 1 : p;
    }
    if (sign == '-' && starts(x, p + 1, close)) return skip_space(x, p + 3);
    return sign == '+' && block && starts(x, p + 1, close) ? p + 3 : NULL;
}

/* Text before a tag with this sign. */
static void push_data(lexer *x, const char *end, char sign, bool lstrip)
{
    const char *from = x->at, *stop = end;
    if (sign == '-') {
        stop = back_space(from, end);
    } else if (sign != '+' && lstrip) {
        const char *line = end;
        while (line > from && line[-1] != '\n') line--;
        if ((line > from || x->line_starting) && back_space(line, end) == line) stop = line;
    }
    if (stop > from) push(x, JINJA_T_DATA, from, (size_t)(stop - from));
}

/* ---- inside of tags ---- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(unsigned char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z' ? true : is_digit(c) || c == '_' || c >= 0x80;
}

/* Digits with single '_' between them; where they end. */
static const char *digits(const lexer *x, const char *p)
{
    while (p < x->end && (is_digit(*p) || (*p == '_' && p + 1 < x->end && is_digit(p[1])))) p++;
    return p;
}

/* The end of a number with a point or an exponent; NULL: it is none. */
static const char *float_end(const lexer *x, const char *p)
{
    if (p > x->s && p[-1] == '.') return NULL;
    bool is_float = false;
    p = digits(x, p);
    if (p + 1 < x->end && *p == '.' && is_digit(p[1])) {
        p = digits(x, p + 1);
        is_float = true;
    }
    if (p < x->end && (*p | 32) == 'e') {
        const char *q = p + 1;
        if (q < x->end && (*q == '+' || *q == '-')) q++;
        if (q < x->end && is_digit(*q)) return digits(x, q);
    }
    return is_float ? p : NULL;
}

static void lex_float(lexer *x, const char *end)
{
    char buf[512];
    size_t n = 0;
    double f;
    for (const char *p = x->at; p < end && n + 1 < sizeof buf; p++)
        if (*p != '_') buf[n++] = *p;
    buf[n] = 0;
    if (n + 1 == sizeof buf || !weft__double_scan(buf, &f))
        jinja_fail(x->r, "%.20s...: a number that no double holds", x->at);
    push(x, JINJA_T_FLOAT, x->at, (size_t)(end - x->at))->value = jinja_float(f);
}

static int digit_value(int c)
{
    if (is_digit(c)) return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
}

static const char *lex_int(lexer *x)
{
    const char *p = x->at;
    int base = 10;
    int64_t value = 0;
    if (*p == '0' && p + 1 < x->end) {
        const char kind = (char)(p[1] | 32);
        const int b = kind == 'b' ? 2 : kind == 'o' ? 8 : kind == 'x' ? 16 : 10;
        const char *q = p + 2 + (p + 2 < x->end && p[2] == '_');
        if (b != 10 && q < x->end && digit_value(*q) < b) base = b, p = q;
    }
    const bool zero = base == 10 && *p == '0'; /* "007" is 00 and 7 */
    for (; p < x->end; p++) {
        if (*p == '_' && p + 1 < x->end && digit_value(p[1]) < base) continue;
        const int d = digit_value(*p);
        if (d >= base || (zero && d)) break;
        if (__builtin_mul_overflow(value, (int64_t)base, &value) || __builtin_add_overflow(value, (int64_t)d, &value))
            jinja_fail(x->r, "an integer beyond 64 bits");
    }
    push(x, JINJA_T_INT, x->at, (size_t)(p - x->at))->value = jinja_int(value);
    return p;
}

/* ---- texts in quotes, with Python's escapes ---- */

static void put_code(lexer *x, jinja_buffer *b, uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) jinja_fail(x->r, "an escape for what is no character: U+%04X", c);
    jinja_put_char(x->r, b, c);
}

/* \xhh, \uhhhh, \Uhhhhhhhh */
static const char *hex(lexer *x, jinja_buffer *b, const char *p, const char *end, int n)
{
    uint32_t c = 0;
    for (int i = 0; i < n; i++, p++) {
        if (p == end || digit_value(*p) > 15) jinja_fail(x->r, "truncated \\x, \\u or \\U escape");
        c = c << 4 | (uint32_t)digit_value(*p);
    }
    put_code(x, b, c);
    return p;
}

static const char *escape(lexer *x, jinja_buffer *b, const char *p, const char *end)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *known = *p ? strchr(from, *p) : NULL;
    if (known) return jinja_put(x->r, b, &to[known - from], 1), p + 1;
    if (*p == '\n') return p + 1;
    if (*p >= '0' && *p <= '7') {
        uint32_t c = 0;
        for (int i = 0; i < 3 && p < end && *p >= '0' && *p <= '7'; i++) c = c * 8 + (uint32_t)(*p++ - '0');
        put_code(x, b, c);
        return p;
    }
    if (*p == 'x') return hex(x, b, p + 1, end, 2);
    if (*p == 'u') return hex(x, b, p + 1, end, 4);
    if (*p == 'U') return hex(x, b, p + 1, end, 8);
    if (*p == 'N') jinja_fail(x->r, "\\N{...} is not supported");
    jinja_puts(x->r, b, "\\");
    if ((unsigned char)*p < 0x80) return jinja_put(x->r, b, p, 1), p + 1;
    /* jinja2 has spelled the character as an escape by then, whose backslash this one takes. */
    size_t n;
    char text[12];
    const uint32_t c = jinja_char(p, &n);
    snprintf(text, sizeof text, c < 0x100 ? "x%02x" : c < 0x10000 ? "u%04x" : "U%08x", c);
    jinja_puts(x->r, b, text);
    return p + n;
}

static const char *lex_text(lexer *x)
{
    const char quote = *x->at, *p = x->at + 1;
    jinja_buffer b = { 0 };
    while (p < x->end && *p != quote) {
        if (*p == '\\' && p + 1 < x->end) {
            p = escape(x, &b, p + 1, x->end);
            continue;
        }
        const char *run = p;
        while (p < x->end && *p != quote && *p != '\\') p++;
        if (p == run) break; /* a backslash at the very end */
        jinja_put(x->r, &b, run, (size_t)(p - run));
    }
    if (p >= x->end || *p != quote) jinja_fail(x->r, "unexpected char '%c': a text that does not end", quote);
    push(x, JINJA_T_TEXT, x->at, (size_t)(p + 1 - x->at))->value = jinja_buffer_value(x->r, &b);
    return p + 1;
}

/* ---- operators ---- */

static void balance(lexer *x, char c)
{
    const char close = c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : 0;
    if (close) {
        if (x->n_open == sizeof x->open) jinja_fail_as(x->r, WEFT_LIMIT, "brackets nested too deep");
        x->open[x->n_open++] = close;
    } else if (c == ')' || c == ']' || c == '}') {
        if (!x->n_open) jinja_fail(x->r, "unexpected '%c'", c);
        if (x->open[--x->n_open] != c) jinja_fail(x->r, "unexpected '%c', expected '%c'", c, x->open[x->n_open]);
    }
}

static const char *lex_sign(lexer *x)
{
    static const struct {
        char text[3], sign;
    } two[] = {
        { "//", JINJA_S_FLOOR }, { "**", JINJA_S_POW }, { "==", JINJA_S_EQ },
        { "!=", JINJA_S_NE },    { ">=", JINJA_S_GE },  { "<=", JINJA_S_LE },
    };
    const char *p = x->at;
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (starts(x, p, two[i].text)) return push(x, JINJA_T_SIGN, p, 2)->sign = two[i].sign, p + 2;
    if (!*p || !strchr("+-/*%~[](){}><=.:|,;", *p)) {
        size_t n;
        jinja_char(p, &n);
        jinja_fail(x->r, "unexpected char '%.*s'", (int)n, p);
    }
    balance(x, *p);
    push(x, JINJA_T_SIGN, p, 1)->sign = *p;
    return p + 1;
}

/* One token of a tag. */
static const char *lex_token(lexer *x)
{
    const char *p = x->at, *end;
    if (is_digit(*p)) {
        if ((end = float_end(x, p))) return lex_float(x, end), end;
        return lex_int(x);
    }
    if (is_name((unsigned char)*p)) {
        while (p < x->end && is_name((unsigned char)*p)) p++;
        push(x, JINJA_T_WORD, x->at, (size_t)(p - x->at));
        return p;
    }
    return *p == '\'' || *p == '"' ? lex_text(x) : lex_sign(x);
}

static void lex_tag(lexer *x, bool block)
{
    const char *close = block ? "%}" : "}}", *end;
    push(x, block ? JINJA_T_BEGIN : JINJA_T_SHOW, x->at, 2);
    advance(x, x->at + 2);
    if (x->at < x->end && (*x->at == '-' || *x->at == '+')) advance(x, x->at + 1);
    x->n_open = 0;
    for (;;) {
        if (x->at == x->end) return; /* the parser says what is missing */
        if (!x->n_open && (end = closing(x, x->at, close, block))) break;
        end = skip_space(x, x->at);
        advance(x, end > x->at ? end : lex_token(x));
    }
    push(x, block ? JINJA_T_FINISH : JINJA_T_SHOWN, x->at, 2);
    advance(x, end);
}

/* ---- the text around tags ---- */

static void lex_comment(lexer *x)
{
    const char *end = NULL;
    const char *p = x->at + 2;
    if (p < x->end && (*p == '-' || *p == '+')) p++;
    for (; p < x->end; p++)
        if ((*p == '#' || *p == '-' || *p == '+') && (end = closing(x, p, "#}", true))) break;
    if (!end) jinja_fail(x->r, "Missing end of comment tag");
    advance(x, end);
}

/* The place behind {% raw %}; NULL: it is another tag. */
static const char *raw_begin(const lexer *x, const char *p)
{
    p += 2;
    if (p < x->end && (*p == '-' || *p == '+')) p++;
    p = skip_space(x, p);
    if (!starts(x, p, "raw")) return NULL;
    p = skip_space(x, p + 3);
    if (starts(x, p, "%}")) return p + 2;
    return starts(x, p, "-%}") ? skip_space(x, p + 3) : NULL;
}

static void lex_raw(lexer *x, const char *from)
{
    advance(x, from);
    for (const char *p = from; p < x->end; p++) {
        if (*p != '{' || !starts(x, p, "{%")) continue;
        const char *q = p + 2, sign = q < x->end ? *q : 0;
        if (sign == '-' || sign == '+') q++;
        q = skip_space(x, q);
        if (!starts(x, q, "endraw")) continue;
        q = closing(x, skip_space(x, q + 6), "%}", true);
        if (!q) continue;
        push_data(x, p, sign, true);
        advance(x, q);
        return;
    }
    jinja_fail(x->r, "Missing end of raw directive");
}

jinja_tokens jinja_lex(jinja_run *r, const char *text, size_t n)
{
    lexer x = { .r = r, .s = text, .end = text + n, .at = text, .line_starting = true };
    r->line = 1;
    while (x.at < x.end) {
        const char *p = x.at;
        while (p < x.end && !(*p == '{' && p + 1 < x.end && strchr("%{#", p[1]) && p[1])) p++;
        jinja_work(r, (size_t)(p - x.at) / 64 + 1);
        if (p == x.end) {
            push(&x, JINJA_T_DATA, x.at, (size_t)(p - x.at));
            advance(&x, p);
            break;
        }
        const char sign = p + 2 < x.end ? p[2] : 0;
        push_data(&x, p, sign, p[1] != '{');
        advance(&x, p);
        const char *raw = *p && p[1] == '%' ? raw_begin(&x, p) : NULL;
        if (raw)
            lex_raw(&x, raw);
        else if (p[1] == '#')
            lex_comment(&x);
        else
            lex_tag(&x, p[1] == '%');
    }
    push(&x, JINJA_T_END, x.end, 0);
    return x.out;
}
