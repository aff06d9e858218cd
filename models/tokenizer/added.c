/* added.c: leftmost-longest search for added tokens in a trie, with the rules of Hugging Face about their neighbours.
 *
 * A node's children are a linked list of siblings; tokens are few and share prefixes, so lists are short. */
#include "added.h"

#include <stdlib.h>

#include "classes.h"

#define NONE UINT32_MAX

struct weft__trie_node {
    uint32_t child, sibling; /* node numbers; 0 = none, because the root is neither */
    uint32_t token;          /* index of the added token that ends here, or NONE */
    uint8_t byte;
};

static uint32_t find_child(const weft__matcher *m, uint32_t node, uint8_t byte)
{
    uint32_t child = m->nodes[node].child;
    while (child && m->nodes[child].byte != byte) child = m->nodes[child].sibling;
    return child;
}

weft_status weft__matcher_add(weft__matcher *m, const char *pattern, size_t n, uint32_t index,
                              bool *taken, weft_error *err)
{
    if (n >= NONE - m->n_nodes - 1) return WEFT_FAIL(err, WEFT_LIMIT, "added tokens are too long");
    if (!weft__grow(&m->nodes, &m->capacity, m->n_nodes + n + 1, sizeof *m->nodes))
        return WEFT_OOM_FAIL(err, "added tokens");
    if (m->n_nodes == 0) m->nodes[m->n_nodes++] = (struct weft__trie_node){ .token = NONE };
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)pattern[i];
        uint32_t child = find_child(m, node, byte);
        if (!child) {
            child = (uint32_t)m->n_nodes++;
            m->nodes[child] = (struct weft__trie_node){ .sibling = m->nodes[node].child,
                                                        .token = NONE,
                                                        .byte = byte };
            m->nodes[node].child = child;
        }
        node = child;
    }
    *taken = m->nodes[node].token != NONE;
    if (!*taken) m->nodes[node].token = index;
    m->starts[(uint8_t)pattern[0]] = true;
    return WEFT_OK;
}

void weft__matcher_free(weft__matcher *m)
{
    free(m->nodes);
    *m = (weft__matcher){ 0 };
}

/* The longest pattern at text[at]: its token index or NONE, and its length. */
static uint32_t longest_at(const weft__matcher *m, const char *text, size_t n, size_t at,
                           size_t *length)
{
    uint32_t best = NONE, node = 0;
    for (size_t i = at; i < n; i++) {
        node = find_child(m, node, (uint8_t)text[i]);
        if (!node) break;
        if (m->nodes[node].token != NONE) {
            best = m->nodes[node].token;
            *length = i + 1 - at;
        }
    }
    return best;
}

/* The start of the character that ends at text[end], end > 0. */
static size_t char_before(const char *text, size_t end)
{
    do end--;
    while (end > 0 && ((uint8_t)text[end] & 0xC0) == 0x80);
    return end;
}

static bool is_alone(const char *text, size_t n, size_t start, size_t end)
{
    size_t step;
    if (start > 0 && weft__is_word(weft__utf8_decode(text + char_before(text, start), &step)))
        return false;
    return end == n || !weft__is_word(weft__utf8_decode(text + end, &step));
}

/* Moves `start` left over white space, not past `floor`. */
static size_t strip_left(const char *text, size_t start, size_t floor)
{
    while (start > floor) {
        size_t before = char_before(text, start), step;
        if (!weft__is_space(weft__utf8_decode(text + before, &step))) break;
        start = before;
    }
    return start;
}

static size_t strip_right(const char *text, size_t n, size_t end)
{
    while (end < n) {
        size_t step;
        if (!weft__is_space(weft__utf8_decode(text + end, &step))) break;
        end += step;
    }
    return end;
}

weft_status weft__matcher_cut(const weft__matcher *m, const weft__added_token *tokens,
                              bool skip_special, const char *text, size_t n,
                              weft__stretch_fn *stretch, void *ctx, weft_error *err)
{
    size_t done =
        0; /* the end of what has been handed out; a token's white space may lie past `at` */
    for (size_t at = 0, length = 0; at < n && m->n_nodes > 0; at += length) {
        uint32_t index = m->starts[(uint8_t)text[at]] ? longest_at(m, text, n, at, &length) : NONE;
        if (index == NONE) {
            length = 1;
            continue;
        }
        const weft__added_token *token = &tokens[index];
        size_t start = at, end = at + length;
        if (skip_special && token->special) continue;
        if (token->single_word && !is_alone(text, n, start, end)) continue;
        if (token->lstrip) {
            start = start > done ? strip_left(text, start, done) : done;
        }
        if (token->rstrip) end = strip_right(text, n, end);
        if (start > end) start = end; /* it lies in white space that an earlier token took */
        if (start > done) WEFT_TRY(stretch(ctx, text + done, start - done, -1, err));
        if (end > start) WEFT_TRY(stretch(ctx, text + start, end - start, token->id, err));
        done = end;
    }
    return n > done ? stretch(ctx, text + done, n - done, -1, err) : WEFT_OK;
}
