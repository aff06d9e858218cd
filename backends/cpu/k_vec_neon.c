/* k_vec_neon.c: the row operations for neon. Tiles of a product: what the registers hold beside one row of b. */
#define GEMM_HIGH 4
#define GEMM_WIDE 4
#include "k_vec.inc.h"
#include "k_vec_gemm.inc.h"
