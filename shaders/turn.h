/* turn.h: how the weights of a row lie on GPUs, and which of them, and of x, a lane reads at each step: legal in C and
 * in GLSL. pack.c writes rows by these functions, shaders read rows by them, and tests/gpu/test_lines.c counts the
 * cache lines that the loads of a subgroup touch.
 *
 * A row is a sequence of chunks, which the lanes take in turn. Eight chunks are a turn, whose columns are dealt out to
 * them in fours (quads): quad i of chunk g of a turn is the turn's quad 8 i + g. What eight lanes read of x at once are
 * then 32 columns one after the other, 128 bytes; and since those are what a scale of a block format belongs to, scale
 * i of a turn is that of each lane's quad i: the scales of a turn, in the order of columns, are one load, the same one
 * for eight lanes. Plain types have chunks of one quad, which makes a row what it is in the file.
 *
 * In a plane of n bits a weight, the four weights of quad i are bits (i n) % 8 and up of the four bytes of word i n /
 * 8: a shift and a mask make four codes in four bytes. */
#ifndef WEFT_TURN_H
#define WEFT_TURN_H

#ifdef WEFT_GLSL
#define WEFT_INDEX uint
#define WEFT_UINT uint
#else
#include <stdint.h>
#define WEFT_INDEX static inline __attribute__((unused)) uint32_t
#define WEFT_UINT uint32_t
#endif

#define TURN_CHUNKS 8u
#define TURN_COLUMNS 32u /* that eight lanes read at once */

/* ---- what a lane reads: chunks of `quads` quads ---- */

/* The chunk of a lane, of `lanes` that share a row, at step k. */
WEFT_INDEX turn_chunk(WEFT_UINT k, WEFT_UINT lanes, WEFT_UINT lane) { return k * lanes + lane; }

/* The columns of its quad i are 4 times this, and the next three. */
WEFT_INDEX turn_quad(WEFT_UINT chunk, WEFT_UINT quads, WEFT_UINT i)
{
    return (chunk / TURN_CHUNKS * quads + i) * TURN_CHUNKS + chunk % TURN_CHUNKS;
}

/* Where a plane has that of a chunk, in units of what a chunk has of it. */
WEFT_INDEX turn_plane(WEFT_UINT chunk) { return chunk; }

/* The same, in words, in the low plane of a last turn that is not full: its chunks have `rest` words there, those of
 * the turns before `words`. */
WEFT_INDEX turn_rest(WEFT_UINT chunk, WEFT_UINT words, WEFT_UINT rest)
{
    return chunk / TURN_CHUNKS * (TURN_CHUNKS * words) + chunk % TURN_CHUNKS * rest;
}

/* Where the scales of a chunk's turn begin, which has so many units of them; what it has in the upper plane is one. */
WEFT_INDEX turn_shared(WEFT_UINT chunk, WEFT_UINT units) { return chunk / TURN_CHUNKS * units; }

/* ---- where a quad is, for kernels that take columns as they come ---- */

WEFT_INDEX turn_chunk_of(WEFT_UINT quad, WEFT_UINT quads)
{
    return quad / (TURN_CHUNKS * quads) * TURN_CHUNKS + quad % TURN_CHUNKS;
}

WEFT_INDEX turn_index_of(WEFT_UINT quad, WEFT_UINT quads) { return quad / TURN_CHUNKS % quads; }

/* In a plane of n bits a weight: the word of quad i, and the shift. */
WEFT_INDEX turn_word(WEFT_UINT i, WEFT_UINT n) { return i * n / 8; }
WEFT_INDEX turn_shift(WEFT_UINT i, WEFT_UINT n) { return i * n % 8; }

/* ---- x as bytes (quantize.comp), in the order of chunks ---- */

/* Sixteen bytes at a time: quads 4 h .. 4 h + 3 of a chunk. */
WEFT_INDEX turn_bytes(WEFT_UINT chunk, WEFT_UINT quads, WEFT_UINT h)
{
    return (chunk / TURN_CHUNKS * (quads / 4) + h) * TURN_CHUNKS + chunk % TURN_CHUNKS;
}

#endif
