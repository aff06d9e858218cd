/* vulkan.c: the backend's table, and the life of an open device. */
#include "backends/cpu/pool.h"
#include "backends/gpu/weights.h"
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

weft_status vk_layouts_create(vk_backend *vk, weft_error *err)
{
    VkDescriptorSetLayoutBinding b[4];
    for (uint32_t i = 0; i < 4; i++)
        b[i] = (VkDescriptorSetLayoutBinding){ .binding = i, .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                                               .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT };
    b[WEFT_BINDING_IN].descriptorType = b[WEFT_BINDING_OUT].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    b[WEFT_BINDING_IN].descriptorCount = WEFT_MAX_IN;
    b[WEFT_BINDING_OUT].descriptorCount = WEFT_MAX_OUT;
    VkDescriptorSetLayoutCreateInfo set = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                            .bindingCount = 4, .pBindings = b };
    VkResult r = vk->api.CreateDescriptorSetLayout(vk->device, &set, NULL, &vk->set_layout);
    if (r) return vk_fail(err, r, "vkCreateDescriptorSetLayout", "%s", vk->properties.deviceName);
    VkPipelineLayoutCreateInfo layout = { .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1,
                                          .pSetLayouts = &vk->set_layout };
    r = vk->api.CreatePipelineLayout(vk->device, &layout, NULL, &vk->pipeline_layout);
    return r ? vk_fail(err, r, "vkCreatePipelineLayout", "%s", vk->properties.deviceName) : WEFT_OK;
}

/* Rates to predict submissions with until a run has shown the device's own: rather too slow than too fast. */
static void guess_rates(vk_backend *vk)
{
    bool discrete = vk->caps.type == WEFT_DEVICE_DISCRETE, software = vk->caps.type == WEFT_DEVICE_SOFTWARE;
    vk->seconds_per_byte = 1.0 / (discrete ? 150e9 : software ? 2e9 : 15e9);
    vk->seconds_per_op = 1.0 / (discrete ? 2e12 : software ? 10e9 : 200e9);
}

static weft_status open_device(vk_backend *vk, weft_error *err)
{
    WEFT_TRY(vk_instance_create(vk, err));
    WEFT_TRY(vk_device_pick(vk, err));
    WEFT_TRY(vk_queue_find(vk, err));
    WEFT_TRY(vk_device_create(vk, err));
    WEFT_TRY(vk_api_load_device(&vk->api, vk->device, err));
    WEFT_TRY(vk_clock_create(vk, err));
    WEFT_TRY(vk_queue_create(vk, err));
    WEFT_TRY(vk_layouts_create(vk, err));
    WEFT_TRY(vk_staging_create(vk, err));
    WEFT_TRY(vk_pipelines_create(vk, err));
    WEFT_TRY(vk_verdicts_create(vk, err));
    WEFT_TRY(vk_tuned_create(vk, err));
    guess_rates(vk);
    return WEFT_OK;
}

static void close_device(vk_backend *vk)
{
    if (vk->device && vk->api.DeviceWaitIdle) vk->api.DeviceWaitIdle(vk->device); /* staging may be under way */
    vk_verdicts_destroy(vk);
    gpu_tuned_free(vk->tuned);
    vk_pipelines_destroy(vk);
    vk_staging_destroy(vk);
    if (vk->pipeline_layout) vk->api.DestroyPipelineLayout(vk->device, vk->pipeline_layout, NULL);
    if (vk->set_layout) vk->api.DestroyDescriptorSetLayout(vk->device, vk->set_layout, NULL);
    vk_queue_destroy(vk);
    if (vk->device && vk->api.DestroyDevice) vk->api.DestroyDevice(vk->device, NULL);
    vk_instance_destroy(vk);
}

weft_status vk_open(const char *which, const char *options, weft_backend **out, weft_error *err)
{
    *out = NULL;
    vk_backend *vk = calloc(1, sizeof *vk);
    if (!vk) return WEFT_OOM_FAIL(err, "a Vulkan device");
    weft_status s = vk_options_parse(which, options, &vk->options, err);
    if (!s) s = open_device(vk, err);
    if (!s) s = vk_validation_check(vk, err);
    if (s) vk_close(&vk->base);
    else *out = &vk->base;
    return s;
}

void vk_close(weft_backend *b)
{
    vk_backend *vk = (vk_backend *)b;
    close_device(vk);
    cpu_pool_destroy(vk->packers);
    vk_options_free(&vk->options);
    free(vk);
}

static uint32_t alignment(const weft_backend *b)
{
    return ((const vk_backend *)b)->caps.alignment;
}

/* ---- what gpu/ decides, with this device's data ---- */

static weft_layout weight_layout(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims, uint32_t uses)
{
    return gpu_weight_layout(&((const vk_backend *)b)->caps, t, rank, dims, uses);
}

static const char *layout_name(const weft_backend *b, weft_layout layout)
{
    (void)b;
    return gpu_layout_name(layout);
}

static uint64_t weight_bytes(const weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank,
                             const int64_t *dims)
{
    return gpu_weight_bytes(&((const vk_backend *)b)->caps, layout, t, rank, dims);
}

static weft_place_reason choose(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out)
{
    const vk_backend *vk = (const vk_backend *)b;
    gpu_rules rules = { .caps = &vk->caps, .without = vk->options.without, .verdicts = vk->verdicts,
                        .tuned = vk->tuned };
    return gpu_choose(&rules, q, out);
}

static bool joins(const weft_backend *b, const weft_kernel_choice *const *launch, uint32_t n,
                  const weft_kernel_choice *next)
{
    (void)b;
    return gpu_joins(launch, n, next);
}

static const char *probe(const weft_backend *b, uint32_t i)
{
    const vk_backend *vk = (const vk_backend *)b;
    return gpu_probe(i, vk->caps.type != WEFT_DEVICE_SOFTWARE || vk->options.large_probes);
}

const weft_backend_vt weft__backend_vulkan = {
    .name = "vulkan",
    .open = vk_open,
    .close = vk_close,
    .info = vk_info,
    .list = vk_list,
    .roof = vk_roof,
    .alignment = alignment,
    .weight_layout = weight_layout,
    .layout_name = layout_name,
    .layout_form = vk_layout_form,
    .weight_bytes = weight_bytes,
    .choose = choose,
    .joins = joins,
    .probe = probe,
    .verdict = vk_verdict,
    .judge = vk_judge,
    .buf_create = vk_buf_create,
    .buf_destroy = vk_buf_destroy,
    .buf_write = vk_buf_write,
    .buf_read = vk_buf_read,
    .buf_copy = vk_buf_copy,
    .weight_wrap = vk_weight_wrap,
    .weight_create = vk_weight_create,
    .weight_write = vk_weight_write,
    .exec_create = vk_exec_create,
    .exec_destroy = vk_exec_destroy,
    .exec_submit = vk_exec_submit,
    .exec_wait = vk_exec_wait,
    .exec_write = vk_exec_write,
    .exec_read = vk_exec_read,
    .exec_counters = vk_exec_counters,
    .exec_profile = vk_exec_profile,
    .exec_spans = vk_exec_spans,
};
