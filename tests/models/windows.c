#include "windows.h"

#include <math.h>
#include <string.h>

enum { V = WINDOWS_VOCAB, H = WINDOWS_HEADS, E = WINDOWS_EMBED, D = E / H };

static float embed[V * E], head[V * E];

static void build(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    (void)c;
    const windows_model *w = ctx;
    weft_ref h = weft_gather(g, weft_weight(g, WEFT_F32, WEFT_DIMS(V, E), "embed"), in->tokens);
    weft_output(g, h, "hidden.0");
    for (uint32_t i = 0; i < w->n_layers; i++) {
        weft_scope_begin(g, "layers.%u", i);
        weft_ref x = weft_reshape(g, h, WEFT_DIMS(in->T, H, D));
        weft_ref y = weft_cached_attention_with(g, in, x, x, x, 0.25f, w->window[i], NULL);
        h = weft_scope_end(g, weft_add(g, h, weft_reshape(g, y, WEFT_DIMS(in->T, E))));
        weft_output(g, h, "hidden.%u", i + 1);
    }
    weft_ref last = weft_gather(g, h, in->rows);
    weft_output(g, weft_matmul_nt(g, last, weft_weight(g, WEFT_F32, WEFT_DIMS(V, E), "head")), "logits");
}

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    (void)ctx;
    bool is_head = !strcmp(name, "head");
    if (!is_head && strcmp(name, "embed")) return WEFT_FAIL(err, WEFT_NOT_FOUND, "no %s", name);
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { V, E }, .data = is_head ? head : embed,
                               .bytes = sizeof embed };
    return WEFT_OK;
}

weft_status windows_open(const windows_model *w, uint32_t context, weft_model **out, weft_error *err)
{
    const weft_model_definition d = { w->name, NULL, WEFT_HEAD_LOGITS, build, (void *)(uintptr_t)w };
    const weft_weight_source source = { NULL, find_weight };
    const weft_model_desc desc = { .graph = &d, .context = context };
    for (int i = 0; i < V * E; i++) {
        embed[i] = i / E == WINDOWS_NAN ? NAN : (float)sin(1.0 + i * 1.7 + i / E * 0.3);
        head[i] = i / E == WINDOWS_NAN ? 0 : (float)cos(2.0 + i * 2.3); /* it is never the next */
    }
    weft_status s = weft_model_open(NULL, &desc, out, err);
    if (!s) weft_model_set_weights(*out, &source);
    return s;
}

/* ---- in double precision ---- */

/* y += what head h of token t sees of the tokens before it, and of itself. */
static void attend(double x[][E], uint32_t t, uint32_t h, uint32_t window, double *y)
{
    uint32_t first = window && t >= window ? t - window + 1 : 0;
    double weight[WINDOWS_MOST], sum = 0;
    for (uint32_t p = first; p <= t; p++) {
        double score = 0;
        for (uint32_t d = h * D; d < (h + 1) * D; d++) score += x[t][d] * x[p][d];
        sum += weight[p] = exp(0.25 * score);
    }
    for (uint32_t p = first; p <= t; p++)
        for (uint32_t d = h * D; d < (h + 1) * D; d++) y[d] += weight[p] / sum * x[p][d];
}

void windows_logits(const windows_model *w, const int32_t *ids, uint32_t n, double *out)
{
    static double x[WINDOWS_MOST][E], y[WINDOWS_MOST][E];
    for (uint32_t t = 0; t < n; t++)
        for (int e = 0; e < E; e++) x[t][e] = (double)embed[ids[t] * E + e];
    for (uint32_t i = 0; i < w->n_layers; i++) {
        memcpy(y, x, sizeof x);
        for (uint32_t t = 0; t < n; t++)
            for (uint32_t h = 0; h < H; h++) attend(x, t, h, w->window[i], y[t]);
        memcpy(x, y, sizeof x);
    }
    for (int v = 0; v < V; v++) {
        out[v] = 0;
        for (int e = 0; e < E; e++) out[v] += x[n - 1][e] * (double)head[v * E + e];
    }
}

/* ---- what is kept ---- */

static uint32_t first_seen(uint32_t window, uint32_t p)
{
    return window && p >= window ? p - window + 1 : 0;
}

int32_t windows_word(uint32_t i)
{
    return (int32_t)(i * 2654435761u >> 9) % WINDOWS_NAN;
}

uint32_t windows_begin(uint32_t window, uint32_t n, uint32_t page)
{
    return first_seen(window, n) / page * page;
}

bool windows_can_end(const windows_model *w, uint32_t n, uint32_t loaded, uint32_t k, uint32_t page)
{
    for (uint32_t i = 0; k && k < n && i < w->n_layers; i++) {
        uint32_t sees = first_seen(w->window[i], k);
        if (windows_begin(w->window[i], n, page) > sees || first_seen(w->window[i], loaded) > sees) return false;
    }
    return true;
}
