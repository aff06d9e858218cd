/* pieces.h: which part of a key or a value a lane of attention_decode.comp reads: legal in C and in GLSL. The shader
 * reads by these functions, and tests/gpu/test_lines.c counts the cache lines that the loads of a subgroup touch.
 *
 * A row is a sequence of pieces of 16 bytes (of block types: of eight elements). `lanes` lanes share a row, the rest of
 * the subgroup has rows behind it; in turn t a lane reads one piece, the last one where there are no more. */
#ifndef WEFT_PIECES_H
#define WEFT_PIECES_H

#include "turn.h"

WEFT_INDEX piece_of(WEFT_UINT turn, WEFT_UINT lanes, WEFT_UINT lane) { return turn * lanes + lane % lanes; }

WEFT_INDEX piece_read(WEFT_UINT turn, WEFT_UINT lanes, WEFT_UINT lane, WEFT_UINT n_pieces)
{
    WEFT_UINT p = piece_of(turn, lanes, lane);
    return p < n_pieces ? p : n_pieces - 1;
}

WEFT_INDEX piece_row(WEFT_UINT lanes, WEFT_UINT lane) { return lane / lanes; }

#endif
