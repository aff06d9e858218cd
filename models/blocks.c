/* blocks.c: see blocks.h. What the configuration says of rotary embeddings is in blocks_rotary.c. */
#include "models/blocks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what the blocks of a model share ---- */

void weft_net_read(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in, weft_norm_kind norm,
                   const char *eps)
{
    *x = (weft_net){ .g = g, .c = c, .in = in, .head.name = "lm_head" };
    x->L = weft_config_u32(g, c, "num_hidden_layers", 1, 4096);
    x->E = weft_config_u32(g, c, "hidden_size", 1, 1 << 20);
    x->H = weft_config_u32(g, c, "num_attention_heads", 1, 1 << 16);
    x->F = weft_config_u32_or(g, c, "intermediate_size", 4 * x->E, 1, 1 << 24);
    x->V = weft_config_u32(g, c, "vocab_size", 1, 1 << 26);
    (void)weft_config_u32(g, c, "max_position_embeddings", 1, 1 << 24); /* sessions take it: here it is checked */
    x->act = weft_config_act(g, c, "hidden_act");
    x->tied = weft_config_bool(g, c, "tie_word_embeddings");
    x->norm = (weft_net_norm){ .kind = norm, .bias = norm == WEFT_NORM_LAYER };
    x->norm.eps = (float)weft_config_f64(g, c, eps, 0, 1);
}

/* A key as the file has it. */
static const char *spelled(const weft_net *x, const char *key)
{
    return x->c->spelling ? x->c->spelling(x->c->ctx, key) : key;
}

static void check_multiple(weft_net *x, const char *a, uint32_t n, const char *b, uint32_t of)
{
    if (n % of)
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: %s %u is no multiple of %s %u", x->c->origin, spelled(x, a), n,
                        spelled(x, b), of);
}

void weft_net_equal_heads(weft_net *x)
{
    x->G = x->H;
    x->D = x->E / x->H;
    check_multiple(x, "hidden_size", x->E, "num_attention_heads", x->H);
}

static void read_key_heads(weft_net *x)
{
    x->G = weft_config_u32_or(x->g, x->c, "num_key_value_heads", x->H, 1, 1 << 16);
    check_multiple(x, "num_attention_heads", x->H, "num_key_value_heads", x->G);
}

void weft_net_key_heads(weft_net *x)
{
    weft_net_equal_heads(x);
    read_key_heads(x);
}

void weft_net_grouped_heads(weft_net *x)
{
    double given;
    if (!x->c->number(x->c->ctx, "head_dim", &given)) weft_net_equal_heads(x);
    x->D = weft_config_u32_or(x->g, x->c, "head_dim", x->E / x->H, 1, 1 << 16);
    read_key_heads(x);
}

void weft_net_read_decoder(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_RMS, "rms_norm_eps");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_rotary(x, x->D, 1);
}

void weft_net_refuse(weft_net *x, const char *key)
{
    if (weft_config_bool_or(x->g, x->c, key, false))
        weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: '%s' is not supported", x->c->origin, spelled(x, key));
}

/* ---- parts ---- */

/* The last extent of a value; 0 after an error. */
static uint32_t width_of(const weft_net *x, weft_ref r)
{
    const weft_value *v = weft_graph_value(x->g, r);
    return v && v->dims.rank ? (uint32_t)v->dims.d[v->dims.rank - 1].n : 0;
}

static weft_ref vector(weft_net *x, uint32_t n, const char *name)
{
    return weft_weight(x->g, WEFT_ANY, WEFT_DIMS(n), name);
}

static weft_ref project(weft_net *x, weft_ref in, weft_ref weight, uint32_t n_out, bool bias)
{
    weft_ref y = weft_matmul_nt(x->g, in, weight);
    return bias ? weft_add(x->g, y, vector(x, n_out, "bias")) : y;
}

weft_ref weft_block_linear(weft_net *x, weft_ref in, const char *name, uint32_t n_out, bool bias)
{
    weft_scope_begin(x->g, "%s", name);
    weft_ref weight = weft_weight(x->g, WEFT_ANY, WEFT_DIMS(n_out, width_of(x, in)), "weight");
    return weft_scope_end(x->g, project(x, in, weight, n_out, bias));
}

weft_ref weft_block_heads(weft_net *x, weft_ref in, const char *name, uint32_t heads, bool bias)
{
    weft_ref y = weft_block_linear(x, in, name, heads * x->D, bias);
    return weft_reshape(x->g, y, WEFT_DIMS(x->in->T, heads, x->D));
}

void weft_block_split_heads(weft_net *x, weft_ref in, weft_ref out[3])
{
    int64_t at = 0;
    for (int i = 0; i < 3; i++) {
        const uint32_t heads = i ? x->G : x->H;
        const int64_t n = (int64_t)heads * x->D;
        out[i] = weft_reshape(x->g, weft_slice(x->g, in, 1, at, n), WEFT_DIMS(x->in->T, heads, x->D));
        at += n;
    }
}

void weft_block_split_groups(weft_net *x, weft_ref in, weft_ref out[3])
{
    const uint32_t each = x->H / x->G;
    weft_ref y = weft_reshape(x->g, in, WEFT_DIMS(x->in->T, x->G, each + 2, x->D));
    out[0] = weft_reshape(x->g, weft_slice(x->g, y, 2, 0, each), WEFT_DIMS(x->in->T, x->H, x->D));
    out[1] = weft_select(x->g, y, 2, each);
    out[2] = weft_select(x->g, y, 2, each + 1);
}

weft_ref weft_block_norm(weft_net *x, weft_ref in, const char *name)
{
    const weft_net_norm *n = &x->norm;
    weft_norm_desc d = { .kind = n->kind, .eps = n->eps, .one_plus = n->one_plus };
    weft_scope_begin(x->g, "%s", name);
    if (!n->plain) d.w = vector(x, width_of(x, in), "weight");
    if (!n->plain && n->bias) d.b = vector(x, width_of(x, in), "bias");
    return weft_scope_end(x->g, weft_norm(x->g, in, &d));
}

static weft_ref norm_together(weft_net *x, weft_ref in, uint32_t heads, const char *name)
{
    weft_ref rows = weft_reshape(x->g, in, WEFT_DIMS(x->in->T, (int64_t)heads * x->D));
    return weft_reshape(x->g, weft_block_norm(x, rows, name), WEFT_DIMS(x->in->T, heads, x->D));
}

/* norms.J.weight of every head J, as one [heads, D]. */
static weft_ref listed_gains(weft_net *x, uint32_t heads)
{
    weft_ref all = { 0 };
    for (uint32_t j = 0; j < heads; j++) {
        weft_scope_begin(x->g, "norms.%u", j);
        weft_ref pair[2] = { all, vector(x, x->D, "weight") };
        all = weft_scope_end(x->g, j ? weft_concat(x->g, pair, 2, 0) : pair[1]);
    }
    return weft_reshape(x->g, all, WEFT_DIMS(heads, x->D));
}

/* Each head by a gain of its own. */
static weft_ref norm_by_own(weft_net *x, weft_ref in, uint32_t heads, const char *name)
{
    const weft_norm_desc plain = { .kind = x->norm.kind, .eps = x->norm.eps };
    weft_scope_begin(x->g, "%s", name);
    weft_ref gains = x->gains == WEFT_GAINS_LISTED ? listed_gains(x, heads)
                                                   : weft_weight(x->g, WEFT_ANY, WEFT_DIMS(heads, x->D), "weight");
    return weft_scope_end(x->g, weft_mul(x->g, weft_norm(x->g, in, &plain), gains));
}

weft_ref weft_block_norm_heads(weft_net *x, weft_ref in, uint32_t heads, const char *name)
{
    if (x->gains == WEFT_GAINS_SHARED) return weft_block_norm(x, in, name);
    return x->gains == WEFT_GAINS_TOGETHER ? norm_together(x, in, heads, name) : norm_by_own(x, in, heads, name);
}

/* ---- attention ---- */

/* Entry i of layer_types; NULL: it is no text, or there is none. */
static const char *layer_type(const weft_net *x, uint32_t i)
{
    const char *text;
    char key[32];
    snprintf(key, sizeof key, "layer_types.%u", i);
    return x->c->text(x->c->ctx, key, &text) == 1 ? text : NULL;
}

uint32_t weft_net_window(weft_net *x)
{
    return weft_config_u32_or(x->g, x->c, "sliding_window", 0, 1, 1 << 30);
}

uint32_t weft_block_window(weft_net *x, uint32_t window, uint32_t i, bool otherwise)
{
    double ignored;
    if (!x->c->number(x->c->ctx, "layer_types", &ignored)) return otherwise ? window : 0;
    const char *type = layer_type(x, i);
    bool slides = type && !strcmp(type, "sliding_attention"), full = type && !strcmp(type, "full_attention");
    if ((!slides && !full) || layer_type(x, x->L))
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: 'layer_types' must say full_attention or sliding_attention for each of "
                        "%u layers; for layer %u it says '%.40s'", x->c->origin, x->L, i, type ? type : "");
    if (slides && !window)
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: 'layer_types' has sliding_attention, but there is no 'sliding_window'",
                        x->c->origin);
    return slides ? window : 0;
}

uint32_t weft_block_upper_window(weft_net *x, uint32_t i)
{
    bool wanted = weft_config_bool(x->g, x->c, "use_sliding_window");
    uint32_t window = weft_net_window(x);
    return weft_block_window(x, wanted ? window : 0, i, i >= weft_config_u32(x->g, x->c, "max_window_layers", 0, 4096));
}

weft_ref weft_block_alibi(weft_net *x)
{
    if (x->H <= WEFT_ALIBI_HEADS) return weft_alibi_slopes(x->g, x->H);
    weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: ALiBi of more than %d heads", x->c->origin, WEFT_ALIBI_HEADS);
    return (weft_ref){ 0 };
}

weft_ref weft_block_attention(weft_net *x, weft_ref q, weft_ref k, weft_ref v, const weft_block_attention_desc *d)
{
    float scale = d->scale > 0 ? d->scale : (float)(1 / sqrt(x->D));
    q = weft_block_rope(x, q, d->rotary);
    k = weft_block_rope(x, k, d->rotary);
    weft_attention_desc more = { .soft_cap = d->soft_cap, .slopes = x->slopes };
    if (d->sinks) more.sinks = vector(x, x->H, d->sinks);
    weft_ref y = weft_cached_attention_with(x->g, x->in, q, k, v, scale, d->window, &more);
    return weft_reshape(x->g, y, WEFT_DIMS(x->in->T, (int64_t)x->H * width_of(x, v)));
}

weft_ref weft_block_self_attention(weft_net *x, weft_ref in, const weft_block_attention_desc *d)
{
    weft_scope_begin(x->g, "%s", d->scope ? d->scope : "self_attn");
    weft_ref q = weft_block_heads(x, in, "q_proj", x->H, d->bias);
    weft_ref k = weft_block_heads(x, in, "k_proj", x->G, d->bias);
    weft_ref v = weft_block_heads(x, in, "v_proj", x->G, d->bias);
    if (d->qk_norm) {
        char name[2][64];
        for (int i = 0; i < 2; i++) snprintf(name[i], sizeof name[i], "%c_%s", "qk"[i], d->qk_norm);
        q = weft_block_norm_heads(x, q, x->H, name[0]);
        k = weft_block_norm_heads(x, k, x->G, name[1]);
    }
    weft_ref y = weft_block_attention(x, q, k, v, d);
    return weft_scope_end(x->g, weft_block_linear(x, y, d->out ? d->out : "o_proj", x->E, d->out_bias));
}

/* ---- feed-forward parts ---- */

weft_ref weft_block_mlp(weft_net *x, weft_ref in, const char *up, const char *down, bool bias)
{
    weft_scope_begin(x->g, "mlp");
    weft_ref y = weft_activation(x->g, weft_block_linear(x, in, up, x->F, bias), x->act);
    return weft_scope_end(x->g, weft_block_linear(x, y, down, x->E, bias));
}

static weft_ref gated(weft_net *x, weft_ref in, const char *name, uint32_t width, bool bias)
{
    weft_scope_begin(x->g, "%s", name);
    weft_ref gate = weft_activation(x->g, weft_block_linear(x, in, "gate_proj", width, bias), x->act);
    weft_ref y = weft_mul(x->g, gate, weft_block_linear(x, in, "up_proj", width, bias));
    return weft_scope_end(x->g, weft_block_linear(x, y, "down_proj", x->E, bias));
}

weft_ref weft_block_gated_mlp(weft_net *x, weft_ref in, bool bias)
{
    return gated(x, in, "mlp", x->F, bias);
}

weft_ref weft_block_gated_part(weft_net *x, weft_ref in, const char *name, uint32_t width)
{
    return gated(x, in, name, width, false);
}

weft_ref weft_block_fused_mlp(weft_net *x, weft_ref in)
{
    weft_ref half[2];
    weft_scope_begin(x->g, "mlp");
    weft_split(x->g, weft_block_linear(x, in, "gate_up_proj", 2 * x->F, false), 1, 2, half);
    weft_ref y = weft_mul(x->g, weft_activation(x->g, half[0], x->act), half[1]);
    return weft_scope_end(x->g, weft_block_linear(x, y, "down_proj", x->E, false));
}

weft_ref weft_block_prenorm_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention, bool mlp_bias)
{
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), attention);
    weft_ref h = weft_add(x->g, in, y);
    y = weft_block_gated_mlp(x, weft_block_norm(x, h, "post_attention_layernorm"), mlp_bias);
    return weft_add(x->g, h, y);
}

weft_ref weft_block_parallel_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention)
{
    weft_ref n = weft_block_norm(x, in, "input_layernorm");
    weft_ref h = weft_add(x->g, in, weft_block_self_attention(x, n, attention));
    return weft_add(x->g, h, weft_block_gated_mlp(x, n, false));
}

weft_ref weft_block_postnorm_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention)
{
    weft_ref y = weft_block_self_attention(x, in, attention);
    weft_ref h = weft_add(x->g, in, weft_block_norm(x, y, "post_attention_layernorm"));
    return weft_add(x->g, h, weft_block_norm(x, weft_block_gated_mlp(x, h, false), "post_feedforward_layernorm"));
}

weft_ref weft_block_sandwich_layer(weft_net *x, weft_ref in, const weft_block_attention_desc *attention)
{
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), attention);
    weft_ref h = weft_add(x->g, in, weft_block_norm(x, y, "post_attention_layernorm"));
    y = weft_block_gated_mlp(x, weft_block_norm(x, h, "pre_feedforward_layernorm"), false);
    return weft_add(x->g, h, weft_block_norm(x, y, "post_feedforward_layernorm"));
}

/* ---- from tokens to results ---- */

weft_ref weft_block_embed(weft_net *x, const char *name)
{
    return weft_block_embed_of(x, name, x->E);
}

weft_ref weft_block_embed_of(weft_net *x, const char *name, uint32_t width)
{
    weft_scope_begin(x->g, "%s", name);
    x->embed = weft_scope_end(x->g, weft_weight(x->g, WEFT_ANY, WEFT_DIMS(x->V, width), "weight"));
    return weft_gather(x->g, x->embed, x->in->tokens);
}

float weft_block_rounded(weft_net *x, double v)
{
    static const struct { const char *name; int bits; } types[] = {
        { "float32", 24 }, { "float16", 11 }, { "bfloat16", 8 }
    };
    const char *type = weft_config_text_or(x->g, x->c, "dtype", "float32");
    int exponent, bits = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(!strncmp(type, "torch.", 6) ? type + 6 : type, types[i].name)) bits = types[i].bits;
    if (!bits) weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: torch_dtype or dtype is '%.40s'", x->c->origin, type);
    double fraction = frexp(v, &exponent);
    return (float)ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits);
}

weft_ref weft_block_positions(weft_net *x, const char *name, uint32_t offset)
{
    const int32_t by = (int32_t)offset;
    const uint32_t rows = offset + weft_config_u32(x->g, x->c, "max_position_embeddings", 1, 1 << 24);
    weft_scope_begin(x->g, "%s", name);
    weft_ref table = weft_weight(x->g, WEFT_ANY, WEFT_DIMS(rows, x->E), "weight");
    weft_ref at = x->in->pos;
    if (offset) at = weft_add(x->g, at, weft_constant(x->g, WEFT_I32, WEFT_DIMS(1), &by));
    return weft_scope_end(x->g, weft_gather(x->g, table, at));
}

weft_ref weft_block_layers(weft_net *x, weft_ref in, const char *name, weft_block_layer *layer, const char *norm)
{
    weft_ref h = weft_output(x->g, in, "hidden.0");
    for (uint32_t i = 0; i < x->L; i++) {
        weft_scope_begin(x->g, "%s.%u", name, i);
        h = weft_scope_end(x->g, layer(x, h, i));
        if (i + 1 < x->L) weft_output(x->g, h, "hidden.%u", i + 1);
    }
    if (norm) h = weft_block_norm(x, h, norm);
    return weft_output(x->g, h, "hidden.%u", x->L);
}

weft_ref weft_block_decoder(weft_net *x, weft_block_layer *layer)
{
    return weft_block_scaled_decoder(x, 1, layer);
}

weft_ref weft_block_scaled_decoder(weft_net *x, float factor, weft_block_layer *layer)
{
    weft_scope_begin(x->g, "model");
    weft_ref h = weft_block_embed(x, "embed_tokens");
    if (factor != 1) h = weft_scale(x->g, h, factor);
    return weft_scope_end(x->g, weft_block_layers(x, h, "layers", layer, "norm"));
}

void weft_block_logits(weft_net *x, weft_ref hidden)
{
    weft_scope_begin(x->g, "%s", x->head.name);
    weft_dims shape = WEFT_DIMS(x->V, width_of(x, hidden));
    weft_ref weight = x->tied ? x->embed : weft_weight(x->g, WEFT_ANY, shape, "weight");
    weft_ref h = weft_gather(x->g, hidden, x->in->rows);
    weft_ref y = weft_scope_end(x->g, project(x, h, weight, x->V, x->head.bias));
    float scale = x->head.scale > 0 ? x->head.scale : 1, cap = x->head.soft_cap;
    if (scale != 1) y = weft_scale(x->g, y, scale);
    if (cap > 0) y = weft_scale(x->g, weft_tanh(x->g, weft_scale(x->g, y, 1 / cap)), cap);
    weft_output(x->g, y, "logits");
}

void weft_block_scores(weft_net *x, weft_ref hidden, const char *name, uint32_t n, bool bias)
{
    weft_ref h = weft_gather(x->g, hidden, x->in->rows);
    weft_output(x->g, weft_block_linear(x, h, name, n, bias), "scores");
}
