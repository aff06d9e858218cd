/* weights.c: how weights lie on the device, and the parts they are cut into so that they can be bound. */
#include "backends/gpu/weights.h"

#include "shaders/formats.h"
#include "shaders/turn.h"

enum { MIN_GROUP = 8 };

void gpu_as_matrix(uint32_t rank, const int64_t *dims, int64_t *rows, int64_t *columns)
{
    *columns = rank ? dims[rank - 1] : 1;
    *rows = 1;
    for (uint32_t i = 0; i + 1 < rank; i++) *rows *= dims[i];
}

const gpu_format *gpu_format_of(weft_dtype t)
{
    static const gpu_format formats[WEFT_DTYPE_COUNT] = {
#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, ...)                         \
    [WEFT_##id] = { weights, low, high, SCALE_BYTES_OF(SCALES_##scales), UPPER_BYTES_OF(SCALES_##scales), \
                    low < 32, SCALES_##scales != SCALES_NONE },
#include "backends/gpu/formats.def"
    };
    return &formats[t];
}

static bool is_block(weft_dtype t)
{
    return weft_dtype_get(t)->class_ == WEFT_DTYPE_BLOCK;
}

/* What a row of n columns has of something that `per` columns share. */
static uint32_t shared_by(int64_t n, uint32_t per)
{
    return (uint32_t)((n + per - 1) / per);
}

/* Of processors. */
static void rows_of_panels(gpu_panels *p, int64_t columns)
{
    p->chunks = shared_by(columns, p->per_chunk);
    p->scales = p->scale_bytes ? (shared_by(columns, 32) + 1) / 2 * 2 : 0;
    p->uppers = p->upper_bytes ? shared_by(columns, 256) : 0;
    p->row[GPU_LOW] = p->chunks * p->low_bytes;
    p->row[GPU_HIGH] = p->chunks * p->high_bytes;
    p->row[GPU_SCALES] = p->scales * p->scale_bytes;
    p->row[GPU_UPPER] = p->uppers * p->upper_bytes;
}

/* Of GPUs, in blocks: of a last turn that is not full the low plane has the words that are needed. */
static void rows_of_turns(gpu_panels *p, int64_t columns, uint32_t bits)
{
    const uint32_t quads = p->per_chunk / 4, blocks = (uint32_t)(columns / TURN_COLUMNS), full = blocks / quads;
    const uint32_t turns = shared_by(blocks, quads), left = blocks % quads;
    p->chunks = turns * TURN_CHUNKS;
    p->rest = left ? turn_word(left - 1, bits) + 1 : 0;
    p->row[GPU_LOW] = TURN_CHUNKS * (full * p->low_bytes + 4 * p->rest);
    p->row[GPU_HIGH] = p->chunks * p->high_bytes;
    p->row[GPU_SCALES] = turns * quads * p->scale_bytes;
    p->row[GPU_UPPER] = turns * p->upper_bytes;
}

/* As in the file, to 16 bytes. */
static void plain_rows(gpu_panels *p, int64_t columns)
{
    p->chunks = shared_by(columns, p->per_chunk);
    p->row[GPU_LOW] = (p->chunks * p->low_bytes + 15) / 16 * 16;
}

bool gpu_panels_of(const gpu_caps *f, weft_dtype t, int64_t columns, gpu_panels *out)
{
    const gpu_format *w = gpu_format_of(t);
    const uint32_t panel = f->tuning->panel, per_chunk = panel == 1 && !is_block(t) ? 4 : w->per_chunk;
    if (!w->per_chunk || columns <= 0 || columns > 1 << 24 || columns % weft_dtype_get(t)->block) return false;
    *out = (gpu_panels){ .panel = panel, .group = panel > MIN_GROUP ? panel : MIN_GROUP, .per_chunk = per_chunk,
                         .low_bytes = per_chunk * w->low / 8, .high_bytes = per_chunk * w->high / 8,
                         .scale_bytes = w->scale_bytes, .upper_bytes = w->upper_bytes };
    if (panel > 1) rows_of_panels(out, columns);
    else if (is_block(t)) rows_of_turns(out, columns, w->low);
    else plain_rows(out, columns);
    for (uint32_t i = 0; i < 4; i++) out->group_bytes += out->group * (uint64_t)out->row[i];
    return out->group_bytes <= GPU_PIECE_BYTES && out->group_bytes <= f->max_binding;
}

weft_uvec4 gpu_panel_params(const gpu_caps *f, const gpu_tensor *t)
{
    gpu_panels p;
    int64_t rows, columns;
    gpu_as_matrix(t->rank, t->dim, &rows, &columns);
    if (!gpu_panels_of(f, t->dtype, columns, &p)) return (weft_uvec4){ 0, 0, 0, 0 };
    return (weft_uvec4){ p.chunks, (uint32_t)(p.group_bytes / 16), p.panel > 1 ? p.scales : p.row[GPU_LOW] / 4,
                         (uint32_t)columns };
}

/* ---- layouts ---- */

/* Panels for matrices and experts that are only multiplied with and gathered from, and for all of block types that have
 * them; the rest row-major. */
weft_layout gpu_weight_layout(const gpu_caps *f, weft_dtype t, uint32_t rank, const int64_t *dims, uint32_t uses)
{
    gpu_panels p;
    if (f->as_stored && gpu_reads_stored(t)) return GPU_LAYOUT_PLAIN;
    if (rank < 2 || !gpu_panels_of(f, t, dims[rank - 1], &p)) return GPU_LAYOUT_PLAIN;
    if (is_block(t)) return uses & WEFT_USE_ELEMENTS ? GPU_LAYOUT_PLAIN : GPU_LAYOUT_PANEL;
    bool strided = uses & WEFT_USE_ELEMENTS || (uses & WEFT_USE_MULTIPLIED && rank != 2);
    return uses & (WEFT_USE_MULTIPLIED | WEFT_USE_SELECTED) && !strided ? GPU_LAYOUT_PANEL : GPU_LAYOUT_PLAIN;
}

const char *gpu_layout_name(weft_layout layout)
{
    return layout == GPU_LAYOUT_PANEL ? "panel" : "plain";
}

/* What the rows of a weight come in: groups of panels, or (plain) single rows. */
static bool unit_of(const gpu_caps *f, weft_layout layout, weft_dtype t, int64_t columns, uint32_t *rows,
                    uint64_t *bytes)
{
    gpu_panels p;
    *rows = 1;
    if (layout != GPU_LAYOUT_PANEL) return weft_dtype_row_bytes(t, columns, bytes);
    if (!gpu_panels_of(f, t, columns, &p)) return false;
    *rows = p.group;
    *bytes = p.group_bytes;
    return true;
}

uint64_t gpu_weight_bytes(const gpu_caps *f, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims)
{
    int64_t rows, columns;
    uint32_t unit;
    uint64_t bytes;
    gpu_as_matrix(rank, dims, &rows, &columns);
    if (!unit_of(f, layout, t, columns, &unit, &bytes)) return UINT64_MAX;
    return bytes * (uint64_t)((rows + unit - 1) / unit);
}

uint32_t gpu_weight_parts(const gpu_caps *f, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                          gpu_part *parts)
{
    int64_t rows, columns;
    uint32_t unit, n = 0;
    uint64_t bytes, limit = f->max_binding < f->max_allocation ? f->max_binding : f->max_allocation;
    gpu_as_matrix(rank, dims, &rows, &columns);
    if (!unit_of(f, layout, t, columns, &unit, &bytes) || !bytes) return 0;
    bool cut = layout == GPU_LAYOUT_PANEL || rank == 2; /* other plain tensors are bound whole */
    uint64_t units = (uint64_t)(rows + unit - 1) / unit, most = limit / bytes;
    if (!most || (!cut && units > most)) return 0;
    for (uint64_t first = 0; first < units; first += most, n++) {
        uint64_t count = units - first < most ? units - first : most;
        int64_t row = (int64_t)first * unit, end = row + (int64_t)count * unit;
        if (parts) parts[n] = (gpu_part){ .bytes = count * bytes, .first_row = row,
                                          .n_rows = (end < rows ? end : rows) - row };
        if (n == UINT16_MAX) return 0;
    }
    return n;
}
