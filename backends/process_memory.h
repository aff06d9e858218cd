/* process_memory.h: what the processor's backend, and GPU drivers that are the processor, have for memory. */
#ifndef WEFT_PROCESS_MEMORY_H
#define WEFT_PROCESS_MEMORY_H

#include "graph/base.h"

/* Bytes that this process can have, at least 1; 0: unknown. `root` is "", or a folder with a test's /proc and /sys. */
uint64_t weft__process_memory(const char *root);
/* Of a spec's memory=BYTES: "512", "3G" (K, M, G), a number of bytes above 0; false if it is none. */
bool weft__parse_bytes(const char *text, uint64_t *out);

#endif
