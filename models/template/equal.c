/* equal.c: equality and hashes, as Python has them, and dicts, which stand on both. */
#include <math.h>
#include <string.h>

#include "jinja.h"

int jinja_order_texts(jinja_run *r, const jinja_text *a, const jinja_text *b)
{
    const size_t n = a->n < b->n ? a->n : b->n;
    jinja_work(r, n / 64 + 1);
    const int c = n ? memcmp(a->s, b->s, n) : 0; /* of UTF-8 the order of bytes is that of code points */
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* An int and a float: exact, also where the int has more digits than a double. */
static int order_mixed(int64_t a, double b)
{
    if (b >= 0x1p63) return -1;
    if (b < -0x1p63) return 1;
    const int64_t whole = (int64_t)b;
    if (a != whole) return a < whole ? -1 : 1;
    const double rest = b - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

int jinja_order_numbers(jinja_value a, jinja_value b)
{
    int64_t i, j;
    if ((a.kind == JINJA_FLOAT && isnan(a.f)) || (b.kind == JINJA_FLOAT && isnan(b.f))) return 2;
    if (a.kind == JINJA_FLOAT && b.kind == JINJA_FLOAT) return (a.f > b.f) - (a.f < b.f);
    if (jinja_whole(a, &i)) return jinja_whole(b, &j) ? (i > j) - (i < j) : order_mixed(i, b.f);
    return jinja_whole(b, &j) ? -order_mixed(j, a.f) : 0;
}

/* ---- equality ---- */

static bool lists_equal(jinja_run *r, const jinja_list *a, const jinja_list *b)
{
    bool same = a->n == b->n;
    if (a == b) return true;
    jinja_enter(r);
    for (size_t i = 0; same && i < a->n; i++) same = jinja_equal(r, a->v[i], b->v[i]);
    jinja_leave(r);
    return same;
}

static bool dicts_equal(jinja_run *r, const jinja_dict *a, const jinja_dict *b)
{
    bool same = a->n == b->n;
    if (a == b) return true;
    jinja_enter(r);
    for (size_t i = 0; same && i < a->n; i++) {
        const jinja_pair *p = jinja_dict_find(r, b, a->p[i].key);
        same = p && jinja_equal(r, p->value, a->p[i].value);
    }
    jinja_leave(r);
    return same;
}

bool jinja_equal(jinja_run *r, jinja_value a, jinja_value b)
{
    double x, y;
    jinja_work(r, 1);
    if (jinja_number(a, &x) && jinja_number(b, &y)) return jinja_order_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return true;
    case JINJA_TEXT:
        return a.text->n == b.text->n && jinja_order_texts(r, a.text, b.text) == 0;
    case JINJA_LIST:
    case JINJA_TUPLE:
        return lists_equal(r, a.list, b.list);
    case JINJA_DICT:
        return dicts_equal(r, a.dict, b.dict);
    case JINJA_RANGE:
        return a.range->n == b.range->n && (!a.range->n || (a.range->start == b.range->start &&
                                                            (a.range->n == 1 || a.range->step == b.range->step)));
    case JINJA_METHOD:
        return a.method->row == b.method->row && jinja_equal(r, a.method->self, b.method->self);
    case JINJA_VIEW:
        if (a.view->part == 'v' || b.view->part != a.view->part) return a.view == b.view;
        return dicts_equal(r, a.view->dict, b.view->dict);
    default:
        return a.dict == b.dict; /* the same thing */
    }
}

/* ---- hashes ---- */

static uint32_t hash_bytes(uint32_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x01000193u;
    return h;
}

uint32_t jinja_hash(jinja_run *r, jinja_value v)
{
    double f;
    uint32_t h = 0x811C9DC5u;
    if (jinja_number(v, &f)) { /* 1, 1.0 and true are one key */
        f = f == 0 ? 0 : f;
        return hash_bytes(h, &f, sizeof f);
    }
    switch (v.kind) {
    case JINJA_TEXT:
        jinja_work(r, v.text->n / 64);
        return hash_bytes(h, v.text->s, v.text->n);
    case JINJA_TUPLE:
        jinja_enter(r);
        for (size_t i = 0; i < v.list->n; i++) h = h * 31 + jinja_hash(r, v.list->v[i]);
        jinja_leave(r);
        return h;
    case JINJA_LIST:
    case JINJA_DICT:
    case JINJA_VIEW:
        jinja_fail(r, "unhashable type: '%s'", jinja_type_name(v));
    default:
        return h + v.kind;
    }
}

/* ---- dicts ---- */

enum { FEW = 8 };

jinja_dict *jinja_dict_new(jinja_run *r)
{
    return jinja_alloc(r, 1, sizeof(jinja_dict));
}

static jinja_pair *find(jinja_run *r, const jinja_dict *d, jinja_value key, uint32_t hash)
{
    if (!d->index) {
        for (size_t i = 0; i < d->n; i++)
            if (d->p[i].hash == hash && jinja_equal(r, d->p[i].key, key)) return &d->p[i];
        return NULL;
    }
    const uint32_t mask = (1u << d->bits) - 1;
    for (uint32_t at = hash & mask; d->index[at]; at = (at + 1) & mask) {
        jinja_pair *p = &d->p[d->index[at] - 1];
        jinja_work(r, 1);
        if (p->hash == hash && jinja_equal(r, p->key, key)) return p;
    }
    return NULL;
}

static void put_index(jinja_dict *d, size_t i)
{
    const uint32_t mask = (1u << d->bits) - 1;
    uint32_t at = d->p[i].hash & mask;
    while (d->index[at]) at = (at + 1) & mask;
    d->index[at] = (uint32_t)i + 1;
}

static void grow(jinja_run *r, jinja_dict *d)
{
    d->p = jinja_grow(r, d->p, d->n, &d->capacity, 4, sizeof *d->p);
    if (d->capacity <= FEW) return;
    for (d->bits = 4; (1u << d->bits) < d->capacity * 2;) d->bits++;
    d->index = jinja_alloc(r, (size_t)1 << d->bits, sizeof *d->index);
    for (size_t i = 0; i < d->n; i++) put_index(d, i);
}

void jinja_dict_set(jinja_run *r, jinja_dict *d, jinja_value key, jinja_value v)
{
    const uint32_t hash = jinja_hash(r, key);
    jinja_pair *p = find(r, d, key, hash);
    jinja_work(r, 1);
    if (p) {
        p->value = v;
        return;
    }
    if (d->n == d->capacity) grow(r, d);
    d->p[d->n] = (jinja_pair){ key, v, hash };
    if (d->index) put_index(d, d->n);
    d->n++;
}

const jinja_pair *jinja_dict_find(jinja_run *r, const jinja_dict *d, jinja_value key)
{
    return d->n ? find(r, d, key, jinja_hash(r, key)) : NULL;
}

const jinja_value *jinja_dict_text(jinja_run *r, const jinja_dict *d, const char *key)
{
    const jinja_text t = { key, strlen(key), strlen(key), false };
    const jinja_pair *p = jinja_dict_find(r, d, jinja_from_text(&t));
    return p ? &p->value : NULL;
}
