/* folder.c: what the path of a model means: the folder around it, and which files of it hold the weights. */
#include "checkpoint_impl.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* A file in the format of that name; some are kept without it, but none as what is a configuration by its name. */
static bool is_gguf(const char *path)
{
    if (weft__path_is_folder(path) || weft__ends_with(path, ".json")) return false;
    return weft__ends_with(path, ".gguf") || weft__file_begins(path, "GGUF");
}

weft_status weft__model_folder(const char *model, char **folder, weft_error *err)
{
    const char *name = weft__path_name(model);
    *folder = NULL;
    if (weft__path_is_folder(model))
        *folder = strdup(model);
    else if (!weft__path_exists(model))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no such file or folder", model);
    else if (weft__path_is_dangling(model))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: the link leads nowhere", model);
    else if (weft__ends_with(name, ".safetensors") || weft__ends_with(name, ".json") || is_gguf(model))
        *folder = weft__path_parent(model);
    else
        return WEFT_FAIL(err, WEFT_INVALID, "%s: neither a model folder nor a .safetensors or .gguf file",
                         model);
    return *folder ? WEFT_OK : WEFT_OOM_FAIL(err, model);
}

/* ---- what lies in a folder ---- */

/* What its names say. */
typedef struct contents {
    bool torch, safetensors;
    char other[WEFT__QUOTE_SIZE]; /* a safetensors file, which need not be the model's */
    char *gguf, *second; /* files of two models, the first of them in the order of names; NULL: there are not so many */
} contents;

/* How much of a GGUF file's name all files of its set have: "x" of "x-00002-of-00007.gguf". */
static size_t stem_length(const char *name)
{
    static const char pattern[] = "-#####-of-#####.gguf";
    const size_t n = strlen(name), m = sizeof pattern - 1;
    for (size_t i = 0; n > m && i < m; i++) {
        char c = name[n - m + i];
        if (pattern[i] == '#' ? c < '0' || c > '9' : c != pattern[i]) return n;
    }
    return n > m ? n - m : n;
}

static bool is_of_set(const char *a, const char *b)
{
    const size_t n = stem_length(a);
    return n == stem_length(b) && !strncmp(a, b, n);
}

/* Files of that name belong to models that see, and are none by themselves. */
static bool is_model_name(const char *name)
{
    return weft__ends_with(name, ".gguf") && strncmp(name, "mmproj", 6) != 0;
}

static bool keep_name(char **kept, const char *name)
{
    free(*kept);
    return (*kept = strdup(name)) != NULL;
}

/* Keeps the first name of the set that comes first, and one of another. */
static bool add_gguf(contents *c, const char *name)
{
    if (!c->gguf) return keep_name(&c->gguf, name);
    const bool first = strcmp(name, c->gguf) < 0;
    if (is_of_set(name, c->gguf)) return !first || keep_name(&c->gguf, name);
    if (!first) return c->second || keep_name(&c->second, name);
    char *other = c->second;
    c->second = c->gguf;
    c->gguf = NULL;
    free(other);
    return keep_name(&c->gguf, name);
}

static weft_status list(const char *folder, contents *out, weft_error *err)
{
    bool room = true;
    DIR *dir = opendir(folder);
    *out = (contents){ 0 };
    if (!dir) return WEFT_FAIL(err, WEFT_IO, "%s: the folder cannot be read", folder);
    for (struct dirent *e; room && (e = readdir(dir));) {
        const char *name = e->d_name;
        out->torch = out->torch || weft__ends_with(name, ".bin") || weft__ends_with(name, ".pt") ||
                     weft__ends_with(name, ".pth");
        out->safetensors = out->safetensors || weft__ends_with(name, ".safetensors") ||
                           !strcmp(name, WEFT__INDEX_FILE);
        if (weft__ends_with(name, ".safetensors")) weft__quote(out->other, name);
        if (is_model_name(name)) room = add_gguf(out, name);
    }
    closedir(dir);
    return room ? WEFT_OK : WEFT_OOM_FAIL(err, folder);
}

static void forget(contents *c)
{
    free(c->gguf);
    free(c->second);
}

weft_status weft__folder_without_weights(const char *folder, weft_error *err)
{
    contents c;
    weft_status s = list(folder, &c, err);
    forget(&c);
    if (s) return s;
    if (c.other[0])
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: has %s but no " WEFT__INDEX_FILE " and no " WEFT__SINGLE_FILE,
                         folder, c.other);
    if (c.torch)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: holds PyTorch .bin files only; save the model as safetensors",
                         folder);
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no " WEFT__SINGLE_FILE ", no " WEFT__INDEX_FILE " and no GGUF file",
                     folder);
}

static weft_status gguf_in(const char *folder, char **gguf, weft_error *err)
{
    contents c;
    char a[WEFT__QUOTE_SIZE], b[WEFT__QUOTE_SIZE];
    weft_status s = list(folder, &c, err);
    if (!s && c.gguf && !c.safetensors) {
        if (c.second)
            s = WEFT_FAIL(err, WEFT_INVALID, "%s: holds several models: name one, such as %s or %s", folder,
                          weft__quote(a, c.gguf), weft__quote(b, c.second));
        else if (!(*gguf = weft__path_join(folder, c.gguf)))
            s = WEFT_OOM_FAIL(err, folder);
    }
    forget(&c);
    return s;
}

weft_status weft__model_gguf(const char *model, char **gguf, weft_error *err)
{
    *gguf = NULL;
    if (weft__path_is_folder(model)) return gguf_in(model, gguf, err);
    if (!is_gguf(model)) return WEFT_OK;
    return (*gguf = strdup(model)) ? WEFT_OK : WEFT_OOM_FAIL(err, model);
}
