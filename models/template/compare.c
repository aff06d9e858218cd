/* compare.c: order, `in`, and sorting, as Python has them. */
#include "jinja.h"

#include <math.h>
#include <string.h>

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
    if (jinja_number(a, &x) && jinja_number(b, &y)) return jinja_order_numbers(a, b);
    if (a.kind == b.kind && a.kind == JINJA_TEXT) return jinja_order_texts(r, a.text, b.text);
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
