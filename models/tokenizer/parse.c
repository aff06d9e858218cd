/* parse.c: tokenizer.json to a weft__tokenizer.
 *
 * jansson reads the whole file into a tree; the functions below each take one key of it. Everything
 * is checked against the tree before memory is asked for: ids must be exactly 0..n-1, so no array
 * is larger than the number of entries in the file. Texts of errors are written without the file's
 * name, which weft__tokenizer_parse puts in front.
 */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"
#include "models/checkpoint/file.h"
#include "models/checkpoint/json.h"
#include "unicode.h"

#define FILE_MAX ((size_t)256 << 20) /* offsets into token texts have 32 bits */

/* ---- reading values ---- */

/* The string at obj[key], or NULL if it is not one. */
static const char *string_at(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(obj, key));
}

/* The "type" of a part of the file, for comparisons and messages; never NULL. */
static const char *type_of(const json_t *part)
{
    const char *type = string_at(part, "type");
    return type ? type : "(without a type)";
}

static bool is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

/* obj[key] as a boolean. `fallback` < 0: it must be there. */
static weft_status read_bool(const json_t *obj, const char *where, const char *key, int fallback,
                             bool *out, weft_error *err)
{
    const json_t *value = json_object_get(obj, key);
    *out = fallback > 0;
    if (is_absent(value)) {
        if (fallback >= 0) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"%s\" is missing", where, key);
    }
    if (!json_is_boolean(value))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"%s\" is not a boolean", where, key);
    *out = json_is_true(value);
    return WEFT_OK;
}

/* A token id below `limit`. */
static weft_status read_id(const json_t *value, const char *what, uint32_t limit, int32_t *out,
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

/* A text from the file as it may stand in a message: in quotes, cut to fit. */
typedef struct quoted {
    char text[WEFT__QUOTE_SIZE + 2];
} quoted;

static quoted quote(const char *text, size_t n)
{
    quoted q;
    char whole[WEFT__QUOTE_SIZE], shown[WEFT__QUOTE_SIZE];
    if (n > sizeof whole - 1) n = sizeof whole - 1;
    memcpy(whole, text, n);
    whole[n] = 0;
    snprintf(q.text, sizeof q.text, "\"%s\"", weft__quote(shown, whole));
    return q;
}

/* ---- vocabulary and added tokens ---- */

/* texts[id] for every entry of the model's vocabulary. */
static weft_status read_vocab(json_t *vocab, weft__span *texts, uint32_t n, weft_error *err)
{
    for (void *it = json_object_iter(vocab); it; it = json_object_iter_next(vocab, it)) {
        const char *text = json_object_iter_key(it);
        size_t length = strlen(text);
        const json_t *value = json_object_iter_value(it);
        int32_t id;
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) >= (json_int_t)n)
            WEFT_TRY(read_id(value, quote(text, length).text, n, &id, err));
        id = (int32_t)json_integer_value(value);
        if (texts[id].data)
            return WEFT_FAIL(err, WEFT_FORMAT, "%s and %s have the same id %d",
                             quote(texts[id].data, texts[id].n).text, quote(text, length).text, id);
        texts[id] = (weft__span){ text, length };
    }
    return WEFT_OK;
}

/* One element of added_tokens. Its id must be the one that Hugging Face would give it: that of the
 * vocabulary, or the next free one (*n). */
static weft_status read_added(const json_t *item, const json_t *vocab, size_t index,
                              weft__added_token *out, weft__span *texts, uint32_t *n,
                              weft_error *err)
{
    char where[48];
    snprintf(where, sizeof where, "added token %zu", index);
    if (!json_is_object(item)) return WEFT_FAIL(err, WEFT_FORMAT, "%s is not an object", where);
    const json_t *content = json_object_get(item, "content");
    if (!json_is_string(content) || json_string_length(content) == 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"content\" is not a text", where);
    weft__span text = { json_string_value(content), json_string_length(content) };
    quoted name = quote(text.data, text.n);
    WEFT_TRY(read_id(json_object_get(item, "id"), name.text, INT32_MAX, &out->id, err));
    const json_t *known = json_object_get(vocab, text.data);
    json_int_t expected = known ? json_integer_value(known) : (json_int_t)*n;
    if (out->id != expected)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s, %s, has id %d, but %s %" JSON_INTEGER_FORMAT, where,
                         name.text, out->id, known ? "the vocabulary says" : "the next free id is",
                         expected);
    if (!known) texts[(*n)++] = text;
    WEFT_TRY(read_bool(item, where, "special", -1, &out->special, err));
    WEFT_TRY(read_bool(item, where, "normalized", -1, &out->normalized, err));
    WEFT_TRY(read_bool(item, where, "single_word", -1, &out->single_word, err));
    WEFT_TRY(read_bool(item, where, "lstrip", -1, &out->lstrip, err));
    return read_bool(item, where, "rstrip", -1, &out->rstrip, err);
}

/* Puts the added tokens into the two matchers and marks the special ones. */
static weft_status index_added(weft__tokenizer *tok, weft_error *err)
{
    const weft__vocab *v = &tok->vocab;
    for (size_t i = 0; i < tok->n_added; i++) {
        const weft__added_token *token = &tok->added[i];
        const char *text = v->text + v->text_at[token->id];
        size_t n = v->text_at[token->id + 1] - v->text_at[token->id] - 1;
        bool taken =
            weft__vocab_find(v, text, n) != token->id; /* the same new text under two ids */
        weft__bytes nfc = { 0 };
        weft_status status = WEFT_OK;
        if (tok->nfc && token->normalized && !weft__nfc_append(&nfc, text, n))
            status = WEFT_OOM_FAIL(err, "added tokens");
        else if (!taken)
            status = weft__matcher_add(token->normalized ? &tok->normalized : &tok->raw,
                                       nfc.data ? nfc.data : text, nfc.data ? nfc.size : n,
                                       (uint32_t)i, &taken, err);
        free(nfc.data);
        if (status != WEFT_OK) return status;
        if (taken)
            return WEFT_FAIL(err, WEFT_FORMAT, "added token %zu, %s, is there twice", i,
                             quote(text, n).text);
        tok->special[token->id] = token->special;
    }
    return WEFT_OK;
}

static weft_status read_tokens(weft__tokenizer *tok, json_t *vocab, const json_t *added,
                               weft_error *err)
{
    size_t n_vocab = json_object_size(vocab), n_added = json_array_size(added);
    if (n_vocab == 0) return WEFT_FAIL(err, WEFT_FORMAT, "the vocabulary is empty");
    if (n_vocab + n_added > INT32_MAX / 4)
        return WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    uint32_t n = (uint32_t)n_vocab;
    weft__span *texts = calloc(n_vocab + n_added, sizeof *texts);
    tok->added = calloc(n_added + 1, sizeof *tok->added);
    weft_status status = texts && tok->added ? WEFT_OK : WEFT_OOM_FAIL(err, "the vocabulary");
    if (status == WEFT_OK) status = read_vocab(vocab, texts, n, err);
    for (size_t i = 0; i < n_added && status == WEFT_OK; i++)
        status = read_added(json_array_get(added, i), vocab, i, &tok->added[tok->n_added++], texts,
                            &n, err);
    if (status == WEFT_OK)
        status = weft__vocab_build(&tok->vocab, texts, n, (uint32_t)n_vocab, err);
    free(texts);
    WEFT_TRY(status);
    tok->special = calloc(n, 1);
    if (!tok->special) return WEFT_OOM_FAIL(err, "the vocabulary");
    return index_added(tok, err);
}

/* ---- the model ---- */

/* The two halves of a merge: "a b" or ["a", "b"]. */
static weft_status read_merge(const json_t *item, size_t index, weft__span *left, weft__span *right,
                              weft_error *err)
{
    if (json_is_array(item) && json_array_size(item) == 2) {
        const json_t *a = json_array_get(item, 0), *b = json_array_get(item, 1);
        if (json_is_string(a) && json_is_string(b)) {
            *left = (weft__span){ json_string_value(a), json_string_length(a) };
            *right = (weft__span){ json_string_value(b), json_string_length(b) };
            return WEFT_OK;
        }
    } else if (json_is_string(item)) {
        const char *text = json_string_value(item), *space = strchr(text, ' ');
        if (space && !strchr(space + 1, ' ')) {
            *left = (weft__span){ text, (size_t)(space - text) };
            *right = (weft__span){ space + 1, strlen(space + 1) };
            return WEFT_OK;
        }
    }
    return WEFT_FAIL(err, WEFT_FORMAT, "merge %zu is not a pair of tokens", index);
}

/* The model's id of a merge's part. */
static weft_status find_merge_part(const weft__vocab *v, size_t index, const char *text, size_t n,
                                   int32_t *id, weft_error *err)
{
    *id = weft__vocab_find(v, text, n);
    if (*id >= 0 && (uint32_t)*id < v->n_model) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "merge %zu needs %s, which is not in the vocabulary", index,
                     quote(text, n).text);
}

static weft_status add_merge(weft__vocab *v, const json_t *item, size_t index, uint32_t rank,
                             weft__bytes *whole, weft_error *err)
{
    weft__span left = { 0 }, right = { 0 };
    int32_t left_id, right_id, id;
    WEFT_TRY(read_merge(item, index, &left, &right, err));
    WEFT_TRY(find_merge_part(v, index, left.data, left.n, &left_id, err));
    WEFT_TRY(find_merge_part(v, index, right.data, right.n, &right_id, err));
    whole->size = 0;
    if (!weft__bytes_append(whole, left.data, left.n) ||
        !weft__bytes_append(whole, right.data, right.n))
        return WEFT_OOM_FAIL(err, "the merges");
    WEFT_TRY(find_merge_part(v, index, whole->data, whole->size, &id, err));
    weft__vocab_add_merge(v, left_id, right_id, rank, id);
    return WEFT_OK;
}

static weft_status read_merges(weft__vocab *v, const json_t *merges, weft_error *err)
{
    size_t n = json_array_size(merges);
    WEFT_TRY(weft__vocab_reserve_merges(v, n, err));
    weft__bytes whole = { 0 };
    weft_status status = WEFT_OK;
    uint32_t rank = 0;
    for (size_t i = 0; i < n && status == WEFT_OK; i++) {
        const json_t *item = json_array_get(merges, i);
        const char *text = json_string_value(item);
        if (text && strncmp(text, "#version", 8) == 0)
            continue; /* the first line of a merges.txt */
        status = add_merge(v, item, i, rank++, &whole, err);
    }
    free(whole.data);
    return status;
}

/* What happens to bytes that have no token. Bytes that UTF-8 never uses may well be missing. */
static weft_status read_unknown(weft__vocab *v, const json_t *model, weft_error *err)
{
    const json_t *unk = json_object_get(model, "unk_token");
    WEFT_TRY(read_bool(model, "the model", "fuse_unk", 0, &v->fuse_unk, err));
    if (is_absent(unk)) return WEFT_OK;
    if (!json_is_string(unk))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"unk_token\" is not a text");
    v->unk_id = weft__vocab_find(v, json_string_value(unk), json_string_length(unk));
    if (v->unk_id >= 0 && (uint32_t)v->unk_id < v->n_model) return WEFT_OK;
    v->unk_id = -1;
    for (unsigned b = 0; b < 0xF5; b++)
        if (v->byte_id[b] < 0 && b != 0xC0 && b != 0xC1)
            return WEFT_FAIL(
                err, WEFT_FORMAT,
                "byte 0x%02X has no token, and the unk_token %s is not in the vocabulary", b,
                quote(json_string_value(unk), json_string_length(unk)).text);
    return WEFT_OK;
}

/* Options of the model that byte-level tokenizers do not use. */
static weft_status refuse_options(const json_t *model, weft_error *err)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const json_t *affix = json_object_get(model, affixes[i]);
        if (is_absent(affix) || (json_is_string(affix) && json_string_length(affix) == 0)) continue;
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the model's \"%s\" is not supported", affixes[i]);
    }
    bool byte_fallback;
    WEFT_TRY(read_bool(model, "the model", "byte_fallback", 0, &byte_fallback, err));
    if (byte_fallback)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "the model's \"byte_fallback\" is not supported, only byte-level BPE");
    const json_t *dropout = json_object_get(model, "dropout");
    if (is_absent(dropout)) return WEFT_OK;
    if (!json_is_number(dropout))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"dropout\" is not a number");
    if (json_number_value(dropout) > 0 || json_number_value(dropout) < 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "the model's \"dropout\" makes tokens random and is not supported");
    return WEFT_OK;
}

static weft_status read_model(weft__tokenizer *tok, const json_t *root, weft_error *err)
{
    const json_t *model = json_object_get(root, "model"),
                 *added = json_object_get(root, "added_tokens");
    if (!json_is_object(model)) return WEFT_FAIL(err, WEFT_FORMAT, "there is no \"model\" object");
    if (json_object_get(model, "type") && strcmp(type_of(model), "BPE") != 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the model type %s is not supported, only BPE",
                         quote(type_of(model), strlen(type_of(model))).text);
    json_t *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges");
    if (!json_is_object(vocab))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"vocab\" object");
    if (!json_is_array(merges))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"merges\" array");
    if (!is_absent(added) && !json_is_array(added))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"added_tokens\" is not an array");
    WEFT_TRY(refuse_options(model, err));
    WEFT_TRY(read_bool(model, "the model", "ignore_merges", 0, &tok->ignore_merges, err));
    WEFT_TRY(read_tokens(tok, vocab, added, err));
    WEFT_TRY(read_merges(&tok->vocab, merges, err));
    return read_unknown(&tok->vocab, model, err);
}

/* ---- around the model ---- */

/* Calls `read` for a part, or for each of the parts of {"type": "Sequence", key: [...]}; an absent part is none. */
typedef weft_status read_part(weft__tokenizer *tok, const json_t *part, weft_error *err);
static weft_status read_sequence(weft__tokenizer *tok, const json_t *root, const char *name,
                                 const char *key, read_part *read, weft_error *err)
{
    const json_t *part = json_object_get(root, name);
    if (is_absent(part)) return WEFT_OK;
    if (!json_is_object(part)) return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\" is not an object", name);
    if (strcmp(type_of(part), "Sequence") != 0) return read(tok, part, err);
    const json_t *list = json_object_get(part, key);
    if (!json_is_array(list))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"%s\": \"%s\" is not an array", name, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        WEFT_TRY(read(tok, json_array_get(list, i), err));
    return WEFT_OK;
}

static weft_status unsupported(const char *what, const json_t *part, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the %s %s is not supported", what,
                     quote(type_of(part), strlen(type_of(part))).text);
}

static weft_status read_normalizer(weft__tokenizer *tok, const json_t *part, weft_error *err)
{
    if (strcmp(type_of(part), "NFC") != 0) return unsupported("normalizer", part, err);
    tok->nfc = true;
    return WEFT_OK;
}

static weft_status read_behavior(const json_t *part, weft__split_behavior *out, weft_error *err)
{
    static const char *const names[] = { "Isolated", "Removed", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *behavior = string_at(part, "behavior");
    if (!behavior)
        return WEFT_FAIL(err, WEFT_FORMAT, "the Split pre-tokenizer has no \"behavior\"");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(behavior, names[i]) != 0) continue;
        *out = (weft__split_behavior)i;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                     "the Split pre-tokenizer's behavior %s is not supported",
                     quote(behavior, strlen(behavior)).text);
}

static weft_status read_split(weft__pre_step *step, const json_t *part, weft_error *err)
{
    const json_t *pattern = json_object_get(part, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex"),
                 *literal = json_object_get(pattern, "String");
    const json_t *text = regex ? regex : literal;
    weft__split_options options = { .literal = !regex };
    if (!json_is_string(text))
        return WEFT_FAIL(err, WEFT_FORMAT, "the Split pre-tokenizer has no pattern");
    WEFT_TRY(read_behavior(part, &options.behavior, err));
    WEFT_TRY(read_bool(part, "the Split pre-tokenizer", "invert", -1, &options.invert, err));
    return weft__splitter_create(json_string_value(text), json_string_length(text), options,
                                 &step->splitter, err);
}

static weft_status read_digits(weft__pre_step *step, const json_t *part, weft_error *err)
{
    bool individual;
    WEFT_TRY(read_bool(part, "the Digits pre-tokenizer", "individual_digits", -1, &individual,
                       err));
    weft__split_options options = { .behavior = individual ? WEFT__SPLIT_ISOLATED
                                                           : WEFT__SPLIT_CONTIGUOUS };
    return weft__splitter_create(weft__digit_regex, strlen(weft__digit_regex), options,
                                 &step->splitter, err);
}

static weft_status read_byte_level(weft__pre_step *step, const json_t *part, weft_error *err)
{
    bool use_regex;
    step->last = true;
    WEFT_TRY(read_bool(part, "the ByteLevel pre-tokenizer", "add_prefix_space", -1,
                       &step->prefix_space, err));
    WEFT_TRY(read_bool(part, "the ByteLevel pre-tokenizer", "use_regex", 1, &use_regex, err));
    if (!use_regex) return WEFT_OK;
    return weft__splitter_create(weft__gpt2_regex, strlen(weft__gpt2_regex),
                                 (weft__split_options){ 0 }, &step->splitter, err);
}

static weft_status read_pre_tokenizer(weft__tokenizer *tok, const json_t *part, weft_error *err)
{
    static const struct {
        const char *type;
        weft_status (*read)(weft__pre_step *step, const json_t *part, weft_error *err);
    } kinds[] = { { "Split", read_split }, { "Digits", read_digits },
                  { "ByteLevel", read_byte_level } };
    size_t kind = 0, n = sizeof kinds / sizeof *kinds;
    while (kind < n && strcmp(type_of(part), kinds[kind].type) != 0) kind++;
    if (kind == n) return unsupported("pre-tokenizer", part, err);
    if (tok->n_steps > 0 && tok->steps[tok->n_steps - 1].last)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "a pre-tokenizer after ByteLevel is not supported");
    if (tok->n_steps == WEFT__PRE_STEPS_MAX)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "more than %d pre-tokenizers are not supported",
                         WEFT__PRE_STEPS_MAX);
    return kinds[kind].read(&tok->steps[tok->n_steps++], part, err);
}

/* The ids of one special token of a template. */
static weft_status read_template_token(const weft__tokenizer *tok, const json_t *known,
                                       const char *name, weft__ids *out, weft_error *err)
{
    const json_t *ids = json_object_get(json_object_get(known, name), "ids");
    quoted what = quote(name, strlen(name));
    if (!json_is_array(ids))
        return WEFT_FAIL(err, WEFT_FORMAT, "the template's %s is not among its special_tokens",
                         what.text);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        int32_t id;
        WEFT_TRY(read_id(json_array_get(ids, i), what.text, tok->vocab.n, &id, err));
        if (!weft__grow(&out->data, &out->capacity, out->size + 1, sizeof *out->data))
            return WEFT_OOM_FAIL(err, "the template");
        out->data[out->size++] = id;
    }
    return WEFT_OK;
}

/* The template for one text: special tokens, the text (sequence A) once, special tokens. */
static weft_status read_template(weft__tokenizer *tok, const json_t *part, weft_error *err)
{
    const json_t *single = json_object_get(part, "single");
    if (!json_is_array(single))
        return WEFT_FAIL(err, WEFT_FORMAT, "the template has no \"single\" array");
    bool seen = false;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const char *special = string_at(json_object_get(item, "SpecialToken"), "id");
        const char *sequence = string_at(json_object_get(item, "Sequence"), "id");
        if (special) {
            WEFT_TRY(read_template_token(tok, json_object_get(part, "special_tokens"), special,
                                         seen ? &tok->suffix : &tok->prefix, err));
        } else if (sequence && strcmp(sequence, "A") == 0 && !seen) {
            seen = true;
        } else {
            return WEFT_FAIL(err, WEFT_FORMAT,
                             "part %zu of the template is neither a special token nor the text", i);
        }
    }
    return seen ? WEFT_OK : WEFT_FAIL(err, WEFT_FORMAT, "the template leaves out the text");
}

static weft_status read_post_processor(weft__tokenizer *tok, const json_t *part, weft_error *err)
{
    if (strcmp(type_of(part), "ByteLevel") == 0) return WEFT_OK; /* it changes offsets only */
    if (strcmp(type_of(part), "TemplateProcessing") != 0)
        return unsupported("post-processor", part, err);
    if (tok->has_template)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "more than one template is not supported");
    tok->has_template = true;
    return read_template(tok, part, err);
}

static weft_status read_decoder(weft__tokenizer *tok, const json_t *part, weft_error *err)
{
    if (strcmp(type_of(part), "ByteLevel") != 0) return unsupported("decoder", part, err);
    tok->has_decoder = true;
    return WEFT_OK;
}

static weft_status read_root(weft__tokenizer *tok, const json_t *root, weft_error *err)
{
    const json_t *version = json_object_get(root, "version");
    if (version && (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the file's \"version\" is not \"1.0\"");
    WEFT_TRY(read_sequence(tok, root, "normalizer", "normalizers", read_normalizer, err));
    WEFT_TRY(read_sequence(tok, root, "pre_tokenizer", "pretokenizers", read_pre_tokenizer, err));
    if (tok->n_steps == 0 || !tok->steps[tok->n_steps - 1].last)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "there is no ByteLevel pre-tokenizer; only byte-level BPE is supported");
    WEFT_TRY(read_sequence(tok, root, "decoder", "decoders", read_decoder, err));
    if (!tok->has_decoder)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "there is no ByteLevel decoder; only byte-level BPE is supported");
    WEFT_TRY(read_model(tok, root, err));
    return read_sequence(tok, root, "post_processor", "processors", read_post_processor, err);
}

weft_status weft__tokenizer_parse(const void *data, size_t size, const char *name,
                                  weft__tokenizer **out, weft_error *err)
{
    *out = NULL;
    if (size > FILE_MAX)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the file has %zu bytes", name, size);
    json_t *root;
    WEFT_TRY(weft__json_parse(data, size, name, &root, err));
    weft__tokenizer *tok = calloc(1, sizeof *tok);
    weft_status status = tok ? read_root(tok, root, err) : WEFT_OOM_FAIL(err, "a tokenizer");
    json_decref(root);
    if (status != WEFT_OK) {
        weft__tokenizer_destroy(tok);
        return weft__annotate(err, status, "%s", name);
    }
    *out = tok;
    return WEFT_OK;
}

weft_status weft__tokenizer_open(const char *path, weft__tokenizer **out, weft_error *err)
{
    char *data;
    size_t size;
    *out = NULL;
    WEFT_TRY(weft__file_read(path, FILE_MAX, &data, &size, err));
    weft_status status = weft__tokenizer_parse(data, size, path, out, err);
    free(data);
    return status;
}
