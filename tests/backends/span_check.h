/* span_check.h: what holds of the spans of one profiled run, on every device. */
#ifndef TEST_SPAN_CHECK_H
#define TEST_SPAN_CHECK_H

#include "backends/backend.h"
#include "tests/test.h"

static inline bool span_is(const weft_span *s, weft_span_kind kind, uint32_t step)
{
    return s->kind == kind && s->step <= step && step < s->step + s->n_steps;
}

static inline bool span_within(const weft_span *s, uint64_t begin, uint64_t end)
{
    return begin <= s->begin && s->begin <= s->end && s->end <= end;
}

/* A launch lies between the submit and the end of the wait that cover its steps. */
static inline bool span_within_its_submit(const weft_span *all, uint64_t n, const weft_span *s)
{
    const weft_span *submit = NULL, *wait = NULL;
    for (uint64_t i = 0; i < n; i++) {
        if (all[i].device != s->device) continue;
        if (span_is(&all[i], WEFT_SPAN_SUBMIT, s->step)) submit = &all[i];
        if (span_is(&all[i], WEFT_SPAN_WAIT, s->step)) wait = &all[i];
    }
    return CHECK(submit && wait) && CHECK(submit->end <= wait->begin) &&
           CHECK(span_within(s, submit->begin, wait->end)) &&
           CHECK(s->step + s->n_steps <= submit->step + submit->n_steps);
}

/* What stands before a barrier has ended when what stands behind it begins. */
static inline void check_barriers(const weft_program *p, const weft_span *all, uint64_t n)
{
    const weft_plan *plan = weft_program_plan(p);
    for (uint64_t i = 0; i < n; i++) {
        if (all[i].kind != WEFT_SPAN_STEP || !plan->steps[all[i].step].barrier) continue;
        for (uint64_t k = 0; k < n; k++)
            if (all[k].kind == WEFT_SPAN_STEP && all[k].step < all[i].step && all[k].device == all[i].device)
                CHECK(all[k].end <= all[i].begin);
    }
}

/* The spans of one run between two times of the host: every step on each of its device's `tracks`, transfers once. */
static inline void check_run(const weft_program *p, uint64_t begin, uint64_t end, const uint32_t *tracks)
{
    uint64_t n;
    const weft_span *all = weft_program_spans(p, &n);
    const weft_plan *plan = weft_program_plan(p);
    for (uint64_t i = 0; i < n; i++) {
        CHECK(span_within(&all[i], begin, end));
        CHECK((all[i].kind == WEFT_SPAN_STEP) == (all[i].track != WEFT_TRACK_HOST));
        if (all[i].kind == WEFT_SPAN_STEP) span_within_its_submit(all, n, &all[i]);
    }
    for (uint32_t step = 0; step < plan->n_steps; step++) {
        bool transfer = weft_graph_node_by_id(weft_program_graph(p), plan->steps[step].node)->op == WEFT_OP_transfer;
        uint32_t device = plan->steps[step].device;
        for (uint32_t track = 0; track <= tracks[device]; track++) {
            unsigned count = 0;
            for (uint64_t i = 0; i < n; i++)
                count += all[i].device == device && all[i].track == track &&
                         span_is(&all[i], track ? WEFT_SPAN_STEP : WEFT_SPAN_TRANSFER, step);
            CHECK_EQ_INT(count, track ? !transfer : transfer);
        }
    }
    check_barriers(p, all, n);
    CHECK_EQ_INT(weft_program_spans_dropped(p), 0);
}

static inline unsigned count_spans(const weft_program *p, weft_span_kind kind)
{
    uint64_t n;
    unsigned count = 0;
    const weft_span *all = weft_program_spans(p, &n);
    for (uint64_t i = 0; i < n; i++) count += all[i].kind == kind;
    return count;
}

#endif
