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

/* The key as the file has it. */
static const char *spelled(const weft_config *c, const char *key)
{
    return c->spelling ? c->spelling(c->ctx, key) : key;
}

static void tell(const weft_config *c, const weft_config_value *v)
{
    if (c->asked) c->asked(c->sink, v);
}

typedef struct range {
    double min, max;
    bool whole, truth;
} range;

/* A number in a range. 1: found and fit; 0: absent; -1: unfit, which is recorded. */
static int number(weft_graph *g, const weft_config *c, const char *key, range r, double *out)
{
    int found = c->number(c->ctx, key, out);
    if (!found) return 0;
    if (found < 0) {
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is not a number", origin(c), spelled(c, key));
        return -1;
    }
    if (!(*out >= r.min && *out <= r.max) || (r.whole && *out != floor(*out))) {
        WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is %.9g, must be %s from %.9g to %.9g", origin(c), spelled(c, key),
                     *out, r.whole ? "a whole number" : "a number", r.min, r.max);
        return -1;
    }
    tell(c, &(weft_config_value){ .key = key, .number = *out, .truth = r.truth, .found = true });
    return 1;
}

static void miss(weft_graph *g, const weft_config *c, const char *key)
{
    WEFT__STICKY(g, WEFT_NOT_FOUND, "%s: '%s' is missing", origin(c), spelled(c, key));
}

/* What must be there; the least value of the range in place of what is not. */
static double needed(weft_graph *g, const weft_config *c, const char *key, range r)
{
    double x;
    int found = number(g, c, key, r, &x);
    if (!found) miss(g, c, key);
    return found > 0 ? x : r.min;
}

uint32_t weft_config_u32(weft_graph *g, const weft_config *c, const char *key, uint32_t min, uint32_t max)
{
    return (uint32_t)needed(g, c, key, (range){ .min = min, .max = max, .whole = true });
}

/* What may be absent. */
static double wanted(weft_graph *g, const weft_config *c, const char *key, double fallback, range r)
{
    double x;
    int found = number(g, c, key, r, &x);
    if (!found) tell(c, &(weft_config_value){ .key = key, .number = fallback, .truth = r.truth });
    return found > 0 ? x : fallback;
}

uint32_t weft_config_u32_or(weft_graph *g, const weft_config *c, const char *key, uint32_t fallback, uint32_t min,
                            uint32_t max)
{
    return (uint32_t)wanted(g, c, key, fallback, (range){ .min = min, .max = max, .whole = true });
}

double weft_config_f64(weft_graph *g, const weft_config *c, const char *key, double min, double max)
{
    return needed(g, c, key, (range){ .min = min, .max = max });
}

double weft_config_f64_or(weft_graph *g, const weft_config *c, const char *key, double fallback, double min, double max)
{
    return wanted(g, c, key, fallback, (range){ .min = min, .max = max });
}

static const range truth = { .max = 1, .whole = true, .truth = true };

bool weft_config_bool(weft_graph *g, const weft_config *c, const char *key)
{
    return needed(g, c, key, truth) != 0;
}

bool weft_config_bool_or(weft_graph *g, const weft_config *c, const char *key, bool fallback)
{
    return wanted(g, c, key, fallback, truth) != 0;
}

/* As number(), of a text. */
static int text(weft_graph *g, const weft_config *c, const char *key, const char **out)
{
    int found = c->text(c->ctx, key, out);
    if (found < 0) WEFT__STICKY(g, WEFT_FORMAT, "%s: '%s' is not a text", origin(c), spelled(c, key));
    return found;
}

const char *weft_config_text_or(weft_graph *g, const weft_config *c, const char *key, const char *fallback)
{
    const char *x;
    int found = text(g, c, key, &x);
    if (found >= 0) tell(c, &(weft_config_value){ .key = key, .text = found ? x : fallback, .found = found });
    return found > 0 ? x : fallback;
}

weft_act weft_config_act(weft_graph *g, const weft_config *c, const char *key)
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
        { "relu2", WEFT_ACT_RELU2 },
        { "silu", WEFT_ACT_SILU },
        { "swish", WEFT_ACT_SILU },
        { "tanh", WEFT_ACT_TANH },
        { "sigmoid", WEFT_ACT_SIGMOID },
        { "linear", WEFT_ACT_NONE },
    };
    const char *name;
    int found = text(g, c, key, &name);
    for (size_t i = 0; found > 0 && i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name)) continue;
        tell(c, &(weft_config_value){ .key = key, .text = name, .found = true });
        return names[i].act;
    }
    if (!found) miss(g, c, key);
    if (found > 0)
        WEFT__STICKY(g, WEFT_UNSUPPORTED, "%s: '%s' is '%.60s', an activation that is not known", origin(c),
                     spelled(c, key), name);
    return WEFT_ACT_NONE;
}
