/* weights.c: how weights lie on the device, cut into parts that can be bound, and filled from a checkpoint's bytes. */
#include "backends/vulkan/weights.h"

#include "backends/vulkan/vk.h"
#include "graph/convert.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_GROUP = 8, PIECE_BYTES = 4 << 20 };

void vk_as_matrix(uint32_t rank, const int64_t *dims, int64_t *rows, int64_t *columns)
{
    *columns = rank ? dims[rank - 1] : 1;
    *rows = 1;
    for (uint32_t i = 0; i + 1 < rank; i++) *rows *= dims[i];
}

static uint32_t per_chunk(weft_dtype t)
{
    switch ((int)t) {
    case WEFT_F32: return 4;
    case WEFT_F16:
    case WEFT_BF16: return 8;
    case WEFT_Q8_0: return 16;
    case WEFT_Q4_0: return 32;
    default: return 0;
    }
}

static bool is_block(weft_dtype t)
{
    return weft_dtype_get(t)->class_ == WEFT_DTYPE_BLOCK;
}

bool vk_panels_of(const vk_caps *f, weft_dtype t, int64_t columns, vk_panels *out)
{
    uint32_t n = per_chunk(t), panel = f->tuning->panel;
    if (!n || columns <= 0 || columns > 1 << 24 || (is_block(t) && columns % 32)) return false;
    *out = (vk_panels){ .panel = panel, .group = panel > MIN_GROUP ? panel : MIN_GROUP, .per_chunk = n,
                        .chunks = (uint32_t)((columns + n - 1) / n) };
    if (is_block(t)) out->blocks = (uint32_t)((columns / 32 + 1) / 2 * 2);
    out->group_bytes = (uint64_t)out->group * (16 * (uint64_t)out->chunks + 2 * (uint64_t)out->blocks);
    return out->group_bytes <= PIECE_BYTES && out->group_bytes <= f->max_binding;
}

weft_uvec4 vk_panel_params(const vk_caps *f, const vk_tensor *t)
{
    vk_panels p;
    int64_t rows, columns;
    vk_as_matrix(t->rank, t->dim, &rows, &columns);
    if (!vk_panels_of(f, t->dtype, columns, &p)) return (weft_uvec4){ 0, 0, 0, 0 };
    return (weft_uvec4){ p.chunks, (uint32_t)(p.group_bytes / 16), p.blocks, (uint32_t)columns };
}

/* ---- layouts ---- */

static bool panel_reader(const weft_node *n, weft_ref weight, uint32_t rank, bool *multiplies)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i].id != weight.id) continue;
        bool table = n->op == WEFT_OP_gather && i == 0;
        bool matrix = (n->op == WEFT_OP_linear || n->op == WEFT_OP_matmul_nt) && i == 1 && rank == 2;
        bool experts = n->op == WEFT_OP_linear_select && i == 1;
        if (!table && !matrix && !experts) return false;
        *multiplies |= matrix || experts;
    }
    return true;
}

/* Panels for matrices and experts that are only multiplied with and gathered from, and for all block types; the rest
 * row-major. */
weft_layout vk_weight_layout(const weft_backend *b, const weft_graph *g, weft_ref weight,
                             const weft_node *const *readers, uint32_t n_readers)
{
    const vk_caps *f = &((const vk_backend *)b)->caps;
    const weft_value *v = weft_graph_value(g, weight);
    vk_panels p;
    uint32_t rank = v->dims.rank;
    bool multiplied = false;
    if (rank < 2 || !vk_panels_of(f, v->dtype, v->dims.d[rank - 1].n, &p)) return VK_LAYOUT_PLAIN;
    if (is_block(v->dtype)) return VK_LAYOUT_PANEL;
    for (uint32_t i = 0; i < n_readers; i++)
        if (!panel_reader(readers[i], weight, rank, &multiplied)) return VK_LAYOUT_PLAIN;
    return multiplied ? VK_LAYOUT_PANEL : VK_LAYOUT_PLAIN;
}

const char *vk_layout_name(const weft_backend *b, weft_layout layout)
{
    (void)b;
    return layout == VK_LAYOUT_PANEL ? "panel" : "plain";
}

/* What the rows of a weight come in: groups of panels, or (plain) single rows. */
static bool unit_of(const vk_caps *f, weft_layout layout, weft_dtype t, int64_t columns, uint32_t *rows,
                    uint64_t *bytes)
{
    vk_panels p;
    *rows = 1;
    if (layout != VK_LAYOUT_PANEL) return weft_dtype_row_bytes(t, columns, bytes);
    if (!vk_panels_of(f, t, columns, &p)) return false;
    *rows = p.group;
    *bytes = p.group_bytes;
    return true;
}

uint64_t vk_weight_bytes(const weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims)
{
    int64_t rows, columns;
    uint32_t unit;
    uint64_t bytes;
    vk_as_matrix(rank, dims, &rows, &columns);
    if (!unit_of(&((const vk_backend *)b)->caps, layout, t, columns, &unit, &bytes)) return UINT64_MAX;
    return bytes * (uint64_t)((rows + unit - 1) / unit);
}

uint32_t vk_weight_parts(const vk_caps *f, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                         vk_part *parts)
{
    int64_t rows, columns;
    uint32_t unit, n = 0;
    uint64_t bytes, limit = f->max_binding < f->max_allocation ? f->max_binding : f->max_allocation;
    vk_as_matrix(rank, dims, &rows, &columns);
    if (!unit_of(f, layout, t, columns, &unit, &bytes) || !bytes) return 0;
    bool cut = layout == VK_LAYOUT_PANEL || rank == 2; /* other plain tensors are bound whole */
    uint64_t units = (uint64_t)(rows + unit - 1) / unit, most = limit / bytes;
    if (!most || (!cut && units > most)) return 0;
    for (uint64_t first = 0; first < units; first += most, n++) {
        uint64_t count = units - first < most ? units - first : most;
        int64_t row = (int64_t)first * unit, end = row + (int64_t)count * unit;
        if (parts) parts[n] = (vk_part){ .bytes = count * bytes, .first_row = row,
                                         .n_rows = (end < rows ? end : rows) - row };
        if (n == UINT16_MAX) return 0;
    }
    return n;
}

/* ---- filling ---- */

typedef struct load {
    const weft_weight_data *src;
    weft_dtype type;
    vk_panels p;
    int64_t rows, columns, row; /* row: the first of the piece under way */
    uint64_t src_row, dst_row;
    unsigned char *line; /* one row in the wanted type */
    weft__task *task;
} load;

static const unsigned char *read_row(const load *l, int64_t row)
{
    const unsigned char *src = (const unsigned char *)l->src->data + (uint64_t)row * l->src_row;
    if (l->src->dtype == l->type) return src;
    weft__convert_row(l->src->dtype, src, l->type, l->line, l->columns);
    return l->line;
}

/* One row of a group at dst: its chunks and scales, a panel's stride apart. */
static void pack_row(const load *l, const unsigned char *src, uint32_t r, unsigned char *dst)
{
    uint32_t panel = r / l->p.panel, lane = r % l->p.panel;
    unsigned char *quants = dst + 16 * ((uint64_t)panel * l->p.chunks * l->p.panel + lane);
    unsigned char *scales = dst + 16 * (uint64_t)l->p.group * l->p.chunks +
                            2 * ((uint64_t)panel * l->p.blocks * l->p.panel + lane);
    uint64_t step = 16 * (uint64_t)l->p.panel, bytes = l->dst_row;
    if (!l->p.blocks) {
        for (uint64_t at = 0; at < bytes; at += 16, quants += step)
            memcpy(quants, src + at, bytes - at < 16 ? bytes - at : 16);
        return;
    }
    uint32_t block = weft_dtype_get(l->type)->bytes;
    for (uint64_t at = 0; at < bytes; at += block, scales += 2 * (uint64_t)l->p.panel) {
        memcpy(scales, src + at, 2);
        for (uint32_t q = 2; q < block; q += 16, quants += step) memcpy(quants, src + at + q, 16);
    }
}

static void fill_panels(void *ctx, void *dst, uint64_t at, uint64_t n)
{
    load *l = ctx;
    (void)at;
    memset(dst, 0, n);
    for (uint64_t done = 0; done < n; done += l->p.group_bytes, l->row += l->p.group)
        for (uint32_t r = 0; r < l->p.group && l->row + r < l->rows; r++)
            pack_row(l, read_row(l, l->row + r), r, (unsigned char *)dst + done);
}

static void fill_rows(void *ctx, void *dst, uint64_t at, uint64_t n)
{
    load *l = ctx;
    (void)at;
    for (uint64_t done = 0; done < n; done += l->dst_row, l->row++)
        memcpy((unsigned char *)dst + done, read_row(l, l->row), l->dst_row);
}

/* Whole units at a time, so that no row is cut where the staging ring goes on. */
static weft_status fill_part(weft_buf *buf, const vk_part *part, bool panels, load *l, weft_error *err)
{
    uint64_t unit = panels ? l->p.group_bytes : l->dst_row, piece = PIECE_BYTES / unit * unit;
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
    bool panels = layout == VK_LAYOUT_PANEL;
    vk_as_matrix(src->rank, src->dims, &l.rows, &l.columns);
    if (!weft_dtype_row_bytes(src->dtype, l.columns, &l.src_row) || !weft_dtype_row_bytes(t, l.columns, &l.dst_row) ||
        (panels && !vk_panels_of(&buf->vk->caps, t, l.columns, &l.p)))
        return WEFT_FAIL(err, WEFT_SHAPE, "rows of %lld elements do not fit %s", (long long)l.columns,
                         weft_dtype_get(t)->name);
    if (src->dtype != t && (src->dtype == WEFT_I32 || t == WEFT_I32))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s cannot be loaded as %s", weft_dtype_get(src->dtype)->name,
                         weft_dtype_get(t)->name);
    if (l.dst_row > PIECE_BYTES)
        return WEFT_FAIL(err, WEFT_LIMIT, "a row of %llu bytes is too long", (unsigned long long)l.dst_row);
    l.line = malloc(l.dst_row ? l.dst_row : 1);
    if (!l.line) return WEFT_OOM_FAIL(err, "a weight");
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < buf->n_parts && !s; i++) s = fill_part(buf, &buf->parts[i], panels, &l, err);
    if (!s) s = vk_transfer_flush(buf->vk, err);
    free(l.line);
    return s;
}
