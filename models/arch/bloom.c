/* bloom.c: BLOOM, BLOOMZ: a norm of the embedding, and ALiBi. BigScience, arXiv:2211.05100; Hugging Face's Bloom
 * classes are the reference. */
#include "models/arch.h"

static weft_ref attention(weft_net *x, weft_ref in)
{
    weft_ref qkv[3];
    weft_scope_begin(x->g, "self_attention");
    weft_block_split_groups(x, weft_block_linear(x, in, "query_key_value", 3 * x->E, true), qkv);
    weft_ref y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &(weft_block_attention_desc){ 0 });
    return weft_scope_end(x->g, weft_block_linear(x, y, "dense", x->E, true));
}

/* What the parts are added to may be what they read: the norm's result. */
static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool normed = weft_config_bool(x->g, x->c, "apply_residual_connection_post_layernorm");
    (void)i;
    weft_ref n = weft_block_norm(x, in, "input_layernorm");
    weft_ref r = weft_add(x->g, normed ? n : in, attention(x, n));
    n = weft_block_norm(x, r, "post_attention_layernorm");
    return weft_add(x->g, normed ? n : r, weft_block_mlp(x, n, "dense_h_to_4h", "dense_4h_to_h", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    weft_net_refuse(x, "slow_but_exact"); /* leaves biases out */
    x->slopes = weft_block_alibi(x);
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_norm(x, weft_block_embed(x, "word_embeddings"), "word_embeddings_layernorm");
    return weft_scope_end(g, weft_block_layers(x, h, "h", layer, "ln_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(250880) }, { "hidden_size", { "n_embed", "hidden_size" }, NUMBER(64) },
    { "num_hidden_layers", { "num_hidden_layers", "n_layer" }, NUMBER(2) },
    { "num_attention_heads", { "num_attention_heads", "n_head" }, NUMBER(8) },
    { "intermediate_size", { "" }, ABSENT }, { "hidden_act", { "" }, TEXT("gelu_tanh") }, /* not of files */
    { "max_position_embeddings", { "seq_length" }, NUMBER(2048) }, /* that it was trained with */
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "apply_residual_connection_post_layernorm", NUMBER(false) }, { "slow_but_exact", NUMBER(false) },
    { "tie_word_embeddings", NUMBER(true) }, { "bos_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(2) },
};

static const weft__gguf_name gguf[] = {
    SAME("word_embeddings_layernorm", "token_embd_norm"),
};

const weft__arch weft__arch_bloom = {
    .family = "Bloom", .trunk = trunk, KEYS("bloom", keys),
    GGUF("bloom", gguf), SPAN_CLASSES("Bloom"),
    .embed = "transformer.word_embeddings.weight", .head = "lm_head.weight", .spellings = { { "transformer.", "" } },
};
