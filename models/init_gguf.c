/* init_gguf.c: see init_gguf.h. Values do not follow those of a folder with the same seed: they are made in the file's
 * order of rows, and of blocks there is a store to choose from. */
#include "models/init_gguf.h"

#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/random_init.h"
#include "models/gguf_export.h"
#include "models/gguf_values.h"

weft_status weft__init_gguf(weft_model *m, const char *path, weft_dtype dtype, uint64_t seed, float deviation,
                            const weft_progress_sink *progress, weft_error *err)
{
    size_t n;
    weft__gguf_export *e;
    weft__gguf_kv kv = { 0 };
    WEFT_TRY(weft__gguf_export_plan(m, dtype, &e, err));
    const weft__file_tensor *tensors = weft__gguf_export_tensors(e, &n);
    weft__random_pool pools[WEFT_DTYPE_COUNT] = { { .blocks = NULL } };
    weft__random_init random = { .tensors = tensors, .seed = seed, .deviation = deviation, .pools = pools };
    weft_status s = weft__gguf_export_values(e, &kv, err);
    weft__gguf_put_types(&kv, tensors, n);
    weft__gguf_write_desc d = { .path = path, .values = &kv, .tensors = tensors, .n_tensors = n,
                                .fill = weft__random_fill, .ctx = &random, .progress = progress };
    if (!s) s = weft__gguf_write(&d, err);
    for (unsigned t = 0; t < WEFT_DTYPE_COUNT; t++) free(pools[t].blocks);
    weft__gguf_kv_free(&kv);
    weft__gguf_export_free(e);
    return s;
}
