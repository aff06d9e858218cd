/* spans.c: profiling of programs: the log of spans, and what the host notes in it. The steps' own spans come from the
 * backends. */
#include "backends/program.h"

#include <stdio.h>
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

const char *weft__launch_name(const weft_graph *g, const weft_plan *plan, uint32_t first, uint32_t n, char *buf,
                              size_t size)
{
    size_t at = 0;
    *buf = 0;
    for (uint32_t i = 0; i < n && at < size; i++) {
        const weft_node *node = weft_graph_node_by_id(g, plan->steps[first + i].node);
        at += (size_t)snprintf(buf + at, size - at, "%s%%%u %s%s%s", i ? " + " : "", node->out[0].id,
                               weft_op_get(node->op)->name, *node->scope ? " " : "", node->scope);
    }
    return buf;
}

/* ---- changing the mode ---- */

void weft__profile_off(weft_program *p)
{
    weft__exec_timing none;
    weft_error ignored;
    for (uint32_t d = 0; p->profile && d < p->n_devices; d++) {
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
    uint64_t room = ROOM_FOR_IO + 2 * (uint64_t)p->plan->n_steps; /* every step submitted and waited for alone */
    p->calibrated = calloc(p->n_devices, sizeof *p->calibrated);
    if (!p->calibrated) return WEFT_OOM_FAIL(err, "a profile");
    for (uint32_t d = 0; d < p->n_devices; d++) {
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
    if (!p->execs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    if ((unsigned)mode > WEFT_PROFILE_ISOLATED)
        return WEFT_FAIL(err, WEFT_INVALID, "there is no profile mode %d", (int)mode);
    weft__profile_off(p);
    if (mode == WEFT_PROFILE_OFF) return WEFT_OK;
    p->profile = mode;
    weft_status s = profile_on(p, err);
    if (s) weft__profile_off(p);
    return s;
}

/* ---- the host's spans ---- */

static void note(weft_program *p, weft_span_kind kind, const weft__segment *s, uint64_t begin, uint64_t end)
{
    weft__span_add(&p->spans, (weft_span){ .begin = begin, .end = end, .step = s->first, .n_steps = s->n,
                                           .device = (uint16_t)s->device, .track = WEFT_TRACK_HOST,
                                           .kind = (uint8_t)kind });
}

void weft__span_end(weft_program *p, weft_span_kind kind, uint32_t device, uint64_t begin)
{
    note(p, kind, &(weft__segment){ .device = device }, begin, weft__nanoseconds());
}

weft_status weft__run_profiled(weft_program *p, const weft__segment *s, weft_error *err)
{
    const weft_backend_vt *vt = p->devices[s->device]->vt;
    weft_exec *e = p->execs[s->device];
    uint64_t begin = weft__nanoseconds(), submitted, ticket;
    if (s->transfer) {
        WEFT_TRY(weft__run_transfer(p, s->first, err));
        note(p, WEFT_SPAN_TRANSFER, s, begin, weft__nanoseconds());
        return WEFT_OK;
    }
    WEFT_TRY(vt->exec_submit(e, s->first, s->n, p->extents, &ticket, err));
    submitted = weft__nanoseconds();
    WEFT_TRY(vt->exec_wait(e, ticket, err));
    uint64_t end = weft__nanoseconds();
    note(p, WEFT_SPAN_SUBMIT, s, begin, submitted);
    note(p, WEFT_SPAN_WAIT, s, submitted, end);
    return vt->exec_spans(e, &p->spans, err);
}
