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

/* Puts an added token into its matcher, as the text is when that looks for it. */
static weft_status index_token(weft_tokenizer *tok, size_t i, weft__normal_scratch *s, weft__regex_scratch *regex,
                               weft_error *err)
{
    const weft__vocab *v = &tok->vocab;
    const weft__added_token *token = &tok->added[i];
    const char *text = v->text + v->text_at[token->id];
    size_t n = v->text_at[token->id + 1] - v->text_at[token->id] - 1;
    bool taken = weft__vocab_find(v, text, n) != token->id; /* the same new text under two ids */
    weft__stretch stretch = { text, n, 0 };
    if (token->normalized) WEFT_TRY(weft__normalize(&tok->normalizers, s, regex, &stretch, err));
    if (stretch.n == 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "nothing is left of added token %zu, %s, when it is normalized", i,
                         weft__quote_text(text, n).text);
    if (!taken)
        WEFT_TRY(weft__matcher_add(token->normalized ? &tok->normalized : &tok->raw, stretch.data, stretch.n,
                                   (uint32_t)i, &taken, err));
    if (taken)
        return WEFT_FAIL(err, WEFT_FORMAT, "added token %zu, %s, is there twice", i, weft__quote_text(text, n).text);
    tok->special[token->id] = token->special;
    return WEFT_OK;
}

/* Puts the added tokens into the two matchers and marks the special ones. */
static weft_status index_added(weft_tokenizer *tok, weft_error *err)
{
    weft__normal_scratch s = { 0 };
    weft__regex_scratch *regex = weft__regex_scratch_create();
    weft_status status = regex ? WEFT_OK : WEFT_OOM_FAIL(err, "added tokens");
    for (size_t i = 0; i < tok->n_added && status == WEFT_OK; i++) status = index_token(tok, i, &s, regex, err);
    weft__normal_scratch_free(&s);
    weft__regex_scratch_destroy(regex);
    return status;
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

static weft_status start_texts(weft__id_texts *texts, json_t *vocab, weft_error *err)
{
    size_t n = json_object_size(vocab);
    if (n == 0) return WEFT_FAIL(err, WEFT_FORMAT, "the vocabulary is empty");
    if (n > INT32_MAX / 8) return WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    texts->size = n + HOLES_MAX(n);
    texts->data = calloc(texts->size, sizeof *texts->data);
    if (!texts->data) return WEFT_OOM_FAIL(err, "the vocabulary");
    return read_vocab(vocab, texts->data, (uint32_t)texts->size, &texts->n, err);
}

weft_status weft__build_vocab(weft_tokenizer *tok, weft__id_texts *texts, const weft__added_list *list,
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
    weft__id_texts texts = { 0 };
    weft_status status = in_file(t, WEFT__FILE_TOKENIZER, start_texts(&texts, vocab, err), err);
    if (status == WEFT_OK) status = weft__added_collect(&list, t, vocab, err);
    if (status == WEFT_OK)
        status = in_file(t, WEFT__FILE_TOKENIZER, weft__build_vocab(tok, &texts, &list, err), err);
    if (status == WEFT_OK) status = note_moved(tok, t, &list, err);
    free(texts.data);
    weft__added_free(&list);
    return status;
}

weft_status weft__read_shape(weft_tokenizer *tok, const json_t *root, weft_error *err)
{
    const json_t *version = json_object_get(root, "version");
    if (version && (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the file's \"version\" is not \"1.0\"");
    WEFT_TRY(weft__read_normalizers(&tok->normalizers, root, err));
    WEFT_TRY(weft__read_pre_tokenizers(&tok->pre, root, err));
    WEFT_TRY(weft__read_decoders(&tok->decoders, root, err));
    bool byte_level = tok->pre.n > 0 && tok->pre.step[tok->pre.n - 1].bytes;
    return weft__model_begin(&tok->model, json_object_get(root, "model"), byte_level, err);
}

/* The bytes of a token in the middle of a text. */
static bool append_text(void *ctx, const char *text, size_t n)
{
    return weft__bytes_append(*(weft__bytes **)ctx, text, n);
}

typedef struct token_bytes {
    const weft__vocab *vocab;
    weft__decoding *decoding;
    weft__bytes *out;
} token_bytes;

static weft_status append_token(void *ctx, uint32_t id, weft__bytes *out, weft_error *err)
{
    token_bytes *t = ctx;
    const char *text = t->vocab->text + t->vocab->text_at[id];
    t->out = out;
    bool ok = weft__decoding_alone(t->decoding, text, t->vocab->text_at[id + 1] - t->vocab->text_at[id] - 1);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "the vocabulary");
}

weft_status weft__read_token_bytes(weft_tokenizer *tok, weft_error *err)
{
    token_bytes t = { .vocab = &tok->vocab };
    WEFT_TRY(weft__decoders_measure(&tok->decoders, tok->vocab.longest, err));
    t.decoding = weft__decoding_create(&tok->decoders, true, append_text, &t.out);
    if (!t.decoding) return WEFT_OOM_FAIL(err, "the vocabulary");
    weft_status status = weft__vocab_set_bytes(&tok->vocab, append_token, &t, err);
    weft__decoding_destroy(t.decoding);
    return status;
}

/* What needs it. */
static weft_status read_rest(weft_tokenizer *tok, const json_t *root, weft_error *err)
{
    WEFT_TRY(weft__read_token_bytes(tok, err));
    return weft__read_post_processor(tok, root, err);
}

static weft_status read_trees(weft_tokenizer *tok, const weft__trees *t, weft_error *err)
{
    const json_t *root = t->file[WEFT__FILE_TOKENIZER], *model = json_object_get(root, "model");
    unsigned merges = t->from_vocab ? WEFT__FILE_MERGES : WEFT__FILE_TOKENIZER; /* the vocabulary was checked before */
    json_t *vocab = NULL;
    WEFT_TRY(in_file(t, WEFT__FILE_TOKENIZER, weft__read_shape(tok, root, err), err));
    weft_status status = in_file(t, WEFT__FILE_TOKENIZER, weft__model_vocab(&tok->model, model, &vocab, err), err);
    if (status == WEFT_OK) status = read_tokens(tok, t, vocab, err);
    json_decref(vocab);
    WEFT_TRY(status);
    WEFT_TRY(in_file(t, merges, weft__model_read(&tok->model, model, &tok->vocab, err), err));
    WEFT_TRY(in_file(t, WEFT__FILE_TOKENIZER, read_rest(tok, root, err), err));
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
