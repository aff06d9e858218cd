/* compare.c: equality, order, hashes, `in`, and sorting, as Python has them. */
#include "jinja.h"

#include <math.h>
#include <string.h>

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

static int order_texts(jinja_run *r, const jinja_text *a, const jinja_text *b)
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

/* 2: one is NaN. Both are numbers. */
static int order_numbers(jinja_value a, jinja_value b)
{
    int64_t i, j;
    if ((a.kind == JINJA_FLOAT && isnan(a.f)) || (b.kind == JINJA_FLOAT && isnan(b.f))) return 2;
    if (a.kind == JINJA_FLOAT && b.kind == JINJA_FLOAT) return (a.f > b.f) - (a.f < b.f);
    if (jinja_whole(a, &i)) return jinja_whole(b, &j) ? (i > j) - (i < j) : order_mixed(i, b.f);
    return jinja_whole(b, &j) ? -order_mixed(j, a.f) : 0;
}

bool jinja_equal(jinja_run *r, jinja_value a, jinja_value b)
{
    double x, y;
    jinja_work(r, 1);
    if (jinja_number(a, &x) && jinja_number(b, &y)) return order_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return true;
    case JINJA_TEXT:
        return a.text->n == b.text->n && order_texts(r, a.text, b.text) == 0;
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

/* ---- order ---- */

static int order_lists(jinja_run *r, const jinja_list *a, const jinja_list *b, const char *op)
{
    int c = 0;
    size_t i = 0;
    jinja_enter(r);
    while (i < a->n && i < b->n && jinja_equal(r, a->v[i], b->v[i])) i++;
    if (i < a->n && i < b->n)
        c = jinja_compare(r, a->v[i], b->v[i], op);
    else
        c = (a->n > b->n) - (a->n < b->n);
    jinja_leave(r);
    return c;
}

int jinja_compare(jinja_run *r, jinja_value a, jinja_value b, const char *op)
{
    double x, y;
    jinja_work(r, 1);
    jinja_defined(r, a);
    jinja_defined(r, b);
    if (jinja_number(a, &x) && jinja_number(b, &y)) return order_numbers(a, b);
    if (a.kind == b.kind && a.kind == JINJA_TEXT) return order_texts(r, a.text, b.text);
    if (a.kind == b.kind && (a.kind == JINJA_LIST || a.kind == JINJA_TUPLE)) return order_lists(r, a.list, b.list, op);
    jinja_fail(r, "'%s' not supported between instances of '%s' and '%s'", op, jinja_type_name(a), jinja_type_name(b));
}

/* Merges sorted halves; equal ones stay in order. */
static void merge(jinja_run *r, jinja_value *v, jinja_value *keys, size_t n, jinja_value *room, int sign)
{
    const size_t half = n / 2;
    if (n < 2) return;
    merge(r, v, keys, half, room, sign);
    merge(r, v + half, keys + half, n - half, room, sign);
    jinja_value *out = room, *out_keys = room + n;
    for (size_t i = 0, j = half, at = 0; at < n; at++) {
        bool left = i < half;
        if (left && j < n) {
            const int c = jinja_compare(r, keys[j], keys[i], "<");
            left = c == 2 || (sign > 0 ? c >= 0 : c <= 0);
        }
        const size_t from = left ? i++ : j++;
        out[at] = v[from];
        out_keys[at] = keys[from];
    }
    memcpy(v, out, n * sizeof *v);
    memcpy(keys, out_keys, n * sizeof *keys);
}

void jinja_sort(jinja_run *r, jinja_value *v, jinja_value *keys, size_t n, bool reverse)
{
    jinja_value *own = jinja_alloc(r, n, sizeof *own);
    if (n) memcpy(own, keys, n * sizeof *own);
    merge(r, v, own, n, jinja_alloc(r, n, 2 * sizeof *v), reverse ? -1 : 1);
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

/* ---- in ---- */

static const char *find_bytes(const char *s, size_t n, const char *what, size_t m)
{
    for (const char *end = s + n; m <= (size_t)(end - s); s++) {
        if (!(s = memchr(s, *what, (size_t)(end - s) - m + 1))) return NULL;
        if (memcmp(s, what, m) == 0) return s;
    }
    return NULL;
}

static bool range_has(const jinja_range *g, jinja_value what)
{
    double f;
    if (!jinja_number(what, &f) || f != floor(f)) return false;
    const double at = (f - (double)g->start) / (double)g->step;
    return at >= 0 && at < (double)g->n && at == floor(at);
}

bool jinja_contains(jinja_run *r, jinja_value where, jinja_value what)
{
    switch (where.kind) {
    case JINJA_TEXT:
        if (what.kind != JINJA_TEXT)
            jinja_fail(r, "'in <string>' requires string as left operand, not %s", jinja_type_name(what));
        jinja_work(r, where.text->n / 16);
        return !what.text->n || find_bytes(where.text->s, where.text->n, what.text->s, what.text->n);
    case JINJA_DICT:
        return jinja_dict_find(r, where.dict, what) != NULL;
    case JINJA_RANGE:
        return range_has(where.range, what);
    case JINJA_VIEW:
        if (where.view->part == 'k') return jinja_dict_find(r, where.view->dict, what) != NULL;
        break;
    default:
        if (!jinja_can_iterate(where)) jinja_fail(r, "argument of type '%s' is not iterable", jinja_type_name(where));
    }
    const jinja_list *l = jinja_items(r, where);
    for (size_t i = 0; i < l->n; i++)
        if (jinja_equal(r, l->v[i], what)) return true;
    return false;
}
