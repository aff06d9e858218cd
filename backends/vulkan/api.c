/* api.c: the Vulkan loader, opened at run time, and the functions that the backend calls. */
#include "backends/vulkan/vk.h"

#include <dlfcn.h>
#include <stdio.h>

static const char *result_name(VkResult r)
{
    switch ((int)r) {
#define CASE(name) case name: return #name;
    CASE(VK_NOT_READY)
    CASE(VK_TIMEOUT)
    CASE(VK_INCOMPLETE)
    CASE(VK_ERROR_OUT_OF_HOST_MEMORY)
    CASE(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    CASE(VK_ERROR_INITIALIZATION_FAILED)
    CASE(VK_ERROR_DEVICE_LOST)
    CASE(VK_ERROR_MEMORY_MAP_FAILED)
    CASE(VK_ERROR_LAYER_NOT_PRESENT)
    CASE(VK_ERROR_EXTENSION_NOT_PRESENT)
    CASE(VK_ERROR_FEATURE_NOT_PRESENT)
    CASE(VK_ERROR_INCOMPATIBLE_DRIVER)
    CASE(VK_ERROR_TOO_MANY_OBJECTS)
    CASE(VK_ERROR_FRAGMENTED_POOL)
    CASE(VK_ERROR_OUT_OF_POOL_MEMORY)
    CASE(VK_ERROR_FRAGMENTATION)
    CASE(VK_ERROR_UNKNOWN)
#undef CASE
    default: return "an unknown result";
    }
}

static weft_status result_status(VkResult r)
{
    switch ((int)r) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_MEMORY_MAP_FAILED:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_OUT_OF_POOL_MEMORY: return WEFT_OOM;
    case VK_ERROR_DEVICE_LOST: return WEFT_DEVICE_LOST;
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
    case VK_ERROR_INITIALIZATION_FAILED:
    case VK_ERROR_INCOMPATIBLE_DRIVER: return WEFT_UNSUPPORTED;
    default: return WEFT_INTERNAL;
    }
}

weft_status vk_fail(weft_error *err, VkResult r, const char *call, const char *fmt, ...)
{
    char text[448];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return WEFT_FAIL(err, result_status(r), "vulkan: %s gave %s (%s)", call, result_name(r), text);
}

static weft_status missing(weft_error *err, const char *name)
{
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: the driver has no vk%s; Vulkan 1.2 is needed", name);
}

const char *const *vk_loader_names(vk_platform p)
{
    /* macOS: the loader of an SDK, or the only driver, which can do without one. Android's name has no number. */
    static const char *const names[][4] = { [VK_PLATFORM_ELF] = { "libvulkan.so.1", "libvulkan.so" },
                                            [VK_PLATFORM_APPLE] = { "libvulkan.1.dylib", "libvulkan.dylib",
                                                                    "libMoltenVK.dylib" },
                                            [VK_PLATFORM_WINDOWS] = { "vulkan-1.dll" } };
    return names[p];
}

#if defined(__APPLE__)
#define PLATFORM VK_PLATFORM_APPLE
#define INSTALL_HINT "the Vulkan SDK or MoltenVK brings it"
#elif defined(_WIN32)
#define PLATFORM VK_PLATFORM_WINDOWS
#define INSTALL_HINT "the GPU's driver brings it"
#else
#define PLATFORM VK_PLATFORM_ELF
#define INSTALL_HINT "Debian and Ubuntu have it in the package libvulkan1"
#endif

/* The first of the names that can be opened; what is said of a failure is about the first name. */
static weft_status open_library(vk_api *api, const char *const *names, weft_error *err)
{
    char why[256] = "";
    for (uint32_t i = 0; names[i]; i++) {
        api->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (api->library) return WEFT_OK;
        const char *text = dlerror();
        if (!i) snprintf(why, sizeof why, "%s", text ? text : names[i]);
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: no loader: %s (%s)", why, INSTALL_HINT);
}

weft_status vk_api_load(vk_api *api, const char *path, weft_error *err)
{
    const char *given[] = { path, NULL };
    *api = (vk_api){ 0 };
    WEFT_TRY(open_library(api, path ? given : vk_loader_names(PLATFORM), err));
    *(void **)&api->GetInstanceProcAddr = dlsym(api->library, "vkGetInstanceProcAddr");
    if (!api->GetInstanceProcAddr) {
        vk_api_unload(api);
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "vulkan: %s is no Vulkan loader",
                         path ? path : "the system's library");
    }
#define VK_FN(f)
#define VK_GLOBAL(f)                                                                  \
    api->f = (PFN_vk##f)(void (*)(void))api->GetInstanceProcAddr(NULL, "vk" #f);      \
    if (!api->f) {                                                                    \
        vk_api_unload(api);                                                           \
        return missing(err, #f);                                                      \
    }
#include "backends/vulkan/api.def"
#undef VK_FN
    return WEFT_OK;
}

weft_status vk_api_load_instance(vk_api *api, VkInstance instance, weft_error *err)
{
#define VK_FN(f)
#define VK_INSTANCE(f)                                                                    \
    api->f = (PFN_vk##f)(void (*)(void))api->GetInstanceProcAddr(instance, "vk" #f);      \
    if (!api->f) return missing(err, #f);
#define VK_OPTIONAL(f) api->f = (PFN_vk##f)(void (*)(void))api->GetInstanceProcAddr(instance, "vk" #f);
#include "backends/vulkan/api.def"
#undef VK_FN
    return WEFT_OK;
}

weft_status vk_api_load_device(vk_api *api, VkDevice device, weft_error *err)
{
#define VK_FN(f)
#define VK_DEVICE(f)                                                                  \
    api->f = (PFN_vk##f)(void (*)(void))api->GetDeviceProcAddr(device, "vk" #f);      \
    if (!api->f) return missing(err, #f);
#include "backends/vulkan/api.def"
#undef VK_FN
    return WEFT_OK;
}

void vk_api_unload(vk_api *api)
{
    if (api->library) dlclose(api->library);
    *api = (vk_api){ 0 };
}
