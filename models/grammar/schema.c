/* schema.c: JSON schemas as rules. A schema is a rule, so that those that refer to themselves are rules that call
 * themselves. */
#include <string.h>

#include "models/checkpoint/json.h"
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

/* ---- values ---- */

static const grammar_node *list_value(grammar_build *b, const json_t *value)
{
    grammar_list l = { 0 };
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)value, i, item)
    {
        if (i) grammar_push(b, &l, grammar_word(b, ","));
        if (i) grammar_push(b, &l, grammar_json(b, GRAMMAR_SPACE));
        grammar_push(b, &l, grammar_value(b, item));
    }
    return grammar_enclosed(b, "[", l.n ? grammar_sequence(b, l.v, l.n) : NULL, "]", false);
}

static const grammar_node *object_value(grammar_build *b, const json_t *value)
{
    grammar_list l = { 0 };
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (l.n) grammar_push(b, &l, grammar_word(b, ","));
        if (l.n) grammar_push(b, &l, grammar_json(b, GRAMMAR_SPACE));
        grammar_push(b, &l, grammar_json_text(b, key, strlen(key)));
        grammar_push(b, &l, grammar_word(b, ":"));
        grammar_push(b, &l, grammar_json(b, GRAMMAR_SPACE));
        grammar_push(b, &l, grammar_value(b, item));
    }
    return grammar_enclosed(b, "{", l.n ? grammar_sequence(b, l.v, l.n) : NULL, "}", false);
}

const grammar_node *grammar_value(grammar_build *b, const json_t *value)
{
    grammar_enter(b);
    const grammar_node *node;
    switch (json_typeof(value)) {
    case JSON_OBJECT: node = object_value(b, value); break;
    case JSON_ARRAY: node = list_value(b, value); break;
    case JSON_STRING: node = grammar_json_text(b, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER:
    case JSON_REAL: node = grammar_word(b, grammar_shortest(b, value)); break;
    case JSON_TRUE: node = grammar_word(b, "true"); break;
    case JSON_FALSE: node = grammar_word(b, "false"); break;
    default: node = grammar_word(b, "null");
    }
    b->depth--;
    return node;
}

/* ---- types ---- */

static const char *const types[] = { "null", "boolean", "integer", "number", "string", "array", "object" };
enum { NULLS, BOOLEANS, INTEGERS, NUMBERS, STRINGS, ARRAYS, OBJECTS, N_TYPES };

static unsigned type_bit(grammar_schema *s, const json_t *name, const char *path)
{
    for (unsigned i = 0; i < N_TYPES && json_is_string(name); i++)
        if (!strcmp(json_string_value(name), types[i])) return 1u << i;
    grammar_fail(s->b, WEFT_INVALID, "%s/type: there is no type %s", path,
                 json_is_string(name) ? json_string_value(name) : "of this kind");
}

/* A bit of each type that may be; integers are numbers. */
static unsigned types_of(grammar_schema *s, const json_t *schema, const char *path)
{
    json_t *v = json_object_get(schema, "type"), *name;
    unsigned bits = 0;
    size_t i;
    if (!v) return ((1u << N_TYPES) - 1) & ~(1u << INTEGERS);
    if (!json_is_array(v)) return type_bit(s, v, path);
    json_array_foreach(v, i, name) bits |= type_bit(s, name, path);
    return bits & 1u << NUMBERS ? bits & ~(1u << INTEGERS) : bits;
}

static const grammar_node *type_node(grammar_schema *s, const json_t *schema, unsigned type, const char *path)
{
    grammar_build *b = s->b;
    switch (type) {
    case NULLS: return grammar_word(b, "null");
    case BOOLEANS: return GRAMMAR_CHOICE_OF(b, grammar_word(b, "true"), grammar_word(b, "false"));
    case INTEGERS: return grammar_schema_number(s, schema, false, path);
    case NUMBERS: return grammar_schema_number(s, schema, true, path);
    case STRINGS: return grammar_schema_string(s, schema, path);
    case ARRAYS: return grammar_schema_array(s, schema, path);
    default: return grammar_schema_object(s, schema, path);
    }
}

static bool has_type(const json_t *value, unsigned bits)
{
    static const unsigned of[] = { OBJECTS, ARRAYS, STRINGS, NUMBERS, NUMBERS, BOOLEANS, BOOLEANS, NULLS };
    if (bits & 1u << of[json_typeof(value)]) return true;
    const double x = json_number_value(value);
    return json_is_number(value) && bits & 1u << INTEGERS && x >= -9e15 && x <= 9e15 && x == (double)(int64_t)x;
}

/* Of an enumeration those values that the type has. Other keywords beside it would have to be checked here. */
static const grammar_node *enum_node(grammar_schema *s, json_t *schema, const char *path)
{
    json_t *values = grammar_keyword(s, schema, "enum", JSON_ARRAY, path), *v;
    const unsigned bits = types_of(s, schema, path);
    grammar_list l = { 0 };
    const char *key;
    size_t i;
    if (!json_array_size(values)) return grammar_never(s->b);
    json_object_foreach(schema, key, v) if (strcmp(key, "enum") && strcmp(key, "type"))
        grammar_fail(s->b, WEFT_UNSUPPORTED, "%s/%s: beside \"enum\" or \"const\" it is not supported", path, key);
    json_array_foreach(values, i, v) if (has_type(v, bits)) grammar_push(s->b, &l, grammar_value(s->b, v));
    return grammar_choice(s->b, l.v, l.n);
}

/* ---- schemas ---- */

static const grammar_node *flat_node(grammar_schema *s, json_t *flat, const char *path);

/* One of several, each together with what stands beside them. */
static const grammar_node *some_node(grammar_schema *s, json_t *flat, const char *key, const char *path)
{
    json_t *list = grammar_keyword(s, flat, key, JSON_ARRAY, path), *one;
    json_t *beside = grammar_keep(s->b, json_copy(flat));
    const bool exactly_one = !strcmp(key, "oneOf");
    grammar_list l = { 0 };
    size_t i;
    json_object_del(beside, key);
    json_array_foreach(list, i, one)
    {
        const char *place = grammar_format(s->b, "%s/%s/%zu", path, key, i);
        for (size_t k = 0; k < i && exactly_one; k++)
            if (!grammar_apart(s, one, json_array_get(list, k), place))
                grammar_fail(s->b, WEFT_UNSUPPORTED, "%s: \"oneOf\" is not supported where it cannot be seen that no "
                             "value is of two of its schemas, here %zu and %zu; \"anyOf\" is", path, k, i);
        if (!grammar_says_more(beside, NULL))
            grammar_push(s->b, &l, grammar_schema_node(s, one, place));
        else
            grammar_push(s->b, &l, flat_node(s, grammar_merge(s, beside, grammar_flatten(s, one, place), path), place));
    }
    return grammar_choice(s->b, l.v, l.n);
}

/* A schema that is false allows nothing: {"enum": []} once it is flat. */
static const grammar_node *flat_node(grammar_schema *s, json_t *flat, const char *path)
{
    grammar_list l = { 0 };
    grammar_enter(s->b);
    const grammar_node *node;
    if (json_object_get(flat, "anyOf")) {
        node = some_node(s, flat, "anyOf", path);
    } else if (json_object_get(flat, "oneOf")) {
        node = some_node(s, flat, "oneOf", path);
    } else if (json_object_get(flat, "enum")) {
        node = enum_node(s, flat, path);
    } else if (!grammar_says_more(flat, NULL)) {
        node = grammar_json(s->b, GRAMMAR_VALUE);
    } else {
        const unsigned bits = types_of(s, flat, path);
        for (unsigned i = 0; i < N_TYPES; i++)
            if (bits & 1u << i) grammar_push(s->b, &l, type_node(s, flat, i, path));
        node = grammar_choice(s->b, l.v, l.n);
    }
    s->b->depth--;
    return node;
}

static const grammar_node *body_of(grammar_schema *s, json_t *schema, const char *path)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    grammar_check_keywords(s, schema, path);
    if (ref && !grammar_says_more(schema, "$ref")) { /* a name, which may stand within itself */
        const char *place;
        json_t *target = grammar_resolve(s, ref, path, &place);
        return grammar_schema_node(s, target, place);
    }
    return flat_node(s, grammar_flatten(s, schema, path), path);
}

const grammar_node *grammar_schema_node(grammar_schema *s, json_t *schema, const char *path)
{
    grammar_build *b = s->b;
    char key[32];
    if (json_is_true(schema)) return grammar_json(b, GRAMMAR_VALUE);
    if (json_is_false(schema)) return grammar_never(b);
    if (!json_is_object(schema)) grammar_fail(b, WEFT_INVALID, "%s: a schema is an object, true or false", path);
    snprintf(key, sizeof key, "%p", (const void *)schema);
    const json_t *known = json_object_get(s->rules, key);
    if (known) return grammar_call(b, (uint32_t)json_integer_value(known));
    grammar_enter(b);
    const uint32_t rule = grammar_rule_new(b, path);
    if (json_object_set_new(s->rules, key, json_integer(rule))) grammar_fail_oom(b);
    grammar_rule_set(b, rule, body_of(s, schema, path));
    b->depth--;
    return grammar_call(b, rule);
}

void grammar_read_schema(grammar_build *b, const char *text, size_t n)
{
    grammar_schema s = { .b = b };
    weft_error err;
    const weft_status status = weft__json_parse(text, n, "the schema", &s.root, &err);
    if (status) grammar_fail(b, status == WEFT_OOM ? WEFT_OOM : WEFT_INVALID, "%s", err.text);
    grammar_keep(b, s.root);
    s.rules = grammar_keep(b, json_object());
    const grammar_node *root = grammar_schema_node(&s, s.root, "#");
    b->root = root->rule;
}
