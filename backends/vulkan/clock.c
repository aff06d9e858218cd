/* clock.c: the device's clock: whether it has one, its timestamps, their ticks. times.c and roof.c read it. */
#include "backends/vulkan/vk.h"

#include <stdio.h>

/* ---- beside the host's ---- */

static PFN_vkVoidFunction find_function(vk_backend *vk, const char *stem, bool of_device)
{
    char name[80];
    snprintf(name, sizeof name, "%s%s", stem, vk->calibration);
    return of_device ? vk->api.GetDeviceProcAddr(vk->device, name) : vk->api.GetInstanceProcAddr(vk->instance, name);
}

weft_status vk_clock_create(vk_backend *vk, weft_error *err)
{
    VkTimeDomainEXT domains[8];
    uint32_t n = sizeof domains / sizeof *domains, found = 0;
    if (!vk->calibration) return WEFT_OK;
    PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT list = (PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT)
        find_function(vk, "vkGetPhysicalDeviceCalibrateableTimeDomains", false);
    if (!list) return WEFT_OK;
    VkResult r = list(vk->physical, &n, domains);
    if (r < 0) return vk_fail(err, r, "vkGetPhysicalDeviceCalibrateableTimeDomains", "%s", vk->properties.deviceName);
    for (uint32_t i = 0; i < n; i++)
        found += domains[i] == VK_TIME_DOMAIN_DEVICE_EXT || domains[i] == VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT;
    if (found == 2)
        vk->calibrated_timestamps =
            (PFN_vkGetCalibratedTimestampsEXT)find_function(vk, "vkGetCalibratedTimestamps", true);
    return WEFT_OK;
}

/* ---- timestamps ---- */

bool vk_has_timestamps(const vk_backend *vk)
{
    return vk->timestamp_bits && vk->properties.limits.timestampPeriod > 0;
}

double vk_ticks_between(const vk_backend *vk, uint64_t since, uint64_t t)
{
    uint64_t mask = vk->timestamp_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << vk->timestamp_bits) - 1;
    uint64_t ticks = (t - since) & mask;
    return ticks > mask / 2 ? 0 : (double)ticks;
}

weft_status vk_stamps_create(vk_backend *vk, uint32_t n, VkQueryPool *out, weft_error *err)
{
    VkQueryPoolCreateInfo info = { .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                   .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = n };
    VkResult r = vk->api.CreateQueryPool(vk->device, &info, NULL, out);
    return r ? vk_fail(err, r, "vkCreateQueryPool", "%u timestamps", n) : WEFT_OK;
}

void vk_stamp(const vk_backend *vk, VkCommandBuffer c, VkQueryPool stamps, uint32_t i, bool after)
{
    vk->api.CmdWriteTimestamp(c, after ? VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT : VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                              stamps, i);
}

weft_status vk_stamps_read(vk_backend *vk, VkQueryPool stamps, uint32_t n, uint64_t *out, weft_error *err)
{
    VkResult r = vk->api.GetQueryPoolResults(vk->device, stamps, 0, n, n * sizeof *out, out, sizeof *out,
                                             VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    return r ? vk_queue_fail(vk, r, "vkGetQueryPoolResults", err) : WEFT_OK;
}
