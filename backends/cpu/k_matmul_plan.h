/* k_matmul_plan.h: what k_matmul_tile.h works with: the micro-kernels by format and tile size, and mm_plan: the
 * operands, how they are read, and where a thread's memory is. */
#ifndef CPU_K_MATMUL_PLAN_H
#define CPU_K_MATMUL_PLAN_H

#include "k_matmul_micro.h"
#include "pack.h"

#define MM_TOKENS 768 /* of a token block: their sums for MM_GROUP panels stay in the second-level cache */
#define MM_GROUP  4   /* panels that share a tile of x while it is in the first-level cache */
#define MM_RAW_K  256 /* K block of f32 tiles and of unpacked panels; short sums are also more accurate */
#define MM_INT_K  1024
#define MM_PREP_K    1024 /* K block of the preparation of x that a thread claims, */
#define MM_PREP_STEP 256  /* and what it does of it at once */
#define MM_PIECE     8192  /* bytes of a stream of weights that are worth being claimed */
#define MM_AHEAD     65536 /* bytes that are brought near before they are multiplied, */
#define MM_BRING     16    /* and lines of them at a time */

enum { MM_SIZES = 6 };
static const int mm_tile_size[MM_SIZES] = { 1, 2, 4, 8, 12, 24 };

/* The micro-kernels, by format and tile size; NULL where tiles are never that wide. */
#define MM_SET(name, call_of)                                                                      \
    MM_MICRO(name, 1, call_of(1)) MM_MICRO(name, 2, call_of(2)) MM_MICRO(name, 4, call_of(4))
#define MM_F32_OF(tt)  mm_floats(MM_F32, tt, w, x, c, k, add)
#define MM_F16_OF(tt)  mm_floats(MM_F16, tt, w, x, c, k, add)
#define MM_BF16_OF(tt) mm_floats(MM_BF16, tt, w, x, c, k, add)
#define MM_DOT_OF(tt)  mm_bf16_dot(tt, w, x, c, k, add)
#define MM_Q8_OF(tt)   mm_blocks(MM_Q8, tt, w, x, c, k, add)
#define MM_Q4_OF(tt)   mm_blocks(MM_Q4, tt, w, x, c, k, add)
MM_SET(mm_f32, MM_F32_OF)
MM_SET(mm_f16, MM_F16_OF)
MM_SET(mm_bf16, MM_BF16_OF)
MM_SET(mm_q8, MM_Q8_OF)
MM_SET(mm_q4, MM_Q4_OF)
#if MM_TILE_F >= 12
MM_MICRO(mm_f32, 8, MM_F32_OF(8))
MM_MICRO(mm_f16, 8, MM_F16_OF(8))
MM_MICRO(mm_bf16, 8, MM_BF16_OF(8))
MM_MICRO(mm_f32, 12, MM_F32_OF(12))
MM_MICRO(mm_f16, 12, MM_F16_OF(12))
MM_MICRO(mm_bf16, 12, MM_BF16_OF(12))
#define MM_ROW_12(name) name##_8, name##_12
#else
#define MM_ROW_12(name) NULL, NULL
#endif
#if MM_TILE_F >= 24
MM_MICRO(mm_f32, 24, MM_F32_OF(24))
MM_MICRO(mm_f16, 24, MM_F16_OF(24))
MM_MICRO(mm_bf16, 24, MM_BF16_OF(24))
#define MM_ROW_24(name) name##_24
#else
#define MM_ROW_24(name) NULL
#endif
#if MM_TILE_Q >= 8
MM_MICRO(mm_q8, 8, MM_Q8_OF(8))
MM_MICRO(mm_q4, 8, MM_Q4_OF(8))
#define MM_ROW_Q8(name) name##_8
#else
#define MM_ROW_Q8(name) NULL
#endif
#if MM_TILE_Q >= 12
MM_MICRO(mm_q8, 12, MM_Q8_OF(12))
MM_MICRO(mm_q4, 12, MM_Q4_OF(12))
#define MM_ROW_Q12(name) name##_12
#else
#define MM_ROW_Q12(name) NULL
#endif
#ifdef VEC_BF16_DOT
MM_SET(mm_dot, MM_DOT_OF)
MM_MICRO(mm_dot, 8, MM_DOT_OF(8))
MM_MICRO(mm_dot, 12, MM_DOT_OF(12))
MM_MICRO(mm_dot, 24, MM_DOT_OF(24))
#endif

static mm_micro *const mm_micros[MM_FORMAT_COUNT][MM_SIZES] = {
    [MM_F32] = { mm_f32_1, mm_f32_2, mm_f32_4, MM_ROW_12(mm_f32), MM_ROW_24(mm_f32) },
    [MM_F16] = { mm_f16_1, mm_f16_2, mm_f16_4, MM_ROW_12(mm_f16), MM_ROW_24(mm_f16) },
    [MM_BF16] = { mm_bf16_1, mm_bf16_2, mm_bf16_4, MM_ROW_12(mm_bf16), MM_ROW_24(mm_bf16) },
#ifdef VEC_BF16_DOT
    [MM_BF16_DOT] = { mm_dot_1, mm_dot_2, mm_dot_4, mm_dot_8, mm_dot_12, mm_dot_24 },
#endif
    [MM_Q8] = { mm_q8_1, mm_q8_2, mm_q8_4, MM_ROW_Q8(mm_q8), MM_ROW_Q12(mm_q8), NULL },
    [MM_Q4] = { mm_q4_1, mm_q4_2, mm_q4_4, MM_ROW_Q8(mm_q4), MM_ROW_Q12(mm_q4), NULL },
};

typedef struct mm_plan {
    const cpu_call *c;
    mm_operands m;
    mm_format format;     /* of the micro-kernels */
    bool unpack;          /* block formats with float activations: panels are turned into f32 first */
    int widest;           /* tile */
    int narrowest;        /* index of the smallest tile in use */
    bool alone;           /* one token, prepared by the thread that uses it */
    int64_t k_even;       /* K, rounded up to even */
    int64_t k_block, panels, group, tokens_block;
    uint64_t stride;      /* bytes of a panel */
    const unsigned char *w, *up; /* the first panel; of the second matrix, or NULL */
    const int32_t *order; /* the row of y of each token; NULL: as they lie */
    int64_t share;        /* rows of y, by order, that have one row of x */
    cpu_ahead *ahead;     /* what to bring nearer while x is prepared, or NULL */
    unsigned char *x;     /* tiles, in order of tokens */
    float *sums;          /* [tile][panel of group][tt][VLEN] */
    float *unpacked;      /* [panel of group][k_block][VLEN] */
} mm_plan;

static int64_t round_64(int64_t n) { return (n + 63) & ~(int64_t)63; }

static bool mm_is_int(mm_format f) { return f == MM_Q8 || f == MM_Q4; }

/* Bytes of n tokens' first k elements in x's tiles. */
static int64_t mm_x_bytes(mm_format f, int64_t n, int64_t k)
{
    return mm_is_int(f) ? n * (k / MM_BLOCK) * (8 + MM_BLOCK) : n * k * (f == MM_BF16_DOT ? 2 : 4);
}

/* Bytes of a panel's first k elements; for block formats k is a multiple of two blocks. */
static int64_t mm_w_bytes(weft_dtype t, int64_t k)
{
    switch (t) {
    case WEFT_F32: return k * VLEN * 4;
    case WEFT_Q8_0: return k / MM_BLOCK * VLEN * (2 + 32);
    case WEFT_Q4_0: return k / MM_BLOCK * VLEN * (2 + 16);
    default: return k * VLEN * 2;
    }
}

static mm_format mm_format_of(weft_dtype t, bool exact)
{
    switch (t) {
    case WEFT_F16: return MM_F16;
#ifdef VEC_BF16_DOT
    case WEFT_BF16: return exact || !vec_has_bf16_dot() ? MM_BF16 : MM_BF16_DOT;
#else
    case WEFT_BF16: return MM_BF16;
#endif
    case WEFT_Q8_0: return exact ? MM_F32 : MM_Q8;
    case WEFT_Q4_0: return exact ? MM_F32 : MM_Q4;
    default: return MM_F32;
    }
}

/* Index of the tile size for `left` tokens: the widest that they fill, or the narrowest that holds a rest. */
static int mm_size_for(const mm_plan *p, int64_t left)
{
    int i = p->narrowest;
    if (left >= p->widest) left = p->widest;
    else if (left > 12) left = 12;
    while (mm_tile_size[i] < left) i++;
    return i;
}

/* Few tokens: the weights are read as one stream, as fast as memory gives them. */
static bool mm_is_stream(const mm_plan *p) { return p->m.tokens <= 24; }

/* Everything but the pointers. */
static void mm_plan_init(const cpu_call *c, bool alone, mm_plan *p)
{
    *p = (mm_plan){ .c = c, .share = 1, .alone = alone };
    cpu_mm_operands(c, &p->m);
    p->w = p->m.w->data;
    p->up = p->m.up ? p->m.up->data : NULL;
    p->format = mm_format_of(p->m.w->dtype, c->exact);
    p->unpack = c->exact && weft_dtype_get(p->m.w->dtype)->class_ == WEFT_DTYPE_BLOCK;
    p->widest = mm_is_int(p->format) ? MM_TILE_Q : MM_TILE_F;
    p->k_even = p->m.k + (p->m.k & 1);
    const int64_t pair = p->m.up ? 2 : 1; /* panels that one result needs */
    p->panels = (p->m.n + VLEN - 1) / VLEN * pair;
    p->stride = cpu_panel_stride(c->isa, p->m.w->dtype, p->m.k);
    p->k_block = mm_is_int(p->format) ? MM_INT_K : MM_RAW_K;
    if (p->alone && !p->unpack && !c->deterministic) p->k_block = p->k_even;
    /* Deterministic: tiles that add up a token's products in one order, whatever is beside it. */
    if (c->deterministic && !mm_is_int(p->format))
        while (MM_CHAINS(mm_tile_size[p->narrowest]) != MM_CHAINS(p->widest)) p->narrowest++;
    /* A few tokens read the weights as one stream; many want the group, unless that leaves threads without work. */
    int64_t want = 4 * (int64_t)c->n_threads;
    p->tokens_block = MM_TOKENS;
    p->group = mm_is_stream(p) ? pair : MM_GROUP;
    while (p->group > pair && p->panels / p->group < want) p->group /= 2;
    if (!mm_is_stream(p) && p->panels < want) p->tokens_block = 48;
}

static int64_t mm_sums_bytes(const mm_plan *p)
{
    int64_t tokens = p->m.tokens < p->tokens_block ? p->m.tokens : p->tokens_block;
    return (tokens + 24) * p->group * VLEN * 4;
}

static int64_t mm_x_one(const mm_plan *p) { return round_64(mm_x_bytes(p->format, 1, p->k_even)); }

static int64_t mm_unpacked_bytes(const mm_plan *p) { return p->unpack ? p->group * MM_RAW_K * VLEN * 4 : 0; }

/* What serves every number of tokens up to the bound, in which group and tokens_block are at most their defaults. */
static uint64_t mm_scratch(const cpu_call *c)
{
    mm_plan p;
    mm_plan_init(c, cpu_mm_alone(c), &p);
    p.group = MM_GROUP;
    if (p.m.tokens > MM_TOKENS) p.tokens_block = MM_TOKENS;
    int64_t x = round_64(mm_x_bytes(p.format, p.m.tokens + 24, p.k_even));
    int64_t own = round_64(mm_sums_bytes(&p)) + round_64(mm_unpacked_bytes(&p)) + mm_x_one(&p);
    return (uint64_t)(x + own * c->n_threads);
}

static void mm_place(mm_plan *p)
{
    const cpu_call *c = p->c;
    unsigned char *at = c->scratch;
    int64_t own = round_64(mm_sums_bytes(p)) + round_64(mm_unpacked_bytes(p));
    int64_t x = p->alone ? mm_x_one(p) : round_64(mm_x_bytes(p->format, p->m.tokens + 24, p->k_even));
    if (p->alone) { /* each thread has its own x */
        at += (own + x) * c->thread;
        p->x = at;
        at += x;
    } else {
        p->x = at;
        at += x + own * c->thread;
    }
    p->sums = (float *)(void *)at;
    p->unpacked = (float *)(void *)(at + round_64(mm_sums_bytes(p)));
}

static void *mm_x_row(const mm_plan *p, int64_t t)
{
    return cpu_mm_row(p->m.x, p->order ? p->order[t] / p->share : t);
}

#endif
