/* model.c: the kinds of models, and how each is read from tokenizer.json. */
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/json.h"
#include "values.h"

typedef struct weft__model_kind {
    const char *type;
    weft_status (*begin)(weft__model *m, const json_t *object, bool byte_level, weft_error *err);
    weft_status (*vocab)(const json_t *object, json_t **out, weft_error *err);
    weft_status (*read)(weft__model *m, const json_t *object, const weft__vocab *v, weft_error *err);
    weft_status (*fill)(weft__model *m, const weft__model_lists *lists, const weft__vocab *v, weft_error *err);
    weft_status (*encode)(const weft__model *m, const weft__vocab *v, weft__model_scratch *s, const char *word,
                          size_t n, weft__ids *out, weft_error *err);
} weft__model_kind;

/* ---- what they share ---- */

/* The text at object[key], or what is there if it is absent. */
static weft_status read_text(const json_t *object, const char *key, weft__bytes *out, weft_error *err)
{
    const json_t *text = json_object_get(object, key);
    if (weft__is_absent(text)) return WEFT_OK;
    if (!json_is_string(text)) return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"%s\" is not a text", key);
    bool ok = weft__bytes_append(out, json_string_value(text), json_string_length(text));
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "the model");
}

/* {"text": id, ...} as it is. */
static weft_status vocab_object(const json_t *object, json_t **out, weft_error *err)
{
    json_t *vocab = json_object_get(object, "vocab");
    if (!json_is_object(vocab)) return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"vocab\" object");
    *out = json_incref(vocab);
    return WEFT_OK;
}

/* ---- BPE ---- */

static weft_status refuse_dropout(const json_t *object, weft_error *err)
{
    const json_t *dropout = json_object_get(object, "dropout");
    if (weft__is_absent(dropout)) return WEFT_OK;
    if (!json_is_number(dropout)) return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"dropout\" is not a number");
    if (json_number_value(dropout) > 0 || json_number_value(dropout) < 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "the model's \"dropout\" makes tokens random and is not supported");
    return WEFT_OK;
}

static weft_status begin_bpe(weft__model *m, const json_t *object, bool byte_level, weft_error *err)
{
    weft__bpe *bpe = &m->bpe;
    if (!json_is_array(json_object_get(object, "merges")))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"merges\" array");
    WEFT_TRY(refuse_dropout(object, err));
    WEFT_TRY(read_text(object, "continuing_subword_prefix", &bpe->prefix, err));
    WEFT_TRY(read_text(object, "end_of_word_suffix", &bpe->suffix, err));
    WEFT_TRY(weft__read_bool(object, "the model", "byte_fallback", 0, &bpe->byte_fallback, err));
    WEFT_TRY(weft__read_bool(object, "the model", "fuse_unk", 0, &bpe->fuse_unk, err));
    WEFT_TRY(weft__read_bool(object, "the model", "ignore_merges", 0, &bpe->ignore_merges, err));
    m->raw_bytes = byte_level && !bpe->byte_fallback && !bpe->prefix.size && !bpe->suffix.size;
    return WEFT_OK;
}

/* The two halves of a merge: "a b" or ["a", "b"]. */
static bool read_merge(const void *merges, size_t index, weft__span *left, weft__span *right)
{
    const json_t *item = json_array_get(merges, index);
    if (json_is_array(item) && json_array_size(item) == 2) {
        const json_t *a = json_array_get(item, 0), *b = json_array_get(item, 1);
        *left = (weft__span){ json_string_value(a), json_string_length(a) };
        *right = (weft__span){ json_string_value(b), json_string_length(b) };
        return json_is_string(a) && json_is_string(b);
    }
    const char *text = json_string_value(item), *space = text ? strchr(text, ' ') : NULL;
    if (text && strncmp(text, "#version", 8) == 0) return true; /* the first line of a merges.txt */
    if (!space || strchr(space + 1, ' ')) return false;
    *left = (weft__span){ text, (size_t)(space - text) };
    *right = (weft__span){ space + 1, strlen(space + 1) };
    return true;
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

static weft_status add_merge(weft__bpe *m, const weft__vocab *v, const weft__model_lists *lists, size_t index,
                             weft__bytes *whole, weft_error *err)
{
    weft__span left = { 0 }, right = { 0 };
    int32_t left_id, right_id, id;
    if (!lists->merge(lists->ctx, index, &left, &right))
        return WEFT_FAIL(err, WEFT_FORMAT, "merge %zu is not a pair of tokens", index);
    if (!left.data) return WEFT_OK;
    WEFT_TRY(find_merge_part(v, index, left.data, left.n, &left_id, err));
    WEFT_TRY(find_merge_part(v, index, right.data, right.n, &right_id, err));
    whole->size = 0;
    size_t skip = m->prefix.size; /* the right part goes on with a word; in the whole it needs not say so */
    if (right.n < skip)
        return WEFT_FAIL(err, WEFT_FORMAT, "merge %zu: the right part is shorter than the prefix", index);
    if (!weft__bytes_append(whole, left.data, left.n) || !weft__bytes_append(whole, right.data + skip, right.n - skip))
        return WEFT_OOM_FAIL(err, "the merges");
    WEFT_TRY(find_merge_part(v, index, whole->data, whole->size, &id, err));
    weft__bpe_add_merge(m, left_id, right_id, (uint32_t)index, id);
    return WEFT_OK;
}

static weft_status add_merges(weft__bpe *m, const weft__vocab *v, const weft__model_lists *lists, weft_error *err)
{
    WEFT_TRY(weft__bpe_reserve_merges(m, lists->n_merges, err));
    weft__bytes whole = { 0 };
    weft_status status = WEFT_OK;
    for (size_t i = 0; i < lists->n_merges && status == WEFT_OK; i++)
        status = add_merge(m, v, lists, i, &whole, err);
    free(whole.data);
    return status;
}

/* The first byte whose token is missing; 256: none. Bytes that UTF-8 never uses may well be. */
static unsigned missing_byte(const int32_t ids[256])
{
    unsigned b = 0;
    while (b < 0xF5 && (ids[b] >= 0 || b == 0xC0 || b == 0xC1)) b++;
    return b < 0xF5 ? b : 256;
}

/* What happens to characters that have no token. */
static weft_status read_unknown(weft__model *m, const weft__vocab *v, const json_t *object, weft_error *err)
{
    const json_t *unk = json_object_get(object, "unk_token");
    weft__bpe *bpe = &m->bpe;
    bpe->unk_id = -1;
    if (weft__is_absent(unk)) return WEFT_OK;
    if (!json_is_string(unk)) return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"unk_token\" is not a text");
    bpe->unk_id = weft__vocab_find_model(v, json_string_value(unk), json_string_length(unk));
    if (bpe->unk_id >= 0) return WEFT_OK;
    weft__quoted name = weft__quote_text(json_string_value(unk), json_string_length(unk));
    unsigned byte = missing_byte(m->raw_bytes ? bpe->byte_id : bpe->fallback_id);
    if (!m->raw_bytes && !bpe->byte_fallback)
        return WEFT_FAIL(err, WEFT_FORMAT, "the unk_token %s is not in the vocabulary", name.text);
    if (byte == 256) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "byte 0x%02X has no token, and the unk_token %s is not in the vocabulary", byte,
                     name.text);
}

/* The tokens of single bytes, and the merges or ranks. */
static weft_status fill_bpe(weft__model *m, const weft__model_lists *lists, const weft__vocab *v, weft_error *err)
{
    for (unsigned b = 0; b < 256; b++) {
        char text[4];
        m->bpe.byte_id[b] = weft__vocab_find_model(v, text, weft__utf8_encode(weft__byte_char((uint8_t)b), text));
    }
    weft__vocab_byte_tokens(v, m->bpe.fallback_id);
    m->bpe.unk_id = lists->unk_id;
    return lists->scores ? weft__bpe_rank(&m->bpe, v, lists->scores, err) : add_merges(&m->bpe, v, lists, err);
}

static weft_status read_bpe(weft__model *m, const json_t *object, const weft__vocab *v, weft_error *err)
{
    const json_t *merges = json_object_get(object, "merges");
    weft__model_lists lists = { .n_merges = json_array_size(merges), .merge = read_merge, .ctx = merges, .unk_id = -1 };
    WEFT_TRY(fill_bpe(m, &lists, v, err));
    return read_unknown(m, v, object, err);
}

static weft_status encode_bpe(const weft__model *m, const weft__vocab *v, weft__model_scratch *s, const char *word,
                              size_t n, weft__ids *out, weft_error *err)
{
    bool ok = weft__bpe_encode(&m->bpe, v, &s->bpe, word, n, m->raw_bytes, out);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "token ids");
}

/* ---- Unigram ---- */

static weft_status begin_unigram(weft__model *m, const json_t *object, bool byte_level, weft_error *err)
{
    (void)byte_level;
    if (!json_is_array(json_object_get(object, "vocab")))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model has no \"vocab\" array");
    return weft__read_bool(object, "the model", "byte_fallback", 0, &m->unigram.byte_fallback, err);
}

/* [["text", score], ...]: the id is the place. */
static weft_status vocab_list(const json_t *object, json_t **out, weft_error *err)
{
    const json_t *list = json_object_get(object, "vocab");
    *out = json_object();
    if (!*out) return WEFT_OOM_FAIL(err, "the vocabulary");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i), *text = json_array_get(item, 0), *score = json_array_get(item, 1);
        if (json_array_size(item) != 2 || !json_is_string(text) || !json_is_number(score))
            return WEFT_FAIL(err, WEFT_FORMAT, "entry %zu of the vocabulary is not a text and its score", i);
        if (json_object_get(*out, json_string_value(text)))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s is in the vocabulary twice",
                             weft__quote_text(json_string_value(text), json_string_length(text)).text);
        if (json_object_set_new(*out, json_string_value(text), json_integer((json_int_t)i)) != 0)
            return WEFT_OOM_FAIL(err, "the vocabulary");
    }
    return WEFT_OK;
}

enum { UNK_PENALTY = 10 }; /* below the least score of all */

/* scores[id] of the tokens; ids that are none have no score. */
static weft_status fill_unigram(weft__model *m, const weft__model_lists *lists, const weft__vocab *v, weft_error *err)
{
    weft__unigram *u = &m->unigram;
    double least = INFINITY;
    u->score = calloc((size_t)v->n + 1, sizeof *u->score);
    if (!u->score) return WEFT_OOM_FAIL(err, "the vocabulary");
    for (uint32_t i = 0; i < v->n; i++) {
        if (!v->of_model[i]) continue;
        if (!isfinite(lists->scores[i])) return WEFT_FAIL(err, WEFT_FORMAT, "the score of entry %u is not finite", i);
        u->score[i] = lists->scores[i];
        least = u->score[i] < least ? u->score[i] : least;
    }
    u->unk_score = least - UNK_PENALTY;
    u->unk_id = lists->unk_id;
    weft__vocab_byte_tokens(v, u->fallback_id);
    return weft__prefixes_build(&u->tokens, v, err);
}

static weft_status read_unigram(weft__model *m, const json_t *object, const weft__vocab *v, weft_error *err)
{
    const json_t *list = json_object_get(object, "vocab"), *unk = json_object_get(object, "unk_id");
    size_t n = json_array_size(list);
    double *scores = calloc((size_t)v->n + 1, sizeof *scores);
    weft__model_lists lists = { .scores = scores, .unk_id = -1 };
    weft_status status = scores ? WEFT_OK : WEFT_OOM_FAIL(err, "the vocabulary");
    for (size_t i = 0; i < n && status == WEFT_OK; i++)
        if (!weft__json_number(json_array_get(json_array_get(list, i), 1), &scores[i]))
            status = WEFT_FAIL(err, WEFT_FORMAT, "the score of entry %zu is not finite", i);
    if (status == WEFT_OK && !weft__is_absent(unk))
        status = weft__read_id(unk, "unk_id", (uint32_t)n, &lists.unk_id, err);
    if (status == WEFT_OK) status = fill_unigram(m, &lists, v, err);
    free(scores);
    return status;
}

static weft_status encode_unigram(const weft__model *m, const weft__vocab *v, weft__model_scratch *s, const char *word,
                                  size_t n, weft__ids *out, weft_error *err)
{
    return weft__unigram_encode(&m->unigram, v, &s->unigram, word, n, out, err);
}

/* ---- WordPiece ---- */

static weft_status begin_wordpiece(weft__model *m, const json_t *object, bool byte_level, weft_error *err)
{
    (void)byte_level;
    const json_t *most = json_object_get(object, "max_input_chars_per_word");
    if (!json_is_integer(most) || json_integer_value(most) < 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"max_input_chars_per_word\" is not a number of characters");
    if (!json_is_string(json_object_get(object, "continuing_subword_prefix")))
        return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"continuing_subword_prefix\" is not a text");
    m->wordpiece.most = (size_t)json_integer_value(most);
    return read_text(object, "continuing_subword_prefix", &m->wordpiece.prefix, err);
}

static weft_status fill_wordpiece(weft__model *m, const weft__model_lists *lists, const weft__vocab *v,
                                  weft_error *err)
{
    m->wordpiece.unk_id = lists->unk_id;
    return weft__prefixes_build(&m->wordpiece.tokens, v, err);
}

static weft_status read_wordpiece(weft__model *m, const json_t *object, const weft__vocab *v, weft_error *err)
{
    const json_t *unk = json_object_get(object, "unk_token");
    if (!json_is_string(unk)) return WEFT_FAIL(err, WEFT_FORMAT, "the model's \"unk_token\" is not a text");
    weft__model_lists lists = { .unk_id = weft__vocab_find_model(v, json_string_value(unk), json_string_length(unk)) };
    if (lists.unk_id < 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "the unk_token %s is not in the vocabulary",
                         weft__quote_text(json_string_value(unk), json_string_length(unk)).text);
    return fill_wordpiece(m, &lists, v, err);
}

static weft_status encode_wordpiece(const weft__model *m, const weft__vocab *v, weft__model_scratch *s,
                                    const char *word, size_t n, weft__ids *out, weft_error *err)
{
    (void)s;
    bool ok = weft__wordpiece_encode(&m->wordpiece, v, word, n, out);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "token ids");
}

/* ---- kinds ---- */

static const weft__model_kind kinds[] = {
    { "BPE", begin_bpe, vocab_object, read_bpe, fill_bpe, encode_bpe },
    { "Unigram", begin_unigram, vocab_list, read_unigram, fill_unigram, encode_unigram },
    { "WordPiece", begin_wordpiece, vocab_object, read_wordpiece, fill_wordpiece, encode_wordpiece },
};

weft_status weft__model_begin(weft__model *m, const json_t *object, bool byte_level, weft_error *err)
{
    if (!json_is_object(object)) return WEFT_FAIL(err, WEFT_FORMAT, "there is no \"model\" object");
    const char *type = json_object_get(object, "type") ? weft__type_of(object) : "BPE"; /* of old files */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !m->kind; i++)
        if (strcmp(type, kinds[i].type) == 0) m->kind = &kinds[i];
    if (!m->kind)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the model type %s is not supported",
                         weft__quote_text(type, strlen(type)).text);
    return m->kind->begin(m, object, byte_level, err);
}

weft_status weft__model_vocab(const weft__model *m, const json_t *object, json_t **out, weft_error *err)
{
    *out = NULL;
    return m->kind->vocab(object, out, err);
}

weft_status weft__model_read(weft__model *m, const json_t *object, const weft__vocab *v, weft_error *err)
{
    return m->kind->read(m, object, v, err);
}

weft_status weft__model_fill(weft__model *m, const weft__model_lists *lists, const weft__vocab *v, weft_error *err)
{
    return m->kind->fill(m, lists, v, err);
}

const char *weft__model_name(const weft__model *m)
{
    return m->kind->type;
}

weft_status weft__model_encode(const weft__model *m, const weft__vocab *v, weft__model_scratch *s, const char *word,
                               size_t n, weft__ids *out, weft_error *err)
{
    return m->kind->encode(m, v, s, word, n, out, err);
}

void weft__model_free(weft__model *m)
{
    weft__bpe_free(&m->bpe);
    weft__unigram_free(&m->unigram);
    weft__wordpiece_free(&m->wordpiece);
}

void weft__model_scratch_free(weft__model_scratch *s)
{
    weft__bpe_scratch_free(&s->bpe);
    weft__unigram_scratch_free(&s->unigram);
}
