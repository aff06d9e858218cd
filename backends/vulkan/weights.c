/* weights.c: fills weights on the device, laid out as gpu/weights.c says, from a checkpoint's bytes: piece by piece,
 * each made by all threads, while the device copies those before it. */
#include "backends/gpu/weights.h"

#include "backends/cpu/pool.h"
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIM_BYTES = 64 << 10 }; /* that a thread takes at once */

/* Weights come in units: groups of panels, or (plain) rows. */
typedef struct load {
    cpu_pool *pool;
    const weft_weight_data *src;
    weft_dtype type;
    bool panels;
    bool in_place; /* groups are made where they belong; else beside it, and copied: there reading is slow */
    gpu_panels p;
    int64_t rows, columns, unit_rows;
    uint64_t row_bytes, unit, room_bytes;
    unsigned char *room; /* per thread: the rows of a unit in the wanted type, then a group */
    unsigned char *dst;  /* of the piece under way, which begins at this row and has so many units */
    int64_t row, n_units, claim;
    atomic_llong next;
    weft__task *task;
} load;

static void make_unit(const load *l, int64_t i, unsigned char *room)
{
    const int64_t row = l->row + i * l->unit_rows, left = l->rows - row;
    const uint32_t count = (uint32_t)(left < l->unit_rows ? left : l->unit_rows);
    const unsigned char *rows = weft__weight_rows(l->src, row, count, l->type, room);
    unsigned char *dst = l->dst + (uint64_t)i * l->unit;
    unsigned char *group = l->in_place ? dst : room + (uint64_t)l->unit_rows * l->row_bytes;
    if (!l->panels) {
        memcpy(dst, rows, l->row_bytes);
        return;
    }
    memset(group, 0, l->unit);
    for (uint32_t r = 0; r < count; r++)
        gpu_pack_row(&l->p, l->type, rows + r * l->row_bytes, l->row_bytes, r, group);
    if (group != dst) memcpy(dst, group, l->unit);
}

static void make_units(void *ctx, uint32_t thread, uint32_t n_threads)
{
    load *l = ctx;
    (void)n_threads;
    for (;;) {
        const int64_t first = atomic_fetch_add_explicit(&l->next, l->claim, memory_order_relaxed);
        if (first >= l->n_units) return;
        for (int64_t i = first; i < first + l->claim && i < l->n_units; i++)
            make_unit(l, i, l->room + thread * l->room_bytes);
    }
}

/* The next piece of a weight. */
static void fill(void *ctx, void *dst, uint64_t at, uint64_t n)
{
    load *l = ctx;
    (void)at;
    l->dst = dst;
    l->n_units = (int64_t)(n / l->unit);
    atomic_store_explicit(&l->next, 0, memory_order_relaxed);
    cpu_pool_run(l->pool, make_units, l);
    weft__weight_done(l->src, l->row, l->n_units * l->unit_rows);
    l->row += l->n_units * l->unit_rows;
}

/* Whole units at a time, so that no row is cut where the staging ring goes on. */
static weft_status fill_part(weft_buf *buf, const gpu_part *part, load *l, weft_error *err)
{
    const uint64_t piece = GPU_PIECE_BYTES / l->unit * l->unit;
    const vk_block *block = &buf->blocks[part->block];
    l->row = part->first_row;
    l->in_place = block->writable && block->readable;
    for (uint64_t at = 0, n; at < part->bytes; at += n) {
        n = part->bytes - at < piece ? part->bytes - at : piece;
        WEFT_TRY(vk_block_fill(buf->vk, block, part->offset + at, n, fill, l, err));
        WEFT_TRY(weft__task_reach(l->task, l->task ? l->task->at.done + n : 0, err));
    }
    return WEFT_OK;
}

static weft_status fill_parts(weft_buf *buf, load *l, weft_error *err)
{
    cpu_pool **pool = &buf->vk->packers;
    if (!*pool) WEFT_TRY(cpu_pool_create(cpu_physical_cores(), 0, pool, err));
    l->pool = *pool;
    l->claim = l->unit < CLAIM_BYTES ? (int64_t)(CLAIM_BYTES / l->unit) : 1;
    l->room_bytes = (l->row_bytes * (uint64_t)l->unit_rows + l->unit + 63) / 64 * 64;
    l->room = malloc(l->room_bytes * cpu_pool_size(l->pool));
    if (!l->room) return WEFT_OOM_FAIL(err, "a weight");
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < buf->n_parts && !s; i++) s = fill_part(buf, &buf->parts[i], l, err);
    free(l->room);
    return s;
}

/* The device's copies need not be over: what it does later waits for them, and destroying the weight does. */
weft_status vk_weight_write(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                            weft__task *task, weft_error *err)
{
    load l = { .src = src, .type = t, .task = task, .panels = layout == GPU_LAYOUT_PANEL };
    gpu_as_matrix(src->rank, src->dims, &l.rows, &l.columns);
    uint64_t from;
    if (!weft_dtype_row_bytes(src->dtype, l.columns, &from) || !weft_dtype_row_bytes(t, l.columns, &l.row_bytes) ||
        (l.panels && !gpu_panels_of(&buf->vk->caps, t, l.columns, &l.p)))
        return WEFT_FAIL(err, WEFT_SHAPE, "rows of %lld elements do not fit %s", (long long)l.columns,
                         weft_dtype_get(t)->name);
    if (l.row_bytes > GPU_PIECE_BYTES)
        return WEFT_FAIL(err, WEFT_LIMIT, "a row of %llu bytes is too long", (unsigned long long)l.row_bytes);
    l.unit = l.panels ? l.p.group_bytes : l.row_bytes;
    l.unit_rows = l.panels ? l.p.group : 1;
    return l.unit ? fill_parts(buf, &l, err) : WEFT_OK;
}

/* VERSION rises with each change of what packing makes (gpu/weights.h); tests/gpu has what that is. */
void vk_layout_form(const weft_backend *b, weft_layout layout, char out[64])
{
    enum { VERSION = 2 };
    snprintf(out, 64, "%s of %u rows %d", gpu_layout_name(layout), ((const vk_backend *)b)->caps.tuning->panel,
             VERSION);
}
