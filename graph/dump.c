/* dump.c: a graph in any of the formats. */
#include "graph/dump.h"

#include "graph/attr.h"
#include "graph/convert.h"
#include "graph/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- small texts ---- */

const char *weft__attr_text(const weft_graph *g, const weft_node *n, const weft__attr_field *f, char *buf, size_t size)
{
    const char *field = (const char *)&n->attrs + f->offset;
    weft__attr_any x;
    char number[WEFT__FLOAT_TEXT];
    memcpy(&x, field, weft__attr_size(f));
    switch (f->type) {
    case ATTR_f32: snprintf(buf, size, "%s", weft__float_text(x.f32, number)); break;
    case ATTR_i32: snprintf(buf, size, "%" PRId32, x.i32); break;
    case ATTR_i64: snprintf(buf, size, "%" PRId64, x.i64); break;
    case ATTR_dtype: snprintf(buf, size, "%s", weft_dtype_get(x.dtype)->name); break;
    case ATTR_act: snprintf(buf, size, "%s", weft__act_name(x.act)); break;
    case ATTR_dims: weft__dims_text(g, &x.dims, buf, size); break;
    case ATTR_perm:
        snprintf(buf, size, "[");
        for (uint32_t i = 0, at = 1; i < x.perm.rank; i++)
            at += (uint32_t)snprintf(buf + at, size - at, i ? ", %u" : "%u", x.perm.axis[i]);
        strcat(buf, "]");
        break;
    }
    return buf;
}

const char *weft__type_text(const weft_graph *g, weft_ref r, char *buf, size_t size)
{
    char dims[160];
    const weft_value *v = weft_graph_value(g, r);
    snprintf(buf, size, "%s %s", weft_dtype_get(v->dtype)->name, weft__dims_text(g, &v->dims, dims, sizeof dims));
    return buf;
}

float weft__constant_element(const weft_graph *g, const weft_node *n, size_t i)
{
    weft_dtype t = weft_graph_value(g, n->out[0])->dtype;
    const char *at = (const char *)n->data + i * weft_dtype_get(t)->bytes;
    float x;
    uint16_t half;
    int32_t whole;
    memcpy(&half, at, sizeof half);
    if (t == WEFT_F16) return weft__f32_from_f16(half);
    if (t == WEFT_BF16) return weft__f32_from_bf16(half);
    memcpy(&x, at, sizeof x);
    memcpy(&whole, at, sizeof whole);
    return t == WEFT_I32 ? (float)whole : x;
}

const char *weft__data_text(const weft_graph *g, const weft_node *n, uint32_t most, char *buf, size_t size)
{
    size_t count = (size_t)weft_value_elements(g, n->out[0], NULL), at = 0;
    char number[WEFT__FLOAT_TEXT];
    *buf = 0;
    for (size_t i = 0; i < count && i < most && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? ", " : "",
                               weft__float_text(weft__constant_element(g, n, i), number));
    if (count > most && at < size) snprintf(buf + at, size - at, ", ...");
    return buf;
}

/* ---- dumps ---- */

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
