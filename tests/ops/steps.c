/* steps.c: a program compared step by step. Before a step runs, what it is going to read is taken from the device; the
 * oracle computes the node from just that, so bounds are those of one op and nothing adds up. */
#include "subject_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct stepper {
    subject *s;
    const subject_way *way;
    weft_program *p;
    const weft_graph *g;
    int64_t extents[WEFT_MAX_EXTENTS];
    double *worst;
} stepper;

/* A value as the device has it. Views are the oracle's; weights and constants are known. */
static bool fetch(stepper *t, weft_ref r, ref_tensor *out)
{
    const weft_value *v = weft_graph_value(t->g, r);
    const weft_node *n = weft_graph_node_by_id(t->g, v->node);
    weft_error err;
    int64_t dim[WEFT_MAX_RANK], count;
    if (weft_op_get(n->op)->traits & WEFT_TRAIT_VIEW) {
        ref_tensor from;
        const ref_tensor *in[] = { &from };
        if (!fetch(t, n->in[0], &from)) return false;
        bool ok = ref_node(n, in, (ref_mode){ t->way->exact, t->s->half }, t->extents, out);
        ref_free(&from);
        return ok;
    }
    weft_dims_resolve(t->g, &v->dims, t->extents, dim);
    ref_alloc(out, v->dtype, v->dims.rank, dim);
    if (n->op == WEFT_OP_constant) {
        ref_decode(v->dtype, n->data, out->n, out->v);
        return true;
    }
    if (n->op == WEFT_OP_weight) {
        const subject_data *d = subject_find(t->s, n->name);
        if (d) memcpy(out->v, d->v, (size_t)out->n * sizeof *out->v);
        return d != NULL;
    }
    double *got = subject_read(t->p, r, t->extents, &count, &err);
    if (!got) return !subject_fault(t->s, t->way, "reading a step's input", &err);
    memcpy(out->v, got, (size_t)out->n * sizeof *out->v);
    free(got);
    return true;
}

static unsigned check_outputs(stepper *t, const weft_node *n, uint32_t step, const ref_tensor *want)
{
    unsigned faults = 0;
    weft_error err;
    int64_t count;
    for (uint32_t k = 0; k < n->n_out; k++) {
        char what[120];
        snprintf(what, sizeof what, "step %u, %s, node %u, result %u", step,
                 weft_op_get(n->op)->name, n->id, k);
        double *got = subject_read(t->p, n->out[k], t->extents, &count, &err);
        if (!got) return subject_fault(t->s, t->way, what, &err);
        faults += subject_compare_values(t->s, t->way, what, &want[k], got, t->worst);
        free(got);
    }
    return faults;
}

static unsigned run_step(stepper *t, uint32_t step)
{
    const weft_node *n = weft_graph_node_by_id(t->g, weft_program_plan(t->p)->steps[step].node);
    ref_tensor in[WEFT_MAX_INPUTS] = { 0 }, want[WEFT_MAX_OUTPUTS] = { 0 };
    const ref_tensor *list[WEFT_MAX_INPUTS];
    weft_error err;
    unsigned faults = 0;
    for (uint32_t i = 0; i < n->n_in && !faults; i++) {
        faults += !fetch(t, n->in[i], &in[i]);
        list[i] = &in[i];
    }
    if (!faults) faults += !ref_node(n, list, (ref_mode){ t->way->exact, t->s->half }, t->extents, want);
    if (!faults && weft_program_run_step(t->p, step, &err) != WEFT_OK)
        faults += subject_fault(t->s, t->way, "run_step", &err);
    if (!faults) faults += check_outputs(t, n, step, want);
    for (uint32_t i = 0; i < n->n_in; i++) ref_free(&in[i]);
    for (uint32_t k = 0; k < n->n_out; k++) ref_free(&want[k]);
    return faults;
}

unsigned subject_compare_steps(subject *s, const subject_way *way, double *worst)
{
    weft_error err;
    stepper t = { .s = s, .way = way, .worst = worst };
    weft_weights *weights = NULL;
    weft_weight_source source = subject_weights(s);
    const weft_program_desc desc = { .devices = &way->device,
                                     .n_devices = 1,
                                     .strict = true,
                                     .keep = true,
                                     .exact = way->exact,
                                     .as_built = way->as_built };
    unsigned faults = 0;
    if (weft_program_create(s->g, &desc, &t.p, &err) != WEFT_OK)
        return subject_fault(s, way, "create", &err);
    t.g = weft_program_graph(t.p);
    if (weft_weights_create(&source, 1, &weights, &err) != WEFT_OK ||
        weft_program_load(t.p, weights, NULL, &err) != WEFT_OK)
        faults += subject_fault(s, way, "load", &err);
    for (uint32_t r = 0; r < 2 && !faults; r++) {
        subject_extents(s, t.g, r, t.extents);
        if (subject_write(s, t.p, r, &err) != WEFT_OK)
            faults += subject_fault(s, way, "write", &err);
        for (uint32_t i = 0; i < weft_program_plan(t.p)->n_steps && !faults; i++)
            faults += run_step(&t, i);
    }
    weft_program_destroy(t.p);
    weft_weights_destroy(weights);
    return faults;
}
