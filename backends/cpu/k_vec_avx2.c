/* k_vec_avx2.c: the row operations for avx2. Tiles of a product: what the registers hold beside one row of b. */
#define GEMM_HIGH 6
#define GEMM_WIDE 2
#include "k_vec.inc.h"
#include "k_vec_gemm.inc.h"
