/* schema_number.c: numbers between bounds, digit by digit. */
#include <stdlib.h>
#include <string.h>

#include "schema_impl.h"

enum {
    MOST_DIGITS = 330, /* of a double before its point */
    USUAL_DIGITS = 18, /* of numbers without a bound on that side */
    FRACTION = 17,     /* digits behind the point */
    EXACT = 15,        /* decimals of so many digits are different doubles */
};

/* A decimal number without its sign: digits[0..whole) before the point, without zeros in front but for "0". */
typedef struct decimal {
    char digits[2 * MOST_DIGITS + 40];
    uint32_t whole, n;
    bool negative;
} decimal;

/* At least `lo`, at most `hi`; without its bound lo is 0. */
typedef struct span {
    grammar_build *b;
    const decimal *lo, *hi; /* hi NULL: none */
    bool over, under;       /* lo, hi themselves are not allowed */
    uint32_t fraction;      /* digits behind the point at most; 0: whole numbers */
} span;

/* Digit `at` of a number that has n before its point. */
static int digit(const decimal *d, uint32_t at)
{
    return at < d->n ? d->digits[at] - '0' : 0;
}

static bool rest_is_zero(const decimal *d, uint32_t at)
{
    for (; at < d->n; at++)
        if (d->digits[at] != '0') return false;
    return true;
}

/* "-12.5e-3" as digits. */
static decimal *decimal_of(grammar_build *b, const json_t *number)
{
    decimal *d = grammar_alloc(b, 1, sizeof *d);
    const char *text = grammar_shortest(b, number), *e = strchr(text, 'e');
    char digits[64];
    int n = 0, point = -1;
    d->negative = *text == '-';
    for (const char *p = text + d->negative; *p && *p != 'e' && n < 60; p++) {
        if (*p == '.') point = n;
        else digits[n++] = *p;
    }
    if (point < 0) point = n;
    if (e) point += atoi(e + 1);
    int first = 0;
    while (first < n - 1 && digits[first] == '0' && first < point - 1) first++;
    if (point <= 0) d->digits[d->n++] = '0';
    d->whole = 1;
    for (int i = first; i < point && i < first + MOST_DIGITS; i++) d->digits[d->n++] = i < n ? digits[i] : '0';
    if (point > 0) d->whole = d->n;
    for (int i = point; i < n && d->n < 2 * MOST_DIGITS; i++) d->digits[d->n++] = i < 0 ? '0' : digits[i];
    d->negative = d->negative && !rest_is_zero(d, 0);
    return d;
}

static const grammar_node *digits_of(grammar_build *b, int lo, int hi, uint32_t min, uint32_t max)
{
    const grammar_range r = { (uint32_t)('0' + lo), (uint32_t)('0' + hi) };
    const grammar_node *one = grammar_class(b, &r, 1, false);
    return min == 1 && max == 1 ? one : grammar_repeat(b, one, min, max);
}

/* Any digits from place `at` of n on, and any fraction. */
static const grammar_node *any_rest(const span *s, uint32_t at, uint32_t n)
{
    grammar_build *b = s->b;
    if (at > n) return digits_of(b, 0, 9, 0, s->fraction - (at - n));
    const grammar_node *whole = at < n ? digits_of(b, 0, 9, n - at, n - at) : grammar_word(b, "");
    if (!s->fraction) return whole;
    const grammar_node *fraction = GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "."), digits_of(b, 0, 9, 1, s->fraction));
    return GRAMMAR_SEQUENCE_OF(b, whole, grammar_repeat(b, fraction, 0, 1));
}

static const grammar_node *rest(const span *s, uint32_t at, uint32_t n, bool low, bool high);

/* A digit at place `at`, then what may follow it. low, high: all digits before are those of the bound. */
static const grammar_node *next_digit(const span *s, uint32_t at, uint32_t n, bool low, bool high)
{
    grammar_build *b = s->b;
    const int least = at == 0 && n > 1, lo = low ? digit(s->lo, at) : least, hi = high ? digit(s->hi, at) : 9;
    const int first = lo + low, last = hi - high;
    grammar_list l = { 0 };
    if (low && (!high || lo <= hi))
        grammar_push(b, &l, GRAMMAR_SEQUENCE_OF(b, digits_of(b, lo, lo, 1, 1),
                                                rest(s, at + 1, n, true, high && lo == hi)));
    if (high && !(low && lo >= hi) && hi >= least)
        grammar_push(b, &l, GRAMMAR_SEQUENCE_OF(b, digits_of(b, hi, hi, 1, 1), rest(s, at + 1, n, false, true)));
    if (first <= last)
        grammar_push(b, &l, GRAMMAR_SEQUENCE_OF(b, digits_of(b, first, last, 1, 1), any_rest(s, at + 1, n)));
    return grammar_choice(b, l.v, l.n);
}

/* What may follow the digits before place `at` of a number that has n before its point. */
static const grammar_node *rest(const span *s, uint32_t at, uint32_t n, bool low, bool high)
{
    grammar_build *b = s->b;
    if (!low && !high) return any_rest(s, at, n);
    if (at < n) return next_digit(s, at, n, low, high);
    const bool above = !low || (rest_is_zero(s->lo, at) && !s->over);
    const bool ends = above && (!high || !rest_is_zero(s->hi, at) || !s->under);
    grammar_list l = { 0 };
    if (ends) grammar_push(b, &l, grammar_word(b, ""));
    if (at - n < s->fraction) {
        const grammar_node *more = next_digit(s, at, n, low, high);
        grammar_push(b, &l, at == n ? GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "."), more) : more);
    }
    return grammar_choice(b, l.v, l.n);
}

/* From |lo| to |hi|. */
static const grammar_node *magnitudes(span s)
{
    const uint32_t usual = s.lo->whole > USUAL_DIGITS ? s.lo->whole : USUAL_DIGITS, last = s.hi ? s.hi->whole : usual;
    const uint32_t allowed = s.fraction;
    grammar_list l = { 0 };
    for (uint32_t n = s.lo->whole; n <= last; n++) {
        /* Where a bound itself is not allowed no number may round to it. */
        if (allowed && (s.over || s.under)) s.fraction = n < EXACT ? EXACT - n : 0;
        grammar_push(s.b, &l, next_digit(&s, 0, n, n == s.lo->whole, s.hi && n == s.hi->whole));
    }
    return grammar_choice(s.b, l.v, l.n);
}

/* A bound: that of the two keywords which says more. */
static const decimal *bound_of(grammar_schema *s, const json_t *schema, bool upper, bool *open, const char *path)
{
    const json_t *with = grammar_keyword(s, schema, upper ? "maximum" : "minimum", JSON_REAL, path);
    const json_t *without =
        grammar_keyword(s, schema, upper ? "exclusiveMaximum" : "exclusiveMinimum", JSON_REAL, path);
    *open = without && (!with || (upper ? json_number_value(without) <= json_number_value(with)
                                        : json_number_value(without) >= json_number_value(with)));
    const json_t *bound = *open ? without : with;
    return bound ? decimal_of(s->b, bound) : NULL;
}

const grammar_node *grammar_schema_number(grammar_schema *s, const json_t *schema, bool fraction, const char *path)
{
    static const decimal zero = { .digits = "0", .whole = 1, .n = 1 };
    grammar_build *b = s->b;
    bool over, under;
    const decimal *lo = bound_of(s, schema, false, &over, path), *hi = bound_of(s, schema, true, &under, path);
    grammar_list l = { 0 };
    if (!lo && !hi) return grammar_json(b, fraction ? GRAMMAR_NUMBER : GRAMMAR_INTEGER);
    const uint32_t digits = fraction ? FRACTION : 0;
    if (!hi || !hi->negative) {
        const bool above = lo && !lo->negative;
        grammar_push(b, &l, magnitudes((span){ b, above ? lo : &zero, hi, above && over, under, digits }));
    }
    if (!lo || lo->negative) {
        const bool below = hi && hi->negative;
        const grammar_node *node = magnitudes((span){ b, below ? hi : &zero, lo, !below || under, over, digits });
        grammar_push(b, &l, GRAMMAR_SEQUENCE_OF(b, grammar_word(b, "-"), node));
    }
    return grammar_choice(b, l.v, l.n);
}
