/* gpt_oss.c: gpt-oss-20b, gpt-oss-120b: experts with a clamped gate, attention with sinks, and a window in every other
 * layer. OpenAI, arXiv:2508.10925; Hugging Face's GptOss classes are the reference. */
#include <float.h>

#include "models/arch.h"

/* (up + 1) gate sigmoid(alpha gate), of both no larger than the limit. */
static weft_ref gated(weft_net *x, weft_ref gate, weft_ref up)
{
    const float alpha = (float)weft_config_f64(x->g, x->c, "swiglu_alpha", 1e-6, 1e6), number = 1;
    const float limit = (float)weft_config_f64(x->g, x->c, "swiglu_limit", 1e-6, 1e6);
    gate = weft_clamp(x->g, gate, -FLT_MAX, limit);
    weft_ref one = weft_constant(x->g, WEFT_F32, WEFT_DIMS(1), &number);
    up = weft_add(x->g, weft_clamp(x->g, up, -limit, limit), one);
    return weft_mul(x->g, weft_mul(x->g, gate, weft_sigmoid(x->g, weft_scale(x->g, gate, alpha))), up);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const weft_block_attention_desc attention = { &x->rotary, .bias = bias, .out_bias = bias, .sinks = "sinks",
                                                  .window = weft_block_window(x, weft_net_window(x), i, i % 2 == 0) };
    weft_block_experts_desc experts = weft_net_experts(x);
    experts.router = "router";
    experts.bias = experts.alternating = true;
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), &attention);
    weft_ref h = weft_add(x->g, in, y);
    y = weft_block_gated_experts(x, weft_block_norm(x, h, "post_attention_layernorm"), &experts, gated);
    return weft_add(x->g, h, y);
}

/* A configuration that says nothing of rotary embeddings has the class's own. */
static weft_rotary rotary(weft_net *x)
{
    double ignored;
    const void *c = x->c->ctx;
    bool said = x->c->number(c, "rope_scaling", &ignored) || x->c->number(c, "rope_parameters", &ignored);
    return said ? weft_block_rotary(x, x->D, 1) : weft_block_group_rotary(x, "usual", x->D, 1);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = rotary(x);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(201088) }, { "hidden_size", NUMBER(2880) }, { "intermediate_size", NUMBER(2880) },
    { "num_hidden_layers", NUMBER(36) }, { "num_attention_heads", NUMBER(64) }, { "num_key_value_heads", NUMBER(8) },
    { "head_dim", NUMBER(64), OR_NULL }, { "hidden_act", TEXT("silu") }, { "max_position_embeddings", NUMBER(131072) },
    { "rms_norm_eps", NUMBER(1e-5) }, { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(150000) },
    { "tie_word_embeddings", NUMBER(false) }, { "initializer_range", NUMBER(0.02) }, { "attention_bias", NUMBER(true) },
    { "sliding_window", NUMBER(128) }, { "num_experts", { "num_experts", "num_local_experts" }, NUMBER(128) },
    { "num_experts_per_tok", NUMBER(4) }, { "moe_intermediate_size", { "intermediate_size" }, NUMBER(2880) },
    { "norm_topk_prob", { "" }, NUMBER(true) }, /* of the class, not of files */
    { "swiglu_alpha", NUMBER(1.702) }, { "swiglu_limit", NUMBER(7) },
    { "usual.rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(150000) },
    { "usual.rope_type", { "rope_parameters.rope_type" }, TEXT("yarn") },
    { "usual.factor", { "rope_parameters.factor" }, NUMBER(32) },
    { "usual.truncate", { "rope_parameters.truncate" }, NUMBER(false) },
    { "usual.original_max_position_embeddings", { "rope_parameters.original_max_position_embeddings" }, NUMBER(4096) },
};

static const weft__gguf_name gguf[] = {
    SAME("post_attention_layernorm", "post_attention_norm"), SAME("self_attn.sinks", "attn_sinks.weight"),
    SAME("mlp.router", "ffn_gate_inp"), SAME("mlp.experts.down_proj_bias", "ffn_down_exps.bias"),
    TURNS("mlp.experts.gate_up_proj", "ffn_gate_exps.weight", "ffn_up_exps.weight"),
    TURNS("mlp.experts.gate_up_proj_bias", "ffn_gate_exps.bias", "ffn_up_exps.bias"),
};

const weft__arch weft__arch_gpt_oss = {
    .family = "GptOss", .trunk = trunk, KEYS("gpt_oss", keys),
    GGUF("gpt-oss", gguf), .gguf.period = 2, .gguf.window = -1, .gguf.rope = "usual", DECODER_NAMES,
    .transposed = { ".experts.gate_up_proj", ".experts.down_proj" },
    .classes = { { "GptOssForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "GptOssModel", WEFT_HEAD_NONE, NULL, false },
                 { "GptOssForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "GptOssForTokenClassification", WEFT_HEAD_TOKENS, "score", true } },
};
