/* weights.c: fills weights on the device, laid out as gpu/weights.c says, from a checkpoint's bytes. */
#include "backends/gpu/weights.h"

#include "backends/vulkan/vk.h"

#include <stdlib.h>
#include <string.h>

typedef struct load {
    const weft_weight_data *src;
    weft_dtype type;
    gpu_panels p;
    int64_t rows, columns, row; /* row: the first of the piece under way */
    uint64_t row_bytes;
    unsigned char *lines; /* a group of rows, or one, in the wanted type */
    weft__task *task;
} load;

static void fill_panels(void *ctx, void *dst, uint64_t at, uint64_t n)
{
    load *l = ctx;
    (void)at;
    memset(dst, 0, n);
    for (uint64_t done = 0; done < n; done += l->p.group_bytes, l->row += l->p.group) {
        const int64_t left = l->rows - l->row;
        const uint32_t count = left < l->p.group ? (uint32_t)left : l->p.group;
        const unsigned char *rows = weft__weight_rows(l->src, l->row, count, l->type, l->lines);
        for (uint32_t r = 0; r < count; r++)
            gpu_pack_row(&l->p, l->type, rows + r * l->row_bytes, l->row_bytes, r, (unsigned char *)dst + done);
    }
}

static void fill_rows(void *ctx, void *dst, uint64_t at, uint64_t n)
{
    load *l = ctx;
    (void)at;
    for (uint64_t done = 0; done < n; done += l->row_bytes, l->row++)
        memcpy((unsigned char *)dst + done, weft__weight_rows(l->src, l->row, 1, l->type, l->lines), l->row_bytes);
}

/* Whole units at a time, so that no row is cut where the staging ring goes on. */
static weft_status fill_part(weft_buf *buf, const gpu_part *part, bool panels, load *l, weft_error *err)
{
    uint64_t unit = panels ? l->p.group_bytes : l->row_bytes, piece = GPU_PIECE_BYTES / unit * unit;
    l->row = part->first_row;
    for (uint64_t at = 0, n; at < part->bytes; at += n) {
        n = part->bytes - at < piece ? part->bytes - at : piece;
        WEFT_TRY(vk_block_fill(buf->vk, &buf->blocks[part->block], part->offset + at, n,
                               panels ? fill_panels : fill_rows, l, err));
        WEFT_TRY(weft__task_reach(l->task, l->task ? l->task->at.done + n : 0, err));
    }
    return WEFT_OK;
}

weft_status vk_weight_write(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                            weft__task *task, weft_error *err)
{
    load l = { .src = src, .type = t, .task = task };
    bool panels = layout == GPU_LAYOUT_PANEL;
    gpu_as_matrix(src->rank, src->dims, &l.rows, &l.columns);
    uint64_t from;
    if (!weft_dtype_row_bytes(src->dtype, l.columns, &from) || !weft_dtype_row_bytes(t, l.columns, &l.row_bytes) ||
        (panels && !gpu_panels_of(&buf->vk->caps, t, l.columns, &l.p)))
        return WEFT_FAIL(err, WEFT_SHAPE, "rows of %lld elements do not fit %s", (long long)l.columns,
                         weft_dtype_get(t)->name);
    if (l.row_bytes > GPU_PIECE_BYTES)
        return WEFT_FAIL(err, WEFT_LIMIT, "a row of %llu bytes is too long", (unsigned long long)l.row_bytes);
    l.lines = malloc((panels ? l.p.group : 1) * l.row_bytes + 1);
    if (!l.lines) return WEFT_OOM_FAIL(err, "a weight");
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < buf->n_parts && !s; i++) s = fill_part(buf, &buf->parts[i], panels, &l, err);
    if (!s) s = vk_transfer_flush(buf->vk, err);
    free(l.lines);
    return s;
}
