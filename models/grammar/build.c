/* build.c: expressions of a grammar under way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar_impl.h"

enum { MAX_NODES = 2000000, MAX_HEIGHT = 1000 };

/* ---- faults and memory ---- */

_Noreturn void grammar_fail(grammar_build *b, weft_status status, const char *fmt, ...)
{
    char why[sizeof b->err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    b->status = WEFT_FAIL(b->err, status, "%s: %s", b->origin, why);
    longjmp(b->back, 1);
}

_Noreturn void grammar_fail_oom(grammar_build *b)
{
    grammar_fail(b, WEFT_OOM, "out of memory for a grammar");
}

void *grammar_alloc(grammar_build *b, size_t n, size_t size)
{
    void *p = weft__arena_alloc(&b->arena, n ? n : 1, size);
    if (!p) grammar_fail_oom(b);
    return p;
}

char *grammar_format(grammar_build *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = grammar_alloc(b, n > 0 ? (size_t)n + 1 : 1, 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

void grammar_enter(grammar_build *b)
{
    if (++b->depth > WEFT_GRAMMAR_MAX_NESTING)
        grammar_fail(b, WEFT_LIMIT, "nested more than %d deep", WEFT_GRAMMAR_MAX_NESTING);
}

/* An array of the arena that doubles. */
static void *grown(grammar_build *b, void *data, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) return data;
    *capacity = n ? n * 2 : 8;
    void *p = grammar_alloc(b, *capacity, size);
    if (n) memcpy(p, data, n * size);
    return p;
}

void grammar_push(grammar_build *b, grammar_list *l, const grammar_node *node)
{
    l->v = grown(b, l->v, l->n, &l->capacity, sizeof *l->v);
    l->v[l->n++] = node;
}

/* ---- rules ---- */

uint32_t grammar_rule_new(grammar_build *b, const char *name)
{
    b->rules = grown(b, b->rules, b->n_rules, &b->capacity, sizeof *b->rules);
    b->rules[b->n_rules] = (grammar_rule){ .name = name };
    return (uint32_t)b->n_rules++;
}

void grammar_rule_set(grammar_build *b, uint32_t rule, const grammar_node *body)
{
    b->rules[rule].body = body;
}

/* ---- nodes ---- */

static grammar_node *node_new(grammar_build *b, grammar_kind kind, size_t n)
{
    if (++b->n_nodes > MAX_NODES || n > MAX_NODES) grammar_fail(b, WEFT_LIMIT, "a grammar of too many parts");
    grammar_node *node = grammar_alloc(b, 1, sizeof *node);
    node->kind = kind;
    node->n = (uint32_t)n;
    return node;
}

static int by_lo(const void *a, const void *b)
{
    const grammar_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Sorted and joined in place; returns how many are left. */
static size_t join_ranges(grammar_range *r, size_t n)
{
    size_t k = 0;
    qsort(r, n, sizeof *r, by_lo);
    for (size_t i = 0; i < n; i++) {
        if (r[i].lo > r[i].hi) continue;
        if (k && r[i].lo <= r[k - 1].hi + 1)
            r[k - 1].hi = r[i].hi > r[k - 1].hi ? r[i].hi : r[k - 1].hi;
        else
            r[k++] = r[i];
    }
    return k;
}

static size_t negate_ranges(const grammar_range *r, size_t n, grammar_range *out)
{
    uint32_t at = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (r[i].lo > at) out[k++] = (grammar_range){ at, r[i].lo - 1 };
        at = r[i].hi + 1;
    }
    if (at <= GRAMMAR_MAX_CODE) out[k++] = (grammar_range){ at, GRAMMAR_MAX_CODE };
    return k;
}

const grammar_node *grammar_class(grammar_build *b, const grammar_range *ranges, size_t n, bool negated)
{
    grammar_range *r = grammar_alloc(b, n + 1, sizeof *r), *other = grammar_alloc(b, n + 1, sizeof *r);
    if (n) memcpy(r, ranges, n * sizeof *r);
    size_t k = join_ranges(r, n);
    if (negated) k = negate_ranges(r, k, other);
    grammar_node *node = node_new(b, GRAMMAR_CLASS, k);
    node->ranges = negated ? other : r;
    return node;
}

const grammar_node *grammar_text(grammar_build *b, const char *text, size_t n)
{
    grammar_node *node = node_new(b, GRAMMAR_TEXT, n);
    char *copy = grammar_alloc(b, n, 1);
    if (n) memcpy(copy, text, n);
    node->text = copy;
    return node;
}

const grammar_node *grammar_word(grammar_build *b, const char *text)
{
    return grammar_text(b, text, strlen(text));
}

/* Above a part: nodes are walked by recursion. */
static void set_height(grammar_build *b, grammar_node *node, const grammar_node *part)
{
    if (part->height >= node->height) node->height = part->height + 1;
    if (node->height > MAX_HEIGHT) grammar_fail(b, WEFT_LIMIT, "nested more than %d deep", MAX_HEIGHT);
}

static const grammar_node *parts_of(grammar_build *b, grammar_kind kind, const grammar_node *const *part, size_t n)
{
    if (n == 1) return part[0];
    grammar_node *node = node_new(b, kind, n);
    node->part = grammar_alloc(b, n, sizeof *node->part);
    if (n) memcpy(node->part, part, n * sizeof *part);
    for (size_t i = 0; i < n; i++) set_height(b, node, part[i]);
    return node;
}

const grammar_node *grammar_sequence(grammar_build *b, const grammar_node *const *part, size_t n)
{
    return parts_of(b, GRAMMAR_SEQUENCE, part, n);
}

const grammar_node *grammar_choice(grammar_build *b, const grammar_node *const *part, size_t n)
{
    return parts_of(b, GRAMMAR_CHOICE, part, n);
}

const grammar_node *grammar_call(grammar_build *b, uint32_t rule)
{
    grammar_node *node = node_new(b, GRAMMAR_RULE, 0);
    node->rule = rule;
    return node;
}

/* What is written out often is a rule of its own: its states are there once. */
const grammar_node *grammar_repeat(grammar_build *b, const grammar_node *part, uint32_t min, uint32_t max)
{
    enum { OFTEN = 4 };
    const uint32_t times = max == GRAMMAR_UNBOUNDED ? min : max;
    const bool small = part->kind == GRAMMAR_RULE || part->kind == GRAMMAR_CLASS;
    if (times >= OFTEN && !small) {
        const uint32_t rule = grammar_rule_new(b, "a repeated part");
        grammar_rule_set(b, rule, part);
        part = grammar_call(b, rule);
    }
    grammar_node *node = node_new(b, GRAMMAR_REPEAT, 1);
    node->part = grammar_alloc(b, 1, sizeof *node->part);
    node->part[0] = part;
    set_height(b, node, part);
    node->min = min;
    node->max = max;
    return node;
}
