/* quantize.c: the tensors of an export (gguf_export.h) in the types that a mixture has for them, their rows quantised
 * by all threads, piece by piece, as the file is written. rows.c has the threads. */
#include "models/quantize/quantize.h"

#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/gguf_out.h"
#include "models/convert_check.h"
#include "models/gguf_values.h"
#include "models/model_impl.h"
#include "models/quantize/mixture.h"
#include "models/quantize/rows.h"

enum { PIECE = 4 << 20 }; /* bytes of the file between two reports */

typedef struct job {
    const weft_quantize_desc *desc;
    const char *path;
    const weft__mixture *mixture;
    weft__mixture_keep *keep;
    const weft__file_tensor *old; /* as they are now */
    weft__file_tensor *tensors;   /* as they will be */
    size_t n;
    weft__quantize_rows rows;
} job;

const char *weft_quantize_name(size_t i)
{
    return weft__mixture_name(i);
}

/* ---- types ---- */

static const weft__file_tensor *find(const job *j, const char *name)
{
    for (size_t i = 0; i < j->n; i++)
        if (!strcmp(j->old[i].name, name)) return &j->old[i];
    return NULL;
}

/* Rows of a matrix of the first layer, or columns; 0: it is not there. */
static uint64_t rows_of(const job *j, const char *name)
{
    const weft__file_tensor *t = find(j, name);
    return t && t->rank == 2 ? t->dims[0] : 0;
}

static uint64_t columns_of(const job *j, const char *name)
{
    const weft__file_tensor *t = find(j, name);
    return t && t->rank == 2 ? t->dims[1] : 0;
}

/* What mixtures ask: it follows from names and shapes. */
static weft__mixture_model model_of(const job *j)
{
    weft__mixture_model m = { .tied = !find(j, "output.weight"), .importance = j->rows.importance != NULL };
    const uint64_t queries = columns_of(j, "blk.0.attn_output.weight"), all = rows_of(j, "blk.0.attn_qkv.weight");
    const uint64_t keys = all > queries ? (all - queries) / 2 : rows_of(j, "blk.0.attn_k.weight");
    if (keys) m.queries = (uint32_t)(queries / keys);
    for (size_t i = 0; i < j->n; i++) {
        const weft__file_tensor *t = &j->old[i];
        const uint32_t layer = weft__mixture_layer(t->name);
        if (layer != UINT32_MAX && layer >= m.layers) m.layers = layer + 1;
        if (t->rank == 3 && t->dims[0] <= UINT32_MAX && strstr(t->name, "_exps.")) m.experts = (uint32_t)t->dims[0];
    }
    return m;
}

static weft_status choose(const job *j, const weft__mixture_model *m, const weft__file_tensor *t,
                          const weft__file_dtype **out, weft_error *err)
{
    *out = weft__mixture_type(j->mixture, m, t);
    for (uint32_t k = 0; k < j->desc->n_keep; k++) {
        const weft__file_dtype *type = j->keep[k].type;
        if (!weft__mixture_keeps(&j->keep[k], t->name) || (t->rank < 2 && type->block > 1)) continue;
        *out = type;
        if (weft__file_is_whole(type, t->rank, t->dims)) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_INVALID, "%s: %s has rows of %llu, which are no blocks of %s", j->desc->keep[k],
                         t->name, (unsigned long long)t->dims[t->rank - 1], type->name);
    }
    return WEFT_OK;
}

static weft_status choose_all(job *j, weft_error *err)
{
    const weft__mixture_model m = model_of(j);
    j->tensors = malloc((j->n + 1) * sizeof *j->tensors);
    if (!j->tensors) return WEFT_OOM_FAIL(err, j->path);
    for (size_t i = 0; i < j->n; i++) {
        weft__file_tensor *t = &j->tensors[i];
        *t = j->old[i];
        WEFT_TRY(choose(j, &m, &j->old[i], &t->dtype, err));
        if (!weft_dtype_quantizes(t->dtype->type) && t->dtype != j->old[i].dtype)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor %s: weights cannot be turned into %s",
                             weft__gguf_export_model(j->rows.from)->path, t->name, t->dtype->name);
    }
    return WEFT_OK;
}

static void tell(const job *j, const weft__file_tensor *old, const weft__file_tensor *t)
{
    weft_quantized q = { t->name, old->dtype->name, t->dtype->name, 1, 0, false };
    q.importance = old->dtype != t->dtype && weft__importance_has(j->rows.importance, t->name);
    for (uint32_t k = 0; k < t->rank; k++) q.elements *= t->dims[k];
    weft__file_size(t->dtype, t->rank, t->dims, &q.bytes);
    if (j->desc->tell) j->desc->tell(j->desc->ctx, &q);
}

/* ---- the file ---- */

/* What was written is opened and compared with the model before it gets its name. */
static weft_status write(job *j, weft_model *m, weft_error *err)
{
    weft__gguf_kv kv = { 0 };
    weft__converted converted = { .model = m };
    weft__gguf_write_desc d = { .path = j->path, .values = &kv, .tensors = j->tensors, .n_tensors = j->n,
                                .fill = weft__quantize_fill, .ctx = &j->rows, .piece = PIECE,
                                .check = weft__convert_check, .check_ctx = &converted, .what = "quantising",
                                .progress = j->desc->progress };
    weft_status s = weft__gguf_export_values(j->rows.from, &kv, err);
    weft__gguf_put_u32(&kv, "general.file_type", weft__mixture_file_type(j->mixture));
    weft__gguf_put_u32(&kv, "general.quantization_version", 2);
    if (!s) s = weft__gguf_write(&d, err);
    weft__gguf_kv_free(&kv);
    return s;
}

static weft_status prepare(job *j, weft_model *m, weft_error *err)
{
    const weft_quantize_desc *d = j->desc;
    j->mixture = d->weights ? weft__mixture_find(d->weights) : NULL;
    if (!j->mixture)
        return WEFT_FAIL(err, WEFT_INVALID, "'%s' is no type that files are written in", d->weights ? d->weights : "");
    j->keep = calloc(d->n_keep + 1, sizeof *j->keep);
    if (!j->keep) return WEFT_OOM_FAIL(err, j->path);
    for (uint32_t i = 0; i < d->n_keep; i++) WEFT_TRY(weft__mixture_keep_parse(d->keep[i], &j->keep[i], err));
    if (d->importance) WEFT_TRY(weft__importance_open(d->importance, &j->rows.importance, err));
    WEFT_TRY(weft__gguf_export_make(m, &j->rows.from, err));
    j->old = weft__gguf_export_tensors(j->rows.from, &j->n);
    WEFT_TRY(choose_all(j, err));
    for (size_t i = 0; i < j->n; i++) tell(j, &j->old[i], &j->tensors[i]);
    return weft__quantize_rows_make(&j->rows, j->tensors, j->n, d->threads, err);
}

weft_status weft_model_quantize(weft_model *m, const char *path, const weft_quantize_desc *desc, weft_error *err)
{
    job j = { .desc = desc, .path = path };
    weft_status s = prepare(&j, m, err);
    if (!s) s = write(&j, m, err);
    weft__quantize_rows_free(&j.rows);
    weft__gguf_export_free(j.rows.from);
    weft__importance_close(j.rows.importance);
    free(j.keep);
    free(j.tensors);
    return s;
}
