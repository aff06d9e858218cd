/* gemma3_text.c: Gemma 3 1B, and what is text of the others: Gemma 2 with norms of queries and keys instead of caps,
 * and another rotation in layers with a window. Gemma team, arXiv:2503.19786; Hugging Face's Gemma3 classes are the
 * reference. */
#include "models/arch.h"

#include <math.h>

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    uint32_t every = weft_config_u32(x->g, x->c, "sliding_window_pattern", 1, 4096);
    uint32_t window = weft_block_window(x, weft_net_window(x), i, (i + 1) % every != 0);
    const weft_block_attention_desc attention = {
        .rotary = window ? &x->local : &x->rotary, .window = window, .bias = bias, .out_bias = bias, .qk_norm = "norm",
        .scale = (float)(1 / sqrt(weft_config_f64(x->g, x->c, "query_pre_attn_scalar", 1e-6, 1e6))),
    };
    return weft_block_sandwich_layer(x, in, &attention);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_group_rotary(x, "full", x->D, 1);
    x->local = weft_block_group_rotary(x, "local", x->D, 1);
    weft_net_refuse(x, "use_bidirectional_attention");
    x->norm.one_plus = true;
    x->head.soft_cap = (float)weft_config_f64_or(g, c, "final_logit_softcapping", 0, 1e-6, 1e6);
    return weft_block_scaled_decoder(x, weft_block_rounded(x, sqrt(x->E)), layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(262208) }, { "hidden_size", NUMBER(2304) }, { "intermediate_size", NUMBER(9216) },
    { "num_hidden_layers", NUMBER(26) }, { "num_attention_heads", NUMBER(8) }, { "num_key_value_heads", NUMBER(4) },
    { "head_dim", NUMBER(256) }, { "hidden_act", { "hidden_activation" }, TEXT("gelu_pytorch_tanh") },
    { "max_position_embeddings", NUMBER(131072) }, { "rms_norm_eps", NUMBER(1e-6) },
    { "attention_bias", NUMBER(false) }, { "query_pre_attn_scalar", NUMBER(256) },
    { "sliding_window", NUMBER(4096), OR_NULL },
    { "sliding_window_pattern", NUMBER(6) }, { "tie_word_embeddings", NUMBER(true) },
    { "initializer_range", NUMBER(0.02) }, { "pad_token_id", NUMBER(0) }, { "bos_token_id", NUMBER(2) },
    { "eos_token_id", NUMBER(1) },
    { "full.rope_theta", { "rope_scaling.rope_theta", "rope_parameters.full_attention.rope_theta", "rope_theta" },
      NUMBER(1000000) },
    { "local.rope_theta", { "rope_parameters.sliding_attention.rope_theta", "rope_local_base_freq" }, NUMBER(10000) },
    ROPE_ROWS("full", "rope_scaling", "rope_parameters.full_attention"),
    ROPE_ROWS("local", "rope_parameters.sliding_attention", "rope_parameters.sliding_attention"),
};

static const weft__gguf_name gguf[] = {
    GGUF_SANDWICH, MORE("self_attn.q_norm", "attn_q_norm"),
    MORE("self_attn.k_norm", "attn_k_norm"),
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN("final_logit_softcapping", "final_logit_softcapping"), WIDTH("query_pre_attn_scalar", 62) /* of 27B */,
    TAKEN_OR("local.rope_theta", "rope.freq_base_swa", 10000),
};

const weft__arch weft__arch_gemma3_text = {
    .family = "Gemma3", .trunk = trunk, KEYS("gemma3_text", keys),
    GGUF("gemma3", gguf), GGUF_KEYS(gguf_keys), .gguf.period = 6, .gguf.rope = "full", DECODER_NAMES,
    .classes = { { "Gemma3ForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "Gemma3TextModel", WEFT_HEAD_NONE, NULL, false },
                 { "Gemma3TextForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false } },
};
