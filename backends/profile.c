/* profile.c: the profile of a program: takes in the spans of runs, one row of numbers each, and makes statistics. */
#include "backends/conditions.h"
#include "backends/profile_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_ROWS = 256, MAX_SPANS = 1 << 28 };

/* ---- the object ---- */

static weft_status allocate(weft_profile *prof, const weft_profile_desc *desc, weft_error *err)
{
    const weft_program *p = prof->p;
    size_t n = (size_t)prof->n_steps + 1;
    const char *name = desc->name ? desc->name : "graph";
    prof->name = strdup(name);
    prof->roofs = calloc(3 * (size_t)p->s->n_devices, sizeof *prof->roofs);
    prof->column = calloc(prof->max_rows, sizeof *prof->column);
    prof->least = calloc(3 * n, sizeof *prof->least);
    prof->costs = calloc(n, sizeof *prof->costs);
    prof->shared = calloc(n, sizeof *prof->shared);
    prof->nodes = calloc(n, sizeof *prof->nodes);
    prof->sweep.first = calloc(2 * n, sizeof *prof->sweep.first);
    if (!prof->name || !prof->roofs || !prof->column || !prof->least || !prof->costs || !prof->shared || !prof->nodes ||
        !prof->sweep.first)
        return WEFT_OOM_FAIL(err, "a profile");
    prof->flops = prof->least + n;
    prof->bytes = prof->flops + n;
    prof->sweep.last = prof->sweep.first + n;
    if (desc->roofs) memcpy(prof->roofs, desc->roofs, p->s->n_devices * sizeof *prof->roofs);
    return WEFT_OK;
}

weft_status weft_profile_create(const weft_program *p, const weft_profile_desc *desc, weft_profile **out,
                                weft_error *err)
{
    *out = NULL;
    if (desc->max_runs == 1) return WEFT_FAIL(err, WEFT_INVALID, "a profile keeps at least 2 runs");
    weft_profile *prof = calloc(1, sizeof *prof);
    if (!prof) return WEFT_OOM_FAIL(err, "a profile");
    prof->p = p;
    prof->mode = desc->mode;
    prof->has_roofs = desc->roofs != NULL;
    prof->tokens = desc->tokens;
    prof->n_steps = p->s->plan->n_steps;
    prof->max_rows = desc->max_runs ? desc->max_runs : DEFAULT_ROWS;
    prof->width = WEFT__ROW_STEPS + 2 * prof->n_steps;
    prof->stride = 1;
    prof->calibrated = true;
    prof->conditions.others = -1;
    weft_status s = allocate(prof, desc, err);
    if (s) {
        weft_profile_destroy(prof);
        return s;
    }
    *out = prof;
    return WEFT_OK;
}

void weft_profile_destroy(weft_profile *prof)
{
    if (!prof) return;
    for (uint32_t i = 0; i < WEFT__KEPT_SPANS; i++) free(prof->kept[i].spans);
    free(prof->name);
    free(prof->roofs);
    free(prof->rows);
    free(prof->column);
    free(prof->least);
    free(prof->costs);
    free(prof->shared);
    free(prof->nodes);
    free(prof->sweep.first);
    free(prof->sweep.moments);
    free(prof->sweep.opened);
    free(prof);
}

weft_status weft_profile_set_conditions(weft_profile *prof, const weft_conditions *c, weft_error *err)
{
    if (c->turns > WEFT_MAX_ROOF_TURNS || (c->turns && (!c->roofs || !c->least || !c->most)))
        return WEFT_FAIL(err, WEFT_INVALID, "conditions of %u turns, at most %d, each with its roofs", c->turns,
                         WEFT_MAX_ROOF_TURNS);
    size_t n = prof->p->s->n_devices;
    prof->conditions = *c;
    prof->conditions.arithmetic = weft__program_arithmetic(prof->p);
    if (!c->turns) return WEFT_OK;
    prof->has_roofs = true;
    memcpy(prof->roofs, c->roofs, n * sizeof *prof->roofs);
    memcpy(prof->roofs + n, c->least, n * sizeof *prof->roofs);
    memcpy(prof->roofs + 2 * n, c->most, n * sizeof *prof->roofs);
    prof->conditions.roofs = prof->roofs;
    prof->conditions.least = prof->roofs + n;
    prof->conditions.most = prof->roofs + 2 * n;
    return WEFT_OK;
}

uint64_t weft_profile_now(void)
{
    return weft__nanoseconds();
}

const char *weft_profile_bound_name(weft_profile_bound b)
{
    static const char *const names[] = { "", "memory", "compute", "launch" };
    return (unsigned)b < sizeof names / sizeof *names ? names[b] : "?";
}

const char *weft_profile_mode_name(weft_profile_mode m)
{
    static const char *const names[] = { "off", "scheduled", "isolated" };
    return (unsigned)m < sizeof names / sizeof *names ? names[m] : "?";
}

/* ---- the work of a run ---- */

static weft_status find_work(const weft_profile *prof, const weft_profile_run *run, int64_t *work, weft_error *err)
{
    const weft_graph *g = prof->p->s->g;
    memcpy(work, prof->p->extents, sizeof prof->p->extents);
    for (uint32_t k = 0; k < run->n_work; k++) {
        uint32_t i = 0, n = weft_graph_extent_count(g);
        while (i < n && strcmp(weft_graph_extent(g, i + 1, NULL), run->work[k].extent)) i++;
        if (i == n) return WEFT_FAIL(err, WEFT_INVALID, "the program has no extent '%s'", run->work[k].extent);
        work[i] = run->work[k].bound;
    }
    return WEFT_OK;
}

static double at_roof(const weft_profile *prof, uint32_t step, double bytes, double flops)
{
    const weft_step *s = &prof->p->s->plan->steps[step];
    const weft_roof *roof = &prof->roofs[s->device];
    double peak = weft_roof_peak(roof, weft_program_place(prof->p, s->node).arithmetic);
    double memory = roof->bytes_per_second > 0 ? bytes / roof->bytes_per_second : 0.0;
    double compute = peak > 0 ? flops / peak : 0.0;
    return memory > compute ? memory : compute;
}

/* Costs and times at the roof, for the extents of the run at hand. */
static void count_work(weft_profile *prof, const int64_t *work)
{
    if (prof->work_known && !memcmp(prof->work, work, sizeof prof->work)) return;
    memcpy(prof->work, work, sizeof prof->work);
    prof->work_known = true;
    for (uint32_t i = 0; i < prof->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(prof->p->s->g, prof->p->s->plan->steps[i].node);
        weft_cost c = prof->costs[i] = weft_node_cost(prof->p->s->g, n, work);
        double bytes = c.bytes_read + c.bytes_written;
        prof->least[i] = prof->has_roofs ? at_roof(prof, i, bytes, c.flops) : bytes + c.flops;
    }
}

/* ---- adding a run ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(const double *sorted, uint32_t n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Of one number of all rows. */
static weft_profile_spread spread_of(const weft_profile *prof, uint32_t column)
{
    double *x = prof->column;
    uint32_t n = prof->n_rows;
    for (uint32_t i = 0; i < n; i++) x[i] = prof->rows[(size_t)i * prof->width + column];
    qsort(x, n, sizeof *x, by_size);
    weft_profile_spread s = { .median = middle(x, n), .min = x[0], .max = x[n - 1] };
    for (uint32_t i = 0; i < n; i++) x[i] = fabs(x[i] - s.median);
    qsort(x, n, sizeof *x, by_size);
    s.mad = middle(x, n);
    return s;
}

/* Whether the run at hand gets a row. Of too many every second one goes, and later only every second run gets one. */
static bool wants_row(weft_profile *prof)
{
    if (prof->runs % prof->stride) return false;
    if (prof->n_rows < prof->max_rows) return true;
    uint32_t n = (prof->n_rows + 1) / 2;
    for (uint32_t i = 1; i < n; i++)
        memcpy(prof->rows + (size_t)i * prof->width, prof->rows + 2 * (size_t)i * prof->width,
               prof->width * sizeof *prof->rows);
    prof->n_rows = n;
    prof->stride *= 2;
    return prof->runs % prof->stride == 0;
}

static double distance(const weft__kept_spans *k, double seconds)
{
    return fabs(k->seconds - seconds);
}

/* Keeps the spans, cut to the run, in place of those of the run that is farthest from the median so far (which may be
 * this one). */
static weft_status keep_spans(weft_profile *prof, const weft_profile_run *run, uint64_t begin, uint64_t end,
                              weft_error *err)
{
    weft__kept_spans *to = &prof->kept[prof->n_kept];
    double median = spread_of(prof, WEFT__ROW_SECONDS).median, seconds = (double)(end - begin) * 1e-9;
    if (prof->n_kept == WEFT__KEPT_SPANS) {
        to = &prof->kept[0];
        for (uint32_t i = 1; i < prof->n_kept; i++)
            if (distance(&prof->kept[i], median) > distance(to, median)) to = &prof->kept[i];
        if (distance(to, median) <= fabs(seconds - median)) return WEFT_OK;
    }
    if (!weft__grow(&to->spans, &to->cap, (size_t)run->n_spans + 1, sizeof *to->spans))
        return WEFT_OOM_FAIL(err, "the spans of a run");
    if (to == &prof->kept[prof->n_kept]) prof->n_kept++;
    to->n = 0;
    to->seconds = seconds;
    for (uint64_t i = 0; i < run->n_spans; i++) {
        weft_span s = run->spans[i];
        if (s.end < s.begin || s.end < begin || s.begin > end || s.kind >= WEFT_SPAN_COUNT) continue;
        s.begin = s.begin > begin ? s.begin - begin : 0;
        s.end = (s.end < end ? s.end : end) - begin;
        to->spans[to->n++] = s;
    }
    return WEFT_OK;
}

static void find_interval(const weft_profile_run *run, uint64_t *begin, uint64_t *end)
{
    *begin = run->begin;
    *end = run->end;
    if (run->begin || run->end || !run->n_spans) return;
    *begin = UINT64_MAX;
    for (uint64_t i = 0; i < run->n_spans; i++) {
        if (run->spans[i].begin < *begin) *begin = run->spans[i].begin;
        if (run->spans[i].end > *end) *end = run->spans[i].end;
    }
    if (*end < *begin) *end = *begin;
}

/* The run's row, the work it did and its spans. */
static weft_status add_row(weft_profile *prof, const weft_profile_run *run, const int64_t *work, uint64_t begin,
                           uint64_t end, weft_error *err)
{
    if (!weft__grow(&prof->rows, &prof->rows_cap, ((size_t)prof->n_rows + 1) * prof->width, sizeof *prof->rows))
        return WEFT_OOM_FAIL(err, "the times of a run");
    double *row = prof->rows + (size_t)prof->n_rows * prof->width;
    count_work(prof, work);
    WEFT_TRY(weft__profile_share(prof, run->spans, (uint32_t)run->n_spans, begin, end, row, err));
    prof->n_rows++;
    weft_status s = keep_spans(prof, run, begin, end, err);
    if (s) {
        prof->n_rows--;
        return s;
    }
    for (uint32_t i = 0; i < prof->n_steps; i++) {
        prof->flops[i] += prof->costs[i].flops;
        prof->bytes[i] += prof->costs[i].bytes_read + prof->costs[i].bytes_written;
    }
    prof->counted++;
    return WEFT_OK;
}

weft_status weft_profile_add(weft_profile *prof, const weft_profile_run *run, weft_error *err)
{
    int64_t work[WEFT_MAX_EXTENTS];
    uint64_t begin, end;
    WEFT_TRY(find_work(prof, run, work, err));
    find_interval(run, &begin, &end);
    if (end < begin) return WEFT_FAIL(err, WEFT_INVALID, "a run ends before it begins");
    if (run->n_spans > MAX_SPANS)
        return WEFT_FAIL(err, WEFT_LIMIT, "a run of %llu spans, the most is %d", (unsigned long long)run->n_spans,
                         MAX_SPANS);
    if (wants_row(prof)) WEFT_TRY(add_row(prof, run, work, begin, end, err));
    prof->runs++;
    for (uint32_t d = 0; d < prof->p->s->n_devices; d++)
        prof->calibrated = prof->calibrated && weft_program_spans_calibrated(prof->p, d);
    return WEFT_OK;
}

/* ---- statistics ---- */

static weft_profile_bound bound_of(const weft_profile *prof, const weft_profile_node *n)
{
    const weft_roof *roof = &prof->roofs[n->device];
    if (!(n->roof_seconds > 0)) return WEFT_BOUND_NONE;
    double sum = n->roof_seconds + roof->launch_seconds;
    if (n->roof_seconds < roof->launch_seconds && n->seconds.median <= 2 * sum) return WEFT_BOUND_LAUNCH;
    return at_roof(prof, n->step, 0.0, n->flops) > at_roof(prof, n->step, n->bytes, 0.0) ? WEFT_BOUND_COMPUTE
                                                                                        : WEFT_BOUND_MEMORY;
}

static void finish_node(weft_profile *prof, uint32_t step)
{
    weft_profile_node *n = &prof->nodes[step];
    const weft_step *s = &prof->p->s->plan->steps[step];
    *n = (weft_profile_node){ .node = s->node, .step = step, .device = s->device, .shared = prof->shared[step] };
    n->seconds = spread_of(prof, WEFT__ROW_STEPS + step);
    n->elapsed = spread_of(prof, WEFT__ROW_STEPS + prof->n_steps + step).median;
    n->flops = prof->flops[step] / prof->counted;
    n->bytes = prof->bytes[step] / prof->counted;
    n->roof_seconds = prof->has_roofs ? at_roof(prof, step, n->bytes, n->flops) : 0.0;
    if (n->seconds.median > 0) {
        n->bytes_per_second = n->bytes / n->seconds.median;
        n->ops_per_second = n->flops / n->seconds.median;
        n->roof = n->roof_seconds / n->seconds.median;
    }
    n->bound = bound_of(prof, n);
}

weft_status weft_profile_finish(weft_profile *prof, weft_error *err)
{
    if (!prof->n_rows) return WEFT_FAIL(err, WEFT_INVALID, "the profile of '%s' has no run", prof->name);
    for (uint32_t i = 0; i < prof->n_steps; i++) finish_node(prof, i);
    weft_profile_totals *t = &prof->total;
    t->runs = prof->runs;
    t->kept = prof->n_rows;
    t->seconds = spread_of(prof, WEFT__ROW_SECONDS);
    t->parts = (weft_profile_parts){ spread_of(prof, WEFT__ROW_NODES).median, spread_of(prof, WEFT__ROW_SUBMIT).median,
                                     spread_of(prof, WEFT__ROW_WAIT).median, spread_of(prof, WEFT__ROW_HOST).median,
                                     spread_of(prof, WEFT__ROW_GAPS).median };
    prof->shown = &prof->kept[0];
    for (uint32_t i = 1; i < prof->n_kept; i++)
        if (distance(&prof->kept[i], t->seconds.median) < distance(prof->shown, t->seconds.median))
            prof->shown = &prof->kept[i];
    return WEFT_OK;
}

const weft_profile_node *weft_profile_nodes(const weft_profile *prof, uint32_t *n)
{
    *n = prof->shown ? prof->n_steps : 0;
    return prof->shown ? prof->nodes : NULL;
}

weft_profile_totals weft_profile_total(const weft_profile *prof)
{
    return prof->total;
}
