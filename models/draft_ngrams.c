/* draft_ngrams.c: drafts by lookup: what followed when the last tokens came before.
 *
 * For each length of n-gram there is a table from a hash of it to the place behind it where it was seen last. Places of
 * other n-grams with the same hash are found out by comparing tokens; they replace each other. */
#include "models/draft.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTHS = WEFT_DRAFT_KINDS, FIRST_BITS = 8, MOST_BITS = 18 };

static const uint32_t lengths[LENGTHS] = { 2, 3, 6, 12 };

struct weft_ngrams {
    int32_t *ids; /* what is looked up, then the text */
    size_t n, cap, n_given; /* n_given: of what is looked up */
    uint32_t *places; /* [LENGTHS, 1 << bits]; 0: none */
    uint32_t bits;
};

static uint32_t *place_of(const weft_ngrams *g, uint32_t i, size_t end)
{
    uint64_t hash = 0;
    for (uint32_t k = 1; k <= lengths[i]; k++)
        hash = (hash ^ (uint32_t)g->ids[end - k]) * UINT64_C(0x9E3779B97F4A7C15);
    return g->places + ((size_t)i << g->bits) + (hash >> (64 - g->bits));
}

/* The n-grams that end with token `end` - 1. */
static void enter(weft_ngrams *g, size_t end)
{
    for (uint32_t i = 0; i < LENGTHS && lengths[i] <= end; i++) *place_of(g, i, end) = (uint32_t)end;
}

/* Tables twice the size, of all but the newest token: what follows that is not known yet. */
static bool enlarge(weft_ngrams *g, uint32_t bits)
{
    uint32_t *places = calloc((size_t)LENGTHS << bits, sizeof *places);
    if (!places) return false;
    free(g->places);
    g->places = places;
    g->bits = bits;
    for (size_t end = 1; end < g->n; end++) enter(g, end);
    return true;
}

static weft_status push(void *ctx, const int32_t *ids, size_t n, weft_error *err)
{
    weft_ngrams *g = ctx;
    if (n > UINT32_MAX / 2 - g->n) return WEFT_FAIL(err, WEFT_LIMIT, "n-grams of more than 2^31 tokens");
    if (!weft__grow(&g->ids, &g->cap, g->n + n, sizeof *g->ids)) return WEFT_OOM_FAIL(err, "n-grams");
    size_t before = g->n;
    if (n) memcpy(g->ids + g->n, ids, n * sizeof *ids);
    g->n += n;
    uint32_t bits = g->bits;
    while (bits < MOST_BITS && g->n > (size_t)1 << (bits - 3)) bits++;
    if (bits > g->bits) return enlarge(g, bits) ? WEFT_OK : WEFT_OOM_FAIL(err, "n-grams");
    for (size_t end = before ? before : 1; end < g->n; end++) enter(g, end);
    return WEFT_OK;
}

static weft_status begin(void *ctx, const int32_t *ids, size_t n, weft_error *err)
{
    weft_ngrams *g = ctx;
    g->n = g->n_given;
    memset(g->places, 0, (sizeof *g->places * LENGTHS) << g->bits);
    for (size_t end = 1; end < g->n; end++) enter(g, end);
    return push(g, ids, n, err);
}

/* Where the last tokens came before, with what came after them; 0: nowhere. */
static size_t look_up(const weft_ngrams *g, uint32_t i)
{
    if (g->n <= lengths[i]) return 0;
    size_t at = *place_of(g, i, g->n), bytes = lengths[i] * sizeof *g->ids;
    return at && !memcmp(g->ids + at - lengths[i], g->ids + g->n - lengths[i], bytes) ? at : 0;
}

/* A text that repeats itself goes on so: what would be behind its end is what was drafted. */
static weft_status propose(void *ctx, uint32_t most, weft_draft *out, weft_error *err)
{
    const weft_ngrams *g = ctx;
    (void)err;
    for (uint32_t i = LENGTHS; i-- > 0;) {
        size_t at = look_up(g, i);
        if (!at) continue;
        out->kind = i;
        for (; out->n < most; out->n++, at++) out->ids[out->n] = at < g->n ? g->ids[at] : out->ids[at - g->n];
        break;
    }
    return WEFT_OK;
}

weft_status weft_ngrams_create(const int32_t *text, size_t n, weft_ngrams **out, weft_error *err)
{
    weft_ngrams *g = *out = calloc(1, sizeof *g);
    if (!g || !enlarge(g, FIRST_BITS)) {
        free(g);
        *out = NULL;
        return WEFT_OOM_FAIL(err, "n-grams");
    }
    weft_status s = push(g, text, n, err);
    g->n_given = g->n;
    if (!s) return WEFT_OK;
    weft_ngrams_destroy(g);
    *out = NULL;
    return s;
}

void weft_ngrams_destroy(weft_ngrams *g)
{
    if (!g) return;
    free(g->places);
    free(g->ids);
    free(g);
}

weft_drafter weft_ngrams_drafter(weft_ngrams *g)
{
    return (weft_drafter){ begin, push, propose, g, NULL };
}
