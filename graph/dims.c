/* dims.c: dimensions as text, compared, at values of the extents, and whether a value of them can exist. */
#include "graph/graph_impl.h"

#include <stdio.h>
#include <string.h>

bool weft__dim_equal(weft_dim a, weft_dim b)
{
    return a.n == b.n && a.extent == b.extent;
}

bool weft__dims_equal(const weft_dims *a, const weft_dims *b)
{
    if (a->rank != b->rank) return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (!weft__dim_equal(a->d[i], b->d[i])) return false;
    return true;
}

const char *weft__dims_text(const weft_graph *g, const weft_dims *d, char *buf, size_t size)
{
    size_t used = (size_t)snprintf(buf, size, "[");
    for (uint32_t i = 0; i < d->rank && i < WEFT_MAX_RANK && used < size; i++) {
        const char *extent = weft_graph_extent(g, d->d[i].extent, NULL);
        const char *comma = i ? ", " : "";
        long long n = (long long)d->d[i].n;
        int wrote;
        if (!extent)
            wrote = snprintf(buf + used, size - used, d->d[i].extent ? "%s%lld*?" : "%s%lld", comma, n);
        else if (n == 1)
            wrote = snprintf(buf + used, size - used, "%s%s", comma, extent);
        else
            wrote = snprintf(buf + used, size - used, "%s%lld*%s", comma, n, extent);
        used += (size_t)wrote;
    }
    if (used < size) used += (size_t)snprintf(buf + used, size - used, "]");
    if (used >= size && size >= 4) memcpy(buf + size - 4, "...", 4);
    return buf;
}

void weft_dims_resolve(const weft_graph *g, const weft_dims *d, const int64_t *values, int64_t *out)
{
    for (uint32_t i = 0; i < WEFT_MAX_RANK; i++) {
        out[i] = 1;
        if (i >= d->rank) continue;
        uint32_t e = d->d[i].extent;
        out[i] = d->d[i].n;
        if (e) out[i] *= values ? values[e - 1] : (int64_t)g->extents[e - 1].bound;
    }
}

int64_t weft_value_elements(const weft_graph *g, weft_ref r, const int64_t *values)
{
    const weft_value *v = weft_graph_value(g, r);
    if (!v) return 0;
    int64_t dims[WEFT_MAX_RANK], n = 1;
    weft_dims_resolve(g, &v->dims, values, dims);
    for (uint32_t i = 0; i < v->dims.rank; i++) n *= dims[i];
    return n;
}

uint64_t weft_value_bytes(const weft_graph *g, weft_ref r, const int64_t *values)
{
    const weft_value *v = weft_graph_value(g, r);
    uint64_t bytes;
    if (!v || !weft_dtype_row_bytes(v->dtype, weft_value_elements(g, r, values), &bytes)) return 0;
    return bytes;
}

weft_status weft__dims_check(const weft_graph *g, const weft_dims *d, int64_t *elements, weft_error *err)
{
    int64_t total = 1;
    char text[160];
    if (d->rank > WEFT_MAX_RANK) return WEFT_FAIL(err, WEFT_SHAPE, "rank %u is above %u", d->rank, WEFT_MAX_RANK);
    for (uint32_t i = 0; i < d->rank; i++) {
        uint32_t bound = 1;
        if (d->d[i].n < 1)
            return WEFT_FAIL(err, WEFT_SHAPE, "%s has a dimension below 1", weft__dims_text(g, d, text, sizeof text));
        if (d->d[i].extent && !weft_graph_extent(g, d->d[i].extent, &bound))
            return WEFT_FAIL(err, WEFT_SHAPE, "%s names extent %u, which does not exist",
                             weft__dims_text(g, d, text, sizeof text), d->d[i].extent);
        if (__builtin_mul_overflow(total, d->d[i].n, &total) || __builtin_mul_overflow(total, (int64_t)bound, &total))
            return WEFT_FAIL(err, WEFT_SHAPE, "%s is too large", weft__dims_text(g, d, text, sizeof text));
    }
    *elements = total;
    return WEFT_OK;
}

bool weft__source_takes(weft_op op, weft_dtype t)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    return info->class_ != WEFT_DTYPE_BLOCK || op == WEFT_OP_weight || (op == WEFT_OP_state && info->encodes);
}

bool weft__is_block_weight(const weft_graph *g, weft_ref r)
{
    const weft_value *v = weft_graph_value(g, r);
    return weft_dtype_get(v->dtype)->class_ == WEFT_DTYPE_BLOCK &&
           weft_graph_node_by_id(g, v->node)->op == WEFT_OP_weight;
}

weft_status weft__value_check(const weft_graph *g, weft_dtype t, const weft_dims *d, weft_error *err)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    char text[160];
    int64_t n = 0;
    uint64_t bytes;
    if (!info->bytes) return WEFT_FAIL(err, WEFT_INVALID, "type '%s' cannot be stored", info->name);
    WEFT_TRY(weft__dims_check(g, d, &n, err));
    if (info->block > 1 && (!d->rank || d->d[d->rank - 1].extent || d->d[d->rank - 1].n % info->block))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s needs a last dimension that %u divides, not %s", info->name, info->block,
                         weft__dims_text(g, d, text, sizeof text));
    if (!weft_dtype_row_bytes(t, n, &bytes) || bytes > INT64_MAX / 16)
        return WEFT_FAIL(err, WEFT_SHAPE, "%s is too large", weft__dims_text(g, d, text, sizeof text));
    return WEFT_OK;
}
