/* gpt_neox.c: GPT-NeoX and everything of its family (Pythia, Dolly v2, RedPajama-INCITE, StableLM alpha, Polyglot).
 * Black et al., arXiv:2204.06745; Hugging Face's GPTNeoX classes are the reference. */
#include "models/arch.h"

static weft_ref attention(weft_net *x, weft_ref in, bool bias)
{
    const weft_block_attention_desc how = { .rotary = &x->rotary };
    weft_ref qkv[3];
    weft_scope_begin(x->g, "attention");
    weft_block_split_groups(x, weft_block_linear(x, in, "query_key_value", 3 * x->E, bias), qkv);
    weft_ref y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &how);
    return weft_scope_end(x->g, weft_block_linear(x, y, "dense", x->E, bias));
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool parallel = weft_config_bool(x->g, x->c, "use_parallel_residual");
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "input_layernorm"), bias));
    weft_ref m = weft_block_norm(x, parallel ? in : r, "post_attention_layernorm");
    m = weft_block_mlp(x, m, "dense_h_to_4h", "dense_4h_to_h", true);
    return weft_add(x->g, r, m); /* both residual styles end as r + m */
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    x->head.name = "embed_out";
    uint32_t head = weft_config_u32_or(g, c, "head_dim", x->D, 1, 1 << 20); /* of the rotation alone */
    x->rotary = weft_block_rotary(x, head, weft_config_f64(g, c, "partial_rotary_factor", 0, 1));
    weft_scope_begin(g, "gpt_neox");
    weft_ref h = weft_block_embed(x, "embed_in");
    return weft_scope_end(g, weft_block_layers(x, h, "layers", layer, "final_layer_norm"));
}

/* GPTNeoXConfig reads rotary_* alone: a rope_theta of its own beside them means nothing to it. */
static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50432) }, { "hidden_size", NUMBER(6144) }, { "intermediate_size", NUMBER(24576) },
    { "num_hidden_layers", NUMBER(44) }, { "num_attention_heads", NUMBER(64) }, { "hidden_act", TEXT("gelu") },
    { "max_position_embeddings", NUMBER(2048) }, { "initializer_range", NUMBER(0.02) },
    { "layer_norm_eps", NUMBER(1e-5) }, { "bos_token_id", NUMBER(0) }, { "eos_token_id", NUMBER(2) },
    { "tie_word_embeddings", NUMBER(false) }, { "use_parallel_residual", NUMBER(true) },
    { "attention_bias", NUMBER(true) },
    { "rope_theta", ROPE_OR("rope_theta", "rotary_emb_base"), .unread = "rope_theta", NUMBER(10000) },
    { "partial_rotary_factor", ROPE_OR("partial_rotary_factor", "rotary_pct"), .unread = "partial_rotary_factor",
      NUMBER(0.25) },
};

static const weft__gguf_name gguf[] = {
    SAME("final_layer_norm", "output_norm"), SAME("embed_out", "output"), SAME("attention.dense", "attn_output"),
    GROUPS("attention.query_key_value", "attn_qkv"),
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN("use_parallel_residual", "use_parallel_residual"), THERE("attention_bias", "blk.0.attn_qkv.bias"),
};

const weft__arch weft__arch_gpt_neox = {
    .family = "GPTNeoX", .trunk = trunk, KEYS("gpt_neox", keys),
    GGUF("gptneox", gguf), GGUF_KEYS(gguf_keys),
    .classes = { { "GPTNeoXForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "GPTNeoXModel", WEFT_HEAD_NONE, NULL, false },
                 { "GPTNeoXForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "GPTNeoXForTokenClassification", WEFT_HEAD_TOKENS, "classifier", true },
                 { "GPTNeoXForQuestionAnswering", WEFT_HEAD_SPAN, "qa_outputs", true } },
    .embed = "gpt_neox.embed_in.weight", .head = "embed_out.weight",
    /* the base model saved by itself; as transformers 5 calls the head in memory */
    .spellings = { { "gpt_neox.", "" }, { "embed_out.", "lm_head." } },
};
