/* k_matmul_micro.h: the micro-kernels of k_matmul_tile.h, each one panel of VLEN rows by one tile of `tt` tokens, over
 * k elements: c[tt][VLEN] (+)= x w^T. All have the type mm_micro and are generated for every format and tile size.
 *
 * Tiles of x, token fastest:  f32 [k][tt]    bf16 [k/2][tt][2]    int8: k_matmul_blocks.h, which has those of formats
 * of blocks. */
#ifndef CPU_K_MATMUL_MICRO_H
#define CPU_K_MATMUL_MICRO_H

#include "k_matmul.h"
#include "vec.h"

#define MM_FETCH 1024 /* how many bytes ahead weights are asked for: 512 to 8192 are as good or worse */

/* `add`: to what c holds; else c is overwritten. k is even, and a multiple of 32 for the block formats. */
typedef void mm_micro(const unsigned char *w, const unsigned char *x, float *c, int64_t k, bool add);

/* The same of one token and MM_STREAMS panels: c[MM_STREAMS][VLEN] = x w^T. Of weights that come from memory one stream
 * alone does not fill the queues of processors that fetch ahead by pages. */
#define MM_STREAMS 4
typedef void mm_lone(const unsigned char *const *w, const unsigned char *x, float *c, int64_t k);

VEC_FN int32_t mm_word(const void *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

VEC_FN float mm_float(const void *p)
{
    float v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Narrow tiles stream weights from memory: `bytes` that are MM_FETCH further on are asked for, since processors' own
 * prefetching ends with each page of 4 KB. They may lie behind the last panel, where nothing is read. */
VEC_FN void mm_fetch(const int tt, const unsigned char *w, const int64_t bytes)
{
    if (tt > 2) return;
    VEC_UNROLL(16)
    for (int64_t i = 0; i < bytes; i += 64) {
        const uintptr_t far = (uintptr_t)w + (uintptr_t)(MM_FETCH + i);
        __builtin_prefetch((const void *)far, 0, 3);
    }
}

/* The weights of two neighbouring k. */
VEC_FN void mm_pair(mm_format f, const unsigned char *w, int64_t k, vf *w0, vf *w1)
{
    if (f == MM_F32) {
        const float *p = (const float *)(const void *)w + k * VLEN;
        *w0 = vf_load(p);
        *w1 = vf_load(p + VLEN);
    } else if (f == MM_F16) {
        const uint16_t *p = (const uint16_t *)(const void *)w + k * VLEN;
        *w0 = vf_load_f16(p);
        *w1 = vf_load_f16(p + VLEN);
    } else {
        vi both = vi_load(w + k * VLEN * 2);
        *w0 = vi_as_vf(vi_shl(both, 16));
        *w1 = vi_as_vf(vi_and(both, (int32_t)0xffff0000));
    }
}

VEC_FN void mm_finish(vf *sum, int tt, float *c, bool add)
{
    if (add) {
        VEC_UNROLL(24)
        for (int t = 0; t < tt; t++) sum[t] += vf_load(c + t * VLEN);
    }
    VEC_UNROLL(24)
    for (int t = 0; t < tt; t++) vf_store(c + t * VLEN, sum[t]);
}

/* Loops over sums are all unrolled by hand: a sum that is indexed by a variable would live in memory. */
VEC_FN void mm_fold(vf *sum, int tt, int chains)
{
    VEC_UNROLL(3)
    for (int width = chains / 2; width > 0; width /= 2) {
        VEC_UNROLL(8)
        for (int j = 0; j < width * tt; j++) sum[j] += sum[j + width * tt];
    }
}

/* Independent sums per token, so that a narrow tile does not wait for one addition after the other. */
#define MM_CHAINS(tt) ((tt) >= 8 ? 1 : (tt) >= 4 ? 2 : (tt) >= 2 ? 4 : 8)

VEC_FN void mm_floats(mm_format f, const int tt, const unsigned char *w, const unsigned char *xp, float *c, int64_t k,
                      bool add)
{
    const int chains = MM_CHAINS(tt), step = chains > 2 ? chains : 2;
    const float *x = (const float *)(const void *)xp;
    vf sum[24], w0, w1;
    VEC_UNROLL(24)
    for (int i = 0; i < chains * tt; i++) sum[i] = vf_set1(0);
    int64_t i = 0;
    for (; i + step <= k; i += step) {
        mm_fetch(tt, w + i * VLEN * (f == MM_F32 ? 4 : 2), step * VLEN * (f == MM_F32 ? 4 : 2));
        VEC_UNROLL(4)
        for (int j = 0; j < step; j += 2) {
            mm_pair(f, w, i + j, &w0, &w1);
            vf *s0 = sum + j % chains * tt, *s1 = sum + (j + 1) % chains * tt;
            VEC_UNROLL(24)
            for (int t = 0; t < tt; t++) s0[t] = vf_fma(w0, vf_set1(x[(i + j) * tt + t]), s0[t]);
            VEC_UNROLL(24)
            for (int t = 0; t < tt; t++) s1[t] = vf_fma(w1, vf_set1(x[(i + j + 1) * tt + t]), s1[t]);
        }
    }
    for (; i < k; i += 2) {
        mm_pair(f, w, i, &w0, &w1);
        VEC_UNROLL(24)
        for (int t = 0; t < tt; t++) sum[t] = vf_fma(w0, vf_set1(x[i * tt + t]), sum[t]);
        VEC_UNROLL(24)
        for (int t = 0; t < tt; t++) sum[t] = vf_fma(w1, vf_set1(x[(i + 1) * tt + t]), sum[t]);
    }
    mm_fold(sum, tt, chains);
    mm_finish(sum, tt, c, add);
}

VEC_FN void mm_floats_lone(mm_format f, const unsigned char *const *w, const unsigned char *xp, float *c, int64_t k)
{
    const int64_t bytes = VLEN * (f == MM_F32 ? 4 : 2);
    const float *x = (const float *)(const void *)xp;
    vf sum[2 * MM_STREAMS], w0, w1;
    VEC_UNROLL(8)
    for (int i = 0; i < 2 * MM_STREAMS; i++) sum[i] = vf_set1(0);
    for (int64_t i = 0; i < k; i += 2) {
        VEC_UNROLL(4)
        for (int s = 0; s < MM_STREAMS; s++) {
            if (i % 4 == 0) mm_fetch(1, w[s] + i * bytes, 4 * bytes);
            mm_pair(f, w[s], i, &w0, &w1);
            sum[s] = vf_fma(w0, vf_set1(x[i]), sum[s]);
            sum[s + MM_STREAMS] = vf_fma(w1, vf_set1(x[i + 1]), sum[s + MM_STREAMS]);
        }
    }
    mm_fold(sum, MM_STREAMS, 2);
    mm_finish(sum, MM_STREAMS, c, false);
}

#ifdef VEC_BF16_DOT
VEC_FN void mm_bf16_dot(const int tt, const unsigned char *w, const unsigned char *x, float *c, int64_t k, bool add)
{
    const int chains = MM_CHAINS(tt);
    vf sum[24];
    VEC_UNROLL(24)
    for (int i = 0; i < chains * tt; i++) sum[i] = vf_set1(0);
    int64_t i = 0, pairs = k / 2;
    for (; i + chains <= pairs; i += chains) {
        mm_fetch(tt, w + i * VLEN * 4, chains * VLEN * 4);
        VEC_UNROLL(8)
        for (int j = 0; j < chains; j++) {
            vi both = vi_load(w + (i + j) * VLEN * 4);
            VEC_UNROLL(24)
            for (int t = 0; t < tt; t++)
                sum[j * tt + t] = vf_dot_bf16(sum[j * tt + t], both, vi_set1(mm_word(x + ((i + j) * tt + t) * 4)));
        }
    }
    for (; i < pairs; i++) {
        vi both = vi_load(w + i * VLEN * 4);
        VEC_UNROLL(24)
        for (int t = 0; t < tt; t++) sum[t] = vf_dot_bf16(sum[t], both, vi_set1(mm_word(x + (i * tt + t) * 4)));
    }
    mm_fold(sum, tt, chains);
    mm_finish(sum, tt, c, add);
}
#endif

#define MM_MICRO(name, tt, call)                                                                   \
    static void name##_##tt(const unsigned char *w, const unsigned char *x, float *c, int64_t k, bool add) \
    {                                                                                              \
        call;                                                                                      \
    }

#endif
