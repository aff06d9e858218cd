/* k_matmul_plan.h: what k_matmul_tile.h works with: the micro-kernels by format and tile size, and mm_plan: the
 * operands, how they are read, and where a thread's memory is. */
#ifndef CPU_K_MATMUL_PLAN_H
#define CPU_K_MATMUL_PLAN_H

#include "k_matmul_lone.h"
#include "pack.h"
#ifdef MM_TWINS
#include "k_matmul_twin.h"
#endif

#define MM_TOKENS 768 /* of a token block: their sums for MM_GROUP panels stay in the second-level cache */
#define MM_GROUP  4   /* panels that share a tile of x while it is in the first-level cache */
/* K blocks: MM_GROUP panels, as they are multiplied, and a tile fit the first-level cache. Of f32 tiles, where short
 * sums are also more accurate; of those with weights of blocks, which are whole spans; of int8 tiles. */
#ifdef MM_TWINS
#define MM_RAW_K 128
#define MM_INT_K 256
#else
#define MM_RAW_K 256
#define MM_INT_K 512
#endif
#define MM_SPAN_K 256
#define MM_FEW 8 /* tokens that no twin multiplies */
#define MM_PREP_K    1024 /* K block of the preparation of x that a thread claims, */
#define MM_PREP_STEP 256  /* and what it does of it at once */
#define MM_PIECE     8192  /* bytes of a stream of weights that are worth being claimed */
#define MM_AHEAD     65536 /* bytes that are brought near before they are multiplied, */
#define MM_BRING     16    /* and lines of them at a time */

enum { MM_SIZES = 6 };
static const int mm_tile_size[MM_SIZES] = { 1, 2, 4, 8, 12, 24 };

/* The micro-kernels, by format and tile size; NULL where there is none: tiles are never that wide, or panels are turned
 * into another format first. */
#define MM_F32_OF(tt)  mm_floats(MM_F32, tt, w, x, c, k, add)
#define MM_F16_OF(tt)  mm_floats(MM_F16, tt, w, x, c, k, add)
#define MM_BF16_OF(tt) mm_floats(MM_BF16, tt, w, x, c, k, add)
#define MM_DOT_OF(tt)  mm_bf16_dot(tt, w, x, c, k, add)
#define MM_SET(name, call_of)                                                                      \
    MM_MICRO(name, 1, call_of(1)) MM_MICRO(name, 2, call_of(2)) MM_MICRO(name, 4, call_of(4))
MM_SET(mm_f32, MM_F32_OF)
MM_SET(mm_f16, MM_F16_OF)
MM_SET(mm_bf16, MM_BF16_OF)
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
#ifdef VEC_BF16_DOT
MM_SET(mm_dot, MM_DOT_OF)
MM_MICRO(mm_dot, 8, MM_DOT_OF(8))
MM_MICRO(mm_dot, 12, MM_DOT_OF(12))
MM_MICRO(mm_dot, 24, MM_DOT_OF(24))
#endif

/* Of blocks: one token as they lie, several as panel.def says. */
#define MM_BLOCKS_OF(id, tt) MM_MICRO(mm_##id, tt, mm_blocks(&cpu_panel_##id, tt, w, x, c, k, add))
#if MM_TILE_Q >= 12
#define MM_TILES_OF(id) MM_BLOCKS_OF(id, 2) MM_BLOCKS_OF(id, 4) MM_BLOCKS_OF(id, 8) MM_BLOCKS_OF(id, 12)
#define MM_TILES_ROW(id) \
    [MM_##id][1] = mm_##id##_2, [MM_##id][2] = mm_##id##_4, [MM_##id][3] = mm_##id##_8, [MM_##id][4] = mm_##id##_12,
#elif MM_TILE_Q >= 8
#define MM_TILES_OF(id)  MM_BLOCKS_OF(id, 2) MM_BLOCKS_OF(id, 4) MM_BLOCKS_OF(id, 8)
#define MM_TILES_ROW(id) [MM_##id][1] = mm_##id##_2, [MM_##id][2] = mm_##id##_4, [MM_##id][3] = mm_##id##_8,
#else
#define MM_TILES_OF(id)  MM_BLOCKS_OF(id, 2) MM_BLOCKS_OF(id, 4)
#define MM_TILES_ROW(id) [MM_##id][1] = mm_##id##_2, [MM_##id][2] = mm_##id##_4,
#endif
#define MM_TURN(name, id) \
    static void name##_##id(const unsigned char *w, int64_t k, unsigned char *out) { name(&cpu_panel_##id, w, k, out); }
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) \
    MM_BLOCKS_OF(id, 1) MM_TURN(mm_widen, id) MM_TURN(mm_float_out, id)
#define CPU_WIDE(id, groups, minimum, most) MM_BLOCKS_OF(id, 1) MM_TILES_OF(id)
#define CPU_AS_IT_LIES(id)                  MM_TILES_OF(id)
#include "panel.def"

static mm_micro *const mm_micros[MM_FORMAT_COUNT][MM_SIZES] = {
    [MM_F32] = { mm_f32_1, mm_f32_2, mm_f32_4, MM_ROW_12(mm_f32), MM_ROW_24(mm_f32) },
    [MM_F16] = { mm_f16_1, mm_f16_2, mm_f16_4, MM_ROW_12(mm_f16), MM_ROW_24(mm_f16) },
    [MM_BF16] = { mm_bf16_1, mm_bf16_2, mm_bf16_4, MM_ROW_12(mm_bf16), MM_ROW_24(mm_bf16) },
#ifdef VEC_BF16_DOT
    [MM_BF16_DOT] = { mm_dot_1, mm_dot_2, mm_dot_4, mm_dot_8, mm_dot_12, mm_dot_24 },
#endif
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) [MM_##id][0] = mm_##id##_1,
#define CPU_WIDE(id, groups, minimum, most) [MM_##id][0] = mm_##id##_1, MM_TILES_ROW(id)
#define CPU_AS_IT_LIES(id)                  MM_TILES_ROW(id)
#include "panel.def"
};

#define MM_LONE(name, n, call)                                                                              \
    static void name##_lone_##n(const unsigned char *const *w, const unsigned char *x, float *c, int64_t k) \
    {                                                                                                       \
        call;                                                                                               \
    }
MM_LONE(mm_f32, 4, mm_floats_lone(MM_F32, w, x, c, k))
MM_LONE(mm_f16, 4, mm_floats_lone(MM_F16, w, x, c, k))
MM_LONE(mm_bf16, 4, mm_floats_lone(MM_BF16, w, x, c, k))
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin)    \
    MM_LONE(mm_##id, 4, mm_blocks_lone(&cpu_panel_##id, MM_STREAMS, w, x, c, k)) \
    MM_LONE(mm_##id, 1, mm_blocks_lone(&cpu_panel_##id, 1, w, x, c, k))
#include "panel.def"
/* Of MM_STREAMS panels, and of one; NULL: mm_micros has it. */
static const struct mm_lones {
    mm_lone *many, *one;
} mm_lones[MM_FORMAT_COUNT] = {
    [MM_F32] = { mm_f32_lone_4, NULL },
    [MM_F16] = { mm_f16_lone_4, NULL },
    [MM_BF16] = { mm_bf16_lone_4, NULL },
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) \
    [MM_##id] = { mm_##id##_lone_4, mm_##id##_lone_1 },
#include "panel.def"
};

/* How block types are multiplied: the formats of one token and of several, and what makes the latter and floats. */
static const struct mm_kind {
    mm_format one, several;
    mm_turn *widen, *floats; /* widen NULL: both formats are one */
} mm_kinds[WEFT_DTYPE_COUNT] = {
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) \
    [WEFT_##id] = { MM_##id, MM_##wide, MM_##id == MM_##wide ? NULL : mm_widen_##id, mm_float_out_##id },
#include "panel.def"
};

static const cpu_panel_format *const mm_panels[MM_FORMAT_COUNT] = { /* NULL: floats */
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) [MM_##id] = &cpu_panel_##id,
#define CPU_WIDE(id, groups, minimum, most) [MM_##id] = &cpu_panel_##id,
#define CPU_TWIN(id, bits, scale, most) [MM_##id] = &cpu_panel_##id,
#include "panel.def"
};

typedef struct mm_plan {
    const cpu_call *c;
    mm_operands m;
    mm_format format;     /* of the micro-kernels */
    mm_turn *turn;        /* what panels are turned into that by, a K block at a time; NULL: they lie so */
    const cpu_panel_format *row; /* of the weights' type; NULL: floats */
    int widest;           /* tile */
    int narrowest;        /* index of the smallest tile in use */
    bool alone;           /* one token, prepared by the thread that uses it, */
    bool simple;          /* and multiplied by mm_lones, with each panel as a whole */
    bool twins;           /* many tokens, by two panels at once */
    int64_t k_even;       /* K, rounded up to even */
    int64_t k_block, panels, group, tokens_block;
    uint64_t stride;      /* bytes of a panel */
    const unsigned char *w, *up; /* the first panel; of the second matrix, or NULL */
    const int32_t *order; /* the row of y of each token; NULL: as they lie */
    int64_t share;        /* rows of y, by order, that have one row of x */
    cpu_ahead *ahead;     /* what to bring nearer while x is prepared, or NULL */
    unsigned char *x;     /* tiles, in order of tokens */
    float *sums;          /* [tile][panel of group][tt][VLEN] */
    unsigned char *turned; /* [panel of group] */
} mm_plan;

static int64_t round_64(int64_t n) { return (n + 63) & ~(int64_t)63; }

static bool mm_is_int(mm_format f) { return mm_panels[f] != NULL; }

/* Bytes of n tokens' first k elements in x's tiles. */
static int64_t mm_x_bytes(mm_format f, int64_t n, int64_t k)
{
    return mm_is_int(f) ? n * (k / CPU_CHUNK) * mm_x_chunk(mm_panels[f]) : n * k * (f == MM_BF16_DOT ? 2 : 4);
}

/* Bytes of a panel's first k elements; for block formats k is whole spans. */
static int64_t mm_w_bytes(const mm_plan *p, int64_t k)
{
    return (p->row ? cpu_panel_row(p->row, k) : k * (p->m.w->dtype == WEFT_F32 ? 4 : 2)) * VLEN;
}

static mm_format mm_format_of(weft_dtype t, bool exact, bool alone, bool twins, mm_turn **turn)
{
    const struct mm_kind *kind = &mm_kinds[t];
#ifdef MM_TWINS
    if (twins) {
        const struct mm_twin_kind *twin = &mm_twin_kinds[t];
        *turn = kind->floats && exact ? kind->floats : twin->turn;
        return exact ? MM_F32 : twin->format;
    }
#else
    (void)twins;
#endif
    *turn = exact ? kind->floats : alone ? NULL : kind->widen;
    switch (t) {
    case WEFT_F32: return MM_F32;
    case WEFT_F16: return MM_F16;
#ifdef VEC_BF16_DOT
    case WEFT_BF16: return exact || !vec_has_bf16_dot() ? MM_BF16 : MM_BF16_DOT;
#else
    case WEFT_BF16: return MM_BF16;
#endif
    default: return exact ? MM_F32 : alone ? kind->one : kind->several;
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
#ifdef MM_TWINS
    p->twins = !alone && p->m.tokens > MM_FEW * (p->m.w->rank == 3 ? p->m.w->dim[0] : 1); /* for each expert */
    if (p->twins) p->narrowest = MM_TWIN_LEAST;
#endif
    p->w = p->m.w->data;
    p->up = p->m.up ? p->m.up->data : NULL;
    p->format = mm_format_of(p->m.w->dtype, c->exact, alone, p->twins, &p->turn);
    p->row = cpu_panel_of(p->m.w->dtype);
    p->widest = p->twins ? 12 : mm_is_int(p->format) ? MM_TILE_Q : MM_TILE_F;
    p->k_even = p->m.k + (p->m.k & 1);
    const int64_t pair = p->m.up ? 2 : 1; /* panels that one result needs */
    p->panels = (p->m.n + VLEN - 1) / VLEN * pair;
    p->stride = cpu_panel_stride(c->isa, p->m.w->dtype, p->m.k);
    p->k_block = mm_is_int(p->format) ? MM_INT_K : p->row ? MM_SPAN_K : MM_RAW_K;
    p->simple = p->alone && !p->turn && !c->deterministic;
    if (p->simple) p->k_block = p->k_even;
    /* Deterministic: tiles that add up a token's products in one order, whatever is beside it. */
    if (c->deterministic && !mm_is_int(p->format))
        while (MM_CHAINS(mm_tile_size[p->narrowest]) != MM_CHAINS(p->widest)) p->narrowest++;
    /* A few tokens read the weights as one stream; many want the group, unless that leaves threads without work. */
    const int64_t want = 4 * (int64_t)c->n_threads, least = p->twins ? 2 : pair;
    p->tokens_block = MM_TOKENS;
    p->group = mm_is_stream(p) ? least : MM_GROUP;
    while (p->group > least && p->panels / p->group < want) p->group /= 2;
    if (!mm_is_stream(p) && p->panels < want) p->tokens_block = 48;
}

static int64_t mm_sums_bytes(const mm_plan *p)
{
    int64_t tokens = p->m.tokens < p->tokens_block ? p->m.tokens : p->tokens_block;
    return (tokens + 24) * p->group * VLEN * 4;
}

static int64_t mm_x_one(const mm_plan *p) { return round_64(mm_x_bytes(p->format, 1, p->k_even)); }

/* Of a panel's K block as it is multiplied. */
static int64_t mm_turned_panel(const mm_plan *p)
{
    return (mm_is_int(p->format) ? cpu_panel_row(mm_panels[p->format], MM_INT_K) : MM_SPAN_K * 4) * VLEN;
}

static int64_t mm_turned_bytes(const mm_plan *p) { return p->turn ? p->group * mm_turned_panel(p) : 0; }

/* What serves every number of tokens up to the bound, in which group and tokens_block are at most their defaults. */
static uint64_t mm_scratch(const cpu_call *c)
{
    mm_plan p;
    mm_plan_init(c, cpu_mm_alone(c), &p);
    p.group = MM_GROUP;
    if (p.m.tokens > MM_TOKENS) p.tokens_block = MM_TOKENS;
    int64_t x = round_64(mm_x_bytes(p.format, p.m.tokens + 24, p.k_even));
    int64_t own = round_64(mm_sums_bytes(&p)) + round_64(mm_turned_bytes(&p)) + mm_x_one(&p);
    return (uint64_t)(x + own * c->n_threads);
}

static void mm_place(mm_plan *p)
{
    const cpu_call *c = p->c;
    unsigned char *at = c->scratch;
    int64_t own = round_64(mm_sums_bytes(p)) + round_64(mm_turned_bytes(p));
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
    p->turned = at + round_64(mm_sums_bytes(p));
}

static void *mm_x_row(const mm_plan *p, int64_t t)
{
    return cpu_mm_row(p->m.x, p->order ? p->order[t] / p->share : t);
}

#endif
