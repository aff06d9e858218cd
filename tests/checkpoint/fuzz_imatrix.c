/* fuzz_imatrix.c: any bytes as a file of importance. What is accepted is numbers for whichever tensor is asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/quantize/importance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tensor(const weft__importance *i, const weft__file_tensor *t, uint64_t matrices)
{
    static float out[4096];
    bool found;
    weft_error err;
    for (uint64_t k = 0; k < matrices; k++) {
        if (weft__importance_read(i, t, k, out, &found, &err)) return;
        for (uint64_t c = 0; found && c < t->dims[t->rank - 1]; c++)
            if (!isfinite(out[c]) || out[c] < 0) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__importance *i;
    weft_error err;
    if (weft__importance_parse(data, size, "fuzz", &i, &err)) return 0;
    for (uint64_t columns = 1; columns <= 4096; columns *= 2) {
        weft__file_tensor t = { .name = "a", .rank = 2, .dims = { 3, columns } };
        read_tensor(i, &t, 1);
        t = (weft__file_tensor){ .name = "a", .rank = 3, .dims = { 3, 2, columns } };
        read_tensor(i, &t, 3);
    }
    weft__importance_close(i);
    return 0;
}
