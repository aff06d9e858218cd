/* gpt_neox.c: GPT-NeoX and everything of its family (Pythia, Dolly v2, RedPajama-INCITE, StableLM alpha, Polyglot).
 * Black et al., arXiv:2204.06745; Hugging Face's GPTNeoX classes are the reference for names and order of operations.
 * T tokens, R rows of logits, E embed, H heads, D head dim, F feed-forward, V vocabulary. Outermost first. */
#include "models/inputs.h"

#include <math.h>

typedef struct ctx {
    weft_graph *g;
    uint32_t n_layer, E, H, D, F, V, n_rot;
    double theta, factor;
    float eps;
    bool parallel, attention_bias, tied;
    weft_act act;
    const weft_model_inputs *in;
    weft_ref embed, angles;
} ctx;

typedef void build(weft_graph *g, const weft_config *c, const weft_model_inputs *in);
build weft__build_gpt_neox, weft__build_gpt_neox_base, weft__build_gpt_neox_sequence, weft__build_gpt_neox_tokens,
    weft__build_gpt_neox_span;

static weft_ref linear(ctx *x, weft_ref in, const char *name, uint32_t n_out, uint32_t n_in, bool bias)
{
    weft_scope_begin(x->g, "%s", name);
    weft_ref y = weft_matmul_nt(x->g, in, weft_weight(x->g, WEFT_ANY, WEFT_DIMS(n_out, n_in), "weight"));
    if (bias) y = weft_add(x->g, y, weft_weight(x->g, WEFT_ANY, WEFT_DIMS(n_out), "bias"));
    return weft_scope_end(x->g, y);
}

static weft_ref norm(ctx *x, weft_ref in, const char *name)
{
    weft_scope_begin(x->g, "%s", name);
    weft_ref w = weft_weight(x->g, WEFT_ANY, WEFT_DIMS(x->E), "weight");
    weft_ref b = weft_weight(x->g, WEFT_ANY, WEFT_DIMS(x->E), "bias");
    return weft_scope_end(x->g, weft_layer_norm(x->g, in, w, b, x->eps));
}

static weft_ref rope(ctx *x, weft_ref in)
{
    return x->n_rot ? weft_rope(x->g, in, x->angles, false) : in;
}

static weft_ref attention(ctx *x, weft_ref in)
{
    weft_scope_begin(x->g, "attention");
    weft_ref qkv = linear(x, in, "query_key_value", 3 * x->E, x->E, x->attention_bias);
    qkv = weft_reshape(x->g, qkv, WEFT_DIMS(x->in->T, x->H, 3, x->D)); /* per head: q, k, v */
    weft_ref q = rope(x, weft_select(x->g, qkv, 2, 0)), k = rope(x, weft_select(x->g, qkv, 2, 1));
    weft_ref y = weft_cached_attention(x->g, x->in, q, k, weft_select(x->g, qkv, 2, 2), (float)(1 / sqrt(x->D)));
    y = linear(x, weft_reshape(x->g, y, WEFT_DIMS(x->in->T, x->E)), "dense", x->E, x->E, x->attention_bias);
    return weft_scope_end(x->g, y);
}

static weft_ref mlp(ctx *x, weft_ref in)
{
    weft_scope_begin(x->g, "mlp");
    weft_ref y = weft_activation(x->g, linear(x, in, "dense_h_to_4h", x->F, x->E, true), x->act);
    return weft_scope_end(x->g, linear(x, y, "dense_4h_to_h", x->E, x->F, true));
}

static weft_ref layer(ctx *x, weft_ref in, uint32_t i)
{
    weft_scope_begin(x->g, "layers.%u", i);
    weft_ref r = weft_add(x->g, in, attention(x, norm(x, in, "input_layernorm")));
    weft_ref m = mlp(x, norm(x, x->parallel ? in : r, "post_attention_layernorm"));
    return weft_scope_end(x->g, weft_add(x->g, r, m)); /* both residual styles end as r + m */
}

/* int(head_dim * fraction) dimensions rotate, in double precision as in the reference. An odd number rotates one more,
 * at frequencies theta^(-2i / n): those of the even number at the base theta^((n + 1) / n). */
static void read_rotary(ctx *x, const weft_config *c)
{
    weft_graph *g = x->g;
    uint32_t head = weft_config_u32_or(g, c, "head_dim", x->D, 1, 1 << 20);
    double fraction = weft_config_f64(g, c, "partial_rotary_factor", 0, 1);
    x->theta = weft_config_f64(g, c, "rope_theta", 1, 1e12);
    x->factor = 1 / weft_config_f64(g, c, "rope_position_scale", 1e-6, 1e6);
    x->n_rot = (uint32_t)(head * fraction);
    if (x->n_rot % 2) {
        x->theta = pow(x->theta, (x->n_rot + 1.0) / x->n_rot);
        x->n_rot++;
    }
    if (x->n_rot > x->D)
        weft_graph_fail(g, WEFT_FORMAT, "%s: %u rotary dimensions in heads of %u", c->origin, x->n_rot, x->D);
}

static void read_config(ctx *x, const weft_config *c)
{
    weft_graph *g = x->g;
    x->n_layer = weft_config_u32(g, c, "num_hidden_layers", 1, 4096);
    x->E = weft_config_u32(g, c, "hidden_size", 1, 1 << 20);
    x->H = weft_config_u32(g, c, "num_attention_heads", 1, 1 << 16);
    x->F = weft_config_u32(g, c, "intermediate_size", 1, 1 << 24);
    x->V = weft_config_u32(g, c, "vocab_size", 1, 1 << 26);
    (void)weft_config_u32(g, c, "max_position_embeddings", 1, 1 << 24); /* sessions take it: here it is checked */
    x->eps = (float)weft_config_f64(g, c, "layer_norm_eps", 0, 1);
    x->parallel = weft_config_bool(g, c, "use_parallel_residual");
    x->attention_bias = weft_config_bool(g, c, "attention_bias");
    x->tied = weft_config_bool(g, c, "tie_word_embeddings");
    x->act = weft_config_act(g, c, "hidden_act");
    if (x->E % x->H)
        weft_graph_fail(g, WEFT_FORMAT, "%s: hidden_size %u is no multiple of num_attention_heads %u", c->origin, x->E,
                        x->H);
    x->D = x->E / x->H;
    read_rotary(x, c);
}

/* Outputs hidden.0 (embeddings), hidden.i (after layer i), and the last one after the final norm, which is returned. */
static weft_ref trunk(ctx *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    *x = (ctx){ .g = g, .in = in };
    read_config(x, c);
    weft_rope_desc turning = { .n_rot = x->n_rot, .theta = (float)x->theta };
    if (x->factor != 1) turning.kind = WEFT_ROPE_LINEAR, turning.factor = (float)x->factor;
    if (x->n_rot) x->angles = weft_rope_table(g, in->pos, &turning);
    weft_scope_begin(g, "gpt_neox");
    x->embed = weft_weight(g, WEFT_ANY, WEFT_DIMS(x->V, x->E), "embed_in.weight");
    weft_ref h = weft_output(g, weft_gather(g, x->embed, in->tokens), "hidden.0");
    for (uint32_t i = 0; i < x->n_layer; i++) {
        h = layer(x, h, i);
        if (i + 1 < x->n_layer) weft_output(g, h, "hidden.%u", i + 1);
    }
    h = weft_scope_end(g, norm(x, h, "final_layer_norm"));
    return weft_output(g, h, "hidden.%u", x->n_layer);
}

void weft__build_gpt_neox_base(weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    ctx x;
    trunk(&x, g, c, in);
}

/* Logits [R, V] of the tokens `rows`. */
void weft__build_gpt_neox(weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    ctx x;
    weft_ref h = trunk(&x, g, c, in);
    weft_ref head = x.tied ? x.embed : weft_weight(g, WEFT_ANY, WEFT_DIMS(x.V, x.E), "embed_out.weight");
    weft_output(g, weft_matmul_nt(g, weft_gather(g, h, in->rows), head), "logits");
}

/* Scores [R, n] of the tokens `rows`. */
static void score(ctx *x, weft_ref h, const char *name, uint32_t n, bool bias)
{
    weft_output(x->g, linear(x, weft_gather(x->g, h, x->in->rows), name, n, x->E, bias), "scores");
}

static uint32_t label_count(ctx *x, const weft_config *c)
{
    return weft_config_u32(x->g, c, "num_labels", 1, 1 << 16);
}

/* The scores of its last token stand for a whole sequence. */
void weft__build_gpt_neox_sequence(weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    ctx x;
    weft_ref h = trunk(&x, g, c, in);
    score(&x, h, "score", label_count(&x, c), false);
}

void weft__build_gpt_neox_tokens(weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    ctx x;
    weft_ref h = trunk(&x, g, c, in);
    score(&x, h, "classifier", label_count(&x, c), true);
}

/* Two scores of a token: that an answer starts, and that it ends there. */
void weft__build_gpt_neox_span(weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    ctx x;
    weft_ref h = trunk(&x, g, c, in);
    score(&x, h, "qa_outputs", 2, true);
}
