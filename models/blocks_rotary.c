/* blocks_rotary.c: rotary embeddings as a configuration describes them. The rules are those of transformers 5.24
 * (modeling_rope_utils.py): defaults, what null means, and which number counts where two say the same. */
#include "models/blocks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is being read: the angles' description, from which group of keys. */
typedef struct reading {
    weft_net *x;
    const char *group; /* "rope", or a definition's own */
    weft_rope_desc d;
    char key[160];
} reading;

static const char *key_of(reading *r, const char *name)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->group, name);
    return r->key;
}

static double read(reading *r, const char *name, double fallback)
{
    return weft_config_f64_or(r->x->g, r->x->c, key_of(r, name), fallback, 1e-6, 1e6);
}

/* A number that null or 0 leaves to the kind (`or` in the reference). */
static double read_or(reading *r, const char *name, double fallback)
{
    double given = weft_config_f64_or(r->x->g, r->x->c, key_of(r, name), 0, 0, 1e6);
    return given > 0 ? given : fallback;
}

static double read_needed(reading *r, const char *name)
{
    return weft_config_f64(r->x->g, r->x->c, key_of(r, name), 1e-6, 1e6);
}

static uint32_t read_length(reading *r)
{
    return weft_config_u32(r->x->g, r->x->c, "max_position_embeddings", 1, 1 << 24);
}

/* The length that the model was trained for. */
static float read_original(reading *r)
{
    uint32_t most = read_length(r);
    return (float)weft_config_u32_or(r->x->g, r->x->c, key_of(r, "original_max_position_embeddings"), most, 1, 1 << 24);
}

static void read_linear(reading *r)
{
    r->d.kind = WEFT_ROPE_LINEAR;
    r->d.factor = (float)read_needed(r, "factor");
}

/* The default up to the model's own length, where contexts end. */
static void read_dynamic(reading *r)
{
    (void)read_needed(r, "factor"); /* checked alone */
}

static void read_bands(reading *r)
{
    r->d.kind = WEFT_ROPE_BANDS;
    r->d.factor = (float)read_needed(r, "factor");
    r->d.low = (float)read_needed(r, "low_freq_factor");
    r->d.high = (float)read_needed(r, "high_freq_factor");
    r->d.original = read_original(r);
    if (!(r->d.high > r->d.low))
        weft_graph_fail(r->x->g, WEFT_FORMAT, "%s: '%s' must be above low_freq_factor", r->x->c->origin,
                        key_of(r, "high_freq_factor"));
}

/* How much longer contexts sharpen attention, of which m is a share. */
static double sharpening(double factor, double m)
{
    return factor > 1 ? 0.1 * m * log(factor) + 1 : 1;
}

static void read_yarn(reading *r)
{
    r->d.kind = WEFT_ROPE_YARN;
    r->d.original = read_original(r);
    double factor = read(r, "factor", read_length(r) / (double)r->d.original);
    double m = read_or(r, "mscale", 0), all = read_or(r, "mscale_all_dim", 0);
    double scale = m > 0 && all > 0 ? sharpening(factor, m) / sharpening(factor, all) : sharpening(factor, 1);
    r->d.factor = (float)factor;
    r->d.scale = (float)read(r, "attention_factor", scale);
    r->d.high = (float)read_or(r, "beta_fast", 32);
    r->d.low = (float)read_or(r, "beta_slow", 1);
    r->d.untruncated = !weft_config_bool_or(r->x->g, r->x->c, key_of(r, "truncate"), true);
}

/* A list with a number for each pair. */
static weft_ref read_factors(reading *r, const char *name)
{
    enum { MOST = 512 };
    const uint32_t n = r->d.n_rot / 2;
    float values[MOST] = { 0 };
    char entry[64];
    double beyond;
    for (uint32_t i = 0; i < n && i < MOST; i++) {
        snprintf(entry, sizeof entry, "%s.%u", name, i);
        values[i] = (float)read_needed(r, entry);
    }
    snprintf(entry, sizeof entry, "%s.%u", name, n);
    if (n > MOST || r->x->c->number(r->x->c->ctx, key_of(r, entry), &beyond))
        weft_graph_fail(r->x->g, WEFT_FORMAT, "%s: '%s' must have %u numbers", r->x->c->origin, key_of(r, name), n);
    return weft_constant(r->x->g, WEFT_F32, WEFT_DIMS(n), values);
}

/* The long factors count where a sequence may be longer than the model's own length: with others keys of both kinds
 * would lie in one cache. */
static void read_longrope(reading *r)
{
    double original = (double)read_original(r);
    double factor = read(r, "factor", read_length(r) / original);
    double scale = factor > 1 && original > 1 ? sqrt(1 + log(factor) / log(original)) : 1;
    r->d.scale = (float)read(r, "attention_factor", scale);
    const weft_ref near = read_factors(r, "short_factor"), far = read_factors(r, "long_factor");
    r->d.factors = r->x->in->context > original ? far : near;
}

/* The same for every length, as GGUF files have it. */
static void read_divided(reading *r)
{
    r->d.factors = read_factors(r, "divisors");
}

static void read_kind(reading *r, const char *type_key)
{
    static const struct { const char *name; void (*read)(reading *r); } kinds[] = {
        { "default", NULL }, { "linear", read_linear }, { "dynamic", read_dynamic }, { "llama3", read_bands },
        { "yarn", read_yarn }, { "longrope", read_longrope }, { "su", read_longrope },
        { "divided", read_divided },
    };
    weft_net *x = r->x;
    double ignored;
    const char *type = weft_config_text_or(x->g, x->c, type_key, "default");
    bool yarn = !strcmp(type, "yarn");
    if (yarn && x->c->number(x->c->ctx, key_of(r, "short_factor"), &ignored)) type = "longrope"; /* so called once */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type, kinds[i].name)) continue;
        if (kinds[i].read) kinds[i].read(r);
        return;
    }
    weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: rope_type \"%.40s\" is not supported", x->c->origin, type);
}

static weft_rotary make(weft_net *x, const weft_rope_desc *d, bool interleaved)
{
    enum { MOST = 1024 };
    if (d->n_rot > x->D || d->n_rot > MOST)
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: %u rotary dimensions in heads of %u (head_dim or hidden_size)",
                        x->c->origin, d->n_rot, x->D);
    return (weft_rotary){ weft_rope_table(x->g, x->in->pos, d), interleaved };
}

weft_rotary weft_block_pair_rotary(weft_net *x, uint32_t n, float theta)
{
    if (n % 2) weft_graph_fail(x->g, WEFT_FORMAT, "%s: %u rotary dimensions, an odd number", x->c->origin, n);
    return make(x, &(weft_rope_desc){ .n_rot = n, .theta = theta }, true);
}

static weft_rotary read_rotary(reading *r, const char *theta_key, const char *type_key)
{
    weft_net *x = r->x;
    double theta = weft_config_f64(x->g, x->c, theta_key, 1, 1e12);
    read_kind(r, type_key);
    if (!r->d.n_rot) return (weft_rotary){ 0 };
    if (r->d.n_rot % 2) {
        if (r->d.kind == WEFT_ROPE_YARN || r->d.factors.id)
            weft_graph_fail(x->g, WEFT_UNSUPPORTED, "%s: this rope_type of %u dimensions (head_dim), an odd number",
                            x->c->origin, r->d.n_rot);
        /* frequencies theta^(-2i / n) of an odd n: those of n + 1 at the base theta^((n + 1) / n) */
        theta = pow(theta, (r->d.n_rot + 1.0) / r->d.n_rot);
        r->d.n_rot++;
    }
    r->d.theta = (float)theta;
    if (r->d.kind == WEFT_ROPE_YARN && !(r->d.theta > 1))
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: '%s' must be above 1 for this rope_type", x->c->origin, theta_key);
    return make(x, &r->d, false);
}

weft_rotary weft_block_rotary(weft_net *x, uint32_t head, double fraction)
{
    reading r = { .x = x, .group = "rope", .d.n_rot = (uint32_t)(head * fraction) };
    return read_rotary(&r, "rope_theta", "rope_type");
}

weft_rotary weft_block_group_rotary(weft_net *x, const char *group, uint32_t head, double fraction)
{
    reading r = { .x = x, .group = group, .d.n_rot = (uint32_t)(head * fraction) };
    char theta[64], type[64];
    snprintf(theta, sizeof theta, "%s.rope_theta", group);
    snprintf(type, sizeof type, "%s.rope_type", group);
    return read_rotary(&r, theta, type);
}

weft_ref weft_block_rope(weft_net *x, weft_ref in, const weft_rotary *r)
{
    return r && r->angles.id ? weft_rope(x->g, in, r->angles, r->interleaved) : in;
}
