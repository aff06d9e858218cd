/* olmo3.c: OLMo 3: OLMo 2 with windows in three of four layers, which turn by themselves. OLMo team, arXiv:2512.13961;
 * Hugging Face's Olmo3 classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    uint32_t window = weft_block_window(x, weft_net_window(x), i, (i + 1) % 4 != 0);
    const weft_block_attention_desc attention = { window ? &x->local : &x->rotary, .window = window, .bias = bias,
                                                  .out_bias = bias, .qk_norm = "norm" };
    return weft_block_postnorm_layer(x, in, &attention);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_group_rotary(x, "full", x->D, 1);
    x->local = weft_block_group_rotary(x, "local", x->D, 1);
    x->gains = WEFT_GAINS_TOGETHER;
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

static const weft__gguf_name gguf[] = {
    GGUF_AFTER,
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_OR("local.rope_theta", "rope.freq_base", 10000), TAKEN("local.rope_theta", "rope.freq_base_swa"),
};

const weft__arch weft__arch_olmo3 = {
    .family = "Olmo3", .trunk = trunk, KEYS("olmo3", keys),
    GGUF("olmo2", gguf), GGUF_KEYS(gguf_keys), DECODER_NAMES,
    .gguf.has = "attention.sliding_window", .gguf.period = 4, .gguf.rope = "full",
    .classes = { { "Olmo3ForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "Olmo3Model", WEFT_HEAD_NONE, NULL, false },
                 { "Olmo3ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false } },
};
