/* noise.h: weights where there are no files, for measurements: random halves of about 0.02, the same memory for every
 * tensor, so that a graph of any size needs only its largest tensor on the host. A weight of blocks gets blocks. */
#ifndef WEFT_NOISE_H
#define WEFT_NOISE_H

#include "backends/backend.h"

/* Close in any case. The graph is borrowed. */
typedef struct weft__noise {
    const weft_graph *g;
    uint16_t *halves;
    size_t largest; /* elements of a weight, at least some */
    void *blocks[WEFT_DTYPE_COUNT]; /* made when they are asked for */
} weft__noise;
weft_status weft__noise_open(const weft_graph *g, weft__noise *out, weft_error *err);
weft_weight_source weft__noise_source(weft__noise *n);
void weft__noise_close(weft__noise *n);

#endif
