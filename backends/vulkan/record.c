/* record.c: command buffers and their life: recorded once for a range of steps, replayed by every run.
 *
 * A recording is cut into chunks so that no submission takes long enough for a watchdog: their length is predicted from
 * the steps' bytes and operations and the device's rates, which the first run calibrates. A dispatch that would take
 * too long by itself is cut into pieces, some of its workgroups each. A run copies the inputs' shadows in (where the
 * host cannot write the arena), runs the chunks, and copies outputs to their shadows (where it cannot read it): one
 * submission, unless there are several chunks. */
#include "backends/vulkan/exec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PIECES = 256 };              /* of a dispatch */
enum { MAX_SHADOWED_OUTPUT = 1 << 18 }; /* larger outputs are copied when they are read, as far as they are read */

/* ---- command buffers ---- */

static weft_status begin_commands(vk_backend *vk, VkCommandBuffer *c, weft_error *err)
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

static weft_status end_commands(weft_exec *e, VkCommandBuffer c, weft_error *err)
{
    VkResult r = e->vk->api.EndCommandBuffer(c);
    e->counters.recordings++;
    return r ? vk_fail(err, r, "vkEndCommandBuffer", "a recording") : WEFT_OK;
}

static void free_commands(vk_backend *vk, VkCommandBuffer c)
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
static void barrier_before(vk_backend *vk, VkCommandBuffer c)
{
    barrier(vk, c, AROUND_STAGES, AROUND_WRITES, AROUND_STAGES, AROUND_READS | AROUND_WRITES);
}

static void barrier_to_host(vk_backend *vk, VkCommandBuffer c)
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
    const vk_dispatch *d = &r->form->dispatches[i];
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
    WEFT_TRY(begin_commands(vk, &chunk->commands, err));
    VkCommandBuffer c = chunk->commands;
    VkPipeline bound = VK_NULL_HANDLE;
    if (r->profiled && chunk->piece == 0) vk_times_reset(vk, c, r, chunk);
    barrier_before(vk, c);
    chunk->barriers = 1;
    for (uint32_t i = chunk->first; i < chunk->first + chunk->n; i++) {
        if (i > chunk->first && r->form->dispatches[i].barrier) {
            compute_barrier(vk, c);
            chunk->barriers++;
        }
        record_dispatch(e, r, chunk, i, &bound);
    }
    barrier_to_host(vk, c);
    return end_commands(e, c, err);
}

double vk_predicted(const vk_backend *vk, double bytes, double flops)
{
    double memory = bytes * vk->seconds_per_byte, compute = flops * vk->seconds_per_op;
    return memory > compute ? memory : compute;
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
    const vk_dispatch *d = &r->form->dispatches[i];
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
        const vk_dispatch *d = &r->form->dispatches[i];
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
        uint32_t pieces = pieces_of(e->vk, &r->form->dispatches[i]);
        vk_chunk chunk = gather(e, r, i);
        WEFT_TRY(pieces > 1 ? record_pieces(e, r, i, pieces, err) : add_chunk(e, r, &chunk, err));
        i += pieces > 1 ? 1 : chunk.n;
    }
    return WEFT_OK;
}

static void destroy_recording(vk_backend *vk, vk_recording *r)
{
    for (uint32_t i = 0; i < r->n_chunks; i++) free_commands(vk, r->chunks[i].commands);
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
        destroy_recording(e->vk, r);
    }
}

/* Whether plan steps first..first+n-1 begin and end where joined launches do, and which dispatches they are. */
static bool find_dispatches(const vk_form *f, uint32_t first, uint32_t n, uint32_t *begin, uint32_t *end)
{
    *begin = 0;
    while (*begin < f->n_dispatches && f->dispatches[*begin].first_step < first) (*begin)++;
    *end = *begin;
    while (*end < f->n_dispatches && f->dispatches[*end].first_step < first + n) (*end)++;
    bool starts = !*begin || f->dispatches[*begin - 1].first_step + f->dispatches[*begin - 1].n_steps <= first;
    bool ends = *end == *begin || f->dispatches[*end - 1].first_step + f->dispatches[*end - 1].n_steps <= first + n;
    return starts && ends;
}

static weft_status make_recording(weft_exec *e, uint32_t first, uint32_t n, vk_recording **out, weft_error *err)
{
    const vk_form *f = &e->joined;
    uint32_t begin, end;
    if (!find_dispatches(f, first, n, &begin, &end)) {
        if (!e->single.n_dispatches) WEFT_TRY(vk_form_create(e, false, &e->single, err));
        f = &e->single;
        find_dispatches(f, first, n, &begin, &end);
    }
    vk_recording *r = calloc(1, sizeof *r);
    if (!r) return WEFT_OOM_FAIL(err, "a recording");
    *r = (vk_recording){ .form = f, .first = first, .n = n, .first_dispatch = begin, .n_dispatches = end - begin,
                         .profiled = e->profiled, .reads_back = n > 1 || e->desc.plan->n_steps == 1 };
    weft_status s = record_chunks(e, r, err);
    if (s) {
        destroy_recording(e->vk, r);
        return s;
    }
    r->next = e->recordings;
    e->recordings = r;
    *out = r;
    return WEFT_OK;
}

/* Whether the chunks of a recording turn out much longer than wanted, or much shorter than needed. */
static bool outdated(const weft_exec *e, const vk_recording *r)
{
    double longest = 0, limit = e->vk->options.submit_seconds;
    uint32_t dispatches = 0;
    for (uint32_t i = 0; i < r->n_chunks; i++) {
        double s = vk_predicted(e->vk, r->chunks[i].bytes, r->chunks[i].flops);
        bool cut = r->chunks[i].n > 1 || r->form->dispatches[r->chunks[i].first].in_pieces;
        if (s > longest && cut) longest = s;
        dispatches += r->chunks[i].n;
    }
    return longest > 2 * limit || (r->n_chunks > 1 && r->n_chunks < dispatches && longest < limit / 4);
}

static weft_status find_recording(weft_exec *e, uint32_t first, uint32_t n, vk_recording **out, weft_error *err)
{
    for (vk_recording *r = e->recordings; r; r = r->next)
        if (r->first == first && r->n == n && r->profiled == e->profiled) {
            *out = r;
            return WEFT_OK;
        }
    return make_recording(e, first, n, out, err);
}

/* ---- inputs and outputs ---- */

static weft_status record_copies(weft_exec *e, bool in, VkCommandBuffer *c, weft_error *err)
{
    vk_backend *vk = e->vk;
    const vk_port *ports = in ? e->inputs : e->outputs;
    WEFT_TRY(begin_commands(vk, c, err));
    barrier_before(vk, *c);
    for (uint32_t i = 0; i < (in ? e->n_inputs : e->n_outputs); i++) {
        VkBufferCopy copy = { in ? ports[i].shadow : ports[i].at, in ? ports[i].at : ports[i].shadow, ports[i].bytes };
        if (in) vk->api.CmdCopyBuffer(*c, e->upload.buffer, e->arena->buffer, 1, &copy);
        else vk->api.CmdCopyBuffer(*c, e->arena->buffer, e->readback.buffer, 1, &copy);
    }
    VkBufferCopy run = { 0, 0, sizeof(weft_run_params) };
    if (in) vk->api.CmdCopyBuffer(*c, e->upload.buffer, e->run.buffer, 1, &run);
    else barrier_to_host(vk, *c);
    return end_commands(e, *c, err);
}

static bool add_port(vk_port *ports, uint32_t *n, uint64_t *total, const weft_exec *e, weft_ref r)
{
    const weft_slot *s = &e->desc.plan->slots[r.id];
    if (s->storage != WEFT_STORAGE_ARENA || s->device != e->desc.device) return false;
    const weft_dtype_info *t = weft_dtype_get(weft_graph_value(e->desc.g, r)->dtype);
    uint64_t at = s->offset + (uint64_t)s->first / t->block * t->bytes;
    uint64_t bytes = (weft_value_bytes(e->desc.g, r, e->desc.bounds) + 3) / 4 * 4;
    ports[(*n)++] = (vk_port){ at, bytes, *total };
    *total = (*total + bytes + 15) / 16 * 16;
    return true;
}

static weft_status find_ports(weft_exec *e, uint64_t *in_bytes, uint64_t *out_bytes, weft_error *err)
{
    const weft_graph *g = e->desc.g;
    uint32_t n_outputs, n_nodes = weft_graph_node_count(g);
    const weft_named *outputs = weft_graph_outputs(g, &n_outputs);
    e->inputs = calloc(n_nodes + 1, sizeof *e->inputs);
    e->outputs = calloc(n_outputs + 1, sizeof *e->outputs);
    if (!e->inputs || !e->outputs) return WEFT_OOM_FAIL(err, "inputs and outputs");
    *in_bytes = 256; /* the run's extents come first */
    *out_bytes = 0;
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_input) add_port(e->inputs, &e->n_inputs, in_bytes, e, n->out[0]);
    }
    for (uint32_t i = 0; i < n_outputs; i++)
        if (weft_value_bytes(g, outputs[i].ref, e->desc.bounds) <= MAX_SHADOWED_OUTPUT)
            add_port(e->outputs, &e->n_outputs, out_bytes, e, outputs[i].ref);
    return WEFT_OK;
}

static weft_status create_io(weft_exec *e, weft_error *err)
{
    uint64_t in_bytes, out_bytes;
    WEFT_TRY(vk_block_create(e->vk, sizeof(weft_run_params), VK_MEMORY_ARENA, &e->run, err));
    WEFT_TRY(find_ports(e, &in_bytes, &out_bytes, err));
    e->direct_in = e->arena->writable && e->run.writable;
    e->direct_out = e->arena->readable;
    if (!e->direct_in) {
        WEFT_TRY(vk_block_create(e->vk, in_bytes, VK_MEMORY_UPLOAD, &e->upload, err));
        WEFT_TRY(record_copies(e, true, &e->upload_commands, err));
    }
    if (e->direct_out || !e->n_outputs) return WEFT_OK;
    WEFT_TRY(vk_block_create(e->vk, out_bytes, VK_MEMORY_READBACK, &e->readback, err));
    return record_copies(e, false, &e->readback_commands, err);
}

/* The port that holds bytes [at, at + n) of the arena. */
static const vk_port *find_port(const vk_port *ports, uint32_t n_ports, uint64_t at, uint64_t n)
{
    for (uint32_t i = 0; i < n_ports; i++)
        if (at >= ports[i].at && at + n <= ports[i].at + ports[i].bytes) return &ports[i];
    return NULL;
}

weft_status vk_exec_write(weft_exec *e, uint64_t at, const void *src, uint64_t n, weft_error *err)
{
    e->counters.bytes_in += n;
    e->dirty = true;
    const vk_port *p = e->direct_in ? NULL : find_port(e->inputs, e->n_inputs, at, n);
    if (!e->direct_in && !p) return vk_block_write(e->vk, e->arena, at, src, n, err);
    const vk_block *b = p ? &e->upload : e->arena;
    uint64_t offset = p ? p->shadow + at - p->at : at;
    memcpy(b->host + offset, src, n);
    return vk_flush(e->vk, b, offset, n, err);
}

/* Inputs that were written and not run with yet lie in their shadows: into the arena with them before it is read. */
static weft_status copy_inputs(weft_exec *e, weft_error *err)
{
    uint64_t ticket;
    if (!e->dirty || e->direct_in) return WEFT_OK;
    WEFT_TRY(vk_submit(e->vk, &e->upload_commands, 1, &ticket, err));
    e->counters.submits++;
    e->dirty = false;
    return vk_wait(e->vk, ticket, err);
}

weft_status vk_exec_read(weft_exec *e, uint64_t at, void *dst, uint64_t n, weft_error *err)
{
    e->counters.bytes_out += n;
    const vk_port *p = e->direct_out || !e->fresh ? NULL : find_port(e->outputs, e->n_outputs, at, n);
    if (!p) WEFT_TRY(copy_inputs(e, err));
    if (!e->direct_out && !p) return vk_block_read(e->vk, e->arena, at, dst, n, err);
    const vk_block *b = p ? &e->readback : e->arena;
    uint64_t offset = p ? p->shadow + at - p->at : at;
    WEFT_TRY(vk_invalidate(e->vk, b, offset, n, err));
    memcpy(dst, b->host + offset, n);
    return WEFT_OK;
}

static weft_status write_extents(weft_exec *e, const int64_t *extents, weft_error *err)
{
    weft_run_params run = { { 0 } };
    for (uint32_t i = 0; i < weft_graph_extent_count(e->desc.g); i++) run.extent[i] = (uint32_t)extents[i];
    if (e->ticket && !memcmp(&run, &e->extents, sizeof run)) return WEFT_OK;
    e->extents = run;
    e->dirty = true;
    const vk_block *b = e->direct_in ? &e->run : &e->upload;
    memcpy(b->host, &run, sizeof run);
    return vk_flush(e->vk, b, 0, sizeof run, err);
}

/* ---- life ---- */

weft_status vk_exec_create(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err)
{
    *out = NULL;
    weft_exec *e = calloc(1, sizeof *e);
    if (!e) return WEFT_OOM_FAIL(err, "the compiled steps");
    e->vk = (vk_backend *)b;
    e->desc = *d;
    e->arena = d->arena->blocks;
    weft_status s = create_io(e, err);
    if (!s) s = vk_form_create(e, true, &e->joined, err);
    if (s) {
        vk_exec_destroy(e);
        return s;
    }
    *out = e;
    return WEFT_OK;
}

void vk_exec_destroy(weft_exec *e)
{
    if (!e) return;
    vk_backend *vk = e->vk;
    vk_idle(vk);
    vk_recordings_drop(e, false);
    free_commands(vk, e->upload_commands);
    free_commands(vk, e->readback_commands);
    vk_form_destroy(vk, &e->joined);
    vk_form_destroy(vk, &e->single);
    vk_block_destroy(vk, &e->run);
    vk_block_destroy(vk, &e->upload);
    vk_block_destroy(vk, &e->readback);
    free(e->inputs);
    free(e->outputs);
    free(e);
}

/* ---- running ---- */

/* One submission per chunk; the inputs' copies go with the first, the outputs' with the last. */
static weft_status submit_all(weft_exec *e, vk_recording *r, bool copy_in, bool copy_out, uint64_t *ticket,
                              weft_error *err)
{
    uint32_t last = r->n_chunks ? r->n_chunks - 1 : 0;
    for (uint32_t i = 0; i <= last; i++) {
        VkCommandBuffer batch[3];
        uint32_t n = 0;
        vk_chunk *c = r->n_chunks ? &r->chunks[i] : NULL;
        if (copy_in && !i) batch[n++] = e->upload_commands;
        if (c) batch[n++] = c->commands;
        if (copy_out && i == last) batch[n++] = e->readback_commands;
        if (!n) return WEFT_OK;
        WEFT_TRY(vk_submit(e->vk, batch, n, ticket, err));
        e->counters.submits++;
        if (!c) return WEFT_OK;
        c->ticket = *ticket;
        e->counters.launches += c->n;
        e->counters.barriers += c->barriers;
    }
    return WEFT_OK;
}

weft_status vk_exec_submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                           weft_error *err)
{
    double start = weft__seconds();
    vk_recording *r;
    if (e->profiled) e->submit_ns = weft__nanoseconds();
    WEFT_TRY(write_extents(e, extents, err));
    WEFT_TRY(find_recording(e, first, n, &r, err));
    *ticket = e->vk->submitted;
    bool copy_in = e->dirty && !e->direct_in, copy_out = r->reads_back && e->readback_commands;
    e->dirty = e->fresh = false;
    WEFT_TRY(submit_all(e, r, copy_in, copy_out, ticket, err));
    e->fresh = copy_out;
    e->ticket = *ticket;
    e->running = r;
    e->started = start;
    e->counters.host_seconds += weft__seconds() - start;
    return WEFT_OK;
}

/* The device's rates from one run of everything: both are scaled alike, since only their larger share is seen. */
static void calibrate(weft_exec *e)
{
    double total = 0, took = weft__seconds() - e->started;
    for (uint32_t i = 0; i < e->running->n_chunks; i++)
        total += vk_predicted(e->vk, e->running->chunks[i].bytes, e->running->chunks[i].flops);
    if (!e->running->reads_back || total < 1e-4) return;
    for (uint32_t i = 0; i < weft_graph_extent_count(e->desc.g); i++)
        if (e->extents.extent[i] != (uint32_t)e->desc.bounds[i]) return;
    double factor = took / total;
    factor = factor < 1.0 / 16 ? 1.0 / 16 : factor > 4 ? 4 : factor; /* a first run can be slow for other reasons */
    e->vk->seconds_per_byte *= factor;
    e->vk->seconds_per_op *= factor;
    e->timed = true;
}

/* Within the first run, so that no later one records anything. */
weft_status vk_exec_settle(weft_exec *e, weft_error *err)
{
    if (e->timed || !e->running) return WEFT_OK;
    calibrate(e);
    vk_recording *old = e->running, *r;
    if (!e->timed || !outdated(e, old)) return WEFT_OK;
    WEFT_TRY(make_recording(e, old->first, old->n, &r, err));
    for (vk_recording **at = &e->recordings; *at; at = &(*at)->next)
        if (*at == old) {
            *at = old->next;
            break;
        }
    e->running = r;
    destroy_recording(e->vk, old);
    return WEFT_OK;
}

/* Names the steps that were running when the device was lost. */
static weft_status lost(weft_exec *e, weft_status s, weft_error *err)
{
    uint64_t done = 0;
    char from[256], to[256];
    VkResult r = e->vk->api.GetSemaphoreCounterValue(e->vk->device, e->vk->timeline, &done);
    const vk_chunk *c = NULL;
    for (uint32_t i = 0; e->running && i < e->running->n_chunks && !c; i++)
        if (r || e->running->chunks[i].ticket > done) c = &e->running->chunks[i];
    if (!c) return s;
    const vk_dispatch *a = &e->running->form->dispatches[c->first], *b = a + c->n - 1;
    return weft__annotate(err, s, "between %s and %s", vk_step_text(e, a->first_step, from, sizeof from),
                          vk_step_text(e, b->first_step + b->n_steps - 1, to, sizeof to));
}

weft_status vk_exec_wait(weft_exec *e, uint64_t ticket, weft_error *err)
{
    weft_status s = vk_wait(e->vk, ticket, err);
    if (e->profiled) e->done_ns = weft__nanoseconds();
    if (s == WEFT_DEVICE_LOST) return lost(e, s, err);
    if (!s && !e->profiled) s = vk_exec_settle(e, err); /* profiled: when the times are read */
    if (!s) s = vk_validation_check(e->vk, err);
    return s;
}

void vk_exec_counters(const weft_exec *e, weft_counters *out)
{
    out->launches += e->counters.launches;
    out->barriers += e->counters.barriers;
    out->submits += e->counters.submits;
    out->recordings += e->counters.recordings;
    out->bindings += e->counters.bindings;
    out->allocations += e->vk->allocations;
    out->bytes_in += e->counters.bytes_in;
    out->bytes_out += e->counters.bytes_out;
    out->host_seconds += e->counters.host_seconds;
}
