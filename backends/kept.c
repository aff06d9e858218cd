/* kept.c: files of packed weights. */
#include "backends/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* FORMAT changes with the header or the checksum. */
enum { FORMAT = 1, PIECE = 1 << 20, LANES = 8, MAX_PATH = 4096 };

typedef struct header {
    char magic[8];
    uint32_t format, text_size; /* in the byte order of who wrote it */
    uint64_t bytes, checksum;
    char text[WEFT__KEPT_HEADER - 32];
} header;
_Static_assert(sizeof(header) == WEFT__KEPT_HEADER && WEFT__KEPT_TEXT < WEFT__KEPT_HEADER - 32, "one page");

static weft_status system_fail(weft_error *err, const char *path, const char *what)
{
    const int e = errno;
    char reason[128];
    return WEFT_FAIL(err, WEFT_IO, "%s: cannot %s: %s", path, what, strerror_r(e, reason, sizeof reason));
}

/* ---- checksum: eight streams of words, so that it runs as fast as memory is read ---- */

typedef struct sum { uint64_t lane[LANES], bytes; } sum;

static void add_block(sum *s, const unsigned char *p)
{
    for (int i = 0; i < LANES; i++) {
        uint64_t word;
        memcpy(&word, p + 8 * i, 8);
        s->lane[i] = weft__kept_mix(s->lane[i], word);
    }
}

/* Pieces but the last are multiples of 64 bytes. */
static void add(sum *s, const unsigned char *p, uint64_t n)
{
    unsigned char last[8 * LANES] = { 0 };
    const uint64_t whole = n / sizeof last * sizeof last;
    for (uint64_t at = 0; at < whole; at += sizeof last) add_block(s, p + at);
    s->bytes += n;
    if (whole == n) return;
    memcpy(last, p + whole, n - whole);
    add_block(s, last);
}

static uint64_t finish(const sum *s)
{
    uint64_t h = s->bytes;
    for (int i = 0; i < LANES; i++) h = weft__kept_mix(h, s->lane[i]);
    return weft__kept_mix(h, h >> 32);
}

uint64_t weft__kept_mix_text(uint64_t h, const char *text)
{
    for (; *text; text++) h = weft__kept_mix(h, (unsigned char)*text);
    return weft__kept_mix(h, 256);
}

/* ---- names ---- */

static bool make_path(const char *folder, const weft__kept_key *key, const char *end, char out[MAX_PATH])
{
    const int n = snprintf(out, MAX_PATH, "%s/%016llx.packed%s", folder, (unsigned long long)key->slot, end);
    return n > 0 && n < MAX_PATH;
}

weft_status weft__kept_prepare(const char *folder, weft_error *err)
{
    char part[MAX_PATH];
    const size_t n = strlen(folder);
    if (!n || n >= sizeof part) return WEFT_FAIL(err, WEFT_INVALID, "a folder's name of %zu bytes", n);
    for (size_t i = 1; i <= n; i++) { /* with its parents; what fails shows at the end */
        if (folder[i] != '/' && folder[i]) continue;
        memcpy(part, folder, i);
        part[i] = 0;
        if (mkdir(part, 0777) && errno != EEXIST && i == n) return system_fail(err, folder, "make the folder");
    }
    struct stat st;
    if (stat(folder, &st)) return system_fail(err, folder, "make the folder");
    if (!S_ISDIR(st.st_mode)) return WEFT_FAIL(err, WEFT_IO, "%s: not a folder", folder);
    return access(folder, W_OK | X_OK) ? system_fail(err, folder, "write in the folder") : WEFT_OK;
}

static header make_header(const weft__kept_key *key, uint64_t checksum)
{
    header h = { .format = FORMAT, .text_size = (uint32_t)strlen(key->text), .bytes = key->bytes,
                 .checksum = checksum };
    memcpy(h.magic, "weftkept", 8);
    memcpy(h.text, key->text, h.text_size);
    return h;
}

/* ---- reading ---- */

/* The whole file, if it is as long as it must be. */
static void *map_file(const char *path, uint64_t size)
{
    struct stat st;
    void *p = MAP_FAILED;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return NULL;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size && size <= SIZE_MAX)
        p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd); /* the map stays */
    return p == MAP_FAILED ? NULL : p;
}

static bool is_sound(const unsigned char *file, const weft__kept_key *key)
{
    header found;
    memcpy(&found, file, sizeof found);
    const header want = make_header(key, found.checksum);
    if (memcmp(&found, &want, sizeof want)) return false;
    sum s = { { 0 }, 0 };
    add(&s, file + sizeof found, key->bytes);
    return finish(&s) == found.checksum;
}

weft__kept_map weft__kept_find(const char *folder, const weft__kept_key *key)
{
    char path[MAX_PATH];
    unsigned char *file = NULL;
    if (make_path(folder, key, "", path)) file = map_file(path, key->bytes + WEFT__KEPT_HEADER);
    weft__kept_map m = { .data = file ? file + WEFT__KEPT_HEADER : NULL, .bytes = key->bytes };
    if (!file) return m;
    madvise(file, (size_t)key->bytes + WEFT__KEPT_HEADER, MADV_WILLNEED);
    if (!is_sound(file, key)) weft__kept_unmap(&m);
    return m;
}

void weft__kept_unmap(weft__kept_map *m)
{
    if (m->data) munmap((void *)(uintptr_t)(m->data - WEFT__KEPT_HEADER), (size_t)m->bytes + WEFT__KEPT_HEADER);
    m->data = NULL;
}

/* ---- writing ---- */

static weft_status put(int fd, const char *path, const void *data, uint64_t n, uint64_t at, weft_error *err)
{
    const unsigned char *p = data;
    while (n) {
        const ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return system_fail(err, path, "write");
        p += k;
        at += (uint64_t)k;
        n -= (uint64_t)k;
    }
    return WEFT_OK;
}

static weft_status put_all(int fd, const char *path, const weft__kept_key *key, weft__kept_read *read, void *ctx,
                           weft_error *err)
{
    sum s = { { 0 }, 0 };
    unsigned char *piece = malloc(PIECE);
    if (!piece) return WEFT_OOM_FAIL(err, path);
    weft_status status = WEFT_OK;
    for (uint64_t at = 0, n; !status && at < key->bytes; at += n) {
        n = key->bytes - at < PIECE ? key->bytes - at : PIECE;
        status = read(ctx, at, piece, n, err);
        if (status) break;
        add(&s, piece, n);
        status = put(fd, path, piece, n, WEFT__KEPT_HEADER + at, err);
    }
    free(piece);
    if (status) return status;
    const header h = make_header(key, finish(&s));
    return put(fd, path, &h, sizeof h, 0, err);
}

/* An empty file that this process alone writes, or *fd -1: another one does, or has just given it its name; or the
 * folder was removed meanwhile. */
static weft_status open_alone(const char *path, int *fd, weft_error *err)
{
    struct stat mine, there;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*fd < 0) return errno == ENOENT ? WEFT_OK : system_fail(err, path, "create");
    const bool locked = !flock(*fd, LOCK_EX | LOCK_NB);
    weft_status s = locked || errno == EWOULDBLOCK ? WEFT_OK : system_fail(err, path, "lock");
    if (locked && !fstat(*fd, &mine) && !stat(path, &there) && mine.st_ino == there.st_ino &&
        mine.st_dev == there.st_dev) {
        if (!ftruncate(*fd, 0)) return WEFT_OK;
        s = system_fail(err, path, "write");
    }
    close(*fd);
    *fd = -1;
    return s;
}

weft_status weft__kept_write(const char *folder, const weft__kept_key *key, weft__kept_read *read, void *ctx,
                             weft_error *err)
{
    char path[MAX_PATH], partial[MAX_PATH];
    int fd;
    if (!make_path(folder, key, "", path) || !make_path(folder, key, ".partial", partial))
        return WEFT_FAIL(err, WEFT_IO, "%s: the name is too long", folder);
    WEFT_TRY(open_alone(partial, &fd, err));
    if (fd < 0) return WEFT_OK;
    weft_status s = put_all(fd, partial, key, read, ctx, err);
    if (!s && rename(partial, path) && errno != ENOENT) s = system_fail(err, path, "create"); /* else: removed */
    if (s) unlink(partial);
    close(fd); /* and with it the lock */
    return s;
}
