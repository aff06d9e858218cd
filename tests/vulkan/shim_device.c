/* shim_device.c: the part of the shim that says other things of devices than their driver does, and makes them true as
 * far as a test can see: heaps run out, timestamps tick as said, and memory behaves as its type says. Host-visible
 * memory that is not cached and coherent is shown to the host as a copy of its own. Of coherent memory that is not
 * cached what was written is taken over by the next submission, and reading it gives VOID; of memory that is not
 * coherent nothing is taken over but what was flushed, and nothing seen but what was invalidated. */
#include "tests/vulkan/shim_device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 8, MAX_MEMORIES = 512, MAX_EXTENSIONS = 512 };
#define VOID 0x7fc5a5a5u /* a NaN */

typedef struct device {
    VkPhysicalDevice real;
    shim_profile p;
    uint64_t used[SHIM_HEAPS];
} device;

typedef struct memory {
    VkDeviceMemory handle;
    uint32_t type;
    uint64_t size;
    unsigned char *real, *shown; /* mapped; shown: the copy, NULL where the host sees the memory itself */
} memory;

static device devices[MAX_DEVICES];
static int n_devices;
static device *current; /* the one that was opened last, if it is ours */
static memory memories[MAX_MEMORIES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shim_report report;

static device *ours(VkPhysicalDevice d)
{
    for (int i = 0; i < n_devices; i++)
        if ((VkPhysicalDevice)(void *)&devices[i] == d) return &devices[i];
    return NULL;
}

static VkPhysicalDevice real_of(VkPhysicalDevice d)
{
    device *o = ours(d);
    return o ? o->real : d;
}

/* ---- instances ---- */

static bool portability;

static PFN_vkCreateInstance real_CreateInstance;
static VKAPI_ATTR VkResult VKAPI_CALL device_CreateInstance(const VkInstanceCreateInfo *c,
                                                            const VkAllocationCallbacks *a, VkInstance *out)
{
    if (shim_fails()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    bool named = false;
    for (uint32_t i = 0; i < c->enabledExtensionCount; i++)
        named |= !strcmp(c->ppEnabledExtensionNames[i], VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    portability = named && (c->flags & VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR);
    VkResult r = real_CreateInstance(c, a, out);
    if (!r) shim_count(1);
    return r;
}

/* A loader lists drivers of portability devices only to those who ask for them. */
static PFN_vkEnumeratePhysicalDevices real_EnumeratePhysicalDevices;
static VKAPI_ATTR VkResult VKAPI_CALL device_EnumeratePhysicalDevices(VkInstance i, uint32_t *n, VkPhysicalDevice *out)
{
    VkPhysicalDevice real[MAX_DEVICES];
    uint32_t found = MAX_DEVICES, room = *n;
    if (shim_fails()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (!n_devices) return real_EnumeratePhysicalDevices(i, n, out);
    VkResult r = real_EnumeratePhysicalDevices(i, &found, real);
    if (r < 0 || !found) return r;
    *n = 0;
    for (int k = 0; k < n_devices; k++) {
        devices[k].real = real[0];
        if (devices[k].p.portability && !portability) continue;
        if (out && *n == room) return VK_INCOMPLETE;
        if (out) out[*n] = (VkPhysicalDevice)(void *)&devices[k];
        (*n)++;
    }
    return VK_SUCCESS;
}

/* ---- properties ---- */

#define LOWER(field, value) ((field) = (value) && (value) < (field) ? (value) : (field))

static void edit_properties(const shim_profile *p, VkPhysicalDeviceProperties *out)
{
    VkPhysicalDeviceLimits *l = &out->limits;
    out->deviceType = (VkPhysicalDeviceType)p->type;
    out->vendorID = p->vendor;
    out->driverVersion = p->driver_version;
    snprintf(out->deviceName, sizeof out->deviceName, "%s", p->name);
    if (p->api < out->apiVersion) out->apiVersion = p->api;
    l->maxPerStageDescriptorStorageBuffers = l->maxDescriptorSetStorageBuffers = p->storage_buffers;
    l->maxPerStageDescriptorUniformBuffers = l->maxDescriptorSetUniformBuffers = p->uniform_buffers;
    l->maxPerStageResources = p->resources;
    l->maxBoundDescriptorSets = p->sets;
    l->maxUniformBufferRange = p->uniform_range;
    l->maxMemoryAllocationCount = p->max_allocations;
    l->nonCoherentAtomSize = p->atom;
    for (int i = 0; i < 3; i++) LOWER(l->maxComputeWorkGroupCount[i], p->groups[i]);
    l->timestampPeriod = p->period;
}

static void edit_structure(const shim_profile *p, VkBaseOutStructure *s)
{
    switch ((int)s->sType) {
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES: {
        VkPhysicalDeviceDriverProperties *d = (void *)s;
        d->driverID = (VkDriverId)p->driver_id;
        snprintf(d->driverName, sizeof d->driverName, "%s", p->driver);
        snprintf(d->driverInfo, sizeof d->driverInfo, "%s", p->driver_info);
        return;
    }
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES:
        memcpy(((VkPhysicalDeviceIDProperties *)(void *)s)->deviceUUID, p->uuid, VK_UUID_SIZE);
        return;
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES:
        LOWER(((VkPhysicalDeviceMaintenance3Properties *)(void *)s)->maxMemoryAllocationSize, p->max_allocation);
        return;
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES:
        if (p->fake_subgroups) ((VkPhysicalDeviceSubgroupProperties *)(void *)s)->subgroupSize = p->subgroup;
        return;
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES: {
        VkPhysicalDeviceSubgroupSizeControlProperties *c = (void *)s;
        if (!p->fake_subgroups) return;
        c->minSubgroupSize = p->subgroup_min;
        c->maxSubgroupSize = p->subgroup_max;
        c->maxComputeWorkgroupSubgroups = p->max_subgroups;
        return;
    }
    default: return;
    }
}

static PFN_vkGetPhysicalDeviceProperties real_GetPhysicalDeviceProperties;
static VKAPI_ATTR void VKAPI_CALL device_GetPhysicalDeviceProperties(VkPhysicalDevice d, VkPhysicalDeviceProperties *p)
{
    real_GetPhysicalDeviceProperties(real_of(d), p);
    if (ours(d)) edit_properties(&ours(d)->p, p);
}

static PFN_vkGetPhysicalDeviceProperties2 real_GetPhysicalDeviceProperties2;
static VKAPI_ATTR void VKAPI_CALL device_GetPhysicalDeviceProperties2(VkPhysicalDevice d,
                                                                      VkPhysicalDeviceProperties2 *p)
{
    real_GetPhysicalDeviceProperties2(real_of(d), p);
    if (!ours(d)) return;
    edit_properties(&ours(d)->p, &p->properties);
    for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext) edit_structure(&ours(d)->p, s);
}

static PFN_vkGetPhysicalDeviceFeatures2 real_GetPhysicalDeviceFeatures2;
static VKAPI_ATTR void VKAPI_CALL device_GetPhysicalDeviceFeatures2(VkPhysicalDevice d, VkPhysicalDeviceFeatures2 *f)
{
    real_GetPhysicalDeviceFeatures2(real_of(d), f);
    for (VkBaseOutStructure *s = f->pNext; s && ours(d); s = s->pNext)
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT)
            ((VkPhysicalDeviceFaultFeaturesEXT *)(void *)s)->deviceFault = ours(d)->p.fault;
}

static PFN_vkGetPhysicalDeviceQueueFamilyProperties real_GetPhysicalDeviceQueueFamilyProperties;
static VKAPI_ATTR void VKAPI_CALL device_GetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice d, uint32_t *n,
                                                                                VkQueueFamilyProperties *p)
{
    real_GetPhysicalDeviceQueueFamilyProperties(real_of(d), n, p);
    for (uint32_t i = 0; p && i < *n; i++) {
        if (ours(d)) p[i].timestampValidBits = ours(d)->p.timestamp_bits;
        if (shim_taken() & SHIM_TIMESTAMPS) p[i].timestampValidBits = 0;
    }
}

static void edit_memory(const device *d, VkPhysicalDeviceMemoryProperties *out)
{
    *out = (VkPhysicalDeviceMemoryProperties){ .memoryHeapCount = d->p.n_heaps, .memoryTypeCount = d->p.n_types };
    for (uint32_t i = 0; i < d->p.n_heaps; i++)
        out->memoryHeaps[i] = (VkMemoryHeap){ d->p.heap[i].size,
                                              d->p.heap[i].local ? VK_MEMORY_HEAP_DEVICE_LOCAL_BIT : 0 };
    for (uint32_t i = 0; i < d->p.n_types; i++)
        out->memoryTypes[i] = (VkMemoryType){ d->p.types[i].flags, d->p.types[i].heap };
}

static PFN_vkGetPhysicalDeviceMemoryProperties real_GetPhysicalDeviceMemoryProperties;
static VKAPI_ATTR void VKAPI_CALL device_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice d,
                                                                           VkPhysicalDeviceMemoryProperties *p)
{
    real_GetPhysicalDeviceMemoryProperties(real_of(d), p);
    if (ours(d)) edit_memory(ours(d), p);
}

static PFN_vkGetPhysicalDeviceMemoryProperties2 real_GetPhysicalDeviceMemoryProperties2;
static VKAPI_ATTR void VKAPI_CALL device_GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice d,
                                                                            VkPhysicalDeviceMemoryProperties2 *p)
{
    real_GetPhysicalDeviceMemoryProperties2(real_of(d), p);
    device *o = ours(d);
    if (!o) return;
    edit_memory(o, &p->memoryProperties);
    for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT *b = (void *)s;
        if (s->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
        for (uint32_t i = 0; i < o->p.n_heaps; i++) {
            b->heapBudget[i] = o->p.heap[i].budget;
            b->heapUsage[i] = o->p.heap[i].usage + o->used[i];
        }
    }
}

/* ---- extensions, opening ---- */

static void add_extension(VkExtensionProperties *all, uint32_t *n, const char *name)
{
    for (uint32_t i = 0; i < *n; i++)
        if (!strcmp(all[i].extensionName, name)) return;
    if (*n < MAX_EXTENSIONS) snprintf(all[(*n)++].extensionName, VK_MAX_EXTENSION_NAME_SIZE, "%s", name);
}

static void edit_extensions(const shim_profile *p, VkExtensionProperties *all, uint32_t *n)
{
    for (uint32_t i = 0; i < *n; i++)
        if (!strcmp(all[i].extensionName, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME)) all[i--] = all[--*n];
    if (p->budget) add_extension(all, n, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    if (p->portability) add_extension(all, n, "VK_KHR_portability_subset");
    if (p->fault) add_extension(all, n, VK_EXT_DEVICE_FAULT_EXTENSION_NAME);
}

static PFN_vkEnumerateDeviceExtensionProperties real_EnumerateDeviceExtensionProperties;
static VKAPI_ATTR VkResult VKAPI_CALL device_EnumerateDeviceExtensionProperties(VkPhysicalDevice d, const char *layer,
                                                                                uint32_t *n, VkExtensionProperties *p)
{
    static VkExtensionProperties all[MAX_EXTENSIONS];
    uint32_t found = MAX_EXTENSIONS, room = *n;
    VkResult r = real_EnumerateDeviceExtensionProperties(real_of(d), layer, &found, all);
    if (r < 0) return r;
    for (uint32_t i = 0; i < found && (shim_taken() & SHIM_CALIBRATION); i++)
        if (strstr(all[i].extensionName, "_calibrated_timestamps")) strcpy(all[i].extensionName, "VK_none");
    if (ours(d)) edit_extensions(&ours(d)->p, all, &found);
    *n = p && room < found ? room : found;
    if (p) memcpy(p, all, *n * sizeof *p);
    return *n < found ? VK_INCOMPLETE : VK_SUCCESS;
}

/* Extensions that only a profile has are not passed on, nor the structure that switches one on. */
static PFN_vkCreateDevice real_CreateDevice;
static VKAPI_ATTR VkResult VKAPI_CALL device_CreateDevice(VkPhysicalDevice d, const VkDeviceCreateInfo *info,
                                                          const VkAllocationCallbacks *a, VkDevice *out)
{
    static VkExtensionProperties all[MAX_EXTENSIONS];
    const char *names[64];
    uint32_t found = MAX_EXTENSIONS;
    if (shim_fails()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkDeviceCreateInfo c = *info;
    VkBaseOutStructure *before = NULL, *taken = NULL;
    current = ours(d);
    report.extensions[0] = 0;
    real_EnumerateDeviceExtensionProperties(real_of(d), NULL, &found, all);
    c.enabledExtensionCount = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        const char *name = info->ppEnabledExtensionNames[i];
        size_t at = strlen(report.extensions);
        snprintf(report.extensions + at, sizeof report.extensions - at, "%s ", name);
        for (uint32_t k = 0; k < found; k++)
            if (!strcmp(all[k].extensionName, name)) names[c.enabledExtensionCount++] = name;
    }
    c.ppEnabledExtensionNames = names;
    for (VkBaseOutStructure *s = (VkBaseOutStructure *)(uintptr_t)c.pNext; s && current; before = s, s = s->pNext)
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT && before) {
            taken = s;
            before->pNext = s->pNext;
            break;
        }
    VkResult r = real_CreateDevice(real_of(d), &c, a, out);
    if (taken) before->pNext = taken;
    if (!r) shim_count(1);
    return r;
}

static PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT real_GetPhysicalDeviceCalibrateableTimeDomainsEXT;
static VKAPI_ATTR VkResult VKAPI_CALL device_GetPhysicalDeviceCalibrateableTimeDomainsEXT(
    VkPhysicalDevice d, uint32_t *n, VkTimeDomainEXT *domains)
{
    return shim_fails() ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                        : real_GetPhysicalDeviceCalibrateableTimeDomainsEXT(real_of(d), n, domains);
}

static PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR real_GetPhysicalDeviceCooperativeMatrixPropertiesKHR;
static VKAPI_ATTR VkResult VKAPI_CALL device_GetPhysicalDeviceCooperativeMatrixPropertiesKHR(
    VkPhysicalDevice d, uint32_t *n, VkCooperativeMatrixPropertiesKHR *p)
{
    return real_GetPhysicalDeviceCooperativeMatrixPropertiesKHR(real_of(d), n, p);
}

/* ---- memory ---- */

static uint32_t flags_of(const memory *m)
{
    return current && m->type < current->p.n_types ? current->p.types[m->type].flags : 0;
}

static memory *find_memory(VkDeviceMemory handle)
{
    for (int i = 0; i < MAX_MEMORIES; i++)
        if (memories[i].handle == handle) return &memories[i];
    return NULL;
}

static PFN_vkGetBufferMemoryRequirements real_GetBufferMemoryRequirements;
static VKAPI_ATTR void VKAPI_CALL device_GetBufferMemoryRequirements(VkDevice d, VkBuffer b, VkMemoryRequirements *r)
{
    real_GetBufferMemoryRequirements(d, b, r);
    if (!current) return;
    r->memoryTypeBits = 0;
    for (uint32_t i = 0; i < current->p.n_types; i++)
        r->memoryTypeBits |= (uint32_t)!current->p.types[i].not_for_buffers << i;
}

static VkResult allocation_fits(const VkMemoryAllocateInfo *info)
{
    const shim_heap *h = &current->p.heap[current->p.types[info->memoryTypeIndex].heap];
    uint64_t used = current->used[current->p.types[info->memoryTypeIndex].heap];
    uint64_t room = h->room ? h->room : h->size;
    if (report.live_allocations >= current->p.max_allocations) return VK_ERROR_TOO_MANY_OBJECTS;
    if (info->allocationSize > room || used > room - info->allocationSize) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return VK_SUCCESS;
}

static bool imports(const VkMemoryAllocateInfo *info)
{
    const VkBaseInStructure *s = info->pNext;
    while (s && s->sType != VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT) s = s->pNext;
    return s;
}

static PFN_vkAllocateMemory real_AllocateMemory;
static VKAPI_ATTR VkResult VKAPI_CALL device_AllocateMemory(VkDevice d, const VkMemoryAllocateInfo *info,
                                                            const VkAllocationCallbacks *a, VkDeviceMemory *out)
{
    if (shim_fails()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    bool refused = shim_taken() & SHIM_IMPORTS;
    if (imports(info)) ++*(refused ? &report.no_imports : &report.imports);
    if (imports(info) && refused) return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    VkMemoryAllocateInfo real = *info;
    if (current) {
        VkResult full = allocation_fits(info);
        report.refused += full != VK_SUCCESS;
        if (full) return full;
        real.memoryTypeIndex = 0; /* software drivers have one type, and it can be all that is said */
    }
    VkResult r = real_AllocateMemory(d, &real, a, out);
    if (r) return r;
    shim_count(1);
    report.live_allocations++;
    if (report.live_allocations > report.most_allocations) report.most_allocations = report.live_allocations;
    report.allocations++;
    if (!current) return r;
    current->used[current->p.types[info->memoryTypeIndex].heap] += info->allocationSize;
    report.by_type[info->memoryTypeIndex]++;
    memory *m = find_memory(VK_NULL_HANDLE);
    if (m) *m = (memory){ *out, info->memoryTypeIndex, info->allocationSize, NULL, NULL };
    else report.misused++;
    return r;
}

static PFN_vkFreeMemory real_FreeMemory;
static VKAPI_ATTR void VKAPI_CALL device_FreeMemory(VkDevice d, VkDeviceMemory handle, const VkAllocationCallbacks *a)
{
    memory *m = handle ? find_memory(handle) : NULL;
    if (handle) shim_count(-1);
    report.live_allocations -= handle != VK_NULL_HANDLE;
    if (m && current) current->used[current->p.types[m->type].heap] -= m->size;
    if (m) {
        free(m->shown);
        *m = (memory){ 0 };
    }
    real_FreeMemory(d, handle, a);
}

static PFN_vkMapMemory real_MapMemory;
static VKAPI_ATTR VkResult VKAPI_CALL device_MapMemory(VkDevice d, VkDeviceMemory handle, VkDeviceSize at,
                                                       VkDeviceSize n, VkMemoryMapFlags f, void **out)
{
    const uint32_t both = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    if (shim_fails()) return VK_ERROR_MEMORY_MAP_FAILED;
    memory *m = find_memory(handle);
    if (m && !(flags_of(m) & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)) {
        report.misused++;
        return VK_ERROR_MEMORY_MAP_FAILED;
    }
    VkResult r = real_MapMemory(d, handle, at, n, f, out);
    if (r || !m || (flags_of(m) & both) == both || at) return r;
    m->real = *out;
    m->shown = malloc(m->size + 4);
    if (!m->shown) return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint64_t i = 0; i < m->size; i += 4) memcpy(m->shown + i, &(uint32_t){ VOID }, 4);
    *out = m->shown;
    return VK_SUCCESS;
}

void shim_memory_submit(void)
{
    pthread_mutex_lock(&lock);
    for (int k = 0; k < MAX_MEMORIES; k++) {
        memory *m = &memories[k];
        if (!m->shown || !(flags_of(m) & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)) continue;
        for (uint64_t i = 0; i + 4 <= m->size; i += 4) {
            uint32_t word;
            memcpy(&word, m->shown + i, 4);
            if (word == VOID) continue;
            memcpy(m->real + i, &word, 4);
            memcpy(m->shown + i, &(uint32_t){ VOID }, 4);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* A range of whole atoms, in memory that is mapped. */
static memory *check_range(const VkMappedMemoryRange *r, uint64_t *n)
{
    memory *m = find_memory(r->memory);
    if (!m || !current) return NULL;
    uint64_t atom = current->p.atom;
    *n = r->size == VK_WHOLE_SIZE ? m->size - r->offset : r->size;
    bool whole = r->offset % atom == 0 && (*n % atom == 0 || r->offset + *n == m->size);
    bool inside = r->offset < m->size && *n <= m->size - r->offset;
    if (!whole || !inside || !m->shown) {
        report.misused++;
        return NULL;
    }
    return m;
}

static PFN_vkFlushMappedMemoryRanges real_FlushMappedMemoryRanges;
static VKAPI_ATTR VkResult VKAPI_CALL device_FlushMappedMemoryRanges(VkDevice d, uint32_t n,
                                                                     const VkMappedMemoryRange *r)
{
    if (!current) return real_FlushMappedMemoryRanges(d, n, r);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bytes;
        memory *m = check_range(&r[i], &bytes);
        report.flushes++;
        if (m) memcpy(m->real + r[i].offset, m->shown + r[i].offset, bytes);
    }
    return VK_SUCCESS;
}

static PFN_vkInvalidateMappedMemoryRanges real_InvalidateMappedMemoryRanges;
static VKAPI_ATTR VkResult VKAPI_CALL device_InvalidateMappedMemoryRanges(VkDevice d, uint32_t n,
                                                                          const VkMappedMemoryRange *r)
{
    if (!current) return real_InvalidateMappedMemoryRanges(d, n, r);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bytes;
        memory *m = check_range(&r[i], &bytes);
        report.invalidates++;
        if (m) memcpy(m->shown + r[i].offset, m->real + r[i].offset, bytes);
    }
    return VK_SUCCESS;
}

/* ---- time ---- */

static uint64_t origin;

/* The device counts what it says, from shortly before its counter overflows. */
static uint64_t ticks_after(double ns)
{
    const shim_profile *p = &current->p;
    uint64_t mask = p->timestamp_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << p->timestamp_bits) - 1;
    return p->stuck ? 0 : (uint64_t)(int64_t)(ns / (double)p->period - 1000) & mask;
}

static uint64_t ticks_of(uint64_t ns)
{
    if (!origin) origin = ns;
    return ticks_after((double)(int64_t)(ns - origin));
}

static PFN_vkGetQueryPoolResults real_GetQueryPoolResults;
static VKAPI_ATTR VkResult VKAPI_CALL device_GetQueryPoolResults(VkDevice d, VkQueryPool q, uint32_t first, uint32_t n,
                                                                 size_t size, void *data, VkDeviceSize stride,
                                                                 VkQueryResultFlags flags)
{
    if (shim_fails()) return VK_ERROR_DEVICE_LOST;
    VkResult r = real_GetQueryPoolResults(d, q, first, n, size, data, stride, flags);
    uint64_t *times = data;
    if (r || !current || stride != sizeof *times) return r;
    report.n_times = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i < SHIM_TIMES) report.times[report.n_times++] = times[i];
        times[i] = current->p.step ? ticks_after((double)i * (double)current->p.step) : ticks_of(times[i]);
    }
    return r;
}

static PFN_vkGetCalibratedTimestampsEXT real_GetCalibratedTimestampsEXT;
static VKAPI_ATTR VkResult VKAPI_CALL device_GetCalibratedTimestampsEXT(VkDevice d, uint32_t n,
                                                                        const VkCalibratedTimestampInfoEXT *info,
                                                                        uint64_t *times, uint64_t *deviation)
{
    if (shim_fails()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkResult r = real_GetCalibratedTimestampsEXT(d, n, info, times, deviation);
    for (uint32_t i = 0; i < n && !r && current; i++)
        if (info[i].timeDomain == VK_TIME_DOMAIN_DEVICE_EXT) times[i] = ticks_of(times[i]);
    return r;
}

/* ---- faults ---- */

static VKAPI_ATTR VkResult VKAPI_CALL device_GetDeviceFaultInfoEXT(VkDevice d, VkDeviceFaultCountsEXT *counts,
                                                                   VkDeviceFaultInfoEXT *info)
{
    (void)d;
    report.fault_queries++;
    if (!info) {
        *counts = (VkDeviceFaultCountsEXT){ .sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_COUNTS_EXT, .addressInfoCount = 1,
                                            .vendorInfoCount = 1 };
        return VK_SUCCESS;
    }
    snprintf(info->description, sizeof info->description, "page fault of the test");
    if (counts->addressInfoCount && info->pAddressInfos)
        info->pAddressInfos[0] = (VkDeviceFaultAddressInfoEXT){ VK_DEVICE_FAULT_ADDRESS_TYPE_READ_INVALID_EXT,
                                                                0xdeadb000, 4096 };
    if (counts->vendorInfoCount && info->pVendorInfos) {
        info->pVendorInfos[0] = (VkDeviceFaultVendorInfoEXT){ .vendorFaultCode = 7, .vendorFaultData = 9 };
        snprintf(info->pVendorInfos[0].description, VK_MAX_DESCRIPTION_SIZE, "ring gfx timed out");
    }
    return VK_SUCCESS;
}

/* ---- looking functions up ---- */

#define WRAPPED(X) X(CreateInstance) X(EnumeratePhysicalDevices) X(GetPhysicalDeviceProperties) \
    X(GetPhysicalDeviceProperties2) X(GetPhysicalDeviceFeatures2) X(GetPhysicalDeviceQueueFamilyProperties) \
    X(GetPhysicalDeviceMemoryProperties) X(GetPhysicalDeviceMemoryProperties2) \
    X(EnumerateDeviceExtensionProperties) X(CreateDevice) X(GetPhysicalDeviceCalibrateableTimeDomainsEXT) \
    X(GetPhysicalDeviceCooperativeMatrixPropertiesKHR) X(GetBufferMemoryRequirements) X(AllocateMemory) X(FreeMemory) \
    X(MapMemory) X(FlushMappedMemoryRanges) X(InvalidateMappedMemoryRanges) X(GetQueryPoolResults) \
    X(GetCalibratedTimestampsEXT)

PFN_vkVoidFunction shim_device_wrap(const char *name, PFN_vkVoidFunction real)
{
    if (!strcmp(name, "vkGetDeviceFaultInfoEXT") && current && current->p.fault)
        return (PFN_vkVoidFunction)device_GetDeviceFaultInfoEXT;
    if (!real) return NULL;
#define X(f)                                      \
    if (!strcmp(name, "vk" #f)) {                 \
        real_##f = (PFN_vk##f)real;               \
        return (PFN_vkVoidFunction)device_##f;    \
    }
    WRAPPED(X)
#undef X
    return NULL;
}

/* ---- steering ---- */

void shim_device_reset(void)
{
    n_devices = 0;
    current = NULL;
    origin = 0;
    report = (shim_report){ 0 };
}

shim_profile *shim_device(const char *key)
{
    for (unsigned i = 0; i < shim_n_profiles && n_devices < MAX_DEVICES; i++) {
        if (strcmp(shim_profiles[i].key, key)) continue;
        device *d = &devices[n_devices++];
        *d = (device){ .p = shim_profiles[i] };
        for (uint32_t k = 0; k < d->p.n_heaps; k++)
            if (!d->p.heap[k].budget) d->p.heap[k].budget = d->p.heap[k].size;
        return &d->p;
    }
    return NULL;
}

void shim_device_environment(void)
{
    const char *text = getenv("SHIM_DEVICES");
    char copy[256], *rest = copy, *item;
    shim_profile *p = NULL;
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    while ((item = strsep(&rest, ","))) {
        unsigned long long number = 0;
        char name[32];
        if (sscanf(item, "%31[a-z]=%llu", name, &number) != 2) {
            p = shim_device(item);
            continue;
        }
        for (uint32_t i = 0; p && i < p->n_heaps; i++) {
            if (!p->heap[i].local) continue;
            if (!strcmp(name, "budget")) p->heap[i].budget = number;
            if (!strcmp(name, "usage")) p->heap[i].usage = number;
            if (!strcmp(name, "room")) p->heap[i].room = number;
        }
        if (p && !strcmp(name, "stuck")) p->stuck = number;
    }
}

shim_report *shim_report_now(void)
{
    return &report;
}

const shim_report *shim_reported(void)
{
    return &report;
}
