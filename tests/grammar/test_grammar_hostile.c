/* test_grammar_hostile.c: schemas and expressions that are short for what they would make, and other locales. */
#include <locale.h>

#include "models/grammar/match_impl.h"
#include "models/grammar/schema_impl.h"
#include "texts.h"

static weft_status parse_schema(const vocabulary *v, const char *text, weft_grammar **out, weft_error *err)
{
    return weft_grammar_parse(WEFT_GRAMMAR_JSON_SCHEMA, text, strlen(text), "test", v->trie, out, err);
}

enum { SIZE = 400000 };

/* The parts of schemas are put together again for each of a list. */
static void merging_is_bounded(void)
{
    static char text[SIZE];
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    if (!open_vocabulary(&v)) return;
    for (int row = 0; row < 4; row++) {
        char *p = text + sprintf(text, "{\"type\": \"object\", \"$defs\": {\"a\": {");
        p += sprintf(p, "%s", row % 2 ? "\"required\": [" : "\"properties\": {");
        for (int i = 0; i < 3000; i++) p += sprintf(p, "%s\"k%d\"%s", i ? "," : "", i, row % 2 ? "" : ": {}");
        p += sprintf(p, "%s}, \"b\": {\"%s\": [", row % 2 ? "]" : "}", row < 2 ? "allOf" : "anyOf");
        for (int i = 0; i < 400; i++)
            p += sprintf(p, "%s{%s, \"title\": \"%d\"}", i ? "," : "",
                         row < 2 ? "\"$ref\": \"#/$defs/a\"" : "\"required\": [\"x\"]", i);
        sprintf(p, "]}}, \"allOf\": [{\"$ref\": \"#/$defs/a\"}, {\"$ref\": \"#/$defs/b\"}]}");
        CHECK_STATUS(parse_schema(&v, text, &g, &err), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "too much to put together");
        weft_grammar_destroy(g);
    }
    close_vocabulary(&v);
}

/* Values are compared each with each. */
static void comparing_is_bounded(void)
{
    static char text[SIZE];
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    if (!open_vocabulary(&v)) return;
    for (int row = 0; row < 2; row++) {
        const char *key = row ? "enum" : "type";
        char *p = text + sprintf(text, "{\"allOf\": [{");
        p += sprintf(p, "\"%s\": [", key);
        for (int i = 0; i < 5000; i++) p += sprintf(p, "%s\"string\"", i ? "," : "");
        p += sprintf(p, "]}, {\"%s\": [", key);
        for (int i = 0; i < 5001; i++) p += sprintf(p, "%s\"string\"", i ? "," : "");
        sprintf(p, "]}]}");
        CHECK_STATUS(parse_schema(&v, text, &g, &err), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "too much to put together");
        weft_grammar_destroy(g);
    }
    close_vocabulary(&v);
}

/* The memory that an expression needs for each of its escapes. */
static void escapes_are_small(void)
{
    enum { N = 2000, EACH = 1500 };
    static char text[2 * N + 1];
    static grammar_build b;
    weft_error err;
    b.err = &err;
    b.origin = "test";
    for (int i = 0; i < N; i++) memcpy(text + 2 * i, "\\d", 2);
    if (!setjmp(b.back)) {
        const grammar_node *node = grammar_regex(&b, text, 2 * N, "#");
        CHECK(node != NULL);
        if (!CHECK(b.arena.total < (size_t)N * EACH)) printf("  %zu bytes\n", b.arena.total);
    } else {
        CHECK(false); /* no fault was to be found */
    }
    weft__arena_free(&b.arena);
}

/* Places with different stacks behind which the same tokens go on: the trie is walked once for all. */
static void open_nodes_are_walked_once(void)
{
    enum { WAYS = 200 };
    static char text[SIZE];
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    uint32_t work[2];
    if (!open_vocabulary(&v)) return;
    uint32_t *bits = calloc(weft_token_trie_words(v.trie), sizeof *bits);
    for (int k = 0; k < 2; k++) {
        char *p = text + sprintf(text, "root ::= ");
        for (int i = 0; i < (k ? WAYS : 1); i++) p += sprintf(p, "%sx [a-z]* \"%d\"", i ? " | " : "", k ? i : 0);
        sprintf(p, "\nx ::= [a-z] [a-z]");
        if (!CHECK_OK(parse_gbnf(&v, text, &g, &err), err)) return;
        if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
        CHECK_OK(weft_matcher_mask(m, bits, &err), err);
        work[k] = g->pool.work;
        weft_matcher_destroy(m);
        weft_grammar_destroy(g);
    }
    if (!CHECK(work[0] && work[1] < 10 * work[0])) printf("  %u and %u steps\n", work[0], work[1]);
    free(bits);
    close_vocabulary(&v);
}

/* Numbers are written with a point, whatever locale the program has set. */
static void numbers_ignore_the_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" };
    static const char schema[] = "{\"type\": \"array\", \"prefixItems\": [{\"const\": 1.5}, {\"type\": \"number\", "
                                 "\"minimum\": 0.25, \"maximum\": 0.75}], \"items\": false}";
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    bool found = false;
    if (!open_vocabulary(&v)) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!setlocale(LC_ALL, names[i])) continue;
        found = true;
        const weft_status status = parse_schema(&v, schema, &g, &err);
        setlocale(LC_ALL, "C");
        if (!CHECK_OK(status, err)) break;
        CHECK_STR(verdict_on(g, "[1.5, 0.5]", 10), "whole");
        CHECK_STR(verdict_on(g, "[1.5, 0.8", 9), "refused");
        CHECK_STR(verdict_on(g, "[1,5", 4), "refused");
        weft_grammar_destroy(g);
    }
    close_vocabulary(&v);
    if (!found) TEST_SKIP("no locale with a decimal comma is installed");
}

static const weft_test tests[] = {
    { "merging_is_bounded", merging_is_bounded },
    { "comparing_is_bounded", comparing_is_bounded },
    { "escapes_are_small", escapes_are_small },
    { "open_nodes_are_walked_once", open_nodes_are_walked_once },
    { "numbers_ignore_the_locale", numbers_ignore_the_locale },
};

TEST_MAIN(tests)
