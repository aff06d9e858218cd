/* roof.c: the denominators of every fraction: bytes per second of a stream that is only read, from a buffer beyond the
 * caches, and multiply-adds per second. Times are between the device's timestamps, so that a submission's own cost
 * (50 us and more) is in none of them; the host's clock stands in where there are none or they do not advance. Either
 * way a pass is a run of dispatches that is long enough for its ends not to matter. */
#include "backends/vulkan/vk.h"

#include <stdlib.h>
#include <string.h>

enum {
    VECTORS = 64, OPS_PER_ROUND = 256, MAX_PASSES = 64, MAX_DISPATCHES = 16, MATRIX_SUBGROUPS = 4,
    PRODUCTS_PER_ROUND = 32
};
#define PASS_SECONDS 0.02 /* of a pass, unless one dispatch takes longer or MAX_DISPATCHES are shorter */

typedef struct roof {
    vk_backend *vk;
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkCommandBuffer commands;
    VkQueryPool stamps; /* before and after a pass; NULL: the queue has none */
    vk_block data, params;
    uint32_t block;
    weft__task *task; /* counts passes */
} roof;

static weft_status create_set(roof *r, weft_error *err)
{
    vk_backend *vk = r->vk;
    VkDescriptorPoolSize sizes[] = { { VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 2 },
                                     { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, WEFT_MAX_IN + WEFT_MAX_OUT } };
    VkDescriptorPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1,
                                        .poolSizeCount = 2, .pPoolSizes = sizes };
    VkResult e = vk->api.CreateDescriptorPool(vk->device, &pool, NULL, &r->pool);
    if (e) return vk_fail(err, e, "vkCreateDescriptorPool", "measuring");
    VkDescriptorSetAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = r->pool, .descriptorSetCount = 1,
                                         .pSetLayouts = &vk->set_layout };
    e = vk->api.AllocateDescriptorSets(vk->device, &info, &r->set);
    if (e) return vk_fail(err, e, "vkAllocateDescriptorSets", "measuring");
    VkDescriptorBufferInfo params = { r->params.buffer, 0, sizeof(weft_params) }, buffers[WEFT_MAX_IN];
    for (uint32_t i = 0; i < WEFT_MAX_IN; i++)
        buffers[i] = (VkDescriptorBufferInfo){ r->data.buffer, 0, r->data.bytes };
    VkWriteDescriptorSet w[4];
    for (uint32_t i = 0; i < 4; i++)
        w[i] = (VkWriteDescriptorSet){ .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = r->set,
                                       .dstBinding = i, .descriptorCount = i == WEFT_BINDING_IN ? WEFT_MAX_IN :
                                       i == WEFT_BINDING_OUT ? WEFT_MAX_OUT : 1,
                                       .descriptorType = i < 2 ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                                               : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                       .pBufferInfo = i < 2 ? &params : buffers };
    vk->api.UpdateDescriptorSets(vk->device, 4, w, 0, NULL);
    return WEFT_OK;
}

static weft_status create(roof *r, weft_error *err)
{
    vk_backend *vk = r->vk;
    bool software = vk->caps.type == WEFT_DEVICE_SOFTWARE;
    uint64_t bytes = software ? 128 << 20 : 1024 << 20, part = vk_memory_free(vk) / 4;
    if (bytes > part) bytes = part;
    if (bytes > vk->caps.max_binding) bytes = vk->caps.max_binding;
    if (bytes > vk->caps.max_allocation) bytes = vk->caps.max_allocation;
    r->block = vk->caps.tuning->block;
    bytes = bytes / (16 * VECTORS * r->block) * (16 * VECTORS * r->block);
    if (!bytes) return WEFT_FAIL(err, WEFT_LIMIT, "vulkan: too little memory to measure with");
    WEFT_TRY(vk_block_create(vk, bytes, VK_MEMORY_WEIGHTS, &r->data, err));
    WEFT_TRY(vk_block_zero(vk, &r->data, 0, r->data.bytes, err));
    WEFT_TRY(vk_block_create(vk, sizeof(weft_params), VK_MEMORY_ARENA, &r->params, err));
    WEFT_TRY(create_set(r, err));
    if (vk_has_timestamps(vk)) WEFT_TRY(vk_stamps_create(vk, 2, &r->stamps, err));
    VkCommandBufferAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .commandPool = vk->command_pool, .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                         .commandBufferCount = 1 };
    VkResult e = vk->api.AllocateCommandBuffers(vk->device, &info, &r->commands);
    return e ? vk_fail(err, e, "vkAllocateCommandBuffers", "measuring") : WEFT_OK;
}

static void destroy(roof *r)
{
    vk_backend *vk = r->vk;
    if (r->commands) vk->api.FreeCommandBuffers(vk->device, vk->command_pool, 1, &r->commands);
    if (r->stamps) vk->api.DestroyQueryPool(vk->device, r->stamps, NULL);
    if (r->pool) vk->api.DestroyDescriptorPool(vk->device, r->pool, NULL);
    vk_block_destroy(vk, &r->data);
    vk_block_destroy(vk, &r->params);
}

/* ---- passes ---- */

typedef struct work {
    vk_pipeline_key key;
    uint32_t groups, n; /* workgroups of a dispatch, what its shader does n times */
} work;

/* As between the launches of a program: the shaders could write, as far as anybody but them knows. */
static void wait_for_previous(const roof *r)
{
    VkMemoryBarrier m = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
                          .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT };
    r->vk->api.CmdPipelineBarrier(r->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                  VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1, &m, 0, NULL, 0, NULL);
}

static weft_status record(roof *r, const work *w, uint32_t dispatches, weft_error *err)
{
    vk_backend *vk = r->vk;
    VkPipeline pipeline;
    WEFT_TRY(vk_pipelines_get(vk, &w->key, 1, NULL, &pipeline, err));
    VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };
    VkResult e = vk->api.BeginCommandBuffer(r->commands, &begin);
    if (e) return vk_fail(err, e, "vkBeginCommandBuffer", "measuring");
    vk->api.CmdBindPipeline(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk->api.CmdBindDescriptorSets(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, vk->pipeline_layout, 0, 1, &r->set, 0,
                                  NULL);
    if (r->stamps) {
        vk->api.CmdResetQueryPool(r->commands, r->stamps, 0, 2);
        vk_stamp(vk, r->commands, r->stamps, 0, false);
    }
    for (uint32_t i = 0; i < dispatches; i++) {
        if (i) wait_for_previous(r);
        vk->api.CmdDispatch(r->commands, w->groups, 1, 1);
    }
    if (r->stamps) vk_stamp(vk, r->commands, r->stamps, 1, true);
    e = vk->api.EndCommandBuffer(r->commands);
    return e ? vk_fail(err, e, "vkEndCommandBuffer", "measuring") : WEFT_OK;
}

static weft_status run_pass(roof *r, double *seconds, weft_error *err)
{
    uint64_t ticket, times[2];
    double before = weft__seconds(), ticks = 0;
    WEFT_TRY(vk_submit(r->vk, &r->commands, 1, &ticket, err));
    WEFT_TRY(vk_wait(r->vk, ticket, err));
    *seconds = weft__seconds() - before;
    if (r->stamps) {
        WEFT_TRY(vk_stamps_read(r->vk, r->stamps, 2, times, err));
        ticks = vk_ticks_between(r->vk, times[0], times[1]);
    }
    if (ticks > 0) *seconds = ticks * (double)r->vk->properties.limits.timestampPeriod * 1e-9;
    return weft__task_reach(r->task, r->task->at.done + 1, err);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Seconds of one dispatch: the median of passes over about `seconds`. A first pass, which counts for nothing else,
 * tells how many dispatches the others have. */
static weft_status time_work(roof *r, const work *w, double seconds, double *out, weft_error *err)
{
    weft_params p = { .head = { 1, 0, 0, 0 } };
    double times[MAX_PASSES], start = weft__seconds(), first;
    p.job[0].u0.x = w->n;
    p.job[0].f0 = (weft_vec4){ 0.999f, 0.001f, 0, 0 };
    WEFT_TRY(vk_block_write(r->vk, &r->params, 0, &p, sizeof p, err));
    WEFT_TRY(vk_transfer_flush(r->vk, err));
    WEFT_TRY(record(r, w, 1, err));
    WEFT_TRY(run_pass(r, &first, err));
    uint32_t n = 0, dispatches = 1;
    while (dispatches < MAX_DISPATCHES && dispatches * first < PASS_SECONDS) dispatches++;
    WEFT_TRY(record(r, w, dispatches, err));
    while (n < 3 || (n < MAX_PASSES && weft__seconds() - start < seconds)) WEFT_TRY(run_pass(r, &times[n++], err));
    qsort(times, n, sizeof *times, by_value);
    *out = times[n / 2] / dispatches;
    return WEFT_OK;
}

/* ---- what is measured ---- */

/* Where the device has cooperative matrices; those that the shader computes are no limit of anything. */
static weft_status measure_matrices(roof *r, double seconds, weft_roof *out, weft_error *err)
{
    const gpu_caps *f = &r->vk->caps;
    const gpu_matrix *m = &f->matrix;
    work w = { .key = { .shader = WEFT_SHADER_roof_matrix, .subgroup = f->subgroup, .n_specs = 4,
                        .spec = { MATRIX_SUBGROUPS * f->subgroup, m->m, m->n, m->k } },
               .groups = 16384, .n = 128 };
    double t, ops = 2.0 * m->m * m->n * m->k * PRODUCTS_PER_ROUND;
    if (!m->m || m->in_shader) return WEFT_OK;
    WEFT_TRY(time_work(r, &w, seconds, &t, err));
    out->f16_matrix_ops_per_second = (double)w.groups * MATRIX_SUBGROUPS * w.n * ops / t;
    return WEFT_OK;
}

static weft_status measure(roof *r, double seconds, weft_roof *out, weft_error *err)
{
    double t;
    bool software = r->vk->caps.type == WEFT_DEVICE_SOFTWARE;
    WEFT_TRY(create(r, err));
    work w = { .key = { .shader = WEFT_SHADER_roof, .n_specs = 2, .spec = { r->block, 1 } },
               .groups = (uint32_t)(r->data.bytes / (16 * VECTORS * r->block)), .n = VECTORS };
    WEFT_TRY(time_work(r, &w, seconds, &t, err));
    out->bytes_per_second = (double)w.groups * 16.0 * VECTORS * r->block / t;
    w.key.spec[1] = 0;
    w.groups = software ? 256 : 16384;
    w.n = 256;
    WEFT_TRY(time_work(r, &w, seconds, &t, err));
    out->f32_ops_per_second = (double)w.groups * r->block * w.n * OPS_PER_ROUND / t;
    return measure_matrices(r, seconds, out, err);
}

weft_status vk_roof(weft_backend *b, double seconds, weft__task *task, weft_roof *out, weft_error *err)
{
    roof r = { .vk = (vk_backend *)b, .task = task };
    weft_status s = measure(&r, seconds, out, err);
    destroy(&r);
    return s;
}
