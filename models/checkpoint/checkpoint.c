/* checkpoint.c: opens the files of a model, of either format, and merges their tensors. The data structure is one array
 * of tensor records sorted by name, copied from those of the files, which stay open (mapped) as long as the checkpoint.
 * folder.c says which files a path means. */
#include "checkpoint_impl.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_INDEX   ((size_t)64 << 20) /* bytes; that of a 20B model is about 60 kB */

/* "x-00002-of-00007.safetensors" */
static bool is_shard_name(const char *name)
{
    static const char pattern[] = "-#####-of-#####.safetensors";
    size_t n = strlen(name), m = sizeof pattern - 1;
    if (n < m) return false;
    for (size_t i = 0; i < m; i++) {
        char c = name[n - m + i];
        if (pattern[i] == '#' ? c < '0' || c > '9' : c != pattern[i]) return false;
    }
    return true;
}

/* ---- the index ---- */

/* The shard names come from the file: nothing but a plain name inside the folder is opened. */
static bool is_plain_name(const char *name)
{
    return name[0] && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static weft_status parse_index(const char *text, size_t n, const char *file, json_t **root,
                               json_t **map, weft_error *err)
{
    const char *key;
    json_t *v;
    char a[WEFT__QUOTE_SIZE], b[WEFT__QUOTE_SIZE];
    WEFT_TRY(weft__json_parse(text, n, file, root, err));
    *map = json_object_get(*root, "weight_map");
    weft_status s = WEFT_OK;
    if (!json_is_object(*map))
        s = WEFT_FAIL(err, WEFT_FORMAT, "%s: weight_map is %s, not an object", file,
                      weft__json_kind(*map));
    else if (json_object_size(*map) == 0)
        s = WEFT_FAIL(err, WEFT_FORMAT, "%s: weight_map is empty", file);
    if (s == WEFT_OK) {
        json_object_foreach(*map, key, v)
        {
            if (!json_is_string(v))
                s = WEFT_FAIL(err, WEFT_FORMAT, "%s: the file of tensor %s is %s, not a string",
                              file, weft__quote(a, key), weft__json_kind(v));
            else if (!is_plain_name(json_string_value(v)))
                s = WEFT_FAIL(
                    err, WEFT_FORMAT,
                    "%s: the file of tensor %s, \"%s\", is not a plain name in the folder", file,
                    weft__quote(a, key), weft__quote(b, json_string_value(v)));
            if (s != WEFT_OK) break;
        }
    }
    if (s != WEFT_OK) {
        json_decref(*root);
        *root = *map = NULL;
    }
    return s;
}

weft_status weft__checkpoint_check_index(const char *text, size_t n, const char *file,
                                         weft_error *err)
{
    json_t *root, *map;
    WEFT_TRY(parse_index(text, n, file, &root, &map, err));
    json_decref(root);
    return WEFT_OK;
}

/* ---- opening ---- */

static weft_status add_tensors(weft_checkpoint *ck, const weft__file_tensor *tensors, size_t n, const char *path,
                               weft_error *err)
{
    if (!weft__grow(&ck->tensors, &ck->tensors_capacity, ck->n_tensors + n, sizeof *ck->tensors))
        return WEFT_OOM_FAIL(err, path);
    for (size_t i = 0; i < n; i++) {
        ck->tensors[ck->n_tensors++] = tensors[i];
        ck->bytes += tensors[i].size;
    }
    return WEFT_OK;
}

static weft_status add_file(weft_checkpoint *ck, const char *path, weft__safetensors **out,
                            weft_error *err)
{
    if (!weft__grow(&ck->files, &ck->files_capacity, ck->n_files + 1, sizeof *ck->files))
        return WEFT_OOM_FAIL(err, path);
    WEFT_TRY(weft__safetensors_open(path, out, err));
    ck->files[ck->n_files++] = *out;
    return add_tensors(ck, (*out)->tensors, (*out)->n_tensors, path, err);
}

static weft_status add_gguf(weft_checkpoint *ck, const char *path, weft_error *err)
{
    size_t n;
    WEFT_TRY(weft__gguf_open(path, &ck->gguf, err));
    const weft__file_tensor *tensors = weft__gguf_tensors(ck->gguf, &n);
    return add_tensors(ck, tensors, n, path, err);
}

/* The shard of that name, opened when it is met first. */
static weft_status shard_of(weft_checkpoint *ck, const char *folder, const char *name,
                            weft__safetensors **out, weft_error *err)
{
    for (size_t i = 0; i < ck->n_files; i++)
        if (strcmp(weft__path_name(ck->files[i]->file), name) == 0) {
            *out = ck->files[i];
            return WEFT_OK;
        }
    char *path = weft__path_join(folder, name);
    if (!path) return WEFT_OOM_FAIL(err, name);
    weft_status s = add_file(ck, path, out, err);
    free(path);
    return s == WEFT_NOT_FOUND ? weft__annotate(err, s, "a shard is missing") : s;
}

/* ---- a tensor in several shards ---- */

/* Keeps the record that counts of n with one name: the one in the file that the index names. */
static void keep_one(const json_t *map, weft__file_tensor *t, size_t n)
{
    const char *file = json_string_value(json_object_get(map, t->name));
    size_t keep = 0;
    for (size_t i = 0; i < n; i++)
        if (file && strcmp(weft__path_name(t[i].file), file) == 0) keep = i;
    const char *other = t[keep ? 0 : n - 1].file;
    t[0] = t[keep];
    if (!file && n > 1) t[0].also_in = other;
}

static weft_status note_repeated(weft_checkpoint *ck, size_t n, const weft__file_tensor *first, const char *other,
                                 weft_error *err)
{
    char name[WEFT__QUOTE_SIZE];
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    if (!weft_writef(&w, "%zu tensor%s in more than one shard: the index decides (%s is also in %s)", n,
                     n == 1 ? " stands" : "s stand", weft__quote(name, first->name), weft__path_name(other))) {
        weft_text_free(&text);
        return WEFT_OOM_FAIL(err, "a note on the files");
    }
    ck->note = text.data;
    return WEFT_OK;
}

/* Sorts the merged tensors and leaves one of each name. */
static weft_status merge(weft_checkpoint *ck, const json_t *map, weft_error *err)
{
    size_t kept = 0, repeated = 0, first = 0;
    const char *other = NULL;
    if (ck->n_tensors) qsort(ck->tensors, ck->n_tensors, sizeof *ck->tensors, weft__file_tensor_compare);
    for (size_t i = 0, n; i < ck->n_tensors; i += n) {
        weft__file_tensor *t = &ck->tensors[i];
        for (n = 1; i + n < ck->n_tensors && strcmp(t->name, t[n].name) == 0;) n++;
        const char *last = t[n - 1].file, *before = t->file;
        keep_one(map, t, n);
        if (n > 1 && !repeated++) {
            first = kept;
            other = strcmp(t->file, last) == 0 ? before : last;
        }
        ck->tensors[kept++] = *t;
    }
    ck->n_tensors = kept;
    return repeated ? note_repeated(ck, repeated, &ck->tensors[first], other, err) : WEFT_OK;
}

/* ---- shards ---- */

static weft_status open_shards(weft_checkpoint *ck, const char *folder, const char *index,
                               json_t *map, weft_error *err)
{
    const char *key;
    json_t *v;
    char name[WEFT__QUOTE_SIZE];
    weft__safetensors *st = NULL;
    json_object_foreach(map, key, v)
    {
        /* The map usually runs through one shard after the other. */
        if (!st || strcmp(weft__path_name(st->file), json_string_value(v)) != 0)
            WEFT_TRY(shard_of(ck, folder, json_string_value(v), &st, err));
        if (!weft__file_tensor_find(st->tensors, st->n_tensors, key))
            return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: tensor %s is not in %s", index,
                             weft__quote(name, key), st->file);
    }
    return WEFT_OK;
}

static weft_status open_index(weft_checkpoint *ck, const char *folder, const char *index,
                              weft_error *err)
{
    char *text;
    size_t n;
    json_t *root, *map;
    WEFT_TRY(weft__file_read(index, MAX_INDEX, &text, &n, err));
    weft_status s = parse_index(text, n, index, &root, &map, err);
    free(text);
    if (s != WEFT_OK) return s;
    s = open_shards(ck, folder, index, map, err);
    if (s == WEFT_OK) s = merge(ck, map, err);
    json_decref(root);
    return s;
}

/* As transformers does: model.safetensors if it is there, else the index. A file named by MODEL comes before both. */
static weft_status open_safetensors(weft_checkpoint *ck, const char *model, const char *folder,
                              weft_error *err)
{
    weft__safetensors *st;
    char *single = weft__path_join(folder, WEFT__SINGLE_FILE),
         *index = weft__path_join(folder, WEFT__INDEX_FILE);
    weft_status s;
    const char *name = weft__path_name(model);
    bool file = !weft__path_is_folder(model), indexed = index && weft__path_exists(index);
    if (!single || !index)
        s = WEFT_OOM_FAIL(err, folder);
    else if (file && weft__ends_with(name, ".safetensors") && !(is_shard_name(name) && indexed))
        s = add_file(ck, model, &st, err);
    else if (file && weft__ends_with(name, ".safetensors.index.json"))
        s = open_index(ck, folder, model, err);
    else if (weft__path_exists(single) && !(file && is_shard_name(name)) &&
             !(indexed && weft__path_is_dangling(single)))
        s = add_file(ck, single, &st, err);
    else if (indexed)
        s = open_index(ck, folder, index, err);
    else
        s = weft__folder_without_weights(folder, err);
    free(single);
    free(index);
    return s;
}

static weft_status open_files(weft_checkpoint *ck, const char *model, weft_error *err)
{
    char *folder, *gguf;
    WEFT_TRY(weft__model_folder(model, &folder, err));
    weft_status s = weft__model_gguf(model, &gguf, err);
    if (!s) s = gguf ? add_gguf(ck, gguf, err) : open_safetensors(ck, model, folder, err);
    free(gguf);
    free(folder);
    return s;
}

/* The records as strangers see them. */
static weft_status describe(weft_checkpoint *ck, weft_error *err)
{
    ck->infos = calloc(ck->n_tensors + 1, sizeof *ck->infos);
    ck->converted = calloc(ck->n_tensors + 1, sizeof *ck->converted);
    if (!ck->infos || !ck->converted) return WEFT_OOM_FAIL(err, "a list of tensors");
    for (size_t i = 0; i < ck->n_tensors; i++) {
        const weft__file_tensor *t = &ck->tensors[i];
        ck->infos[i] = (weft_tensor_info){ .name = t->name, .dtype = t->dtype->name, .type = t->dtype->type,
                                           .rank = t->rank, .dims = (const int64_t *)t->dims, .data = t->data,
                                           .bytes = t->size, .file = t->file, .big_endian = t->swapped };
    }
    return WEFT_OK;
}

weft_status weft_checkpoint_open(const char *model, weft_checkpoint **out, weft_error *err)
{
    *out = NULL;
    weft_checkpoint *ck = calloc(1, sizeof *ck);
    weft_status s = ck ? open_files(ck, model, err) : WEFT_OOM_FAIL(err, model);
    if (s == WEFT_OK) s = describe(ck, err);
    if (s != WEFT_OK) {
        weft_checkpoint_close(ck);
        return s;
    }
    *out = ck;
    return WEFT_OK;
}

void weft_checkpoint_close(weft_checkpoint *ck)
{
    if (!ck) return;
    for (size_t i = 0; i < ck->n_files; i++) weft__safetensors_destroy(ck->files[i]);
    free(ck->files);
    weft__gguf_close(ck->gguf);
    for (size_t i = 0; ck->converted && i < ck->n_tensors; i++) free(ck->converted[i]);
    free(ck->converted);
    free(ck->infos);
    free(ck->tensors);
    free(ck->note);
    free(ck);
}

/* ---- reading ---- */

size_t weft_checkpoint_count(const weft_checkpoint *ck)
{
    return ck->n_tensors;
}

const weft__file_tensor *weft__checkpoint_at(const weft_checkpoint *ck, size_t i)
{
    return i < ck->n_tensors ? &ck->tensors[i] : NULL;
}

const weft__file_tensor *weft__checkpoint_find(const weft_checkpoint *ck, const char *name)
{
    return weft__file_tensor_find(ck->tensors, ck->n_tensors, name);
}

const weft_tensor_info *weft_checkpoint_tensor(const weft_checkpoint *ck, size_t i)
{
    return i < ck->n_tensors ? &ck->infos[i] : NULL;
}

const weft_tensor_info *weft_checkpoint_find(const weft_checkpoint *ck, const char *name)
{
    const weft__file_tensor *t = weft__checkpoint_find(ck, name);
    return t ? &ck->infos[t - ck->tensors] : NULL;
}

uint64_t weft_checkpoint_bytes(const weft_checkpoint *ck)
{
    return ck->bytes;
}

const char *weft_checkpoint_note(const weft_checkpoint *ck, size_t i)
{
    return i ? NULL : ck->note;
}

size_t weft__checkpoint_file_count(const weft_checkpoint *ck)
{
    return ck->gguf ? weft__gguf_header_of(ck->gguf).n_files : ck->n_files;
}

const weft__gguf_file *weft__checkpoint_gguf(const weft_checkpoint *ck)
{
    return ck->gguf;
}
