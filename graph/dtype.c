/* dtype.c: the table of types, generated from dtype.def, and the sizes of rows. */
#include "graph/graph.h"

#include <string.h>

static const weft_dtype_info dtypes[WEFT_DTYPE_COUNT] = {
    [WEFT_ANY] = { "any", 1, 0, WEFT_DTYPE_NONE },
#define WEFT_DTYPE(id, name, block, bytes, class_) [WEFT_##id] = { name, block, bytes, WEFT_DTYPE_##class_ },
#include "dtype.def"
#undef WEFT_DTYPE
};

const weft_dtype_info *weft_dtype_get(weft_dtype t)
{
    static const weft_dtype_info unknown = { "?", 1, 0, WEFT_DTYPE_NONE };
    return (unsigned)t < WEFT_DTYPE_COUNT ? &dtypes[t] : &unknown;
}

bool weft_dtype_parse(const char *name, weft_dtype *out)
{
    for (unsigned t = 0; t < WEFT_DTYPE_COUNT; t++) {
        if (strcmp(dtypes[t].name, name)) continue;
        *out = (weft_dtype)t;
        return true;
    }
    return false;
}

bool weft_dtype_row_bytes(weft_dtype t, int64_t n, uint64_t *out)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    *out = 0;
    if (n < 0 || n % info->block) return false;
    return !__builtin_mul_overflow((uint64_t)(n / info->block), (uint64_t)info->bytes, out);
}
