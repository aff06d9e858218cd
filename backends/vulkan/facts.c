/* facts.c: what a physical device can do, what is switched on of it, and how both are told to users. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every structure of features that is asked for and, with what is not wanted taken out, switched on. */
typedef struct features {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDeviceVulkan12Features v12;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable;
    const char *extensions[8];
    uint32_t n_extensions;
} features;

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
        if (!has_extension(all, n, names[i])) continue;
        vk->calibration = suffixes[i];
        f->extensions[f->n_extensions++] = names[i];
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
    };
    chain(f, &f->v12, true);
    chain_extension(f, &f->subgroup, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, v13, all, n);
    chain_extension(f, &f->executable, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME, false, all, n);
    vk->has_budget = has_extension(all, n, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    if (vk->has_budget) f->extensions[f->n_extensions++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    choose_calibration(vk, f, all, n);
    free(all);
    vk->api.GetPhysicalDeviceFeatures2(vk->physical, &f->core);
    if (f->v12.timelineSemaphore && f->core.features.shaderStorageBufferArrayDynamicIndexing) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has no timeline semaphores or no arrays of storage buffers",
                     vk->properties.deviceName);
}

/* ---- facts ---- */

static void read_subgroups(const VkPhysicalDeviceSubgroupProperties *p,
                           const VkPhysicalDeviceSubgroupSizeControlProperties *c, const features *f, vk_facts *out)
{
    VkSubgroupFeatureFlags need = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT |
                                  VK_SUBGROUP_FEATURE_BALLOT_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    out->subgroup = p->subgroupSize;
    out->subgroup_ops = (p->supportedOperations & need) == need && (p->supportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
    out->subgroup_control = f->subgroup.subgroupSizeControl && f->subgroup.computeFullSubgroups &&
                            (c->requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
    out->subgroup_min = out->subgroup_control ? c->minSubgroupSize : p->subgroupSize;
    out->subgroup_max = out->subgroup_control ? c->maxSubgroupSize : p->subgroupSize;
}

static void read_limits(const VkPhysicalDeviceLimits *l, uint64_t max_allocation, const vk_options *o, vk_facts *out)
{
    out->max_invocations = l->maxComputeWorkGroupInvocations < l->maxComputeWorkGroupSize[0]
                               ? l->maxComputeWorkGroupInvocations : l->maxComputeWorkGroupSize[0];
    out->max_groups = l->maxComputeWorkGroupCount[0];
    out->max_binding = l->maxStorageBufferRange;
    if (o->max_binding && o->max_binding < out->max_binding) out->max_binding = o->max_binding;
    out->max_binding &= ~UINT64_C(15);
    out->max_allocation = max_allocation;
    out->alignment = (uint32_t)l->minStorageBufferOffsetAlignment;
    if (out->alignment < 64) out->alignment = 64;
}

weft_status vk_facts_read(vk_backend *vk, weft_error *err)
{
    VkPhysicalDeviceSubgroupSizeControlProperties control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES };
    VkPhysicalDeviceSubgroupProperties subgroup = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES };
    VkPhysicalDeviceMaintenance3Properties limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &subgroup };
    VkPhysicalDeviceProperties2 p = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &limits };
    features f;
    vk->api.GetPhysicalDeviceProperties(vk->physical, &vk->properties);
    if (vk->properties.apiVersion < VK_API_VERSION_1_2)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s has Vulkan %u.%u; 1.2 is needed",
                         vk->properties.deviceName, VK_API_VERSION_MAJOR(vk->properties.apiVersion),
                         VK_API_VERSION_MINOR(vk->properties.apiVersion));
    WEFT_TRY(query_features(vk, &f, err));
    vk->driver = (VkPhysicalDeviceDriverProperties){ .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
    subgroup.pNext = &vk->driver;
    vk->driver.pNext = f.subgroup.subgroupSizeControl ? (void *)&control : NULL;
    vk->api.GetPhysicalDeviceProperties2(vk->physical, &p);
    vk->driver.pNext = NULL;
    vk_facts *out = &vk->facts;
    *out = (vk_facts){ .type = vk_device_type(&vk->properties) };
    read_subgroups(&subgroup, &control, &f, out);
    read_limits(&vk->properties.limits, limits.maxMemoryAllocationSize, &vk->options, out);
    if (vk_without(&vk->options, "subgroup")) out->subgroup_ops = false;
    out->tuning = vk_tuning_find(out, &vk->driver, &vk->properties);
    uint32_t wanted = out->tuning->subgroup;
    if (out->subgroup_control && wanted >= out->subgroup_min && wanted <= out->subgroup_max) out->subgroup = wanted;
    vk->api.GetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
    vk_memory_classify(vk);
    return WEFT_OK;
}

weft_status vk_device_create(vk_backend *vk, weft_error *err)
{
    features f;
    float priority = 1.0f;
    WEFT_TRY(query_features(vk, &f, err));
    VkPhysicalDeviceFeatures core = { .shaderStorageBufferArrayDynamicIndexing = true };
    f.core.features = core;
    VkPhysicalDeviceVulkan12Features wanted = { .sType = f.v12.sType, .pNext = f.v12.pNext,
                                                .timelineSemaphore = true };
    f.v12 = wanted;
    VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1,
                                      .queueFamilyIndex = vk->queue_family, .pQueuePriorities = &priority };
    VkDeviceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &f.core,
                                .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
                                .enabledExtensionCount = f.n_extensions, .ppEnabledExtensionNames = f.extensions };
    VkResult r = vk->api.CreateDevice(vk->physical, &info, NULL, &vk->device);
    return r ? vk_fail(err, r, "vkCreateDevice", "%s", vk->properties.deviceName) : WEFT_OK;
}

/* ---- for users ---- */

/* What kernels make use of: "subgroups of 32 (8 to 32) with arithmetic". */
static void list_features(const vk_facts *f, char *out, size_t size)
{
    char range[32] = "";
    if (f->subgroup_control) snprintf(range, sizeof range, " (%u to %u)", f->subgroup_min, f->subgroup_max);
    snprintf(out, size, "subgroups of %u%s%s", f->subgroup, range, f->subgroup_ops ? " with arithmetic" : "");
}

void vk_info(const weft_backend *b, weft_device_info *out)
{
    const vk_backend *vk = (const vk_backend *)b;
    *out = (weft_device_info){ .name = "vulkan", .type = vk->facts.type, .index = vk->index,
                               .memory = vk_memory_free(vk) };
    snprintf(out->model, sizeof out->model, "%.127s", vk->properties.deviceName);
    snprintf(out->variant, sizeof out->variant, "%s", vk->facts.tuning->name);
    snprintf(out->driver, sizeof out->driver, "%.60s %.60s", vk->driver.driverName, vk->driver.driverInfo);
    vk_verdicts_list(vk, out->disabled, sizeof out->disabled);
    list_features(&vk->facts, out->features, sizeof out->features);
    snprintf(out->description, sizeof out->description, "%.100s, %.100s", out->model, out->driver);
}
