/* k_matmul_avx512.c: the packed matrix multiplication for avx512: see k_matmul_tile.h and
 * k_select_tile.h. */
#define MM_ISA    CPU_AVX512
#define MM_TILE_F 24
#define MM_TILE_Q 12
#include "k_select_tile.h"
