/* fuzz_seeds.c: seeds of the fuzz targets that are made from what other tests have, at build time.
 *
 *     fuzz_seeds configs GOLDENS OUT       # each golden's config.json, of tests/reference/arch
 *     fuzz_seeds tokenizers PIPELINES OUT  # each set of pipelines.json as a tokenizer.json, its model cut short */
#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool write_seed(const char *folder, const char *name, const json_t *v)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return json_dump_file(v, path, JSON_COMPACT) == 0;
}

static unsigned write_configs(const char *goldens, const char *out)
{
    char path[4096];
    unsigned n = 0;
    DIR *dir = opendir(goldens);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".json")) continue;
        snprintf(path, sizeof path, "%s/%s", goldens, e->d_name);
        json_t *root = json_load_file(path, 0, NULL);
        n += write_seed(out, e->d_name, json_object_get(root, "config"));
        json_decref(root);
    }
    if (dir) closedir(dir);
    return n;
}

/* ---- tokenizers ---- */

enum { KEPT = 400 }; /* ids of a vocabulary */

static bool is_kept(const json_t *vocab, const char *token, size_t n)
{
    return json_object_getn(vocab, token, n) != NULL;
}

/* A merge is "a b" or ["a", "b"]. */
static bool can_merge(const json_t *vocab, const json_t *merge)
{
    char joined[512];
    const char *text = json_string_value(merge), *space = text ? strchr(text, ' ') : NULL;
    const char *a = text ? text : json_string_value(json_array_get(merge, 0));
    const char *b = text ? (space ? space + 1 : "") : json_string_value(json_array_get(merge, 1));
    size_t n = text && space ? (size_t)(space - text) : strlen(a);
    int length = snprintf(joined, sizeof joined, "%.*s%s", (int)n, a, b);
    return is_kept(vocab, a, n) && is_kept(vocab, b, strlen(b)) && is_kept(vocab, joined, (size_t)length);
}

static void cut_model(json_t *model)
{
    json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges"), *v;
    const char *token;
    void *next;
    json_object_foreach_safe(vocab, next, token, v)
        if (json_integer_value(v) >= KEPT && !strchr("<[", token[0])) json_object_deln(vocab, token, strlen(token));
    while (json_array_size(vocab) > KEPT) json_array_remove(vocab, json_array_size(vocab) - 1);
    for (size_t i = json_array_size(merges); i-- > 0;)
        if (!can_merge(vocab, json_array_get(merges, i))) json_array_remove(merges, i);
}

static unsigned write_tokenizers(const char *pipelines, const char *out)
{
    json_t *root = json_load_file(pipelines, JSON_ALLOW_NUL, NULL), *set;
    json_t *models = json_object_get(root, "models");
    char name[64];
    unsigned n = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "sets"), i, set)
    {
        json_t *file = json_object_get(set, "file");
        json_t *model = json_deep_copy(json_object_get(models, json_string_value(json_object_get(set, "model"))));
        json_object_update(model, json_object_get(set, "options"));
        cut_model(model);
        json_object_set_new(file, "model", model);
        snprintf(name, sizeof name, "set%02zu.json", i);
        n += write_seed(out, name, file);
    }
    json_decref(root);
    return n;
}

int main(int argc, char **argv)
{
    bool configs = argc == 4 && !strcmp(argv[1], "configs"), tokenizers = argc == 4 && !strcmp(argv[1], "tokenizers");
    unsigned n = configs ? write_configs(argv[2], argv[3]) : tokenizers ? write_tokenizers(argv[2], argv[3]) : 0;
    if (!n) fprintf(stderr, "usage: %s configs|tokenizers FROM OUT\n", argv[0]);
    return n ? 0 : 1;
}
