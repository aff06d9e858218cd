/* instance.c: the Vulkan instance, the devices that it lists, and which of them a spec means. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 64 };

/* ---- the instance ---- */

static bool has_layer(const vk_api *api, const char *name)
{
    VkLayerProperties layers[64];
    uint32_t n = 64;
    if (api->EnumerateInstanceLayerProperties(&n, layers) < 0) return false;
    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(layers[i].layerName, name)) return true;
    return false;
}

weft_status vk_instance_create(vk_backend *vk, weft_error *err)
{
    static const char *const layer = "VK_LAYER_KHRONOS_validation", *const debug = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    static const VkValidationFeatureEnableEXT enables[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
    };
    WEFT_TRY(vk_api_load(&vk->api, vk->options.loader, err));
    bool validation = vk->options.validation, labels = vk->options.labels;
    if (validation && !has_layer(&vk->api, layer))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: validation=1: there is no layer %s (Debian and Ubuntu have it "
                         "in the package vulkan-validationlayers)", layer);
    VkValidationFeaturesEXT features = { .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                         .enabledValidationFeatureCount = 1, .pEnabledValidationFeatures = enables };
    VkApplicationInfo app = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "weft",
                              .pEngineName = "weft", .apiVersion = VK_API_VERSION_1_3 };
    VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app,
                                  .pNext = validation ? &features : NULL, .enabledLayerCount = validation,
                                  .ppEnabledLayerNames = &layer, .enabledExtensionCount = validation || labels,
                                  .ppEnabledExtensionNames = &debug };
    VkResult r = vk->api.CreateInstance(&info, NULL, &vk->instance);
    if (r == VK_ERROR_INCOMPATIBLE_DRIVER)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: there is no driver (your GPU vendor's, or mesa-vulkan-drivers)");
    if (r == VK_ERROR_EXTENSION_NOT_PRESENT)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s=1: there is no %s",
                         labels ? "labels" : "validation", debug);
    if (r) return vk_fail(err, r, "vkCreateInstance", "opening Vulkan");
    WEFT_TRY(vk_api_load_instance(&vk->api, vk->instance, err));
    if (labels && (!vk->api.CmdBeginDebugUtilsLabelEXT || !vk->api.CmdEndDebugUtilsLabelEXT))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: labels=1: %s is not complete", debug);
    return validation ? vk_validation_create(vk, err) : WEFT_OK;
}

void vk_instance_destroy(vk_backend *vk)
{
    vk_validation_destroy(vk);
    if (vk->instance) vk->api.DestroyInstance(vk->instance, NULL);
    vk->instance = NULL;
    vk_api_unload(&vk->api);
}

/* ---- devices ---- */

weft_device_type vk_device_type(const VkPhysicalDeviceProperties *p)
{
    switch ((int)p->deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return WEFT_DEVICE_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return WEFT_DEVICE_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return WEFT_DEVICE_VIRTUAL;
    default: return WEFT_DEVICE_SOFTWARE;
    }
}

static weft_status enumerate(vk_backend *vk, VkPhysicalDevice *out, uint32_t *n, weft_error *err)
{
    *n = MAX_DEVICES;
    VkResult r = vk->api.EnumeratePhysicalDevices(vk->instance, n, out);
    if (r && r != VK_INCOMPLETE) return vk_fail(err, r, "vkEnumeratePhysicalDevices", "listing devices");
    if (!*n)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: there is no device (is the driver installed? your GPU vendor's, "
                         "or mesa-vulkan-drivers)");
    return WEFT_OK;
}

static void describe(vk_backend *vk, VkPhysicalDevice d, VkPhysicalDeviceProperties *p)
{
    vk->api.GetPhysicalDeviceProperties(d, p);
}

/* The first discrete device, else integrated, else virtual; n: none. */
static uint32_t find_default(vk_backend *vk, const VkPhysicalDevice *d, uint32_t n)
{
    static const weft_device_type order[] = { WEFT_DEVICE_DISCRETE, WEFT_DEVICE_INTEGRATED, WEFT_DEVICE_VIRTUAL };
    VkPhysicalDeviceProperties p;
    for (uint32_t k = 0; k < sizeof order / sizeof *order; k++)
        for (uint32_t i = 0; i < n; i++) {
            describe(vk, d[i], &p);
            if (vk_device_type(&p) == order[k]) return i;
        }
    return n;
}

/* "0: llvmpipe (LLVM 15.0.6, 256 bits); 1: ..." */
static void name_all(vk_backend *vk, const VkPhysicalDevice *d, uint32_t n, char *out, size_t size)
{
    size_t at = 0;
    *out = 0;
    for (uint32_t i = 0; i < n && at < size; i++) {
        VkPhysicalDeviceProperties p;
        describe(vk, d[i], &p);
        at += (size_t)snprintf(out + at, size - at, "%svulkan:%u is %s", i ? "; " : "", i, p.deviceName);
    }
}

static weft_status find_named(vk_backend *vk, const VkPhysicalDevice *d, uint32_t n, uint32_t *index, weft_error *err)
{
    const char *which = vk->options.which;
    char all[320], *end;
    uint32_t found = 0;
    unsigned long number = strtoul(which, &end, 10);
    name_all(vk, d, n, all, sizeof all);
    if (!*end) {
        *index = (uint32_t)number;
        return number < n ? WEFT_OK : WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan:%s: no such device: %s", which, all);
    }
    for (uint32_t i = 0; i < n; i++) {
        VkPhysicalDeviceProperties p;
        describe(vk, d[i], &p);
        if (!strcasestr(p.deviceName, which)) continue;
        *index = i;
        if (!strcasecmp(p.deviceName, which)) return WEFT_OK; /* the whole name, be it a part of another's */
        found++;
    }
    if (found == 1) return WEFT_OK;
    return WEFT_FAIL(err, found ? WEFT_INVALID : WEFT_NOT_FOUND, "vulkan:%s: %s: %s", which,
                     found ? "several devices have this in their name" : "no such device", all);
}

weft_status vk_device_pick(vk_backend *vk, weft_error *err)
{
    VkPhysicalDevice devices[MAX_DEVICES];
    uint32_t n, index = 0;
    char all[320];
    WEFT_TRY(enumerate(vk, devices, &n, err));
    if (*vk->options.which) WEFT_TRY(find_named(vk, devices, n, &index, err));
    else if ((index = find_default(vk, devices, n)) == n) {
        name_all(vk, devices, n, all, sizeof all);
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: there is no GPU, only software drivers, which must be named: %s",
                         all);
    }
    vk->index = index;
    vk->physical = devices[index];
    return vk_facts_read(vk, err);
}

weft_status vk_list(uint32_t index, const char *options, weft_device_info *out, weft_error *err)
{
    vk_backend vk = { 0 };
    VkPhysicalDevice devices[MAX_DEVICES];
    uint32_t n;
    WEFT_TRY(vk_options_parse("", options, &vk.options, err));
    weft_status s = vk_instance_create(&vk, err);
    if (!s) s = enumerate(&vk, devices, &n, err);
    if (!s && index >= n) s = WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: there are %u devices", n);
    if (!s) {
        vk.physical = devices[index];
        vk.index = index;
        s = vk_facts_read(&vk, err);
    }
    if (!s) s = vk_verdicts_create(&vk, err);
    if (!s) {
        vk_info(&vk.base, out);
        out->is_default = find_default(&vk, devices, n) == index;
    }
    vk_verdicts_destroy(&vk);
    vk_instance_destroy(&vk);
    vk_options_free(&vk.options);
    return s;
}
