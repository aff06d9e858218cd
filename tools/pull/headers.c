/* headers.c: what the lines before an answer say. A server may write anything there: each value has its room, and one
 * that does not fit counts as not said. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/pull/http_impl.h"

enum { MAX_HEADERS = 256 << 10 };

void pull_answer_init(pull_answer *a)
{
    *a = (pull_answer){ .length = UINT64_MAX, .from = UINT64_MAX, .total = UINT64_MAX };
}

static void keep(char *out, size_t size, const char *value, size_t n)
{
    if (n >= size || memchr(value, 0, n)) n = 0;
    memcpy(out, value, n);
    out[n] = 0;
}

/* W/"abc" and "abc" are abc. A linked one counts, wherever it stands. */
static void keep_digest(pull_answer *a, const char *value, size_t n)
{
    if (n > 2 && !memcmp(value, "W/", 2)) value += 2, n -= 2;
    if (n > 1 && value[0] == '"' && value[n - 1] == '"') value++, n -= 2;
    keep(a->digest, sizeof a->digest, value, n);
}

/* Digits alone; UINT64_MAX: something else, or too many. */
static uint64_t number(const char *value, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (value[i] < '0' || value[i] > '9' || v > (UINT64_MAX - 10) / 10) return UINT64_MAX;
        v = 10 * v + (uint64_t)(value[i] - '0');
    }
    return n ? v : UINT64_MAX;
}

/* "bytes 5-9/10" */
static void keep_range(pull_answer *a, const char *value, size_t n)
{
    static const char unit[] = "bytes ";
    const size_t k = sizeof unit - 1;
    if (n <= k || strncasecmp(value, unit, k)) return;
    const char *at = value + k, *end = value + n, *dash = memchr(at, '-', (size_t)(end - at));
    const char *slash = memchr(at, '/', (size_t)(end - at));
    if (dash) a->from = number(at, (size_t)(dash - at));
    if (slash) a->total = number(slash + 1, (size_t)(end - slash - 1));
}

/* <https://...>; rel="next", maybe among others */
static void keep_next(pull_answer *a, const char *value, size_t n)
{
    const char *end = value + n;
    while (value < end) {
        const char *open = memchr(value, '<', (size_t)(end - value));
        const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
        if (!close) return;
        const char *stop = memchr(close, '<', (size_t)(end - close));
        if (!stop) stop = end;
        if (memmem(close, (size_t)(stop - close), "rel=\"next\"", 10))
            keep(a->next, sizeof a->next, open + 1, (size_t)(close - open - 1));
        value = stop;
    }
}

static void keep_length(pull_answer *a, const char *v, size_t n)
{
    a->length = number(v, n);
}

static void keep_etag(pull_answer *a, const char *v, size_t n)
{
    if (!*a->digest) keep_digest(a, v, n);
}

/* Seconds; a date says nothing here. */
static void keep_retry(pull_answer *a, const char *v, size_t n)
{
    const uint64_t seconds = number(v, n);
    if (seconds != UINT64_MAX) a->retry_after = (double)seconds;
}

bool pull_answer_line(pull_answer *a, const char *line, size_t n)
{
#define TEXT(member) offsetof(pull_answer, member), sizeof a->member, NULL
    static const struct field {
        const char *name;
        size_t at, size; /* where its text is kept, */
        void (*keep)(pull_answer *a, const char *value, size_t n); /* or what reads it */
    } fields[] = {
        { "x-repo-commit", TEXT(commit) },    { "x-linked-size", TEXT(linked_size) }, { "x-error-code", TEXT(error) },
        { "x-error-message", TEXT(message) }, { "location", TEXT(location) },         { "etag", 0, 0, keep_etag },
        { "x-linked-etag", 0, 0, keep_digest }, { "link", 0, 0, keep_next },
        { "content-length", 0, 0, keep_length }, { "content-range", 0, 0, keep_range },
        { "retry-after", 0, 0, keep_retry },
    };
#undef TEXT
    a->bytes += n;
    if (n >= 5 && !memcmp(line, "HTTP/", 5)) { /* of what follows "100 Continue", too */
        const size_t bytes = a->bytes;
        pull_answer_init(a);
        a->bytes = bytes;
    }
    const char *colon = memchr(line, ':', n);
    for (size_t i = 0; colon && i < sizeof fields / sizeof *fields; i++) {
        const size_t k = (size_t)(colon - line);
        if (strlen(fields[i].name) != k || strncasecmp(line, fields[i].name, k)) continue;
        const char *value = colon + 1, *end = line + n;
        while (value < end && strchr(" \t", *value)) value++;
        while (end > value && strchr(" \t\r\n", end[-1])) end--;
        if (fields[i].keep) fields[i].keep(a, value, (size_t)(end - value));
        else keep((char *)a + fields[i].at, fields[i].size, value, (size_t)(end - value));
    }
    return a->bytes <= MAX_HEADERS;
}
