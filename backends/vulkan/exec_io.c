/* exec_io.c: how inputs, extents and outputs of a run get past the bus.
 *
 * Where the host can write the arena, it does. Where not, inputs and extents wait in a shadow that every run copies in
 * first; outputs are copied to a shadow at its end where the host cannot read the arena. */
#include "backends/vulkan/exec.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SHADOWED_OUTPUT = 1 << 18 }; /* larger outputs are copied when they are read, as far as they are read */

static weft_status record_copies(weft_exec *e, bool in, VkCommandBuffer *c, weft_error *err)
{
    vk_backend *vk = e->vk;
    const vk_port *ports = in ? e->inputs : e->outputs;
    WEFT_TRY(vk_commands_begin(vk, c, err));
    vk_barrier_before(vk, *c);
    for (uint32_t i = 0; i < (in ? e->n_inputs : e->n_outputs); i++) {
        VkBufferCopy copy = { in ? ports[i].shadow : ports[i].at, in ? ports[i].at : ports[i].shadow, ports[i].bytes };
        if (in) vk->api.CmdCopyBuffer(*c, e->upload.buffer, e->arena->buffer, 1, &copy);
        else vk->api.CmdCopyBuffer(*c, e->arena->buffer, e->readback.buffer, 1, &copy);
    }
    VkBufferCopy run = { 0, 0, sizeof(weft_run_params) };
    if (in) vk->api.CmdCopyBuffer(*c, e->upload.buffer, e->run.buffer, 1, &run);
    else vk_barrier_to_host(vk, *c);
    return vk_commands_end(e, *c, err);
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

weft_status vk_io_create(weft_exec *e, weft_error *err)
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

void vk_io_destroy(weft_exec *e)
{
    vk_commands_free(e->vk, e->upload_commands);
    vk_commands_free(e->vk, e->readback_commands);
    vk_block_destroy(e->vk, &e->run);
    vk_block_destroy(e->vk, &e->upload);
    vk_block_destroy(e->vk, &e->readback);
    free(e->inputs);
    free(e->outputs);
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

weft_status vk_io_extents(weft_exec *e, const int64_t *extents, weft_error *err)
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
