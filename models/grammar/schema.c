/* schema.c: JSON schemas as rules. A schema is a rule, so that those that refer to themselves are rules that call
 * themselves. Members of objects come in the order of the schema, then others. */
#include <string.h>

#include "models/checkpoint/json.h"
#include "schema_impl.h"

static const grammar_node *schema_node(grammar_schema *s, json_t *schema, const char *path);

/* ---- objects ---- */

enum { MOST_MEMBERS = 5000 };

typedef struct member {
    const char *name;
    const grammar_node *node; /* "name": value */
    bool required;
} member;

typedef struct members {
    grammar_schema *s;
    member *v;
    size_t n;
    json_t *listed; /* their places by name */
    const grammar_node *other; /* a member that is not listed; NULL: there is none */
} members;

static const grammar_node *member_node(grammar_build *b, const grammar_node *key, const grammar_node *value)
{
    return GRAMMAR_SEQUENCE_OF(b, key, grammar_word(b, ":"), grammar_json(b, GRAMMAR_SPACE), value);
}

static const grammar_node *behind_comma(grammar_build *b, const grammar_node *part)
{
    return GRAMMAR_SEQUENCE_OF(b, grammar_word(b, ","), grammar_json(b, GRAMMAR_SPACE), part);
}

/* Lists a member; what is listed already becomes required. */
static void list_member(members *m, const char *name, json_t *schema, bool required, const char *path)
{
    grammar_build *b = m->s->b;
    const json_t *at = json_object_get(m->listed, name);
    if (at) {
        m->v[json_integer_value(at)].required |= required;
        return;
    }
    if (json_object_set_new(m->listed, name, json_integer((json_int_t)m->n))) grammar_fail_oom(b);
    const grammar_node *value = schema ? schema_node(m->s, schema, path) : grammar_json(b, GRAMMAR_VALUE);
    m->v[m->n++] = (member){ name, member_node(b, grammar_json_text(b, name, strlen(name)), value), required };
    if (grammar_is_never(value)) m->v[m->n - 1].node = value;
}

/* Members from i on, `first`: none stands before. Rules for each, so that a choice does not double what follows. */
static const grammar_node *members_from(members *m)
{
    grammar_build *b = m->s->b;
    const grammar_node *after[2], *empty = grammar_word(b, "");
    const grammar_node *others = m->other ? grammar_repeat(b, behind_comma(b, m->other), 0, GRAMMAR_UNBOUNDED) : empty;
    after[false] = others;
    after[true] = m->other ? grammar_repeat(b, GRAMMAR_SEQUENCE_OF(b, m->other, others), 0, 1) : empty;
    for (size_t i = m->n; i-- > 0;) {
        const member *v = &m->v[i];
        const grammar_node *now[2];
        for (int first = 0; first < 2; first++) {
            const grammar_node *own = first ? v->node : behind_comma(b, v->node);
            const grammar_node *taken = grammar_is_never(v->node) ? v->node : GRAMMAR_SEQUENCE_OF(b, own, after[false]);
            const grammar_node *body = v->required ? taken : GRAMMAR_CHOICE_OF(b, taken, after[first]);
            const uint32_t rule = grammar_rule_new(b, v->name);
            grammar_rule_set(b, rule, body);
            now[first] = grammar_call(b, rule);
        }
        after[false] = now[false];
        after[true] = now[true];
    }
    return after[true];
}

static const grammar_node *object_node(grammar_schema *s, const json_t *schema, const char *path)
{
    grammar_build *b = s->b;
    json_t *properties = grammar_keyword(s, schema, "properties", JSON_OBJECT, path), *v;
    json_t *required = grammar_keyword(s, schema, "required", JSON_ARRAY, path);
    json_t *additional = json_object_get(schema, "additionalProperties");
    if (!properties && !required && !additional) return grammar_json(b, GRAMMAR_OBJECT);
    members m = { .s = s, .listed = grammar_keep(b, json_object()) };
    const char *name, *other_path = grammar_format(b, "%s/additionalProperties", path);
    size_t i;
    if (json_object_size(properties) + json_array_size(required) > MOST_MEMBERS)
        grammar_fail(b, WEFT_LIMIT, "%s: more than %d members", path, MOST_MEMBERS);
    m.v = grammar_alloc(b, json_object_size(properties) + json_array_size(required), sizeof *m.v);
    json_object_foreach(properties, name, v)
        list_member(&m, name, v, false, grammar_format(b, "%s/properties/%s", path, name));
    json_array_foreach(required, i, v)
    {
        if (!json_is_string(v)) grammar_fail(b, WEFT_INVALID, "%s/required: expected a list of texts", path);
        list_member(&m, json_string_value(v), additional, true, other_path);
    }
    const grammar_node *value =
        additional ? schema_node(s, additional, other_path) : grammar_json(b, GRAMMAR_VALUE);
    if (!grammar_is_never(value)) m.other = member_node(b, grammar_json_other(b, m.listed), value);
    return grammar_enclosed(b, "{", members_from(&m), "}", false);
}

/* ---- arrays ---- */

/* The i-th item of those that have a schema of their own, or NULL. */
typedef struct items {
    json_t *prefix, *rest;
    const char *rest_key;
} items;

/* "prefixItems" and "items", or "items" that is a list and "additionalItems". */
static items items_of(grammar_schema *s, const json_t *schema, const char *path)
{
    json_t *list = json_object_get(schema, "items");
    if (json_is_array(list) && json_object_get(schema, "prefixItems"))
        grammar_fail(s->b, WEFT_UNSUPPORTED, "%s/items: a list beside \"prefixItems\" is not supported", path);
    if (json_is_array(list)) return (items){ list, json_object_get(schema, "additionalItems"), "additionalItems" };
    return (items){ grammar_keyword(s, schema, "prefixItems", JSON_ARRAY, path), list, "items" };
}

static const grammar_node *array_node(grammar_schema *s, const json_t *schema, const char *path)
{
    grammar_build *b = s->b;
    const items it = items_of(s, schema, path);
    const uint32_t min = grammar_count(s, schema, "minItems", 0, path);
    const uint32_t max = grammar_count(s, schema, "maxItems", GRAMMAR_UNBOUNDED, path);
    const uint32_t k = (uint32_t)json_array_size(it.prefix);
    if (!it.prefix && !it.rest && !min && max == GRAMMAR_UNBOUNDED) return grammar_json(b, GRAMMAR_ARRAY);
    if (max < min) return grammar_never(b);
    const grammar_node *item = it.rest ? schema_node(s, it.rest, grammar_format(b, "%s/%s", path, it.rest_key))
                                       : grammar_json(b, GRAMMAR_VALUE);
    const grammar_node *empty = grammar_word(b, ""), *after;
    const uint32_t least = min > k ? min - k : 0, most = max == GRAMMAR_UNBOUNDED ? max : max > k ? max - k : 0;
    if (!most || grammar_is_never(item)) after = least ? grammar_never(b) : empty;
    else if (k) after = grammar_repeat(b, behind_comma(b, item), least, most);
    else after = grammar_repeat(b, grammar_commas(b, item, least, most), least ? 1 : 0, 1);
    for (uint32_t i = k; i-- > 0;) {
        json_t *own = json_array_get(it.prefix, i);
        const grammar_node *node = schema_node(s, own, grammar_format(b, "%s/prefixItems/%u", path, i));
        const grammar_node *more = i >= max || grammar_is_never(node) ? grammar_never(b)
                                   : GRAMMAR_SEQUENCE_OF(b, i ? behind_comma(b, node) : node, after);
        const uint32_t rule = grammar_rule_new(b, "an item");
        grammar_rule_set(b, rule, i >= min ? GRAMMAR_CHOICE_OF(b, empty, more) : more);
        after = grammar_call(b, rule);
    }
    return grammar_enclosed(b, "[", after, "]", false);
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
    case ARRAYS: return array_node(s, schema, path);
    default: return object_node(s, schema, path);
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
    enum { EACH = 64 }; /* what a member costs, which has rules of its own for each of the schemas */
    json_t *list = grammar_keyword(s, flat, key, JSON_ARRAY, path), *one;
    json_t *beside = grammar_keep(s->b, json_copy(flat));
    const bool exactly_one = !strcmp(key, "oneOf");
    const size_t n_members =
        json_object_size(json_object_get(flat, "properties")) + json_array_size(json_object_get(flat, "required"));
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
        if (!grammar_says_more(beside, NULL)) {
            grammar_push(s->b, &l, schema_node(s, one, place));
            continue;
        }
        grammar_merged(s, EACH * n_members, place);
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
        return schema_node(s, target, place);
    }
    return flat_node(s, grammar_flatten(s, schema, path), path);
}

static const grammar_node *schema_node(grammar_schema *s, json_t *schema, const char *path)
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
    const grammar_node *root = schema_node(&s, s.root, "#");
    b->root = root->rule;
}
