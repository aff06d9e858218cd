/* snapshot.c: folders and names in the cache. A snapshot gets its names when all blobs are there, one link each, which
 * appears whole; the revision names the commit last. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tools/pull/pull.h"

static weft_status fail_path(const char *path, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_IO, "%s: %s", path, strerror(errno));
}

/* The folders that lead to a path, and the path itself if it is to be one. */
static weft_status make_folders(const char *path, bool itself, weft_error *err)
{
    char part[HUB_MAX_PATH];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        if (mkdir(part, 0777) && errno != EEXIST) return fail_path(part, err);
        *at = '/';
    }
    return itself && mkdir(part, 0777) && errno != EEXIST ? fail_path(part, err) : WEFT_OK;
}

/* Whether the revision can have a file of its name: git lets "v1" and "v1/fix" follow one another, and a cache keeps
 * the older one. */
static weft_status check_revision(const pull_job *j, weft_error *err)
{
    char refs[HUB_MAX_PATH], path[HUB_MAX_PATH];
    struct stat st;
    if (!strcmp(j->revision, j->commit)) return WEFT_OK;
    if (!hub_join(refs, j->folder, "refs") || !hub_join(path, refs, j->revision))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->folder);
    if (stat(path, &st) ? errno != ENOTDIR : S_ISREG(st.st_mode)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_IO, "%s: another revision's name is in the way: %s@%s pulls the same", path,
                     j->repository, j->commit);
}

weft_status pull_prepare(pull_job *j, weft_error *err)
{
    char path[HUB_MAX_PATH], locks[HUB_MAX_PATH];
    if (!hub_repository_folder(j->hub->cache, j->repository, j->folder) || !hub_join(locks, j->hub->cache, ".locks") ||
        !hub_repository_folder(locks, j->repository, j->locks) || !hub_join(path, j->folder, "blobs"))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->hub->cache);
    WEFT_TRY(make_folders(path, true, err));
    WEFT_TRY(check_revision(j, err));
    return make_folders(j->locks, true, err);
}

static int by_digest(const void *a, const void *b)
{
    const pull_file *const *x = a, *const *y = b;
    return strcmp((*x)->digest, (*y)->digest);
}

/* Adds up what is not there, files of the same bytes once: they are one blob. */
static weft_status count_missing(const pull_job *j, uint64_t *bytes, uint64_t *missing, weft_error *err)
{
    char path[HUB_MAX_PATH + 16];
    struct stat st;
    size_t n = 0;
    bool here;
    *bytes = *missing = 0;
    const pull_file **wanted = calloc(j->n + 1, sizeof *wanted);
    if (!wanted) return WEFT_OOM_FAIL(err, "a list of files");
    for (size_t i = 0; i < j->n; i++)
        if (j->files[i].wanted) wanted[n++] = &j->files[i];
    qsort(wanted, n, sizeof *wanted, by_digest);
    for (size_t i = 0; i < n; i++) {
        const pull_file *f = wanted[i];
        if ((i && !by_digest(&wanted[i - 1], &f)) || !pull_blob_path(j, f, path, &here) || here) continue;
        strcat(path, ".incomplete");
        const uint64_t some = !stat(path, &st) && (uint64_t)st.st_size <= f->size ? (uint64_t)st.st_size : 0;
        *bytes += f->size;
        *missing += f->size - some;
    }
    free(wanted);
    return WEFT_OK;
}

weft_status pull_check_room(const pull_job *j, uint64_t *bytes, uint64_t *missing, weft_error *err)
{
    struct statvfs room;
    WEFT_TRY(count_missing(j, bytes, missing, err));
    if (statvfs(j->folder, &room)) return fail_path(j->folder, err);
    const uint64_t free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
    if (*missing <= free_bytes) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_LIMIT, "%s: %.1f MiB are to come, and %s has room for %.1f MiB", j->repository,
                     (double)*missing / 0x1p20, j->folder, (double)free_bytes / 0x1p20);
}

/* A name beside `path` that nobody else uses. */
static bool temporary(const char *path, char out[HUB_MAX_PATH])
{
    char mark[PULL_MARK];
    const int n = snprintf(out, HUB_MAX_PATH, "%s.%s.tmp", path, pull_mark(mark));
    return n > 0 && n < HUB_MAX_PATH;
}

/* In place of the temporary name, which is gone in any case. */
static weft_status give_name(const char *now, const char *path, weft_error *err)
{
    if (!rename(now, path)) return WEFT_OK;
    const int why = errno;
    unlink(now);
    errno = why;
    return fail_path(path, err);
}

/* ---- links ---- */

/* "../../blobs/HASH", and a folder further up for each that the file is in. */
static bool target_of(const pull_file *f, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "../../");
    for (const char *at = strchr(f->path, '/'); at && used + 4 < size; at = strchr(at + 1, '/'))
        used += (size_t)snprintf(out + used, size - used, "../");
    return used + 8 + strlen(f->digest) < size && snprintf(out + used, size - used, "blobs/%s", f->digest) > 0;
}

/* Whether what has the name is what it should be: the link, or a copy where somebody's file system knows none. */
static bool is_linked(const char *path, const char *target, const pull_file *f)
{
    char now[HUB_MAX_PATH];
    struct stat st;
    const ssize_t n = readlink(path, now, sizeof now - 1);
    if (n > 0) now[n] = 0;
    if (n > 0) return !strcmp(now, target);
    return !lstat(path, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == f->size;
}

static weft_status link_file(const char *snapshot, const pull_file *f, weft_error *err)
{
    char path[HUB_MAX_PATH], target[HUB_MAX_PATH], now[HUB_MAX_PATH];
    if (!hub_join(path, snapshot, f->path) || !temporary(path, now) || !target_of(f, target, sizeof target))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", snapshot);
    if (is_linked(path, target, f)) return WEFT_OK;
    WEFT_TRY(make_folders(path, false, err));
    if (!symlink(target, path)) return WEFT_OK;
    if (errno != EEXIST) return fail_path(path, err);
    if (symlink(target, now)) return fail_path(now, err);
    return give_name(now, path, err);
}

/* ---- the revision ---- */

static weft_status write_text(const char *path, const char *text, weft_error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return fail_path(path, err);
    const size_t n = strlen(text);
    errno = 0;
    const bool ok = write(fd, text, n) == (ssize_t)n;
    int why = ok ? 0 : errno ? errno : ENOSPC; /* a part of it, and no more fits */
    if (close(fd) && !why) why = errno;
    if (!why) return WEFT_OK;
    unlink(path);
    errno = why;
    return fail_path(path, err);
}

/* Whether a file has this text and no more. */
static bool has_text(const char *path, const char *text)
{
    char now[PULL_COMMIT + 1];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof now);
    if (fd >= 0) close(fd);
    return n >= 0 && (size_t)n == strlen(text) && !memcmp(now, text, (size_t)n);
}

static weft_status write_revision(const pull_job *j, weft_error *err)
{
    char refs[HUB_MAX_PATH], path[HUB_MAX_PATH], now[HUB_MAX_PATH];
    if (!strcmp(j->revision, j->commit)) return WEFT_OK;
    if (!hub_join(refs, j->folder, "refs") || !hub_join(path, refs, j->revision) || !temporary(path, now))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->folder);
    if (has_text(path, j->commit)) return WEFT_OK; /* the cache may be one that is only read */
    WEFT_TRY(make_folders(path, false, err));
    WEFT_TRY(write_text(now, j->commit, err));
    return give_name(now, path, err);
}

weft_status pull_link(pull_job *j, weft_error *err)
{
    char snapshot[HUB_MAX_PATH], name[PULL_COMMIT + 16];
    snprintf(name, sizeof name, "snapshots/%s", j->commit);
    if (!hub_join(snapshot, j->folder, name)) return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->folder);
    WEFT_TRY(make_folders(snapshot, true, err));
    const pull_file *config = pull_find(j, "config.json"); /* last: with it a snapshot looks whole */
    for (size_t i = j->n; i--;)
        if (j->files[i].wanted && &j->files[i] != config) WEFT_TRY(link_file(snapshot, &j->files[i], err));
    if (config && config->wanted) WEFT_TRY(link_file(snapshot, config, err));
    WEFT_TRY(write_revision(j, err));
    const pull_file *gguf = pull_only_gguf(j);
    if (gguf && hub_join(j->model, snapshot, gguf->path)) return WEFT_OK;
    strcpy(j->model, snapshot);
    return WEFT_OK;
}
