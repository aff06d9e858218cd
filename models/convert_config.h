/* convert_config.h: the small files of a folder that a model is written to. */
#ifndef WEFT_CONVERT_CONFIG_H
#define WEFT_CONVERT_CONFIG_H

#include "models/checkpoint/writer.h"
#include "models/model.h"

enum { WEFT__CONVERT_TEXTS = 12 };

typedef struct weft__convert_texts {
    weft__write_text list[WEFT__CONVERT_TEXTS];
    size_t n;
} weft__convert_texts;

/* Those that the model has: in its folder, or in the GGUF file that was made of one. A config.json that is nowhere is
 * made of what the model's definition was told. UNSUPPORTED: a setting that no config.json can have; IO, OOM. Free
 * them. */
WEFT_MUST_USE weft_status weft__convert_texts_make(const weft_model *m, weft__convert_texts *out, weft_error *err);
void weft__convert_texts_free(weft__convert_texts *t);

#endif
