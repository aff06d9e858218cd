/* altered.c: one value of a configuration is replaced, in the tree by a mark, and in the text by any text. */
#include "altered.h"

#define MARK "@altered@"

/* False: there is no such object. */
static bool set_path(json_t *root, const char *path, json_t *value)
{
    char part[64];
    const char *dot;
    while ((dot = strchr(path, '.'))) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - path), path);
        root = json_is_array(root) ? json_array_get(root, strtoul(part, NULL, 10)) : json_object_get(root, part);
        if (!root) break;
        path = dot + 1;
    }
    if (json_is_array(root) && value) json_array_set(root, strtoul(path, NULL, 10), value);
    else if (value && root) json_object_set(root, path, value);
    else if (json_is_array(root)) json_array_remove(root, strtoul(path, NULL, 10));
    else if (root) json_object_del(root, path);
    return root != NULL;
}

/* The text with the value in the mark's place. */
static char *put_in(const char *text, const char *value)
{
    const char *mark = strstr(text, "\"" MARK "\"");
    size_t before = mark ? (size_t)(mark - text) : strlen(text), n = mark && value ? strlen(value) : 0;
    const char *rest = mark ? mark + strlen(MARK) + 2 : text + before;
    char *out = malloc(before + n + strlen(rest) + 1);
    if (!out) return NULL;
    memcpy(out, text, before);
    if (n) memcpy(out + before, value, n);
    memcpy(out + before + n, rest, strlen(rest) + 1);
    return out;
}

char *altered_text(const json_t *root, const char *path, const char *value)
{
    json_t *copy = json_deep_copy(root), *mark = value ? json_string(MARK) : NULL;
    bool there = set_path(copy, path, mark);
    char *text = json_dumps(copy, 0), *whole = text ? put_in(text, value) : NULL;
    CHECK(whole && (there || !value));
    free(text);
    json_decref(mark);
    json_decref(copy);
    return whole;
}

weft_model *altered_open(const json_t *config, const temp_folder *folder, const char *path, const char *value,
                         weft_error *err)
{
    weft_model *m = NULL;
    char *whole = altered_text(config, path, value);
    *err = (weft_error){ 0 };
    if (whole) temp_write_text(folder, "config.json", whole);
    if (whole) (void)!weft_model_open(temp_path(folder, "config.json"), NULL, &m, err);
    free(whole);
    return m;
}

void altered_path(const json_t *config, const weft_setting_info *s, char out[ALTERED_PATH])
{
    bool wrapped = json_object_get(config, "text_config") != NULL;
    bool inside = strstr(s->source, "text_config") || (wrapped && !strncmp(s->source, "default", 7));
    const char *spelled = strrchr(s->source, ':'); /* "config.json: text_config: rope_theta" */
    bool named = spelled && strcmp(spelled, ": text_config");
    snprintf(out, ALTERED_PATH, "%s%s", inside ? "text_config." : "", named ? spelled + 2 : s->key);
}
