/* base.c: status names, the error record, text output and the bump arena. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *weft_version(void)
{
#define STR_(x) #x
#define STR(x) STR_(x)
    return STR(WEFT_VERSION_MAJOR) "." STR(WEFT_VERSION_MINOR) "." STR(WEFT_VERSION_PATCH);
#undef STR
#undef STR_
}

static const struct {
    const char *name, *sentence;
} statuses[WEFT_STATUS_COUNT] = {
#define X(name, sentence) [WEFT_##name] = { #name, sentence },
    WEFT_STATUS_LIST(X)
#undef X
};

const char *weft_status_name(weft_status s)
{
    return (unsigned)s < WEFT_STATUS_COUNT ? statuses[s].name : "?";
}

const char *weft_status_sentence(weft_status s)
{
    return (unsigned)s < WEFT_STATUS_COUNT ? statuses[s].sentence : "?";
}

/* Marks a text that did not fit. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted < 0 || (size_t)wanted >= size) memcpy(text + size - 4, "...", 4);
}

weft_status weft__fail_v(weft_error *err, weft_status status, const char *file, int line, const char *fmt,
                         va_list args)
{
    if (!err) return status;
    err->status = status;
    err->file = file;
    err->line = line;
    mark_cut(err->text, sizeof err->text, vsnprintf(err->text, sizeof err->text, fmt, args));
    return status;
}

weft_status weft__fail(weft_error *err, weft_status status, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weft__fail_v(err, status, file, line, fmt, args);
    va_end(args);
    return status;
}

weft_status weft__annotate(weft_error *err, weft_status status, const char *fmt, ...)
{
    if (!err) return status;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used > sizeof err->text - 8) used = sizeof err->text - 8; /* leaves room for the mark of a cut */
    size_t rest = sizeof err->text - used;
    mark_cut(err->text + used, rest, snprintf(err->text + used, rest, ": %s", old));
    return err->status;
}

bool weft_writef(const weft_writer *w, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) return false;
    if ((size_t)n < sizeof small) return w->write(w->ctx, small, (size_t)n);
    char *large = malloc((size_t)n + 1);
    if (!large) return false;
    va_start(args, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, args);
    va_end(args);
    bool ok = w->write(w->ctx, large, (size_t)n);
    free(large);
    return ok;
}

static bool text_write(void *ctx, const char *data, size_t n)
{
    weft_text *t = ctx;
    if (t->failed || n >= SIZE_MAX - t->size || !weft__grow(&t->data, &t->capacity, t->size + n + 1, 1)) {
        t->failed = true;
        return false;
    }
    memcpy(t->data + t->size, data, n);
    t->size += n;
    t->data[t->size] = 0;
    return true;
}

weft_writer weft_text_writer(weft_text *t)
{
    return (weft_writer){ t, text_write };
}

void weft_text_free(weft_text *t)
{
    free(t->data);
    *t = (weft_text){ 0 };
}

bool weft__grow(void *array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) return true;
    size_t n = *capacity < 8 ? 8 : *capacity, bytes;
    while (n < need) {
        if (n > SIZE_MAX / 2) return false;
        n *= 2;
    }
    if (__builtin_mul_overflow(n, size, &bytes)) return false;
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, bytes);
    if (!grown) return false;
    memcpy(array, &grown, sizeof grown);
    *capacity = n;
    return true;
}

/* ---- progress ---- */

weft_status weft__task_begin(weft__task *t, const weft_progress_sink *sink, const char *what, uint64_t total,
                             const char *unit, weft_error *err)
{
    *t = (weft__task){ .sink = sink, .at = { .what = what, .total = total, .unit = unit } };
    return weft__task_reach(t, 0, err);
}

weft_status weft__task_reach(weft__task *t, uint64_t done, weft_error *err)
{
    if (!t) return WEFT_OK;
    if (done > t->at.done) t->at.done = done;
    if (!t->sink || !t->sink->report || t->sink->report(t->sink->ctx, &t->at)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_CANCELLED, "cancelled while %s", t->at.what);
}

static bool report_again(void *ctx, const weft_progress *part)
{
    const weft__task *t = ctx;
    (void)part;
    return t->sink->report(t->sink->ctx, &t->at);
}

weft_progress_sink weft__task_part(weft__task *t)
{
    bool told = t && t->sink && t->sink->report;
    return (weft_progress_sink){ told ? report_again : NULL, t };
}

/* ---- arena ---- */

struct weft__arena_block {
    struct weft__arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void *weft__arena_alloc(weft__arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 4) return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    struct weft__arena_block *b = a->head;
    if (!b || b->size - b->used < bytes) {
        size_t want = bytes > 64 << 10 ? bytes : 64 << 10;
        struct weft__arena_block *fresh = calloc(1, sizeof *fresh + want);
        if (!fresh) return NULL;
        fresh->size = want;
        a->total += sizeof *fresh + want;
        fresh->next = b;
        a->head = b = fresh;
    }
    void *p = b->data + b->used;
    b->used += bytes;
    return p;
}

char *weft__arena_strdup(weft__arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = weft__arena_alloc(a, n, 1);
    if (copy) memcpy(copy, s, n);
    return copy;
}

void weft__arena_free(weft__arena *a)
{
    for (struct weft__arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (weft__arena){ 0 };
}

double weft__seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint64_t weft__nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
