/* fuzz_seeds.c: seeds of the fuzz targets that are made from what other tests have, at build time.
 *
 *     fuzz_seeds configs GOLDENS OUT       # each golden's config.json, of tests/reference/arch
 *     fuzz_seeds tokenizers PIPELINES OUT  # each set of pipelines.json as a tokenizer.json, its model cut short
 *     fuzz_seeds ggufs GGUF_JSON OUT       # each file of gguf.json, once for each of its cases */
#include <dirent.h>
#include <stdbool.h>

#include "tests/tokenizer/gguf_json.h"

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

/* ---- GGUF files ---- */

static bool write_image(const char *folder, size_t file, size_t of, json_t *v, const json_t *pre)
{
    char path[4096];
    image g = make_image(v, pre);
    snprintf(path, sizeof path, "%s/file%02zu-%02zu", folder, file, of);
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(g.data, 1, g.size, f) == g.size;
    if (f) ok = fclose(f) == 0 && ok;
    free(g.data);
    return ok;
}

static unsigned write_ggufs(const char *from, const char *out)
{
    json_t *files = json_load_file(from, 0, NULL), *file, *c;
    unsigned n = 0;
    size_t i, k;
    json_array_foreach(files, i, file)
        json_array_foreach(json_object_get(file, "cases"), k, c)
            n += write_image(out, i, k, file, json_array_get(json_object_get(c, "pre"), 0));
    json_decref(files);
    return n;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *kind;
        unsigned (*write)(const char *from, const char *out);
    } kinds[] = { { "configs", write_configs }, { "tokenizers", write_tokenizers }, { "ggufs", write_ggufs } };
    for (size_t i = 0; argc == 4 && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(argv[1], kinds[i].kind)) return kinds[i].write(argv[2], argv[3]) ? 0 : 1;
    fprintf(stderr, "usage: %s configs|tokenizers|ggufs FROM OUT\n", argv[0]);
    return 1;
}
