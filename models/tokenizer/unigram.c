/* unigram.c: Viterbi's algorithm over the tokens that begin at each character. */
#include "unigram.h"

#include <stdlib.h>

/* The best way that ends before a byte of the word. */
struct weft__unigram_node {
    double score;
    int32_t from; /* where its last token begins; -1: no way ends here */
    int32_t id;
};

void weft__unigram_free(weft__unigram *m)
{
    free(m->score);
    free(m->tokens.order);
    *m = (weft__unigram){ 0 };
}

void weft__unigram_scratch_free(weft__unigram_scratch *s)
{
    free(s->nodes);
    *s = (weft__unigram_scratch){ 0 };
}

/* False: another way is better. */
static bool offer(struct weft__unigram_node *node, double score, size_t from, int32_t id)
{
    if (node->from >= 0 && !(score > node->score)) return false;
    *node = (struct weft__unigram_node){ score, (int32_t)from, id };
    return true;
}

/* All tokens that begin at word[at], whose first character has k bytes. False: that would have to be an unknown one. */
static bool extend(const weft__unigram *m, const weft__vocab *v, struct weft__unigram_node *nodes, const char *word,
                   size_t n, size_t at, size_t k)
{
    double before = nodes[at].score;
    bool single = false;
    weft__prefix_walk w = weft__prefixes_begin(&m->tokens);
    while (at + w.n < n && weft__prefixes_step(&m->tokens, v, &w, word[at + w.n])) {
        int32_t id = weft__prefixes_here(&m->tokens, v, &w);
        if (id >= 0) offer(&nodes[at + w.n], before + m->score[id], at, id);
        single |= id >= 0 && w.n == k;
    }
    return single || !offer(&nodes[at + k], before + m->unk_score, at, m->unk_id) || m->unk_id >= 0;
}

/* Tokens from the end to the beginning; a run of unknown ones is one. Writes them to the end of `out`. */
static weft_status collect(const weft__unigram *m, const weft__vocab *v, const struct weft__unigram_node *nodes,
                           const char *word, size_t n, weft__ids *out, weft_error *err)
{
    size_t first = out->size;
    const int32_t *byte_ids = m->fallback_id;
    for (size_t end = n, from; end > 0; end = from) {
        int32_t id = nodes[end].id;
        from = (size_t)nodes[end].from;
        while (id == m->unk_id && from > 0 && nodes[from].id == id) from = (size_t)nodes[from].from;
        if (id == m->unk_id) {
            int32_t whole = weft__vocab_find_model(v, word + from, end - from);
            bool bytes = whole < 0 && m->byte_fallback;
            for (size_t i = from; i < end && bytes; i++) bytes = byte_ids[(uint8_t)word[i]] >= 0;
            for (size_t i = end; i > from && bytes; i--)
                if (!weft__ids_append(out, &byte_ids[(uint8_t)word[i - 1]], 1)) return WEFT_OOM_FAIL(err, "token ids");
            if (bytes) continue;
            if (whole >= 0) id = whole;
        }
        if (!weft__ids_append(out, &id, 1)) return WEFT_OOM_FAIL(err, "token ids");
    }
    for (size_t a = first, b = out->size; a + 1 < b; a++) {
        int32_t t = out->data[a];
        out->data[a] = out->data[--b];
        out->data[b] = t;
    }
    return WEFT_OK;
}

weft_status weft__unigram_encode(const weft__unigram *m, const weft__vocab *v, weft__unigram_scratch *s,
                                 const char *word, size_t n, weft__ids *out, weft_error *err)
{
    if (!weft__grow(&s->nodes, &s->capacity, n + 1, sizeof *s->nodes)) return WEFT_OOM_FAIL(err, "token ids");
    for (size_t i = 0; i <= n; i++) s->nodes[i] = (struct weft__unigram_node){ 0, -1, -1 };
    for (size_t at = 0, k; at < n; at += k) {
        weft__utf8_decode(word + at, &k);
        if (!extend(m, v, s->nodes, word, n, at, k))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the tokenizer has no token for \"%.*s\", and no unk_id", (int)k,
                             word + at);
    }
    return collect(m, v, s->nodes, word, n, out, err);
}
