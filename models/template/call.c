/* call.c: filters, tests, functions and methods by their names, and their arguments. */
#include <string.h>

#include "jinja.h"

/* ---- the tables ---- */

static const jinja_row *find_row(const jinja_row *rows, const char *name, size_t n)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0) return rows;
    return NULL;
}

const jinja_row *jinja_find_filter(const jinja_run *r, const char *name, size_t n)
{
    const jinja_row *row = find_row(r->tables->list_filters, name, n);
    return row ? row : find_row(r->tables->text_filters, name, n);
}

const jinja_row *jinja_find_test(const jinja_run *r, const char *name, size_t n)
{
    return find_row(r->tables->tests, name, n);
}

const jinja_row *jinja_find_function(const jinja_run *r, const char *name, size_t n)
{
    return find_row(r->tables->functions, name, n);
}

const jinja_row *jinja_find_method(const jinja_run *r, jinja_kind of, const char *name, size_t n)
{
    if (of == JINJA_TEXT) return find_row(r->tables->text_methods, name, n);
    for (const jinja_row *row = r->tables->methods; row->name; row++)
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
