/* fuzz_hub.c: what a hub says, through everything that reads it: lines of headers; then, after an empty line and with
 * lines of "--" between them, the answer that names a commit and the pages of the list of files, and which of those are
 * chosen. */
#include <stdlib.h>
#include <string.h>

#include "tools/pull/http_impl.h"
#include "tools/pull/pull.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- in place of the network ---- */

static struct {
    const uint8_t *at, *end;
} rest;

/* What comes before the next line of "--". */
static const uint8_t *next_part(size_t *n)
{
    const uint8_t *begin = rest.at;
    const uint8_t *cut = begin < rest.end ? memmem(begin, (size_t)(rest.end - begin), "\n--\n", 4) : NULL;
    *n = (size_t)((cut ? cut : rest.end) - begin);
    rest.at = cut ? cut + 4 : rest.end;
    return begin;
}

weft_status pull_http_get(pull_http *h, const char *url, const pull_taker *t, pull_answer *answer, weft_error *err)
{
    uint64_t from;
    size_t n;
    bool again;
    (void)h, (void)url;
    const uint8_t *part = next_part(&n);
    pull_answer_init(answer);
    if (rest.at < rest.end) strcpy(answer->next, "http://hub/page");
    WEFT_TRY(t->begin(t->ctx, false, &from, err));
    if (n) WEFT_TRY(t->take(t->ctx, answer, true, part, n / 2, err));
    if (n) WEFT_TRY(t->take(t->ctx, answer, false, part + n / 2, n - n / 2, err));
    return t->end(t->ctx, answer, &again, err);
}

bool cli_interrupted(void)
{
    return false;
}

weft_status pull_curl_open(pull_curl *out, weft_error *err)
{
    *out = (pull_curl){ 0 };
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "no network");
}

/* ---- the tests ---- */

static void read_headers(void)
{
    static pull_answer a;
    pull_answer_init(&a);
    while (rest.at < rest.end && *rest.at != '\n') {
        const uint8_t *cut = memchr(rest.at, '\n', (size_t)(rest.end - rest.at));
        const size_t n = (size_t)((cut ? cut + 1 : rest.end) - rest.at);
        char *line = malloc(n); /* of its own, so that nothing beyond it is read */
        memcpy(line, rest.at, n);
        rest.at += n;
        const bool more = pull_answer_line(&a, line, n);
        free(line);
        if (!more) break;
    }
    if (rest.at < rest.end) rest.at++;
    if (strlen(a.commit) >= sizeof a.commit || strlen(a.location) >= sizeof a.location) abort();
    if (strlen(a.next) >= sizeof a.next) abort();
}

/* By another way than the program's: a walk that never goes above where it began, of parts that are names. */
static void check_path(const char *path)
{
    int depth = 0;
    char *copy = strdup(path), *state = NULL;
    if (*path == '/' || strchr(path, '\\')) abort();
    for (char *part = strtok_r(copy, "/", &state); part; part = strtok_r(NULL, "/", &state)) {
        depth += !strcmp(part, "..") ? -1 : strcmp(part, ".") ? 1 : 0;
        if (depth < 1) abort();
    }
    for (const char *at = path; *at; at++)
        if (*at == 0x7f || (*at > 0 && *at < ' ')) abort();
    if (!depth) abort();
    free(copy);
}

static void check_files(const pull_job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        const pull_file *f = &j->files[i];
        if (strlen(f->digest) != (f->large ? 64 : 40)) abort();
        if (f->size > (uint64_t)1 << 44) abort();
        if (pull_find(j, f->path) != f) abort();
        if (pull_is_safe_path(f->path)) check_path(f->path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const all[] = { "*" };
    static const hub_settings hub = { .endpoint = "http://hub" };
    weft_error err;
    const pull_file *index;
    pull_job j = { .hub = &hub, .repository = "some/model", .revision = "main" };
    rest.at = data;
    rest.end = data + size;
    read_headers();
    if (!pull_list(&j, &err)) {
        check_files(&j);
        const weft_status s = pull_choose(&j, &index, &err);
        const pull_file *gguf = s ? NULL : pull_only_gguf(&j);
        if (gguf && !gguf->wanted) abort();
        j.include = all;
        j.n_include = 1;
        if (j.n && pull_choose(&j, &index, &err)) abort();
        for (size_t i = 0; i < j.n; i++)
            if (!j.files[i].wanted) abort();
    } else if (!*err.text) abort();
    pull_list_free(&j);
    return 0;
}
