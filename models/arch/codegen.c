/* codegen.c: CodeGen, Moss: GPT-J with fused projections. Nijkamp et al., arXiv:2203.13474; Hugging Face's CodeGen
 * classes are the reference. */
#include "models/arch.h"

enum { SHARDS = 4 }; /* that it was trained in: rows of the projection are by shard, in it queries, values, keys */

static weft_ref attention(weft_net *x, weft_ref in)
{
    weft_ref part[3];
    weft_scope_begin(x->g, "attn");
    weft_ref qvk = weft_block_linear(x, in, "qkv_proj", 3 * x->E, false);
    qvk = weft_reshape(x->g, qvk, WEFT_DIMS(x->in->T, SHARDS, 3, x->E / SHARDS));
    for (int i = 0; i < 3; i++)
        part[i] = weft_reshape(x->g, weft_select(x->g, qvk, 2, i), WEFT_DIMS(x->in->T, x->H, x->D));
    const weft_block_attention_desc how = { .rotary = &x->rotary };
    weft_ref y = weft_block_attention(x, part[0], part[2], part[1], &how);
    return weft_scope_end(x->g, weft_block_linear(x, y, "out_proj", x->E, false));
}

/* Attention and feed-forward part beside each other, after one norm. */
static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    weft_ref n = weft_block_norm(x, in, "ln_1");
    (void)i;
    weft_ref r = weft_add(x->g, in, attention(x, n));
    return weft_add(x->g, r, weft_block_mlp(x, n, "fc_in", "fc_out", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    if (x->E % SHARDS)
        weft_graph_fail(g, WEFT_FORMAT, "%s: hidden_size %u is no multiple of %d", c->origin, x->E, SHARDS);
    x->rotary = weft_block_pair_rotary(x, weft_config_u32(g, c, "rotary_dim", 2, 1024), 10000);
    x->head.bias = true;
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_embed(x, "wte");
    return weft_scope_end(g, weft_block_layers(x, h, "h", layer, "ln_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50400) }, { "hidden_size", { "hidden_size", "n_embd" }, NUMBER(4096) },
    { "num_hidden_layers", { "num_hidden_layers", "n_layer" }, NUMBER(28) },
    { "num_attention_heads", { "num_attention_heads", "n_head" }, NUMBER(16) },
    { "max_position_embeddings", { "max_position_embeddings", "n_positions" }, NUMBER(2048) },
    { "intermediate_size", { "n_inner" }, ABSENT }, { "hidden_act", { "activation_function" }, TEXT("gelu_new") },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "rotary_dim", NUMBER(64) }, { "tie_word_embeddings", NUMBER(false) }, { "bos_token_id", NUMBER(50256) },
    { "eos_token_id", NUMBER(50256) },
};

const weft__arch weft__arch_codegen = {
    .family = "CodeGen", .trunk = trunk, KEYS("codegen", keys), GPT_NAMES,
    .classes = { { "CodeGenForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "CodeGenModel", WEFT_HEAD_NONE, NULL, false } },
};
