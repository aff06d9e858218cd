/* scan.c: words, numbers and strings of a text, one after the other, and errors that say where. */
#include "graph/scan.h"

#include "graph/number.h"

#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

weft_status weft__scan_annotate(const weft__scanner *s, const char *at, weft_status status)
{
    unsigned column = (unsigned)(at - s->line_start) + 1;
    return weft__annotate(s->err, status, "%s:%u:%u", s->origin, s->line, column);
}

weft_status weft__scan_fail_at(const weft__scanner *s, const char *at, const char *text)
{
    return weft__scan_annotate(s, at, WEFT_FAIL(s->err, WEFT_FORMAT, "%s", text));
}

weft_status weft__scan_fail(const weft__scanner *s, const char *text)
{
    return weft__scan_fail_at(s, s->at, text);
}

weft_status weft__scan_fail_word(const weft__scanner *s, const char *at, const char *text, const char *word)
{
    return weft__scan_annotate(s, at, WEFT_FAIL(s->err, WEFT_FORMAT, "%s '%s'", text, word));
}

/* ---- tokens ---- */

int weft__scan_peek(const weft__scanner *s)
{
    return s->at < s->end ? (unsigned char)*s->at : -1;
}

void weft__scan_blanks(weft__scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r')) s->at++;
}

bool weft__scan_accept(weft__scanner *s, char c)
{
    weft__scan_blanks(s);
    if (weft__scan_peek(s) != (unsigned char)c) return false;
    s->at++;
    return true;
}

weft_status weft__scan_expect(weft__scanner *s, char c)
{
    if (weft__scan_accept(s, c)) return WEFT_OK;
    char text[] = "expected ' '";
    text[sizeof text - 3] = c;
    return weft__scan_fail(s, text);
}

bool weft__scan_at_line_end(weft__scanner *s)
{
    weft__scan_blanks(s);
    int c = weft__scan_peek(s);
    return c < 0 || c == '\n' || c == '#';
}

weft_status weft__scan_end_line(weft__scanner *s)
{
    if (!weft__scan_at_line_end(s)) return weft__scan_fail(s, "unexpected text at the end of the line");
    const char *nl = memchr(s->at, '\n', (size_t)(s->end - s->at));
    s->at = nl ? nl + 1 : s->end;
    s->line_start = s->at;
    s->line++;
    return WEFT_OK;
}

bool weft__scan_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_of_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || weft__scan_is_digit(c);
}

weft_status weft__scan_word(weft__scanner *s, const char *extra, char *out, const char *wanted)
{
    size_t n = 0;
    weft__scan_blanks(s);
    const char *start = s->at;
    for (int c; (c = weft__scan_peek(s)) >= 0 && (is_of_word(c) || (c && strchr(extra, c))); s->at++) {
        if (n == WEFT__SCAN_WORD - 1) return weft__scan_fail_at(s, start, "a word is too long");
        out[n++] = (char)c;
    }
    out[n] = 0;
    return n ? WEFT_OK : weft__scan_fail(s, wanted);
}

bool weft__scan_accept_word(weft__scanner *s, const char *word)
{
    size_t n = strlen(word);
    weft__scan_blanks(s);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n)) return false;
    if (s->at + n < s->end && is_of_word((unsigned char)s->at[n])) return false;
    s->at += n;
    return true;
}

weft_status weft__scan_int(weft__scanner *s, int64_t lo, int64_t hi, int64_t *out)
{
    weft__scan_blanks(s);
    const char *start = s->at;
    bool minus = weft__scan_accept(s, '-');
    int64_t x = 0;
    if (!weft__scan_is_digit(weft__scan_peek(s))) return weft__scan_fail_at(s, start, "expected a number");
    for (; weft__scan_is_digit(weft__scan_peek(s)); s->at++)
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, weft__scan_peek(s) - '0', &x))
            return weft__scan_fail_at(s, start, "the number is too large");
    if ((!minus && __builtin_sub_overflow((int64_t)0, x, &x)) || x < lo || x > hi)
        return weft__scan_fail_at(s, start, "the number is out of range");
    *out = x;
    return WEFT_OK;
}

weft_status weft__scan_string(weft__scanner *s, char out[WEFT__SCAN_STRING])
{
    size_t n = 0;
    WEFT_TRY(weft__scan_expect(s, '"'));
    const char *start = s->at;
    for (;; s->at++) {
        int c = weft__scan_peek(s);
        if (c == '"') break;
        if (c == '\\') {
            s->at++;
            c = weft__scan_peek(s);
            if (c != '"' && c != '\\') return weft__scan_fail(s, "only \\\" and \\\\ are known here");
        }
        if (c < ' ' || c == 127) return weft__scan_fail(s, "the string does not end");
        if (n == WEFT__SCAN_STRING - 1) return weft__scan_fail_at(s, start, "the string is too long");
        out[n++] = (char)c;
    }
    s->at++;
    out[n] = 0;
    return WEFT_OK;
}

/* Bits written as 0x..., of at most `digits` hexadecimal digits. */
static weft_status take_bits(weft__scanner *s, const char *word, const char *start, size_t digits, uint32_t *out)
{
    char *end;
    size_t n = strlen(word);
    *out = (uint32_t)strtoul(word, &end, 16);
    if (n < 3 || n > 2 + digits || *end) return weft__scan_fail_word(s, start, "not a number of this type:", word);
    return WEFT_OK;
}

weft_status weft__scan_float(weft__scanner *s, size_t digits, bool *is_bits, uint32_t *bits, float *out)
{
    char word[WEFT__SCAN_WORD];
    weft__scan_blanks(s);
    const char *start = s->at;
    WEFT_TRY(weft__scan_word(s, "+-.", word, "expected a number"));
    *is_bits = !strncmp(word, "0x", 2);
    if (*is_bits) return take_bits(s, word, start, digits, bits);
    if (!weft__float_scan(word, out)) return weft__scan_fail_word(s, start, "not a number of this type:", word);
    return WEFT_OK;
}
