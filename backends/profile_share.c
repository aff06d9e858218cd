/* profile_share.c: how the time of one run is divided among its steps and the parts of a run; profile.h has the rules.
 *
 * A sweep over the ends of all spans, in order of time. While k spans of steps are open, `shared_out` grows by 1 / k of
 * the time that passes; what a span gets is by how much it grew while the span was open. */
#include "backends/profile_impl.h"

#include <stdlib.h>

typedef struct sweep_state {
    const weft_profile *prof;
    double *row;
    uint64_t now;
    double shared_out;              /* nanoseconds */
    uint32_t steps, submits, waits; /* open now */
    bool ran;                       /* a step has ended before */
    uint64_t idle_since;            /* steps == 0: the instant when that began */
    uint32_t lasting;               /* SUBMIT and WAIT spans open ever since */
    double idle[3];                 /* nanoseconds since then: submit, wait, host */
} sweep_state;

bool weft__span_is_step(const weft_profile *prof, const weft_span *s)
{
    bool kind = s->kind == WEFT_SPAN_STEP || s->kind == WEFT_SPAN_TRANSFER;
    return kind && s->begin <= s->end && s->n_steps && s->step < prof->n_steps && s->n_steps <= prof->n_steps - s->step;
}

static int by_time(const void *a, const void *b)
{
    const weft__moment *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    if (x->ends != y->ends) return x->ends ? 1 : -1; /* so that spans that touch leave no instant uncovered */
    return x->span < y->span ? -1 : x->span > y->span;
}

/* Time goes on to `at`. */
static void pass(sweep_state *s, uint64_t at)
{
    double passed = (double)(at - s->now);
    s->now = at;
    if (s->steps) {
        s->shared_out += passed / s->steps;
        s->row[WEFT__ROW_NODES] += passed * 1e-9;
    } else s->idle[s->submits ? 0 : s->waits ? 1 : 2] += passed;
}

/* No step runs from now on. */
static void go_idle(sweep_state *s)
{
    s->idle_since = s->now;
    s->lasting = s->submits + s->waits;
    s->idle[0] = s->idle[1] = s->idle[2] = 0.0;
}

/* The end of a time without steps: a gap, if one span of the host lasted through all of it. */
static void leave_idle(sweep_state *s, bool a_step_begins)
{
    if (a_step_begins && s->ran && s->lasting) {
        s->row[WEFT__ROW_GAPS] += (s->idle[0] + s->idle[1] + s->idle[2]) * 1e-9;
        return;
    }
    s->row[WEFT__ROW_SUBMIT] += s->idle[0] * 1e-9;
    s->row[WEFT__ROW_WAIT] += s->idle[1] * 1e-9;
    s->row[WEFT__ROW_HOST] += s->idle[2] * 1e-9;
}

/* What a span got goes to its steps, in the ratio of what they would take at the roof. */
static void give(sweep_state *s, const weft_span *span, double seconds)
{
    double *steps = s->row + WEFT__ROW_STEPS, sum = 0.0;
    for (uint32_t i = 0; i < span->n_steps; i++) sum += s->prof->least[span->step + i];
    for (uint32_t i = 0; i < span->n_steps; i++)
        steps[span->step + i] += seconds * (sum > 0 ? s->prof->least[span->step + i] / sum : 1.0 / span->n_steps);
}

static void step_moment(sweep_state *s, const weft__moment *m, const weft_span *span, double *opened)
{
    if (!m->ends) {
        if (!s->steps) leave_idle(s, true);
        s->steps++;
        opened[m->span] = s->shared_out;
        return;
    }
    give(s, span, (s->shared_out - opened[m->span]) * 1e-9);
    s->ran = true;
    if (!--s->steps) go_idle(s);
}

static void host_moment(sweep_state *s, const weft__moment *m, const weft_span *span)
{
    uint32_t *open = span->kind == WEFT_SPAN_SUBMIT ? &s->submits : &s->waits;
    if (m->ends) {
        (*open)--;
        if (!s->steps && s->lasting && span->begin <= s->idle_since) s->lasting--;
    } else (*open)++;
}

/* Where the step's spans lie, over all threads and launches. */
static void note_extent(weft__sweep *w, const weft_span *span)
{
    for (uint32_t i = span->step; i < span->step + span->n_steps; i++) {
        if (span->begin < w->first[i]) w->first[i] = span->begin;
        if (span->end > w->last[i]) w->last[i] = span->end;
    }
}

static bool is_host(const weft_span *s)
{
    return (s->kind == WEFT_SPAN_SUBMIT || s->kind == WEFT_SPAN_WAIT) && s->begin <= s->end;
}

/* The ends of all spans that matter, cut to the run, in order; returns how many. */
static size_t list_moments(weft_profile *prof, const weft_span *spans, uint32_t n, uint64_t begin, uint64_t end)
{
    weft__sweep *w = &prof->sweep;
    size_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool step = weft__span_is_step(prof, &spans[i]);
        if (step) note_extent(w, &spans[i]);
        for (uint32_t k = 0; step && k < spans[i].n_steps; k++)
            prof->shared[spans[i].step + k] = prof->shared[spans[i].step + k] || spans[i].n_steps > 1;
        uint64_t from = spans[i].begin > begin ? spans[i].begin : begin, to = spans[i].end < end ? spans[i].end : end;
        if ((!step && !is_host(&spans[i])) || from >= to) continue;
        w->moments[count++] = (weft__moment){ from, i, false };
        w->moments[count++] = (weft__moment){ to, i, true };
    }
    qsort(w->moments, count, sizeof *w->moments, by_time);
    return count;
}

weft_status weft__profile_share(weft_profile *prof, const weft_span *spans, uint32_t n, uint64_t begin, uint64_t end,
                                double *row, weft_error *err)
{
    weft__sweep *w = &prof->sweep;
    if (!weft__grow(&w->moments, &w->moments_cap, 2 * (size_t)n + 1, sizeof *w->moments) ||
        !weft__grow(&w->opened, &w->opened_cap, (size_t)n + 1, sizeof *w->opened))
        return WEFT_OOM_FAIL(err, "the spans of a run");
    for (uint32_t i = 0; i < prof->width; i++) row[i] = 0.0;
    for (uint32_t i = 0; i < prof->n_steps; i++) {
        w->first[i] = UINT64_MAX;
        w->last[i] = 0;
    }
    size_t count = list_moments(prof, spans, n, begin, end);
    sweep_state s = { .prof = prof, .row = row, .now = begin, .idle_since = begin };
    for (size_t i = 0; i < count; i++) {
        const weft_span *span = &spans[w->moments[i].span];
        pass(&s, w->moments[i].at);
        if (is_host(span)) host_moment(&s, &w->moments[i], span);
        else step_moment(&s, &w->moments[i], span, w->opened);
    }
    pass(&s, end);
    leave_idle(&s, false);
    row[WEFT__ROW_SECONDS] = (double)(end - begin) * 1e-9;
    double *elapsed = row + WEFT__ROW_STEPS + prof->n_steps;
    for (uint32_t i = 0; i < prof->n_steps; i++)
        if (w->first[i] != UINT64_MAX) elapsed[i] = (double)(w->last[i] - w->first[i]) * 1e-9;
    return WEFT_OK;
}
