/* tensor.c: the element types of checkpoint files, sizes, byte orders, and lookup by name. */
#include "tensor.h"

#include <string.h>

static const weft__file_dtype dtypes[] = {
#define WEFT_FILE_DTYPE(name, block, bytes, type, ggml, layout) { #name, block, bytes, type, ggml, layout },
#include "tensor.def"
#undef WEFT_FILE_DTYPE
};

const weft__file_dtype *weft__file_dtype_find(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
    return NULL;
}

const weft__file_dtype *weft__file_dtype_ggml(uint32_t number)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (dtypes[i].ggml >= 0 && (uint32_t)dtypes[i].ggml == number) return &dtypes[i];
    return NULL;
}

bool weft__file_is_whole(const weft__file_dtype *dtype, uint32_t rank, const uint64_t *dims)
{
    return (rank ? dims[rank - 1] : 1) % dtype->block == 0;
}

bool weft__file_size(const weft__file_dtype *dtype, uint32_t rank, const uint64_t *dims,
                     uint64_t *out)
{
    uint64_t n = dtype->bytes ? dtype->bytes : 1;
    bool empty = false, fits = weft__file_is_whole(dtype, rank, dims);
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t d = i + 1 < rank ? dims[i] : dims[i] / dtype->block;
        if (d == 0)
            empty = true;
        else if (__builtin_mul_overflow(n, d, &n))
            fits = false; /* refused even beside a zero: no reader should have to multiply in the right order */
    }
    *out = empty ? 0 : n;
    return fits && n <= INT64_MAX;
}

/* Turns `bytes` bytes round. */
static void turn(const unsigned char *in, unsigned char *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) out[i] = in[bytes - 1 - i];
}

/* A run of a layout: how many numbers, of how many bytes; returns what follows it. */
static const char *read_run(const char *at, size_t *count, size_t *bytes)
{
    *count = 0;
    for (; *at >= '0' && *at <= '9'; at++) *count = *count * 10 + (size_t)(*at - '0');
    if (!*count) *count = 1;
    *bytes = *at == 'd' ? 8 : *at == 'w' ? 4 : *at == 'h' ? 2 : 1;
    return at + 1;
}

void weft__file_swap(const weft__file_dtype *dtype, const void *in, void *out, size_t n)
{
    const unsigned char *from = in;
    unsigned char *to = out;
    for (const unsigned char *end = from + n; from < end;) {
        size_t count, bytes;
        for (const char *at = dtype->layout; *at;) {
            at = read_run(at, &count, &bytes);
            for (; count; count--, from += bytes, to += bytes) turn(from, to, bytes);
        }
    }
}

int weft__file_tensor_compare(const void *a, const void *b)
{
    return strcmp(((const weft__file_tensor *)a)->name, ((const weft__file_tensor *)b)->name);
}

int weft__file_tensor_compare_place(const void *a, const void *b)
{
    const weft__file_tensor *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q) return p < q ? -1 : 1;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return strcmp(x->name, y->name);
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
