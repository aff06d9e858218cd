/* olmo2.c: OLMo 2: LLaMA with norms after its parts, not before, and of all queries and all keys at once. OLMo team,
 * arXiv:2501.00656; Hugging Face's Olmo2 classes are the reference. */
#include "models/arch.h"

static weft_ref attention(weft_net *x, weft_ref in)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    weft_scope_begin(x->g, "self_attn");
    weft_ref q = weft_block_norm(x, weft_block_linear(x, in, "q_proj", x->H * x->D, bias), "q_norm");
    weft_ref k = weft_block_norm(x, weft_block_linear(x, in, "k_proj", x->G * x->D, bias), "k_norm");
    q = weft_reshape(x->g, q, WEFT_DIMS(x->in->T, x->H, x->D));
    k = weft_reshape(x->g, k, WEFT_DIMS(x->in->T, x->G, x->D));
    weft_ref v = weft_block_heads(x, in, "v_proj", x->G, bias);
    weft_ref y = weft_block_attention(x, q, k, v, &(weft_block_attention_desc){ .rotary = &x->rotary });
    return weft_scope_end(x->g, weft_block_linear(x, y, "o_proj", x->E, bias));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    (void)i;
    weft_ref r = weft_add(x->g, in, weft_block_norm(x, attention(x, in), "post_attention_layernorm"));
    return weft_add(x->g, r, weft_block_norm(x, weft_block_gated_mlp(x, r, false), "post_feedforward_layernorm"));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_rotary(x, x->D, 1);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(11008) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(2048) }, { "rms_norm_eps", NUMBER(1e-5) }, { "attention_bias", NUMBER(false) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "initializer_range", NUMBER(0.02) },
    { "tie_word_embeddings", NUMBER(false) }, { "pad_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(50279) },
};

const weft__arch weft__arch_olmo2 = {
    .family = "Olmo2", .trunk = trunk, KEYS("olmo2", keys), DECODER_NAMES,
    .classes = { { "Olmo2ForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "Olmo2Model", WEFT_HEAD_NONE, NULL, false },
                 { "Olmo2ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false } },
};
