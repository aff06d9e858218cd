/* hub.c: MODEL as a name on the Hugging Face hub ("EleutherAI/pythia-70m"): the snapshot of it in the cache that
 * Hugging Face's own programs fill. Nothing is ever fetched. */
#include "tools/cli.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_PATH = 4096, MAX_NAME = 96 };

static bool exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}

static bool join(char *out, const char *folder, const char *name)
{
    int n = snprintf(out, MAX_PATH, "%s/%s", folder, name);
    return n > 0 && n < MAX_PATH;
}

/* "owner/name" or "name", by the hub's rules; what looks like a file is none. */
static bool is_hub_name(const char *s)
{
    static const char *const files[] = { ".json", ".safetensors", ".gguf", ".bin", ".txt", ".weft", ".git" };
    size_t n = strlen(s), slashes = 0;
    if (!n || n > MAX_NAME || strstr(s, "--") || strstr(s, "..")) return false;
    for (size_t i = 0; i < n; i++) {
        bool edge = !i || i + 1 == n || s[i - 1] == '/' || s[i + 1] == '/';
        if (s[i] == '/') slashes++;
        if (s[i] == '/' ? edge : !isalnum((unsigned char)s[i]) && (edge ? s[i] != '_' : !strchr("-_.", s[i])))
            return false;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t k = strlen(files[i]);
        if (n >= k && !strcmp(s + n - k, files[i])) return false;
    }
    return slashes <= 1;
}

/* ---- the cache ---- */

/* A folder that a variable names, "~" for the home folder; false: the variable is not set. */
static bool from_variable(const char *name, const char *below, char *out)
{
    const char *value = getenv(name), *home = getenv("HOME");
    if (!value || !*value) return false;
    bool tilde = *value == '~' && (value[1] == '/' || !value[1]) && home;
    int n = snprintf(out, MAX_PATH, "%s%s%s", tilde ? home : "", tilde ? value + 1 : value, below);
    return n > 0 && n < MAX_PATH;
}

/* As huggingface_hub finds it. */
static bool cache_folder(char *out)
{
    return from_variable("HF_HUB_CACHE", "", out) || from_variable("HUGGINGFACE_HUB_CACHE", "", out) ||
           from_variable("HF_HOME", "/hub", out) || from_variable("XDG_CACHE_HOME", "/huggingface/hub", out) ||
           from_variable("HOME", "/.cache/huggingface/hub", out);
}

/* Whether every file that an index names is there. */
static bool has_shards(const char *snapshot, const char *index)
{
    char path[MAX_PATH];
    const char *tensor;
    json_t *file, *root = json_load_file(index, 0, NULL), *map = json_object_get(root, "weight_map");
    bool all = json_object_size(map) > 0;
    json_object_foreach(map, tensor, file)
    {
        const char *name = json_string_value(file);
        all = all && name && join(path, snapshot, name) && exists(path);
    }
    json_decref(root);
    return all;
}

/* A snapshot with its configuration and weights: a download that was broken off, or of single files, is none. */
static bool is_complete(const char *snapshot)
{
    char path[MAX_PATH];
    if (!join(path, snapshot, "config.json") || !exists(path)) return false;
    if (join(path, snapshot, "model.safetensors") && exists(path)) return true;
    return join(path, snapshot, "model.safetensors.index.json") && exists(path) && has_shards(snapshot, path);
}

/* The snapshot of the main branch; false: there is none. */
static bool find_main(const char *repository, char *out)
{
    char path[MAX_PATH], commit[128] = "", name[160];
    if (!join(path, repository, "refs/main")) return false;
    FILE *f = fopen(path, "re");
    if (f && !fgets(commit, sizeof commit, f)) *commit = 0;
    if (f) fclose(f);
    commit[strcspn(commit, " \r\n")] = 0;
    if (!*commit || strchr(commit, '/') || *commit == '.') return false;
    snprintf(name, sizeof name, "snapshots/%s", commit);
    return join(out, repository, name) && exists(out);
}

/* How many complete snapshots there are, and one of them. */
static uint32_t find_complete(const char *repository, char *out)
{
    char snapshots[MAX_PATH], path[MAX_PATH];
    uint32_t n = 0;
    DIR *dir = join(snapshots, repository, "snapshots") ? opendir(snapshots) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (*e->d_name == '.' || !join(path, snapshots, e->d_name) || !is_complete(path)) continue;
        n++;
        strcpy(out, path);
    }
    if (dir) closedir(dir);
    return n;
}

/* The snapshot of the main branch; where that is not complete, the one that is; at last whatever there is of main,
 * which is enough for some commands, and of which the model's own messages say what is missing. */
static int find_snapshot(const char *name, const char *repository, char *out)
{
    char other[MAX_PATH];
    bool has_main = find_main(repository, out);
    if (has_main && is_complete(out)) return 0;
    uint32_t n = find_complete(repository, other);
    if (n == 1) strcpy(out, other);
    if (n == 1 || (!n && has_main)) return 0;
    if (!n) return cli_fail("%s: %s has no snapshot: `hf download %s` fetches it", name, repository, name);
    return cli_fail("%s: refs/main names none of the %u snapshots in %s: give the path of one", name, n, repository);
}

/* "models--owner--name" in the cache. */
static bool repository_folder(const char *cache, const char *name, char *out)
{
    char folder[MAX_NAME + 16];
    const char *slash = strchr(name, '/');
    if (slash) snprintf(folder, sizeof folder, "models--%.*s--%s", (int)(slash - name), name, slash + 1);
    else snprintf(folder, sizeof folder, "models--%s", name);
    return join(out, cache, folder);
}

/* Whether the name could be a path with a mistake in it: of one word, or into a folder that is there. */
static bool looks_local(const char *name)
{
    char owner[MAX_NAME + 1];
    const char *slash = strchr(name, '/');
    if (!slash) return true;
    snprintf(owner, sizeof owner, "%.*s", (int)(slash - name), name);
    return exists(owner);
}

int cli_find_model(cli_args *a)
{
    char cache[MAX_PATH], repository[MAX_PATH], path[MAX_PATH];
    struct stat st;
    a->named = a->model;
    if (!strcmp(a->model, "-") || !lstat(a->model, &st) || !is_hub_name(a->model)) return 0;
    if (!cache_folder(cache) || !repository_folder(cache, a->model, repository)) return 0;
    if (!exists(repository)) {
        if (looks_local(a->model)) return 0;
        return cli_fail("%s: no such file or folder, nor in Hugging Face's cache, %s: `hf download %s` fetches it",
                        a->model, cache, a->model);
    }
    int status = find_snapshot(a->model, repository, path);
    if (status) return status;
    a->found = strdup(path);
    if (!a->found) return cli_fail("out of memory");
    a->model = a->found;
    return 0;
}

/* Two things that are often meant: to go on with a download, and to plan from the configuration alone. */
int cli_report_open(const cli_args *a, const weft_error *err)
{
    char path[MAX_PATH];
    if (a->found && !is_complete(a->found))
        return cli_fail("%s (`hf download %s` fetches what is missing)", err->text, a->named);
    if (a->command->sources && err->status == WEFT_NOT_FOUND && join(path, a->model, "config.json") && exists(path) &&
        !is_complete(a->model))
        return cli_fail("%s (without weights: weft %s %s)", err->text, a->command->name, path);
    return cli_report(err);
}
