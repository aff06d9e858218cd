/* k_matmul_neon.c: the packed matrix multiplication for neon: see k_matmul_tile.h and
 * k_select_tile.h. */
#define MM_ISA    CPU_NEON
#define MM_TILE_F 24
#define MM_TILE_Q 8
#include "k_select_tile.h"
