/* source.c: tensors of files as weights: which of them can be one, and their data in a type that a graph has. */
#include "checkpoint_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

weft_status weft__checkpoint_weight(const weft_checkpoint *ck, const char *name,
                                    const weft__file_tensor **out, weft_error *err)
{
    const weft__file_tensor *t = weft__checkpoint_find(ck, name);
    *out = NULL;
    if (!t)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no tensor %s",
                         ck->gguf          ? weft__gguf_path(ck->gguf)
                         : ck->n_files == 1 ? ck->files[0]->file
                                            : "the checkpoint", name);
    if (t->also_in)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s is also in %s, and the index does not say which counts",
                         t->file, name, t->also_in);
    if (t->dtype->type == WEFT_ANY)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "%s: tensor %s: weights of type %s are not supported", t->file, name,
                         t->dtype->name);
    if (t->swapped && !t->dtype->layout)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor %s: big-endian weights of type %s are not supported",
                         t->file, name, t->dtype->name);
    *out = t;
    return WEFT_OK;
}

/* ---- types that no graph has, and other byte orders ---- */

/* Doubles, of any alignment, as the nearest floats. What is finite stays finite or is refused. */
static weft_status narrow(const weft__file_tensor *t, float *out, weft_error *err)
{
    const unsigned char *in = t->data;
    for (size_t i = 0; i < t->size / sizeof(double); i++) {
        double x;
        if (t->swapped) weft__file_swap(t->dtype, in + i * sizeof x, &x, sizeof x);
        else memcpy(&x, in + i * sizeof x, sizeof x);
        out[i] = (float)x;
        if (isfinite(x) && !isfinite(out[i]))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor %s: element %zu, %g, is beyond the range of float32",
                             t->file, t->name, i, x);
    }
    return WEFT_OK;
}

static bool is_narrowed(const weft__file_tensor *t)
{
    return t->dtype->bytes != weft_dtype_get(t->dtype->type)->bytes;
}

/* A tensor's values as a graph has them: made when first asked for, kept as long as the checkpoint. */
static weft_status converted(const weft_checkpoint *ck, const weft__file_tensor *t, const void **out, weft_error *err)
{
    void **kept = &ck->converted[t - ck->tensors];
    if (!*kept) {
        void *made = malloc((is_narrowed(t) ? t->size / 2 : t->size) + 1);
        if (!made) return WEFT_OOM_FAIL(err, t->name);
        weft_status s = WEFT_OK;
        if (is_narrowed(t)) s = narrow(t, made, err);
        else weft__file_swap(t->dtype, t->data, made, t->size);
        if (s) {
            free(made);
            return s;
        }
        *kept = made;
    }
    *out = *kept;
    return WEFT_OK;
}

/* ---- data ---- */

/* The map of the file that bytes lie in, with its path; NULL: none. */
static const weft__file_map *find_map(const weft_checkpoint *ck, const void *data, uint64_t bytes, const char **path)
{
    if (ck->gguf) return weft__gguf_map_of(ck->gguf, data, bytes, path);
    for (size_t i = 0; i < ck->n_files; i++) {
        *path = ck->files[i]->file;
        if (weft__file_map_holds(&ck->files[i]->map, data, bytes)) return &ck->files[i]->map;
    }
    return NULL;
}

static bool find_place(void *ctx, const void *data, uint64_t bytes, weft_file_place *out)
{
    const char *path;
    const weft__file_map *m = find_map(ctx, data, bytes, &path);
    if (!m) return false;
    *out = (weft_file_place){ .path = path, .device = m->id.device, .inode = m->id.inode, .size = m->size,
                              .modified = m->id.modified, .changed = m->id.changed,
                              .offset = (uint64_t)((const unsigned char *)data - m->data) };
    return true;
}

/* Pages that were read need not be in this process's memory: they are in the system's, as long as it has room. Those at
 * the ends may hold other tensors' bytes, which are then mapped again when they are looked at. */
static void give_back(void *ctx, const void *data, uint64_t bytes)
{
    const char *path;
    if (!find_map(ctx, data, bytes, &path)) return; /* anybody's memory, whose contents would be lost */
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)data & ~(page - 1);
    if (bytes) madvise((void *)begin, (uintptr_t)data + bytes - begin, MADV_DONTNEED);
}

weft_status weft__checkpoint_data(const weft_checkpoint *ck, const weft__file_tensor *t, weft_weight_data *out,
                                  weft_error *err)
{
    if (t->rank > WEFT_MAX_RANK)
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' has %u dimensions", t->file, t->name, t->rank);
    *out = (weft_weight_data){ .dtype = t->dtype->type, .rank = t->rank, .data = t->data, .bytes = t->size,
                               .done = give_back, .place = find_place, .ctx = (void *)(uintptr_t)ck };
    memcpy(out->dims, t->dims, t->rank * sizeof *out->dims);
    if (!t->swapped && !is_narrowed(t)) return WEFT_OK;
    WEFT_TRY(converted(ck, t, &out->data, err));
    out->done = NULL;
    if (is_narrowed(t)) out->bytes = t->size / 2;
    return WEFT_OK;
}

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    const weft__file_tensor *t;
    WEFT_TRY(weft__checkpoint_weight(ctx, name, &t, err));
    return weft__checkpoint_data(ctx, t, out, err);
}

weft_weight_source weft_checkpoint_source(weft_checkpoint *ck)
{
    return (weft_weight_source){ ck, find_weight };
}
