/* transfer.c: bytes between the host and blocks: in place where a block is writable or readable, else through a ring of
 * staging buffers, so that converting and copying overlap and host memory stays bounded. */
#include "backends/vulkan/vk.h"

#include <stdlib.h>
#include <string.h>

enum { N_SLOTS = 3, SLOT_BYTES = VK_FILL_BYTES };

typedef struct slot {
    vk_block block;
    VkCommandBuffer commands;
    uint64_t ticket; /* of its last copy */
} slot;

struct vk_staging {
    slot up[N_SLOTS], down;
    uint32_t next;
};

weft_status vk_staging_create(vk_backend *vk, weft_error *err)
{
    vk->staging = calloc(1, sizeof *vk->staging);
    return vk->staging ? WEFT_OK : WEFT_OOM_FAIL(err, "the staging ring");
}

void vk_staging_destroy(vk_backend *vk)
{
    if (!vk->staging) return;
    for (uint32_t i = 0; i <= N_SLOTS; i++) {
        slot *s = i < N_SLOTS ? &vk->staging->up[i] : &vk->staging->down;
        if (s->commands) vk->api.FreeCommandBuffers(vk->device, vk->command_pool, 1, &s->commands);
        vk_block_destroy(vk, &s->block);
    }
    free(vk->staging);
    vk->staging = NULL;
}

/* ---- slots ---- */

static weft_status wait_slot(vk_backend *vk, slot *s, weft_error *err)
{
    uint64_t ticket = s->ticket;
    s->ticket = 0;
    return ticket ? vk_wait(vk, ticket, err) : WEFT_OK;
}

/* A slot that is free and holds at least `bytes` (up to SLOT_BYTES). */
static weft_status prepare_slot(vk_backend *vk, slot *s, uint64_t bytes, vk_memory_use use, weft_error *err)
{
    if (bytes > SLOT_BYTES) bytes = SLOT_BYTES;
    WEFT_TRY(wait_slot(vk, s, err));
    if (s->block.bytes < bytes) {
        vk_block_destroy(vk, &s->block);
        WEFT_TRY(vk_block_create(vk, bytes, use, &s->block, err));
    }
    if (s->commands) return WEFT_OK;
    VkCommandBufferAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .commandPool = vk->command_pool, .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                         .commandBufferCount = 1 };
    VkResult r = vk->api.AllocateCommandBuffers(vk->device, &info, &s->commands);
    if (!r) return WEFT_OK;
    s->commands = NULL;
    return vk_fail(err, r, "vkAllocateCommandBuffers", "staging");
}

static slot *next_slot(vk_backend *vk)
{
    return &vk->staging->up[vk->staging->next++ % N_SLOTS];
}

static weft_status begin(vk_backend *vk, slot *s, weft_error *err)
{
    VkCommandBufferBeginInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT };
    VkResult r = vk->api.BeginCommandBuffer(s->commands, &info);
    if (r) return vk_fail(err, r, "vkBeginCommandBuffer", "staging");
    VkMemoryBarrier m = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                          .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT };
    vk->api.CmdPipelineBarrier(s->commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1,
                               &m, 0, NULL, 0, NULL);
    return WEFT_OK;
}

static weft_status end(vk_backend *vk, slot *s, weft_error *err)
{
    VkMemoryBarrier m = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                          .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT };
    vk->api.CmdPipelineBarrier(s->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                               VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &m, 0, NULL, 0,
                               NULL);
    VkResult r = vk->api.EndCommandBuffer(s->commands);
    if (r) return vk_fail(err, r, "vkEndCommandBuffer", "staging");
    return vk_submit(vk, &s->commands, 1, &s->ticket, err);
}

weft_status vk_transfer_flush(vk_backend *vk, weft_error *err)
{
    for (uint32_t i = 0; i < N_SLOTS; i++) WEFT_TRY(wait_slot(vk, &vk->staging->up[i], err));
    return WEFT_OK;
}

/* ---- copies ---- */

weft_status vk_block_fill(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n,
                          void (*fill)(void *ctx, void *dst, uint64_t at, uint64_t n), void *ctx, weft_error *err)
{
    uint64_t part;
    for (uint64_t at = 0; at < n; at += part) {
        if (b->writable) {
            part = n - at < SLOT_BYTES ? n - at : SLOT_BYTES; /* as the ring would do it */
            fill(ctx, b->host + offset + at, at, part);
            continue;
        }
        slot *s = next_slot(vk);
        WEFT_TRY(prepare_slot(vk, s, n - at, VK_MEMORY_UPLOAD, err));
        part = n - at < s->block.bytes ? n - at : s->block.bytes;
        fill(ctx, s->block.host, at, part);
        WEFT_TRY(vk_flush(vk, &s->block, 0, part, err));
        WEFT_TRY(begin(vk, s, err));
        VkBufferCopy copy = { 0, offset + at, part };
        vk->api.CmdCopyBuffer(s->commands, s->block.buffer, b->buffer, 1, &copy);
        WEFT_TRY(end(vk, s, err));
    }
    return b->writable ? vk_flush(vk, b, offset, n, err) : WEFT_OK;
}

static void fill_copy(void *ctx, void *dst, uint64_t at, uint64_t n)
{
    memcpy(dst, (const unsigned char *)ctx + at, n);
}

weft_status vk_block_write(vk_backend *vk, const vk_block *b, uint64_t offset, const void *src, uint64_t n,
                           weft_error *err)
{
    return vk_block_fill(vk, b, offset, n, fill_copy, (void *)(uintptr_t)src, err);
}

weft_status vk_block_read(vk_backend *vk, const vk_block *b, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    slot *s = &vk->staging->down;
    if (b->readable) {
        WEFT_TRY(vk_invalidate(vk, b, offset, n, err));
        memcpy(dst, b->host + offset, n);
        return WEFT_OK;
    }
    for (uint64_t at = 0, part; at < n; at += part) {
        WEFT_TRY(prepare_slot(vk, s, n - at, VK_MEMORY_READBACK, err));
        part = n - at < s->block.bytes ? n - at : s->block.bytes;
        WEFT_TRY(begin(vk, s, err));
        VkBufferCopy copy = { offset + at, 0, part };
        vk->api.CmdCopyBuffer(s->commands, b->buffer, s->block.buffer, 1, &copy);
        WEFT_TRY(end(vk, s, err));
        WEFT_TRY(wait_slot(vk, s, err));
        WEFT_TRY(vk_invalidate(vk, &s->block, 0, part, err));
        memcpy((unsigned char *)dst + at, s->block.host, part);
    }
    return WEFT_OK;
}

weft_status vk_block_zero(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n, weft_error *err)
{
    if (b->writable) {
        memset(b->host + offset, 0, n);
        return vk_flush(vk, b, offset, n, err);
    }
    slot *s = next_slot(vk);
    WEFT_TRY(prepare_slot(vk, s, 256, VK_MEMORY_UPLOAD, err));
    WEFT_TRY(begin(vk, s, err));
    vk->api.CmdFillBuffer(s->commands, b->buffer, offset, n, 0);
    return end(vk, s, err);
}

weft_status vk_block_copy(vk_backend *vk, const vk_block *b, const weft_state_span *spans, uint32_t n, weft_error *err)
{
    VkBufferCopy copies[64];
    slot *s = next_slot(vk);
    WEFT_TRY(prepare_slot(vk, s, 256, VK_MEMORY_UPLOAD, err));
    WEFT_TRY(begin(vk, s, err));
    for (uint32_t i = 0, k = 0; i < n; i++) {
        copies[k++] = (VkBufferCopy){ spans[i].from, spans[i].to, spans[i].n };
        if (k < sizeof copies / sizeof *copies && i + 1 < n) continue;
        vk->api.CmdCopyBuffer(s->commands, b->buffer, b->buffer, k, copies);
        k = 0;
    }
    return end(vk, s, err);
}
