/* cohere.c: Command R, Command R+, Aya 23: parallel parts after one norm without bias, rotation of pairs. Cohere
 * (2024); Hugging Face's Cohere classes are the reference. */
#include "models/arch.h"

/* Every head of [T, heads, D] with a gain of its own, [heads, D]. */
static weft_ref norm_heads(weft_net *x, weft_ref in, const char *name, uint32_t heads)
{
    const weft_norm_desc plain = { .kind = WEFT_NORM_LAYER, .eps = x->norm.eps };
    weft_scope_begin(x->g, "%s", name);
    weft_ref gain = weft_weight(x->g, WEFT_ANY, WEFT_DIMS(heads, x->D), "weight");
    return weft_scope_end(x->g, weft_mul(x->g, weft_norm(x->g, in, &plain), gain));
}

static weft_ref attention(weft_net *x, weft_ref in)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    weft_scope_begin(x->g, "self_attn");
    weft_ref q = weft_block_heads(x, in, "q_proj", x->H, bias), k = weft_block_heads(x, in, "k_proj", x->G, bias);
    weft_ref v = weft_block_heads(x, in, "v_proj", x->G, bias);
    if (weft_config_bool(x->g, x->c, "use_qk_norm")) {
        q = norm_heads(x, q, "q_norm", x->H);
        k = norm_heads(x, k, "k_norm", x->G);
    }
    weft_ref y = weft_block_attention(x, q, k, v, &(weft_block_attention_desc){ .rotary = &x->rotary });
    return weft_scope_end(x->g, weft_block_linear(x, y, "o_proj", x->E, bias));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    weft_ref n = weft_block_norm(x, in, "input_layernorm");
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, n));
    return weft_add(x->g, r, weft_block_gated_mlp(x, n, false));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_grouped_heads(x);
    x->norm.bias = false;
    x->head.scale = (float)weft_config_f64(g, c, "logit_scale", 1e-6, 1e6);
    x->rotary = weft_block_rotary(x, x->D, 1);
    x->rotary.interleaved = true;
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(256000) }, { "hidden_size", NUMBER(8192) }, { "intermediate_size", NUMBER(22528) },
    { "num_hidden_layers", NUMBER(40) }, { "num_attention_heads", NUMBER(64) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(8192) }, { "layer_norm_eps", NUMBER(1e-5) }, { "logit_scale", NUMBER(0.0625) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(500000) }, { "attention_bias", NUMBER(false) },
    { "use_qk_norm", NUMBER(false) }, { "tie_word_embeddings", NUMBER(true) }, { "initializer_range", NUMBER(0.02) },
    { "pad_token_id", NUMBER(0) }, { "bos_token_id", NUMBER(5) }, { "eos_token_id", NUMBER(255001) },
};

const weft__arch weft__arch_cohere = {
    .family = "Cohere", .trunk = trunk, KEYS("cohere", keys), DECODER_NAMES,
    .classes = { { "CohereForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "CohereModel", WEFT_HEAD_NONE, NULL, false } },
};
