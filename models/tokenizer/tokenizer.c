/* tokenizer.c: encoding, decoding, the stream and the accessors.
 *
 * Encoding is a chain of cuts, each handing its pieces to the next: added tokens in the raw text,
 * NFC, added tokens in the normalised text, pre-tokenizers, BPE. The state of one call is an
 * encode_job; the tokenizer itself never changes. */
#include "tokenizer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "unicode.h"

void weft__tokenizer_destroy(weft__tokenizer *tok)
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
    for (size_t i = 0; i < tok->n_notes; i++) free(tok->notes[i]);
    free(tok->notes);
    free(tok);
}

weft_status weft__tokenizer_add_note(weft__tokenizer *tok, weft_error *err, const char *fmt, ...)
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
    const weft__tokenizer *tok;
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
    const weft__tokenizer *tok = job->tok;
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

static weft_status encode_text(encode_job *job, const char *text, size_t n, unsigned flags,
                               weft_error *err)
{
    const weft__tokenizer *tok = job->tok;
    bool template = !(flags & WEFT__ENCODE_NO_TEMPLATE);
    job->split = weft__split_scratch_create();
    if (n >= WEFT__CACHE_MIN_TEXT) job->cache = calloc(WEFT__CACHE_WORDS, sizeof *job->cache);
    if (!job->split || (n >= WEFT__CACHE_MIN_TEXT && !job->cache)) return WEFT_OOM_FAIL(err, "encoding");
    /* Room for most texts at once, and so that success never returns NULL. */
    if (!weft__grow(&job->ids.data, &job->ids.capacity, n / 4 + 16, sizeof *job->ids.data))
        return WEFT_OOM_FAIL(err, "token ids");
    if (template && !(flags & WEFT__ENCODE_NO_PREFIX) &&
        !append_ids(&job->ids, tok->prefix.data, tok->prefix.size))
        return WEFT_OOM_FAIL(err, "token ids");
    WEFT_TRY(weft__matcher_cut(&tok->raw, tok->added, job->skip_special, text, n, encode_raw, job, err));
    WEFT_TRY(weft__task_reach(&job->task, n, err));
    if (template && !append_ids(&job->ids, tok->suffix.data, tok->suffix.size))
        return WEFT_OOM_FAIL(err, "token ids");
    return WEFT_OK;
}

weft_status weft__tokenizer_encode(const weft__tokenizer *tok, const char *text, size_t n_bytes,
                                   unsigned flags, const weft_progress_sink *progress, int32_t **ids,
                                   size_t *n_ids, weft_error *err)
{
    *ids = NULL;
    *n_ids = 0;
    if (!text && n_bytes) return WEFT_FAIL(err, WEFT_INVALID, "encode: no text");
    /* A byte is one symbol with a 31-bit position; replacement and NFC make a text at most 3 times as long. */
    if (n_bytes > INT32_MAX / 4)
        return WEFT_FAIL(err, WEFT_LIMIT, "encode: the text has %zu bytes", n_bytes);
    encode_job job = { .tok = tok };
    job.skip_special = tok->special_as_text || (flags & WEFT__ENCODE_SPECIAL_AS_TEXT);
    weft__bytes repaired = { 0 };
    weft_status status = WEFT_OK;
    if (!weft__utf8_is_valid(text, n_bytes)) {
        if (!weft__utf8_append_lossy(&repaired, text, n_bytes))
            status = WEFT_OOM_FAIL(err, "the text");
        text = repaired.data;
        n_bytes = repaired.size;
    }
    job.total = n_bytes;
    if (n_bytes < REPORT_BYTES) progress = NULL;
    if (status == WEFT_OK) status = weft__task_begin(&job.task, progress, "encoding", n_bytes, "B", err);
    if (status == WEFT_OK) status = encode_text(&job, text, n_bytes, flags, err);
    free(repaired.data);
    free(job.nfc.data);
    free(job.prefixed.data);
    free(job.mapped.data);
    weft__bpe_scratch_free(&job.bpe);
    weft__split_scratch_destroy(job.split);
    free(job.cache);
    if (status != WEFT_OK) {
        free(job.ids.data);
        return status;
    }
    *ids = job.ids.data;
    *n_ids = job.ids.size;
    return WEFT_OK;
}

/* ---- decode ---- */

weft_status weft__tokenizer_decode(const weft__tokenizer *tok, const int32_t *ids, size_t n_ids,
                                   unsigned flags, char **text, size_t *n_bytes, weft_error *err)
{
    *text = NULL;
    *n_bytes = 0;
    weft__bytes exact = { 0 }, lossy = { 0 };
    bool ok = true;
    for (size_t i = 0; i < n_ids && ok; i++) {
        if (ids[i] < 0) {
            free(exact.data);
            return WEFT_FAIL(err, WEFT_INVALID, "decode: id %zu is %d", i, ids[i]);
        }
        if ((flags & WEFT__DECODE_SKIP_SPECIAL) && weft__tokenizer_is_special(tok, ids[i]))
            continue;
        size_t n;
        const char *bytes = weft__tokenizer_bytes(tok, ids[i], &n);
        ok = weft__bytes_append(&exact, bytes, n);
    }
    if (ok && (flags & WEFT__DECODE_LOSSY) && !weft__utf8_is_valid(exact.data, exact.size)) {
        ok = weft__utf8_append_lossy(&lossy, exact.data, exact.size);
        free(exact.data);
        exact = lossy;
    }
    ok = ok && weft__bytes_append(&exact, "", 1);
    if (!ok) {
        free(exact.data);
        return WEFT_OOM_FAIL(err, "decoded text");
    }
    *text = exact.data;
    *n_bytes = exact.size - 1;
    return WEFT_OK;
}

weft_status weft__token_stream_init(weft__token_stream *s, const weft__tokenizer *tok,
                                    bool skip_special, weft_error *err)
{
    /* Each byte that is pending or comes with the token may turn into the three bytes of U+FFFD. */
    *s = (weft__token_stream){ .tok = tok, .skip_special = skip_special };
    s->text = malloc(3 * (tok->vocab.longest + sizeof s->pending));
    return s->text ? WEFT_OK : WEFT_OOM_FAIL(err, "a token stream");
}

const char *weft__token_stream_push(weft__token_stream *s, int32_t id, size_t *n_bytes)
{
    size_t n, size = 0;
    const char *bytes = weft__tokenizer_bytes(s->tok, id, &n);
    *n_bytes = 0;
    if (n == 0 || (s->skip_special && weft__tokenizer_is_special(s->tok, id))) return s->text;
    for (size_t i = 0; i < n; i++) {
        s->pending[s->n_pending++] = bytes[i];
        /* A sequence is at most four bytes, and a byte that breaks one is looked at again as a first byte. */
        while (s->n_pending > 0) {
            weft__utf8_kind kind;
            size_t step = weft__utf8_step(s->pending, s->n_pending, &kind);
            if (kind == WEFT__UTF8_CUT) break;
            memcpy(s->text + size, kind == WEFT__UTF8_VALID ? s->pending : WEFT__REPLACEMENT,
                   kind == WEFT__UTF8_VALID ? step : 3);
            size += kind == WEFT__UTF8_VALID ? step : 3;
            s->n_pending = (uint8_t)(s->n_pending - step);
            memmove(s->pending, s->pending + step, s->n_pending);
        }
    }
    *n_bytes = size;
    return s->text;
}

const char *weft__token_stream_flush(weft__token_stream *s, size_t *n_bytes)
{
    *n_bytes = 0;
    if (s->n_pending == 0) return s->text;
    s->n_pending = 0;
    memcpy(s->text, WEFT__REPLACEMENT, 3);
    *n_bytes = 3;
    return s->text;
}

void weft__token_stream_free(weft__token_stream *s)
{
    free(s->text);
    *s = (weft__token_stream){ 0 };
}

/* ---- accessors ---- */

static bool is_known(const weft__tokenizer *tok, int32_t id)
{
    return id >= 0 && (uint32_t)id < tok->vocab.n && weft__vocab_has(&tok->vocab, (uint32_t)id);
}

uint32_t weft__tokenizer_size(const weft__tokenizer *tok)
{
    return tok->vocab.n;
}

const char *weft__tokenizer_token(const weft__tokenizer *tok, int32_t id)
{
    return is_known(tok, id) ? tok->vocab.text + tok->vocab.text_at[id] : NULL;
}

const char *weft__tokenizer_bytes(const weft__tokenizer *tok, int32_t id, size_t *n_bytes)
{
    *n_bytes = 0;
    if (!is_known(tok, id)) return NULL;
    *n_bytes = tok->vocab.bytes_at[id + 1] - tok->vocab.bytes_at[id];
    return tok->vocab.bytes + tok->vocab.bytes_at[id];
}

int32_t weft__tokenizer_find(const weft__tokenizer *tok, const char *token)
{
    return weft__vocab_find(&tok->vocab, token, strlen(token));
}

bool weft__tokenizer_is_special(const weft__tokenizer *tok, int32_t id)
{
    return is_known(tok, id) && tok->special[id];
}

int32_t weft__tokenizer_bos(const weft__tokenizer *tok)
{
    return tok->bos;
}

const int32_t *weft__tokenizer_prefix(const weft__tokenizer *tok, size_t *n)
{
    *n = tok->prefix.size;
    return tok->prefix.data;
}

const char *weft__tokenizer_note(const weft__tokenizer *tok, size_t i)
{
    return i < tok->n_notes ? tok->notes[i] : NULL;
}

const char *weft__tokenizer_bos_note(const weft__tokenizer *tok)
{
    return tok->bos_note ? tok->notes[tok->bos_note - 1] : NULL;
}

size_t weft__tokenizer_added_count(const weft__tokenizer *tok)
{
    return tok->n_added;
}

int32_t weft__tokenizer_added(const weft__tokenizer *tok, size_t i)
{
    return i < tok->n_added ? tok->added[i].id : -1;
}
