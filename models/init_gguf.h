/* init_gguf.h: a random model as a GGUF file. */
#ifndef WEFT_INIT_GGUF_H
#define WEFT_INIT_GGUF_H

#include "models/model.h"

/* m has no files. Its matrices have type dtype, where their rows are whole blocks of it, else q8_0 or f16. */
weft_status weft__init_gguf(weft_model *m, const char *path, weft_dtype dtype, uint64_t seed, float deviation,
                            const weft_progress_sink *progress, weft_error *err);

#endif
