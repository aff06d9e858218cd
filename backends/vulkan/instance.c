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

static bool has_instance_extension(const vk_api *api, const char *name)
{
    uint32_t n = 0;
    if (api->EnumerateInstanceExtensionProperties(NULL, &n, NULL) < 0) return false;
    VkExtensionProperties *all = calloc(n + 1, sizeof *all);
    bool found = false;
    if (all && api->EnumerateInstanceExtensionProperties(NULL, &n, all) >= 0)
        for (uint32_t i = 0; i < n; i++) found |= !strcmp(all[i].extensionName, name);
    free(all);
    return found;
}

weft_status vk_instance_create(vk_backend *vk, weft_error *err)
{
    static const char *const layer = "VK_LAYER_KHRONOS_validation", *const debug = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    static const char *const portability = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
    const char *extensions[2];
    uint32_t n = 0;
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
    if (validation || labels) extensions[n++] = debug;
    /* Without this devices that miss a part of Vulkan are not listed: MoltenVK's, on all Apple machines. */
    bool all_devices = has_instance_extension(&vk->api, portability);
    if (all_devices) extensions[n++] = portability;
    VkApplicationInfo app = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "weft",
                              .pEngineName = "weft", .apiVersion = VK_API_VERSION_1_3 };
    VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app,
                                  .pNext = validation ? &features : NULL, .enabledLayerCount = validation,
                                  .ppEnabledLayerNames = &layer, .enabledExtensionCount = n,
                                  .ppEnabledExtensionNames = extensions,
                                  .flags = all_devices ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0 };
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

/* ---- which is best ---- */

/* What decides among devices. */
typedef struct candidate {
    weft_device_type type;
    uint64_t memory;     /* of its largest heap */
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t driver;     /* its place in the list of drivers */
    uint32_t twin;       /* the same card under a better driver; UINT32_MAX: none */
} candidate;

/* Of several drivers for one card the first of these: those that kernels have been compiled for or reported about most
 * (tuning.def), then the vendors' others, at last what translates to another interface. */
static uint32_t driver_place(VkDriverId id)
{
    static const VkDriverId order[] = { VK_DRIVER_ID_NVIDIA_PROPRIETARY, VK_DRIVER_ID_MESA_RADV,
                                        VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA, VK_DRIVER_ID_AMD_PROPRIETARY,
                                        VK_DRIVER_ID_AMD_OPEN_SOURCE, VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS,
                                        VK_DRIVER_ID_MESA_TURNIP, VK_DRIVER_ID_QUALCOMM_PROPRIETARY };
    uint32_t n = sizeof order / sizeof *order;
    for (uint32_t i = 0; i < n; i++)
        if (order[i] == id) return i;
    return id == VK_DRIVER_ID_MESA_DOZEN ? n + 1 : n;
}

static candidate look_at(vk_backend *vk, VkPhysicalDevice d)
{
    VkPhysicalDeviceDriverProperties driver = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
    VkPhysicalDeviceIDProperties id = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &driver };
    VkPhysicalDeviceProperties2 p = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id };
    VkPhysicalDeviceMemoryProperties m;
    vk->api.GetPhysicalDeviceProperties2(d, &p);
    vk->api.GetPhysicalDeviceMemoryProperties(d, &m);
    candidate c = { .type = vk_device_type(&p.properties), .driver = driver_place(driver.driverID),
                    .twin = UINT32_MAX };
    memcpy(c.uuid, id.deviceUUID, sizeof c.uuid);
    for (uint32_t i = 0; i < m.memoryHeapCount; i++)
        if (m.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && m.memoryHeaps[i].size > c.memory)
            c.memory = m.memoryHeaps[i].size;
    return c;
}

static bool same_card(const candidate *a, const candidate *b)
{
    static const uint8_t none[VK_UUID_SIZE];
    return a->type != WEFT_DEVICE_SOFTWARE && a->type == b->type && memcmp(a->uuid, none, sizeof none) &&
           !memcmp(a->uuid, b->uuid, sizeof a->uuid);
}

static void look_at_all(vk_backend *vk, const VkPhysicalDevice *d, uint32_t n, candidate *out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = look_at(vk, d[i]);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            if (k != i && same_card(&out[i], &out[k]) &&
                (out[k].driver < out[i].driver || (out[k].driver == out[i].driver && k < i)) &&
                (out[i].twin == UINT32_MAX || out[k].driver < out[out[i].twin].driver))
                out[i].twin = k;
}

/* Whether a is the better choice: a discrete device, else an integrated, else a virtual one; the better driver of a
 * card; more memory. */
static bool better(const candidate *a, const candidate *b)
{
    if (a->type != b->type) return a->type < b->type;
    bool a_twin = a->twin != UINT32_MAX, b_twin = b->twin != UINT32_MAX;
    if (a_twin != b_twin) return b_twin;
    if (a->memory != b->memory) return a->memory > b->memory;
    return a->driver < b->driver;
}

/* The best device that can be used; n: there are only software drivers. An error says why the best cannot. */
static weft_status find_default(vk_backend *vk, const VkPhysicalDevice *d, uint32_t n, uint32_t *index, weft_error *err)
{
    candidate all[MAX_DEVICES];
    bool tried[MAX_DEVICES] = { false };
    weft_status first = WEFT_OK;
    look_at_all(vk, d, n, all);
    for (;;) {
        weft_error why;
        *index = n;
        for (uint32_t i = 0; i < n; i++)
            if (all[i].type != WEFT_DEVICE_SOFTWARE && !tried[i] && (*index == n || better(&all[i], &all[*index])))
                *index = i;
        if (*index == n) return first;
        tried[*index] = true;
        vk->physical = d[*index];
        weft_status s = vk_caps_read(vk, first ? &why : err);
        if (!s) return WEFT_OK;
        if (!first) first = s;
    }
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
    candidate looked[MAX_DEVICES];
    look_at_all(vk, d, n, looked);
    for (uint32_t i = 0; i < n; i++) {
        VkPhysicalDeviceProperties p;
        describe(vk, d[i], &p);
        if (!strcasestr(p.deviceName, which)) continue;
        bool again = found && same_card(&looked[i], &looked[*index]); /* then its best driver is meant */
        found += !again;
        if (!again || looked[i].twin == UINT32_MAX) *index = i;
        if (strcasecmp(p.deviceName, which)) continue;
        *index = i;
        return WEFT_OK; /* the whole name, be it a part of another's */
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
    else WEFT_TRY(find_default(vk, devices, n, &index, err));
    if (index == n) {
        name_all(vk, devices, n, all, sizeof all);
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: there is no GPU, only software drivers, which must be named: %s",
                         all);
    }
    vk->index = index;
    vk->physical = devices[index];
    return vk_caps_read(vk, err);
}

/* A device that cannot be used is listed with the reason; one that is there twice says so. */
static weft_status describe_listed(vk_backend *vk, const VkPhysicalDevice *d, uint32_t n, uint32_t index,
                                   weft_device_info *out, weft_error *err)
{
    candidate all[MAX_DEVICES];
    look_at_all(vk, d, n, all);
    vk->physical = d[index];
    vk->index = index;
    weft_status s = vk_caps_read(vk, err);
    if (s && s != WEFT_UNSUPPORTED) return s;
    if (s) {
        *out = (weft_device_info){ .name = "vulkan", .type = all[index].type, .index = index };
        snprintf(out->model, sizeof out->model, "%.127s", vk->properties.deviceName);
        snprintf(out->description, sizeof out->description, "%.127s", vk->properties.deviceName);
        snprintf(out->unusable, sizeof out->unusable, "%.255s", err->text);
    } else {
        WEFT_TRY(vk_verdicts_create(vk, err));
        WEFT_TRY(vk_tuned_create(vk, err));
        vk_info(&vk->base, out);
    }
    if (all[index].twin != UINT32_MAX)
        snprintf(out->remark, sizeof out->remark, "the same card as vulkan:%u, under another driver", all[index].twin);
    return WEFT_OK;
}

weft_status vk_list(uint32_t index, const char *options, weft_device_info *out, weft_error *err)
{
    vk_backend vk = { 0 };
    VkPhysicalDevice devices[MAX_DEVICES];
    weft_error why;
    uint32_t n, best = 0;
    WEFT_TRY(vk_options_parse("", options, &vk.options, err));
    weft_status s = vk_instance_create(&vk, err);
    if (!s) s = enumerate(&vk, devices, &n, err);
    if (!s && index >= n) s = WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: there are %u devices", n);
    if (!s && find_default(&vk, devices, n, &best, &why)) best = n;
    if (!s) s = describe_listed(&vk, devices, n, index, out, err ? err : &why);
    if (!s) out->is_default = best == index;
    vk_verdicts_destroy(&vk);
    gpu_tuned_free(vk.tuned);
    vk_instance_destroy(&vk);
    vk_options_free(&vk.options);
    return s;
}
