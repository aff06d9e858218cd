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
/* Working memory of at least `bytes` on a device, for programs that run in turn: the largest that there is, or, where
 * that is too small, a new piece beside it. */
weft_status weft__states_arena(weft_states *s, weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err);
/* Bytes of the largest; 0: none. */
uint64_t weft__states_arena_have(const weft_states *s, const weft_backend *b);

#endif
