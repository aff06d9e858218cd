/* views.c: how what a chain of views shows lies there. */
#include "backends/schedule.h"

bool weft__is_dense(const weft_graph *g, weft_ref r, const weft_slot *s, const int64_t *bounds)
{
    const weft_value *v = weft_graph_value(g, r);
    int64_t dims[WEFT_MAX_RANK], stride = 1;
    weft_dims_resolve(g, &v->dims, bounds, dims);
    for (uint32_t i = v->dims.rank; i-- > 0; stride *= dims[i])
        if (dims[i] != 1 && s->stride[i] != stride) return false;
    return true;
}
