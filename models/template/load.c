/* load.c: the chat templates and special tokens of a model's files, as transformers reads them.
 *
 * chat_template.jinja and additional_chat_templates/NAME.jinja come before the `chat_template` of
 * tokenizer_config.json (a text, or a list of named ones); a GGUF file's come before those of its folder. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/json.h"
#include "models/tokenizer/gguf_templates.h"
#include "models/tokenizer/tokenizer.h"
#include "template_impl.h"

enum { MAX_FILE = 16 << 20, MAX_TEMPLATE_FILE = 4 << 20 };
#define CONFIG "tokenizer_config.json"
#define FOLDER "additional_chat_templates"

/* ---- templates by name: an object of texts ---- */

static weft_status put_file(json_t *templates, const char *path, const char *name, size_t n_name, weft_error *err)
{
    char *text;
    size_t n;
    WEFT_TRY(weft__file_read(path, MAX_TEMPLATE_FILE, &text, &n, err));
    json_t *value = json_stringn(text, n);
    free(text);
    if (!value) return WEFT_FAIL(err, WEFT_FORMAT, "%s: no valid UTF-8", path);
    if (json_object_setn_new(templates, name, n_name, value)) return WEFT_OOM_FAIL(err, "chat templates");
    return WEFT_OK;
}

static weft_status put_folder(json_t *templates, const char *path, weft_error *err)
{
    weft_status status = WEFT_OK;
    DIR *dir = opendir(path);
    if (!dir) return WEFT_OK; /* there is none */
    for (struct dirent *e; !status && (e = readdir(dir));) {
        if (!weft__ends_with(e->d_name, ".jinja") || e->d_name[0] == '.') continue;
        char *file = weft__path_join(path, e->d_name);
        status = file ? put_file(templates, file, e->d_name, strlen(e->d_name) - strlen(".jinja"), err)
                      : WEFT_OOM_FAIL(err, "chat templates");
        free(file);
    }
    closedir(dir);
    return status;
}

/* Those that are files of their own. */
static weft_status put_files(json_t *templates, const char *folder, weft_error *err)
{
    char *one = weft__path_join(folder, "chat_template.jinja"), *more = weft__path_join(folder, FOLDER);
    weft_status status = one && more ? WEFT_OK : WEFT_OOM_FAIL(err, "chat templates");
    if (!status && weft__path_exists(one)) status = put_file(templates, one, "default", strlen("default"), err);
    if (!status) status = put_folder(templates, more, err);
    free(one);
    free(more);
    return status;
}

/* `chat_template` of a configuration. */
static weft_status put_config(json_t *templates, const json_t *config, const char *origin, weft_error *err)
{
    json_t *v = json_object_get(config, "chat_template"), *entry;
    size_t i;
    if (!v || json_is_null(v)) return WEFT_OK;
    if (json_is_string(v)) {
        if (json_object_set(templates, "default", v)) return WEFT_OOM_FAIL(err, "chat templates");
        return WEFT_OK;
    }
    if (!json_is_array(v))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"chat_template\" is neither a text nor a list", origin);
    json_array_foreach(v, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        json_t *text = json_object_get(entry, "template");
        if (!name || !json_is_string(text))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: item %zu of \"chat_template\" has no name or no template", origin,
                             i);
        if (json_object_set(templates, name, text)) return WEFT_OOM_FAIL(err, "chat templates");
    }
    return WEFT_OK;
}

static weft_status put_gguf(json_t *templates, const char *path, weft_error *err)
{
    weft__gguf_file *f;
    char *text = NULL, twice[WEFT__QUOTE_SIZE];
    size_t n;
    json_t *config = NULL;
    WEFT_TRY(weft__gguf_open(path, &f, err));
    weft_status status = weft__gguf_templates_config(f, &text, &n, err);
    if (!status && text) status = weft__json_parse_lenient(text, n, path, &config, twice, err);
    if (!status && config) status = put_config(templates, config, path, err);
    json_decref(config);
    free(text);
    weft__gguf_close(f);
    return status;
}

/* ---- special tokens ---- */

static weft_status put_token(json_t *special, const char *name, json_t *v, weft_error *err)
{
    if (json_is_object(v)) v = json_object_get(v, "content");
    if (!json_is_string(v)) return WEFT_OK;
    if (json_object_set(special, name, v)) return WEFT_OOM_FAIL(err, "special tokens");
    return WEFT_OK;
}

static weft_status put_tokens(json_t *special, json_t *config, weft_error *err)
{
    const char *name;
    json_t *v;
    json_object_foreach(config, name, v) if (weft__ends_with(name, "_token"))
        WEFT_TRY(put_token(special, name, v, err));
    json_t *extra = json_object_get(config, "extra_special_tokens");
    json_object_foreach(extra, name, v) WEFT_TRY(put_token(special, name, v, err));
    return WEFT_OK;
}

/* Those that the tokenizer itself has by a name: its files say so in several ways. */
static weft_status put_named(json_t *special, const char *path, weft_error *err)
{
    static const char *const names[WEFT_TOKEN_COUNT] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                                         "pad_token", "cls_token", "mask_token" };
    weft_tokenizer *tok;
    weft_status status = weft_tokenizer_open(path, &tok, NULL);
    if (status == WEFT_OOM) return WEFT_OOM_FAIL(err, "special tokens");
    if (status) return WEFT_OK; /* none, or one that is not known here: then what the configuration says is all */
    for (int i = 0; !status && i < WEFT_TOKEN_COUNT; i++) {
        const int32_t id = weft_tokenizer_named(tok, (weft_named_token)i);
        if (id >= 0 && json_object_set_new(special, names[i], json_string(weft_tokenizer_token(tok, id))))
            status = WEFT_OOM_FAIL(err, "special tokens");
    }
    weft_tokenizer_close(tok);
    return status;
}

/* ---- a model ---- */

static weft_status read_config(const char *folder, json_t **out, weft_error *err)
{
    char *path = weft__path_join(folder, CONFIG), *text = NULL, twice[WEFT__QUOTE_SIZE];
    size_t n;
    *out = NULL;
    if (!path) return WEFT_OOM_FAIL(err, CONFIG);
    weft_status status = WEFT_OK;
    if (weft__path_exists(path)) {
        status = weft__file_read(path, MAX_FILE, &text, &n, err);
        if (!status) status = weft__json_parse_lenient(text, n, path, out, twice, err);
    }
    free(text);
    free(path);
    return status;
}

static weft_status collect(const char *path, json_t *templates, json_t *special, weft_error *err)
{
    char *folder = NULL, *gguf = NULL;
    json_t *config = NULL;
    weft_status status = weft__model_gguf(path, &gguf, err);
    if (!status) status = weft__model_folder(path, &folder, err);
    if (!status && folder) status = read_config(folder, &config, err);
    if (!status && gguf) status = put_gguf(templates, gguf, err);
    if (!status && folder && !json_object_size(templates)) status = put_files(templates, folder, err);
    if (!status && config && !json_object_size(templates)) status = put_config(templates, config, folder, err);
    if (!status && config) status = put_tokens(special, config, err);
    if (!status) status = put_named(special, path, err);
    json_decref(config);
    free(folder);
    free(gguf);
    return status;
}

static weft_status parse_named(const json_t *templates, const char *name, const char *origin, jinja_parsed *out,
                               weft_error *err)
{
    const json_t *v = json_object_get(templates, name);
    return jinja_parse_text(json_string_value(v), json_string_length(v), origin, out, err);
}

/* "a, b" */
static void list_names(json_t *templates, char *buf, size_t size)
{
    const char *name;
    json_t *v;
    size_t at = 0;
    buf[0] = 0;
    json_object_foreach(templates, name, v) if (at < size) at +=
        (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "", name);
}

static weft_status choose(weft_chat_template *t, json_t *templates, const char *name, weft_error *err)
{
    char names[200];
    list_names(templates, names, sizeof names);
    if (name && !json_object_get(templates, name) && strchr(name, '{'))
        return jinja_parse_text(name, strlen(name), "chat_template", &t->usual, err);
    if (!json_object_size(templates)) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: it has no chat template", t->origin);
    if (name && !json_object_get(templates, name))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no chat template is named %s; there are: %s", t->origin, name,
                         names);
    if (name) return parse_named(templates, name, t->origin, &t->usual, err);
    if (json_object_get(templates, "tool_use")) {
        WEFT_TRY(parse_named(templates, "tool_use", t->origin, &t->tools, err));
        if (!json_object_get(templates, "default")) return WEFT_OK;
    }
    if (!json_object_get(templates, "default"))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no chat template is the default; name one of: %s", t->origin, names);
    return parse_named(templates, "default", t->origin, &t->usual, err);
}

weft_status weft_chat_template_open(const char *path, const char *name, weft_chat_template **out, weft_error *err)
{
    *out = NULL;
    weft_chat_template *t = calloc(1, sizeof *t);
    json_t *templates = json_object();
    if (t) {
        t->special = json_object();
        t->origin = malloc(strlen(path) + 1);
    }
    weft_status status = WEFT_OK;
    if (!t || !templates || !t->special || !t->origin) status = WEFT_OOM_FAIL(err, "a chat template");
    if (!status) {
        memcpy(t->origin, path, strlen(path) + 1);
        status = collect(path, templates, t->special, err);
    }
    if (!status) status = choose(t, templates, name, err);
    json_decref(templates);
    if (status)
        weft_chat_template_close(t);
    else
        *out = t;
    return status;
}
