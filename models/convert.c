/* convert.c: see convert.h. Here a GGUF file is written; convert_folder.c writes folders. */
#include "models/convert.h"

#include <stdlib.h>
#include <string.h>

#include "models/convert_check.h"
#include "models/convert_folder.h"
#include "models/gguf_values.h"
#include "models/model_impl.h"

/* general.file_type: that of most bytes. */
static uint32_t file_type(const weft__file_tensor *t, size_t n)
{
    static const struct { const char *dtype; uint32_t number; } types[] = {
        { "F32", 0 }, { "F16", 1 }, { "Q4_0", 2 }, { "Q4_1", 3 }, { "Q8_0", 7 }, { "Q5_0", 8 }, { "Q5_1", 9 },
        { "Q2_K", 10 }, { "Q3_K", 12 }, { "Q4_K", 15 }, { "Q5_K", 17 }, { "Q6_K", 18 }, { "IQ4_NL", 25 },
        { "IQ4_XS", 30 }, { "BF16", 32 }, { "MXFP4", 38 },
    };
    uint64_t most = 0;
    uint32_t number = 0;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        uint64_t bytes = 0, size;
        for (size_t i = 0; i < n; i++)
            if (!strcmp(t[i].dtype->name, types[k].dtype) && weft__file_size(t[i].dtype, t[i].rank, t[i].dims, &size))
                bytes += size;
        if (bytes > most) number = types[k].number;
        if (bytes > most) most = bytes;
    }
    return number;
}

static bool has_blocks(const weft__file_tensor *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (t[i].dtype->block > 1) return true;
    return false;
}

/* Learned positions become f32. */
static bool keeps_tables(const weft_model *m, const weft__file_tensor *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, "position_embd.weight")) return m->default_dtype == WEFT_F32;
    return true;
}

static weft_status to_gguf(weft__gguf_export *e, const char *out, const weft_convert_desc *d, weft_error *err)
{
    size_t n;
    weft__gguf_kv kv = { 0 };
    const weft__file_tensor *tensors = weft__gguf_export_tensors(e, &n);
    weft_status s = weft__gguf_export_values(e, &kv, err);
    weft__converted c = { weft__gguf_export_model(e), false };
    c.same_types = keeps_tables(c.model, tensors, n);
    weft__gguf_put_u32(&kv, "general.file_type", file_type(tensors, n));
    if (has_blocks(tensors, n)) weft__gguf_put_u32(&kv, "general.quantization_version", 2);
    weft__gguf_write_desc w = { .path = out, .values = &kv, .tensors = tensors, .n_tensors = n, .fill =
                                weft__gguf_export_fill, .ctx = e, .check = weft__convert_check, .check_ctx = &c,
.progress = d->progress };
    if (!s) s = weft__gguf_write(&w, err);
    weft__gguf_kv_free(&kv);
    return s;
}

weft_status weft_model_convert(weft_model *m, const char *out, const weft_convert_desc *desc, weft_error *err)
{
    static const weft_convert_desc usual = { 0 };
    const weft_convert_desc *d = desc ? desc : &usual;
    weft__gguf_export *e;
    if (!weft__ends_with(out, ".gguf")) return weft__convert_to_folder(m, out, d, err);
    if (d->dtype != WEFT_ANY || d->shard_bytes)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: types and shards are for folders", out);
    WEFT_TRY(weft__gguf_export_make(m, &e, err));
    weft_status s = to_gguf(e, out, d, err);
    weft__gguf_export_free(e);
    return s;
}
