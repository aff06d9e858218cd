/* tuning.c: which row of tuning.def a device gets. The only place that asks who made it. */
#include "backends/vulkan/vk.h"

#include <string.h>

static const vk_tuning rows[] = {
#define VK_TUNING(name, subgroup, panel, block, rows16, rows8, rows4, columns, tile_rows, tile_columns, tile_block,  \
                  row_block, flat_block, keys, most, most4, lanes, dot8, dot4, matrix_rows, matrix_columns, sub_rows, \
                  sub_columns)                                                                                       \
    { #name, subgroup, panel, block, { rows16, rows8, rows4 }, columns, { tile_rows, tile_columns, tile_block },     \
      row_block, flat_block, keys, { most, most4 }, lanes, { dot8, dot4 },                                             \
      { matrix_rows, matrix_columns, sub_rows, sub_columns } },
#include "backends/vulkan/tuning.def"
#undef VK_TUNING
};

enum {
#define VK_TUNING(name, ...) ROW_##name,
#include "backends/vulkan/tuning.def"
#undef VK_TUNING
};

enum { VENDOR_AMD = 0x1002, VENDOR_NVIDIA = 0x10de, VENDOR_INTEL = 0x8086 };

const vk_tuning *vk_tuning_find(const vk_caps *f, const VkPhysicalDeviceDriverProperties *driver,
                                const VkPhysicalDeviceProperties *p)
{
    if (driver->driverID == VK_DRIVER_ID_MESA_LLVMPIPE)
        return &rows[p->apiVersion >= VK_MAKE_API_VERSION(0, 1, 4, 0) ? ROW_lavapipe : ROW_lavapipe_old];
    if (driver->driverID == VK_DRIVER_ID_GOOGLE_SWIFTSHADER) return &rows[ROW_swiftshader];
    switch (p->vendorID) {
    case VENDOR_AMD: /* waves of 32 came with RDNA, this product and matrices with RDNA3 */
        return &rows[f->subgroup_min == 64 ? ROW_amd_gcn : f->dot_mixed ? ROW_amd_rdna3 : ROW_amd_rdna];
    case VENDOR_NVIDIA: return &rows[ROW_nvidia];
    case VENDOR_INTEL: return &rows[f->subgroup_min >= 16 ? ROW_intel_xe2 : ROW_intel_xe1]; /* 16 lanes from Xe2 on */
    default: return &rows[ROW_other];
    }
}

const vk_tuning *vk_tuning_named(const char *name)
{
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}
