/* k_matmul_avx2.c: the packed matrix multiplication for avx2: see k_matmul_tile.h and
 * k_select_tile.h. */
#define MM_ISA    CPU_AVX2
#define MM_TILE_F 12
#define MM_TILE_Q 4
#define MM_TWINS
#include "k_select_tile.h"
