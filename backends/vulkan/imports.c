/* imports.c: the host's memory as the device's (VK_EXT_external_memory_host). On devices that share the host's memory,
 * and only where the option import=1 asks for it, a weight that lies in a mapped file as the device wants it is read
 * there: it is not copied, and processes share its pages. Only whole pages can be imported, so a block has those that a
 * weight lies in, too. Whatever a driver refuses is copied as everywhere else: some do not pin pages of files, or none
 * that may only be read. */
#include "backends/vulkan/vk.h"

#include <unistd.h>

#define HOST VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT
enum { USAGE = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT };

static bool importable(const vk_backend *vk)
{
    VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO, .usage = USAGE, .handleType = HOST };
    VkExternalBufferProperties p = { .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES };
    vk->api.GetPhysicalDeviceExternalBufferProperties(vk->physical, &info, &p);
    VkExternalMemoryFeatureFlags f = p.externalMemoryProperties.externalMemoryFeatures;
    return f & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT && !(f & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
}

/* Pages of the device that are larger than the system's would reach beyond what is mapped. */
void vk_imports_find(vk_backend *vk)
{
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT };
    VkPhysicalDeviceProperties2 p = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &host };
    const uint64_t system = (uint64_t)sysconf(_SC_PAGESIZE);
    vk->import_pages = 0;
    if (!vk->has_import || !vk_shares_memory(vk) || !importable(vk)) return;
    vk->api.GetPhysicalDeviceProperties2(vk->physical, &p);
    uint64_t pages = host.minImportedHostPointerAlignment;
    if (pages && pages <= system && !(pages & (pages - 1))) vk->import_pages = pages;
}

static VkResult create_buffer(vk_backend *vk, vk_block *b)
{
    VkExternalMemoryBufferCreateInfo host = { .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                              .handleTypes = HOST };
    VkBufferCreateInfo info = { .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = &host, .size = b->bytes,
                                .usage = USAGE };
    return vk->api.CreateBuffer(vk->device, &info, NULL, &b->buffer);
}

/* The first type that the pages can be, and the buffer lie in. */
static bool find_type(vk_backend *vk, const vk_block *b, uint32_t *type)
{
    VkMemoryHostPointerPropertiesEXT p = { .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT };
    VkMemoryRequirements need;
    vk->api.GetBufferMemoryRequirements(vk->device, b->buffer, &need);
    if (need.size > b->bytes) return false;
    if (vk->api.GetMemoryHostPointerPropertiesEXT(vk->device, HOST, b->host, &p)) return false;
    for (*type = 0; *type < vk->memory.memoryTypeCount; ++*type)
        if (p.memoryTypeBits & need.memoryTypeBits & 1u << *type) return true;
    return false;
}

static bool take_pages(vk_backend *vk, vk_block *b)
{
    VkImportMemoryHostPointerInfoEXT host = { .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
                                              .handleType = HOST, .pHostPointer = b->host };
    VkMemoryAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &host,
                                  .allocationSize = b->bytes };
    if (create_buffer(vk, b) || !find_type(vk, b, &info.memoryTypeIndex)) return false;
    if (vk->api.AllocateMemory(vk->device, &info, NULL, &b->memory)) {
        b->memory = VK_NULL_HANDLE;
        return false;
    }
    vk->allocations++;
    vk->n_allocations++;
    return !vk->api.BindBufferMemory(vk->device, b->buffer, b->memory, 0);
}

bool vk_block_import(vk_backend *vk, const void *data, uint64_t bytes, vk_block *out, uint64_t *at)
{
    const uint64_t pages = vk->import_pages;
    *at = (uintptr_t)data & (pages - 1);
    *out = (vk_block){ .bytes = (*at + bytes + pages - 1) / pages * pages, .coherent = true, .readable = true,
                       .host = (unsigned char *)(uintptr_t)data - *at };
    /* the other half of what a driver allows is for everything else */
    bool room = vk->n_allocations < vk->properties.limits.maxMemoryAllocationCount / 2;
    if (bytes && room && *at % vk->caps.alignment == 0 && out->bytes <= vk->caps.max_allocation && take_pages(vk, out))
        return true;
    vk_block_destroy(vk, out);
    return false;
}
