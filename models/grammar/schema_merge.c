/* schema_merge.c: schemas as one object: $ref followed, allOf and what stands beside a $ref put together, keyword by
 * keyword. */
#include <stdlib.h>
#include <string.h>

#include "schema_impl.h"

/* ---- keywords ---- */

typedef enum keyword_kind { NOTE, SAYS, REFUSED } keyword_kind;

/* Keywords of JSON Schema (drafts 4 to 2020-12) and OpenAPI. Others mean nothing to it. */
static const struct {
    const char *name;
    keyword_kind kind;
} keywords[] = {
    { "$comment", NOTE }, { "$defs", NOTE }, { "$id", NOTE }, { "$schema", NOTE }, { "$vocabulary", NOTE },
    { "contentEncoding", NOTE }, { "contentMediaType", NOTE }, { "contentSchema", NOTE }, { "default", NOTE },
    { "definitions", NOTE }, { "deprecated", NOTE }, { "description", NOTE }, { "example", NOTE }, { "examples", NOTE },
    { "id", NOTE }, { "readOnly", NOTE }, { "title", NOTE }, { "writeOnly", NOTE }, { "$anchor", NOTE },
    { "$ref", SAYS }, { "additionalItems", SAYS }, { "additionalProperties", SAYS }, { "allOf", SAYS },
    { "anyOf", SAYS }, { "const", SAYS }, { "enum", SAYS }, { "exclusiveMaximum", SAYS }, { "exclusiveMinimum", SAYS },
    { "format", SAYS }, { "items", SAYS }, { "maxItems", SAYS }, { "maxLength", SAYS }, { "maximum", SAYS },
    { "minItems", SAYS }, { "minLength", SAYS }, { "minimum", SAYS }, { "oneOf", SAYS }, { "pattern", SAYS },
    { "prefixItems", SAYS }, { "properties", SAYS }, { "required", SAYS }, { "type", SAYS },
    { "$dynamicAnchor", REFUSED }, { "$dynamicRef", REFUSED }, { "$recursiveAnchor", REFUSED },
    { "$recursiveRef", REFUSED }, { "contains", REFUSED }, { "dependencies", REFUSED },
    { "dependentRequired", REFUSED }, { "dependentSchemas", REFUSED }, { "discriminator", REFUSED },
    { "else", REFUSED }, { "if", REFUSED }, { "maxContains", REFUSED }, { "maxProperties", REFUSED },
    { "minContains", REFUSED }, { "minProperties", REFUSED }, { "multipleOf", REFUSED }, { "not", REFUSED },
    { "nullable", REFUSED }, { "patternProperties", REFUSED }, { "propertyNames", REFUSED }, { "then", REFUSED },
    { "unevaluatedItems", REFUSED }, { "unevaluatedProperties", REFUSED }, { "uniqueItems", REFUSED },
};

static keyword_kind kind_of(const char *key)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (!strcmp(keywords[i].name, key)) return keywords[i].kind;
    return NOTE;
}

/* Values with which a keyword that is not supported says nothing. */
static bool says_nothing(const char *key, const json_t *value)
{
    if (!strcmp(key, "uniqueItems") || !strcmp(key, "nullable")) return json_is_false(value);
    if (!strcmp(key, "minProperties")) return json_is_integer(value) && json_integer_value(value) == 0;
    if (!strncmp(key, "unevaluated", strlen("unevaluated"))) return json_is_true(value);
    if (!strcmp(key, "not") || strstr(key, "ontains")) return false; /* {} asks for an item, or for none */
    return (json_is_object(value) && !json_object_size(value)) ||
           (json_is_true(value) && !strcmp(key, "propertyNames"));
}

void grammar_check_keywords(grammar_schema *s, const json_t *schema, const char *path)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)schema, key, v) if (kind_of(key) == REFUSED && !says_nothing(key, v))
        grammar_fail(s->b, WEFT_UNSUPPORTED, "%s: \"%s\" is not supported", path, key);
    const char *id = json_string_value(json_object_get(schema, "$id"));
    if (id && id[0] != '#' && schema != s->root)
        grammar_fail(s->b, WEFT_UNSUPPORTED, "%s: \"$id\" is not supported below the root: every $ref would mean "
                     "another place", path);
}

bool grammar_says_more(const json_t *schema, const char *but)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)schema, key, v) if (kind_of(key) == SAYS && (!but || strcmp(key, but)))
        return true;
    return false;
}

/* ---- $ref ---- */

/* One part of a JSON pointer, up to '/', with ~1, ~0 and %XX read. */
static char *pointer_part(grammar_build *b, const char *at, size_t n)
{
    char *out = grammar_alloc(b, n + 1, 1), *p = out;
    for (size_t i = 0; i < n; i++) {
        char hex[3] = { 0 };
        if (at[i] == '~' && i + 1 < n && (at[i + 1] == '0' || at[i + 1] == '1')) {
            *p++ = at[++i] == '0' ? '~' : '/';
        } else if (at[i] == '%' && i + 2 < n && strspn(at + i + 1, "0123456789abcdefABCDEF") >= 2) {
            memcpy(hex, at + i + 1, 2);
            *p++ = (char)strtol(hex, NULL, 16);
            i += 2;
        } else {
            *p++ = at[i];
        }
    }
    return out;
}

/* NULL: it is no index of the list. */
static json_t *item_of(const json_t *list, const char *part)
{
    const size_t n = strlen(part);
    if (!n || n > 9 || part[strspn(part, "0123456789")] || (n > 1 && part[0] == '0')) return NULL;
    return json_array_get(list, strtoul(part, NULL, 10));
}

json_t *grammar_resolve(grammar_schema *s, const char *ref, const char *path, const char **place)
{
    json_t *v = s->root;
    if (ref[0] != '#' || (ref[1] && ref[1] != '/'))
        grammar_fail(s->b, WEFT_UNSUPPORTED, "%s/$ref: \"%s\" is not supported: there are \"#\" and \"#/...\" alone",
                     path, ref);
    for (const char *at = ref + 1; v && *at == '/';) {
        const size_t n = strcspn(++at, "/");
        const char *part = pointer_part(s->b, at, n);
        v = json_is_array(v) ? item_of(v, part) : json_object_get(v, part);
        at += n;
    }
    if (!v) grammar_fail(s->b, WEFT_INVALID, "%s/$ref: \"%s\" names nothing", path, ref);
    *place = grammar_format(s->b, "%s", ref);
    return v;
}

/* ---- two schemas as one ---- */

enum { MOST_FLAT = 50000, MOST_MERGED = 1000000, PAIRS = 16 /* comparisons that count as one part */ };

typedef struct merging {
    grammar_schema *s;
    json_t *out;
    const json_t *a, *b;
    const char *path;
} merging;

void grammar_merged(grammar_schema *s, size_t n, const char *path)
{
    if (n > MOST_MERGED || (s->b->n_merged += n) > MOST_MERGED)
        grammar_fail(s->b, WEFT_LIMIT, "%s: too much to put together", path);
}

/* Values within a value, itself one of them. */
static size_t values_in(const json_t *value)
{
    size_t n = 1, i;
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)value, key, v) n += values_in(v);
    json_array_foreach((json_t *)(uintptr_t)value, i, v) n += values_in(v);
    return n;
}

/* Before each value of the one list is compared with each of the other. */
static void count_pairs(grammar_schema *s, const json_t *x, const json_t *y, const char *path)
{
    grammar_merged(s, values_in(x), path);
    grammar_merged(s, values_in(x) * values_in(y) / PAIRS, path);
}

/* As json_equal, which walks through both. */
static bool equal(merging *m, const json_t *x, const json_t *y)
{
    if (x == y || json_typeof(x) != json_typeof(y)) return x == y;
    grammar_merged(m->s, values_in(x), m->path);
    return json_equal(x, y);
}

static void set(merging *m, const char *key, json_t *value)
{
    if (json_object_set(m->out, key, value)) grammar_fail_oom(m->s->b);
}

static json_t *both(merging *m, json_t *x, json_t *y)
{
    if (equal(m, x, y) || json_is_true(y)) return x;
    if (json_is_true(x)) return y;
    json_t *v = json_pack("{s:[O, O]}", "allOf", x, y);
    return grammar_keep(m->s->b, v);
}

/* The types of both lists: of a number and an integer the integer. */
static void merge_types(merging *m, json_t *x, json_t *y)
{
    json_t *list = grammar_keep(m->s->b, json_array()), *v, *w;
    json_t *xs = json_is_array(x) ? x : grammar_keep(m->s->b, json_pack("[O]", x));
    json_t *ys = json_is_array(y) ? y : grammar_keep(m->s->b, json_pack("[O]", y));
    size_t i, k;
    count_pairs(m->s, xs, ys, m->path);
    json_array_foreach(xs, i, v) json_array_foreach(ys, k, w)
    {
        const char *p = json_string_value(v), *q = json_string_value(w);
        const bool narrower = p && q && !strcmp(p, "number") && !strcmp(q, "integer");
        const bool wider = p && q && !strcmp(p, "integer") && !strcmp(q, "number");
        if (json_equal(v, w) || narrower || wider)
            if (json_array_append(list, narrower ? w : v)) grammar_fail_oom(m->s->b);
    }
    set(m, "type", list);
}

static void merge_enums(merging *m, json_t *x, json_t *y)
{
    json_t *list = grammar_keep(m->s->b, json_array()), *v, *w;
    size_t i, k;
    count_pairs(m->s, x, y, m->path);
    json_array_foreach(x, i, v) json_array_foreach(y, k, w) if (json_equal(v, w))
    {
        if (json_array_append(list, v)) grammar_fail_oom(m->s->b);
        break;
    }
    set(m, "enum", list);
}

/* Each of the one with each of the other. */
static void merge_anys(merging *m, json_t *x, json_t *y)
{
    enum { MOST = 1000 };
    json_t *list = grammar_keep(m->s->b, json_array()), *v, *w;
    size_t i, k;
    if (json_array_size(x) * json_array_size(y) > MOST)
        grammar_fail(m->s->b, WEFT_LIMIT, "%s: \"anyOf\" with \"anyOf\" gives more than %d schemas", m->path, MOST);
    json_array_foreach(x, i, v) json_array_foreach(y, k, w) if (json_array_append(list, both(m, v, w)))
        grammar_fail_oom(m->s->b);
    set(m, "anyOf", list);
}

/* What the one says of a property that only the other names. */
static json_t *others_of(const json_t *schema)
{
    return json_object_get(schema, "additionalProperties");
}

static void add_properties(merging *m, json_t *to, const json_t *from, const json_t *other)
{
    const char *name;
    json_t *v, *theirs;
    json_object_foreach(json_object_get(from, "properties"), name, v)
    {
        if (json_object_get(to, name)) continue;
        theirs = json_object_get(json_object_get(other, "properties"), name);
        if (!theirs) theirs = others_of(other);
        if (json_object_set(to, name, theirs ? both(m, v, theirs) : v)) grammar_fail_oom(m->s->b);
    }
}

static void merge_objects(merging *m)
{
    json_t *x = others_of(m->a), *y = others_of(m->b);
    json_t *properties = grammar_keep(m->s->b, json_object());
    add_properties(m, properties, m->a, m->b);
    add_properties(m, properties, m->b, m->a);
    if (json_object_size(properties)) set(m, "properties", properties);
    if (x || y) set(m, "additionalProperties", x && y ? both(m, x, y) : x ? x : y);
    if (json_is_false(x) || json_is_false(y)) set(m, "additionalProperties", json_false());
}

static void merge_required(merging *m, json_t *x, json_t *y)
{
    json_t *list = grammar_keep(m->s->b, json_copy(x));
    if (json_array_extend(list, y)) grammar_fail_oom(m->s->b);
    set(m, "required", list);
}

/* The narrower of two bounds. */
static void merge_bounds(merging *m, const char *key, json_t *x, json_t *y)
{
    const bool upper = !strncmp(key, "max", 3) || !strcmp(key, "exclusiveMaximum");
    const bool first = upper == (json_number_value(x) < json_number_value(y));
    set(m, key, first ? x : y);
}

static void merge_key(merging *m, const char *key, json_t *x, json_t *y)
{
    if (!strcmp(key, "properties") || !strcmp(key, "additionalProperties")) return; /* merge_objects */
    if (!x || !y || equal(m, x, y)) set(m, key, x ? x : y);
    else if (!strcmp(key, "type")) merge_types(m, x, y);
    else if (!strcmp(key, "enum")) merge_enums(m, x, y);
    else if (!strcmp(key, "anyOf")) merge_anys(m, x, y);
    else if (!strcmp(key, "required")) merge_required(m, x, y);
    else if (!strcmp(key, "items") && !json_object_get(m->a, "prefixItems") && !json_object_get(m->b, "prefixItems"))
        set(m, key, both(m, x, y));
    else if (json_is_number(x) && json_is_number(y)) merge_bounds(m, key, x, y);
    else
        grammar_fail(m->s->b, WEFT_UNSUPPORTED, "%s: two \"%s\" for one value are not supported", m->path, key);
}

/* A merged schema is as large as both together, and there may be one for each of a long list. */
static void count_merge(grammar_schema *s, const json_t *schema, const char *path)
{
    const size_t n = json_object_size(json_object_get(schema, "properties")) +
                     json_array_size(json_object_get(schema, "required")) +
                     json_array_size(json_object_get(schema, "enum"));
    grammar_merged(s, 8 + n, path);
}

json_t *grammar_merge(grammar_schema *s, json_t *a, json_t *b, const char *path)
{
    count_merge(s, a, path);
    count_merge(s, b, path);
    merging m = { s, grammar_keep(s->b, json_object()), a, b, path };
    const char *key;
    json_t *v;
    json_object_foreach(a, key, v) if (kind_of(key) == SAYS) merge_key(&m, key, v, json_object_get(b, key));
    json_object_foreach(b, key, v) if (kind_of(key) == SAYS && !json_object_get(a, key)) merge_key(&m, key, NULL, v);
    merge_objects(&m);
    const bool items = json_object_get(a, "items") || json_object_get(b, "items");
    const bool one_prefix = !json_object_get(a, "prefixItems") != !json_object_get(b, "prefixItems");
    if (items && one_prefix)
        grammar_fail(s->b, WEFT_UNSUPPORTED, "%s: \"prefixItems\" and other \"items\" for one value are not supported",
                     path);
    return m.out;
}

/* ---- flat schemas ---- */

static json_t *without(grammar_schema *s, json_t *schema, const char *path)
{
    json_t *out = grammar_keep(s->b, json_object()), *v;
    const char *key;
    json_object_foreach(schema, key, v)
    {
        if (kind_of(key) != SAYS || !strcmp(key, "$ref") || !strcmp(key, "allOf") || !strcmp(key, "const")) continue;
        if (json_object_set(out, key, v)) grammar_fail_oom(s->b);
    }
    json_t *only = json_object_get(schema, "const");
    if (only) {
        json_t *list = grammar_keep(s->b, json_pack("[O]", only));
        merging m = { s, out, NULL, NULL, path };
        if (json_object_get(out, "enum")) merge_enums(&m, json_object_get(out, "enum"), list);
        else set(&m, "enum", list);
    }
    return out;
}

json_t *grammar_flatten(grammar_schema *s, json_t *schema, const char *path)
{
    size_t i;
    json_t *v;
    if (json_is_true(schema)) return grammar_keep(s->b, json_object());
    if (json_is_false(schema)) return grammar_keep(s->b, json_pack("{s:[]}", "enum"));
    if (!json_is_object(schema)) grammar_fail(s->b, WEFT_INVALID, "%s: a schema is an object, true or false", path);
    grammar_enter(s->b);
    if (++s->b->n_flat > MOST_FLAT)
        grammar_fail(s->b, WEFT_LIMIT, "%s: more than %d schemas to put together", path, MOST_FLAT);
    grammar_check_keywords(s, schema, path);
    json_t *out = without(s, schema, path);
    const json_t *ref = grammar_keyword(s, schema, "$ref", JSON_STRING, path);
    if (ref) {
        const char *place;
        json_t *target = grammar_resolve(s, json_string_value(ref), path, &place);
        out = grammar_merge(s, out, grammar_flatten(s, target, place), path);
    }
    json_array_foreach(grammar_keyword(s, schema, "allOf", JSON_ARRAY, path), i, v)
        out = grammar_merge(s, out, grammar_flatten(s, v, grammar_format(s->b, "%s/allOf/%zu", path, i)), path);
    s->b->depth--;
    return out;
}

/* ---- schemas without a common value ---- */

static bool types_apart(const json_t *x, const json_t *y)
{
    const char *p = json_string_value(x), *q = json_string_value(y);
    size_t i;
    json_t *v;
    if (!x || !y) return false;
    json_array_foreach((json_t *)(uintptr_t)x, i, v) if (!types_apart(v, y)) return false;
    if (json_is_array(x)) return true;
    json_array_foreach((json_t *)(uintptr_t)y, i, v) if (!types_apart(x, v)) return false;
    if (json_is_array(y)) return true;
    return p && q && strcmp(p, q) && !(strstr("integer number", p) && strstr("integer number", q));
}

/* Lists and objects may be equal where their text is not: [1] and [1.0]. */
static bool may_be_equal(const json_t *v, const json_t *w)
{
    if (json_is_number(v) && json_is_number(w)) return true;
    return json_typeof(v) == json_typeof(w) && (json_is_array(v) || json_is_object(v) || json_equal(v, w));
}

static bool enums_apart(grammar_schema *s, const json_t *x, const json_t *y, const char *path)
{
    size_t i, k;
    json_t *v, *w;
    if (!x || !y) return false;
    count_pairs(s, x, y, path);
    json_array_foreach((json_t *)(uintptr_t)x, i, v) json_array_foreach((json_t *)(uintptr_t)y, k, w)
        if (may_be_equal(v, w)) return false;
    return true;
}

static bool is_required(const json_t *schema, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(schema, "required"), i, v)
        if (json_is_string(v) && !strcmp(json_string_value(v), name)) return true;
    return false;
}

/* Whether one needs a property that the other does not have, or both have one whose values differ. */
static bool objects_apart(grammar_schema *s, const json_t *a, const json_t *b, const char *path)
{
    const json_t *type = json_object_get(a, "type"), *type_b = json_object_get(b, "type");
    const char *name;
    json_t *v;
    if (!type || !type_b || strcmp(json_is_string(type) ? json_string_value(type) : "", "object")) return false;
    if (strcmp(json_is_string(type_b) ? json_string_value(type_b) : "", "object")) return false;
    const size_t n_required =
        json_array_size(json_object_get(a, "required")) + json_array_size(json_object_get(b, "required"));
    grammar_merged(s, json_object_size(json_object_get(a, "properties")) * (1 + n_required) / PAIRS, path);
    json_object_foreach(json_object_get(a, "properties"), name, v)
    {
        json_t *theirs = json_object_get(json_object_get(b, "properties"), name);
        if (is_required(a, name) && !theirs && json_is_false(others_of(b))) return true;
        if (theirs && is_required(a, name) && is_required(b, name) && grammar_apart(s, v, theirs, path)) return true;
    }
    return false;
}

bool grammar_apart(grammar_schema *s, json_t *x, json_t *y, const char *path)
{
    const json_t *a = grammar_flatten(s, x, path), *b = grammar_flatten(s, y, path);
    grammar_enter(s->b);
    const bool apart = types_apart(json_object_get(a, "type"), json_object_get(b, "type")) ||
                       enums_apart(s, json_object_get(a, "enum"), json_object_get(b, "enum"), path) ||
                       objects_apart(s, a, b, path) || objects_apart(s, b, a, path);
    s->b->depth--;
    return apart;
}
