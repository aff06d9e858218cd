/* slabs.c: device memory in large pieces. Some drivers allow 4096 allocations, and most pay for each in every submit,
 * so blocks share slabs of one memory type. Slabs start small and grow with what they have taken in; a block larger
 * than half a slab gets an allocation of its own. A slab goes when its last block does. */
#include "backends/vulkan/vk.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST_SLAB = 16 << 20, LARGEST_SLAB = 256 << 20 };

typedef struct hole { uint64_t at, bytes; } hole;

struct vk_slab {
    struct vk_slab *next;
    VkDeviceMemory memory;
    uint32_t type;
    uint64_t bytes, used;
    unsigned char *host; /* NULL: not mapped */
    hole *holes;         /* what is free, in order; neighbours do not touch */
    uint32_t n_holes, n_blocks;
    size_t cap;
};

/* ---- holes ---- */

/* A slab has room for one hole more than its blocks can leave, so that giving back cannot fail. */
static bool reserve_holes(struct vk_slab *s)
{
    return weft__grow(&s->holes, &s->cap, s->n_blocks + 2, sizeof *s->holes);
}

static void insert_hole(struct vk_slab *s, uint32_t i, hole h)
{
    memmove(s->holes + i + 1, s->holes + i, (s->n_holes - i) * sizeof *s->holes);
    s->holes[i] = h;
    s->n_holes++;
}

static void remove_hole(struct vk_slab *s, uint32_t i)
{
    s->n_holes--;
    memmove(s->holes + i, s->holes + i + 1, (s->n_holes - i) * sizeof *s->holes);
}

/* The first place that fits. `bytes` and `align` are such that holes begin and end at multiples of 256. */
static bool take(struct vk_slab *s, uint64_t bytes, uint64_t align, uint64_t *at)
{
    for (uint32_t i = 0; i < s->n_holes; i++) {
        hole h = s->holes[i];
        uint64_t first = (h.at + align - 1) / align * align, before = first - h.at;
        if (before > h.bytes || h.bytes - before < bytes) continue;
        hole after = { first + bytes, h.bytes - before - bytes };
        if (before && after.bytes) insert_hole(s, i + 1, after);
        if (before) s->holes[i].bytes = before;
        else if (after.bytes) s->holes[i] = after;
        else remove_hole(s, i);
        s->used += bytes;
        s->n_blocks++;
        *at = first;
        return true;
    }
    return false;
}

static void give(struct vk_slab *s, uint64_t at, uint64_t bytes)
{
    uint32_t i = 0;
    while (i < s->n_holes && s->holes[i].at < at) i++;
    bool left = i && s->holes[i - 1].at + s->holes[i - 1].bytes == at;
    bool right = i < s->n_holes && at + bytes == s->holes[i].at;
    s->used -= bytes;
    s->n_blocks--;
    if (left) {
        s->holes[i - 1].bytes += bytes + (right ? s->holes[i].bytes : 0);
        if (right) remove_hole(s, i);
    } else if (right) {
        s->holes[i] = (hole){ at, bytes + s->holes[i].bytes };
    } else {
        insert_hole(s, i, (hole){ at, bytes });
    }
}

/* ---- slabs ---- */

static uint32_t heap_of(const vk_backend *vk, uint32_t type)
{
    return vk->memory.memoryTypes[type].heapIndex;
}

static void destroy_slab(vk_backend *vk, struct vk_slab *s)
{
    if (s->memory) {
        vk->api.FreeMemory(vk->device, s->memory, NULL);
        vk->heap_used[heap_of(vk, s->type)] -= s->bytes;
        vk->n_allocations--;
    }
    free(s->holes);
    free(s);
}

static VkResult fill_slab(vk_backend *vk, struct vk_slab *s, bool map)
{
    VkMemoryAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = s->bytes,
                                  .memoryTypeIndex = s->type };
    void *at = NULL;
    VkResult r = vk->api.AllocateMemory(vk->device, &info, NULL, &s->memory);
    if (r) {
        s->memory = VK_NULL_HANDLE;
        return r;
    }
    vk->allocations++;
    vk->n_allocations++;
    vk->heap_used[heap_of(vk, s->type)] += s->bytes;
    if (map) r = vk->api.MapMemory(vk->device, s->memory, 0, VK_WHOLE_SIZE, 0, &at);
    s->host = at;
    return r;
}

static VkResult create_slab(vk_backend *vk, uint64_t bytes, uint32_t type, bool map)
{
    struct vk_slab *s = calloc(1, sizeof *s);
    if (!s) return VK_ERROR_OUT_OF_HOST_MEMORY;
    *s = (struct vk_slab){ .bytes = bytes, .type = type };
    VkResult r = reserve_holes(s) ? fill_slab(vk, s, map) : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (r) {
        destroy_slab(vk, s);
        return r;
    }
    insert_hole(s, 0, (hole){ 0, bytes });
    s->next = vk->slabs;
    vk->slabs = s;
    return VK_SUCCESS;
}

/* As large as all slabs of the type together, within bounds. */
static uint64_t slab_bytes(const vk_backend *vk, uint64_t bytes, uint32_t type)
{
    uint64_t all = 0, size, heap = vk->memory.memoryHeaps[heap_of(vk, type)].size / 8;
    for (const struct vk_slab *s = vk->slabs; s; s = s->next) all += s->type == type ? s->bytes : 0;
    size = all < SMALLEST_SLAB ? SMALLEST_SLAB : all > LARGEST_SLAB ? LARGEST_SLAB : all;
    if (size > heap) size = heap;
    if (size > vk->caps.max_allocation) size = vk->caps.max_allocation;
    return bytes > size / 2 ? bytes : size / 256 * 256;
}

static bool take_from_one(vk_backend *vk, uint64_t bytes, uint64_t align, uint32_t type, bool map, vk_block *b)
{
    for (struct vk_slab *s = vk->slabs; s; s = s->next) {
        if (s->type != type || (s->host != NULL) != map || !reserve_holes(s)) continue;
        if (!take(s, bytes, align, &b->offset)) continue;
        b->slab = s;
        b->memory = s->memory;
        b->taken = bytes;
        b->host = map ? s->host + b->offset : NULL;
        return true;
    }
    return false;
}

VkResult vk_slabs_take(vk_backend *vk, uint64_t bytes, uint64_t align, uint32_t type, bool map, vk_block *b)
{
    if (take_from_one(vk, bytes, align, type, map, b)) return VK_SUCCESS;
    if (vk->n_allocations >= vk->properties.limits.maxMemoryAllocationCount) return VK_ERROR_TOO_MANY_OBJECTS;
    uint64_t size = slab_bytes(vk, bytes, type);
    VkResult r = create_slab(vk, size, type, map);
    if (r == VK_ERROR_OUT_OF_DEVICE_MEMORY && size > bytes) r = create_slab(vk, bytes, type, map);
    if (r) return r;
    return take_from_one(vk, bytes, align, type, map, b) ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

void vk_slabs_give(vk_backend *vk, vk_block *b)
{
    struct vk_slab *s = b->slab;
    if (!s) return;
    give(s, b->offset, b->taken);
    if (s->used) return;
    for (struct vk_slab **at = &vk->slabs; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    destroy_slab(vk, s);
}

uint64_t vk_slabs_bytes(const vk_block *b)
{
    return b->slab->bytes;
}

uint64_t vk_slabs_free(const vk_backend *vk, uint32_t heap)
{
    uint64_t bytes = 0;
    for (const struct vk_slab *s = vk->slabs; s; s = s->next)
        if (heap_of(vk, s->type) == heap) bytes += s->bytes - s->used;
    return bytes;
}
