/* profiles.c: devices as their drivers describe them.
 *
 * Memory types and heaps follow the drivers' sources: RADV (radv_physical_device_init_mem_types: on APUs two thirds of
 * all memory are called video memory, and only the rest has a cached type; types for 32-bit addresses and uncached
 * copies are not for buffers), ANV (anv_physical_device_init_heaps and the tables of its kernel drivers: with a cache
 * shared with the processor, and without one), Turnip, V3DV; NVIDIA's and MoltenVK's as they are reported. Limits are
 * given where they matter here. */
#include "tests/vulkan/profiles.h"

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)
enum {
    L = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, V = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
    C = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, H = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
    P = VK_MEMORY_PROPERTY_PROTECTED_BIT,
    U = VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD
};
enum {
    DISCRETE = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, INTEGRATED = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU,
    AMD = 0x1002, NVIDIA = 0x10de, INTEL = 0x8086, QUALCOMM = 0x5143, BROADCOM = 0x14e4, APPLE = 0x106b
};
#define MANY UINT32_MAX
#define V13 VK_API_VERSION_1_3

#define AMD_LIMITS .vendor = AMD, .api = V13, .driver_version = 0x6400007, .atom = 64, .storage_buffers = MANY,        \
    .uniform_buffers = MANY, .resources = MANY, .sets = 32, .uniform_range = MANY, .groups = { MANY, 65535, 65535 },   \
    .subgroup = 64, .subgroup_min = 32, .subgroup_max = 64, .max_subgroups = 32, .period = 10, .timestamp_bits = 64,   \
    .budget = true
#define RADV_LIMITS AMD_LIMITS, .driver_id = VK_DRIVER_ID_MESA_RADV, .driver = "radv", .driver_info = "Mesa 25.0.7",   \
    .max_allocation = 0xfffffffc, .max_allocations = MANY
#define ANV_LIMITS .driver_id = VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA, .driver = "Intel open-source Mesa driver", \
    .driver_info = "Mesa 25.0.7", .api = V13, .vendor = INTEL, .driver_version = 0x6400007, \
    .max_allocation = 4 * GIB, .max_allocations = MANY, .atom = 64, .storage_buffers = 65535, .uniform_buffers = 64, \
    .resources = MANY, .sets = 8, .uniform_range = 1 << 30, .groups = { 65535, 65535, 65535 }, .subgroup = 32, \
    .subgroup_min = 8, .subgroup_max = 32, .max_subgroups = 64, .period = 52.083332f, .timestamp_bits = 36, \
    .budget = true
#define NVIDIA_LIMITS .driver_id = VK_DRIVER_ID_NVIDIA_PROPRIETARY, .driver = "NVIDIA", .driver_info = "570.86.16", \
    .api = V13, .vendor = NVIDIA, .driver_version = 0x8ea15800, .max_allocation = 0xffe00000, \
    .max_allocations = MANY, \
    .atom = 64, .storage_buffers = 1 << 20, .uniform_buffers = 1 << 20, .resources = MANY, .sets = 32, \
    .uniform_range = 65536, .groups = { 0x7fffffff, 65535, 65535 }, .subgroup = 32, .subgroup_min = 32, \
    .subgroup_max = 32, .max_subgroups = 32, .period = 1, .timestamp_bits = 64, .budget = true, .fault = true
/* Two local types, one for each of the two ways to reach video memory, then system memory; AMD's with its copies. */
#define RADV_TYPES(video, window, gtt) .n_types = 9, .types = { { L, video, false }, { L, video, true }, \
    { V | C, gtt, false }, { L | V | C, window, false }, { L | V | C, window, true }, { V | C | H, gtt, false }, \
    { V | C | H, gtt, true }, { L | U, video, false }, { V | C | U, gtt, false } }

/* A heap of the device, and one of the system. */
#define LOCAL(bytes) { .size = (bytes), .local = true }
#define OTHER(bytes) { .size = (bytes) }

const shim_profile shim_profiles[] = {
    { .key = "radv", .name = "AMD Radeon RX 7900 XTX (RADV NAVI31)", .type = DISCRETE, .uuid = { 3, 0, 0, 0, 1 },
      RADV_LIMITS, .fault = true, .n_heaps = 2, .heap = { OTHER(32 * GIB), LOCAL(24 * GIB) },
      RADV_TYPES(1, 1, 0) },
    { .key = "radv-window", .name = "AMD Radeon RX 6800 XT (RADV NAVI21)", .type = DISCRETE, .uuid = { 3, 0, 0, 0, 2 },
      RADV_LIMITS, .n_heaps = 3, .heap = { LOCAL(16 * GIB - 256 * MIB), OTHER(32 * GIB), LOCAL(256 * MIB) },
      RADV_TYPES(0, 2, 1) },
    { .key = "radv-apu", .name = "AMD Radeon 780M (RADV PHOENIX)", .type = INTEGRATED, .uuid = { 4, 0, 0, 0, 1 },
      RADV_LIMITS, .n_heaps = 2, .heap = { OTHER(8 * GIB), LOCAL(16 * GIB) }, RADV_TYPES(1, 1, 0) },
    /* A small carve-out is all that is called local. */
    { .key = "amd-apu", .name = "AMD Radeon(TM) 780M", .type = INTEGRATED, .uuid = { 4, 0, 0, 0, 1 }, AMD_LIMITS,
      .driver_id = VK_DRIVER_ID_AMD_PROPRIETARY, .driver = "AMD proprietary driver", .driver_info = "24.10.1",
      .max_allocation = 2 * GIB, .max_allocations = 4096, .n_heaps = 2,
      .heap = { LOCAL(512 * MIB), OTHER(15 * GIB) },
      .n_types = 4, .types = { { L, 0, false }, { L | V | C, 0, false }, { V | C, 1, false }, { V | C | H, 1,
      false } } },
    { .key = "amdvlk", .name = "AMD Radeon RX 7900 XTX", .type = DISCRETE, .uuid = { 3, 0, 0, 0, 1 }, AMD_LIMITS,
      .driver_id = VK_DRIVER_ID_AMD_OPEN_SOURCE, .driver = "AMD open-source driver", .driver_info = "2025.Q1.3",
      .max_allocation = 2 * GIB, .max_allocations = 4096, .n_heaps = 2,
      .heap = { LOCAL(24 * GIB), OTHER(32 * GIB) },
      .n_types = 4, .types = { { L, 0, false }, { L | V | C, 0, false }, { V | C, 1, false }, { V | C | H, 1,
      false } } },
    { .key = "anv", .name = "Intel(R) UHD Graphics 770 (ADL-S GT1)", .type = INTEGRATED, .uuid = { 0x80, 0x86, 1 },
      ANV_LIMITS, .n_heaps = 1, .heap = { LOCAL(24 * GIB) },
      .n_types = 4, .types = { { L, 0, false }, { L | V | C, 0, false }, { L | V | C | H, 0, false }, { L, 0,
      true } } },
    { .key = "anv-uncached", .name = "Intel(R) Arc(tm) Graphics (MTL)", .type = INTEGRATED, .uuid = { 0x80, 0x86, 2 },
      ANV_LIMITS, .n_heaps = 1, .heap = { LOCAL(24 * GIB) },
      .n_types = 4, .types = { { L | V | C, 0, false }, { L | V | H, 0, false }, { L | P, 0, true },
                               { L | V | C, 0, true } } },
    { .key = "anv-dgpu", .name = "Intel(R) Arc(tm) A770 Graphics (DG2)", .type = DISCRETE, .uuid = { 0x80, 0x86, 3 },
      ANV_LIMITS, .n_heaps = 2, .heap = { LOCAL(16 * GIB), OTHER(24 * GIB) },
      .n_types = 3, .types = { { L, 0, false }, { V | C | H, 1, false }, { L | V | C, 0, false } } },
    { .key = "turnip", .name = "Turnip Adreno (TM) 740", .type = INTEGRATED, .uuid = { 0x51, 0x43, 1 },
      .vendor = QUALCOMM,
      .driver_id = VK_DRIVER_ID_MESA_TURNIP, .driver = "turnip Mesa driver", .driver_info = "Mesa 25.0.7", .api = V13,
      .driver_version = 0x6400007, .max_allocation = 4 * GIB, .max_allocations = MANY, .atom = 64,
      .storage_buffers = 1 << 24, .uniform_buffers = 1 << 24, .resources = MANY, .sets = 8, .uniform_range = 65536,
      .groups = { 65535, 65535, 65535 }, .subgroup = 128, .subgroup_min = 64, .subgroup_max = 128, .max_subgroups = 16,
      .period = 52.083332f, .timestamp_bits = 48, .budget = true, .n_heaps = 1, .heap = { LOCAL(6 * GIB) },
      .n_types = 2, .types = { { L | V | C, 0, false }, { L | V | H, 0, false } } },
    { .key = "v3dv", .name = "V3D 7.1.7", .type = INTEGRATED, .uuid = { 0x14, 0xe4, 1 }, .vendor = BROADCOM,
      .driver_id = VK_DRIVER_ID_MESA_V3DV, .driver = "V3DV Mesa", .driver_info = "Mesa 25.0.7", .api = V13,
      .driver_version = 0x6400007, .max_allocation = 4 * GIB - 1, .max_allocations = MANY, .atom = 256,
      .storage_buffers = 8,
      .uniform_buffers = 16, .resources = 128, .sets = 16, .uniform_range = 1 << 27, .groups = { 65535, 65535, 65535 },
      .subgroup = 16, .subgroup_min = 16, .subgroup_max = 16, .max_subgroups = 16, .period = 1, .timestamp_bits = 64,
      .budget = true, .n_heaps = 1, .heap = { LOCAL(4 * GIB) }, .n_types = 1, .types = { { L | V | C, 0, false } } },
    { .key = "moltenvk", .name = "Apple M2", .type = INTEGRATED, .uuid = { 0x10, 0x6b, 1 }, .vendor = APPLE,
      .driver_id = VK_DRIVER_ID_MOLTENVK, .driver = "MoltenVK", .driver_info = "1.2.11", .api = V13,
      .driver_version = 10211, .max_allocation = 8 * GIB, .max_allocations = 1 << 30, .atom = 16384,
      .storage_buffers = 31, .uniform_buffers = 31, .resources = 159, .sets = 8, .uniform_range = MANY,
      .groups = { 1 << 30, 1 << 30, 1 << 30 }, .subgroup = 32, .subgroup_min = 4, .subgroup_max = 32,
      .max_subgroups = 32,
      .period = 1, .timestamp_bits = 64, .budget = true, .portability = true, .n_heaps = 1,
      .heap = { LOCAL(16 * GIB) },
      .n_types = 2, .types = { { L, 0, false }, { L | V | C | H, 0, false } } },
    { .key = "nvidia", .name = "NVIDIA GeForce RTX 4090", .type = DISCRETE, .uuid = { 0x10, 0xde, 1 }, NVIDIA_LIMITS,
      .n_heaps = 3, .heap = { LOCAL(24 * GIB), OTHER(48 * GIB), LOCAL(246 * MIB) },
      .n_types = 5, .types = { { 0, 1, false }, { L, 0, false }, { V | C, 1, false }, { V | C | H, 1, false },
                               { L | V | C, 2, false } } },
    { .key = "nvidia-rebar", .name = "NVIDIA GeForce RTX 4090", .type = DISCRETE, .uuid = { 0x10, 0xde, 1 },
      NVIDIA_LIMITS,
      .n_heaps = 2, .heap = { LOCAL(24 * GIB), OTHER(48 * GIB) },
      .n_types = 5, .types = { { 0, 1, false }, { L, 0, false }, { V | C, 1, false }, { V | C | H, 1, false },
                               { L | V | C, 0, false } } },
};
const unsigned shim_n_profiles = sizeof shim_profiles / sizeof *shim_profiles;
