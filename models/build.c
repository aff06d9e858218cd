/* build.c: the graph of an open model, with the stored type of every weight decided.
 *
 * The types depend on how weights are used (multiplied with, or only looked up), which the graph itself says. So it is
 * built twice: first with any types, then with those decided from the first one's readers. */
#include "models/gguf_scales.h"
#include "models/pages.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TOKENS = 512, DEFAULT_ROWS = 8 };

typedef struct weight_types { weft_weight_type *data; uint32_t n; } weight_types;

static void add_candidates(weft_graph *g, uint32_t k)
{
    weft_ref logits = weft_graph_find(g, "logits"), values, ids;
    /* tells whether all logits are numbers: what is NaN never comes first */
    weft_output(g, weft_reduce_mean(g, logits, -1), "candidate.mean");
    if (k == 1) {
        weft_output(g, weft_argmax(g, logits, -1), "candidate.id");
        return;
    }
    weft_top_k(g, logits, k, &values, &ids);
    weft_output(g, values, "candidate.logit");
    weft_output(g, ids, "candidate.id");
}

static weft_ref declare(weft_graph *g, weft_dim n, const char *name)
{
    return weft_input(g, WEFT_I32, WEFT_DIMS(n), name);
}

weft_model_inputs weft__model_inputs(weft_graph *g, const weft_model *m, const weft_model_graph_desc *d)
{
    uint32_t context = d->context ? d->context : m->info.context;
    uint32_t page = d->page ? d->page : weft__pages_usual(context);
    uint32_t n = d->n_sequences ? d->n_sequences : 1, each = weft__pages_of(page, context);
    uint32_t pages = d->cells ? weft__pages_of(page, d->cells) : n * each;
    weft_dtype kv = d->kv == WEFT_ANY ? WEFT_F16 : d->kv, kv_values = d->kv_values == WEFT_ANY ? kv : d->kv_values;
    weft_model_inputs in = { .page = page, .context = context, .kv = kv, .kv_values = kv_values,
                             .rollback = d->rollback };
    in.T = weft_extent(g, "tokens", d->max_tokens ? d->max_tokens : DEFAULT_TOKENS);
    in.R = weft_extent(g, "rows", d->max_rows ? d->max_rows : DEFAULT_ROWS);
    in.S = weft_extent(g, "sequences", n);
    in.cache.cells = weft_dim_mul(weft_extent(g, "pages", pages), page);
    in.tokens = declare(g, in.T, "tokens");
    in.pos = declare(g, in.T, "pos");
    in.sequence = declare(g, in.T, "sequence");
    in.reset = declare(g, in.T, "reset");
    in.cache.cell = declare(g, in.T, "cell");
    in.cache.first = declare(g, in.T, "first");
    in.rows = declare(g, in.R, "rows");
    in.cache.table = weft_input(g, WEFT_I32, WEFT_DIMS(in.S, weft_extent(g, "pages_each", each)), "table");
    return in;
}

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* What lies in pages lies in those of the session: with others it would be read from other cells. */
static weft_status check_pages(const weft_model *m, const weft_graph *g, uint32_t page, weft_error *err)
{
    const char *origin = weft__definition_origin(m);
    uint32_t window;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        const weft_dims *d = n->n_out ? &weft_graph_value(g, n->out[0])->dims : NULL;
        if (n->op == WEFT_OP_attention && n->attrs.attention.page && (uint32_t)n->attrs.attention.page != page)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: %s: attention to pages of %d cells, but the session's have %u",
                             origin, n->scope, n->attrs.attention.page, page);
        for (uint32_t k = 0; n->op == WEFT_OP_state && k < d->rank; k++) {
            const char *extent = d->d[k].extent ? weft_graph_extent(g, d->d[k].extent, NULL) : "";
            if (weft__pages_extent(extent, &window) && d->d[k].n != page)
                return WEFT_FAIL(err, WEFT_INVALID, "%s: state '%s' has %lld cells a page, but the session's have %u",
                                 origin, n->name, (long long)d->d[k].n, page);
        }
    }
    return WEFT_OK;
}

static weft_status build(const weft_model *m, const weft_model_graph_desc *desc, const weight_types *t,
                         weft_graph **out, weft_error *err)
{
    weft_graph_desc g = { .weight_types = t->data, .n_weight_types = t->n };
    WEFT_TRY(weft_graph_create(&g, out, err));
    weft_model_inputs in = weft__model_inputs(*out, m, desc);
    weft__definition_build(m, *out, &m->config, &in);
    if (desc->candidates) add_candidates(*out, desc->candidates);
    weft_status s = weft_graph_seal(*out, err);
    if (!s) s = check_pages(m, *out, in.page, err);
    if (!s && m->checkpoint && weft__checkpoint_gguf(m->checkpoint)) s = weft__gguf_scale_products(m, *out, err);
    if (!s) return WEFT_OK;
    weft_graph_destroy(*out);
    *out = NULL;
    const char *origin = weft__definition_origin(m);
    bool named = err && (begins(err->text, origin) || begins(err->text, m->path)); /* by messages of their own */
    return named ? s : weft__annotate(err, s, "%s", origin);
}

static weft_status check_weights(const weft_model *m, const weft_graph *g, weft_error *err)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_weight) WEFT_TRY(weft__model_check_weight(m, g, n, err));
    }
    return WEFT_OK;
}

/* The matrix that scores experts decides which ones count: it is not rounded. */
static void spare_router(const weft_graph *g, weft_ref ids, bool *multiplied)
{
    const weft_node *n = weft_graph_node_by_id(g, weft_graph_value(g, ids)->node);
    for (; n->n_in; n = weft_graph_node_by_id(g, weft_graph_value(g, n->in[0])->node))
        if (n->op == WEFT_OP_matmul_nt) {
            multiplied[n->in[1].id] = false;
            return;
        }
}

/* The weights that products take in blocks: matrices, and experts. */
static bool *find_multiplied(const weft_graph *g)
{
    bool *multiplied = calloc(weft_graph_value_limit(g), sizeof *multiplied);
    if (!multiplied) return NULL;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        bool matrix = n->op == WEFT_OP_matmul_nt && weft_graph_value(g, n->in[1])->dims.rank == 2;
        if (matrix || n->op == WEFT_OP_linear_select) multiplied[n->in[1].id] = true;
    }
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_linear_select) spare_router(g, n->in[2], multiplied);
    }
    return multiplied;
}

/* Vectors become f32: they are small, and exactness costs nothing. A matrix whose rows do not divide into blocks keeps
 * the files' type. */
static weft_dtype choose_type(const weft_model *m, const weft_node *n, const weft_dims *dims, bool multiplied,
                              weft_dtype wanted)
{
    weft_dtype file = m->checkpoint ? weft__model_tensor(m, n->name, 0)->dtype->type : m->default_dtype;
    if (dims->rank < 2) return WEFT_F32;
    if (!multiplied || wanted == WEFT_ANY) return file;
    return dims->d[dims->rank - 1].n % weft_dtype_get(wanted)->block ? file : wanted;
}

/* The types of the draft's weights, in its order; names are lent by it. wanted: for matrices that are multiplied with;
 * ANY: as in the files. */
static weft_status choose_types(const weft_model *m, const weft_graph *draft, weft_dtype wanted, weight_types *t,
                                weft_error *err)
{
    uint32_t count = weft_graph_node_count(draft);
    bool *multiplied = find_multiplied(draft);
    t->data = malloc(count * sizeof *t->data);
    for (uint32_t i = 0; multiplied && t->data && i < count; i++) {
        const weft_node *n = weft_graph_node(draft, i);
        if (n->op != WEFT_OP_weight) continue;
        const weft_dims *dims = &weft_graph_value(draft, n->out[0])->dims;
        weft_dtype type = choose_type(m, n, dims, multiplied[n->out[0].id], wanted);
        t->data[t->n++] = (weft_weight_type){ n->name, type };
    }
    bool complete = multiplied && t->data;
    free(multiplied);
    return complete ? WEFT_OK : WEFT_OOM_FAIL(err, "a model's graph");
}

static weft_status check_cache(const weft_model *m, weft_dtype t, weft_error *err)
{
    if (t == WEFT_ANY || weft_dtype_get(t)->encodes) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: a cache cannot be kept in %s", m->path, weft_dtype_get(t)->name);
}

weft_status weft_model_graph(const weft_model *m, const weft_model_graph_desc *desc, weft_graph **out, weft_error *err)
{
    *out = NULL;
    if (desc->weights != WEFT_ANY && !weft_dtype_quantizes(desc->weights))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: weights cannot be turned into %s", m->path,
                         weft_dtype_get(desc->weights)->name);
    WEFT_TRY(check_cache(m, desc->kv, err));
    WEFT_TRY(check_cache(m, desc->kv_values, err));
    if (desc->candidates) WEFT_TRY(weft__model_need_logits(m, err));
    weft_graph *draft;
    weight_types t = { 0 };
    WEFT_TRY(build(m, desc, &t, &draft, err));
    weft_status s = check_weights(m, draft, err);
    if (!s) s = choose_types(m, draft, desc->weights, &t, err);
    if (!s) s = build(m, desc, &t, out, err);
    free(t.data);
    weft_graph_destroy(draft);
    return s;
}
