/* dtype.c: the table of types, generated from dtype.def, and the sizes of rows. */
#include "graph/graph.h"

#include <string.h>

/* By number; numbers without a row have no name. */
static const weft_dtype_info dtypes[WEFT_DTYPE_COUNT] = {
    [WEFT_ANY] = { "any", 1, 0, WEFT_DTYPE_NONE, 0, 1, false, false },
#define WEFT_DTYPE(number, id, name, block, bytes, class_, bits, group, minimum, encodes) \
    [number] = { #name, block, bytes, WEFT_DTYPE_##class_, bits, group, minimum, encodes },
#include "dtype.def"
#undef WEFT_DTYPE
};

#define WEFT_DTYPE(number, id, name, block, bytes, class_, bits, group, minimum, encodes)          \
    _Static_assert(number < WEFT_DTYPE_COUNT, #name ": rows stand in the order of their numbers"); \
    _Static_assert(256 % block == 0 && block % group == 0, #name ": pieces of 256 are whole blocks, of whole groups");
#include "dtype.def"
#undef WEFT_DTYPE

const weft_dtype_info *weft_dtype_get(weft_dtype t)
{
    static const weft_dtype_info unknown = { "?", 1, 0, WEFT_DTYPE_NONE, 0, 1, false, false };
    return (unsigned)t < WEFT_DTYPE_COUNT && dtypes[t].name ? &dtypes[t] : &unknown;
}

bool weft_dtype_quantizes(weft_dtype t)
{
    static const bool searched[WEFT_DTYPE_COUNT] = {
#define WEFT_SEARCH(id, name, groups, size, lo, hi, table, scale_lo, scale_hi, min_hi, pack) [WEFT_##id] = true,
#include "graph/quantize/search.def"
    };
    return weft_dtype_get(t)->encodes || ((unsigned)t < WEFT_DTYPE_COUNT && searched[t]);
}

bool weft_dtype_parse(const char *name, weft_dtype *out)
{
    for (unsigned t = 0; t < WEFT_DTYPE_COUNT; t++) {
        if (!dtypes[t].name || strcmp(dtypes[t].name, name)) continue;
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
