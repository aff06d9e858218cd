/* validate.c: with validation=1, what the Khronos layer reports becomes an error of the next wait. */
#include "backends/vulkan/vk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vk_validation {
    VkDebugUtilsMessengerEXT messenger;
    pthread_mutex_t lock; /* the layer may report from threads that make pipelines */
    char first[2000];     /* the first message that nobody has been told */
    uint32_t n;
};

static VKAPI_ATTR VkBool32 VKAPI_CALL receive(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                              VkDebugUtilsMessageTypeFlagsEXT types,
                                              const VkDebugUtilsMessengerCallbackDataEXT *data, void *ctx)
{
    struct vk_validation *v = ctx;
    (void)severity, (void)types;
    pthread_mutex_lock(&v->lock);
    if (!v->n++) snprintf(v->first, sizeof v->first, "%s", data->pMessage);
    pthread_mutex_unlock(&v->lock);
    return VK_FALSE;
}

weft_status vk_validation_create(vk_backend *vk, weft_error *err)
{
    struct vk_validation *v = calloc(1, sizeof *v);
    if (!v) return WEFT_OOM_FAIL(err, "validation");
    pthread_mutex_init(&v->lock, NULL);
    vk->validation = v;
    if (!vk->api.CreateDebugUtilsMessengerEXT || !vk->api.DestroyDebugUtilsMessengerEXT)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: validation=1: no VK_EXT_debug_utils");
    VkDebugUtilsMessengerCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = receive, .pUserData = v };
    VkResult r = vk->api.CreateDebugUtilsMessengerEXT(vk->instance, &info, NULL, &v->messenger);
    return r ? vk_fail(err, r, "vkCreateDebugUtilsMessengerEXT", "validation") : WEFT_OK;
}

void vk_validation_destroy(vk_backend *vk)
{
    struct vk_validation *v = vk->validation;
    if (!v) return;
    if (v->messenger) vk->api.DestroyDebugUtilsMessengerEXT(vk->instance, v->messenger, NULL);
    pthread_mutex_destroy(&v->lock);
    free(v);
    vk->validation = NULL;
}

weft_status vk_validation_check(vk_backend *vk, weft_error *err)
{
    struct vk_validation *v = vk->validation;
    char text[2000];
    if (!v) return WEFT_OK;
    pthread_mutex_lock(&v->lock);
    uint32_t n = v->n;
    memcpy(text, v->first, sizeof text);
    v->n = 0;
    pthread_mutex_unlock(&v->lock);
    return n ? WEFT_FAIL(err, WEFT_INTERNAL, "vulkan: %u messages of the validation layer, the first: %s", n, text)
             : WEFT_OK;
}
