/* text_blocks.c: what a model's text uses beside the graph's ops: blocks that know of sessions. Each is a row of the
 * table at the end. */
#include "models/blocks.h"
#include "models/text.h"

/* ---- cached_attention ---- */

enum { SCALE, WINDOW, SOFT_CAP, SINKS, SLOPES, BIAS, MAX_EXTRA = 3 };
static const weft_text_attr attention_attrs[] = {
    [SCALE] = { "scale", WEFT_TEXT_NUMBER, false },     [WINDOW] = { "window", WEFT_TEXT_WHOLE, true },
    [SOFT_CAP] = { "soft_cap", WEFT_TEXT_NUMBER, true }, [SINKS] = { "sinks", WEFT_TEXT_TRUTH, true },
    [SLOPES] = { "slopes", WEFT_TEXT_TRUTH, true },      [BIAS] = { "bias", WEFT_TEXT_TRUTH, true },
};

/* Whether one of the nodes from `begin` on is a state. */
static bool makes_states(const weft_graph *g, uint32_t begin)
{
    for (uint32_t i = begin; i < weft_graph_node_count(g); i++)
        if (weft_graph_node(g, i)->op == WEFT_OP_state) return true;
    return false;
}

/* weft_cached_attention_with of q, k, v and those of sinks, slopes and bias that its attributes name, in this order. */
static void emit_attention(void *ctx, weft_graph *g, const weft_ref *in, uint32_t n_in, const weft_text_value *v,
                           weft_ref *out)
{
    const weft__text_use *use = ctx;
    weft_attention_desc more = { .soft_cap = (float)v[SOFT_CAP].number };
    weft_ref *const extra[MAX_EXTRA] = { &more.sinks, &more.slopes, &more.bias };
    const int64_t window = v[WINDOW].whole;
    uint32_t named = 3;
    for (int i = 0; i < MAX_EXTRA; i++) {
        if (!v[SINKS + i].whole) continue;
        if (named < n_in) *extra[i] = in[named];
        named++;
    }
    if (named != n_in)
        weft_graph_fail(g, WEFT_INVALID, "cached_attention: %u values, but its attributes name %u: queries, keys, "
                        "values, and one each where sinks, slopes or bias is 1", n_in, named);
    if (window < 0 || window > INT32_MAX)
        weft_graph_fail(g, WEFT_INVALID, "cached_attention: a window of %lld tokens", (long long)window);
    const uint32_t begin = weft_graph_node_count(g);
    *out = weft_cached_attention_with(g, use->in, in[0], in[1], in[2], (float)v[SCALE].number, (uint32_t)window, &more);
    if (out->id && !makes_states(g, begin))
        weft_graph_fail(g, WEFT_INVALID, "cached_attention: the keys and values of this scope are another's: each "
                        "attention needs a scope of its own");
}

/* ---- alibi ---- */

enum { HEADS };
static const weft_text_attr alibi_attrs[] = { [HEADS] = { "heads", WEFT_TEXT_WHOLE, false } };

static void emit_alibi(void *ctx, weft_graph *g, const weft_ref *in, uint32_t n_in, const weft_text_value *v,
                       weft_ref *out)
{
    const weft__text_use *use = ctx;
    const int64_t heads = v[HEADS].whole;
    (void)in;
    (void)n_in;
    const bool fits = heads > 0 && heads <= UINT32_MAX;
    if (!fits) weft_graph_fail(g, WEFT_INVALID, "alibi: %lld heads", (long long)heads);
    weft_net x = { .g = g, .c = &use->config, .in = use->in, .H = fits ? (uint32_t)heads : 1 };
    *out = weft_block_alibi(&x);
}

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof *(a)))
const weft_text_block weft__text_blocks[] = {
    { "cached_attention", 3, 3 + MAX_EXTRA, 1, attention_attrs, COUNT(attention_attrs), emit_attention },
    { "alibi", 0, 0, 1, alibi_attrs, COUNT(alibi_attrs), emit_alibi },
};
const uint32_t weft__text_block_count = COUNT(weft__text_blocks);
