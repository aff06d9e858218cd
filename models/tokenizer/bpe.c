/* bpe.c: merge rules in a hash of pairs, or ranks of tokens, and a word merged by them. */
#include "bpe.h"

#include <math.h>
#include <stdlib.h>

#define NO_PAIR UINT64_MAX

static uint32_t hash_pair(uint64_t pair)
{
    return (uint32_t)((pair * 0x9E3779B97F4A7C15u) >> 32);
}

static uint64_t make_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

void weft__bpe_free(weft__bpe *m)
{
    free(m->merges);
    free(m->rank);
    free(m->prefix.data);
    free(m->suffix.data);
    *m = (weft__bpe){ 0 };
}

weft_status weft__bpe_reserve_merges(weft__bpe *m, size_t n, weft_error *err)
{
    if (n > INT32_MAX / 2) return WEFT_FAIL(err, WEFT_LIMIT, "%zu merges are too many", n);
    m->merge_mask = weft__table_mask(n);
    m->merges = malloc(((size_t)m->merge_mask + 1) * sizeof *m->merges);
    if (!m->merges) return WEFT_OOM_FAIL(err, "the merges");
    for (size_t i = 0; i <= m->merge_mask; i++) m->merges[i].pair = NO_PAIR;
    return WEFT_OK;
}

void weft__bpe_add_merge(weft__bpe *m, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    uint64_t pair = make_pair(left, right);
    uint32_t slot = hash_pair(pair) & m->merge_mask;
    while (m->merges[slot].pair != NO_PAIR && m->merges[slot].pair != pair)
        slot = (slot + 1) & m->merge_mask;
    m->merges[slot] = (weft__merge){ pair, rank, id };
}

static const weft__merge *find_merge(const weft__bpe *m, int32_t left, int32_t right)
{
    uint64_t pair = make_pair(left, right);
    uint32_t slot = hash_pair(pair) & m->merge_mask;
    for (; m->merges[slot].pair != NO_PAIR; slot = (slot + 1) & m->merge_mask)
        if (m->merges[slot].pair == pair) return &m->merges[slot];
    return NULL;
}

/* ---- ranks ---- */

typedef struct scored {
    double score;
    uint32_t id;
} scored;

static int compare_scored(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score > y->score || x->score < y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

weft_status weft__bpe_rank(weft__bpe *m, const weft__vocab *v, const double *scores, weft_error *err)
{
    int32_t bytes[256];
    uint32_t n = 0;
    scored *all = malloc(((size_t)v->n + 1) * sizeof *all);
    m->rank = malloc(((size_t)v->n + 1) * sizeof *m->rank);
    weft_status status = all && m->rank ? WEFT_OK : WEFT_OOM_FAIL(err, "the vocabulary");
    for (uint32_t i = 0; i < v->n && status == WEFT_OK; i++) {
        m->rank[i] = WEFT__NO_RANK;
        if (!weft__vocab_has(v, i) || !v->of_model[i]) continue;
        if (isnan(scores[i])) status = WEFT_FAIL(err, WEFT_FORMAT, "the score of token %u is not a number", i);
        all[n++] = (scored){ scores[i], i };
    }
    if (status == WEFT_OK) {
        qsort(all, n, sizeof *all, compare_scored);
        for (uint32_t i = 0; i < n; i++) m->rank[all[i].id] = i;
        weft__vocab_byte_tokens(v, bytes);
        for (unsigned b = 0; b < 256; b++)
            if (bytes[b] >= 0) m->rank[bytes[b]] = WEFT__NO_RANK;
    }
    free(all);
    return status;
}

/* ---- BPE ---- */

/* The word is a doubly linked list of symbols; a symbol swallowed by its left neighbour has id
 * REMOVED. Pairs that may merge wait in a binary heap, ordered by rank, then position; a pair that
 * has changed since is recognised when it comes up, because its merge would no longer give the same token. */
struct weft__bpe_symbol {
    int32_t id;         /* -1: its text is no token, which only happens with ranks */
    int32_t at;         /* with ranks: where its text begins in the word */
    int32_t prev, next; /* -1 = none */
};
#define REMOVED (-2)

struct weft__bpe_candidate {
    uint64_t order; /* rank << 32 | position of the left symbol */
    int32_t id;     /* what the pair would become */
};

void weft__bpe_scratch_free(weft__bpe_scratch *s)
{
    free(s->symbols);
    free(s->heap);
    free(s->text.data);
    *s = (weft__bpe_scratch){ 0 };
}

static bool push_candidate(weft__bpe_scratch *s, struct weft__bpe_candidate c)
{
    if (!weft__grow(&s->heap, &s->heap_capacity, s->heap_size + 1, sizeof *s->heap)) return false;
    size_t i = s->heap_size++;
    for (; i > 0 && s->heap[(i - 1) / 2].order > c.order; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = c;
    return true;
}

static struct weft__bpe_candidate pop_candidate(weft__bpe_scratch *s)
{
    struct weft__bpe_candidate *heap = s->heap, top = heap[0], last = heap[--s->heap_size];
    size_t i = 0, n = s->heap_size;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1].order < heap[child].order) child++;
        if (heap[child].order >= last.order) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* The token that two neighbours are together, if its rank lets them merge. */
static bool find_whole(const weft__bpe *m, const weft__bpe_scratch *s, int32_t left, int32_t right,
                       struct weft__bpe_candidate *out)
{
    int32_t after = s->symbols[right].next, at = s->symbols[left].at;
    size_t n = (after < 0 ? s->word.n : (size_t)s->symbols[after].at) - (size_t)at;
    int32_t id = n <= s->vocab->longest ? weft__vocab_find_model(s->vocab, s->word.data + at, n) : -1;
    if (id < 0 || m->rank[id] == WEFT__NO_RANK) return false;
    *out = (struct weft__bpe_candidate){ (uint64_t)m->rank[id] << 32 | (uint32_t)left, id };
    return true;
}

/* What the symbol at `left` and the next one become. */
static bool find_pair(const weft__bpe *m, const weft__bpe_scratch *s, int32_t left, struct weft__bpe_candidate *out)
{
    int32_t right = s->symbols[left].next;
    if (right < 0) return false;
    if (m->rank) return find_whole(m, s, left, right, out);
    const weft__merge *merge = find_merge(m, s->symbols[left].id, s->symbols[right].id);
    if (merge) *out = (struct weft__bpe_candidate){ (uint64_t)merge->rank << 32 | (uint32_t)left, merge->id };
    return merge != NULL;
}

/* Queues the pair whose left symbol is at `left`, if it merges. False: out of memory. */
static bool consider(const weft__bpe *m, weft__bpe_scratch *s, int32_t left)
{
    struct weft__bpe_candidate pair;
    return left < 0 || !find_pair(m, s, left, &pair) || push_candidate(s, pair);
}

/* ---- symbols ---- */

static bool push_symbol(weft__bpe_scratch *s, int32_t id)
{
    int32_t k = (int32_t)s->n_symbols;
    if (!weft__grow(&s->symbols, &s->symbol_capacity, s->n_symbols + 1, sizeof *s->symbols)) return false;
    s->symbols[k] = (struct weft__bpe_symbol){ id, 0, k - 1, k + 1 };
    s->n_symbols++;
    return true;
}

/* The word's bytes as symbols; bytes without a token become unk_id or vanish. */
static bool bytes_to_symbols(const weft__bpe *m, weft__bpe_scratch *s, const char *word, size_t n)
{
    if (!weft__grow(&s->symbols, &s->symbol_capacity, n, sizeof *s->symbols)) return false;
    bool after_unk = false;
    for (size_t i = 0; i < n; i++) {
        int32_t id = m->byte_id[(uint8_t)word[i]];
        bool unknown = id < 0;
        if (unknown) id = m->fuse_unk && after_unk ? -1 : m->unk_id;
        after_unk = unknown;
        if (id >= 0 && !push_symbol(s, id)) return false;
    }
    return true;
}

/* The tokens of a text's bytes, if all have one. */
static bool fall_back(const weft__bpe *m, weft__bpe_scratch *s, const char *text, size_t n, bool *done)
{
    for (size_t i = 0; i < n; i++)
        if (m->fallback_id[(uint8_t)text[i]] < 0) return true;
    for (size_t i = 0; i < n; i++)
        if (!push_symbol(s, m->fallback_id[(uint8_t)text[i]])) return false;
    *done = true;
    return true;
}

/* The text that a token has for the character at word[i], k bytes. */
static bool with_affixes(const weft__bpe *m, weft__bytes *out, const char *word, size_t n, size_t i, size_t k)
{
    out->size = 0;
    bool ok = i == 0 || weft__bytes_append(out, m->prefix.data, m->prefix.size);
    ok = ok && weft__bytes_append(out, word + i, k);
    return ok && (i + k < n || weft__bytes_append(out, m->suffix.data, m->suffix.size));
}

/* The word's characters as symbols. An unknown one waits: it is put before the next known one, which is not the same as
 * in place if byte tokens come between. */
static bool chars_to_symbols(const weft__bpe *m, const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n)
{
    bool waits = false, affixes = m->prefix.size || m->suffix.size;
    for (size_t i = 0, k; i < n; i += k) {
        weft__utf8_decode(word + i, &k);
        const char *text = word + i;
        size_t n_text = k;
        if (affixes) {
            if (!with_affixes(m, &s->text, word, n, i, k)) return false;
            text = s->text.data;
            n_text = s->text.size;
        }
        int32_t id = weft__vocab_find_model(v, text, n_text);
        bool done = false;
        if (id < 0 && m->byte_fallback && !fall_back(m, s, text, n_text, &done)) return false;
        if (done || (id < 0 && m->unk_id < 0)) continue;
        if (waits && (id >= 0 || !m->fuse_unk) && !push_symbol(s, m->unk_id)) return false;
        if (id >= 0 && !push_symbol(s, id)) return false;
        waits = id < 0;
    }
    return !waits || push_symbol(s, m->unk_id);
}

/* The word's characters as symbols, whether they have tokens or not. */
static bool places_to_symbols(weft__bpe_scratch *s)
{
    for (size_t i = 0, k; i < s->word.n; i += k) {
        weft__utf8_decode(s->word.data + i, &k);
        if (!push_symbol(s, weft__vocab_find_model(s->vocab, s->word.data + i, k))) return false;
        s->symbols[s->n_symbols - 1].at = (int32_t)i;
    }
    return true;
}

/* ---- merging ---- */

static bool merge_symbols(const weft__bpe *m, weft__bpe_scratch *s)
{
    struct weft__bpe_symbol *symbols = s->symbols;
    s->heap_size = 0;
    for (size_t i = 0; i + 1 < s->n_symbols; i++)
        if (!consider(m, s, (int32_t)i)) return false;
    while (s->heap_size > 0) {
        struct weft__bpe_candidate top = pop_candidate(s);
        int32_t left = (int32_t)(uint32_t)top.order;
        int32_t right = symbols[left].next;
        if (symbols[left].id == REMOVED || right < 0) continue;
        struct weft__bpe_candidate now;
        if (!find_pair(m, s, left, &now) || now.id != top.id) continue;
        symbols[left].id = top.id;
        symbols[left].next = symbols[right].next;
        symbols[right].id = REMOVED;
        if (symbols[right].next >= 0) symbols[symbols[right].next].prev = left;
        if (!consider(m, s, symbols[left].prev) || !consider(m, s, left)) return false;
    }
    return true;
}

/* The token that is the whole word, or -1. *ok = false: out of memory. */
static int32_t whole_word(const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n, bool raw_bytes,
                          bool *ok)
{
    if (!raw_bytes) return weft__vocab_find_model(v, word, n);
    s->text.size = 0;
    for (size_t i = 0; i < n && *ok; i++) {
        char utf8[4];
        size_t k = weft__utf8_encode(weft__byte_char((uint8_t)word[i]), utf8);
        *ok = weft__bytes_append(&s->text, utf8, k);
    }
    return *ok ? weft__vocab_find_model(v, s->text.data, s->text.size) : -1;
}

/* The tokens of a symbol that is none itself: those of its bytes, if all have one, else what stands for it. */
static bool append_unknown(const weft__bpe *m, const char *text, size_t n, bool after_unk, weft__ids *out)
{
    bool bytes = m->byte_fallback;
    for (size_t i = 0; i < n && bytes; i++) bytes = m->fallback_id[(uint8_t)text[i]] >= 0;
    for (size_t i = 0; i < n && bytes; i++)
        if (!weft__ids_append(out, &m->fallback_id[(uint8_t)text[i]], 1)) return false;
    bool nothing = bytes || m->unk_id < 0 || (after_unk && m->fuse_unk);
    return nothing || weft__ids_append(out, &m->unk_id, 1);
}

static bool append_places(const weft__bpe *m, const weft__bpe_scratch *s, weft__ids *out)
{
    bool after_unk = false;
    for (int32_t i = s->n_symbols ? 0 : -1, next; i >= 0; i = next) {
        const struct weft__bpe_symbol *symbol = &s->symbols[i];
        size_t end = symbol->next < 0 ? s->word.n : (size_t)s->symbols[symbol->next].at, at = (size_t)symbol->at;
        next = symbol->next;
        if (symbol->id >= 0 ? !weft__ids_append(out, &symbol->id, 1)
                            : !append_unknown(m, s->word.data + at, end - at, after_unk, out))
            return false;
        after_unk = symbol->id < 0 && out->size && out->data[out->size - 1] == m->unk_id;
    }
    return true;
}

bool weft__bpe_encode(const weft__bpe *m, const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n,
                      bool raw_bytes, weft__ids *out)
{
    bool ok = true;
    int32_t whole = m->ignore_merges ? whole_word(v, s, word, n, raw_bytes, &ok) : -1;
    if (whole >= 0) return weft__ids_append(out, &whole, 1);
    s->n_symbols = 0;
    s->vocab = v;
    s->word = (weft__span){ word, n };
    if (m->rank) ok = ok && places_to_symbols(s);
    else ok = ok && (raw_bytes ? bytes_to_symbols(m, s, word, n) : chars_to_symbols(m, v, s, word, n));
    if (ok && s->n_symbols) s->symbols[s->n_symbols - 1].next = -1;
    if (!ok || !merge_symbols(m, s)) return false;
    if (m->rank) return append_places(m, s, out);
    if (!weft__grow(&out->data, &out->capacity, out->size + s->n_symbols, sizeof *out->data)) return false;
    for (int32_t i = s->n_symbols ? 0 : -1; i >= 0; i = s->symbols[i].next) out->data[out->size++] = s->symbols[i].id;
    return true;
}
