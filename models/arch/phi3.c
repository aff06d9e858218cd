/* phi3.c: Phi-3, Phi-3.5, Phi-4 and 4-mini: LLaMA with projections in one weight. Abdin et al., arXiv:2404.14219;
 * Hugging Face's Phi3 classes are the reference. */
#include "models/arch.h"

#include <string.h>

static weft_ref attention(weft_net *x, weft_ref in)
{
    const weft_block_attention_desc how = { &x->rotary, .window = weft_net_window(x) };
    weft_ref qkv[3];
    weft_scope_begin(x->g, "self_attn");
    weft_block_split_heads(x, weft_block_linear(x, in, "qkv_proj", (x->H + 2 * x->G) * x->D, false), qkv);
    weft_ref y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &how);
    return weft_scope_end(x->g, weft_block_linear(x, y, "o_proj", x->E, false));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "input_layernorm")));
    return weft_add(x->g, r, weft_block_fused_mlp(x, weft_block_norm(x, r, "post_attention_layernorm")));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    const char *type = weft_config_text_or(g, c, "rope_type", "default");
    double ignored;
    if (strcmp(type, "default") && !c->number(c->ctx, "rope.short_factor", &ignored))
        weft_graph_fail(g, WEFT_UNSUPPORTED, "%s: rope_type \"%.40s\" without short_factor", c->origin, type);
    x->rotary = weft_block_rotary(x, x->D, weft_config_f64(g, c, "partial_rotary_factor", 0, 1));
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(32064) }, { "hidden_size", NUMBER(3072) }, { "intermediate_size", NUMBER(8192) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(4096) }, { "rms_norm_eps", NUMBER(1e-5) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "partial_rotary_factor", ROPE_OR("partial_rotary_factor", "partial_rotary_factor"), NUMBER(1) },
    { "rope.original_max_position_embeddings", { "original_max_position_embeddings" }, NUMBER(4096) },
    { "tie_word_embeddings", NUMBER(false) }, { "bos_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(32000) },
    { "pad_token_id", NUMBER(32000) }, { "initializer_range", NUMBER(0.02) },
};

static const weft__gguf_name gguf[] = {
    SAME("self_attn.qkv_proj", "attn_qkv"), SAME("mlp.gate_up_proj", "ffn_up"),
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_SOME("sliding_window", "attention.sliding_window"),
};

const weft__arch weft__arch_phi3 = {
    .family = "Phi3", DECODER_CLASSES("Phi3"), .trunk = trunk, KEYS("phi3", keys),
    GGUF("phi3", gguf), GGUF_KEYS(gguf_keys), DECODER_NAMES
};
