/* tests.c: what may stand behind `is`. */
#include "jinja.h"

static jinja_value t_defined(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind != JINJA_UNDEFINED);
}

static jinja_value t_undefined(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_UNDEFINED);
}

static jinja_value t_none(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_NONE);
}

static jinja_value t_boolean(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_BOOL);
}

static jinja_value t_true(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_BOOL && c->self.yes);
}

static jinja_value t_false(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_BOOL && !c->self.yes);
}

static jinja_value t_integer(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_INT);
}

static jinja_value t_float(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_FLOAT);
}

static jinja_value t_number(jinja_run *r, const jinja_call *c)
{
    double f;
    (void)r;
    return jinja_bool(jinja_number(c->self, &f));
}

static jinja_value t_string(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_TEXT);
}

static jinja_value t_mapping(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_DICT);
}

/* What has a length and items by index: of Undefined, too, as far as Python can see. */
static jinja_value t_sequence(jinja_run *r, const jinja_call *c)
{
    int64_t n;
    (void)r;
    return jinja_bool(jinja_length(c->self, &n) && c->self.kind != JINJA_VIEW && c->self.kind != JINJA_LOOP);
}

static jinja_value t_iterable(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(jinja_can_iterate(c->self));
}

static jinja_value t_callable(jinja_run *r, const jinja_call *c)
{
    const jinja_kind k = c->self.kind;
    (void)r;
    return jinja_bool(k == JINJA_MACRO || k == JINJA_METHOD || k == JINJA_FUNCTION || k == JINJA_LOOP ||
                      k == JINJA_JOINER || k == JINJA_UNDEFINED);
}

static jinja_value t_sameas(jinja_run *r, const jinja_call *c)
{
    const jinja_value a = c->self, b = c->v[0];
    if (a.kind != b.kind) return jinja_bool(false);
    switch (a.kind) {
    case JINJA_NONE:
        return jinja_bool(true);
    case JINJA_BOOL:
        return jinja_bool(a.yes == b.yes);
    case JINJA_INT:
        return jinja_bool(a.i == b.i && a.i >= -5 && a.i <= 256); /* of which Python has one each */
    case JINJA_FLOAT:
    case JINJA_TEXT:
    case JINJA_TUPLE:
        jinja_fail_as(r, WEFT_UNSUPPORTED, "sameas of a %s is not supported", jinja_type_name(a));
    default:
        return jinja_bool(a.dict == b.dict);
    }
}

static jinja_value t_escaped(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_TEXT && c->self.text->markup);
}

static jinja_value t_in(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(jinja_contains(r, c->v[0], c->self));
}

static jinja_value t_filter(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_TEXT && jinja_find_filter(r, c->self.text->s, c->self.text->n));
}

static jinja_value t_test(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(c->self.kind == JINJA_TEXT && jinja_find_test(r, c->self.text->s, c->self.text->n));
}

/* ---- numbers ---- */

static bool remainder_is(jinja_run *r, jinja_value a, jinja_value by, int64_t want)
{
    return jinja_equal(r, jinja_binary(r, '%', a, by), jinja_int(want));
}

static jinja_value t_odd(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(remainder_is(r, c->self, jinja_int(2), 1));
}

static jinja_value t_even(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(remainder_is(r, c->self, jinja_int(2), 0));
}

static jinja_value t_divisibleby(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(remainder_is(r, c->self, c->v[0], 0));
}

/* ---- cases ---- */

/* All letters that have a case have this one, and there is one. */
static jinja_value all_of_case(jinja_run *r, const jinja_call *c, jinja_class which)
{
    const jinja_text *t = jinja_str(r, c->self);
    bool some = false;
    size_t n;
    jinja_work(r, t->n / 16);
    for (const char *p = t->s; p < t->s + t->n; p += n) {
        const uint32_t ch = jinja_char(p, &n);
        if (jinja_is(ch, which))
            some = true;
        else if (jinja_is(ch, JINJA_CASED))
            return jinja_bool(false);
    }
    return jinja_bool(some);
}

static jinja_value t_lower(jinja_run *r, const jinja_call *c)
{
    return all_of_case(r, c, JINJA_LOWER);
}

static jinja_value t_upper(jinja_run *r, const jinja_call *c)
{
    return all_of_case(r, c, JINJA_UPPER);
}

/* ---- comparisons ---- */

static jinja_value t_eq(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(jinja_equal(r, c->self, c->v[0]));
}

static jinja_value t_ne(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(!jinja_equal(r, c->self, c->v[0]));
}

static jinja_value t_lt(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(jinja_compare(r, c->self, c->v[0], "<") < 0);
}

static jinja_value t_gt(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(jinja_compare(r, c->self, c->v[0], ">") == 1);
}

static jinja_value t_le(jinja_run *r, const jinja_call *c)
{
    return jinja_bool(jinja_compare(r, c->self, c->v[0], "<=") <= 0);
}

static jinja_value t_ge(jinja_run *r, const jinja_call *c)
{
    const int order = jinja_compare(r, c->self, c->v[0], ">=");
    return jinja_bool(order == 0 || order == 1);
}

const jinja_row jinja_tests[] = {
    { "boolean", t_boolean, "", 0 },     { "callable", t_callable, "", 0 },
    { "defined", t_defined, "", 0 },     { "divisibleby", t_divisibleby, "num", 0 },
    { "eq", t_eq, "other", 0 },          { "equalto", t_eq, "other", 0 },
    { "==", t_eq, "other", 0 },          { "escaped", t_escaped, "", 0 },
    { "even", t_even, "", 0 },           { "false", t_false, "", 0 },
    { "filter", t_filter, "", 0 },       { "float", t_float, "", 0 },
    { "ge", t_ge, "other", 0 },          { ">=", t_ge, "other", 0 },
    { "greaterthan", t_gt, "other", 0 }, { "gt", t_gt, "other", 0 },
    { ">", t_gt, "other", 0 },           { "in", t_in, "seq", 0 },
    { "integer", t_integer, "", 0 },     { "iterable", t_iterable, "", 0 },
    { "le", t_le, "other", 0 },          { "<=", t_le, "other", 0 },
    { "lessthan", t_lt, "other", 0 },    { "lower", t_lower, "", 0 },
    { "lt", t_lt, "other", 0 },          { "<", t_lt, "other", 0 },
    { "mapping", t_mapping, "", 0 },     { "ne", t_ne, "other", 0 },
    { "!=", t_ne, "other", 0 },          { "none", t_none, "", 0 },
    { "number", t_number, "", 0 },       { "odd", t_odd, "", 0 },
    { "sameas", t_sameas, "other", 0 },  { "sequence", t_sequence, "", 0 },
    { "string", t_string, "", 0 },       { "test", t_test, "", 0 },
    { "true", t_true, "", 0 },           { "undefined", t_undefined, "", 0 },
    { "upper", t_upper, "", 0 },         { .name = NULL },
};
