/* k_matmul_blocks.h: panels of block formats (panel.h) in micro-kernels: products with int8, and turning panels into
 * floats or into bytes. Every function takes a row of panel.def as a constant and is compiled for each.
 *
 * Tiles of x, token fastest, per chunk: { f32 scale[tt]; word[groups][tt]; int8 q[8][tt][4] }. The word is what has to
 * do with the sum of q over the group. Without minimum, an int32 that the sum of products begins with: minus the offset
 * of the numbers times the sum of q. With it, an f32 that the minimum is multiplied with: the scale times the sum. */
#ifndef CPU_K_MATMUL_BLOCKS_H
#define CPU_K_MATMUL_BLOCKS_H

#include "k_matmul_micro.h"
#include "panel.h"

/* What is added to numbers before they are multiplied. */
VEC_FN int32_t mm_offset(const cpu_panel_format *f) { return cpu_panel_is_signed(f) ? VEC_BIAS : f->offset; }

/* Bytes of a token's chunk of x, and how many of them are before the quants. */
VEC_FN int64_t mm_x_head(const cpu_panel_format *f) { return 4 + 4 * f->groups; }
VEC_FN int64_t mm_x_chunk(const cpu_panel_format *f) { return mm_x_head(f) + CPU_CHUNK * (f->bits == 16 ? 2 : 1); }

VEC_FN vi mm_table(const cpu_panel_format *f)
{
    if (!f->table) return vi_set1(0);
    vi t = vi_table(cpu_panel_tables[f->table]);
    return cpu_panel_is_signed(f) && VEC_BIAS ? vi_xor(t, (int32_t)0x80808080) : t;
}

VEC_FN vi mm_moved(vi v, int right)
{
    if (right > 0) return vi_shr(v, (unsigned)right);
    return right < 0 ? vi_shl(v, (unsigned)-right) : v;
}

/* The numbers of quad g of a chunk, as bytes: 0.. most, or signed with VEC_BIAS added. */
VEC_FN vi mm_quad(const cpu_panel_format *f, vi table, const unsigned char *chunk, int g)
{
    const cpu_panel_piece *p = cpu_panel_pieces[f->bits][g];
    vi v = vi_load(chunk + p->word * 4 * VLEN);
    if (f->bits == 8) return v;
    v = vi_and(mm_moved(v, p->from), 0x01010101 * ((1 << p->bits) - 1));
    VEC_UNROLL(2)
    for (int i = 1; i < 3; i++) {
        if (!p[i].bits) continue;
        const vi w = vi_load(chunk + p[i].word * 4 * VLEN);
        v = vi_or(v, vi_and(mm_moved(w, p[i].from - p[i].to), 0x01010101 * (((1 << p[i].bits) - 1) << p[i].to)));
    }
    return f->table ? vi_lookup(table, v) : v;
}

/* 2^(e - 128): e - 1 as the exponent, or below that a subnormal's highest bit, 2^21 of e = 0 and 2^22 of e = 1, which
 * are more than what the exponent alone would be. */
VEC_FN vf mm_power(vi e)
{
    return vi_as_vf(vi_max(vi_sub(vi_shl(e, 23), vi_set1(1 << 23)), vi_add(vi_shl(e, 21), vi_set1(1 << 21))));
}

/* d and m (0 without minimum) of group g of chunk c, of the span whose header this is. */
VEC_FN void mm_scale(const cpu_panel_format *f, const unsigned char *header, int64_t c, int g, vf *d, vf *m)
{
    const uint16_t *half = (const uint16_t *)(const void *)header;
    const float *wide = (const float *)(const void *)header;
    const unsigned char *s = header + (4 + c * f->groups + g) * VLEN, *t = s + f->span * f->groups * VLEN;
    *m = vf_set1(0);
    switch (f->scale) {
    case CPU_SCALE_HALF: *d = vf_load_f16(half + c * VLEN); break;
    case CPU_SCALE_HALF_MIN:
        *d = vf_load_f16(half);
        *m = vf_load_f16(half + VLEN);
        break;
    case CPU_SCALE_EXPONENT: *d = mm_power(vi_load_u8(header + c * VLEN)); break;
    case CPU_SCALE_SIGNED: *d = vf_load_f16(half) * vi_to_vf(vi_load_i8(s)); break;
    case CPU_SCALE_BYTES_MIN:
        *d = vf_load_f16(half) * vi_to_vf(vi_load_u8(s));
        *m = vf_fnma(vf_load_f16(half + VLEN), vi_to_vf(vi_load_u8(t)), *m);
        break;
    case CPU_SCALE_NIBBLES_MIN: {
        vi both = vi_load_u8(s);
        *d = vf_load_f16(half) * vi_to_vf(vi_and(both, 15));
        *m = vf_fnma(vf_load_f16(half + VLEN), vi_to_vf(vi_shr(both, 4)), *m);
        break;
    }
    case CPU_SCALE_WIDE_MIN: *m = vf_load(wide + (f->groups + g) * VLEN); /* fall through */
    case CPU_SCALE_WIDE_SUMS:
    case CPU_SCALE_WIDE: *d = vf_load(wide + g * VLEN); break;
    }
}

/* s[t] += the products of group g of a chunk. As many quads as 16-bit sums hold are added up in them, where a set has
 * its products so; elsewhere s is what they are added to. */
VEC_FN void mm_group(const cpu_panel_format *f, vi table, const int tt, const unsigned char *chunk,
                     const unsigned char *q, int g, vi *s)
{
    const bool bytes = cpu_panel_is_signed(f), halves = f->groups == 1 && f->bits == 4;
    const int quads = 8 / f->groups, depth = VEC_DOT_DEPTH(f->most) < quads ? VEC_DOT_DEPTH(f->most) : quads;
    VEC_UNROLL(8)
    for (int i = 0; i < quads; i += depth) {
        vi sum[12];
        VEC_UNROLL(12)
        for (int t = 0; t < tt; t++) sum[t] = vi_dot_begin(s[t], bytes);
        VEC_UNROLL(8)
        for (int j = i; j < i + depth; j++) {
            const int quad = halves ? j / 2 + j % 2 * 4 : g * quads + j; /* both that share a word */
            vi w = mm_quad(f, table, chunk, quad);
            VEC_UNROLL(12)
            for (int t = 0; t < tt; t++)
                sum[t] = vi_dot(sum[t], w, vi_set1(mm_word(q + (quad * tt + t) * 4)), bytes);
        }
        VEC_UNROLL(12)
        for (int t = 0; t < tt; t++) s[t] = vi_dot_end(s[t], sum[t], bytes);
    }
}

/* The same where a set multiplies pairs of rows and of tokens, two quads at once; tt is even. */
#ifdef VEC_DOT_PAIRS
VEC_FN void mm_group_pairs(const cpu_panel_format *f, vi table, const int tt, const unsigned char *chunk,
                           const unsigned char *q, int g, vi *s)
{
    const int quads = 8 / f->groups;
    vi low[6], high[6];
    VEC_UNROLL(6)
    for (int t = 0; t < tt / 2; t++) low[t] = high[t] = vi_set1(0);
    VEC_UNROLL(4)
    for (int i = g * quads; i < (g + 1) * quads; i += 2) {
        const vi w = mm_quad(f, table, chunk, i), v = mm_quad(f, table, chunk, i + 1);
        VEC_UNROLL(6)
        for (int t = 0; t < tt / 2; t++) {
            const vi x = vi_load_pair(q + (i * tt + 2 * t) * 4, q + ((i + 1) * tt + 2 * t) * 4);
            low[t] = vi_dot_pairs(low[t], vi_zip_low(w, v), x);
            high[t] = vi_dot_pairs(high[t], vi_zip_high(w, v), x);
        }
    }
    VEC_UNROLL(6)
    for (int t = 0; t < tt / 2; t++) {
        s[2 * t] = vi_add(s[2 * t], vi_even(low[t], high[t]));
        s[2 * t + 1] = vi_add(s[2 * t + 1], vi_odd(low[t], high[t]));
    }
}
#endif

VEC_FN void mm_products(const cpu_panel_format *f, vi table, const int tt, const unsigned char *chunk,
                        const unsigned char *q, int g, vi *s)
{
#ifdef VEC_DOT_PAIRS
    if (tt % 2 == 0) {
        mm_group_pairs(f, table, tt, chunk, q, g, s);
        return;
    }
#endif
    mm_group(f, table, tt, chunk, q, g, s);
}

/* Chunk c of a span: its products with a tile's chunk x are added to sum. */
VEC_FN void mm_chunk(const cpu_panel_format *f, vi table, const int tt, const unsigned char *header,
                     const unsigned char *chunk, int64_t c, const unsigned char *x, vf *sum)
{
    const unsigned char *words = x + tt * 4, *q = x + tt * mm_x_head(f);
    const bool minimum = cpu_panel_has_minimum(f), begins = !minimum && (!cpu_panel_is_signed(f) || VEC_BIAS != 0);
    const int minima = minimum ? f->groups : 0;
    vf part[12], d, m[2];
    VEC_UNROLL(2)
    for (int g = 0; g < f->groups; g++) {
        vi s[12];
        VEC_UNROLL(12)
        for (int t = 0; t < tt; t++) s[t] = vi_set1(begins ? mm_word(words + (g * tt + t) * 4) : 0);
        mm_products(f, table, tt, chunk, q, g, s);
        mm_scale(f, header, c, g, &d, &m[g]);
        VEC_UNROLL(12)
        for (int t = 0; t < tt; t++) {
            if (g == 0) part[t] = vi_to_vf(s[t]) * d;
            else part[t] = vf_fma(vi_to_vf(s[t]), d, part[t]);
        }
    }
    VEC_UNROLL(12)
    for (int t = 0; t < tt; t++) sum[t] = vf_fma(part[t], vf_set1(mm_float(x + t * 4)), sum[t]);
    VEC_UNROLL(2)
    for (int g = 0; g < minima; g++) {
        VEC_UNROLL(12)
        for (int t = 0; t < tt; t++) sum[t] = vf_fma(m[g], vf_set1(mm_float(words + (g * tt + t) * 4)), sum[t]);
    }
}

VEC_FN void mm_blocks(const cpu_panel_format *f, const int tt, const unsigned char *w, const unsigned char *x, float *c,
                      int64_t k, bool add)
{
    const int64_t header = cpu_panel_header(f) * VLEN, chunk = cpu_panel_chunk(f) * VLEN, x_chunk = tt * mm_x_chunk(f);
    const vi table = mm_table(f);
    vf sum[12];
    VEC_UNROLL(12)
    for (int t = 0; t < tt; t++) sum[t] = add ? vf_load(c + t * VLEN) : vf_set1(0); /* as if k had no blocks */
    for (int64_t left = k / CPU_CHUNK, n; left > 0; left -= n) {
        const unsigned char *at = w + header;
        int64_t i = 0;
        n = left < f->span ? left : f->span;
        for (; tt <= 2 && i + 2 <= n; i += 2, at += 2 * chunk, x += 2 * x_chunk) {
            mm_fetch(tt, at, 2 * chunk + 2 * header / f->span);
            mm_chunk(f, table, tt, w, at, i, x, sum);
            mm_chunk(f, table, tt, w, at + chunk, i + 1, x + x_chunk, sum);
        }
        for (; i < n; i++, at += chunk, x += x_chunk) { /* wider tiles keep more in registers than two chunks leave */
            mm_fetch(tt, at, chunk + header / f->span);
            mm_chunk(f, table, tt, w, at, i, x, sum);
        }
        w = at;
    }
    mm_finish(sum, tt, c, false);
}

/* What a panel is turned into before it is multiplied; k is a multiple of its format's span, or all that is left. */
typedef void mm_turn(const unsigned char *w, int64_t k, unsigned char *out);

/* Into a panel of bytes, with one or two scales a chunk: rows CPU_WIDE of panel.def. */
VEC_FN void mm_widen(const cpu_panel_format *f, const unsigned char *w, int64_t k, unsigned char *out)
{
    const vi table = mm_table(f);
    for (int64_t left = k / CPU_CHUNK, n; left > 0; left -= n) {
        const unsigned char *header = w;
        w += cpu_panel_header(f) * VLEN;
        n = left < f->span ? left : f->span;
        for (int64_t c = 0; c < n; c++, w += cpu_panel_chunk(f) * VLEN) {
            float *scale = (float *)(void *)out;
            for (int g = 0; g < f->groups; g++) {
                vf d, m;
                mm_scale(f, header, c, g, &d, &m);
                vf_store(scale + g * VLEN, d);
                if (cpu_panel_has_minimum(f)) vf_store(scale + (f->groups + g) * VLEN, m);
            }
            out += f->groups * (cpu_panel_has_minimum(f) ? 8 : 4) * VLEN;
            VEC_UNROLL(8)
            for (int g = 0; g < 8; g++, out += 4 * VLEN) vi_store(out, mm_quad(f, table, w, g));
        }
    }
}

/* Into floats, [k][VLEN]. */
VEC_FN void mm_float_out(const cpu_panel_format *f, const unsigned char *w, int64_t k, unsigned char *out)
{
    const vi table = mm_table(f);
    float *to = (float *)(void *)out;
    for (int64_t left = k / CPU_CHUNK, n; left > 0; left -= n) {
        const unsigned char *header = w;
        w += cpu_panel_header(f) * VLEN;
        n = left < f->span ? left : f->span;
        for (int64_t c = 0; c < n; c++, w += cpu_panel_chunk(f) * VLEN)
            VEC_UNROLL(8)
            for (int quad = 0; quad < 8; quad++) {
                vi v = mm_quad(f, table, w, quad);
                vf d, m;
                mm_scale(f, header, c, quad * f->groups / 8, &d, &m);
                for (unsigned j = 0; j < 4; j++, to += VLEN) {
                    vi number = cpu_panel_is_signed(f) ? vi_sar(vi_shl(vi_xor(v, VEC_BIAS ? (int32_t)0x80808080 : 0),
                                                                       24 - 8 * j), 24)
                                                       : vi_and(vi_shr(v, 8 * j), 255);
                    vf_store(to, vf_fma(vi_to_vf(number) - vf_set1((float)f->offset), d, m));
                }
            }
    }
}

#endif
