/* tokenizer.c: encoding, decoding and the accessors.
 *
 * Encoding is a chain of cuts, each handing its pieces to the next: added tokens in the raw text,
 * NFC, added tokens in the normalised text, pre-tokenizers, BPE. The state of one call is an
 * encode_job; the tokenizer itself never changes. */
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
    for (size_t i = 0; i < tok->n_steps; i++) weft__splitter_destroy(tok->steps[i].splitter);
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
    weft__bytes nfc;      /* the stretch being encoded, normalised */
    weft__bytes prefixed; /* a piece with a space in front */
    weft__bytes mapped;   /* a word in the byte-level alphabet */
    weft__bpe_scratch bpe;
    weft__split_scratch *split;
    cached_word *cache; /* NULL, or WEFT__CACHE_WORDS entries */
    size_t step;        /* the pre-tokenizer that cuts now */
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

static bool append_ids(weft__ids *ids, const int32_t *data, size_t n)
{
    if (!weft__grow(&ids->data, &ids->capacity, ids->size + n, sizeof *ids->data)) return false;
    if (n) memcpy(ids->data + ids->size, data, n * sizeof *data);
    ids->size += n;
    return true;
}

/* With ignore_merges, the token that is the whole word, or -1. *ok = false: out of memory. */
static int32_t whole_word(encode_job *job, const char *word, size_t n, bool *ok)
{
    job->mapped.size = 0;
    for (size_t i = 0; i < n && *ok; i++) {
        char utf8[4];
        size_t k = weft__utf8_encode(weft__byte_char((uint8_t)word[i]), utf8);
        *ok = weft__bytes_append(&job->mapped, utf8, k);
    }
    if (!*ok) return -1;
    return weft__vocab_find_model(&job->tok->vocab, job->mapped.data, job->mapped.size);
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
    bool ok = true;
    int32_t whole = job->tok->ignore_merges ? whole_word(job, word, n, &ok) : -1;
    if (ok && whole >= 0)
        ok = append_ids(&job->ids, &whole, 1);
    else if (ok)
        ok = weft__bpe(&job->tok->vocab, &job->bpe, word, n, &job->ids);
    if (!ok) return WEFT_OOM_FAIL(err, "token ids");
    if (entry) {
        entry->at = (uint32_t)at;
        entry->n_ids = (uint8_t)(job->ids.size - at);
        entry->n = (uint8_t)n;
        memcpy(entry->text, word, n);
    }
    return WEFT_OK;
}

/* Cuts a piece by pre-tokenizer job->step, whose pieces go to the next one. */
static weft_status pre_tokenize(void *ctx, const char *text, size_t n, weft_error *err)
{
    encode_job *job = ctx;
    const weft__pre_step *step = &job->tok->steps[job->step];
    if (step->prefix_space && text[0] != ' ') {
        job->prefixed.size = 0;
        if (!weft__bytes_append(&job->prefixed, " ", 1) ||
            !weft__bytes_append(&job->prefixed, text, n))
            return WEFT_OOM_FAIL(err, "the text");
        text = job->prefixed.data;
        n++;
    }
    if (step->last && !step->splitter) return encode_word(job, text, n, err);
    if (step->last) return weft__split(step->splitter, job->split, text, n, encode_word, job, err);
    job->step++;
    weft_status status = weft__split(step->splitter, job->split, text, n, pre_tokenize, job, err);
    job->step--;
    return status;
}

/* A stretch of normalised text, or an added token found in it. */
static weft_status encode_normalized(void *ctx, const char *text, size_t n, int32_t id,
                                     weft_error *err)
{
    encode_job *job = ctx;
    if (id < 0) return pre_tokenize(job, text, n, err);
    return append_ids(&job->ids, &id, 1) ? WEFT_OK : WEFT_OOM_FAIL(err, "token ids");
}

/* A stretch of raw text, or an added token found in it. */
static weft_status encode_raw(void *ctx, const char *text, size_t n, int32_t id, weft_error *err)
{
    encode_job *job = ctx;
    const weft_tokenizer *tok = job->tok;
    if (id >= 0) return encode_normalized(job, text, n, id, err);
    if (tok->nfc && !weft__nfc_quick(text, n)) {
        job->nfc.size = 0;
        if (!weft__nfc_append(&job->nfc, text, n)) return WEFT_OOM_FAIL(err, "the text");
        text = job->nfc.data;
        n = job->nfc.size;
    }
    return weft__matcher_cut(&tok->normalized, tok->added, job->skip_special, text, n,
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
    bool ok = desc->bos != WEFT_BOS_ON || there || append_ids(&job->ids, &bos, 1);
    ok = ok && (!prefix || append_ids(&job->ids, tok->prefix.data, tok->prefix.size));
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "token ids");
}

static weft_status encode_text(encode_job *job, const char *text, size_t n, const weft_encode_desc *desc,
                               weft_error *err)
{
    const weft_tokenizer *tok = job->tok;
    job->split = weft__split_scratch_create();
    if (n >= WEFT__CACHE_MIN_TEXT) job->cache = calloc(WEFT__CACHE_WORDS, sizeof *job->cache);
    if (!job->split || (n >= WEFT__CACHE_MIN_TEXT && !job->cache)) return WEFT_OOM_FAIL(err, "encoding");
    /* Room for most texts at once, and so that success never returns NULL. */
    if (!weft__grow(&job->ids.data, &job->ids.capacity, n / 4 + 16, sizeof *job->ids.data))
        return WEFT_OOM_FAIL(err, "token ids");
    WEFT_TRY(begin_text(job, desc, err));
    WEFT_TRY(weft__matcher_cut(&tok->raw, tok->added, job->skip_special, text, n, encode_raw, job, err));
    WEFT_TRY(weft__task_reach(&job->task, n, err));
    if (!desc->no_template && !append_ids(&job->ids, tok->suffix.data, tok->suffix.size))
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
    free(job->nfc.data);
    free(job->prefixed.data);
    free(job->mapped.data);
    weft__bpe_scratch_free(&job->bpe);
    weft__split_scratch_destroy(job->split);
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

static weft_status append_bytes(const weft_tokenizer *tok, const int32_t *ids, size_t n, bool skip_special,
                                weft__bytes *out, weft_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0) return WEFT_FAIL(err, WEFT_INVALID, "decode: id %zu is %d", i, ids[i]);
        if (skip_special && weft_tokenizer_is_special(tok, ids[i])) continue;
        size_t size;
        const char *bytes = weft_tokenizer_bytes(tok, ids[i], &size);
        if (!weft__bytes_append(out, bytes, size)) return WEFT_OOM_FAIL(err, "decoded text");
    }
    return WEFT_OK;
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
    weft_status status = append_bytes(tok, ids, n, desc->skip_special, &text, err);
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
