/* process_memory.c: how much memory the process can have: the machine's, or less where a control group (a container's,
 * say) or a limit of the process allows no more. Linux; elsewhere the files are not there and the machine's counts. */
#include "backends/process_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_PATH = 1024, MAX_LINE = 4096 };

/* A hierarchy of control groups that accounts for memory. */
typedef struct hierarchy {
    bool v2;
    char group[MAX_PATH]; /* the process's, from the hierarchy's root: "/user.slice/x" */
    char mount[MAX_PATH]; /* where the hierarchy is mounted, below the test's root */
} hierarchy;

static FILE *open_below(const char *root, const char *path)
{
    char full[2 * MAX_PATH];
    int n = snprintf(full, sizeof full, "%s%s", root, path);
    return n > 0 && (size_t)n < sizeof full ? fopen(full, "re") : NULL;
}

/* Whether a comma-separated list has the word. */
static bool lists(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at++)
        if ((at == list || at[-1] == ',') && (at[n] == 0 || at[n] == ',')) return true;
    return false;
}

/* The lowest limit in a file that holds one number, or "max" for none. */
static void take_limit(const char *root, const char *folder, const char *name, uint64_t *least)
{
    char path[MAX_PATH + 32], text[64], *end;
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = n > 0 && (size_t)n < sizeof path ? open_below(root, path) : NULL;
    if (!f) return;
    if (fgets(text, sizeof text, f) && *text >= '0' && *text <= '9') {
        unsigned long long x = strtoull(text, &end, 10);
        if ((*end == '\n' || !*end) && x < *least) *least = x;
    }
    fclose(f);
}

/* A group has no more than the groups that it lies in. Above memory.high a group is slowed down until it is below. */
static void take_group(const char *root, hierarchy *h, uint64_t *least)
{
    char folder[2 * MAX_PATH];
    int n = snprintf(folder, sizeof folder, "%s%s", h->mount, strcmp(h->group, "/") ? h->group : "");
    if (n <= 0 || (size_t)n >= sizeof folder) return;
    for (size_t top = strlen(h->mount);;) {
        if (h->v2) {
            take_limit(root, folder, "memory.max", least);
            take_limit(root, folder, "memory.high", least);
        } else {
            take_limit(root, folder, "memory.limit_in_bytes", least);
        }
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top) return;
        *slash = 0;
    }
}

/* "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup rw": finds the hierarchy's mount, and takes what of it is not
 * mounted away from the group's path. A group outside of the mount is taken for the mount itself. */
static bool read_mount(char *line, hierarchy *h)
{
    char within[MAX_PATH], type[32], options[MAX_PATH];
    char *rest = strstr(line, " - ");
    if (!rest || sscanf(rest, " - %31s %*s %1023s", type, options) != 2) return false;
    if (strcmp(type, h->v2 ? "cgroup2" : "cgroup") || (!h->v2 && !lists(options, "memory"))) return false;
    if (sscanf(line, "%*s %*s %*s %1023s %1023s", within, h->mount) != 2) return false;
    size_t n = strcmp(within, "/") ? strlen(within) : 0;
    bool inside = !strncmp(h->group, within, n) && (h->group[n] == '/' || !h->group[n]) && !strstr(h->group, "/..");
    memmove(h->group, inside ? h->group + n : "", (inside ? strlen(h->group + n) : 0) + 1);
    return true;
}

static void take_hierarchy(const char *root, hierarchy *h, uint64_t *least)
{
    char line[MAX_LINE];
    FILE *f = open_below(root, "/proc/self/mountinfo");
    if (!f) return;
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) found = read_mount(line, h);
    fclose(f);
    if (found) take_group(root, h, least);
}

/* "4:memory:/user.slice" of version 1, "0::/user.slice" of version 2; both may be there. */
static void take_groups(const char *root, uint64_t *least)
{
    char line[MAX_LINE];
    FILE *f = open_below(root, "/proc/self/cgroup");
    while (f && fgets(line, sizeof line, f)) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        hierarchy h = { .v2 = !controllers[1] };
        if ((!h.v2 && !lists(controllers + 1, "memory")) || strlen(group) >= sizeof h.group) continue;
        strcpy(h.group, group);
        take_hierarchy(root, &h, least);
    }
    if (f) fclose(f);
}

static void take_limit_of_process(const struct rlimit *l, uint64_t *least)
{
    if (l->rlim_cur != RLIM_INFINITY && l->rlim_cur < *least) *least = l->rlim_cur;
}

uint64_t weft__process_memory(const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t least = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
    take_groups(root, &least);
    struct rlimit l;
    if (!getrlimit(RLIMIT_AS, &l)) take_limit_of_process(&l, &least);
    if (!getrlimit(RLIMIT_DATA, &l)) take_limit_of_process(&l, &least);
    return least == UINT64_MAX ? 0 : least ? least : 1;
}

bool weft__parse_bytes(const char *text, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    unsigned long long n = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift) end++;
    if (*end || !n || n >> (63 - shift)) return false;
    *out = (uint64_t)n << shift;
    return true;
}
