/* text_use.c: what is asked of a model while its text becomes a graph: parameters, of which the session answers some,
 * and whether its files have the weights, and sessions the inputs. */
#include "graph/guess.h"
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

/* Those of caches also with a window behind them: "cell_128". */
static bool is_fed(const char *name)
{
    static const char *const runs[] = { "tokens", "pos", "sequence", "reset", "rows" };
    static const char *const caches[] = { "cell", "first", "table" };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        if (!strcmp(name, runs[i])) return true;
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        const size_t n = strlen(caches[i]);
        if (strncmp(name, caches[i], n)) continue;
        if (!name[n]) return true;
        if (name[n] == '_' && name[n + 1] && !name[n + 1 + strspn(name + n + 1, "0123456789")]) return true;
    }
    return false;
}

weft_status weft__input_check(const char *name, weft_error *err)
{
    if (is_fed(name)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_INVALID, "no session has numbers for the input '%s'; it has tokens, pos, sequence, "
                     "reset, rows, cell, first and table", name);
}

/* The tensor that may have been meant. */
static const char *guess(const weft_model *m, const char *name, char *buf, size_t size)
{
    weft__guess g = { .word = name };
    for (size_t i = 0; i < weft_checkpoint_count(m->checkpoint); i++) {
        const char *other = weft__checkpoint_at(m->checkpoint, i)->name;
        weft__guess_try(&g, other, strlen(other));
    }
    return weft__guess_text(&g, buf, size);
}

/* Weights are held against the files where the text asks for them, and inputs against what sessions have, so that a
 * fault is told there. */
void weft__text_made(void *ctx, weft_graph *g, uint32_t node)
{
    const weft_model *m = ((const weft__text_use *)ctx)->m;
    char hint[80] = "";
    weft_error err = { 0 };
    const weft_node *n = weft_graph_node_by_id(g, node);
    if (!n) return;
    weft_status s = n->op == WEFT_OP_weight  ? weft__model_check_weight(m, g, n, &err)
                    : n->op == WEFT_OP_input ? weft__input_check(n->name, &err)
                                             : WEFT_OK;
    if (s == WEFT_NOT_FOUND) guess(m, n->name, hint, sizeof hint);
    if (s) weft_graph_fail(g, s, "%s%s", err.text, hint);
}

void weft__text_use_begin(weft__text_use *use)
{
    use->config = (weft_config){ .ctx = use, .number = view_number, .text = view_text, .origin = use->below->origin,
                                 .spelling = view_spelling, .asked = view_asked, .sink = use };
}
