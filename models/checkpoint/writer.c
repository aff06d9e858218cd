/* writer.c: the shard plan, the headers, and the two steps of an atomic write: everything under
 * temporary names, then the renames. The data structure is `job`: which tensors go to which shard,
 * and how far the two steps have come. */
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "out.h"

#define DEFAULT_SHARD 5000000000u /* bytes, as transformers cuts them */
#define PARTIAL       ".partial"
#define NAME_SIZE     64

typedef struct job {
    const weft__write_desc *desc;
    size_t *first; /* [n_shards + 1] index of each shard's first tensor */
    size_t n_shards, capacity;
    uint64_t total;
    json_t *weight_map;
    size_t n_written, n_renamed; /* shards */
    size_t texts_written, texts_renamed;
    bool index_written, index_renamed, folder_made;
    unsigned char *buffer; /* [WEFT__WRITE_PIECE] */
    weft__task task;
} job;

#define INDEX_NAME "model.safetensors.index.json"

/* ---- names ---- */

static void shard_name(const job *j, size_t i, char out[NAME_SIZE])
{
    if (j->n_shards == 1)
        snprintf(out, NAME_SIZE, "model.safetensors");
    else
        snprintf(out, NAME_SIZE, "model-%05zu-of-%05zu.safetensors", i + 1, j->n_shards);
}

/* The path of `name` in the folder, or of its temporary form; NULL: out of memory. */
static char *path_of(const job *j, const char *name, bool partial)
{
    char file[NAME_SIZE + sizeof PARTIAL];
    snprintf(file, sizeof file, "%s%s", name, partial ? PARTIAL : "");
    return weft__path_join(j->desc->folder, file);
}

static void remove_named(const job *j, const char *name, bool partial)
{
    char *path = path_of(j, name, partial);
    if (path) unlink(path);
    free(path);
}

static weft_status rename_named(const job *j, const char *name, weft_error *err)
{
    char *from = path_of(j, name, true), *to = path_of(j, name, false);
    weft_status s = WEFT_OK;
    if (!from || !to)
        s = WEFT_OOM_FAIL(err, name);
    else
        s = weft__out_rename(from, to, err);
    free(from);
    free(to);
    return s;
}

/* ---- one file ---- */

/* Opens the temporary form of a name. */
static weft_status open_partial(const job *j, const char *name, weft__out *out, weft_error *err)
{
    char *path = path_of(j, name, true);
    weft_status s = path ? weft__out_open(path, out, err) : WEFT_OOM_FAIL(err, name);
    free(path);
    return s;
}

static weft_status write_text(const job *j, const char *name, const char *text, size_t n,
                              weft_error *err)
{
    weft__out out;
    WEFT_TRY(open_partial(j, name, &out, err));
    return weft__out_close(&out, weft__out_write(&out, text, n, err), err);
}

/* ---- a shard ---- */

static weft_status write_tensor(job *j, size_t index, weft__out *out, weft_error *err)
{
    const weft__file_tensor *t = &j->desc->tensors[index];
    uint64_t size;
    weft__file_size(t->dtype, t->rank, t->dims, &size);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < WEFT__WRITE_PIECE ? (size_t)(size - at) : WEFT__WRITE_PIECE;
        WEFT_TRY(j->desc->fill(j->desc->ctx, index, at, j->buffer, n, err));
        WEFT_TRY(weft__out_write(out, j->buffer, n, err));
        WEFT_TRY(weft__task_reach(&j->task, j->task.at.done + n, err));
        at += n;
    }
    return WEFT_OK;
}

static weft_status write_shard(job *j, size_t shard, weft_error *err)
{
    weft__out out;
    char name[NAME_SIZE];
    size_t first = j->first[shard], n = j->first[shard + 1] - first;
    shard_name(j, shard, name);
    WEFT_TRY(open_partial(j, name, &out, err));
    weft_status s = weft__out_header(&out, j->desc->tensors + first, n, err);
    for (size_t i = first; s == WEFT_OK && i < first + n; i++) s = write_tensor(j, i, &out, err);
    return weft__out_close(&out, s, err);
}

/* ---- the whole ---- */

/* Cuts the list of tensors into shards, in the order given. */
static weft_status plan(job *j, weft_error *err)
{
    const weft__write_desc *d = j->desc;
    uint64_t limit = d->shard_bytes ? d->shard_bytes : DEFAULT_SHARD, used = 0, size;
    for (size_t i = 0; i < d->n_tensors; i++) {
        const weft__file_tensor *t = &d->tensors[i];
        if (t->rank > WEFT__FILE_RANK || !weft__file_size(t->dtype, t->rank, t->dims, &size) ||
            __builtin_add_overflow(j->total, size, &j->total) || j->total > INT64_MAX)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: tensor %s: its size overflows", d->folder,
                             t->name);
        if (json_object_get(j->weight_map, t->name))
            return WEFT_FAIL(err, WEFT_INVALID, "%s: tensor %s is declared twice", d->folder,
                             t->name);
        if (i == 0 || (used && size > limit - used)) {
            if (!weft__grow(&j->first, &j->capacity, j->n_shards + 2, sizeof *j->first))
                return WEFT_OOM_FAIL(err, d->folder);
            j->first[j->n_shards++] = i;
            used = 0;
        }
        used += size > limit ? limit : size;
        if (json_object_set_new(j->weight_map, t->name, json_null()) != 0)
            return WEFT_OOM_FAIL(err, d->folder);
    }
    if (!j->n_shards) return WEFT_FAIL(err, WEFT_INVALID, "%s: no tensors to write", d->folder);
    j->first[j->n_shards] = d->n_tensors;
    return WEFT_OK;
}

static weft_status write_index(job *j, weft_error *err)
{
    char name[NAME_SIZE];
    for (size_t s = 0; s < j->n_shards; s++) {
        shard_name(j, s, name);
        for (size_t i = j->first[s]; i < j->first[s + 1]; i++)
            if (json_object_set_new(j->weight_map, j->desc->tensors[i].name, json_string(name)) !=
                0)
                return WEFT_OOM_FAIL(err, INDEX_NAME);
    }
    json_t *root = json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)j->total,
                             "weight_map", j->weight_map);
    size_t n;
    char *text = root ? weft__json_dump(root, JSON_INDENT(2), &n) : NULL;
    json_decref(root);
    if (!text) return WEFT_OOM_FAIL(err, INDEX_NAME);
    j->index_written = true;
    weft_status s = write_text(j, INDEX_NAME, text, n, err);
    free(text);
    return s;
}

/* A folder with a checkpoint is left alone: which of the two a reader would take depends on the file names. */
static weft_status make_folder(job *j, weft_error *err)
{
    static const char *const taken[] = { "model.safetensors", INDEX_NAME };
    const char *folder = j->desc->folder;
    if (mkdir(folder, 0777) == 0) {
        j->folder_made = true;
        return WEFT_OK;
    }
    if (errno != EEXIST || !weft__path_is_folder(folder))
        return weft__out_fail(err, folder, "make the folder");
    for (int i = 0; i < 2; i++) {
        char *path = weft__path_join(folder, taken[i]);
        if (!path) return WEFT_OOM_FAIL(err, folder);
        bool there = weft__path_exists(path);
        free(path);
        if (there)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: holds a checkpoint already (%s)", folder,
                             taken[i]);
    }
    return WEFT_OK;
}

static weft_status write_all_files(job *j, weft_error *err)
{
    const weft__write_desc *d = j->desc;
    char name[NAME_SIZE];
    WEFT_TRY(plan(j, err));
    WEFT_TRY(weft__task_begin(&j->task, d->progress, "writing weights", j->total, "B", err));
    WEFT_TRY(make_folder(j, err));
    for (size_t i = 0; i < j->n_shards; i++) {
        j->n_written++; /* counted before: a file that is half there has to go too */
        WEFT_TRY(write_shard(j, i, err));
    }
    if (j->n_shards > 1) WEFT_TRY(write_index(j, err));
    for (size_t i = 0; i < d->n_texts; i++) {
        j->texts_written++;
        WEFT_TRY(write_text(j, d->texts[i].name, d->texts[i].text, d->texts[i].size, err));
    }
    for (size_t i = 0; i < j->n_shards; i++) {
        shard_name(j, i, name);
        WEFT_TRY(rename_named(j, name, err));
        j->n_renamed++;
    }
    if (j->n_shards > 1) {
        WEFT_TRY(rename_named(j, INDEX_NAME, err));
        j->index_renamed = true;
    }
    for (size_t i = 0; i < d->n_texts; i++) {
        WEFT_TRY(rename_named(j, d->texts[i].name, err));
        j->texts_renamed++;
    }
    return WEFT_OK;
}

static void undo(const job *j)
{
    char name[NAME_SIZE];
    for (size_t i = 0; i < j->n_written; i++) {
        shard_name(j, i, name);
        remove_named(j, name, i >= j->n_renamed);
    }
    if (j->index_written) remove_named(j, INDEX_NAME, !j->index_renamed);
    for (size_t i = 0; i < j->texts_written; i++) remove_named(j, j->desc->texts[i].name, i >= j->texts_renamed);
    if (j->folder_made) rmdir(j->desc->folder);
}

weft_status weft__checkpoint_write(const weft__write_desc *desc, weft_error *err)
{
    job j = { .desc = desc };
    j.weight_map = json_object();
    j.buffer = malloc(WEFT__WRITE_PIECE);
    weft_status s =
        j.weight_map && j.buffer ? write_all_files(&j, err) : WEFT_OOM_FAIL(err, desc->folder);
    if (s != WEFT_OK) undo(&j);
    json_decref(j.weight_map);
    free(j.buffer);
    free(j.first);
    return s;
}
