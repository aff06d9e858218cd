/* choose.c: which files of a repository are wanted: those that patterns name or, without any, what Weft needs to run
 * the model: its configuration, its tokenizer and one set of weights. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pull/pull.h"

/* Beside weights, in the repository's top folder. */
static const char *const needed[] = {
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "additional_chat_templates/*.jinja",
    "model.weft",
};
static const char *const of_adapters[] = { "adapter_config.json", "adapter_model.safetensors" };
#define WEIGHTS "model.safetensors"
#define INDEX   "model.safetensors.index.json"

static bool matches(const char *pattern, const char *path)
{
    return !fnmatch(pattern, path, FNM_NOESCAPE);
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* ---- patterns ---- */

static weft_status choose_included(pull_job *j, weft_error *err)
{
    char pattern[HUB_MAX_PATH];
    for (unsigned k = 0; k < j->n_include; k++) {
        const char *given = j->include[k];
        size_t found = 0;
        const int n = snprintf(pattern, sizeof pattern, "%s%s", given, ends_with(given, "/") ? "*" : "");
        if (n < 0 || (size_t)n >= sizeof pattern)
            return WEFT_FAIL(err, WEFT_LIMIT, "--include: the pattern is too long");
        for (size_t i = 0; i < j->n; i++) {
            if (!matches(pattern, j->files[i].path)) continue;
            j->files[i].wanted = true;
            found++;
        }
        if (!found)
            return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: none of its %zu files is --include '%s'", j->repository, j->n,
                             given);
    }
    return WEFT_OK;
}

/* ---- GGUF ---- */

/* The length of a name without "-00002-of-00003.gguf", or ".gguf"; 0: it is no GGUF file. */
static size_t stem_of(const char *path)
{
    static const char digits[] = "-00000-of-00000.gguf";
    const size_t n = strlen(path), k = sizeof digits - 1;
    if (!ends_with(path, ".gguf")) return 0;
    bool split = n > k;
    for (size_t i = 0; split && i < k; i++) {
        const char c = path[n - k + i];
        split = digits[i] == '0' ? c >= '0' && c <= '9' : c == digits[i];
    }
    return split ? n - k : n - 5;
}

/* Whether two paths are parts of one model. */
static bool is_same_model(const char *a, const char *b)
{
    const size_t n = stem_of(a);
    return n && n == stem_of(b) && !strncmp(a, b, n);
}

/* The first model among those that count; *more: there is another. Files are sorted, so it is the set's first. */
static pull_file *first_gguf(const pull_job *j, bool wanted, bool *more)
{
    pull_file *first = NULL;
    *more = false;
    for (size_t i = 0; i < j->n; i++) {
        pull_file *f = &j->files[i];
        if (!stem_of(f->path) || (wanted && !f->wanted)) continue;
        if (!first) first = f;
        else if (!is_same_model(first->path, f->path)) *more = true;
    }
    return first;
}

/* "a-q4_0.gguf, a-q8_0.gguf, ...", as a terminal can show them: these names are judged by nobody before. */
static const char *name_models(const pull_job *j, char *out, size_t size)
{
    const char *last = NULL;
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < j->n; i++) {
        const char *path = j->files[i].path;
        if (!stem_of(path) || (last && is_same_model(last, path))) continue;
        const size_t n = strlen(path);
        if (used + n + 8 > size) {
            snprintf(out + used, size - used, ", ...");
            break;
        }
        if (last) used += (size_t)snprintf(out + used, size - used, ", ");
        used += strlen(pull_shown(path, out + used, size - used));
        last = path;
    }
    return out;
}

static weft_status choose_gguf(pull_job *j, weft_error *err)
{
    char names[300], shown[200];
    bool more;
    pull_file *first = first_gguf(j, false, &more);
    if (!first)
        return WEFT_FAIL(err, WEFT_NOT_FOUND,
                         "%s: no %s, no %s and no GGUF file: nothing that can be run (--include pulls other files)",
                         j->repository, WEIGHTS, INDEX);
    if (more)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: several GGUF models: choose by --include, as in --include '%s': %s",
                         j->repository, pull_shown(first->path, shown, sizeof shown),
                         name_models(j, names, sizeof names));
    for (size_t i = 0; i < j->n; i++) j->files[i].wanted = is_same_model(first->path, j->files[i].path);
    return WEFT_OK;
}

const pull_file *pull_only_gguf(const pull_job *j)
{
    bool more;
    const pull_file *first = first_gguf(j, true, &more);
    for (size_t i = 0; i < j->n; i++)
        if (j->files[i].wanted && ends_with(j->files[i].path, ".safetensors")) return NULL;
    return more ? NULL : first;
}

/* ---- safetensors ---- */

static bool choose_adapter(pull_job *j)
{
    pull_file *config = pull_find(j, of_adapters[0]), *weights = pull_find(j, of_adapters[1]);
    if (!config || !weights) return false;
    config->wanted = weights->wanted = true;
    return true;
}

weft_status pull_choose(pull_job *j, const pull_file **index, weft_error *err)
{
    *index = NULL;
    if (j->n_include) return choose_included(j, err);
    pull_file *weights = pull_find(j, WEIGHTS), *list = pull_find(j, INDEX);
    if (!weights && !list) return choose_adapter(j) ? WEFT_OK : choose_gguf(j, err);
    if (!pull_find(j, "config.json"))
        return WEFT_FAIL(err, WEFT_NOT_FOUND,
                         "%s: no config.json: nothing that can be run (--include pulls other files)", j->repository);
    if (!weights && list->size > HUB_MAX_INDEX)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s has %llu bytes, the limit is %d", j->repository, INDEX,
                         (unsigned long long)list->size, HUB_MAX_INDEX);
    for (size_t i = 0; i < j->n; i++)
        for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
            if (matches(needed[k], j->files[i].path)) j->files[i].wanted = true;
    if (weights) weights->wanted = true;
    else list->wanted = true;
    *index = weights ? NULL : list;
    return WEFT_OK;
}

weft_status pull_choose_shards(pull_job *j, const char *path, weft_error *err)
{
    json_error_t fault;
    const char *tensor;
    char shown[120];
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &fault), *file;
    json_t *map = json_object_get(root, "weight_map");
    weft_status s = WEFT_OK;
    if (!json_object_size(map)) s = WEFT_FAIL(err, WEFT_FORMAT, "%s: %s names no weights", j->repository, INDEX);
    json_object_foreach(map, tensor, file)
    {
        pull_file *f = s || !json_is_string(file) ? NULL : pull_find(j, json_string_value(file));
        if (f) f->wanted = true;
        else if (!s)
            s = WEFT_FAIL(err, WEFT_FORMAT, "%s: %s names a file that is not there: '%s'", j->repository, INDEX,
                          pull_shown(json_is_string(file) ? json_string_value(file) : "", shown, sizeof shown));
    }
    json_decref(root);
    return s;
}
