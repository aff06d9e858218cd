/* pipelines.c: shader modules and pipelines: only what programs need, made by several threads, kept in a cache file.
 *
 * A file (cache.c) that does not fit is ignored and written anew. */
#include "backends/vulkan/vk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_THREADS = 4, MAX_CACHE_BYTES = 1 << 28 };

typedef struct entry { vk_pipeline_key key; VkPipeline pipeline; } entry;

struct vk_pipeline_set {
    entry *items;
    size_t n, cap;
    VkPipelineCache cache;
    size_t saved; /* pipelines when the file was read or written */
};

/* ---- the cache file ---- */

/* The header that the Vulkan specification prescribes, with this device's numbers. */
static bool cache_fits(const vk_backend *vk, const void *data, size_t n)
{
    VkPipelineCacheHeaderVersionOne h;
    if (n < sizeof h) return false;
    memcpy(&h, data, sizeof h);
    return h.headerSize >= sizeof h && h.headerSize <= n && h.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           h.vendorID == vk->properties.vendorID && h.deviceID == vk->properties.deviceID &&
           !memcmp(h.pipelineCacheUUID, vk->properties.pipelineCacheUUID, VK_UUID_SIZE);
}

static void save_cache(vk_backend *vk)
{
    struct vk_pipeline_set *set = vk->pipelines;
    size_t n = 0;
    if (!set->cache || set->n == set->saved || !vk->options.cache || vk->lost) return;
    if (vk->api.GetPipelineCacheData(vk->device, set->cache, &n, NULL) || !n || n > MAX_CACHE_BYTES) return;
    void *data = malloc(n);
    if (data && !vk->api.GetPipelineCacheData(vk->device, set->cache, &n, data))
        vk_cache_write(vk, "pipelines", data, n);
    free(data);
}

/* ---- life ---- */

weft_status vk_pipelines_create(vk_backend *vk, weft_error *err)
{
    struct vk_pipeline_set *set = vk->pipelines = calloc(1, sizeof *set);
    if (!set) return WEFT_OOM_FAIL(err, "pipelines");
    size_t n;
    void *data = vk_cache_read(vk, "pipelines", &n);
    bool fits = data && cache_fits(vk, data, n);
    VkPipelineCacheCreateInfo info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                       .initialDataSize = fits ? n : 0, .pInitialData = fits ? data : NULL };
    VkResult r = vk->api.CreatePipelineCache(vk->device, &info, NULL, &set->cache);
    if (r && fits) { /* a driver may refuse what it wrote: start empty */
        info.initialDataSize = 0;
        info.pInitialData = NULL;
        r = vk->api.CreatePipelineCache(vk->device, &info, NULL, &set->cache);
    }
    free(data);
    if (!r) return WEFT_OK;
    set->cache = VK_NULL_HANDLE;
    return vk_fail(err, r, "vkCreatePipelineCache", "%s", vk->properties.deviceName);
}

void vk_pipelines_destroy(vk_backend *vk)
{
    struct vk_pipeline_set *set = vk->pipelines;
    if (!set) return;
    save_cache(vk);
    for (size_t i = 0; i < set->n; i++) vk->api.DestroyPipeline(vk->device, set->items[i].pipeline, NULL);
    if (set->cache) vk->api.DestroyPipelineCache(vk->device, set->cache, NULL);
    free(set->items);
    free(set);
    vk->pipelines = NULL;
}

/* ---- one pipeline ---- */

static VkResult create_pipeline(vk_backend *vk, VkShaderModule module, const vk_pipeline_key *key, VkPipeline *out)
{
    VkSpecializationMapEntry map[WEFT_MAX_SPECS];
    for (uint32_t i = 0; i < key->n_specs; i++) map[i] = (VkSpecializationMapEntry){ i, 4 * i, 4 };
    VkSpecializationInfo specs = { key->n_specs, map, 4 * key->n_specs, key->spec };
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = key->subgroup };
    bool control = key->subgroup && vk->caps.subgroup_control;
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = (vk->options.statistics ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0u) |
                 (key->in_pieces ? VK_PIPELINE_CREATE_DISPATCH_BASE_BIT : 0u),
        .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .pNext = control ? &subgroup : NULL,
                   .flags = control ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main",
                   .pSpecializationInfo = &specs },
        .layout = vk->pipeline_layout };
    return vk->api.CreateComputePipelines(vk->device, vk->pipelines->cache, 1, &info, NULL, out);
}

static weft_status make_pipeline(vk_backend *vk, const vk_pipeline_key *key, VkPipeline *out, weft_error *err)
{
    const weft_shader *shader = &weft__shaders[key->shader];
    WEFT_TRY(gpu_workgroup_check(&vk->caps, key->shader, key->spec[0], key->subgroup, err));
    VkShaderModuleCreateInfo info = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                      .codeSize = 4 * (size_t)shader->n_words, .pCode = shader->code };
    VkShaderModule module;
    VkResult r = vk->api.CreateShaderModule(vk->device, &info, NULL, &module);
    if (r) return vk_fail(err, r, "vkCreateShaderModule", "%s", shader->name);
    r = create_pipeline(vk, module, key, out);
    vk->api.DestroyShaderModule(vk->device, module, NULL);
    if (!r) return WEFT_OK;
    *out = VK_NULL_HANDLE;
    return vk_fail(err, r, "vkCreateComputePipelines", "%s", shader->name);
}

/* ---- many ---- */

/* The caller waits and reports, so that news of what is done do not wait for a kernel of its own. */
typedef struct job {
    vk_backend *vk;
    entry *items;
    uint32_t n;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    uint32_t next, done;
    weft_status status; /* the first failure, or that the caller has had enough */
    weft_error error;
} job;

/* Makes the next pipeline, if one is left and nothing has failed. The lock is held before and after. */
static bool make_next(job *j)
{
    if (j->status || j->next == j->n) return false;
    entry *item = &j->items[j->next++];
    weft_error error = { 0 };
    pthread_mutex_unlock(&j->lock);
    weft_status s = make_pipeline(j->vk, &item->key, &item->pipeline, &error);
    pthread_mutex_lock(&j->lock);
    j->done++;
    if (s && !j->status) {
        j->status = s;
        j->error = error;
    }
    pthread_cond_signal(&j->news);
    return true;
}

static void *work(void *ctx)
{
    job *j = ctx;
    pthread_mutex_lock(&j->lock);
    while (make_next(j)) continue;
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Tells how many are done until all are, or until one fails or the caller has had enough. Without helpers it makes
 * them itself. */
static void oversee(job *j, bool helped, weft__task *task)
{
    weft_status s = WEFT_OK;
    weft_error error = { 0 };
    pthread_mutex_lock(&j->lock);
    for (uint32_t told = 0; told < j->n && !j->status && !s;) {
        while (helped && j->done == told && !j->status) pthread_cond_wait(&j->news, &j->lock);
        if (!helped) make_next(j);
        told = j->done;
        pthread_mutex_unlock(&j->lock);
        s = weft__task_reach(task, told, &error);
        pthread_mutex_lock(&j->lock);
    }
    if (s && !j->status) {
        j->status = s;
        j->error = error;
    }
    pthread_mutex_unlock(&j->lock);
}

static weft_status make_all(vk_backend *vk, entry *items, uint32_t n, const weft_progress_sink *progress,
                            weft_error *err)
{
    pthread_t threads[MAX_THREADS];
    job j = { .vk = vk, .items = items, .n = n };
    weft__task task;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t want = cores > 1 ? (uint32_t)cores : 1, running = 0;
    if (want > MAX_THREADS) want = MAX_THREADS;
    if (want > n) want = n;
    if (!n) return WEFT_OK;
    WEFT_TRY(weft__task_begin(&task, progress, "compiling kernels", n, "kernels", err));
    pthread_mutex_init(&j.lock, NULL);
    pthread_cond_init(&j.news, NULL);
    while (running < want && !pthread_create(&threads[running], NULL, work, &j)) running++;
    oversee(&j, running > 0, &task);
    while (running) pthread_join(threads[--running], NULL);
    pthread_cond_destroy(&j.news);
    pthread_mutex_destroy(&j.lock);
    if (j.status == WEFT_DEVICE_LOST) vk->lost = true;
    if (j.status && err) *err = j.error;
    return j.status;
}

static bool same_key(const vk_pipeline_key *a, const vk_pipeline_key *b)
{
    return a->shader == b->shader && a->subgroup == b->subgroup && a->n_specs == b->n_specs &&
           a->in_pieces == b->in_pieces && !memcmp(a->spec, b->spec, a->n_specs * sizeof *a->spec);
}

static size_t find(const struct vk_pipeline_set *set, const vk_pipeline_key *key)
{
    size_t i = 0;
    while (i < set->n && !same_key(&set->items[i].key, key)) i++;
    return i;
}

weft_status vk_pipelines_get(vk_backend *vk, const vk_pipeline_key *keys, uint32_t n,
                             const weft_progress_sink *progress, VkPipeline *out, weft_error *err)
{
    struct vk_pipeline_set *set = vk->pipelines;
    size_t had = set->n;
    if (!weft__grow(&set->items, &set->cap, set->n + n, sizeof *set->items)) return WEFT_OOM_FAIL(err, "pipelines");
    for (uint32_t i = 0; i < n; i++)
        if (find(set, &keys[i]) == set->n) set->items[set->n++] = (entry){ keys[i], VK_NULL_HANDLE };
    weft_status s = make_all(vk, set->items + had, (uint32_t)(set->n - had), progress, err);
    if (s) {
        for (size_t i = had; i < set->n; i++)
            if (set->items[i].pipeline) vk->api.DestroyPipeline(vk->device, set->items[i].pipeline, NULL);
        set->n = had;
        return s;
    }
    for (uint32_t i = 0; i < n; i++) out[i] = set->items[find(set, &keys[i])].pipeline;
    return WEFT_OK;
}
