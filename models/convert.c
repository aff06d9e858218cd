/* convert.c: see convert.h. Here a GGUF file is written; convert_folder.c writes folders. */
#include "models/convert.h"

#include <stdlib.h>
#include <string.h>

#include "models/convert_check.h"
#include "models/convert_folder.h"
#include "models/gguf_values.h"
#include "models/model_impl.h"

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
    weft__gguf_put_types(&kv, tensors, n);
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
