/* k_roof_avx2.c: the roofs of a machine as avx2 sees them: see roof.h. */
#include "k_roof_loops.h"
