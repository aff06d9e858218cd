/* files.c: opening a tokenizer: a tokenizer.json by itself, all that a folder has, or the metadata of a GGUF file. */
#include "gguf.h"
#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/file.h"
#include "models/config.h"
#include "parse.h"

#include <stdlib.h>

typedef struct folder_files {
    char *path[WEFT__N_FILES], *data[WEFT__N_FILES];
    weft__tokenizer_file file[WEFT__N_FILES];
} folder_files;

static weft_status find_paths(const char *folder, char *path[WEFT__N_FILES], weft_error *err)
{
    static const char *const names[] = { WEFT__TOKENIZER_FILES };
    for (unsigned i = 0; i < WEFT__N_FILES; i++)
        if (!(path[i] = weft__path_join(folder, names[i]))) return WEFT_OOM_FAIL(err, "a path");
    return WEFT_OK;
}

static void free_paths(char *path[WEFT__N_FILES])
{
    for (unsigned i = 0; i < WEFT__N_FILES; i++) free(path[i]);
}

static bool has_tokenizer(char *path[WEFT__N_FILES])
{
    return weft__path_exists(path[WEFT__FILE_TOKENIZER]) ||
           (weft__path_exists(path[WEFT__FILE_VOCAB]) && weft__path_exists(path[WEFT__FILE_MERGES]));
}

weft_status weft__tokenizer_in_folder(const char *folder, bool *there, weft_error *err)
{
    char *path[WEFT__N_FILES] = { 0 };
    weft_status status = find_paths(folder, path, err);
    *there = status == WEFT_OK && has_tokenizer(path);
    free_paths(path);
    return status;
}

static weft_status read_files(const char *folder, folder_files *f, weft_error *err)
{
    WEFT_TRY(find_paths(folder, f->path, err));
    if (!has_tokenizer(f->path))
        return WEFT_FAIL(err, WEFT_NOT_FOUND,
                         "%s: not there, nor vocab.json and merges.txt, so text cannot be read or "
                         "written (tokens can)",
                         f->path[WEFT__FILE_TOKENIZER]);
    bool whole = weft__path_exists(f->path[WEFT__FILE_TOKENIZER]);
    for (unsigned i = 0; i < WEFT__N_FILES; i++) {
        bool instead = i == WEFT__FILE_VOCAB || i == WEFT__FILE_MERGES || i == WEFT__FILE_MODEL;
        if ((whole && instead) || !weft__path_exists(f->path[i])) continue;
        size_t size;
        WEFT_TRY(weft__file_read(f->path[i], WEFT__TOKENIZER_FILE_MAX, &f->data[i], &size, err));
        f->file[i] = (weft__tokenizer_file){ f->path[i], f->data[i], size };
    }
    return WEFT_OK;
}

static void free_files(folder_files *f)
{
    for (unsigned i = 0; i < WEFT__N_FILES; i++) free(f->data[i]);
    free_paths(f->path);
}

weft_status weft__tokenizer_open_folder(const char *folder, int32_t bos, weft_tokenizer **out, weft_error *err)
{
    folder_files f = { 0 };
    *out = NULL;
    weft_status status = read_files(folder, &f, err);
    if (status == WEFT_OK) status = weft__tokenizer_parse_files(f.file, out, err);
    free_files(&f);
    if (status == WEFT_OK) (*out)->other_bos = bos;
    return status;
}

weft_status weft__tokenizer_text(const char *folder, const weft_tokenizer *of, char **text, size_t *n, weft_error *err)
{
    folder_files f = { 0 };
    weft__trees t = { 0 };
    *text = NULL;
    weft_status status = read_files(folder, &f, err);
    if (status == WEFT_OK && f.data[WEFT__FILE_TOKENIZER]) {
        *text = f.data[WEFT__FILE_TOKENIZER];
        *n = f.file[WEFT__FILE_TOKENIZER].size;
        f.data[WEFT__FILE_TOKENIZER] = NULL;
    } else if (status == WEFT_OK) {
        status = weft__trees_parse(&t, f.file, err);
        if (status == WEFT_OK) status = weft__trees_make_tokenizer(&t, err);
        if (status == WEFT_OK) status = weft__trees_write_tokenizer(&t, of, text, n, err);
        weft__trees_free(&t);
    }
    free_files(&f);
    return status;
}

/* ---- of a model ---- */

weft_status weft__tokenizer_in_model(const weft__gguf_file *gguf, const char *folder, bool *there, weft_error *err)
{
    *there = gguf && weft__gguf_has_tokenizer(gguf);
    return *there || !folder ? WEFT_OK : weft__tokenizer_in_folder(folder, there, err);
}

weft_status weft__tokenizer_open_model(const weft__gguf_file *gguf, const char *folder, int32_t bos,
                                       weft_tokenizer **out, weft_error *err)
{
    bool beside = false;
    *out = NULL;
    if (!gguf) return weft__tokenizer_open_folder(folder, bos, out, err);
    if (folder && !weft__gguf_has_tokenizer(gguf)) WEFT_TRY(weft__tokenizer_in_folder(folder, &beside, err));
    return beside ? weft__tokenizer_open_folder(folder, bos, out, err)
                  : weft__tokenizer_from_gguf(gguf, bos, out, err);
}

/* ---- by itself ---- */

static weft_status open_alone(const char *path, weft_tokenizer **out, weft_error *err)
{
    char *data;
    size_t size;
    WEFT_TRY(weft__file_read(path, WEFT__TOKENIZER_FILE_MAX, &data, &size, err));
    weft_status status = weft_tokenizer_parse(data, size, path, out, err);
    free(data);
    return status;
}

/* The start token of a configuration, as far as there is a good one. OOM alone is a failure. */
static weft_status read_bos(const char *path, int32_t *bos, weft_error *err)
{
    int32_t ids[16];
    size_t n = 0;
    weft_config_file *config;
    *bos = -1;
    weft_status status = weft_config_file_open(path, &config, NULL);
    if (status == WEFT_OK)
        status = weft_config_file_tokens(config, "bos_token_id", ids, sizeof ids / sizeof *ids, &n, NULL);
    weft_config_file_close(config);
    if (status == WEFT_OK && n) *bos = ids[0];
    return status == WEFT_OOM ? WEFT_OOM_FAIL(err, path) : WEFT_OK;
}

static weft_status open_gguf(const char *path, const char *folder, weft_tokenizer **out, weft_error *err)
{
    weft__gguf_file *f;
    WEFT_TRY(weft__gguf_open(path, &f, err));
    weft_status status = weft__tokenizer_open_model(f, folder, -1, out, err);
    weft__gguf_close(f);
    return status;
}

static weft_status open_in_folder(const char *path, const char *folder, weft_tokenizer **out, weft_error *err)
{
    char *gguf;
    int32_t bos;
    WEFT_TRY(weft__model_gguf(path, &gguf, err));
    if (gguf) {
        weft_status status = open_gguf(gguf, folder, out, err);
        free(gguf);
        return status;
    }
    WEFT_TRY(read_bos(path, &bos, err));
    return weft__tokenizer_open_folder(folder, bos, out, err);
}

weft_status weft_tokenizer_open(const char *path, weft_tokenizer **out, weft_error *err)
{
    char *folder;
    *out = NULL;
    if (weft__ends_with(path, "tokenizer.json") && !weft__path_is_folder(path)) return open_alone(path, out, err);
    WEFT_TRY(weft__model_folder(path, &folder, err));
    weft_status status = open_in_folder(path, folder, out, err);
    free(folder);
    return status;
}
