/* probe_build.c: graphs of a configuration in which something else is said (probe.h). */
#include "models/probe.h"
#include "models/text.h"

/* The definition's graph, or the text's. */
static weft_status build(weft__probe *p, const weft_graph_text *t, weft_graph *g, weft_error *err)
{
    uint32_t entry;
    const weft__said *context = weft__probe_said(p, WEFT__SESSION_CONTEXT, &entry);
    const weft_model_graph_desc desc = { .context = context ? (uint32_t)context->number : 0 };
    weft_config c = weft__probe_config(p);
    weft_model_inputs in = weft__model_inputs(g, p->m, &desc);
    weft__text_use use = { .m = p->m, .in = &in, .below = &c };
    weft__text_use_begin(&use);
    const weft_graph_text_desc with = { .config = &use.config, .blocks = weft__text_blocks,
                                        .n_blocks = weft__text_block_count, .ctx = &use };
    p->n_asked = 0;
    if (t) WEFT_TRY(weft_graph_text_build(t, &with, g, err));
    else weft__definition_build(p->m, g, &c, &in);
    WEFT_TRY(weft_graph_seal(g, err));
    return p->failed ? WEFT_OOM_FAIL(err, "a model's text") : WEFT_OK;
}

weft_status weft__probe_build(weft__probe *p, const weft_graph_text *t, weft_graph **out, weft_error *err)
{
    WEFT_TRY(weft_graph_create(NULL, out, err));
    weft_status s = build(p, t, *out, err);
    if (s == WEFT_OK) return s;
    weft_graph_destroy(*out);
    *out = NULL;
    return s;
}
