/* stream.c: ids one by one into text that can be shown.
 *
 * Tokens go through the decoder's chain, if there is more to it than their bytes, then through two gates: `pending`
 * holds the start of a UTF-8 sequence, `text` what is whole but may still become a stop string. All are bounded (by
 * 4, and by the longest stop string and what a token can give), so nothing is allocated after the creation and no
 * id can fail. */
#include "internal.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

typedef struct stop_string {
    size_t at, n; /* in `stops` */
} stop_string;

struct weft_token_stream {
    const weft_tokenizer *tok;
    weft__decoding *chain; /* NULL: the tokens' bytes are the text */
    char *text;        /* given[0..n_given), then held[0..n_held): whole sequences */
    size_t n_given, n_held;
    char pending[4];   /* the start of a sequence */
    uint8_t n_pending; /* 0..3 */
    bool keep_special, finished;
    int stopped; /* index of a stop string; -1 */
    char *stops;
    stop_string *stop;
    uint32_t n_stop;
};

static bool take_text(void *ctx, const char *text, size_t n);

static weft_status copy_stops(weft_token_stream *s, const weft_token_stream_desc *d, size_t *longest, weft_error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < d->n_stop; i++) {
        size_t n = strlen(d->stop[i]);
        if (weft_text_faults(d->stop[i], n))
            return WEFT_FAIL(err, WEFT_INVALID, "stop string %u is not UTF-8, and the text of tokens is", i);
        *longest = n > *longest ? n : *longest;
        total += n;
    }
    s->stops = malloc(total + 1);
    s->stop = calloc((size_t)d->n_stop + 1, sizeof *s->stop);
    if (!s->stops || !s->stop) return WEFT_OOM_FAIL(err, "stop strings");
    for (size_t at = 0; s->n_stop < d->n_stop; s->n_stop++) {
        stop_string *p = &s->stop[s->n_stop];
        *p = (stop_string){ at, strlen(d->stop[s->n_stop]) };
        memcpy(s->stops + at, d->stop[s->n_stop], p->n);
        at += p->n;
    }
    return WEFT_OK;
}

weft_status weft_token_stream_create(const weft_tokenizer *tok, const weft_token_stream_desc *desc,
                                     weft_token_stream **out, weft_error *err)
{
    static const weft_token_stream_desc none;
    if (!desc) desc = &none;
    *out = NULL;
    weft_token_stream *s = calloc(1, sizeof *s);
    if (!s) return WEFT_OOM_FAIL(err, "a token stream");
    *s = (weft_token_stream){ .tok = tok, .keep_special = desc->keep_special, .stopped = -1 };
    size_t longest = 0;
    weft_status status = copy_stops(s, desc, &longest, err);
    /* Each byte that is pending or comes with a token may turn into the three bytes of U+FFFD. */
    if (!status && !(s->text = malloc(3 * (tok->decoders.most + sizeof s->pending) + longest)))
        status = WEFT_OOM_FAIL(err, "a token stream");
    if (!status && !tok->decoders.bytes && !(s->chain = weft__decoding_create(&tok->decoders, false, take_text, s)))
        status = WEFT_OOM_FAIL(err, "a token stream");
    if (status) weft_token_stream_destroy(s);
    else *out = s;
    return status;
}

void weft_token_stream_destroy(weft_token_stream *s)
{
    if (!s) return;
    weft__decoding_destroy(s->chain);
    free(s->text);
    free(s->stops);
    free(s->stop);
    free(s);
}

/* ---- the first gate: whole sequences ---- */

/* A stop string at the end of what is held, of several the longest, is cut off. */
static void look_for_stop(weft_token_stream *s)
{
    size_t longest = 0;
    for (uint32_t i = 0; i < s->n_stop; i++) {
        const stop_string *p = &s->stop[i];
        if (p->n <= longest || p->n > s->n_held || memcmp(s->text + s->n_held - p->n, s->stops + p->at, p->n)) continue;
        longest = p->n;
        s->stopped = (int)i;
    }
    s->n_held -= longest;
}

static void hold(weft_token_stream *s, const char *text, size_t n)
{
    memcpy(s->text + s->n_held, text, n);
    s->n_held += n;
    look_for_stop(s);
}

static void take_byte(weft_token_stream *s, char byte)
{
    s->pending[s->n_pending++] = byte;
    /* A sequence is at most four bytes, and a byte that breaks one is looked at again as a first byte. */
    while (s->n_pending > 0 && s->stopped < 0) {
        weft__utf8_kind kind;
        size_t step = weft__utf8_step(s->pending, s->n_pending, &kind);
        if (kind == WEFT__UTF8_CUT) break;
        if (kind == WEFT__UTF8_VALID) hold(s, s->pending, step);
        else hold(s, WEFT__REPLACEMENT, 3);
        s->n_pending = (uint8_t)(s->n_pending - step);
        memmove(s->pending, s->pending + step, s->n_pending);
    }
}

/* Text out of the chain, or the bytes of a token. */
static bool take_text(void *ctx, const char *text, size_t n)
{
    weft_token_stream *s = ctx;
    for (size_t i = 0; i < n && s->stopped < 0; i++) take_byte(s, text[i]);
    return true;
}

/* ---- the second: what may become a stop string ---- */

/* Bytes at the end of what is held that could be the beginning of one. */
static size_t may_become_stop(const weft_token_stream *s)
{
    size_t most = 0;
    for (uint32_t i = 0; i < s->n_stop && s->stopped < 0; i++) {
        const stop_string *p = &s->stop[i];
        for (size_t k = p->n <= s->n_held ? p->n - (p->n > 0) : s->n_held; k > most; k--)
            if (!memcmp(s->text + s->n_held - k, s->stops + p->at, k)) most = k;
    }
    return most;
}

/* What was given last goes; a text that was finished does so, too. */
static void begin(weft_token_stream *s)
{
    s->n_held -= s->n_given;
    memmove(s->text, s->text + s->n_given, s->n_held);
    s->n_given = 0;
    if (s->finished) s->stopped = -1;
    s->finished = false;
}

static const char *give(weft_token_stream *s, size_t n, size_t *n_bytes)
{
    *n_bytes = s->n_given = n;
    return s->text;
}

const char *weft_token_stream_push(weft_token_stream *s, int32_t id, size_t *n_bytes)
{
    begin(s);
    const char *token = weft_tokenizer_token(s->tok, id);
    bool counts = token && (s->keep_special || !weft_tokenizer_is_special(s->tok, id));
    if (counts && s->chain) {
        (void)weft__decoding_push(s->chain, token, strlen(token)); /* take_text never fails */
    } else if (counts) {
        size_t n;
        const char *bytes = weft_tokenizer_bytes(s->tok, id, &n);
        take_text(s, bytes, n);
    }
    return give(s, s->n_held - may_become_stop(s), n_bytes);
}

const char *weft_token_stream_finish(weft_token_stream *s, size_t *n_bytes)
{
    begin(s);
    if (s->chain) (void)weft__decoding_finish(s->chain);
    if (s->n_pending && s->stopped < 0) hold(s, WEFT__REPLACEMENT, 3);
    s->n_pending = 0;
    s->finished = true;
    return give(s, s->n_held, n_bytes);
}

int weft_token_stream_stopped(const weft_token_stream *s)
{
    return s->stopped;
}
