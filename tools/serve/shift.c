/* shift.c: a text that has filled the context and goes on: its first n_keep tokens stay, of the others the older half
 * is dropped, and what is left is evaluated again from behind those that stay, at its new positions, as a prompt would
 * be: pages hold keys that are rotated by position. What chooses tokens still sees what was dropped. */
#include "tools/serve/engine_impl.h"

#include <stdlib.h>
#include <string.h>

weft_status engine_remember(engine *e, task *t, int32_t id, weft_error *err)
{
    const size_t most = weft_session_context(e->d.session);
    if (!weft__grow(&t->ids, &t->cap, t->n + 1, sizeof *t->ids)) return WEFT_OOM_FAIL(err, "a text");
    t->ids[t->n++] = id;
    if (!t->past) return WEFT_OK;
    if (t->n_past >= 2 * most) { /* nobody looks back further than the context is long */
        memmove(t->past, t->past + t->n_past - most, most * sizeof *t->past);
        t->n_past = most;
    }
    if (!weft__grow(&t->past, &t->cap_past, t->n_past + 1, sizeof *t->past)) return WEFT_OOM_FAIL(err, "a text");
    t->past[t->n_past++] = id;
    return WEFT_OK;
}

const int32_t *engine_history(const engine *e, const task *t, size_t *n)
{
    const size_t most = weft_session_context(e->d.session);
    *n = t->n;
    if (!t->past) return t->ids;
    *n = t->n_past < most ? t->n_past : most;
    return t->past + t->n_past - *n;
}

/* Tokens from `keep` to `keep + n` are dropped; drafts' table, which has been told of the first n_told, keeps them. */
static void drop(task *t, uint32_t keep, uint32_t n)
{
    memmove(t->ids + keep, t->ids + keep + n, (t->n - keep - n) * sizeof *t->ids);
    t->n -= n;
    t->n_dropped += n;
    if (t->n_same > keep) t->n_same = keep;
    if (t->n_told >= keep + n) t->n_told -= n;
    else if (t->n_told > keep) t->n_told = keep;
}

weft_status engine_shift(engine *e, task *t, weft_error *err)
{
    enum { LEAST = 4 }; /* tokens behind what is kept */
    const uint32_t context = weft_session_context(e->d.session), most = context > LEAST ? context - LEAST : 0;
    uint32_t keep = t->n_keep < most ? t->n_keep : most;
    if (!t->past) {
        if (!weft__grow(&t->past, &t->cap_past, t->n, sizeof *t->past)) return WEFT_OOM_FAIL(err, "a text");
        memcpy(t->past, t->ids, t->n * sizeof *t->ids);
        t->n_past = t->n;
    }
    drop(t, keep, ((uint32_t)t->n - keep) / 2);
    /* Where windows have left the kept tokens behind, or states do not go back, they are evaluated again, too. */
    if (weft_session_truncate(e->d.session, t->sequence, keep, NULL)) {
        keep = 0;
        WEFT_TRY(weft_session_truncate(e->d.session, t->sequence, keep, err));
    }
    t->done = keep;
    atomic_fetch_add(&e->counts.shifts, 1);
    return WEFT_OK;
}
