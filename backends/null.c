/* null.c: the backend that plans everything and runs nothing. It accepts every op, so graphs can be placed, planned and
 * printed without a device, and it is the smallest example of the contract. */
#include "backends/contract.h"

#include <stdio.h>
#include <stdlib.h>

static weft_status null_open(const char *which, const char *options, weft_backend **out, weft_error *err)
{
    if (*which || *options)
        return WEFT_FAIL(err, WEFT_INVALID, "null: unknown option '%s%s' (there are none)", which, options);
    *out = calloc(1, sizeof **out);
    return *out ? WEFT_OK : WEFT_OOM_FAIL(err, "the null backend");
}

static void null_close(weft_backend *b)
{
    free(b);
}

static void null_info(const weft_backend *b, weft_device_info *out)
{
    (void)b;
    *out = (weft_device_info){ .name = "null", .type = WEFT_DEVICE_NONE };
    snprintf(out->description, sizeof out->description, "plans everything, runs nothing");
}

static weft_status null_list(uint32_t index, const char *options, weft_device_info *out, weft_error *err)
{
    (void)options;
    if (index) return WEFT_FAIL(err, WEFT_NOT_FOUND, "null: there is one device");
    null_info(NULL, out);
    return WEFT_OK;
}

static uint32_t null_alignment(const weft_backend *b)
{
    (void)b;
    return 256;
}

static weft_layout null_weight_layout(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims,
                                      uint32_t uses)
{
    (void)b, (void)t, (void)rank, (void)dims, (void)uses;
    return WEFT_LAYOUT_PLAIN;
}

static const char *null_layout_name(const weft_backend *b, weft_layout layout)
{
    (void)b, (void)layout;
    return "plain";
}

static uint64_t null_weight_bytes(const weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank,
                                  const int64_t *dims)
{
    (void)b, (void)layout;
    const weft_dtype_info *info = weft_dtype_get(t);
    uint64_t n = info->bytes;
    for (uint32_t i = 0; i < rank; i++) n *= (uint64_t)dims[i];
    return n / info->block;
}

static weft_place_reason null_choose(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out)
{
    (void)b, (void)q;
    *out = (weft_kernel_choice){ .name = "null", .kernel = "null" };
    return WEFT_PLACE_REQUESTED;
}

static weft_status null_refuse(weft_error *err)
{
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "null: plans only, cannot load or run");
}

static weft_status null_roof(weft_backend *b, double seconds, weft__task *task, weft_roof *out, weft_error *err)
{
    (void)b, (void)seconds, (void)task, (void)out;
    return null_refuse(err);
}

static weft_status null_buf_create(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err)
{
    (void)b, (void)bytes, (void)out;
    return null_refuse(err);
}

static weft_status null_weight_wrap(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank,
                                    const int64_t *dims, const void *data, weft_buf **out, weft_error *err)
{
    (void)b, (void)layout, (void)t, (void)rank, (void)dims, (void)data, (void)out;
    return null_refuse(err);
}

static void null_buf_destroy(weft_buf *buf)
{
    (void)buf;
}

static weft_status null_buf_write(weft_buf *buf, uint64_t offset, const void *src, uint64_t n, weft_error *err)
{
    (void)buf, (void)offset, (void)src, (void)n;
    return null_refuse(err);
}

static weft_status null_buf_read(weft_buf *buf, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    (void)buf, (void)offset, (void)dst, (void)n;
    return null_refuse(err);
}

static weft_status null_weight_write(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                                     weft__task *task, weft_error *err)
{
    (void)buf, (void)layout, (void)t, (void)src, (void)task;
    return null_refuse(err);
}

static weft_status null_exec_create(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err)
{
    (void)b, (void)d, (void)out;
    return null_refuse(err);
}

static void null_exec_destroy(weft_exec *e)
{
    (void)e;
}

static weft_status null_exec_submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                                    weft_error *err)
{
    (void)e, (void)first, (void)n, (void)extents, (void)ticket;
    return null_refuse(err);
}

static weft_status null_exec_wait(weft_exec *e, uint64_t ticket, weft_error *err)
{
    (void)e, (void)ticket;
    return null_refuse(err);
}

static weft_status null_exec_write(weft_exec *e, uint64_t at, const void *src, uint64_t n, weft_error *err)
{
    (void)e, (void)at, (void)src, (void)n;
    return null_refuse(err);
}

static weft_status null_exec_read(weft_exec *e, uint64_t at, void *dst, uint64_t n, weft_error *err)
{
    (void)e, (void)at, (void)dst, (void)n;
    return null_refuse(err);
}

const weft_backend_vt weft__backend_null = {
    .name = "null",
    .open = null_open,
    .close = null_close,
    .info = null_info,
    .list = null_list,
    .roof = null_roof,
    .alignment = null_alignment,
    .weight_layout = null_weight_layout,
    .layout_name = null_layout_name,
    .weight_bytes = null_weight_bytes,
    .choose = null_choose,
    .buf_create = null_buf_create,
    .buf_destroy = null_buf_destroy,
    .buf_write = null_buf_write,
    .buf_read = null_buf_read,
    .weight_wrap = null_weight_wrap,
    .weight_write = null_weight_write,
    .exec_create = null_exec_create,
    .exec_destroy = null_exec_destroy,
    .exec_submit = null_exec_submit,
    .exec_wait = null_exec_wait,
    .exec_write = null_exec_write,
    .exec_read = null_exec_read,
};
