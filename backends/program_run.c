/* program_run.c: runs: segment after segment, each submitted and waited for; in between transfers, through the host's
 * memory. Of a profiled program the host notes when each began and ended, and takes in the spans of the steps. */
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

static weft_status run_segment(weft_program *p, const weft__segment *s, weft_error *err)
{
    if (s->transfer) return run_transfer(p, s, err);
    const weft_backend_vt *vt = p->devices[s->device]->vt;
    weft_exec *e = p->execs[s->device];
    uint64_t begin = weft__program_now(p), submitted, ticket;
    WEFT_TRY(vt->exec_submit(e, s->first, s->n, p->extents, &ticket, err));
    submitted = weft__program_now(p);
    WEFT_TRY(vt->exec_wait(e, ticket, err));
    if (!p->profile) return WEFT_OK;
    uint64_t end = weft__program_now(p);
    note(p, WEFT_SPAN_SUBMIT, s, begin, submitted);
    note(p, WEFT_SPAN_WAIT, s, submitted, end);
    return vt->exec_spans(e, &p->spans, err);
}

weft_status weft_program_run(weft_program *p, weft_error *err)
{
    if (!p->execs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    if (p->profile == WEFT_PROFILE_ISOLATED) {
        for (uint32_t i = 0; i < p->s->plan->n_steps; i++) WEFT_TRY(weft_program_run_step(p, i, err));
        return WEFT_OK;
    }
    for (uint32_t i = 0; i < p->s->n_segments; i++) WEFT_TRY(run_segment(p, &p->s->segments[i], err));
    return WEFT_OK;
}

weft_status weft_program_run_step(weft_program *p, uint32_t step, weft_error *err)
{
    if (!p->execs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    if (step >= p->s->plan->n_steps)
        return WEFT_FAIL(err, WEFT_INVALID, "step %u of a plan of %u steps", step, p->s->plan->n_steps);
    const weft_step *s = &p->s->plan->steps[step];
    bool transfer = weft_graph_node_by_id(p->s->g, s->node)->op == WEFT_OP_transfer;
    return run_segment(p, &(weft__segment){ step, 1, s->device, transfer }, err);
}
