/* shim.c: a Vulkan loader that forwards to the real one and makes the n-th fallible call fail, counts objects that are
 * alive, can swallow the n-th barrier, lose the device, take timestamps or calibration away, and notes what is
 * recorded; shim_device.c says what devices there are. The backend is told to use it by loader=; tests steer it by the
 * functions at the end. One instance at a time. */
#include "tests/vulkan/shim_device.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static atomic_int calls, alive, barriers, outer_barriers;
static int fail_at, swallow_at, without;
static bool losing;

bool shim_fails(void)
{
    return atomic_fetch_add(&calls, 1) + 1 == fail_at;
}

void shim_count(int made)
{
    atomic_fetch_add(&alive, made);
}

int shim_taken(void)
{
    return without;
}

/* What should be in a module, and a copy in which every OpFAdd is an OpFSub. */
static const uint32_t *original;
static size_t n_words;
static uint32_t broken[1 << 16];

static const VkShaderModuleCreateInfo *corrupted(const VkShaderModuleCreateInfo *info)
{
    static _Thread_local VkShaderModuleCreateInfo copy;
    if (!original || info->codeSize != 4 * n_words || memcmp(info->pCode, original, info->codeSize)) return info;
    copy = *info;
    copy.pCode = broken;
    return &copy;
}

/* X(name, parameters, arguments, what failing gives, objects made) */
#define ALLOCATOR const VkAllocationCallbacks *
#define FALLIBLE(X) \
    X(CreateBuffer, (VkDevice a, const VkBufferCreateInfo *b, ALLOCATOR c, VkBuffer *d), \
      (a, b, c, d), OOM, 1) \
    X(BindBufferMemory, (VkDevice a, VkBuffer b, VkDeviceMemory c, VkDeviceSize d), (a, b, c, d), OOM, 0) \
    X(CreateShaderModule, (VkDevice a, const VkShaderModuleCreateInfo *b, ALLOCATOR c, \
      VkShaderModule *d), (a, corrupted(b), c, d), OOM, 1) \
    X(CreatePipelineCache, (VkDevice a, const VkPipelineCacheCreateInfo *b, ALLOCATOR c, \
      VkPipelineCache *d), (a, b, c, d), OOM, 1) \
    X(CreateComputePipelines, (VkDevice a, VkPipelineCache b, uint32_t c, const VkComputePipelineCreateInfo *d, \
      ALLOCATOR e, VkPipeline *f), (a, b, c, d, e, f), OOM, 1) \
    X(CreatePipelineLayout, (VkDevice a, const VkPipelineLayoutCreateInfo *b, ALLOCATOR c, \
      VkPipelineLayout *d), (a, b, c, d), OOM, 1) \
    X(CreateDescriptorSetLayout, (VkDevice a, const VkDescriptorSetLayoutCreateInfo *b, ALLOCATOR c, \
      VkDescriptorSetLayout *d), (a, b, c, d), OOM, 1) \
    X(CreateDescriptorPool, (VkDevice a, const VkDescriptorPoolCreateInfo *b, ALLOCATOR c, \
      VkDescriptorPool *d), (a, b, c, d), OOM, 1) \
    X(AllocateDescriptorSets, (VkDevice a, const VkDescriptorSetAllocateInfo *b, VkDescriptorSet *c), \
      (a, b, c), OOM, 0) \
    X(CreateCommandPool, (VkDevice a, const VkCommandPoolCreateInfo *b, ALLOCATOR c, \
      VkCommandPool *d), (a, b, c, d), OOM, 1) \
    X(AllocateCommandBuffers, (VkDevice a, const VkCommandBufferAllocateInfo *b, VkCommandBuffer *c), \
      (a, b, c), OOM, 0) \
    X(BeginCommandBuffer, (VkCommandBuffer a, const VkCommandBufferBeginInfo *b), (a, b), OOM, 0) \
    X(EndCommandBuffer, (VkCommandBuffer a), (a), OOM, 0) \
    X(CreateSemaphore, (VkDevice a, const VkSemaphoreCreateInfo *b, ALLOCATOR c, VkSemaphore *d), \
      (a, b, c, d), OOM, 1) \
    X(CreateQueryPool, (VkDevice a, const VkQueryPoolCreateInfo *b, ALLOCATOR c, VkQueryPool *d), \
      (a, b, c, d), OOM, 1)

/* X(name, type of the parent, type of the object) */
#define DESTROYED(X)                                     \
    X(DestroyBuffer, VkDevice, VkBuffer)                  \
    X(DestroyShaderModule, VkDevice, VkShaderModule)      \
    X(DestroyPipelineCache, VkDevice, VkPipelineCache)    \
    X(DestroyPipeline, VkDevice, VkPipeline)              \
    X(DestroyPipelineLayout, VkDevice, VkPipelineLayout)  \
    X(DestroyDescriptorSetLayout, VkDevice, VkDescriptorSetLayout) \
    X(DestroyDescriptorPool, VkDevice, VkDescriptorPool)  \
    X(DestroyCommandPool, VkDevice, VkCommandPool)        \
    X(DestroyQueryPool, VkDevice, VkQueryPool)            \
    X(DestroySemaphore, VkDevice, VkSemaphore)

enum { RESULT_OOM = VK_ERROR_OUT_OF_DEVICE_MEMORY };

#define X(name, parameters, arguments, failure, made)                             \
    static PFN_vk##name real_##name;                                              \
    static VKAPI_ATTR VkResult VKAPI_CALL shim_##name parameters                  \
    {                                                                             \
        if (shim_fails()) return (VkResult)RESULT_##failure;                          \
        VkResult r = real_##name arguments;                                       \
        if (r >= 0) atomic_fetch_add(&alive, made);                               \
        return r;                                                                 \
    }
FALLIBLE(X)
#undef X

#define X(name, parent, object)                                                                       \
    static PFN_vk##name real_##name;                                                                  \
    static VKAPI_ATTR void VKAPI_CALL shim_##name(parent p, object o, const VkAllocationCallbacks *c) \
    {                                                                                                 \
        if (o) atomic_fetch_sub(&alive, 1);                                                           \
        real_##name(p, o, c);                                                                         \
    }
DESTROYED(X)
#undef X

static PFN_vkDestroyInstance real_DestroyInstance;
static VKAPI_ATTR void VKAPI_CALL shim_DestroyInstance(VkInstance i, const VkAllocationCallbacks *c)
{
    atomic_fetch_sub(&alive, 1);
    real_DestroyInstance(i, c);
}

static PFN_vkDestroyDevice real_DestroyDevice;
static VKAPI_ATTR void VKAPI_CALL shim_DestroyDevice(VkDevice d, const VkAllocationCallbacks *c)
{
    atomic_fetch_sub(&alive, 1);
    real_DestroyDevice(d, c);
}

/* ---- the queue ---- */

static PFN_vkQueueSubmit real_QueueSubmit;
static VKAPI_ATTR VkResult VKAPI_CALL shim_QueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *s, VkFence f)
{
    shim_report_now()->submits++;
    if (shim_fails()) return VK_ERROR_DEVICE_LOST;
    shim_memory_submit();
    return real_QueueSubmit(q, n, s, f);
}

static PFN_vkWaitSemaphores real_WaitSemaphores;
static VKAPI_ATTR VkResult VKAPI_CALL shim_WaitSemaphores(VkDevice d, const VkSemaphoreWaitInfo *s, uint64_t timeout)
{
    shim_report_now()->waits++;
    if (shim_fails() || losing) return VK_ERROR_DEVICE_LOST;
    return real_WaitSemaphores(d, s, timeout);
}

static PFN_vkGetSemaphoreCounterValue real_GetSemaphoreCounterValue;
static VKAPI_ATTR VkResult VKAPI_CALL shim_GetSemaphoreCounterValue(VkDevice d, VkSemaphore s, uint64_t *value)
{
    shim_report_now()->polls++;
    return losing ? VK_ERROR_DEVICE_LOST : real_GetSemaphoreCounterValue(d, s, value);
}

/* ---- what is recorded ---- */

static unsigned long digest;
static int timestamps, n_labels, open_labels;
static char labels[SHIM_LABELS][256];

static void note(const char *command)
{
    for (; *command; command++) digest = (digest ^ (unsigned char)*command) * 1099511628211ul;
}

#define RECORDED(X) \
    X(CmdBindPipeline, (VkCommandBuffer a, VkPipelineBindPoint b, VkPipeline c), (a, b, c)) \
    X(CmdBindDescriptorSets, (VkCommandBuffer a, VkPipelineBindPoint b, VkPipelineLayout c, uint32_t d, uint32_t e, \
      const VkDescriptorSet *f, uint32_t g, const uint32_t *h), (a, b, c, d, e, f, g, h)) \
    X(CmdDispatch, (VkCommandBuffer a, uint32_t b, uint32_t c, uint32_t d), (a, b, c, d)) \
    X(CmdDispatchBase, (VkCommandBuffer a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f, uint32_t g), \
      (a, b, c, d, e, f, g)) \
    X(CmdCopyBuffer, (VkCommandBuffer a, VkBuffer b, VkBuffer c, uint32_t d, const VkBufferCopy *e), (a, b, c, d, e)) \
    X(CmdFillBuffer, (VkCommandBuffer a, VkBuffer b, VkDeviceSize c, VkDeviceSize d, uint32_t e), (a, b, c, d, e)) \
    X(CmdResetQueryPool, (VkCommandBuffer a, VkQueryPool b, uint32_t c, uint32_t d), (a, b, c, d))

#define X(name, parameters, arguments)                         \
    static PFN_vk##name real_##name;                           \
    static VKAPI_ATTR void VKAPI_CALL shim_##name parameters   \
    {                                                          \
        note(#name);                                           \
        real_##name arguments;                                 \
    }
RECORDED(X)
#undef X

static PFN_vkCmdWriteTimestamp real_CmdWriteTimestamp;
static VKAPI_ATTR void VKAPI_CALL shim_CmdWriteTimestamp(VkCommandBuffer c, VkPipelineStageFlagBits stage,
                                                         VkQueryPool pool, uint32_t query)
{
    note("CmdWriteTimestamp");
    timestamps++;
    real_CmdWriteTimestamp(c, stage, pool, query);
}

static PFN_vkCmdBeginDebugUtilsLabelEXT real_CmdBeginDebugUtilsLabelEXT;
static VKAPI_ATTR void VKAPI_CALL shim_CmdBeginDebugUtilsLabelEXT(VkCommandBuffer c, const VkDebugUtilsLabelEXT *l)
{
    if (n_labels < SHIM_LABELS) snprintf(labels[n_labels], sizeof labels[0], "%s", l->pLabelName);
    n_labels++;
    open_labels++;
    real_CmdBeginDebugUtilsLabelEXT(c, l);
}

static PFN_vkCmdEndDebugUtilsLabelEXT real_CmdEndDebugUtilsLabelEXT;
static VKAPI_ATTR void VKAPI_CALL shim_CmdEndDebugUtilsLabelEXT(VkCommandBuffer c)
{
    open_labels--;
    real_CmdEndDebugUtilsLabelEXT(c);
}

static PFN_vkCmdPipelineBarrier real_CmdPipelineBarrier;
static VKAPI_ATTR void VKAPI_CALL shim_CmdPipelineBarrier(
    VkCommandBuffer a, VkPipelineStageFlags b, VkPipelineStageFlags c, VkDependencyFlags d, uint32_t e,
    const VkMemoryBarrier *f, uint32_t g, const VkBufferMemoryBarrier *h, uint32_t i, const VkImageMemoryBarrier *j)
{
    note("CmdPipelineBarrier");
    bool within = b == VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT && c == VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    if (!within) atomic_fetch_add(&outer_barriers, 1);
    if (within && atomic_fetch_add(&barriers, 1) + 1 == swallow_at) return;
    real_CmdPipelineBarrier(a, b, c, d, e, f, g, h, i, j);
}

/* ---- looking functions up ---- */

static PFN_vkVoidFunction wrap(const char *name, PFN_vkVoidFunction real)
{
    PFN_vkVoidFunction ours = shim_device_wrap(name, real);
    if (ours || !real) return ours;
#define X(f, ...)                                   \
    if (!strcmp(name, "vk" #f)) {                   \
        real_##f = (PFN_vk##f)real;                 \
        return (PFN_vkVoidFunction)shim_##f;        \
    }
    FALLIBLE(X)
    DESTROYED(X)
    RECORDED(X)
    X(CmdWriteTimestamp)
    X(CmdBeginDebugUtilsLabelEXT)
    X(CmdEndDebugUtilsLabelEXT)
    X(QueueSubmit)
    X(WaitSemaphores)
    X(GetSemaphoreCounterValue)
    X(DestroyInstance)
    X(DestroyDevice)
    X(CmdPipelineBarrier)
#undef X
    return real;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL shim_GetDeviceProcAddr(VkDevice d, const char *name)
{
    return wrap(name, next_device(d, name));
}

/* What a loader exports. */
SHIM_API VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance i, const char *name);
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
vkGetInstanceProcAddr(VkInstance i, const char *name)
{
    if (!next_instance) {
        void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        if (!library) return NULL;
        *(void **)&next_instance = dlsym(library, "vkGetInstanceProcAddr");
        shim_device_environment();
    }
    PFN_vkVoidFunction real = next_instance(i, name);
    if (!strcmp(name, "vkGetDeviceProcAddr")) {
        next_device = (PFN_vkGetDeviceProcAddr)real;
        return (PFN_vkVoidFunction)shim_GetDeviceProcAddr;
    }
    return wrap(name, real);
}

/* ---- steering ---- */

void shim_begin(int fail, int swallow)
{
    fail_at = fail;
    swallow_at = swallow;
    original = NULL;
    without = timestamps = n_labels = open_labels = 0;
    digest = 14695981039346656037ul;
    atomic_store(&calls, 0);
    atomic_store(&barriers, 0);
    atomic_store(&outer_barriers, 0);
    atomic_store(&alive, 0);
    losing = false;
    shim_device_reset();
}

void shim_lose(void)
{
    losing = true;
}

void shim_corrupt(const unsigned *code, unsigned long words)
{
    enum { HEADER = 5, FADD = 129, FSUB = 131 };
    if (words > sizeof broken / sizeof *broken) return;
    memcpy(broken, code, 4 * words);
    for (size_t i = HEADER; i < words && broken[i] >> 16; i += broken[i] >> 16)
        if ((broken[i] & 0xffff) == FADD) broken[i] = (broken[i] & 0xffff0000u) | FSUB;
    original = code;
    n_words = words;
}

int shim_calls(void)
{
    return atomic_load(&calls);
}

int shim_alive(void)
{
    return atomic_load(&alive);
}

int shim_barriers(void)
{
    return atomic_load(&barriers);
}

int shim_outer_barriers(void)
{
    return atomic_load(&outer_barriers);
}

void shim_without(int what)
{
    without = what;
}

unsigned long shim_digest(void)
{
    return digest;
}

int shim_timestamps(void)
{
    return timestamps;
}

int shim_labels(const char **first)
{
    *first = labels[0];
    return open_labels ? -1 : n_labels;
}
