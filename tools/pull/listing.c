/* listing.c: which commit a revision is and what files it has, as the hub's API says. Nothing of it is believed: hashes
 * are hashes, sizes are sizes, and there is an end to the pages. Names may be any: pull_is_safe_path judges them. */
#include <stdlib.h>
#include <string.h>

#include "tools/pull/pull.h"

enum {
    MAX_PAGE = 8 << 20, /* bytes of an answer */
    MAX_PAGES = 1000,
    MAX_FILES = 100000,
    MAX_NAMES = 64 << 20, /* bytes of all names */
    MAX_NAME = 255,
    MAX_PATH = 1024,
};
static const int64_t max_size = (int64_t)1 << 44; /* of a file: 16 TiB */

/* ---- answers that are JSON ---- */

typedef struct page {
    const char *repository, *what;
    char *data;
    size_t n, capacity;
} page;

static weft_status page_begin(void *ctx, bool whole, uint64_t *from, weft_error *err)
{
    page *p = ctx;
    (void)whole, (void)err;
    p->n = 0;
    *from = 0;
    return WEFT_OK;
}

static weft_status page_take(void *ctx, const pull_answer *a, bool first, const void *data, size_t n, weft_error *err)
{
    page *p = ctx;
    (void)a, (void)first;
    if (n > MAX_PAGE - p->n)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s: more than %d bytes", p->repository, p->what, MAX_PAGE);
    if (!weft__grow(&p->data, &p->capacity, p->n + n, 1)) return WEFT_OOM_FAIL(err, p->what);
    memcpy(p->data + p->n, data, n);
    p->n += n;
    return WEFT_OK;
}

static weft_status page_end(void *ctx, const pull_answer *a, bool *again, weft_error *err)
{
    (void)ctx, (void)a, (void)again, (void)err;
    return WEFT_OK;
}

static weft_status read_json(pull_job *j, const char *url, const char *what, pull_answer *answer, json_t **out,
                             weft_error *err)
{
    char shown[120];
    json_error_t fault;
    page p = { .repository = j->repository, .what = what };
    const pull_taker t = { .ctx = &p, .what = what, .small = true, .begin = page_begin, .take = page_take,
                           .end = page_end };
    weft_status s = pull_http_get(&j->http, url, &t, answer, err);
    *out = s ? NULL : json_loadb(p.data ? p.data : "", p.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!s && !*out)
        s = WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: no JSON: %s", j->repository, what,
                      pull_shown(fault.text, shown, sizeof shown));
    free(p.data);
    return s;
}

/* ---- the commit ---- */

static bool is_hex(const char *s, size_t n)
{
    return s && strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static weft_status find_commit(pull_job *j, pull_answer *answer, weft_error *err)
{
    char url[PULL_MAX_URL], what[160], shown[100];
    json_t *root;
    snprintf(what, sizeof what, "revision '%s'", pull_shown(j->revision, shown, sizeof shown));
    snprintf(url, sizeof url, "%s/api/models/%s/revision/", j->hub->endpoint, j->repository);
    if (!pull_append_quoted(url, sizeof url, j->revision, false))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s: too long", j->repository, what);
    WEFT_TRY(read_json(j, url, what, answer, &root, err));
    const char *sha = json_string_value(json_object_get(root, "sha"));
    const bool ok = is_hex(sha, 40) || is_hex(sha, 64);
    if (ok) strcpy(j->commit, sha);
    json_decref(root);
    if (ok) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: %s names no commit", j->repository, what, j->hub->endpoint);
}

/* ---- files ---- */

bool pull_is_safe_path(const char *path)
{
    if (!*path || strlen(path) > MAX_PATH) return false;
    for (const char *at = path; *at;) {
        const size_t n = strcspn(at, "/");
        if (!n || n > MAX_NAME || (n == 1 && *at == '.') || (n == 2 && at[0] == '.' && at[1] == '.')) return false;
        for (size_t i = 0; i < n; i++) {
            const unsigned char c = (unsigned char)at[i];
            if (c < ' ' || c == 0x7f || c == '\\') return false;
            if (c == 0xc2 && (unsigned char)at[i + 1] < 0xa0) return false; /* U+0080 to U+009F */
        }
        at += n;
        if (*at == '/' && !*++at) return false; /* a slash at the end */
    }
    return true;
}

static weft_status refuse_file(const pull_job *j, const char *path, const char *why, weft_error *err)
{
    char shown[200];
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: its list of files: '%s': %s", j->repository,
                     pull_shown(path ? path : "", shown, sizeof shown), why);
}

static weft_status add_file(pull_job *j, const json_t *entry, weft_error *err)
{
    const char *type = json_string_value(json_object_get(entry, "type"));
    const json_t *named = json_object_get(entry, "path");
    const char *path = json_string_value(named);
    const json_t *lfs = json_object_get(entry, "lfs"), *from = json_is_object(lfs) ? lfs : entry;
    const char *digest = json_string_value(json_object_get(from, "oid"));
    const json_t *size = json_object_get(from, "size");
    if (!type || !path) return refuse_file(j, path, "an entry without type or path", err);
    if (strcmp(type, "file") != 0) return WEFT_OK; /* a folder; what is in it is listed, too */
    if (strlen(path) != json_string_length(named)) return refuse_file(j, path, "a name with a zero in it", err);
    if (!is_hex(digest, from == lfs ? 64 : 40)) return refuse_file(j, path, "no hash of it", err);
    if (!json_is_integer(size) || json_integer_value(size) < 0 || json_integer_value(size) > max_size)
        return refuse_file(j, path, "no size that a file can have", err);
    j->names += strlen(path) + 1;
    if (j->n == MAX_FILES || j->names > MAX_NAMES) return refuse_file(j, path, "too many files", err);
    char *name = strdup(path);
    if (!name || !weft__grow(&j->files, &j->capacity, j->n + 1, sizeof *j->files)) {
        free(name);
        return WEFT_OOM_FAIL(err, "a list of files");
    }
    pull_file *f = &j->files[j->n++];
    *f = (pull_file){ .path = name, .large = from == lfs, .size = (uint64_t)json_integer_value(size) };
    strcpy(f->digest, digest);
    return WEFT_OK;
}

static weft_status add_page(pull_job *j, const json_t *root, weft_error *err)
{
    if (!json_is_array(root)) return WEFT_FAIL(err, WEFT_FORMAT, "%s: its list of files is no list", j->repository);
    for (size_t i = 0; i < json_array_size(root); i++) WEFT_TRY(add_file(j, json_array_get(root, i), err));
    return WEFT_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const pull_file *)a)->path, ((const pull_file *)b)->path);
}

static weft_status read_pages(pull_job *j, pull_answer *answer, weft_error *err)
{
    char url[PULL_MAX_URL];
    snprintf(url, sizeof url, "%s/api/models/%s/tree/%s?recursive=true", j->hub->endpoint, j->repository, j->commit);
    for (int i = 0; *url; i++) {
        json_t *root;
        WEFT_TRY(read_json(j, url, "its list of files", answer, &root, err));
        weft_status s = add_page(j, root, err);
        const bool goes_on = json_array_size(root) && i + 1 < MAX_PAGES;
        json_decref(root);
        if (s) return s;
        if (*answer->next && !goes_on)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s: its list of files has no end", j->repository);
        strcpy(url, answer->next);
    }
    return WEFT_OK;
}

weft_status pull_list(pull_job *j, weft_error *err)
{
    pull_answer *answer = malloc(sizeof *answer); /* which is no small thing */
    if (!answer) return WEFT_OOM_FAIL(err, "an answer");
    weft_status s = find_commit(j, answer, err);
    if (!s) s = read_pages(j, answer, err);
    free(answer);
    if (s) return s;
    if (j->n) qsort(j->files, j->n, sizeof *j->files, by_path);
    for (size_t i = 1; i < j->n; i++)
        if (!by_path(&j->files[i - 1], &j->files[i])) return refuse_file(j, j->files[i].path, "listed twice", err);
    return WEFT_OK;
}

void pull_list_free(pull_job *j)
{
    for (size_t i = 0; i < j->n; i++) free(j->files[i].path);
    free(j->files);
    j->files = NULL;
    j->n = j->capacity = 0;
}

pull_file *pull_find(const pull_job *j, const char *path)
{
    const pull_file key = { .path = (char *)(uintptr_t)path };
    return j->n ? bsearch(&key, j->files, j->n, sizeof key, by_path) : NULL;
}
