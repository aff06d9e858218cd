/* rows.c: threads take the rows of a piece one by one. They live as long as the piece: it takes them far longer than
 * they take to be made. */
#include "models/quantize/rows.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/contract.h"
#include "graph/quantize/quantize.h"
#include "models/model_impl.h"

enum { MAX_THREADS = 256 };

static uint64_t matrices_of(const weft__file_tensor *t)
{
    return t->rank == 3 ? t->dims[0] : 1;
}

static const char *path_of(const weft__quantize_rows *r)
{
    return weft__gguf_export_model(r->from)->path;
}

static uint32_t processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (uint32_t)n;
}

weft_status weft__quantize_rows_make(weft__quantize_rows *r, const weft__file_tensor *tensors, size_t n,
                                     uint32_t threads, weft_error *err)
{
    r->tensors = tensors;
    r->threads = threads ? threads < MAX_THREADS ? threads : MAX_THREADS : processors();
    r->longest = r->most = 1;
    for (size_t i = 0; i < n; i++) {
        const weft__file_tensor *t = &tensors[i];
        const uint64_t columns = t->rank ? t->dims[t->rank - 1] : 1;
        if (columns > r->longest) r->longest = columns;
        if (matrices_of(t) > r->most) r->most = matrices_of(t);
    }
    r->numbers = calloc(r->threads, r->longest * sizeof *r->numbers);
    r->means = r->importance ? calloc(r->most, r->longest * sizeof *r->means) : NULL;
    r->known = calloc(r->most, sizeof *r->known);
    if (r->numbers && r->known && (r->means || !r->importance)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_OOM, "%s: out of memory for rows of weights", path_of(r));
}

void weft__quantize_rows_free(weft__quantize_rows *r)
{
    free(r->numbers);
    free(r->means);
    free(r->known);
}

/* One piece, shared by the threads. */
typedef struct piece {
    weft__quantize_rows *r;
    weft_dtype type;
    int64_t first, end, columns, per_matrix; /* rows */
    uint64_t row_bytes;
    unsigned char *out;
    atomic_llong next, wrong; /* wrong: the lowest row that is none; INT64_MAX: all are */
    atomic_uint turn;
} piece;

static bool is_finite(const float *x, int64_t n)
{
    bool finite = true;
    for (int64_t i = 0; i < n; i++) finite = finite && isfinite(x[i]);
    return finite;
}

/* Whether what was written is read as finite numbers: a scale may have been too large. */
static bool reads_finite(weft_dtype t, const void *row, float *room, int64_t n)
{
    return weft__convert_row(t, row, WEFT_F32, room, n) && is_finite(room, n);
}

static bool write_row(piece *p, int64_t row, float *room, unsigned char *out)
{
    weft__quantize_rows *r = p->r;
    const float *x = weft__weight_rows(&r->data, row, 1, WEFT_F32, room);
    const int64_t matrix = p->per_matrix ? row / p->per_matrix : 0;
    const float *means = r->known[matrix] ? r->means + (size_t)matrix * r->longest : NULL;
    if (!is_finite(x, p->columns)) return false;
    if (!means || !weft__quantize_row(p->type, x, means, out, p->columns))
        weft__convert_row(WEFT_F32, x, p->type, out, p->columns);
    return reads_finite(p->type, out, room, p->columns);
}

static void *work(void *ctx)
{
    piece *p = ctx;
    const unsigned turn = atomic_fetch_add(&p->turn, 1);
    float *room = p->r->numbers + turn * p->r->longest;
    for (;;) {
        const long long row = atomic_fetch_add(&p->next, 1);
        if (row >= p->end) return NULL;
        if (write_row(p, row, room, p->out + (uint64_t)(row - p->first) * p->row_bytes)) continue;
        long long lowest = atomic_load(&p->wrong);
        while (row < lowest && !atomic_compare_exchange_weak(&p->wrong, &lowest, row)) {}
    }
}

/* With fewer threads, where no more can be had. */
static void run(piece *p)
{
    pthread_t threads[MAX_THREADS];
    uint32_t n = 0;
    while (n + 1 < p->r->threads && n < p->end - p->first && !pthread_create(&threads[n], NULL, work, p)) n++;
    work(p);
    while (n > 0) pthread_join(threads[--n], NULL);
}

static weft_status open_tensor(weft__quantize_rows *r, size_t index, const weft__file_tensor *t, weft_error *err)
{
    if (r->open == index + 1) return WEFT_OK;
    r->open = 0;
    WEFT_TRY(weft__gguf_export_data(r->from, index, &r->data, err));
    for (uint64_t i = 0; i < matrices_of(t); i++)
        WEFT_TRY(weft__importance_read(r->importance, t, i, r->means ? r->means + i * r->longest : NULL, &r->known[i],
                                       err));
    r->open = index + 1;
    return WEFT_OK;
}

static weft_status quantize(weft__quantize_rows *r, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    const weft__file_tensor *t = &r->tensors[index];
    piece p = { .r = r, .type = t->dtype->type, .columns = t->rank ? (int64_t)t->dims[t->rank - 1] : 1, .out = out };
    if (!n) return WEFT_OK; /* a tensor of nothing */
    if (!weft_dtype_row_bytes(p.type, p.columns, &p.row_bytes))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor %s: rows of %lld numbers are no whole blocks of %s", path_of(r),
                         t->name, (long long)p.columns, t->dtype->name);
    WEFT_TRY(open_tensor(r, index, t, err));
    p.per_matrix = t->rank == 3 ? (int64_t)t->dims[1] : 0;
    p.first = (int64_t)(offset / p.row_bytes);
    p.end = p.first + (int64_t)(n / p.row_bytes);
    atomic_init(&p.next, p.first);
    atomic_init(&p.wrong, INT64_MAX);
    run(&p);
    weft__weight_done(&r->data, p.first, p.end - p.first);
    if (atomic_load(&p.wrong) == INT64_MAX) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: row %lld has a number that is not finite, or too large for %s",
                     path_of(r), t->name, (long long)atomic_load(&p.wrong), t->dtype->name);
}

weft_status weft__quantize_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    weft__quantize_rows *r = ctx;
    size_t count;
    if (r->tensors[index].dtype != weft__gguf_export_tensors(r->from, &count)[index].dtype)
        return quantize(r, index, offset, out, n, err);
    return weft__gguf_export_fill(r->from, index, offset, out, n, err);
}
