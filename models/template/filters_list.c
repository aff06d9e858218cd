/* filters_list.c: filters over lists and dicts, and over values of any kind. */
#include <string.h>

#include "jinja.h"

static const jinja_args no_args = { 0 };

static jinja_list *copy(jinja_run *r, jinja_value v)
{
    const jinja_list *from = jinja_items(r, v);
    jinja_list *l = jinja_list_new(r, from->n);
    jinja_work(r, from->n);
    if (from->n) memcpy(l->v, from->v, from->n * sizeof *l->v);
    l->n = from->n;
    return l;
}

/* Texts in lower case where case does not count. */
static jinja_value fold(jinja_run *r, jinja_value v, bool sensitive)
{
    jinja_buffer b = { 0 };
    if (sensitive || v.kind != JINJA_TEXT) return v;
    jinja_lower_to(r, &b, v.text->s, v.text->n);
    return jinja_buffer_value(r, &b);
}

static bool yes(jinja_run *r, const jinja_call *c, size_t i)
{
    return c->given[i] && jinja_true(r, c->v[i]);
}

/* ---- of any value ---- */

static jinja_value f_default(jinja_run *r, const jinja_call *c)
{
    const bool missing = c->self.kind == JINJA_UNDEFINED || (yes(r, c, 1) && !jinja_true(r, c->self));
    if (!missing) return c->self;
    return c->given[0] ? c->v[0] : jinja_from_c(r, "");
}

static jinja_value f_length(jinja_run *r, const jinja_call *c)
{
    int64_t n;
    if (!jinja_length(c->self, &n)) jinja_fail(r, "object of type '%s' has no len()", jinja_type_name(c->self));
    return jinja_int(n);
}

static jinja_value f_list(jinja_run *r, const jinja_call *c)
{
    return jinja_from_list(copy(r, c->self));
}

static jinja_value f_attr(jinja_run *r, const jinja_call *c)
{
    const jinja_text *name = jinja_need_text(r, c->v[0], "attr");
    jinja_defined(r, c->self);
    if (c->self.kind == JINJA_DICT && !jinja_find_method(r, JINJA_DICT, name->s, name->n))
        return jinja_no_attribute(r, c->self, c->v[0], false);
    return jinja_attribute(r, c->self, name);
}

static jinja_value f_first(jinja_run *r, const jinja_call *c)
{
    if (c->self.kind == JINJA_ITERATOR && c->self.iterator->at < c->self.iterator->items->n)
        return c->self.iterator->items->v[c->self.iterator->at++];
    const jinja_list *l = jinja_items(r, c->self);
    return l->n ? l->v[0] : jinja_undefined(r, "No first item, sequence was empty.");
}

static jinja_value f_last(jinja_run *r, const jinja_call *c)
{
    if (c->self.kind == JINJA_ITERATOR || c->self.kind == JINJA_UNDEFINED)
        jinja_fail(r, "'%s' object is not reversible", jinja_type_name(c->self));
    const jinja_list *l = jinja_items(r, c->self);
    return l->n ? l->v[l->n - 1] : jinja_undefined(r, "No last item, sequence was empty.");
}

static jinja_value f_reverse(jinja_run *r, const jinja_call *c)
{
    if (c->self.kind == JINJA_TEXT) return jinja_slice(r, c->self, jinja_none(), jinja_none(), jinja_int(-1));
    if (!jinja_can_iterate(c->self)) jinja_fail(r, "argument must be iterable");
    const bool own = c->self.kind == JINJA_ITERATOR || c->self.kind == JINJA_UNDEFINED;
    jinja_list *l = copy(r, c->self);
    for (size_t i = 0, j = l->n; i + 1 < j; i++) {
        const jinja_value v = l->v[i];
        l->v[i] = l->v[--j];
        l->v[j] = v;
    }
    return own ? jinja_from_list(l) : jinja_iterate(r, l);
}

static jinja_value f_items(jinja_run *r, const jinja_call *c)
{
    if (c->self.kind == JINJA_UNDEFINED) return jinja_iterate(r, jinja_list_new(r, 0));
    if (c->self.kind != JINJA_DICT) jinja_fail(r, "Can only get item pairs from a mapping.");
    jinja_list *l = jinja_list_new(r, c->self.dict->n);
    for (size_t i = 0; i < c->self.dict->n; i++)
        jinja_push(r, l, jinja_pair_tuple(r, c->self.dict->p[i].key, c->self.dict->p[i].value));
    return jinja_iterate(r, l);
}

static jinja_value f_tojson(jinja_run *r, const jinja_call *c)
{
    jinja_json_style s = { .ascii = yes(r, c, 0), .sorted = yes(r, c, 3) };
    jinja_buffer b = { 0 };
    int64_t n;
    s.lines = c->given[1] && c->v[1].kind != JINJA_NONE;
    s.comma = jinja_text_of(r, s.lines ? "," : ", ", s.lines ? 1 : 2);
    s.colon = jinja_text_of(r, ": ", 2);
    if (s.lines && c->v[1].kind == JINJA_TEXT) {
        s.indent = c->v[1].text;
    } else if (s.lines) {
        n = jinja_need_int(r, c->v[1], "tojson");
        if (n > 1000) jinja_fail_as(r, WEFT_LIMIT, "tojson: an indent of more than 1,000");
        char *spaces = jinja_bytes(r, n > 0 ? (size_t)n : 0);
        memset(spaces, ' ', n > 0 ? (size_t)n : 0);
        s.indent = jinja_text_of(r, spaces, n > 0 ? (size_t)n : 0);
    }
    if (c->given[2] && c->v[2].kind != JINJA_NONE) {
        const jinja_list *pair = jinja_items(r, c->v[2]);
        if (pair->n != 2) jinja_fail(r, "tojson: separators are two texts");
        s.comma = jinja_need_text(r, pair->v[0], "tojson");
        s.colon = jinja_need_text(r, pair->v[1], "tojson");
    }
    jinja_json(r, &b, c->self, &s);
    return jinja_buffer_value(r, &b);
}

/* ---- order ---- */

/* The keys to sort by: the item, or the attributes that a text names with commas between them. */
static jinja_value sort_key(jinja_run *r, jinja_value v, jinja_value attribute, bool sensitive)
{
    if (attribute.kind != JINJA_TEXT) return fold(r, jinja_path(r, v, attribute, NULL), sensitive);
    jinja_list *keys = jinja_list_new(r, 1);
    const char *s = attribute.text->s, *end = s + attribute.text->n;
    for (;;) {
        const char *comma = end > s ? memchr(s, ',', (size_t)(end - s)) : NULL;
        const jinja_text *part = jinja_text_part(r, attribute.text, s, (size_t)((comma ? comma : end) - s));
        jinja_push(r, keys, fold(r, jinja_path(r, v, jinja_from_text(part), NULL), sensitive));
        if (!comma) return jinja_from_list(keys);
        s = comma + 1;
    }
}

static jinja_value f_sort(jinja_run *r, const jinja_call *c)
{
    jinja_list *l = copy(r, c->self), *keys = jinja_list_new(r, l->n);
    for (size_t i = 0; i < l->n; i++) jinja_push(r, keys, sort_key(r, l->v[i], c->v[2], yes(r, c, 1)));
    jinja_sort(r, l->v, keys->v, l->n, yes(r, c, 0));
    return jinja_from_list(l);
}

static jinja_value f_dictsort(jinja_run *r, const jinja_call *c)
{
    size_t pos = 0;
    if (c->self.kind != JINJA_DICT) jinja_fail(r, "'%s' object has no attribute 'items'", jinja_type_name(c->self));
    if (c->given[1]) {
        const jinja_text *by = jinja_need_text(r, c->v[1], "dictsort");
        pos = by->n == 5 && memcmp(by->s, "value", 5) == 0;
        if (!pos && !(by->n == 3 && memcmp(by->s, "key", 3) == 0))
            jinja_fail(r, "You can only sort by either \"key\" or \"value\"");
    }
    jinja_list *l = jinja_list_new(r, c->self.dict->n), *keys = jinja_list_new(r, c->self.dict->n);
    for (size_t i = 0; i < c->self.dict->n; i++) {
        const jinja_pair *p = &c->self.dict->p[i];
        jinja_push(r, l, jinja_pair_tuple(r, p->key, p->value));
        jinja_push(r, keys, fold(r, pos ? p->value : p->key, yes(r, c, 0)));
    }
    jinja_sort(r, l->v, keys->v, l->n, yes(r, c, 2));
    return jinja_from_list(l);
}

static jinja_value extreme(jinja_run *r, const jinja_call *c, int sign)
{
    const jinja_list *l = jinja_items(r, c->self);
    jinja_value best = jinja_none(), key = best;
    for (size_t i = 0; i < l->n; i++) {
        const jinja_value k = fold(r, jinja_path(r, l->v[i], c->v[1], NULL), yes(r, c, 0));
        if (i) {
            const int order = jinja_compare(r, k, key, sign < 0 ? "<" : ">");
            if (order == 2 || (sign < 0 ? order >= 0 : order <= 0)) continue;
        }
        best = l->v[i];
        key = k;
    }
    return l->n ? best : jinja_undefined(r, "No aggregated item, sequence was empty.");
}

static jinja_value f_min(jinja_run *r, const jinja_call *c)
{
    return extreme(r, c, -1);
}

static jinja_value f_max(jinja_run *r, const jinja_call *c)
{
    return extreme(r, c, 1);
}

static jinja_value f_unique(jinja_run *r, const jinja_call *c)
{
    const jinja_list *from = jinja_items(r, c->self);
    jinja_list *l = jinja_list_new(r, 0);
    jinja_dict *seen = jinja_dict_new(r);
    for (size_t i = 0; i < from->n; i++) {
        const jinja_value key = fold(r, jinja_path(r, from->v[i], c->v[1], NULL), yes(r, c, 0));
        if (jinja_dict_find(r, seen, key)) continue;
        jinja_dict_set(r, seen, key, jinja_none());
        jinja_push(r, l, from->v[i]);
    }
    return jinja_iterate(r, l);
}

static jinja_value f_groupby(jinja_run *r, const jinja_call *c)
{
    jinja_list *l = copy(r, c->self), *keys = jinja_list_new(r, l->n), *out = jinja_list_new(r, 0);
    const jinja_value *fallback = c->given[1] && c->v[1].kind != JINJA_NONE ? &c->v[1] : NULL;
    for (size_t i = 0; i < l->n; i++)
        jinja_push(r, keys, fold(r, jinja_path(r, l->v[i], c->v[0], fallback), yes(r, c, 2)));
    jinja_sort(r, l->v, keys->v, l->n, false);
    for (size_t i = 0, n; i < l->n; i += n) {
        jinja_list *group = jinja_list_new(r, 1);
        const jinja_value key = fold(r, jinja_path(r, l->v[i], c->v[0], fallback), yes(r, c, 2));
        for (n = 0; i + n < l->n; n++) {
            if (!jinja_equal(r, key, fold(r, jinja_path(r, l->v[i + n], c->v[0], fallback), yes(r, c, 2)))) break;
            jinja_push(r, group, l->v[i + n]);
        }
        if (!n) jinja_fail(r, "groupby: a key that is not equal to itself");
        const jinja_value pair = jinja_pair_tuple(r, jinja_path(r, l->v[i], c->v[0], fallback), jinja_from_list(group));
        pair.list->group = true;
        jinja_push(r, out, pair);
    }
    return jinja_from_list(out);
}

/* ---- map, select and their like ---- */

static jinja_value call_named(jinja_run *r, const jinja_row *(*find)(const jinja_run *, const char *, size_t),
                              const char *what, jinja_value name, jinja_value v, const jinja_args *args)
{
    const jinja_text *t = jinja_need_text(r, name, what);
    const jinja_row *row = find(r, t->s, t->n);
    if (!row) jinja_fail(r, "No %s named '%s'.", what, jinja_c(r, t));
    return jinja_apply(r, row, v, args);
}

static jinja_value f_map(jinja_run *r, const jinja_call *c)
{
    const jinja_args *a = c->args;
    jinja_list *out = jinja_list_new(r, 0);
    if (!jinja_true(r, c->self)) return jinja_iterate(r, out);
    const jinja_value *attribute = a->n ? NULL : jinja_named(r, a, "attribute");
    const jinja_value *fallback = attribute ? jinja_named(r, a, "default") : NULL;
    if (attribute && a->n_named > 1u + (fallback != NULL)) jinja_fail(r, "map: Unexpected keyword argument");
    if (!attribute && !a->n) jinja_fail(r, "map requires a filter argument");
    if (fallback && fallback->kind == JINJA_NONE) fallback = NULL;
    const jinja_args rest = attribute ? no_args : (jinja_args){ a->v + 1, a->n - 1, a->named, a->n_named };
    const jinja_list *l = jinja_items(r, c->self);
    for (size_t i = 0; i < l->n; i++)
        jinja_push(r, out,
                   attribute ? jinja_path(r, l->v[i], *attribute, fallback)
                             : call_named(r, jinja_find_filter, "filter", a->v[0], l->v[i], &rest));
    return jinja_iterate(r, out);
}

/* Those items of which a test of theirs, or of their attribute, is `wanted`. */
static jinja_value choose(jinja_run *r, const jinja_call *c, bool wanted, bool by_attribute)
{
    const jinja_args *a = c->args;
    const size_t off = by_attribute;
    jinja_list *out = jinja_list_new(r, 0);
    if (!jinja_true(r, c->self)) return jinja_iterate(r, out);
    if (a->n < off) jinja_fail(r, "Missing parameter for attribute name");
    const bool tested = a->n > off;
    const jinja_args rest = tested ? (jinja_args){ a->v + off + 1, a->n - off - 1, a->named, a->n_named } : no_args;
    const jinja_list *l = jinja_items(r, c->self);
    for (size_t i = 0; i < l->n; i++) {
        jinja_value v = by_attribute ? jinja_path(r, l->v[i], a->v[0], NULL) : l->v[i];
        if (tested) v = call_named(r, jinja_find_test, "test", a->v[off], v, &rest);
        if (jinja_true(r, v) == wanted) jinja_push(r, out, l->v[i]);
    }
    return jinja_iterate(r, out);
}

static jinja_value f_select(jinja_run *r, const jinja_call *c)
{
    return choose(r, c, true, false);
}

static jinja_value f_reject(jinja_run *r, const jinja_call *c)
{
    return choose(r, c, false, false);
}

static jinja_value f_selectattr(jinja_run *r, const jinja_call *c)
{
    return choose(r, c, true, true);
}

static jinja_value f_rejectattr(jinja_run *r, const jinja_call *c)
{
    return choose(r, c, false, true);
}

/* ---- sums and pieces ---- */

static jinja_value f_sum(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->self);
    jinja_value sum = c->given[1] ? c->v[1] : jinja_int(0);
    if (sum.kind == JINJA_TEXT) jinja_fail(r, "sum() can't sum strings [use ''.join(seq) instead]");
    for (size_t i = 0; i < l->n; i++) sum = jinja_binary(r, '+', sum, jinja_path(r, l->v[i], c->v[0], NULL));
    return sum;
}

static jinja_value f_batch(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->self);
    const int64_t size = jinja_need_int(r, c->v[0], "batch");
    jinja_list *out = jinja_list_new(r, 0), *now = jinja_list_new(r, 0);
    for (size_t i = 0; i < l->n; i++) {
        if ((int64_t)now->n == size) {
            jinja_push(r, out, jinja_from_list(now));
            now = jinja_list_new(r, 0);
        }
        jinja_push(r, now, l->v[i]);
    }
    while (now->n && c->v[1].kind != JINJA_NONE && (int64_t)now->n < size) jinja_push(r, now, c->v[1]);
    if (now->n) jinja_push(r, out, jinja_from_list(now));
    return jinja_iterate(r, out);
}

static jinja_value f_slice(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->self);
    const int64_t slices = jinja_need_int(r, c->v[0], "slice"), n = (int64_t)l->n;
    jinja_list *out = jinja_list_new(r, 0);
    if (!slices) jinja_fail(r, "integer division or modulo by zero");
    for (int64_t i = 0, at = 0; i < slices; i++) {
        jinja_list *part = jinja_list_new(r, 0);
        const int64_t size = n / slices + (i < n % slices);
        for (int64_t k = 0; k < size; k++) jinja_push(r, part, l->v[at++]);
        if (c->v[1].kind != JINJA_NONE && i >= n % slices) jinja_push(r, part, c->v[1]);
        jinja_push(r, out, jinja_from_list(part));
    }
    return jinja_iterate(r, out);
}

const jinja_row jinja_list_filters[] = {
    { "attr", f_attr, "name", 0 },
    { "batch", f_batch, "linecount|fill_with", 0 },
    { "count", f_length, "", 0 },
    { "d", f_default, "|default_value,boolean", 0 },
    { "default", f_default, "|default_value,boolean", 0 },
    { "dictsort", f_dictsort, "|case_sensitive,by,reverse", 0 },
    { "first", f_first, "", 0 },
    { "groupby", f_groupby, "attribute|default,case_sensitive", 0 },
    { "items", f_items, "", 0 },
    { "last", f_last, "", 0 },
    { "length", f_length, "", 0 },
    { "list", f_list, "", 0 },
    { "map", f_map, "*", 0 },
    { "max", f_max, "|case_sensitive,attribute", 0 },
    { "min", f_min, "|case_sensitive,attribute", 0 },
    { "random", NULL, "", 0 },
    { "reject", f_reject, "*", 0 },
    { "rejectattr", f_rejectattr, "*", 0 },
    { "reverse", f_reverse, "", 0 },
    { "select", f_select, "*", 0 },
    { "selectattr", f_selectattr, "*", 0 },
    { "slice", f_slice, "slices|fill_with", 0 },
    { "sort", f_sort, "|reverse,case_sensitive,attribute", 0 },
    { "sum", f_sum, "|attribute,start", 0 },
    { "tojson", f_tojson, "|ensure_ascii,indent,separators,sort_keys", 0 },
    { "unique", f_unique, "|case_sensitive,attribute", 0 },
    { .name = NULL },
};
