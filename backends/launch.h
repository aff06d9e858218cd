/* launch.h: what a step costs that does nothing. */
#ifndef WEFT_LAUNCH_H
#define WEFT_LAUNCH_H

#include "backends/contract.h"

/* Seconds from one step to the next that waits for it, the median of runs over about `seconds`. */
weft_status weft__launch_seconds(weft_backend *b, double seconds, weft__task *task, double *out, weft_error *err);

#endif
