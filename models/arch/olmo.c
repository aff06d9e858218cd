/* olmo.c: OLMo 1: LLaMA with norms that have no weights, and queries, keys and values that may be clamped. Groeneveld
 * et al., arXiv:2402.00838; Hugging Face's Olmo classes are the reference. */
#include "models/arch.h"

static weft_ref project(weft_net *x, weft_ref in, const char *name, uint32_t heads)
{
    float most = (float)weft_config_f64_or(x->g, x->c, "clip_qkv", 0, 1e-6, 1e6);
    weft_ref y = weft_block_heads(x, in, name, heads, weft_config_bool(x->g, x->c, "attention_bias"));
    return most > 0 ? weft_clamp(x->g, y, -most, most) : y;
}

static weft_ref attention(weft_net *x, weft_ref in)
{
    weft_scope_begin(x->g, "self_attn");
    weft_ref q = project(x, in, "q_proj", x->H), k = project(x, in, "k_proj", x->G), v = project(x, in, "v_proj", x->G);
    weft_ref y = weft_block_attention(x, q, k, v, &(weft_block_attention_desc){ .rotary = &x->rotary });
    y = weft_block_linear(x, y, "o_proj", x->E, weft_config_bool(x->g, x->c, "attention_bias"));
    return weft_scope_end(x->g, y);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "input_layernorm")));
    return weft_add(x->g, r, weft_block_gated_mlp(x, weft_block_norm(x, r, "post_attention_layernorm"), false));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_grouped_heads(x);
    x->norm.plain = true;
    x->rotary = weft_block_rotary(x, x->D, 1);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(2048) }, { "initializer_range", NUMBER(0.02) },
    { "layer_norm_eps", { "" }, NUMBER(1e-5) }, /* of the class, not of files */
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "attention_bias", NUMBER(false) },
    { "tie_word_embeddings", NUMBER(false) }, { "pad_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(50279) },
};

static const weft__gguf_name gguf[] = {
    PAIRS("self_attn.q_proj.weight", "attn_q"), /* not of biases */
    PAIRS("self_attn.k_proj.weight", "attn_k"),
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_SOME("clip_qkv", "attention.clamp_kqv"),
};

const weft__arch weft__arch_olmo = {
    .family = "Olmo", .trunk = trunk, KEYS("olmo", keys),
    GGUF("olmo", gguf), GGUF_KEYS(gguf_keys), DECODER_NAMES,
    .classes = { { "OlmoForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "OlmoModel", WEFT_HEAD_NONE, NULL, false },
                 { "OlmoForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false } },
};
