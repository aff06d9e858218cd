/* memory.c: the memory of a run, and texts and lists in it. */
#include "jinja.h"

#include <stdio.h>
#include <string.h>

/* ---- limits and faults ---- */

static _Noreturn void leave(jinja_run *r, weft_status status, const char *fmt, va_list args)
{
    char why[sizeof r->err->text];
    vsnprintf(why, sizeof why, fmt, args);
    r->status = WEFT_FAIL(r->err, status, "%s: line %u: %s", r->origin, r->line, why);
    longjmp(r->back, 1);
}

_Noreturn void jinja_fail(jinja_run *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    leave(r, WEFT_INVALID, fmt, args);
}

_Noreturn void jinja_fail_as(jinja_run *r, weft_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    leave(r, status, fmt, args);
}

void jinja_work(jinja_run *r, size_t steps)
{
    r->steps += steps;
    if (r->steps > r->max_steps)
        jinja_fail_as(r, WEFT_LIMIT, "more than %llu steps of work", (unsigned long long)r->max_steps);
}

void jinja_enter(jinja_run *r)
{
    if (++r->depth > r->max_depth) jinja_fail_as(r, WEFT_LIMIT, "nested more than %u deep", r->max_depth);
}

void *jinja_alloc(jinja_run *r, size_t n, size_t size)
{
    if (n && size > r->max_bytes / n) n = r->max_bytes, size = 2;
    const size_t bytes = n * size + 16;
    if (bytes > r->max_bytes || r->used > r->max_bytes - bytes)
        jinja_fail_as(r, WEFT_LIMIT, "more than %zu MiB of memory", r->max_bytes >> 20);
    r->used += bytes;
    void *p = weft__arena_alloc(&r->arena, n ? n : 1, size ? size : 1);
    if (!p) jinja_fail_as(r, WEFT_OOM, "out of memory");
    return p;
}

/* ---- texts ---- */

enum { TEXT_BLOCK = 32 << 10 };

char *jinja_bytes(jinja_run *r, size_t n)
{
    if (n > r->room) {
        const size_t block = n > TEXT_BLOCK / 2 ? n + n / 2 : TEXT_BLOCK;
        r->tail = jinja_alloc(r, block, 1);
        r->room = block;
    }
    char *p = r->tail;
    if (n) r->tail += n;
    r->room -= n;
    return p;
}

static size_t count_chars(const char *s, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) chars += ((unsigned char)s[i] & 0xC0) != 0x80;
    return chars;
}

static jinja_text *text_new(jinja_run *r, const char *s, size_t n, size_t chars)
{
    jinja_text *t = jinja_alloc(r, 1, sizeof *t);
    *t = (jinja_text){ s ? s : "", n, chars, false };
    return t;
}

const jinja_text *jinja_text_of(jinja_run *r, const char *s, size_t n)
{
    jinja_work(r, n / 64);
    return text_new(r, s, n, count_chars(s, n));
}

const jinja_text *jinja_text_copy(jinja_run *r, const char *s, size_t n)
{
    char *p = jinja_bytes(r, n);
    if (n) memcpy(p, s, n);
    return jinja_text_of(r, p, n);
}

const jinja_text *jinja_text_part(jinja_run *r, const jinja_text *t, const char *s, size_t n)
{
    jinja_work(r, n / 64);
    jinja_text *part = text_new(r, s, n, t->chars == t->n ? n : count_chars(s, n));
    part->markup = t->markup;
    return part;
}

/* A text that grows piece by piece ends where the free bytes begin: then only the piece is copied. */
const jinja_text *jinja_text_join(jinja_run *r, const jinja_text *a, const jinja_text *b)
{
    jinja_text *t = text_new(r, a->s, a->n + b->n, a->chars + b->chars);
    t->markup = a->markup;
    if (!t->n) return t;
    if (a->n && a->s + a->n == r->tail && b->n <= r->room) {
        if (b->n) memcpy(r->tail, b->s, b->n);
        r->tail += b->n;
        r->room -= b->n;
        return t;
    }
    jinja_work(r, t->n / 64);
    char *p = jinja_bytes(r, t->n);
    if (a->n) memcpy(p, a->s, a->n);
    if (b->n) memcpy(p + a->n, b->s, b->n);
    t->s = p;
    return t;
}

const char *jinja_c(jinja_run *r, const jinja_text *t)
{
    char *s = jinja_alloc(r, t->n + 1, 1);
    if (t->n) memcpy(s, t->s, t->n);
    for (size_t i = 0; i < t->n; i++)
        if ((unsigned char)s[i] < ' ') s[i] = ' ';
    return s;
}

jinja_value jinja_from_c(jinja_run *r, const char *s)
{
    return jinja_from_text(jinja_text_of(r, s, strlen(s)));
}

/* ---- buffers ---- */

void jinja_put(jinja_run *r, jinja_buffer *b, const char *s, size_t n)
{
    if (n > b->capacity - b->n) {
        size_t capacity = (b->n + n) * 2;
        if (capacity < 256) capacity = 256;
        char *p = jinja_alloc(r, capacity, 1);
        if (b->n) memcpy(p, b->s, b->n);
        b->s = p;
        b->capacity = capacity;
    }
    jinja_work(r, n / 64);
    if (n) memcpy(b->s + b->n, s, n);
    b->n += n;
}

void jinja_puts(jinja_run *r, jinja_buffer *b, const char *s)
{
    jinja_put(r, b, s, strlen(s));
}

jinja_value jinja_buffer_value(jinja_run *r, const jinja_buffer *b)
{
    return jinja_from_text(jinja_text_of(r, b->s, b->n));
}

/* ---- lists ---- */

void *jinja_grow(jinja_run *r, void *data, size_t n, size_t *capacity, size_t least, size_t size)
{
    if (n < *capacity) return data;
    *capacity = n ? n * 2 : least;
    void *p = jinja_alloc(r, *capacity, size);
    if (n) memcpy(p, data, n * size);
    return p;
}

jinja_list *jinja_list_new(jinja_run *r, size_t capacity)
{
    jinja_list *l = jinja_alloc(r, 1, sizeof *l);
    if (capacity) l->v = jinja_alloc(r, capacity, sizeof *l->v);
    l->capacity = capacity;
    return l;
}

void jinja_push(jinja_run *r, jinja_list *l, jinja_value v)
{
    l->v = jinja_grow(r, l->v, l->n, &l->capacity, 4, sizeof *l->v);
    jinja_work(r, 1);
    l->v[l->n++] = v;
}

jinja_value jinja_iterate(jinja_run *r, jinja_list *l)
{
    jinja_iterator *i = jinja_alloc(r, 1, sizeof *i);
    i->items = l;
    return (jinja_value){ .kind = JINJA_ITERATOR, .iterator = i };
}

jinja_value jinja_pair_tuple(jinja_run *r, jinja_value a, jinja_value b)
{
    jinja_list *l = jinja_list_new(r, 2);
    jinja_push(r, l, a);
    jinja_push(r, l, b);
    return jinja_from_tuple(l);
}

/* ---- undefined ---- */

jinja_value jinja_undefined(jinja_run *r, const char *hint)
{
    jinja_missing *m = jinja_alloc(r, 1, sizeof *m);
    m->hint = hint;
    return (jinja_value){ .kind = JINJA_UNDEFINED, .missing = m };
}

jinja_value jinja_no_attribute(jinja_run *r, jinja_value of, jinja_value name, bool unsafe)
{
    jinja_missing *m = jinja_alloc(r, 1, sizeof *m);
    *m = (jinja_missing){ NULL, of, name, unsafe };
    return (jinja_value){ .kind = JINJA_UNDEFINED, .missing = m };
}
