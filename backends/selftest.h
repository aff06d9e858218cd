/* selftest.h: what scheduling needs of the self-test. */
#ifndef WEFT_SELFTEST_H
#define WEFT_SELFTEST_H

#include "backends/program.h"
#include "graph/convert.h"

enum { WEFT_MAX_PROBE_NODES = 32 };

/* Tests the kernels that a placed program wants and whose verdict is not known. *failed: some were found wrong, and the
 * program must be placed again. */
weft_status weft__selftest(weft_program *p, bool *failed, weft_error *err);
/* A program on one device that is not tested itself. */
weft_status weft__program_create_probe(const weft_graph *g, weft_backend *b, bool exact, weft_progress_sink progress,
                                       weft_program **out, weft_error *err);
void weft__program_unload(weft_program *p);

#endif
