/* parse.c: the trees of a tokenizer's files to a weft_tokenizer.
 *
 * jansson reads each file into a tree; the functions below each take one key of it. Everything is checked against the
 * trees before memory is asked for: ids go little beyond the number of entries in the file, and so do arrays. Texts of
 * errors are written without the file's name, which the functions that know it put in front. */
#include "parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unicode.h"
#include "values.h"

/* A failure in one of the files. */
static weft_status in_file(const weft__trees *t, unsigned file, weft_status status, weft_error *err)
{
    return status == WEFT_OK ? WEFT_OK : weft__annotate(err, status, "%s", t->name[file]);
}

/* ---- vocabulary and added tokens ---- */

/* How far ids may go beyond the number of tokens: vocabularies have holes, and arrays go up to the largest id. */
#define HOLES_MAX(n) (3 * (n) + 65536)

/* texts[id] for every entry of the model's vocabulary; *n becomes the largest id and one more. */
static weft_status read_vocab(json_t *vocab, weft__span *texts, uint32_t limit, uint32_t *n,
                              weft_error *err)
{
    *n = 0;
    for (void *it = json_object_iter(vocab); it; it = json_object_iter_next(vocab, it)) {
        const char *text = json_object_iter_key(it);
        size_t length = strlen(text);
        const json_t *value = json_object_iter_value(it);
        int32_t id;
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) >= (json_int_t)limit)
            WEFT_TRY(weft__read_id(value, weft__quote_text(text, length).text, limit, &id, err));
        id = (int32_t)json_integer_value(value);
        if (texts[id].data)
            return WEFT_FAIL(err, WEFT_FORMAT, "%s and %s have the same id %d",
                             weft__quote_text(texts[id].data, texts[id].n).text,
                             weft__quote_text(text, length).text, id);
        texts[id] = (weft__span){ text, length };
        if ((uint32_t)id >= *n) *n = (uint32_t)id + 1;
    }
    return WEFT_OK;
}

/* Puts the added tokens among the texts. */
static weft_status place_added(weft_tokenizer *tok, const weft__added_list *list,
                               weft__span *texts, uint32_t *n, weft_error *err)
{
    tok->added = calloc(list->n + 1, sizeof *tok->added);
    if (!tok->added) return WEFT_OOM_FAIL(err, "added tokens");
    for (size_t i = 0; i < list->n; i++) {
        const weft__added_entry *entry = &list->data[i];
        weft__span *text = &texts[entry->token.id];
        if (text->data && strcmp(text->data, entry->text.data) != 0)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                             "the added token %s and %s both get the id %d, because ids are counted "
                             "and the vocabulary has holes",
                             weft__quote_text(entry->text.data, entry->text.n).text,
                             weft__quote_text(text->data, text->n).text, entry->token.id);
        *text = entry->text;
        tok->added[tok->n_added++] = entry->token;
        if ((uint32_t)entry->token.id >= *n) *n = (uint32_t)entry->token.id + 1;
    }
    return WEFT_OK;
}

/* Puts the added tokens into the two matchers and marks the special ones. */
static weft_status index_added(weft_tokenizer *tok, weft_error *err)
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
                             weft__quote_text(text, n).text);
        tok->special[token->id] = token->special;
    }
    return WEFT_OK;
}

/* Tells where the ids of added tokens are not those of the files. */
static weft_status note_moved(weft_tokenizer *tok, const weft__trees *t,
                              const weft__added_list *list, weft_error *err)
{
    for (unsigned f = 0; f < WEFT__N_FILES; f++) {
        if (list->moved[f].n == 0) continue;
        const weft__added_entry *first = &list->data[list->moved[f].first];
        WEFT_TRY(weft__tokenizer_add_note(
            tok, err,
            "%s: ids of added tokens are those of the vocabulary or counted on from it, as Hugging Face does, not "
            "those of the file: of %zu, the first is %s, %d instead of %" PRId64,
            t->name[f], list->moved[f].n, weft__quote_text(first->text.data, first->text.n).text,
            first->token.id, list->moved[f].id));
    }
    return WEFT_OK;
}

/* The texts of all ids while they are put together. */
typedef struct id_texts {
    weft__span *data;
    size_t size;
    uint32_t n; /* the largest id and one more */
} id_texts;

static weft_status start_texts(id_texts *texts, json_t *vocab, weft_error *err)
{
    size_t n = json_object_size(vocab);
    if (n == 0) return WEFT_FAIL(err, WEFT_FORMAT, "the vocabulary is empty");
    if (n > INT32_MAX / 8) return WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    texts->size = n + HOLES_MAX(n);
    texts->data = calloc(texts->size, sizeof *texts->data);
    if (!texts->data) return WEFT_OOM_FAIL(err, "the vocabulary");
    return read_vocab(vocab, texts->data, (uint32_t)texts->size, &texts->n, err);
}

static weft_status build_vocab(weft_tokenizer *tok, id_texts *texts, const weft__added_list *list,
                               weft_error *err)
{
    size_t size = texts->size + list->n; /* new ids are counted on from the last one */
    weft__span *grown = realloc(texts->data, size * sizeof *grown);
    if (grown) texts->data = grown;
    tok->vocab.of_model = calloc(size, 1);
    if (!grown || !tok->vocab.of_model) return WEFT_OOM_FAIL(err, "the vocabulary");
    memset(grown + texts->size, 0, list->n * sizeof *grown);
    for (uint32_t i = 0; i < texts->n; i++) tok->vocab.of_model[i] = grown[i].data != NULL;
    WEFT_TRY(place_added(tok, list, grown, &texts->n, err));
    WEFT_TRY(weft__vocab_build(&tok->vocab, grown, texts->n, err));
    tok->special = calloc(texts->n, 1);
    if (!tok->special) return WEFT_OOM_FAIL(err, "the vocabulary");
    return index_added(tok, err);
}

static weft_status read_tokens(weft_tokenizer *tok, const weft__trees *t, json_t *vocab,
                               weft_error *err)
{
    weft__added_list list = { 0 };
    id_texts texts = { 0 };
    weft_status status = in_file(t, WEFT__FILE_TOKENIZER, start_texts(&texts, vocab, err), err);
    if (status == WEFT_OK) status = weft__added_collect(&list, t, vocab, err);
    if (status == WEFT_OK)
        status = in_file(t, WEFT__FILE_TOKENIZER, build_vocab(tok, &texts, &list, err), err);
    if (status == WEFT_OK) status = note_moved(tok, t, &list, err);
    free(texts.data);
    weft__added_free(&list);
    return status;
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
    *id = weft__vocab_find_model(v, text, n);
    if (*id >= 0) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "merge %zu needs %s, which is not in the vocabulary", index,
                     weft__quote_text(text, n).text);
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
    WEFT_TRY(weft__read_bool(model, "the model", "fuse_unk", 0, &v->fuse_unk, err));
    if (weft__is_absent(unk)) return WEFT_OK;
    if (!json_is_string(unk))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"unk_token\" is not a text");
    v->unk_id = weft__vocab_find_model(v, json_string_value(unk), json_string_length(unk));
    if (v->unk_id >= 0) return WEFT_OK;
    for (unsigned b = 0; b < 0xF5; b++)
        if (v->byte_id[b] < 0 && b != 0xC0 && b != 0xC1)
            return WEFT_FAIL(
                err, WEFT_FORMAT,
                "byte 0x%02X has no token, and the unk_token %s is not in the vocabulary", b,
                weft__quote_text(json_string_value(unk), json_string_length(unk)).text);
    return WEFT_OK;
}

/* Options of the model that byte-level tokenizers do not use. */
static weft_status refuse_options(const json_t *model, weft_error *err)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const json_t *affix = json_object_get(model, affixes[i]);
        if (weft__is_absent(affix) || (json_is_string(affix) && json_string_length(affix) == 0)) continue;
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the model's \"%s\" is not supported", affixes[i]);
    }
    bool byte_fallback;
    WEFT_TRY(weft__read_bool(model, "the model", "byte_fallback", 0, &byte_fallback, err));
    if (byte_fallback)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "the model's \"byte_fallback\" is not supported, only byte-level BPE");
    const json_t *dropout = json_object_get(model, "dropout");
    if (weft__is_absent(dropout)) return WEFT_OK;
    if (!json_is_number(dropout))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"dropout\" is not a number");
    if (json_number_value(dropout) > 0 || json_number_value(dropout) < 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "the model's \"dropout\" makes tokens random and is not supported");
    return WEFT_OK;
}

/* What needs no vocabulary. */
static weft_status read_shape(weft_tokenizer *tok, const json_t *root, weft_error *err)
{
    const json_t *version = json_object_get(root, "version"),
                 *model = json_object_get(root, "model");
    if (version && (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the file's \"version\" is not \"1.0\"");
    WEFT_TRY(weft__read_text_steps(tok, root, err));
    if (!json_is_object(model)) return WEFT_FAIL(err, WEFT_FORMAT, "there is no \"model\" object");
    if (json_object_get(model, "type") && strcmp(weft__type_of(model), "BPE") != 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the model type %s is not supported, only BPE",
                         weft__quote_text(weft__type_of(model), strlen(weft__type_of(model))).text);
    if (!json_is_object(json_object_get(model, "vocab")))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"vocab\" object");
    if (!json_is_array(json_object_get(model, "merges")))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"merges\" array");
    WEFT_TRY(refuse_options(model, err));
    return weft__read_bool(model, "the model", "ignore_merges", 0, &tok->ignore_merges, err);
}

static weft_status read_trees(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    const json_t *root = t->file[WEFT__FILE_TOKENIZER], *model = json_object_get(root, "model");
    unsigned merges = t->from_vocab ? WEFT__FILE_MERGES : WEFT__FILE_TOKENIZER;
    WEFT_TRY(in_file(t, WEFT__FILE_TOKENIZER, read_shape(tok, root, err), err));
    WEFT_TRY(read_tokens(tok, t, json_object_get(model, "vocab"), err));
    WEFT_TRY(in_file(t, merges, read_merges(&tok->vocab, json_object_get(model, "merges"), err),
                     err));
    WEFT_TRY(in_file(t, WEFT__FILE_TOKENIZER, read_unknown(&tok->vocab, model, err), err));
    WEFT_TRY(in_file(t, WEFT__FILE_TOKENIZER, weft__read_post_processor(tok, root, err), err));
    return weft__read_config(tok, t, err);
}

static weft_status name_origin(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    tok->other_bos = -1;
    tok->origin = strdup(t->name[t->from_vocab ? WEFT__FILE_VOCAB : WEFT__FILE_TOKENIZER]);
    return tok->origin ? WEFT_OK : WEFT_OOM_FAIL(err, "a tokenizer");
}

weft_status weft__tokenizer_parse_files(const weft__tokenizer_file files[WEFT__N_FILES],
                                        weft_tokenizer **out, weft_error *err)
{
    weft__trees t = { 0 };
    weft_tokenizer *tok = NULL;
    *out = NULL;
    weft_status status = weft__trees_parse(&t, files, err);
    bool whole = t.file[WEFT__FILE_TOKENIZER] != NULL;
    if (status == WEFT_OK && !whole && (!t.file[WEFT__FILE_VOCAB] || !t.file[WEFT__FILE_MERGES]))
        status = WEFT_FAIL(err, WEFT_NOT_FOUND, "there is neither a tokenizer.json nor a vocab.json with merges.txt");
    if (status == WEFT_OK && !whole) status = weft__trees_make_tokenizer(&t, err);
    if (status == WEFT_OK && !(tok = calloc(1, sizeof *tok)))
        status = WEFT_OOM_FAIL(err, "a tokenizer");
    if (status == WEFT_OK) status = name_origin(tok, &t, err);
    if (status == WEFT_OK) status = read_trees(tok, &t, err);
    weft__trees_free(&t);
    if (status != WEFT_OK) {
        weft_tokenizer_close(tok);
        return status;
    }
    *out = tok;
    return WEFT_OK;
}

weft_status weft_tokenizer_parse(const void *data, size_t size, const char *name,
                                  weft_tokenizer **out, weft_error *err)
{
    weft__tokenizer_file files[WEFT__N_FILES] = { [WEFT__FILE_TOKENIZER] = { name, data, size } };
    return weft__tokenizer_parse_files(files, out, err);
}
