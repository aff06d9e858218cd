/* memory.c: device memory: which type serves which use, what is free, and one buffer per allocation.
 *
 * Three kinds of devices. Unified: host and device share memory, everything is mapped. Mapped video memory ("resizable
 * BAR"): all of it can be written by the host, reading back that way is slow. Plain: what the device works on is out of
 * the host's sight; a small host-visible window into it does not count, since it soon spills into system memory. */
#include "backends/process_memory.h"
#include "backends/vulkan/vk.h"

#include <string.h>
#include <unistd.h>

enum {
    LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
    VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
    COHERENT = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT
};

/* ---- kinds ---- */

static uint64_t largest_heap(const VkPhysicalDeviceMemoryProperties *m, uint32_t flags)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < m->memoryTypeCount; i++) {
        uint64_t size = m->memoryHeaps[m->memoryTypes[i].heapIndex].size;
        if ((m->memoryTypes[i].propertyFlags & flags) == flags && size > largest) largest = size;
    }
    return largest;
}

void vk_memory_classify(vk_backend *vk)
{
    uint64_t all = largest_heap(&vk->memory, LOCAL), window = largest_heap(&vk->memory, LOCAL | VISIBLE);
    bool shared = vk->facts.type == WEFT_DEVICE_INTEGRATED || vk->facts.type == WEFT_DEVICE_SOFTWARE;
    vk->mapped = !vk->options.staging && window && window >= all / 10 * 9;
    vk->unified = vk->mapped && shared;
}

static uint64_t system_memory(void)
{
    return weft__process_memory("");
}

/* The heaps of software drivers are not what they say; the memory of the process is the limit there. */
uint64_t vk_memory_free(const vk_backend *vk)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT };
    VkPhysicalDeviceMemoryProperties2 p = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                            .pNext = &budget };
    uint64_t largest = 0, have = 0;
    if (vk->has_budget) vk->api.GetPhysicalDeviceMemoryProperties2(vk->physical, &p);
    for (uint32_t i = 0; i < vk->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *h = &vk->memory.memoryHeaps[i];
        if (!(h->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) || h->size <= largest) continue;
        largest = h->size;
        have = h->size / 10 * 8;
        if (vk->has_budget && budget.heapBudget[i])
            have = budget.heapBudget[i] > budget.heapUsage[i] ? budget.heapBudget[i] - budget.heapUsage[i] : 0;
    }
    if (vk->facts.type == WEFT_DEVICE_SOFTWARE) have = system_memory() / 10 * 8;
    if (!vk->options.memory) return have;
    uint64_t left = vk->options.memory > vk->allocated ? vk->options.memory - vk->allocated : 0;
    return left < have ? left : have;
}

/* ---- types ---- */

/* The first type of those allowed with all flags of `need`, most of `like` and none of `avoid` if possible. */
static uint32_t find_type(const vk_backend *vk, uint32_t allowed, uint32_t need, uint32_t like, uint32_t avoid)
{
    uint32_t best = UINT32_MAX;
    int best_score = -100;
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
        uint32_t flags = vk->memory.memoryTypes[i].propertyFlags;
        if (!(allowed >> i & 1) || (flags & need) != need || flags & ~(uint32_t)(LOCAL | VISIBLE | COHERENT | CACHED))
            continue;
        int score = 4 * __builtin_popcount(flags & like) - __builtin_popcount(flags & avoid);
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

static uint32_t type_for(const vk_backend *vk, uint32_t allowed, vk_memory_use use)
{
    uint32_t type;
    switch (use) {
    case VK_MEMORY_UPLOAD: return find_type(vk, allowed, VISIBLE, COHERENT, LOCAL | CACHED);
    case VK_MEMORY_READBACK: return find_type(vk, allowed, VISIBLE, CACHED | COHERENT, LOCAL);
    case VK_MEMORY_WEIGHTS:
    case VK_MEMORY_ARENA: break;
    }
    if (vk->mapped) {
        type = find_type(vk, allowed, LOCAL | VISIBLE, COHERENT | (vk->unified ? CACHED : 0), 0);
        if (type != UINT32_MAX) return type;
    }
    type = find_type(vk, allowed, LOCAL, 0, VISIBLE);
    return type != UINT32_MAX ? type : find_type(vk, allowed, 0, 0, VISIBLE);
}

/* ---- blocks ---- */

static weft_status create_buffer(vk_backend *vk, vk_block *b, weft_error *err)
{
    VkBufferCreateInfo info = { .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = b->bytes,
                                .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                                         VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT };
    VkResult r = vk->api.CreateBuffer(vk->device, &info, NULL, &b->buffer);
    return r ? vk_fail(err, r, "vkCreateBuffer", "%llu bytes", (unsigned long long)b->bytes) : WEFT_OK;
}

static weft_status allocate(vk_backend *vk, vk_memory_use use, vk_block *b, weft_error *err)
{
    VkMemoryRequirements need;
    vk->api.GetBufferMemoryRequirements(vk->device, b->buffer, &need);
    uint32_t type = type_for(vk, need.memoryTypeBits, use);
    if (type == UINT32_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has no memory type for a buffer",
                         vk->properties.deviceName);
    VkMemoryAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = need.size,
                                  .memoryTypeIndex = type };
    VkResult r = vk->api.AllocateMemory(vk->device, &info, NULL, &b->memory);
    if (r) return vk_fail(err, r, "vkAllocateMemory", "%llu bytes", (unsigned long long)need.size);
    vk->allocations++;
    vk->allocated += b->bytes;
    r = vk->api.BindBufferMemory(vk->device, b->buffer, b->memory, 0);
    if (r) return vk_fail(err, r, "vkBindBufferMemory", "%llu bytes", (unsigned long long)need.size);
    uint32_t flags = vk->memory.memoryTypes[type].propertyFlags;
    bool map = (use == VK_MEMORY_UPLOAD || use == VK_MEMORY_READBACK || vk->mapped) && (flags & VISIBLE);
    b->coherent = flags & COHERENT;
    if (!map) return WEFT_OK;
    void *at;
    r = vk->api.MapMemory(vk->device, b->memory, 0, VK_WHOLE_SIZE, 0, &at);
    if (r) return vk_fail(err, r, "vkMapMemory", "%llu bytes", (unsigned long long)need.size);
    b->mapped = at;
    return WEFT_OK;
}

weft_status vk_block_create(vk_backend *vk, uint64_t bytes, vk_memory_use use, vk_block *out, weft_error *err)
{
    *out = (vk_block){ .bytes = (bytes + 255) / 256 * 256 };
    if (!out->bytes) out->bytes = 256;
    if (out->bytes > vk->facts.max_allocation)
        return WEFT_FAIL(err, WEFT_LIMIT, "vulkan: %s allocates at most %llu bytes at once, not %llu",
                         vk->properties.deviceName, (unsigned long long)vk->facts.max_allocation,
                         (unsigned long long)out->bytes);
    weft_status s = create_buffer(vk, out, err);
    if (!s) s = allocate(vk, use, out, err);
    if (s) vk_block_destroy(vk, out);
    return s;
}

void vk_block_destroy(vk_backend *vk, vk_block *b)
{
    if (b->buffer) vk_idle(vk);
    if (b->buffer) vk->api.DestroyBuffer(vk->device, b->buffer, NULL);
    if (b->memory) {
        vk->api.FreeMemory(vk->device, b->memory, NULL);
        vk->allocated -= b->bytes;
    }
    *b = (vk_block){ 0 };
}

/* ---- memory that is not coherent ---- */

/* Ranges are widened to nonCoherentAtomSize, and to the end where they come near it. */
static VkMappedMemoryRange atoms(const vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n)
{
    uint64_t atom = vk->properties.limits.nonCoherentAtomSize, first = offset / atom * atom;
    uint64_t size = (offset + n - first + atom - 1) / atom * atom;
    return (VkMappedMemoryRange){ .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, .memory = b->memory, .offset = first,
                                  .size = first + size >= b->bytes ? VK_WHOLE_SIZE : size };
}

weft_status vk_flush(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n, weft_error *err)
{
    if (b->coherent || !n) return WEFT_OK;
    VkMappedMemoryRange range = atoms(vk, b, offset, n);
    VkResult r = vk->api.FlushMappedMemoryRanges(vk->device, 1, &range);
    return r ? vk_fail(err, r, "vkFlushMappedMemoryRanges", "%llu bytes", (unsigned long long)n) : WEFT_OK;
}

weft_status vk_invalidate(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n, weft_error *err)
{
    if (b->coherent || !n) return WEFT_OK;
    VkMappedMemoryRange range = atoms(vk, b, offset, n);
    VkResult r = vk->api.InvalidateMappedMemoryRanges(vk->device, 1, &range);
    return r ? vk_fail(err, r, "vkInvalidateMappedMemoryRanges", "%llu bytes", (unsigned long long)n) : WEFT_OK;
}
