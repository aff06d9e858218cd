/* gguf_out.c: a GGUF file's head, composed in memory, and its tensors after it. gguf_kv.c makes the values. */
#include "gguf_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gguf_impl.h"
#include "out.h"

#define ALIGNMENT 32
#define MAX_NAME  63 /* bytes; ggml keeps 64 */
#define MAX_RANK  4
#define PARTIAL   ".partial"

typedef struct job {
    const weft__gguf_write_desc *desc;
    weft__gguf_bytes head;
    unsigned char *buffer; /* [piece] */
    size_t piece;          /* bytes; at least the longest row */
    uint64_t total;
    weft__out out;
    weft__task task;
} job;

static size_t padding(uint64_t n)
{
    return (size_t)((ALIGNMENT - n % ALIGNMENT) % ALIGNMENT);
}

/* ---- checks ---- */

/* What pieces are whole multiples of: a row, or a block of what is one row only. */
static uint64_t unit_bytes(const weft__file_tensor *t)
{
    return (t->rank > 1 ? t->dims[t->rank - 1] / t->dtype->block : 1) * t->dtype->bytes;
}

static weft_status check_tensor(const job *j, const weft__file_tensor *t, uint64_t *size, weft_error *err)
{
    char name[WEFT__QUOTE_SIZE];
    const char *path = j->desc->path;
    weft__quote(name, t->name);
    if (!t->name[0] || strlen(t->name) > MAX_NAME)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: tensor %s: names have 1 to %d bytes in GGUF", path, name, MAX_NAME);
    if (t->rank > MAX_RANK)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: tensor %s: %u dimensions; GGUF has up to %d", path, name, t->rank,
                         MAX_RANK);
    if (t->dtype->ggml < 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor %s: GGUF has no type %s", path, name, t->dtype->name);
    if (!weft__file_size(t->dtype, t->rank, t->dims, size))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: tensor %s: its size overflows, or its rows are no whole blocks of %u, "
                         "which %s has", path, name, t->dtype->block, t->dtype->name);
    return WEFT_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static weft_status check_names(const job *j, weft_error *err)
{
    const weft__gguf_write_desc *d = j->desc;
    char name[WEFT__QUOTE_SIZE];
    const char **names = calloc(d->n_tensors + 1, sizeof *names);
    weft_status s = names ? WEFT_OK : WEFT_OOM_FAIL(err, d->path);
    for (size_t i = 0; names && i < d->n_tensors; i++) names[i] = d->tensors[i].name;
    if (names) qsort(names, d->n_tensors, sizeof *names, compare_names);
    for (size_t i = 1; !s && i < d->n_tensors; i++)
        if (!strcmp(names[i], names[i - 1]))
            s = WEFT_FAIL(err, WEFT_INVALID, "%s: tensor %s is declared twice", d->path, weft__quote(name, names[i]));
    free(names);
    return s;
}

/* ---- the head ---- */

static void put_tensor(weft__gguf_bytes *b, const weft__file_tensor *t, uint64_t offset)
{
    weft__gguf_add_text(b, t->name, strlen(t->name));
    weft__gguf_add_whole(b, t->rank, 4);
    for (uint32_t i = t->rank; i-- > 0;) weft__gguf_add_whole(b, t->dims[i], 8);
    weft__gguf_add_whole(b, (uint64_t)t->dtype->ggml, 4);
    weft__gguf_add_whole(b, offset, 8);
}

/* Everything before the data; also how much of that there is, and the size of pieces. */
static weft_status compose(job *j, weft_error *err)
{
    static const unsigned char zeros[ALIGNMENT] = { 0 };
    const weft__gguf_write_desc *d = j->desc;
    uint64_t offset = 0, size;
    j->piece = d->piece ? d->piece : WEFT__WRITE_PIECE;
    weft__gguf_add(&j->head, "GGUF", 4);
    weft__gguf_add_whole(&j->head, 3, 4);
    weft__gguf_add_whole(&j->head, d->n_tensors, 8);
    weft__gguf_add_whole(&j->head, d->values->n, 8);
    weft__gguf_add(&j->head, d->values->bytes.data, d->values->bytes.size);
    for (size_t i = 0; i < d->n_tensors; i++) {
        WEFT_TRY(check_tensor(j, &d->tensors[i], &size, err));
        put_tensor(&j->head, &d->tensors[i], offset);
        if (unit_bytes(&d->tensors[i]) > j->piece) j->piece = (size_t)unit_bytes(&d->tensors[i]);
        j->total += size;
        if (offset > INT64_MAX - ALIGNMENT || size > INT64_MAX - ALIGNMENT - offset)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: the size of the tensors overflows", d->path);
        offset += size + padding(size);
    }
    weft__gguf_add(&j->head, zeros, padding(j->head.size));
    return j->head.failed || d->values->bytes.failed ? WEFT_OOM_FAIL(err, d->path) : WEFT_OK;
}

/* ---- the data ---- */

static weft_status write_tensor(job *j, size_t index, weft_error *err)
{
    static const unsigned char zeros[ALIGNMENT] = { 0 };
    const weft__file_tensor *t = &j->desc->tensors[index];
    const uint64_t unit = unit_bytes(t);
    uint64_t size;
    weft__file_size(t->dtype, t->rank, t->dims, &size);
    const size_t most = unit ? (size_t)(j->piece / unit * unit) : 0;
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < most ? (size_t)(size - at) : most;
        WEFT_TRY(j->desc->fill(j->desc->ctx, index, at, j->buffer, n, err));
        WEFT_TRY(weft__out_write(&j->out, j->buffer, n, err));
        WEFT_TRY(weft__task_reach(&j->task, j->task.at.done + n, err));
        at += n;
    }
    return weft__out_write(&j->out, zeros, padding(size), err);
}

static weft_status write_all(job *j, weft_error *err)
{
    const char *what = j->desc->what ? j->desc->what : "writing weights";
    WEFT_TRY(weft__task_begin(&j->task, j->desc->progress, what, j->total, "B", err));
    WEFT_TRY(weft__out_write(&j->out, j->head.data, j->head.size, err));
    for (size_t i = 0; i < j->desc->n_tensors; i++) WEFT_TRY(write_tensor(j, i, err));
    return WEFT_OK;
}

/* ---- the whole ---- */

static weft_status write_file(job *j, const char *partial, weft_error *err)
{
    if (!(j->buffer = malloc(j->piece))) return WEFT_OOM_FAIL(err, j->desc->path);
    WEFT_TRY(weft__out_open(partial, &j->out, err));
    weft_status s = weft__out_sync(&j->out, write_all(j, err), err);
    if (!s && j->desc->check) s = j->desc->check(j->desc->check_ctx, partial, err);
    if (!s) s = weft__out_rename(partial, j->desc->path, err);
    if (s) unlink(partial);
    return weft__out_close(&j->out, s, err);
}

weft_status weft__gguf_write(const weft__gguf_write_desc *desc, weft_error *err)
{
    job j = { .desc = desc };
    const size_t n = strlen(desc->path);
    char *partial = malloc(n + sizeof PARTIAL);
    weft_status s = partial ? check_names(&j, err) : WEFT_OOM_FAIL(err, desc->path);
    if (!s) s = compose(&j, err);
    if (!s) {
        memcpy(partial, desc->path, n);
        memcpy(partial + n, PARTIAL, sizeof PARTIAL);
        s = write_file(&j, partial, err);
    }
    free(j.head.data);
    free(j.buffer);
    free(partial);
    return s;
}
