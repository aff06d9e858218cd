/* need.c: what a function may ask of a value, and the faults where it is something else. */
#include "jinja.h"

_Noreturn void jinja_fail_undefined(jinja_run *r, jinja_value v)
{
    const jinja_missing *m = v.missing;
    if (m->hint) jinja_fail(r, "%s", m->hint);
    jinja_buffer b = { 0 };
    jinja_repr(r, &b, m->name);
    const char *name = jinja_c(r, jinja_buffer_value(r, &b).text);
    const char *of = m->of.kind == JINJA_NONE ? "None" : jinja_type_name(m->of);
    if (m->unsafe) jinja_fail(r, "access to attribute %s of '%s' object is unsafe.", name, of);
    if (m->of.kind == JINJA_UNDEFINED) jinja_fail(r, "%s is undefined", name);
    const char *object = m->of.kind == JINJA_NONE ? "" : " object";
    if (m->name.kind == JINJA_TEXT) jinja_fail(r, "'%s%s' has no attribute %s", of, object, name);
    jinja_fail(r, "%s%s has no element %s", of, object, name);
}

void jinja_defined(jinja_run *r, jinja_value v)
{
    if (v.kind == JINJA_UNDEFINED) jinja_fail_undefined(r, v);
}

int64_t jinja_need_int(jinja_run *r, jinja_value v, const char *what)
{
    int64_t i;
    jinja_defined(r, v);
    if (!jinja_whole(v, &i))
        jinja_fail(r, "%s: '%s' object cannot be interpreted as an integer", what, jinja_type_name(v));
    return i;
}

const jinja_text *jinja_need_text(jinja_run *r, jinja_value v, const char *what)
{
    jinja_defined(r, v);
    if (v.kind != JINJA_TEXT) jinja_fail(r, "%s: expected str, got %s", what, jinja_type_name(v));
    return v.text;
}
