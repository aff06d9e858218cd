/* dispatches.c: from the plan's steps to the list of dispatches, with their pipelines, descriptor sets and parameters.
 *
 * Each node's kernel describes its launches; steps that the plan joins put their jobs into one. Everything a launch is
 * told lies in one block per list, everything it touches in one descriptor set. All of it is made once; commands are
 * recorded by record.c. */
#include "backends/names.h"
#include "backends/vulkan/exec.h"

#include <stdlib.h>
#include <string.h>

/* A launch on its way: what the kernel said, and what its buffers are. */
typedef struct draft {
    vk_pipeline_key key;
    weft_params params;
    VkDescriptorBufferInfo buffers[WEFT_MAX_IN + WEFT_MAX_OUT]; /* inputs of all jobs, then outputs of all jobs */
    uint64_t table, counter, counter_bytes; /* in the list's blocks, for buffers that wait for them */
    uint8_t waits[WEFT_MAX_IN + WEFT_MAX_OUT]; /* GPU_BIND_COUNTERS or GPU_BIND_TABLE: which block a buffer is in */
    vk_dispatch d;
    const gpu_kernel *kernel;
    uint32_t n_jobs;
} draft;

typedef struct drafts {
    draft *item;
    size_t n, cap;
    unsigned char *tables;
    size_t n_tables, table_cap;
    uint64_t n_counters; /* bytes */
} drafts;

const char *vk_step_text(const weft_exec *e, uint32_t step, char *buf, size_t size)
{
    return weft__node_text(weft_graph_node_by_id(e->desc.g, e->desc.plan->steps[step].node), buf, size);
}

double vk_predicted(const vk_backend *vk, double bytes, double flops)
{
    double memory = bytes * vk->seconds_per_byte, compute = flops * vk->seconds_per_op;
    return memory > compute ? memory : compute;
}

/* ---- tensors and buffers ---- */

static void locate_tensor(const weft_exec *e, weft_ref r, gpu_tensor *t)
{
    const weft_exec_desc *d = &e->desc;
    const weft_value *v = weft_graph_value(d->g, r);
    const weft_slot *s = &d->plan->slots[r.id];
    *t = (gpu_tensor){ .dtype = v->dtype, .layout = d->layouts[s->root.id], .rank = v->dims.rank, .dims = v->dims,
                       .first = s->first, .n_parts = 1 };
    weft_dims_resolve(d->g, &v->dims, d->bounds, t->dim);
    memcpy(t->stride, s->stride, sizeof t->stride);
    if (s->storage != WEFT_STORAGE_WEIGHT || !d->bufs) return;
    t->n_parts = d->bufs[s->root.id]->n_parts;
    t->parts = d->bufs[s->root.id]->parts;
}

void vk_locate(const weft_exec *e, const weft_node *n, vk_located *l)
{
    for (uint32_t i = 0; i < n->n_in; i++) locate_tensor(e, n->in[i], &l->in[i]);
    for (uint32_t i = 0; i < n->n_out; i++) locate_tensor(e, n->out[i], &l->out[i]);
    const gpu_kernel *k = e->desc.choices[n->id].kernel;
    const gpu_caps *form = k ? k->form : NULL;
    l->call = (gpu_call){ .caps = form ? form : &e->vk->caps, .in = l->in, .out = l->out, .n_in = n->n_in,
                          .n_out = n->n_out, .op = n->op, .attrs = &n->attrs, .exact = e->desc.exact,
                          .deterministic = e->desc.deterministic };
}

/* Bindings end at a multiple of 16 bytes, so that the last vector load is inside; blocks are padded for that. */
static VkDescriptorBufferInfo range_of(const vk_block *b, uint64_t offset, uint64_t bytes)
{
    uint64_t padded = (bytes + 15) / 16 * 16, room = b->bytes - offset;
    return (VkDescriptorBufferInfo){ b->buffer, offset, padded ? padded < room ? padded : room : 16 };
}

static VkDescriptorBufferInfo value_range(const weft_exec *e, weft_ref r, uint32_t part)
{
    const weft_slot *s = &e->desc.plan->slots[r.id];
    if (s->storage == WEFT_STORAGE_ARENA) return range_of(e->arena, s->offset, s->bytes);
    const weft_buf *buf = e->desc.bufs[s->root.id];
    const gpu_part *p = &buf->parts[part];
    return range_of(&buf->blocks[p->block], p->offset, p->bytes);
}

static weft_status bind_slot(const weft_exec *e, const weft_step *step, const weft_node *n, const gpu_bind *b, draft *t,
                             uint32_t slot, weft_error *err)
{
    char text[256];
    uint32_t at = slot < t->kernel->ins ? slot : WEFT_MAX_IN + slot - t->kernel->ins;
    VkDescriptorBufferInfo *out = &t->buffers[at];
    switch ((gpu_bind_kind)b->kind) {
    case GPU_BIND_NONE: return WEFT_OK;
    case GPU_BIND_IN: *out = value_range(e, n->in[b->index], b->part); break;
    case GPU_BIND_OUT: *out = value_range(e, n->out[b->index], b->part); break;
    case GPU_BIND_SCRATCH: *out = range_of(e->arena, step->scratch_offset, step->scratch_bytes); break;
    case GPU_BIND_COUNTERS:
    case GPU_BIND_TABLE: t->waits[at] = b->kind; return WEFT_OK;
    }
    if (out->range <= e->vk->caps.max_binding) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_LIMIT, "%s: %llu bytes in one binding, but %s binds %llu at most",
                     vk_step_text(e, t->d.first_step, text, sizeof text), (unsigned long long)out->range,
                     e->vk->properties.deviceName, (unsigned long long)e->vk->caps.max_binding);
}

/* ---- drafting ---- */

static bool reserve_table(drafts *all, const vk_located *l, const gpu_kernel *k, draft *t)
{
    uint64_t bytes = k->table ? k->table(&l->call, NULL) : 0;
    if (!bytes) return true;
    size_t at = (all->n_tables + 255) / 256 * 256;
    if (!weft__grow(&all->tables, &all->table_cap, at + bytes, 1)) return false;
    k->table(&l->call, all->tables + at);
    all->n_tables = at + bytes;
    t->table = at;
    return true;
}

/* Whether launch `t` of a joined step can become another job of the launch before it. */
static bool can_merge(const draft *last, const draft *t, const gpu_kernel *k, uint32_t max_groups)
{
    if (t->d.groups[1] > 1 || last->d.groups[1] > 1 || t->d.groups[0] > max_groups - last->d.groups[0])
        return false; /* the jobs' workgroups add up in x */
    return last->kernel == k && last->n_jobs < k->jobs && last->n_jobs < WEFT_MAX_JOBS &&
           last->key.shader == t->key.shader && last->key.subgroup == t->key.subgroup &&
           last->key.n_specs == t->key.n_specs &&
           !memcmp(last->key.spec, t->key.spec, t->key.n_specs * sizeof *t->key.spec);
}

static void merge(draft *last, const draft *t)
{
    uint32_t j = last->n_jobs++, ins = last->kernel->ins, outs = last->kernel->outs;
    last->params.job[j] = t->params.job[0];
    last->params.job[j].groups.x = last->d.groups[0];
    memcpy(last->buffers + (size_t)j * ins, t->buffers, ins * sizeof *t->buffers);
    memcpy(last->buffers + WEFT_MAX_IN + (size_t)j * outs, t->buffers + WEFT_MAX_IN, outs * sizeof *t->buffers);
    last->d.groups[0] += t->d.groups[0];
    last->params.head.x = last->n_jobs;
    last->params.head.y = last->d.groups[0];
    last->d.n_steps = t->d.first_step + 1 - last->d.first_step;
    last->d.bytes += t->d.bytes;
    last->d.flops += t->d.flops;
}

static weft_status draft_launch(weft_exec *e, const vk_located *l, const weft_step *step, uint32_t plan_step,
                                uint32_t index, draft *t, weft_error *err)
{
    const weft_node *n = weft_graph_node_by_id(e->desc.g, step->node);
    const gpu_kernel *k = e->desc.choices[n->id].kernel;
    gpu_launch launch = { 0 };
    k->launch(&l->call, index, &launch);
    *t = (draft){ .key = { .shader = launch.shader, .subgroup = launch.subgroup, .n_specs = launch.n_specs },
                  .kernel = k, .n_jobs = 1 };
    memcpy(t->key.spec, launch.spec, sizeof t->key.spec);
    t->params.head.x = 1;
    t->params.head.y = launch.groups[0];
    t->params.job[0] = launch.job;
    t->params.job[0].groups.x = 0;
    t->params.job[0].groups.y = launch.groups[0];
    t->d = (vk_dispatch){ .groups = { launch.groups[0], launch.groups[1] ? launch.groups[1] : 1,
                                      launch.groups[2] ? launch.groups[2] : 1 },
                          .barrier = index ? launch.barrier : step->barrier, .first_step = plan_step, .n_steps = 1 };
    if (k->inplace && !weft__shaders[launch.shader].in_place)
        return WEFT_FAIL(err, WEFT_INTERNAL, "vulkan: %s works in place, shader %s does not", k->name,
                         weft__shaders[launch.shader].name);
    for (uint32_t s = 0; s < (uint32_t)k->ins + k->outs; s++)
        WEFT_TRY(bind_slot(e, step, n, &launch.bind[s], t, s, err));
    return WEFT_OK;
}

static weft_status draft_step(weft_exec *e, uint32_t plan_step, bool joined, drafts *all, weft_error *err)
{
    const weft_step *step = &e->desc.plan->steps[plan_step];
    const weft_node *n = weft_graph_node_by_id(e->desc.g, step->node);
    const gpu_kernel *k = e->desc.choices[n->id].kernel;
    vk_located l;
    vk_locate(e, n, &l);
    uint32_t count = k->launches ? k->launches(&l.call) : 1;
    uint64_t counters = k->counters ? 4 * (uint64_t)k->counters(&l.call) : 0;
    weft_cost cost = weft_node_cost(e->desc.g, n, e->desc.bounds);
    for (uint32_t i = 0; i < count; i++) {
        if (!weft__grow(&all->item, &all->cap, all->n + 1, sizeof *all->item)) return WEFT_OOM_FAIL(err, "launches");
        draft *t = &all->item[all->n];
        WEFT_TRY(draft_launch(e, &l, step, plan_step, i, t, err));
        t->counter = all->n_counters;
        t->counter_bytes = counters;
        t->d.bytes = (cost.bytes_read + cost.bytes_written) / count;
        t->d.flops = cost.flops / count;
        if (!reserve_table(all, &l, k, t)) return WEFT_OOM_FAIL(err, "launches");
        bool follows = joined && step->joined && !i && count == 1 && all->n;
        if (follows && can_merge(t - 1, t, k, e->vk->caps.max_groups)) merge(t - 1, t);
        else all->n++;
    }
    all->n_counters += (counters + 255) / 256 * 256;
    return WEFT_OK;
}

static weft_status draft_all(weft_exec *e, bool joined, drafts *all, weft_error *err)
{
    const weft_plan *plan = e->desc.plan;
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].device == e->desc.device && e->desc.choices[plan->steps[i].node].kernel)
            WEFT_TRY(draft_step(e, i, joined, all, err));
    return WEFT_OK;
}

/* ---- descriptor sets ---- */

static weft_status create_pool(weft_exec *e, uint32_t n, vk_dispatch_list *list, weft_error *err)
{
    VkDescriptorPoolSize sizes[] = { { VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 2 * n },
                                     { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, (WEFT_MAX_IN + WEFT_MAX_OUT) * n } };
    VkDescriptorPoolCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = n,
                                        .poolSizeCount = 2, .pPoolSizes = sizes };
    VkResult r = e->vk->api.CreateDescriptorPool(e->vk->device, &info, NULL, &list->pool);
    return r ? vk_fail(err, r, "vkCreateDescriptorPool", "%u sets", n) : WEFT_OK;
}

/* Every descriptor is valid: those that a launch does not use show its first input, or its first output. */
static void settle_buffers(const vk_dispatch_list *list, draft *t)
{
    for (uint32_t s = 0; s < WEFT_MAX_IN + WEFT_MAX_OUT; s++) {
        if (t->waits[s] == GPU_BIND_COUNTERS) t->buffers[s] = range_of(&list->counters, t->counter, t->counter_bytes);
        else if (t->waits[s] == GPU_BIND_TABLE)
            t->buffers[s] = range_of(&list->tables, t->table, list->tables.bytes - t->table);
        else if (!t->buffers[s].buffer) t->buffers[s] = t->buffers[s < WEFT_MAX_IN ? 0 : WEFT_MAX_IN];
    }
}

static weft_status write_set(weft_exec *e, vk_dispatch_list *list, const draft *t, uint64_t params_at,
                             VkDescriptorSet *set, weft_error *err)
{
    VkDescriptorSetAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = list->pool, .descriptorSetCount = 1,
                                         .pSetLayouts = &e->vk->set_layout };
    VkResult r = e->vk->api.AllocateDescriptorSets(e->vk->device, &info, set);
    if (r) return vk_fail(err, r, "vkAllocateDescriptorSets", "a launch");
    VkDescriptorBufferInfo params = { list->params.buffer, params_at, sizeof(weft_params) };
    VkDescriptorBufferInfo run = { e->run.buffer, 0, sizeof(weft_run_params) };
    VkWriteDescriptorSet w[4] = { { .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, .pBufferInfo = &params },
                                  { .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, .pBufferInfo = &run },
                                  { .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .pBufferInfo = t->buffers },
                                  { .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                    .pBufferInfo = t->buffers + WEFT_MAX_IN } };
    for (uint32_t i = 0; i < 4; i++) {
        w[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
        w[i].dstSet = *set;
        w[i].dstBinding = i;
        w[i].descriptorCount = i == WEFT_BINDING_IN ? WEFT_MAX_IN : i == WEFT_BINDING_OUT ? WEFT_MAX_OUT : 1;
    }
    e->vk->api.UpdateDescriptorSets(e->vk->device, 4, w, 0, NULL);
    e->counters.bindings++;
    return WEFT_OK;
}

static weft_status upload(vk_backend *vk, const void *data, uint64_t bytes, vk_block *b, weft_error *err)
{
    WEFT_TRY(vk_block_create(vk, bytes ? bytes : 256, VK_MEMORY_ARENA, b, err));
    if (!data) return vk_block_zero(vk, b, 0, b->bytes, err);
    return bytes ? vk_block_write(vk, b, 0, data, bytes, err) : WEFT_OK;
}

/* The parameter blocks of all launches, one after the other at the device's alignment. */
static weft_status upload_params(weft_exec *e, const drafts *all, uint64_t stride, vk_dispatch_list *list,
                                 weft_error *err)
{
    unsigned char *params = calloc(all->n, stride);
    if (!params) return WEFT_OOM_FAIL(err, "parameters of launches");
    for (size_t i = 0; i < all->n; i++) memcpy(params + i * stride, &all->item[i].params, sizeof(weft_params));
    weft_status s = upload(e->vk, params, all->n * stride, &list->params, err);
    free(params);
    return s;
}

/* A first run may find that everything takes four times as long as predicted (calibrate in exec.c). */
static void mark_long(const vk_backend *vk, draft *t)
{
    bool many = t->d.groups[0] > 1 || t->d.groups[1] > 1;
    t->d.in_pieces = many && 4 * vk_predicted(vk, t->d.bytes, t->d.flops) > vk->options.submit_seconds;
    t->key.in_pieces = t->d.in_pieces;
}

static weft_status create_pipelines(weft_exec *e, drafts *all, weft_error *err)
{
    vk_pipeline_key *keys = malloc(all->n * sizeof *keys);
    VkPipeline *pipelines = malloc(all->n * sizeof(VkPipeline));
    weft_status s = keys && pipelines ? WEFT_OK : WEFT_OOM_FAIL(err, "pipelines");
    for (size_t i = 0; i < all->n && !s; i++) {
        mark_long(e->vk, &all->item[i]);
        keys[i] = all->item[i].key;
    }
    if (!s) s = vk_pipelines_get(e->vk, keys, (uint32_t)all->n, e->desc.progress, pipelines, err);
    for (size_t i = 0; i < all->n && !s; i++) all->item[i].d.pipeline = pipelines[i];
    free(keys);
    free(pipelines);
    return s;
}

static weft_status finish(weft_exec *e, drafts *all, vk_dispatch_list *list, weft_error *err)
{
    uint64_t align = e->vk->properties.limits.minUniformBufferOffsetAlignment, stride = sizeof(weft_params);
    stride = (stride + align - 1) / align * align;
    list->dispatches = malloc(all->n * sizeof *list->dispatches);
    if (!list->dispatches) return WEFT_OOM_FAIL(err, "launches");
    list->n_dispatches = (uint32_t)all->n;
    WEFT_TRY(create_pipelines(e, all, err));
    WEFT_TRY(upload_params(e, all, stride, list, err));
    WEFT_TRY(upload(e->vk, all->tables, all->n_tables, &list->tables, err));
    WEFT_TRY(upload(e->vk, NULL, all->n_counters + 256, &list->counters, err));
    WEFT_TRY(create_pool(e, list->n_dispatches, list, err));
    for (uint32_t i = 0; i < list->n_dispatches; i++) {
        settle_buffers(list, &all->item[i]);
        WEFT_TRY(write_set(e, list, &all->item[i], i * stride, &all->item[i].d.set, err));
        list->dispatches[i] = all->item[i].d;
    }
    return vk_transfer_flush(e->vk, err);
}

weft_status vk_dispatches_create(weft_exec *e, bool joined, vk_dispatch_list *list, weft_error *err)
{
    drafts all = { 0 };
    weft_status s = draft_all(e, joined, &all, err);
    if (!s && all.n) s = finish(e, &all, list, err);
    free(all.item);
    free(all.tables);
    if (s) vk_dispatches_destroy(e->vk, list);
    return s;
}

void vk_dispatches_destroy(vk_backend *vk, vk_dispatch_list *list)
{
    if (list->pool) vk->api.DestroyDescriptorPool(vk->device, list->pool, NULL);
    vk_block_destroy(vk, &list->params);
    vk_block_destroy(vk, &list->tables);
    vk_block_destroy(vk, &list->counters);
    free(list->dispatches);
    *list = (vk_dispatch_list){ 0 };
}
