/* finite.c: results that are no numbers: where they are, and whether the cache is to blame.
 *
 * Runs look for none of it on the way: a NaN spreads to all that depends on it, so looking at what a session hands out
 * is enough. Stores see to it that this holds for the cache, too: a number that is too large for a cache of f16 is kept
 * as WEFT_F16_OVERFLOW, a NaN with bits of its own, and so is the scale of a block, which stands at its beginning. The
 * cache is searched for those only when a result is no number. */
#include "models/finite.h"
#include "models/session_impl.h"

#include <stdlib.h>
#include <string.h>

uint32_t weft__count_not_finite(const float *x, uint32_t n, uint32_t *first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        count += (bits & 0x7f800000u) == 0x7f800000u;
    }
    for (*first = 0; count && *first < n; ++*first) {
        uint32_t bits;
        memcpy(&bits, &x[*first], sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) break;
    }
    return count;
}

typedef struct search { weft_session *s; bool found; weft_state_info *state; } search;

static bool can_be_marked(weft_dtype t)
{
    return t == WEFT_F16 || weft_dtype_get(t)->class_ == WEFT_DTYPE_BLOCK;
}

/* Among the first two bytes of each `unit` of n. */
static bool has_mark(const unsigned char *x, size_t n, size_t unit)
{
    for (size_t i = 0; i + unit <= n; i += unit)
        if (((x[i] | x[i + 1] << 8) & 0x7fff) == WEFT_F16_OVERFLOW) return true;
    return false;
}

static weft_status look(void *ctx, const weft__division *d, uint64_t offset, uint64_t bytes, weft_error *err)
{
    search *c = ctx;
    weft_state_info info;
    unsigned char piece[8192];
    if (c->found || !weft_states_get(c->s->states, d->state, &info) || !can_be_marked(info.dtype)) return WEFT_OK;
    uint32_t unit = weft_dtype_get(info.dtype)->bytes, step = sizeof piece / unit * unit;
    for (uint64_t at = 0; at < bytes && !c->found; at += step) {
        uint64_t n = bytes - at < step ? bytes - at : step;
        WEFT_TRY(weft_states_read(c->s->states, d->state, offset + at, piece, n, err));
        c->found = has_mark(piece, n, unit);
    }
    if (c->found) *c->state = info;
    return WEFT_OK;
}

bool weft__overflowed_state(weft_session *s, uint32_t sequence, weft_state_info *out)
{
    search c = { s, false, out };
    return !weft__each_part(s, sequence, false, look, &c, NULL) && c.found;
}
