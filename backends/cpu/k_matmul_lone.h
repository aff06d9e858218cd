/* k_matmul_lone.h: a token alone times panels of block formats (panel.h): kernels that read several panels at once, as
 * fast as memory gives them. What a quad of x is multiplied with comes from all panels before the next quad, and whole
 * scales of groups are multiplied with whole sums, so that there is one conversion to floats in a chunk.
 *
 * x, per chunk: { f32 scale; word[groups]; int8 q[32] }. Where sums are of 16-bit halves of lanes (VEC_HALVES), a word
 * of a format with an offset is what both halves begin with: minus the offset times the sums of the bytes that go into
 * them. So these sums are of (number - offset) x, which fit 16 bits over a whole group. Where groups have minima of 4
 * bits, the first word has the sums of both groups, in halves. All else is as in tiles (k_matmul_blocks.h). */
#ifndef CPU_K_MATMUL_LONE_H
#define CPU_K_MATMUL_LONE_H

#include "k_matmul_blocks.h"

#ifdef VEC_HALVES
enum { MM_HALVES = 1 };
#else
enum { MM_HALVES = 0 };
#endif

/* Whether scales of groups are whole numbers, whose unit a span has. */
VEC_FN bool mm_has_units(const cpu_panel_format *f)
{
    return f->scale == CPU_SCALE_SIGNED || f->scale == CPU_SCALE_BYTES_MIN || f->scale == CPU_SCALE_NIBBLES_MIN;
}

/* Where the scale of group g of chunk c is in such a span's header; the minima are as far behind it as there are. */
VEC_FN const unsigned char *mm_unit(const cpu_panel_format *f, const unsigned char *header, int64_t c, int g)
{
    return header + (4 + c * f->groups + g) * VLEN;
}

/* Quads of a group that one sum of halves holds. */
VEC_FN int mm_lone_depth(const cpu_panel_format *f)
{
    const int quads = 8 / f->groups, most = f->offset > f->most - f->offset ? f->offset : f->most - f->offset;
    return !MM_HALVES || most * 254 * quads < 32768 ? quads : VEC_DOT_DEPTH(most);
}

#ifdef VEC_HALVES
/* What the sums of a group are multiplied with, in both halves of lanes. */
VEC_FN vi mm_factor(const cpu_panel_format *f, const unsigned char *header, int64_t c, int g)
{
    const unsigned char *at = mm_unit(f, header, c, g);
    switch (f->scale) {
    case CPU_SCALE_SIGNED: return vi_halves_i8(at);
    case CPU_SCALE_BYTES_MIN: return vi_halves_u8(at);
    case CPU_SCALE_NIBBLES_MIN: return vi_and(vi_halves_u8(at), 0x000f000f);
    default: return vi_set1(0x00010001);
    }
}

/* part[s] = what the products of chunk c of each panel, `chunk` bytes behind its header, add up to, in units. */
VEC_FN void mm_lone_parts(const cpu_panel_format *f, vi table, const int n, const unsigned char *const *header,
                          int64_t chunk, int64_t c, const unsigned char *x, vf *part)
{
    const unsigned char *words = x + 4, *q = x + mm_x_head(f);
    const bool bytes = cpu_panel_is_signed(f), pairs = f->groups == 1 && f->bits == 4;
    const int quads = 8 / f->groups, depth = mm_lone_depth(f), factors = bytes ? n : 0;
    vi all[MM_STREAMS], sum[MM_STREAMS], factor[MM_STREAMS];
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) all[s] = vi_set1(0);
    VEC_UNROLL(2)
    for (int g = 0; g < f->groups; g++) {
        VEC_UNROLL(4)
        for (int s = 0; s < factors; s++) factor[s] = mm_factor(f, header[s], c, g);
        VEC_UNROLL(8)
        for (int j = 0; j < quads; j++) {
            const int quad = pairs ? j / 2 + j % 2 * 4 : g * quads + j; /* both that share a word */
            const vi xs = vi_set1(mm_word(q + quad * 4)), sizes = vi_abs_i8(xs);
            if (j % depth == 0) {
                VEC_UNROLL(4)
                for (int s = 0; s < n; s++) sum[s] = vi_set1(f->offset && j == 0 ? mm_word(words + 4 * g) : 0);
            }
            VEC_UNROLL(4)
            for (int s = 0; s < n; s++) {
                const vi w = mm_quad(f, table, header[s] + chunk, quad);
                if (!bytes) sum[s] = vi_dot(sum[s], w, xs, 0);
                else if (f->table) all[s] = vi_halves_add(all[s], vi_dot_sizes(sizes, w, xs), factor[s]);
                else all[s] = vi_halves_add(all[s], vi_dot_bytes(w, xs), factor[s]);
            }
            if (bytes || (j + 1) % depth) continue;
            VEC_UNROLL(4)
            for (int s = 0; s < n; s++)
                all[s] = vi_halves_add(all[s], sum[s], mm_factor(f, header[s], c, g));
        }
    }
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) part[s] = vi_to_vf(all[s]);
}

/* low[s] += the minima of chunk c, in units, times sums of x. */
VEC_FN void mm_lone_minima(const cpu_panel_format *f, const int n, const unsigned char *const *header, int64_t c,
                           const unsigned char *x, vf *low)
{
    const unsigned char *words = x + 4;
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) {
        const unsigned char *t = mm_unit(f, header[s], c, 0) + f->span * VLEN;
        if (f->scale == CPU_SCALE_BYTES_MIN) {
            low[s] = vf_fma(vi_to_vf(vi_load_u8(t)), vf_set1(mm_float(words)), low[s]);
        } else {
            const vi both = vi_pairs_high(mm_unit(f, header[s], c, 0));
            const vi sums = vi_halves_add(vi_set1(0), both, vi_set1(mm_word(words)));
            low[s] = vf_fma(vi_to_vf(sums), vf_set1(mm_float(x)), low[s]);
        }
    }
}
#else
VEC_FN vi mm_unit_value(const cpu_panel_format *f, const unsigned char *at, bool minimum)
{
    if (f->scale == CPU_SCALE_SIGNED) return vi_load_i8(at);
    if (f->scale == CPU_SCALE_BYTES_MIN) return vi_load_u8(at);
    return minimum ? vi_shr(vi_load_u8(at), 4) : vi_and(vi_load_u8(at), 15);
}

VEC_FN void mm_lone_parts(const cpu_panel_format *f, vi table, const int n, const unsigned char *const *header,
                          int64_t chunk, int64_t c, const unsigned char *x, vf *part)
{
    const bool begins = !cpu_panel_has_minimum(f) && (!cpu_panel_is_signed(f) || VEC_BIAS != 0);
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) {
        part[s] = vf_set1(0);
        VEC_UNROLL(2)
        for (int g = 0; g < f->groups; g++) {
            vi sum = vi_set1(begins ? mm_word(x + 4 + 4 * g) : 0);
            mm_products(f, table, 1, header[s] + chunk, x + mm_x_head(f), g, &sum);
            if (!mm_has_units(f)) part[s] = vi_to_vf(sum);
            else
                part[s] = vf_fma(vi_to_vf(sum), vi_to_vf(mm_unit_value(f, mm_unit(f, header[s], c, g), false)),
                                 part[s]);
        }
    }
}

VEC_FN void mm_lone_minima(const cpu_panel_format *f, const int n, const unsigned char *const *header, int64_t c,
                           const unsigned char *x, vf *low)
{
    const int64_t behind = f->scale == CPU_SCALE_BYTES_MIN ? f->span * VLEN : 0;
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) {
        VEC_UNROLL(2)
        for (int g = 0; g < f->groups; g++) {
            const unsigned char *t = mm_unit(f, header[s], c, g) + behind;
            low[s] = vf_fma(vi_to_vf(mm_unit_value(f, t, true)), vf_set1(mm_float(x + 4 + 4 * g)), low[s]);
        }
    }
}
#endif

/* Chunk c of n panels, `chunk` bytes behind their headers: what it adds to sums, or to those and minima in units. */
VEC_FN void mm_lone_chunk(const cpu_panel_format *f, vi table, const int n, const unsigned char *const *header,
                          int64_t chunk, int64_t c, const unsigned char *x, vf *sum, vf *low)
{
    const bool units = mm_has_units(f), minimum = cpu_panel_has_minimum(f);
    vf part[MM_STREAMS], d, m;
    mm_lone_parts(f, table, n, header, chunk, c, x, part);
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) {
        if (!units) {
            mm_scale(f, header[s], c, 0, &d, &m);
            part[s] *= d;
        }
        sum[s] = vf_fma(part[s], vf_set1(mm_float(x)), sum[s]);
        if (!units && minimum) sum[s] = vf_fma(m, vf_set1(mm_float(x + 4)), sum[s]);
    }
    if (units && minimum) mm_lone_minima(f, n, header, c, x, low);
}

/* n panels times one token (mm_lone). */
VEC_FN void mm_blocks_lone(const cpu_panel_format *f, const int n, const unsigned char *const *w,
                           const unsigned char *x, float *out, int64_t k)
{
    const int64_t header = cpu_panel_header(f) * VLEN, chunk = cpu_panel_chunk(f) * VLEN;
    const vi table = mm_table(f);
    const int units = mm_has_units(f) ? n : 0;
    const unsigned char *span[MM_STREAMS]; /* of each panel */
    vf sum[MM_STREAMS], of_span[MM_STREAMS], low[MM_STREAMS];
    VEC_UNROLL(4)
    for (int s = 0; s < n; s++) {
        span[s] = w[s];
        sum[s] = vf_set1(0);
    }
    for (int64_t left = k / CPU_CHUNK, chunks; left > 0; left -= chunks) {
        int64_t at = header;
        chunks = left < f->span ? left : f->span;
        VEC_UNROLL(4)
        for (int s = 0; s < n; s++) of_span[s] = low[s] = vf_set1(0);
        for (int64_t i = 0; i < chunks; i++, at += chunk, x += mm_x_chunk(f)) {
            VEC_UNROLL(4)
            for (int s = 0; s < n; s++) mm_fetch(1, span[s] + at, chunk + header / f->span);
            mm_lone_chunk(f, table, n, span, at, i, x, units ? of_span : sum, low);
        }
        VEC_UNROLL(4)
        for (int s = 0; s < units; s++) {
            const uint16_t *half = (const uint16_t *)(const void *)span[s];
            sum[s] = vf_fma(vf_load_f16(half), of_span[s], sum[s]);
            if (cpu_panel_has_minimum(f)) sum[s] = vf_fnma(vf_load_f16(half + VLEN), low[s], sum[s]);
        }
        VEC_UNROLL(4)
        for (int s = 0; s < n; s++) span[s] += at;
    }
    mm_finish(sum, n, out, false);
}

/* The words of a chunk of x; sums are those of the bytes of both halves, or in sums[0] of all. */
VEC_FN void mm_lone_words(const cpu_panel_format *f, const int8_t *q, float scale, const int32_t sums[2],
                          unsigned char *out)
{
#ifdef VEC_HALVES
    if (f->offset) {
        vec_half_sums(q, f->groups, -f->offset, out);
        return;
    }
    if (f->scale == CPU_SCALE_NIBBLES_MIN) {
        const int32_t both = (int32_t)((uint32_t)sums[1] << 16 | ((uint32_t)sums[0] & 0xffff));
        memcpy(out, &both, 4);
        return;
    }
#else
    (void)q;
#endif
    for (int g = 0; g < f->groups; g++) {
        const float part = scale * (float)sums[g];
        const int32_t start = -mm_offset(f) * sums[g];
        memcpy(out + 4 * g, cpu_panel_has_minimum(f) ? (const void *)&part : &start, 4);
    }
}

#endif
