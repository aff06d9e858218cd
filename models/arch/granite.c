/* granite.c: Granite 3 and 4 (dense), PowerLM: LLaMA with four factors. Shen et al., arXiv:2408.13359; Hugging Face's
 * Granite classes are the reference. */
#include "models/arch.h"

static float factor(weft_net *x, const char *key)
{
    return (float)weft_config_f64(x->g, x->c, key, 1e-6, 1e6);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    float residual = factor(x, "residual_multiplier");
    const weft_block_attention_desc attention = { &x->rotary, .scale = factor(x, "attention_multiplier"), .bias = bias,
                                                  .out_bias = bias };
    (void)i;
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), &attention);
    weft_ref r = weft_add(x->g, in, weft_scale(x->g, y, residual));
    y = weft_block_norm(x, r, "post_attention_layernorm");
    y = weft_block_gated_mlp(x, y, weft_config_bool(x->g, x->c, "mlp_bias"));
    return weft_add(x->g, r, weft_scale(x->g, y, residual));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    x->head.scale = 1 / factor(x, "logits_scaling");
    return weft_block_scaled_decoder(x, factor(x, "embedding_multiplier"), layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(32000) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(2048) }, { "rms_norm_eps", NUMBER(1e-6) }, { "attention_bias", NUMBER(false) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "tie_word_embeddings", NUMBER(false) },
    { "initializer_range", NUMBER(0.02) }, { "mlp_bias", NUMBER(false) }, { "embedding_multiplier", NUMBER(1) },
    { "attention_multiplier", NUMBER(1) }, { "residual_multiplier", NUMBER(1) }, { "logits_scaling", NUMBER(1) },
    { "bos_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(2) },
};

static const weft__gguf_name gguf[] = {
    GGUF_PAIRED,
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_OR("embedding_multiplier", "embedding_scale", 1), TAKEN_OR("residual_multiplier", "residual_scale", 1),
    TAKEN_OR("logits_scaling", "logit_scale", 1), SCALE("attention_multiplier", "attention.scale"),
};

const weft__arch weft__arch_granite = {
    .family = "Granite", .trunk = trunk, KEYS("granite", keys),
    GGUF("granite", gguf), GGUF_KEYS(gguf_keys), .gguf.may_not_turn = true, DECODER_NAMES,
    .classes = { { "GraniteForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "GraniteModel", WEFT_HEAD_NONE, NULL, false } },
};
