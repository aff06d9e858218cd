/* test_language_docs.c: the listings of docs/graph-text.md, and the texts of the tree. All are in the form of the
 * formatter; those with a first line are whole, and build; the broken ones give the error that stands below them. */
#include <dirent.h>

#include "golden.h"
#include "graph/text/grammar.h"
#include "language.h"

enum { MOST = 20000 };

/* Lines from `at` on up to one that begins with ```, which is passed. */
static const char *take_block(const char *at, char out[MOST])
{
    size_t n = 0;
    while (*at && strncmp(at, "```", 3)) {
        size_t line = strcspn(at, "\n") + 1;
        if (!CHECK(n + line < MOST)) break;
        memcpy(out + n, at, line);
        n += line;
        at += line;
    }
    out[n] = 0;
    return at + strcspn(at, "\n");
}

/* The text after the next line that is `fence`; NULL: there is none. */
static const char *find_fence(const char *at, const char *fence)
{
    size_t n = strlen(fence);
    for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (!strncmp(at, fence, n) && at[n] == '\n') return at + n + 1;
    return NULL;
}

static char *read_page(void)
{
    char *page = golden_read(WEFT_TEST_ROOT "/docs/graph-text.md");
    CHECK(page != NULL);
    return page;
}

/* A listing without a first line is a part of a text. */
static void check_listing(const char *listing)
{
    bool whole = !strncmp(listing, "weft-graph ", 11);
    char text[MOST + 20];
    snprintf(text, sizeof text, "%s%s", whole ? "" : "weft-graph 2\n", listing);
    language_check(text, text);
    weft_error err = { 0 };
    weft_graph *g = NULL;
    if (whole) CHECK_OK(weft_graph_parse(text, strlen(text), "docs", NULL, &g, &err), err);
    if (!whole) { /* it lacks outputs alone */
        CHECK(weft_graph_parse(text, strlen(text), "docs", NULL, &g, &err) == WEFT_INVALID);
        CHECK_STR(err.text, "docs: the graph has no output");
    }
    weft_graph_destroy(g);
}

static void listings(void)
{
    char *page = read_page(), listing[MOST];
    unsigned n = 0;
    for (const char *at = page; at && (at = find_fence(at, "```weft"));) {
        at = take_block(at, listing);
        unsigned failed = weft_test_now.failures;
        check_listing(listing);
        if (weft_test_now.failures > failed) printf("%s\n", listing);
        n++;
    }
    CHECK(n > 5);
    free(page);
}

static void errors(void)
{
    char *page = read_page(), listing[MOST], want[MOST];
    unsigned n = 0;
    for (const char *at = page; at && (at = find_fence(at, "```weft broken"));) {
        weft_error err = { 0 };
        weft_graph *g;
        at = find_fence(take_block(at, listing), "```");
        if (!CHECK(at != NULL)) break;
        at = take_block(at, want);
        CHECK(weft_graph_parse(listing, strlen(listing), "my.weft", NULL, &g, &err) != WEFT_OK);
        want[strlen(want) - 1] = 0;
        CHECK_STR(err.text, want);
        n++;
    }
    CHECK(n > 1);
    free(page);
}

/* The grammar begins statements with the words that the reader knows. */
static void grammar(void)
{
    char *page = read_page(), rules[MOST], word[80];
    const char *at = page ? find_fence(page, "```ebnf") : NULL;
    if (CHECK(at != NULL)) {
        take_block(at, rules);
        for (unsigned k = 0; k < STMT_KINDS; k++) {
            snprintf(word, sizeof word, "\"%s\"", weft__statement_get((weft__stmt_kind)k)->word);
            if (k != STMT_NODE) CHECK_CONTAINS(rules, word);
        }
        const weft__operator *o;
        for (uint32_t i = 0; (o = weft__operator_get(i)); i++) {
            snprintf(word, sizeof word, "\"%s\"", o->sign);
            CHECK_CONTAINS(rules, word);
        }
    }
    free(page);
}

static void check_folder(const char *name)
{
    char path[1024];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", WEFT_TEST_ROOT, name);
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".weft") != 0) continue;
        snprintf(path, sizeof path, "%s/%s/%s", WEFT_TEST_ROOT, name, e->d_name);
        char *text = golden_read(path);
        if (CHECK(text != NULL)) language_check(text, text);
        free(text);
        n++;
    }
    CHECK(n > 0);
    if (folder) closedir(folder);
}

static void texts_of_the_tree(void)
{
    check_folder("examples");
    check_folder("tests/models");
}

static const weft_test tests[] = {
    { "listings", listings },
    { "errors", errors },
    { "grammar", grammar },
    { "texts_of_the_tree", texts_of_the_tree },
};
GOLDEN_MAIN(tests)
