/* grammar.c: grammars from texts; see grammar.h. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"
#include "models/tokenizer/unicode.h"

typedef struct source {
    weft_grammar_kind kind;
    const char *text;
    size_t n;
} source;

static void read_source(grammar_build *b, const source *s)
{
    if (s->n > WEFT_GRAMMAR_MAX_TEXT)
        grammar_fail(b, WEFT_LIMIT, "a text of more than %d KiB", WEFT_GRAMMAR_MAX_TEXT >> 10);
    if (!weft__utf8_is_valid(s->text, s->n)) grammar_fail(b, WEFT_INVALID, "the text is no valid UTF-8");
    switch (s->kind) {
    case WEFT_GRAMMAR_GBNF: grammar_read_gbnf(b, s->text, s->n); return;
    case WEFT_GRAMMAR_JSON_SCHEMA: grammar_read_schema(b, s->text, s->n); return;
    case WEFT_GRAMMAR_JSON_OBJECT: grammar_read_object(b); return;
    }
    grammar_fail(b, WEFT_INVALID, "there is no kind of grammar %d", (int)s->kind);
}

static bool run_build(grammar_build *b, const source *s, uint32_t longest, grammar_automaton *a)
{
    if (setjmp(b->back)) return false;
    b->kept = json_array();
    if (!b->kept) grammar_fail_oom(b);
    read_source(b, s);
    grammar_lower(b, longest, a);
    grammar_trim(b, a);
    return true;
}

static weft_status build(weft_grammar *g, const source *s, weft_error *err)
{
    weft_error own;
    grammar_build *b = calloc(1, sizeof *b);
    if (!b) return WEFT_OOM_FAIL(err, "a grammar");
    b->err = err ? err : &own;
    b->origin = g->name;
    run_build(b, s, g->trie->longest, &g->a);
    const weft_status status = b->status;
    json_decref(b->kept);
    weft__arena_free(&b->arena);
    free(b);
    return status;
}

static weft_status begin(weft_grammar *g, const source *s, const char *name, weft_error *err)
{
    const size_t longest = g->trie->longest;
    g->name = malloc(strlen(name) + 1);
    /* The sets along a walk, then its bytes. */
    g->along = malloc((longest + 2) * (sizeof *g->along + 1));
    if (!g->name || !g->along) return WEFT_OOM_FAIL(err, "a grammar");
    memcpy(g->name, name, strlen(name) + 1);
    g->locks = pthread_mutex_init(&g->lock, NULL) == 0;
    if (!g->locks) return WEFT_OOM_FAIL(err, "a grammar's lock");
    WEFT_TRY(build(g, s, err));
    return grammar_pool_begin(g, err);
}

weft_status weft_grammar_parse(weft_grammar_kind kind, const char *text, size_t n, const char *name,
                               const weft_token_trie *trie, weft_grammar **out, weft_error *err)
{
    const source s = { kind, text ? text : "", text ? n : 0 };
    *out = NULL;
    weft_grammar *g = calloc(1, sizeof *g);
    if (!g) return WEFT_OOM_FAIL(err, "a grammar");
    g->trie = trie;
    const weft_status status = begin(g, &s, name, err);
    if (status)
        weft_grammar_destroy(g);
    else
        *out = g;
    return status;
}

void weft_grammar_destroy(weft_grammar *g)
{
    if (!g) return;
    if (g->locks) pthread_mutex_destroy(&g->lock);
    grammar_pool_free(&g->pool);
    grammar_automaton_free(&g->a);
    free(g->along);
    free(g->name);
    free(g);
}
