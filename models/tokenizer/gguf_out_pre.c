/* gguf_out_pre.c: llama.cpp knows ways of cutting by name only. Those of published models are told by what their files
 * say, word for word: what differs in anything is not known. */
#include "gguf_out_pre.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CL100K(numbers) \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define ENDS  "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#define O200K \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ENDS "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" ENDS \
    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

enum { NFC = 1, WHOLE = 2 }; /* normalised so; ignore_merges */

/* The steps as describe() writes them. */
static const struct { const char *name; int flags; const char *steps; } rows[] = {
    { "gpt-2", 0, "ByteLevel;" },
    { "olmo", NFC, "ByteLevel;" },
    { "starcoder", 0, "Digits;ByteLevel;" },
    { "command-r", NFC, "Digits;ByteLevel;" },
    { "llama-bpe", WHOLE, "Split " CL100K("\\p{N}{1,3}") ";Bytes;" },
    { "smaug-bpe", 0, "Split " CL100K("\\p{N}{1,3}") ";Bytes;" },
    { "qwen2", NFC, "Split " CL100K("\\p{N}") ";Bytes;" },
    { "gpt-4o", 0, "Split " O200K ";Bytes;" },
};

/* One component, or those of a sequence, added to the text. False: it is none of these, or set otherwise. */
static bool describe(const json_t *v, char *out, size_t size)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    const size_t at = strlen(out);
    size_t i;
    json_t *inner;
    if (!type) return false;
    if (!strcmp(type, "Sequence")) {
        json_array_foreach(json_object_get(v, "pretokenizers"), i, inner) if (!describe(inner, out, size)) return false;
        return true;
    }
    if (!strcmp(type, "ByteLevel")) {
        snprintf(out + at, size - at, json_is_false(json_object_get(v, "use_regex")) ? "Bytes;" : "ByteLevel;");
        return !json_is_true(json_object_get(v, "add_prefix_space"));
    }
    if (!strcmp(type, "Digits")) {
        snprintf(out + at, size - at, "Digits;");
        return json_is_true(json_object_get(v, "individual_digits"));
    }
    const char *regex = json_string_value(json_object_get(json_object_get(v, "pattern"), "Regex"));
    const char *behavior = json_string_value(json_object_get(v, "behavior"));
    if (strcmp(type, "Split") != 0 || !regex || !behavior || strcmp(behavior, "Isolated") != 0) return false;
    snprintf(out + at, size - at, "Split %s;", regex);
    return !json_is_true(json_object_get(v, "invert"));
}

const char *weft__tokenizer_pre_name(const json_t *root)
{
    char steps[1024] = "";
    const json_t *normalizer = json_object_get(root, "normalizer");
    const char *form = json_string_value(json_object_get(normalizer, "type"));
    const bool whole = json_is_true(json_object_get(json_object_get(root, "model"), "ignore_merges"));
    if (json_is_object(normalizer) && (!form || strcmp(form, "NFC") != 0)) return NULL;
    if (!describe(json_object_get(root, "pre_tokenizer"), steps, sizeof steps)) return NULL;
    const int flags = (form ? NFC : 0) | (whole ? WHOLE : 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].steps, steps) && rows[i].flags == flags) return rows[i].name;
    return NULL;
}
