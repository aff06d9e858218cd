/* hub.c: MODEL as a name on the Hugging Face hub ("EleutherAI/pythia-70m"): the snapshot of it in the cache that
 * `weft pull` and Hugging Face's own programs fill. Nothing is fetched here. */
#include "tools/hub.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/checkpoint/file.h"
#include "tools/cli.h"

bool hub_exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}

bool hub_join(char out[HUB_MAX_PATH], const char *folder, const char *name)
{
    int n = snprintf(out, HUB_MAX_PATH, "%s/%s", folder, name);
    return n > 0 && n < HUB_MAX_PATH;
}

static bool is_repository(const char *s)
{
    size_t n = strlen(s), slashes = 0;
    if (!n || strstr(s, "--") || strstr(s, "..")) return false;
    for (size_t i = 0; i < n; i++) {
        bool edge = !i || i + 1 == n || s[i - 1] == '/' || s[i + 1] == '/';
        if (s[i] == '/') slashes++;
        if (s[i] == '/' ? edge : !isalnum((unsigned char)s[i]) && (edge ? s[i] != '_' : !strchr("-_.", s[i])))
            return false;
    }
    return slashes <= 1;
}

/* What may stand in git's names, and in a file's below refs/. */
static bool is_revision(const char *s)
{
    const size_t n = strlen(s);
    if (!n || n > HUB_MAX_REVISION || strchr("/-.", *s) || strchr("/.", s[n - 1]) || strstr(s, "..") || strstr(s, "//"))
        return false;
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c == 0x7f || strchr("\\~^:?*[", c) || (c == '/' && s[1] == '.')) return false;
    }
    return true;
}

bool hub_split(const char *named, char name[HUB_MAX_NAME + 1], const char **revision)
{
    const size_t n = strcspn(named, "@");
    *revision = named[n] ? named + n + 1 : NULL;
    if (n > HUB_MAX_NAME) return false;
    memcpy(name, named, n);
    name[n] = 0;
    return is_repository(name) && (!*revision || is_revision(*revision));
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static bool looks_like_file(const char *name)
{
    static const char *const files[] = { ".json", ".safetensors", ".gguf", ".bin", ".txt", ".weft", ".git" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (ends_with(name, files[i])) return true;
    return false;
}

bool hub_repository_folder(const char *cache, const char *name, char out[HUB_MAX_PATH])
{
    char folder[HUB_MAX_NAME + 16];
    const char *slash = strchr(name, '/');
    if (slash) snprintf(folder, sizeof folder, "models--%.*s--%s", (int)(slash - name), name, slash + 1);
    else snprintf(folder, sizeof folder, "models--%s", name);
    return hub_join(out, cache, folder);
}

/* ---- snapshots ---- */

/* Whether every file that an index names is there. */
static bool has_shards(const char *snapshot, const char *index)
{
    char path[HUB_MAX_PATH];
    const char *tensor;
    char *text = NULL;
    size_t n = 0;
    const bool read = !weft__file_read(index, HUB_MAX_INDEX, &text, &n, NULL);
    json_t *file, *root = read ? json_loadb(text, n, 0, NULL) : NULL, *map = json_object_get(root, "weight_map");
    bool all = json_object_size(map) > 0;
    free(text);
    json_object_foreach(map, tensor, file)
    {
        const char *name = json_string_value(file);
        all = all && name && hub_join(path, snapshot, name) && hub_exists(path);
    }
    json_decref(root);
    return all;
}

static bool has_gguf(const char *snapshot)
{
    char path[HUB_MAX_PATH];
    bool found = false;
    DIR *dir = opendir(snapshot);
    for (struct dirent *e; dir && !found && (e = readdir(dir));)
        found = ends_with(e->d_name, ".gguf") && hub_join(path, snapshot, e->d_name) && hub_exists(path);
    if (dir) closedir(dir);
    return found;
}

/* A snapshot with its configuration and weights, or with a GGUF file: a download that was broken off, or of single
 * other files, is none. */
static bool is_complete(const char *snapshot)
{
    char path[HUB_MAX_PATH];
    const bool config = hub_join(path, snapshot, "config.json") && hub_exists(path);
    if (hub_join(path, snapshot, "model.safetensors") && hub_exists(path)) return config;
    if (hub_join(path, snapshot, "model.safetensors.index.json") && hub_exists(path))
        return config && has_shards(snapshot, path);
    return has_gguf(snapshot);
}

/* The snapshot of a revision: that refs/ has a commit of, or that is one. false: there is none. */
static bool find_revision(const char *repository, const char *revision, char *out)
{
    char path[HUB_MAX_PATH], refs[HUB_MAX_PATH], commit[128] = "", name[160];
    if (!hub_join(refs, repository, "refs") || !hub_join(path, refs, revision)) return false;
    FILE *f = fopen(path, "re");
    if (!f) snprintf(commit, sizeof commit, "%s", revision);
    else if (!fgets(commit, sizeof commit, f)) *commit = 0;
    if (f) fclose(f);
    commit[strcspn(commit, " \r\n")] = 0;
    if (!*commit || strchr(commit, '/') || *commit == '.') return false;
    snprintf(name, sizeof name, "snapshots/%s", commit);
    return hub_join(out, repository, name) && hub_exists(out);
}

/* How many complete snapshots there are, and one of them. */
static uint32_t find_complete(const char *repository, char *out)
{
    char snapshots[HUB_MAX_PATH], path[HUB_MAX_PATH];
    uint32_t n = 0;
    DIR *dir = hub_join(snapshots, repository, "snapshots") ? opendir(snapshots) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (*e->d_name == '.' || !hub_join(path, snapshots, e->d_name) || !is_complete(path)) continue;
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
    char other[HUB_MAX_PATH];
    bool has_main = find_revision(repository, "main", out);
    if (has_main && is_complete(out)) return 0;
    uint32_t n = find_complete(repository, other);
    if (n == 1) strcpy(out, other);
    if (n == 1 || (!n && has_main)) return 0;
    if (!n) return cli_fail("%s: %s has no snapshot: `weft pull %s` fetches it", name, repository, name);
    return cli_fail("%s: refs/main names none of the %u snapshots in %s: give the path of one", name, n, repository);
}

/* Whether the name could be a path with a mistake in it: of one word, or into a folder that is there. */
static bool looks_local(const char *name)
{
    char owner[HUB_MAX_NAME + 1];
    const char *slash = strchr(name, '/');
    if (!slash) return true;
    snprintf(owner, sizeof owner, "%.*s", (int)(slash - name), name);
    return hub_exists(owner);
}

int cli_find_model(cli_args *a)
{
    char cache[HUB_MAX_PATH], repository[HUB_MAX_PATH], path[HUB_MAX_PATH], name[HUB_MAX_NAME + 1];
    const char *revision;
    struct stat st;
    a->named = a->model;
    if (!strcmp(a->model, "-") || !lstat(a->model, &st)) return 0;
    if (!hub_split(a->model, name, &revision)) return 0;
    if (!hub_cache_folder(cache) || !hub_repository_folder(cache, name, repository)) return 0;
    if (!hub_exists(repository)) {
        if (looks_like_file(name) || looks_local(name)) return 0;
        return cli_fail("%s: no such file or folder, nor in Hugging Face's cache, %s: `weft pull %s` fetches it",
                        a->model, cache, a->model);
    }
    int status = revision ? 0 : find_snapshot(name, repository, path);
    if (revision && !find_revision(repository, revision, path))
        status = cli_fail("%s: %s has no snapshot of it: `weft pull %s` fetches it", a->model, repository, a->model);
    if (status) return status;
    a->found = strdup(path);
    if (!a->found) return cli_fail("out of memory");
    a->model = a->found;
    return 0;
}

/* Two things that are often meant: to go on with a download, and to plan from the configuration alone. */
int cli_report_open(const cli_args *a, const weft_error *err)
{
    char path[HUB_MAX_PATH];
    if (a->found && !is_complete(a->found))
        return cli_fail("%s (`weft pull %s` fetches what is missing)", err->text, a->named);
    if (a->command->sources && err->status == WEFT_NOT_FOUND && hub_join(path, a->model, "config.json") &&
        hub_exists(path) && !is_complete(a->model))
        return cli_fail("%s (without weights: weft %s %s)", err->text, a->command->name, path);
    return cli_report(err);
}
