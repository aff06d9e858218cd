/* olmoe.c: OLMoE: LLaMA with experts, and norms of all queries and all keys, which may be clamped. Muennighoff et al.,
 * arXiv:2409.02060; Hugging Face's Olmoe classes are the reference. */
#include "models/arch.h"

static weft_ref project(weft_net *x, weft_ref in, const char *name, const char *norm, uint32_t heads)
{
    const float most = (float)weft_config_f64_or(x->g, x->c, "clip_qkv", 0, 1e-6, 1e6);
    weft_ref y = weft_block_heads(x, in, name, heads, weft_config_bool(x->g, x->c, "attention_bias"));
    if (norm) y = weft_block_norm_heads(x, y, heads, norm);
    return most > 0 ? weft_clamp(x->g, y, -most, most) : y;
}

static weft_ref attention(weft_net *x, weft_ref in)
{
    weft_scope_begin(x->g, "self_attn");
    weft_ref q = project(x, in, "q_proj", "q_norm", x->H), k = project(x, in, "k_proj", "k_norm", x->G);
    weft_ref v = project(x, in, "v_proj", NULL, x->G);
    weft_ref y = weft_block_attention(x, q, k, v, &(weft_block_attention_desc){ .rotary = &x->rotary });
    y = weft_block_linear(x, y, "o_proj", x->E, weft_config_bool(x->g, x->c, "attention_bias"));
    return weft_scope_end(x->g, y);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const weft_block_experts_desc experts = weft_net_experts(x);
    (void)i;
    weft_ref h = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "input_layernorm")));
    return weft_add(x->g, h, weft_block_experts(x, weft_block_norm(x, h, "post_attention_layernorm"), &experts));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    x->gains = WEFT_GAINS_TOGETHER;
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(2048) }, { "intermediate_size", NUMBER(2048) },
    { "num_hidden_layers", NUMBER(16) }, { "num_attention_heads", NUMBER(16) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(4096) }, { "rms_norm_eps", NUMBER(1e-5) }, { "attention_bias", NUMBER(false) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "tie_word_embeddings", NUMBER(false) },
    { "num_experts", { "num_local_experts", "num_experts" }, NUMBER(64) }, { "num_experts_per_tok", NUMBER(8) },
    { "moe_intermediate_size", { "intermediate_size" }, NUMBER(2048) }, { "norm_topk_prob", NUMBER(false) },
    { "initializer_range", NUMBER(0.02) }, { "pad_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(50279) },
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_OR("norm_topk_prob", "expert_weights_norm", false), TAKEN_SOME("clip_qkv", "attention.clamp_kqv"),
};

const weft__arch weft__arch_olmoe = {
    .family = "Olmoe", .trunk = trunk, KEYS("olmoe", keys),
    .gguf.arch = "olmoe", GGUF_KEYS(gguf_keys), DECODER_NAMES, .parts = { EXPERT_PARTS },
    .classes = { { "OlmoeForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "OlmoeModel", WEFT_HEAD_NONE, NULL, false } },
};
