/* names.c: which added tokens a tokenizer has, from all its files.
 *
 * In this order, as transformers 5 does it: tokenizer.json's added_tokens; then, if tokenizer_config.json has an
 * added_tokens_decoder, its tokens by id, else those of added_tokens.json by id, and special_tokens_map.json's words
 * over those of tokenizer_config.json; then bos_token and the other named ones, and extra_special_tokens, where they
 * are not there yet. A token that comes again takes the later flags, but stays special. */
#include "parse.h"
#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weft__added_free(weft__added_list *list)
{
    free(list->data);
    json_decref(list->index);
    *list = (weft__added_list){ 0 };
}

/* The id of a new token. */
static int64_t next_id(const weft__added_list *list, const char *text)
{
    const json_t *known = json_object_get(list->vocab, text);
    int64_t n_vocab = (int64_t)json_object_size(list->vocab);
    if (known) return json_integer_value(known);
    return list->last >= n_vocab ? list->last + 1 : n_vocab;
}

static weft_status append(weft__added_list *list, weft__span text, weft__added_token token,
                          weft_error *err)
{
    int64_t id = next_id(list, text.data);
    if (id > INT32_MAX / 4) return WEFT_FAIL(err, WEFT_LIMIT, "too many added tokens");
    token.id = (int32_t)id;
    if (!weft__grow(&list->data, &list->capacity, list->n + 1, sizeof *list->data) ||
        json_object_set_new(list->index, text.data, json_integer((json_int_t)list->n)) != 0)
        return WEFT_OOM_FAIL(err, "added tokens");
    list->data[list->n++] = (weft__added_entry){ text, token };
    if (id > list->last) list->last = id;
    return WEFT_OK;
}

/* Adds a token or changes its flags. `wanted`: the id that its file gives. Empty ones do not count. */
static weft_status put(weft__added_list *list, weft__span text, weft__added_token token,
                       int64_t wanted, unsigned file, weft_error *err)
{
    if (text.n == 0) return WEFT_OK;
    const json_t *known = json_object_get(list->index, text.data);
    size_t at = known ? (size_t)json_integer_value(known) : list->n;
    if (known) {
        weft__added_token *old = &list->data[at].token;
        token.id = old->id;
        token.special |= old->special;
        *old = token;
    } else {
        WEFT_TRY(append(list, text, token, err));
    }
    if (wanted != list->data[at].token.id && list->moved[file].n++ == 0) {
        list->moved[file].first = at;
        list->moved[file].id = wanted;
    }
    return WEFT_OK;
}

/* ---- tokens with all their flags ---- */

/* {"content": ..., "lstrip": ...}. `strict`: every flag must be there, as in tokenizer.json; else they are those of
 * Python's AddedToken. */
static weft_status read_token(const json_t *item, const char *where, bool strict, weft__span *text,
                              weft__added_token *out, weft_error *err)
{
    const json_t *content = json_object_get(item, "content");
    if (!json_is_object(item)) return WEFT_FAIL(err, WEFT_FORMAT, "%s is not an object", where);
    if (!json_is_string(content))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"content\" is not a text", where);
    *text = (weft__span){ json_string_value(content), json_string_length(content) };
    *out = (weft__added_token){ .id = -1 };
    int fallback = strict ? -1 : 0;
    WEFT_TRY(weft__read_bool(item, where, "special", fallback, &out->special, err));
    WEFT_TRY(weft__read_bool(item, where, "normalized", strict ? -1 : !out->special,
                             &out->normalized, err));
    WEFT_TRY(weft__read_bool(item, where, "single_word", fallback, &out->single_word, err));
    WEFT_TRY(weft__read_bool(item, where, "lstrip", fallback, &out->lstrip, err));
    return weft__read_bool(item, where, "rstrip", fallback, &out->rstrip, err);
}

static weft_status read_tokenizer_json(weft__added_list *list, const json_t *root, weft_error *err)
{
    const json_t *added = json_object_get(root, "added_tokens");
    if (!weft__is_absent(added) && !json_is_array(added))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"added_tokens\" is not an array");
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *item = json_array_get(added, i);
        char where[48];
        weft__span text;
        weft__added_token token;
        int32_t id;
        snprintf(where, sizeof where, "added token %zu", i);
        WEFT_TRY(read_token(item, where, true, &text, &token, err));
        WEFT_TRY(weft__read_id(json_object_get(item, "id"), weft__quote_text(text.data, text.n).text,
                               INT32_MAX, &id, err));
        WEFT_TRY(put(list, text, token, id, WEFT__FILE_TOKENIZER, err));
    }
    return WEFT_OK;
}

/* ---- tokens by id ---- */

typedef struct numbered {
    int32_t id;
    const char *key;
    const json_t *value;
} numbered;

static int compare_numbered(const void *a, const void *b)
{
    int32_t x = ((const numbered *)a)->id, y = ((const numbered *)b)->id;
    return (x > y) - (x < y);
}

/* Whether a key such as "265" is an id. */
static bool parse_id(const char *key, int32_t *id)
{
    char *end;
    long long x = *key >= '0' && *key <= '9' ? strtoll(key, &end, 10) : -1;
    if (x < 0 || x >= INT32_MAX || *end) return false;
    *id = (int32_t)x;
    return true;
}

/* The members of an object in order of their ids, which are the keys, or the values; to be freed. */
static weft_status sort_by_id(json_t *object, const char *what, bool keys, numbered **out,
                              weft_error *err)
{
    size_t n = 0;
    numbered *all = calloc(json_object_size(object) + 1, sizeof *all);
    *out = all;
    if (!all) return WEFT_OOM_FAIL(err, "added tokens");
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it), n++) {
        const char *key = json_object_iter_key(it);
        const json_t *value = json_object_iter_value(it);
        all[n] = (numbered){ .key = key, .value = value };
        weft__quoted name = weft__quote_text(key, strlen(key));
        if (keys && !parse_id(key, &all[n].id))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s is not a token id", what, name.text);
        if (!keys) WEFT_TRY(weft__read_id(value, name.text, INT32_MAX, &all[n].id, err));
    }
    qsort(all, n, sizeof *all, compare_numbered);
    return WEFT_OK;
}

static weft_status read_decoder(weft__added_list *list, json_t *decoder, weft_error *err)
{
    numbered *all = NULL;
    weft_status status = WEFT_OK;
    if (!json_is_object(decoder))
        return WEFT_FAIL(err, WEFT_FORMAT, "\"added_tokens_decoder\" is not an object");
    status = sort_by_id(decoder, "\"added_tokens_decoder\"", true, &all, err);
    for (size_t i = 0; i < json_object_size(decoder) && status == WEFT_OK; i++) {
        char where[48];
        weft__span text;
        weft__added_token token;
        snprintf(where, sizeof where, "added_tokens_decoder %d", all[i].id);
        status = read_token(all[i].value, where, false, &text, &token, err);
        if (status == WEFT_OK)
            status = put(list, text, token, all[i].id, WEFT__FILE_CONFIG, err);
    }
    free(all);
    return status;
}

/* ---- tokens by name ---- */

/* In the order of weft_named_token. */
static const char *const named[] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                     "pad_token", "cls_token", "mask_token" };
_Static_assert(sizeof named / sizeof *named == WEFT_TOKEN_COUNT, "a name per token");

static json_t *decoder_of(const weft__trees *t)
{
    return json_object_get(t->file[WEFT__FILE_CONFIG], "added_tokens_decoder");
}

/* special_tokens_map.json, where it counts. */
static json_t *special_map(const weft__trees *t)
{
    return decoder_of(t) ? NULL : t->file[WEFT__FILE_SPECIAL];
}

/* A special token: a text, or an object with flags. *text empty: none. */
static weft_status read_special(const json_t *value, const char *key, weft__span *text,
                                weft__added_token *out, weft_error *err)
{
    *text = (weft__span){ NULL, 0 };
    *out = (weft__added_token){ .id = -1, .special = true };
    if (weft__is_absent(value)) return WEFT_OK;
    if (json_is_string(value)) {
        *text = (weft__span){ json_string_value(value), json_string_length(value) };
        return WEFT_OK;
    }
    char where[WEFT__QUOTE_SIZE + 2];
    snprintf(where, sizeof where, "%s", weft__quote_text(key, strlen(key)).text);
    if (!json_is_object(value))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s is neither a text nor a token", where);
    WEFT_TRY(read_token(value, where, false, text, out, err));
    if (!json_object_get(value, "normalized")) out->normalized = false;
    out->special = true;
    return WEFT_OK;
}

/* obj[key] of the file that counts. */
static const json_t *named_value(const weft__trees *t, const char *key, unsigned *file)
{
    const json_t *value = json_object_get(special_map(t), key);
    *file = value ? WEFT__FILE_SPECIAL : WEFT__FILE_CONFIG;
    return value ? value : json_object_get(t->file[WEFT__FILE_CONFIG], key);
}

/* The token that a name stands for, by the files or by their class. */
static weft_status read_named(const weft__trees *t, const char *key, weft__span *text,
                              weft__added_token *token, weft_error *err)
{
    unsigned file;
    const json_t *value = named_value(t, key, &file);
    const char *usual = value ? NULL : weft__default_token(t, key);
    weft_status status = read_special(value, key, text, token, err);
    if (usual) *text = (weft__span){ usual, strlen(usual) };
    return status == WEFT_OK ? WEFT_OK : weft__annotate(err, status, "%s", t->name[file]);
}

weft_status weft__named_token(const weft__trees *t, weft_named_token which, weft__span *out, weft_error *err)
{
    weft__added_token token;
    return read_named(t, named[which], out, &token, err);
}

/* Calls `take` for each special token that the files name, in order. */
typedef weft_status take_special(void *ctx, weft__span text, weft__added_token token,
                                 weft_error *err);
typedef struct walk {
    const weft__trees *t;
    take_special *take;
    void *ctx;
} walk;

static weft_status walk_value(const walk *w, const json_t *value, const char *key, unsigned file,
                              weft_error *err)
{
    weft__span text;
    weft__added_token token;
    weft_status status = read_special(value, key, &text, &token, err);
    if (status != WEFT_OK) return weft__annotate(err, status, "%s", w->t->name[file]);
    return text.n ? w->take(w->ctx, text, token, err) : WEFT_OK;
}

/* A list of tokens, or an object that gives them names. */
static weft_status walk_list(const walk *w, json_t *list, const char *key, unsigned file,
                             weft_error *err)
{
    if (weft__is_absent(list)) return WEFT_OK;
    if (!json_is_array(list) && !json_is_object(list))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: \"%s\" is not an array", w->t->name[file], key);
    for (size_t i = 0; i < json_array_size(list); i++)
        WEFT_TRY(walk_value(w, json_array_get(list, i), key, file, err));
    for (void *it = json_is_object(list) ? json_object_iter(list) : NULL; it;
         it = json_object_iter_next(list, it))
        WEFT_TRY(walk_value(w, json_object_iter_value(it), key, file, err));
    return WEFT_OK;
}

/* Tokens with a name of their own ("image_token"), which only texts are. */
static weft_status walk_others(const walk *w, json_t *object, unsigned file, weft_error *err)
{
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        const char *key = json_object_iter_key(it);
        bool known = !weft__ends_with(key, "_token") || !json_is_string(json_object_iter_value(it));
        for (size_t i = 0; i < sizeof named / sizeof *named; i++)
            known |= strcmp(key, named[i]) == 0;
        if (!known) WEFT_TRY(walk_value(w, json_object_iter_value(it), key, file, err));
    }
    return WEFT_OK;
}

static weft_status walk_special(const walk *w, weft_error *err)
{
    static const char *const lists[] = { "extra_special_tokens", "additional_special_tokens" };
    json_t *config = w->t->file[WEFT__FILE_CONFIG], *map = special_map(w->t);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        weft__span text;
        weft__added_token token;
        WEFT_TRY(read_named(w->t, named[i], &text, &token, err));
        if (text.n) WEFT_TRY(w->take(w->ctx, text, token, err));
    }
    if (config) WEFT_TRY(walk_others(w, config, WEFT__FILE_CONFIG, err));
    if (map) WEFT_TRY(walk_others(w, map, WEFT__FILE_SPECIAL, err));
    for (size_t i = 0; i < 2; i++) {
        WEFT_TRY(walk_list(w, json_object_get(config, lists[i]), lists[i], WEFT__FILE_CONFIG, err));
        WEFT_TRY(walk_list(w, json_object_get(map, lists[i]), lists[i], WEFT__FILE_SPECIAL, err));
    }
    return WEFT_OK;
}

/* ---- all together ---- */

static weft_status remember(void *ctx, weft__span text, weft__added_token token, weft_error *err)
{
    (void)token;
    return json_object_set_new(ctx, text.data, json_true()) == 0
               ? WEFT_OK
               : WEFT_OOM_FAIL(err, "special tokens");
}

static weft_status add_missing(void *ctx, weft__span text, weft__added_token token,
                               weft_error *err)
{
    weft__added_list *list = ctx;
    return json_object_get(list->index, text.data) ? WEFT_OK : append(list, text, token, err);
}

/* The ids that are given so far, in order; to be freed. NULL: out of memory. */
static numbered *given_ids(const weft__added_list *list)
{
    numbered *ids = calloc(list->n + 1, sizeof *ids);
    for (size_t i = 0; ids && i < list->n; i++) ids[i].id = list->data[i].token.id;
    if (ids) qsort(ids, list->n, sizeof *ids, compare_numbered);
    return ids;
}

/* added_tokens.json: text to id. A token whose id tokenizer.json gives to another one is dropped there, too. */
static weft_status put_numbered(weft__added_list *list, json_t *file, const json_t *specials,
                                weft_error *err)
{
    numbered *all = NULL, *given = given_ids(list);
    size_t n_given = list->n;
    weft_status status = given ? sort_by_id(file, "the file", false, &all, err)
                               : WEFT_OOM_FAIL(err, "added tokens");
    for (size_t i = 0; i < json_object_size(file) && status == WEFT_OK; i++) {
        bool special = json_object_get(specials, all[i].key) != NULL,
             known = json_object_get(list->index, all[i].key) != NULL;
        if (known || bsearch(&all[i], given, n_given, sizeof *given, compare_numbered)) continue;
        weft__added_token token = { .special = special, .normalized = !special };
        weft__span text = { all[i].key, strlen(all[i].key) };
        status = put(list, text, token, all[i].id, WEFT__FILE_ADDED, err);
    }
    free(all);
    free(given);
    return status;
}

static weft_status read_added_tokens(weft__added_list *list, const weft__trees *t, weft_error *err)
{
    json_t *specials = json_object();
    walk w = { t, remember, specials };
    weft_status status = specials ? walk_special(&w, err) : WEFT_OOM_FAIL(err, "special tokens");
    if (status == WEFT_OK) {
        status = put_numbered(list, t->file[WEFT__FILE_ADDED], specials, err);
        if (status != WEFT_OK) weft__annotate(err, status, "%s", t->name[WEFT__FILE_ADDED]);
    }
    json_decref(specials);
    return status;
}

weft_status weft__added_collect(weft__added_list *list, const weft__trees *t, const json_t *vocab,
                                weft_error *err)
{
    *list = (weft__added_list){ .index = json_object(), .vocab = vocab, .last = -1 };
    if (!list->index) return WEFT_OOM_FAIL(err, "added tokens");
    weft_status status = read_tokenizer_json(list, t->file[WEFT__FILE_TOKENIZER], err);
    if (status != WEFT_OK) return weft__annotate(err, status, "%s", t->name[WEFT__FILE_TOKENIZER]);
    if (decoder_of(t)) {
        status = read_decoder(list, decoder_of(t), err);
        if (status != WEFT_OK) return weft__annotate(err, status, "%s", t->name[WEFT__FILE_CONFIG]);
    } else if (t->file[WEFT__FILE_ADDED]) {
        WEFT_TRY(read_added_tokens(list, t, err));
    }
    walk w = { t, add_missing, list };
    return walk_special(&w, err);
}
