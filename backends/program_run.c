/* program_run.c: runs: segment after segment, each submitted and waited for; in between transfers, through the host's
 * memory. Submitting a run starts its first segment; the others, which need what that one made, are run while waiting.
 * Of a profiled program the host notes when each began and ended, and takes in the spans of the steps. */
#include "backends/program.h"

static void note(weft_program *p, weft_span_kind kind, const weft__segment *s, uint64_t begin, uint64_t end)
{
    if (!p->profile) return;
    weft__span_add(&p->spans, (weft_span){ .begin = begin, .end = end, .step = s->first, .n_steps = s->n,
                                           .device = (uint16_t)s->device, .track = WEFT_TRACK_HOST,
                                           .kind = (uint8_t)kind });
}

/* Values of a plan's transfer are activations or states in one piece, or the plan would have a copy before it. */
static weft_status copy_value(weft_program *p, const weft_node *n, weft_error *err)
{
    uint64_t bytes = weft_value_bytes(p->s->g, n->out[0], p->s->bounds);
    for (uint64_t at = 0; at < bytes; at += WEFT__BOUNCE_BYTES) {
        uint64_t part = bytes - at < WEFT__BOUNCE_BYTES ? bytes - at : WEFT__BOUNCE_BYTES;
        WEFT_TRY(weft__read_value(p, n->in[0], at, p->bounce, part, err));
        WEFT_TRY(weft__write_value(p, n->out[0], at, p->bounce, part, err));
    }
    return WEFT_OK;
}

static weft_status run_transfer(weft_program *p, const weft__segment *s, weft_error *err)
{
    uint64_t begin = weft__program_now(p);
    WEFT_TRY(copy_value(p, weft_graph_node_by_id(p->s->g, p->s->plan->steps[s->first].node), err));
    note(p, WEFT_SPAN_TRANSFER, s, begin, weft__program_now(p));
    return WEFT_OK;
}

static weft_status submit_segment(weft_program *p, const weft__segment *s, weft_error *err)
{
    p->begin = weft__program_now(p);
    WEFT_TRY(p->devices[s->device]->vt->exec_submit(p->execs[s->device], s->first, s->n, p->extents, &p->ticket, err));
    p->submitted = weft__program_now(p);
    return WEFT_OK;
}

static weft_status wait_segment(weft_program *p, const weft__segment *s, weft_error *err)
{
    const weft_backend_vt *vt = p->devices[s->device]->vt;
    weft_exec *e = p->execs[s->device];
    WEFT_TRY(vt->exec_wait(e, p->ticket, err));
    if (!p->profile) return WEFT_OK;
    note(p, WEFT_SPAN_SUBMIT, s, p->begin, p->submitted);
    note(p, WEFT_SPAN_WAIT, s, p->submitted, weft__program_now(p));
    return vt->exec_spans(e, &p->spans, err);
}

static weft_status run_segment(weft_program *p, const weft__segment *s, weft_error *err)
{
    if (s->transfer) return run_transfer(p, s, err);
    WEFT_TRY(submit_segment(p, s, err));
    return wait_segment(p, s, err);
}

/* Whether a submit starts anything: steps that are timed one by one run while waiting, and so do transfers. */
static bool starts(const weft_program *p)
{
    return p->profile != WEFT_PROFILE_ISOLATED && p->s->n_segments && !p->s->segments[0].transfer;
}

weft_status weft_program_submit(weft_program *p, weft_error *err)
{
    WEFT_TRY(weft__program_check_idle(p, err));
    if (starts(p)) WEFT_TRY(submit_segment(p, &p->s->segments[0], err));
    p->running = true;
    return WEFT_OK;
}

static weft_status run_steps(weft_program *p, weft_error *err)
{
    for (uint32_t i = 0; i < p->s->plan->n_steps; i++) WEFT_TRY(weft_program_run_step(p, i, err));
    return WEFT_OK;
}

weft_status weft_program_wait(weft_program *p, weft_error *err)
{
    if (!p->running) return WEFT_FAIL(err, WEFT_INVALID, "the program is not running");
    p->running = false;
    if (p->profile == WEFT_PROFILE_ISOLATED) return run_steps(p, err);
    if (starts(p)) WEFT_TRY(wait_segment(p, &p->s->segments[0], err));
    for (uint32_t i = starts(p); i < p->s->n_segments; i++) WEFT_TRY(run_segment(p, &p->s->segments[i], err));
    return WEFT_OK;
}

weft_status weft_program_run(weft_program *p, weft_error *err)
{
    WEFT_TRY(weft_program_submit(p, err));
    return weft_program_wait(p, err);
}

weft_status weft_program_run_step(weft_program *p, uint32_t step, weft_error *err)
{
    WEFT_TRY(weft__program_check_idle(p, err));
    if (step >= p->s->plan->n_steps)
        return WEFT_FAIL(err, WEFT_INVALID, "step %u of a plan of %u steps", step, p->s->plan->n_steps);
    const weft_step *s = &p->s->plan->steps[step];
    bool transfer = weft_graph_node_by_id(p->s->g, s->node)->op == WEFT_OP_transfer;
    return run_segment(p, &(weft__segment){ step, 1, s->device, transfer }, err);
}
