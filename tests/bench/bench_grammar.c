/* bench_grammar.c: what a grammar's masks cost, token by token of a text, and which they are.
 *
 *     bench_grammar TOKENIZER gbnf|schema GRAMMAR TEXT [REPEATS]
 *
 * Standard output, one JSON object: seconds to make the trie and the grammar; for each token of TEXT (a file), and the
 * end, how many tokens may come and a hash of their ids; nanoseconds of its mask and of accepting it, the first time
 * ("cold"), and the median of later texts ("warm"). grammar.py compares with others. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "models/grammar/grammar.h"

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *data = calloc(1, 1 << 20);
    *n = f ? fread(data, 1, (1 << 20) - 1, f) : 0;
    if (f) fclose(f);
    return data;
}

static int fail(const weft_error *err)
{
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static uint64_t hash_of(const uint32_t *bits, uint32_t n_vocab, uint32_t *count)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    *count = 0;
    for (uint32_t id = 0; id < n_vocab; id++) {
        if (!(bits[id / 32] >> id % 32 & 1)) continue;
        ++*count;
        for (int i = 0; i < 4; i++) h = (h ^ (id >> 8 * i & 255)) * UINT64_C(0x100000001B3);
    }
    return h;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct times { uint64_t *mask, *accept; } times; /* [repeats][steps] */

int main(int argc, char **argv)
{
    weft_tokenizer *tok;
    weft_token_trie *trie;
    weft_grammar *g;
    weft_tokens t;
    weft_error err;
    size_t n_grammar, n_text;
    if (argc < 5) return 2;
    const size_t repeats = argc > 5 ? strtoul(argv[5], NULL, 10) : 9;
    char *grammar = read_file(argv[3], &n_grammar), *text = read_file(argv[4], &n_text);
    const weft_encode_desc desc = { .bos = WEFT_BOS_OFF, .no_template = true };
    if (weft_tokenizer_open(argv[1], &tok, &err)) return fail(&err);
    if (weft_tokenizer_encode(tok, text, n_text, &desc, &t, &err)) return fail(&err);
    const uint32_t n = weft_tokenizer_size(tok);
    const double began = weft__seconds();
    if (weft_token_trie_create(tok, n, NULL, 0, &trie, &err)) return fail(&err);
    const double made = weft__seconds();
    const bool schema = !strcmp(argv[2], "schema");
    if (weft_grammar_parse(schema ? WEFT_GRAMMAR_JSON_SCHEMA : WEFT_GRAMMAR_GBNF, grammar, n_grammar, argv[3], trie, &g,
                           &err))
        return fail(&err);
    const double parsed = weft__seconds();
    const size_t steps = t.n + 1;
    times at = { calloc(repeats * steps, sizeof(uint64_t)), calloc(repeats * steps, sizeof(uint64_t)) };
    uint32_t *bits = calloc(weft_token_trie_words(trie), sizeof *bits);
    json_t *ids = json_array(), *counts = json_array(), *hashes = json_array();
    for (size_t r = 0; r < repeats; r++) {
        weft_matcher *m;
        if (weft_matcher_create(g, &m, &err)) return fail(&err);
        for (size_t i = 0; i < steps; i++) {
            const uint64_t start = weft__nanoseconds();
            if (i + 1 < steps || !weft_matcher_must_end(m)) {
                weft_status status = weft_matcher_mask(m, bits, &err);
                if (status && !(i + 1 == steps && status == WEFT_LIMIT)) return fail(&err);
            } else {
                memset(bits, 0, weft_token_trie_words(trie) * sizeof *bits);
            }
            const uint64_t masked = weft__nanoseconds();
            if (i < t.n && weft_matcher_accept(m, t.ids[i], &err)) return fail(&err);
            at.mask[i * repeats + r] = masked - start;
            at.accept[i * repeats + r] = weft__nanoseconds() - masked;
            uint32_t count;
            char hex[20];
            if (r) continue;
            snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash_of(bits, n, &count));
            json_array_append_new(counts, json_integer(count));
            json_array_append_new(hashes, json_string(hex));
            if (i < t.n) json_array_append_new(ids, json_integer(t.ids[i]));
        }
        weft_matcher_destroy(m);
    }
    json_t *cold = json_array(), *warm = json_array(), *accept = json_array();
    for (size_t i = 0; i < steps; i++) {
        json_array_append_new(cold, json_integer((json_int_t)at.mask[i * repeats]));
        qsort(at.mask + i * repeats + 1, repeats - 1, sizeof *at.mask, by_value);
        qsort(at.accept + i * repeats, repeats, sizeof *at.accept, by_value);
        json_array_append_new(warm, json_integer((json_int_t)at.mask[i * repeats + repeats / 2]));
        json_array_append_new(accept, json_integer((json_int_t)at.accept[i * repeats + repeats / 2]));
    }
    json_t *out = json_pack("{s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "trie", made - began, "grammar", parsed - made,
                            "ids", ids, "counts", counts, "hashes", hashes, "cold", cold, "warm", warm, "accept",
                            accept);
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
    return 0;
}
