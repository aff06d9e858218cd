/* k_matmul_i8mm.c: the packed matrix multiplication for i8mm: see k_matmul_tile.h and
 * k_select_tile.h. */
#define CPU_VEC_I8MM
#define MM_ISA    CPU_I8MM
#define MM_TILE_F 24
#define MM_TILE_Q 8
#include "k_select_tile.h"
