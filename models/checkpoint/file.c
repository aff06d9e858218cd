/* file.c: maps and whole-file reads. Only regular files are opened, so a pipe or device in a model
 * folder never blocks. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* How the file begins that a clone without Git LFS has in place of a large one. */
static const char lfs_pointer[] = "version https://git-lfs.github.com/";

static weft_status system_fail(weft_error *err, const char *path, const char *what)
{
    int e = errno;
    char reason[128];
    if (e == ENOENT && weft__path_is_dangling(path))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: the link leads nowhere: an incomplete download?", path);
    const char *text = strerror_r(e, reason, sizeof reason);
    return WEFT_FAIL(err, e == ENOENT || e == ENOTDIR ? WEFT_NOT_FOUND : WEFT_IO,
                     "%s: cannot %s: %s", path, what, text);
}

static uint64_t nanoseconds(struct timespec t)
{
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static weft__file_id id_of(const struct stat *st)
{
#ifdef __APPLE__
    const struct timespec modified = st->st_mtimespec, changed = st->st_ctimespec;
#else
    const struct timespec modified = st->st_mtim, changed = st->st_ctim;
#endif
    return (weft__file_id){ (uint64_t)st->st_dev, (uint64_t)st->st_ino, nanoseconds(modified), nanoseconds(changed) };
}

/* Opens a regular file and says how long it is, and (id may be NULL) which. */
static weft_status open_regular(const char *path, int *fd, size_t *size, weft__file_id *id, weft_error *err)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return system_fail(err, path, "open");
    weft_status s = WEFT_OK;
    if (fstat(*fd, &st) != 0)
        s = system_fail(err, path, "stat");
    else if (!S_ISREG(st.st_mode))
        s = WEFT_FAIL(err, WEFT_IO, "%s: not a regular file", path);
    else if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        s = WEFT_FAIL(err, WEFT_LIMIT, "%s: too large for this machine's address space", path);
    if (s != WEFT_OK) {
        close(*fd);
        *fd = -1;
        return s;
    }
    *size = (size_t)st.st_size;
    if (id) *id = id_of(&st);
    return WEFT_OK;
}

weft_status weft__file_map_open(const char *path, weft__file_map *out, weft_error *err)
{
    int fd;
    size_t size;
    *out = (weft__file_map){ 0 };
    weft__file_id id;
    WEFT_TRY(open_regular(path, &fd, &size, &id, err));
    weft_status s = WEFT_OK;
    if (size) {
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            s = errno == ENOMEM
                    ? WEFT_FAIL(err, WEFT_OOM, "%s: no room to map %zu bytes", path, size)
                    : system_fail(err, path, "map");
        else
            *out = (weft__file_map){ p, size, id };
    }
    close(fd); /* the map stays */
    return s;
}

void weft__file_map_close(weft__file_map *m)
{
    if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
    *m = (weft__file_map){ 0 };
}

bool weft__file_map_holds(const weft__file_map *m, const void *data, uint64_t bytes)
{
    const uintptr_t begin = (uintptr_t)m->data, at = (uintptr_t)data;
    return m->size && at >= begin && at - begin <= m->size && bytes <= m->size - (at - begin);
}

weft_status weft__file_check_fetched(const char *path, const void *data, size_t size, weft_error *err)
{
    size_t n = sizeof lfs_pointer - 1;
    if (!size) return WEFT_FAIL(err, WEFT_FORMAT, "%s: the file is empty: an incomplete download?", path);
    if (size >= n && memcmp(data, lfs_pointer, n) == 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: a Git LFS pointer in place of the file; `git lfs pull` fetches it",
                         path);
    return WEFT_OK;
}

weft_status weft__file_read(const char *path, size_t max, char **data, size_t *size,
                            weft_error *err)
{
    int fd;
    size_t n, got = 0;
    *data = NULL;
    *size = 0;
    WEFT_TRY(open_regular(path, &fd, &n, NULL, err));
    weft_status s = WEFT_OK;
    char *text = NULL;
    if (n > max)
        s = WEFT_FAIL(err, WEFT_LIMIT, "%s: %zu bytes, more than the %zu that such a file may have",
                      path, n, max);
    else if (!(text = malloc(n + 1)))
        s = WEFT_OOM_FAIL(err, path);
    while (s == WEFT_OK && got < n) {
        ssize_t k = read(fd, text + got, n - got);
        if (k > 0)
            got += (size_t)k;
        else if (k == 0)
            n = got; /* shortened meanwhile */
        else if (errno != EINTR)
            s = system_fail(err, path, "read");
    }
    close(fd);
    if (s == WEFT_OK) s = weft__file_check_fetched(path, text, got, err);
    if (s != WEFT_OK) {
        free(text);
        return s;
    }
    text[got] = 0;
    *data = text;
    *size = got;
    return WEFT_OK;
}

char *weft__path_join(const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    bool slash = a && folder[a - 1] != '/';
    char *p = malloc(a + b + 2);
    if (!p) return NULL;
    memcpy(p, folder, a);
    if (slash) p[a++] = '/';
    memcpy(p + a, name, b + 1);
    return p;
}

char *weft__path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return strdup(".");
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    char *p = malloc(n + 1);
    if (!p) return NULL;
    memcpy(p, path, n);
    p[n] = 0;
    return p;
}

const char *weft__path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool weft__path_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool weft__path_is_dangling(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && stat(path, &st) != 0;
}

bool weft__path_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool weft__file_begins(const char *path, const char *text)
{
    int fd;
    size_t size, n = strlen(text);
    char begin[16];
    if (n > sizeof begin || open_regular(path, &fd, &size, NULL, NULL)) return false;
    ssize_t got = read(fd, begin, n);
    close(fd);
    return got == (ssize_t)n && memcmp(begin, text, n) == 0;
}

bool weft__ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && memcmp(s + n - m, tail, m) == 0;
}

const char *weft__quote(char buf[WEFT__QUOTE_SIZE], const char *s)
{
    size_t n = 0;
    for (; s[n] && n < WEFT__QUOTE_SIZE - 4; n++) {
        unsigned char c = (unsigned char)s[n];
        buf[n] = c < 0x20 || c == 0x7f ? '?' : s[n];
    }
    memcpy(buf + n, s[n] ? "..." : "", s[n] ? 4 : 1);
    return buf;
}
