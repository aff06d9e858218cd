/* fork_four_ways MODEL DEVICE: a prompt is evaluated once, its sequence forked, and each of four ways sampled by a seed
 * of its own: one batch per token, and one place in the cache for what they have in common. C and C++ alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/model.h>

enum { WAYS = 4, LENGTH = 24, MOST = 64 };

typedef struct way { weft_sampler *sampler; weft_token_stream *stream; char text[4096]; } way;

/* Picks a token of a row of logits, after the sequence's tokens so far, and adds its text. */
static bool step(weft_session *s, uint32_t i, way *w, const float *logits, weft_batch_token *next, weft_error *err) {
    size_t n;
    const int32_t *history = weft_session_tokens(s, i);
    if (weft_sampler_pick(w->sampler, logits, history, weft_session_length(s, i), &next->id, NULL, err)) return false;
    next->sequence = i, next->wants = WEFT_WANT_LOGITS;
    const char *piece = weft_token_stream_push(w->stream, next->id, &n); /* whole characters, perhaps none */
    strncat(w->text, piece, n < sizeof w->text - strlen(w->text) ? n : 0);
    return true;
}

static bool run(weft_session *s, const weft_tokenizer *tok, const char *prompt, float *logits, way *w, weft_error *e) {
    static weft_batch_token batch[MOST]; weft_tokens t; weft_rows out = { logits, NULL, NULL, NULL };
    size_t row = weft_session_n_vocab(s);
    if (weft_tokenizer_encode(tok, prompt, strlen(prompt), NULL, &t, e)) return false;
    for (size_t i = 0; i < t.n && i < MOST; i++)
        batch[i].id = t.ids[i], batch[i].wants = i + 1 == t.n ? WEFT_WANT_LOGITS : 0;
    bool ok = t.n && t.n <= MOST && !weft_session_eval(s, batch, t.n, &out, e);
    weft_tokens_free(&t);
    for (uint32_t i = 1; ok && i < WAYS; i++) {
        ok = !weft_session_fork(s, 0, i, e);
        memcpy(logits + i * row, logits, row * sizeof *logits);
    }
    for (int n = 0; ok && n < LENGTH; n++) {
        for (uint32_t i = 0; ok && i < WAYS; i++) ok = step(s, i, &w[i], logits + i * row, &batch[i], e);
        ok = ok && !weft_session_eval(s, batch, WAYS, &out, e);
    }
    return ok;
}

int main(int argc, char **argv) {
    static const char prompt[] = "Once upon a time";
    static weft_session_desc d; static weft_sampling how; static way ways[WAYS]; /* zero: the defaults */
    weft_model *m; weft_backend *device; weft_session *s; const weft_tokenizer *tok; weft_error err;
    d.devices = &device, d.n_devices = 1, d.n_sequences = WAYS, how.temperature = 0.8f, how.top_k = 40;
    bool ok = argc > 2 && !weft_model_open(argv[1], NULL, &m, &err) && !weft_model_tokenizer(m, &tok, &err) &&
              !weft_backend_open(argv[2], &device, &err) && !weft_session_create(m, &d, &s, &err);
    for (int i = 0; ok && i < WAYS; i++, how.seed++)
        ok = !weft_sampler_create(&how, weft_session_n_vocab(s), &ways[i].sampler, &err) &&
             !weft_token_stream_create(tok, NULL, &ways[i].stream, &err);
    float *logits = ok ? (float *)malloc(WAYS * weft_session_n_vocab(s) * sizeof(float)) : NULL;
    if (!logits || !run(s, tok, prompt, logits, ways, &err))
        return fprintf(stderr, "%s\n", argc > 2 ? err.text : "usage: fork_four_ways MODEL DEVICE"), 1;
    for (int i = 0; i < WAYS; i++) {
        printf("%s%s\n", prompt, ways[i].text), weft_sampler_destroy(ways[i].sampler);
        weft_token_stream_destroy(ways[i].stream);
    }
    free(logits), weft_session_destroy(s), weft_backend_close(device), weft_model_close(m);
}
