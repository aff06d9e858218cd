/* k_roof_avx512.c: the roofs of a machine as avx512 sees them: see roof.h. */
#include "k_roof_loops.h"
