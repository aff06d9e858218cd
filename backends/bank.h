/* bank.h: the part of banks that programs use. */
#ifndef WEFT_BANK_H
#define WEFT_BANK_H

#include "backends/contract.h"

/* The storage of a weight in a layout, or of a state, on a device: found by name, or made (and loaded) now. task counts
 * the bytes of weights, found or made. */
weft_status weft__bank_weight(weft_bank *bank, weft_backend *b, const char *name, weft_layout layout, weft_dtype t,
                              uint32_t rank, const int64_t *dims, weft__task *task, weft_buf **out, weft_error *err);
weft_status weft__bank_state(weft_bank *bank, weft_backend *b, const char *name, weft_dtype t, uint32_t rank,
                             const int64_t *dims, weft_buf **out, weft_error *err);
/* Bytes that a weight (or a state, in layout 0) occupies on the device already; 0: it is not there. */
uint64_t weft__bank_has(const weft_bank *bank, const weft_backend *b, const char *name, bool state, weft_layout layout,
                        weft_dtype t, uint32_t rank, const int64_t *dims);

#endif
