/* trees.c: the files as trees, the class that they name, and the tokenizer.json that stands for vocab.json and
 * merges.txt. */
#include "parse.h"
#include "models/checkpoint/json.h"
#include "unicode.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

/* ---- classes ---- */

weft__class_name weft__tokenizer_class(const weft__trees *t)
{
    const char *name = weft__string_at(t->file[WEFT__FILE_CONFIG], "tokenizer_class");
    weft__class_name out;
    if (!name) name = weft__string_at(t->file[WEFT__FILE_MODEL], "tokenizer_class");
    snprintf(out.text, sizeof out.text, "%s", name ? name : "");
    size_t n = strlen(out.text);
    if (weft__ends_with(out.text, "Fast") && strcmp(out.text, "PreTrainedTokenizerFast") != 0)
        out.text[n - 4] = 0;
    return out;
}

bool weft__is_class(const weft__trees *t, const char *name)
{
    return strcmp(weft__tokenizer_class(t).text, name) == 0;
}

bool weft__sets_prefix_space(const weft__trees *t)
{
    return weft__is_class(t, "GPT2Tokenizer") || weft__is_class(t, "GPTNeoXTokenizer");
}

const char *weft__default_token(const weft__trees *t, const char *key)
{
    static const char *const keys[] = { "bos_token", "eos_token", "unk_token" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0 && (t->from_vocab || weft__sets_prefix_space(t)))
            return "<|endoftext|>";
    return NULL;
}

/* ---- vocab.json and merges.txt ---- */

/* The lines of a merges.txt as pairs; its first line is a version. */
static weft_status parse_merges(const char *text, size_t n, json_t **out, weft_error *err)
{
    *out = json_array();
    if (!*out) return WEFT_OOM_FAIL(err, "the merges");
    if (!weft__utf8_is_valid(text, n)) return WEFT_FAIL(err, WEFT_FORMAT, "the file is not UTF-8");
    const char *end = text + n;
    for (size_t line = 1; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text)), *next = stop ? stop + 1 : end;
        size_t k = (size_t)((stop ? stop : end) - text);
        if (k && text[k - 1] == '\r') k--;
        const char *space = memchr(text, ' ', k);
        bool version = k >= 8 && memcmp(text, "#version", 8) == 0;
        size_t left = space ? (size_t)(space - text) : k, right = k - left;
        if (!version && (!space || memchr(space + 1, ' ', right - 1) || memchr(text, 0, k)))
            return WEFT_FAIL(err, WEFT_FORMAT, "line %zu is not a pair of tokens", line);
        if (!version &&
            json_array_append_new(*out, json_pack("[s%,s%]", text, left, space + 1, right - 1)) != 0)
            return WEFT_OOM_FAIL(err, "the merges");
        text = next;
    }
    return WEFT_OK;
}

weft_status weft__trees_make_tokenizer(weft__trees *t, weft_error *err)
{
    const char *model = weft__string_at(t->file[WEFT__FILE_MODEL], "model_type");
    bool named = weft__tokenizer_class(t).text[0];
    bool neox = named ? weft__is_class(t, "GPTNeoXTokenizer") : model && strcmp(model, "gpt_neox") == 0;
    bool gpt2 = named ? weft__is_class(t, "GPT2Tokenizer") : model && strcmp(model, "gpt2") == 0;
    if (!neox && !gpt2)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "%s: without a tokenizer.json only GPT2Tokenizer and GPTNeoXTokenizer are "
                         "supported, and the class is %s",
                         t->name[WEFT__FILE_VOCAB],
                         named ? weft__quote_text(weft__tokenizer_class(t).text,
                                                  strlen(weft__tokenizer_class(t).text))
                                     .text
                               : "not named");
    t->from_vocab = true;
    t->name[WEFT__FILE_TOKENIZER] = t->name[WEFT__FILE_VOCAB];
    t->file[WEFT__FILE_TOKENIZER] =
        json_pack("{s:{s:s}, s:{s:s, s:b}, s:{s:s}, s:{s:s, s:O, s:O}}", "normalizer", "type",
                  "NFC", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0, "decoder",
                  "type", "ByteLevel", "model", "type", "BPE", "vocab", t->file[WEFT__FILE_VOCAB],
                  "merges", t->file[WEFT__FILE_MERGES]);
    if (!t->file[WEFT__FILE_TOKENIZER]) return WEFT_OOM_FAIL(err, "a tokenizer");
    if (gpt2) json_object_del(t->file[WEFT__FILE_TOKENIZER], "normalizer");
    return WEFT_OK;
}

/* ---- trees ---- */

weft_status weft__trees_parse(weft__trees *t, const weft__tokenizer_file *files, weft_error *err)
{
    static const char *const usual[] = { WEFT__TOKENIZER_FILES };
    bool whole = files[WEFT__FILE_TOKENIZER].data != NULL;
    for (unsigned i = 0; i < WEFT__N_FILES; i++) {
        const weft__tokenizer_file *f = &files[i];
        bool needed = i == WEFT__FILE_VOCAB || i == WEFT__FILE_MERGES || i == WEFT__FILE_MODEL
                          ? !whole
                          : true;
        t->name[i] = f->name ? f->name : usual[i];
        if (!f->data || !needed) continue;
        if (f->size > WEFT__TOKENIZER_FILE_MAX)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s: the file has %zu bytes", t->name[i], f->size);
        if (i == WEFT__FILE_MERGES) {
            weft_status status = parse_merges(f->data, f->size, &t->file[i], err);
            if (status != WEFT_OK) return weft__annotate(err, status, "%s", t->name[i]);
        } else {
            WEFT_TRY(weft__json_parse(f->data, f->size, t->name[i], &t->file[i], err));
        }
    }
    return WEFT_OK;
}

void weft__trees_free(weft__trees *t)
{
    for (unsigned i = 0; i < WEFT__N_FILES; i++) json_decref(t->file[i]);
    *t = (weft__trees){ 0 };
}
