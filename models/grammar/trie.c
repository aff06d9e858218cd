/* trie.c: the tokens of a tokenizer by their bytes. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"

typedef struct entry { const char *bytes; uint32_t n, id; } entry;

static int by_bytes(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const uint32_t n = x->n < y->n ? x->n : y->n;
    const int order = memcmp(x->bytes, y->bytes, n);
    if (order) return order;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Tokens with a name of their own stand for no text, also where their files do not call them special. */
static bool is_text(const weft_tokenizer *tok, int32_t id)
{
    for (int i = 0; i < WEFT_TOKEN_COUNT; i++)
        if (weft_tokenizer_named(tok, (weft_named_token)i) == id) return false;
    return !weft_tokenizer_is_special(tok, id);
}

/* The tokens that are text and have bytes. */
static weft_status collect(weft_token_trie *t, const weft_tokenizer *tok, entry *entries, uint32_t *n_entries,
                           weft_error *err)
{
    size_t total = 0, capacity = 0;
    for (uint32_t id = 0; id < t->n_vocab; id++) {
        size_t n = 0;
        const char *bytes = t->kinds[id] == TRIE_END || !is_text(tok, (int32_t)id)
                                ? NULL
                                : weft_tokenizer_bytes(tok, (int32_t)id, &n);
        t->bytes_at[id] = (uint32_t)total;
        if (!bytes || !n || n > UINT16_MAX) continue;
        if (total + n > UINT32_MAX) return WEFT_FAIL(err, WEFT_LIMIT, "tokens of 4 GiB together");
        if (!weft__grow(&t->bytes, &capacity, total + n, 1)) return WEFT_OOM_FAIL(err, "the tokens of a grammar");
        memcpy(t->bytes + total, bytes, n);
        total += n;
        t->kinds[id] = TRIE_TEXT;
        t->longest = n > t->longest ? (uint32_t)n : t->longest;
        entries[(*n_entries)++] = (entry){ NULL, (uint32_t)n, id };
    }
    t->bytes_at[t->n_vocab] = (uint32_t)total;
    for (uint32_t i = 0; i < *n_entries; i++) entries[i].bytes = t->bytes + t->bytes_at[entries[i].id];
    return WEFT_OK;
}

static weft_status add_nodes(weft_token_trie *t, const entry *entries, uint32_t n, weft_error *err)
{
    size_t capacity = 0, n_nodes = 0;
    uint32_t *path = calloc((size_t)t->longest + 1, sizeof *path); /* the node of each depth */
    uint32_t depth = 0;
    weft_status status = path ? WEFT_OK : WEFT_OOM_FAIL(err, "the tokens of a grammar");
    for (uint32_t i = 0; !status && i < n; i++) {
        const entry *e = &entries[i];
        uint32_t common = 0;
        while (i && common < e->n && common < entries[i - 1].n && e->bytes[common] == entries[i - 1].bytes[common])
            common++;
        for (; depth > common; depth--) t->nodes[path[depth]].skip = (uint32_t)n_nodes;
        if (i && common == e->n) { /* the token before has the same bytes */
            trie_node *node = &t->nodes[path[depth]];
            t->next_same[e->id] = node->token;
            node->token = (int32_t)e->id;
            continue;
        }
        if (!weft__grow(&t->nodes, &capacity, n_nodes + e->n - depth, sizeof *t->nodes))
            status = WEFT_OOM_FAIL(err, "the tokens of a grammar");
        while (!status && depth < e->n) {
            const uint32_t parent = depth ? path[depth] : UINT32_MAX;
            t->nodes[n_nodes] = (trie_node){ -1, 0, parent, (uint16_t)(depth + 1), (uint8_t)e->bytes[depth], 0 };
            path[++depth] = (uint32_t)n_nodes++;
        }
        if (!status) t->nodes[n_nodes - 1].token = (int32_t)e->id;
    }
    for (; !status && depth; depth--) t->nodes[path[depth]].skip = (uint32_t)n_nodes;
    t->n_nodes = (uint32_t)n_nodes;
    free(path);
    return status;
}

static void find_deepest(weft_token_trie *t)
{
    for (uint32_t i = t->n_nodes; i-- > 0;) {
        trie_node *node = &t->nodes[i];
        const uint8_t depth = node->depth < 255 ? (uint8_t)node->depth : 255;
        if (depth > node->below) node->below = depth; /* a node has a token at or below it */
        if (node->parent == UINT32_MAX) continue;
        trie_node *parent = &t->nodes[node->parent];
        if (node->below > parent->below) parent->below = node->below;
    }
}

static int by_length(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static weft_status sort_by_length(weft_token_trie *t, entry *entries, uint32_t n, weft_error *err)
{
    t->by_length = calloc((size_t)n + 1, sizeof *t->by_length);
    if (!t->by_length) return WEFT_OOM_FAIL(err, "the tokens of a grammar");
    if (n) qsort(entries, n, sizeof *entries, by_length);
    for (uint32_t i = 0; i < n; i++) t->by_length[i] = (int32_t)entries[i].id;
    t->n_by_length = n;
    return WEFT_OK;
}

static weft_status fill(weft_token_trie *t, const weft_tokenizer *tok, const int32_t *ends, uint32_t n_ends,
                        weft_error *err)
{
    uint32_t n = 0;
    entry *entries = calloc(t->n_vocab, sizeof *entries);
    t->next_same = malloc(t->n_vocab * sizeof *t->next_same);
    t->kinds = calloc(t->n_vocab, 1);
    t->bytes_at = calloc((size_t)t->n_vocab + 1, sizeof *t->bytes_at);
    t->ends = calloc((size_t)n_ends + 1, sizeof *t->ends);
    weft_status status = WEFT_OK;
    if (!entries || !t->next_same || !t->kinds || !t->bytes_at || !t->ends)
        status = WEFT_OOM_FAIL(err, "the tokens of a grammar");
    for (uint32_t i = 0; !status && i < t->n_vocab; i++) t->next_same[i] = -1;
    for (uint32_t i = 0; !status && i < n_ends; i++)
        if (ends[i] >= 0 && (uint32_t)ends[i] < t->n_vocab && t->kinds[ends[i]] != TRIE_END) {
            t->kinds[ends[i]] = TRIE_END;
            t->ends[t->n_ends++] = ends[i];
        }
    if (!status) status = collect(t, tok, entries, &n, err);
    if (!status && n) qsort(entries, n, sizeof *entries, by_bytes);
    if (!status) status = add_nodes(t, entries, n, err);
    if (!status) find_deepest(t);
    if (!status) status = sort_by_length(t, entries, n, err);
    free(entries);
    return status;
}

weft_status weft_token_trie_create(const weft_tokenizer *tok, uint32_t n_vocab, const int32_t *ends, uint32_t n_ends,
                                   weft_token_trie **out, weft_error *err)
{
    *out = NULL;
    if (!n_vocab || n_vocab > INT32_MAX) return WEFT_FAIL(err, WEFT_INVALID, "tokens of a grammar: no vocabulary");
    weft_token_trie *t = calloc(1, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "the tokens of a grammar");
    t->n_vocab = n_vocab;
    const weft_status status = fill(t, tok, ends, n_ends, err);
    if (status)
        weft_token_trie_destroy(t);
    else
        *out = t;
    return status;
}

void weft_token_trie_destroy(weft_token_trie *t)
{
    if (!t) return;
    free(t->nodes);
    free(t->next_same);
    free(t->kinds);
    free(t->bytes);
    free(t->bytes_at);
    free(t->ends);
    free(t->by_length);
    free(t);
}

uint32_t weft_token_trie_words(const weft_token_trie *t)
{
    return grammar_words(t);
}
