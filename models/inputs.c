#include "models/inputs.h"

/* The cells of one head follow each other: its keys are one stream. */
static weft_ref cached(weft_graph *g, const weft_model_inputs *in, weft_ref rows, const char *name)
{
    const weft_value *v = weft_graph_value(g, rows);
    if (!v || v->dims.rank != 3) {
        weft_graph_fail(g, WEFT_SHAPE, "a cache takes rows [tokens, heads, width]");
        return rows;
    }
    weft_ref state = weft_state(g, in->kv, WEFT_DIMS(v->dims.d[1], in->cells, v->dims.d[2]), name);
    return weft_store(g, state, weft_transpose(g, rows, 0, 1), in->cell, 1);
}

weft_ref weft_cached_attention(weft_graph *g, const weft_model_inputs *in, weft_ref q, weft_ref k, weft_ref v,
                               float scale)
{
    const weft_attention_desc paged = { .page = in->page, .sequence = in->sequence, .pages = in->table };
    weft_ref keys = cached(g, in, k, "key"), values = cached(g, in, v, "value");
    return weft_attention_with(g, q, keys, values, in->first, in->pos, scale, &paged);
}
