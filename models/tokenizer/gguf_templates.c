/* gguf_templates.c: see gguf_templates.h. The names of keys are those of llama.cpp's converter. */
#include "gguf_templates.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gguf.h"
#include "models/checkpoint/json.h"

#define TEMPLATE "tokenizer.chat_template"
#define NAMES    "tokenizer.chat_templates"

enum { MAX_NAME = 64 };

/* ---- to a GGUF file ---- */

/* The template of an entry of the list, and its name with '_' for what is neither a letter nor a digit. */
static const char *read_entry(const json_t *v, char name[MAX_NAME])
{
    const char *text = json_string_value(json_object_get(v, "name"));
    const json_t *template = json_object_get(v, "template");
    size_t n = 0;
    for (; text && text[n] && n + 1 < MAX_NAME; n++) name[n] = isalnum((unsigned char)text[n]) ? text[n] : '_';
    name[n] = 0;
    return n && !text[n] ? json_string_value(template) : NULL;
}

static void put(weft__gguf_kv *kv, const char *key, const char *text)
{
    weft__gguf_put_text(kv, key, text, strlen(text));
}

/* Templates of a list by such names, but the usual one; the first of a name counts. NULL: out of memory. */
static json_t *named_of(const json_t *list)
{
    char name[MAX_NAME];
    json_t *named = json_object(), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        if (!read_entry(v, name) || !strcmp(name, "default") || json_object_get(named, name)) continue;
        if (!json_object_set(named, name, json_object_get(v, "template"))) continue;
        json_decref(named);
        return NULL;
    }
    return named;
}

static void put_named(json_t *named, weft__gguf_kv *kv)
{
    char key[sizeof TEMPLATE + 1 + MAX_NAME];
    const char *name;
    json_t *template;
    if (json_object_size(named)) weft__gguf_put_strings(kv, NAMES, json_object_size(named));
    json_object_foreach(named, name, template) weft__gguf_put_string(kv, name, strlen(name));
    json_object_foreach(named, name, template)
    {
        snprintf(key, sizeof key, TEMPLATE ".%s", name);
        put(kv, key, json_string_value(template));
    }
}

/* The usual one of a text or a list; NULL: it has none. */
static const char *usual_of(const json_t *v)
{
    char name[MAX_NAME];
    size_t i;
    json_t *entry;
    json_array_foreach(v, i, entry)
    {
        const char *template = read_entry(entry, name);
        if (template && !strcmp(name, "default")) return template;
    }
    return json_string_value(v);
}

weft_status weft__gguf_put_templates(const char *config, size_t n, const char *origin, weft__gguf_string usual,
                                     weft__gguf_kv *kv, weft_error *err)
{
    char twice[WEFT__QUOTE_SIZE];
    json_t *root = NULL;
    if (usual.text) weft__gguf_put_text(kv, TEMPLATE, usual.text, usual.size);
    if (!config) return WEFT_OK;
    WEFT_TRY(weft__json_parse_lenient(config, n, origin, &root, twice, err));
    const json_t *v = json_object_get(root, "chat_template");
    if (!usual.text && usual_of(v)) put(kv, TEMPLATE, usual_of(v));
    json_t *named = named_of(v);
    if (named) put_named(named, kv);
    json_decref(named);
    json_decref(root);
    return named ? WEFT_OK : WEFT_OOM_FAIL(err, origin);
}

/* ---- to a folder ---- */

static json_t *text_of(const weft__gguf_string *s)
{
    return json_stringn(s->text, s->size);
}

static bool add_entry(json_t *list, json_t *name, const weft__gguf_string *s)
{
    return json_array_append_new(list, json_pack("{s:o, s:o}", "name", name, "template", text_of(s))) == 0;
}

/* NULL: out of memory, or a name or a template is no UTF-8. */
static json_t *list_of(const weft__gguf_file *f, const weft__gguf_value *names, const weft__gguf_string *usual)
{
    char name[MAX_NAME];
    weft__gguf_string s, template;
    json_t *list = json_array();
    bool ok = list && (!usual || add_entry(list, json_string("default"), usual));
    for (uint64_t i = 0; ok && i < names->count; i++) {
        if (!weft__gguf_text(names, i, &s) || s.size >= MAX_NAME || memchr(s.text, 0, s.size)) continue;
        memcpy(name, s.text, s.size);
        name[s.size] = 0;
        if (weft__gguf_chat_template(f, name, &template)) ok = add_entry(list, text_of(&s), &template);
    }
    if (ok) return list;
    json_decref(list);
    return NULL;
}

weft_status weft__gguf_templates_config(const weft__gguf_file *f, char **text, size_t *n, weft_error *err)
{
    weft__gguf_string usual;
    const weft__gguf_value *names = weft__gguf_find(f, NAMES);
    const bool has_usual = weft__gguf_chat_template(f, NULL, &usual);
    *text = NULL;
    if (!has_usual && !names) return WEFT_OK;
    json_t *value = names ? list_of(f, names, has_usual ? &usual : NULL) : text_of(&usual);
    json_t *root = value ? json_pack("{s:o}", "chat_template", value) : NULL;
    if (root) *text = weft__json_dump(root, JSON_INDENT(2), n);
    json_decref(root);
    if (*text) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: " TEMPLATE ": a template is no UTF-8, or there is no memory for them",
                     weft__gguf_path(f));
}
