/* lex.c: characters, words, numbers and comments of a graph's text, one after the other. */
#include "graph/text/lex.h"

#include "graph/number.h"
#include "graph/text/place.h"

#include <stdlib.h>
#include <string.h>

/* ---- errors and memory ---- */

weft_status weft__lex_fail_at(const weft__lex *l, const char *at, const char *text)
{
    return weft__text_fail(l->t, at, l->err, WEFT_FORMAT, "%s", text);
}

weft_status weft__lex_fail(weft__lex *l, const char *text)
{
    weft__lex_blanks(l);
    return weft__lex_fail_at(l, l->at, text);
}

weft_status weft__lex_fail_word(const weft__lex *l, const char *at, const char *text, const char *word)
{
    return weft__text_fail(l->t, at, l->err, WEFT_FORMAT, "%s '%s'", text, word);
}

weft_status weft__lex_oom(const weft__lex *l)
{
    return WEFT_OOM_FAIL(l->err, "a graph's text");
}

void *weft__lex_alloc(weft__lex *l, size_t n, size_t size)
{
    return weft__arena_alloc(&l->t->arena, n, size);
}

const char *weft__lex_copy(weft__lex *l, const char *from, size_t n)
{
    char *copy = weft__lex_alloc(l, n + 1, 1);
    if (copy) memcpy(copy, from, n);
    return copy;
}

/* ---- comments ---- */

/* The comment at the cursor, without the blanks at its end; NULL: out of memory. */
static const char *take_comment(weft__lex *l)
{
    const char *begin = l->at, *nl = memchr(begin, '\n', (size_t)(l->end - begin)), *end = nl ? nl : l->end;
    l->at = end;
    while (end > begin && strchr(" \t\r", end[-1])) end--;
    return weft__lex_copy(l, begin, (size_t)(end - begin));
}

/* Of several blank lines one is kept. */
static void keep(weft__lex *l, const char *line)
{
    weft__remarks *r = &l->above;
    if (!line || !weft__grow(&r->lines, &r->capacity, r->n + (size_t)1, sizeof *r->lines)) {
        l->oom = true;
        return;
    }
    if (*line || !r->n || *r->lines[r->n - 1]) r->lines[r->n++] = line;
}

weft_status weft__lex_keep(weft__lex *l, const char *comment)
{
    if (comment) keep(l, comment);
    return l->oom ? weft__lex_oom(l) : WEFT_OK;
}

weft_status weft__lex_above(weft__lex *l, bool begin)
{
    while (weft__lex_at_line_end(l) && l->at < l->end) {
        if (*l->at == '#')
            keep(l, take_comment(l));
        else if (!begin || l->above.n)
            keep(l, "");
        if (l->at < l->end) l->at++;
    }
    return weft__lex_keep(l, NULL);
}

weft_status weft__lex_take(weft__lex *l, bool end, weft__comments *out)
{
    uint32_t n = l->above.n;
    *out = (weft__comments){ 0 };
    l->above.n = 0;
    if (n && end && !*l->above.lines[n - 1]) n--;
    if (!n) return WEFT_OK;
    const char **lines = weft__lex_alloc(l, n, sizeof *lines);
    if (!lines) return weft__lex_oom(l);
    memcpy(lines, l->above.lines, n * sizeof *lines);
    *out = (weft__comments){ lines, n };
    return WEFT_OK;
}

/* ---- characters ---- */

/* Version 1 has a statement on one line. */
static bool goes_on(const weft__lex *l)
{
    return l->open && !l->in_string && l->t->version > 1;
}

void weft__lex_blanks(weft__lex *l)
{
    for (; l->at < l->end; l->at++) {
        if (*l->at == '#' && goes_on(l)) keep(l, take_comment(l));
        if (l->at == l->end) return;
        if (*l->at != ' ' && *l->at != '\t' && *l->at != '\r' && !(*l->at == '\n' && goes_on(l))) return;
    }
}

int weft__lex_peek(weft__lex *l)
{
    weft__lex_blanks(l);
    return l->at < l->end ? (unsigned char)*l->at : -1;
}

bool weft__lex_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

bool weft__lex_is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_of_word(int c)
{
    return weft__lex_is_letter(c) || weft__lex_is_digit(c);
}

/* The character n behind the one at the cursor; -1 past the end. */
static int ahead(const weft__lex *l, size_t n)
{
    return (size_t)(l->end - l->at) > n ? (unsigned char)l->at[n] : -1;
}

bool weft__lex_is(weft__lex *l, const char *sign)
{
    size_t n = strlen(sign);
    weft__lex_blanks(l);
    if ((size_t)(l->end - l->at) < n || memcmp(l->at, sign, n) != 0) return false;
    return !weft__lex_is_letter((unsigned char)*sign) || !is_of_word(ahead(l, n));
}

bool weft__lex_accept(weft__lex *l, const char *sign)
{
    bool is = weft__lex_is(l, sign);
    if (is) l->at += strlen(sign);
    return is;
}

weft_status weft__lex_expect(weft__lex *l, char c)
{
    char text[] = "expected ' '";
    text[sizeof text - 3] = c;
    if (weft__lex_peek(l) != c) return weft__lex_fail(l, text);
    l->at++;
    return WEFT_OK;
}

weft_status weft__lex_open(weft__lex *l, char c, const char **opened)
{
    WEFT_TRY(weft__lex_expect(l, c));
    *opened = l->at - 1;
    l->open++;
    return WEFT_OK;
}

bool weft__lex_accept_close(weft__lex *l, char c)
{
    if (weft__lex_peek(l) != c) return false;
    l->at++;
    l->open--;
    return true;
}

weft_status weft__lex_close(weft__lex *l, char c, const char *opened)
{
    if (weft__lex_accept_close(l, c)) return WEFT_OK;
    uint32_t line = weft__text_line(l->t, opened);
    if (line == weft__text_line(l->t, l->at))
        return weft__text_fail(l->t, l->at, l->err, WEFT_FORMAT, "expected '%c'", c);
    return weft__text_fail(l->t, l->at, l->err, WEFT_FORMAT, "expected '%c' for the '%c' of line %u", c, *opened, line);
}

/* ---- words and numbers ---- */

weft_status weft__lex_word(weft__lex *l, const char *wanted, weft__ident *out)
{
    size_t n = 0;
    if (!weft__lex_is_letter(weft__lex_peek(l))) return weft__lex_fail(l, wanted);
    while (is_of_word(ahead(l, n))) n++;
    if (n > WEFT__TEXT_WORD) return weft__lex_fail(l, "a word is too long");
    *out = (weft__ident){ weft__lex_copy(l, l->at, n), l->at };
    l->at += n;
    return out->text ? WEFT_OK : weft__lex_oom(l);
}

weft_status weft__lex_value(weft__lex *l, weft__ident *out)
{
    size_t n = 0;
    WEFT_TRY(weft__lex_expect(l, '%'));
    bool numbers = l->t->version == 1;
    while (numbers ? weft__lex_is_digit(ahead(l, n)) : is_of_word(ahead(l, n)) || ahead(l, n) == '.') n++;
    if (!n) return weft__lex_fail_at(l, l->at, numbers ? "expected a number" : "expected a value's name");
    if (n > WEFT__TEXT_WORD) return weft__lex_fail_at(l, l->at, "a value's name is too long");
    *out = (weft__ident){ weft__lex_copy(l, l->at, n), l->at - 1 };
    l->at += n;
    return out->text ? WEFT_OK : weft__lex_oom(l);
}

weft_status weft__lex_whole(weft__lex *l, uint32_t *out)
{
    weft__expr x;
    if (!weft__lex_is_digit(weft__lex_peek(l))) return weft__lex_fail(l, "expected a number");
    const char *start = l->at;
    WEFT_TRY(weft__lex_number(l, start, false, &x));
    if (x.kind != EXPR_INT || x.i < 1 || x.i > UINT32_MAX)
        return weft__lex_fail_at(l, start, "the number is out of range");
    *out = (uint32_t)x.i;
    return WEFT_OK;
}

static int hex_digit(int c)
{
    if (weft__lex_is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 0x and up to 16 digits. */
static weft_status take_bits(weft__lex *l, const char *start, weft__expr *out)
{
    uint64_t bits = 0;
    for (l->at += 2; hex_digit(ahead(l, 0)) >= 0; l->at++, out->digits++) {
        if (out->digits == 16) return weft__lex_fail_at(l, start, "the number is too large");
        bits = bits << 4 | (unsigned)hex_digit(ahead(l, 0));
    }
    if (!out->digits || is_of_word(ahead(l, 0))) return weft__lex_fail_at(l, start, "not a number");
    out->kind = EXPR_BITS;
    memcpy(&out->i, &bits, sizeof bits);
    return WEFT_OK;
}

/* How many characters the decimal number at the cursor has; "0..4" begins with "0". */
static size_t decimal_size(const weft__lex *l, bool *is_float)
{
    size_t n = 0, e;
    while (weft__lex_is_digit(ahead(l, n))) n++;
    *is_float = ahead(l, n) == '.' && ahead(l, n + 1) != '.';
    if (*is_float) n++;
    while (*is_float && weft__lex_is_digit(ahead(l, n))) n++;
    if (ahead(l, n) != 'e' && ahead(l, n) != 'E') return n;
    e = n + 1;
    if (ahead(l, e) == '+' || ahead(l, e) == '-') e++;
    if (!weft__lex_is_digit(ahead(l, e))) return n;
    while (weft__lex_is_digit(ahead(l, e))) e++;
    *is_float = true;
    return e;
}

static bool read_int(const char *text, int64_t *out)
{
    bool minus = *text == '-';
    *out = 0;
    for (text += minus; *text; text++) {
        if (__builtin_mul_overflow(*out, 10, out)) return false;
        if (minus ? __builtin_sub_overflow(*out, *text - '0', out) : __builtin_add_overflow(*out, *text - '0', out))
            return false;
    }
    return true;
}

weft_status weft__lex_number(weft__lex *l, const char *start, bool minus, weft__expr *out)
{
    char text[WEFT__TEXT_WORD + 2] = "-";
    bool is_float;
    weft__lex_blanks(l);
    *out = (weft__expr){ .kind = EXPR_INT, .at = start, .height = 1 };
    if (!minus && ahead(l, 0) == '0' && ahead(l, 1) == 'x') return take_bits(l, start, out);
    size_t n = decimal_size(l, &is_float);
    if (n > WEFT__TEXT_WORD) return weft__lex_fail_at(l, start, "the number is too long");
    memcpy(text + minus, l->at, n);
    l->at += n;
    if (is_of_word(ahead(l, 0))) return weft__lex_fail_at(l, start, "not a number");
    if (is_float) out->kind = EXPR_FLOAT;
    if (!weft__double_scan(text, &out->f) || (!is_float && !read_int(text, &out->i)))
        return weft__lex_fail_at(l, start, "the number is too large");
    out->text = weft__lex_copy(l, text, n + minus);
    return out->text ? WEFT_OK : weft__lex_oom(l);
}

/* ---- lines ---- */

bool weft__lex_at_line_end(weft__lex *l)
{
    int c = weft__lex_peek(l);
    return c < 0 || c == '\n' || c == '#';
}

weft_status weft__lex_end_line(weft__lex *l, const char **remark)
{
    *remark = NULL;
    if (!weft__lex_at_line_end(l)) return weft__lex_fail(l, "unexpected text at the end of the line");
    if (l->at < l->end && *l->at == '#') {
        *remark = take_comment(l);
        if (!*remark) return weft__lex_oom(l);
    }
    if (l->at < l->end) l->at++;
    return weft__lex_keep(l, NULL);
}
