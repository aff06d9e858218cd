/* olmo2.c: OLMo 2: LLaMA with norms after its parts, not before, and of all queries and all keys at once. OLMo team,
 * arXiv:2501.00656; Hugging Face's Olmo2 classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const weft_block_attention_desc attention = { &x->rotary, .bias = bias, .out_bias = bias, .qk_norm = "norm" };
    (void)i;
    return weft_block_postnorm_layer(x, in, &attention);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    x->gains = WEFT_GAINS_TOGETHER;
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(2048) }, { "rms_norm_eps", NUMBER(1e-5) }, { "attention_bias", NUMBER(false) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "initializer_range", NUMBER(0.02) },
    { "tie_word_embeddings", NUMBER(false) }, { "pad_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(50279) },
};

static const weft__gguf_name gguf[] = {
    GGUF_AFTER,
};

const weft__arch weft__arch_olmo2 = {
    .family = "Olmo2", .trunk = trunk, KEYS("olmo2", keys),
    GGUF("olmo2", gguf), DECODER_NAMES,
    .classes = { { "Olmo2ForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "Olmo2Model", WEFT_HEAD_NONE, NULL, false },
                 { "Olmo2ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false } },
};
