/* values.c: values of a tokenizer's JSON files. */
#include "values.h"

#include <stdio.h>
#include <string.h>

const char *weft__string_at(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(obj, key));
}

const char *weft__type_of(const json_t *part)
{
    const char *type = weft__string_at(part, "type");
    return type ? type : "(without a type)";
}

bool weft__is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

weft_status weft__read_bool(const json_t *obj, const char *where, const char *key, int fallback,
                             bool *out, weft_error *err)
{
    const json_t *value = json_object_get(obj, key);
    *out = fallback > 0;
    if (weft__is_absent(value)) {
        if (fallback >= 0) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"%s\" is missing", where, key);
    }
    if (!json_is_boolean(value))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"%s\" is not a boolean", where, key);
    *out = json_is_true(value);
    return WEFT_OK;
}

weft_status weft__read_id(const json_t *value, const char *what, uint32_t limit, int32_t *out,
                           weft_error *err)
{
    if (!json_is_integer(value))
        return WEFT_FAIL(err, WEFT_FORMAT, "the id of %s is not an integer", what);
    json_int_t id = json_integer_value(value);
    if (id < 0 || id >= (json_int_t)limit)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "the id of %s is %" JSON_INTEGER_FORMAT ", outside 0..%u", what, id,
                         limit ? limit - 1 : 0);
    *out = (int32_t)id;
    return WEFT_OK;
}

weft__quoted weft__quote_text(const char *text, size_t n)
{
    weft__quoted q;
    char whole[WEFT__QUOTE_SIZE], shown[WEFT__QUOTE_SIZE];
    if (n > sizeof whole - 1) n = sizeof whole - 1;
    memcpy(whole, text, n);
    whole[n] = 0;
    snprintf(q.text, sizeof q.text, "\"%s\"", weft__quote(shown, whole));
    return q;
}
