/* weight_rows.c: the rows of a weight as a source has it, wherever they lie: in one piece, in parts, or turned. */
#include "backends/contract.h"
#include "graph/convert.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int64_t row_count(const weft_weight_data *src)
{
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < src->rank; i++) rows *= src->dims[i];
    return rows;
}

static int64_t row_length(const weft_weight_data *src)
{
    return src->rank ? src->dims[src->rank - 1] : 1;
}

static uint64_t row_bytes(weft_dtype t, int64_t n)
{
    uint64_t bytes = 0;
    return weft_dtype_row_bytes(t, n, &bytes) ? bytes : 0;
}

bool weft__weight_is_plain(const weft_weight_data *src)
{
    return !src->n_parts && !src->turned;
}

weft_status weft__weight_check(const weft_weight_data *src, weft_error *err)
{
    if (src->n_parts && (!src->parts || src->turned || row_count(src) % src->n_parts))
        return WEFT_FAIL(err, WEFT_INVALID, "%u parts do not make %lld rows", src->n_parts, (long long)row_count(src));
    if (src->turned && (src->rank < 2 || weft_dtype_get(src->dtype)->block != 1))
        return WEFT_FAIL(err, WEFT_INVALID, "%s of rank %u cannot lie turned", weft_dtype_get(src->dtype)->name,
                         src->rank);
    return WEFT_OK;
}

/* n rows of one matrix [m, k] that lies as [k, m], some columns of them at a time: what is beside each other there
 * comes into the cache together. */
static void turn_rows(const weft_weight_data *src, int64_t row, int64_t n, weft_dtype t, unsigned char *out)
{
    enum { COLUMNS = 256 }; /* a multiple of every type's block */
    const int64_t k = row_length(src), m = src->dims[src->rank - 2];
    const uint64_t size = weft_dtype_get(src->dtype)->bytes, step = row_bytes(t, k);
    const unsigned char *from = (const unsigned char *)src->data + (uint64_t)(row / m * m * k + row % m) * size;
    unsigned char piece[COLUMNS * sizeof(double)];
    for (int64_t c = 0; c < k; c += COLUMNS) {
        const int64_t count = k - c < COLUMNS ? k - c : COLUMNS;
        for (int64_t r = 0; r < n; r++) {
            const unsigned char *at = from + (uint64_t)(c * m + r) * size;
            for (int64_t i = 0; i < count; i++, at += (uint64_t)m * size) memcpy(piece + (uint64_t)i * size, at, size);
            weft__convert_row(src->dtype, piece, t, out + (uint64_t)r * step + row_bytes(t, c), count);
        }
    }
}

/* Rows that lie one after the other. */
static const void *plain_rows(const weft_weight_data *src, const unsigned char *from, int64_t n, weft_dtype t,
                              unsigned char *room)
{
    const int64_t k = row_length(src);
    const uint64_t step = row_bytes(src->dtype, k), to = row_bytes(t, k);
    if (src->dtype == t) return from;
    for (int64_t i = 0; i < n; i++)
        weft__convert_row(src->dtype, from + (uint64_t)i * step, t, room + (uint64_t)i * to, k);
    return room;
}

const void *weft__weight_rows(const weft_weight_data *src, int64_t row, int64_t n, weft_dtype t, void *room)
{
    const int64_t k = row_length(src), rows = row_count(src);
    const int64_t each = src->turned ? src->dims[src->rank - 2] : src->n_parts ? rows / src->n_parts : rows;
    const uint64_t step = row_bytes(src->dtype, k), to = row_bytes(t, k);
    for (int64_t done = 0, count; done < n; done += count) { /* each of the pieces that they lie in */
        const int64_t first = row + done, place = first % each;
        unsigned char *out = room ? (unsigned char *)room + (uint64_t)done * to : NULL; /* of rows as they are */
        count = n - done < each - place ? n - done : each - place;
        if (src->turned) {
            turn_rows(src, first, count, t, out);
            continue;
        }
        const unsigned char *from = src->n_parts ? src->parts[first / each] : src->data;
        const void *at = plain_rows(src, from + (uint64_t)(src->n_parts ? place : first) * step, count, t, out);
        if (count == n) return at;
        if (at != out) memcpy(out, at, (uint64_t)count * to);
    }
    return room;
}

void weft__weight_done(const weft_weight_data *src, int64_t row, int64_t n)
{
    const int64_t rows = row_count(src), each = src->n_parts ? rows / src->n_parts : rows;
    const uint64_t step = row_bytes(src->dtype, row_length(src));
    if (n > rows - row) n = rows - row;
    if (!src->done || n <= 0) return;
    if (src->turned) {
        if (row + n == rows) src->done(src->ctx, src->data, src->bytes);
        return;
    }
    for (int64_t done = 0, count; done < n; done += count) {
        const int64_t first = row + done, place = first % each;
        const unsigned char *from = src->n_parts ? src->parts[first / each] : src->data;
        count = n - done < each - place ? n - done : each - place;
        src->done(src->ctx, from + (uint64_t)place * step, (uint64_t)count * step);
    }
}

static void read_ahead(const unsigned char *from, uint64_t bytes)
{
    const long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || !bytes) return;
    const uintptr_t begin = (uintptr_t)from & ~((uintptr_t)page - 1);
    madvise((void *)begin, (uintptr_t)from + bytes - begin, MADV_WILLNEED); /* of other memory than files: nothing */
}

/* Parts that follow each other, as rows in another order do, are one piece. */
void weft__weight_soon(const weft_weight_data *src)
{
    if (!src->n_parts) {
        read_ahead(src->data, src->bytes);
        return;
    }
    const uint64_t each = src->bytes / src->n_parts;
    const unsigned char *low = src->parts[0], *high = low;
    for (uint32_t i = 1; i < src->n_parts; i++) {
        if ((uintptr_t)src->parts[i] < (uintptr_t)low) low = src->parts[i];
        if ((uintptr_t)src->parts[i] > (uintptr_t)high) high = src->parts[i];
    }
    if ((uintptr_t)high - (uintptr_t)low + each == src->bytes) read_ahead(low, src->bytes);
    else
        for (uint32_t i = 0; i < src->n_parts; i++) read_ahead(src->parts[i], each);
}
