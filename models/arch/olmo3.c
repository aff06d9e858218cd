/* olmo3.c: OLMo 3: OLMo 2 with windows in three of four layers, which turn by themselves. OLMo team, arXiv:2512.13961;
 * Hugging Face's Olmo3 classes are the reference. */
#include "models/arch.h"

static weft_ref attention(weft_net *x, weft_ref in, uint32_t window)
{
    const weft_block_attention_desc how = { .rotary = window ? &x->local : &x->rotary, .window = window };
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    weft_scope_begin(x->g, "self_attn");
    weft_ref q = weft_block_norm(x, weft_block_linear(x, in, "q_proj", x->H * x->D, bias), "q_norm");
    weft_ref k = weft_block_norm(x, weft_block_linear(x, in, "k_proj", x->G * x->D, bias), "k_norm");
    q = weft_reshape(x->g, q, WEFT_DIMS(x->in->T, x->H, x->D));
    k = weft_reshape(x->g, k, WEFT_DIMS(x->in->T, x->G, x->D));
    weft_ref v = weft_block_heads(x, in, "v_proj", x->G, bias);
    weft_ref y = weft_block_attention(x, q, k, v, &how);
    return weft_scope_end(x->g, weft_block_linear(x, y, "o_proj", x->E, bias));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    uint32_t most = weft_config_u32_or(x->g, x->c, "sliding_window", 0, 1, 1 << 30);
    weft_ref y = attention(x, in, weft_block_window(x, most, i, (i + 1) % 4 != 0));
    weft_ref r = weft_add(x->g, in, weft_block_norm(x, y, "post_attention_layernorm"));
    return weft_add(x->g, r, weft_block_norm(x, weft_block_gated_mlp(x, r, false), "post_feedforward_layernorm"));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_group_rotary(x, "full", x->D, 1);
    x->local = weft_block_group_rotary(x, "local", x->D, 1);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(2048) }, { "rms_norm_eps", NUMBER(1e-5) }, { "attention_bias", NUMBER(false) },
    { "initializer_range", NUMBER(0.02) }, { "sliding_window", NUMBER(4096), OR_NULL },
    { "tie_word_embeddings", NUMBER(false) }, { "pad_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(50279) },
    { "full.rope_theta", { "rope_scaling.rope_theta", "rope_parameters.full_attention.rope_theta", "rope_theta" },
      NUMBER(500000) },
    { "local.rope_theta", { "rope_parameters.sliding_attention.rope_theta" }, NUMBER(500000) },
    ROPE_ROWS("full", "rope_scaling", "rope_parameters.full_attention"),
    ROPE_ROWS("local", "rope_parameters.sliding_attention", "rope_parameters.sliding_attention"),
};

const weft__arch weft__arch_olmo3 = {
    .family = "Olmo3", .trunk = trunk, KEYS("olmo3", keys), DECODER_NAMES,
    .classes = { { "Olmo3ForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "Olmo3Model", WEFT_HEAD_NONE, NULL, false },
                 { "Olmo3ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false } },
};
