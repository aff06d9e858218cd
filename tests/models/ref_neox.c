/* ref_neox.c: the naive forward pass. Tensors are found by name at every use; nothing is cached but keys and values. */
#include "ref_neox.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* A tensor of `offset` plus values within +-spread. */
static void add(neox_model *m, uint64_t *seed, const char *prefix, const char *name, uint32_t rank, size_t rows,
                size_t cols, double offset, double spread)
{
    m->tensors = realloc(m->tensors, (m->n_tensors + 1) * sizeof *m->tensors);
    if (!m->tensors) exit(3);
    neox_tensor *t = &m->tensors[m->n_tensors++];
    *t = (neox_tensor){ .rank = rank, .dim = { rows, cols }, .n = rank == 1 ? rows : rows * cols };
    snprintf(t->name, sizeof t->name, "%s%s", prefix, name);
    t->v = malloc(t->n * sizeof *t->v);
    if (!t->v) exit(3);
    for (size_t i = 0; i < t->n; i++) t->v[i] = (float)(offset + (2.0 * uniform(seed) - 1.0) * spread);
}

static void add_linear(neox_model *m, uint64_t *seed, const char *prefix, const char *name, size_t out, size_t in,
                       bool bias)
{
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    add(m, seed, prefix, full, 2, out, in, 0.0, 2.0 / sqrt((double)in));
    snprintf(full, sizeof full, "%s.bias", name);
    if (bias) add(m, seed, prefix, full, 1, out, 0, 0.0, 0.3);
}

static void add_norm(neox_model *m, uint64_t *seed, const char *prefix, const char *name, size_t n)
{
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    add(m, seed, prefix, full, 1, n, 0, 1.0, 0.5);
    snprintf(full, sizeof full, "%s.bias", name);
    add(m, seed, prefix, full, 1, n, 0, 0.0, 0.3);
}

void neox_create(neox_model *m, const neox_config *c, uint64_t seed)
{
    size_t E = c->n_embed;
    *m = (neox_model){ .c = *c };
    add(m, &seed, "gpt_neox.", "embed_in.weight", 2, c->n_vocab, E, 0.0, 1.0);
    for (uint32_t i = 0; i < c->n_layer; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "gpt_neox.layers.%u.", i);
        add_norm(m, &seed, prefix, "input_layernorm", E);
        add_norm(m, &seed, prefix, "post_attention_layernorm", E);
        add_linear(m, &seed, prefix, "attention.query_key_value", 3 * E, E, c->attention_bias);
        add_linear(m, &seed, prefix, "attention.dense", E, E, c->attention_bias);
        add_linear(m, &seed, prefix, "mlp.dense_h_to_4h", c->n_inner, E, true);
        add_linear(m, &seed, prefix, "mlp.dense_4h_to_h", E, c->n_inner, true);
    }
    add_norm(m, &seed, "gpt_neox.", "final_layer_norm", E);
    if (!c->tied) add(m, &seed, "", "embed_out.weight", 2, c->n_vocab, E, 0.0, 0.5);
}

void neox_free(neox_model *m)
{
    for (size_t i = 0; i < m->n_tensors; i++) free(m->tensors[i].v);
    free(m->tensors);
    *m = (neox_model){ 0 };
}

static const float *tensor(const neox_model *m, const char *fmt, ...)
{
    char name[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    for (size_t i = 0; i < m->n_tensors; i++)
        if (!strcmp(m->tensors[i].name, name)) return m->tensors[i].v;
    return NULL; /* an optional bias */
}

/* ---- arithmetic on one token ---- */

/* y = W x + b; W [n_out, n_in]; b may be NULL. */
static void affine(const float *W, const float *b, const double *x, size_t n_out, size_t n_in, double *y)
{
    for (size_t i = 0; i < n_out; i++) {
        y[i] = b ? (double)b[i] : 0.0;
        for (size_t k = 0; k < n_in; k++) y[i] += (double)W[i * n_in + k] * x[k];
    }
}

static void layer_norm(const neox_model *m, const char *name, const double *x, double *y)
{
    const float *w = tensor(m, "%s.weight", name), *b = tensor(m, "%s.bias", name);
    size_t E = m->c.n_embed;
    double mean = 0.0, var = 0.0;
    for (size_t i = 0; i < E; i++) mean += x[i] / (double)E;
    for (size_t i = 0; i < E; i++) var += (x[i] - mean) * (x[i] - mean) / (double)E;
    for (size_t i = 0; i < E; i++) y[i] = (x[i] - mean) / sqrt(var + m->c.eps) * (double)w[i] + (double)b[i];
}

static double activate(neox_act act, double x)
{
    switch (act) {
    case NEOX_GELU:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case NEOX_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case NEOX_RELU:
        return x > 0.0 ? x : 0.0;
    default:
        return x / (1.0 + exp(-x));
    }
}

/* Rotates the first n_rot of one head's values, and one more of an odd number: pairs (i, i + half). */
static void rotate(double *x, size_t n_rot, double theta, size_t position)
{
    size_t half = (n_rot + 1) / 2;
    for (size_t i = 0; i < half; i++) {
        double angle = (double)position * pow(theta, -2.0 * (double)i / (double)n_rot);
        double a = x[i], b = x[i + half];
        x[i] = a * cos(angle) - b * sin(angle);
        x[i + half] = b * cos(angle) + a * sin(angle);
    }
}

/* Keys and values of all tokens so far: [token, E] each. */
typedef struct cache {
    double *k, *v;
} cache;

/* What attention adds for token t; x is the normed input, out [E]. */
static void attend(const neox_model *m, uint32_t layer, const double *x, size_t t, cache *kv, double *out)
{
    size_t E = m->c.n_embed, H = m->c.n_head, D = E / H, n_rot = (size_t)((double)D * m->c.rotary);
    double *qkv = malloc(3 * E * sizeof *qkv), *mixed = calloc(E, sizeof *mixed), *p = malloc((t + 1) * sizeof *p);
    affine(tensor(m, "gpt_neox.layers.%u.attention.query_key_value.weight", layer),
           tensor(m, "gpt_neox.layers.%u.attention.query_key_value.bias", layer), x, 3 * E, E, qkv);
    for (size_t h = 0; h < H; h++) {
        double *q = qkv + 3 * h * D, *k = q + D, *v = q + 2 * D, most = -INFINITY, sum = 0.0; /* per head: q, k, v */
        rotate(q, n_rot, m->c.theta, t);
        rotate(k, n_rot, m->c.theta, t);
        memcpy(kv->k + t * E + h * D, k, D * sizeof *k);
        memcpy(kv->v + t * E + h * D, v, D * sizeof *v);
        for (size_t s = 0; s <= t; s++) {
            p[s] = 0.0;
            for (size_t d = 0; d < D; d++) p[s] += q[d] * kv->k[s * E + h * D + d] / sqrt((double)D);
            most = fmax(most, p[s]);
        }
        for (size_t s = 0; s <= t; s++) sum += p[s] = exp(p[s] - most);
        for (size_t s = 0; s <= t; s++)
            for (size_t d = 0; d < D; d++) mixed[h * D + d] += p[s] / sum * kv->v[s * E + h * D + d];
    }
    affine(tensor(m, "gpt_neox.layers.%u.attention.dense.weight", layer),
           tensor(m, "gpt_neox.layers.%u.attention.dense.bias", layer), mixed, E, E, out);
    free(qkv);
    free(mixed);
    free(p);
}

static void feed_forward(const neox_model *m, uint32_t layer, const double *x, double *out)
{
    size_t E = m->c.n_embed, F = m->c.n_inner;
    double *inner = malloc(F * sizeof *inner);
    affine(tensor(m, "gpt_neox.layers.%u.mlp.dense_h_to_4h.weight", layer),
           tensor(m, "gpt_neox.layers.%u.mlp.dense_h_to_4h.bias", layer), x, F, E, inner);
    for (size_t i = 0; i < F; i++) inner[i] = activate(m->c.act, inner[i]);
    affine(tensor(m, "gpt_neox.layers.%u.mlp.dense_4h_to_h.weight", layer),
           tensor(m, "gpt_neox.layers.%u.mlp.dense_4h_to_h.bias", layer), inner, E, F, out);
    free(inner);
}

/* parallel: x + attention(ln1 x) + mlp(ln2 x); else x1 = x + attention(ln1 x), x1 + mlp(ln2 x1). In place. */
static void run_layer(const neox_model *m, uint32_t layer, size_t t, cache *kv, double *x)
{
    size_t E = m->c.n_embed;
    char ln1[96], ln2[96];
    double *normed = malloc(E * sizeof *normed), *a = malloc(E * sizeof *a), *f = malloc(E * sizeof *f);
    double *middle = malloc(E * sizeof *middle);
    snprintf(ln1, sizeof ln1, "gpt_neox.layers.%u.input_layernorm", layer);
    snprintf(ln2, sizeof ln2, "gpt_neox.layers.%u.post_attention_layernorm", layer);
    layer_norm(m, ln1, x, normed);
    attend(m, layer, normed, t, kv, a);
    for (size_t i = 0; i < E; i++) middle[i] = x[i] + a[i];
    layer_norm(m, ln2, m->c.parallel ? x : middle, normed);
    feed_forward(m, layer, normed, f);
    for (size_t i = 0; i < E; i++) x[i] = middle[i] + f[i];
    free(normed);
    free(a);
    free(f);
    free(middle);
}

void neox_run(const neox_model *m, const int32_t *ids, size_t n, double *logits, double *hidden)
{
    size_t E = m->c.n_embed, V = m->c.n_vocab, L = m->c.n_layer;
    const float *embed = tensor(m, "gpt_neox.embed_in.weight");
    const float *head = m->c.tied ? embed : tensor(m, "embed_out.weight");
    cache *kv = calloc(L, sizeof *kv);
    double *x = malloc(E * sizeof *x), *last = malloc(E * sizeof *last);
    for (size_t i = 0; i < L; i++) {
        kv[i].k = calloc(n * E, sizeof(double));
        kv[i].v = calloc(n * E, sizeof(double));
    }
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < E; i++) x[i] = (double)embed[(size_t)ids[t] * E + i];
        for (uint32_t layer = 0; layer < L; layer++) {
            if (hidden) memcpy(hidden + (layer * n + t) * E, x, E * sizeof *x);
            run_layer(m, layer, t, &kv[layer], x);
        }
        layer_norm(m, "gpt_neox.final_layer_norm", x, last);
        if (hidden) memcpy(hidden + (L * n + t) * E, last, E * sizeof *last);
        if (logits) affine(head, NULL, last, V, E, logits + t * V);
    }
    for (size_t i = 0; i < L; i++) {
        free(kv[i].k);
        free(kv[i].v);
    }
    free(kv);
    free(x);
    free(last);
}
