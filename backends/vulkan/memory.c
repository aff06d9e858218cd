/* memory.c: device memory: which types serve which use, what is free, and blocks: a buffer each, in memory of slabs.c.
 *
 * Weights and activations lie in the device's own memory. Where the host sees (nearly) all of that, they are written
 * in place: on devices that share the host's memory, and on cards whose whole memory it can write ("resizable BAR"). A
 * small host-visible window does not count: it soon spills into system memory. Being seen is not being read: unless
 * the type is cached, every load of the host goes to the device. So blocks are read in place only where their type is
 * cached (or the device has no cached type at all), everywhere else through staging memory that is.
 *
 * Where the best type has no room left the next one is taken, at last the host's own memory. */
#include "backends/vulkan/vk.h"

#include "backends/process_memory.h"

#include <string.h>

enum {
    LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
    VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
    COHERENT = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT
};

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
    vk->in_place = !vk->options.staging && window && window >= all / 10 * 9;
}

bool vk_shares_memory(const vk_backend *vk)
{
    return vk->caps.type == WEFT_DEVICE_INTEGRATED || vk->caps.type == WEFT_DEVICE_SOFTWARE;
}

static bool usable(uint32_t flags)
{
    return !(flags & ~(uint32_t)(LOCAL | VISIBLE | COHERENT | CACHED));
}

/* ---- what is free ---- */

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* A budget is what it says, also where it is nothing, or less than what is used; but no heap has more than its size.
 * Without one, most of the heap is taken to be there. Slabs count as used as far as blocks lie in them. */
static uint64_t heap_left(const vk_backend *vk, const VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget, uint32_t heap)
{
    uint64_t size = vk->memory.memoryHeaps[heap].size, all = size / 10 * 8, used = vk->heap_used[heap];
    if (vk->has_budget) {
        all = budget->heapBudget[heap] < size ? budget->heapBudget[heap] : size;
        used = budget->heapUsage[heap];
    }
    return less(all, used) + vk_slabs_free(vk, heap);
}

/* Of a card the largest heap of its own counts; a device that shares the host's memory has all heaps that it can use,
 * whatever its driver calls local. */
static bool heap_counts(const vk_backend *vk, uint32_t heap, uint32_t largest)
{
    if (heap == largest || !vk_shares_memory(vk)) return heap == largest;
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
        uint32_t flags = vk->memory.memoryTypes[i].propertyFlags;
        if (vk->memory.memoryTypes[i].heapIndex == heap && usable(flags) && flags & (LOCAL | VISIBLE)) return true;
    }
    return false;
}

/* The heaps of software drivers are not what they say; the memory of the process is the limit there. */
uint64_t vk_memory_free(const vk_backend *vk)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT };
    VkPhysicalDeviceMemoryProperties2 p = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                            .pNext = &budget };
    uint64_t have = 0;
    uint32_t largest = UINT32_MAX;
    if (vk->has_budget) vk->api.GetPhysicalDeviceMemoryProperties2(vk->physical, &p);
    for (uint32_t i = 0; i < vk->memory.memoryHeapCount; i++)
        if (vk->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT &&
            (largest == UINT32_MAX || vk->memory.memoryHeaps[i].size > vk->memory.memoryHeaps[largest].size))
            largest = i;
    for (uint32_t i = 0; i < vk->memory.memoryHeapCount; i++)
        if (heap_counts(vk, i, largest)) have += heap_left(vk, &budget, i);
    if (vk->caps.type == WEFT_DEVICE_SOFTWARE) have = less(weft__process_memory("") / 10 * 8, vk->allocated);
    if (!vk->options.memory) return have;
    uint64_t left = less(vk->options.memory, vk->allocated);
    return left < have ? left : have;
}

/* ---- types ---- */

/* How well a type serves: the more the better, below 0 not at all. A score is made of powers of two, the most important
 * first. */
static int score(const vk_backend *vk, uint32_t flags, vk_memory_use use)
{
    bool local = flags & LOCAL, visible = flags & VISIBLE, coherent = flags & COHERENT, cached = flags & CACHED;
    switch (use) {
    case VK_MEMORY_UPLOAD: return visible ? 4 * coherent + 2 * !cached + !local : -1;
    case VK_MEMORY_READBACK: return visible ? 4 * cached + 2 * coherent + !local : -1;
    case VK_MEMORY_WEIGHTS:
    case VK_MEMORY_ARENA: break;
    }
    if (!local) return visible ? 2 * coherent + !cached : -1;
    if (!vk->in_place) return 16 + 8 * !visible;
    return 16 + 8 * visible + 4 * coherent + 2 * (cached && vk_shares_memory(vk));
}

/* The types of `allowed` that serve, best first, of equals the first. */
static uint32_t rank_types(const vk_backend *vk, uint32_t allowed, vk_memory_use use, uint32_t *out)
{
    int scores[VK_MAX_MEMORY_TYPES];
    uint32_t n = 0;
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
        uint32_t flags = vk->memory.memoryTypes[i].propertyFlags, at;
        int own = usable(flags) && allowed >> i & 1 ? score(vk, flags, use) : -1;
        if (own < 0) continue;
        for (at = n++; at && scores[at - 1] < own; at--) {
            scores[at] = scores[at - 1];
            out[at] = out[at - 1];
        }
        scores[at] = own;
        out[at] = i;
    }
    return n;
}

static bool has_cached_type(const vk_backend *vk)
{
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++)
        if (usable(vk->memory.memoryTypes[i].propertyFlags) && vk->memory.memoryTypes[i].propertyFlags & CACHED)
            return true;
    return false;
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

/* Memory of one type. Blocks that are not coherent own the atoms that are flushed for them. */
static VkResult take_type(vk_backend *vk, const VkMemoryRequirements *need, uint32_t type, vk_memory_use use,
                          vk_block *b)
{
    uint32_t flags = vk->memory.memoryTypes[type].propertyFlags;
    bool staging = use == VK_MEMORY_UPLOAD || use == VK_MEMORY_READBACK;
    bool map = flags & VISIBLE && (staging || vk->in_place || (!(flags & LOCAL) && !vk->options.staging));
    uint64_t align = need->alignment > 256 ? need->alignment : 256, atom = vk->properties.limits.nonCoherentAtomSize;
    if (!(flags & COHERENT) && map && atom > align) align = atom;
    VkResult r = vk_slabs_take(vk, (need->size + align - 1) / align * align, align, type, map, b);
    if (r) return r;
    b->coherent = flags & COHERENT;
    b->writable = map;
    b->readable = map && (flags & CACHED || !has_cached_type(vk));
    b->spilled = !staging && !(flags & LOCAL) && !vk_shares_memory(vk);
    return VK_SUCCESS;
}

static weft_status allocate(vk_backend *vk, vk_memory_use use, vk_block *b, weft_error *err)
{
    VkMemoryRequirements need;
    uint32_t types[VK_MAX_MEMORY_TYPES];
    vk->api.GetBufferMemoryRequirements(vk->device, b->buffer, &need);
    uint32_t n = rank_types(vk, need.memoryTypeBits, use, types);
    VkResult r = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (!n)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has no memory type for a buffer",
                         vk->properties.deviceName);
    for (uint32_t i = 0; i < n && r == VK_ERROR_OUT_OF_DEVICE_MEMORY; i++) r = take_type(vk, &need, types[i], use, b);
    if (r == VK_ERROR_TOO_MANY_OBJECTS)
        return WEFT_FAIL(err, WEFT_LIMIT, "vulkan: %s allows %u allocations of memory (maxMemoryAllocationCount), and "
                         "all are in use", vk->properties.deviceName,
                         vk->properties.limits.maxMemoryAllocationCount);
    if (r) return vk_fail(err, r, "vkAllocateMemory", "%llu bytes", (unsigned long long)need.size);
    vk->allocated += b->bytes;
    vk->spilled += b->spilled ? b->bytes : 0;
    r = vk->api.BindBufferMemory(vk->device, b->buffer, b->memory, b->offset);
    return r ? vk_fail(err, r, "vkBindBufferMemory", "%llu bytes", (unsigned long long)need.size) : WEFT_OK;
}

weft_status vk_block_create(vk_backend *vk, uint64_t bytes, vk_memory_use use, vk_block *out, weft_error *err)
{
    *out = (vk_block){ .bytes = (bytes + 255) / 256 * 256 };
    if (!out->bytes) out->bytes = 256;
    if (out->bytes > vk->caps.max_allocation)
        return WEFT_FAIL(err, WEFT_LIMIT, "vulkan: %s allocates at most %llu bytes at once, not %llu",
                         vk->properties.deviceName, (unsigned long long)vk->caps.max_allocation,
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
    if (b->slab) {
        vk->allocated -= b->bytes;
        vk->spilled -= b->spilled ? b->bytes : 0;
        vk_slabs_give(vk, b);
    } else if (b->memory) { /* imported */
        vk->api.FreeMemory(vk->device, b->memory, NULL);
        vk->n_allocations--;
    }
    *b = (vk_block){ 0 };
}

/* ---- memory that is not coherent ---- */

/* Ranges are widened to nonCoherentAtomSize, and to the end of the memory where they come near it. */
static VkMappedMemoryRange atoms(const vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n)
{
    uint64_t atom = vk->properties.limits.nonCoherentAtomSize, at = b->offset + offset, first = at / atom * atom;
    uint64_t size = (at + n - first + atom - 1) / atom * atom;
    return (VkMappedMemoryRange){ .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, .memory = b->memory, .offset = first,
                                  .size = first + size >= vk_slabs_bytes(b) ? VK_WHOLE_SIZE : size };
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
