/* tensor.c: the element types of checkpoint files, sizes, and lookup by name. */
#include "tensor.h"

#include <string.h>

static const weft__file_dtype dtypes[] = {
#define WEFT_FILE_DTYPE(name, bytes, type) { #name, bytes, type },
#include "tensor.def"
#undef WEFT_FILE_DTYPE
};

const weft__file_dtype *weft__file_dtype_find(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
    return NULL;
}

bool weft__file_size(const weft__file_dtype *dtype, uint32_t rank, const uint64_t *dims,
                     uint64_t *out)
{
    uint64_t n = dtype->bytes ? dtype->bytes : 1;
    bool empty = false, fits = true;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(n, dims[i], &n))
            fits = false; /* refused even beside a zero: no reader should have to multiply in the right order */
    }
    *out = empty ? 0 : n;
    return fits && n <= INT64_MAX;
}

int weft__file_tensor_compare(const void *a, const void *b)
{
    return strcmp(((const weft__file_tensor *)a)->name, ((const weft__file_tensor *)b)->name);
}

const weft__file_tensor *weft__file_tensor_find(const weft__file_tensor *sorted, size_t n,
                                                const char *name)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(name, sorted[mid].name);
        if (c == 0) return &sorted[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
