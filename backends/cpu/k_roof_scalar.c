/* k_roof_scalar.c: the roofs of a machine in plain C: see roof.h. */
#define CPU_VEC_SCALAR
#include "k_roof_loops.h"
