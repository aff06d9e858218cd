/* convert_config.c: see convert_config.h. */
#include "models/convert_config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/json.h"
#include "models/gguf_values.h"
#include "models/model_impl.h"
#include "models/tokenizer/gguf_templates.h"

enum { MAX_PATH_PARTS = 8, PATH_SIZE = 256 };

/* In the order of writing: the folder is a model once it has the last. In GGUF files they have these keys; those
 * without one are in the tokenizer.json that stands there for them. */
static const struct { const char *name, *key; } files[] = {
    { "generation_config.json", WEFT__GGUF_FILES "generation_config.json" },
    { "tokenizer_config.json", WEFT__GGUF_FILES "tokenizer_config.json" },
    { "special_tokens_map.json", WEFT__GGUF_FILES "special_tokens_map.json" },
    { "chat_template.jinja", WEFT__GGUF_FILES "chat_template.jinja" },
    { "vocab.json", NULL },
    { "merges.txt", NULL },
    { "added_tokens.json", NULL },
    { "tokenizer.json", "tokenizer.huggingface.json" },
    { "config.json", WEFT__GGUF_FILES "config.json" },
};

/* ---- a config.json of settings ---- */

/* The value's place in the tree: "rope_scaling.factor" in an object, "layer_types.3" in a list. Takes the value. */
static bool place(json_t *tree, const char *path, json_t *value)
{
    char part[PATH_SIZE];
    const char *dot = strchr(path, '.');
    snprintf(part, sizeof part, "%.*s", (int)(dot ? dot - path : (long)strlen(path)), path);
    if (!value) return false;
    if (!dot) return json_object_set_new(tree, part, value) == 0;
    json_t *inner = json_object_get(tree, part);
    const bool list = dot[1] >= '0' && dot[1] <= '9';
    if (!inner) {
        inner = list ? json_array() : json_object();
        if (json_object_set_new(tree, part, inner)) inner = NULL;
    }
    if (!list && json_is_object(inner)) return place(inner, dot + 1, value);
    if (list && json_is_array(inner) && json_array_append_new(inner, value) == 0) return true;
    if (!json_is_array(inner)) json_decref(value);
    return false;
}

/* Where Hugging Face's class of the model's type looks for a key. */
static const char *path_of(const weft_model *m, const char *key)
{
    const weft__config_key *row = weft__config_key_find(&m->arch->keys, key);
    return row && row->spelling[0] ? row->spelling[0] : key;
}

static json_t *value_of(const weft_model *m, const weft_setting_info *s)
{
    double x;
    const bool none = s->kind == WEFT_SETTING_NUMBER && weft_config_file_number(m->hf, s->key, &x) == 0;
    if (none && s->number == 0) return json_null(); /* the metadata say that there is none, of a window, say */
    if (strstr(s->key, "token_id") && s->kind == WEFT_SETTING_TEXT) return json_null();
    if (s->kind == WEFT_SETTING_TEXT) return json_string(s->value);
    if (s->kind == WEFT_SETTING_TRUTH) return json_boolean(s->number != 0);
    if (s->number == floor(s->number) && fabs(s->number) < 1e15) return json_integer((json_int_t)s->number);
    return json_real(s->number);
}

/* Lists of the layers' kinds, which definitions ask for one by one. */
static bool place_layers(const weft_model *m, json_t *tree)
{
    char key[32];
    const char *type;
    for (uint32_t i = 0; i < m->info.n_layer; i++) {
        snprintf(key, sizeof key, "layer_types.%u", i);
        if (m->config.text(m->config.ctx, key, &type) == 1 && !place(tree, key, json_string(type))) return false;
    }
    return true;
}

static weft_status place_settings(const weft_model *m, json_t *tree, weft_error *err)
{
    const weft_setting_info *s;
    for (uint32_t i = 0; (s = weft_model_setting(m, i)); i++) {
        if (weft__ends_with(s->key, "rope_type") && !strcmp(s->value, "divided"))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: rope_freqs.weight: no config.json says such frequencies",
                             m->path);
        if (!strcmp(s->source, "default") && s->number == 0 && s->kind == WEFT_SETTING_NUMBER) continue; /* none */
        if (!place(tree, path_of(m, s->key), value_of(m, s))) return WEFT_OOM_FAIL(err, "a configuration");
    }
    if (place_layers(m, tree)) return WEFT_OK;
    return WEFT_OOM_FAIL(err, "a configuration");
}

static weft_status make_config(const weft_model *m, char **text, size_t *size, weft_error *err)
{
    if (!m->arch) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: has no architecture of Hugging Face's", m->path);
    json_t *tree = json_pack("{s:[s], s:s}", "architectures", m->info.architecture, "model_type", m->arch->keys.type);
    weft_status s = tree ? place_settings(m, tree, err) : WEFT_OOM_FAIL(err, "a configuration");
    *text = s ? NULL : weft__json_dump(tree, JSON_INDENT(2), size);
    json_decref(tree);
    return s ? s : *text ? WEFT_OK : WEFT_OOM_FAIL(err, "a configuration");
}

/* ---- the files ---- */

static weft_status add(weft__convert_texts *t, const char *name, const char *text, size_t size, weft_error *err)
{
    char *copy = malloc(size + 1);
    if (!copy) return WEFT_OOM_FAIL(err, name);
    memcpy(copy, text, size);
    t->list[t->n++] = (weft__write_text){ name, copy, size };
    return WEFT_OK;
}

static weft_status from_folder(const weft_model *m, const char *name, weft__convert_texts *t, weft_error *err)
{
    char *path = weft__path_join(m->folder, name), *text;
    size_t size;
    if (!path) return WEFT_OOM_FAIL(err, name);
    weft_status s = WEFT_OK;
    if (weft__path_exists(path) && !(s = weft__file_read(path, WEFT__TOKENIZER_FILE_MAX, &text, &size, err))) {
        s = add(t, name, text, size, err);
        free(text);
    }
    free(path);
    return s;
}

/* What the file does not have as it was, made of its metadata; *text NULL: there is none. */
static weft_status make_text(const weft_model *m, const weft__gguf_file *f, const char *name, char **text, size_t *size,
                             weft_error *err)
{
    *text = NULL;
    if (!strcmp(name, "config.json")) return make_config(m, text, size, err);
    if (strcmp(name, "tokenizer_config.json") != 0 || weft__gguf_find(f, WEFT__GGUF_FILES "chat_template.jinja"))
        return WEFT_OK;
    return weft__gguf_templates_config(f, text, size, err);
}

static weft_status from_gguf(const weft_model *m, const weft__gguf_file *f, size_t i, weft__convert_texts *t,
                             weft_error *err)
{
    weft__gguf_string s;
    char *text;
    size_t size;
    if (!files[i].key) return WEFT_OK;
    if (weft__gguf_text(weft__gguf_find(f, files[i].key), 0, &s)) return add(t, files[i].name, s.text, s.size, err);
    WEFT_TRY(make_text(m, f, files[i].name, &text, &size, err));
    if (text) t->list[t->n++] = (weft__write_text){ files[i].name, text, size };
    return WEFT_OK;
}

weft_status weft__convert_texts_make(const weft_model *m, weft__convert_texts *out, weft_error *err)
{
    const weft__gguf_file *f = weft__checkpoint_gguf(m->checkpoint);
    weft_status s = WEFT_OK;
    *out = (weft__convert_texts){ 0 };
    for (size_t i = 0; !s && i < sizeof files / sizeof *files; i++)
        s = f ? from_gguf(m, f, i, out, err) : from_folder(m, files[i].name, out, err);
    if (s) weft__convert_texts_free(out);
    return s;
}

void weft__convert_texts_free(weft__convert_texts *t)
{
    for (size_t i = 0; i < t->n; i++) free((void *)(uintptr_t)t->list[i].text);
    t->n = 0;
}
