/* k_roof_neon.c: the roofs of a machine as neon sees them: see roof.h. */
#include "k_roof_loops.h"
