/* tuning.c: which row of tuning.def a device gets. The only place that asks who made it. */
#include "backends/gpu/choose.h"

#include <string.h>

static const gpu_tuning rows[] = {
#define GPU_TUNING(row, ...) { .name = #row, __VA_ARGS__ },
#include "backends/gpu/tuning.def"
#undef GPU_TUNING
};

enum {
#define GPU_TUNING(name, ...) ROW_##name,
#include "backends/gpu/tuning.def"
#undef GPU_TUNING
};

enum { VENDOR_AMD = 0x1002, VENDOR_NVIDIA = 0x10de, VENDOR_INTEL = 0x8086 };

const gpu_tuning *gpu_tuning_find(const gpu_caps *f, const gpu_maker *maker)
{
    if (maker->driver == GPU_DRIVER_LAVAPIPE) return &rows[maker->version >= 104 ? ROW_lavapipe : ROW_lavapipe_old];
    if (maker->driver == GPU_DRIVER_SWIFTSHADER) return &rows[ROW_swiftshader];
    switch (maker->vendor) {
    case VENDOR_AMD: /* waves of 32 came with RDNA, this product and matrices with RDNA3 */
        return &rows[f->subgroup_min == 64 ? ROW_amd_gcn : f->dot_mixed ? ROW_amd_rdna3 : ROW_amd_rdna];
    case VENDOR_NVIDIA: return &rows[ROW_nvidia];
    case VENDOR_INTEL: return &rows[f->subgroup_min >= 16 ? ROW_intel_xe2 : ROW_intel_xe1]; /* 16 lanes from Xe2 on */
    default: return &rows[ROW_other];
    }
}

const gpu_tuning *gpu_tuning_named(const char *name)
{
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}
