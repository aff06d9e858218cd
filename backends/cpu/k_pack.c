/* k_pack.c: the PANEL layout (pack.h) of float types, written and read back element by element in plain C, and what all
 * types have in common; k_pack_blocks.c has the others. The multiplication kernels have their own, vectorised readers;
 * these files are the definition of the layout. Loops over R are written for a constant R and instantiated for each,
 * which is what makes packing run at memory speed. */
#include "pack.h"

#include <string.h>

#define CPU_VEC_SCALAR
#include "vec.h"

uint32_t cpu_panel_rows(cpu_isa isa)
{
    switch (isa) {
    case CPU_AVX512: return 16;
    case CPU_AVX2:
    case CPU_AVXVNNI: return 8;
    case CPU_SCALAR:
    case CPU_NEON:
    case CPU_DOTPROD:
    case CPU_I8MM:
    case CPU_ISA_COUNT: break;
    }
    return 4;
}

bool cpu_panel_is_biased(cpu_isa isa) { return isa == CPU_AVX512 || isa == CPU_AVXVNNI; }

const cpu_panel_format *cpu_panel_of(weft_dtype t)
{
    switch (t) {
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) \
    case WEFT_##id: return &cpu_panel_##id;
#include "panel.def"
    default: return NULL;
    }
}

bool cpu_panel_fits(weft_dtype t, int64_t k)
{
    return k > 0 && (cpu_is_float(t) || (cpu_panel_of(t) && k % weft_dtype_get(t)->block == 0));
}

/* Bytes per row of a panel. */
static uint64_t row_bytes(weft_dtype t, int64_t k)
{
    const uint64_t even = (uint64_t)k + ((uint64_t)k & 1u);
    return cpu_is_float(t) ? even * (uint64_t)cpu_size(t) : (uint64_t)cpu_panel_row(cpu_panel_of(t), k);
}

uint64_t cpu_panel_stride(cpu_isa isa, weft_dtype t, int64_t k)
{
    if (k > INT64_MAX / 256) return UINT64_MAX;
    return row_bytes(t, k) * cpu_panel_rows(isa);
}

uint64_t cpu_panel_bytes(cpu_isa isa, weft_dtype t, int64_t n, int64_t k)
{
    uint64_t rows = cpu_panel_rows(isa), stride = cpu_panel_stride(isa, t, k), bytes;
    if (stride == UINT64_MAX || __builtin_mul_overflow(((uint64_t)n + rows - 1) / rows, stride, &bytes))
        return UINT64_MAX;
    return bytes;
}

/* [rows][k] of 2 bytes to [K'][R]. */
VEC_FN void pack_16(const uint16_t *src, int64_t rows, int64_t k, int64_t R, uint16_t *out)
{
    int64_t done = 0;
    for (; rows == R && R % 8 == 0 && done + 8 <= k; done += 8)
        for (int64_t r = 0; r < R; r += 8) {
            vec_u16 v[8];
            VEC_UNROLL(8)
            for (int64_t i = 0; i < 8; i++) memcpy(&v[i], src + (r + i) * k + done, 16);
            vec_transpose_u16(v);
            VEC_UNROLL(8)
            for (int64_t i = 0; i < 8; i++) memcpy(out + (done + i) * R + r, &v[i], 16);
        }
    for (int64_t i = done; i < k; i++)
        for (int64_t r = 0; r < R; r++) out[i * R + r] = r < rows ? src[r * k + i] : 0;
    for (int64_t r = 0; k % 2 && r < R; r++) out[k * R + r] = 0;
}

/* [rows][k] of 4 bytes, which may be pairs of 2, to [k][R]. Rows are `row` bytes apart. */
VEC_FN void pack_32(const uint8_t *src, int64_t row, int64_t rows, int64_t k, int64_t R, uint8_t *out)
{
    int64_t done = 0;
    for (; rows == R && done + 4 <= k; done += 4)
        for (int64_t r = 0; r < R; r += 4) {
            vec_u32 v[4];
            VEC_UNROLL(4)
            for (int64_t i = 0; i < 4; i++) memcpy(&v[i], src + (r + i) * row + done * 4, 16);
            vec_transpose_u32(v);
            VEC_UNROLL(4)
            for (int64_t i = 0; i < 4; i++) memcpy(out + ((done + i) * R + r) * 4, &v[i], 16);
        }
    for (int64_t i = done; i < k; i++)
        for (int64_t r = 0; r < R; r++) {
            uint32_t u = 0;
            if (r < rows) memcpy(&u, src + r * row + i * 4, 4);
            memcpy(out + (i * R + r) * 4, &u, 4);
        }
}

VEC_FN void pack_f32(const uint8_t *src, int64_t rows, int64_t k, int64_t R, uint8_t *out)
{
    pack_32(src, k * 4, rows, k, R, out);
    if (k % 2) memset(out + k * R * 4, 0, (size_t)R * 4);
}

VEC_FN void pack_bf16(const uint8_t *src, int64_t rows, int64_t k, int64_t R, uint8_t *out)
{
    pack_32(src, k * 2, rows, k / 2, R, out);
    for (int64_t r = 0; k % 2 && r < R; r++) { /* the last one of an odd row, and nothing */
        uint16_t pair[2] = { 0 };
        if (r < rows) memcpy(pair, src + (r * k + k - 1) * 2, 2);
        memcpy(out + (k / 2 * R + r) * 4, pair, 4);
    }
}

VEC_FN void pack_any(weft_dtype t, const void *src, int64_t rows, int64_t k, bool biased, int64_t R, void *out)
{
    switch (t) {
    case WEFT_F32: pack_f32(src, rows, k, R, out); break;
    case WEFT_F16: pack_16(src, rows, k, R, out); break;
    case WEFT_BF16: pack_bf16(src, rows, k, R, out); break;
    default: cpu_pack_blocks(t, src, rows, k, biased, (size_t)R, out); break;
    }
}

void cpu_pack_panel(cpu_isa isa, weft_dtype t, const void *src, int64_t rows, int64_t k, void *out)
{
    const bool biased = cpu_panel_is_biased(isa);
    switch (cpu_panel_rows(isa)) {
    case 16: pack_any(t, src, rows, k, biased, 16, out); break;
    case 8: pack_any(t, src, rows, k, biased, 8, out); break;
    default: pack_any(t, src, rows, k, biased, 4, out); break;
    }
}

static float half(const void *p)
{
    uint16_t h[VLEN] = { 0 };
    memcpy(h, p, 2);
    return vf_load_f16(h)[0];
}

void cpu_unpack_row(cpu_isa isa, weft_dtype t, const void *packed, int64_t k, int64_t row, float *out)
{
    int64_t R = cpu_panel_rows(isa), r = row % R;
    const uint8_t *panel = (const uint8_t *)packed + (uint64_t)(row / R) * cpu_panel_stride(isa, t, k);
    switch (t) {
    case WEFT_F32:
        for (int64_t i = 0; i < k; i++) memcpy(out + i, panel + (i * R + r) * 4, 4);
        break;
    case WEFT_F16:
        for (int64_t i = 0; i < k; i++) out[i] = half(panel + (i * R + r) * 2);
        break;
    case WEFT_BF16:
        for (int64_t i = 0; i < k; i++) {
            uint16_t h;
            memcpy(&h, panel + (i / 2 * 2 * R + 2 * r + i % 2) * 2, 2);
            uint32_t u = (uint32_t)h << 16;
            memcpy(out + i, &u, 4);
        }
        break;
    default:
        cpu_unpack_blocks(cpu_panel_of(t), panel, k, cpu_panel_is_biased(isa), (size_t)R, (size_t)r, out);
        break;
    }
}
