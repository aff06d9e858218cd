/* json_text.c: given texts and characters as they stand in the strings of a JSON document: each in one spelling, so
 * that what a string must not be can be told from its letters. */
#include <stdlib.h>
#include <string.h>

#include "graph/number.h"
#include "models/tokenizer/unicode.h"
#include "schema_impl.h"

static bool needs_escape(uint32_t c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* The escape of a character that needs one; \u00XX with digits of either case. */
static const grammar_node *escape(grammar_build *b, uint32_t c)
{
    static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
    const char *at = c ? strchr(from, (int)c) : NULL;
    if (at) return grammar_text(b, (char[]){ '\\', to[at - from] }, 2);
    const grammar_node *lower = grammar_word(b, grammar_format(b, "\\u%04x", c));
    return (c & 15) < 10 ? lower : GRAMMAR_CHOICE_OF(b, lower, grammar_word(b, grammar_format(b, "\\u%04X", c)));
}

const grammar_node *grammar_json_class(grammar_build *b, const grammar_range *ranges, size_t n, bool negated)
{
    const grammar_node *all = grammar_class(b, ranges, n, negated);
    grammar_list l = { 0 };
    grammar_range *plain = grammar_alloc(b, (size_t)all->n * 4 + 4, sizeof *plain);
    size_t n_plain = 0;
    for (uint32_t i = 0; i < all->n; i++) {
        uint32_t from = all->ranges[i].lo;
        for (uint32_t c = from; c <= all->ranges[i].hi && c <= '\\'; c++) {
            if (!needs_escape(c)) continue;
            grammar_push(b, &l, escape(b, c));
            if (c > from) plain[n_plain++] = (grammar_range){ from, c - 1 };
            from = c + 1;
        }
        if (from <= all->ranges[i].hi) plain[n_plain++] = (grammar_range){ from, all->ranges[i].hi };
    }
    if (n_plain) grammar_push(b, &l, grammar_class(b, plain, n_plain, false));
    return l.n ? grammar_choice(b, l.v, l.n) : grammar_never(b);
}

/* Runs of characters that need no escape are one text. */
static const grammar_node *letters(grammar_build *b, const char *text, size_t n)
{
    grammar_list l = { 0 };
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && !needs_escape((unsigned char)text[k])) k++;
        if (k > i) grammar_push(b, &l, grammar_text(b, text + i, k - i));
        if (k < n) grammar_push(b, &l, escape(b, (unsigned char)text[k++]));
        i = k;
    }
    return grammar_sequence(b, l.v, l.n);
}

const grammar_node *grammar_json_text(grammar_build *b, const char *text, size_t n)
{
    const grammar_node *quote = grammar_word(b, "\"");
    return GRAMMAR_SEQUENCE_OF(b, quote, letters(b, text, n), quote);
}

/* ---- strings that are none of a list ---- */

typedef struct names {
    const char **name;
    size_t n;
} names;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What may follow `depth` bytes that names first to end have in common, up to the closing quote. */
static const grammar_node *other_rest(grammar_build *b, const names *all, size_t first, size_t end, size_t depth)
{
    grammar_list l = { 0 };
    grammar_range *taken = grammar_alloc(b, end - first, sizeof *taken);
    size_t n_taken = 0;
    const bool whole = !all->name[first][depth]; /* the shortest comes first */
    grammar_enter(b);
    if (!whole) grammar_push(b, &l, grammar_word(b, "\""));
    for (size_t i = first + whole, k; i < end; i = k) {
        size_t n;
        const uint32_t c = weft__utf8_decode(all->name[i] + depth, &n);
        for (k = i + 1; k < end && !strncmp(all->name[k] + depth, all->name[i] + depth, n);) k++;
        const grammar_range one = { c, c };
        taken[n_taken++] = one;
        const grammar_node *same = grammar_json_class(b, &one, 1, false);
        grammar_push(b, &l, GRAMMAR_SEQUENCE_OF(b, same, other_rest(b, all, i, k, depth + n)));
    }
    const grammar_node *more = grammar_repeat(b, grammar_json(b, GRAMMAR_CHAR), 0, GRAMMAR_UNBOUNDED);
    const grammar_node *different = grammar_json_class(b, taken, n_taken, true);
    grammar_push(b, &l, GRAMMAR_SEQUENCE_OF(b, different, more, grammar_word(b, "\"")));
    b->depth--;
    return grammar_choice(b, l.v, l.n);
}

const grammar_node *grammar_json_other(grammar_build *b, json_t *listed)
{
    names all = { grammar_alloc(b, json_object_size(listed), sizeof(char *)), 0 };
    const char *key;
    json_t *v;
    json_object_foreach(listed, key, v) all.name[all.n++] = key;
    if (!all.n) return grammar_json(b, GRAMMAR_STRING);
    qsort(all.name, all.n, sizeof *all.name, by_text);
    const uint32_t rule = grammar_rule_new(b, "another key");
    grammar_rule_set(b, rule, GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "\""), other_rest(b, &all, 0, all.n, 0)));
    return grammar_call(b, rule);
}

/* ---- values ---- */

char *grammar_shortest(grammar_build *b, const json_t *number)
{
    if (json_is_integer(number)) return grammar_format(b, "%lld", (long long)json_integer_value(number));
    const double x = json_real_value(number);
    char text[WEFT__FLOAT_TEXT];
    if (x != 0 && x > -1e15 && x < 1e15 && x == (double)(int64_t)x) return grammar_format(b, "%lld.0", (long long)x);
    weft__double_text(x, text);
    return grammar_format(b, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static const grammar_node *list_value(grammar_build *b, const json_t *value)
{
    grammar_list l = { 0 };
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)value, i, item)
    {
        if (i) grammar_push(b, &l, grammar_word(b, ","));
        if (i) grammar_push(b, &l, grammar_json(b, GRAMMAR_SPACE));
        grammar_push(b, &l, grammar_value(b, item));
    }
    return grammar_enclosed(b, "[", l.n ? grammar_sequence(b, l.v, l.n) : NULL, "]", false);
}

static const grammar_node *object_value(grammar_build *b, const json_t *value)
{
    grammar_list l = { 0 };
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (l.n) grammar_push(b, &l, grammar_word(b, ","));
        if (l.n) grammar_push(b, &l, grammar_json(b, GRAMMAR_SPACE));
        grammar_push(b, &l, grammar_json_text(b, key, strlen(key)));
        grammar_push(b, &l, grammar_word(b, ":"));
        grammar_push(b, &l, grammar_json(b, GRAMMAR_SPACE));
        grammar_push(b, &l, grammar_value(b, item));
    }
    return grammar_enclosed(b, "{", l.n ? grammar_sequence(b, l.v, l.n) : NULL, "}", false);
}

const grammar_node *grammar_value(grammar_build *b, const json_t *value)
{
    grammar_enter(b);
    const grammar_node *node;
    switch (json_typeof(value)) {
    case JSON_OBJECT: node = object_value(b, value); break;
    case JSON_ARRAY: node = list_value(b, value); break;
    case JSON_STRING: node = grammar_json_text(b, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER:
    case JSON_REAL: node = grammar_word(b, grammar_shortest(b, value)); break;
    case JSON_TRUE: node = grammar_word(b, "true"); break;
    case JSON_FALSE: node = grammar_word(b, "false"); break;
    default: node = grammar_word(b, "null");
    }
    b->depth--;
    return node;
}
