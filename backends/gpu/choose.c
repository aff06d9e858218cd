/* choose.c: see choose.h. Nothing is run for that. */
#include "backends/gpu/choose.h"
#include "backends/gpu/weights.h"

#include <stdio.h>
#include <string.h>

static void dense_tensor(const weft_kernel_query *q, weft_ref r, weft_layout layout, gpu_tensor *t)
{
    const weft_value *v = weft_graph_value(q->g, r);
    *t = (gpu_tensor){ .dtype = v->dtype, .layout = layout, .rank = v->dims.rank, .dims = v->dims, .n_parts = 1 };
    weft_dims_resolve(q->g, &v->dims, q->bounds, t->dim);
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= t->dim[i]) t->stride[i] = stride;
}

/* Whether every tensor can be bound; weights are cut into parts for that. */
static bool bindable(const gpu_caps *f, const weft_kernel_query *q, weft_ref r, gpu_tensor *t)
{
    const weft_value *v = weft_graph_value(q->g, r);
    if (weft_graph_node_by_id(q->g, v->node)->op != WEFT_OP_weight)
        return weft_value_bytes(q->g, r, q->bounds) <= f->max_binding;
    t->n_parts = gpu_weight_parts(f, t->layout, t->dtype, t->rank, t->dim, NULL);
    return t->n_parts > 0;
}

/* "matvec/q8_0": the matrix's type is what users ask about. */
static void name_choice(const weft_kernel_query *q, const gpu_kernel *k, char *out, size_t size)
{
    bool cached = q->node->op == WEFT_OP_attention; /* there it is the cache's type */
    const char *type = cached ? weft_dtype_get(weft_graph_value(q->g, q->node->in[1])->dtype)->name : NULL;
    for (uint32_t i = 0; i < q->node->n_in && !type; i++) {
        const weft_value *v = weft_graph_value(q->g, q->node->in[i]);
        if (v->dims.rank >= 2 && weft_graph_node_by_id(q->g, v->node)->op == WEFT_OP_weight)
            type = weft_dtype_get(v->dtype)->name;
    }
    snprintf(out, size, "%s%s%s", k->name, type ? "/" : "", type ? type : "");
}

/* A number for all pipelines that a call's launches need. Tensors are dense here, which what runs later may not be. */
static uint64_t compiled(const gpu_kernel *k, const gpu_call *c)
{
    uint64_t h = 14695981039346656037u;
    uint32_t n = k->launches ? k->launches(c) : 1, last[3 + WEFT_MAX_SPECS] = { 0 };
    for (uint32_t i = 0, words = 0; i < n && i < 16; i++) {
        gpu_launch l = { 0 };
        k->launch(c, i, &l);
        uint32_t key[3 + WEFT_MAX_SPECS] = { l.shader, l.subgroup, l.n_specs };
        memcpy(key + 3, l.spec, l.n_specs * sizeof *l.spec);
        if (i && !memcmp(key, last, sizeof key)) continue; /* parts of a weight are alike, however many there are */
        memcpy(last, key, sizeof key);
        for (words = 0; words < 3 + l.n_specs; words++) h = (h ^ key[words]) * 1099511628211u;
    }
    return h;
}

bool gpu_named(const char *list, const char *name)
{
    char item[80];
    size_t n = strlen(name);
    if (n + 3 > sizeof item) return false;
    item[0] = '+';
    memcpy(item + 1, name, n);
    strcpy(item + 1 + n, "+");
    return strstr(list, item) != NULL;
}

typedef struct candidate {
    const gpu_rules *rules;
    const weft_kernel_query *q;
    const gpu_call *call;
} candidate;

/* Named by the option `without`, or failed in the self-test. */
static bool is_disabled(const void *ctx, const gpu_kernel *k)
{
    const candidate *c = ctx;
    const gpu_verdicts *v = c->rules->verdicts;
    char name[48];
    name_choice(c->q, k, name, sizeof name);
    if (gpu_named(c->rules->without, k->name)) return true;
    return v && gpu_verdicts_failed(v, name, 0) && gpu_verdicts_failed(v, name, compiled(k, c->call));
}

weft_place_reason gpu_choose(const gpu_rules *rules, const weft_kernel_query *q, weft_kernel_choice *out)
{
    const gpu_caps *f = rules->caps;
    gpu_tensor in[WEFT_MAX_INPUTS], result[WEFT_MAX_OUTPUTS];
    bool fits = true;
    for (uint32_t i = 0; i < q->node->n_in; i++) {
        dense_tensor(q, q->node->in[i], q->layouts ? q->layouts[i] : GPU_LAYOUT_PLAIN, &in[i]);
        fits = bindable(f, q, q->node->in[i], &in[i]) && fits;
    }
    for (uint32_t i = 0; i < q->node->n_out; i++) {
        dense_tensor(q, q->node->out[i], GPU_LAYOUT_PLAIN, &result[i]);
        fits = bindable(f, q, q->node->out[i], &result[i]) && fits;
    }
    if (!fits) return WEFT_PLACE_LIMIT;
    gpu_call call = { .caps = f, .in = in, .out = result, .n_in = q->node->n_in, .n_out = q->node->n_out,
                      .op = q->node->op, .attrs = &q->node->attrs, .exact = q->exact,
                      .deterministic = q->deterministic };
    weft_place_reason why;
    const candidate disabled = { rules, q, &call };
    call.caps = gpu_tuned_caps(rules->tuned, f, &call);
    const gpu_kernel *better, *k = gpu_kernel_find(&call, is_disabled, &disabled, &why, &better);
    if ((!k || better) && call.caps != f) { /* what the row says may still be right */
        call.caps = f;
        k = gpu_kernel_find(&call, is_disabled, &disabled, &why, &better);
    }
    if (!k) return why;
    *out = (weft_kernel_choice){ .kernel = gpu_tuned_kernel(rules->tuned, f, call.caps, k), .inplace = k->inplace,
                                 .arithmetic = k->arithmetic,
                                 .scratch_bytes = k->scratch ? k->scratch(&call) : 0,
                                 .launches = k->launches ? k->launches(&call) : 1,
                                 .variant = k->variant ? k->variant(&call) : 0,
                                 .compiled = compiled(k, &call),
                                 .instead_of = better ? better->name : NULL };
    name_choice(q, k, out->name, sizeof out->name);
    memset(out->needs, k->need, sizeof out->needs);
    return WEFT_PLACE_REQUESTED;
}

bool gpu_joins(const weft_kernel_choice *const *launch, uint32_t n, const weft_kernel_choice *next)
{
    const gpu_kernel *k = next->kernel;
    if (!k || n >= k->jobs || next->launches != 1) return false;
    for (uint32_t i = 0; i < n; i++)
        if (launch[i]->kernel != k || launch[i]->variant != next->variant || launch[i]->launches != 1) return false;
    return true;
}
