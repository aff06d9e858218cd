/* schema_texts.c: random documents that a schema's grammar allows, and what it says of given ones. Python's
 * jsonschema holds the documents against the schema (check_schemas.py). Standard input: lines {"schema": ..., "texts":
 * [...], "n": N, "seed": S}. Standard output: {"fault": "..."} or {"verdicts": [...], "made": [...]} for each. */
#include <jansson.h>

#include "texts.h"

weft_test_state weft_test_now;

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* One of the tokens that may come; of every second step one that ends or separates something, if there is one. */
static int32_t pick(const vocabulary *v, const uint32_t *bits, uint64_t *seed)
{
    int32_t any = -1, closing = -1;
    uint32_t n = 0, n_closing = 0;
    for (uint32_t id = 0; id < v->n; id++) {
        size_t size;
        if (!(bits[id / 32] >> id % 32 & 1)) continue;
        if (next_random(seed) % ++n == 0) any = (int32_t)id;
        const char *bytes = weft_tokenizer_bytes(v->tok, (int32_t)id, &size);
        bool closes = (int32_t)id == v->end;
        for (size_t i = 0; bytes && i < size; i++) closes |= strchr("\"}],:.@", bytes[i]) != NULL;
        if (closes && next_random(seed) % ++n_closing == 0) closing = (int32_t)id;
    }
    return closing >= 0 && next_random(seed) % 2 ? closing : any;
}

/* A text to its end; NULL: it did not come to one. */
static json_t *make_text(const vocabulary *v, weft_grammar *g, uint64_t *seed)
{
    enum { STEPS = 300 };
    weft_matcher *m;
    weft_error err;
    char text[8192];
    size_t n = 0;
    bool ended = false;
    uint32_t *bits = calloc(weft_token_trie_words(v->trie), sizeof *bits);
    if (weft_matcher_create(g, &m, &err)) return NULL;
    for (int i = 0; i < STEPS && !ended; i++) {
        size_t size;
        if (!CHECK_OK(weft_matcher_mask(m, bits, &err), err)) break;
        const int32_t token = pick(v, bits, seed);
        if (!CHECK_OK(weft_matcher_accept(m, token, &err), err)) break;
        ended = token == v->end;
        const char *bytes = weft_tokenizer_bytes(v->tok, token, &size);
        if (ended || n + size > sizeof text) continue;
        memcpy(text + n, bytes, size);
        n += size;
    }
    weft_matcher_destroy(m);
    free(bits);
    return ended ? json_stringn(text, n) : NULL;
}

static json_t *answer(const vocabulary *v, const json_t *line)
{
    weft_grammar *g;
    weft_error err;
    json_t *verdicts = json_array(), *made = json_array(), *text;
    size_t i;
    char *schema = json_dumps(json_object_get(line, "schema"), JSON_ENCODE_ANY);
    uint64_t seed = (uint64_t)json_integer_value(json_object_get(line, "seed"));
    const weft_status status =
        weft_grammar_parse(WEFT_GRAMMAR_JSON_SCHEMA, schema, strlen(schema), "schema", v->trie, &g, &err);
    free(schema);
    if (status) {
        json_decref(verdicts);
        json_decref(made);
        return json_pack("{s:s, s:s}", "fault", err.text, "status", weft_status_name(status));
    }
    json_array_foreach(json_object_get(line, "texts"), i, text)
        json_array_append_new(verdicts, json_string(verdict_on(g, json_string_value(text), json_string_length(text))));
    for (json_int_t k = json_integer_value(json_object_get(line, "n")); k > 0; k--) {
        json_t *one = make_text(v, g, &seed);
        if (one) json_array_append_new(made, one);
    }
    weft_grammar_destroy(g);
    return json_pack("{s:o, s:o}", "verdicts", verdicts, "made", made);
}

int main(void)
{
    static char line[1 << 20];
    vocabulary v;
    if (!open_vocabulary(&v)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        json_t *root = json_loads(line, 0, NULL), *out = answer(&v, root);
        char *text = json_dumps(out, JSON_COMPACT);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(root);
        json_decref(out);
    }
    close_vocabulary(&v);
    return weft_test_now.failures != 0;
}
