/* test_drafts.c: what is guessed, by lookup and by a model, and when guessing pays: arithmetic on numbers that are
 * given here, no clock among them. That texts stay what they are is test_speculation.c's. */
#include "models/speculation.h"
#include "reference.h"
#include "tests/oom.h"
#include "tests/checkpoint/temp.h"

#include <math.h>
#include <stdlib.h>

static weft_error err;

/* ---- n-grams ---- */

enum { LENGTHS = 4 };
static const uint32_t lengths[LENGTHS] = { 2, 3, 6, 12 };

/* By looking at every place: where the longest of the n-grams that end the text was before, the last time. */
static uint32_t expected(const int32_t *ids, uint32_t n, uint32_t most, weft_draft *out)
{
    for (uint32_t i = LENGTHS; i-- > 0;)
        for (uint32_t end = n - 1; n > lengths[i] && end >= lengths[i]; end--) {
            if (memcmp(ids + end - lengths[i], ids + n - lengths[i], lengths[i] * sizeof *ids) != 0) continue;
            out->kind = i;
            for (out->n = 0; out->n < most; out->n++, end++) out->ids[out->n] = end < n ? ids[end] : out->ids[end - n];
            return out->n;
        }
    return out->n = 0;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Texts of few words, which repeat themselves, looked up after every piece; tables grow meanwhile. */
static void lookup_finds_the_longest_of_the_last(void)
{
    enum { LONG = 3000 };
    static int32_t ids[LONG];
    uint64_t random = 7;
    uint32_t found[LENGTHS] = { 0 }, missed = 0, off = 0;
    weft_ngrams *g;
    if (!CHECK_OK(weft_ngrams_create(NULL, 0, &g, &err), err)) return;
    weft_drafter d = weft_ngrams_drafter(g);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(d.begin(d.ctx, NULL, 0, &err), err);
        for (uint32_t n = 0; n < LONG;) {
            uint32_t more = 1 + next_random(&random) % 5, from = n ? next_random(&random) % n : 0;
            bool again = n > 40 && next_random(&random) % 4 == 0;
            if (n + (again ? 14 : more) > LONG) break;
            if (again) more = 14 < n - from ? 14 : n - from;
            for (uint32_t i = 0; i < more; i++)
                ids[n + i] = again ? ids[from + i] : (int32_t)(next_random(&random) % 30);
            CHECK_OK(d.push(d.ctx, ids + n, more, &err), err);
            n += more;
            weft_draft want = { 0 }, got = { 0 };
            uint32_t most = 1 + n % 20;
            expected(ids, n, most, &want);
            CHECK_OK(d.propose(d.ctx, most, &got, &err), err);
            if (got.n) found[got.kind]++;
            else missed++;
            /* an n-gram whose place another one took is not found; a shorter one may be */
            bool same = got.n == want.n && got.kind == want.kind && !memcmp(got.ids, want.ids, got.n * sizeof *got.ids);
            off += !same;
            if (got.n) CHECK(want.n && got.kind <= want.kind);
        }
    }
    for (int i = 0; i < LENGTHS; i++) CHECK(found[i] > 5);
    CHECK(missed > 10);
    if (!CHECK(off < 120)) printf("  %u of some 2000 are another's\n", off);
    weft_ngrams_destroy(g);
}

static void a_given_text_is_looked_up_before_every_text(void)
{
    static const int32_t given[] = { 5, 6, 7, 8, 9, 10, 11 }, begins[] = { 1, 6, 7 }, round[] = { 1, 2, 1, 2 };
    weft_ngrams *g;
    if (!CHECK_OK(weft_ngrams_create(given, 7, &g, &err), err)) return;
    weft_drafter d = weft_ngrams_drafter(g);
    for (int i = 0; i < 2; i++) {
        weft_draft got = { 0 };
        CHECK_OK(d.begin(d.ctx, begins, 3, &err), err);
        CHECK_OK(d.propose(d.ctx, 3, &got, &err), err);
        CHECK_EQ_INT(got.n, 3);
        CHECK(got.ids[0] == 8 && got.ids[1] == 9 && got.ids[2] == 10);
        CHECK_OK(d.begin(d.ctx, round, 4, &err), err); /* what goes round goes on, beyond the end of the text */
        got = (weft_draft){ 0 };
        CHECK_OK(d.propose(d.ctx, 5, &got, &err), err);
        CHECK_EQ_INT(got.n, 5);
        CHECK(got.ids[0] == 1 && got.ids[1] == 2 && got.ids[2] == 1 && got.ids[4] == 1);
    }
    weft_ngrams_destroy(g);
}

static void lookup_has_what_it_allocates(void)
{
    static const int32_t ids[300] = { 1 };
    OOM_LOOP (n) {
        weft_ngrams *g;
        weft_status s = weft_ngrams_create(ids, 3, &g, &err);
        if (!s) {
            weft_drafter d = weft_ngrams_drafter(g);
            s = d.begin(d.ctx, ids, 2, &err);
            if (!s) s = d.push(d.ctx, ids, 300, &err); /* tables grow */
        }
        OOM_CHECK(s, err);
        weft_ngrams_destroy(g);
    }
}

/* ---- when it pays ---- */

static weft__widths widths_of(double one, double each_more)
{
    weft__widths w = { 0 };
    for (uint32_t i = 1; i <= 128; i++) weft__widths_add(&w, (i + 1) / 2, one * (1 + each_more * ((i + 1) / 2 - 1)));
    return w;
}

static void times_are_learned(void)
{
    weft__widths w = { 0 };
    CHECK_NEAR(weft__widths_get(&w, 1), 0.0, 0.0);
    CHECK(weft__widths_is_cold(&w, 1));
    weft__widths_add(&w, 1, 5.0); /* the first may be slow */
    CHECK_NEAR(weft__widths_get(&w, 1), 0.0, 0.0);
    CHECK(!weft__widths_is_cold(&w, 1));
    weft__widths_add(&w, 1, 1.0);
    CHECK_NEAR(weft__widths_get(&w, 1), 1.0, 0.0);
    CHECK(weft__widths_get(&w, 4) > 1 && weft__widths_get(&w, 4) < 4); /* hoped for */
    weft__widths_add(&w, 8, 8.0);
    weft__widths_add(&w, 8, 9.0);
    CHECK_NEAR(weft__widths_get(&w, 4), 4.0, 1e-12); /* between */
    CHECK(weft__widths_get(&w, 16) > 8 && weft__widths_get(&w, 16) < 16); /* hoped for, again */
    weft__widths_add(&w, 12, 8.2);
    weft__widths_add(&w, 12, 8.2);
    CHECK_NEAR(weft__widths_get(&w, 16), 8.4, 1e-9); /* as it went on */
    for (int i = 0; i < 20; i++) weft__widths_add(&w, 8, 2.0);
    CHECK_NEAR(weft__widths_get(&w, 8), 2.0, 0.01);
    weft__widths_add(&w, 8, 1000.0); /* something else ran */
    CHECK(weft__widths_get(&w, 8) < 2.3);
    for (int i = 0; i < 60; i++) weft__widths_add(&w, 8, 3.0);
    CHECK_NEAR(weft__widths_get(&w, 8), 3.0, 0.01);
}

/* Drafts of at most so many tokens of a kind, for next to nothing. */
static weft__choice choose(const weft__pace *p, const weft__widths *w, const weft__plain *plain, uint32_t kind,
                           uint32_t most)
{
    const weft__offer o = { .kind = kind, .most = most, .left = 1000 };
    return weft__pace_choose(p, w, plain, &o);
}

/* A text of which each drafted token is right with one probability, on a machine whose runs take what they take: what
 * the drafts gain, as a ratio of times, and how long they are at the end. */
typedef struct played { double gain; uint32_t last, runs; } played;

static played play(const weft__widths *real, double rate, uint32_t n_tokens, double each_seconds, uint64_t seed)
{
    const weft__plain plain = { .width = 1 };
    const double one = weft__widths_get(real, 1);
    weft__widths w = { 0 };
    weft__pace p = { { 0 }, { 0 }, 0, 0, 0, 0 };
    played r = { 0 };
    double spent = 0;
    uint32_t n = 0;
    weft__widths_add(&w, 1, 3 * one);
    weft__widths_add(&w, 1, one);
    while (n < n_tokens) {
        const weft__offer o = { .most = 15, .left = n_tokens - n, .each = each_seconds };
        weft__choice c = weft__pace_choose(&p, &w, &plain, &o);
        uint32_t right = 0;
        while (right < c.n && next_random(&seed) % 1000 < rate * 1000) right++;
        double took = weft__widths_get(real, 1 + c.n) + c.n * each_seconds;
        weft__widths_add(&w, 1 + c.n, weft__widths_get(real, 1 + c.n));
        if (c.n) weft__pace_checked(&p, 0, c.n, right, c.probe, took - one, one);
        else weft__pace_alone(&p, one);
        spent += took;
        n += 1 + right;
        r.runs += c.n > 0;
        r.last = c.n;
    }
    r.gain = n * one / spent;
    return r;
}

/* Runs that cost hardly more with many tokens, as on a GPU, and such that cost nearly as much as one by one. */
static void drafts_gain_where_they_can_and_never_lose(void)
{
    static const struct { double each_more, rate, least, most; } cases[] = {
        { 0.02, 0.95, 4.0, 12 }, { 0.02, 0.6, 1.8, 2.6 }, { 0.02, 0.2, 1.0, 1.3 }, { 0.02, 0.0, 0.975, 1 },
        { 0.3, 0.98, 2.0, 4 },   { 0.3, 0.5, 1.0, 1.3 },  { 0.3, 0.1, 0.975, 1.01 }, { 0.3, 0.0, 0.975, 1 },
        { 0.6, 0.98, 1.1, 2 },   { 0.6, 0.3, 0.975, 1.01 }, { 0.9, 0.99, 0.975, 1.2 }, { 0.9, 0.0, 0.975, 1 },
        { 1.5, 0.99, 0.96, 1 }, { 1.5, 0.0, 0.975, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            const weft__widths real = widths_of(0.01, cases[i].each_more);
            const played p = play(&real, cases[i].rate, 400, 0, seed);
            if (!CHECK(p.gain >= cases[i].least && p.gain <= cases[i].most))
                printf("  %g a token more, right at %g: gains %g\n", cases[i].each_more, cases[i].rate, p.gain);
        }
}

/* It goes on trying, however long it was hopeless, and what drafting takes counts. */
static void what_is_off_is_tried_again(void)
{
    const weft__widths real = widths_of(0.01, 0.1);
    const played never = play(&real, 0, 4000, 0, 3), dear = play(&real, 0.9, 4000, 0.02, 3);
    CHECK(never.runs >= 20);
    CHECK(never.gain > 0.98);
    CHECK(dear.gain > 0.98 && dear.gain < 1.02);
    weft__pace p = { { 0 }, { 0 }, 0, 0, 0, 0 };
    const weft__plain plain = { .width = 1 };
    for (int i = 0; i < 30; i++) weft__pace_checked(&p, 0, 4, 0, false, 0.001, 0.01);
    CHECK(p.lost > 0);
    CHECK_EQ_INT(choose(&p, &real, &plain, 0, 15).n > 0 ? 1 : 0,
                 choose(&p, &real, &plain, 0, 15).probe ? 1 : 0); /* without hope */
    const weft__choice sure = choose(&p, &real, &plain, 3, 15);
    CHECK(!sure.n || sure.probe); /* it has lost enough */
    weft__pace fresh = { { 0 }, { 0 }, 100, 0, 0, 0 }; /* what was made in vain counts as what was tried in vain */
    const weft__widths dear_runs = widths_of(0.01, 1.2);
    CHECK(choose(&fresh, &dear_runs, &plain, 0, 15).n > 0);
    weft__pace_wasted(&fresh, 1.0, true);
    CHECK_EQ_INT(choose(&fresh, &dear_runs, &plain, 0, 15).n, 0);
    CHECK_EQ_INT(choose(&p, &(weft__widths){ 0 }, &plain, 0, 15).n, 0); /* nothing is known */
    CHECK_EQ_INT(choose(&p, &real, &plain, 3, 0).n, 0);
}

/* ---- a draft model on a clock that the test turns ---- */

static double now;

static double tell_time(void)
{
    return now;
}

typedef struct fake_model {
    double read, each, rate; /* seconds that reading a token takes, and drafting one; how many are right */
    uint64_t seed;
    size_t behind;     /* tokens that it has not read */
    uint32_t n_drafts; /* tokens of the last draft, all but one of which it has read */
} fake_model;

static weft_status fake_push(void *ctx, const int32_t *ids, size_t n, weft_error *e)
{
    fake_model *f = ctx;
    const size_t had = f->n_drafts ? f->n_drafts - 1 : 0;
    (void)ids, (void)e;
    f->behind += n - (had < n - 1 ? had : n - 1);
    f->n_drafts = 0;
    return WEFT_OK;
}

static weft_draft_price fake_price(void *ctx)
{
    const fake_model *f = ctx;
    return (weft_draft_price){ WEFT__DRAFT_OF_MODEL, (double)(f->behind - 1) * f->read, f->each };
}

static weft_status fake_propose(void *ctx, uint32_t most, weft_draft *out, weft_error *e)
{
    fake_model *f = ctx;
    (void)e;
    now += (double)(f->behind - 1) * f->read + most * f->each;
    f->behind = 0;
    f->n_drafts = out->n = most;
    out->kind = WEFT__DRAFT_OF_MODEL;
    for (uint32_t i = 0; i < most; i++) out->ids[i] = next_random(&f->seed) % 1000 < f->rate * 1000;
    return WEFT_OK;
}

/* A text whose tokens are all 1, behind a prompt: seconds that it takes, where one token takes one. */
static double write_with(fake_model *f, const weft__widths *real, uint32_t n_prompt, uint32_t n_tokens)
{
    static const int32_t ones[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    const weft_drafter d = { fake_push, fake_push, fake_propose, f, fake_price };
    const double began = now, prompt = 0.3 * n_prompt;
    weft__widths w = *real;
    weft__speculation p = { .drafter = &d, .most = 15, .widths = &w, .clock = tell_time, .n_ids = 2 };
    uint32_t n = 1, fresh = 1;
    f->behind = n_prompt;
    now += prompt;
    weft__speculation_read(&p, prompt);
    while (n < n_tokens) {
        uint32_t right = 0;
        if (!CHECK_OK(weft__speculation_next(&p, ones, fresh, n_tokens - n - 1, &err), err)) break;
        const double took = weft__widths_get(real, 1 + p.draft.n);
        now += took;
        while (right < p.draft.n && p.draft.ids[right] == 1) right++;
        weft__speculation_ran(&p, right, took);
        fresh = 1 + right;
        n += fresh;
    }
    return now - began;
}

/* Whatever a draft model takes to read and to draft, and however seldom it is right: what a text takes is at most 7 %
 * and the time of two tokens more than without. */
static void a_draft_model_never_loses_much(void)
{
    static const double costs[] = { 0.02, 0.1, 0.3, 1, 3 }, rates[] = { 0, 0.3, 0.6, 0.95 };
    static const double more[] = { 0.02, 0.3, 0.9 };
    static const uint32_t prompts[] = { 2, 60, 3000 }, lengths_of[] = { 8, 64, 200, 1500 };
    double gained = 0;
    uint64_t seed = 1;
    for (uint32_t i = 0; i < 5 * 4 * 3 * 3 * 4; i++) {
        const double cost = costs[i % 5], rate = rates[i / 5 % 4], each_more = more[i / 20 % 3];
        const uint32_t n_prompt = prompts[i / 60 % 3], n = lengths_of[i / 180];
        const weft__widths real = widths_of(1, each_more);
        fake_model f = { .read = 0.3 * cost, .each = cost, .rate = rate, .seed = ++seed };
        const double plain = 0.3 * n_prompt + n - 1, took = write_with(&f, &real, n_prompt, n);
        if (!CHECK(took <= 1.07 * plain + 2 + 1e-9))
            printf("  %u tokens behind %u, drafts at %g right at %g, %g a token more: %g for %g\n", n, n_prompt, cost,
                   rate, each_more, took, plain);
        if (n == 1500 && each_more < 0.1 && cost < 0.2 && rate > 0.9) gained += plain / took;
    }
    CHECK(gained > 6 * 2);
}

/* What was spent on reading counts for all of the text, however often it reads. */
static void reading_is_bounded(void)
{
    weft__pace p = { { 0 }, { 0 }, 100, 0, 0, 0 };
    const weft__widths w = widths_of(1, 0.02);
    const weft__plain plain = { .width = 1 };
    const weft__offer o = { .kind = WEFT__DRAFT_OF_MODEL, .most = 15, .left = 500, .read = 3, .each = 0.1 };
    const weft__offer short_text = { .kind = WEFT__DRAFT_OF_MODEL, .most = 15, .left = 3, .read = 3, .each = 0.1 };
    weft__choice c = weft__pace_choose(&p, &w, &plain, &o);
    CHECK(c.n > 0 && c.reads && !c.probe);
    CHECK(!weft__pace_choose(&p, &w, &plain, &short_text).reads); /* nothing is left that would repay it */
    weft__pace_read(&p, 3);
    CHECK(!weft__pace_choose(&p, &w, &plain, &o).reads);
    weft__pace_prompt(&p, 20); /* 5 % of 120 are twice 3 */
    CHECK(weft__pace_choose(&p, &w, &plain, &o).reads);
}

/* Among others a run is wide as it is: a draft is worth less, where each token more takes the same. */
static void others_make_drafts_dearer(void)
{
    const weft__pace p = { { 0, 0, 0, 20 }, { 0 }, 10, 0, 0, 0 };
    weft__widths w = { 0 };
    for (uint32_t i = 1; i <= 64; i++) /* free up to 8, then as many times as long */
        for (int k = 0; k < 2; k++) weft__widths_add(&w, i, i <= 8 ? 0.01 : 0.01 * i / 8);
    CHECK_EQ_INT(choose(&p, &w, &(weft__plain){ 1, 0 }, 3, 15).n, 7);
    CHECK_EQ_INT(choose(&p, &w, &(weft__plain){ 4, 3 }, 3, 15).n, 4);
    weft__choice c = choose(&p, &w, &(weft__plain){ 8, 7 }, 3, 15);
    CHECK(!c.n || c.probe);
}

/* ---- a draft model ---- */

/* The most probable tokens, as the model itself picks them greedily. */
static void a_model_drafts_its_own_text(void)
{
    static const int32_t ids[] = { 7, 300, 12, 44, 900 };
    for (int i = 0; i < 2; i++) {
        const weft_session_desc desc = { .context = 40, .candidates = (uint32_t)i, .deterministic = true };
        bundled b, other;
        weft_draft_model *d = NULL;
        weft_generated r = { 0 };
        if (bundled_open(&b, "cpu,threads=2", &desc) && bundled_open(&other, "cpu,threads=2", &desc) &&
            CHECK_OK(weft_draft_model_create(b.s, other.m, &d, &err), err) &&
            CHECK_OK(weft_generate(other.s, 0, ids, 5, &(weft_generate_desc){ .max_tokens = 12 }, &r, &err), err)) {
            weft_drafter f = weft_draft_model_drafter(d);
            static const int32_t wrong = 17;
            weft_draft got = { 0 }, again = { 0 }, other_way = { 0 };
            CHECK_OK(f.begin(f.ctx, ids, 5, &err), err);
            CHECK_OK(f.propose(f.ctx, 6, &got, &err), err);
            CHECK_EQ_INT(got.n, 6);
            CHECK(!memcmp(got.ids, r.tokens, 6 * sizeof *r.tokens));
            CHECK_OK(f.push(f.ctx, r.tokens, 2, &err), err); /* some of them were right */
            CHECK_OK(f.propose(f.ctx, 4, &again, &err), err);
            CHECK(again.n == 4 && !memcmp(again.ids, r.tokens + 2, 4 * sizeof *r.tokens));
            CHECK_OK(f.push(f.ctx, &wrong, 1, &err), err); /* none was */
            CHECK_OK(f.propose(f.ctx, 1, &other_way, &err), err);
            CHECK_EQ_INT(weft_session_length(b.s, 0), 8);
            CHECK_EQ_INT(weft_session_tokens(b.s, 0)[7], 17);
            int32_t filler[40] = { 0 };
            got = (weft_draft){ 0 };
            CHECK_OK(f.push(f.ctx, filler, 31, &err), err); /* 39: one more can be read */
            CHECK_OK(f.propose(f.ctx, 6, &got, &err), err);
            CHECK(got.n <= 2);
            got = (weft_draft){ 0 };
            CHECK_OK(f.push(f.ctx, filler, 9, &err), err);
            CHECK_OK(f.propose(f.ctx, 6, &got, &err), err);
            CHECK_EQ_INT(got.n, 0); /* its context is over */
        }
        weft_generated_free(&r);
        weft_draft_model_destroy(d);
        bundled_close(&other);
        bundled_close(&b);
    }
}

/* A model of another vocabulary, with random weights. */
static weft_model *random_model(temp_folder *folder, uint32_t n_vocab, int32_t eos)
{
    char config[512];
    weft_model *m = NULL;
    snprintf(config, sizeof config,
             "{ \"architectures\": [\"GPTNeoXForCausalLM\"], \"vocab_size\": %u, \"eos_token_id\": %d,\n"
             "\"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 1, \"num_attention_heads\": 2,\n"
             "\"max_position_embeddings\": 64 }", n_vocab, (int)eos);
    temp_write_text(folder, "config.json", config);
    CHECK_OK(weft_model_open(temp_path(folder, "config.json"), NULL, &m, &err), err);
    return m;
}

static void other_vocabularies_are_refused(void)
{
    temp_folder folder = temp_make();
    bundled b;
    weft_draft_model *d;
    if (bundled_open(&b, "cpu,threads=1", &(weft_session_desc){ .context = 16 })) {
        weft_model *more = random_model(&folder, REF_VOCAB + 129, 0), *few = random_model(&folder, REF_VOCAB + 128, 0);
        weft_model *ends = random_model(&folder, REF_VOCAB, 3);
        CHECK_STATUS(weft_draft_model_create(b.s, more, &d, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "it has a vocabulary of 4096 tokens, not 4225");
        CHECK_STATUS(weft_draft_model_create(b.s, ends, &d, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "its texts end with token 0, not 3");
        CHECK(d == NULL);
        CHECK_OK(weft_draft_model_create(b.s, few, &d, &err), err);
        weft_draft_model_destroy(d);
        weft_model_close(more);
        weft_model_close(few);
        weft_model_close(ends);
    }
    bundled_close(&b);
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "lookup finds the longest of the last", lookup_finds_the_longest_of_the_last },
    { "a given text is looked up before every text", a_given_text_is_looked_up_before_every_text },
    { "lookup has what it allocates", lookup_has_what_it_allocates },
    { "times are learned", times_are_learned },
    { "drafts gain where they can and never lose", drafts_gain_where_they_can_and_never_lose },
    { "what is off is tried again", what_is_off_is_tried_again },
    { "a draft model never loses much", a_draft_model_never_loses_much },
    { "reading is bounded", reading_is_bounded },
    { "others make drafts dearer", others_make_drafts_dearer },
    { "a model drafts its own text", a_model_drafts_its_own_text },
    { "other vocabularies are refused", other_vocabularies_are_refused },
};
TEST_MAIN(tests)
