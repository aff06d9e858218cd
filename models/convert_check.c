/* convert_check.c: what was written is opened again before it gets its name: a file that makes another graph than the
 * model is refused, whatever the tables of gguf_values.c and gguf_config.c have to say. */
#include "models/convert_check.h"

#include <math.h>
#include <string.h>

#include "graph/same.h"
#include "models/gguf_factors.h"
#include "models/model_impl.h"

/* Whether both formats say the frequencies in the same way: not where one has them as a tensor. */
static bool has_plain_rope(const weft_model *m)
{
    const weft_setting_info *type = weft__gguf_rope_setting(m, "rope_type");
    return !type || !strcmp(type->value, "default") || !strcmp(type->value, "linear") || !strcmp(type->value, "yarn");
}

/* Settings that say the same in other words there, or are nothing to the graph. */
static bool is_other(const weft_model *m, const weft_model *n, const char *key)
{
    const char *dot = strchr(key, '.');
    if (strstr(key, "token_id")) return true;
    const bool rope = (dot && strcmp(dot + 1, "rope_theta") != 0) || !strcmp(key, "rope_type");
    return rope && !(has_plain_rope(m) && has_plain_rope(n));
}

static bool is_close(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-6 * fabs(a);
}

/* Of what both were asked for. */
static weft_status compare_settings(const weft_model *m, const weft_model *n, weft_error *err)
{
    const weft_setting_info *a, *b;
    for (uint32_t i = 0; (a = weft_model_setting(m, i)); i++) {
        if (is_other(m, n, a->key) || !(b = weft__setting_find(n, a->key)) || !strcmp(a->value, b->value)) continue;
        if (a->kind != WEFT_SETTING_TEXT && is_close(a->number, b->number)) continue;
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: %s is %s, which the other format would say as %s", m->path, a->key,
                         a->value, b->value);
    }
    return WEFT_OK;
}

static weft_status compare_graphs(const weft_model *m, const weft_model *n, weft_error *err)
{
    const weft_model_graph_desc d = { .weights = WEFT_F32, .context = 64, .max_tokens = 64 };
    weft_graph *a, *b;
    WEFT_TRY(weft_model_graph(m, &d, &a, err));
    weft_status s = weft_model_graph(n, &d, &b, err);
    if (!s) {
        s = weft__graph_same(a, b, err);
        if (s && !compare_settings(m, n, NULL)) s = weft__annotate(err, s, "%s", m->path);
        else if (s) s = compare_settings(m, n, err); /* which people know better */
        weft_graph_destroy(b);
    }
    weft_graph_destroy(a);
    return s;
}

/* Whatever it is that shows it. */
static weft_status refuse(weft_status s, const char *what, weft_error *err)
{
    s = weft__annotate(err, s, "%s", what);
    if (s == WEFT_OOM || s == WEFT_IO) return s;
    if (err) err->status = WEFT_UNSUPPORTED;
    return WEFT_UNSUPPORTED;
}

weft_status weft__convert_check(void *converted, const char *path, weft_error *err)
{
    const weft__converted *c = converted;
    weft_model *m = c->model, *n;
    weft_status s = weft_model_open(path, NULL, &n, err);
    if (s) return refuse(s, "what was written cannot be opened", err);
    /* The graph says all that matters, and no more: settings that nothing uses may differ. */
    if (c->same_types && has_plain_rope(m) && has_plain_rope(n)) s = compare_graphs(m, n, err);
    else s = compare_settings(m, n, err);
    weft_model_close(n);
    return s ? refuse(s, "the other format makes another model of it", err) : WEFT_OK;
}
