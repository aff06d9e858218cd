/* config_open.c: a configuration from its files, read as the class of its model type reads it. */
#include "models/arch.h"
#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/file.h"
#include "models/config_impl.h"
#include "models/gguf_config.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)16 << 20)

const weft__wrapper *weft__config_wrapper(const weft_config_file *c)
{
    const char *type, *architecture;
    if (weft_config_file_text(c, "model_type", &type) == 1) return weft__wrapper_of_type(type);
    bool named = weft_config_file_text(c, "architectures.0", &architecture) == 1;
    return named ? weft__wrapper_of_class(architecture) : NULL;
}

static bool is_of_family(const char *architecture, const char *family)
{
    size_t n = strlen(family);
    const char *task = architecture + n;
    return !strncmp(architecture, family, n) && (!strcmp(task, "Model") || !strncmp(task, "For", 3));
}

/* Of the language model in a wrapper. */
static weft__config_keys keys_inside(const weft_config_file *c, const weft__wrapper *w)
{
    const char *type;
    if (weft_config_file_text(c, "text_config.model_type", &type) != 1) type = w->text_type;
    const weft__arch *a = weft__arch_of_type(type);
    weft__config_keys keys = a ? a->keys : (weft__config_keys){ 0 };
    keys.wrap = &w->config;
    return keys;
}

/* Its model_type says it, or, if there is none, the class of its architecture. */
static weft__config_keys keys_of(const weft_config_file *c)
{
    const char *type, *architecture;
    const weft__arch *a;
    const weft__wrapper *w = weft__config_wrapper(c);
    if (w) return keys_inside(c, w);
    if (weft_config_file_text(c, "model_type", &type) == 1)
        return (a = weft__arch_of_type(type)) ? a->keys : (weft__config_keys){ 0 };
    if (weft_config_file_text(c, "architectures.0", &architecture) == 1)
        for (size_t i = 0; (a = weft__arch_at(i)); i++)
            if (is_of_family(architecture, a->family)) return a->keys;
    return (weft__config_keys){ 0 };
}

weft_status weft_config_file_parse(const char *text, size_t n, const char *generation, size_t n_generation,
                                   const char *origin, weft_config_file **out, weft_error *err)
{
    WEFT_TRY(weft__config_parse(text, n, generation, n_generation, origin, out, err));
    const weft__config_keys keys = keys_of(*out);
    weft_status s = weft__config_take_keys(*out, &keys, err);
    if (s == WEFT_OK) return WEFT_OK;
    weft_config_file_close(*out);
    *out = NULL;
    return s;
}

/* generation_config.json may be absent. */
static weft_status read_optional(const char *folder, const char *name, char **text, size_t *n,
                                 weft_error *err)
{
    *text = NULL;
    *n = 0;
    char *path = weft__path_join(folder, name);
    if (!path) return WEFT_OOM_FAIL(err, name);
    weft_status s =
        weft__path_exists(path) ? weft__file_read(path, MAX_FILE, text, n, err) : WEFT_OK;
    free(path);
    return s;
}

static weft_status open_in(const char *folder, const char *path, weft_config_file **out,
                           weft_error *err)
{
    char *text = NULL, *generation = NULL;
    size_t n = 0, n_generation = 0;
    weft_status s = weft__file_read(path, MAX_FILE, &text, &n, err);
    if (s == WEFT_OK)
        s = read_optional(folder, "generation_config.json", &generation, &n_generation, err);
    if (s == WEFT_OK) s = weft_config_file_parse(text, n, generation, n_generation, path, out, err);
    free(generation);
    free(text);
    return s;
}

static weft_status open_gguf(const char *path, weft_config_file **out, weft_error *err)
{
    weft__gguf_file *f;
    WEFT_TRY(weft__gguf_open(path, &f, err));
    weft_status s = weft__gguf_config(f, out, err);
    weft__gguf_close(f);
    return s;
}

weft_status weft_config_file_open(const char *model, weft_config_file **out, weft_error *err)
{
    char *folder, *gguf;
    *out = NULL;
    WEFT_TRY(weft__model_gguf(model, &gguf, err));
    if (gguf) {
        weft_status s = open_gguf(gguf, out, err);
        free(gguf);
        return s;
    }
    WEFT_TRY(weft__model_folder(model, &folder, err));
    bool named = weft__ends_with(model, ".json") &&
                 !weft__ends_with(model, ".safetensors.index.json") && !weft__path_is_folder(model);
    char *path = named ? strdup(model) : weft__path_join(folder, "config.json");
    weft_status s = path ? open_in(folder, path, out, err) : WEFT_OOM_FAIL(err, model);
    free(path);
    free(folder);
    return s;
}

