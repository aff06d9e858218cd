/* gpt_bigcode.c: SantaCoder, StarCoder: GPT-2 with one head of keys. Li et al., arXiv:2305.06161; Hugging Face's
 * GPTBigCode classes are the reference. */
#include "models/arch.h"

static weft_ref attention(weft_net *x, weft_ref in)
{
    float scale = weft_config_bool(x->g, x->c, "scale_attn_weights") ? 0 : 1;
    weft_ref qkv[3];
    weft_scope_begin(x->g, "attn");
    weft_block_split_groups(x, weft_block_linear(x, in, "c_attn", (x->H + 2 * x->G) * x->D, true), qkv);
    weft_ref y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &(weft_block_attention_desc){ .scale = scale });
    return weft_scope_end(x->g, weft_block_linear(x, y, "c_proj", x->E, true));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "ln_1")));
    return weft_add(x->g, r, weft_block_mlp(x, weft_block_norm(x, r, "ln_2"), "c_fc", "c_proj", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    weft_net_refuse(x, "add_cross_attention");
    if (weft_config_bool(g, c, "multi_query")) x->G = 1;
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
    { "intermediate_size", { "n_inner" }, ABSENT },
    { "hidden_act", { "activation_function" }, TEXT("gelu_pytorch_tanh") },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "scale_attn_weights", NUMBER(true) }, { "multi_query", NUMBER(true) }, { "tie_word_embeddings", NUMBER(true) },
    { "bos_token_id", NUMBER(50256) }, { "eos_token_id", NUMBER(50256) },
};

static const weft__gguf_key gguf_keys[] = {
    IS("multi_query", "attention.head_count_kv", 1),
};

const weft__arch weft__arch_gpt_bigcode = {
    .family = "GPTBigCode", .trunk = trunk, KEYS("gpt_bigcode", keys),
    .gguf.arch = "starcoder", GGUF_KEYS(gguf_keys), GPT_NAMES, .bounded = true,
    .classes = { { "GPTBigCodeForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "GPTBigCodeModel", WEFT_HEAD_NONE, NULL, false },
                 { "GPTBigCodeForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "GPTBigCodeForTokenClassification", WEFT_HEAD_TOKENS, "classifier", true } },
};
