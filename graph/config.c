/* config.c: hyperparameters for model definitions, read through weft_config with sticky errors.
 *
 * Every helper asks once, checks the range the definition gave, and records what is wrong with file and key. */
#include "graph/lookup.h"

#include <math.h>
#include <string.h>

const char *weft__lookup_origin(const weft_config *c)
{
    return c->origin ? c->origin : "configuration";
}

const char *weft__lookup_spelling(const weft_config *c, const char *key)
{
    return c->spelling ? c->spelling(c->ctx, key) : key;
}

void weft__lookup_tell(const weft_config *c, const weft_config_value *v)
{
    if (c->asked) c->asked(c->sink, v);
}

int weft__lookup_number(weft_graph *g, const weft_config *c, const char *key, weft__lookup_range r, double *out)
{
    int found = c->number(c->ctx, key, out);
    if (!found) return 0;
    if (found < 0) {
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is not a number", weft__lookup_origin(c), weft__lookup_spelling(c, key));
        return -1;
    }
    if (!(*out >= r.min && *out <= r.max) || (r.whole && *out != floor(*out))) {
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is %.9g, must be %s from %.9g to %.9g", weft__lookup_origin(c),
                     weft__lookup_spelling(c, key), *out, r.whole ? "a whole number" : "a number", r.min, r.max);
        return -1;
    }
    weft__lookup_tell(c, &(weft_config_value){ .key = key, .number = *out, .truth = r.truth, .found = true });
    return 1;
}

static void miss(weft_graph *g, const weft_config *c, const char *key)
{
    WEFT__STICKY(g, WEFT_NOT_FOUND, "%s: '%s' is missing", weft__lookup_origin(c), weft__lookup_spelling(c, key));
}

/* What must be there; the least value of the range in place of what is not. */
static double needed(weft_graph *g, const weft_config *c, const char *key, weft__lookup_range r)
{
    double x;
    int found = weft__lookup_number(g, c, key, r, &x);
    if (!found) miss(g, c, key);
    return found > 0 ? x : r.min;
}

uint32_t weft_config_u32(weft_graph *g, const weft_config *c, const char *key, uint32_t min, uint32_t max)
{
    return (uint32_t)needed(g, c, key, (weft__lookup_range){ .min = min, .max = max, .whole = true });
}

/* What may be absent. */
static double wanted(weft_graph *g, const weft_config *c, const char *key, double fallback, weft__lookup_range r)
{
    double x;
    int found = weft__lookup_number(g, c, key, r, &x);
    if (!found) weft__lookup_tell(c, &(weft_config_value){ .key = key, .number = fallback, .truth = r.truth });
    return found > 0 ? x : fallback;
}

uint32_t weft_config_u32_or(weft_graph *g, const weft_config *c, const char *key, uint32_t fallback, uint32_t min,
                            uint32_t max)
{
    return (uint32_t)wanted(g, c, key, fallback, (weft__lookup_range){ .min = min, .max = max, .whole = true });
}

double weft_config_f64(weft_graph *g, const weft_config *c, const char *key, double min, double max)
{
    return needed(g, c, key, (weft__lookup_range){ .min = min, .max = max });
}

double weft_config_f64_or(weft_graph *g, const weft_config *c, const char *key, double fallback, double min, double max)
{
    return wanted(g, c, key, fallback, (weft__lookup_range){ .min = min, .max = max });
}

static const weft__lookup_range truth = { .max = 1, .whole = true, .truth = true };

bool weft_config_bool(weft_graph *g, const weft_config *c, const char *key)
{
    return needed(g, c, key, truth) != 0;
}

bool weft_config_bool_or(weft_graph *g, const weft_config *c, const char *key, bool fallback)
{
    return wanted(g, c, key, fallback, truth) != 0;
}

int weft__lookup_text(weft_graph *g, const weft_config *c, const char *key, const char **out)
{
    int found = c->text(c->ctx, key, out);
    if (found < 0)
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is not a text", weft__lookup_origin(c), weft__lookup_spelling(c, key));
    return found;
}

const char *weft_config_text_or(weft_graph *g, const weft_config *c, const char *key, const char *fallback)
{
    const char *x;
    int found = weft__lookup_text(g, c, key, &x);
    if (found >= 0)
        weft__lookup_tell(c, &(weft_config_value){ .key = key, .text = found ? x : fallback, .found = found });
    return found > 0 ? x : fallback;
}

static const struct {
    const char *name;
    weft_act act;
} act_names[] = {
    { "gelu", WEFT_ACT_GELU },
    { "gelu_python", WEFT_ACT_GELU },
    { "gelu_new", WEFT_ACT_GELU_TANH },
    { "gelu_fast", WEFT_ACT_GELU_TANH },
    { "gelu_tanh", WEFT_ACT_GELU_TANH },
    { "gelu_pytorch_tanh", WEFT_ACT_GELU_TANH },
    { "gelu_accurate", WEFT_ACT_GELU_TANH },
    { "relu", WEFT_ACT_RELU },
    { "relu2", WEFT_ACT_RELU2 },
    { "silu", WEFT_ACT_SILU },
    { "swish", WEFT_ACT_SILU },
    { "tanh", WEFT_ACT_TANH },
    { "sigmoid", WEFT_ACT_SIGMOID },
    { "linear", WEFT_ACT_NONE },
};

bool weft__act_named(const char *name, weft_act *out)
{
    for (size_t i = 0; i < sizeof act_names / sizeof *act_names; i++) {
        if (strcmp(act_names[i].name, name)) continue;
        *out = act_names[i].act;
        return true;
    }
    return false;
}

weft_act weft_config_act(weft_graph *g, const weft_config *c, const char *key)
{
    const char *name;
    weft_act act = WEFT_ACT_NONE;
    int found = weft__lookup_text(g, c, key, &name);
    if (!found) miss(g, c, key);
    if (found <= 0) return act;
    if (weft__act_named(name, &act))
        weft__lookup_tell(c, &(weft_config_value){ .key = key, .text = name, .found = true });
    else
        WEFT__STICKY(g, WEFT_UNSUPPORTED, "%s: '%s' is '%.60s', an activation that is not known",
                     weft__lookup_origin(c), weft__lookup_spelling(c, key), name);
    return act;
}
