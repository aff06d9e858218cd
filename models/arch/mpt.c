/* mpt.c: MPT 7B and 30B: ALiBi, no biases, projections that may be clamped. MosaicML (2023); Hugging Face's Mpt classes
 * are the reference. */
#include "models/arch.h"

static weft_ref attention(weft_net *x, weft_ref in)
{
    float most = (float)weft_config_f64_or(x->g, x->c, "clip_qkv", 0, 0, 1e6);
    float scale = (float)weft_config_f64_or(x->g, x->c, "softmax_scale", 0, 1e-6, 1e6);
    weft_ref qkv[3];
    weft_scope_begin(x->g, "attn");
    weft_ref y = weft_block_linear(x, in, "Wqkv", 3 * x->E, false);
    weft_block_split_heads(x, most > 0 ? weft_clamp(x->g, y, -most, most) : y, qkv);
    y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &(weft_block_attention_desc){ .scale = scale });
    return weft_scope_end(x->g, weft_block_linear(x, y, "out_proj", x->E, false));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "norm_1")));
    weft_ref y = weft_block_norm(x, r, "norm_2");
    weft_scope_begin(x->g, "ffn");
    y = weft_activation(x->g, weft_block_linear(x, y, "up_proj", x->F, false), x->act);
    return weft_add(x->g, r, weft_scope_end(x->g, weft_block_linear(x, y, "down_proj", x->E, false)));
}

/* What the original classes had and these have not. */
static void refuse_others(weft_net *x)
{
    weft_net_refuse(x, "prefix_lm");
    weft_net_refuse(x, "qk_ln");
    if (!weft_config_bool(x->g, x->c, "alibi") || !weft_config_bool(x->g, x->c, "no_bias"))
        weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: without 'attn_config.alibi' or 'no_bias'", x->c->origin);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    refuse_others(x);
    x->norm.bias = false;
    x->slopes = weft_block_alibi(x);
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_embed(x, "wte");
    return weft_scope_end(g, weft_block_layers(x, h, "blocks", layer, "norm_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50368) }, { "hidden_size", { "hidden_size", "d_model" }, NUMBER(2048) },
    { "num_hidden_layers", { "num_hidden_layers", "n_layers" }, NUMBER(24) },
    { "num_attention_heads", { "num_attention_heads", "n_heads" }, NUMBER(16) },
    { "max_position_embeddings", { "max_seq_len" }, NUMBER(2048) },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "intermediate_size", { "" }, ABSENT }, { "hidden_act", { "" }, TEXT("gelu") }, /* of the class, not of files */
    { "clip_qkv", { "attn_config.clip_qkv" }, ABSENT }, { "softmax_scale", { "attn_config.softmax_scale" }, ABSENT },
    { "prefix_lm", { "attn_config.prefix_lm" }, NUMBER(false) }, { "qk_ln", { "attn_config.qk_ln" }, NUMBER(false) },
    { "alibi", { "attn_config.alibi" }, NUMBER(true) }, { "no_bias", NUMBER(true) },
    { "alibi_bias_max", { "" }, .unread = "attn_config.alibi_bias_max", NUMBER(8) },
    { "tie_word_embeddings", NUMBER(true) },
};

static const weft__gguf_name gguf[] = {
    SAME("norm_f", "output_norm"), SAME("norm_1", "attn_norm"), SAME("norm_2", "ffn_norm"),
    SAME("attn.Wqkv", "attn_qkv"), SAME("attn.out_proj", "attn_output"), SAME("ffn.up_proj", "ffn_up"),
    SAME("ffn.down_proj", "ffn_down"),
};

static const weft__gguf_key gguf_keys[] = {
    IS("alibi", "attention.max_alibi_bias", 8), LACKS("no_bias", "blk.0.attn_norm.bias"),
    TAKEN_SOME("clip_qkv", "attention.clamp_kqv"),
};

const weft__arch weft__arch_mpt = {
    .family = "Mpt", .trunk = trunk, KEYS("mpt", keys),
    GGUF("mpt", gguf), GGUF_KEYS(gguf_keys), SPAN_CLASSES("Mpt"), GPT_NAMES,
    .classes[5] = { "MPTForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, /* published files are of MosaicML's own class */
};
