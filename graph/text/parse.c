/* parse.c: a text that needs no graph of anybody's: read, built and sealed at once. */
#include "graph/text.h"
#include "graph/text/place.h"

static weft_status build(const weft_graph_text *t, const weft_graph_desc *desc, const weft_graph_text_desc *with,
                         weft_graph **out, weft_error *err)
{
    weft_graph *g;
    WEFT_TRY(weft_graph_create(desc, &g, err));
    weft_status s = weft_graph_text_build(t, with, g, err);
    if (s == WEFT_OK) {
        s = weft_graph_seal(g, err);
        if (s != WEFT_OK) s = weft__text_locate(t, NULL, err, s);
    }
    if (s == WEFT_OK)
        *out = g;
    else
        weft_graph_destroy(g);
    return s;
}

weft_status weft_graph_parse_with(const char *text, size_t n, const char *origin, const weft_graph_desc *desc,
                                  const weft_graph_text_desc *with, weft_graph **out, weft_error *err)
{
    weft_graph_text *t;
    *out = NULL;
    WEFT_TRY(weft_graph_text_read(text, n, origin, &t, err));
    weft_status s = build(t, desc, with, out, err);
    weft_graph_text_destroy(t);
    return s;
}

weft_status weft_graph_parse(const char *text, size_t n, const char *origin, const weft_graph_desc *desc,
                             weft_graph **out, weft_error *err)
{
    return weft_graph_parse_with(text, n, origin, desc, NULL, out, err);
}
