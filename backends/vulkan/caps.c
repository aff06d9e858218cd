/* caps.c: what a physical device can do, what is switched on of it, and how both are told to users. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SHAPES = 64 };

/* False where those that are shipped were outdated when they were needed (cmake/WeftShaders.cmake). */
#define VK_HAS_MATRIX_SHADERS (weft__shaders[WEFT_SHADER_matmul_coop].n_words > 0)

/* Every structure of features that is asked for and, with what is not wanted taken out, switched on. */
typedef struct features {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDeviceVulkan12Features v12;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix;
    VkPhysicalDeviceFaultFeaturesEXT fault;
    const char *extensions[12];
    uint32_t n_extensions;
} features;

weft_device_type vk_device_type(const VkPhysicalDeviceProperties *p)
{
    switch ((int)p->deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return WEFT_DEVICE_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return WEFT_DEVICE_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return WEFT_DEVICE_VIRTUAL;
    default: return WEFT_DEVICE_SOFTWARE;
    }
}

static bool has_extension(const VkExtensionProperties *all, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(all[i].extensionName, name)) return true;
    return false;
}

static void chain(features *f, void *next, bool is_there)
{
    if (!is_there) return;
    VkBaseOutStructure *last = (VkBaseOutStructure *)(void *)&f->core;
    while (last->pNext) last = last->pNext;
    last->pNext = next;
}

/* Adds a structure if the extension that brings it is there (or the version that made it core). */
static bool chain_extension(features *f, void *next, const char *name, bool core, const VkExtensionProperties *all,
                            uint32_t n)
{
    if (!core && !has_extension(all, n, name)) return false;
    if (!core) f->extensions[f->n_extensions++] = name;
    chain(f, next, true);
    return true;
}

static bool add_extension(features *f, const char *name, const VkExtensionProperties *all, uint32_t n)
{
    if (!has_extension(all, n, name)) return false;
    f->extensions[f->n_extensions++] = name;
    return true;
}

static weft_status list_extensions(vk_backend *vk, VkExtensionProperties **out, uint32_t *n, weft_error *err)
{
    *out = NULL;
    VkResult r = vk->api.EnumerateDeviceExtensionProperties(vk->physical, NULL, n, NULL);
    if (r) return vk_fail(err, r, "vkEnumerateDeviceExtensionProperties", "a device");
    *out = calloc(*n + 1, sizeof **out);
    if (!*out) return WEFT_OOM_FAIL(err, "extensions");
    r = vk->api.EnumerateDeviceExtensionProperties(vk->physical, NULL, n, *out);
    if (!r || r == VK_INCOMPLETE) return WEFT_OK;
    free(*out);
    return vk_fail(err, r, "vkEnumerateDeviceExtensionProperties", "a device");
}

/* The same extension under two names. */
static void choose_calibration(vk_backend *vk, features *f, const VkExtensionProperties *all, uint32_t n)
{
    static const char *const names[] = { "VK_EXT_calibrated_timestamps", "VK_KHR_calibrated_timestamps" };
    static const char *const suffixes[] = { "EXT", "KHR" };
    vk->calibration = NULL;
    for (uint32_t i = 0; i < 2 && !vk->calibration; i++) {
        if (add_extension(f, names[i], all, n)) vk->calibration = suffixes[i];
    }
}

static weft_status query_features(vk_backend *vk, features *f, weft_error *err)
{
    uint32_t n;
    VkExtensionProperties *all;
    WEFT_TRY(list_extensions(vk, &all, &n, err));
    bool v13 = vk->properties.apiVersion >= VK_API_VERSION_1_3;
    *f = (features){
        .core = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2 },
        .v12 = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES },
        .subgroup = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES },
        .executable = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR },
        .storage16 = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES },
        .dot = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES },
        .matrix = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR },
        .fault = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT },
    };
    chain(f, &f->v12, true);
    chain(f, &f->storage16, true);
    chain_extension(f, &f->dot, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME, v13, all, n);
    chain_extension(f, &f->matrix, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, false, all, n);
    chain_extension(f, &f->subgroup, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, v13, all, n);
    chain_extension(f, &f->executable, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME, false, all, n);
    chain_extension(f, &f->fault, VK_EXT_DEVICE_FAULT_EXTENSION_NAME, false, all, n);
    vk->has_budget = add_extension(f, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, all, n);
    vk->has_import = vk->options.import && add_extension(f, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, all, n);
    add_extension(f, "VK_KHR_portability_subset", all, n); /* has to be asked for where it is */
    choose_calibration(vk, f, all, n);
    free(all);
    vk->api.GetPhysicalDeviceFeatures2(vk->physical, &f->core);
    if (f->v12.timelineSemaphore && f->core.features.shaderStorageBufferArrayDynamicIndexing) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has no timeline semaphores or no arrays of storage buffers",
                     vk->properties.deviceName);
}

/* ---- caps ---- */

static void read_subgroups(const VkPhysicalDeviceSubgroupProperties *p,
                           const VkPhysicalDeviceSubgroupSizeControlProperties *c, const features *f, gpu_caps *out)
{
    VkSubgroupFeatureFlags need = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT |
                                  VK_SUBGROUP_FEATURE_BALLOT_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    out->subgroup = p->subgroupSize;
    out->subgroup_ops = (p->supportedOperations & need) == need && (p->supportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
    out->subgroup_control = f->subgroup.subgroupSizeControl && f->subgroup.computeFullSubgroups &&
                            (c->requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
    out->subgroup_min = out->subgroup_control ? c->minSubgroupSize : p->subgroupSize;
    out->subgroup_max = out->subgroup_control ? c->maxSubgroupSize : p->subgroupSize;
    out->max_subgroups = c->maxComputeWorkgroupSubgroups;
}

static void read_limits(const VkPhysicalDeviceLimits *l, uint64_t max_allocation, const vk_options *o, gpu_caps *out)
{
    out->max_invocations = l->maxComputeWorkGroupInvocations < l->maxComputeWorkGroupSize[0]
                               ? l->maxComputeWorkGroupInvocations : l->maxComputeWorkGroupSize[0];
    out->max_groups = l->maxComputeWorkGroupCount[0];
    if (o->max_groups && o->max_groups < out->max_groups) out->max_groups = o->max_groups;
    out->max_shared = l->maxComputeSharedMemorySize;
    out->max_binding = l->maxStorageBufferRange;
    if (o->max_binding && o->max_binding < out->max_binding) out->max_binding = o->max_binding;
    out->max_binding &= ~UINT64_C(15);
    out->max_allocation = max_allocation;
    out->alignment = (uint32_t)l->minStorageBufferOffsetAlignment;
    if (out->alignment < 64) out->alignment = 64;
}

/* ---- cooperative matrices ---- */

/* 16x16x16 if the device has it, else the first that fits. */
static void pick_shape(const vk_backend *vk, gpu_caps *out)
{
    VkCooperativeMatrixPropertiesKHR p[MAX_SHAPES];
    uint32_t n = MAX_SHAPES;
    for (uint32_t i = 0; i < n; i++)
        p[i] = (VkCooperativeMatrixPropertiesKHR){ .sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR };
    if (vk->api.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(vk->physical, &n, p) < 0) return;
    for (uint32_t i = 0; i < n; i++) {
        bool types = p[i].AType == VK_COMPONENT_TYPE_FLOAT16_KHR && p[i].BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
                     p[i].CType == VK_COMPONENT_TYPE_FLOAT32_KHR && p[i].ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR;
        if (!types || p[i].scope != VK_SCOPE_SUBGROUP_KHR || !gpu_matrix_fits(out, p[i].MSize, p[i].NSize, p[i].KSize))
            continue;
        bool best = p[i].MSize == 16 && p[i].NSize == 16 && p[i].KSize == 16;
        if (best || !out->matrix.m) out->matrix = (gpu_matrix){ p[i].MSize, p[i].NSize, p[i].KSize, false };
    }
}

static weft_status read_matrix(const vk_backend *vk, const features *f, gpu_caps *out, weft_error *err)
{
    const uint32_t *own = vk->options.matrix;
    if (gpu_named(vk->options.without, "matrix")) return WEFT_OK;
    if (own[0]) {
        if (!gpu_matrix_fits(out, own[0], own[1], own[2]) || own[0] * own[1] % out->subgroup)
            return WEFT_FAIL(err, WEFT_INVALID, "vulkan: matrix=%ux%ux%u: no part of the tile of %s", own[0], own[1],
                             own[2], out->tuning->name);
        out->matrix = (gpu_matrix){ own[0], own[1], own[2], true };
        return WEFT_OK;
    }
    bool there = f->matrix.cooperativeMatrix && f->v12.shaderFloat16 && f->v12.vulkanMemoryModel &&
                 out->nearest16 && vk->api.GetPhysicalDeviceCooperativeMatrixPropertiesKHR && VK_HAS_MATRIX_SHADERS;
    if (there && out->subgroup_control && out->subgroup_ops) pick_shape(vk, out);
    return WEFT_OK;
}

/* ---- all of them ---- */

static void read_variants(const vk_backend *vk, const features *f,
                          const VkPhysicalDeviceShaderIntegerDotProductProperties *dot, gpu_caps *out)
{
    out->as_stored = gpu_named(vk->options.without, "panels");
    out->storage16 = f->storage16.storageBuffer16BitAccess && !gpu_named(vk->options.without, "storage16");
    out->dot = f->dot.shaderIntegerDotProduct && !gpu_named(vk->options.without, "dot");
    out->dot_accelerated = out->dot && (vk->options.dot || dot->integerDotProduct4x8BitPackedSignedAccelerated);
    out->dot_mixed = f->dot.shaderIntegerDotProduct && dot->integerDotProduct4x8BitPackedMixedSignednessAccelerated;
}

static gpu_maker maker_of(const vk_backend *vk)
{
    uint32_t version = vk->properties.apiVersion;
    VkDriverId id = vk->driver.driverID;
    return (gpu_maker){ .vendor = vk->properties.vendorID,
                        .driver = id == VK_DRIVER_ID_MESA_LLVMPIPE         ? GPU_DRIVER_LAVAPIPE
                                  : id == VK_DRIVER_ID_GOOGLE_SWIFTSHADER ? GPU_DRIVER_SWIFTSHADER
                                                                          : GPU_DRIVER_OTHER,
                        .version = 100 * VK_API_VERSION_MAJOR(version) + VK_API_VERSION_MINOR(version) };
}

weft_status vk_caps_read(vk_backend *vk, weft_error *err)
{
    VkPhysicalDeviceShaderIntegerDotProductProperties dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES };
    VkPhysicalDeviceSubgroupSizeControlProperties control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES };
    VkPhysicalDeviceSubgroupProperties subgroup = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES };
    VkPhysicalDeviceFloatControlsProperties floats = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES, .pNext = &subgroup };
    VkPhysicalDeviceMaintenance3Properties limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &floats };
    VkPhysicalDeviceProperties2 p = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &limits };
    features f;
    vk->api.GetPhysicalDeviceProperties(vk->physical, &vk->properties);
    if (vk->properties.apiVersion < VK_API_VERSION_1_2)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has Vulkan %u.%u; 1.2 is needed",
                         vk->properties.deviceName, VK_API_VERSION_MAJOR(vk->properties.apiVersion),
                         VK_API_VERSION_MINOR(vk->properties.apiVersion));
    WEFT_TRY(vk_limits_check(vk, err));
    WEFT_TRY(query_features(vk, &f, err));
    vk->driver = (VkPhysicalDeviceDriverProperties){ .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
    subgroup.pNext = &vk->driver;
    vk->driver.pNext = f.subgroup.subgroupSizeControl ? (void *)&control : NULL;
    dot.pNext = vk->driver.pNext;
    if (f.dot.shaderIntegerDotProduct) vk->driver.pNext = &dot;
    vk->api.GetPhysicalDeviceProperties2(vk->physical, &p);
    vk->driver.pNext = NULL;
    gpu_caps *out = &vk->caps;
    *out = (gpu_caps){ .type = vk_device_type(&vk->properties), .nearest16 = floats.shaderRoundingModeRTEFloat16 };
    read_subgroups(&subgroup, &control, &f, out);
    read_limits(&vk->properties.limits, limits.maxMemoryAllocationSize, &vk->options, out);
    read_variants(vk, &f, &dot, out);
    if (gpu_named(vk->options.without, "subgroup")) out->subgroup_ops = false;
    gpu_maker maker = maker_of(vk);
    out->tuning = vk->options.tuning ? vk->options.tuning : gpu_tuning_find(out, &maker);
    uint32_t wanted = out->tuning->subgroup;
    if (out->subgroup_control && wanted >= out->subgroup_min && wanted <= out->subgroup_max) out->subgroup = wanted;
    if (out->dot_accelerated) out->dot_least = vk->options.dot ? (gpu_by_bits){ 1, 1, 1 } : out->tuning->dot;
    WEFT_TRY(read_matrix(vk, &f, out, err));
    vk->api.GetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
    vk_memory_classify(vk);
    vk_imports_find(vk);
    return WEFT_OK;
}

weft_status vk_device_create(vk_backend *vk, weft_error *err)
{
    features f;
    float priority = 1.0f;
    WEFT_TRY(query_features(vk, &f, err));
    VkPhysicalDeviceFeatures core = { .shaderStorageBufferArrayDynamicIndexing = true };
    f.core.features = core;
    bool matrix = vk->caps.matrix.m && !vk->caps.matrix.in_shader;
    VkPhysicalDeviceVulkan12Features wanted = { .sType = f.v12.sType, .pNext = f.v12.pNext, .timelineSemaphore = true,
                                                .shaderFloat16 = matrix, .vulkanMemoryModel = matrix };
    f.v12 = wanted;
    VkPhysicalDevice16BitStorageFeatures storage16 = { .sType = f.storage16.sType, .pNext = f.storage16.pNext,
                                                       .storageBuffer16BitAccess = vk->caps.storage16 };
    f.storage16 = storage16;
    f.dot.shaderIntegerDotProduct = vk->caps.dot;
    f.matrix.cooperativeMatrix = matrix;
    f.matrix.cooperativeMatrixRobustBufferAccess = false;
    f.fault.deviceFaultVendorBinary = false;
    vk->has_fault = f.fault.deviceFault;
    VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1,
                                      .queueFamilyIndex = vk->queue_family, .pQueuePriorities = &priority };
    VkDeviceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &f.core,
                                .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
                                .enabledExtensionCount = f.n_extensions, .ppEnabledExtensionNames = f.extensions };
    VkResult r = vk->api.CreateDevice(vk->physical, &info, NULL, &vk->device);
    return r ? vk_fail(err, r, "vkCreateDevice", "%s", vk->properties.deviceName) : WEFT_OK;
}

/* ---- for users ---- */

/* What kernels make use of: "subgroups of 32 (8 to 32) with arithmetic, 16-bit storage, matrices of 16x16x16". */
static void list_features(const gpu_caps *f, char *out, size_t size)
{
    char range[32] = "", matrix[64] = "";
    if (f->subgroup_control) snprintf(range, sizeof range, " (%u to %u)", f->subgroup_min, f->subgroup_max);
    if (f->matrix.m)
        snprintf(matrix, sizeof matrix, ", matrices of %ux%ux%u%s", f->matrix.m, f->matrix.n, f->matrix.k,
                 f->matrix.in_shader ? " in the shader" : "");
    snprintf(out, size, "subgroups of %u%s%s%s%s%s%s", f->subgroup, range, f->subgroup_ops ? " with arithmetic" : "",
             f->storage16 ? ", 16-bit storage" : "",
             f->dot_accelerated ? ", integer dot product" : f->dot ? ", slow integer dot product" : "", matrix,
             VK_HAS_MATRIX_SHADERS ? "" : "; built with outdated cooperative matrices");
}

void vk_info(const weft_backend *b, weft_device_info *out)
{
    const vk_backend *vk = (const vk_backend *)b;
    *out = (weft_device_info){ .name = "vulkan", .type = vk->caps.type, .index = vk->index,
                               .memory = vk_memory_free(vk), .memory_known = true, .spilled = vk->spilled };
    snprintf(out->model, sizeof out->model, "%.127s", vk->properties.deviceName);
    snprintf(out->variant, sizeof out->variant, "%s", vk->caps.tuning->name);
    uint32_t changed, tuned = vk->tuned ? gpu_tuned_count(vk->tuned, &changed) : 0;
    if (tuned)
        snprintf(out->remark, sizeof out->remark, "as measured here, %u of %u shapes run otherwise", changed, tuned);
    snprintf(out->driver, sizeof out->driver, "%.60s%s%.60s", vk->driver.driverName, *vk->driver.driverInfo ? " " : "",
             vk->driver.driverInfo);
    gpu_verdicts_list(vk->verdicts, out->disabled, sizeof out->disabled);
    list_features(&vk->caps, out->features, sizeof out->features);
    snprintf(out->description, sizeof out->description, "%.100s, %.100s", out->model, out->driver);
}
