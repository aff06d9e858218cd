/* values.c: what values are: their truth, their length, what is in them, as Python has it. */
#include "jinja.h"

#include <string.h>

static const char *const type_names[JINJA_KINDS] = {
    [JINJA_UNDEFINED] = "Undefined",
    [JINJA_NONE] = "NoneType",
    [JINJA_BOOL] = "bool",
    [JINJA_INT] = "int",
    [JINJA_FLOAT] = "float",
    [JINJA_TEXT] = "str",
    [JINJA_LIST] = "list",
    [JINJA_TUPLE] = "tuple",
    [JINJA_DICT] = "dict",
    [JINJA_VIEW] = "dict_items",
    [JINJA_RANGE] = "range",
    [JINJA_ITERATOR] = "generator",
    [JINJA_NAMESPACE] = "Namespace",
    [JINJA_MACRO] = "Macro",
    [JINJA_METHOD] = "builtin_function_or_method",
    [JINJA_FUNCTION] = "function",
    [JINJA_LOOP] = "LoopContext",
    [JINJA_CYCLER] = "Cycler",
    [JINJA_JOINER] = "Joiner",
};

const char *jinja_type_name(jinja_value v)
{
    if (v.kind == JINJA_VIEW && v.view->part != 'i') return v.view->part == 'k' ? "dict_keys" : "dict_values";
    return v.kind == JINJA_TEXT && v.text->markup ? "Markup" : type_names[v.kind];
}

bool jinja_whole(jinja_value v, int64_t *out)
{
    if (v.kind == JINJA_BOOL)
        *out = v.yes;
    else if (v.kind == JINJA_INT)
        *out = v.i;
    return v.kind == JINJA_BOOL || v.kind == JINJA_INT;
}

bool jinja_number(jinja_value v, double *out)
{
    int64_t i;
    if (v.kind == JINJA_FLOAT)
        *out = v.f;
    else if (jinja_whole(v, &i))
        *out = (double)i;
    else
        return false;
    return true;
}

bool jinja_length(jinja_value v, int64_t *n)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
        *n = 0;
        return true;
    case JINJA_TEXT:
        *n = (int64_t)v.text->chars;
        return true;
    case JINJA_LIST:
    case JINJA_TUPLE:
        *n = (int64_t)v.list->n;
        return true;
    case JINJA_DICT:
        *n = (int64_t)v.dict->n;
        return true;
    case JINJA_VIEW:
        *n = (int64_t)v.view->dict->n;
        return true;
    case JINJA_RANGE:
        *n = v.range->n;
        return true;
    case JINJA_LOOP:
        *n = (int64_t)v.loop->items->n;
        return true;
    default:
        return false;
    }
}

bool jinja_true(jinja_run *r, jinja_value v)
{
    int64_t n;
    (void)r;
    switch (v.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return false;
    case JINJA_BOOL:
        return v.yes;
    case JINJA_INT:
        return v.i != 0;
    case JINJA_FLOAT:
        return v.f != 0;
    default:
        return !jinja_length(v, &n) || n > 0;
    }
}

bool jinja_can_iterate(jinja_value v)
{
    int64_t n;
    return v.kind == JINJA_ITERATOR || jinja_length(v, &n);
}

static jinja_list *text_items(jinja_run *r, const jinja_text *t)
{
    jinja_list *l = jinja_list_new(r, t->chars);
    size_t n;
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        jinja_char(p, &n);
        jinja_push(r, l, jinja_from_text(jinja_text_part(r, t, p, n)));
    }
    return l;
}

static jinja_list *dict_items(jinja_run *r, const jinja_dict *d, char part)
{
    jinja_list *l = jinja_list_new(r, d->n);
    for (size_t i = 0; i < d->n; i++) {
        const jinja_pair *p = &d->p[i];
        jinja_push(r, l, part == 'k' ? p->key : part == 'v' ? p->value : jinja_pair_tuple(r, p->key, p->value));
    }
    return l;
}

static jinja_list *rest_of(jinja_run *r, jinja_iterator *it)
{
    jinja_list *l = jinja_list_new(r, 0);
    const size_t n = it->items->n - it->at;
    if (n) *l = (jinja_list){ .v = it->items->v + it->at, .n = n, .capacity = n };
    it->at = it->items->n;
    return l;
}

jinja_list *jinja_items(jinja_run *r, jinja_value v)
{
    jinja_work(r, 1);
    switch (v.kind) {
    case JINJA_UNDEFINED:
        return jinja_list_new(r, 0);
    case JINJA_TEXT:
        return text_items(r, v.text);
    case JINJA_LIST:
    case JINJA_TUPLE:
        return v.list;
    case JINJA_DICT:
        return dict_items(r, v.dict, 'k');
    case JINJA_VIEW:
        return dict_items(r, v.view->dict, v.view->part);
    case JINJA_ITERATOR:
        return rest_of(r, v.iterator);
    case JINJA_LOOP:
        jinja_fail(r, "going through `loop` is not supported");
    case JINJA_RANGE: {
        jinja_list *l = jinja_list_new(r, (size_t)v.range->n);
        for (int64_t i = 0; i < v.range->n; i++) jinja_push(r, l, jinja_int(v.range->start + i * v.range->step));
        return l;
    }
    default:
        jinja_fail(r, "'%s' object is not iterable", jinja_type_name(v));
    }
}
