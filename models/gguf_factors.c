/* gguf_factors.c: see gguf_factors.h. llama.cpp has no keys for the scaling of Llama 3 (rope_freqs.weight is there
 * instead) and for the two lists of longrope. */
#include "models/gguf_factors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/model_impl.h"

const weft_setting_info *weft__gguf_rope_setting(const weft_model *m, const char *name)
{
    char key[128];
    const char *group = m->arch ? m->arch->gguf.rope : NULL;
    const bool outside = !group && (!strcmp(name, "rope_theta") || !strcmp(name, "rope_type"));
    snprintf(key, sizeof key, "%s%s%s", outside ? "" : group ? group : "rope", outside ? "" : ".", name);
    return weft__setting_find(m, key);
}

static double number(const weft_model *m, const char *name, double otherwise)
{
    const weft_setting_info *s = weft__gguf_rope_setting(m, name);
    return s && s->kind != WEFT_SETTING_TEXT ? s->number : otherwise;
}

uint32_t weft__gguf_rope_width(const weft_model *m)
{
    const weft_setting_info *width = weft__setting_find(m, "head_dim"),
                            *share = weft__setting_find(m, "partial_rotary_factor");
    const uint32_t whole = m->info.n_head ? m->info.n_embed / m->info.n_head : 0;
    const double n = floor((width ? width->number : whole) * (share ? share->number : 1));
    return n >= 0 && n <= UINT16_MAX ? (uint32_t)n : 0;
}

/* Of Llama 3: long waves are slowed by the factor, short ones are not, and those between by something between. */
static void divide(const weft_model *m, uint32_t turns, weft__gguf_factors *out)
{
    const double theta = number(m, "rope_theta", 10000), factor = number(m, "factor", 1);
    const double low = number(m, "low_freq_factor", 1), high = number(m, "high_freq_factor", 4);
    const double length = number(m, "original_max_position_embeddings", 8192);
    const double pi = 3.14159265358979323846;
    out->name = "rope_freqs.weight";
    for (uint32_t i = 0; i < turns / 2; i++) {
        const double wave = 2 * pi * pow(theta, 2.0 * i / turns), smooth = (length / wave - low) / (high - low);
        double by = 1 / ((1 - smooth) / factor + smooth);
        if (wave < length / high) by = 1;
        if (wave > length / low) by = factor;
        out->values[i] = (float)by;
    }
}

/* "short_factor.3" and so on. */
static bool read_list(const weft_model *m, const char *list, uint32_t n, weft__gguf_factors *out)
{
    char name[64];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s.%u", list, i);
        const weft_setting_info *s = weft__gguf_rope_setting(m, name);
        if (!s || s->kind == WEFT_SETTING_TEXT) return false;
        out->values[i] = (float)s->number;
    }
    return true;
}

bool weft__gguf_factors_of(const weft_model *m, uint32_t i, weft__gguf_factors *out)
{
    static const struct { const char *list, *tensor; } lists[] = {
        { "short_factor", "rope_factors_short.weight" }, { "long_factor", "rope_factors_long.weight" }
    };
    const weft_setting_info *type = weft__gguf_rope_setting(m, "rope_type");
    const uint32_t turns = weft__gguf_rope_width(m);
    out->n = turns / 2;
    if (!type || !out->n || out->n > WEFT__MAX_FACTORS) return false;
    if (!strcmp(type->value, "llama3") && i == 0) return divide(m, turns, out), true;
    if (strcmp(type->value, "longrope") != 0 || i >= sizeof lists / sizeof *lists) return false;
    out->name = lists[i].tensor;
    return read_list(m, lists[i].list, out->n, out);
}
