/* gbnf.c: the reader of GBNF, the language of llama.cpp's grammars.
 *
 *     rule        name "::=" choice end-of-line
 *     choice      sequence ("|" sequence)*
 *     sequence    (part ("*" | "+" | "?" | "{" m "}" | "{" m "," "}" | "{" m "," n "}")*)*
 *     part        "text" | [class] | [^class] | . | name | ( choice )
 *
 * A rule ends with its line, but for lines in parentheses and behind "|" and "::=". '#' begins a comment. */
#include <string.h>

#include "grammar_impl.h"
#include "models/tokenizer/unicode.h"

enum { MAX_TIMES = 100000 };

typedef struct reader {
    grammar_build *b;
    const char *text, *at, *end;
    json_t *names; /* numbers of rules */
} reader;

/* ---- places ---- */

static void place_of(const reader *r, const char *at, uint32_t *line, uint32_t *column)
{
    *line = *column = 1;
    for (const char *p = r->text; p < at; p++) {
        if (*p == '\n')
            ++*line, *column = 1;
        else
            *column += ((unsigned char)*p & 0xC0) != 0x80;
    }
}

static _Noreturn void fail_at(reader *r, const char *at, weft_status status, const char *what)
{
    uint32_t line, column;
    place_of(r, at, &line, &column);
    grammar_fail(r->b, status, "line %u, column %u: %s", line, column, what);
}

static _Noreturn void fail_here(reader *r, const char *what)
{
    fail_at(r, r->at, WEFT_INVALID, what);
}

static char peek(const reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static bool take(reader *r, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n)) return false;
    r->at += n;
    return true;
}

static void skip_space(reader *r, bool lines)
{
    for (; r->at < r->end; r->at++) {
        const char c = *r->at;
        if (c == '#') {
            while (r->at + 1 < r->end && r->at[1] != '\n' && r->at[1] != '\r') r->at++;
        } else if (c != ' ' && c != '\t' && !(lines && (c == '\n' || c == '\r'))) {
            return;
        }
    }
}

/* ---- names ---- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static uint32_t read_name(reader *r)
{
    grammar_build *b = r->b;
    const char *at = r->at;
    while (r->at < r->end && is_word(*r->at)) r->at++;
    const size_t n = (size_t)(r->at - at);
    if (!n) fail_here(r, "expected the name of a rule");
    const json_t *known = json_object_getn(r->names, at, n);
    if (known) return (uint32_t)json_integer_value(known);
    const uint32_t rule = grammar_rule_new(b, grammar_format(b, "%.*s", (int)n, at));
    b->rules[rule].named_at = at;
    if (json_object_setn_new(r->names, at, n, json_integer(rule))) grammar_fail_oom(b);
    return rule;
}

/* ---- characters ---- */

static uint32_t read_hex(reader *r, int digits)
{
    uint32_t code = 0;
    for (int i = 0; i < digits; i++, r->at++) {
        const char c = peek(r);
        const int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (d < 0) fail_here(r, "an escape needs more hexadecimal digits");
        code = code << 4 | (uint32_t)d;
    }
    return code;
}

static uint32_t read_escape(reader *r)
{
    const char *at = r->at++;
    const char c = peek(r);
    uint32_t code = (unsigned char)c;
    if (r->at >= r->end) fail_here(r, "the text ends within an escape");
    r->at++;
    switch (c) {
    case 'x': return read_hex(r, 2);
    case 'u': code = read_hex(r, 4); break;
    case 'U': code = read_hex(r, 8); break;
    case 't': return '\t';
    case 'r': return '\r';
    case 'n': return '\n';
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-': return code;
    default:
        fail_at(r, at, WEFT_INVALID, "an escape that is not known, as are \\x \\u \\U \\t \\r \\n");
    }
    if (code > GRAMMAR_MAX_CODE || (code >= 0xD800 && code <= 0xDFFF))
        fail_at(r, at, WEFT_INVALID, "an escape that is no character");
    return code;
}

static uint32_t read_char(reader *r)
{
    size_t n;
    if (r->at >= r->end) fail_here(r, "the grammar ends within quotes or brackets");
    if (*r->at == '\\') return read_escape(r);
    const uint32_t code = weft__utf8_decode(r->at, &n);
    r->at += n;
    return code;
}

static const grammar_node *read_text(reader *r)
{
    const char *at = r->at++, *end = r->at;
    while (end < r->end && *end != '"') end += *end == '\\' && r->end - end > 1 ? 2 : 1;
    char *out = grammar_alloc(r->b, (size_t)(end - at) + 4, 1), *p = out; /* no escape is shorter than its text */
    while (peek(r) != '"') {
        if (r->at >= r->end) fail_at(r, at, WEFT_INVALID, "a text in quotes that does not end");
        p += weft__utf8_encode(read_char(r), p);
    }
    r->at++;
    return grammar_text(r->b, out, (size_t)(p - out));
}

static const grammar_node *read_class(reader *r)
{
    const char *at = r->at++;
    const bool negated = take(r, "^");
    size_t n = 0, capacity = 8;
    grammar_range *ranges = grammar_alloc(r->b, capacity, sizeof *ranges);
    while (peek(r) != ']') {
        if (r->at >= r->end) fail_at(r, at, WEFT_INVALID, "a class that does not end");
        if (n == capacity) {
            grammar_range *more = grammar_alloc(r->b, capacity * 2, sizeof *more);
            memcpy(more, ranges, n * sizeof *more);
            ranges = more;
            capacity *= 2;
        }
        const char *first = r->at;
        grammar_range *range = &ranges[n++];
        range->lo = range->hi = read_char(r);
        if (peek(r) == '-' && r->end - r->at > 1 && r->at[1] != ']') {
            r->at++;
            range->hi = read_char(r);
        }
        if (range->hi < range->lo) fail_at(r, first, WEFT_INVALID, "a range whose end comes before its beginning");
    }
    r->at++;
    if (!n) fail_at(r, at, WEFT_INVALID, "a class without characters");
    return grammar_class(r->b, ranges, n, negated);
}

/* ---- repetitions ---- */

static uint32_t read_number(reader *r)
{
    uint32_t value = 0;
    const char *at = r->at;
    if (peek(r) < '0' || peek(r) > '9') fail_here(r, "expected a number");
    for (; peek(r) >= '0' && peek(r) <= '9'; r->at++) {
        value = value * 10 + (uint32_t)(*r->at - '0');
        if (value > MAX_TIMES) fail_at(r, at, WEFT_LIMIT, "more than 100000 repetitions");
    }
    return value;
}

/* "m}", "m,}" or "m,n}" */
static void read_bounds(reader *r, bool lines, uint32_t *min, uint32_t *max)
{
    const char *at = r->at;
    skip_space(r, lines);
    *min = *max = read_number(r);
    skip_space(r, lines);
    if (take(r, ",")) {
        *max = GRAMMAR_UNBOUNDED;
        skip_space(r, lines);
        if (peek(r) >= '0' && peek(r) <= '9') *max = read_number(r);
        skip_space(r, lines);
    }
    if (!take(r, "}")) fail_here(r, "expected '}'");
    if (*max < *min) fail_at(r, at, WEFT_INVALID, "a repetition whose end comes before its beginning");
}

static const grammar_node *read_repeats(reader *r, const grammar_node *part, bool lines)
{
    for (;;) {
        uint32_t min = 0, max = GRAMMAR_UNBOUNDED;
        skip_space(r, lines);
        if (take(r, "+"))
            min = 1;
        else if (take(r, "?"))
            max = 1;
        else if (take(r, "{"))
            read_bounds(r, lines, &min, &max);
        else if (!take(r, "*"))
            return part;
        part = grammar_repeat(r->b, part, min, max);
    }
}

/* ---- choices ---- */

static const grammar_node *read_choice(reader *r, bool lines);

static const grammar_node *read_part(reader *r)
{
    static const grammar_range any = { 0, GRAMMAR_MAX_CODE };
    const char *at = r->at;
    switch (*r->at) {
    case '"': return read_text(r);
    case '[': return read_class(r);
    case '.': r->at++; return grammar_class(r->b, &any, 1, false);
    case '<':
    case '!': fail_here(r, "tokens (<[id]>, <text>) are not supported: write the text that they stand for");
    case '(': break;
    default: return is_word(*r->at) ? grammar_call(r->b, read_name(r)) : NULL;
    }
    r->at++;
    const grammar_node *inner = read_choice(r, true);
    if (!take(r, ")")) {
        if (r->at >= r->end) fail_at(r, at, WEFT_INVALID, "a parenthesis that is not closed");
        fail_here(r, "expected ')'");
    }
    return inner;
}

static const grammar_node *read_sequence(reader *r, bool lines)
{
    grammar_list parts = { 0 };
    for (;;) {
        skip_space(r, lines);
        if (r->at >= r->end) break;
        if (strchr("*+?{", *r->at)) fail_here(r, "nothing stands here that could be repeated");
        const grammar_node *part = read_part(r);
        if (!part) break;
        grammar_push(r->b, &parts, read_repeats(r, part, lines));
    }
    return grammar_sequence(r->b, parts.v, parts.n);
}

static const grammar_node *read_choice(reader *r, bool lines)
{
    grammar_list parts = { 0 };
    grammar_enter(r->b);
    skip_space(r, true);
    for (;;) {
        grammar_push(r->b, &parts, read_sequence(r, lines));
        if (!take(r, "|")) break;
        skip_space(r, true);
    }
    r->b->depth--;
    return grammar_choice(r->b, parts.v, parts.n);
}

/* ---- rules ---- */

static void read_rule(reader *r)
{
    const char *at = r->at;
    const uint32_t rule = read_name(r);
    skip_space(r, false);
    if (!take(r, "::=")) fail_here(r, "expected '::='");
    if (r->b->rules[rule].body) fail_at(r, at, WEFT_INVALID, "a second rule of this name");
    const grammar_node *body = read_choice(r, false);
    grammar_rule_set(r->b, rule, body);
    if (r->at < r->end && *r->at != '\n' && *r->at != '\r')
        fail_here(r, "expected a part of a rule, or the end of the line");
}

void grammar_read_gbnf(grammar_build *b, const char *text, size_t n)
{
    reader r = { b, text, text, text + n, json_object() };
    if (!r.names || json_array_append_new(b->kept, r.names)) grammar_fail_oom(b);
    const char *nul = memchr(text, 0, n);
    if (nul) fail_at(&r, nul, WEFT_INVALID, "a NUL byte");
    for (skip_space(&r, true); r.at < r.end; skip_space(&r, true)) read_rule(&r);
    for (uint32_t i = 0; i < b->n_rules; i++)
        if (!b->rules[i].body)
            fail_at(&r, b->rules[i].named_at, WEFT_INVALID,
                    grammar_format(b, "there is no rule '%.100s'", b->rules[i].name));
    const json_t *root = json_object_get(r.names, "root");
    if (!root) grammar_fail(b, WEFT_INVALID, "there is no rule 'root', where a grammar begins");
    b->root = (uint32_t)json_integer_value(root);
}
