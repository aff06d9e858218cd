/* profiles.h: what drivers of real GPUs say of their devices, as a table (profiles.c), for the shim to say of
 * the device that is there. Numbers are Vulkan's own; see profiles.c for where they come from. */
#ifndef TEST_PROFILES_H
#define TEST_PROFILES_H

#include <stdbool.h>
#include <stdint.h>

enum { SHIM_HEAPS = 4, SHIM_TYPES = 16 };

typedef struct shim_heap {
    uint64_t size;
    bool local;
    uint64_t budget, usage; /* what VK_EXT_memory_budget says, usage without what was allocated through the shim */
    uint64_t room;          /* allocations beyond this fail; 0: beyond the size */
} shim_heap;

typedef struct shim_type {
    uint32_t flags, heap;
    bool not_for_buffers; /* missing in the memoryTypeBits of buffers */
} shim_type;

typedef struct shim_profile {
    const char *key;  /* "radv-apu" */
    const char *name; /* of the device */
    uint32_t type, vendor, api;
    uint32_t driver_id, driver_version;
    const char *driver, *driver_info;
    uint8_t uuid[16]; /* of the device; the same under every driver of one card */
    uint32_t n_heaps, n_types;
    shim_heap heap[SHIM_HEAPS];
    shim_type types[SHIM_TYPES];
    uint64_t max_allocation;
    uint32_t max_allocations; /* how many */
    uint32_t atom;            /* nonCoherentAtomSize */
    uint32_t storage_buffers, uniform_buffers, resources; /* of a stage */
    uint32_t sets, uniform_range;
    uint32_t groups[3];
    /* Said only if fake_subgroups is set: what runs afterwards gives wrong results, since the device keeps its own. */
    uint32_t subgroup, subgroup_min, subgroup_max, max_subgroups;
    bool fake_subgroups;
    float period;             /* nanoseconds of a tick; timestamps are really counted so */
    uint32_t timestamp_bits;
    bool stuck;               /* timestamps do not advance */
    uint64_t step;            /* nanoseconds between timestamps that are read together, whatever ran; 0: real ones */
    bool budget, portability, fault; /* has these extensions */
} shim_profile;

extern const shim_profile shim_profiles[];
extern const unsigned shim_n_profiles;

#endif
