/* stablelm.c: StableLM 3B, 2 1.6B and 12B, Stable Code. Bellagente et al., arXiv:2402.17834; Hugging Face's StableLm
 * classes are the reference. */
#include "models/arch.h"

/* Each head of [T, heads, D] by a norm of its own, whose gain is norms.J.weight. */
static weft_ref norm_heads(weft_net *x, weft_ref in, const char *name, uint32_t heads)
{
    const weft_norm_desc plain = { .kind = WEFT_NORM_LAYER, .eps = x->norm.eps };
    weft_ref gain = { 0 };
    weft_scope_begin(x->g, "%s", name);
    for (uint32_t j = 0; j < heads; j++) {
        weft_scope_begin(x->g, "norms.%u", j);
        weft_ref pair[2] = { gain, weft_weight(x->g, WEFT_ANY, WEFT_DIMS(x->D), "weight") };
        gain = weft_scope_end(x->g, j ? weft_concat(x->g, pair, 2, 0) : pair[1]);
    }
    weft_ref y = weft_norm(x->g, in, &plain);
    return weft_scope_end(x->g, weft_mul(x->g, y, weft_reshape(x->g, gain, WEFT_DIMS(heads, x->D))));
}

static weft_ref attention(weft_net *x, weft_ref in)
{
    bool bias = weft_config_bool(x->g, x->c, "use_qkv_bias");
    weft_scope_begin(x->g, "self_attn");
    weft_ref q = weft_block_heads(x, in, "q_proj", x->H, bias), k = weft_block_heads(x, in, "k_proj", x->G, bias);
    weft_ref v = weft_block_heads(x, in, "v_proj", x->G, bias);
    if (weft_config_bool(x->g, x->c, "qk_layernorm")) {
        q = norm_heads(x, q, "q_layernorm", x->H);
        k = norm_heads(x, k, "k_layernorm", x->G);
    }
    weft_ref y = weft_block_attention(x, q, k, v, &(weft_block_attention_desc){ .rotary = &x->rotary });
    return weft_scope_end(x->g, weft_block_linear(x, y, "o_proj", x->E, false));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    weft_ref n = weft_block_norm(x, in, "input_layernorm");
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, n));
    if (!weft_config_bool(x->g, x->c, "use_parallel_residual")) n = weft_block_norm(x, r, "post_attention_layernorm");
    return weft_add(x->g, r, weft_block_gated_mlp(x, n, false));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_key_heads(x);
    x->rotary = weft_block_rotary(x, x->D, weft_config_f64(g, c, "partial_rotary_factor", 0, 1));
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(2560) }, { "intermediate_size", NUMBER(6912) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "num_key_value_heads", NUMBER(32) },
    { "hidden_act", TEXT("silu") }, { "max_position_embeddings", NUMBER(4096) }, { "layer_norm_eps", NUMBER(1e-5) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "partial_rotary_factor", ROPE_OR("partial_rotary_factor", "partial_rotary_factor"), NUMBER(0.25) },
    { "use_qkv_bias", NUMBER(false) }, { "qk_layernorm", NUMBER(false) }, { "use_parallel_residual", NUMBER(false) },
    { "tie_word_embeddings", NUMBER(false) }, { "initializer_range", NUMBER(0.02) }, { "bos_token_id", NUMBER(0) },
    { "eos_token_id", NUMBER(0) },
};

const weft__arch weft__arch_stablelm = {
    .family = "StableLm", DECODER_CLASSES("StableLm"), .trunk = trunk, KEYS("stablelm", keys), DECODER_NAMES
};
