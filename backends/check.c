/* check.c: a program beside its reference, step by step.
 *
 * The reference is the same scheduled graph on the CPU's plain scalar kernels with float32 activations. Before a step
 * of the program runs, the values it reads are copied into the reference; then both run it and the results are
 * compared. Errors therefore do not add up from step to step: the step that is wrong is the one that is named. What a
 * kernel of whole-number products makes of its activations the reference is given (check_int8.c). */
#include "backends/program.h"
#include "graph/convert.h"
#include "graph/rewrite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct checker {
    weft_program *p, *ref;
    weft_backend *cpu;
    weft_weights *weights;
    weft_weight_source source;
    unsigned char *a, *b; /* bytes of one value, from the program and from the reference */
    float *x, *y;         /* the same as numbers */
    bool rounded;         /* the reference of this step was given activations of 8 bits */
    bool spoilt;          /* a result that is no number has been reported */
} checker;

/* The program's graph, where norms that a product makes itself and then rounds to 8 bits stand by themselves: their
 * results are rounded between the two. */
static weft_status reference_graph(const weft_program *p, weft_graph **out, weft_error *err)
{
    WEFT_TRY(weft_graph_clone(p->s->g, out, err));
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < weft_graph_node_count(p->s->g) && !s; i++) {
        const weft_node *n = weft_graph_node(p->s->g, i);
        weft_ref own = { 0 };
        if (weft__norms_input(n) && weft__rounds_to_int8(p, n)) s = weft__rewrite_part_norm(*out, n->id, &own, err);
    }
    if (!s) s = weft__rewrite_finish(*out, err);
    if (s) weft_graph_destroy(*out);
    return s;
}

static weft_status create(checker *c, const weft_weight_source *source, weft_error *err)
{
    WEFT_TRY(weft_backend_open("cpu,isa=scalar", &c->cpu, err));
    WEFT_TRY(weft_weights_create(source, source != NULL, &c->weights, err));
    uint32_t n = weft_graph_extent_count(c->p->s->g);
    weft_bound bounds[WEFT_MAX_EXTENTS];
    for (uint32_t i = 0; i < n; i++)
        bounds[i] = (weft_bound){ weft_graph_extent(c->p->s->g, i + 1, NULL), (uint32_t)c->p->s->bounds[i] };
    weft_program_desc desc = { .devices = &c->cpu, .n_devices = 1, .bounds = bounds, .n_bounds = n, .exact = true,
                               .as_built = true, .progress = c->p->progress };
    weft_graph *g;
    WEFT_TRY(reference_graph(c->p, &g, err));
    weft_status s = weft__program_create_untested(g, &desc, &c->ref, err);
    weft_graph_destroy(g);
    WEFT_TRY(s);
    WEFT_TRY(weft_program_load(c->ref, c->weights, NULL, err));
    memcpy(c->ref->extents, c->p->extents, sizeof c->p->extents);
    uint64_t largest = 1, elements = 1;
    for (uint32_t v = 1; v < weft_graph_value_limit(c->p->s->g); v++) {
        const weft_value *value = weft_graph_value(c->p->s->g, (weft_ref){ v });
        if (!value || c->p->s->plan->slots[v].storage == WEFT_STORAGE_NONE) continue;
        uint64_t bytes = weft_value_bytes(c->p->s->g, (weft_ref){ v }, c->p->s->bounds);
        uint64_t count = (uint64_t)weft_value_elements(c->p->s->g, (weft_ref){ v }, c->p->s->bounds);
        if (weft_graph_node_by_id(c->p->s->g, value->node)->op == WEFT_OP_weight) continue;
        if (bytes > largest) largest = bytes;
        if (count > elements) elements = count;
    }
    c->a = malloc(largest);
    c->b = malloc(largest);
    c->x = malloc(elements * sizeof *c->x);
    c->y = malloc(elements * sizeof *c->y);
    return c->a && c->b && c->x && c->y ? WEFT_OK : WEFT_OOM_FAIL(err, "a check");
}

static void destroy(checker *c)
{
    weft_program_destroy(c->ref);
    weft_weights_destroy(c->weights);
    weft_backend_close(c->cpu);
    free(c->a);
    free(c->b);
    free(c->x);
    free(c->y);
}

static weft_status copy_inputs(checker *c, const weft_node *n, weft_error *err)
{
    c->rounded = weft__rounds_to_int8(c->p, n);
    for (uint32_t i = 0; i < n->n_in; i++) {
        weft_ref r = weft__behind_views(c->p->s->g, n->in[i]);
        weft_op op = weft__maker(c->p->s->g, r)->op;
        if (op == WEFT_OP_weight || op == WEFT_OP_constant) continue;
        uint64_t bytes = weft_value_bytes(c->p->s->g, r, c->p->s->bounds);
        WEFT_TRY(weft_program_read(c->p, r, 0, c->a, bytes, err));
        if (i == 0 && c->rounded && !weft__norms_input(n)) weft__round_to_int8(c->p, n->in[0], c->a);
        WEFT_TRY(weft_program_write(c->ref, r, 0, c->a, bytes, err));
    }
    return WEFT_OK;
}

static weft_status run_reference_node(checker *c, uint32_t node, weft_error *err)
{
    for (uint32_t i = 0; i < c->ref->s->plan->n_steps; i++)
        if (c->ref->s->plan->steps[i].node == node) return weft_program_run_step(c->ref, i, err);
    return WEFT_FAIL(err, WEFT_INTERNAL, "the reference has no step for node %u", node);
}

static weft_status round_result(checker *c, weft_ref r, weft_error *err)
{
    uint64_t bytes = weft_value_bytes(c->ref->s->g, r, c->ref->s->bounds);
    WEFT_TRY(weft_program_read(c->ref, r, 0, c->b, bytes, err));
    weft__round_to_int8(c->ref, r, c->b);
    return weft_program_write(c->ref, r, 0, c->b, bytes, err);
}

/* What the reference alone has before the inputs of a node runs first: copies, and parts of a product. */
static weft_status run_missing(checker *c, const weft_node *mine, weft_error *err)
{
    const weft_graph *g = c->ref->s->g;
    for (uint32_t i = 0; i < mine->n_in; i++) {
        const weft_node *from = weft__maker(g, weft__behind_views(g, mine->in[i]));
        if (weft_op_get(from->op)->traits & WEFT_TRAIT_SOURCE || weft_graph_node_by_id(c->p->s->g, from->id)) continue;
        WEFT_TRY(run_missing(c, from, err));
        WEFT_TRY(run_reference_node(c, from->id, err));
        if (from->op == WEFT_OP_rms_norm && c->rounded) WEFT_TRY(round_result(c, from->out[0], err));
    }
    return WEFT_OK;
}

static weft_status run_reference(checker *c, const weft_node *n, weft_error *err)
{
    const weft_graph *g = c->ref->s->g;
    const weft_node *mine = weft_graph_node_by_id(g, n->id);
    if (n->op == WEFT_OP_transfer) { /* on one device it is a copy of bytes */
        uint64_t bytes = weft_value_bytes(g, n->out[0], c->p->s->bounds);
        WEFT_TRY(weft_program_read(c->ref, n->in[0], 0, c->b, bytes, err));
        return weft_program_write(c->ref, n->out[0], 0, c->b, bytes, err);
    }
    WEFT_TRY(run_missing(c, mine, err));
    return run_reference_node(c, n->id, err);
}

/* Whether the step runs on a processor as such, whose division is exact. */
static bool is_on_cpu(const checker *c, const weft_node *n)
{
    weft_device_info info;
    weft_backend_info(c->p->devices[c->p->s->device_of[n->id]], &info);
    return info.type == WEFT_DEVICE_CPU;
}

/* How far a result may be from the reference, by the kernel's arithmetic (activations rounded to int8, bf16 or f16;
 * float32 in another order of summation) and by what it stores. Relative to the size of the reference's values, so
 * that lengths of sums need no term: what rounds each factor is relative to the sum's size at any length, and float32's
 * own error grows with the root of the length, to 4e-6 of that size over 4,096 products and 6e-5 over 262,144. */
static double tolerance(const checker *c, const weft_node *n, weft_dtype out, double rms, double largest)
{
    if (out == WEFT_I32) return 0.0;
    const weft_dtype_info *type = weft_dtype_get(out);
    const double own = out == WEFT_F16    ? 1e-3 * largest
                       : out == WEFT_BF16 ? 8e-3 * largest
                                          : 2e-4 * rms + 2e-5 * largest;
    /* a step: what lies half-way may go to the other side where a device rounds products otherwise */
    if (type->class_ == WEFT_DTYPE_BLOCK)
        return is_on_cpu(c, n) ? 0.0 : 2 * largest / (ldexp(1, (int)type->bits) - type->minimum);
    switch (c->p->s->choices[n->id].arithmetic) {
    case WEFT_ARITH_INT8:
        if (!c->rounded) return 0.1 * rms;
        /* a GPU's division may be off in the last bits: what lies half-way goes to the other side */
        return is_on_cpu(c, n) ? own : own + 0.01 * rms;
    case WEFT_ARITH_BF16:
        return 0.05 * rms;
    case WEFT_ARITH_F16_MATRIX:
        return 0.01 * rms;
    case WEFT_ARITH_F32:
        break;
    }
    return own;
}

static bool as_numbers(weft_dtype t, const void *bytes, int64_t n, float *out)
{
    if (t == WEFT_I32) {
        const int32_t *v = bytes;
        for (int64_t i = 0; i < n; i++) out[i] = (float)v[i];
        return true;
    }
    return weft__convert_row(t, bytes, WEFT_F32, out, n);
}

/* Walks the part of the value that this run made (extents below their bounds leave gaps). */
static void compare(const checker *c, weft_ref r, weft_check_node *out)
{
    const weft_value *v = weft_graph_value(c->p->s->g, r);
    int64_t bound[WEFT_MAX_RANK] = { 0 }, dim[WEFT_MAX_RANK] = { 0 }, index[WEFT_MAX_RANK] = { 0 };
    weft_dims_resolve(c->p->s->g, &v->dims, c->p->s->bounds, bound);
    weft_dims_resolve(c->p->s->g, &v->dims, c->p->extents, dim);
    uint32_t rank = v->dims.rank;
    double sum = 0.0, squares = 0.0;
    for (bool more = true; more;) {
        int64_t at = 0;
        for (uint32_t i = 0; i < rank; i++) at = at * bound[i] + index[i];
        double x = c->x[at], y = c->y[at];
        out->n_values++;
        out->n_not_finite += isnan(c->x[at]) || c->x[at] == INFINITY;
        if (isfinite(y) && isnan(x)) out->n_nan++;
        else if (isfinite(y) && isinf(x)) out->n_inf++;
        else if (!isfinite(y) && x != y && !(isnan(x) && isnan(y))) out->max_error = INFINITY;
        else if (isfinite(y)) {
            double e = fabs(x - y);
            sum += e;
            squares += y * y;
            if (e > out->max_error) out->max_error = e;
            if (fabs(y) > out->tolerance) out->tolerance = fabs(y); /* for now: the largest reference value */
        }
        more = false;
        for (uint32_t i = rank; i-- > 0 && !more;) {
            if (++index[i] < dim[i]) more = true;
            else index[i] = 0;
        }
    }
    out->mean_error = sum / (double)out->n_values;
    out->rms = sqrt(squares / (double)out->n_values);
}

/* Whether a row of k elements holds what is no number. */
static bool is_row_spoilt(const unsigned char *row, weft_dtype t, int64_t k)
{
    enum { PIECE = 1024 };
    float piece[PIECE];
    uint64_t step = 0;
    (void)weft_dtype_row_bytes(t, PIECE, &step);
    for (int64_t at = 0; at < k; at += PIECE, row += step) {
        int64_t n = k - at < PIECE ? k - at : PIECE;
        if (!weft__convert_row(t, row, WEFT_F32, piece, n)) return false;
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(piece[i])) return true;
    }
    return false;
}

/* Whether a weight does, as the type that it is stored in. What cannot be read does not. */
static bool is_spoilt(const checker *c, const weft_node *weight)
{
    weft_weight_data w = { 0 };
    weft_dtype stored = weft_graph_value(c->p->s->g, weight->out[0])->dtype;
    uint64_t bytes;
    if (!c->source.find || c->source.find(c->source.ctx, weight->name, &w, NULL)) return false;
    int64_t rows = 1, k = w.rank ? w.dims[w.rank - 1] : 1;
    for (uint32_t i = 0; i + 1 < w.rank; i++) rows *= w.dims[i];
    if (!weft__converts(w.dtype, stored) || !weft_dtype_row_bytes(stored, k, &bytes)) return false;
    void *room = malloc(bytes + 1);
    bool spoilt = false;
    for (int64_t i = 0; room && i < rows && !spoilt; i++)
        spoilt = is_row_spoilt(weft__weight_rows(&w, i, 1, stored, room), stored, k);
    free(room);
    return spoilt;
}

static const char *find_spoilt_weight(const checker *c, const weft_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        const weft_node *from = weft__maker(c->p->s->g, weft__behind_views(c->p->s->g, n->in[i]));
        if (from->op == WEFT_OP_weight && is_spoilt(c, from)) return from->name;
    }
    return NULL;
}

static weft_status compare_output(checker *c, const weft_node *n, uint32_t k, weft_check_node *out, weft_error *err)
{
    weft_ref r = n->out[k];
    const weft_value *v = weft_graph_value(c->p->s->g, r);
    uint64_t bytes = weft_value_bytes(c->p->s->g, r, c->p->s->bounds);
    int64_t elements = weft_value_elements(c->p->s->g, r, c->p->s->bounds);
    WEFT_TRY(weft_program_read(c->p, r, 0, c->a, bytes, err));
    WEFT_TRY(weft_program_read(c->ref, r, 0, c->b, bytes, err));
    if (!as_numbers(v->dtype, c->a, elements, c->x) || !as_numbers(v->dtype, c->b, elements, c->y))
        return WEFT_FAIL(err, WEFT_INTERNAL, "values of type %s cannot be compared", weft_dtype_get(v->dtype)->name);
    *out = (weft_check_node){ .node = n->id, .output = k };
    compare(c, r, out);
    if (out->n_not_finite && !c->spoilt) out->weight = find_spoilt_weight(c, n);
    c->spoilt = c->spoilt || out->n_not_finite;
    out->tolerance = tolerance(c, n, v->dtype, out->rms, out->tolerance);
    out->failed = out->max_error > out->tolerance || out->n_nan || out->n_inf;
    return WEFT_OK;
}

static weft_status check_steps(checker *c, bool (*report)(void *, const weft_check_node *), void *ctx, weft_error *err)
{
    bool going = true;
    weft__task task;
    WEFT_TRY(weft__task_begin(&task, &c->p->progress, "checking", c->p->s->plan->n_steps, "steps", err));
    for (uint32_t i = 0; i < c->p->s->plan->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(c->p->s->g, c->p->s->plan->steps[i].node);
        if (going) WEFT_TRY(copy_inputs(c, n, err));
        WEFT_TRY(weft_program_run_step(c->p, i, err));
        if (!going) continue; /* the program's own run goes on to its end */
        WEFT_TRY(run_reference(c, n, err));
        for (uint32_t k = 0; k < n->n_out && going; k++) {
            weft_check_node result;
            WEFT_TRY(compare_output(c, n, k, &result, err));
            going = report(ctx, &result);
        }
        WEFT_TRY(weft__task_reach(&task, i + 1, err));
    }
    return WEFT_OK;
}

weft_status weft_program_check(weft_program *p, const weft_weight_source *source,
                               bool (*report)(void *ctx, const weft_check_node *n), void *ctx, weft_error *err)
{
    WEFT_TRY(weft__program_check_idle(p, err));
    checker c = { .p = p };
    if (source) c.source = *source;
    weft_status s = create(&c, source, err);
    if (!s) s = check_steps(&c, report, ctx, err);
    destroy(&c);
    return s;
}
