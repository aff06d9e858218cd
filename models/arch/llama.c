/* llama.c: LLaMA 1 to 3.3 and all that has its shape: TinyLlama, SmolLM, Yi, Vicuna, Falcon 3, R1-distill-Llama.
 * Touvron et al., arXiv:2302.13971; Hugging Face's Llama classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const weft_block_attention_desc attention = { .rotary = &x->rotary, .bias = bias, .out_bias = bias };
    (void)i;
    return weft_block_prenorm_layer(x, in, &attention, weft_config_bool(x->g, x->c, "mlp_bias"));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(32000) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(2048) }, { "rms_norm_eps", NUMBER(1e-6) }, { "attention_bias", NUMBER(false) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "tie_word_embeddings", NUMBER(false) },
    { "mlp_bias", NUMBER(false) }, { "initializer_range", NUMBER(0.02) }, { "bos_token_id", NUMBER(1) },
    { "eos_token_id", NUMBER(2) },
};

static const weft__gguf_name gguf[] = {
    GGUF_PAIRED,
};

const weft__arch weft__arch_llama = {
    .family = "Llama", DECODER_CLASSES("Llama"), .trunk = trunk, KEYS("llama", keys),
    GGUF("llama", gguf), DECODER_NAMES
};
