/* k_vec_avx512.c: the row operations for AVX-512. */
#define GEMM_HIGH 6
#define GEMM_WIDE 4
#include "k_vec_products.h"
