/* k_matmul_avxvnni.c: the packed matrix multiplication for avxvnni: see k_matmul_tile.h and
 * k_select_tile.h. */
#define CPU_VEC_AVXVNNI
#define MM_ISA    CPU_AVXVNNI
#define MM_TILE_F 12
#define MM_TILE_Q 4
#define MM_TWINS
#include "k_select_tile.h"
