/* regex.c: regular expressions of ECMA-262, as JSON schemas have them, that can be rules: without looking around and
 * without referring back. A text matches where the expression is found in it, unless ^ and $ hold its ends. */
#include <string.h>

#include "models/tokenizer/unicode.h"
#include "schema_impl.h"

enum { MOST_RANGES = 512, MOST_TIMES = 100000 };

typedef struct regex {
    grammar_build *b;
    const char *at, *end, *text, *path;
    grammar_range set[MOST_RANGES]; /* of the class under way; none is within another */
    size_t n_set;
} regex;

static _Noreturn void refuse(regex *r, const char *what)
{
    grammar_fail(r->b, WEFT_UNSUPPORTED, "%s: character %zu of the regular expression: %s", r->path,
                 (size_t)(r->at - r->text) + 1, what);
}

static _Noreturn void fault(regex *r, const char *what)
{
    grammar_fail(r->b, WEFT_INVALID, "%s: character %zu of the regular expression: %s", r->path,
                 (size_t)(r->at - r->text) + 1, what);
}

static bool take(regex *r, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n)) return false;
    r->at += n;
    return true;
}

static void add(regex *r, uint32_t lo, uint32_t hi)
{
    if (r->n_set == MOST_RANGES) refuse(r, "a class of too many parts");
    r->set[r->n_set++] = (grammar_range){ lo, hi };
}

/* ---- classes ---- */

static const grammar_range digits[] = { { '0', '9' } };
static const grammar_range words[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const grammar_range spaces[] = { { '\t', '\r' },         { ' ', ' ' },         { 0xA0, 0xA0 },
                                        { 0x1680, 0x1680 },     { 0x2000, 0x200A },   { 0x2028, 0x2029 },
                                        { 0x202F, 0x202F },     { 0x205F, 0x205F },   { 0x3000, 0x3000 },
                                        { 0xFEFF, 0xFEFF } };
static const grammar_range line_ends[] = { { '\n', '\n' }, { '\r', '\r' }, { 0x2028, 0x2029 } };

/* \d \w \s and their opposites; NULL: something else stands there. */
static const grammar_node *take_class(regex *r)
{
    static const struct {
        char letter;
        const grammar_range *r;
        size_t n;
    } rows[] = { { 'd', digits, 1 }, { 'w', words, 4 }, { 's', spaces, sizeof spaces / sizeof *spaces } };
    if (r->end - r->at < 2 || *r->at != '\\') return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((r->at[1] | 32) != rows[i].letter) continue;
        const grammar_node *all = grammar_class(r->b, rows[i].r, rows[i].n, r->at[1] != rows[i].letter);
        r->at += 2;
        return all;
    }
    return NULL;
}

static uint32_t read_hex(regex *r, int n)
{
    uint32_t code = 0;
    for (int i = 0; i < n; i++, r->at++) {
        const char c = r->at < r->end ? *r->at : 'x', *hex = "0123456789abcdef";
        const char *p = c ? strchr(hex, c >= 'A' && c <= 'F' ? c | 32 : c) : NULL;
        if (!p) fault(r, "an escape needs more hexadecimal digits");
        code = code << 4 | (uint32_t)(p - hex);
    }
    return code;
}

static uint32_t read_unicode(regex *r)
{
    uint32_t code = 0;
    if (take(r, "{")) {
        while (r->at < r->end && *r->at != '}' && code <= GRAMMAR_MAX_CODE) code = code << 4 | read_hex(r, 1);
        if (!take(r, "}")) fault(r, "expected '}'");
    } else {
        code = read_hex(r, 4);
        if (code >= 0xD800 && code < 0xDC00 && take(r, "\\u")) {
            const uint32_t low = read_hex(r, 4);
            if (low < 0xDC00 || low > 0xDFFF) fault(r, "half of an escape that is no character");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    if (code > GRAMMAR_MAX_CODE || (code >= 0xD800 && code < 0xE000)) fault(r, "an escape that is no character");
    return code;
}

static uint32_t read_char(regex *r)
{
    size_t n;
    if (!take(r, "\\")) {
        const uint32_t code = weft__utf8_decode(r->at, &n);
        r->at += n;
        return code;
    }
    if (r->at >= r->end) fault(r, "it ends within an escape");
    const char c = *r->at++;
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'f': return '\f';
    case 'v': return '\v';
    case 'x': return read_hex(r, 2);
    case 'u': return read_unicode(r);
    case '0': if (r->at >= r->end || *r->at < '0' || *r->at > '9') return 0;
    }
    if ((unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')) {
        r->at -= 2;
        refuse(r, "this escape is not supported");
    }
    return (unsigned char)c;
}

static const grammar_node *read_class(regex *r)
{
    const grammar_node *all;
    r->n_set = 0;
    const bool negated = take(r, "^");
    while (!take(r, "]")) {
        if (r->at >= r->end) fault(r, "a class that does not end");
        if ((all = take_class(r))) {
            for (uint32_t k = 0; k < all->n; k++) add(r, all->ranges[k].lo, all->ranges[k].hi);
            continue;
        }
        const uint32_t lo = take(r, "\\b") ? '\b' : read_char(r);
        uint32_t hi = lo;
        if (r->end - r->at > 1 && r->at[0] == '-' && r->at[1] != ']') {
            r->at++;
            if (take_class(r)) fault(r, "a class cannot end a range");
            hi = read_char(r);
        }
        if (hi < lo) fault(r, "a range whose end comes before its beginning");
        add(r, lo, hi);
    }
    return grammar_json_class(r->b, r->set, r->n_set, negated);
}

/* ---- expressions ---- */

static const grammar_node *read_choice(regex *r, bool outer);

static const grammar_node *read_group(regex *r)
{
    if (take(r, "?<") && r->at < r->end && *r->at != '=' && *r->at != '!') {
        while (r->at < r->end && *r->at != '>') r->at++;
        if (!take(r, ">")) fault(r, "a name that does not end");
    } else if (r->at > r->text && r->at[-1] == '<') {
        refuse(r, "looking behind is not supported");
    } else if (r->end - r->at > 1 && r->at[0] == '?' && !take(r, "?:")) {
        refuse(r, "this kind of group is not supported");
    }
    const grammar_node *inner = read_choice(r, false);
    if (!take(r, ")")) fault(r, "expected ')'");
    return inner;
}

/* One part; NULL: there is none. */
static const grammar_node *read_part(regex *r)
{
    grammar_range one;
    const grammar_node *all;
    if (r->at >= r->end || *r->at == ')' || *r->at == '|') return NULL;
    if (strchr("*+?", *r->at)) fault(r, "nothing stands here that could be repeated");
    if (strchr("^$", *r->at)) refuse(r, "^ and $ are supported at the ends alone");
    if (take(r, "(")) return read_group(r);
    if (take(r, "[")) return read_class(r);
    if (take(r, ".")) return grammar_json_class(r->b, line_ends, 3, true);
    if ((all = take_class(r))) return grammar_json_class(r->b, all->ranges, all->n, false);
    one.lo = one.hi = read_char(r);
    return grammar_json_class(r->b, &one, 1, false);
}

static uint32_t read_number(regex *r)
{
    uint32_t n = 0;
    if (r->at >= r->end || *r->at < '0' || *r->at > '9') refuse(r, "a '{' that begins no repetition");
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if ((n = n * 10 + (uint32_t)(*r->at - '0')) > MOST_TIMES) refuse(r, "more than 100000 repetitions");
    return n;
}

static bool read_times(regex *r, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = GRAMMAR_UNBOUNDED;
    if (take(r, "*")) return true;
    if (take(r, "+")) return *min = 1, true;
    if (take(r, "?")) return *max = 1, true;
    if (!take(r, "{")) return false;
    *min = *max = read_number(r);
    if (take(r, ",")) *max = r->at < r->end && *r->at == '}' ? GRAMMAR_UNBOUNDED : read_number(r);
    if (!take(r, "}")) fault(r, "expected '}'");
    if (*max < *min) fault(r, "a repetition whose end comes before its beginning");
    return true;
}

/* outer: what is before and behind may be anything, unless ^ and $ say otherwise. */
static const grammar_node *read_sequence(regex *r, bool outer)
{
    grammar_build *b = r->b;
    const grammar_node *any = grammar_repeat(b, grammar_json(b, GRAMMAR_CHAR), 0, GRAMMAR_UNBOUNDED), *part;
    grammar_list l = { 0 };
    if (outer && !take(r, "^")) grammar_push(b, &l, any);
    for (;;) {
        uint32_t min, max;
        if (outer && r->at < r->end && *r->at == '$' && (r->at + 1 == r->end || r->at[1] == '|')) {
            r->at++;
            return grammar_sequence(b, l.v, l.n);
        }
        if (!(part = read_part(r))) break;
        if (read_times(r, &min, &max)) {
            take(r, "?"); /* as few as can be: the same texts */
            part = grammar_repeat(b, part, min, max);
            if (r->at < r->end && *r->at == '{') fault(r, "nothing stands here that could be repeated");
        }
        grammar_push(b, &l, part);
    }
    if (outer) grammar_push(b, &l, any);
    return grammar_sequence(b, l.v, l.n);
}

static const grammar_node *read_choice(regex *r, bool outer)
{
    grammar_list l = { 0 };
    grammar_enter(r->b);
    do grammar_push(r->b, &l, read_sequence(r, outer));
    while (take(r, "|"));
    r->b->depth--;
    return grammar_choice(r->b, l.v, l.n);
}

const grammar_node *grammar_regex(grammar_build *b, const char *text, size_t n, const char *path)
{
    regex r = { .b = b, .at = text, .end = text + n, .text = text, .path = path };
    const grammar_node *node = read_choice(&r, true);
    if (r.at < r.end) fault(&r, "a ')' too many");
    return node;
}
