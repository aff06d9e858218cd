/* tokenizer.c: encoding, decoding and the accessors.
 *
 * Encoding is a chain of cuts, each handing its pieces to the next: added tokens in the raw text, the normalizer,
 * added tokens in the normalised text, pre-tokenizers, the model. The state of one call is an encode_job; the
 * tokenizer itself never changes. */
#include "internal.h"
#include "unicode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weft_tokenizer_close(weft_tokenizer *tok)
{
    if (!tok) return;
    weft__vocab_free(&tok->vocab);
    free(tok->added);
    free(tok->special);
    weft__matcher_free(&tok->raw);
    weft__matcher_free(&tok->normalized);
    weft__normalizers_free(&tok->normalizers);
    weft__pre_steps_free(&tok->pre);
    weft__model_free(&tok->model);
    weft__decoders_free(&tok->decoders);
    free(tok->prefix.data);
    free(tok->suffix.data);
    free(tok->origin);
    for (size_t i = 0; i < tok->n_notes; i++) free(tok->notes[i]);
    free(tok->notes);
    free(tok);
}

weft_status weft__tokenizer_add_note(weft_tokenizer *tok, weft_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *note = strdup(text);
    if (!note ||
        !weft__grow(&tok->notes, &tok->note_capacity, tok->n_notes + 1, sizeof *tok->notes)) {
        free(note);
        return WEFT_OOM_FAIL(err, "a note");
    }
    tok->notes[tok->n_notes++] = note;
    return WEFT_OK;
}

/* ---- encode ---- */

/* A word seen before in this text, and where its ids stand in the output. */
typedef struct cached_word {
    uint32_t at;
    uint8_t n_ids, n; /* n: bytes, 0 = an empty entry */
    char text[26];
} cached_word;

typedef struct encode_job {
    const weft_tokenizer *tok;
    bool skip_special;
    weft__ids ids;
    const char *text; /* all of it, as it comes */
    weft__stretch normal; /* the stretch being encoded, normalised; `data` and `first` count */
    weft__normal_scratch normal_scratch;
    weft__pre_scratch pre;
    weft__model_scratch model;
    weft__regex_scratch *regex;
    cached_word *cache; /* NULL, or WEFT__CACHE_WORDS entries */
    weft__task task;
    uint64_t done, next_report, total; /* bytes, of words as they are encoded */
} encode_job;

enum { REPORT_BYTES = 1 << 16 }; /* texts below this are no long work */

static weft_status report(encode_job *job, size_t n, weft_error *err)
{
    job->done += n;
    if (job->done < job->next_report) return WEFT_OK;
    job->next_report = job->done + REPORT_BYTES;
    return weft__task_reach(&job->task, job->done < job->total ? job->done : job->total, err);
}

static cached_word *cache_entry(const encode_job *job, const char *word, size_t n)
{
    if (!job->cache || n > sizeof job->cache->text) return NULL;
    return &job->cache[weft__cache_slot(word, n)];
}

/* The end of the chain: one word, n > 0. */
static weft_status encode_word(void *ctx, const char *word, size_t n, weft_error *err)
{
    encode_job *job = ctx;
    cached_word *entry = cache_entry(job, word, n);
    size_t at = job->ids.size;
    WEFT_TRY(report(job, n, err));
    if (entry && entry->n == n && memcmp(entry->text, word, n) == 0) {
        size_t k = entry->n_ids;
        if (!weft__grow(&job->ids.data, &job->ids.capacity, at + k, sizeof *job->ids.data))
            return WEFT_OOM_FAIL(err, "token ids");
        memcpy(job->ids.data + at, job->ids.data + entry->at, k * sizeof *job->ids.data);
        job->ids.size += k;
        return WEFT_OK;
    }
    WEFT_TRY(weft__model_encode(&job->tok->model, &job->tok->vocab, &job->model, word, n, &job->ids, err));
    if (entry) {
        entry->at = (uint32_t)at;
        entry->n_ids = (uint8_t)(job->ids.size - at);
        entry->n = (uint8_t)n;
        memcpy(entry->text, word, n);
    }
    return WEFT_OK;
}

/* A stretch of normalised text, or an added token found in it. */
static weft_status encode_normalized(void *ctx, const char *text, size_t n, int32_t id,
                                     weft_error *err)
{
    encode_job *job = ctx;
    if (id >= 0) return weft__ids_append(&job->ids, &id, 1) ? WEFT_OK : WEFT_OOM_FAIL(err, "token ids");
    size_t offset = (size_t)(text - job->normal.data), first = job->normal.first;
    weft__stretch stretch = { text, n, offset < first ? first - offset : 0 };
    return weft__pre_tokenize(&job->tok->pre, &job->pre, stretch, job->tok->model.raw_bytes, encode_word, job, err);
}

/* A stretch of raw text, or an added token found in it. */
static weft_status encode_raw(void *ctx, const char *text, size_t n, int32_t id, weft_error *err)
{
    encode_job *job = ctx;
    const weft_tokenizer *tok = job->tok;
    if (id >= 0) return encode_normalized(job, text, n, id, err);
    job->normal = (weft__stretch){ text, n, 0 };
    if (text == job->text) weft__utf8_decode(text, &job->normal.first);
    WEFT_TRY(weft__normalize(&tok->normalizers, &job->normal_scratch, job->regex, &job->normal, err));
    return weft__matcher_cut(&tok->normalized, tok->added, job->skip_special, job->normal.data, job->normal.n,
                             encode_normalized, job, err);
}

/* The start token, and what the files put in front of a text. */
static weft_status begin_text(encode_job *job, const weft_encode_desc *desc, weft_error *err)
{
    const weft_tokenizer *tok = job->tok;
    bool prefix = !desc->no_template && desc->bos != WEFT_BOS_OFF;
    int32_t bos = weft_tokenizer_named(tok, WEFT_TOKEN_BOS);
    if (bos < 0) bos = tok->other_bos;
    if (desc->bos == WEFT_BOS_ON && bos < 0)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: neither the tokenizer's files nor the configuration name a bos token",
                         tok->origin);
    bool there = prefix && tok->prefix.size && tok->prefix.data[0] == bos;
    bool ok = desc->bos != WEFT_BOS_ON || there || weft__ids_append(&job->ids, &bos, 1);
    ok = ok && (!prefix || weft__ids_append(&job->ids, tok->prefix.data, tok->prefix.size));
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "token ids");
}

static weft_status encode_text(encode_job *job, const char *text, size_t n, const weft_encode_desc *desc,
                               weft_error *err)
{
    const weft_tokenizer *tok = job->tok;
    job->text = text;
    job->pre.regex = job->regex = weft__regex_scratch_create();
    if (n >= WEFT__CACHE_MIN_TEXT) job->cache = calloc(WEFT__CACHE_WORDS, sizeof *job->cache);
    if (!job->regex || (n >= WEFT__CACHE_MIN_TEXT && !job->cache)) return WEFT_OOM_FAIL(err, "encoding");
    /* Room for most texts at once, and so that success never returns NULL. */
    if (!weft__grow(&job->ids.data, &job->ids.capacity, n / 4 + 16, sizeof *job->ids.data))
        return WEFT_OOM_FAIL(err, "token ids");
    WEFT_TRY(begin_text(job, desc, err));
    WEFT_TRY(weft__matcher_cut(&tok->raw, tok->added, job->skip_special, text, n, encode_raw, job, err));
    WEFT_TRY(weft__task_reach(&job->task, n, err));
    if (!desc->no_template && !weft__ids_append(&job->ids, tok->suffix.data, tok->suffix.size))
        return WEFT_OOM_FAIL(err, "token ids");
    return WEFT_OK;
}

/* Of text that is UTF-8. */
static weft_status encode_valid(encode_job *job, const char *text, size_t n, const weft_encode_desc *desc,
                                weft_error *err)
{
    job->total = n;
    WEFT_TRY(weft__task_begin(&job->task, n < REPORT_BYTES ? NULL : &desc->progress, "encoding", n, "B", err));
    weft_status status = encode_text(job, text, n, desc, err);
    weft__normal_scratch_free(&job->normal_scratch);
    weft__pre_scratch_free(&job->pre);
    weft__model_scratch_free(&job->model);
    weft__regex_scratch_destroy(job->regex);
    free(job->cache);
    if (status != WEFT_OK) free(job->ids.data);
    return status;
}

weft_status weft_tokenizer_encode(const weft_tokenizer *tok, const char *text, size_t n_bytes,
                                  const weft_encode_desc *desc, weft_tokens *out, weft_error *err)
{
    static const weft_encode_desc usual;
    if (!desc) desc = &usual;
    *out = (weft_tokens){ 0 };
    if (!text && n_bytes) return WEFT_FAIL(err, WEFT_INVALID, "encode: no text");
    /* A byte is one symbol with a 31-bit position; replacement and NFC make a text at most 3 times as long. */
    if (n_bytes > INT32_MAX / 4)
        return WEFT_FAIL(err, WEFT_LIMIT, "encode: the text has %zu bytes", n_bytes);
    encode_job job = { .tok = tok, .skip_special = tok->special_as_text || desc->special_as_text };
    weft__bytes repaired = { 0 };
    if (!weft__utf8_is_valid(text, n_bytes)) {
        if (!weft__utf8_append_lossy(&repaired, text, n_bytes)) {
            free(repaired.data);
            return WEFT_OOM_FAIL(err, "the text");
        }
        text = repaired.data;
        n_bytes = repaired.size;
    }
    weft_status status = encode_valid(&job, text, n_bytes, desc, err);
    free(repaired.data);
    if (status == WEFT_OK) *out = (weft_tokens){ job.ids.data, job.ids.size };
    return status;
}

size_t weft_text_faults(const char *text, size_t n_bytes)
{
    size_t faults = 0;
    for (size_t i = 0; i < n_bytes;) {
        weft__utf8_kind kind;
        i += weft__utf8_step(text + i, n_bytes - i, &kind);
        faults += kind != WEFT__UTF8_VALID;
    }
    return faults;
}

void weft_tokens_free(weft_tokens *t)
{
    free(t->ids);
    *t = (weft_tokens){ 0 };
}

/* ---- decode ---- */

static bool append_text(void *ctx, const char *text, size_t n)
{
    return weft__bytes_append(ctx, text, n);
}

/* A token's text goes into the chain, or, if its bytes are all there is to it, into the text. */
static bool append_token(const weft_tokenizer *tok, int32_t id, weft__decoding *chain, weft__bytes *out)
{
    const char *text = weft_tokenizer_token(tok, id);
    size_t n;
    if (!text) return true;
    if (chain) return weft__decoding_push(chain, text, strlen(text));
    text = weft_tokenizer_bytes(tok, id, &n);
    return weft__bytes_append(out, text, n);
}

static weft_status append_tokens(const weft_tokenizer *tok, const int32_t *ids, size_t n, const weft_decode_desc *desc,
                                 weft__bytes *out, weft_error *err)
{
    bool bytes = tok->decoders.bytes, ok = true;
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0) return WEFT_FAIL(err, WEFT_INVALID, "decode: id %zu is %d", i, ids[i]);
    weft__decoding *chain = bytes ? NULL : weft__decoding_create(&tok->decoders, !desc->repair, append_text, out);
    if (!bytes && !chain) return WEFT_OOM_FAIL(err, "decoded text");
    for (size_t i = 0; i < n && ok; i++)
        if (!desc->skip_special || !weft_tokenizer_is_special(tok, ids[i])) ok = append_token(tok, ids[i], chain, out);
    if (ok && chain) ok = weft__decoding_finish(chain);
    weft__decoding_destroy(chain);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "decoded text");
}

static weft_status repair(weft__bytes *text, weft_error *err)
{
    weft__bytes whole = { 0 };
    if (weft__utf8_is_valid(text->data, text->size)) return WEFT_OK;
    bool ok = weft__utf8_append_lossy(&whole, text->data, text->size);
    free(text->data);
    *text = whole;
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "decoded text");
}

weft_status weft_tokenizer_decode(const weft_tokenizer *tok, const int32_t *ids, size_t n,
                                  const weft_decode_desc *desc, weft_text *out, weft_error *err)
{
    static const weft_decode_desc usual;
    if (!desc) desc = &usual;
    *out = (weft_text){ 0 };
    weft__bytes text = { 0 };
    weft_status status = append_tokens(tok, ids, n, desc, &text, err);
    if (status == WEFT_OK && desc->repair) status = repair(&text, err);
    if (status == WEFT_OK && !weft__bytes_append(&text, "", 1)) status = WEFT_OOM_FAIL(err, "decoded text");
    if (status != WEFT_OK) free(text.data);
    else *out = (weft_text){ .data = text.data, .size = text.size - 1, .capacity = text.capacity };
    return status;
}

/* ---- accessors ---- */

static bool is_known(const weft_tokenizer *tok, int32_t id)
{
    return id >= 0 && (uint32_t)id < tok->vocab.n && weft__vocab_has(&tok->vocab, (uint32_t)id);
}

uint32_t weft_tokenizer_size(const weft_tokenizer *tok)
{
    return tok->vocab.n;
}

const char *weft_tokenizer_token(const weft_tokenizer *tok, int32_t id)
{
    return is_known(tok, id) ? tok->vocab.text + tok->vocab.text_at[id] : NULL;
}

const char *weft_tokenizer_bytes(const weft_tokenizer *tok, int32_t id, size_t *n_bytes)
{
    *n_bytes = 0;
    if (!is_known(tok, id)) return NULL;
    *n_bytes = tok->vocab.bytes_at[id + 1] - tok->vocab.bytes_at[id];
    return tok->vocab.bytes + tok->vocab.bytes_at[id];
}

static bool contains_one(const char *bytes, size_t n_bytes, const char *const *texts, uint32_t n)
{
    for (uint32_t i = 0; bytes && i < n; i++)
        if (memmem(bytes, n_bytes, texts[i], strlen(texts[i]))) return true;
    return false;
}

weft_status weft_tokenizer_containing(const weft_tokenizer *tok, const char *const *texts, uint32_t n,
                                      weft_tokens *out, weft_error *err)
{
    uint32_t size = weft_tokenizer_size(tok);
    *out = (weft_tokens){ 0 };
    for (uint32_t i = 0; i < n; i++)
        if (!texts[i][0]) return WEFT_FAIL(err, WEFT_INVALID, "text %u that tokens are to contain is empty", i);
    int32_t *ids = malloc(size * sizeof *ids + 1);
    if (!ids) return WEFT_OOM_FAIL(err, "tokens that contain a text");
    out->ids = ids;
    for (uint32_t id = 0; id < size; id++) {
        size_t n_bytes;
        const char *bytes = weft_tokenizer_bytes(tok, (int32_t)id, &n_bytes);
        if (contains_one(bytes, n_bytes, texts, n)) ids[out->n++] = (int32_t)id;
    }
    return WEFT_OK;
}

int32_t weft_tokenizer_find(const weft_tokenizer *tok, const char *token)
{
    return weft__vocab_find(&tok->vocab, token, strlen(token));
}

bool weft_tokenizer_is_special(const weft_tokenizer *tok, int32_t id)
{
    return is_known(tok, id) && tok->special[id];
}

int32_t weft_tokenizer_named(const weft_tokenizer *tok, weft_named_token which)
{
    return (unsigned)which < WEFT_TOKEN_COUNT ? tok->named[which] : -1;
}

int32_t weft__tokenizer_fill(const weft_tokenizer *tok, weft__fill which)
{
    return tok->fills[which] - 1;
}

const char *weft_tokenizer_note(const weft_tokenizer *tok, const weft_encode_desc *desc, size_t i)
{
    bool decided = desc && desc->bos != WEFT_BOS_AS_FILES;
    size_t skip = decided && tok->bos_note ? tok->bos_note - 1 : SIZE_MAX;
    if (skip != SIZE_MAX && i >= skip) i++;
    return i < tok->n_notes ? tok->notes[i] : NULL;
}

uint32_t weft_tokenizer_added_count(const weft_tokenizer *tok)
{
    return (uint32_t)tok->n_added;
}

int32_t weft_tokenizer_added(const weft_tokenizer *tok, uint32_t i)
{
    return i < tok->n_added ? tok->added[i].id : -1;
}

/* The name of a step. */
static const char *step_name(const weft_tokenizer *tok, weft_tokenizer_part part, size_t k)
{
    switch (part) {
    case WEFT_TOKENIZER_NORMALIZER: return weft__normalizer_name(&tok->normalizers, k);
    case WEFT_TOKENIZER_PRE_TOKENIZER: return k < tok->pre.n ? tok->pre.step[k].name : NULL;
    case WEFT_TOKENIZER_MODEL: return k == 0 ? weft__model_name(&tok->model) : NULL;
    case WEFT_TOKENIZER_DECODER: return k < tok->decoders.n ? tok->decoders.step[k].name : NULL;
    default: return NULL;
    }
}

const char *weft_tokenizer_component(const weft_tokenizer *tok, weft_tokenizer_part part, uint32_t i)
{
    const char *name = NULL, *before = NULL;
    for (size_t k = 0; (name = step_name(tok, part, k)); k++) {
        bool same = before == name || !*name; /* a component may be several steps; a step without a name is none */
        before = name;
        if (!same && i-- == 0) break;
    }
    return name;
}

int32_t weft_tokenizer_before(const weft_tokenizer *tok, uint32_t i)
{
    return i < tok->prefix.size ? tok->prefix.data[i] : -1;
}

int32_t weft_tokenizer_after(const weft_tokenizer *tok, uint32_t i)
{
    return i < tok->suffix.size ? tok->suffix.data[i] : -1;
}
