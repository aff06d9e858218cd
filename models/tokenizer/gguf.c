/* gguf.c: the metadata of a GGUF file to a weft_tokenizer.
 *
 * The file tells what kind of tokenizer it has, and what is long: tokens, their types, scores or merges. The rest,
 * which a tokenizer.json tells, follows from the kind and from the name of the pre-tokenizer; it is put together as
 * such a file would have it and read by the same functions. Texts of errors are written without the file's name, which
 * is put in front at the end. */
#include "gguf.h"

#include <stdlib.h>
#include <string.h>

#include "gguf_kinds.h"
#include "parse.h"
#include "values.h"

#define KEY(name) "tokenizer.ggml." name

/* Of tokenizer.ggml.token_type. */
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE };

typedef struct reading {
    const weft__gguf_file *f;
    weft_tokenizer *tok;
    const weft__gguf_kind *kind;
    const weft__gguf_pre *pre;
    const weft__gguf_value *tokens;
    bool by_key[WEFT_TOKEN_COUNT]; /* the file names it */
    uint8_t *types; /* of each token */
    char *made;     /* texts of tokens that are not those of the file */
    weft__id_texts texts;
    weft__added_list added;
} reading;

/* ---- kind and pre-tokenizer ---- */

static bool text_at(const weft__gguf_file *f, const char *key, weft__gguf_string *out)
{
    return weft__gguf_text(weft__gguf_find(f, key), 0, out);
}

static weft_status find_kind(reading *r, weft_error *err)
{
    weft__gguf_string name;
    if (!text_at(r->f, KEY("model"), &name))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "it has no tokenizer (tokenizer.ggml.model), so text cannot be read or "
                         "written (tokens can)");
    r->kind = weft__gguf_kind_find(name.text, name.size);
    if (r->kind) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the kind of tokenizer %s (tokenizer.ggml.model) is not supported",
                     weft__quote_text(name.text, name.size).text);
}

static weft_status find_pre(reading *r, weft_error *err)
{
    weft__gguf_string name, arch = { "", 0 };
    const char *known = NULL;
    if (text_at(r->f, KEY("pre"), &name) && name.size) {
        r->pre = weft__gguf_pre_find(name.text, name.size);
        if (r->pre) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the pre-tokenizer %s (tokenizer.ggml.pre) is not known",
                         weft__quote_text(name.text, name.size).text);
    }
    if (text_at(r->f, "general.architecture", &arch)) known = weft__gguf_pre_of_arch(arch.text, arch.size);
    r->pre = weft__gguf_pre_find(known ? known : "default", strlen(known ? known : "default"));
    return weft__tokenizer_add_note(r->tok, err,
                                    "%s: names no pre-tokenizer (tokenizer.ggml.pre), so words are cut as %s has it%s",
                                    r->tok->origin, known ? known : "llama.cpp's default",
                                    known ? ", by the architecture" : ", and tokens may not be the model's");
}

/* The components, as a tokenizer.json has them. */
static weft_status read_shape(reading *r, weft_error *err)
{
    json_t *root = json_object();
    weft_status status = root ? r->kind->shape(r->f, r->pre, root, err) : WEFT_OOM_FAIL(err, "a tokenizer");
    if (status == WEFT_OK) status = weft__read_shape(r->tok, root, err);
    json_decref(root);
    return status;
}

/* ---- tokens ---- */

static weft_status read_types(reading *r, uint32_t n, weft_error *err)
{
    const weft__gguf_value *types = weft__gguf_find(r->f, KEY("token_type"));
    r->types = malloc((size_t)n + 1);
    if (!r->types) return WEFT_OOM_FAIL(err, "the vocabulary");
    memset(r->types, TYPE_NORMAL, n);
    for (uint32_t i = 0; types && i < n; i++) {
        int64_t type;
        if (!weft__gguf_integer(types, i, &type))
            return WEFT_FAIL(err, WEFT_FORMAT, KEY("token_type") " has no type of token %u", i);
        r->types[i] = type > 0 && type <= TYPE_BYTE ? (uint8_t)type : TYPE_NORMAL;
    }
    for (weft_named_token k = 0; k < WEFT_TOKEN_COUNT; k++) { /* old files have them as normal ones */
        int32_t id = r->tok->named[k];
        if (id >= 0 && (!types || r->by_key[k]) && r->types[id] == TYPE_NORMAL) r->types[id] = TYPE_CONTROL;
    }
    return WEFT_OK;
}

/* Rows of the model past the tokenizer's end have tokens such as "[PAD123]" in the file. */
static bool is_padding(weft__gguf_string text, uint32_t id, uint8_t type)
{
    char number[24];
    int n = snprintf(number, sizeof number, "[PAD%u]", id);
    return type == TYPE_UNUSED && text.size == (size_t)n && memcmp(text.text, number, text.size) == 0;
}

/* A token's text as a tokenizer.json has it. */
static weft__span token_text(const reading *r, weft__gguf_string text, uint8_t type, char **made)
{
    weft__span span = { text.text, text.size };
    bool word = type == TYPE_NORMAL || type == TYPE_UNUSED;
    if (!r->kind->wordpiece || !word) return span;
    if (span.n > 3 && memcmp(span.data, "\xE2\x96\x81", 3) == 0) return (weft__span){ span.data + 3, span.n - 3 };
    char *at = *made;
    memcpy(at, "##", 2);
    memcpy(at + 2, span.data, span.n);
    *made += span.n + 2;
    return (weft__span){ at, span.n + 2 };
}

static weft_status read_texts(reading *r, uint32_t n, weft_error *err)
{
    size_t total = 0;
    weft__gguf_string text;
    for (uint32_t i = 0; i < n && r->kind->wordpiece; i++)
        if (weft__gguf_text(r->tokens, i, &text)) total += text.size + 2;
    r->made = malloc(total + 1);
    r->texts = (weft__id_texts){ calloc((size_t)n + 1, sizeof *r->texts.data), n, 0 };
    if (!r->made || !r->texts.data) return WEFT_OOM_FAIL(err, "the vocabulary");
    char *made = r->made;
    for (uint32_t i = 0; i < n; i++) {
        if (!weft__gguf_text(r->tokens, i, &text)) return WEFT_FAIL(err, WEFT_FORMAT, KEY("tokens") " are not texts");
        if (text.size == 0 || is_padding(text, i, r->types[i])) continue; /* no token has that id */
        if (!weft__utf8_is_valid(text.text, text.size) || memchr(text.text, 0, text.size))
            return WEFT_FAIL(err, WEFT_FORMAT, "the text of token %u is not UTF-8, or holds a zero byte", i);
        r->texts.data[i] = token_text(r, text, r->types[i], &made);
        r->texts.n = i + 1;
    }
    return r->texts.n ? WEFT_OK : WEFT_FAIL(err, WEFT_FORMAT, KEY("tokens") " has none");
}

/* ---- added tokens ---- */

static bool holds(weft__gguf_string text, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= text.size; i++) {
        size_t k = 0;
        while (k < n && (text.text[i + k] | 0x20) == what[k]) k++;
        if (k == n) return true;
    }
    return false;
}

/* Phi-3's tokens take the white space after them, which GGUF files do not tell. */
static bool is_phi3(const reading *r)
{
    weft__gguf_string name;
    if (strcmp(r->kind->name, "llama") != 0) return false;
    return text_at(r->f, "general.name", &name) && (holds(name, "phi-3") || holds(name, "phi3"));
}

static bool takes_space_after(const weft__span *text, uint8_t type)
{
    static const char *const not[] = { "<unk>", "<s>", "<|endoftext|>" };
    for (size_t i = 0; i < sizeof not / sizeof *not; i++)
        if (text->n == strlen(not[i]) && memcmp(text->data, not[i], text->n) == 0) return false;
    return type == TYPE_CONTROL || type == TYPE_USER;
}

static weft_status collect_added(reading *r, weft_error *err)
{
    bool phi3 = is_phi3(r), mask = r->pre && r->pre->flags & WEFT__PRE_MASK;
    for (uint32_t i = 0; i < r->texts.n; i++) {
        const weft__span *text = &r->texts.data[i];
        uint8_t type = r->types[i];
        if (!text->data || (type != TYPE_CONTROL && type != TYPE_USER && type != TYPE_UNKNOWN)) continue;
        weft__added_token token = { .id = (int32_t)i, .special = type != TYPE_USER };
        token.normalized = !token.special && !r->kind->raw;
        token.rstrip = phi3 && takes_space_after(text, type);
        token.lstrip = mask && r->tok->named[WEFT_TOKEN_MASK] == (int32_t)i;
        if (!weft__grow(&r->added.data, &r->added.capacity, r->added.n + 1, sizeof *r->added.data))
            return WEFT_OOM_FAIL(err, "added tokens");
        r->added.data[r->added.n++] = (weft__added_entry){ *text, token };
    }
    return WEFT_OK;
}

/* Tokens that the model gives itself, and names of what are no tokens. */
static void mark_model(reading *r)
{
    for (weft_named_token k = 0; k < WEFT_TOKEN_COUNT; k++)
        if (!weft_tokenizer_token(r->tok, r->tok->named[k])) r->tok->named[k] = -1;
    for (uint32_t i = 0; i < r->texts.n; i++)
        if (r->types[i] == TYPE_CONTROL || r->types[i] == TYPE_UNKNOWN) r->tok->vocab.of_model[i] = 0;
}

static weft_status check_twins(const weft__vocab *v, weft_error *err)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const char *text = v->text + v->text_at[i];
        size_t n = v->text_at[i + 1] - v->text_at[i];
        if (!weft__vocab_has(v, i) || weft__vocab_find(v, text, n - 1) == (int32_t)i) continue;
        return WEFT_FAIL(err, WEFT_FORMAT, "tokens %d and %u are both %s", weft__vocab_find(v, text, n - 1), i,
                         weft__quote_text(text, n - 1).text);
    }
    return WEFT_OK;
}

static weft_status read_tokens(reading *r, weft_error *err)
{
    WEFT_TRY(read_types(r, (uint32_t)r->tokens->count, err));
    WEFT_TRY(read_texts(r, (uint32_t)r->tokens->count, err));
    WEFT_TRY(collect_added(r, err));
    WEFT_TRY(weft__build_vocab(r->tok, &r->texts, &r->added, err));
    mark_model(r);
    return check_twins(&r->tok->vocab, err);
}

/* ---- merges and scores ---- */

static weft_status add_merges(reading *r, weft__model_lists *lists, weft_error *err)
{
    const weft__gguf_value *merges = weft__gguf_find(r->f, KEY("merges"));
    if (!merges || merges->type != WEFT__GGUF_ARRAY)
        return WEFT_FAIL(err, WEFT_FORMAT, "there is no array " KEY("merges"));
    if (merges->count > SIZE_MAX / 64) return WEFT_FAIL(err, WEFT_LIMIT, "there are too many merges");
    lists->n_merges = (size_t)merges->count;
    lists->merge = weft__gguf_merge;
    lists->ctx = merges;
    return weft__model_fill(&r->tok->model, lists, &r->tok->vocab, err);
}

/* Files that were made from a tokenizer.json alone have the same score for all tokens; the order of their ids, in which
 * a pair of equal scores counts, then is that of the merges. */
static weft_status add_scores(reading *r, weft__model_lists *lists, weft_error *err)
{
    const weft__gguf_value *value = weft__gguf_find(r->f, KEY("scores"));
    uint32_t n = r->tok->vocab.n;
    double *scores = calloc((size_t)n + 1, sizeof *scores);
    weft_status status = scores ? WEFT_OK : WEFT_OOM_FAIL(err, "the vocabulary");
    for (uint32_t i = 0; i < n && status == WEFT_OK && value; i++)
        if (!weft__gguf_number(value, i, &scores[i]))
            status = WEFT_FAIL(err, WEFT_FORMAT, KEY("scores") " has no score of token %u", i);
    lists->scores = scores;
    if (status == WEFT_OK) status = weft__model_fill(&r->tok->model, lists, &r->tok->vocab, err);
    free(scores);
    return status;
}

static weft_status read_model(reading *r, weft_error *err)
{
    weft__model_lists lists = { .unk_id = r->tok->named[WEFT_TOKEN_UNK] };
    if (r->kind->merges) return add_merges(r, &lists, err);
    if (r->kind->scores) return add_scores(r, &lists, err);
    return weft__model_fill(&r->tok->model, &lists, &r->tok->vocab, err);
}

/* ---- tokens with names, and around a text ---- */

static weft_status read_named(reading *r, weft_error *err)
{
    const struct {
        const char *key;
        int32_t otherwise;
    } rows[WEFT_TOKEN_COUNT] = {
        [WEFT_TOKEN_BOS] = { KEY("bos_token_id"), r->kind->bos },
        [WEFT_TOKEN_EOS] = { KEY("eos_token_id"), r->kind->eos },
        [WEFT_TOKEN_UNK] = { KEY("unknown_token_id"), r->kind->unk },
        [WEFT_TOKEN_SEP] = { KEY("seperator_token_id"), r->kind->sep }, /* so it is spelled */
        [WEFT_TOKEN_PAD] = { KEY("padding_token_id"), r->kind->pad },
        [WEFT_TOKEN_CLS] = { KEY("cls_token_id"), -1 },
        [WEFT_TOKEN_MASK] = { KEY("mask_token_id"), r->kind->mask },
    };
    int64_t n = (int64_t)r->tokens->count, id;
    for (weft_named_token k = 0; k < WEFT_TOKEN_COUNT; k++) {
        r->tok->named[k] = rows[k].otherwise < n ? rows[k].otherwise : -1;
        if (!weft__gguf_integer(weft__gguf_find(r->f, rows[k].key), 0, &id)) continue;
        if ((r->by_key[k] = id >= 0 && id < n)) r->tok->named[k] = (int32_t)id;
        else if (id >= 0 && id < UINT32_MAX) /* the largest number stands for none in some files */
            WEFT_TRY(weft__tokenizer_add_note(r->tok, err, "%s: %s is %lld, and there are %lld tokens", r->tok->origin,
                                              rows[k].key, (long long)id, (long long)n));
    }
    return WEFT_OK;
}

static weft_status put_around(reading *r, bool wish, const char *key, int32_t id, weft__ids *edge, weft_error *err)
{
    if (!wish) return WEFT_OK;
    if (id < 0 || !weft_tokenizer_token(r->tok, id))
        return weft__tokenizer_add_note(r->tok, err, "%s: %s is true, but no such token is named", r->tok->origin, key);
    return weft__ids_append(edge, &id, 1) ? WEFT_OK : WEFT_OOM_FAIL(err, "the template");
}

static weft_status read_template(reading *r, weft_error *err)
{
    const int32_t *named = r->tok->named;
    bool usual = r->kind->add_bos || (r->pre && r->pre->flags & WEFT__PRE_BOS);
    bool bos = weft__gguf_flag(r->f, KEY("add_bos_token"), usual);
    bool eos = weft__gguf_flag(r->f, KEY("add_eos_token"), r->kind->add_eos);
    if (r->kind->wordpiece) { /* whatever the file says */
        weft_named_token first = named[WEFT_TOKEN_CLS] >= 0 ? WEFT_TOKEN_CLS : WEFT_TOKEN_BOS;
        WEFT_TRY(put_around(r, true, KEY("cls_token_id"), named[first], &r->tok->prefix, err));
        return put_around(r, true, KEY("seperator_token_id"), named[WEFT_TOKEN_SEP], &r->tok->suffix, err);
    }
    bool gemma = r->kind->merges && (r->kind->raw || (r->pre && r->pre->flags & WEFT__PRE_RAW));
    if (gemma) bos |= usual; /* some files say otherwise, which llama.cpp mends, too */
    WEFT_TRY(put_around(r, bos, KEY("add_bos_token"), named[WEFT_TOKEN_BOS], &r->tok->prefix, err));
    return put_around(r, eos, KEY("add_eos_token"), named[WEFT_TOKEN_EOS], &r->tok->suffix, err);
}

/* ---- all together ---- */

static weft_status read_all(reading *r, weft_error *err)
{
    WEFT_TRY(find_kind(r, err));
    r->tokens = weft__gguf_find(r->f, KEY("tokens"));
    if (!r->tokens || r->tokens->type != WEFT__GGUF_ARRAY || r->tokens->element != WEFT__GGUF_STRING)
        return WEFT_FAIL(err, WEFT_FORMAT, "there is no array of texts " KEY("tokens"));
    if (r->tokens->count > INT32_MAX / 8) return WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    if (strcmp(r->kind->name, "gpt2") == 0) WEFT_TRY(find_pre(r, err));
    WEFT_TRY(read_named(r, err));
    WEFT_TRY(read_shape(r, err));
    WEFT_TRY(read_tokens(r, err));
    WEFT_TRY(read_model(r, err));
    WEFT_TRY(weft__read_token_bytes(r->tok, err));
    return read_template(r, err);
}

/* ---- a tokenizer.json in the file ---- */

#define WHOLE_FILE "tokenizer.huggingface.json"

static weft__tokenizer_file file_in(const weft__gguf_file *f, const char *key)
{
    weft__gguf_string text;
    if (!text_at(f, key, &text)) return (weft__tokenizer_file){ 0 };
    return (weft__tokenizer_file){ key, text.text, text.size };
}

/* The files of a folder as they were, which some files keep: they say more than the file's own keys. */
static weft_status read_files(const weft__gguf_file *f, int32_t bos, weft_tokenizer **out, weft_error *err)
{
    const weft__tokenizer_file files[WEFT__N_FILES] = {
        [WEFT__FILE_TOKENIZER] = file_in(f, WHOLE_FILE),
        [WEFT__FILE_CONFIG] = file_in(f, "huggingface.tokenizer_config.json"),
        [WEFT__FILE_SPECIAL] = file_in(f, "huggingface.special_tokens_map.json"),
    };
    int64_t id;
    WEFT_TRY(weft__tokenizer_parse_files(files, out, err));
    bool named = bos < 0 && weft__gguf_integer(weft__gguf_find(f, KEY("bos_token_id")), 0, &id);
    (*out)->other_bos = named && id >= 0 && id < (*out)->vocab.n ? (int32_t)id : bos;
    return WEFT_OK;
}

static weft_status open_reading(reading *r, int32_t bos, weft_error *err)
{
    r->tok = calloc(1, sizeof *r->tok);
    if (!r->tok || !(r->tok->origin = strdup(weft__gguf_path(r->f)))) return WEFT_OOM_FAIL(err, "a tokenizer");
    r->tok->other_bos = bos;
    return read_all(r, err);
}

/* Of each the key, and what it was called before. */
static void read_fills(const weft__gguf_file *f, weft_tokenizer *tok)
{
    static const char *const keys[WEFT__FILLS][2] = {
        [WEFT__FILL_PREFIX] = { KEY("fim_pre_token_id"), KEY("prefix_token_id") },
        [WEFT__FILL_SUFFIX] = { KEY("fim_suf_token_id"), KEY("suffix_token_id") },
        [WEFT__FILL_MIDDLE] = { KEY("fim_mid_token_id"), KEY("middle_token_id") },
        [WEFT__FILL_REPOSITORY] = { KEY("fim_rep_token_id"), NULL },
        [WEFT__FILL_FILE] = { KEY("fim_sep_token_id"), NULL },
    };
    int64_t id;
    for (int k = 0; k < WEFT__FILLS; k++)
        for (int i = 0; i < 2 && keys[k][i] && !tok->fills[k]; i++)
            if (weft__gguf_integer(weft__gguf_find(f, keys[k][i]), 0, &id) && id >= 0 && id < INT32_MAX &&
                weft_tokenizer_token(tok, (int32_t)id))
                tok->fills[k] = (int32_t)id + 1;
}

weft_status weft__tokenizer_from_gguf(const weft__gguf_file *f, int32_t bos, weft_tokenizer **out, weft_error *err)
{
    reading r = { .f = f };
    weft__gguf_string whole;
    *out = NULL;
    if (text_at(f, WHOLE_FILE, &whole)) {
        weft_status read = read_files(f, bos, out, err);
        if (read == WEFT_OK) read_fills(f, *out);
        return read == WEFT_OK ? WEFT_OK : weft__annotate(err, read, "%s", weft__gguf_path(f));
    }
    weft_status status = open_reading(&r, bos, err);
    free(r.types);
    free(r.made);
    free(r.texts.data);
    weft__added_free(&r.added);
    if (status == WEFT_OK) {
        *out = r.tok;
        read_fills(f, *out);
        return WEFT_OK;
    }
    weft_tokenizer_close(r.tok);
    return weft__annotate(err, status, "%s", weft__gguf_path(f));
}

bool weft__gguf_has_tokenizer(const weft__gguf_file *f)
{
    weft__gguf_string name;
    if (text_at(f, WHOLE_FILE, &name)) return true;
    if (!text_at(f, KEY("model"), &name)) return false;
    return !(name.size == 4 && memcmp(name.text, "none", 4) == 0) &&
           !(name.size == 8 && memcmp(name.text, "no_vocab", 8) == 0);
}
