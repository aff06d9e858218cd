/* datum.c: data shown and compared. */
#include "graph/text/datum.h"

#include "graph/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *weft__datum_what(const weft__datum *d)
{
    static const char *const names[] = {
        [DATUM_WHOLE] = "a whole number", [DATUM_NUMBER] = "a number", [DATUM_TRUTH] = "true or false",
        [DATUM_TEXT] = "a text",          [DATUM_WORD] = "a word",     [DATUM_DIM] = "a dimension",
        [DATUM_BITS] = "bits",            [DATUM_LIST] = "a list",     [DATUM_TUPLE] = "an order of axes",
    };
    return names[d->kind];
}

const char *weft__datum_text(const weft__datum *d, char buf[WEFT__DATUM_TEXT])
{
    switch (d->kind) {
    case DATUM_WHOLE: snprintf(buf, WEFT__DATUM_TEXT, "%" PRId64, d->whole); return buf;
    case DATUM_NUMBER: return weft__double_text(d->number, buf);
    case DATUM_TRUTH: return d->truth ? "true" : "false";
    case DATUM_TEXT:
    case DATUM_WORD: return d->text;
    default: return NULL;
    }
}

/* A double that a whole number rounds to may still differ from it. */
static int order_mixed(int64_t a, double b)
{
    double near = (double)a;
    if (near < b) return -1;
    if (near > b) return 1;
    if (b >= 9223372036854775808.0) return -1;
    int64_t exact = (int64_t)b;
    return (a > exact) - (a < exact);
}

int weft__datum_order(const weft__datum *a, const weft__datum *b)
{
    if (a->kind == DATUM_WHOLE && b->kind == DATUM_WHOLE) return (a->whole > b->whole) - (a->whole < b->whole);
    if (a->kind == DATUM_WHOLE) return order_mixed(a->whole, b->number);
    if (b->kind == DATUM_WHOLE) return -order_mixed(b->whole, a->number);
    return (a->number > b->number) - (a->number < b->number);
}

static bool is_characters(const weft__datum *d)
{
    return d->kind == DATUM_TEXT || d->kind == DATUM_WORD;
}

static bool lists_equal(const weft__datum *a, const weft__datum *b, bool *equal)
{
    *equal = a->n == b->n;
    for (uint32_t i = 0; *equal && i < a->n; i++)
        if (!weft__datum_equal(&a->list[i], &b->list[i], equal)) return false;
    return true;
}

bool weft__datum_equal(const weft__datum *a, const weft__datum *b, bool *equal)
{
    *equal = false;
    if (weft__is_number(a) && weft__is_number(b))
        *equal = weft__datum_order(a, b) == 0;
    else if (is_characters(a) && is_characters(b))
        *equal = !strcmp(a->text, b->text);
    else if (a->kind != b->kind)
        return false;
    else if (a->kind == DATUM_TRUTH)
        *equal = a->truth == b->truth;
    else if (a->kind == DATUM_DIM)
        *equal = weft__dim_equal(a->dim, b->dim);
    else if (a->kind == DATUM_LIST)
        return lists_equal(a, b, equal);
    else
        return false;
    return true;
}
