/* falcon.c: Falcon 7B, 40B, 180B, Falcon 2 11B, Falcon-RW. Almazrouei et al., arXiv:2311.16867; Hugging Face's Falcon
 * classes are the reference. */
#include "models/arch.h"

/* null is false. */
static bool flag(weft_net *x, const char *key)
{
    return weft_config_bool_or(x->g, x->c, key, false);
}

static weft_ref rounded(weft_net *x, weft_ref r)
{
    return weft_cast(x->g, weft_cast(x->g, r, WEFT_BF16), WEFT_F32);
}

/* What heads of a group share, as each head's own. */
static weft_ref each_head(weft_net *x, weft_ref in)
{
    weft_ref y = weft_reshape(x->g, in, WEFT_DIMS(x->in->T, x->G, 1, x->D));
    y = weft_broadcast(x->g, y, WEFT_DIMS(x->in->T, x->G, x->H / x->G, x->D));
    return weft_reshape(x->g, y, WEFT_DIMS(x->in->T, x->H, x->D));
}

/* ALiBi as these classes have it: (query key + slope position) D^-1/2, where slope, position and their product are
 * bfloat16, which takes far positions for each other. So the product is a dimension of keys, that queries have as 1. */
static weft_ref alibi(weft_net *x)
{
    weft_ref slope = rounded(x, weft_reshape(x->g, weft_block_alibi(x), WEFT_DIMS(x->H, 1)));
    weft_ref position = rounded(x, weft_reshape(x->g, x->in->pos, WEFT_DIMS(x->in->T, 1, 1)));
    return rounded(x, weft_mul(x->g, slope, position));
}

static void add_alibi(weft_net *x, weft_ref qkv[3])
{
    const float one = 1;
    weft_ref ones = weft_constant(x->g, WEFT_F32, WEFT_DIMS(1), &one);
    weft_ref q[2] = { qkv[0], weft_broadcast(x->g, ones, WEFT_DIMS(x->in->T, x->H, 1)) };
    weft_ref k[2] = { each_head(x, qkv[1]), x->own };
    qkv[0] = weft_concat(x->g, q, 2, 2);
    qkv[1] = weft_concat(x->g, k, 2, 2);
    qkv[2] = each_head(x, qkv[2]);
}

static weft_ref attention(weft_net *x, weft_ref in, bool bias)
{
    weft_ref qkv[3];
    weft_scope_begin(x->g, "self_attention");
    weft_block_split_groups(x, weft_block_linear(x, in, "query_key_value", (x->H + 2 * x->G) * x->D, bias), qkv);
    if (x->own.id) add_alibi(x, qkv);
    const weft_block_attention_desc how = { .rotary = &x->rotary };
    weft_ref y = weft_block_attention(x, qkv[0], qkv[1], qkv[2], &how);
    return weft_scope_end(x->g, weft_block_linear(x, y, "dense", x->E, bias));
}

/* Parts beside each other, after a norm each or one for both; or one after the other. */
static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = flag(x, "bias"), parallel = flag(x, "parallel_attn"), grouped = flag(x, "new_decoder_architecture");
    bool two = weft_config_u32_or(x->g, x->c, "num_ln_in_parallel_attn", grouped ? 2 : 1, 1, 2) == 2 && parallel;
    (void)i;
    if (grouped ? !parallel : two)
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: 'new_decoder_architecture' is %s with this 'parallel_attn' and "
                        "'num_ln_in_parallel_attn'", x->c->origin, grouped ? "true" : "false");
    weft_ref n = weft_block_norm(x, in, two ? "ln_attn" : "input_layernorm");
    weft_ref r = weft_add(x->g, in, attention(x, n, bias));
    if (two) n = weft_block_norm(x, in, "ln_mlp");
    if (!parallel) n = weft_block_norm(x, r, "post_attention_layernorm");
    return weft_add(x->g, r, weft_block_mlp(x, n, "dense_h_to_4h", "dense_4h_to_h", bias));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    if (flag(x, "new_decoder_architecture")) weft_net_key_heads(x);
    else if (flag(x, "multi_query")) x->G = 1;
    else x->G = weft_config_u32_or(g, c, "num_key_value_heads", x->H, x->H, x->H);
    if (flag(x, "alibi")) x->own = alibi(x);
    else x->rotary = weft_block_rotary(x, x->D, 1);
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_embed(x, "word_embeddings");
    return weft_scope_end(g, weft_block_layers(x, h, "h", layer, "ln_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(65024) }, { "hidden_size", { "n_embed", "hidden_size" }, NUMBER(4544) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(71) }, { "num_ln_in_parallel_attn", ABSENT },
    { "num_key_value_heads", { "num_kv_heads" }, ABSENT }, { "intermediate_size", { "ffn_hidden_size" }, ABSENT },
    { "hidden_act", { "activation" }, TEXT("gelu") }, { "max_position_embeddings", NUMBER(2048) },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "alibi", NUMBER(false), OR_NULL }, { "new_decoder_architecture", NUMBER(false), OR_NULL },
    { "multi_query", NUMBER(true), OR_NULL }, { "parallel_attn", NUMBER(true), OR_NULL },
    { "bias", NUMBER(false), OR_NULL }, { "tie_word_embeddings", NUMBER(true) }, { "bos_token_id", NUMBER(11) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "eos_token_id", NUMBER(11) },
};

static const weft__gguf_name gguf[] = {
    SAME("ln_attn", "attn_norm_2"), SAME("ln_mlp", "attn_norm"),
};

static const weft__gguf_key gguf_keys[] = {
    FACT("new_decoder_architecture", true), FACT("parallel_attn", true), FACT("alibi", false),
    THERE("bias", "blk.0.attn_qkv.bias"),
    ONE_MORE("num_ln_in_parallel_attn", "blk.0.attn_norm_2.weight"),
};

const weft__arch weft__arch_falcon = {
    .family = "Falcon", .trunk = trunk, KEYS("falcon", keys),
    GGUF("falcon", gguf), GGUF_KEYS(gguf_keys), SPAN_CLASSES("Falcon"),
    .embed = "transformer.word_embeddings.weight", .head = "lm_head.weight", .spellings = { { "transformer.", "" } },
};
