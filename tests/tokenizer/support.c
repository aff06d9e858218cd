/* support.c: patches of tokenizer files, texts and ids of the vectors. */
#include "support.h"

/* Takes one byte's symbol away: merges that use it go, tokens that use it get other names. */
static void take_away(json_t *model, const char *symbol)
{
    json_t *merges = json_array(), *vocab = json_object(), *value;
    size_t i;
    const char *key;
    json_array_foreach(json_object_get(model, "merges"), i,
                       value) if (!strstr(json_string_value(value), symbol))
        json_array_append(merges, value);
    json_object_foreach(json_object_get(model, "vocab"), key, value)
    {
        char name[256];
        snprintf(name, sizeof name, "~%s~%s", symbol, key);
        json_object_set(vocab, strstr(key, symbol) ? name : key, value);
    }
    json_object_set_new(model, "merges", merges);
    json_object_set_new(model, "vocab", vocab);
}

static void edit(json_t *model, const json_t *edits)
{
    json_t *merges = json_object_get(model, "merges"), *item;
    size_t i;
    json_int_t keep = json_integer_value(json_object_get(edits, "keep"));
    while (keep && json_array_size(merges) > (size_t)keep)
        json_array_remove(merges, json_array_size(merges) - 1);
    if (json_is_true(json_object_get(edits, "pairs"))) {
        json_array_foreach(merges, i, item)
        {
            const char *text = json_string_value(item), *space = strchr(text, ' ');
            json_t *pair = json_pack("[s%,s]", text, (size_t)(space - text), space + 1);
            json_array_set_new(merges, i, pair);
        }
    }
    const char *symbol = json_string_value(json_object_get(edits, "rename"));
    if (symbol) take_away(model, symbol);
}

json_t *patched_file(const json_t *file, const json_t *patch)
{
    json_t *out = json_deep_copy(file), *value;
    const char *key;
    edit(json_object_get(out, "model"), json_object_get(patch, "edit"));
    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        if (strcmp(key, "model") == 0)
            json_object_update(json_object_get(out, "model"), value);
        else if (strcmp(key, "edit") != 0)
            json_object_set(out, key, value);
    }
    return out;
}

weft_status parse_tree(const json_t *file, weft_tokenizer **out, weft_error *err)
{
    char *text = json_dumps(file, JSON_COMPACT);
    weft_status status = weft_tokenizer_parse(text, strlen(text), "test.json", out, err);
    free(text);
    return status;
}

char *merges_text(const json_t *merges)
{
    const json_t *item;
    size_t i, n = 16;
    json_array_foreach(merges, i, item) n += json_string_length(item) + 1;
    char *text = malloc(n), *at = text + sprintf(text, "#version: 0.2\n");
    json_array_foreach(merges, i, item) at += sprintf(at, "%s\n", json_string_value(item));
    return text;
}

char *text_bytes(const json_t *text, size_t *n)
{
    const json_t *hex = json_object_get(text, "hex");
    const char *s = json_string_value(hex ? hex : text);
    *n = json_string_length(hex ? hex : text) / (hex ? 2 : 1);
    char *out = malloc(*n + 1);
    memcpy(out, s, hex ? 0 : *n);
    for (size_t i = 0; hex && i < *n; i++) {
        char digits[3] = { s[2 * i], s[2 * i + 1], 0 };
        out[i] = (char)strtoul(digits, NULL, 16);
    }
    out[*n] = 0;
    return out;
}

bool encodes_to(const weft_tokenizer *tok, const char *text, size_t n, const weft_encode_desc *desc,
                const json_t *ids)
{
    weft_tokens got;
    weft_error err;
    if (!CHECK_OK(weft_tokenizer_encode(tok, text, n, desc, &got, &err), err))
        return false;
    bool same = got.n == json_array_size(ids);
    for (size_t i = 0; i < got.n && same; i++)
        same = got.ids[i] == json_integer_value(json_array_get(ids, i));
    if (!same) {
        char *want = json_dumps(ids, JSON_COMPACT);
        printf("  \"%.*s\" gives", (int)n, text);
        for (size_t i = 0; i < got.n; i++) printf(" %d", got.ids[i]);
        printf(", not %s\n", want);
        free(want);
    }
    weft_tokens_free(&got);
    return CHECK(same);
}
