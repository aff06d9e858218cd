/* k_roof_dotprod.c: the roofs of a machine as dotprod sees them: see roof.h. */
#define CPU_VEC_DOTPROD
#include "k_roof_loops.h"
