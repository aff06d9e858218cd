/* vocab.c: the vocabulary's tables.
 *
 * All token texts lie in one block, all token bytes in another, found by id through offsets; one
 * open-addressing table leads from text to id, a second one from a pair of ids to its merge rule.
 * Nothing is allocated per token. */
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

#include "unicode.h"

static uint64_t hash_text(const char *text, size_t n)
{
    const uint64_t mul = 0x9E3779B97F4A7C15u;
    uint64_t h = n * mul, w;
    for (; n >= 8; n -= 8, text += 8) {
        memcpy(&w, text, 8);
        h = (h ^ w) * mul;
        h ^= h >> 32;
    }
    w = 0;
    if (n) memcpy(&w, text, n);
    h = (h ^ w) * mul;
    return h ^ h >> 29;
}

static uint32_t hash_pair(uint64_t pair)
{
    return (uint32_t)((pair * 0x9E3779B97F4A7C15u) >> 32);
}

/* The mask of a table for n entries, at most half full. */
static uint32_t table_mask(size_t n)
{
    uint32_t mask = 15;
    while (mask / 2 < n) mask = mask * 2 + 1;
    return mask;
}

/* The bytes of a token as the ByteLevel decoder gives them: each character's byte, or, if one of
 * them is not in the alphabet, the text itself. Writes at most n bytes. */
static size_t token_bytes(const char *text, size_t n, char *out)
{
    size_t k = 0;
    for (size_t i = 0, step; i < n; i += step) {
        int byte = weft__char_byte(weft__utf8_decode(text + i, &step));
        if (byte < 0) {
            memcpy(out, text, n);
            return n;
        }
        out[k++] = (char)byte;
    }
    return k;
}

static void index_text(weft__vocab *v, uint32_t id)
{
    const char *text = v->text + v->text_at[id];
    uint32_t slot =
        (uint32_t)hash_text(text, v->text_at[id + 1] - v->text_at[id] - 1) & v->slot_mask;
    while (v->slots[slot]) slot = (slot + 1) & v->slot_mask;
    v->slots[slot] = id + 1;
}

weft_status weft__vocab_build(weft__vocab *v, const weft__span *texts, uint32_t n, weft_error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) total += texts[i].n + 1;
    if (total > UINT32_MAX || n > INT32_MAX / 2)
        return WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    v->n = n;
    v->slot_mask = table_mask(n);
    v->text = malloc(total + 1);
    v->bytes = malloc(total + 1);
    v->text_at = malloc(((size_t)n + 1) * sizeof *v->text_at);
    v->bytes_at = malloc(((size_t)n + 1) * sizeof *v->bytes_at);
    v->slots = calloc((size_t)v->slot_mask + 1, sizeof *v->slots);
    if (!v->text || !v->bytes || !v->text_at || !v->bytes_at || !v->slots)
        return WEFT_OOM_FAIL(err, "the vocabulary");
    uint32_t text_at = 0, bytes_at = 0;
    for (uint32_t i = 0; i < n; i++) {
        v->text_at[i] = text_at;
        v->bytes_at[i] = bytes_at;
        v->text_at[i + 1] = text_at;
        if (!texts[i].data) continue;
        memcpy(v->text + text_at, texts[i].data, texts[i].n);
        v->text[text_at + texts[i].n] = 0;
        text_at += (uint32_t)texts[i].n + 1;
        size_t k = token_bytes(texts[i].data, texts[i].n, v->bytes + bytes_at);
        bytes_at += (uint32_t)k;
        if (k > v->longest) v->longest = k;
        v->text_at[i + 1] = text_at;
        index_text(v, i);
    }
    v->text_at[n] = text_at;
    v->bytes_at[n] = bytes_at;
    for (unsigned b = 0; b < 256; b++) {
        char text[4];
        v->byte_id[b] =
            weft__vocab_find_model(v, text, weft__utf8_encode(weft__byte_char((uint8_t)b), text));
    }
    v->unk_id = -1;
    return WEFT_OK;
}

void weft__vocab_free(weft__vocab *v)
{
    free(v->text);
    free(v->text_at);
    free(v->bytes);
    free(v->bytes_at);
    free(v->slots);
    free(v->of_model);
    free(v->merges);
    *v = (weft__vocab){ 0 };
}

int32_t weft__vocab_find(const weft__vocab *v, const char *text, size_t n)
{
    uint32_t slot = (uint32_t)hash_text(text, n) & v->slot_mask;
    for (; v->slots[slot]; slot = (slot + 1) & v->slot_mask) {
        uint32_t id = v->slots[slot] - 1;
        if (v->text_at[id + 1] - v->text_at[id] - 1 == n &&
            memcmp(v->text + v->text_at[id], text, n) == 0)
            return (int32_t)id;
    }
    return -1;
}

int32_t weft__vocab_find_model(const weft__vocab *v, const char *text, size_t n)
{
    int32_t id = weft__vocab_find(v, text, n);
    return id >= 0 && v->of_model[id] ? id : -1;
}

bool weft__vocab_has(const weft__vocab *v, uint32_t id)
{
    return v->text_at[id + 1] > v->text_at[id];
}

/* ---- merge rules ---- */

static uint64_t make_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

weft_status weft__vocab_reserve_merges(weft__vocab *v, size_t n, weft_error *err)
{
    if (n > INT32_MAX / 2) return WEFT_FAIL(err, WEFT_LIMIT, "%zu merges are too many", n);
    v->merge_mask = table_mask(n);
    v->merges = malloc(((size_t)v->merge_mask + 1) * sizeof *v->merges);
    if (!v->merges) return WEFT_OOM_FAIL(err, "the merges");
    for (size_t i = 0; i <= v->merge_mask; i++) v->merges[i].pair = WEFT__NO_PAIR;
    return WEFT_OK;
}

void weft__vocab_add_merge(weft__vocab *v, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    uint64_t pair = make_pair(left, right);
    uint32_t slot = hash_pair(pair) & v->merge_mask;
    while (v->merges[slot].pair != WEFT__NO_PAIR && v->merges[slot].pair != pair)
        slot = (slot + 1) & v->merge_mask;
    v->merges[slot] = (weft__merge){ pair, rank, id };
}

static const weft__merge *find_merge(const weft__vocab *v, int32_t left, int32_t right)
{
    uint64_t pair = make_pair(left, right);
    uint32_t slot = hash_pair(pair) & v->merge_mask;
    for (; v->merges[slot].pair != WEFT__NO_PAIR; slot = (slot + 1) & v->merge_mask)
        if (v->merges[slot].pair == pair) return &v->merges[slot];
    return NULL;
}

/* ---- BPE ---- */

/* The word is a doubly linked list of symbols; a symbol swallowed by its left neighbour has id
 * REMOVED. Pairs that may merge wait in a binary heap, ordered by rank, then position; a pair that
 * has changed since is recognised when it comes up, because its merge would no longer give the same token. */
struct weft__bpe_symbol {
    int32_t id, prev, next; /* prev and next: -1 = none */
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
    *s = (weft__bpe_scratch){ 0 };
}

static bool push_candidate(weft__bpe_scratch *s, uint64_t order, int32_t id)
{
    if (!weft__grow(&s->heap, &s->heap_capacity, s->heap_size + 1, sizeof *s->heap)) return false;
    size_t i = s->heap_size++;
    for (; i > 0 && s->heap[(i - 1) / 2].order > order; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = (struct weft__bpe_candidate){ order, id };
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

/* Queues the pair whose left symbol is at `left`, if a rule merges it. */
static bool consider(const weft__vocab *v, weft__bpe_scratch *s, int32_t left)
{
    if (left < 0 || s->symbols[left].next < 0) return true;
    const weft__merge *merge =
        find_merge(v, s->symbols[left].id, s->symbols[s->symbols[left].next].id);
    return !merge || push_candidate(s, (uint64_t)merge->rank << 32 | (uint32_t)left, merge->id);
}

/* The word's bytes as symbols; bytes without a token become unk_id or vanish. */
static bool make_symbols(const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n)
{
    if (!weft__grow(&s->symbols, &s->symbol_capacity, n, sizeof *s->symbols)) return false;
    int32_t k = 0;
    bool after_unk = false;
    for (size_t i = 0; i < n; i++) {
        int32_t id = v->byte_id[(uint8_t)word[i]];
        bool unknown = id < 0;
        if (unknown) id = v->fuse_unk && after_unk ? -1 : v->unk_id;
        after_unk = unknown;
        if (id < 0) continue;
        s->symbols[k] = (struct weft__bpe_symbol){ id, k - 1, k + 1 };
        k++;
    }
    if (k > 0) s->symbols[k - 1].next = -1;
    s->n_symbols = (size_t)k;
    return true;
}

static bool merge_symbols(const weft__vocab *v, weft__bpe_scratch *s)
{
    struct weft__bpe_symbol *symbols = s->symbols;
    s->heap_size = 0;
    for (size_t i = 0; i + 1 < s->n_symbols; i++)
        if (!consider(v, s, (int32_t)i)) return false;
    while (s->heap_size > 0) {
        struct weft__bpe_candidate top = pop_candidate(s);
        int32_t left = (int32_t)(uint32_t)top.order;
        int32_t right = symbols[left].next;
        if (symbols[left].id == REMOVED || right < 0) continue;
        const weft__merge *merge = find_merge(v, symbols[left].id, symbols[right].id);
        if (!merge || merge->id != top.id) continue;
        symbols[left].id = merge->id;
        symbols[left].next = symbols[right].next;
        symbols[right].id = REMOVED;
        if (symbols[right].next >= 0) symbols[symbols[right].next].prev = left;
        if (!consider(v, s, symbols[left].prev) || !consider(v, s, left)) return false;
    }
    return true;
}

bool weft__bpe(const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n,
               weft__ids *out)
{
    if (!make_symbols(v, s, word, n) || !merge_symbols(v, s)) return false;
    if (!weft__grow(&out->data, &out->capacity, out->size + s->n_symbols, sizeof *out->data))
        return false;
    for (int32_t i = s->n_symbols ? 0 : -1; i >= 0; i = s->symbols[i].next)
        out->data[out->size++] = s->symbols[i].id;
    return true;
}
