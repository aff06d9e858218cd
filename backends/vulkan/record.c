/* record.c: command buffers and their life: recorded once for a range of steps, replayed by every run.
 *
 * A recording is cut into chunks so that no submission takes long enough for a watchdog: their length is predicted from
 * the steps' bytes and operations and the device's rates, which the first run calibrates. A dispatch that would take
 * too long by itself is cut into pieces, some of its workgroups each. */
#include "backends/vulkan/exec.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_PIECES = 256 }; /* of a dispatch */

/* ---- command buffers ---- */

weft_status vk_commands_begin(vk_backend *vk, VkCommandBuffer *c, weft_error *err)
{
    VkCommandBufferAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .commandPool = vk->command_pool, .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                         .commandBufferCount = 1 };
    VkResult r = vk->api.AllocateCommandBuffers(vk->device, &info, c);
    if (r) {
        *c = NULL;
        return vk_fail(err, r, "vkAllocateCommandBuffers", "a recording");
    }
    VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };
    r = vk->api.BeginCommandBuffer(*c, &begin);
    return r ? vk_fail(err, r, "vkBeginCommandBuffer", "a recording") : WEFT_OK;
}

weft_status vk_commands_end(weft_exec *e, VkCommandBuffer c, weft_error *err)
{
    VkResult r = e->vk->api.EndCommandBuffer(c);
    e->counters.recordings++;
    return r ? vk_fail(err, r, "vkEndCommandBuffer", "a recording") : WEFT_OK;
}

void vk_commands_free(vk_backend *vk, VkCommandBuffer c)
{
    if (c) vk->api.FreeCommandBuffers(vk->device, vk->command_pool, 1, &c);
}

static void barrier(vk_backend *vk, VkCommandBuffer c, VkPipelineStageFlags from, VkAccessFlags written,
                    VkPipelineStageFlags to, VkAccessFlags used)
{
    VkMemoryBarrier m = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = written, .dstAccessMask = used };
    vk->api.CmdPipelineBarrier(c, from, to, 0, 1, &m, 0, NULL, 0, NULL);
}

static void compute_barrier(vk_backend *vk, VkCommandBuffer c)
{
    barrier(vk, c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_UNIFORM_READ_BIT);
}

enum {
    AROUND_STAGES = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
    AROUND_WRITES = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    AROUND_READS = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_UNIFORM_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT
};

/* Submission order alone makes nothing visible: whatever ran before is seen by what follows. */
void vk_barrier_before(vk_backend *vk, VkCommandBuffer c)
{
    barrier(vk, c, AROUND_STAGES, AROUND_WRITES, AROUND_STAGES, AROUND_READS | AROUND_WRITES);
}

void vk_barrier_to_host(vk_backend *vk, VkCommandBuffer c)
{
    barrier(vk, c, AROUND_STAGES, AROUND_WRITES, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

/* ---- recording ---- */

static void begin_label(const weft_exec *e, VkCommandBuffer c, const vk_dispatch *d)
{
    char name[512];
    VkDebugUtilsLabelEXT label = { .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT,
                                   .pLabelName = weft__launch_name(e->desc.g, e->desc.plan, d->first_step, d->n_steps,
                                                                   name, sizeof name) };
    e->vk->api.CmdBeginDebugUtilsLabelEXT(c, &label);
}

static uint32_t longer_axis(const vk_dispatch *d)
{
    return d->groups[1] > d->groups[0];
}

/* Some of the workgroups of a dispatch, along its longer axis. */
static void dispatch_piece(vk_backend *vk, VkCommandBuffer c, const vk_dispatch *d, uint32_t piece, uint32_t n)
{
    uint32_t axis = longer_axis(d), from[2] = { 0, 0 }, size[2] = { d->groups[0], d->groups[1] };
    from[axis] = (uint32_t)((uint64_t)d->groups[axis] * piece / n);
    size[axis] = (uint32_t)((uint64_t)d->groups[axis] * (piece + 1) / n) - from[axis];
    vk->api.CmdDispatchBase(c, from[0], from[1], 0, size[0], size[1], d->groups[2]);
}

static void record_dispatch(weft_exec *e, const vk_recording *r, const vk_chunk *chunk, uint32_t i, VkPipeline *bound)
{
    vk_backend *vk = e->vk;
    VkCommandBuffer c = chunk->commands;
    const vk_dispatch *d = &r->list->dispatches[i];
    if (vk->options.labels) begin_label(e, c, d);
    if (d->pipeline != *bound) vk->api.CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, d->pipeline);
    *bound = d->pipeline;
    vk->api.CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, vk->pipeline_layout, 0, 1, &d->set, 0, NULL);
    if (r->profiled && chunk->piece == 0) vk_times_write(vk, c, r, i, false);
    if (chunk->n_pieces > 1) dispatch_piece(vk, c, d, chunk->piece, chunk->n_pieces);
    else vk->api.CmdDispatch(c, d->groups[0], d->groups[1], d->groups[2]);
    if (r->profiled && chunk->piece + 1 == chunk->n_pieces) vk_times_write(vk, c, r, i, true);
    if (vk->options.labels) vk->api.CmdEndDebugUtilsLabelEXT(c);
}

static weft_status record_chunk(weft_exec *e, const vk_recording *r, vk_chunk *chunk, weft_error *err)
{
    vk_backend *vk = e->vk;
    WEFT_TRY(vk_commands_begin(vk, &chunk->commands, err));
    VkCommandBuffer c = chunk->commands;
    VkPipeline bound = VK_NULL_HANDLE;
    if (r->profiled && chunk->piece == 0) vk_times_reset(vk, c, r, chunk);
    vk_barrier_before(vk, c);
    chunk->barriers = 1;
    for (uint32_t i = chunk->first; i < chunk->first + chunk->n; i++) {
        if (i > chunk->first && r->list->dispatches[i].barrier) {
            compute_barrier(vk, c);
            chunk->barriers++;
        }
        record_dispatch(e, r, chunk, i, &bound);
    }
    vk_barrier_to_host(vk, c);
    return vk_commands_end(e, c, err);
}

static uint32_t pieces_of(const vk_backend *vk, const vk_dispatch *d)
{
    double n = ceil(vk_predicted(vk, d->bytes, d->flops) / vk->options.submit_seconds);
    uint32_t most = d->groups[longer_axis(d)] < MAX_PIECES ? d->groups[longer_axis(d)] : MAX_PIECES;
    return !d->in_pieces || n <= 1 ? 1 : n < most ? (uint32_t)n : most;
}

static weft_status add_chunk(weft_exec *e, vk_recording *r, const vk_chunk *chunk, weft_error *err)
{
    vk_chunk *grown = realloc(r->chunks, (r->n_chunks + 1) * sizeof *grown);
    if (!grown) return WEFT_OOM_FAIL(err, "a recording");
    r->chunks = grown;
    r->chunks[r->n_chunks] = *chunk;
    return record_chunk(e, r, &r->chunks[r->n_chunks++], err);
}

static weft_status record_pieces(weft_exec *e, vk_recording *r, uint32_t i, uint32_t n, weft_error *err)
{
    const vk_dispatch *d = &r->list->dispatches[i];
    vk_chunk chunk = { .first = i, .n = 1, .n_pieces = n, .bytes = d->bytes / n, .flops = d->flops / n };
    for (; chunk.piece < n; chunk.piece++) WEFT_TRY(add_chunk(e, r, &chunk, err));
    return WEFT_OK;
}

/* The dispatches from i on that fit into one submission, at least one. */
static vk_chunk gather(const weft_exec *e, const vk_recording *r, uint32_t i)
{
    const uint32_t end = r->first_dispatch + r->n_dispatches;
    vk_chunk chunk = { .first = i, .n_pieces = 1 };
    double seconds = 0;
    for (; i < end; i++, chunk.n++) {
        const vk_dispatch *d = &r->list->dispatches[i];
        seconds += vk_predicted(e->vk, d->bytes, d->flops);
        if (chunk.n && seconds > e->vk->options.submit_seconds) break;
        chunk.bytes += d->bytes;
        chunk.flops += d->flops;
    }
    return chunk;
}

/* The recording's dispatches in chunks that are predicted to stay below the limit. */
static weft_status record_chunks(weft_exec *e, vk_recording *r, weft_error *err)
{
    const uint32_t end = r->first_dispatch + r->n_dispatches;
    if (r->profiled && r->n_dispatches) WEFT_TRY(vk_times_create(e->vk, r, err));
    for (uint32_t i = r->first_dispatch; i < end;) {
        uint32_t pieces = pieces_of(e->vk, &r->list->dispatches[i]);
        vk_chunk chunk = gather(e, r, i);
        WEFT_TRY(pieces > 1 ? record_pieces(e, r, i, pieces, err) : add_chunk(e, r, &chunk, err));
        i += pieces > 1 ? 1 : chunk.n;
    }
    return WEFT_OK;
}

void vk_recording_destroy(vk_backend *vk, vk_recording *r)
{
    for (uint32_t i = 0; i < r->n_chunks; i++) vk_commands_free(vk, r->chunks[i].commands);
    vk_times_destroy(vk, r);
    free(r->chunks);
    free(r);
}

void vk_recordings_drop(weft_exec *e, bool only_profiled)
{
    for (vk_recording **at = &e->recordings; *at;) {
        vk_recording *r = *at;
        if (only_profiled && !r->profiled) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        if (e->running == r) e->running = NULL;
        vk_recording_destroy(e->vk, r);
    }
}

/* Whether plan steps first..first+n-1 begin and end where joined launches do, and which dispatches they are. */
static bool find_dispatches(const vk_dispatch_list *f, uint32_t first, uint32_t n, uint32_t *begin, uint32_t *end)
{
    *begin = 0;
    while (*begin < f->n_dispatches && f->dispatches[*begin].first_step < first) (*begin)++;
    *end = *begin;
    while (*end < f->n_dispatches && f->dispatches[*end].first_step < first + n) (*end)++;
    bool starts = !*begin || f->dispatches[*begin - 1].first_step + f->dispatches[*begin - 1].n_steps <= first;
    bool ends = *end == *begin || f->dispatches[*end - 1].first_step + f->dispatches[*end - 1].n_steps <= first + n;
    return starts && ends;
}

weft_status vk_recording_make(weft_exec *e, uint32_t first, uint32_t n, vk_recording **out, weft_error *err)
{
    const vk_dispatch_list *f = &e->joined;
    uint32_t begin, end;
    if (!find_dispatches(f, first, n, &begin, &end)) {
        if (!e->single.n_dispatches) WEFT_TRY(vk_dispatches_create(e, false, &e->single, err));
        f = &e->single;
        find_dispatches(f, first, n, &begin, &end);
    }
    vk_recording *r = calloc(1, sizeof *r);
    if (!r) return WEFT_OOM_FAIL(err, "a recording");
    *r = (vk_recording){ .list = f, .first = first, .n = n, .first_dispatch = begin, .n_dispatches = end - begin,
                         .profiled = e->profiled, .reads_back = n > 1 || e->desc.plan->n_steps == 1 };
    weft_status s = record_chunks(e, r, err);
    if (s) {
        vk_recording_destroy(e->vk, r);
        return s;
    }
    r->next = e->recordings;
    e->recordings = r;
    *out = r;
    return WEFT_OK;
}

weft_status vk_recording_find(weft_exec *e, uint32_t first, uint32_t n, vk_recording **out, weft_error *err)
{
    for (vk_recording *r = e->recordings; r; r = r->next)
        if (r->first == first && r->n == n && r->profiled == e->profiled) {
            *out = r;
            return WEFT_OK;
        }
    return vk_recording_make(e, first, n, out, err);
}
