/* test_speculation.c: a text is the same with drafts as without, bit for bit in a deterministic session: whatever is
 * drafted, whatever picks the tokens, whatever ends the text; on windows, and where a draft cannot be evaluated. Beside
 * that what many texts are like is held against probabilities in double precision. */
#include "golden.h"
#include "models/draft.h"
#include "models/grammar/grammar.h"
#include "reference.h"
#include "tests/sample.h"
#include "windows.h"

#include <math.h>
#include <stdlib.h>

static weft_error err;

/* ---- a drafter that knows what comes, and sometimes lies ---- */

typedef struct liar {
    const int32_t *truth; /* the text behind the prompt */
    uint32_t n, at, n_prompt, vocab;
    uint32_t lie; /* what it says where it lies, but for the truth; 0: anything */
} liar;

static weft_status liar_begin(void *ctx, const int32_t *ids, size_t n, weft_error *e)
{
    (void)ids, (void)e;
    ((liar *)ctx)->at = (uint32_t)n;
    return WEFT_OK;
}

static weft_status liar_push(void *ctx, const int32_t *ids, size_t n, weft_error *e)
{
    (void)ids, (void)e;
    ((liar *)ctx)->at += (uint32_t)n;
    return WEFT_OK;
}

/* From no token to the most, right up to a place that changes from call to call. */
static weft_status liar_propose(void *ctx, uint32_t most, weft_draft *out, weft_error *e)
{
    const liar *l = ctx;
    const uint32_t hash = l->at * 2654435761u >> 7, right = hash % 9, at = l->at - l->n_prompt;
    (void)e;
    out->kind = hash % WEFT_DRAFT_KINDS;
    out->n = hash % 5 == 4 ? 0 : hash / 9 % (most + 1);
    for (uint32_t i = 0; i < out->n; i++) {
        const int32_t truth = at + i < l->n ? l->truth[at + i] : 1;
        const int32_t lie = l->lie ? (int32_t)l->lie : (int32_t)(((uint32_t)truth + 1 + hash % 3) % l->vocab);
        out->ids[i] = i < right ? truth : lie;
    }
    return WEFT_OK;
}

static weft_drafter liar_drafter(liar *l)
{
    return (weft_drafter){ liar_begin, liar_push, liar_propose, l, NULL };
}

/* ---- the same text ---- */

typedef struct heard { int32_t ids[600]; uint32_t n, cancel_at; char text[8192]; size_t size; } heard;

static bool hear(void *ctx, int32_t token, const char *text, size_t n)
{
    heard *h = ctx;
    if (h->n < 600) h->ids[h->n++] = token;
    if (h->size + n <= sizeof h->text) memcpy(h->text + h->size, text, n);
    h->size += n;
    return h->n != h->cancel_at;
}

static void same_text(weft_session *s, const char *what, const weft_generated *a, const weft_generated *b,
                      const heard *x, const heard *y, uint32_t length)
{
    bool same = a->n_tokens == b->n_tokens && !memcmp(a->tokens, b->tokens, a->n_tokens * sizeof *a->tokens);
    same = same && a->stop == b->stop && a->text_size == b->text_size && !memcmp(a->text, b->text, a->text_size);
    same = same && x->n == y->n && !memcmp(x->ids, y->ids, x->n * sizeof *x->ids);
    same = same && x->size == y->size && !memcmp(x->text, y->text, x->size < sizeof x->text ? x->size : sizeof x->text);
    if (a->logprobs)
        same = same && !memcmp(a->logprobs, b->logprobs,
                               a->n_tokens * (1 + (size_t)a->n_logprobs) * sizeof *a->logprobs);
    same = same && weft_session_length(s, 0) == length;
    for (uint32_t i = 0; same && i + 1 < a->n_tokens; i++) /* the last was picked, not run */
        same = weft_session_tokens(s, 0)[length - a->n_tokens + 1 + i] == a->tokens[i];
    if (!CHECK(same))
        printf("  %s: %u and %u tokens, %s and %s, %u of %u\n", what, a->n_tokens, b->n_tokens, weft_stop_name(a->stop),
               weft_stop_name(b->stop), weft_session_length(s, 0), length);
}

typedef struct asked {
    weft_session *s;
    const int32_t *ids;
    uint32_t n;
    weft_grammar *grammar;
    uint32_t cancel_at;
} asked;

static bool generate(const asked *q, weft_generate_desc d, const weft_drafter *drafter, weft_generated *out, heard *h)
{
    *h = (heard){ .cancel_at = q->cancel_at };
    d.on_token = hear;
    d.ctx = h;
    d.drafter = drafter;
    d.draft_always = true;
    if (q->grammar && !CHECK_OK(weft_matcher_create(q->grammar, &d.matcher, &err), err)) return false;
    bool ok = CHECK_OK(weft_session_truncate(q->s, 0, 0, &err), err) &&
              CHECK_OK(weft_generate(q->s, 0, q->ids, q->n, &d, out, &err), err);
    weft_matcher_destroy(d.matcher);
    return ok;
}

/* Without, with a liar, with lookup; how many drafted tokens were right. */
static uint32_t compare(const asked *q, const weft_generate_desc *d, const char *what)
{
    static heard plain, other;
    weft_generated a, b, c;
    weft_ngrams *g;
    uint32_t accepted = 0;
    if (!generate(q, *d, NULL, &a, &plain)) return 0;
    CHECK_EQ_INT(a.drafted, 0);
    const uint32_t length = weft_session_length(q->s, 0);
    liar l = { .truth = a.tokens, .n = a.n_tokens, .n_prompt = q->n, .vocab = weft_session_n_vocab(q->s) };
    const weft_drafter knows = liar_drafter(&l);
    if (generate(q, *d, &knows, &b, &other)) {
        same_text(q->s, what, &a, &b, &plain, &other, length);
        CHECK(b.accepted <= b.drafted);
        CHECK(a.n_tokens < 12 || b.drafted > 0);
        accepted = b.accepted;
        weft_generated_free(&b);
    }
    if (CHECK_OK(weft_ngrams_create(a.tokens, a.n_tokens / 2, &g, &err), err)) {
        const weft_drafter lookup = weft_ngrams_drafter(g);
        if (generate(q, *d, &lookup, &c, &other)) {
            same_text(q->s, what, &a, &c, &plain, &other, length);
            weft_generated_free(&c);
        }
        weft_ngrams_destroy(g);
    }
    weft_generated_free(&a);
    return accepted;
}

/* ---- the bundled model ---- */

static const weft_sampling samplings[] = {
    { 0 },
    { .temperature = 0.9f, .top_p = 0.95f, .seed = 5 },
    { .temperature = 1.2f, .top_k = 40, .repeat_penalty = 1.3f, .frequency_penalty = 0.2f, .seed = 6 },
    { .temperature = 0.8f, .min_p = 0.05f, .dry_multiplier = 0.8f, .seed = 7 },
    { .temperature = 1, .mirostat_tau = 4, .seed = 8 },
    { .repeat_penalty = 1.5f },
};
enum { N_SAMPLINGS = sizeof samplings / sizeof *samplings };

static void open_grammar(bundled *b, weft_token_trie **trie, weft_grammar **g)
{
    static const char text[] = "root ::= \"[\" [a-z ]{3,30} \"]\" (\" \" root)?";
    const weft_tokenizer *tok;
    const int32_t eos = weft_model_eos(b->m, 0);
    CHECK_OK(weft_model_tokenizer(b->m, &tok, &err), err);
    CHECK_OK(weft_token_trie_create(tok, REF_VOCAB, &eos, 1, trie, &err), err);
    CHECK_OK(weft_grammar_parse(WEFT_GRAMMAR_GBNF, text, sizeof text - 1, "test", *trie, g, &err), err);
}

/* What ends a text: its length, a stop string within a draft, the end-of-text token, the context, the caller. */
static void ends(asked *q, const weft_sampling *how, uint32_t *accepted)
{
    static const char *const stops[] = { "named", "." };
    const weft_generate_desc by[] = {
        { .max_tokens = 24 },
        { .max_tokens = 40, .stop = stops, .n_stop = 1 },
        { .max_tokens = 40, .stop = stops, .n_stop = 2, .n_logprobs = 3 },
        { .max_tokens = 0 },
        { .ignore_eos = true },
    };
    static const char *const names[] = { "length", "stop string", "stop strings", "end of text", "context" };
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        weft_generate_desc d = by[i];
        d.sampling = *how;
        *accepted += compare(q, &d, names[i]);
    }
    for (uint32_t n = 1; n < 9; n += 3) {
        *accepted += compare(q, &(weft_generate_desc){ .max_tokens = n, .sampling = *how }, "few tokens");
        q->cancel_at = n;
        *accepted += compare(q, &(weft_generate_desc){ .max_tokens = 20, .sampling = *how, .draft_tokens = 3 }, "told");
        q->cancel_at = 0;
    }
}

static void on(const char *device, weft_session_desc desc, uint32_t n_samplings)
{
    static const char prompt[] = "Once upon a time";
    bundled b;
    weft_tokens t = { 0 };
    const weft_tokenizer *tok;
    weft_token_trie *trie = NULL;
    asked q = { 0 };
    uint32_t accepted = 0;
    desc.deterministic = true;
    desc.context = 48;
    if (bundled_open(&b, device, &desc) && CHECK_OK(weft_model_tokenizer(b.m, &tok, &err), err) &&
        CHECK_OK(weft_tokenizer_encode(tok, prompt, strlen(prompt), NULL, &t, &err), err)) {
        q = (asked){ .s = b.s, .ids = t.ids, .n = (uint32_t)t.n };
        for (uint32_t i = 0; i < n_samplings; i++)
            if (i < 2 && n_samplings > 1) ends(&q, &samplings[i], &accepted);
            else accepted += compare(&q, &(weft_generate_desc){ .max_tokens = 30, .sampling = samplings[i] },
                                      "sampling");
        if (!desc.candidates) open_grammar(&b, &trie, &q.grammar);
        for (uint32_t i = 0; q.grammar && i < n_samplings && i < 4; i++)
            compare(&q, &(weft_generate_desc){ .max_tokens = 40, .sampling = samplings[i], .n_logprobs = i },
                    "grammar");
        CHECK(accepted > 5);
    }
    weft_tokens_free(&t);
    weft_grammar_destroy(q.grammar);
    weft_token_trie_destroy(trie);
    bundled_close(&b);
}

static void on_the_cpu(void)
{
    on("cpu,threads=1", (weft_session_desc){ 0 }, REF_QUICK ? 2 : N_SAMPLINGS);
    on("cpu,threads=1", (weft_session_desc){ .weights = WEFT_Q8_0, .max_rows = 17 }, 1);
    on("cpu,threads=1", (weft_session_desc){ .candidates = 1, .max_rows = 30 }, 1);
    on("cpu,threads=1", (weft_session_desc){ .max_rows = 3, .max_tokens = 20 }, 1);
}

static void on_vulkan(void)
{
    on("vulkan:0", (weft_session_desc){ .weights = WEFT_Q8_0, .candidates = 1 }, 1);
}

/* ---- other architectures ---- */

static void architecture(const golden *g, weft_backend *device)
{
    weft_model *m = NULL;
    weft_session *s = NULL;
    const weft_session_desc d = { .devices = &device, .n_devices = 1, .deterministic = true, .rollback = 7,
                                  .context = GOLDEN_IDS, .page = 16 };
    if (!strstr(g->name, "dynamic") && CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err) &&
        CHECK_OK(weft_session_create(m, &d, &s, &err), err)) {
        const asked q = { .s = s, .ids = g->prompt, .n = (uint32_t)g->n_prompt };
        weft_generate_desc how = { .ignore_eos = true, .sampling = { .temperature = 0.7f, .seed = 3 } };
        if (!CHECK(compare(&q, &how, g->name) > 4)) printf("  %s\n", g->name);
    }
    weft_session_destroy(s);
    weft_model_close(m);
}

static void architectures_on_the_cpu(void)
{
    static const char *const some[] = { "gemma3_text-new", "mistral-window", "gpt_neo-local", "mixtral-each",
                                        "bloom-usual", "gpt_oss-usual", "qwen3-norms", "cohere2-listed" };
    weft_backend *device;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &device, &err), err)) return;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) golden_each("arch", some[i], architecture, device);
    weft_backend_close(device);
}

static void architectures_on_vulkan(void)
{
    weft_backend *device;
    if (!CHECK_OK(weft_backend_open("vulkan:0", &device, &err), err)) return;
    golden_each("arch", "gemma3_text-new", architecture, device);
    golden_each("arch", "mistral-window", architecture, device);
    weft_backend_close(device);
}

/* ---- windows ---- */

enum { V = WINDOWS_VOCAB };

typedef struct world { weft_model *m; weft_backend *device; weft_session *s; } world;

static bool world_open(world *w, const windows_model *windows, weft_session_desc d)
{
    *w = (world){ 0 };
    d.devices = &w->device;
    d.n_devices = 1;
    d.kv = WEFT_F32;
    d.exact = d.deterministic = true;
    d.page = 16;
    return CHECK_OK(weft_backend_open("cpu,threads=1", &w->device, &err), err) &&
           CHECK_OK(windows_open(windows, 300, &w->m, &err), err) &&
           CHECK_OK(weft_session_create(w->m, &d, &w->s, &err), err);
}

static void world_close(world *w)
{
    weft_session_destroy(w->s);
    weft_model_close(w->m);
    weft_backend_close(w->device);
}

static weft_status read_words(weft_session *s, const int32_t *ids, uint32_t n, float *out)
{
    weft_batch_token t[WINDOWS_MOST];
    for (uint32_t i = 0; i < n; i++) t[i] = (weft_batch_token){ ids[i], 0, 0 };
    if (out) t[n - 1].wants = WEFT_WANT_LOGITS;
    return weft_session_eval(s, t, n, &(weft_rows){ .logits = out }, &err);
}

/* The last `rollback` tokens can be forgotten wherever a sequence is, in a cache of no more cells than are promised,
 * and what comes then sees what it should. */
static void windows_keep_what_is_taken_back(void)
{
    enum { ROLLBACK = 9, LONG = 250 };
    static const windows_model mixed = { "mixed", 3, { 23, 0, 5 } };
    int32_t ids[LONG + 64];
    uint32_t n = 0;
    float row[V];
    double want[V];
    world w;
    if (world_open(&w, &mixed, (weft_session_desc){ .max_tokens = 20, .rollback = ROLLBACK }))
        for (uint32_t i = 0; n < LONG; i++) {
            const uint32_t more = 1 + i * 7 % 13, back = (i * 5 % 11) % (ROLLBACK + 1);
            for (uint32_t k = 0; k < more; k++) ids[n + k] = windows_word(n + k + i);
            if (!CHECK_OK(read_words(w.s, ids + n, more, row), err)) break;
            n += more;
            windows_logits(&mixed, ids, n, want);
            for (int v = 0; v < V; v++) CHECK_NEAR((double)row[v], want[v], 1e-4);
            if (n <= back || !CHECK_OK(weft_session_truncate(w.s, 0, n - back, &err), err)) continue;
            n -= back;
        }
    CHECK_OK(weft_session_check_rollback(w.s, ROLLBACK, &err), err);
    CHECK_STATUS(weft_session_check_rollback(w.s, ROLLBACK + 1, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "the session can take back 9 tokens, not 10");
    world_close(&w);
    weft_backend *device = NULL;
    CHECK_STATUS(weft_session_create(w.m, &(weft_session_desc){ .devices = &device, .rollback = 65 }, &w.s, &err),
                 WEFT_INVALID, err);
}

/* A token that makes what is no number is drafted everywhere: the text goes on without it. */
static void wrong_drafts_end_nothing(void)
{
    static const windows_model narrow = { "narrow", 2, { 23, 23 } };
    static const int32_t prompt[] = { 3, 1, 4 };
    static heard plain, other;
    weft_generated a, b;
    world w;
    if (world_open(&w, &narrow, (weft_session_desc){ .rollback = 7, .max_rows = 8 })) {
        const asked q = { .s = w.s, .ids = prompt, .n = 3 };
        const weft_generate_desc d = { .max_tokens = 80, .sampling = { .temperature = 1, .seed = 2 } };
        if (generate(&q, d, NULL, &a, &plain)) {
            const uint32_t length = weft_session_length(w.s, 0);
            liar l = { .truth = a.tokens, .n = a.n_tokens, .n_prompt = 3, .vocab = V, .lie = WINDOWS_NAN };
            const weft_drafter knows = liar_drafter(&l);
            if (generate(&q, d, &knows, &b, &other)) {
                same_text(w.s, "NaN", &a, &b, &plain, &other, length);
                CHECK(b.accepted > 0); /* where nothing was wrong */
                weft_generated_free(&b);
            }
            l.lie = 1 << 20; /* no token at all */
            if (generate(&q, d, &knows, &b, &other)) {
                same_text(w.s, "no token", &a, &b, &plain, &other, length);
                CHECK_EQ_INT(b.accepted, b.drafted);
                weft_generated_free(&b);
            }
            weft_generated_free(&a);
        }
    }
    world_close(&w);
}

/* ---- what many texts are like ---- */

static weft_status same_propose(void *ctx, uint32_t most, weft_draft *out, weft_error *e)
{
    const int32_t *ids = ctx;
    (void)e;
    for (; out->n < most && out->n < 2; out->n++) out->ids[out->n] = ids[out->n];
    return WEFT_OK;
}

static weft_status nothing(void *ctx, const int32_t *ids, size_t n, weft_error *e)
{
    (void)ctx, (void)ids, (void)n, (void)e;
    return WEFT_OK;
}

static void probabilities(const windows_model *w, const int32_t *ids, uint32_t n, double *out)
{
    double top = -INFINITY, sum = 0;
    windows_logits(w, ids, n, out);
    for (int v = 0; v < V; v++) top = fmax(top, out[v]);
    for (int v = 0; v < V; v++) sum += out[v] = v == WINDOWS_NAN ? 0 : exp(out[v] - top);
    for (int v = 0; v < V; v++) out[v] /= sum;
}

/* How probable each second and third token behind the prompt is, whatever the first one is. */
static void marginals(const windows_model *w, int32_t prompt, double second[V], double third[V])
{
    int32_t ids[3] = { prompt };
    double p1[V], p2[V], p3[V];
    probabilities(w, ids, 1, p1);
    for (ids[1] = 0; ids[1] < WINDOWS_NAN; ids[1]++) {
        probabilities(w, ids, 2, p2);
        for (ids[2] = 0; ids[2] < WINDOWS_NAN; ids[2]++) {
            second[ids[2]] += p1[ids[1]] * p2[ids[2]];
            probabilities(w, ids, 3, p3);
            for (int v = 0; v < V; v++) third[v] += p1[ids[1]] * p2[ids[2]] * p3[v];
        }
    }
}

/* Pearson's statistic over the tokens that are expected five times at least; what it exceeds once in a million times,
 * by Wilson and Hilferty. */
static void check_counts(const char *what, const uint32_t counts[V], const double p[V], uint32_t n)
{
    double sum = 0, freedom = -1;
    for (int v = 0; v < V; v++) {
        if (p[v] * n < 5) continue;
        sum += (counts[v] - p[v] * n) * (counts[v] - p[v] * n) / (p[v] * n);
        freedom++;
    }
    const double h = 2 / (9 * freedom), limit = freedom * pow(1 - h + 4.75 * sqrt(h), 3);
    if (!CHECK(freedom > 5 && sum < limit)) printf("  %s: %g where %g is likely\n", what, sum, limit);
}

/* The same two tokens are drafted everywhere, which are often right and often not. */
static void many_texts_are_distributed_as_they_should_be(void)
{
    enum { TEXTS = REF_QUICK ? 500 : 4000 };
    static const windows_model narrow = { "narrow", 1, { 23 } };
    static const int32_t prompt = 3;
    static uint32_t counts[2][V];
    double second[V] = { 0 }, third[V] = { 0 };
    int32_t drafted[2] = { 0, 0 };
    uint32_t accepted = 0, n_drafted = 0;
    world w;
    const weft_drafter d = { nothing, nothing, same_propose, drafted, NULL };
    static const int32_t banned = WINDOWS_NAN;
    static const float never = -INFINITY;
    const bool open = world_open(&w, &narrow, (weft_session_desc){ .rollback = 7 });
    if (open) marginals(&narrow, prompt, second, third);
    for (int v = 0; v < V; v++) {
        if (second[v] > second[drafted[0]]) drafted[0] = v;
        if (third[v] > third[drafted[1]]) drafted[1] = v;
    }
    if (open)
        for (uint32_t i = 0; i < TEXTS; i++) {
            weft_generated r;
            const weft_generate_desc how = { .max_tokens = 4, .drafter = &d, .draft_always = true, .ignore_eos = true,
                                             .sampling = { .temperature = 1, .seed = i, .bias_tokens = &banned,
                                                           .bias_values = &never, .n_bias = 1 } };
            if (!CHECK_OK(weft_session_truncate(w.s, 0, 0, &err), err) ||
                !CHECK_OK(weft_generate(w.s, 0, &prompt, 1, &how, &r, &err), err))
                break;
            counts[0][r.tokens[1]]++;
            counts[1][r.tokens[2]]++;
            accepted += r.accepted;
            n_drafted += r.drafted;
            weft_generated_free(&r);
        }
    check_counts("second tokens", counts[0], second, TEXTS);
    check_counts("third tokens", counts[1], third, TEXTS);
    CHECK(accepted > n_drafted / 100 && accepted < n_drafted);
    world_close(&w);
}

/* ---- where it cannot be ---- */

static weft_status fails(void *ctx, uint32_t most, weft_draft *out, weft_error *e)
{
    (void)ctx, (void)most, (void)out;
    return WEFT_FAIL(e, WEFT_IO, "the oracle is silent");
}

static void refuses_what_cannot_be(void)
{
    static const windows_model narrow = { "narrow", 1, { 23 } };
    static const int32_t prompt = 3;
    weft_drafter d = { nothing, nothing, fails, NULL, NULL };
    weft_generated r;
    world w;
    if (world_open(&w, &narrow, (weft_session_desc){ 0 })) {
        const weft_generate_desc how = { .max_tokens = 9, .drafter = &d };
        CHECK_STATUS(weft_generate(w.s, 0, &prompt, 1, &how, &r, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "see a window of 23 tokens, and the session can take back 0 tokens, not 1");
        CHECK_EQ_INT(weft_session_length(w.s, 0), 0);
    }
    world_close(&w);
    if (world_open(&w, &narrow, (weft_session_desc){ .rollback = 3 })) {
        weft_generate_desc how = { .max_tokens = 9, .drafter = &d, .draft_always = true };
        CHECK_STATUS(weft_generate(w.s, 0, &prompt, 1, &how, &r, &err), WEFT_IO, err);
        CHECK_CONTAINS(err.text, "the oracle is silent");
        how.draft_tokens = WEFT_DRAFT_MOST + 1;
        CHECK_STATUS(weft_generate(w.s, 0, &prompt, 1, &how, &r, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "drafts of 65 tokens: at most 64");
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "CPU", on_the_cpu },
    { "many architectures on a CPU", architectures_on_the_cpu },
    { "windows keep what is taken back", windows_keep_what_is_taken_back },
    { "wrong drafts end nothing", wrong_drafts_end_nothing },
    { "many texts are distributed as they should be", many_texts_are_distributed_as_they_should_be },
    { "refuses what cannot be", refuses_what_cannot_be },
    { "Vulkan", on_vulkan },
    { "architectures on Vulkan", architectures_on_vulkan },
};
TEST_MAIN(tests)
