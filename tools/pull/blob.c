/* blob.c: one file's bytes: under a lock, from where an earlier pull was broken off, with the hash of all of them. What
 * is not whole and checked is called HASH.incomplete and stays, for the next pull; it is renamed to HASH. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/pull/pull.h"

enum { CHUNK = 1 << 20 };

typedef struct fetch {
    pull_job *job;
    const pull_file *file;
    cli_work *work;
    uint64_t told;   /* bytes that the work knows of */
    int fd;          /* of what is not complete */
    uint64_t at;     /* its length, all of it hashed */
    bool resumed;    /* it begins with what was there before */
    bool restarted;  /* after a wrong hash */
    pull_digest *digest;
    char path[HUB_MAX_PATH], incomplete[HUB_MAX_PATH];
} fetch;

bool pull_blob_path(const pull_job *j, const pull_file *f, char out[HUB_MAX_PATH], bool *here)
{
    struct stat st;
    const int n = snprintf(out, HUB_MAX_PATH, "%s/blobs/%s", j->folder, f->digest);
    const bool ok = n > 0 && n < HUB_MAX_PATH;
    *here = ok && !stat(out, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == f->size;
    return ok;
}

static weft_status fail_file(const fetch *f, const char *what, int why, weft_error *err)
{
    const bool full = why == ENOSPC || why == EDQUOT;
    return WEFT_FAIL(err, WEFT_IO, "%s: %s: %s%s", f->incomplete, what, strerror(why),
                     full ? " (what has come stays for the next pull)" : "");
}

static weft_status tell(fetch *f, weft_error *err)
{
    if (!f->work || f->at <= f->told) return WEFT_OK;
    const uint64_t more = f->at - f->told;
    f->told = f->at;
    return cli_work_did(f->work, more, err);
}

/* ---- the lock ---- */

static weft_status lock_failed(const char *path, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_IO, "%s: %s", path, strerror(errno));
}

/* Whether the open file is still the one of that name: who had it before us may have removed it. */
static bool is_file_of(int fd, const char *path)
{
    struct stat a, b;
    return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Some file systems of clusters have no locks. */
static bool has_no_locks(int why)
{
    return why == ENOSYS || why == EOPNOTSUPP || why == ENOLCK;
}

/* As huggingface_hub locks. The kernel gives the lock back when its holder ends, however that is. *out: -1 where there
 * are no locks. */
static weft_status lock_blob(const fetch *f, int *out, weft_error *err)
{
    char path[HUB_MAX_PATH + PULL_DIGEST + 8];
    bool said = false;
    const struct timespec pause = { .tv_nsec = 50000000 };
    snprintf(path, sizeof path, "%s/%s.lock", f->job->locks, f->file->digest);
    for (;;) {
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
        if (fd < 0) return lock_failed(path, err);
        while (flock(fd, LOCK_EX | LOCK_NB)) {
            if (has_no_locks(errno)) {
                close(fd);
                *out = -1;
                return WEFT_OK;
            }
            weft_status s = errno != EWOULDBLOCK && errno != EINTR ? lock_failed(path, err) : WEFT_OK;
            if (!s && cli_interrupted())
                s = WEFT_FAIL(err, WEFT_CANCELLED, "cancelled while another pull fetches %s", f->file->path);
            if (s) {
                close(fd);
                return s;
            }
            if (!said) {
                cli_progress_end();
                fprintf(stderr, "note: %s: another pull fetches it; waiting\n", f->file->path);
            }
            said = true;
            nanosleep(&pause, NULL);
        }
        *out = fd;
        if (is_file_of(fd, path)) return WEFT_OK;
        close(fd);
    }
}

/* ---- what is there already ---- */

/* Forgets it. */
static weft_status start_over(fetch *f, weft_error *err)
{
    if (ftruncate(f->fd, 0) || lseek(f->fd, 0, SEEK_SET) < 0) return fail_file(f, "could not be emptied", errno, err);
    pull_digest_reset(f->digest);
    f->at = 0;
    f->resumed = false;
    return WEFT_OK;
}

static weft_status hash_what_is_there(fetch *f, char *buffer, weft_error *err)
{
    for (;;) {
        const ssize_t n = read(f->fd, buffer, CHUNK);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_file(f, "could not be read", errno, err);
        if (!n) break;
        pull_digest_add(f->digest, buffer, (size_t)n);
        f->at += (uint64_t)n;
        if (cli_interrupted()) return WEFT_FAIL(err, WEFT_CANCELLED, "cancelled while pulling %s", f->job->repository);
        WEFT_TRY(tell(f, err));
    }
    f->resumed = f->at > 0;
    return f->at > f->file->size ? start_over(f, err) : WEFT_OK;
}

static weft_status open_incomplete(fetch *f, weft_error *err)
{
    f->digest = pull_digest_new(f->file);
    char *buffer = malloc(CHUNK);
    weft_status s = !f->digest || !buffer ? WEFT_OOM_FAIL(err, "a file's hash") : WEFT_OK;
    if (!s) f->fd = open(f->incomplete, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (!s && f->fd < 0) s = fail_file(f, "could not be opened", errno, err);
    if (!s) s = hash_what_is_there(f, buffer, err);
    free(buffer);
    return s;
}

/* ---- what comes ---- */

static weft_status begin(void *ctx, bool whole, uint64_t *from, weft_error *err)
{
    fetch *f = ctx;
    if (whole) WEFT_TRY(start_over(f, err));
    *from = f->at;
    return WEFT_OK;
}

/* The hub's words in the headers beside its words in the list. The hash of the bytes decides in the end; this saves
 * fetching them in vain. */
static weft_status check_words(void *ctx, const pull_answer *a, weft_error *err)
{
    const fetch *f = ctx;
    const char *name = f->job->repository, *path = f->file->path;
    char said[80];
    const size_t n = strlen(a->digest);
    const bool hash = n == strlen(f->file->digest) && strspn(a->digest, "0123456789abcdef") == n;
    if (*a->commit && strcmp(a->commit, f->job->commit) != 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: the hub answers for commit %s, not %s", name, path,
                         pull_shown(a->commit, said, sizeof said), f->job->commit);
    if (hash && strcmp(a->digest, f->file->digest) != 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: the hub says its hash is %s, and %s in its list of files", name,
                         path, a->digest, f->file->digest);
    if (*a->linked_size && strtoull(a->linked_size, NULL, 10) != f->file->size)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: the hub says it has %s bytes, and %llu in its list of files", name,
                         path, pull_shown(a->linked_size, said, sizeof said), (unsigned long long)f->file->size);
    return WEFT_OK;
}

/* Before the first bytes of an answer: that they are those that come next. */
static weft_status check_place(fetch *f, const pull_answer *a, weft_error *err)
{
    const unsigned long long size = f->file->size;
    if (a->status == 200 && f->at) WEFT_TRY(start_over(f, err)); /* a server without ranges: all of it again */
    if (a->status == 206 && a->from != f->at)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: asked for what follows %llu bytes, the server sends something else",
                         f->job->repository, f->file->path, (unsigned long long)f->at);
    const uint64_t all = a->status == 206 ? a->total : a->length;
    if (all != UINT64_MAX && all != size)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: the server has %llu bytes, the hub's list of files says %llu",
                         f->job->repository, f->file->path, (unsigned long long)all, size);
    return a->own ? check_words(f, a, err) : WEFT_OK;
}

static weft_status write_all(fetch *f, const char *data, size_t n, weft_error *err)
{
    while (n) {
        const ssize_t done = write(f->fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_file(f, "could not be written", errno, err);
        pull_digest_add(f->digest, data, (size_t)done);
        f->at += (uint64_t)done;
        data += done;
        n -= (size_t)done;
    }
    return tell(f, err);
}

static weft_status take(void *ctx, const pull_answer *a, bool first, const void *data, size_t n, weft_error *err)
{
    fetch *f = ctx;
    if (first) WEFT_TRY(check_place(f, a, err));
    if (n > f->file->size - f->at)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: more comes than the %llu bytes that the hub's list of files says",
                         f->job->repository, f->file->path, (unsigned long long)f->file->size);
    return write_all(f, data, n, err);
}

/* Whether it is all, and what it should be. A wrong hash after an earlier pull's bytes may be theirs: once more. */
static weft_status end(void *ctx, const pull_answer *a, bool *again, weft_error *err)
{
    fetch *f = ctx;
    char digest[PULL_DIGEST];
    (void)a;
    *again = f->at < f->file->size;
    if (*again)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: ended after %llu of %llu bytes", f->job->repository, f->file->path,
                         (unsigned long long)f->at, (unsigned long long)f->file->size);
    pull_digest_end(f->digest, digest);
    if (!strcmp(digest, f->file->digest)) return WEFT_OK;
    *again = f->resumed && !f->restarted;
    f->restarted = true;
    WEFT_TRY(start_over(f, err));
    return WEFT_FAIL(err, WEFT_FORMAT,
                     "%s: %s: what has come is not what the hub's list of files says: its hash is %s, not %s",
                     f->job->repository, f->file->path, digest, f->file->digest);
}

static weft_status ask(fetch *f, weft_error *err)
{
    char url[PULL_MAX_URL];
    const pull_job *j = f->job;
    const pull_taker t = { .ctx = f, .what = f->file->path, .begin = begin, .sent_on = check_words, .take = take,
                           .end = end };
    snprintf(url, sizeof url, "%s/%s/resolve/%s/", j->hub->endpoint, j->repository, j->commit);
    if (!pull_append_quoted(url, sizeof url, f->file->path, true))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s: the address is too long", j->repository, f->file->path);
    pull_answer *answer = malloc(sizeof *answer);
    if (!answer) return WEFT_OOM_FAIL(err, "an answer");
    const weft_status s = pull_http_get(&f->job->http, url, &t, answer, err);
    free(answer);
    return s;
}

/* Fetches what is missing, if anything is, and gives it its name. */
static weft_status complete(fetch *f, weft_error *err)
{
    bool again = false;
    weft_error why;
    WEFT_TRY(open_incomplete(f, err));
    const weft_status s = f->at == f->file->size ? end(f, NULL, &again, &why) : WEFT_FORMAT;
    if (s) WEFT_TRY(ask(f, err));
    if (fsync(f->fd)) return fail_file(f, "could not be written", errno, err);
    return rename(f->incomplete, f->path) ? fail_file(f, "could not be renamed", errno, err) : WEFT_OK;
}

const char *pull_mark(char out[PULL_MARK])
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) /* no kernel's, but another here at least */
        bits = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL);
    snprintf(out, PULL_MARK, "%016llx", (unsigned long long)bits);
    return out;
}

/* A name that the next pull finds; without locks one of this pull alone. */
static bool name_incomplete(fetch *f, bool alone)
{
    char mark[PULL_MARK];
    const int n = snprintf(f->incomplete, sizeof f->incomplete, "%s%s%s.incomplete", f->path, alone ? "." : "",
                           alone ? pull_mark(mark) : "");
    return n > 0 && (size_t)n < sizeof f->incomplete;
}

weft_status pull_blob(pull_job *j, const pull_file *file, cli_work *work, weft_error *err)
{
    fetch f = { .job = j, .file = file, .work = work, .fd = -1 };
    bool here;
    int lock = -1;
    if (!pull_blob_path(j, file, f.path, &here))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->folder);
    if (here) return WEFT_OK;
    WEFT_TRY(lock_blob(&f, &lock, err));
    if (!name_incomplete(&f, lock < 0)) {
        if (lock >= 0) close(lock);
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->folder);
    }
    pull_blob_path(j, file, f.path, &here); /* somebody else may have done it meanwhile */
    weft_status s = here ? WEFT_OK : complete(&f, err);
    f.at = s ? f.at : file->size;
    if (!s) s = tell(&f, err);
    if (f.fd >= 0) close(f.fd);
    free(f.digest);
    if (lock >= 0) close(lock);
    else if (s) unlink(f.incomplete);
    return s;
}
