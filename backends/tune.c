/* tune.c: from shapes of work to settings that are kept (tune.h). What is tested now is marked in the device's cache
 * before it runs: if it takes the process or the device down, it is known as wrong afterwards. */
#include "backends/tune.h"
#include "backends/tune_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/program.h"

#define ROOF_SECONDS 0.03

/* ---- what a program runs ---- */

typedef struct work { weft_tune_shape shape; double seconds; /* at some rates that any device may have */ } work;
enum { MAX_WORK = 512 };

static bool is_product(const weft_graph *g, const weft_node *n)
{
    if (n->op != WEFT_OP_linear && n->op != WEFT_OP_matmul_nt) return false;
    const weft_value *w = weft_graph_value(g, n->in[1]);
    return w->dims.rank == 2 && weft_graph_node_by_id(g, w->node)->op == WEFT_OP_weight;
}

static bool shape_of(const weft_program *p, const weft_node *n, weft_tune_shape *out)
{
    const weft_graph *g = p->s->g;
    const bool product = is_product(g, n);
    int64_t x[WEFT_MAX_RANK], w[WEFT_MAX_RANK];
    if (!product && n->op != WEFT_OP_attention) return false;
    const weft_value *vx = weft_graph_value(g, n->in[0]), *vw = weft_graph_value(g, n->in[1]);
    weft_dims_resolve(g, &vx->dims, p->s->bounds, x);
    weft_dims_resolve(g, &vw->dims, p->s->bounds, w);
    *out = (weft_tune_shape){ .type = vw->dtype };
    if (product) {
        out->rows = (uint32_t)w[0];
        out->columns = (uint32_t)w[1];
        out->tokens = (uint32_t)(weft_value_elements(g, n->in[0], p->s->bounds) / w[1]);
        return true;
    }
    if (vx->dims.rank != 3 || vw->dims.rank != 3) return false;
    out->rows = (uint32_t)w[1];
    out->columns = (uint32_t)w[2];
    out->tokens = (uint32_t)x[0];
    out->heads = (uint32_t)x[1];
    out->groups = (uint32_t)w[0];
    return out->tokens <= out->rows && weft_graph_value(g, n->in[2])->dtype == vw->dtype;
}

static int most_work_first(const void *a, const void *b)
{
    const work *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

uint32_t weft_tune_shapes(const weft_program *p, uint32_t device, weft_tune_shape *out, uint32_t room)
{
    work all[MAX_WORK];
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->s->plan->n_steps; i++) {
        const weft_step *step = &p->s->plan->steps[i];
        const weft_node *node = weft_graph_node_by_id(p->s->g, step->node);
        work w;
        uint32_t k = 0;
        if (step->device != device || !shape_of(p, node, &w.shape)) continue;
        const weft_cost cost = weft_node_cost(p->s->g, node, p->s->bounds);
        w.seconds = (cost.bytes_read + cost.bytes_written) / 3e11 + cost.flops / 1e13;
        while (k < n && memcmp(&all[k].shape, &w.shape, sizeof w.shape)) k++;
        if (k < n) all[k].seconds += w.seconds;
        else if (n < MAX_WORK) all[n++] = w;
    }
    qsort(all, n, sizeof *all, most_work_first);
    for (uint32_t i = 0; i < n && i < room; i++) out[i] = all[i].shape;
    return n < room ? n : room;
}

/* ---- one shape ---- */

typedef struct tuner {
    weft_backend *b;
    const weft__tuning *tuning;
    const weft_tune_desc *desc;
    weft_roof roof;
    double end; /* of the time there is */
    bool late;
    weft__task task; /* counts shapes */
    weft_progress_sink sink, part; /* sink: the caller's; part: of one shape, which also ends what is late */
    const weft_tune_shape *shape;
    weft__tune_bench bench;
    char marked[WEFT_TUNE_TEXT]; /* the setting with a mark in the cache */
    bool has_mark;
    char why[256]; /* the last setting that was skipped was */
} tuner;

static weft_status keep(tuner *t, weft__setting_state state, const char *setting, const char *detail, weft_error *err)
{
    weft__setting s = { .state = state };
    snprintf(s.text, sizeof s.text, "%s", setting);
    snprintf(s.detail, sizeof s.detail, "%s", detail);
    return t->tuning->keep(t->b, t->shape, &s, err);
}

/* What is marked has come back. */
static weft_status drop_mark(tuner *t, weft_error *err)
{
    if (!t->has_mark) return WEFT_OK;
    t->has_mark = false;
    return keep(t, WEFT__SETTING_RIGHT, t->marked, "", err);
}

static bool next(void *ctx, const char *from, uint32_t i, char out[WEFT_TUNE_TEXT])
{
    const tuner *t = ctx;
    return t->tuning->next(t->b, t->shape, from, i, out);
}

static weft_status tell_wrong(tuner *t, const char *setting, const char *detail, weft_error *err)
{
    WEFT_TRY(keep(t, WEFT__SETTING_WRONG, setting, detail, err));
    if (t->desc->found_wrong)
        t->desc->found_wrong(t->desc->ctx, &(weft_tune_wrong){ t->shape, setting, detail });
    return WEFT_OK;
}

/* Its results, then a run of what will be timed, which must be the same kernel. */
static weft_status test_marked(tuner *t, const char *setting, weft__tune_verdict *v, char detail[96], weft_error *err)
{
    weft_kernel_choice tested, timed;
    bool right;
    double seconds;
    WEFT_TRY(weft__tune_test(t->b, t->shape, setting, &t->part, &right, detail, &tested, err));
    *v = right ? WEFT__TUNE_RIGHT : WEFT__TUNE_WRONG;
    if (!right) return WEFT_OK;
    WEFT_TRY(weft__tune_bench_choice(&t->bench, setting, &timed, err));
    if (timed.compiled != tested.compiled || strcmp(timed.name, tested.name)) {
        *v = WEFT__TUNE_SKIPPED;
        snprintf(t->why, sizeof t->why, "it runs another form of %.48s than what can be tested", timed.name);
        return WEFT_OK;
    }
    return weft__tune_bench_time(&t->bench, setting, &seconds, err);
}

static weft_status form_of(void *ctx, const char *setting, uint64_t *form, weft_error *err)
{
    const tuner *t = ctx;
    weft_kernel_choice c;
    WEFT_TRY(weft__tune_form(t->b, t->shape, setting, &t->part, &c, err));
    *form = c.compiled;
    for (const char *p = c.name; *p; p++) *form = (*form ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return WEFT_OK;
}

/* Not the kernel's fault. */
static bool has_no_room(weft_status s)
{
    return s == WEFT_LIMIT || s == WEFT_OOM || s == WEFT_SHAPE;
}

/* What a driver refuses is as good as wrong. The mark of what is right stays until the next test: it is timed now. */
static weft_status test(void *ctx, const char *setting, weft__tune_verdict *v, weft_error *err)
{
    tuner *t = ctx;
    weft_error why = { 0 };
    char detail[96] = "";
    WEFT_TRY(drop_mark(t, err));
    *v = WEFT__TUNE_WRONG;
    if (t->tuning->is_wrong(t->b, t->shape, setting)) return WEFT_OK;
    WEFT_TRY(keep(t, WEFT__SETTING_TRYING, setting, "", err));
    snprintf(t->marked, sizeof t->marked, "%s", setting);
    t->has_mark = true;
    const weft_status s = test_marked(t, setting, v, detail, &why);
    if (has_no_room(s)) {
        *v = WEFT__TUNE_SKIPPED;
        snprintf(t->why, sizeof t->why, "%.255s", why.text);
    }
    if (*v == WEFT__TUNE_SKIPPED) return drop_mark(t, err);
    if (!s && *v == WEFT__TUNE_RIGHT) return WEFT_OK;
    if (s != WEFT_CANCELLED) {
        *v = WEFT__TUNE_WRONG;
        t->has_mark = false;
        if (s) snprintf(detail, sizeof detail, "%.95s", why.text);
        WEFT_TRY(tell_wrong(t, setting, detail, err));
    }
    if (s != WEFT_CANCELLED && s != WEFT_DEVICE_LOST) return WEFT_OK;
    if (err) *err = why;
    return s;
}

static weft_status time_it(void *ctx, const char *setting, double *seconds, weft_error *err)
{
    tuner *t = ctx;
    const weft_status s = weft__tune_bench_time(&t->bench, setting, seconds, err);
    if (s == WEFT_DEVICE_LOST && tell_wrong(t, setting, "the device was lost while it was timed", NULL)) return s;
    return s;
}

/* The best one is kept; its kernel has been compared with the CPU, which need not be done again. */
static weft_status keep_best(tuner *t, const weft__tune_found *f, weft_kernel_choice *choice, weft_error *err)
{
    weft__setting s = { .state = WEFT__SETTING_BEST, .seconds = f->seconds, .row_seconds = f->row_seconds };
    memcpy(s.text, f->setting, sizeof s.text);
    WEFT_TRY(weft__tune_bench_choice(&t->bench, f->setting, choice, err));
    if (t->b->vt->judge && t->b->vt->verdict(t->b, choice) == WEFT_VERDICT_NONE)
        t->b->vt->judge(t->b, choice, WEFT_VERDICT_PASSED, "");
    return t->tuning->keep(t->b, t->shape, &s, err);
}

static void tell_skipped(const tuner *t, const char *why)
{
    if (t->desc->skipped) t->desc->skipped(t->desc->ctx, t->shape, why);
}

static weft_status tune_shape(tuner *t, weft_error *err)
{
    const weft__tune_world world = { t, next, form_of, test, time_it };
    weft__tune_found found;
    weft_kernel_choice choice = { .name = "" };
    weft_error why = { 0 };
    weft_status s = weft__tune_bench_open(&t->bench, t->b, t->shape, &t->roof, &t->part, &why);
    if (!s) s = weft__tune_search(&world, &found, &why);
    if (!s && !found.none) s = keep_best(t, &found, &choice, &why);
    weft__tune_bench_close(&t->bench);
    const weft_status dropped = drop_mark(t, s ? NULL : &why);
    if (!s) s = dropped;
    if (has_no_room(s)) {
        tell_skipped(t, why.text);
        return WEFT_OK;
    }
    if (s) {
        if (err) *err = why;
        return s;
    }
    if (found.none) {
        tell_skipped(t, found.skipped == found.tried ? t->why : "no setting's results are right");
        return WEFT_OK;
    }
    const weft_tune_result r = { t->shape, choice.name, found.setting, found.seconds, found.row_seconds, found.tried,
                                 found.wrong, found.skipped, false };
    if (t->desc->done) t->desc->done(t->desc->ctx, &r);
    return WEFT_OK;
}

/* ---- all ---- */

static bool in_time(void *ctx, const weft_progress *p)
{
    tuner *t = ctx;
    (void)p;
    t->late = t->end > 0 && weft__seconds() > t->end;
    return !t->late && !weft__task_reach(&t->task, t->task.at.done, NULL);
}

static bool tell_known(tuner *t)
{
    weft__setting s;
    if (t->desc->again || !t->tuning->kept(t->b, t->shape, &s)) return false;
    const weft_tune_result r = { t->shape, "", s.text, s.seconds, s.row_seconds, 0, 0, 0, true };
    if (t->desc->done) t->desc->done(t->desc->ctx, &r);
    return true;
}

static weft_status tune_all(tuner *t, const weft_tune_shape *shapes, uint32_t n, uint32_t *left, weft_error *err)
{
    WEFT_TRY(weft__task_begin(&t->task, &t->sink, "tuning", n, "shapes", err));
    for (uint32_t i = 0; i < n; i++) {
        t->shape = &shapes[i];
        if (t->end > 0 && weft__seconds() > t->end) t->late = true;
        if (!tell_known(t)) {
            const weft_status s = t->late ? WEFT_CANCELLED : tune_shape(t, err);
            if (s && !(s == WEFT_CANCELLED && t->late)) return s;
            *left += s != WEFT_OK;
        }
        WEFT_TRY(weft__task_reach(&t->task, i + 1, err));
    }
    return WEFT_OK;
}

weft_status weft_backend_tune(weft_backend *b, const weft_tune_shape *shapes, uint32_t n, const weft_tune_desc *desc,
                              uint32_t *left, weft_error *err)
{
    *left = 0;
    const weft__tuning *tuning = weft__tuning_of(b);
    if (!tuning) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: has nothing to tune", b->vt->name);
    for (uint32_t i = 0; i < n; i++) {
        const weft_tune_shape *s = &shapes[i];
        if (!s->rows || !s->columns || !s->tokens || s->type == WEFT_ANY || s->type >= WEFT_DTYPE_COUNT ||
            !s->heads != !s->groups || (s->heads && (s->heads % s->groups || s->tokens > s->rows)))
            return WEFT_FAIL(err, WEFT_INVALID, "shape %u to be tuned is none", i);
    }
    tuner *t = calloc(1, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "tuning");
    t->b = b;
    t->tuning = tuning;
    t->desc = desc;
    t->end = desc->seconds > 0 ? weft__seconds() + desc->seconds : 0;
    t->sink = desc->progress;
    t->part = (weft_progress_sink){ in_time, t };
    weft_status s = weft_backend_roof(b, ROOF_SECONDS, &t->sink, &t->roof, err);
    if (!s) s = tune_all(t, shapes, n, left, err);
    free(t);
    return s;
}

weft_status weft_backend_tuned(const weft_backend *b, const char *name, const weft_writer *w, weft_error *err)
{
    const weft__tuning *tuning = weft__tuning_of(b);
    if (!tuning) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: has nothing to tune", b->vt->name);
    return tuning->row(b, name, w, err);
}

uint32_t weft_backend_tuned_shapes(const weft_backend *b, uint32_t *changed)
{
    const weft__tuning *tuning = weft__tuning_of(b);
    *changed = 0;
    return tuning ? tuning->count(b, changed) : 0;
}
