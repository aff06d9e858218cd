/* eval.c: expressions. */
#include <string.h>

#include "jinja.h"

/* ---- names ---- */

jinja_scope *jinja_scope_new(jinja_run *r, jinja_scope *parent)
{
    jinja_scope *s = jinja_alloc(r, 1, sizeof *s);
    s->parent = parent;
    return s;
}

void jinja_scope_set(jinja_run *r, jinja_scope *s, const jinja_text *name, jinja_value v)
{
    jinja_work(r, s->n / 4 + 1);
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].name == name) {
            s->v[i].value = v;
            return;
        }
    if (s->n == s->capacity) {
        const size_t capacity = s->n ? s->n * 2 : 4;
        jinja_variable *p = jinja_alloc(r, capacity, sizeof *p);
        if (s->n) memcpy(p, s->v, s->n * sizeof *p);
        s->v = p;
        s->capacity = capacity;
    }
    s->v[s->n++] = (jinja_variable){ name, v };
}

jinja_value jinja_lookup(jinja_run *r, const jinja_scope *s, const jinja_text *name)
{
    for (; s; s = s->parent) {
        jinja_work(r, s->n / 4 + 1);
        for (size_t i = 0; i < s->n; i++)
            if (s->v[i].name == name) return s->v[i].value;
    }
    const jinja_value key = jinja_from_text(name);
    const jinja_pair *p = jinja_dict_find(r, r->variables, key);
    if (p) return p->value;
    const jinja_row *f = jinja_find_function(name->s, name->n);
    if (f) return (jinja_value){ .kind = JINJA_FUNCTION, .function = f };
    if (name->n == 4 && memcmp(name->s, "self", 4) == 0) jinja_fail_as(r, WEFT_UNSUPPORTED, "self is not supported");
    jinja_missing *m = jinja_alloc(r, 1, sizeof *m);
    *m = (jinja_missing){ NULL, { .kind = JINJA_UNDEFINED }, key, false };
    return (jinja_value){ .kind = JINJA_UNDEFINED, .missing = m };
}

/* ---- arguments ---- */

static void eval_rest(jinja_run *r, jinja_scope *s, const jinja_arguments *a, jinja_list *plain)
{
    if (!a->rest) return;
    const jinja_list *l = jinja_items(r, jinja_eval(r, s, a->rest));
    for (size_t i = 0; i < l->n; i++) jinja_push(r, plain, l->v[i]);
}

jinja_args jinja_eval_args(jinja_run *r, jinja_scope *s, const jinja_arguments *a)
{
    jinja_args out = { 0 };
    if (!a) return out;
    jinja_list *plain = jinja_list_new(r, a->plain.n);
    jinja_dict *named = jinja_dict_new(r);
    for (size_t i = 0; i < a->plain.n; i++) jinja_push(r, plain, jinja_eval(r, s, a->plain.v[i]));
    eval_rest(r, s, a, plain);
    for (size_t i = 0; i < a->named.n; i++) {
        const jinja_node *n = a->named.v[i];
        if (jinja_dict_find(r, named, n->value)) jinja_fail(r, "keyword argument repeated");
        jinja_dict_set(r, named, n->value, jinja_eval(r, s, n->a));
    }
    const jinja_value rest = a->rest_named ? jinja_eval(r, s, a->rest_named) : jinja_from_dict(jinja_dict_new(r));
    if (rest.kind != JINJA_DICT) jinja_fail(r, "argument after ** must be a mapping, not %s", jinja_type_name(rest));
    for (size_t i = 0; i < rest.dict->n; i++) {
        const jinja_pair *p = &rest.dict->p[i];
        if (p->key.kind != JINJA_TEXT) jinja_fail(r, "keywords must be strings");
        if (jinja_dict_find(r, named, p->key)) jinja_fail(r, "got multiple values for a keyword argument");
        jinja_dict_set(r, named, p->key, p->value);
    }
    return (jinja_args){ plain->v, plain->n, named->p, named->n };
}

/* ---- operators ---- */

static bool compare(jinja_run *r, int sign, jinja_value a, jinja_value b)
{
    if (sign == 'i') return jinja_contains(r, b, a);
    if (sign == 'o') return !jinja_contains(r, b, a);
    if (sign == 'e') return jinja_equal(r, a, b);
    if (sign == 'n') return !jinja_equal(r, a, b);
    const int c = jinja_compare(r, a, b, sign == 'l' ? "<=" : sign == 'g' ? ">=" : sign == '<' ? "<" : ">");
    if (c == 2) return false;
    return sign == '<' ? c < 0 : sign == '>' ? c > 0 : sign == 'l' ? c <= 0 : c >= 0;
}

static jinja_value eval_compare(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_value a = jinja_eval(r, s, n->a);
    for (size_t i = 0; i < n->list.n; i++) {
        const jinja_value b = jinja_eval(r, s, n->list.v[i]->a);
        if (!compare(r, n->list.v[i]->sign, a, b)) return jinja_bool(false);
        a = b;
    }
    return jinja_bool(true);
}

static jinja_value eval_if_else(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    if (jinja_true(r, jinja_eval(r, s, n->b))) return jinja_eval(r, s, n->a);
    if (n->c) return jinja_eval(r, s, n->c);
    return jinja_undefined(r, "the inline if-expression evaluated to false and no else section was defined.");
}

static jinja_value eval_concat(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_text *text = NULL;
    for (size_t i = 0; i < n->list.n; i++) {
        jinja_text t = *jinja_str(r, jinja_eval(r, s, n->list.v[i]));
        t.markup = false;
        if (!text)
            text = jinja_text_part(r, &t, t.s, t.n);
        else
            text = jinja_text_join(r, text, &t);
    }
    return jinja_from_text(text);
}

/* ---- the rest ---- */

static jinja_list *eval_list(jinja_run *r, jinja_scope *s, const jinja_nodes *list)
{
    jinja_list *l = jinja_list_new(r, list->n);
    for (size_t i = 0; i < list->n; i++) jinja_push(r, l, jinja_eval(r, s, list->v[i]));
    return l;
}

static jinja_value eval_dict(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_dict *d = jinja_dict_new(r);
    for (size_t i = 0; i + 1 < n->list.n; i += 2) {
        const jinja_value key = jinja_eval(r, s, n->list.v[i]);
        jinja_dict_set(r, d, key, jinja_eval(r, s, n->list.v[i + 1]));
    }
    return jinja_from_dict(d);
}

static jinja_value eval_item(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value v = jinja_eval(r, s, n->a);
    const jinja_node *k = n->b;
    if (k->op != JINJA_SLICE) return jinja_item(r, v, jinja_eval(r, s, k));
    const jinja_value from = k->a ? jinja_eval(r, s, k->a) : jinja_none();
    const jinja_value to = k->b ? jinja_eval(r, s, k->b) : jinja_none();
    return jinja_slice(r, v, from, to, k->c ? jinja_eval(r, s, k->c) : jinja_none());
}

static jinja_value eval_call(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value f = jinja_eval(r, s, n->a);
    const jinja_args args = jinja_eval_args(r, s, n->args);
    r->line = n->line;
    return jinja_call_value(r, f, &args);
}

static jinja_value eval_filter(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value v = jinja_eval(r, s, n->a);
    const jinja_args args = jinja_eval_args(r, s, n->args);
    r->line = n->line;
    if (!n->row)
        jinja_fail(r, "No %s named '%s' found.", n->op == JINJA_FILTER ? "filter" : "test", jinja_c(r, n->value.text));
    return jinja_apply(r, n->row, v, &args);
}

static jinja_value eval_node(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_value a;
    switch (n->op) {
    case JINJA_CONST:
        return n->value;
    case JINJA_NAME:
        return jinja_lookup(r, s, n->value.text);
    case JINJA_MAKE_LIST:
        return jinja_from_list(eval_list(r, s, &n->list));
    case JINJA_MAKE_TUPLE:
        return jinja_from_tuple(eval_list(r, s, &n->list));
    case JINJA_MAKE_DICT:
        return eval_dict(r, s, n);
    case JINJA_ATTRIBUTE:
        return jinja_attribute(r, jinja_eval(r, s, n->a), n->value.text);
    case JINJA_ITEM:
        return eval_item(r, s, n);
    case JINJA_CALL:
        return eval_call(r, s, n);
    case JINJA_FILTER:
    case JINJA_TEST:
        return eval_filter(r, s, n);
    case JINJA_NOT:
        return jinja_bool(!jinja_true(r, jinja_eval(r, s, n->a)));
    case JINJA_AND:
        a = jinja_eval(r, s, n->a);
        return jinja_true(r, a) ? jinja_eval(r, s, n->b) : a;
    case JINJA_OR:
        a = jinja_eval(r, s, n->a);
        return jinja_true(r, a) ? a : jinja_eval(r, s, n->b);
    case JINJA_IF_ELSE:
        return eval_if_else(r, s, n);
    case JINJA_COMPARE:
        return eval_compare(r, s, n);
    case JINJA_BINARY:
        a = jinja_eval(r, s, n->a);
        return jinja_binary(r, n->sign, a, jinja_eval(r, s, n->b));
    case JINJA_UNARY:
        return jinja_unary(r, n->sign, jinja_eval(r, s, n->a));
    case JINJA_CONCAT:
        return eval_concat(r, s, n);
    default:
        jinja_fail_as(r, WEFT_INTERNAL, "a statement where an expression should be");
    }
}

jinja_value jinja_eval(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_work(r, 1);
    jinja_enter(r);
    r->line = n->line;
    const jinja_value v = eval_node(r, s, n);
    r->line = n->line;
    jinja_leave(r);
    return v;
}
