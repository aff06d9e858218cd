/* adapter_sites.c: where adapters meet the graph of a model: each module is found by the name of its weight, whatever
 * the files of the base are called or hold together, and put beside the product, table or sum that reads it. */
#include "models/adapter_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/rewrite.h"

/* Ranks are padded with zeros to what every backend's panels divide. */
enum { RANK_MULTIPLE = 16, MAX_RANK = 1 << 16 };
enum { LINEAR = 1, BIAS = 2 };

typedef struct matcher {
    weft__adapters *s;
    const weft_graph *g;
    weft_dim tokens, rows; /* extents */
    unsigned char **used;  /* [n_uses][modules]: LINEAR and BIAS that were found */
} matcher;

/* ---- what there is ---- */

/* "gpt_neox.layers.0.attention.dense" of "...dense.weight". */
static bool module_of(const char *weight, const char *end, char out[WEFT__TENSOR_NAME])
{
    if (!weft__ends_with(weight, end)) return false;
    const int n = snprintf(out, WEFT__TENSOR_NAME, "%.*s", (int)(strlen(weight) - strlen(end)), weight);
    return n > 0 && n < WEFT__TENSOR_NAME;
}

/* The module of a weight in an adapter, under whatever name the base model's files may have it. */
static const weft__adapter_module *find_module(const weft__adapters *s, const weft_adapter *a, const char *weight,
                                               const char *end)
{
    char name[WEFT__TENSOR_NAME], module[WEFT__TENSOR_NAME];
    const weft__adapter_module *found = NULL;
    for (size_t i = 0; !found && weft__model_spelled(s->m, weight, &i, name);)
        if (module_of(name, end, module)) found = weft__adapter_find(a, module);
    return found;
}

static uint32_t round_rank(uint64_t rank)
{
    return (uint32_t)((rank + RANK_MULTIPLE - 1) / RANK_MULTIPLE * RANK_MULTIPLE);
}

/* Of a site: the largest sum of ranks of one choice. */
static weft_status add_ranks(const weft__adapters *s, weft__adapter_site *site, weft_error *err)
{
    for (uint32_t c = 0; c < s->n_choices; c++) {
        uint64_t sum = 0;
        for (uint32_t u = 0; u < s->n_uses; u++)
            if (s->uses[u].choice == c && site->of[u]) sum += site->of[u]->rank;
        if (sum > MAX_RANK)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s: adapters of rank %llu together: %d is the most", site->name,
                             (unsigned long long)sum, MAX_RANK);
        if (round_rank(sum) > site->rank) site->rank = round_rank(sum);
    }
    return WEFT_OK;
}

static const char *add_name(weft__adapters *s, const char *name, const char *end)
{
    const size_t size = strlen(name) + strlen(end) + 1;
    char *out = weft__arena_alloc(&s->memory, size, 1);
    if (out) snprintf(out, size, "%s%s", name, end);
    return out;
}

/* ---- shapes ---- */

static weft_status check_dims(const weft__adapters *s, const weft__file_tensor *t, uint64_t first, uint64_t second,
                              weft_error *err)
{
    const uint64_t dims[2] = { first, second };
    const bool same = !t || (t->dims[0] == first && (t->rank == 1 || t->dims[1] == second));
    return same ? WEFT_OK : weft__model_shape_fault(s->m, t, t->rank, dims, err);
}

static weft_status check_shapes(const weft__adapters *s, const weft__adapter_site *site, weft_error *err)
{
    const uint64_t m = (uint64_t)site->m, n = (uint64_t)site->n;
    for (uint32_t u = 0; u < s->n_uses; u++) {
        const weft__adapter_module *k = site->of[u];
        if (!k) continue;
        if (site->is_bias) {
            WEFT_TRY(check_dims(s, k->part[WEFT__BIAS], m, 0, err));
            continue;
        }
        WEFT_TRY(check_dims(s, k->part[site->rows ? WEFT__LORA_TABLE_A : WEFT__LORA_A], k->rank, n, err));
        WEFT_TRY(check_dims(s, k->part[site->rows ? WEFT__LORA_TABLE_B : WEFT__LORA_B], m, k->rank, err));
        if (!site->rows) WEFT_TRY(check_dims(s, k->part[WEFT__LORA_BIAS], m, 0, err));
    }
    return WEFT_OK;
}

/* ---- sites ---- */

static bool has(const weft__adapter_module *k, const weft__adapter_site *site)
{
    return k && k->part[site->is_bias ? WEFT__BIAS : site->rows ? WEFT__LORA_TABLE_A : WEFT__LORA_A];
}

/* Only A and a table's A need their weights; a bias alone needs none of them. */
static weft_status name_weights(weft__adapters *s, weft__adapter_site *site, weft_error *err)
{
    bool biased = site->is_bias;
    for (uint32_t u = 0; u < s->n_uses; u++) biased = biased || (site->of[u] && site->of[u]->part[WEFT__LORA_BIAS]);
    if (site->rank) {
        site->weights[0] = add_name(s, site->name, site->rows ? ".lora_embedding_A" : ".lora_A");
        site->weights[1] = add_name(s, site->name, site->rows ? ".lora_embedding_B" : ".lora_B");
    }
    if (biased) site->weights[2] = add_name(s, site->name, site->is_bias ? ".lora_base_bias" : ".lora_bias");
    bool whole = (!site->rank || (site->weights[0] && site->weights[1])) && (!biased || site->weights[2]);
    return whole ? WEFT_OK : WEFT_OOM_FAIL(err, "adapters");
}

/* A weight that node n reads; `end` is that of its name. *site has what is known of it. */
static weft_status take(matcher *x, const char *weight, const char *end, weft__adapter_site *site, weft_error *err)
{
    weft__adapters *s = x->s;
    char module[WEFT__TENSOR_NAME];
    bool any = false;
    site->of = weft__arena_alloc(&s->memory, s->n_uses, sizeof *site->of);
    if (!site->of) return WEFT_OOM_FAIL(err, "adapters");
    for (uint32_t u = 0; u < s->n_uses; u++) {
        const weft__adapter_module *k = find_module(s, s->uses[u].adapter, weight, end);
        site->of[u] = has(k, site) ? k : NULL;
        if (!site->of[u]) continue;
        any = true;
        x->used[u][k - s->uses[u].adapter->modules] |= site->is_bias ? BIAS : LINEAR;
    }
    if (!any) return WEFT_OK;
    site->name = module_of(weight, end, module) ? weft__arena_strdup(&s->memory, module) : NULL;
    if (!site->name || !weft__grow(&s->sites, &s->capacity, s->n_sites + 1, sizeof *s->sites))
        return WEFT_OOM_FAIL(err, "adapters");
    WEFT_TRY(check_shapes(s, site, err));
    if (!site->is_bias) WEFT_TRY(add_ranks(s, site, err));
    WEFT_TRY(name_weights(s, site, err));
    s->sites[s->n_sites++] = *site;
    return WEFT_OK;
}

static const weft_node *weight_of(const matcher *x, weft_ref r)
{
    const weft_node *n = weft_graph_node_by_id(x->g, weft_graph_value(x->g, r)->node);
    return n->op == WEFT_OP_weight ? n : NULL;
}

static int64_t last_dim(const matcher *x, weft_ref r)
{
    const weft_dims *d = &weft_graph_value(x->g, r)->dims;
    return d->rank ? d->d[d->rank - 1].n : 1;
}

/* Products and tables by their weight; sums and norms by their bias. */
static weft_status take_node(matcher *x, const weft_node *n, weft_error *err)
{
    weft__adapter_site site = { .node = n->id, .m = n->n_out ? last_dim(x, n->out[0]) : 0 };
    const weft_node *w = n->n_in > 1 ? weight_of(x, n->in[1]) : NULL;
    if (n->op == WEFT_OP_matmul_nt && w && weft_graph_value(x->g, n->in[1])->dims.rank == 2) {
        site.n = last_dim(x, n->in[1]);
        return take(x, weft__model_multiplied(x->s->m, w->name), ".weight", &site, err);
    }
    w = n->n_in ? weight_of(x, n->in[0]) : NULL;
    if (n->op == WEFT_OP_gather && w && weft_graph_value(x->g, n->in[0])->dims.rank == 2) {
        const int64_t rows = weft_graph_value(x->g, n->in[0])->dims.d[0].n;
        site.n = rows;
        site.rows = (uint32_t)rows;
        return take(x, w->name, ".weight", &site, err);
    }
    if (n->op != WEFT_OP_add && n->op != WEFT_OP_layer_norm) return WEFT_OK;
    site.is_bias = true;
    for (uint32_t k = n->op == WEFT_OP_layer_norm ? 2 : 0; k < n->n_in; k++) {
        w = weight_of(x, n->in[k]);
        if (w && weft_graph_value(x->g, n->in[k])->dims.rank == 1) return take(x, w->name, ".bias", &site, err);
    }
    return WEFT_OK;
}

/* A module of a model that sees or hears, outside of its language model, which alone is run: it is passed over, as the
 * weights of such modules are. */
static bool is_outside(const weft__adapters *s, const char *module)
{
    bool inside = !s->m->wrapper || !strncmp(module, "lm_head", strlen("lm_head"));
    for (size_t i = 0; !inside && i < WEFT__MAX_NAMES && s->m->wrapper->spellings[i].name; i++) {
        const char *begin = s->m->wrapper->spellings[i].in_file;
        inside = !strncmp(module, begin, strlen(begin));
    }
    return !inside;
}

static weft_status check_used(const matcher *x, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    for (uint32_t u = 0; u < x->s->n_uses; u++) {
        const weft_adapter *a = x->s->uses[u].adapter;
        for (size_t i = 0; i < a->n_modules; i++) {
            const weft__adapter_module *k = &a->modules[i];
            const int missing = ((k->rank ? LINEAR : 0) | (k->part[WEFT__BIAS] ? BIAS : 0)) & ~x->used[u][i];
            if (!missing || is_outside(x->s, k->name)) continue;
            const weft__file_tensor *t = missing & LINEAR ? weft__adapter_tensor(k) : k->part[WEFT__BIAS];
            return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: tensor '%s' [%llu, %llu] is of a module that %s (%s) has not, "
                             "or in which no adapter is supported%s%s", t->file, weft__quote(quoted, t->name),
                             (unsigned long long)t->dims[0], (unsigned long long)(t->rank > 1 ? t->dims[1] : 1),
                             x->s->m->path, x->s->m->info.architecture, *a->info.base ? "; it was made for " : "",
                             a->info.base);
        }
    }
    return WEFT_OK;
}

static weft_status match_all(matcher *x, weft_error *err)
{
    for (uint32_t u = 0; u < x->s->n_uses; u++) {
        x->used[u] = calloc(x->s->uses[u].adapter->n_modules + 1, sizeof **x->used);
        if (!x->used[u]) return WEFT_OOM_FAIL(err, "adapters");
    }
    for (uint32_t i = 0; i < weft_graph_node_count(x->g); i++)
        WEFT_TRY(take_node(x, weft_graph_node(x->g, i), err));
    return check_used(x, err);
}

/* ---- into the graph ---- */

/* The input that says which choice each row of the value takes. */
static weft_status find_ids(const matcher *x, weft_graph *g, const weft__adapter_site *site, weft_ref value,
                            weft_ref *out, weft_error *err)
{
    const weft_dims *d = &weft_graph_value(g, value)->dims;
    const bool tokens = d->rank == 2 && d->d[0].extent == x->tokens.extent && d->d[0].n == x->tokens.n;
    const bool rows = d->rank == 2 && d->d[0].extent == x->rows.extent && d->d[0].n == x->rows.n;
    if (tokens || rows)
        return weft__rewrite_input(g, tokens ? "adapter" : "row_adapter", tokens ? x->tokens : x->rows, out, err);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: an adapter of '%s', which has no row for each token", x->s->m->path,
                     site->name);
}

static weft_status rewrite(const matcher *x, weft_graph *g, weft_error *err)
{
    const weft__adapters *s = x->s;
    weft__side *sides = calloc(s->n_sites + 1, sizeof *sides);
    weft_status status = sides ? WEFT_OK : WEFT_OOM_FAIL(err, "adapters");
    for (size_t i = 0; !status && i < s->n_sites; i++) {
        const weft__adapter_site *site = &s->sites[i];
        const weft_node *n = weft_graph_node_by_id(g, site->node);
        sides[i] = (weft__side){ .value = n->out[0], .a = site->weights[0], .b = site->weights[1],
                                 .bias = site->weights[2], .x = n->in[site->rows ? 1 : 0], .rank = site->rank,
                                 .choices = s->n_choices, .rows = site->rows };
        status = find_ids(x, g, site, sides[i].value, &sides[i].ids, err);
    }
    if (!status) status = weft__rewrite_sides(g, sides, (uint32_t)s->n_sites, err);
    free(sides);
    return status;
}

static weft_dim extent_of(const weft_graph *g, const char *input)
{
    const weft_value *v = weft_graph_value(g, weft_graph_find(g, input));
    return v && v->dims.rank ? v->dims.d[0] : (weft_dim){ 0 };
}

static weft_status put_in(weft__adapters *s, weft_graph *g, weft_error *err)
{
    matcher x = { .s = s, .g = g, .tokens = extent_of(g, "tokens"), .rows = extent_of(g, "rows") };
    x.used = calloc(s->n_uses, sizeof *x.used);
    weft_status status = x.used ? match_all(&x, err) : WEFT_OOM_FAIL(err, "adapters");
    if (!status) status = rewrite(&x, g, err);
    for (uint32_t u = 0; x.used && u < s->n_uses; u++) free(x.used[u]);
    free(x.used);
    return status;
}

/* ---- the object ---- */

static weft_status take_uses(weft__adapters *s, const weft_session_desc *d, weft_error *err)
{
    s->uses = weft__arena_alloc(&s->memory, d->n_adapters, sizeof *s->uses);
    if (!s->uses) return WEFT_OOM_FAIL(err, "adapters");
    for (uint32_t i = 0; i < d->n_adapters; i++) {
        s->uses[i] = d->adapters[i];
        if (s->uses[i].scale == 0) s->uses[i].scale = 1;
        if (!s->uses[i].adapter || s->uses[i].choice >= d->n_adapters)
            return WEFT_FAIL(err, WEFT_INVALID, "adapter %u: none, or choice %u of %u adapters", i, s->uses[i].choice,
                             d->n_adapters);
        if (s->uses[i].choice >= s->n_choices) s->n_choices = s->uses[i].choice + 1;
    }
    s->n_uses = d->n_adapters;
    return WEFT_OK;
}

weft_status weft__adapters_create(const weft_model *m, weft_graph *g, const weft_session_desc *d, weft__adapters **out,
                                  weft_error *err)
{
    *out = NULL;
    if (!d->n_adapters) return WEFT_OK;
    if (d->n_adapters > WEFT_MAX_ADAPTERS)
        return WEFT_FAIL(err, WEFT_LIMIT, "%u adapters: at most %d", d->n_adapters, WEFT_MAX_ADAPTERS);
    weft__adapters *s = calloc(1, sizeof *s);
    if (!s) return WEFT_OOM_FAIL(err, "adapters");
    s->m = m;
    weft_status status = take_uses(s, d, err);
    if (!status) status = put_in(s, g, err);
    if (status) weft__adapters_destroy(s);
    else *out = s;
    return status;
}

void weft__adapters_destroy(weft__adapters *a)
{
    if (!a) return;
    free(a->sites);
    free(a->values);
    weft__arena_free(&a->memory);
    free(a);
}
