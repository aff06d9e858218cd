/* dump.c: a graph in any of the formats. */
#include "graph/dump.h"

#include <string.h>

/* values[i] of extent i + 1 from desc->extents; what it does not name gets its bound. */
static weft_status find_extents(const weft_graph *g, const weft_dump_desc *desc, int64_t *values, weft_error *err)
{
    uint32_t n = weft_graph_extent_count(g), bound;
    for (uint32_t i = 0; i < n; i++) {
        weft_graph_extent(g, i + 1, &bound);
        values[i] = bound;
    }
    for (uint32_t k = 0; k < desc->n_extents; k++) {
        const weft_bound *e = &desc->extents[k];
        uint32_t i = 0;
        while (i < n && strcmp(weft_graph_extent(g, i + 1, &bound), e->extent)) i++;
        if (i == n) return WEFT_FAIL(err, WEFT_NOT_FOUND, "dump: the graph has no extent '%s'", e->extent);
        if (!e->bound || e->bound > bound)
            return WEFT_FAIL(err, WEFT_INVALID, "dump: %u is no value of extent '%s', whose bound is %u", e->bound,
                             e->extent, bound);
        values[i] = e->bound;
    }
    return WEFT_OK;
}

static weft_status dump_json(const weft_graph *g, const weft_dump_desc *desc, const int64_t *values,
                             const weft_writer *w, weft_error *err)
{
    weft__json j;
    weft__json_start(&j, w);
    weft__json_object(&j, NULL);
    weft__json_head(&j, desc->title);
    weft__json_array(&j, "devices");
    weft__json_end_array(&j);
    weft__json_array(&j, "programs");
    weft__json_object(&j, NULL);
    weft__json_string(&j, "name", "graph");
    weft__json_extents(&j, g, NULL, values);
    weft__json_array(&j, "stages");
    weft__json_stage(&j, &(weft__stage){ .name = "built", .g = g, .values = values });
    weft__json_end_array(&j);
    weft__json_end_object(&j);
    weft__json_end_array(&j);
    weft__json_end_object(&j);
    return weft__json_finish(&j) ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a graph could not be written as JSON");
}

weft_status weft_graph_dump(const weft_graph *g, weft_dump_format format, const weft_dump_desc *desc,
                            const weft_writer *w, weft_error *err)
{
    static const weft_dump_desc none = { 0 };
    int64_t values[WEFT_MAX_EXTENTS];
    if (!desc) desc = &none;
    WEFT_TRY(find_extents(g, desc, values, err));
    weft__drawing d = { .name = "graph", .g = g, .desc = desc, .values = values };
    switch (format) {
    case WEFT_DUMP_TEXT: return weft_graph_print(g, w, err);
    case WEFT_DUMP_JSON: return dump_json(g, desc, values, w, err);
    case WEFT_DUMP_DOT: return weft__draw_dot(&d, w, err);
    case WEFT_DUMP_MODEL_EXPLORER: return weft__draw_explorer(&d, w, err);
    default: return WEFT_FAIL(err, WEFT_INVALID, "dump: %d is no format", (int)format);
    }
}
