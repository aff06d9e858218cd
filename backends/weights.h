/* weights.h: the part of weights that programs use. */
#ifndef WEFT_WEIGHTS_H
#define WEFT_WEIGHTS_H

#include "backends/contract.h"
#include "backends/kept.h"

/* Weights of the source, and where it has not one, those of `under`, which outlive them and may be others'. */
weft_status weft__weights_create_over(weft_weights *under, const weft_weight_source *source, weft_weights **out,
                                      weft_error *err);
/* A weight in a layout on a device: found by name, or loaded now. task counts its bytes, found or loaded. */
weft_status weft__weights_get(weft_weights *w, weft_backend *b, const char *name, weft_layout layout, weft_dtype t,
                              uint32_t rank, const int64_t *dims, weft__task *task, weft_buf **out, weft_error *err);
/* Bytes that it occupies on the device already; 0: it is not there. */
uint64_t weft__weights_have(const weft_weights *w, const weft_backend *b, const char *name, weft_layout layout,
                            weft_dtype t, uint32_t rank, const int64_t *dims);

/* kept_key.c. The file that keeps a weight as it is packed from src; false: none does. *fresh: it is not to be written
 * now, for the model's file was changed so lately that its time may not tell the next change. */
bool weft__weight_key(const weft_backend *b, const char *name, weft_layout layout, weft_dtype t,
                      const weft_weight_data *src, weft__kept_key *out, bool *fresh);

#endif
