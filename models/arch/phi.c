/* phi.c: Phi-1, Phi-1.5, Phi-2. Gunasekar et al., arXiv:2306.11644; Hugging Face's Phi classes are the reference. */
#include "models/arch.h"

/* Attention and feed-forward part beside each other, after one norm. */
static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const char *norm = weft_config_bool(x->g, x->c, "qk_layernorm") ? "layernorm" : NULL;
    const weft_block_attention_desc attention = { &x->rotary, .out = "dense", .bias = true, .out_bias = true,
                                                  .qk_norm = norm };
    weft_ref n = weft_block_norm(x, in, "input_layernorm");
    (void)i;
    weft_ref r = weft_add(x->g, in, weft_block_self_attention(x, n, &attention));
    return weft_add(x->g, r, weft_block_mlp(x, n, "fc1", "fc2", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_rotary(x, x->D, weft_config_f64(g, c, "partial_rotary_factor", 0, 1));
    x->head.bias = true;
    weft_scope_begin(g, "model");
    weft_ref h = weft_block_embed(x, "embed_tokens");
    return weft_scope_end(g, weft_block_layers(x, h, "layers", layer, "final_layernorm"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(51200) }, { "hidden_size", NUMBER(2048) }, { "intermediate_size", NUMBER(8192) },
    { "num_hidden_layers", NUMBER(24) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("gelu_new") },
    { "max_position_embeddings", NUMBER(2048) }, { "layer_norm_eps", NUMBER(1e-5) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "partial_rotary_factor", ROPE_OR("partial_rotary_factor", "partial_rotary_factor"), NUMBER(0.5) },
    { "qk_layernorm", NUMBER(false) }, { "tie_word_embeddings", NUMBER(false) }, { "bos_token_id", NUMBER(1) },
    { "eos_token_id", NUMBER(2) }, { "initializer_range", NUMBER(0.02) },
};

static const weft__gguf_name gguf[] = {
    SAME("final_layernorm", "output_norm"), SAME("mlp.fc1", "ffn_up"), SAME("mlp.fc2", "ffn_down"),
};

static const weft__gguf_key gguf_keys[] = {
    THERE("qk_layernorm", "blk.0.attn_q_norm.weight"),
};

const weft__arch weft__arch_phi = {
    .family = "Phi", DECODER_CLASSES("Phi"), .trunk = trunk, KEYS("phi", keys),
    GGUF("phi2", gguf), GGUF_KEYS(gguf_keys), DECODER_NAMES
};
