/* test_mixture.c: which types mixtures give tensors: those that llama.cpp's quantiser gives; and patterns. */
#include "models/quantize/mixture.h"
#include "tests/models/mixture_golden.h"
#include "tests/test.h"

typedef struct model {
    uint32_t layers, queries, experts;
    bool tied;
    uint64_t columns;
    bool fused;
} model;
static const model models[] = { /* as make_mixture.py has them */
    { 32, 1, 0, false, 256, false }, { 19, 4, 0, true, 256, false }, { 8, 4, 8, false, 256, false },
    { 24, 1, 0, false, 256, true },  { 6, 2, 0, false, 160, false },
};

static char letter_of(const weft__file_dtype *t)
{
    static const char *const names[] = { "aQ4_0", "bQ4_1", "cQ5_0", "dQ5_1",   "8Q8_0",   "2Q2_K",  "3Q3_K",
                                         "4Q4_K", "5Q5_K", "6Q6_K", "nIQ4_NL", "xIQ4_XS", "mMXFP4", "hF16" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i] + 1, t->name)) return names[i][0];
    return '?';
}

typedef struct walk {
    const weft__mixture *mixture;
    const model *m;
    const char *want;
    unsigned wrong;
} walk;

/* The type of a tensor that is f16 now. */
static const weft__file_dtype *type_of(const walk *w, const char *name, uint32_t rank, uint64_t columns)
{
    const weft__mixture_model how = { w->m->layers, w->m->queries, w->m->experts, w->m->tied, false };
    weft__file_tensor t = { .name = name, .dtype = weft__file_dtype_find("F16"), .rank = rank };
    for (uint32_t k = 0; k < rank; k++) t.dims[k] = k + 1 < rank ? 2 : columns;
    return weft__mixture_type(w->mixture, &how, &t);
}

static void next(walk *w, const char *name, uint32_t rank)
{
    const char got = letter_of(type_of(w, name, rank, w->m->columns));
    if (got != *w->want) printf("  %s: %c, not %c\n", name, got, *w->want);
    w->wrong += got != *w->want;
    w->want += *w->want != 0;
}

static void next_layer(walk *w, uint32_t layer)
{
    static const char *const fused[] = { "attn_qkv", "attn_output", NULL };
    static const char *const parts[] = { "attn_q", "attn_k", "attn_v", "attn_output", NULL };
    static const char *const forward[] = { "ffn_up", "ffn_down" };
    char name[64];
    for (const char *const *p = w->m->fused ? fused : parts; *p; p++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, *p);
        next(w, name, 2);
    }
    for (int k = 0; k < 2; k++) {
        snprintf(name, sizeof name, "blk.%u.%s%s.weight", layer, forward[k], w->m->experts ? "_exps" : "");
        next(w, name, w->m->experts ? 3 : 2);
    }
}

static void types_are_llama_cpps(void)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        walk w = { weft__mixture_find(golden[i].mixture), &models[golden[i].model], golden[i].types, 0 };
        if (!CHECK(w.mixture)) continue;
        next(&w, "token_embd.weight", 2);
        if (!w.m->tied) next(&w, "output.weight", 2);
        for (uint32_t k = 0; k < w.m->layers; k++) next_layer(&w, k);
        if (!CHECK(!w.wrong && !*w.want)) printf("  %s of model %u\n", golden[i].mixture, golden[i].model);
    }
}

/* Vectors, norms and routers stay; a type by itself is for all matrices; odd rows are f16. */
static void others(void)
{
    walk w = { weft__mixture_find("Q4_k"), &models[0], "", 0 };
    if (!CHECK(w.mixture)) return;
    CHECK_STR(type_of(&w, "blk.0.ffn_norm.weight", 1, 256)->name, "F16");
    CHECK_STR(type_of(&w, "blk.0.attn_q_norm.weight", 2, 256)->name, "F16");
    CHECK_STR(type_of(&w, "blk.0.ffn_gate_inp.weight", 2, 256)->name, "F16");
    CHECK_STR(type_of(&w, "blk.0.ffn_up.bias", 2, 256)->name, "F16");
    CHECK_STR(type_of(&w, "output.weight", 2, 256)->name, "Q4_K");
    CHECK_STR(type_of(&w, "token_embd.weight", 2, 64)->name, "Q5_0");
    CHECK_STR(type_of(&w, "token_embd.weight", 2, 100)->name, "F16");
    CHECK(!weft__mixture_find("q4_K_XL") && !weft__mixture_find("") && !weft__mixture_find("q4"));
    for (size_t i = 0; weft__mixture_name(i); i++) CHECK(weft__mixture_find(weft__mixture_name(i)));
    CHECK_EQ_INT(weft__mixture_file_type(weft__mixture_find("q4_K_M")), 15);
    CHECK_EQ_INT(weft__mixture_layer("blk.12.x"), 12);
    CHECK(weft__mixture_layer("blk.x") == UINT32_MAX && weft__mixture_layer("blk.99999999.x") == UINT32_MAX);
}

static void patterns(void)
{
    static const struct { const char *text, *name; bool fits; } cases[] = {
        { "output.weight=q8_0", "output.weight", true },     { "output.weight=q8_0", "output.weights", false },
        { "output*=q8_0", "output.weight", true },           { "*=q8_0", "", true },
        { "*attn_?.*=q8_0", "blk.3.attn_v.weight", true },   { "*attn_?.*=q8_0", "blk.3.attn_qkv.weight", false },
        { "*a*b*c=q8_0", "xaybzabc", true },                 { "*a*b*c=q8_0", "xaybzab", false },
        { "blk.?.*=q8_0", "blk.12.attn_v.weight", false },   { "=x=q8_0", "=x", true },
    };
    weft__mixture_keep k;
    weft_error err = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!CHECK_OK(weft__mixture_keep_parse(cases[i].text, &k, &err), err)) continue;
        CHECK_STR(k.type->name, "Q8_0");
        if (!CHECK(weft__mixture_keeps(&k, cases[i].name) == cases[i].fits)) printf("  %s\n", cases[i].text);
    }
    static const char *const wrong[] = { "output", "=q8_0", "a=", "a=q9", "a=q4_K_M", "" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(weft__mixture_keep_parse(wrong[i], &k, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, wrong[i]);
    }
}

static const weft_test tests[] = {
    { "types_are_llama_cpps", types_are_llama_cpps },
    { "others", others },
    { "patterns", patterns },
};
TEST_MAIN(tests)
