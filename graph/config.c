/* config.c: hyperparameters for model definitions, read through weft_config with sticky errors.
 *
 * Every helper asks once, checks the range the definition gave, and records what is wrong with file and key. */
#include "graph/graph_impl.h"

#include <math.h>
#include <string.h>

static const char *origin(const weft_config *c)
{
    return c->origin ? c->origin : "configuration";
}

/* A number between min and max. 1: found and fit; 0: absent; -1: unfit, which is recorded. */
static int number(weft_graph *g, const weft_config *c, const char *key, bool whole, double min, double max, double *out)
{
    int found = c->number(c->ctx, key, out);
    if (!found) return 0;
    if (found < 0) {
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is not a number", origin(c), key);
        return -1;
    }
    if (!(*out >= min && *out <= max) || (whole && *out != floor(*out))) {
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is %.9g, must be %s from %.9g to %.9g", origin(c), key, *out,
                     whole ? "a whole number" : "a number", min, max);
        return -1;
    }
    return 1;
}

uint32_t weft_config_u32(weft_graph *g, const weft_config *c, const char *key, uint32_t min, uint32_t max)
{
    double x;
    int found = number(g, c, key, true, min, max, &x);
    if (!found) WEFT__STICKY(g, WEFT_NOT_FOUND, "%s: '%s' is missing", origin(c), key);
    return found > 0 ? (uint32_t)x : min;
}

uint32_t weft_config_u32_or(weft_graph *g, const weft_config *c, const char *key, uint32_t fallback, uint32_t min,
                            uint32_t max)
{
    double x;
    return number(g, c, key, true, min, max, &x) > 0 ? (uint32_t)x : fallback;
}

float weft_config_f32_or(weft_graph *g, const weft_config *c, const char *key, float fallback, float min, float max)
{
    double x;
    return number(g, c, key, false, (double)min, (double)max, &x) > 0 ? (float)x : fallback;
}

bool weft_config_bool_or(weft_graph *g, const weft_config *c, const char *key, bool fallback)
{
    double x;
    return number(g, c, key, true, 0, 1, &x) > 0 ? x != 0 : fallback;
}

weft_act weft_config_act_or(weft_graph *g, const weft_config *c, const char *key, weft_act fallback)
{
    static const struct {
        const char *name;
        weft_act act;
    } names[] = {
        { "gelu", WEFT_ACT_GELU },
        { "gelu_python", WEFT_ACT_GELU },
        { "gelu_new", WEFT_ACT_GELU_TANH },
        { "gelu_fast", WEFT_ACT_GELU_TANH },
        { "gelu_tanh", WEFT_ACT_GELU_TANH },
        { "gelu_pytorch_tanh", WEFT_ACT_GELU_TANH },
        { "gelu_accurate", WEFT_ACT_GELU_TANH },
        { "relu", WEFT_ACT_RELU },
        { "silu", WEFT_ACT_SILU },
        { "swish", WEFT_ACT_SILU },
        { "tanh", WEFT_ACT_TANH },
        { "sigmoid", WEFT_ACT_SIGMOID },
        { "linear", WEFT_ACT_NONE },
    };
    const char *name;
    int found = c->text(c->ctx, key, &name);
    if (found > 0)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!strcmp(names[i].name, name)) return names[i].act;
    if (!found) return fallback;
    if (found < 0)
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is not a text", origin(c), key);
    else
        WEFT__STICKY(g, WEFT_UNSUPPORTED, "%s: '%s' is '%.60s', an activation that is not known", origin(c), key, name);
    return WEFT_ACT_NONE;
}
