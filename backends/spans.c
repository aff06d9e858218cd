/* spans.c: profiling of programs: its mode, and the log of spans. What the host does in a run is noted by program_run.c
 * and program_io.c, the steps' own spans come from the backends. */
#include "backends/program.h"

#include <stdlib.h>

enum { ROOM_FOR_IO = 64 }; /* writes and reads between two looks at the spans */

weft_profile_mode weft_program_profile_mode(const weft_program *p)
{
    return p->profile;
}

const weft_span *weft_program_spans(const weft_program *p, uint64_t *n)
{
    *n = p->spans.n;
    return p->spans.spans;
}

uint64_t weft_program_spans_dropped(const weft_program *p)
{
    return p->spans.dropped;
}

void weft_program_spans_clear(weft_program *p)
{
    p->spans.n = p->spans.dropped = 0;
}

bool weft_program_spans_calibrated(const weft_program *p, uint32_t device)
{
    return p->calibrated && p->calibrated[device];
}

/* ---- changing the mode ---- */

void weft__profile_off(weft_program *p)
{
    weft__exec_timing none;
    weft_error ignored;
    for (uint32_t d = 0; p->profile && d < p->s->n_devices; d++) {
        const weft_backend_vt *vt = p->devices[d]->vt;
        if (vt->exec_profile) vt->exec_profile(p->execs[d], false, &none, &ignored);
    }
    free(p->spans.spans);
    free(p->calibrated);
    p->spans = (weft__span_log){ 0 };
    p->calibrated = NULL;
    p->profile = WEFT_PROFILE_OFF;
}

static weft_status profile_on(weft_program *p, weft_error *err)
{
    uint64_t room = ROOM_FOR_IO + 2 * (uint64_t)p->s->plan->n_steps; /* every step submitted and waited for alone */
    p->calibrated = calloc(p->s->n_devices, sizeof *p->calibrated);
    if (!p->calibrated) return WEFT_OOM_FAIL(err, "a profile");
    for (uint32_t d = 0; d < p->s->n_devices; d++) {
        const weft_backend_vt *vt = p->devices[d]->vt;
        weft__exec_timing timing;
        if (!vt->exec_profile)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: this backend does not time its steps", vt->name);
        WEFT_TRY(vt->exec_profile(p->execs[d], true, &timing, err));
        room += timing.n_spans;
        p->calibrated[d] = timing.calibrated;
    }
    p->spans.spans = malloc(room * sizeof *p->spans.spans);
    if (!p->spans.spans) return WEFT_OOM_FAIL(err, "a profile");
    p->spans.room = room;
    return WEFT_OK;
}

weft_status weft_program_profile(weft_program *p, weft_profile_mode mode, weft_error *err)
{
    WEFT_TRY(weft__program_check_idle(p, err));
    if ((unsigned)mode > WEFT_PROFILE_ISOLATED)
        return WEFT_FAIL(err, WEFT_INVALID, "there is no profile mode %d", (int)mode);
    weft__profile_off(p);
    if (mode == WEFT_PROFILE_OFF) return WEFT_OK;
    p->profile = mode;
    weft_status s = profile_on(p, err);
    if (s) weft__profile_off(p);
    return s;
}
