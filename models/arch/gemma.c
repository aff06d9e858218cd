/* gemma.c: Gemma 1, CodeGemma: LLaMA with gains stored less 1 and an embedding made larger. Gemma team,
 * arXiv:2403.08295; Hugging Face's Gemma classes are the reference. */
#include "models/arch.h"

#include <math.h>

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const weft_block_attention_desc attention = { &x->rotary, .bias = bias, .out_bias = bias };
    (void)i;
    return weft_block_prenorm_layer(x, in, &attention, false);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    weft_net_refuse(x, "use_bidirectional_attention");
    x->norm.one_plus = true;
    if (x->act == WEFT_ACT_GELU) x->act = WEFT_ACT_GELU_TANH; /* what "gelu" of the first files means */
    return weft_block_scaled_decoder(x, weft_block_rounded(x, sqrt(x->E)), layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(256000) }, { "hidden_size", NUMBER(3072) }, { "intermediate_size", NUMBER(24576) },
    { "num_hidden_layers", NUMBER(28) }, { "num_attention_heads", NUMBER(16) }, { "num_key_value_heads", NUMBER(16) },
    { "head_dim", NUMBER(256) }, { "hidden_act", TEXT("gelu_pytorch_tanh") }, { "rms_norm_eps", NUMBER(1e-6) },
    { "max_position_embeddings", NUMBER(8192) }, { "initializer_range", NUMBER(0.02) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "tie_word_embeddings", NUMBER(true) },
    { "attention_bias", NUMBER(false) }, { "pad_token_id", NUMBER(0) }, { "bos_token_id", NUMBER(2) },
    { "eos_token_id", NUMBER(1) },
};

static const weft__gguf_name gguf[] = {
    MORE("norm", "output_norm"), MORE("input_layernorm", "attn_norm"),
    MORE("post_attention_layernorm", "ffn_norm"),
};

const weft__arch weft__arch_gemma = {
    .family = "Gemma", DECODER_CLASSES("Gemma"), .trunk = trunk, KEYS("gemma", keys),
    GGUF("gemma", gguf), DECODER_NAMES
};
