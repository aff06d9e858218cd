/* states.h: the part of states that programs use. */
#ifndef WEFT_STATES_H
#define WEFT_STATES_H

#include "backends/contract.h"

/* The storage of a state on a device: found by name, or made now, zeroed. INVALID: one of that name has another type or
 * shape, or is on another device. */
weft_status weft__states_get(weft_states *s, weft_backend *b, const char *name, weft_dtype t, uint32_t rank,
                            const int64_t *dims, weft_buf **out, weft_error *err);
/* Bytes that it occupies on the device already; 0: it is not there. */
uint64_t weft__states_have(const weft_states *s, const weft_backend *b, const char *name);

#endif
