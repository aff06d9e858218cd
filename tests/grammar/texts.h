/* texts.h: what the tests of grammars share: the bundled model's tokens, and verdicts on texts. */
#ifndef TEST_GRAMMAR_TEXTS_H
#define TEST_GRAMMAR_TEXTS_H

#include <stdlib.h>

#include "models/grammar/grammar.h"
#include "tests/test.h"

#define BUNDLED WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox"

typedef struct vocabulary {
    weft_tokenizer *tok;
    weft_token_trie *trie;
    uint32_t n;
    int32_t end;
} vocabulary;

/* Two ids more than the tokenizer has, as in models that pad their rows. */
static inline bool open_vocabulary(vocabulary *v)
{
    weft_error err;
    *v = (vocabulary){ 0 };
    if (!CHECK_OK(weft_tokenizer_open(BUNDLED, &v->tok, &err), err)) return false;
    v->n = weft_tokenizer_size(v->tok) + 2;
    v->end = weft_tokenizer_find(v->tok, "<|endoftext|>");
    return CHECK(v->end >= 0) && CHECK_OK(weft_token_trie_create(v->tok, v->n, &v->end, 1, &v->trie, &err), err);
}

static inline void close_vocabulary(vocabulary *v)
{
    weft_token_trie_destroy(v->trie);
    weft_tokenizer_close(v->tok);
}

static inline weft_status parse_gbnf(const vocabulary *v, const char *text, weft_grammar **out, weft_error *err)
{
    return weft_grammar_parse(WEFT_GRAMMAR_GBNF, text, strlen(text), "test", v->trie, out, err);
}

/* "whole": the text can end here; "begun": it can go on; "refused". */
static inline const char *verdict_on(weft_grammar *g, const char *text, size_t n)
{
    weft_matcher *m;
    weft_error err;
    const char *verdict = "refused";
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return "";
    const weft_status status = weft_matcher_accept_text(m, text, n, &err);
    if (!status) verdict = weft_matcher_may_end(m) ? "whole" : "begun";
    else CHECK_EQ_INT(status, WEFT_INVALID);
    weft_matcher_destroy(m);
    return verdict;
}

#endif
