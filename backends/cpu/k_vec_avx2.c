/* k_vec_avx2.c: the row operations for AVX2. */
#define GEMM_HIGH 6
#define GEMM_WIDE 2
#include "k_vec_products.h"
