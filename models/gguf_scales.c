/* gguf_scales.c: see gguf_scales.h. */
#include "models/gguf_scales.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/rewrite.h"

static const char ending[] = ".scale";

/* ---- names ---- */

/* "a.weight" and "a" with ".scale" for the ending. */
static bool name_scale(const char *name, char out[WEFT__TENSOR_NAME])
{
    const size_t n = strlen(name) - (weft__ends_with(name, ".weight") ? strlen(".weight") : 0);
    const int length = snprintf(out, WEFT__TENSOR_NAME, "%.*s%s", (int)n, name, ending);
    return length > 0 && length < WEFT__TENSOR_NAME;
}

static const weft__file_tensor *beside(const weft_model *m, const weft__file_tensor *t)
{
    char name[WEFT__TENSOR_NAME];
    return t && name_scale(t->name, name) ? weft__checkpoint_find(m->checkpoint, name) : NULL;
}

/* The factors of a weight of the graph; false: none. */
static bool find(const weft_model *m, const char *weight, weft__gguf_scale *out)
{
    weft__gguf_place p = { .form = WEFT__GGUF_SAME };
    const weft__file_tensor *t = weft__gguf_tensor(m, weight, 0), *second = weft__gguf_tensor(m, weight, 1);
    *out = (weft__gguf_scale){ .of = { beside(m, t), beside(m, second) }, .joined = second != NULL };
    if (!out->of[0] && !out->of[1]) return false;
    if (t->rank == 3) {
        out->experts = t->dims[0];
        out->each = t->dims[1];
    }
    if (m->arch && weft__gguf_place_of(m->arch, weight, &p)) out->turns = p.form == WEFT__GGUF_TURNS;
    return !out->joined || (second && second->rank == 3 && t->rank == 3 && second->dims[0] == t->dims[0] &&
                            second->dims[1] == t->dims[1] && t->dims[1] <= INT32_MAX);
}

bool weft__gguf_scale_of(const weft_model *m, const char *name, weft__gguf_scale *out)
{
    char weight[WEFT__TENSOR_NAME];
    if (!weft__ends_with(name, ending) || weft__checkpoint_find(m->checkpoint, name)) return false;
    const int n = (int)(strlen(name) - strlen(ending));
    const int length = snprintf(weight, sizeof weight, "%.*s.weight", n, name);
    if (length < 0 || length >= WEFT__TENSOR_NAME) return false;
    if (!weft__gguf_tensor(m, weight, 0)) weight[n] = 0;
    return weft__gguf_tensor(m, weight, 0) && find(m, weight, out);
}

const weft__file_tensor *weft__gguf_scale_tensor(const weft__gguf_scale *s, uint32_t i)
{
    const uint32_t at = i + !s->of[0];
    return at < 2 ? s->of[at] : NULL;
}

/* ---- values ---- */

weft_status weft__gguf_scale_check(const weft_model *m, const weft__gguf_scale *s, weft_error *err)
{
    const uint64_t n = s->experts ? s->experts : 1;
    const weft__file_tensor *checked;
    for (int i = 0; i < 2; i++) {
        const weft__file_tensor *t = s->of[i];
        if (!t) continue;
        WEFT_TRY(weft__checkpoint_weight(m->checkpoint, t->name, &checked, err));
        if (t->dtype->type != WEFT_F32)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' is of type %s; factors are F32", t->file, t->name,
                             t->dtype->name);
        if (t->rank != 1 || t->dims[0] != n) return weft__model_shape_fault(m, t, 1, &n, err);
    }
    return WEFT_OK;
}

static float read(const void *data, uint64_t i)
{
    float x = 1;
    if (data) memcpy(&x, (const unsigned char *)data + i * sizeof x, sizeof x);
    return x;
}

/* One for each row of each expert. */
static weft_status join(weft_model *m, const char *name, const weft__gguf_scale *s, weft_weight_data *out,
                        weft_error *err)
{
    weft_weight_data of[2] = { { 0 }, { 0 } };
    float *values;
    const uint64_t rows = 2 * s->each, n = s->experts * rows;
    for (int i = 0; i < 2; i++)
        if (s->of[i]) WEFT_TRY(weft__checkpoint_data(m->checkpoint, s->of[i], &of[i], err));
    WEFT_TRY(weft__gguf_make(m, name, (int64_t)n, &values, err));
    for (uint64_t i = 0; i < n; i++)
        values[i] = read(of[s->turns ? i % 2 : i % rows / s->each].data, i / rows);
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { (int64_t)s->experts, (int64_t)rows },
                               .data = values, .bytes = n * sizeof *values };
    return WEFT_OK;
}

weft_status weft__gguf_scale_data(weft_model *m, const char *name, const weft__gguf_scale *s, weft_weight_data *out,
                                  weft_error *err)
{
    WEFT_TRY(weft__gguf_scale_check(m, s, err));
    return s->joined ? join(m, name, s, out, err) : weft__checkpoint_data(m->checkpoint, s->of[0], out, err);
}

/* ---- products ---- */

typedef struct found {
    weft__factor *list;
    size_t capacity;
    uint32_t n;
    weft__arena names;
} found;

static weft_status take(const weft_model *m, const weft_graph *g, const weft_node *product, found *f, weft_error *err)
{
    char name[WEFT__TENSOR_NAME];
    weft__gguf_scale s;
    const weft_node *weight = weft_graph_node_by_id(g, weft_graph_value(g, product->in[1])->node);
    if (weight->op != WEFT_OP_weight || !name_scale(weight->name, name) || !find(m, weight->name, &s) ||
        weft_graph_find(g, name).id)
        return WEFT_OK;
    WEFT_TRY(weft__gguf_scale_check(m, &s, err));
    if (!weft__grow(&f->list, &f->capacity, f->n + 1, sizeof *f->list)) return WEFT_OOM_FAIL(err, name);
    weft__factor *made = &f->list[f->n++];
    *made = (weft__factor){ .node = product->id, .name = weft__arena_strdup(&f->names, name) };
    made->dims = s.experts ? WEFT_DIMS((int64_t)s.experts) : WEFT_DIMS(1);
    if (s.joined) made->dims = WEFT_DIMS((int64_t)s.experts, 2 * (int64_t)s.each);
    return made->name ? WEFT_OK : WEFT_OOM_FAIL(err, name);
}

weft_status weft__gguf_scale_products(const weft_model *m, weft_graph *g, weft_error *err)
{
    found f = { 0 };
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; !s && i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_matmul_nt || n->op == WEFT_OP_linear_select) s = take(m, g, n, &f, err);
    }
    if (!s && f.n) s = weft__rewrite_factors(g, f.list, f.n, err);
    free(f.list);
    weft__arena_free(&f.names);
    return s;
}
