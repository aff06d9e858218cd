/* test_generate.c: what ends a generation, what its callback sees, and its log-probabilities, with the bundled
 * model. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>

static weft_error err;

/* What a callback has seen, and when it says stop. */
typedef struct listener {
    char text[8192];
    size_t size;
    int32_t tokens[600];
    uint32_t n, cancel_after;
    bool broken; /* a piece was no whole UTF-8 */
} listener;

static bool whole_utf8(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t length = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
        if (!length || i + length > n) return false;
        for (size_t k = 1; k < length; k++)
            if (((unsigned char)s[i + k] & 0xc0) != 0x80) return false;
        i += length;
    }
    return true;
}

static bool listen(void *ctx, int32_t token, const char *text, size_t n)
{
    listener *l = ctx;
    l->broken |= !whole_utf8(text, n);
    if (l->size + n < sizeof l->text) memcpy(l->text + l->size, text, n);
    l->size += n;
    if (l->n < 600) l->tokens[l->n] = token;
    l->n++;
    return l->n != l->cancel_after;
}

/* One generation from a text, on a fresh sequence. */
static bool generate(bundled *b, const char *prompt, weft_generate_desc desc, listener *l, weft_generated *out)
{
    weft_tokens t;
    const weft_tokenizer *tok;
    *l = (listener){ .cancel_after = l->cancel_after };
    desc.on_token = listen;
    desc.ctx = l;
    if (!CHECK_OK(weft_model_tokenizer(b->m, &tok, &err), err)) return false;
    if (!CHECK_OK(weft_tokenizer_encode(tok, prompt, strlen(prompt), NULL, &t, &err), err)) return false;
    bool ok = CHECK_OK(weft_session_truncate(b->s, 0, 0, &err), err) &&
              CHECK_OK(weft_generate(b->s, 0, t.ids, t.n, &desc, out, &err), err);
    weft_tokens_free(&t);
    if (!ok) return false;
    CHECK(!l->broken);
    CHECK_EQ_INT(l->n, out->n_tokens);
    for (uint32_t i = 0; i < out->n_tokens && i < 600; i++) CHECK_EQ_INT(l->tokens[i], out->tokens[i]);
    CHECK_EQ_INT(l->size, out->text_size);
    CHECK(l->size >= sizeof l->text || !memcmp(l->text, out->text, l->size));
    CHECK_EQ_INT(strlen(out->text), out->text_size);
    CHECK(out->prompt_seconds >= 0.0 && out->decode_seconds >= 0.0);
    return true;
}

static const char story[] = ", there was a little girl named Lily. She loved to play";

static void stops_at_the_length(void)
{
    bundled b;
    listener l = { 0 };
    weft_generated r;
    if (bundled_open(&b, "cpu,threads=2", NULL)) {
        if (generate(&b, "Once upon a time", (weft_generate_desc){ .max_tokens = 16 }, &l, &r)) {
            CHECK_EQ_INT(r.n_tokens, 16);
            CHECK_EQ_INT(r.stop, WEFT_STOP_LENGTH);
            CHECK(!strncmp(r.text, story, strlen(story)));
            CHECK_EQ_INT(weft_session_length(b.s, 0), 4 + 15); /* the last one was picked, not run */
            CHECK(r.logprobs == NULL);
            weft_generated_free(&r);
        }
        if (generate(&b, "Once upon a time", (weft_generate_desc){ .max_tokens = 1 }, &l, &r)) {
            CHECK_STR(r.text, ",");
            weft_generated_free(&r);
        }
    }
    bundled_close(&b);
}

/* Stop strings: inside a token, over tokens, the earlier of two, one that only seems to come. */
static void stops_at_strings(void)
{
    static const struct {
        const char *stop[3], *text;
        weft_stop reason;
    } cases[] = {
        { { "girl named" }, ", there was a little ", WEFT_STOP_STRING },
        { { "ittle" }, ", there was a l", WEFT_STOP_STRING },
        { { "ly. She" }, ", there was a little girl named Li", WEFT_STOP_STRING },
        { { "ily. Sh" }, ", there was a little girl named L", WEFT_STOP_STRING },
        { { "," }, "", WEFT_STOP_STRING },
        { { "named", "girl" }, ", there was a little ", WEFT_STOP_STRING },
        { { "girl", "little girl named" }, ", there was a little ", WEFT_STOP_STRING },
        { { "girl named Bob", "Lily" }, ", there was a little girl named ", WEFT_STOP_STRING },
        { { "nowhere", "" }, ", there was a little girl named Lily.", WEFT_STOP_LENGTH },
        { { "Lily. He" }, ", there was a little girl named Lily.", WEFT_STOP_LENGTH },
    };
    bundled b;
    weft_generated r;
    if (bundled_open(&b, "cpu,threads=2", NULL))
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            listener l = { 0 };
            uint32_t n = cases[i].stop[1] ? 2 : 1, length = cases[i].reason == WEFT_STOP_LENGTH ? 9 : 30;
            if (!generate(&b, "Once upon a time",
                          (weft_generate_desc){ .max_tokens = length, .stop = cases[i].stop, .n_stop = n }, &l, &r))
                continue;
            CHECK_STR(r.text, cases[i].text);
            CHECK_EQ_INT(r.stop, cases[i].reason);
            weft_generated_free(&r);
        }
    bundled_close(&b);
}

static void stops_when_told_to(void)
{
    bundled b;
    listener l = { .cancel_after = 5 };
    weft_generated r;
    if (bundled_open(&b, "cpu,threads=2", NULL) &&
        generate(&b, "Once upon a time", (weft_generate_desc){ .max_tokens = 50 }, &l, &r)) {
        CHECK_EQ_INT(r.n_tokens, 5);
        CHECK_EQ_INT(r.stop, WEFT_STOP_CANCELLED);
        CHECK_STR(r.text, ", there was a little");
        weft_generated_free(&r);
    }
    bundled_close(&b);
}

/* The dialogue of the references ends its story after some tokens; the end-of-text token is no text. */
static void stops_at_the_end_of_text(void)
{
    const reference *ref = reference_get();
    bundled b;
    size_t seen = 0;
    json_t *prompt;
    if (!ref) return;
    if (bundled_open(&b, "cpu,threads=2", NULL)) {
        for (size_t i = 0; (prompt = json_array_get(json_object_get(ref->root, "prompts"), i)); i++) {
            size_t n, at = 0;
            weft_generated r;
            listener l = { 0 };
            int32_t *greedy = reference_ids(json_object_get(prompt, "greedy_ids"), &n);
            while (at < n && greedy[at] != 0) at++;
            free(greedy);
            if (at == n) continue;
            seen++;
            const char *text = json_string_value(json_object_get(prompt, "text"));
            if (!generate(&b, text, (weft_generate_desc){ .max_tokens = 64 }, &l, &r)) continue;
            CHECK_EQ_INT(r.stop, WEFT_STOP_EOS);
            CHECK_EQ_INT(r.n_tokens, at + 1);
            CHECK(!strstr(r.text, "endoftext"));
            weft_generated_free(&r);
        }
        CHECK(seen > 0);
    }
    bundled_close(&b);
}

static void stops_at_the_end_of_the_context(void)
{
    bundled b;
    weft_generated r;
    listener l = { 0 };
    const weft_session_desc desc = { .context = 24 };
    if (bundled_open(&b, "cpu,threads=2", &desc)) {
        if (generate(&b, "Once upon a time", (weft_generate_desc){ .ignore_eos = true }, &l, &r)) {
            CHECK_EQ_INT(r.stop, WEFT_STOP_CONTEXT);
            CHECK_EQ_INT(r.n_tokens, 24 - 4 + 1);
            CHECK_EQ_INT(weft_session_length(b.s, 0), 24);
            weft_generated_free(&r);
        }
        int32_t ids[25] = { 0 };
        CHECK_STATUS(weft_generate(b.s, 0, ids, 1, &(weft_generate_desc){ 0 }, &r, &err), WEFT_LIMIT, err);
        CHECK(r.tokens == NULL && r.text == NULL);
        CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
        CHECK_STATUS(weft_generate(b.s, 0, ids, 25, &(weft_generate_desc){ 0 }, &r, &err), WEFT_LIMIT, err);
        CHECK_STATUS(weft_generate(b.s, 0, ids, 0, &(weft_generate_desc){ 0 }, &r, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_generate(b.s, 1, ids, 1, &(weft_generate_desc){ 0 }, &r, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_generate(b.s, 0, ids, 1, &(weft_generate_desc){ .n_logprobs = 5000 }, &r, &err), WEFT_INVALID,
                     err);
    }
    bundled_close(&b);
}

static void the_same_seed_gives_the_same_text(void)
{
    bundled b;
    weft_generated r[3];
    listener l = { 0 };
    bool ok = bundled_open(&b, "cpu,threads=2", NULL);
    for (uint64_t i = 0; ok && i < 3; i++) {
        weft_sampling s = { .temperature = 0.9f, .top_p = 0.95f, .seed = i < 2 ? 5 : 6 };
        ok = generate(&b, "Tom had", (weft_generate_desc){ .max_tokens = 40, .sampling = s }, &l, &r[i]);
    }
    if (CHECK(ok)) {
        CHECK_STR(r[1].text, r[0].text);
        CHECK(strcmp(r[2].text, r[0].text) != 0);
        for (int i = 0; i < 3; i++) weft_generated_free(&r[i]);
    }
    bundled_close(&b);
}

static void log_probabilities(void)
{
    enum { BEST = 5, STEPS = 6 };
    bundled b;
    weft_generated r;
    listener l = { 0 };
    if (bundled_open(&b, "cpu,threads=2", NULL)) {
        weft_generate_desc desc = { .max_tokens = STEPS, .n_logprobs = BEST };
        if (generate(&b, "Once upon a time", desc, &l, &r) && CHECK(r.logprobs != NULL)) {
            CHECK_EQ_INT(r.n_logprobs, BEST);
            for (uint32_t i = 0; i < r.n_tokens; i++) {
                const weft_logprob *p = r.logprobs + i * (1 + BEST);
                CHECK_EQ_INT(p[0].token, r.tokens[i]);
                CHECK_EQ_INT(p[1].token, r.tokens[i]); /* greedy: the chosen one is the best */
                CHECK_NEAR((double)p[0].logprob, (double)p[1].logprob, 0.0);
                for (int k = 2; k <= BEST; k++) CHECK(p[k].logprob <= p[k - 1].logprob);
            }
            weft_generated_free(&r);
        }
        desc.n_logprobs = REF_VOCAB; /* all of them are a distribution */
        desc.sampling = (weft_sampling){ .temperature = 2.0f, .repeat_penalty = 1.5f, .seed = 3 };
        if (generate(&b, "Once upon a time", desc, &l, &r) && CHECK(r.logprobs != NULL)) {
            for (uint32_t i = 0; i < r.n_tokens; i++) {
                const weft_logprob *p = r.logprobs + i * (size_t)(1 + REF_VOCAB);
                double sum = 0.0, chosen = NAN;
                for (int k = 1; k <= REF_VOCAB; k++) {
                    sum += exp((double)p[k].logprob);
                    if (p[k].token == p[0].token) chosen = (double)p[k].logprob;
                }
                CHECK_NEAR(sum, 1.0, 1e-4); /* of the model's own logits, before temperature and penalty */
                CHECK_NEAR((double)p[0].logprob, chosen, 0.0);
            }
            weft_generated_free(&r);
        }
    }
    bundled_close(&b);
}

/* A conversation: the second generation continues what the first left, whose last token has not been run. */
static void continues_a_sequence(void)
{
    bundled b;
    weft_generated whole, first, second;
    listener l = { 0 };
    if (bundled_open(&b, "cpu,threads=2", &(weft_session_desc){ .weights = WEFT_F32, .exact = true }) &&
        generate(&b, "Once upon a time", (weft_generate_desc){ .max_tokens = 12 }, &l, &whole) &&
        generate(&b, "Once upon a time", (weft_generate_desc){ .max_tokens = 7 }, &l, &first)) {
        int32_t last = first.tokens[6];
        if (CHECK_OK(weft_generate(b.s, 0, &last, 1, &(weft_generate_desc){ .max_tokens = 5 }, &second, &err), err)) {
            for (uint32_t i = 0; i < 5; i++) CHECK_EQ_INT(second.tokens[i], whole.tokens[7 + i]);
            weft_generated_free(&second);
        }
        weft_generated_free(&first);
        weft_generated_free(&whole);
    }
    bundled_close(&b);
}

/* A session that gives candidates alone picks the same tokens as one that gives all logits. */
static void candidates_pick_the_same(void)
{
    static const weft_sampling samplings[] = {
        { 0 }, { .repeat_penalty = 1.2f }, { .temperature = 0.9f, .top_k = 40, .top_p = 0.95f, .seed = 7 }
    };
    for (uint32_t i = 0; i < 3; i++) {
        bundled b, few;
        weft_generated want, got;
        listener l = { 0 };
        weft_session_desc desc = { 0 };
        weft_generate_desc d = { .max_tokens = 40, .sampling = samplings[i] };
        bool open = bundled_open(&b, "cpu,threads=2", &desc);
        desc.candidates = weft_sampling_candidates(&samplings[i]);
        if (bundled_open(&few, "cpu,threads=2", &desc) && open && generate(&b, "One day", d, &l, &want) &&
            generate(&few, "One day", d, &l, &got)) {
            CHECK_EQ_INT(got.n_tokens, want.n_tokens);
            CHECK(!memcmp(got.tokens, want.tokens, want.n_tokens * sizeof *want.tokens));
            weft_generated_free(&want);
            weft_generated_free(&got);
            float logits;
            weft_candidate c;
            weft_batch_token t = { 1, 0, WEFT_WANT_LOGITS };
            CHECK_STATUS(weft_session_eval(few.s, &t, 1, &(weft_rows){ .logits = &logits }, &err), WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "token 0 wants 0x1, but the session's outputs are 0x2");
            t.wants = WEFT_WANT_CANDIDATES;
            CHECK_STATUS(weft_session_eval(b.s, &t, 1, &(weft_rows){ .candidates = &c }, &err), WEFT_INVALID, err);
            CHECK_STATUS(weft_session_eval(few.s, &t, 1, &(weft_rows){ .logits = &logits }, &err), WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "no place");
            d.n_logprobs = 1;
            CHECK_STATUS(weft_generate(few.s, 0, &t.id, 1, &d, &got, &err), WEFT_INVALID, err);
            d = (weft_generate_desc){ .max_tokens = 1, .sampling = { .temperature = 1 } };
            CHECK_STATUS(weft_generate(few.s, 0, &t.id, 1, &d, &got, &err), WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "4096");
        }
        bundled_close(&few);
        bundled_close(&b);
    }
}

static const weft_test tests[] = {
    { "candidates pick the same", candidates_pick_the_same },
    { "stops at the length", stops_at_the_length },
    { "stops at strings", stops_at_strings },
    { "stops when told to", stops_when_told_to },
    { "stops at the end of text", stops_at_the_end_of_text },
    { "stops at the end of the context", stops_at_the_end_of_the_context },
    { "the same seed gives the same text", the_same_seed_gives_the_same_text },
    { "log-probabilities", log_probabilities },
    { "continues a sequence", continues_a_sequence },
};
TEST_MAIN(tests)
