/* selftest.c: kernels put to the test before a device is trusted with them.
 *
 * A backend names small graphs (probes); a probe runs step by step beside the CPU's plain scalar kernels
 * (weft_program_check), and each kernel that it uses gets a verdict. The backend keeps the verdicts and never chooses
 * again what has failed. A verdict is TESTING while the probe runs: where that is what a later process finds, the
 * kernel took its process or its device down. */
#include "backends/selftest.h"
#include "backends/names.h"
#include "backends/program.h"
#include "graph/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SUBJECTS = 512 };

/* A kernel that is tested now, in one compiled form: by every probe that uses it. */
typedef struct subject {
    char name[48], detail[160];
    uint64_t compiled;
    bool failed;
} subject;

typedef struct prober {
    weft_backend *b;
    const weft__schedule *wanted; /* only what it uses; NULL: everything */
    weft__task task;            /* counts probes */
    bool by_name;               /* in whatever form: the program has forms that no probe has */
    subject subjects[MAX_SUBJECTS];
    uint32_t n_subjects;
    weft_program *p; /* the probe */
    float *data;     /* of all its weights */
    int64_t n_data;
    unsigned char *blocks; /* of those in a format that is only read */
    const char *faults[WEFT_MAX_PROBE_NODES];
    char texts[WEFT_MAX_PROBE_NODES][160];
} prober;

/* ---- data ---- */

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)(*state & ~255u) * 0x1p-31f;
}

/* Bytes of which formats that are only read make numbers such as noise() gives: drawn until they do. */
static void draw_blocks(weft_dtype t, unsigned char *out, int64_t elements, uint32_t *state)
{
    enum { DRAWS = 20000 };
    const weft_dtype_info *info = weft_dtype_get(t);
    float values[256];
    for (int64_t i = 0; i < elements; i += info->block, out += info->bytes) {
        float most = 0;
        for (int draw = 0; draw < DRAWS && !(most > 0.25f && most < 4.0f); draw++) {
            for (uint32_t k = 0; k < info->bytes; k++) out[k] = (unsigned char)(128 + 128 * noise(state));
            weft__convert_row(t, out, WEFT_F32, values, info->block);
            most = 0;
            for (uint32_t k = 0; k < info->block; k++)
                most = fabsf(values[k]) <= most ? most : fabsf(values[k]); /* a NaN stays */
        }
    }
}

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    const prober *t = ctx;
    for (uint32_t i = 0; i < weft_graph_node_count(t->p->s->g); i++) {
        const weft_node *n = weft_graph_node(t->p->s->g, i);
        if (n->op != WEFT_OP_weight || strcmp(n->name, name)) continue;
        const weft_dims *dims = &weft_graph_value(t->p->s->g, n->out[0])->dims;
        *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = dims->rank, .data = t->data + n->id };
        weft_dims_resolve(t->p->s->g, dims, t->p->s->bounds, out->dims);
        out->bytes = sizeof(float);
        for (uint32_t k = 0; k < out->rank; k++) out->bytes *= (uint64_t)out->dims[k];
        if (weft_dtype_get(weft_graph_value(t->p->s->g, n->out[0])->dtype)->encodes) return WEFT_OK;
        out->dtype = weft_graph_value(t->p->s->g, n->out[0])->dtype;
        out->data = t->blocks;
        out->bytes = weft_value_bytes(t->p->s->g, n->out[0], t->p->s->bounds);
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "the probe has no weight '%s'", name);
}

/* One text for all weights of such a format: the probe has one at most. */
static weft_status make_blocks(prober *t, uint32_t *state, weft_error *err)
{
    int64_t most = 0;
    weft_dtype format = WEFT_ANY;
    for (uint32_t i = 0; i < weft_graph_node_count(t->p->s->g); i++) {
        const weft_node *n = weft_graph_node(t->p->s->g, i);
        weft_dtype type = weft_graph_value(t->p->s->g, n->out[0])->dtype;
        if (n->op != WEFT_OP_weight || weft_dtype_get(type)->encodes) continue;
        int64_t elements = weft_value_elements(t->p->s->g, n->out[0], t->p->s->bounds);
        format = type;
        most = elements > most ? elements : most;
    }
    uint64_t bytes;
    if (!most || !weft_dtype_row_bytes(format, most, &bytes)) return WEFT_OK;
    t->blocks = malloc(bytes);
    if (!t->blocks) return WEFT_OOM_FAIL(err, "a self-test");
    draw_blocks(format, t->blocks, most, state);
    return WEFT_OK;
}

static weft_status make_weights(prober *t, weft_error *err)
{
    uint32_t state = 1;
    t->n_data = 1;
    for (uint32_t v = 1; v < weft_graph_value_limit(t->p->s->g); v++) {
        if (!weft_graph_value(t->p->s->g, (weft_ref){ v })) continue;
        int64_t n = weft_value_elements(t->p->s->g, (weft_ref){ v }, t->p->s->bounds);
        if (n > t->n_data) t->n_data = n;
    }
    t->n_data += weft_graph_node_limit(t->p->s->g);
    t->data = malloc((size_t)t->n_data * sizeof *t->data);
    if (!t->data) return WEFT_OOM_FAIL(err, "a self-test");
    for (int64_t i = 0; i < t->n_data; i++) t->data[i] = noise(&state);
    return make_blocks(t, &state, err);
}

/* Integers count up (every index once), numbers are noise. */
static weft_status write_input(prober *t, const weft_node *n, weft_error *err)
{
    const weft_value *v = weft_graph_value(t->p->s->g, n->out[0]);
    int64_t count = weft_value_elements(t->p->s->g, n->out[0], t->p->s->bounds);
    uint64_t bytes = weft_value_bytes(t->p->s->g, n->out[0], t->p->s->bounds);
    void *data = malloc(bytes);
    bool ok = data != NULL;
    if (ok && v->dtype == WEFT_I32)
        for (int64_t i = 0; i < count; i++) ((int32_t *)data)[i] = (int32_t)i;
    else if (ok) ok = weft__convert_row(WEFT_F32, t->data + n->id, v->dtype, data, count);
    weft_status s = !ok ? WEFT_OOM_FAIL(err, "a self-test")
                        : weft_program_write(t->p, n->out[0], 0, data, bytes, err);
    free(data);
    return s;
}

/* ---- one probe ---- */

static const weft_kernel_choice *choice_of(const weft_program *p, uint32_t i)
{
    const weft_kernel_choice *c = &p->s->choices[p->s->plan->steps[i].node];
    return c->kernel ? c : NULL;
}

static bool same_form(const weft_kernel_choice *a, const weft_kernel_choice *b)
{
    return a->compiled == b->compiled && !strcmp(a->name, b->name);
}

static subject *find_subject(prober *t, const weft_kernel_choice *c)
{
    for (uint32_t i = 0; i < t->n_subjects; i++)
        if (t->subjects[i].compiled == c->compiled && !strcmp(t->subjects[i].name, c->name)) return &t->subjects[i];
    return NULL;
}

static bool is_wanted(const prober *t, const weft_kernel_choice *c)
{
    if (t->b->vt->verdict(t->b, c) != WEFT_VERDICT_NONE) return false;
    if (!t->wanted) return true;
    for (uint32_t i = 0; i < weft_graph_node_count(t->wanted->g); i++) {
        const weft_kernel_choice *other = &t->wanted->choices[weft_graph_node(t->wanted->g, i)->id];
        if (!other->kernel || strcmp(other->name, c->name)) continue;
        bool unknown = t->by_name && t->b->vt->verdict(t->b, other) == WEFT_VERDICT_NONE;
        if (unknown || other->compiled == c->compiled) return true;
    }
    return false;
}

/* The subject that step i tests, if it is the first of the probe's steps to do so. */
static subject *subject_of(prober *t, uint32_t i)
{
    const weft_kernel_choice *c = choice_of(t->p, i);
    for (uint32_t k = 0; k < i && c; k++) {
        const weft_kernel_choice *before = choice_of(t->p, k);
        if (before && same_form(before, c)) return NULL;
    }
    subject *known = c ? find_subject(t, c) : NULL;
    if (known || !c || t->n_subjects == MAX_SUBJECTS || !is_wanted(t, c)) return known;
    subject *s = &t->subjects[t->n_subjects++];
    snprintf(s->name, sizeof s->name, "%s", c->name);
    s->compiled = c->compiled;
    return s;
}

static bool note_fault(void *ctx, const weft_check_node *c)
{
    prober *t = ctx;
    char name[80];
    for (uint32_t i = 0; i < t->p->s->plan->n_steps && c->failed; i++) {
        if (t->p->s->plan->steps[i].node != c->node) continue;
        snprintf(t->texts[i], sizeof t->texts[i], "%s: max error %.3g, tolerance %.3g, %llu NaN, %llu infinite",
                 weft__node_text(weft_graph_node_by_id(t->p->s->g, c->node), name, sizeof name), c->max_error,
                 c->tolerance, (unsigned long long)c->n_nan, (unsigned long long)c->n_inf);
        t->faults[i] = t->texts[i];
    }
    return true;
}

static weft_status run_probe(prober *t, weft_error *err)
{
    weft_weight_source source = { t, find_weight };
    weft_weights *weights;
    WEFT_TRY(make_weights(t, err));
    WEFT_TRY(weft_weights_create(&source, 1, &weights, err));
    weft_status s = weft_program_load(t->p, weights, NULL, err);
    for (uint32_t i = 0; i < weft_graph_node_count(t->p->s->g) && !s; i++) {
        const weft_node *n = weft_graph_node(t->p->s->g, i);
        if (n->op == WEFT_OP_input) s = write_input(t, n, err);
    }
    if (!s) s = weft_program_check(t->p, &source, note_fault, t, err);
    weft__program_unload(t->p);
    weft_weights_destroy(weights);
    return s;
}

static const char *fault_of(const prober *t, const weft_kernel_choice *tested)
{
    for (uint32_t i = 0; i < t->p->s->plan->n_steps; i++) {
        const weft_kernel_choice *c = choice_of(t->p, i);
        if (c && same_form(c, tested) && t->faults[i]) return t->faults[i];
    }
    return NULL;
}

static void judge(prober *t, subject *s, const weft_kernel_choice *c, const char *fault)
{
    if (fault) snprintf(s->detail, sizeof s->detail, "%.159s", fault);
    s->failed = s->failed || fault;
    t->b->vt->judge(t->b, c, s->failed ? WEFT_VERDICT_FAILED : WEFT_VERDICT_PASSED, s->detail);
}

/* What fails with an error that is not the machine's (memory) or the caller's condemns all kernels of the probe. */
static weft_status try_probe(prober *t, weft_error *err)
{
    subject *subjects[WEFT_MAX_PROBE_NODES] = { NULL };
    uint32_t n = t->p->s->plan->n_steps, found = 0;
    if (n > WEFT_MAX_PROBE_NODES) return WEFT_FAIL(err, WEFT_INTERNAL, "a probe has %u steps", n);
    for (uint32_t i = 0; i < n; i++) found += (subjects[i] = subject_of(t, i)) != NULL;
    if (!found) return WEFT_OK;
    for (uint32_t i = 0; i < n; i++)
        if (subjects[i]) t->b->vt->judge(t->b, choice_of(t->p, i), WEFT_VERDICT_TESTING, "");
    weft_error fault = { 0 };
    memset(t->faults, 0, sizeof t->faults);
    weft_status s = run_probe(t, &fault);
    bool machine = s == WEFT_OOM || s == WEFT_LIMIT || s == WEFT_CANCELLED;
    for (uint32_t i = 0; i < n; i++) {
        if (!subjects[i]) continue;
        const weft_kernel_choice *c = choice_of(t->p, i);
        if (machine) t->b->vt->judge(t->b, c, WEFT_VERDICT_NONE, "");
        else judge(t, subjects[i], c, s ? fault.text : fault_of(t, c));
    }
    if (!machine && s != WEFT_DEVICE_LOST) return WEFT_OK;
    if (err) *err = fault;
    return s == WEFT_CANCELLED ? s : weft__annotate(err, s, "self-test");
}

static weft_status probe(prober *t, const char *text, weft_error *err)
{
    weft_graph *g;
    WEFT_TRY(weft_graph_parse(text, strlen(text), "probe", NULL, &g, err));
    weft_program_desc desc = { .devices = &t->b, .n_devices = 1, .exact = t->wanted && t->wanted->exact,
                               .deterministic = t->wanted && t->wanted->deterministic,
                               .as_built = true, .keep = true, .progress = weft__task_part(&t->task) };
    weft_status s = weft__program_create_untested(g, &desc, &t->p, err);
    if (s == WEFT_UNSUPPORTED) s = WEFT_OK; /* no kernel is left: nothing to be tested */
    else if (!s) s = try_probe(t, err);
    weft_program_destroy(t->p);
    weft_graph_destroy(g);
    free(t->data);
    free(t->blocks);
    t->p = NULL;
    t->data = NULL;
    t->blocks = NULL;
    return s;
}

/* Whether a schedule has forms of kernels on a device that nothing is known of. */
static bool has_unknown(const weft__schedule *sch, const weft_backend *b)
{
    for (uint32_t i = 0; i < weft_graph_node_count(sch->g); i++) {
        uint32_t id = weft_graph_node(sch->g, i)->id;
        if (sch->devices[sch->device_of[id]] == b && sch->choices[id].kernel &&
            b->vt->verdict(b, &sch->choices[id]) == WEFT_VERDICT_NONE)
            return true;
    }
    return false;
}

/* All probes for the forms that the program has; if that leaves some unknown, all for the kernels that have them. */
static weft_status probe_all(prober *t, const weft_progress_sink *progress, weft_error *err)
{
    uint32_t n = 0, passes = t->wanted ? 2 : 1;
    while (t->b->vt->probe(t->b, n)) n++;
    WEFT_TRY(weft__task_begin(&t->task, progress, "testing kernels", passes * n, "tests", err));
    for (uint32_t i = 0; i < passes * n; i++) {
        t->by_name = i >= n;
        if (!t->by_name || has_unknown(t->wanted, t->b)) WEFT_TRY(probe(t, t->b->vt->probe(t->b, i % n), err));
        WEFT_TRY(weft__task_reach(&t->task, i + 1, err));
    }
    return WEFT_OK;
}

/* ---- for programs, for users ---- */

/* What no probe reaches is trusted, unless the backend knows better. Whether all was. */
static bool trust_the_rest(const weft__schedule *sch, weft_backend *b, uint32_t d)
{
    bool trusted = true;
    for (uint32_t i = 0; i < weft_graph_node_count(sch->g); i++) {
        uint32_t id = weft_graph_node(sch->g, i)->id;
        const weft_kernel_choice *c = &sch->choices[id];
        if (sch->device_of[id] != d || !c->kernel || b->vt->verdict(b, c) != WEFT_VERDICT_NONE) continue;
        b->vt->judge(b, c, WEFT_VERDICT_UNTESTED, "");
        trusted = trusted && b->vt->verdict(b, c) != WEFT_VERDICT_FAILED;
    }
    return trusted;
}

weft_status weft__selftest(const weft__schedule *sch, const weft_program_desc *desc, bool *failed, weft_error *err)
{
    *failed = false;
    for (uint32_t d = 0; d < sch->n_devices; d++) {
        weft_backend *b = desc->devices[d];
        if (!b->vt->probe || !has_unknown(sch, b)) continue;
        prober *t = calloc(1, sizeof *t);
        if (!t) return WEFT_OOM_FAIL(err, "a self-test");
        t->b = b;
        t->wanted = sch;
        weft_status s = probe_all(t, &desc->progress, err);
        for (uint32_t i = 0; i < t->n_subjects; i++) *failed = *failed || t->subjects[i].failed;
        free(t);
        if (s == WEFT_OOM || s == WEFT_LIMIT) continue; /* no room to test in: loading says so, with its own numbers */
        if (s) return s;
        *failed = !trust_the_rest(sch, b, d) || *failed;
    }
    return WEFT_OK;
}

/* Once by its name: what is wrong with one of its forms is what a user wants to know. */
static void report_kernel(const prober *t, uint32_t i, weft_self_test_fn *report, void *ctx)
{
    const subject *s = &t->subjects[i], *worst = s;
    for (uint32_t k = 0; k < i; k++)
        if (!strcmp(t->subjects[k].name, s->name)) return;
    for (uint32_t k = i; k < t->n_subjects && !worst->failed; k++)
        if (!strcmp(t->subjects[k].name, s->name) && t->subjects[k].failed) worst = &t->subjects[k];
    report(ctx, s->name, !worst->failed, worst->detail);
}

weft_status weft_backend_self_test(weft_backend *b, weft_self_test_fn *report, void *ctx,
                                   const weft_progress_sink *progress, weft_error *err)
{
    if (!b->vt->probe) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: has no self-test", b->vt->name);
    prober *t = calloc(1, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a self-test");
    t->b = b;
    b->vt->judge(b, NULL, WEFT_VERDICT_NONE, "");
    weft_status s = probe_all(t, progress, err);
    for (uint32_t i = 0; i < t->n_subjects && s != WEFT_CANCELLED; i++) report_kernel(t, i, report, ctx);
    free(t);
    return s;
}
