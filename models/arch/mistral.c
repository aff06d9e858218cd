/* mistral.c: Mistral 7B, Nemo, Small: LLaMA without biases, with a window in every layer if there is one.
 * Jiang et al., arXiv:2310.06825; Hugging Face's Mistral classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const weft_block_attention_desc attention = { &x->rotary, .window = weft_net_window(x) };
    (void)i;
    return weft_block_prenorm_layer(x, in, &attention, false);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(32000) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(14336) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "num_key_value_heads", NUMBER(8) }, { "sliding_window", NUMBER(4096), OR_NULL },
    { "max_position_embeddings", NUMBER(131072) }, { "rms_norm_eps", NUMBER(1e-6) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "tie_word_embeddings", NUMBER(false) },
    { "initializer_range", NUMBER(0.02) }, { "bos_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(2) },
};

static const weft__gguf_name gguf[] = {
    GGUF_PAIRED,
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_SOME("sliding_window", "attention.sliding_window"),
};

const weft__arch weft__arch_mistral = {
    .family = "Mistral", DECODER_CLASSES("Mistral"), .trunk = trunk, KEYS("mistral", keys),
    GGUF("llama", gguf), GGUF_KEYS(gguf_keys), .gguf.also = "mistral3", DECODER_NAMES
};
