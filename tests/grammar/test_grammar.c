/* test_grammar.c: grammars against llama.cpp's verdicts, masks against each token by itself, limits, places in texts,
 * picking. */
#include <jansson.h>
#include <math.h>
#include <pthread.h>

#include "models/grammar/match_impl.h"
#include "texts.h"

/* ---- GBNF ---- */

static void check_row(const vocabulary *v, const json_t *row)
{
    const char *grammar = json_string_value(json_object_get(row, "grammar")), *text;
    const char *want = json_string_value(json_object_get(row, "verdict")), *differs;
    json_t *verdict;
    weft_grammar *g;
    weft_error err;
    if ((differs = json_string_value(json_object_get(row, "differs")))) want = differs;
    const weft_status status = parse_gbnf(v, grammar, &g, &err);
    if (!CHECK_STR(status ? "fault" : "fine", want)) printf("  %s\n  %s\n", grammar, status ? err.text : "");
    json_object_foreach(json_object_get(row, "texts"), text, verdict) if (!status)
    {
        const char *got = verdict_on(g, text, strlen(text));
        if (!CHECK_STR(got, json_string_value(verdict))) printf("  %s\n  on \"%s\"\n", grammar, text);
    }
    weft_grammar_destroy(g);
}

static void gbnf_as_llama(void)
{
    vocabulary v;
    size_t i;
    json_t *rows = json_load_file(WEFT_TEST_ROOT "/tests/grammar/gbnf.json", 0, NULL), *row;
    if (!CHECK(json_array_size(rows) > 50) || !open_vocabulary(&v)) return;
    json_array_foreach(rows, i, row) check_row(&v, row);
    close_vocabulary(&v);
    json_decref(rows);
}

static void errors_say_where(void)
{
    static const struct {
        const char *text, *where, *why;
    } rows[] = {
        { "root ::= \"a\" |\n  foo", "test: line 2, column 3: ", "there is no rule 'foo'" },
        { "root ::= \"\xc3\xa9\xc3\xa9\" [a", "line 1, column 15: ", "a class that does not end" },
        { "root ::= \"a\n", "line 1, column 10: ", "quotes that does not end" },
        { "root ::= (\"a\"\n", "line 1, column 10: ", "a parenthesis that is not closed" },
        { "root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: ", "a second rule" },
        { "root ::= <[12]>", "line 1, column 10: ", "tokens" },
        { "root ::= \"\\q\"", "line 1, column 11: ", "an escape" },
        { "root ::= \"a\"{200000}", "line 1, column 14: ", "repetitions" },
        { "root ::= x\nx ::= \"a\"? y\ny ::= x | \"b\"", "left recursion", "x -> y -> x" },
        { "root ::= \"a\" root", "no text matches", "" },
        { "x ::= \"a\"", "there is no rule 'root'", "" },
        { "root ::= \"\xff\"", "UTF-8", "" },
        { "root ::= \"a\" | = \"b\"", "line 1, column 16: ", "the end of the line" },
    };
    vocabulary v;
    if (!open_vocabulary(&v)) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_grammar *g;
        weft_error err = { 0 };
        CHECK(parse_gbnf(&v, rows[i].text, &g, &err) != WEFT_OK);
        CHECK(!g);
        CHECK_CONTAINS(err.text, rows[i].where);
        CHECK_CONTAINS(err.text, rows[i].why);
    }
    close_vocabulary(&v);
}

/* ---- masks ---- */

static bool has_bit(const uint32_t *bits, uint32_t i)
{
    return bits[i / 32] >> i % 32 & 1;
}

/* Each token by itself: whether its bytes may come. */
static bool may_come(const vocabulary *v, weft_matcher *m, uint32_t id)
{
    size_t n;
    weft_error err;
    if ((int32_t)id == v->end) return weft_matcher_may_end(m);
    const char *bytes = weft_tokenizer_bytes(v->tok, (int32_t)id, &n);
    if (!bytes || !n || weft_tokenizer_is_special(v->tok, (int32_t)id)) return false;
    if (weft_matcher_accept_text(m, bytes, n, &err)) return false;
    weft_matcher_rollback(m, 1);
    return true;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Walks a random text that the grammar allows, and holds each mask on the way against all tokens. */
static void check_masks(const vocabulary *v, const char *grammar, weft_grammar_kind kind, uint32_t steps, uint64_t seed)
{
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    uint32_t *bits = calloc(weft_token_trie_words(v->trie), sizeof *bits);
    if (!CHECK_OK(weft_grammar_parse(kind, grammar, strlen(grammar), "test", v->trie, &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    for (uint32_t step = 0; step < steps && !weft_matcher_must_end(m); step++) {
        uint32_t differ = 0, allowed = 0, pick = 0;
        if (!CHECK_OK(weft_matcher_mask(m, bits, &err), err)) break;
        for (uint32_t id = 0; id < v->n; id++) {
            differ += has_bit(bits, id) != may_come(v, m, id);
            if (has_bit(bits, id) && (int32_t)id != v->end && next_random(&seed) % ++allowed == 0) pick = id;
        }
        if (!CHECK_EQ_INT(differ, 0)) printf("  step %u of %s\n", step, grammar);
        CHECK(allowed > 0);
        CHECK_OK(weft_matcher_accept(m, (int32_t)pick, &err), err);
    }
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    free(bits);
}

static const char *const grammars[] = {
    "root ::= [a-z ]+ \".\"",
    "root ::= (\"The \" [a-z]{1,9} \" said, \" [^\\n]+ \"\\n\")+",
    "root ::= \"(\" root \")\" | [0-9]+ ([-+*/] root)?",
    "root ::= word (\" \" word)* \"\\n\"\nword ::= [A-Za-z]+ | [^\\x00-\\x7F]{1,3}",
    "root ::= [a-z ]{300,400} \"!\"",
    "root ::= (\"ab\" | \"a\"){2,150} \"c\"*",
    "root ::= x{0,3} [\\U0001F600-\\U0001F64F]\nx ::= . .",
};

static void masks_are_what_may_come(void)
{
    vocabulary v;
    if (!open_vocabulary(&v)) return;
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++)
        check_masks(&v, grammars[i], WEFT_GRAMMAR_GBNF, 30, i);
    for (uint64_t seed = 0; seed < 3; seed++) check_masks(&v, "", WEFT_GRAMMAR_JSON_OBJECT, 40, seed);
    close_vocabulary(&v);
}

/* ---- masks of others ---- */

static void hash_mask(const uint32_t *bits, const vocabulary *v, char hex[20], uint32_t *count)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    *count = 0;
    for (uint32_t id = 0; id < v->n; id++) {
        if (!has_bit(bits, id) || (int32_t)id == v->end) continue;
        ++*count;
        for (int i = 0; i < 4; i++) h = (h ^ (id >> 8 * i & 255)) * UINT64_C(0x100000001B3);
    }
    snprintf(hex, 20, "%016" PRIx64, h);
}

static void check_text(const vocabulary *v, const json_t *row)
{
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    const json_t *ids = json_object_get(row, "ids"), *hashes = json_object_get(row, "hashes");
    uint32_t *bits = calloc(weft_token_trie_words(v->trie), sizeof *bits);
    if (!CHECK_OK(parse_gbnf(v, json_string_value(json_object_get(row, "grammar")), &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    for (size_t i = 0; i < json_array_size(hashes); i++) {
        char hex[20];
        uint32_t count;
        CHECK_OK(weft_matcher_mask(m, bits, &err), err);
        hash_mask(bits, v, hex, &count);
        CHECK_EQ_INT(count, json_integer_value(json_array_get(json_object_get(row, "counts"), i)));
        CHECK_STR(hex, json_string_value(json_array_get(hashes, i)));
        if (i == json_array_size(ids)) break;
        CHECK_OK(weft_matcher_accept(m, (int32_t)json_integer_value(json_array_get(ids, i)), &err), err);
    }
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    free(bits);
}

/* What llguidance and xgrammar agree on (masks.json, which make_masks.py writes). */
static void masks_are_those_of_others(void)
{
    vocabulary v;
    size_t i;
    json_t *rows = json_load_file(WEFT_TEST_ROOT "/tests/grammar/masks.json", 0, NULL), *row;
    if (!CHECK(json_array_size(rows) > 2) || !open_vocabulary(&v)) return;
    json_array_foreach(rows, i, row) check_text(&v, row);
    close_vocabulary(&v);
    json_decref(rows);
}

/* ---- limits ---- */

static void limits_hold(void)
{
    static const struct {
        const char *text;
        weft_status status;
    } rows[] = {
        { "root ::= (\"a\" [a-z]{90000} \"b\"){3} \"a\" [a-z]{90000} [a-z]{90000}", WEFT_LIMIT },
        { "root ::= [a-z]{100000}{100000}", WEFT_OK },
        { "root ::= ((((((\"ab\"{9}){9}){9}){9}){9}){9}){9}", WEFT_OK },
        { "root ::= [\\u0080-\\U0010FFFF]{100000}", WEFT_LIMIT },
    };
    static char deep[4000];
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    if (!open_vocabulary(&v)) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STATUS(parse_gbnf(&v, rows[i].text, &g, &err), rows[i].status, err);
        weft_grammar_destroy(g);
    }
    snprintf(deep, sizeof deep, "root ::= ");
    memset(deep + 9, '(', 2000);
    CHECK_STATUS(parse_gbnf(&v, deep, &g, &err), WEFT_LIMIT, err);
    close_vocabulary(&v);
}

/* Texts that are short, and would be work without end. */
static void hostile_texts_end(void)
{
    static char text[8000];
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    char *p = text;
    if (!open_vocabulary(&v)) return;
    p += sprintf(text, "root ::= \"a\"");
    memset(p, '?', 3000);
    CHECK_STATUS(parse_gbnf(&v, text, &g, &err), WEFT_LIMIT, err);
    p = text + sprintf(text, "{\"$ref\": \"#/$defs/a40\", \"type\": \"object\", \"$defs\": {\"a0\": {}");
    for (int i = 1; i <= 40; i++)
        p += sprintf(p, ", \"a%d\": {\"allOf\": [{\"$ref\": \"#/$defs/a%d\"}, {\"$ref\": \"#/$defs/a%d\"}]}", i,
                     i - 1, i - 1);
    sprintf(p, "}}");
    CHECK_STATUS(weft_grammar_parse(WEFT_GRAMMAR_JSON_SCHEMA, text, strlen(text), "test", v.trie, &g, &err), WEFT_LIMIT,
                 err);
    CHECK_CONTAINS(err.text, "put together");
    close_vocabulary(&v);
}

/* Many readings, each step of which has many edges: masks end, in an answer or LIMIT. */
static void work_is_bounded(void)
{
    static char text[20000];
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    char *p = text + sprintf(text, "root ::= x{0,1500} x{0,1500} \"!\"\nx ::= \"~\"");
    if (!open_vocabulary(&v)) return;
    uint32_t *bits = calloc(weft_token_trie_words(v.trie), sizeof *bits);
    for (int c = '0'; c <= 'z'; c++)
        if (c != '\\' && c != ']' && c != '[') p += sprintf(p, " | \"%c\" [%c-z]", c, c);
    if (!CHECK_OK(parse_gbnf(&v, text, &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    weft_status status = weft_matcher_mask(m, bits, &err);
    for (int i = 0; i < 300 && !status; i++) status = weft_matcher_accept_text(m, "~", 1, &err);
    if (!status) status = weft_matcher_mask(m, bits, &err);
    CHECK(!status || status == WEFT_LIMIT);
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    free(bits);
    close_vocabulary(&v);
}

/* After n bytes there are 2^n readings, none like another. */
static void ambiguity_is_bounded(void)
{
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    weft_status status = WEFT_OK;
    if (!open_vocabulary(&v)) return;
    if (!CHECK_OK(parse_gbnf(&v, "root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"", &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    for (int i = 0; i < 30 && !status; i++) status = weft_matcher_accept_text(m, "a", 1, &err);
    CHECK_STATUS(status, WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "ambiguous");
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    close_vocabulary(&v);
}

/* A text as deep as it may be, and long ones: what was learnt goes, where the matcher stands stays. */
static void depth_and_memory_are_bounded(void)
{
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m;
    weft_error err;
    uint32_t depth = 0;
    if (!open_vocabulary(&v)) return;
    uint32_t *bits = calloc(weft_token_trie_words(v.trie), sizeof *bits);
    if (!CHECK_OK(parse_gbnf(&v, "root ::= \"[\" root? \"]\"", &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    while (depth < 10000 && weft_matcher_accept_text(m, "[", 1, &err) == WEFT_OK) depth++;
    CHECK_EQ_INT(depth, WEFT_GRAMMAR_MAX_DEPTH + 1);
    CHECK_OK(weft_matcher_mask(m, bits, &err), err);
    for (uint32_t i = 0; i < depth; i++) CHECK_OK(weft_matcher_accept_text(m, "]", 1, &err), err);
    CHECK(weft_matcher_must_end(m));
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    free(bits);
    close_vocabulary(&v);
}

/* Each turn of the repetition is a set of its own, until the memory is collected. */
static void memory_is_collected(void)
{
    enum { STEPS = 95000, EARLY = 900 };
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m, *early;
    weft_error err;
    char text[4000], *p = text;
    if (!open_vocabulary(&v)) return;
    p += sprintf(p, "root ::= x{%d} \"!\"\nx ::= \"Z\" [a-z]", STEPS);
    for (int c = '#'; c < '}'; c++) p += sprintf(p, " | \"\\x%02x\"", c); /* each byte is a class of its own */
    for (int c = 0x80; c < 0xC0; c++) p += sprintf(p, " | \"\\u%04x\"", c);
    const uint32_t words = weft_token_trie_words(v.trie);
    uint32_t *bits = calloc(words, sizeof *bits), *before = calloc(words, sizeof *before);
    if (!CHECK_OK(parse_gbnf(&v, text, &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    for (int i = 0; i < EARLY; i++) CHECK_OK(weft_matcher_accept_text(m, "A", 1, &err), err);
    if (!CHECK_OK(weft_matcher_fork(m, &early, &err), err)) return;
    weft_matcher_rollback(m, EARLY);
    CHECK_OK(weft_matcher_mask(early, before, &err), err);
    for (int i = 0; i < STEPS; i++) {
        CHECK_OK(weft_matcher_accept_text(m, "Z", 1, &err), err);
        if (i % 3000 == 2999) CHECK_OK(weft_matcher_mask(m, bits, &err), err);
    }
    CHECK_STATUS(weft_matcher_accept_text(m, "Z", 1, &err), WEFT_INVALID, err);
    CHECK_OK(weft_matcher_accept_text(m, "!", 1, &err), err);
    if (!CHECK(g->pool.collect_at > 0)) printf("  %zu bytes, %zu sets\n", g->pool.bytes, g->pool.n_sets);
    CHECK_OK(weft_matcher_mask(early, bits, &err), err);
    CHECK(!memcmp(bits, before, words * sizeof *bits));
    weft_matcher_rollback(m, 2);
    CHECK_STATUS(weft_matcher_accept_text(m, "!", 1, &err), WEFT_INVALID, err);
    CHECK_OK(weft_matcher_accept_text(m, "Z!", 2, &err), err);
    weft_matcher_destroy(early);
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    free(bits);
    free(before);
    close_vocabulary(&v);
}

/* ---- places ---- */

static void steps_are_taken_back(void)
{
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m, *other;
    weft_error err;
    if (!open_vocabulary(&v)) return;
    if (!CHECK_OK(parse_gbnf(&v, "root ::= \"a\" \"b\"* \"c\"", &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    CHECK(!weft_matcher_may_end(m));
    CHECK_STATUS(weft_matcher_accept(m, v.end, &err), WEFT_INVALID, err);
    CHECK_OK(weft_matcher_accept_text(m, "abb", 3, &err), err);
    CHECK_STATUS(weft_matcher_accept_text(m, "a", 1, &err), WEFT_INVALID, err);
    if (!CHECK_OK(weft_matcher_fork(m, &other, &err), err)) return;
    CHECK_OK(weft_matcher_accept_text(m, "c", 1, &err), err);
    CHECK(weft_matcher_may_end(m) && weft_matcher_must_end(m));
    CHECK(!weft_matcher_may_end(other));
    CHECK_OK(weft_matcher_accept(m, v.end, &err), err);
    CHECK_STATUS(weft_matcher_accept(m, v.end, &err), WEFT_INVALID, err);
    weft_matcher_rollback(m, 2);
    CHECK_OK(weft_matcher_accept_text(m, "bc", 2, &err), err);
    weft_matcher_rollback(m, 100);
    CHECK_STATUS(weft_matcher_accept_text(m, "b", 1, &err), WEFT_INVALID, err);
    CHECK_OK(weft_matcher_accept_text(other, "bbc", 3, &err), err);
    weft_matcher_rollback(other, 2);
    CHECK_STATUS(weft_matcher_accept_text(other, "b", 1, &err), WEFT_INVALID, err);
    for (int32_t id = -2; id < 0; id++) {
        bool may;
        CHECK_OK(weft_matcher_allows(m, id, &may, &err), err);
        CHECK(!may);
    }
    weft_matcher_destroy(other);
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    close_vocabulary(&v);
}

/* ---- picking ---- */

enum { ROUNDS = 1500 };

/* How often each token is picked first, by either way. */
static void count_picks(const vocabulary *v, weft_grammar *g, const float *logits, bool first, uint32_t *counts)
{
    weft_sampler *s;
    weft_matcher *m;
    weft_error err;
    const weft_sampling how = { .temperature = 1.5f, .seed = first };
    float *own = malloc(v->n * sizeof *own);
    CHECK(weft_sampling_may_pick_first(&how));
    if (!CHECK_OK(weft_sampler_create(&how, v->n, &s, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    for (int i = 0; i < ROUNDS; i++) {
        int32_t token;
        memcpy(own, logits, v->n * sizeof *own);
        if (!CHECK_OK(weft_matcher_pick(m, s, first, own, NULL, 0, &token, &err), err)) break;
        counts[token]++;
        weft_matcher_rollback(m, 1);
    }
    weft_matcher_destroy(m);
    weft_sampler_destroy(s);
    free(own);
}

/* Picking first gives each token the probability that it has among those that may come. */
static void picks_have_their_probabilities(void)
{
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    uint64_t seed = 5;
    double total = 0;
    if (!open_vocabulary(&v)) return;
    float *logits = calloc(v.n, sizeof *logits);
    uint32_t *counts = calloc(2 * (size_t)v.n, sizeof *counts);
    if (!CHECK_OK(parse_gbnf(&v, "root ::= [a-h] | \"tr\"", &g, &err), err)) return;
    for (uint32_t i = 0; i < v.n; i++) logits[i] = (float)(next_random(&seed) % 1000) / 300.0f - 8.0f;
    for (char c = 'a'; c <= 'h'; c++) logits[weft_tokenizer_find(v.tok, (char[]){ c, 0 })] = (float)(c - 'a') / 2.0f;
    count_picks(&v, g, logits, false, counts);
    count_picks(&v, g, logits, true, counts + v.n);
    for (char c = 'a'; c <= 'h'; c++) total += exp((double)(c - 'a') / 2.0 / 1.5);
    for (uint32_t way = 0; way < 2; way++)
        for (char c = 'b'; c <= 'h'; c++) {
            const double p = exp((double)(c - 'a') / 2.0 / 1.5) / total;
            const uint32_t n = counts[way * v.n + (uint32_t)weft_tokenizer_find(v.tok, (char[]){ c, 0 })];
            CHECK_NEAR((double)n / ROUNDS, p, 5.0 * sqrt(p / ROUNDS) + 0.002);
        }
    weft_grammar_destroy(g);
    free(logits);
    free(counts);
    close_vocabulary(&v);
}

static void which_picks_may_come_first(void)
{
    const weft_step_kind last[] = { WEFT_STEP_TOP_K, WEFT_STEP_TEMPERATURE };
    CHECK(weft_sampling_may_pick_first(&(weft_sampling){ 0 }));
    CHECK(weft_sampling_may_pick_first(&(weft_sampling){ .repeat_penalty = 1.1f }));
    CHECK(weft_sampling_may_pick_first(&(weft_sampling){ .repeat_penalty = 1.1f, .temperature = 0.5f }));
    CHECK(weft_sampling_may_pick_first(&(weft_sampling){ .top_k = 5, .order = last, .n_order = 2 }));
    CHECK(!weft_sampling_may_pick_first(&(weft_sampling){ .top_k = 5, .temperature = 0.5f }));
    CHECK(!weft_sampling_may_pick_first(&(weft_sampling){ .top_p = 0.5f, .temperature = 0.5f }));
    CHECK(!weft_sampling_may_pick_first(&(weft_sampling){ .mirostat_tau = 5.0f, .temperature = 0.5f }));
    CHECK(!weft_sampling_may_pick_first(&(weft_sampling){ .xtc_probability = 0.5f, .temperature = 0.5f }));
}

/* A step of the sampler leaves what the mask has. */
static void a_step_leaves_what_may_come(void)
{
    vocabulary v;
    weft_grammar *g;
    weft_matcher *m;
    weft_sampler *s;
    weft_error err;
    int32_t token;
    if (!open_vocabulary(&v)) return;
    float *logits = calloc(v.n, sizeof *logits);
    if (!CHECK_OK(parse_gbnf(&v, "root ::= [xy]", &g, &err), err)) return;
    if (!CHECK_OK(weft_matcher_create(g, &m, &err), err)) return;
    weft_sampler_step steps[] = { weft_matcher_step(m), { .kind = WEFT_STEP_TOP_K, .n = 1 } };
    logits[weft_tokenizer_find(v.tok, "y")] = 1.0f;
    logits[weft_tokenizer_find(v.tok, "z")] = 2.0f;
    if (!CHECK_OK(weft_sampler_create(&(weft_sampling){ .steps = steps, .n_steps = 2 }, v.n, &s, &err), err)) return;
    CHECK_OK(weft_sampler_pick(s, logits, NULL, 0, &token, NULL, &err), err);
    CHECK_EQ_INT(token, weft_tokenizer_find(v.tok, "y"));
    CHECK_OK(weft_matcher_accept(m, token, &err), err);
    CHECK_OK(weft_sampler_pick(s, logits, NULL, 0, &token, NULL, &err), err);
    CHECK_EQ_INT(token, v.end);
    weft_sampler_destroy(s);
    weft_matcher_destroy(m);
    weft_grammar_destroy(g);
    free(logits);
    close_vocabulary(&v);
}

/* ---- threads ---- */

static void *walk_alone(void *arg)
{
    weft_grammar *g = arg;
    weft_matcher *m;
    size_t wrong = 0;
    if (weft_matcher_create(g, &m, NULL)) return (void *)1;
    for (int i = 0; i < 200; i++) {
        static const char text[] = "(((1)+2)*3)";
        wrong += weft_matcher_accept_text(m, text, (size_t)(i % 11) + 1, NULL) != WEFT_OK;
        weft_matcher_rollback(m, 1);
    }
    weft_matcher_destroy(m);
    return (void *)wrong;
}

static void threads_share_a_grammar(void)
{
    vocabulary v;
    weft_grammar *g;
    weft_error err;
    pthread_t threads[4];
    if (!open_vocabulary(&v)) return;
    if (!CHECK_OK(parse_gbnf(&v, "root ::= (\"(\" root \")\" | [0-9]) ([-+*/] root)?", &g, &err), err)) return;
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, walk_alone, g));
    for (int i = 0; i < 4; i++) {
        void *wrong;
        CHECK(!pthread_join(threads[i], &wrong));
        CHECK(!wrong);
    }
    weft_grammar_destroy(g);
    close_vocabulary(&v);
}

static const weft_test tests[] = {
    { "gbnf_as_llama", gbnf_as_llama },
    { "errors_say_where", errors_say_where },
    { "masks_are_what_may_come", masks_are_what_may_come },
    { "masks_are_those_of_others", masks_are_those_of_others },
    { "limits_hold", limits_hold },
    { "hostile_texts_end", hostile_texts_end },
    { "work_is_bounded", work_is_bounded },
    { "ambiguity_is_bounded", ambiguity_is_bounded },
    { "depth_and_memory_are_bounded", depth_and_memory_are_bounded },
    { "memory_is_collected", memory_is_collected },
    { "steps_are_taken_back", steps_are_taken_back },
    { "picks_have_their_probabilities", picks_have_their_probabilities },
    { "which_picks_may_come_first", which_picks_may_come_first },
    { "a_step_leaves_what_may_come", a_step_leaves_what_may_come },
    { "threads_share_a_grammar", threads_share_a_grammar },
};

TEST_MAIN(tests)
