/* selftest.h: what creating programs needs of the self-test. */
#ifndef WEFT_SELFTEST_H
#define WEFT_SELFTEST_H

#include "backends/schedule.h"

enum { WEFT_MAX_PROBE_NODES = 32 };

/* Tests the kernels that a schedule wants and whose verdict is not known, on the devices of the desc that it was made
 * from. *failed: some were found wrong; scheduling again chooses others. */
weft_status weft__selftest(const weft__schedule *sch, const weft_program_desc *desc, bool *failed, weft_error *err);

#endif
