/* scope.c: variables: their scopes, where a name is looked up, what is assigned. */
#include <string.h>

#include "jinja.h"

const jinja_text jinja_word_loop = { "loop", 4, 4, false }, jinja_word_caller = { "caller", 6, 6, false },
                 jinja_word_varargs = { "varargs", 7, 7, false }, jinja_word_kwargs = { "kwargs", 6, 6, false };

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
    s->v = jinja_grow(r, s->v, s->n, &s->capacity, 4, sizeof *s->v);
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
    const jinja_row *f = jinja_find_function(r, name->s, name->n);
    if (f) return (jinja_value){ .kind = JINJA_FUNCTION, .function = f };
    if (name->n == 4 && memcmp(name->s, "self", 4) == 0) jinja_fail_as(r, WEFT_UNSUPPORTED, "self is not supported");
    jinja_missing *m = jinja_alloc(r, 1, sizeof *m);
    *m = (jinja_missing){ NULL, { .kind = JINJA_UNDEFINED }, key, false };
    return (jinja_value){ .kind = JINJA_UNDEFINED, .missing = m };
}

/* ---- assignments ---- */

static void unpack(jinja_run *r, jinja_scope *s, const jinja_nodes *targets, jinja_value v)
{
    jinja_defined(r, v);
    const jinja_list *l = jinja_items(r, v);
    if (l->n < targets->n) jinja_fail(r, "not enough values to unpack (expected %zu, got %zu)", targets->n, l->n);
    if (l->n > targets->n) jinja_fail(r, "too many values to unpack (expected %zu)", targets->n);
    for (size_t i = 0; i < l->n; i++) jinja_assign(r, s, targets->v[i], l->v[i]);
}

static void assign_in_space(jinja_run *r, jinja_scope *s, const jinja_node *n, jinja_value v)
{
    const jinja_value space = jinja_lookup(r, s, n->a->value.text);
    if (space.kind != JINJA_NAMESPACE) jinja_fail(r, "cannot assign attribute on non-namespace object");
    if (n->value.text->s[0] == '_') jinja_fail(r, "a namespace takes no name that begins with an underscore");
    jinja_dict_set(r, space.dict, n->value, v);
}

void jinja_assign(jinja_run *r, jinja_scope *s, const jinja_node *target, jinja_value v)
{
    jinja_enter(r);
    if (target->op == JINJA_NAME)
        jinja_scope_set(r, s, target->value.text, v);
    else if (target->op == JINJA_SPACE_NAME)
        assign_in_space(r, s, target, v);
    else
        unpack(r, s, &target->list, v);
    jinja_leave(r);
}
