/* names.h: how nodes and launches are called in messages, traces and labels. */
#ifndef WEFT_NAMES_H
#define WEFT_NAMES_H

#include "backends/contract.h"

/* "layers.3.attention.dense linear %41", for messages; returns buf. */
const char *weft__node_text(const weft_node *n, char *buf, size_t size);

#endif
