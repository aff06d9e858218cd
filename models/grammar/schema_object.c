/* schema_object.c: objects and arrays of a schema. Members come in the order of the schema, then others. */
#include <string.h>

#include "schema_impl.h"

/* ---- objects ---- */

typedef struct member {
    const char *name;
    const grammar_node *node; /* "name": value */
    bool required;
} member;

typedef struct members {
    grammar_schema *s;
    member *v;
    size_t n;
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
    for (size_t i = 0; i < m->n; i++)
        if (!strcmp(m->v[i].name, name)) {
            m->v[i].required |= required;
            return;
        }
    const grammar_node *value = schema ? grammar_schema_node(m->s, schema, path) : grammar_json(b, GRAMMAR_VALUE);
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

const grammar_node *grammar_schema_object(grammar_schema *s, const json_t *schema, const char *path)
{
    grammar_build *b = s->b;
    json_t *properties = grammar_keyword(s, schema, "properties", JSON_OBJECT, path), *v;
    json_t *required = grammar_keyword(s, schema, "required", JSON_ARRAY, path);
    json_t *additional = json_object_get(schema, "additionalProperties");
    if (!properties && !required && !additional) return grammar_json(b, GRAMMAR_OBJECT);
    members m = { .s = s };
    const char *name, *other_path = grammar_format(b, "%s/additionalProperties", path);
    json_t *listed = grammar_keep(b, json_object());
    size_t i;
    m.v = grammar_alloc(b, json_object_size(properties) + json_array_size(required), sizeof *m.v);
    json_object_foreach(properties, name, v)
        list_member(&m, name, v, false, grammar_format(b, "%s/properties/%s", path, name));
    json_array_foreach(required, i, v)
    {
        if (!json_is_string(v)) grammar_fail(b, WEFT_INVALID, "%s/required: expected a list of texts", path);
        list_member(&m, json_string_value(v), additional, true, other_path);
    }
    for (size_t k = 0; k < m.n; k++)
        if (json_object_set(listed, m.v[k].name, json_null())) grammar_fail_oom(b);
    const grammar_node *value =
        additional ? grammar_schema_node(s, additional, other_path) : grammar_json(b, GRAMMAR_VALUE);
    if (!grammar_is_never(value)) m.other = member_node(b, grammar_json_other(b, listed), value);
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
    if (json_is_array(list)) return (items){ list, json_object_get(schema, "additionalItems"), "additionalItems" };
    return (items){ grammar_keyword(s, schema, "prefixItems", JSON_ARRAY, path), list, "items" };
}

const grammar_node *grammar_schema_array(grammar_schema *s, const json_t *schema, const char *path)
{
    grammar_build *b = s->b;
    const items it = items_of(s, schema, path);
    const uint32_t min = grammar_count(s, schema, "minItems", 0, path);
    const uint32_t max = grammar_count(s, schema, "maxItems", GRAMMAR_UNBOUNDED, path);
    const uint32_t k = (uint32_t)json_array_size(it.prefix);
    if (!it.prefix && !it.rest && !min && max == GRAMMAR_UNBOUNDED) return grammar_json(b, GRAMMAR_ARRAY);
    if (max < min) return grammar_never(b);
    const grammar_node *item = it.rest ? grammar_schema_node(s, it.rest, grammar_format(b, "%s/%s", path, it.rest_key))
                                       : grammar_json(b, GRAMMAR_VALUE);
    const grammar_node *empty = grammar_word(b, ""), *after;
    const uint32_t least = min > k ? min - k : 0, most = max == GRAMMAR_UNBOUNDED ? max : max > k ? max - k : 0;
    if (!most || grammar_is_never(item)) after = least ? grammar_never(b) : empty;
    else if (k) after = grammar_repeat(b, behind_comma(b, item), least, most);
    else after = grammar_repeat(b, grammar_commas(b, item, least, most), least ? 1 : 0, 1);
    for (uint32_t i = k; i-- > 0;) {
        json_t *own = json_array_get(it.prefix, i);
        const grammar_node *node = grammar_schema_node(s, own, grammar_format(b, "%s/prefixItems/%u", path, i));
        const grammar_node *more = i >= max || grammar_is_never(node) ? grammar_never(b)
                                   : GRAMMAR_SEQUENCE_OF(b, i ? behind_comma(b, node) : node, after);
        const uint32_t rule = grammar_rule_new(b, "an item");
        grammar_rule_set(b, rule, i >= min ? GRAMMAR_CHOICE_OF(b, empty, more) : more);
        after = grammar_call(b, rule);
    }
    return grammar_enclosed(b, "[", after, "]", false);
}
