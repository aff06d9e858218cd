/* queue.c: the device's queue: one, with one timeline semaphore for all submissions; and what a lost device means. */
#include "backends/vulkan/vk.h"

#include <stdio.h>

#define SPIN_SECONDS 50e-6

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

/* ---- the device is lost ---- */

static const char *address_kind(VkDeviceFaultAddressTypeEXT t)
{
    switch ((int)t) {
    case VK_DEVICE_FAULT_ADDRESS_TYPE_READ_INVALID_EXT: return "read of";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_WRITE_INVALID_EXT: return "write to";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_EXECUTE_INVALID_EXT: return "execution of";
    default: return "at";
    }
}

/* "; the driver says: page fault; read of 0xdeadb000; ring timed out (7, 9)": the first address, the driver's own first
 * words. "" where it says nothing. */
static void describe_fault(vk_backend *vk, char *out, size_t size)
{
    VkDeviceFaultCountsEXT counts = { .sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_COUNTS_EXT };
    VkDeviceFaultAddressInfoEXT address = { 0 };
    VkDeviceFaultVendorInfoEXT vendor = { 0 };
    VkDeviceFaultInfoEXT info = { .sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_INFO_EXT, .pAddressInfos = &address,
                                  .pVendorInfos = &vendor };
    PFN_vkGetDeviceFaultInfoEXT ask =
        (PFN_vkGetDeviceFaultInfoEXT)vk->api.GetDeviceProcAddr(vk->device, "vkGetDeviceFaultInfoEXT");
    *out = 0;
    if (!vk->has_fault || !ask || ask(vk->device, &counts, NULL) < 0) return;
    counts.addressInfoCount = counts.addressInfoCount > 0;
    counts.vendorInfoCount = counts.vendorInfoCount > 0;
    counts.vendorBinarySize = 0;
    if (ask(vk->device, &counts, &info) < 0) return; /* INCOMPLETE: there is more */
    size_t at = (size_t)snprintf(out, size, "; the driver says: %.80s", info.description);
    if (counts.addressInfoCount && at < size)
        at += (size_t)snprintf(out + at, size - at, "; %s 0x%llx", address_kind(address.addressType),
                               (unsigned long long)address.reportedAddress);
    if (counts.vendorInfoCount && at < size)
        snprintf(out + at, size - at, "; %.80s (%llu, %llu)", vendor.description,
                 (unsigned long long)vendor.vendorFaultCode, (unsigned long long)vendor.vendorFaultData);
}

weft_status vk_queue_fail(vk_backend *vk, VkResult r, const char *call, weft_error *err)
{
    char fault[256];
    if (r != VK_ERROR_DEVICE_LOST) return vk_fail(err, r, call, "%s", vk->properties.deviceName);
    vk->lost = true;
    describe_fault(vk, fault, sizeof fault);
    return vk_fail(err, r, call, "%.80s, %.40s %.40s, version 0x%x%s", vk->properties.deviceName,
                   vk->driver.driverName, vk->driver.driverInfo, vk->properties.driverVersion, fault);
}

static weft_status check_lost(vk_backend *vk, weft_error *err)
{
    if (!vk->lost) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_DEVICE_LOST, "vulkan: %s was lost; close and open it again",
                     vk->properties.deviceName);
}

/* ---- use ---- */

weft_status vk_submit(vk_backend *vk, const VkCommandBuffer *c, uint32_t n, uint64_t *ticket, weft_error *err)
{
    WEFT_TRY(check_lost(vk, err));
    uint64_t value = vk->submitted + 1;
    VkTimelineSemaphoreSubmitInfo timeline = { .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                               .signalSemaphoreValueCount = 1, .pSignalSemaphoreValues = &value };
    VkSubmitInfo info = { .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .pNext = &timeline, .commandBufferCount = n,
                          .pCommandBuffers = c, .signalSemaphoreCount = 1, .pSignalSemaphores = &vk->timeline };
    VkResult r = vk->api.QueueSubmit(vk->queue, 1, &info, VK_NULL_HANDLE);
    if (r) return vk_queue_fail(vk, r, "vkQueueSubmit", err);
    *ticket = vk->submitted = value;
    return WEFT_OK;
}

/* Asks for a short while whether the work is done: waking up from a real wait takes longer than much of what is waited
 * for. Not on software devices, whose work would wait for the processor that asks. */
static VkResult spin(vk_backend *vk, uint64_t ticket, bool *done)
{
    double start = weft__seconds();
    *done = false;
    if (vk->caps.type == WEFT_DEVICE_SOFTWARE) return VK_SUCCESS;
    do {
        uint64_t value = 0;
        VkResult r = vk->api.GetSemaphoreCounterValue(vk->device, vk->timeline, &value);
        if (r) return r;
        *done = value >= ticket;
    } while (!*done && weft__seconds() - start < SPIN_SECONDS);
    return VK_SUCCESS;
}

weft_status vk_wait(vk_backend *vk, uint64_t ticket, weft_error *err)
{
    WEFT_TRY(check_lost(vk, err));
    VkSemaphoreWaitInfo info = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, .semaphoreCount = 1,
                                 .pSemaphores = &vk->timeline, .pValues = &ticket };
    bool done;
    VkResult r = spin(vk, ticket, &done);
    if (!r && !done) r = vk->api.WaitSemaphores(vk->device, &info, UINT64_MAX);
    if (r) return vk_queue_fail(vk, r, "vkWaitSemaphores", err);
    if (ticket > vk->waited) vk->waited = ticket;
    return WEFT_OK;
}

void vk_idle(vk_backend *vk)
{
    if (vk->waited == vk->submitted) return;
    vk->api.DeviceWaitIdle(vk->device);
    vk->waited = vk->submitted;
}
