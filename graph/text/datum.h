/* datum.h: what an expression of a text can be. Data are small and copied; texts and lists that they point to lie in
 * the tree, in the memory of the run (frame.h), or were lent by the caller and the configuration. */
#ifndef WEFT_TEXT_DATUM_H
#define WEFT_TEXT_DATUM_H

#include "graph/text/ast.h"

typedef enum weft__datum_kind {
    DATUM_WHOLE,
    DATUM_NUMBER, /* finite */
    DATUM_TRUTH,
    DATUM_TEXT,
    DATUM_WORD, /* of a field: f16, gelu */
    DATUM_DIM,  /* of an extent, or a multiple of it */
    DATUM_BITS, /* of a float */
    DATUM_LIST, /* of anything but lists */
    DATUM_TUPLE
} weft__datum_kind;

typedef struct weft__datum {
    weft__datum_kind kind;
    uint32_t n; /* LIST, TUPLE: elements; BITS: hexadecimal digits */
    union {
        int64_t whole; /* BITS: in the lowest ones */
        double number;
        bool truth;
        const char *text; /* TEXT, WORD */
        weft_dim dim;
        const struct weft__datum *list; /* LIST, TUPLE */
    };
} weft__datum;

static inline weft__datum weft__whole(int64_t x)
{
    return (weft__datum){ .kind = DATUM_WHOLE, .whole = x };
}

static inline weft__datum weft__number(double x)
{
    return (weft__datum){ .kind = DATUM_NUMBER, .number = x };
}

static inline weft__datum weft__truth(bool x)
{
    return (weft__datum){ .kind = DATUM_TRUTH, .truth = x };
}

/* A text or a word. */
static inline weft__datum weft__characters(weft__datum_kind kind, const char *text)
{
    return (weft__datum){ .kind = kind, .text = text };
}

static inline bool weft__is_number(const weft__datum *d) /* of either kind */
{
    return d->kind == DATUM_WHOLE || d->kind == DATUM_NUMBER;
}

static inline double weft__as_number(const weft__datum *d)
{
    return d->kind == DATUM_WHOLE ? (double)d->whole : d->number;
}

/* "a whole number", "a text": what it is, for faults. */
const char *weft__datum_what(const weft__datum *d);
/* As strings show it in braces: numbers, truths, texts and words. Returns a text of its own or buf; NULL: others. */
enum { WEFT__DATUM_TEXT = 48 };
const char *weft__datum_text(const weft__datum *d, char buf[WEFT__DATUM_TEXT]);

/* -1, 0 or 1 of two numbers, exactly. */
int weft__datum_order(const weft__datum *a, const weft__datum *b);
/* False if they are of kinds that are never equal, such as a number and a text; words and texts may be. */
bool weft__datum_equal(const weft__datum *a, const weft__datum *b, bool *equal);

#endif
