/* config.c: tokenizer_config.json, and what is read where there is no tokenizer.json. */
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

static bool is_class(const weft__trees *t, const char *name)
{
    return strcmp(weft__tokenizer_class(t).text, name) == 0;
}

/* Classes that write add_prefix_space into the ByteLevel step, false if tokenizer_config.json does not say. */
static bool sets_prefix_space(const weft__trees *t)
{
    return is_class(t, "GPT2Tokenizer") || is_class(t, "GPTNeoXTokenizer");
}

const char *weft__default_token(const weft__trees *t, const char *key)
{
    static const char *const keys[] = { "bos_token", "eos_token", "unk_token" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0 && (t->from_vocab || sets_prefix_space(t)))
            return "<|endoftext|>";
    return NULL;
}

/* Classes that take tokenizer.json as it is. */
static bool keeps_prefix_space(const weft__trees *t)
{
    return is_class(t, "PreTrainedTokenizerFast") || is_class(t, "TokenizersBackend");
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
    bool neox = named ? is_class(t, "GPTNeoXTokenizer") : model && strcmp(model, "gpt_neox") == 0;
    bool gpt2 = named ? is_class(t, "GPT2Tokenizer") : model && strcmp(model, "gpt2") == 0;
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

/* ---- tokenizer_config.json ---- */

/* A boolean that may be absent: *given says whether it is there. */
static weft_status read_wish(const json_t *config, const char *key, bool *given, bool *out,
                             weft_error *err)
{
    *given = !weft__is_absent(json_object_get(config, key));
    return weft__read_bool(config, "the file", key, 0, out, err);
}

static weft_status apply_prefix_space(weft__tokenizer *tok, const weft__trees *t, weft_error *err)
{
    bool given, wish, *now = &tok->steps[tok->n_steps - 1].prefix_space;
    WEFT_TRY(read_wish(t->file[WEFT__FILE_CONFIG], "add_prefix_space", &given, &wish, err));
    if (given && wish != *now && keeps_prefix_space(t))
        return weft__tokenizer_add_note(
            tok, err, "%s: add_prefix_space is ignored, because its class takes tokenizer.json as it is",
            t->name[WEFT__FILE_CONFIG]);
    if (keeps_prefix_space(t)) return WEFT_OK;
    if (given || sets_prefix_space(t)) *now = wish;
    return WEFT_OK;
}

/* add_bos_token, add_eos_token. They count without a tokenizer.json; with one, its template decides. */
static weft_status apply_edge(weft__tokenizer *tok, const weft__trees *t, const char *name,
                              int32_t id, weft__ids *edge, weft_error *err)
{
    bool given, wish;
    char key[16];
    snprintf(key, sizeof key, "add_%s_token", name);
    WEFT_TRY(read_wish(t->file[WEFT__FILE_CONFIG], key, &given, &wish, err));
    if (!given || wish == (edge->size > 0)) return WEFT_OK;
    const char *file = t->name[WEFT__FILE_CONFIG];
    if (!t->from_vocab)
        return weft__tokenizer_add_note(
            tok, err, "%s: %s is %s, but the post-processor of tokenizer.json decides, which puts %s token there",
            file, key, wish ? "true" : "false", wish ? "no" : "a");
    if (id < 0)
        return weft__tokenizer_add_note(tok, err, "%s: %s is true, but no %s_token is named", file,
                                        key, name);
    if (!weft__grow(&edge->data, &edge->capacity, 1, sizeof *edge->data))
        return WEFT_OOM_FAIL(err, "the template");
    edge->data[edge->size++] = id;
    return WEFT_OK;
}

static weft_status find_named(const weft__tokenizer *tok, const weft__trees *t, const char *key,
                              int32_t *id, weft_error *err)
{
    weft__span text;
    WEFT_TRY(weft__named_token(t, key, &text, err));
    *id = text.n ? weft__vocab_find(&tok->vocab, text.data, text.n) : -1;
    return WEFT_OK;
}

static weft_status read_wishes(weft__tokenizer *tok, const weft__trees *t, int32_t eos,
                               weft_error *err)
{
    const json_t *config = t->file[WEFT__FILE_CONFIG];
    WEFT_TRY(apply_prefix_space(tok, t, err));
    size_t before = tok->n_notes;
    WEFT_TRY(apply_edge(tok, t, "bos", tok->bos, &tok->prefix, err));
    if (tok->n_notes > before) tok->bos_note = tok->n_notes;
    WEFT_TRY(apply_edge(tok, t, "eos", eos, &tok->suffix, err));
    if (json_object_get(config, "auto_map"))
        WEFT_TRY(weft__tokenizer_add_note(
            tok, err, "%s: auto_map names Python code that is not run; the files alone count",
            t->name[WEFT__FILE_CONFIG]));
    return weft__read_bool(config, "the file", "split_special_tokens", 0, &tok->special_as_text,
                           err);
}

weft_status weft__read_config(weft__tokenizer *tok, const weft__trees *t, weft_error *err)
{
    int32_t eos;
    WEFT_TRY(find_named(tok, t, "bos_token", &tok->bos, err));
    WEFT_TRY(find_named(tok, t, "eos_token", &eos, err));
    weft_status status = read_wishes(tok, t, eos, err);
    return status == WEFT_OK ? WEFT_OK : weft__annotate(err, status, "%s", t->name[WEFT__FILE_CONFIG]);
}
