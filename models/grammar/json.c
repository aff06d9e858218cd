/* json.c: what every JSON document consists of, as rules. */
#include "grammar_impl.h"

enum {
    MAX_INDENT = 64,
    MAX_DIGITS = 18,    /* of a whole number, and before the point: they fit 64 bits */
    MAX_FRACTION = 17,
};

static const grammar_node *one_of(grammar_build *b, const char *chars)
{
    grammar_range r[16];
    size_t n = 0;
    for (; chars[n] && n < 16; n++) r[n] = (grammar_range){ (unsigned char)chars[n], (unsigned char)chars[n] };
    return grammar_class(b, r, n, false);
}

static const grammar_node *digits(grammar_build *b, char lo, char hi, uint32_t min, uint32_t max)
{
    const grammar_range r = { (unsigned char)lo, (unsigned char)hi };
    return grammar_repeat(b, grammar_class(b, &r, 1, false), min, max);
}

static const grammar_node *optional(grammar_build *b, const grammar_node *part)
{
    return grammar_repeat(b, part, 0, 1);
}

static const grammar_node *space(grammar_build *b)
{
    const grammar_node *indent = grammar_repeat(b, one_of(b, " \t"), 0, MAX_INDENT);
    return GRAMMAR_CHOICE_OF(b, grammar_word(b, ""), grammar_word(b, " "),
                             GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "\n"), indent));
}

/* A character as it is, a short escape, or \u with four digits: a surrogate only with its other half. */
static const grammar_node *character(grammar_build *b)
{
    static const grammar_range special[] = { { 0, 0x1F }, { '"', '"' }, { '\\', '\\' } };
    static const grammar_range hex[] = { { '0', '9' }, { 'a', 'f' }, { 'A', 'F' } };
    static const grammar_range hex_but_d[] = { { '0', '9' }, { 'a', 'c' }, { 'e', 'f' }, { 'A', 'C' }, { 'E', 'F' } };
    const grammar_node *digit = grammar_class(b, hex, 3, false), *d = one_of(b, "dD");
    const grammar_node *two = grammar_repeat(b, digit, 2, 2), *three = grammar_repeat(b, digit, 3, 3);
    const grammar_node *usual = GRAMMAR_SEQUENCE_OF(b, grammar_class(b, hex_but_d, 5, false), three);
    const grammar_node *before = GRAMMAR_SEQUENCE_OF(b, d, digits(b, '0', '7', 1, 1), two);
    const grammar_node *pair = GRAMMAR_SEQUENCE_OF(b, d, one_of(b, "89abAB"), two, grammar_word(b, "\\u"), d,
                                                   one_of(b, "cdefCDEF"), two);
    const grammar_node *coded = GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "u"), GRAMMAR_CHOICE_OF(b, usual, before, pair));
    const grammar_node *escape =
        GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "\\"), GRAMMAR_CHOICE_OF(b, one_of(b, "\"\\/bfnrt"), coded));
    return GRAMMAR_CHOICE_OF(b, grammar_class(b, special, 3, true), escape);
}

static const grammar_node *string(grammar_build *b)
{
    const grammar_node *quote = grammar_word(b, "\"");
    return GRAMMAR_SEQUENCE_OF(b, quote, grammar_repeat(b, character(b), 0, GRAMMAR_UNBOUNDED), quote);
}

static const grammar_node *integer(grammar_build *b)
{
    const grammar_node *more =
        GRAMMAR_SEQUENCE_OF(b, digits(b, '1', '9', 1, 1), digits(b, '0', '9', 0, MAX_DIGITS - 1));
    return GRAMMAR_SEQUENCE_OF(b, optional(b, grammar_word(b, "-")), GRAMMAR_CHOICE_OF(b, grammar_word(b, "0"), more));
}

/* Exponents to 289: with all digits before the point the number is still below the largest double. */
static const grammar_node *number(grammar_build *b)
{
    const grammar_node *large = GRAMMAR_CHOICE_OF(
        b, digits(b, '0', '9', 1, 2), GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "1"), digits(b, '0', '9', 2, 2)),
        GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "2"), digits(b, '0', '8', 1, 1), digits(b, '0', '9', 1, 1)));
    const grammar_node *exponent = GRAMMAR_SEQUENCE_OF(b, one_of(b, "eE"), optional(b, one_of(b, "+-")), large);
    const grammar_node *fraction = GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "."), digits(b, '0', '9', 1, MAX_FRACTION));
    return GRAMMAR_SEQUENCE_OF(b, grammar_json(b, GRAMMAR_INTEGER), optional(b, fraction), optional(b, exponent));
}

static const grammar_node *value(grammar_build *b)
{
    return GRAMMAR_CHOICE_OF(b, grammar_json(b, GRAMMAR_OBJECT), grammar_json(b, GRAMMAR_ARRAY),
                             grammar_json(b, GRAMMAR_STRING), grammar_json(b, GRAMMAR_NUMBER), grammar_word(b, "true"),
                             grammar_word(b, "false"), grammar_word(b, "null"));
}

const grammar_node *grammar_enclosed(grammar_build *b, const char *open, const grammar_node *inside, const char *close,
                                     bool may_be_empty)
{
    const grammar_node *gap = grammar_json(b, GRAMMAR_SPACE);
    const grammar_node *full = inside ? GRAMMAR_SEQUENCE_OF(b, inside, gap) : grammar_word(b, "");
    return GRAMMAR_SEQUENCE_OF(b, grammar_word(b, open), gap, may_be_empty ? optional(b, full) : full,
                               grammar_word(b, close));
}

const grammar_node *grammar_commas(grammar_build *b, const grammar_node *part, uint32_t min, uint32_t max)
{
    const grammar_node *more = GRAMMAR_SEQUENCE_OF(b, grammar_word(b, ","), grammar_json(b, GRAMMAR_SPACE), part);
    return GRAMMAR_SEQUENCE_OF(
        b, part, grammar_repeat(b, more, min ? min - 1 : 0, max == GRAMMAR_UNBOUNDED ? max : max - 1));
}

static const grammar_node *array(grammar_build *b)
{
    const grammar_node *items = grammar_commas(b, grammar_json(b, GRAMMAR_VALUE), 0, GRAMMAR_UNBOUNDED);
    return grammar_enclosed(b, "[", items, "]", true);
}

static const grammar_node *object(grammar_build *b)
{
    const grammar_node *member = GRAMMAR_SEQUENCE_OF(b, grammar_json(b, GRAMMAR_STRING), grammar_word(b, ":"),
                                                     grammar_json(b, GRAMMAR_SPACE), grammar_json(b, GRAMMAR_VALUE));
    return grammar_enclosed(b, "{", grammar_commas(b, member, 0, GRAMMAR_UNBOUNDED), "}", true);
}

const grammar_node *grammar_json(grammar_build *b, grammar_json_part part)
{
    static const struct {
        const char *name;
        const grammar_node *(*body)(grammar_build *b);
    } rows[] = {
        [GRAMMAR_SPACE] = { "space", space },       [GRAMMAR_CHAR] = { "a character", character },
        [GRAMMAR_STRING] = { "a string", string },  [GRAMMAR_INTEGER] = { "an integer", integer },
        [GRAMMAR_NUMBER] = { "a number", number },  [GRAMMAR_VALUE] = { "a value", value },
        [GRAMMAR_ARRAY] = { "an array", array },    [GRAMMAR_OBJECT] = { "an object", object },
    };
    if (!b->json[part]) {
        const uint32_t rule = grammar_rule_new(b, rows[part].name);
        b->json[part] = rule + 1;
        grammar_rule_set(b, rule, rows[part].body(b));
    }
    return grammar_call(b, b->json[part] - 1);
}

void grammar_read_object(grammar_build *b)
{
    grammar_json(b, GRAMMAR_OBJECT);
    b->root = b->json[GRAMMAR_OBJECT] - 1;
}
