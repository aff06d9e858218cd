/* of_graph.c: the text of one graph, without parameters. */
#include "graph/text/write.h"

#include <stdlib.h>
#include <string.h>

/* Names that extents do not have. */
void weft__name_counters(weft__solver *s, const weft_graph *g)
{
    static const char *const usual[] = { "i", "j", "k", "l", "m", "n", "t", "u", "v", "w", "x", "y" };
    const char *extent;
    uint32_t n = 0;
    for (size_t c = 0; c < sizeof usual / sizeof *usual && n < WEFT__LOOPS; c++) {
        bool taken = false;
        for (uint32_t i = 1; (extent = weft_graph_extent(g, i, NULL)); i++) taken = taken || !strcmp(extent, usual[c]);
        for (uint32_t i = 0; i < s->n_params; i++) taken = taken || !strcmp(s->params[i].name, usual[c]);
        if (!taken) s->counter[n++] = usual[c];
    }
}

/* The statements of a graph: with repeats, or (`plain`) as they come. NULL: failed, or it cannot be said so. */
static weft__stmt *statements(weft__writing *w, bool plain)
{
    weft__unit *list = weft__units_of(w->f, w->g, 0);
    if (list && !plain) weft__units_fold(w->f, &list);
    w->unsolved = 0;
    if (!list || !weft__units_name(w->f, list)) return NULL;
    weft__stmt *body = weft__write_units(w, list);
    return w->unsolved || w->f->failed ? NULL : body;
}

weft_status weft_graph_text_of(const weft_graph *g, weft_graph_text **out, weft_error *err)
{
    *out = NULL;
    WEFT_TRY(weft__graph_broken(g, err));
    if (!g->sealed) return WEFT_FAIL(err, WEFT_INVALID, "a graph's text: the graph is not sealed");
    weft_graph_text *t = calloc(1, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a graph's text");
    weft__fold f = { .arena = &t->arena };
    bool odd = false;
    weft__solver s = { .f = &f, .odd = &odd };
    weft__writing w = { .f = &f, .s = &s, .g = g };
    t->version = 2;
    weft__name_counters(&s, g);
    w.extents = weft__fold_alloc(&f, WEFT_MAX_EXTENTS + 1, sizeof *w.extents);
    weft__stmt *body = w.extents ? statements(&w, false) : NULL;
    if (!body && !f.failed) body = statements(&w, true);
    t->body = weft__write_extents(&w, true);
    *weft__stmt_end(&t->body) = body ? weft__write_blocks(&w, body) : NULL;
    *weft__stmt_end(&t->body) = body;
    weft__arena_free(&f.scratch);
    if (!f.failed && body) {
        *out = t;
        return WEFT_OK;
    }
    weft_graph_text_destroy(t);
    return f.failed ? WEFT_OOM_FAIL(err, "a graph's text") : WEFT_FAIL(err, WEFT_INTERNAL, "a graph has no text");
}
