/* dump_text.c: attributes, types and constants as short texts. */
#include "graph/dump.h"

#include "graph/attr.h"
#include "graph/convert.h"
#include "graph/number.h"
#include "graph/rope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
    case ATTR_rope: snprintf(buf, size, "%s", weft__rope_name(x.rope)); break;
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
