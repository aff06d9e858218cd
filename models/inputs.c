#include "models/inputs.h"

#include "graph/calls.h"

#include <math.h>
#include <stdio.h>

/* ---- the cache of a window ---- */

static uint32_t bound_of(const weft_graph *g, weft_dim d)
{
    uint32_t bound = 1;
    (void)weft_graph_extent(g, d.extent, &bound);
    return bound;
}

/* Pages that windows need however sequences lie in them: each sequence may begin in the middle of a page and end in
 * the middle of another, and a run's tokens come to them before anything is given back. */
static uint32_t window_pages(const weft_graph *g, const weft_model_inputs *in, uint32_t window)
{
    uint64_t seen = (uint64_t)window + in->rollback;
    uint64_t each = seen / in->page + (seen % in->page != 0) + 2;
    uint64_t pages = each * bound_of(g, in->S) + bound_of(g, in->T) / in->page;
    uint32_t all = bound_of(g, in->cache.cells);
    return pages < all ? (uint32_t)pages : all;
}

static weft_ref input(weft_graph *g, weft_dims dims, const char *name, uint32_t window)
{
    char full[32];
    snprintf(full, sizeof full, "%s_%u", name, window);
    weft_ref there = weft_graph_find(g, full);
    return there.id ? there : weft_input(g, WEFT_I32, dims, full);
}

weft_model_cache weft_window_cache(weft_graph *g, const weft_model_inputs *in, uint32_t window)
{
    char pages[32];
    const weft_value *table = weft_graph_value(g, in->cache.table);
    if (!window || !table) return in->cache; /* no table: there was an error before */
    weft_dim each = table->dims.d[1];
    if (window > in->context) return in->cache;
    snprintf(pages, sizeof pages, "pages_%u", window);
    weft_model_cache c = { .window = window };
    c.cells = weft_dim_mul(weft_extent(g, pages, window_pages(g, in, window)), in->page);
    c.cell = input(g, WEFT_DIMS(in->T), "cell", window);
    c.first = input(g, WEFT_DIMS(in->T), "first", window);
    c.table = input(g, WEFT_DIMS(in->S, each), "table", window);
    return c;
}

/* ---- keys and values ---- */

/* The cells of one head follow each other: its keys are one stream. */
weft_ref weft_cache_store(weft_graph *g, const weft_model_cache *c, weft_ref rows, weft_dtype type, const char *name)
{
    const weft_value *v = weft_graph_value(g, rows);
    if (!v || v->dims.rank != 3) {
        weft_graph_fail(g, WEFT_SHAPE, "a cache takes rows [tokens, heads, width]");
        return rows;
    }
    const weft_dtype_info *kv = weft_dtype_get(type);
    if (v->dims.d[2].n % kv->block) {
        weft_graph_fail(g, WEFT_UNSUPPORTED,
                        "a cache of %s holds heads of a width that %u divides, here it is %lld: keep it in f16, bf16 or "
                        "f32 (--kv)",
                        kv->name, kv->block, (long long)v->dims.d[2].n);
        return rows;
    }
    weft_ref state = weft_state(g, type, WEFT_DIMS(v->dims.d[1], c->cells, v->dims.d[2]), name);
    return weft_store(g, state, weft_transpose(g, rows, 0, 1), c->cell, 1);
}

weft_ref weft_cache_attention(weft_graph *g, const weft_model_inputs *in, const weft_model_cache *c, weft_ref q,
                              weft_ref keys, weft_ref values, float scale, const weft_attention_desc *more)
{
    weft_attention_desc d = more ? *more : (weft_attention_desc){ .page = 0 };
    d.page = in->page;
    d.sequence = in->sequence;
    d.pages = c->table;
    return weft_attention_with(g, q, keys, values, c->first, in->pos, scale, &d);
}

/* Texts have all of it as one op, of which `in` are q, k, v, sinks, slopes, bias. */
static void begin_call(weft_graph *g, const weft_ref in[6], float scale, uint32_t window, float soft_cap)
{
    const weft__call_attr attrs[] = {
        { .name = "scale", .number = scale }, { .name = "window", .number = window, .whole = true },
        { .name = "soft_cap", .number = soft_cap },
        { .name = "sinks", .number = in[3].id != 0, .whole = true, .flag = true },
        { .name = "slopes", .number = in[4].id != 0, .whole = true, .flag = true },
        { .name = "bias", .number = in[5].id != 0, .whole = true, .flag = true },
    };
    weft__call_begin(g, "cached_attention", in, 6, attrs, sizeof attrs / sizeof *attrs);
}

weft_ref weft_cached_attention_with(weft_graph *g, const weft_model_inputs *in, weft_ref q, weft_ref k, weft_ref v,
                                    float scale, uint32_t window, const weft_attention_desc *more)
{
    const weft_attention_desc d = more ? *more : (weft_attention_desc){ .page = 0 };
    begin_call(g, (weft_ref[]){ q, k, v, d.sinks, d.slopes, d.bias }, scale, window, d.soft_cap);
    weft_model_cache c = weft_window_cache(g, in, window);
    weft_ref keys = weft_cache_store(g, &c, k, in->kv, "key");
    weft_ref values = weft_cache_store(g, &c, v, in->kv_values, "value");
    return weft__call_end(g, weft_cache_attention(g, in, &c, q, keys, values, scale, more));
}

weft_ref weft_cached_attention(weft_graph *g, const weft_model_inputs *in, weft_ref q, weft_ref k, weft_ref v,
                               float scale)
{
    return weft_cached_attention_with(g, in, q, k, v, scale, 0, NULL);
}

weft_ref weft_alibi_slopes(weft_graph *g, uint32_t heads)
{
    float slopes[WEFT_ALIBI_HEADS];
    const weft__call_attr n = { .name = "heads", .number = heads, .whole = true };
    uint32_t p = 1;
    if (heads > WEFT_ALIBI_HEADS) {
        weft_graph_fail(g, WEFT_UNSUPPORTED, "ALiBi of more than %d heads", WEFT_ALIBI_HEADS);
        return (weft_ref){ 0 };
    }
    while (2 * p <= heads) p *= 2;
    for (uint32_t h = 0; h < heads; h++) {
        double i = h < p ? h + 1 : h - p + 0.5;
        slopes[h] = (float)exp2(-8 * i / p);
    }
    weft__call_begin(g, "alibi", NULL, 0, &n, 1);
    return weft__call_end(g, weft_constant(g, WEFT_F32, WEFT_DIMS(heads), slopes));
}
