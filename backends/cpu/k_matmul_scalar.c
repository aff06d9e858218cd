/* k_matmul_scalar.c: the packed matrix multiplication in plain C: see k_matmul_tile.h and k_select_tile.h. */
#define CPU_VEC_SCALAR
#define MM_ISA    CPU_SCALAR
#define MM_TILE_F 4
#define MM_TILE_Q 4
#include "k_select_tile.h"
