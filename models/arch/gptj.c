/* gptj.c: GPT-J. Wang and Komatsuzaki, github.com/kingoflolz/mesh-transformer-jax (2021); Hugging Face's GPTJ classes
 * are the reference. */
#include "models/arch.h"

/* Attention and feed-forward part beside each other, after one norm. */
static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const weft_block_attention_desc attention = { &x->rotary, .scope = "attn", .out = "out_proj" };
    weft_ref n = weft_block_norm(x, in, "ln_1");
    (void)i;
    weft_ref r = weft_add(x->g, in, weft_block_self_attention(x, n, &attention));
    return weft_add(x->g, r, weft_block_mlp(x, n, "fc_in", "fc_out", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    x->rotary = weft_block_pair_rotary(x, weft_config_u32(g, c, "rotary_dim", 2, 1024), 10000);
    x->head.bias = true;
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_embed(x, "wte");
    return weft_scope_end(g, weft_block_layers(x, h, "h", layer, "ln_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50400) }, { "hidden_size", { "hidden_size", "n_embd" }, NUMBER(4096) },
    { "num_hidden_layers", { "num_hidden_layers", "n_layer" }, NUMBER(28) },
    { "num_attention_heads", { "num_attention_heads", "n_head" }, NUMBER(16) },
    { "max_position_embeddings", { "max_position_embeddings", "n_positions" }, NUMBER(2048) },
    { "intermediate_size", { "n_inner" }, ABSENT }, { "hidden_act", { "activation_function" }, TEXT("gelu_new") },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "rotary_dim", NUMBER(64) }, { "tie_word_embeddings", NUMBER(false) }, { "bos_token_id", NUMBER(50256) },
    { "eos_token_id", NUMBER(50256) },
};

const weft__arch weft__arch_gptj = {
    .family = "GPTJ", .trunk = trunk, KEYS("gptj", keys), GPT_NAMES,
    .classes = { { "GPTJForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "GPTJModel", WEFT_HEAD_NONE, NULL, false },
                 { "GPTJForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "GPTJForQuestionAnswering", WEFT_HEAD_SPAN, "qa_outputs", true } },
};
