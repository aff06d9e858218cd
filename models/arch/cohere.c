/* cohere.c: Command R, Command R+, Aya 23: parallel parts after one norm without bias, rotation of pairs. Cohere
 * (2024); Hugging Face's Cohere classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const char *norm = weft_config_bool(x->g, x->c, "use_qk_norm") ? "norm" : NULL;
    const weft_block_attention_desc attention = { &x->rotary, .bias = bias, .out_bias = bias, .qk_norm = norm };
    (void)i;
    return weft_block_parallel_layer(x, in, &attention);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_grouped_heads(x);
    x->norm.bias = false;
    x->gains = WEFT_GAINS_OWN;
    x->head.scale = (float)weft_config_f64(g, c, "logit_scale", 1e-6, 1e6);
    x->rotary = weft_block_rotary(x, x->D, 1);
    x->rotary.interleaved = true;
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(256000) }, { "hidden_size", NUMBER(8192) }, { "intermediate_size", NUMBER(22528) },
    { "num_hidden_layers", NUMBER(40) }, { "num_attention_heads", NUMBER(64) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(8192) }, { "layer_norm_eps", NUMBER(1e-5) }, { "logit_scale", NUMBER(0.0625) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(500000) }, { "attention_bias", NUMBER(false) },
    { "use_qk_norm", NUMBER(false) }, { "tie_word_embeddings", NUMBER(true) }, { "initializer_range", NUMBER(0.02) },
    { "pad_token_id", NUMBER(0) }, { "bos_token_id", NUMBER(5) }, { "eos_token_id", NUMBER(255001) },
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_OR("logit_scale", "logit_scale", 1), THERE("use_qk_norm", "blk.0.attn_q_norm.weight"),
};

const weft__arch weft__arch_cohere = {
    .family = "Cohere", .trunk = trunk, KEYS("cohere", keys),
    .gguf.arch = "command-r", GGUF_KEYS(gguf_keys), DECODER_NAMES,
    .classes = { { "CohereForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "CohereModel", WEFT_HEAD_NONE, NULL, false } },
};
