/* layers.c: finds the layers of a graph by its scopes, and those that are alike by comparing them node by node. */
#include "graph/layers.h"

#include "graph/graph_impl.h"

#include <stdlib.h>
#include <string.h>

size_t weft__layer_key(const char *scope)
{
    for (size_t at = 0; scope[at];) {
        size_t n = strcspn(scope + at, ".");
        if (n && strspn(scope + at, "0123456789") == n) return at + n;
        at += n + (scope[at + n] == '.');
    }
    return 0;
}

/* 1 + the layer of a scope; 0: none that is known. The latest are asked first, for a layer's nodes stand together. */
static uint32_t find(const weft__layers *l, const char *scope)
{
    size_t length = weft__layer_key(scope);
    uint32_t k = length ? l->n : 0;
    while (k && (strncmp(l->scope[k - 1], scope, length) || weft__layer_key(l->scope[k - 1]) != length)) k--;
    return k;
}

weft_status weft__layers_create(const weft_graph *g, weft__layers *out, weft_error *err)
{
    uint32_t count = weft_graph_node_count(g);
    *out = (weft__layers){ .scope = calloc((size_t)count + 1, sizeof *out->scope),
                           .of = calloc(weft_graph_node_limit(g), sizeof *out->of) };
    if (!out->scope || !out->of) {
        weft__layers_destroy(out);
        return WEFT_OOM_FAIL(err, "the layers of a graph");
    }
    for (int idle = 0; idle < 2; idle++) /* sources and views begin no layer */
        for (uint32_t i = 0; i < count; i++) {
            const weft_node *n = weft_graph_node(g, i);
            bool computes = !(weft_op_get(n->op)->traits & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW));
            if (computes == (bool)idle) continue;
            out->of[n->id] = find(out, n->scope);
            if (out->of[n->id] || idle || !weft__layer_key(n->scope)) continue;
            out->scope[out->n++] = n->scope;
            out->of[n->id] = out->n;
        }
    return WEFT_OK;
}

void weft__layers_destroy(weft__layers *l)
{
    free(l->scope);
    free(l->of);
    *l = (weft__layers){ 0 };
}

/* ---- layers that are alike ---- */

/* The nodes of each layer but its sources, in order. */
typedef struct members {
    uint32_t *ids, *begin; /* by layer: where in ids it begins; one more entry holds the end */
    uint32_t *place;       /* by node id: which of its layer's nodes it is */
} members;

static bool is_source(const weft_node *n)
{
    return weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE;
}

static void free_members(members *m)
{
    free(m->ids);
    free(m->begin);
    free(m->place);
}

static bool find_members(const weft_graph *g, const weft__layers *l, members *m)
{
    uint32_t count = weft_graph_node_count(g);
    *m = (members){ calloc((size_t)count + 1, sizeof *m->ids), calloc((size_t)l->n + 2, sizeof *m->begin),
                    calloc(weft_graph_node_limit(g), sizeof *m->place) };
    if (!m->ids || !m->begin || !m->place) return false;
    for (uint32_t i = 0; i < count; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (l->of[n->id] && !is_source(n)) m->place[n->id] = m->begin[l->of[n->id]]++;
    }
    for (uint32_t k = 1; k <= l->n; k++) m->begin[k] += m->begin[k - 1]; /* [0] was never counted */
    for (uint32_t i = 0; i < count; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (l->of[n->id] && !is_source(n)) m->ids[m->begin[l->of[n->id] - 1] + m->place[n->id]] = n->id;
    }
    return true;
}

static const weft_node *maker(const weft_graph *g, weft_ref r)
{
    return weft_graph_node_by_id(g, weft_graph_value(g, r)->node);
}

static bool same_type(const weft_graph *g, weft_ref a, weft_ref b)
{
    const weft_value *x = weft_graph_value(g, a), *y = weft_graph_value(g, b);
    return x->dtype == y->dtype && weft__dims_equal(&x->dims, &y->dims);
}

/* Two sources that may differ between layers that are alike: not inputs, which have a meaning each. */
static bool same_source(const weft_graph *g, const weft_node *a, const weft_node *b)
{
    if (a->op != b->op || a->op == WEFT_OP_input) return false;
    return a->op != WEFT_OP_constant || !memcmp(a->data, b->data, (size_t)weft_value_bytes(g, a->out[0], NULL));
}

typedef struct comparison {
    const weft_graph *g;
    const weft__layers *l;
    const members *m;
    uint32_t first, layer; /* whether `layer` is as the one before it, in a row that begins with `first` */
} comparison;

/* `b` is read in c->layer where the layer before it reads `a`. */
static bool same_input(const comparison *c, weft_ref a, weft_ref b)
{
    if (a.id == b.id) return !a.id || c->l->of[maker(c->g, a)->id] <= c->first; /* made before the row, or for all */
    if (!a.id || !b.id || !same_type(c->g, a, b)) return false;
    const weft_node *x = maker(c->g, a), *y = maker(c->g, b);
    if (is_source(x) && is_source(y)) return same_source(c->g, x, y);
    uint32_t of_x = c->l->of[x->id], of_y = c->l->of[y->id]; /* 1 + layer */
    bool alike = c->m->place[x->id] == c->m->place[y->id] &&
                 weft_graph_value(c->g, a)->index == weft_graph_value(c->g, b)->index;
    if (is_source(y)) return false;
    if (of_y == c->layer + 1) return of_x == c->layer && alike && !is_source(x);
    if (of_y != c->layer) return false;
    if (c->layer - 1 == c->first) return of_x != c->layer; /* what enters the row comes from anywhere before */
    return of_x == c->layer - 1 && alike;
}

static bool same_node(const comparison *c, const weft_node *a, const weft_node *b)
{
    if (a->op != b->op || a->n_in != b->n_in || !weft__attrs_equal(a->op, &a->attrs, &b->attrs)) return false;
    if (strcmp(a->scope + weft__layer_key(a->scope), b->scope + weft__layer_key(b->scope))) return false;
    for (uint32_t i = 0; i < a->n_out; i++)
        if (!same_type(c->g, a->out[i], b->out[i])) return false;
    for (uint32_t i = 0; i < a->n_in; i++)
        if (!same_input(c, a->in[i], b->in[i])) return false;
    return true;
}

static bool same_layer(const comparison *c)
{
    const uint32_t *a = c->m->ids + c->m->begin[c->layer - 1], *b = c->m->ids + c->m->begin[c->layer];
    uint32_t n = c->m->begin[c->layer] - c->m->begin[c->layer - 1];
    if (c->m->begin[c->layer + 1] - c->m->begin[c->layer] != n) return false;
    for (uint32_t i = 0; i < n; i++)
        if (!same_node(c, weft_graph_node_by_id(c->g, a[i]), weft_graph_node_by_id(c->g, b[i]))) return false;
    return true;
}

static void fold(const weft_graph *g, const weft__layers *l, const members *m, bool (*apart)(void *, uint32_t),
                 void *ctx, weft__folds *f)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < weft_graph_node_limit(g); i++) f->node[i] = i;
    for (uint32_t k = 0; k < l->n; k++) {
        comparison c = { g, l, m, first, k };
        bool alone = apart && (apart(ctx, k) || (k && apart(ctx, k - 1)));
        if (!k || alone || !same_layer(&c)) first = k;
        f->first[k] = first;
        f->count[first]++;
        for (uint32_t i = m->begin[k]; i < m->begin[k + 1]; i++)
            f->node[m->ids[i]] = m->ids[m->begin[first] + m->place[m->ids[i]]];
    }
}

weft_status weft__folds_create(const weft_graph *g, const weft__layers *l, bool (*apart)(void *ctx, uint32_t layer),
                               void *ctx, weft__folds *out, weft_error *err)
{
    members m;
    bool ok = find_members(g, l, &m);
    *out = (weft__folds){ calloc((size_t)l->n + 1, sizeof *out->first), calloc((size_t)l->n + 1, sizeof *out->count),
                          calloc(weft_graph_node_limit(g), sizeof *out->node) };
    ok = ok && out->first && out->count && out->node;
    if (ok) fold(g, l, &m, apart, ctx, out);
    free_members(&m);
    if (ok) return WEFT_OK;
    weft__folds_destroy(out);
    return WEFT_OOM_FAIL(err, "the layers of a graph");
}

void weft__folds_destroy(weft__folds *f)
{
    free(f->first);
    free(f->count);
    free(f->node);
    *f = (weft__folds){ 0 };
}
