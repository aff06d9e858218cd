/* weights.c: how the CPU backend keeps weights, and filling them from a checkpoint's bytes on all threads.
 *
 * A matrix that is only multiplied with (x w^T) and gathered from is packed into panels (pack.h), and so are experts
 * that are only selected from, if each is whole panels; everything else stays row-major in its own type. */
#include "backends/cpu/cpu.h"
#include "backends/cpu/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Panels for matrices that are multiplied with, and maybe gathered from, and for experts of whole panels. */
weft_layout cpu_weight_layout(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims, uint32_t uses)
{
    uint32_t rows = cpu_panel_rows(((const cpu_backend *)b)->isa), others = WEFT_USE_SELECTED | WEFT_USE_ELEMENTS;
    bool matrix = rank == 2 && uses & WEFT_USE_MULTIPLIED && !(uses & others);
    bool experts = rank == 3 && uses == WEFT_USE_SELECTED && dims[1] % rows == 0;
    return (matrix || experts) && cpu_panel_fits(t, dims[rank - 1]) ? CPU_LAYOUT_PANEL : CPU_LAYOUT_PLAIN;
}

const char *cpu_layout_name(const weft_backend *b, weft_layout layout)
{
    (void)b;
    return layout == CPU_LAYOUT_PANEL ? "panel" : "plain";
}

/* VERSION rises with each change of what packing makes (pack.h); tests/backends/test_kept.c has what that is. */
void cpu_layout_form(const weft_backend *b, weft_layout layout, char out[64])
{
    enum { VERSION = 1 };
    snprintf(out, 64, "%s %s %d", cpu_isa_name(((const cpu_backend *)b)->isa), cpu_layout_name(b, layout), VERSION);
}

/* Rows and row length of a tensor seen as a matrix of its last dimension. */
static void as_matrix(uint32_t rank, const int64_t *dims, int64_t *rows, int64_t *k)
{
    *k = rank ? dims[rank - 1] : 1;
    *rows = 1;
    for (uint32_t i = 0; i + 1 < rank; i++) *rows *= dims[i];
}

uint64_t cpu_weight_bytes(const weft_backend *base, weft_layout layout, weft_dtype t, uint32_t rank,
                          const int64_t *dims)
{
    const cpu_backend *b = (const cpu_backend *)base;
    int64_t rows, k;
    as_matrix(rank, dims, &rows, &k);
    if (layout == CPU_LAYOUT_PANEL) return cpu_panel_bytes(b->isa, t, rows, k);
    uint64_t row;
    return weft_dtype_row_bytes(t, k, &row) ? row * (uint64_t)rows : UINT64_MAX;
}

enum { PIECE_BYTES = 4 << 20, CLAIM_BYTES = 64 << 10 }; /* between two reports; that a thread takes at once */

/* One load, shared by the threads: they claim some groups of rows at a time, which lie one after the other. */
typedef struct load {
    weft_buf *buf;
    const weft_weight_data *src;
    weft_layout layout;
    weft_dtype type;
    cpu_isa isa;
    int64_t rows, k, group, n_groups;
    int64_t end, claim; /* of the groups in this piece of the load; how many a thread takes at once */
    uint64_t row_bytes, group_bytes;
    unsigned char *temp; /* per thread: a group of rows, if they do not lie as they are wanted */
    atomic_llong next;
} load;

static void load_group(const load *l, int64_t i, unsigned char *temp)
{
    const int64_t row = i * l->group, n = l->rows - row < l->group ? l->rows - row : l->group;
    const void *from = weft__weight_rows(l->src, row, n, l->type, temp);
    unsigned char *out = l->buf->data;
    if (l->layout == CPU_LAYOUT_PANEL)
        cpu_pack_panel(l->isa, l->type, from, n, l->k, out + (uint64_t)i * l->group_bytes);
    else memcpy(out + (uint64_t)row * l->row_bytes, from, (uint64_t)n * l->row_bytes);
}

static void load_groups(void *ctx, uint32_t thread, uint32_t n_threads)
{
    load *l = ctx;
    (void)n_threads;
    unsigned char *temp = l->temp ? l->temp + thread * (uint64_t)l->group * l->row_bytes : NULL;
    for (;;) {
        int64_t first = atomic_fetch_add_explicit(&l->next, l->claim, memory_order_relaxed), end = first + l->claim;
        if (first >= l->end) return;
        for (int64_t i = first; i < end && i < l->end; i++) load_group(l, i, temp);
    }
}

static weft_status load_all(load *l, weft__task *task, weft_error *err)
{
    const uint64_t bytes = l->group_bytes + (l->group_bytes == 0);
    int64_t piece = bytes < PIECE_BYTES ? (int64_t)(PIECE_BYTES / bytes) : 1;
    int64_t threads = cpu_pool_size(l->buf->b->pool); /* a group for each, however large */
    if (piece < threads) piece = threads;
    l->claim = bytes < CLAIM_BYTES ? (int64_t)(CLAIM_BYTES / bytes) : 1;
    const int64_t share = (l->n_groups + 4 * threads - 1) / (4 * threads);
    if (l->claim > share) l->claim = share;
    for (int64_t first = 0, n; first < l->n_groups; first += n) {
        n = l->n_groups - first < piece ? l->n_groups - first : piece;
        atomic_store_explicit(&l->next, first, memory_order_relaxed);
        l->end = first + n;
        cpu_pool_run(l->buf->b->pool, load_groups, l);
        weft__weight_done(l->src, first * l->group, n * l->group);
        if (l->end < l->n_groups) /* the last piece's rows may be fewer: the caller tells of the end */
            WEFT_TRY(weft__task_reach(task, task ? task->at.done + (uint64_t)n * l->group_bytes : 0, err));
    }
    return WEFT_OK;
}

weft_status cpu_weight_write(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                             weft__task *task, weft_error *err)
{
    load l = { .buf = buf, .src = src, .layout = layout, .type = t, .isa = buf->b->isa };
    as_matrix(src->rank, src->dims, &l.rows, &l.k);
    uint64_t from;
    if (!weft_dtype_row_bytes(src->dtype, l.k, &from) || !weft_dtype_row_bytes(t, l.k, &l.row_bytes))
        return WEFT_FAIL(err, WEFT_SHAPE, "rows of %lld elements do not fit %s", (long long)l.k,
                         weft_dtype_get(t)->name);
    l.group = layout == CPU_LAYOUT_PANEL ? cpu_panel_rows(l.isa) : 16;
    l.n_groups = (l.rows + l.group - 1) / l.group;
    l.group_bytes = layout == CPU_LAYOUT_PANEL ? cpu_panel_stride(l.isa, t, l.k) : l.row_bytes * (uint64_t)l.group;
    if (src->dtype != t || !weft__weight_is_plain(src)) {
        l.temp = malloc(cpu_pool_size(buf->b->pool) * (size_t)l.group * l.row_bytes);
        if (!l.temp) return WEFT_OOM_FAIL(err, "converting a weight");
    }
    weft_status s = load_all(&l, task, err);
    free(l.temp);
    return s;
}
