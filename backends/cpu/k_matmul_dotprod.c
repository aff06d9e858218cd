/* k_matmul_dotprod.c: the packed matrix multiplication for dotprod: see k_matmul_tile.h and
 * k_select_tile.h. */
#define CPU_VEC_DOTPROD
#define MM_ISA    CPU_DOTPROD
#define MM_TILE_F 24
#define MM_TILE_Q 8
#include "k_select_tile.h"
