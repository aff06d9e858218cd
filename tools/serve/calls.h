/* calls.h: calls of tools in what a model writes. */
#ifndef WEFT_SERVE_CALLS_H
#define WEFT_SERVE_CALLS_H

#include <jansson.h>
#include <stddef.h>

/* Where the first call begins in a text, or what may become one; n: nowhere. */
size_t calls_begin(const char *text, size_t n);
/* The calls of a text that begins with one and has nothing else, as OpenAI's `tool_calls`; NULL: it is no such text. */
json_t *calls_read(const char *text, size_t n, const char *id);

#endif
