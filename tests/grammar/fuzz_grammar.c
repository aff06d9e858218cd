/* fuzz_grammar.c: any bytes as a grammar, behind a byte 0x1E a text for it; a JSON schema where the first byte is '{'.
 * Whatever comes must end, within the limits, in an answer or an error, and masks must be what single tokens say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/grammar/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte is a token, and some texts are; 0 ends a text. */
static weft_token_trie *make_trie(void)
{
    static const char *const words[] = { "ab", "abc", "\\\":", "\\\": ", "{\\\"", "12", "00", ", ", "\\n  ", "true",
                                         "null", "}}", "]}", "[[", "\\u00e9", "e\\u0301" };
    char json[8192], *p = json;
    weft_tokenizer *tok;
    weft_token_trie *trie = NULL;
    const int32_t end = 0;
    p += sprintf(p, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"<end>\": 0");
    for (int i = 0x20; i < 0x7F; i++) p += sprintf(p, ", \"%s%c\": %d", strchr("\"\\", i) ? "\\" : "", i, i);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) p += sprintf(p, ", \"%s\": %zu", words[i], 200 + i);
    sprintf(p, "}, \"merges\": []}, \"added_tokens\": []}");
    if (weft_tokenizer_parse(json, strlen(json), "fuzz", &tok, NULL)) abort();
    if (weft_token_trie_create(tok, 250, &end, 1, &trie, NULL)) abort();
    weft_tokenizer_close(tok);
    return trie;
}

/* Goes on for some steps with what a mask allows. */
static void walk(weft_matcher *m, const uint8_t *text, size_t n)
{
    uint32_t bits[8];
    for (size_t step = 0; step < 20 && !weft_matcher_must_end(m); step++) {
        int32_t pick = -1;
        const int32_t want = n ? text[step % n] : 0;
        if (weft_matcher_mask(m, bits, NULL)) return;
        for (int32_t id = 0; id < 250; id++) {
            bool may;
            if (weft_matcher_allows(m, id, &may, NULL)) return;
            if (may != (bits[id / 32] >> id % 32 & 1)) abort();
            if (may && (pick < 0 || id <= want)) pick = id;
        }
        if (pick < 0) abort();
        if (weft_matcher_accept(m, pick, NULL)) return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static weft_token_trie *trie;
    const uint8_t *cut = size ? memchr(data, 0x1E, size) : NULL, *text = cut ? cut + 1 : data;
    const size_t n = cut ? (size_t)(cut - data) : size, n_text = cut ? size - n - 1 : 0;
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    err.text[0] = 0;
    if (!trie) trie = make_trie();
    const weft_grammar_kind kind = size && *data == '{' ? WEFT_GRAMMAR_JSON_SCHEMA : WEFT_GRAMMAR_GBNF;
    const weft_status status = weft_grammar_parse(kind, (const char *)data, n, "fuzz", trie, &g, &err);
    if (status) {
        if (g || !err.text[0] || status == WEFT_INTERNAL) abort();
        return 0;
    }
    if (weft_matcher_create(g, &m, &err)) abort();
    if (!weft_matcher_accept_text(m, (const char *)text, n_text < 200 ? n_text : 200, &err) && n_text > 3)
        weft_matcher_rollback(m, text[0] % 2);
    walk(m, text, n_text);
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    return 0;
}
