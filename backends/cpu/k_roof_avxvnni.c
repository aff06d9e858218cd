/* k_roof_avxvnni.c: the roofs of a machine as avxvnni sees them: see roof.h. */
#define CPU_VEC_AVXVNNI
#include "k_roof_loops.h"
