/* used.h: the pipelines that programs make on a device, found by planning models and self-tests that are not loaded. */
#ifndef TEST_VULKAN_USED_H
#define TEST_VULKAN_USED_H

#include "backends/vulkan/exec.h"

typedef struct used_pipeline {
    vk_pipeline_key key;
    char kernel[48], constants[80]; /* as the placement names it; its specialization constants */
    char where[64];                 /* the first program that uses it: "pythia-1.4b, 512 tokens" */
} used_pipeline;

typedef struct used_list {
    used_pipeline *items;
    size_t n, cap;
} used_list;

/* Every pipeline once: of the models in models/configs/ in every weight format, at the bounds of decoding and prompts,
 * and of the self-test. b: a Vulkan device. */
weft_status used_collect(weft_backend *b, used_list *out, weft_error *err);

#endif
