/* attribute.c: v.name, v[key] and slices, with what Python's types have as attributes; the sandbox refuses those that
 * would change a value. */
#include <string.h>

#include "jinja.h"

/* ---- loop ---- */

static bool is(const jinja_text *t, const char *name)
{
    return t->n == strlen(name) && memcmp(t->s, name, t->n) == 0;
}

static bool loop_number(const jinja_loop *l, const jinja_text *name, int64_t *out)
{
    const int64_t at = (int64_t)l->at, n = (int64_t)l->items->n;
    if (is(name, "index"))
        *out = at + 1;
    else if (is(name, "index0"))
        *out = at;
    else if (is(name, "revindex"))
        *out = n - at;
    else if (is(name, "revindex0"))
        *out = n - at - 1;
    else if (is(name, "length"))
        *out = n;
    else if (is(name, "depth"))
        *out = l->depth + 1;
    else if (is(name, "depth0"))
        *out = l->depth;
    else
        return false;
    return true;
}

static bool loop_attribute(jinja_run *r, const jinja_loop *l, const jinja_text *name, jinja_value *out)
{
    int64_t i;
    if (loop_number(l, name, &i))
        *out = jinja_int(i);
    else if (is(name, "first"))
        *out = jinja_bool(l->at == 0);
    else if (is(name, "last"))
        *out = jinja_bool(l->at + 1 == l->items->n);
    else if (is(name, "previtem"))
        *out = l->at ? l->items->v[l->at - 1] : jinja_undefined(r, "there is no previous item");
    else if (is(name, "nextitem"))
        *out = l->at + 1 < l->items->n ? l->items->v[l->at + 1] : jinja_undefined(r, "there is no next item");
    else
        return false;
    return true;
}

/* ---- attributes of other types ---- */

static bool macro_attribute(jinja_run *r, const jinja_macro *m, const jinja_text *name, jinja_value *out)
{
    const int says = m->node->sign;
    if (is(name, "name")) {
        *out = m->caller ? jinja_none() : m->node->value;
    } else if (is(name, "arguments")) {
        *out = jinja_from_tuple(jinja_list_new(r, 0));
        for (size_t i = 0; i < m->node->list.n; i++) jinja_push(r, out->list, m->node->list.v[i]->value);
    } else if (is(name, "catch_varargs")) {
        *out = jinja_bool(says & 1);
    } else if (is(name, "catch_kwargs")) {
        *out = jinja_bool(says & 2);
    } else if (is(name, "caller")) {
        *out = jinja_bool(says & 4);
    } else {
        return false;
    }
    return true;
}

/* Those that are values rather than methods. */
static bool plain_attribute(jinja_run *r, jinja_value v, const jinja_text *name, jinja_value *out)
{
    int64_t i;
    switch (v.kind) {
    case JINJA_LOOP:
        return loop_attribute(r, v.loop, name, out);
    case JINJA_MACRO:
        return macro_attribute(r, v.macro, name, out);
    case JINJA_NAMESPACE: {
        const jinja_pair *p = jinja_dict_find(r, v.dict, jinja_from_text(name));
        if (p) *out = p->value;
        return p != NULL;
    }
    case JINJA_TUPLE:
        if (!v.list->group || !(is(name, "grouper") || is(name, "list"))) return false;
        *out = v.list->v[is(name, "list")];
        return true;
    case JINJA_CYCLER:
        if (!is(name, "current")) return false;
        *out = v.iterator->items->v[v.iterator->at];
        return true;
    case JINJA_RANGE:
        if (is(name, "start"))
            i = v.range->start;
        else if (is(name, "stop"))
            i = v.range->stop;
        else if (is(name, "step"))
            i = v.range->step;
        else
            return false;
        *out = jinja_int(i);
        return true;
    case JINJA_BOOL:
    case JINJA_INT:
        if (!jinja_whole(v, &i) ||
            !(is(name, "real") || is(name, "imag") || is(name, "numerator") || is(name, "denominator")))
            return false;
        *out = jinja_int(is(name, "imag") ? 0 : is(name, "denominator") ? 1 : i);
        return true;
    case JINJA_FLOAT:
        if (!is(name, "real") && !is(name, "imag")) return false;
        *out = jinja_float(is(name, "imag") ? 0 : v.f);
        return true;
    default:
        return false;
    }
}

/* What Python's getattr finds; *unsafe: what the sandbox gives no access to. */
static bool find_attribute(jinja_run *r, jinja_value v, const jinja_text *name, jinja_value *out)
{
    if (plain_attribute(r, v, name, out)) return true;
    if (name->n && name->s[0] == '_') {
        if (name->n < 5 || memcmp(name->s, "__", 2) != 0) return false;
        *out = jinja_no_attribute(r, v, jinja_from_text(name), true); /* __class__ and the like */
        return true;
    }
    const jinja_kind of = v.kind == JINJA_BOOL ? JINJA_INT : v.kind;
    const jinja_row *row = jinja_find_method(r, of, name->s, name->n);
    if (!row) return false;
    if (row->parameters && row->parameters[0] == '!') {
        *out = jinja_no_attribute(r, v, jinja_from_text(name), true);
        return true;
    }
    jinja_method *m = jinja_alloc(r, 1, sizeof *m);
    *m = (jinja_method){ v, row };
    *out = (jinja_value){ .kind = JINJA_METHOD, .method = m };
    return true;
}

/* ---- items ---- */

static bool list_item(const jinja_list *l, int64_t i, jinja_value *out)
{
    if (i < 0) i += (int64_t)l->n;
    if (i < 0 || i >= (int64_t)l->n) return false;
    *out = l->v[i];
    return true;
}

static jinja_value char_at(jinja_run *r, const jinja_text *t, size_t i)
{
    const char *p = jinja_at(t, i);
    size_t n;
    jinja_work(r, t->chars == t->n ? 1 : i / 16 + 1);
    jinja_char(p, &n);
    return jinja_from_text(jinja_text_part(r, t, p, n));
}

/* v[key] of Python; false where that raises TypeError or LookupError. */
static bool find_item(jinja_run *r, jinja_value v, jinja_value key, jinja_value *out)
{
    int64_t i;
    if (v.kind == JINJA_DICT) {
        if (key.kind == JINJA_LIST || key.kind == JINJA_DICT || key.kind == JINJA_VIEW) return false;
        const jinja_pair *p = jinja_dict_find(r, v.dict, key);
        if (p) *out = p->value;
        return p != NULL;
    }
    if (!jinja_whole(key, &i)) return false;
    if (v.kind == JINJA_LIST || v.kind == JINJA_TUPLE) return list_item(v.list, i, out);
    if (v.kind != JINJA_TEXT && v.kind != JINJA_RANGE) return false;
    const int64_t n = v.kind == JINJA_TEXT ? (int64_t)v.text->chars : v.range->n;
    if (i < 0) i += n;
    if (i < 0 || i >= n) return false;
    *out = v.kind == JINJA_TEXT ? char_at(r, v.text, (size_t)i) : jinja_int(v.range->start + i * v.range->step);
    return true;
}

jinja_value jinja_attribute(jinja_run *r, jinja_value v, const jinja_text *name)
{
    jinja_value out;
    jinja_defined(r, v);
    if (find_attribute(r, v, name, &out) || find_item(r, v, jinja_from_text(name), &out)) return out;
    return jinja_no_attribute(r, v, jinja_from_text(name), false);
}

jinja_value jinja_item(jinja_run *r, jinja_value v, jinja_value key)
{
    jinja_value out;
    jinja_defined(r, v);
    if (find_item(r, v, key, &out)) return out;
    if (key.kind == JINJA_TEXT && find_attribute(r, v, key.text, &out)) return out;
    return jinja_no_attribute(r, v, key, false);
}

/* ---- slices ---- */

static int64_t bound(jinja_run *r, jinja_value v, int64_t fallback, int64_t n, bool back)
{
    if (v.kind == JINJA_NONE) return fallback;
    int64_t i;
    jinja_defined(r, v);
    if (!jinja_whole(v, &i)) jinja_fail(r, "slice indices must be integers or None");
    if (i < 0 && (i += n) < 0) return back ? -1 : 0;
    return i >= n ? (back ? n - 1 : n) : i;
}

static jinja_value slice_text(jinja_run *r, const jinja_text *t, int64_t from, int64_t step, int64_t n)
{
    jinja_work(r, t->n / 16 + 1);
    const char *p = jinja_at(t, n ? (size_t)from : 0);
    if (step == 1)
        return jinja_from_text(jinja_text_part(r, t, p, (size_t)(jinja_at(t, (size_t)(n ? from + n : 0)) - p)));
    const jinja_list *l = jinja_items(r, jinja_from_text(t));
    jinja_buffer b = { 0 };
    for (int64_t i = 0; i < n; i++) {
        const jinja_text *c = l->v[from + i * step].text;
        jinja_put(r, &b, c->s, c->n);
    }
    return jinja_buffer_value(r, &b);
}

jinja_value jinja_slice(jinja_run *r, jinja_value v, jinja_value from, jinja_value to, jinja_value step)
{
    int64_t n = 0, by = 1;
    jinja_defined(r, v);
    if (v.kind != JINJA_TEXT && v.kind != JINJA_LIST && v.kind != JINJA_TUPLE && v.kind != JINJA_RANGE)
        jinja_fail(r, "'%s' object has no slices", jinja_type_name(v));
    jinja_length(v, &n);
    if (step.kind != JINJA_NONE && !jinja_whole(step, &by)) jinja_fail(r, "slice indices must be integers or None");
    if (!by) jinja_fail(r, "slice step cannot be zero");
    if (by < -INT32_MAX) by = -INT32_MAX;
    if (by > INT32_MAX) by = INT32_MAX;
    const int64_t a = bound(r, from, by < 0 ? n - 1 : 0, n, by < 0), b = bound(r, to, by < 0 ? -1 : n, n, by < 0);
    const int64_t count = by > 0 ? (b > a ? (b - a + by - 1) / by : 0) : (a > b ? (a - b - by - 1) / -by : 0);
    if (v.kind == JINJA_TEXT) return slice_text(r, v.text, a, by, count);
    if (v.kind == JINJA_RANGE) {
        jinja_range *g = jinja_alloc(r, 1, sizeof *g);
        const jinja_range *of = v.range;
        *g = (jinja_range){ of->start + a * of->step, of->start + b * of->step, of->step * by, count };
        return (jinja_value){ .kind = JINJA_RANGE, .range = g };
    }
    jinja_list *l = jinja_list_new(r, (size_t)count);
    for (int64_t i = 0; i < count; i++) jinja_push(r, l, v.list->v[a + i * by]);
    return (jinja_value){ .kind = v.kind, .list = l };
}

/* ---- paths ---- */

static jinja_value path_part(jinja_run *r, const jinja_text *path, const char *s, size_t n)
{
    int64_t i = 0;
    size_t k = 0;
    for (; k < n && n < 18 && s[k] >= '0' && s[k] <= '9'; k++) i = i * 10 + (s[k] - '0');
    return n && k == n ? jinja_int(i) : jinja_from_text(jinja_text_part(r, path, s, n));
}

jinja_value jinja_path(jinja_run *r, jinja_value v, jinja_value path, const jinja_value *fallback)
{
    if (path.kind == JINJA_NONE) return v;
    if (path.kind != JINJA_TEXT) {
        v = jinja_item(r, v, path);
        return v.kind == JINJA_UNDEFINED && fallback ? *fallback : v;
    }
    const char *s = path.text->s, *end = s + path.text->n;
    for (;;) {
        const char *dot = end > s ? memchr(s, '.', (size_t)(end - s)) : NULL;
        const size_t n = (size_t)((dot ? dot : end) - s);
        v = jinja_item(r, v, path_part(r, path.text, s, n));
        if (v.kind == JINJA_UNDEFINED && fallback) v = *fallback;
        if (!dot) return v;
        s = dot + 1;
    }
}
