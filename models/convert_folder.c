/* convert_folder.c: see convert_folder.h. Each tensor of the folder is a run of elements of one weight of the graph, in
 * the graph's order or with its last two dims the other way round. Everything is written into OUT.partial, a folder
 * that is renamed when it has been opened again. While it has that name a file MARK is in it, by which the next run
 * knows that it may remove it, unless that is locked: a run is under way. */
#include "models/convert_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/checkpoint/out.h"
#include "models/checkpoint/writer.h"
#include "models/convert_check.h"
#include "models/convert_config.h"
#include "models/convert_tensors.h"
#include "models/model_impl.h"

#define PARTIAL ".partial"
#define MARK    ".weft-convert"

/* ---- the folder ---- */

static bool is_ours(const char *name)
{
    return weft__ends_with(name, PARTIAL) || weft__ends_with(name, ".safetensors") || weft__ends_with(name, ".json") ||
           weft__ends_with(name, ".jinja") || weft__ends_with(name, ".txt");
}

static void remove_file(const char *folder, const char *name)
{
    char *path = weft__path_join(folder, name);
    if (path) unlink(path);
    free(path);
}

/* What a run made; the mark goes last, so that it can be done again. */
static void remove_partial(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (is_ours(e->d_name)) remove_file(folder, e->d_name);
    if (dir) closedir(dir);
    remove_file(folder, MARK);
    rmdir(folder);
}

/* Takes the mark, which has then been made if it was not there. */
static weft_status lock_mark(const char *folder, weft__out *mark, weft_error *err)
{
    char *path = weft__path_join(folder, MARK);
    weft_status s = path ? weft__out_open(path, mark, err) : WEFT_OOM_FAIL(err, folder);
    free(path);
    return s;
}

/* Removes what an earlier run left that was killed. */
static weft_status remove_earlier(const char *folder, weft_error *err)
{
    weft__out mark;
    char *path = weft__path_join(folder, MARK);
    const bool marked = path && weft__path_exists(path);
    free(path);
    if (!marked) {
        rmdir(folder); /* if it is empty: a run was killed before it made the mark */
        return WEFT_OK;
    }
    WEFT_TRY(lock_mark(folder, &mark, err));
    remove_partial(folder);
    return weft__out_close(&mark, WEFT_OK, err);
}

/* An empty folder of that name with the mark in it. */
static weft_status make_partial(const char *folder, weft__out *mark, weft_error *err)
{
    WEFT_TRY(remove_earlier(folder, err));
    if (mkdir(folder, 0777)) {
        if (errno != EEXIST) return weft__out_fail(err, folder, "create");
        return WEFT_FAIL(err, WEFT_INVALID, "%s: is there, and was not left by an earlier run: remove it, or choose "
                         "another name", folder);
    }
    weft_status s = lock_mark(folder, mark, err);
    if (s) rmdir(folder); /* what is in it is another process's, which took the empty folder for a killed one's */
    return s;
}

/* A folder of that name may be there if it is empty. */
static weft_status check_free(const char *folder, weft_error *err)
{
    if (!weft__path_exists(folder)) return WEFT_OK;
    DIR *dir = opendir(folder);
    unsigned n = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (!dir) return WEFT_FAIL(err, WEFT_INVALID, "%s: neither a folder nor the name of a .gguf file", folder);
    closedir(dir);
    return n ? WEFT_FAIL(err, WEFT_INVALID, "%s: is no empty folder", folder) : WEFT_OK;
}

static weft_status write_all(weft_model *m, const char *partial, const weft_convert_desc *d, weft_error *err)
{
    size_t n;
    weft__convert_texts texts;
    weft__folder_tensors *t;
    weft__converted c = { .model = m };
    WEFT_TRY(weft__folder_tensors_make(m, d->dtype, &t, err));
    const weft__file_tensor *list = weft__folder_tensors_list(t, &n, &c.same_types);
    weft_status s = weft__convert_texts_make(m, &texts, err);
    if (!s) {
        const weft__write_desc w = { .folder = partial, .tensors = list, .n_tensors = n, .shard_bytes = d->shard_bytes,
                                     .texts = texts.list, .n_texts = texts.n, .fill = weft__folder_fill, .ctx = t,
                                     .progress = d->progress };
        s = weft__checkpoint_write(&w, err);
        weft__convert_texts_free(&texts);
    }
    if (!s) s = weft__convert_check(&c, partial, err);
    weft__folder_tensors_free(t);
    return s;
}

weft_status weft__convert_to_folder(weft_model *m, const char *folder, const weft_convert_desc *d, weft_error *err)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (d->dtype != WEFT_ANY && d->dtype != WEFT_F32 && d->dtype != WEFT_F16 && d->dtype != WEFT_BF16)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: files hold f32, f16 or bf16", weft_dtype_get(d->dtype)->name);
    WEFT_TRY(check_free(folder, err));
    char *partial = malloc(n + sizeof PARTIAL);
    if (!partial) return WEFT_OOM_FAIL(err, folder);
    memcpy(partial, folder, n);
    memcpy(partial + n, PARTIAL, sizeof PARTIAL);
    weft__out mark;
    weft_status s = make_partial(partial, &mark, err);
    if (!s) {
        s = write_all(m, partial, d, err);
        if (!s) s = weft__out_rename(partial, folder, err);
        if (s) remove_partial(partial);
        else remove_file(folder, MARK);
        s = weft__out_close(&mark, s, err);
    }
    free(partial);
    return s;
}
