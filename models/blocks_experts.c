/* blocks_experts.c: feed-forward parts of which each token gets a few (Shazeer et al., arXiv:1701.06538). All experts'
 * weights are one tensor, and linear_select reads those that were chosen. */
#include "models/blocks.h"

#include <stdio.h>

weft_block_experts_desc weft_net_experts(weft_net *x)
{
    weft_block_experts_desc d = { .n = weft_config_u32(x->g, x->c, "num_experts", 1, 4096) };
    d.chosen = weft_config_u32(x->g, x->c, "num_experts_per_tok", 1, d.n);
    d.width = weft_config_u32_or(x->g, x->c, "moe_intermediate_size", x->F, 1, 1 << 24);
    d.normalised = weft_config_bool_or(x->g, x->c, "norm_topk_prob", false);
    return d;
}

/* Entry k of mlp_only_layers; UINT32_MAX: there are no so many. */
static uint32_t plain_layer(weft_net *x, uint32_t k)
{
    char key[40];
    double ignored;
    snprintf(key, sizeof key, "mlp_only_layers.%u", k);
    return x->c->number(x->c->ctx, key, &ignored) ? weft_config_u32(x->g, x->c, key, 0, 1 << 20) : UINT32_MAX;
}

bool weft_net_is_sparse(weft_net *x, uint32_t i)
{
    const uint32_t step = weft_config_u32(x->g, x->c, "decoder_sparse_step", 1, 1 << 20);
    double number;
    const char *text;
    if (x->c->number(x->c->ctx, "mlp_only_layers", &number) > 0 || x->c->text(x->c->ctx, "mlp_only_layers", &text) > 0)
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: 'mlp_only_layers' is no list", x->c->origin);
    for (uint32_t k = 0, layer; (layer = plain_layer(x, k)) != UINT32_MAX; k++) {
        if (layer == i) return false;
        if (k < x->L) continue; /* a list without end would be read for each layer */
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: 'mlp_only_layers' lists more than %u layers", x->c->origin, x->L);
        return false;
    }
    return (i + 1) % step == 0 && weft_config_u32(x->g, x->c, "num_experts", 0, 4096);
}

/* What each token [T, K] is given: numbers of experts, and the weights of their results. */
typedef struct chosen { weft_ref ids, weights; } chosen;

/* The softmax keeps the order of scores, and divided by its sum over some of them it is their own. */
static chosen choose(weft_net *x, weft_ref in, const weft_block_experts_desc *d)
{
    chosen c;
    weft_ref scores = weft_block_linear(x, in, d->router ? d->router : "gate", d->n, d->bias);
    if (!d->normalised) scores = weft_softmax(x->g, scores, -1);
    weft_top_k(x->g, scores, d->chosen, &c.weights, &c.ids);
    if (d->normalised) c.weights = weft_softmax(x->g, c.weights, -1);
    return c;
}

/* in [T, n] or [T, K, n] -> [T, K, n_out] by the chosen experts. */
static weft_ref project(weft_net *x, weft_ref in, weft_ref ids, const char *name, uint32_t n, uint32_t n_in,
                        uint32_t n_out, bool bias)
{
    char full[64];
    weft_ref y = weft_linear_select(x->g, in, weft_weight(x->g, WEFT_ANY, WEFT_DIMS(n, n_out, n_in), name), ids);
    if (!bias) return y;
    snprintf(full, sizeof full, "%s_bias", name);
    weft_ref table = weft_weight(x->g, WEFT_ANY, WEFT_DIMS(n, n_out), full);
    return weft_add(x->g, y, weft_gather(x->g, table, ids));
}

/* gate and up [T, K, width] of both [T, K, 2 width]. */
static void divide(weft_net *x, weft_ref both, const weft_block_experts_desc *d, weft_ref half[2])
{
    if (!d->alternating) {
        weft_split(x->g, both, 2, 2, half);
        return;
    }
    both = weft_reshape(x->g, both, WEFT_DIMS(x->in->T, d->chosen, d->width, 2));
    for (int i = 0; i < 2; i++) half[i] = weft_select(x->g, both, 3, i);
}

weft_ref weft_block_gated_experts(weft_net *x, weft_ref in, const weft_block_experts_desc *d, weft_block_gate *gated)
{
    weft_ref half[2];
    weft_scope_begin(x->g, "mlp");
    const chosen c = choose(x, in, d);
    weft_scope_begin(x->g, "experts");
    weft_ref y = project(x, in, c.ids, "gate_up_proj", d->n, x->E, 2 * d->width, d->bias);
    divide(x, y, d, half);
    y = gated(x, half[0], half[1]);
    y = project(x, y, c.ids, "down_proj", d->n, d->width, x->E, d->bias);
    weft_ref by = weft_reshape(x->g, c.weights, WEFT_DIMS(x->in->T, 1, d->chosen));
    y = weft_scope_end(x->g, weft_reshape(x->g, weft_matmul(x->g, by, y), WEFT_DIMS(x->in->T, x->E)));
    return weft_scope_end(x->g, y);
}

static weft_ref usual_gate(weft_net *x, weft_ref gate, weft_ref up)
{
    return weft_mul(x->g, weft_activation(x->g, gate, x->act), up);
}

weft_ref weft_block_experts(weft_net *x, weft_ref in, const weft_block_experts_desc *d)
{
    return weft_block_gated_experts(x, in, d, usual_gate);
}

weft_ref weft_block_sparse_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention,
                                 const weft_block_experts_desc *experts)
{
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), attention);
    weft_ref h = weft_add(x->g, in, y);
    y = weft_block_experts(x, weft_block_norm(x, h, "post_attention_layernorm"), experts);
    return weft_add(x->g, h, y);
}
