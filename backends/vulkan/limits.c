/* limits.c: what every kernel needs of a device. One that has less is refused by the limit's name, before anything is
 * undefined. Limits that only some kernels or tensors meet are caps (kernel.h). */
#include "backends/vulkan/vk.h"

/* X(limit, what is needed): the layout of the one descriptor set (shaders/params.h), its parameter blocks, and the
 * least that Vulkan promises of workgroups, on which kernels count. */
#define LIMITS(X)                                                            \
    X(maxBoundDescriptorSets, 1)                                             \
    X(maxPerStageDescriptorStorageBuffers, WEFT_MAX_IN + WEFT_MAX_OUT)       \
    X(maxDescriptorSetStorageBuffers, WEFT_MAX_IN + WEFT_MAX_OUT)            \
    X(maxPerStageDescriptorUniformBuffers, 2)                                \
    X(maxDescriptorSetUniformBuffers, 2)                                     \
    X(maxPerStageResources, WEFT_MAX_IN + WEFT_MAX_OUT + 2)                  \
    X(maxUniformBufferRange, sizeof(weft_params))                            \
    X(maxComputeWorkGroupCount[0], 65535)                                    \
    X(maxComputeWorkGroupCount[1], 65535)                                    \
    X(maxComputeWorkGroupCount[2], 65535)                                    \
    X(maxComputeWorkGroupInvocations, 128)                                   \
    X(maxComputeSharedMemorySize, 16384)

weft_status vk_limits_check(const vk_backend *vk, weft_error *err)
{
    const VkPhysicalDeviceLimits *l = &vk->properties.limits;
#define X(limit, need)                                                                                          \
    if (l->limit < (need))                                                                                      \
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has %s %llu; %llu are needed",                      \
                         vk->properties.deviceName, #limit, (unsigned long long)l->limit, (unsigned long long)(need));
    LIMITS(X)
#undef X
    return WEFT_OK;
}
