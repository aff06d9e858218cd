/* buffers.c: the contract's buffers. Weights come in parts (weights.c says which), each within one block. */
#include "backends/gpu/weights.h"
#include "backends/vulkan/vk.h"

#include <stdlib.h>
#include <string.h>

static weft_status new_buf(vk_backend *vk, uint32_t n_parts, weft_buf **out, weft_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return WEFT_OOM_FAIL(err, "a buffer");
    (*out)->vk = vk;
    (*out)->n_parts = n_parts;
    (*out)->parts = calloc(n_parts, sizeof(gpu_part));
    (*out)->blocks = calloc(n_parts, sizeof(vk_block)); /* at most one each */
    if ((*out)->parts && (*out)->blocks) return WEFT_OK;
    vk_buf_destroy(*out);
    *out = NULL;
    return WEFT_OOM_FAIL(err, "a buffer");
}

weft_status vk_buf_create(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err)
{
    vk_backend *vk = (vk_backend *)b;
    weft_buf *buf;
    WEFT_TRY(new_buf(vk, 1, &buf, err));
    buf->bytes = bytes;
    buf->n_blocks = 1;
    buf->parts[0] = (gpu_part){ .bytes = bytes };
    weft_status s = vk_block_create(vk, bytes, VK_MEMORY_ARENA, &buf->blocks[0], err);
    if (!s) s = vk_block_zero(vk, &buf->blocks[0], 0, buf->blocks[0].bytes, err);
    if (!s) {
        *out = buf;
        return WEFT_OK;
    }
    vk_buf_destroy(buf);
    return s;
}

/* Puts parts one after the other into blocks as large as may be. */
static uint32_t lay_out(const gpu_caps *f, gpu_part *parts, uint32_t n, uint64_t *block_bytes)
{
    uint32_t block = 0;
    uint64_t at = 0, most = f->max_allocation / 256 * 256;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bytes = (parts[i].bytes + 255) / 256 * 256;
        if (at && at + bytes > most) {
            block_bytes[block++] = at;
            at = 0;
        }
        parts[i].block = block;
        parts[i].offset = at;
        at += bytes;
    }
    block_bytes[block] = at;
    return block + 1;
}

static weft_status create_blocks(weft_buf *buf, weft_error *err)
{
    uint64_t *bytes = calloc(buf->n_parts, sizeof *bytes);
    if (!bytes) return WEFT_OOM_FAIL(err, "a weight");
    uint32_t n = lay_out(&buf->vk->caps, buf->parts, buf->n_parts, bytes);
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < n && !s; i++) {
        s = vk_block_create(buf->vk, bytes[i], VK_MEMORY_WEIGHTS, &buf->blocks[i], err);
        buf->n_blocks = i + 1;
    }
    free(bytes);
    return s;
}

weft_status vk_weight_create(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                             weft_buf **out, weft_error *err)
{
    vk_backend *vk = (vk_backend *)b;
    weft_buf *buf;
    uint32_t n = gpu_weight_parts(&vk->caps, layout, t, rank, dims, NULL);
    if (!n)
        return WEFT_FAIL(err, WEFT_LIMIT, "vulkan: a single row is larger than the %llu bytes that %s binds",
                         (unsigned long long)vk->caps.max_binding, vk->properties.deviceName);
    WEFT_TRY(new_buf(vk, n, &buf, err));
    gpu_weight_parts(&vk->caps, layout, t, rank, dims, buf->parts);
    buf->bytes = gpu_weight_bytes(&vk->caps, layout, t, rank, dims);
    weft_status s = create_blocks(buf, err);
    if (!s) {
        *out = buf;
        return WEFT_OK;
    }
    vk_buf_destroy(buf);
    return s;
}

/* One that needs no cutting, where the device reads the host's memory. */
weft_status vk_weight_wrap(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                           const void *data, weft_buf **out, weft_error *err)
{
    vk_backend *vk = (vk_backend *)b;
    weft_buf *buf;
    *out = NULL;
    if (!vk->import_pages || gpu_weight_parts(&vk->caps, layout, t, rank, dims, NULL) != 1) return WEFT_OK;
    WEFT_TRY(new_buf(vk, 1, &buf, err));
    gpu_weight_parts(&vk->caps, layout, t, rank, dims, buf->parts);
    buf->bytes = buf->parts[0].bytes;
    buf->n_blocks = vk_block_import(vk, data, buf->bytes, &buf->blocks[0], &buf->parts[0].offset);
    if (buf->n_blocks) *out = buf;
    else vk_buf_destroy(buf);
    return WEFT_OK;
}

void vk_buf_destroy(weft_buf *buf)
{
    for (uint32_t i = 0; i < buf->n_blocks; i++) vk_block_destroy(buf->vk, &buf->blocks[i]);
    free(buf->blocks);
    free(buf->parts);
    free(buf);
}

/* What bytes [offset, offset + n) of a buffer, whose parts follow one another, have of part i. */
static bool cut(const weft_buf *buf, uint32_t i, uint64_t *begin, uint64_t offset, uint64_t n, uint64_t *at,
                uint64_t *count)
{
    const uint64_t first = *begin, end = *begin += buf->parts[i].bytes, stop = offset + n < end ? offset + n : end;
    *at = offset > first ? offset : first;
    if (*at >= stop) return false;
    *count = stop - *at;
    *at -= first;
    return true;
}

weft_status vk_buf_write(weft_buf *buf, uint64_t offset, const void *src, uint64_t n, weft_error *err)
{
    const unsigned char *from = src;
    uint64_t begin = 0, at, count;
    for (uint32_t i = 0; i < buf->n_parts; i++) {
        const gpu_part *p = &buf->parts[i];
        if (!cut(buf, i, &begin, offset, n, &at, &count)) continue;
        WEFT_TRY(vk_block_write(buf->vk, &buf->blocks[p->block], p->offset + at, from, count, err));
        from += count;
    }
    return vk_transfer_flush(buf->vk, err);
}

weft_status vk_buf_read(weft_buf *buf, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    unsigned char *to = dst;
    uint64_t begin = 0, at, count;
    for (uint32_t i = 0; i < buf->n_parts; i++) {
        const gpu_part *p = &buf->parts[i];
        if (!cut(buf, i, &begin, offset, n, &at, &count)) continue;
        WEFT_TRY(vk_block_read(buf->vk, &buf->blocks[p->block], p->offset + at, to, count, err));
        to += count;
    }
    return WEFT_OK;
}

weft_status vk_buf_copy(weft_buf *buf, const weft_state_span *spans, uint32_t n, weft_error *err)
{
    WEFT_TRY(vk_block_copy(buf->vk, &buf->blocks[0], spans, n, err));
    return vk_transfer_flush(buf->vk, err);
}
