/* blocks_rotary.c: rotary embeddings as a configuration describes them. The rules are those of transformers 5.24
 * (modeling_rope_utils.py): defaults, what null means, and which number counts where two say the same. */
#include "models/blocks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number that null or 0 leaves to the kind (`or` in the reference). */
static double read_or(weft_net *x, const char *key, double fallback, double max)
{
    double given = weft_config_f64_or(x->g, x->c, key, 0, 0, max);
    return given > 0 ? given : fallback;
}

/* The length that the model was trained for. */
static float read_original(weft_net *x)
{
    uint32_t most = weft_config_u32(x->g, x->c, "max_position_embeddings", 1, 1 << 24);
    return (float)weft_config_u32_or(x->g, x->c, "rope.original_max_position_embeddings", most, 1, 1 << 24);
}

static double read_factor(weft_net *x)
{
    return weft_config_f64(x->g, x->c, "rope.factor", 1e-6, 1e6);
}

static void read_linear(weft_net *x, weft_rope_desc *d)
{
    d->kind = WEFT_ROPE_LINEAR;
    d->factor = (float)read_factor(x);
}

static void read_bands(weft_net *x, weft_rope_desc *d)
{
    d->kind = WEFT_ROPE_BANDS;
    d->factor = (float)read_factor(x);
    d->low = (float)weft_config_f64(x->g, x->c, "rope.low_freq_factor", 1e-6, 1e6);
    d->high = (float)weft_config_f64(x->g, x->c, "rope.high_freq_factor", 1e-6, 1e6);
    d->original = read_original(x);
}

/* How much longer contexts sharpen attention, of which m is a share. */
static double sharpening(double factor, double m)
{
    return factor > 1 ? 0.1 * m * log(factor) + 1 : 1;
}

static void read_yarn(weft_net *x, weft_rope_desc *d)
{
    double most = weft_config_u32(x->g, x->c, "max_position_embeddings", 1, 1 << 24), ignored;
    d->kind = WEFT_ROPE_YARN;
    d->original = read_original(x);
    double factor = weft_config_f64_or(x->g, x->c, "rope.factor", most / (double)d->original, 1e-6, 1e6);
    double m = read_or(x, "rope.mscale", 0, 1e6), all = read_or(x, "rope.mscale_all_dim", 0, 1e6);
    double scale = m > 0 && all > 0 ? sharpening(factor, m) / sharpening(factor, all) : sharpening(factor, 1);
    if (x->c->number(x->c->ctx, "rope.attention_factor", &ignored))
        scale = weft_config_f64(x->g, x->c, "rope.attention_factor", 1e-6, 1e6);
    d->factor = (float)factor;
    d->scale = (float)scale;
    d->high = (float)read_or(x, "rope.beta_fast", 32, 1e6);
    d->low = (float)read_or(x, "rope.beta_slow", 1, 1e6);
    d->untruncated = !weft_config_bool_or(x->g, x->c, "rope.truncate", true);
}

/* A list with a number for each pair. */
static weft_ref read_factors(weft_net *x, const char *key, uint32_t n)
{
    float values[512] = { 0 };
    char entry[64];
    double beyond;
    for (uint32_t i = 0; i < n && i < 512; i++) {
        snprintf(entry, sizeof entry, "%s.%u", key, i);
        values[i] = (float)weft_config_f64(x->g, x->c, entry, 1e-6, 1e6);
    }
    snprintf(entry, sizeof entry, "%s.%u", key, n);
    if (n > 512 || x->c->number(x->c->ctx, entry, &beyond))
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: '%s' must have %u numbers", x->c->origin, key, n);
    return weft_constant(x->g, WEFT_F32, WEFT_DIMS(n), values);
}

/* The long factors count where a sequence may be longer than the model's own length: with others keys of both kinds
 * would lie in one cache. */
static void read_longrope(weft_net *x, weft_rope_desc *d)
{
    double most = weft_config_u32(x->g, x->c, "max_position_embeddings", 1, 1 << 24), ignored;
    double original = (double)read_original(x);
    double factor = weft_config_f64_or(x->g, x->c, "rope.factor", most / original, 1e-6, 1e6);
    double scale = factor > 1 && original > 1 ? sqrt(1 + log(factor) / log(original)) : 1;
    if (x->c->number(x->c->ctx, "rope.attention_factor", &ignored))
        scale = weft_config_f64(x->g, x->c, "rope.attention_factor", 1e-6, 1e6);
    const weft_ref near = read_factors(x, "rope.short_factor", d->n_rot / 2);
    const weft_ref far = read_factors(x, "rope.long_factor", d->n_rot / 2);
    d->factors = x->in->context > original ? far : near;
    d->scale = (float)scale;
}

/* `dynamic` is the default up to the model's own length, where contexts end. */
static void read_kind(weft_net *x, weft_rope_desc *d)
{
    static const struct { const char *name; void (*read)(weft_net *x, weft_rope_desc *d); } kinds[] = {
        { "default", NULL }, { "linear", read_linear }, { "dynamic", NULL }, { "llama3", read_bands },
        { "yarn", read_yarn }, { "longrope", read_longrope }, { "su", read_longrope },
    };
    double ignored;
    const char *type = weft_config_text_or(x->g, x->c, "rope_type", "default");
    if (!strcmp(type, "yarn") && x->c->number(x->c->ctx, "rope.short_factor", &ignored))
        type = "longrope"; /* so called once */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type, kinds[i].name)) continue;
        if (kinds[i].read) kinds[i].read(x, d);
        else if (strcmp(type, "default")) (void)read_factor(x); /* checked alone */
        return;
    }
    weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: rope_type \"%.40s\" is not supported", x->c->origin, type);
}

static weft_rotary make(weft_net *x, const weft_rope_desc *d, bool interleaved)
{
    if (d->n_rot > x->D)
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: %u rotary dimensions in heads of %u", x->c->origin, d->n_rot, x->D);
    return (weft_rotary){ weft_rope_table(x->g, x->in->pos, d), interleaved };
}

weft_rotary weft_block_pair_rotary(weft_net *x, uint32_t n, float theta)
{
    if (n % 2) weft_graph_fail(x->g, WEFT_FORMAT, "%s: %u rotary dimensions, an odd number", x->c->origin, n);
    return make(x, &(weft_rope_desc){ .n_rot = n, .theta = theta }, true);
}

weft_rotary weft_block_rotary(weft_net *x, uint32_t head, double fraction)
{
    weft_rope_desc d = { .n_rot = (uint32_t)(head * fraction) };
    double theta = weft_config_f64(x->g, x->c, "rope_theta", 1, 1e12);
    read_kind(x, &d);
    if (!d.n_rot) return (weft_rotary){ 0 };
    if (d.n_rot % 2) {
        if (d.kind == WEFT_ROPE_YARN || d.factors.id)
            weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: this rope_type of %u dimensions, an odd number", x->c->origin,
                            d.n_rot);
        /* frequencies theta^(-2i / n) of an odd n: those of n + 1 at the base theta^((n + 1) / n) */
        theta = pow(theta, (d.n_rot + 1.0) / d.n_rot);
        d.n_rot++;
    }
    d.theta = (float)theta;
    return make(x, &d, false);
}

weft_ref weft_block_rope(weft_net *x, weft_ref in, const weft_rotary *r)
{
    return r && r->angles.id ? weft_rope(x->g, in, r->angles, r->interleaved) : in;
}
