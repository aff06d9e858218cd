/* shaders.h: the embedded SPIR-V modules, one per row of shaders/modules.def. */
#ifndef GPU_SHADERS_H
#define GPU_SHADERS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum weft_shader_id {
#define WEFT_SHADER(id, file, arguments) WEFT_SHADER_##id,
#include "shaders/modules.def"
#undef WEFT_SHADER
    WEFT_SHADER_COUNT
} weft_shader_id;

typedef struct weft_shader {
    const char *name;
    const uint32_t *code;
    uint32_t n_words; /* 0: left out of the build */
    bool in_place;    /* made for results that may be the first operand's bytes */
} weft_shader;
extern const weft_shader weft__shaders[WEFT_SHADER_COUNT];

#endif
