/* k_vec_neon.c: the row operations for NEON. */
#define GEMM_HIGH 4
#define GEMM_WIDE 4
#include "k_vec_products.h"
