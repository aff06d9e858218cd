/* text_use.c: what is asked of a model while its text becomes a graph: parameters, of which the session answers some,
 * and whether its files have the weights. */
#include "models/model_impl.h"

#include <string.h>

#define SESSION "session."

/* Keys that the session answers, before the model's configuration. */
static bool is_of_session(const char *key)
{
    return !strncmp(key, SESSION, sizeof SESSION - 1);
}

static int view_number(const void *ctx, const char *key, double *out)
{
    const weft__text_use *use = ctx;
    const weft_config *c = use->below;
    if (!is_of_session(key)) return c->number(c->ctx, key, out);
    const char *what = key + sizeof SESSION - 1;
    const bool context = !strcmp(what, "context"), page = !strcmp(what, "page");
    *out = context ? use->in->context : page ? use->in->page : 0;
    return context || page;
}

static int view_text(const void *ctx, const char *key, const char **out)
{
    const weft__text_use *use = ctx;
    const weft_config *c = use->below;
    *out = NULL;
    return is_of_session(key) ? 0 : c->text(c->ctx, key, out);
}

static const char *view_spelling(const void *ctx, const char *key)
{
    const weft__text_use *use = ctx;
    const weft_config *c = use->below;
    return is_of_session(key) || !c->spelling ? key : c->spelling(c->ctx, key);
}

/* What the session answers is no setting of the model. */
static void view_asked(void *sink, const weft_config_value *v)
{
    const weft__text_use *use = sink;
    const weft_config *c = use->below;
    if (c->asked && !is_of_session(v->key)) c->asked(c->sink, v);
}

/* Every weight is held against the files where the text asks for it, so that a fault is told there. */
void weft__text_made(void *ctx, weft_graph *g, uint32_t node)
{
    const weft__text_use *use = ctx;
    weft_error err;
    const weft_node *n = weft_graph_node_by_id(g, node);
    if (n && n->op == WEFT_OP_weight && weft__model_check_weight(use->m, g, n, &err))
        weft_graph_fail(g, err.status, "%s", err.text);
}

void weft__text_use_begin(weft__text_use *use)
{
    use->config = (weft_config){ .ctx = use, .number = view_number, .text = view_text, .origin = use->below->origin,
                                 .spelling = view_spelling, .asked = view_asked, .sink = use };
}
