/* smollm3.c: SmolLM3: LLaMA where some layers, usually every fourth, do not turn. Bakouch et al.,
 * huggingface.co/blog/smollm3 (2025); Hugging Face's SmolLM3 classes are the reference. */
#include "models/arch.h"

#include <stdio.h>

/* no_rope_layers has 1 for layers that turn; without it all but every n-th do. */
static bool turns(weft_net *x, uint32_t i)
{
    char key[40];
    double listed;
    uint32_t every = weft_config_u32(x->g, x->c, "no_rope_layer_interval", 1, 4096);
    if (!x->c->number(x->c->ctx, "no_rope_layers", &listed)) return (i + 1) % every != 0;
    snprintf(key, sizeof key, "no_rope_layers.%u", i);
    return weft_config_bool(x->g, x->c, key);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias"), turn = turns(x, i);
    bool windows = weft_config_bool(x->g, x->c, "use_sliding_window");
    uint32_t window = windows ? weft_net_window(x) : 0;
    const weft_block_attention_desc attention = { .rotary = turn ? &x->rotary : NULL, .bias = bias, .out_bias = bias,
                                                  .window = weft_block_window(x, window, i, !turn) };
    return weft_block_prenorm_layer(x, in, &attention, weft_config_bool(x->g, x->c, "mlp_bias"));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(128256) }, { "hidden_size", NUMBER(2048) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(36) }, { "num_attention_heads", NUMBER(16) }, { "hidden_act", TEXT("silu") },
    { "num_key_value_heads", NUMBER(4), OR_NULL }, { "max_position_embeddings", NUMBER(32768) },
    { "rms_norm_eps", NUMBER(1e-6) }, { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(2000000) },
    { "attention_bias", NUMBER(false) }, { "mlp_bias", NUMBER(false) }, { "tie_word_embeddings", NUMBER(true) },
    { "use_sliding_window", NUMBER(false) }, { "no_rope_layer_interval", NUMBER(4) },
    { "initializer_range", NUMBER(0.02) }, { "pad_token_id", NUMBER(128004) }, { "bos_token_id", NUMBER(128000) },
    { "eos_token_id", NUMBER(128001) },
};

static const weft__gguf_name gguf[] = {
    GGUF_PAIRED,
};

const weft__arch weft__arch_smollm3 = {
    .family = "SmolLM3", DECODER_CLASSES("SmolLM3"), .trunk = trunk, KEYS("smollm3", keys),
    GGUF("smollm3", gguf), DECODER_NAMES
};
