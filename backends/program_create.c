/* program_create.c: a program whose kernels are tested: schedule; test the kernels that nothing is known of; where one
 * was found wrong, schedule again, which chooses others. */
#include "backends/program.h"
#include "backends/selftest.h"

weft_status weft_program_create(const weft_graph *g, const weft_program_desc *desc, weft_program **out, weft_error *err)
{
    *out = NULL;
    for (;;) {
        const weft__schedule *s;
        bool failed;
        WEFT_TRY(weft__schedule_create(g, desc, &s, err));
        weft_status status = weft__selftest(s, desc, &failed, err);
        if (!status && !failed) return weft__program_create(s, desc, out, err);
        weft__schedule_destroy(s);
        WEFT_TRY(status);
    }
}
