/* gpt2.c: GPT-2, DistilGPT-2, DialoGPT. Radford et al., "Language models are unsupervised multitask learners" (2019);
 * Hugging Face's GPT2 classes are the reference. */
#include "models/arch.h"

#include <math.h>

/* 1, or D^-1/2; less in upper layers if asked for. */
static float scale_of(weft_net *x, uint32_t i)
{
    double scale = weft_config_bool(x->g, x->c, "scale_attn_weights") ? 1 / sqrt(x->D) : 1;
    return (float)(weft_config_bool(x->g, x->c, "scale_attn_by_inverse_layer_idx") ? scale / (i + 1) : scale);
}

static weft_ref attention(weft_net *x, weft_ref in, uint32_t i)
{
    weft_ref qkv[3];
    weft_scope_begin(x->g, "attn");
    weft_block_split_heads(x, weft_block_linear(x, in, "c_attn", 3 * x->E, true), qkv);
    const weft_block_attention_desc how = { .scale = scale_of(x, i) };
    weft_ref y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &how);
    return weft_scope_end(x->g, weft_block_linear(x, y, "c_proj", x->E, true));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "ln_1"), i));
    return weft_add(x->g, r, weft_block_mlp(x, weft_block_norm(x, r, "ln_2"), "c_fc", "c_proj", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    weft_net_refuse(x, "add_cross_attention");
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_embed(x, "wte");
    h = weft_add(g, h, weft_block_positions(x, "wpe", 0));
    return weft_scope_end(g, weft_block_layers(x, h, "h", layer, "ln_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50257) }, { "hidden_size", { "hidden_size", "n_embd" }, NUMBER(768) },
    { "num_hidden_layers", { "num_hidden_layers", "n_layer" }, NUMBER(12) },
    { "num_attention_heads", { "num_attention_heads", "n_head" }, NUMBER(12) },
    { "max_position_embeddings", { "max_position_embeddings", "n_positions" }, NUMBER(1024) },
    { "intermediate_size", { "n_inner" }, ABSENT }, { "hidden_act", { "activation_function" }, TEXT("gelu_new") },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "scale_attn_weights", NUMBER(true) }, { "scale_attn_by_inverse_layer_idx", NUMBER(false) },
    { "tie_word_embeddings", NUMBER(true) }, { "bos_token_id", NUMBER(50256) }, { "eos_token_id", NUMBER(50256) },
};

const weft__arch weft__arch_gpt2 = {
    .family = "GPT2", .trunk = trunk, KEYS("gpt2", keys),
    .gguf.arch = "gpt2", GPT_NAMES,
    .classes = { { "GPT2LMHeadModel", WEFT_HEAD_LOGITS, NULL, false }, { "GPT2Model", WEFT_HEAD_NONE, NULL, false },
                 { "GPT2ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "GPT2ForTokenClassification", WEFT_HEAD_TOKENS, "classifier", true },
                 { "GPT2ForQuestionAnswering", WEFT_HEAD_SPAN, "qa_outputs", true } },
    .transposed = { ".c_attn.weight", ".c_proj.weight", ".c_fc.weight" }, .bounded = true,
};
