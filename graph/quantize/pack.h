/* pack.h: what was fitted as the bytes of a block; one function per format, as block.def reads them. */
#ifndef WEFT_QUANTIZE_PACK_H
#define WEFT_QUANTIZE_PACK_H

#include "graph/quantize/fit.h"

/* d and m are the bits of f16; the block is zeros. */
typedef void weft__pack(const weft__fit *f, unsigned d, unsigned m, unsigned char *b);
weft__pack weft__pack_q4_0, weft__pack_q4_1, weft__pack_q5_0, weft__pack_q5_1, weft__pack_q2_K, weft__pack_q3_K,
    weft__pack_q4_K, weft__pack_q5_K, weft__pack_q6_K, weft__pack_iq4_xs;

#endif
