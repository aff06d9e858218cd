/* dump.h: the parts of the document of docs/dump-format.md that this folder writes. */
#ifndef WEFT_BACKENDS_DUMP_H
#define WEFT_BACKENDS_DUMP_H

#include "backends/program.h"
#include "graph/dump.h"

/* An element of "devices"; roof NULL: not measured. */
void weft__json_device(weft__json *j, uint32_t index, const weft_backend *b, const weft_roof *roof);
/* The stage "planned". */
void weft__json_planned(weft__json *j, const weft_program *p, const int64_t *values);
/* "plan": steps, alias sets and memory. */
weft_status weft__json_plan(weft__json *j, const weft_program *p, weft_error *err);

#endif
