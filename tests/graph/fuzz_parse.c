/* fuzz_parse.c: any bytes as a graph's text. What reads is written so that it reads and is written the same. What
 * builds, with a configuration and a block of the caller's, must print, parse back to the same text, be a text with
 * repeats that builds the same, and survive the passes. */
#include <stdlib.h>
#include <string.h>

#include "graph/same.h"
#include "graph/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
    if (!ok) abort();
}

static void print(const weft_graph *g, weft_text *t)
{
    weft_error err;
    weft_writer w = weft_text_writer(t);
    need(weft_graph_print(g, &w, &err) == WEFT_OK);
}

static bool same(const weft_text *a, const weft_text *b)
{
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

/* ---- the formatter ---- */

/* Reads a text, which is good or is not, and writes it. */
static weft_status format(const char *text, size_t n, weft_text *out)
{
    weft_error err = { 0 };
    weft_graph_text *t;
    weft_writer w = weft_text_writer(out);
    weft_status s = weft_graph_text_read(text, n, "input", &t, &err);
    need(s == WEFT_OK ? t != NULL : !t && err.text[0] && err.status == s);
    if (s == WEFT_OK) need(weft_graph_text_format(t, &w, &err) == WEFT_OK);
    weft_graph_text_destroy(t);
    return s;
}

static void try_format(const char *text, size_t n)
{
    weft_text first = { 0 }, second = { 0 };
    if (format(text, n, &first) == WEFT_OK) {
        need(format(first.data, first.size, &second) == WEFT_OK);
        need(same(&first, &second));
    }
    weft_text_free(&first);
    weft_text_free(&second);
}

/* ---- what comes from outside of a text: by the first letters of keys and names ---- */

static int number(const void *ctx, const char *key, double *out)
{
    (void)ctx;
    *out = (double)strlen(key) / (*key == 'f' ? 4 : 1);
    return *key == 'n' || *key == 'f' ? 1 : *key == 't' ? -1 : 0;
}

static int text(const void *ctx, const char *key, const char **out)
{
    (void)ctx;
    *out = key[1] == 'a' ? "gelu" : key;
    return *key == 't' ? 1 : *key == 'n' ? -1 : 0;
}

static void emit(void *ctx, weft_graph *g, const weft_ref *in, uint32_t n_in, const weft_text_value *values,
                 weft_ref *out)
{
    (void)ctx;
    out[0] = n_in > 1 ? weft_add(g, in[0], in[1]) : weft_scale(g, in[0], (float)values[1].number);
    out[0] = weft_activation(g, out[0], values[2].act);
    if (values[0].given) weft_graph_fail(g, WEFT_UNSUPPORTED, "n is %s", values[3].word);
}

static weft_status build(const char *data, size_t n, const char *origin, weft_graph **out, weft_error *err)
{
    static const weft_config config = { .number = number, .text = text, .origin = "config" };
    static const weft_text_attr attrs[] = { { "n", WEFT_TEXT_WHOLE, true },
                                            { "by", WEFT_TEXT_NUMBER, true },
                                            { "act", WEFT_TEXT_ACT, true },
                                            { "word", WEFT_TEXT_WORD, true } };
    static const weft_text_block block = { "mix", 1, 2, 1, attrs, 4, emit };
    weft_graph_text_desc with = { .config = &config, .blocks = &block, .n_blocks = 1 };
    return weft_graph_parse_with(data, n, origin, NULL, &with, out, err);
}

/* ---- what is built ---- */

/* A text of version 2 that a graph is made into. */
static void try_text_of(const weft_graph *g)
{
    weft_error err;
    weft_graph_text *t;
    weft_graph *back;
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    need(weft_graph_text_of(g, &t, &err) == WEFT_OK);
    need(weft_graph_text_format(t, &w, &err) == WEFT_OK);
    need(build(text.data, text.size, "text", &back, &err) == WEFT_OK);
    need(weft__graph_same(g, back, &err) == WEFT_OK);
    weft_graph_destroy(back);
    weft_graph_text_destroy(t);
    weft_text_free(&text);
}

static void try_passes(weft_graph *g)
{
    weft_error err;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) weft_node_cost(g, weft_graph_node(g, i), NULL);
    if (weft_graph_optimise(g, NULL, 0, &err) == WEFT_OK) need(weft_graph_verify(g, &err) == WEFT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_error err;
    weft_graph *g, *back;
    weft_text first = { 0 }, second = { 0 };
    try_format((const char *)data, size);
    if (build((const char *)data, size, "input", &g, &err) != WEFT_OK) {
        need(!g && err.text[0]);
        return 0;
    }
    print(g, &first);
    need(build(first.data, first.size, "printed", &back, &err) == WEFT_OK);
    print(back, &second);
    need(same(&first, &second));
    if (weft_graph_node_count(g) < 5000) {
        try_text_of(g);
        try_passes(back);
    }
    weft_graph_destroy(back);
    weft_graph_destroy(g);
    weft_text_free(&first);
    weft_text_free(&second);
    return 0;
}
