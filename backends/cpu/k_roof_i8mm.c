/* k_roof_i8mm.c: the roofs of a machine as i8mm sees them: see roof.h. */
#define CPU_VEC_I8MM
#include "k_roof_loops.h"
