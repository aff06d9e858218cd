/* schema_keys.c: values of a schema's keywords. */
#include "schema_impl.h"

json_t *grammar_keep(grammar_build *b, json_t *value)
{
    if (!value || json_array_append_new(b->kept, value)) grammar_fail_oom(b);
    return value;
}

const grammar_node *grammar_never(grammar_build *b)
{
    return grammar_class(b, NULL, 0, false);
}

bool grammar_is_never(const grammar_node *node)
{
    return node->kind == GRAMMAR_CLASS && !node->n;
}

json_t *grammar_keyword(grammar_schema *s, const json_t *schema, const char *key, json_type type, const char *path)
{
    static const char *const names[] = { "an object", "a list", "a text", "a whole number", "a number" };
    json_t *v = json_object_get(schema, key);
    if (!v || json_typeof(v) == type || (type == JSON_REAL && json_is_number(v))) return v;
    if (type == JSON_TRUE && json_is_boolean(v)) return v;
    grammar_fail(s->b, WEFT_INVALID, "%s/%s: expected %s", path, key,
                 type == JSON_TRUE ? "true or false" : names[type]);
}

uint32_t grammar_count(grammar_schema *s, const json_t *schema, const char *key, uint32_t fallback, const char *path)
{
    enum { MOST = 100000 };
    const json_t *v = grammar_keyword(s, schema, key, JSON_INTEGER, path);
    if (!v) return fallback;
    const json_int_t n = json_integer_value(v);
    if (n < 0) grammar_fail(s->b, WEFT_INVALID, "%s/%s: a number below zero", path, key);
    if (n > MOST) grammar_fail(s->b, WEFT_LIMIT, "%s/%s: more than %d", path, key, MOST);
    return (uint32_t)n;
}
