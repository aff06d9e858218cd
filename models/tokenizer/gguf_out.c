/* gguf_out.c: tokens, their kinds, merges and scores of a tokenizer.json, as llama.cpp's converter writes them. Two
 * kinds of BPE have a name there: byte-level ("gpt2"), whose merges are listed, and that of SentencePiece ("llama"),
 * which merges what has the highest score. */
#include "gguf_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_pre.h"
#include "models/checkpoint/json.h"

enum { MAX_IDS = 1 << 24 };

/* tokenizer.ggml.token_type. */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };

typedef enum kind { NONE, GPT2, LLAMA } kind;

typedef struct job {
    const weft__tokenizer_out *t;
    json_t *root, *model;
    kind kind;
    const char **texts; /* by id; NULL: no token */
    int32_t *types;
    float *scores;
    size_t n;
    int32_t unk; /* -1: none */
    weft_error *err;
} job;

/* ---- what it is ---- */

static kind kind_of(const json_t *root)
{
    char pre[WEFT__PRE_NAME];
    const json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!json_is_object(json_object_get(model, "vocab")) || (type && strcmp(type, "BPE") != 0)) return NONE;
    if (json_is_true(json_object_get(model, "byte_fallback"))) return LLAMA;
    return weft__gguf_pre_name(root, pre) ? GPT2 : NONE;
}

static weft_status parse(const weft__tokenizer_out *t, json_t **root, weft_error *err)
{
    char twice[WEFT__QUOTE_SIZE];
    return weft__json_parse_lenient(t->text, t->size, t->origin, root, twice, err);
}

/* ---- tokens ---- */

static bool read_id(const json_t *v, size_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= MAX_IDS) return false;
    *out = (size_t)json_integer_value(v);
    return true;
}

static weft_status fault(const job *j, const char *why)
{
    return WEFT_FAIL(j->err, WEFT_FORMAT, "%s: %s", j->t->origin, why);
}

/* How many ids there are. */
static weft_status count(job *j)
{
    const char *text;
    json_t *v;
    size_t i, id;
    j->n = j->t->n_vocab < MAX_IDS ? j->t->n_vocab : MAX_IDS;
    json_object_foreach(json_object_get(j->model, "vocab"), text, v)
    {
        if (!read_id(v, &id)) return fault(j, "the id of a token is no number, or too large");
        if (id >= j->n) j->n = id + 1;
    }
    json_array_foreach(json_object_get(j->root, "added_tokens"), i, v)
    {
        if (!read_id(json_object_get(v, "id"), &id) || !json_is_string(json_object_get(v, "content")))
            return fault(j, "an added token without id or content");
        if (id >= j->n) j->n = id + 1;
    }
    return WEFT_OK;
}

/* "<0x0A>" */
static bool is_byte(const char *text)
{
    unsigned value;
    int n = 0;
    return sscanf(text, "<0x%2X>%n", &value, &n) == 1 && n == 6 && !text[6];
}

/* Some models have marks that their files do not call special. */
static bool looks_special(const char *text)
{
    const size_t n = strlen(text);
    return !strcmp(text, "<pad>") || !strcmp(text, "<mask>") || (!strncmp(text, "<|", 2) && n > 3 && !strcmp(text + n -
                   2, "|>")) ||
           (!strncmp(text, "<unused", 7) && text[n - 1] == '>');
}

static void read_tokens(job *j)
{
    const char *text, *unk = json_string_value(json_object_get(j->model, "unk_token"));
    json_t *v;
    size_t i, id;
    json_object_foreach(json_object_get(j->model, "vocab"), text, v)
    {
        id = (size_t)json_integer_value(v);
        j->texts[id] = text;
        j->types[id] = j->kind == LLAMA && is_byte(text) ? BYTE : NORMAL;
        if (unk && !strcmp(text, unk)) j->unk = (int32_t)id;
    }
    json_array_foreach(json_object_get(j->root, "added_tokens"), i, v)
    {
        id = (size_t)json_integer_value(json_object_get(v, "id"));
        j->texts[id] = json_string_value(json_object_get(v, "content"));
        const bool special = json_is_true(json_object_get(v, "special")) || looks_special(j->texts[id]);
        j->types[id] = special ? CONTROL : USER_DEFINED;
    }
    if (j->unk >= 0 && j->kind == LLAMA) j->types[j->unk] = UNKNOWN;
}

static void put_tokens(const job *j, weft__gguf_kv *kv)
{
    char name[32];
    weft__gguf_put_strings(kv, "tokenizer.ggml.tokens", j->n);
    for (size_t i = 0; i < j->n; i++) {
        const char *text = j->texts[i];
        if (!text) {
            snprintf(name, sizeof name, "[PAD%zu]", i);
            text = name;
            j->types[i] = UNUSED;
        }
        weft__gguf_put_string(kv, text, strlen(text));
    }
    weft__gguf_put_numbers(kv, "tokenizer.ggml.token_type", WEFT__GGUF_I32, j->types, j->n);
}

/* ---- merges ---- */

/* The two pieces of a merge, which files have as a text or as a pair. False: it is neither. */
static bool read_merge(const json_t *v, const char **a, size_t *n, const char **b)
{
    if (json_is_array(v)) {
        *a = json_string_value(json_array_get(v, 0));
        *b = json_string_value(json_array_get(v, 1));
        if (*a) *n = strlen(*a);
        return *a && *b;
    }
    *a = json_string_value(v);
    const char *space = *a && **a ? strchr(*a + 1, ' ') : NULL;
    if (!space) return false;
    *n = (size_t)(space - *a);
    *b = space + 1;
    return true;
}

/* A space inside a piece is written as the byte-level alphabet has it: U+0120. */
static void add_piece(weft_text *text, const char *piece, size_t n)
{
    const weft_writer w = weft_text_writer(text);
    for (size_t i = 0; i < n; i++)
        if (piece[i] == ' ') weft_writef(&w, "\xc4\xa0");
        else w.write(w.ctx, piece + i, 1);
}

static weft_status put_merges(const job *j, weft__gguf_kv *kv)
{
    size_t i, n;
    json_t *v;
    const char *a, *b;
    json_t *merges = json_object_get(j->model, "merges");
    weft__gguf_put_strings(kv, "tokenizer.ggml.merges", json_array_size(merges));
    json_array_foreach(merges, i, v)
    {
        weft_text text = { 0 };
        if (!read_merge(v, &a, &n, &b)) return fault(j, "a merge is no pair of pieces");
        add_piece(&text, a, n);
        const weft_writer w = weft_text_writer(&text);
        w.write(w.ctx, " ", 1);
        add_piece(&text, b, strlen(b));
        const bool failed = text.failed;
        if (!failed) weft__gguf_put_string(kv, text.data, text.size);
        weft_text_free(&text);
        if (failed) return WEFT_OOM_FAIL(j->err, j->t->origin);
    }
    return WEFT_OK;
}

/* What is merged earlier scores higher; what no merge makes, least. */
static weft_status put_scores(job *j, weft__gguf_kv *kv)
{
    size_t i, n;
    json_t *v;
    const char *a, *b;
    const json_t *merges = json_object_get(j->model, "merges"), *vocab = json_object_get(j->model, "vocab");
    for (i = 0; i < j->n; i++) j->scores[i] = -(float)(json_array_size(merges) + i);
    for (i = json_array_size(merges); i-- > 0;) {
        weft_text text = { 0 };
        v = json_array_get(merges, i);
        if (!read_merge(v, &a, &n, &b)) return fault(j, "a merge is no pair of pieces");
        const weft_writer w = weft_text_writer(&text);
        weft_writef(&w, "%.*s%s", (int)n, a, b);
        if (text.failed) return WEFT_OOM_FAIL(j->err, j->t->origin);
        const json_t *id = json_object_get(vocab, text.data);
        if (id) j->scores[json_integer_value(id)] = -(float)i;
        weft_text_free(&text);
    }
    weft__gguf_put_numbers(kv, "tokenizer.ggml.scores", WEFT__GGUF_F32, j->scores, j->n);
    return WEFT_OK;
}

/* ---- what goes around a text ---- */

/* Whether anything in a component of the file puts U+2581 before a text. */
static bool prepends(const json_t *v)
{
    const char *key;
    size_t i;
    json_t *inner;
    const char *type = json_string_value(json_object_get(v, "type"));
    const char *scheme = json_string_value(json_object_get(v, "prepend_scheme"));
    if (type && !strcmp(type, "Prepend")) return true;
    if (type && !strcmp(type, "Metaspace"))
        return scheme ? strcmp(scheme, "never") != 0 : !json_is_false(json_object_get(v, "add_prefix_space"));
    json_object_foreach((json_t *)(uintptr_t)v, key, inner) if (prepends(inner)) return true;
    json_array_foreach(v, i, inner) if (prepends(inner)) return true;
    return false;
}

static void put_ids(const job *j, weft__gguf_kv *kv)
{
    const weft__tokenizer_out *t = j->t;
    if (t->bos >= 0) weft__gguf_put_u32(kv, "tokenizer.ggml.bos_token_id", (uint32_t)t->bos);
    if (t->eos >= 0) weft__gguf_put_u32(kv, "tokenizer.ggml.eos_token_id", (uint32_t)t->eos);
    if (j->unk >= 0) weft__gguf_put_u32(kv, "tokenizer.ggml.unknown_token_id", (uint32_t)j->unk);
    weft__gguf_put_bool(kv, "tokenizer.ggml.add_bos_token", t->bos >= 0 && weft_tokenizer_before(t->of, 0) == t->bos);
    weft__gguf_put_bool(kv, "tokenizer.ggml.add_eos_token", t->eos >= 0 && weft_tokenizer_after(t->of, 0) == t->eos);
    if (j->kind == LLAMA)
        weft__gguf_put_bool(kv, "tokenizer.ggml.add_space_prefix",
                            prepends(json_object_get(j->root, "normalizer")) ||
                                prepends(json_object_get(j->root, "pre_tokenizer")));
}

/* ---- the whole ---- */

static weft_status put_all(job *j, weft__gguf_kv *kv)
{
    WEFT_TRY(count(j));
    j->texts = calloc(j->n + 1, sizeof *j->texts);
    j->types = calloc(j->n + 1, sizeof *j->types);
    j->scores = calloc(j->n + 1, sizeof *j->scores);
    if (!j->texts || !j->types || !j->scores) return WEFT_OOM_FAIL(j->err, j->t->origin);
    read_tokens(j);
    weft__gguf_put_text(kv, "tokenizer.ggml.model", j->kind == GPT2 ? "gpt2" : "llama", j->kind == GPT2 ? 4 : 5);
    char pre[WEFT__PRE_NAME] = "default";
    if (j->kind == GPT2) (void)weft__gguf_pre_name(j->root, pre);
    weft__gguf_put_text(kv, "tokenizer.ggml.pre", pre, strlen(pre));
    put_tokens(j, kv);
    WEFT_TRY(j->kind == GPT2 ? put_merges(j, kv) : put_scores(j, kv));
    put_ids(j, kv);
    return WEFT_OK;
}

weft_status weft__tokenizer_put(const weft__tokenizer_out *t, weft__gguf_kv *kv, weft_error *err)
{
    job j = { .t = t, .unk = -1, .err = err };
    WEFT_TRY(parse(t, &j.root, err));
    j.model = json_object_get(j.root, "model");
    j.kind = kind_of(j.root);
    weft_status s = WEFT_OK;
    if (j.kind == NONE) weft__gguf_put_text(kv, "tokenizer.ggml.model", "none", 4);
    else s = put_all(&j, kv);
    if (!s) weft__gguf_put_text(kv, "tokenizer.huggingface.json", t->text, t->size);
    free(j.texts);
    free(j.types);
    free(j.scores);
    json_decref(j.root);
    return s;
}
