/* test_heads.c: what stands on top of the last hidden state, for each of Hugging Face's classes, against the numbers
 * that they give (heads_golden.h), and what a model says that lacks what it is asked for. */
#include <math.h>

#include "folder.h"
#include "heads_golden.h"
#include "models/model.h"
#include "tests/oom.h"

enum { E = 32, VOCAB = 37, N = sizeof golden_ids / sizeof *golden_ids };

static weft_error err;
static const neox_config shape = { 2, E, 2, 64, VOCAB, 0.5, 10000, 1e-5, NEOX_GELU, true, true, false };

typedef struct head_case {
    const char *architecture, *more; /* more of config.json */
    const char *tensor;              /* the head's, without ".weight"; NULL: none */
    size_t rows;
    bool bias;
    folder_spelling spelling;
} head_case;

#define LABELS ", \"id2label\": {\"0\": \"bad\", \"1\": \"so so\", \"2\": \"good\"}"

static const head_case base = { "GPTNeoXModel", "", NULL, 0, false,
                                { .without = "embed_out.weight", .strip = "gpt_neox." } };
static const head_case headless = { "GPTNeoXForCausalLM", "", NULL, 0, false, { .without = "embed_out.weight" } };
static const head_case tied = { "GPTNeoXForCausalLM", ", \"tie_word_embeddings\": true", NULL, 0, false,
                                { .without = "embed_out.weight" } };
static const head_case sequence = { "GPTNeoXForSequenceClassification", LABELS, "score", 3, false,
                                    { .without = "embed_out.weight" } };
static const head_case padded = { "GPTNeoXForSequenceClassification", LABELS ", \"pad_token_id\": 5", "score", 3, false,
                                  { .without = "embed_out.weight" } };
static const head_case tokens = { "GPTNeoXForTokenClassification", LABELS, "classifier", 3, true,
                                  { .without = "embed_out.weight" } };
static const head_case span = { "GPTNeoXForQuestionAnswering", LABELS, "qa_outputs", 2, true,
                                { .without = "embed_out.weight" } };

/* ---- the folder ---- */

/* The formula of make_heads.py. */
static void fill(neox_tensor *t)
{
    size_t sum = 0, n = strlen(t->name);
    for (size_t i = 0; i < n; i++) sum += (unsigned char)t->name[i];
    bool gain = strstr(t->name, "norm") && n > 6 && !strcmp(t->name + n - 6, "weight");
    for (size_t i = 0; i < t->n; i++) {
        double x = ((double)((i * 37 + sum * 101) % 127) - 63) / 128;
        t->v[i] = (float)(gain ? 1 + x / 4 : x);
    }
}

static void add_tensor(neox_model *m, const char *name, const char *part, uint32_t rank, size_t rows)
{
    m->tensors = realloc(m->tensors, (m->n_tensors + 1) * sizeof *m->tensors);
    neox_tensor *t = &m->tensors[m->n_tensors++];
    *t = (neox_tensor){ .rank = rank, .dim = { rows, E }, .n = rank == 1 ? rows : rows * E };
    snprintf(t->name, sizeof t->name, "%s.%s", name, part);
    t->v = calloc(t->n, sizeof *t->v);
}

static void write_folder(const temp_folder *folder, const head_case *c)
{
    char text[1024];
    neox_model m;
    neox_create(&m, &shape, 1);
    if (c->tensor) add_tensor(&m, c->tensor, "weight", 2, c->rows);
    if (c->bias) add_tensor(&m, c->tensor, "bias", 1, c->rows);
    for (size_t i = 0; i < m.n_tensors; i++) fill(&m.tensors[i]);
    snprintf(text, sizeof text,
             "{ \"architectures\": [\"%s\"], \"model_type\": \"gpt_neox\", \"num_hidden_layers\": 2,\n"
             "\"hidden_size\": %d, \"num_attention_heads\": 2, \"intermediate_size\": 64, \"vocab_size\": %d,\n"
             "\"max_position_embeddings\": 64, \"rotary_pct\": 0.5, \"torch_dtype\": \"float32\"%s }\n",
             c->architecture, E, VOCAB, c->more);
    temp_write_text(folder, "config.json", text);
    folder_weights_as(folder, &m, &c->spelling);
    neox_free(&m);
}

typedef struct world {
    temp_folder folder;
    weft_model *m;
    weft_backend *device;
    weft_model_info info;
} world;

static bool world_open(world *w, const head_case *c)
{
    *w = (world){ .folder = temp_make() };
    write_folder(&w->folder, c);
    bool ok = CHECK_OK(weft_model_open(w->folder.path, NULL, &w->m, &err), err) &&
              CHECK_OK(weft_backend_open("cpu,threads=1", &w->device, &err), err);
    if (ok) w->info = *weft_model_info_get(w->m);
    return ok;
}

static void world_close(world *w)
{
    weft_backend_close(w->device);
    weft_model_close(w->m);
    temp_remove(&w->folder);
}

/* Rows of the tokens first.. N against the reference's; weights are exact, so float32's rounding is all there is. */
static void compare(world *w, weft_session_desc desc, size_t first, size_t width, const double *want)
{
    float got[N * VOCAB] = { 0 };
    weft_batch_token t[N];
    weft_session *s;
    desc.devices = &w->device;
    desc.n_devices = 1;
    desc.exact = true;
    for (size_t i = 0; i < N; i++) t[i] = (weft_batch_token){ golden_ids[i], 0, 0 };
    if (!CHECK_OK(weft_session_create(w->m, &desc, &s, &err), err)) return;
    for (size_t i = first; i < N; i++) t[i].wants = weft_session_settled(s)->outputs;
    if (CHECK_OK(weft_session_eval(s, t, N, &(weft_rows){ .logits = got, .hidden = got, .scores = got }, &err), err))
        for (size_t i = 0; i < (N - first) * width; i++) CHECK_NEAR((double)got[i], want[i], 2e-5);
    weft_session_destroy(s);
}

/* ---- tests ---- */

static void refuses_logits(world *w, const char *reason)
{
    const weft_session_desc d = { .devices = &w->device, .n_devices = 1, .outputs = WEFT_WANT_LOGITS };
    weft_session_desc candidates = { .devices = &w->device, .n_devices = 1 };
    weft_session *s;
    weft_graph *g;
    candidates.candidates = 3;
    CHECK_STATUS(weft_session_create(w->m, &d, &s, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, reason);
    CHECK_CONTAINS(err.text, w->info.architecture);
    CHECK_STATUS(weft_session_create(w->m, &candidates, &s, &err), WEFT_NOT_FOUND, err);
    CHECK_STATUS(weft_model_graph(w->m, &(weft_model_graph_desc){ .candidates = 3 }, &g, &err), WEFT_NOT_FOUND, err);
    CHECK(!s && !g);
}

static void base_gives_hidden_states(void)
{
    const head_case *cases[] = { &base, &headless };
    for (int i = 0; i < 2; i++) {
        world w;
        if (world_open(&w, cases[i])) {
            CHECK_EQ_INT(w.info.head, WEFT_HEAD_NONE);
            CHECK(!weft_model_label(w.m, 0));
            const char *note = weft_model_note(w.m, 0);
            if (i) CHECK_CONTAINS(note ? note : "", "hidden states only, no logits: ");
            else CHECK(!note);
            compare(&w, (weft_session_desc){ .outputs = WEFT_WANT_HIDDEN, .layer = 2 }, N - 1, E, golden_hidden);
            refuses_logits(&w, "no tensor embed_out.weight");
            weft_session *s;
            const weft_session_desc d = { .devices = &w.device, .n_devices = 1, .outputs = WEFT_WANT_SCORES };
            CHECK_STATUS(weft_session_create(w.m, &d, &s, &err), WEFT_NOT_FOUND, err);
            CHECK_CONTAINS(err.text, "has no classification head");
        }
        world_close(&w);
    }
}

/* A base model's files may have the head, and tied embeddings are one. */
static void files_decide_whether_there_are_logits(void)
{
    head_case whole = base, shared = tied;
    whole.spelling.without = NULL;
    shared.architecture = "GPTNeoXModel";
    shared.spelling.strip = "gpt_neox.";
    const head_case *cases[] = { &tied, &shared, &whole };
    for (int i = 0; i < 3; i++) {
        world w;
        if (world_open(&w, cases[i])) {
            CHECK_EQ_INT(w.info.head, WEFT_HEAD_LOGITS);
            CHECK(!weft_model_note(w.m, 0));
            if (i < 2) compare(&w, (weft_session_desc){ 0 }, N - 1, VOCAB, golden_tied);
        }
        world_close(&w);
    }
    world w;
    head_case broken = headless; /* more than the head is missing: that is an error, and names what the class needs */
    broken.spelling.without = "gpt_neox.final_layer_norm.weight";
    w = (world){ .folder = temp_make() };
    write_folder(&w.folder, &broken);
    CHECK_STATUS(weft_model_open(w.folder.path, NULL, &w.m, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "gpt_neox.final_layer_norm.weight");
    world_close(&w);
}

static const char *source_of(const weft_model *m, const char *key)
{
    const weft_setting_info *s;
    for (uint32_t i = 0; (s = weft_model_setting(m, i)); i++)
        if (!strcmp(s->key, key)) return s->source;
    return "";
}

/* What transformers 5.24 makes of files that have the head, too, or alone. */
static void files_decide_what_is_tied(void)
{
    head_case both = tied, head = tied;
    both.spelling.without = NULL;
    head.spelling.from = "gpt_neox.embed_in.";
    head.spelling.to = "embed_out.";
    world w;
    if (world_open(&w, &both)) {
        const char *note = weft_model_note(w.m, 0);
        CHECK_CONTAINS(note ? note : "", "have 'gpt_neox.embed_in.weight' and 'embed_out.weight', which differ");
        CHECK(!weft_model_note(w.m, 1));
        CHECK_STR(source_of(w.m, "tie_word_embeddings"), "the files");
        compare(&w, (weft_session_desc){ 0 }, N - 1, VOCAB, golden_logits);
    }
    world_close(&w);
    if (world_open(&w, &head)) {
        CHECK(!weft_model_note(w.m, 0));
        CHECK_STR(source_of(w.m, "tie_word_embeddings"), "config.json");
        compare(&w, (weft_session_desc){ 0 }, N - 1, VOCAB, golden_tied);
    }
    world_close(&w);
    head.more = ""; /* not tied: the head does not stand for the embeddings */
    w = (world){ .folder = temp_make() };
    write_folder(&w.folder, &head);
    CHECK_STATUS(weft_model_open(w.folder.path, NULL, &w.m, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "gpt_neox.embed_in.weight");
    world_close(&w);
}

static void heads_give_the_references_scores(void)
{
    static const struct {
        const head_case *c;
        weft_head head;
        const double *want;
        size_t first;
        uint32_t width;
    } cases[] = { { &sequence, WEFT_HEAD_SEQUENCE, golden_sequence, N - 1, 3 },
                  { &tokens, WEFT_HEAD_TOKENS, golden_tokens, 0, 3 },
                  { &span, WEFT_HEAD_SPAN, golden_span, 0, 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        if (world_open(&w, cases[i].c)) {
            CHECK_EQ_INT(w.info.head, cases[i].head);
            CHECK_EQ_INT(w.info.n_labels, cases[i].width);
            CHECK_STR(weft_model_label(w.m, 1), i == 2 ? "end" : "so so");
            CHECK(!weft_model_label(w.m, cases[i].width));
            weft_session_desc d = { .outputs = WEFT_WANT_SCORES };
            compare(&w, d, cases[i].first, cases[i].width, cases[i].want);
            d.max_tokens = 3; /* in pieces of three tokens and two rows */
            d.max_rows = 2;
            compare(&w, d, cases[i].first, cases[i].width, cases[i].want);
            compare(&w, (weft_session_desc){ .outputs = WEFT_WANT_HIDDEN, .layer = 2 }, N - 1, E, golden_hidden);
            refuses_logits(&w, i ? i == 1 ? "scores of tokens" : "scores of spans" : "scores of sequences");
        }
        world_close(&w);
    }
}

/* Padding at the end is not what stands for the sequence. */
static void padding_does_not_classify(void)
{
    world w;
    weft_session *s;
    weft_batch_token t[N];
    float got[3];
    static const int32_t all[] = { 5, 5, 5 };
    if (world_open(&w, &padded)) {
        size_t at = weft_model_pooled_token(w.m, golden_ids, N);
        CHECK_EQ_INT(at, N - 3);
        CHECK_EQ_INT(weft_model_pooled_token(w.m, all, 3), 0);
        const weft_session_desc d = { .devices = &w.device, .n_devices = 1, .outputs = WEFT_WANT_SCORES,
                                      .exact = true };
        for (size_t i = 0; i < N; i++) t[i] = (weft_batch_token){ golden_ids[i], 0, i == at ? WEFT_WANT_SCORES : 0 };
        if (CHECK_OK(weft_session_create(w.m, &d, &s, &err), err) &&
            CHECK_OK(weft_session_eval(s, t, N, &(weft_rows){ .scores = got }, &err), err))
            for (int i = 0; i < 3; i++) CHECK_NEAR((double)got[i], golden_padded[i], 2e-5);
        weft_session_destroy(s);
    }
    world_close(&w);
    if (world_open(&w, &sequence)) CHECK_EQ_INT(weft_model_pooled_token(w.m, golden_ids, N), N - 1);
    world_close(&w);
}

static void labels_without_names(void)
{
    head_case two = sequence;
    world w;
    two.more = "";
    two.rows = 2;
    if (world_open(&w, &two)) {
        CHECK_EQ_INT(w.info.n_labels, 2);
        CHECK_STR(weft_model_label(w.m, 1), "LABEL_1");
    }
    world_close(&w);
    two.rows = 3; /* more rows in the file than labels in the configuration */
    w = (world){ .folder = temp_make() };
    write_folder(&w.folder, &two);
    CHECK_STATUS(weft_model_open(w.folder.path, NULL, &w.m, &err), WEFT_SHAPE, err);
    CHECK_CONTAINS(err.text, "tensor 'score.weight' is [3, 32], but config.json makes it [2, 32]");
    world_close(&w);
}

static void opening_survives_failing_allocations(void)
{
    const head_case *cases[] = { &base, &headless, &tokens };
    for (int i = 0; i < 3; i++) {
        temp_folder folder = temp_make();
        write_folder(&folder, cases[i]);
        OOM_LOOP(n)
        {
            weft_model *m;
            weft_status s = weft_model_open(folder.path, NULL, &m, &err);
            OOM_CHECK(s, err);
            CHECK((m != NULL) == (s == WEFT_OK));
            weft_model_close(m);
        }
        temp_remove(&folder);
    }
}

static const weft_test all_tests[] = {
    { "base gives hidden states", base_gives_hidden_states },
    { "files decide whether there are logits", files_decide_whether_there_are_logits },
    { "files decide what is tied", files_decide_what_is_tied },
    { "heads give the reference's scores", heads_give_the_references_scores },
    { "padding does not classify", padding_does_not_classify },
    { "labels without names", labels_without_names },
    { "opening survives failing allocations", opening_survives_failing_allocations },
};
TEST_MAIN(all_tests)
