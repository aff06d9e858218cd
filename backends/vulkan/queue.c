/* queue.c: the device's queue: one, with one timeline semaphore for all submissions; and what a lost device means. */
#include "backends/vulkan/vk.h"

/* ---- life ---- */

weft_status vk_queue_find(vk_backend *vk, weft_error *err)
{
    VkQueueFamilyProperties families[32];
    uint32_t n = 32, best = UINT32_MAX;
    vk->api.GetPhysicalDeviceQueueFamilyProperties(vk->physical, &n, families);
    for (uint32_t i = 0; i < n; i++) { /* a family without graphics leaves the desktop's queue alone */
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        if (best == UINT32_MAX || !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)) best = i;
    }
    if (best == UINT32_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has no compute queue", vk->properties.deviceName);
    vk->queue_family = best;
    vk->timestamp_bits = families[best].timestampValidBits;
    return WEFT_OK;
}

weft_status vk_queue_create(vk_backend *vk, weft_error *err)
{
    vk->api.GetDeviceQueue(vk->device, vk->queue_family, 0, &vk->queue);
    VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                     .queueFamilyIndex = vk->queue_family };
    VkResult r = vk->api.CreateCommandPool(vk->device, &pool, NULL, &vk->command_pool);
    if (r) return vk_fail(err, r, "vkCreateCommandPool", "%s", vk->properties.deviceName);
    VkSemaphoreTypeCreateInfo type = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE };
    VkSemaphoreCreateInfo semaphore = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type };
    r = vk->api.CreateSemaphore(vk->device, &semaphore, NULL, &vk->timeline);
    return r ? vk_fail(err, r, "vkCreateSemaphore", "%s", vk->properties.deviceName) : WEFT_OK;
}

void vk_queue_destroy(vk_backend *vk)
{
    if (vk->timeline) vk->api.DestroySemaphore(vk->device, vk->timeline, NULL);
    if (vk->command_pool) vk->api.DestroyCommandPool(vk->device, vk->command_pool, NULL);
}

/* ---- use ---- */

static weft_status check_lost(vk_backend *vk, weft_error *err)
{
    if (!vk->lost) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_DEVICE_LOST, "vulkan: %s was lost; close and open it again",
                     vk->properties.deviceName);
}

weft_status vk_submit(vk_backend *vk, const VkCommandBuffer *c, uint32_t n, uint64_t *ticket, weft_error *err)
{
    WEFT_TRY(check_lost(vk, err));
    uint64_t value = vk->submitted + 1;
    VkTimelineSemaphoreSubmitInfo timeline = { .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                               .signalSemaphoreValueCount = 1, .pSignalSemaphoreValues = &value };
    VkSubmitInfo info = { .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .pNext = &timeline, .commandBufferCount = n,
                          .pCommandBuffers = c, .signalSemaphoreCount = 1, .pSignalSemaphores = &vk->timeline };
    VkResult r = vk->api.QueueSubmit(vk->queue, 1, &info, VK_NULL_HANDLE);
    if (r == VK_ERROR_DEVICE_LOST) vk->lost = true;
    if (r) return vk_fail(err, r, "vkQueueSubmit", "%s", vk->properties.deviceName);
    *ticket = vk->submitted = value;
    return WEFT_OK;
}

weft_status vk_wait(vk_backend *vk, uint64_t ticket, weft_error *err)
{
    WEFT_TRY(check_lost(vk, err));
    VkSemaphoreWaitInfo info = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, .semaphoreCount = 1,
                                 .pSemaphores = &vk->timeline, .pValues = &ticket };
    VkResult r = vk->api.WaitSemaphores(vk->device, &info, UINT64_MAX);
    if (r == VK_ERROR_DEVICE_LOST) vk->lost = true;
    if (r) return vk_fail(err, r, "vkWaitSemaphores", "%s", vk->properties.deviceName);
    if (ticket > vk->waited) vk->waited = ticket;
    return WEFT_OK;
}

void vk_idle(vk_backend *vk)
{
    if (vk->waited == vk->submitted) return;
    vk->api.DeviceWaitIdle(vk->device);
    vk->waited = vk->submitted;
}
