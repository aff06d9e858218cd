/* test_finite.c: results that are no numbers are errors that name the token, whichever way they leave a session; a
 * check names the node and the weight; a cache that was given what is too large for it is named. */
#include "folder.h"
#include "reference.h"

#include <math.h>

static weft_error err;

static const folder_variant variant = {
    "small", { 2, 32, 2, 64, 50, 0.25, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu"
};
static const folder_variant wide_heads = { /* of a block */
    "wide", { 2, 32, 1, 64, 50, 0.25, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu"
};
enum { VOCAB = 50, EMBED = 32, HEAD = 16 };
static const int32_t ids[] = { 11, 40, 7, 23 };

typedef struct world {
    temp_folder folder;
    const folder_variant *variant;
    neox_model ref;
    weft_model *m;
    weft_backend *device;
} world;

/* A random model. */
static void world_make(world *w, const folder_variant *v)
{
    *w = (world){ .folder = temp_make(), .variant = v };
    neox_create(&w->ref, &v->c, 99);
}

/* Every step-th element of a tensor, from `at` on. */
static void set(world *w, const char *name, size_t at, size_t step, float value)
{
    for (size_t i = 0; i < w->ref.n_tensors; i++)
        for (size_t k = at; k < w->ref.tensors[i].n && !strcmp(w->ref.tensors[i].name, name); k += step)
            w->ref.tensors[i].v[k] = value;
}

static bool world_write(world *w)
{
    folder_write(&w->folder, w->variant, &w->ref);
    return CHECK_OK(weft_model_open(w->folder.path, NULL, &w->m, &err), err) &&
           CHECK_OK(weft_backend_open("cpu,threads=2", &w->device, &err), err);
}

/* One whose tensor `name` has `value` at `at`. */
static bool world_open(world *w, const char *name, size_t at, float value)
{
    world_make(w, &variant);
    set(w, name, at, SIZE_MAX / 2, value);
    return world_write(w);
}

static void world_close(world *w)
{
    weft_model_close(w->m);
    weft_backend_close(w->device);
    neox_free(&w->ref);
    temp_remove(&w->folder);
}

static weft_session *session(world *w, weft_session_desc desc)
{
    weft_session *s = NULL;
    desc.devices = &w->device;
    desc.n_devices = 1;
    CHECK_OK(weft_session_create(w->m, &desc, &s, &err), err);
    return s;
}

/* ---- where they come out ---- */

/* Tokens 7 and 23 at positions 2 and 3 are wanted; two runs, for a run takes three tokens. */
static weft_status eval(weft_session *s)
{
    static float out[2 * VOCAB];
    static weft_candidate best[2 * VOCAB];
    weft_batch_token t[4];
    uint32_t wants = weft_session_settled(s)->outputs;
    for (uint32_t i = 0; i < 4; i++) t[i] = (weft_batch_token){ ids[i], 1, i > 1 ? wants : 0 };
    return weft_session_eval(s, t, 4, &(weft_rows){ .logits = out, .candidates = best, .hidden = out }, &err);
}

static void expect_fault(world *w, weft_session_desc desc)
{
    desc.n_sequences = 2;
    desc.max_tokens = 3;
    weft_session *s = session(w, desc);
    if (!s) return;
    const weft_batch_token before = { ids[0], 0, 0 }; /* has the first page: positions and cells differ then */
    CHECK_OK(weft_session_eval(s, &before, 1, NULL, &err), err);
    CHECK_STATUS(eval(s), WEFT_NOT_FINITE, err);
    CHECK_CONTAINS(err.text, "token 7 at position 2 of sequence 1");
    CHECK_EQ_INT(weft_session_length(s, 1), 0);
    weft_session_destroy(s);
}

static void every_way_out(void)
{
    static const struct {
        const char *name;
        size_t at;
        float value;
        bool hidden; /* the hidden states have it, too */
    } faults[] = {
        { "gpt_neox.layers.0.mlp.dense_h_to_4h.weight", 7, NAN, true },
        { "gpt_neox.final_layer_norm.weight", 3, NAN, true },
        { "gpt_neox.final_layer_norm.bias", 3, INFINITY, true },
        { "embed_out.weight", 5 * EMBED + 2, NAN, false }, /* one logit of each row */
        { "embed_out.weight", 5 * EMBED + 2, INFINITY, false },
        { "embed_out.weight", 49 * EMBED, -INFINITY, false },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        world w;
        if (world_open(&w, faults[i].name, faults[i].at, faults[i].value)) {
            expect_fault(&w, (weft_session_desc){ 0 });
            for (uint32_t k = 1; k <= VOCAB; k += k == 1 ? 4 : 45)
                expect_fault(&w, (weft_session_desc){ .candidates = k });
            if (faults[i].hidden) expect_fault(&w, (weft_session_desc){ .outputs = WEFT_WANT_HIDDEN, .layer = 2 });
        }
        world_close(&w);
    }
}

/* Logits of about 1e38 are numbers, though their sum is none. */
static void large_numbers_are_numbers(void)
{
    world w;
    world_make(&w, &variant);
    set(&w, "gpt_neox.final_layer_norm.bias", 2, EMBED, 10.0f);
    set(&w, "embed_out.weight", 2, EMBED, 1e37f);
    if (world_write(&w))
        for (uint32_t k = 0; k <= 5; k += k ? 4 : 1) {
            weft_session *s = session(&w, (weft_session_desc){ .candidates = k, .n_sequences = 2 });
            if (s) CHECK_OK(eval(s), err);
            weft_session_destroy(s);
        }
    world_close(&w);
}

static void generation_does_not_take_it_for_an_ending(void)
{
    world w;
    weft_generated r;
    if (world_open(&w, "embed_out.weight", 5 * EMBED + 2, NAN)) {
        weft_session *s = session(&w, (weft_session_desc){ 0 });
        static const weft_generate_desc how[] = {
            { .max_tokens = 4 }, { .max_tokens = 4, .sampling = { .temperature = 1.0f } },
            { .max_tokens = 4, .sampling = { .repeat_penalty = 1.2f } }, { .max_tokens = 4, .n_logprobs = 3 },
        };
        for (size_t i = 0; s && i < 4; i++) {
            CHECK_STATUS(weft_generate(s, 0, ids, 4, &how[i], &r, &err), WEFT_NOT_FINITE, err);
            CHECK_CONTAINS(err.text, "token 23 at position 3 of sequence 0");
            CHECK_CONTAINS(err.text, "1 of 50 logits");
            CHECK_CONTAINS(err.text, "number 5");
        }
        weft_session_destroy(s);
    }
    world_close(&w);
}

/* A token whose embedding is broken fails alone; without it the session goes on. */
static void others_go_on(void)
{
    world w;
    float before[VOCAB], after[VOCAB];
    if (world_open(&w, "gpt_neox.embed_in.weight", 3 * EMBED + 1, NAN)) {
        weft_session *s = session(&w, (weft_session_desc){ 0 });
        if (s) {
            CHECK_OK(eval_tokens(s, 0, ids, 3, false, before, &err), err);
            CHECK_OK(weft_session_truncate(s, 0, 2, &err), err);
            CHECK_STATUS(eval_tokens(s, 0, &(int32_t){ 3 }, 1, false, after, &err), WEFT_NOT_FINITE, err);
            CHECK(!strstr(err.text, "f16"));
            CHECK_EQ_INT(weft_session_length(s, 0), 2);
            CHECK_OK(eval_tokens(s, 0, ids + 2, 1, false, after, &err), err);
            CHECK(relative_difference(after, before, VOCAB) < 1e-5);
        }
        weft_session_destroy(s);
    }
    world_close(&w);
}

/* ---- checks ---- */

typedef struct first {
    const weft_graph *g;
    uint32_t n, failed, node;
    uint64_t count;
    char weight[96];
} first;

static bool note(void *ctx, const weft_check_node *n)
{
    first *f = ctx;
    f->failed += n->failed;
    if (!n->n_not_finite || f->n++) return true;
    f->node = n->node;
    f->count = n->n_not_finite;
    snprintf(f->weight, sizeof f->weight, "%s", n->weight ? n->weight : "");
    return true;
}

static void checked(const char *name, size_t at, float value, weft_dtype weights, const char *scope, bool by_weight)
{
    world w;
    if (world_open(&w, name, at, value)) {
        weft_session *s = session(&w, (weft_session_desc){ .weights = weights });
        first f = { 0 };
        if (s && CHECK_OK(weft_session_check(s, ids, 4, note, &f, &err), err) && CHECK(f.n > 0)) {
            const weft_graph *g = weft_program_graph(weft_session_program(s, SIZE_MAX));
            CHECK_STR(weft_graph_node_by_id(g, f.node)->scope, scope);
            CHECK_STR(f.weight, by_weight ? name : "");
            CHECK(f.count > 0);
            CHECK_EQ_INT(f.failed, 0); /* the reference makes them, too */
        }
        weft_session_destroy(s);
    }
    world_close(&w);
}

static void a_check_names_the_first_node(void)
{
    checked("gpt_neox.layers.1.mlp.dense_4h_to_h.weight", 17, NAN, WEFT_ANY, "gpt_neox.layers.1.mlp.dense_4h_to_h",
            true);
    checked("gpt_neox.layers.0.mlp.dense_h_to_4h.bias", 1, INFINITY, WEFT_ANY, "gpt_neox.layers.0.mlp.dense_h_to_4h",
            true);
    checked("gpt_neox.layers.1.attention.query_key_value.weight", 3, 1e6f, WEFT_F16, /* infinite as f16 */
            "gpt_neox.layers.1.attention.query_key_value", true);
    checked("gpt_neox.layers.1.attention.query_key_value.bias", HEAD + 3, 1e6f, WEFT_ANY, /* a key of head 0 */
            "gpt_neox.layers.1.attention", false);
}

/* ---- the cache ---- */

/* One element of every key or value of layer 1's second head is a million: more than f16 holds. A key like that may
 * score -inf, which would only hide its cell. */
static void what_the_cache_cannot_hold_is_named(void)
{
    static const weft_dtype wide[] = { WEFT_F32, WEFT_BF16 };
    for (size_t value = 0; value < 2; value++)
        for (int sign = -1; sign < 2; sign += 2) {
            world w;
            float out[VOCAB];
            size_t at = (3 + 1 + value) * HEAD + 9;
            if (world_open(&w, "gpt_neox.layers.1.attention.query_key_value.bias", at, (float)sign * 1e6f)) {
                weft_session *s = session(&w, (weft_session_desc){ .n_sequences = 2 });
                if (s) CHECK_STATUS(eval_tokens(s, 1, ids, 4, false, out, &err), WEFT_NOT_FINITE, err);
                CHECK_CONTAINS(err.text, value ? "'gpt_neox.layers.1.attention.value'"
                                               : "'gpt_neox.layers.1.attention.key'");
                CHECK_CONTAINS(err.text, "bf16");
                weft_session_destroy(s);
                for (size_t i = 0; i < 2; i++) {
                    s = session(&w, (weft_session_desc){ .kv = wide[i] });
                    if (s) CHECK_OK(eval_tokens(s, 0, ids, 4, false, out, &err), err);
                    weft_session_destroy(s);
                }
            }
            world_close(&w);
        }
}

/* The same of blocks, whose scale is a 127th or an eighth. */
static void what_blocks_cannot_hold_is_named(void)
{
    static const struct { weft_dtype kv; const char *text; } caches[] = { { WEFT_Q8_0, "too large for q8_0" },
                                                                          { WEFT_Q4_0, "too large for q4_0" } };
    for (size_t value = 0; value < 2; value++) {
        world w;
        float out[VOCAB];
        world_make(&w, &wide_heads);
        set(&w, "gpt_neox.layers.1.attention.query_key_value.bias", (1 + value) * EMBED + 9, SIZE_MAX / 2, 1e7f);
        bool open = world_write(&w);
        for (size_t i = 0; open && i < 2; i++) {
            weft_session *s = session(&w, (weft_session_desc){ .n_sequences = 2, .kv = caches[i].kv });
            if (s) CHECK_STATUS(eval_tokens(s, 1, ids, 4, false, out, &err), WEFT_NOT_FINITE, err);
            CHECK_CONTAINS(err.text, value ? "'gpt_neox.layers.1.attention.value'"
                                           : "'gpt_neox.layers.1.attention.key'");
            CHECK_CONTAINS(err.text, caches[i].text);
            weft_session_destroy(s);
        }
        /* of keys and values only those of a type that holds no such number */
        for (size_t i = 0; open && i < 2; i++) {
            weft_session *s = session(&w, (weft_session_desc){ .kv = i ? WEFT_F32 : WEFT_Q4_0,
                                                               .kv_values = i ? WEFT_Q4_0 : WEFT_F32 });
            if (s && i == value) CHECK_STATUS(eval_tokens(s, 0, ids, 4, false, out, &err), WEFT_NOT_FINITE, err);
            else if (s) CHECK_OK(eval_tokens(s, 0, ids, 4, false, out, &err), err);
            if (i == value) CHECK_CONTAINS(err.text, "too large for q4_0");
            weft_session_destroy(s);
        }
        world_close(&w);
    }
}

/* A cache of bf16 is a cache: three digits of a cache of f32. */
static void a_cache_of_bf16(void)
{
    world w;
    float want[4 * VOCAB], got[4 * VOCAB];
    if (world_open(&w, "", 0, 0)) {
        weft_session *a = session(&w, (weft_session_desc){ .kv = WEFT_F32 });
        weft_session *b = session(&w, (weft_session_desc){ .kv = WEFT_BF16 });
        if (a && b) {
            CHECK_OK(eval_tokens(a, 0, ids, 4, true, want, &err), err);
            CHECK_OK(eval_tokens(b, 0, ids, 4, true, got, &err), err);
            double error = relative_difference(got, want, 4 * VOCAB);
            CHECK(error > 1e-6 && error < 1e-2);
        }
        weft_session_destroy(a);
        weft_session_destroy(b);
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "large numbers are numbers", large_numbers_are_numbers },
    { "every way out", every_way_out },
    { "generation does not take it for an ending", generation_does_not_take_it_for_an_ending },
    { "others go on", others_go_on },
    { "a check names the first node", a_check_names_the_first_node },
    { "what the cache cannot hold is named", what_the_cache_cannot_hold_is_named },
    { "what blocks cannot hold is named", what_blocks_cannot_hold_is_named },
    { "a cache of bf16", a_cache_of_bf16 },
};
TEST_MAIN(tests)
