/* gemma2.c: Gemma 2: Gemma with norms on both sides of its parts, capped scores and logits, and windows in every other
 * layer. Gemma team, arXiv:2408.00118; Hugging Face's Gemma2 classes are the reference. */
#include "models/arch.h"

#include <math.h>

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const weft_block_attention_desc attention = {
        .rotary = &x->rotary, .bias = bias, .out_bias = bias,
        .window = weft_block_window(x, weft_net_window(x), i, i % 2 == 0),
        .scale = (float)(1 / sqrt(weft_config_f64(x->g, x->c, "query_pre_attn_scalar", 1e-6, 1e6))),
        .soft_cap = (float)weft_config_f64_or(x->g, x->c, "attn_logit_softcapping", 0, 1e-6, 1e6),
    };
    return weft_block_sandwich_layer(x, in, &attention);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    weft_net_refuse(x, "use_bidirectional_attention");
    x->norm.one_plus = true;
    x->head.soft_cap = (float)weft_config_f64_or(g, c, "final_logit_softcapping", 0, 1e-6, 1e6);
    return weft_block_scaled_decoder(x, weft_block_rounded(x, sqrt(x->E)), layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(256000) }, { "hidden_size", NUMBER(2304) }, { "intermediate_size", NUMBER(9216) },
    { "num_hidden_layers", NUMBER(26) }, { "num_attention_heads", NUMBER(8) }, { "num_key_value_heads", NUMBER(4) },
    { "head_dim", NUMBER(256) }, { "hidden_act", { "hidden_activation" }, TEXT("gelu_pytorch_tanh") },
    { "max_position_embeddings", NUMBER(8192) }, { "rms_norm_eps", NUMBER(1e-6) }, { "attention_bias", NUMBER(false) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "query_pre_attn_scalar", NUMBER(256) },
    { "sliding_window", NUMBER(4096), OR_NULL }, { "final_logit_softcapping", NUMBER(30), OR_NULL },
    { "attn_logit_softcapping", NUMBER(50), OR_NULL }, { "tie_word_embeddings", NUMBER(true) },
    { "initializer_range", NUMBER(0.02) }, { "pad_token_id", NUMBER(0) }, { "bos_token_id", NUMBER(2) },
    { "eos_token_id", NUMBER(1) },
};

static const weft__gguf_name gguf[] = {
    GGUF_SANDWICH,
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN("attn_logit_softcapping", "attn_logit_softcapping"),
    TAKEN("final_logit_softcapping", "final_logit_softcapping"), WIDTH("query_pre_attn_scalar", 46) /* of 27B */,
};

const weft__arch weft__arch_gemma2 = {
    .family = "Gemma2", DECODER_CLASSES("Gemma2"), .trunk = trunk, KEYS("gemma2", keys),
    GGUF("gemma2", gguf), GGUF_KEYS(gguf_keys), .gguf.period = 2, .gguf.window = 4096, DECODER_NAMES
};
