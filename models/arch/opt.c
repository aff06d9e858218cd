/* opt.c: OPT: learned positions from the third row on, norms before or after the parts. Zhang et al., arXiv:2205.01068;
 * Hugging Face's OPT classes are the reference. */
#include "models/arch.h"

/* in + part(in), with the norm before the part or after the sum. */
static weft_ref residual(weft_net *x, weft_ref in, const char *norm, weft_ref (*part)(weft_net *x, weft_ref in))
{
    bool before = weft_config_bool(x->g, x->c, "do_layer_norm_before");
    weft_ref y = weft_add(x->g, in, part(x, before ? weft_block_norm(x, in, norm) : in));
    return before ? y : weft_block_norm(x, y, norm);
}

static weft_ref attention(weft_net *x, weft_ref in)
{
    bool bias = weft_config_bool(x->g, x->c, "enable_bias");
    const weft_block_attention_desc how = { .out = "out_proj", .bias = bias, .out_bias = bias };
    return weft_block_self_attention(x, in, &how);
}

static weft_ref feed_forward(weft_net *x, weft_ref in)
{
    bool bias = weft_config_bool(x->g, x->c, "enable_bias");
    weft_ref y = weft_activation(x->g, weft_block_linear(x, in, "fc1", x->F, bias), x->act);
    return weft_block_linear(x, y, "fc2", x->E, bias);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    (void)i;
    return residual(x, residual(x, in, "self_attn_layer_norm", attention), "final_layer_norm", feed_forward);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    x->norm.plain = !weft_config_bool(g, c, "layer_norm_elementwise_affine");
    bool last = weft_config_bool(g, c, "do_layer_norm_before") && !weft_config_bool(g, c, "_remove_final_layer_norm");
    const uint32_t width = weft_config_u32_or(g, c, "word_embed_proj_dim", x->E, 1, 1 << 20); /* of the embedding */
    weft_scope_begin(g, "model.decoder");
    weft_ref h = weft_block_embed_of(x, "embed_tokens", width);
    if (width != x->E) h = weft_block_linear(x, h, "project_in", x->E, false);
    h = weft_add(g, h, weft_block_positions(x, "embed_positions", 2));
    h = weft_block_layers(x, h, "layers", layer, last ? "final_layer_norm" : NULL);
    return weft_scope_end(g, width != x->E ? weft_block_linear(x, h, "project_out", width, false) : h);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50272) }, { "hidden_size", NUMBER(768) }, { "num_hidden_layers", NUMBER(12) },
    { "num_attention_heads", NUMBER(12) }, { "intermediate_size", { "ffn_dim" }, NUMBER(3072) },
    { "max_position_embeddings", NUMBER(2048) }, { "hidden_act", { "activation_function" }, TEXT("relu") },
    { "layer_norm_eps", { "" }, NUMBER(1e-5) }, /* of the class, not of files */
    { "initializer_range", { "init_std" }, NUMBER(0.02) }, { "do_layer_norm_before", NUMBER(true) },
    { "_remove_final_layer_norm", NUMBER(false) }, { "word_embed_proj_dim", ABSENT }, { "enable_bias", NUMBER(true) },
    { "layer_norm_elementwise_affine", NUMBER(true) }, { "tie_word_embeddings", NUMBER(true) },
    { "pad_token_id", NUMBER(1) }, { "bos_token_id", NUMBER(2) }, { "eos_token_id", NUMBER(2) },
};

const weft__arch weft__arch_opt = {
    .family = "OPT", .trunk = trunk, KEYS("opt", keys), .bounded = true,
    .classes = { { "OPTForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "OPTModel", WEFT_HEAD_NONE, NULL, false },
                 { "OPTForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "OPTForQuestionAnswering", WEFT_HEAD_SPAN, "qa_outputs", true } },
    .embed = "model.decoder.embed_tokens.weight", .head = "lm_head.weight", .spellings = { { "model.", "" } },
};
