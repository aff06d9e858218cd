/* call.c: calls of filters, tests, functions, methods and macros. */
#include <string.h>

#include "jinja.h"
#include "parser.h"

const jinja_text jinja_word_loop = { "loop", 4, 4, false }, jinja_word_caller = { "caller", 6, 6, false },
                 jinja_word_varargs = { "varargs", 7, 7, false }, jinja_word_kwargs = { "kwargs", 6, 6, false };

/* ---- the tables ---- */

static const jinja_row *find_row(const jinja_row *rows, const char *name, size_t n)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0) return rows;
    return NULL;
}

const jinja_row *jinja_find_filter(const char *name, size_t n)
{
    const jinja_row *row = find_row(jinja_list_filters, name, n);
    return row ? row : find_row(jinja_text_filters, name, n);
}

const jinja_row *jinja_find_test(const char *name, size_t n)
{
    return find_row(jinja_tests, name, n);
}

const jinja_row *jinja_find_function(const char *name, size_t n)
{
    return find_row(jinja_functions, name, n);
}

const jinja_row *jinja_find_method(jinja_kind of, const char *name, size_t n)
{
    if (of == JINJA_TEXT) return find_row(jinja_text_methods, name, n);
    for (const jinja_row *row = jinja_methods; row->name; row++)
        if (row->of == of && strlen(row->name) == n && memcmp(row->name, name, n) == 0) return row;
    return NULL;
}

/* ---- arguments ---- */

const jinja_value *jinja_named(jinja_run *r, const jinja_args *args, const char *name)
{
    jinja_work(r, args->n_named);
    for (size_t i = 0; i < args->n_named; i++) {
        const jinja_text *t = args->named[i].key.text;
        if (t->n == strlen(name) && memcmp(t->s, name, t->n) == 0) return &args->named[i].value;
    }
    return NULL;
}

/* The place of a parameter, and whether it may be left out; false: there are no more. */
static bool next_parameter(const char **at, char name[32], bool *optional)
{
    if (**at == '|') *optional = true, ++*at;
    const size_t n = strcspn(*at, ",|");
    if (!n) return false;
    memcpy(name, *at, n);
    name[n] = 0;
    *at += n;
    if (**at == ',') ++*at;
    return true;
}

static void bind(jinja_run *r, const jinja_row *row, const jinja_args *args, jinja_call *c)
{
    const char *at = row->parameters ? row->parameters : "";
    char name[32];
    bool optional = false;
    size_t k = 0, used = 0;
    for (; next_parameter(&at, name, &optional); k++) {
        const jinja_value *named = jinja_named(r, args, name);
        c->v[k] = jinja_none();
        if (k < args->n && named) jinja_fail(r, "%s() got multiple values for argument '%s'", row->name, name);
        if (k < args->n)
            c->v[k] = args->v[k];
        else if (named)
            c->v[k] = *named, used++;
        else if (!optional)
            jinja_fail(r, "%s() missing required argument '%s'", row->name, name);
        c->given[k] = k < args->n || named;
    }
    if (args->n > k) jinja_fail(r, "%s() takes at most %zu arguments (%zu given)", row->name, k, args->n);
    if (used < args->n_named) jinja_fail(r, "%s() got an unexpected keyword argument", row->name);
}

jinja_value jinja_apply(jinja_run *r, const jinja_row *row, jinja_value self, const jinja_args *args)
{
    static const jinja_args none = { 0 };
    jinja_call c = { .name = row->name, .self = self, .args = args ? args : &none };
    if (!row->run) jinja_fail_as(r, WEFT_UNSUPPORTED, "%s is not supported", row->name);
    jinja_work(r, 1);
    if (!row->parameters || row->parameters[0] != '*') bind(r, row, c.args, &c);
    jinja_enter(r);
    const jinja_value v = row->run(r, &c);
    jinja_leave(r);
    return v;
}

jinja_value jinja_call_value(jinja_run *r, jinja_value f, const jinja_args *args)
{
    jinja_defined(r, f);
    switch (f.kind) {
    case JINJA_FUNCTION:
        return jinja_apply(r, f.function, f, args);
    case JINJA_METHOD:
        return jinja_apply(r, f.method->row, f.method->self, args);
    case JINJA_MACRO:
        return jinja_call_macro(r, f.macro, args);
    case JINJA_LOOP:
        if (args->n != 1 || args->n_named) jinja_fail(r, "loop() takes one argument");
        return jinja_call_loop(r, f.loop, args->v[0]);
    case JINJA_JOINER:
        f.iterator->at++;
        return jinja_from_text(f.iterator->at > 1 ? f.iterator->separator : jinja_text_of(r, "", 0));
    default:
        jinja_fail(r, "'%s' object is not callable", jinja_type_name(f));
    }
}

/* ---- macros ---- */

static bool takes_caller(const jinja_node *n)
{
    for (size_t i = 0; i < n->list.n; i++)
        if (n->list.v[i]->value.text == &jinja_word_caller) return true;
    return false;
}

/* Where a named argument stands, which counts it as used; -1: nowhere. */
static int64_t take(jinja_run *r, const jinja_args *args, const jinja_text *name, bool *used)
{
    for (size_t i = 0; i < args->n_named; i++) {
        jinja_work(r, 1);
        if (!jinja_equal(r, args->named[i].key, jinja_from_text(name))) continue;
        used[i] = true;
        return (int64_t)i;
    }
    return -1;
}

/* What no parameter has taken. */
static void bind_rest(jinja_run *r, jinja_scope *s, const jinja_macro *m, const jinja_args *args, bool *used)
{
    const jinja_node *n = m->node;
    const char *name = jinja_c(r, n->value.text);
    const bool explicit_caller = takes_caller(n);
    if ((n->sign & JINJA_SAYS_CALLER) && !explicit_caller) {
        const int64_t i = take(r, args, &jinja_word_caller, used);
        jinja_scope_set(r, s, &jinja_word_caller,
                        i < 0 ? jinja_undefined(r, "No caller defined") : args->named[i].value);
    }
    jinja_dict *rest = jinja_dict_new(r);
    for (size_t i = 0; i < args->n_named; i++)
        if (!used[i]) jinja_dict_set(r, rest, args->named[i].key, args->named[i].value);
    if (n->sign & JINJA_SAYS_KWARGS)
        jinja_scope_set(r, s, &jinja_word_kwargs, jinja_from_dict(rest));
    else if (rest->n)
        jinja_fail(r, "macro '%s' takes no keyword argument '%s'", name, jinja_c(r, rest->p[0].key.text));
    jinja_list *more = jinja_list_new(r, 0);
    for (size_t i = n->list.n; i < args->n; i++) jinja_push(r, more, args->v[i]);
    if (n->sign & JINJA_SAYS_VARARGS)
        jinja_scope_set(r, s, &jinja_word_varargs, jinja_from_tuple(more));
    else if (more->n)
        jinja_fail(r, "macro '%s' takes not more than %zu argument(s)", name, n->list.n);
}

static jinja_value not_provided(jinja_run *r, const jinja_text *name)
{
    jinja_buffer b = { 0 };
    jinja_puts(r, &b, "parameter '");
    jinja_put(r, &b, name->s, name->n);
    jinja_puts(r, &b, "' was not provided");
    return jinja_undefined(r, jinja_c(r, jinja_buffer_value(r, &b).text));
}

jinja_value jinja_call_macro(jinja_run *r, const jinja_macro *m, const jinja_args *args)
{
    const uint32_t line = r->line;
    const jinja_node *n = m->node;
    jinja_scope *s = jinja_scope_new(r, m->scope);
    bool *used = jinja_alloc(r, args->n_named, sizeof *used);
    int64_t *given = jinja_alloc(r, n->list.n, sizeof *given);
    jinja_enter(r);
    for (size_t i = args->n; i < n->list.n; i++) given[i] = take(r, args, n->list.v[i]->value.text, used);
    bind_rest(r, s, m, args, used);
    for (size_t i = 0; i < n->list.n; i++) {
        const jinja_node *p = n->list.v[i];
        jinja_value v;
        if (i < args->n)
            v = args->v[i];
        else if (given[i] >= 0)
            v = args->named[given[i]].value;
        else
            v = p->a ? jinja_eval(r, s, p->a) : not_provided(r, p->value.text);
        jinja_scope_set(r, s, p->value.text, v);
    }
    const jinja_value out = jinja_capture(r, s, &n->body);
    jinja_leave(r);
    r->line = line;
    return out;
}
