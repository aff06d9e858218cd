/* panel.h: what a row of panel.def says, as a constant that kernels are specialised by.
 *
 * A panel of a block format is a sequence of spans. A span is a header for all its chunks of 32 elements, then the
 * chunks; the last span of a row may have fewer of them behind a header of full length. All of it is interleaved by R
 * rows: in words of 4 bytes, codes; in halves and bytes, what the header holds. So every part begins at a multiple of
 * R words.
 *
 * A chunk is eight quads of 4 neighbouring elements, whose codes of b bits fill b words: each byte of a word has bits
 * of the same element of its quads. As many codes as fit lie in one piece; the bits that are left over in the words
 * make up the last ones, so that most are found with a mask, or a shift and a mask (cpu_panel_pieces). 16 bits, two
 * words per quad, are in k_matmul_twin.h alone.
 *
 * A number is a code, or the table's value for it. A weight is d (number - offset) in rows without minimum, else
 * d number + m; d and m belong to a group: a chunk, or a half of it. */
#ifndef CPU_PANEL_H
#define CPU_PANEL_H

#include <stdbool.h>
#include <stdint.h>

enum { CPU_CHUNK = 32 };

/* Headers, in halves (f16), bytes and floats [..][R]; s and t of all groups of the span, in order. */
typedef enum cpu_panel_scale {
    CPU_SCALE_HALF,        /* half d of either chunk */
    CPU_SCALE_HALF_MIN,    /* half d, m of the one chunk */
    CPU_SCALE_EXPONENT,    /* byte e of each chunk: d = 2^(e - 128) */
    CPU_SCALE_SIGNED,      /* half D, nothing; signed byte s: d = D s */
    CPU_SCALE_BYTES_MIN,   /* half D, M; bytes s, then bytes t: d = D s, m = -M t */
    CPU_SCALE_NIBBLES_MIN, /* half D, M; byte with s in its low nibble and t in its high one: the same */
    CPU_SCALE_WIDE,        /* float d of each group */
    CPU_SCALE_WIDE_MIN,    /* float d of each group, then m */
    CPU_SCALE_WIDE_SUMS,   /* float d, int32: k_matmul_twin.h */
} cpu_panel_scale;

typedef enum cpu_panel_table { CPU_TABLE_NONE, CPU_TABLE_IQ4, CPU_TABLE_FP4 } cpu_panel_table;

/* `bits` bits of a code, from bit `to` on, are in word `word` from bit `from` on. */
typedef struct cpu_panel_piece {
    uint8_t word, from, bits, to;
} cpu_panel_piece;

/* The pieces of quads, by bits of a code; those behind the last one have no bits. */
static const cpu_panel_piece cpu_panel_pieces[9][8][3] __attribute__((unused)) = {
    [2] = { { { 0, 0, 2, 0 } }, { { 0, 2, 2, 0 } }, { { 0, 4, 2, 0 } }, { { 0, 6, 2, 0 } },
            { { 1, 0, 2, 0 } }, { { 1, 2, 2, 0 } }, { { 1, 4, 2, 0 } }, { { 1, 6, 2, 0 } } },
    [3] = { { { 0, 0, 3, 0 } }, { { 0, 3, 3, 0 } }, { { 1, 0, 3, 0 } }, { { 1, 3, 3, 0 } },
            { { 2, 0, 3, 0 } }, { { 2, 3, 3, 0 } },
            { { 0, 6, 2, 0 }, { 2, 6, 1, 2 } }, { { 1, 6, 2, 0 }, { 2, 7, 1, 2 } } },
    [4] = { { { 0, 0, 4, 0 } }, { { 1, 0, 4, 0 } }, { { 2, 0, 4, 0 } }, { { 3, 0, 4, 0 } },
            { { 0, 4, 4, 0 } }, { { 1, 4, 4, 0 } }, { { 2, 4, 4, 0 } }, { { 3, 4, 4, 0 } } },
    [5] = { { { 0, 0, 5, 0 } }, { { 1, 0, 5, 0 } }, { { 2, 0, 5, 0 } }, { { 3, 0, 5, 0 } }, { { 4, 0, 5, 0 } },
            { { 0, 5, 3, 0 }, { 3, 5, 2, 3 } }, { { 1, 5, 3, 0 }, { 4, 5, 2, 3 } },
            { { 2, 5, 3, 0 }, { 3, 7, 1, 3 }, { 4, 7, 1, 4 } } },
    [6] = { { { 0, 0, 6, 0 } }, { { 1, 0, 6, 0 } }, { { 2, 0, 6, 0 } },
            { { 3, 0, 6, 0 } }, { { 4, 0, 6, 0 } }, { { 5, 0, 6, 0 } },
            { { 0, 6, 2, 0 }, { 1, 6, 2, 2 }, { 2, 6, 2, 4 } }, { { 3, 6, 2, 0 }, { 4, 6, 2, 2 }, { 5, 6, 2, 4 } } },
    [8] = { { { 0, 0, 8, 0 } }, { { 1, 0, 8, 0 } }, { { 2, 0, 8, 0 } }, { { 3, 0, 8, 0 } },
            { { 4, 0, 8, 0 } }, { { 5, 0, 8, 0 } }, { { 6, 0, 8, 0 } }, { { 7, 0, 8, 0 } } },
};

typedef struct cpu_panel_format {
    uint8_t span, bits, groups;
    cpu_panel_scale scale;
    uint8_t most, offset;
    cpu_panel_table table;
} cpu_panel_format;

#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) \
    static const cpu_panel_format cpu_panel_##id __attribute__((unused)) = {     \
        span, bits, groups, CPU_SCALE_##scale, most, offset, CPU_TABLE_##table \
    };
#define CPU_WIDE_SCALE_0 CPU_SCALE_WIDE
#define CPU_WIDE_SCALE_1 CPU_SCALE_WIDE_MIN
#define CPU_WIDE(id, groups, minimum, most)                                  \
    static const cpu_panel_format cpu_panel_##id __attribute__((unused)) = { \
        1, 8, groups, CPU_WIDE_SCALE_##minimum, most, 0, CPU_TABLE_NONE   \
    };
#define CPU_TWIN(id, bits, scale, most)                                      \
    static const cpu_panel_format cpu_panel_##id __attribute__((unused)) = { \
        1, bits, 1, CPU_SCALE_##scale, most, 0, CPU_TABLE_NONE               \
    };
#include "panel.def"
#undef CPU_WIDE_SCALE_0
#undef CPU_WIDE_SCALE_1

/* mxfp4's values are halves of whole numbers; here with 12 added, so that none is below zero. */
static const int8_t cpu_panel_tables[][16] __attribute__((unused)) = {
    [CPU_TABLE_IQ4] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 },
    [CPU_TABLE_FP4] = { 12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0 },
};

static inline bool cpu_panel_has_minimum(const cpu_panel_format *f)
{
    return f->scale == CPU_SCALE_HALF_MIN || f->scale == CPU_SCALE_BYTES_MIN || f->scale == CPU_SCALE_NIBBLES_MIN ||
           f->scale == CPU_SCALE_WIDE_MIN;
}

static inline bool cpu_panel_is_signed(const cpu_panel_format *f) { return f->most == 127; }

/* Bytes of a header and of a chunk, of one row; multiples of 4. */
static inline int64_t cpu_panel_header(const cpu_panel_format *f)
{
    switch (f->scale) {
    case CPU_SCALE_SIGNED:
    case CPU_SCALE_NIBBLES_MIN: return 4 + f->span * f->groups;
    case CPU_SCALE_BYTES_MIN: return 4 + 2 * f->span * f->groups;
    case CPU_SCALE_WIDE: return 4 * f->groups;
    case CPU_SCALE_WIDE_SUMS:
    case CPU_SCALE_WIDE_MIN: return 8 * f->groups;
    default: return 4;
    }
}

static inline int64_t cpu_panel_chunk(const cpu_panel_format *f) { return 4 * f->bits; }

/* Bytes of a row of k elements, a multiple of 32. */
static inline int64_t cpu_panel_row(const cpu_panel_format *f, int64_t k)
{
    const int64_t chunks = k / CPU_CHUNK, spans = (chunks + f->span - 1) / f->span;
    return spans * cpu_panel_header(f) + chunks * cpu_panel_chunk(f);
}

#endif
