/* components.c: lists of steps in a tokenizer.json. */
#include "components.h"

#include <string.h>

enum { NESTED_MAX = 8, STEPS_MAX = 64 };

typedef struct reading {
    void *ctx;
    const weft__component_set *set;
    size_t n_steps;
} reading;

static weft_status read_part(reading *r, const json_t *part, unsigned depth, weft_error *err);

static weft_status read_sequence(reading *r, const json_t *part, unsigned depth, weft_error *err)
{
    const weft__component_set *set = r->set;
    const json_t *list = json_object_get(part, set->list);
    if (!json_is_array(list))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\": \"%s\" is not an array", set->key, set->list);
    if (depth == NESTED_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "\"%s\": more than %d Sequences in each other are not supported",
                         set->key, NESTED_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        WEFT_TRY(read_part(r, json_array_get(list, i), depth + 1, err));
    return WEFT_OK;
}

static weft_status read_part(reading *r, const json_t *part, unsigned depth, weft_error *err)
{
    const weft__component_set *set = r->set;
    const char *type = weft__type_of(part);
    if (strcmp(type, "Sequence") == 0) return read_sequence(r, part, depth, err);
    if (++r->n_steps > STEPS_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "\"%s\": more than %d steps are not supported", set->key, STEPS_MAX);
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(type, set->rows[i].type) != 0) continue;
        weft_status status = set->rows[i].read(r->ctx, &set->rows[i], part, err);
        return status == WEFT_OK ? WEFT_OK : weft__annotate(err, status, "the %s \"%s\"", set->what, type);
    }
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the %s %s is not supported", set->what,
                     weft__quote_text(type, strlen(type)).text);
}

weft_status weft__read_components(void *ctx, const json_t *root, const weft__component_set *set, weft_error *err)
{
    const json_t *part = json_object_get(root, set->key);
    reading r = { ctx, set, 0 };
    if (weft__is_absent(part)) return WEFT_OK;
    if (!json_is_object(part)) return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not an object", set->key);
    return read_part(&r, part, 0, err);
}

weft_status weft__read_pattern(const json_t *part, weft__pattern *out, weft_error *err)
{
    const json_t *pattern = json_object_get(part, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex"), *text = regex ? regex : json_object_get(pattern, "String");
    if (!json_is_string(text)) return WEFT_FAIL(err, WEFT_FORMAT, "it has no pattern");
    if (!json_string_length(text)) return WEFT_FAIL(err, WEFT_FORMAT, "the pattern is empty");
    *out = (weft__pattern){ json_string_value(text), json_string_length(text), !regex };
    return WEFT_OK;
}

weft_status weft__read_scheme(const json_t *part, weft__lead *out, weft_error *err)
{
    static const char *const names[] = { "never", "always", "first" };
    const json_t *scheme = json_object_get(part, "prepend_scheme");
    bool wish;
    *out = WEFT__LEAD_ALWAYS;
    WEFT_TRY(weft__read_bool(part, "its options", "add_prefix_space", 1, &wish, err));
    size_t i = 0, n = sizeof names / sizeof *names;
    if (scheme) {
        while (i < n && (!json_is_string(scheme) || strcmp(json_string_value(scheme), names[i]) != 0)) i++;
        if (i == n)
            return WEFT_FAIL(err, WEFT_FORMAT, "\"prepend_scheme\" is none of \"never\", \"always\", \"first\"");
        *out = (weft__lead)i;
    }
    if (!wish && *out != WEFT__LEAD_NEVER)
        return WEFT_FAIL(err, WEFT_FORMAT, "\"add_prefix_space\" is false, and \"prepend_scheme\" says otherwise");
    return WEFT_OK;
}
