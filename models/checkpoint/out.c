#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "safetensors.h"

weft_status weft__out_fail(weft_error *err, const char *path, const char *what)
{
    int e = errno;
    char reason[128];
    return WEFT_FAIL(err, WEFT_IO, "%s: cannot %s: %s", path, what, strerror_r(e, reason, sizeof reason));
}

/* Whether fd is still what path names: who wrote it before may have renamed it before the lock was there. */
static bool is_at(int fd, const char *path)
{
    struct stat a, b;
    return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A file system without locks has none. */
static weft_status open_locked(const char *path, int *fd, weft_error *err)
{
    for (int i = 0; i < 10; i++) {
        *fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (*fd < 0) return weft__out_fail(err, path, "create");
        const bool locked = !flock(*fd, LOCK_EX | LOCK_NB);
        if (!locked && errno == EWOULDBLOCK) break;
        if (is_at(*fd, path)) return WEFT_OK;
        close(*fd);
        *fd = -1;
    }
    if (*fd >= 0) close(*fd);
    return WEFT_FAIL(err, WEFT_IO, "%s: another process is writing it", path);
}

weft_status weft__out_open(const char *path, weft__out *out, weft_error *err)
{
    *out = (weft__out){ .fd = -1, .path = strdup(path) };
    if (!out->path) return WEFT_OOM_FAIL(err, path);
    weft_status s = open_locked(path, &out->fd, err);
    if (!s && ftruncate(out->fd, 0)) {
        s = weft__out_fail(err, path, "empty");
        close(out->fd);
    }
    if (s) free(out->path);
    return s;
}

weft_status weft__out_write(weft__out *out, const void *data, size_t n, weft_error *err)
{
    const unsigned char *p = data;
    while (n) {
        ssize_t k = write(out->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return weft__out_fail(err, out->path, "write");
        p += k;
        n -= (size_t)k;
    }
    return WEFT_OK;
}

weft_status weft__out_sync(const weft__out *out, weft_status s, weft_error *err)
{
    return s == WEFT_OK && fsync(out->fd) != 0 ? weft__out_fail(err, out->path, "write") : s;
}

weft_status weft__out_close(weft__out *out, weft_status s, weft_error *err)
{
    s = weft__out_sync(out, s, err);
    if (close(out->fd) != 0 && s == WEFT_OK) s = weft__out_fail(err, out->path, "write");
    free(out->path);
    return s;
}

weft_status weft__out_rename(const char *from, const char *to, weft_error *err)
{
    struct stat info;
    if (!stat(to, &info) && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: is no ordinary file", to); /* a device would be replaced by one */
    return rename(from, to) ? weft__out_fail(err, to, "create") : WEFT_OK;
}

/* ---- headers ---- */

static json_t *tensor_entry(const weft__file_tensor *t, uint64_t begin, uint64_t end)
{
    json_t *dims = json_array();
    for (uint32_t i = 0; i < t->rank; i++)
        if (json_array_append_new(dims, json_integer((json_int_t)t->dims[i])) != 0) {
            json_decref(dims);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->dtype->name, "shape", dims, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

/* The header's text, to be freed; NULL: out of memory. */
static char *header_text(const weft__file_tensor *tensors, size_t n_tensors, size_t *n)
{
    uint64_t at = 0, size;
    json_t *root = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    for (size_t i = 0; root && i < n_tensors; i++) {
        const weft__file_tensor *t = &tensors[i];
        weft__file_size(t->dtype, t->rank, t->dims, &size);
        if (json_object_set_new(root, t->name, tensor_entry(t, at, at + size)) != 0) {
            json_decref(root);
            root = NULL;
        }
        at += size;
    }
    char *text = root ? weft__json_dump(root, JSON_COMPACT, n) : NULL;
    json_decref(root);
    return text;
}

weft_status weft__out_header(weft__out *out, const weft__file_tensor *tensors, size_t n_tensors, weft_error *err)
{
    static const char spaces[8] = { ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' };
    unsigned char length[8];
    size_t n;
    char *text = header_text(tensors, n_tensors, &n);
    if (!text) return WEFT_OOM_FAIL(err, out->path);
    size_t pad = (8 - n % 8) % 8; /* so that the data begins at a multiple of 8 */
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)(n + pad) >> (8 * i));
    weft_status s = WEFT_OK;
    if (n + pad > WEFT__SAFETENSORS_MAX_HEADER)
        s = WEFT_FAIL(err, WEFT_LIMIT, "%s: too many tensors for one file", out->path);
    if (s == WEFT_OK) s = weft__out_write(out, length, sizeof length, err);
    if (s == WEFT_OK) s = weft__out_write(out, text, n, err);
    if (s == WEFT_OK) s = weft__out_write(out, spaces, pad, err);
    free(text);
    return s;
}
