/* test_grammar_memory.c: grammars where each allocation in turn fails. */
#include "tests/oom.h"
#include "texts.h"

static weft_status use(const vocabulary *v, weft_grammar_kind kind, const char *grammar, const char *text,
                       uint32_t *bits, weft_error *err)
{
    weft_grammar *g = NULL;
    weft_matcher *m = NULL, *other = NULL;
    bool may;
    weft_status status = weft_grammar_parse(kind, grammar, strlen(grammar), "test", v->trie, &g, err);
    if (!status) status = weft_matcher_create(g, &m, err);
    if (!status) status = weft_matcher_mask(m, bits, err);
    if (!status) status = weft_matcher_accept_text(m, text, strlen(text), err);
    if (!status) status = weft_matcher_mask(m, bits, err);
    if (!status) status = weft_matcher_fork(m, &other, err);
    if (!status) status = weft_matcher_allows(other, 5, &may, err);
    if (!status) status = weft_matcher_mask(other, bits, err);
    weft_matcher_destroy(other);
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    return status;
}

static void grammars_survive(void)
{
    vocabulary v;
    if (!open_vocabulary(&v)) return;
    uint32_t *bits = calloc(weft_token_trie_words(v.trie), sizeof *bits);
    OOM_LOOP (n) {
        weft_error err;
        static const char grammar[] = "root ::= x{5,200} (\"(\" root \")\")?\nx ::= [a-c\xc3\xa9]";
        const weft_status status = use(&v, WEFT_GRAMMAR_GBNF, grammar, "abcabca", bits, &err);
        OOM_CHECK(status, err);
    }
    OOM_LOOP (n) {
        weft_error err;
        const weft_status status = use(&v, WEFT_GRAMMAR_JSON_OBJECT, "", "{\"a\": [1", bits, &err);
        OOM_CHECK(status, err);
    }
    OOM_LOOP (n) {
        weft_error err;
        static const char schema[] =
            "{\"$defs\": {\"s\": {\"type\": \"string\", \"maxLength\": 4}}, \"type\": \"object\", \"properties\": {"
            "\"a\": {\"$ref\": \"#/$defs/s\", \"minLength\": 1}, \"b\": {\"anyOf\": [{\"const\": [1.5, {\"x\": 1}]}, "
            "{\"type\": \"number\", \"minimum\": -2.5}, {\"pattern\": \"^[a-c]+\\\\d?\"}]}}, \"required\": [\"a\"]}";
        const weft_status status = use(&v, WEFT_GRAMMAR_JSON_SCHEMA, schema, "{\"a\": \"x\"", bits, &err);
        OOM_CHECK(status, err);
    }
    free(bits);
    close_vocabulary(&v);
}

static void tries_survive(void)
{
    weft_tokenizer *tok;
    weft_error err;
    if (!CHECK_OK(weft_tokenizer_open(BUNDLED, &tok, &err), err)) return;
    OOM_LOOP (n) {
        weft_token_trie *trie;
        const int32_t end = 0;
        const weft_status status = weft_token_trie_create(tok, 4000, &end, 1, &trie, &err);
        OOM_CHECK(status, err);
        weft_token_trie_destroy(trie);
    }
    weft_tokenizer_close(tok);
}

static const weft_test tests[] = {
    { "grammars_survive", grammars_survive },
    { "tries_survive", tries_survive },
};

TEST_MAIN(tests)
