/* mixture.c: the rules of mixtures, as llama.cpp's quantiser has them by the roles of tensors.
 *
 * A mixture is a type and rows of exceptions: for a role, in some of the layers or for some models, another type. The
 * last row that fits counts. */
#include "models/quantize/mixture.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef enum role { ROLE_OTHER, ROLE_OUTPUT, ROLE_EMBED, ROLE_V, ROLE_K, ROLE_O, ROLE_DOWN, ROLE_EXPERTS } role;

/* Where an exception holds. n: of layers, i: this one's number. */
typedef enum where {
    ALWAYS,
    FIRST_TWO,
    FIRST_FOUR,
    FIRST_16TH,  /* i < n / 16 */
    FIRST_8TH,   /* i < n / 8 */
    GUESSED,     /* the same, where the importance is not known */
    OUTER,       /* the first and last eighths, and every third between */
    SHARED,      /* four heads of queries or more for one of keys */
    OF_EIGHT,    /* eight experts */
} where;

typedef struct exception {
    role role;
    where where;
    const char *type;
} exception;

enum { MAX_EXCEPTIONS = 8 };

struct weft__mixture {
    const char *name;
    uint32_t file_type;
    const char *type, *output; /* output: of the matrix that makes logits; NULL: as the others */
    exception but[MAX_EXCEPTIONS];
};

#define EIGHT_V { ROLE_V, OF_EIGHT, "Q8_0" }, { ROLE_K, OF_EIGHT, "Q8_0" }
#define EIGHT   EIGHT_V, { ROLE_O, OF_EIGHT, "Q5_K" }

/* Mixtures, then types by themselves: of these, all matrices. */
static const weft__mixture mixtures[] = {
    { "q2_K_M", 10, "Q2_K", "Q6_K",
      { { ROLE_V, ALWAYS, "Q3_K" }, { ROLE_V, SHARED, "Q4_K" }, { ROLE_DOWN, ALWAYS, "Q3_K" },
        { ROLE_O, ALWAYS, "Q3_K" }, EIGHT } },
    { "q2_K_S", 21, "Q2_K", "Q6_K", { { ROLE_V, SHARED, "Q4_K" }, { ROLE_DOWN, FIRST_8TH, "Q4_K" }, EIGHT_V } },
    { "q3_K_S", 11, "Q3_K", "Q6_K", { EIGHT } },
    { "q3_K_M", 12, "Q3_K", "Q6_K",
      { { ROLE_V, ALWAYS, "Q4_K" }, { ROLE_V, FIRST_TWO, "Q5_K" }, { ROLE_DOWN, ALWAYS, "Q4_K" },
        { ROLE_DOWN, FIRST_16TH, "Q5_K" }, { ROLE_O, ALWAYS, "Q4_K" }, EIGHT } },
    { "q3_K_L", 13, "Q3_K", "Q6_K",
      { { ROLE_V, ALWAYS, "Q5_K" }, { ROLE_DOWN, ALWAYS, "Q5_K" }, { ROLE_O, ALWAYS, "Q5_K" },
        { ROLE_O, OF_EIGHT, "Q3_K" }, EIGHT_V } },
    { "q4_K_S", 14, "Q4_K", "Q6_K", { { ROLE_V, FIRST_FOUR, "Q5_K" }, { ROLE_DOWN, FIRST_8TH, "Q5_K" }, EIGHT } },
    { "q4_K_M", 15, "Q4_K", "Q6_K", { { ROLE_V, OUTER, "Q6_K" }, { ROLE_DOWN, OUTER, "Q6_K" }, EIGHT } },
    { "q5_K_S", 16, "Q5_K", "Q6_K", { EIGHT_V } },
    { "q5_K_M", 17, "Q5_K", "Q6_K", { { ROLE_V, OUTER, "Q6_K" }, { ROLE_DOWN, OUTER, "Q6_K" }, EIGHT_V } },
    { "iq4_nl_M", 25, "IQ4_NL", "Q6_K", { { ROLE_V, SHARED, "Q5_K" }, { ROLE_DOWN, GUESSED, "Q5_K" }, EIGHT } },
    { "iq4_xs_M", 30, "IQ4_XS", "Q6_K", { { ROLE_V, SHARED, "Q5_K" }, { ROLE_DOWN, GUESSED, "Q5_K" }, EIGHT } },
    { "mxfp4_moe", 38, "Q8_0", NULL, { { ROLE_EXPERTS, ALWAYS, "MXFP4" } } },
    { "f32", 0, "F32", NULL, { { 0 } } },
    { "f16", 1, "F16", NULL, { { 0 } } },
    { "bf16", 32, "BF16", NULL, { { 0 } } },
    { "q8_0", 7, "Q8_0", NULL, { { 0 } } },
    { "q4_0", 2, "Q4_0", NULL, { { 0 } } },
    { "q4_1", 3, "Q4_1", NULL, { { 0 } } },
    { "q5_0", 8, "Q5_0", NULL, { { 0 } } },
    { "q5_1", 9, "Q5_1", NULL, { { 0 } } },
    { "q2_K", 10, "Q2_K", NULL, { { 0 } } },
    { "q3_K", 11, "Q3_K", NULL, { { 0 } } },
    { "q4_K", 14, "Q4_K", NULL, { { 0 } } },
    { "q5_K", 16, "Q5_K", NULL, { { 0 } } },
    { "q6_K", 18, "Q6_K", NULL, { { 0 } } },
    { "iq4_nl", 25, "IQ4_NL", NULL, { { 0 } } },
    { "iq4_xs", 30, "IQ4_XS", NULL, { { 0 } } },
    { "mxfp4", 38, "MXFP4", NULL, { { 0 } } },
};
enum { N_MIXTURES = sizeof mixtures / sizeof *mixtures };

/* What stands in for a type where its blocks do not divide the rows. */
static const struct { const char *type, *instead; } narrower[] = {
    { "Q2_K", "Q4_0" }, { "Q3_K", "Q4_0" }, { "Q4_K", "Q5_0" }, { "Q5_K", "Q5_1" }, { "Q6_K", "Q8_0" },
    { "IQ4_XS", "IQ4_NL" },
};

/* Parts of names of small matrices that are no weights of products, or of ones that choose: they stay. */
static const char *const kept[] = {
    "_norm.", "ffn_gate_inp.", "position_embd.", "token_types.", "ssm_conv1d.", "shortconv.conv.",
};

static bool same_name(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b)) a++, b++;
    return !*a && !*b;
}

const weft__mixture *weft__mixture_find(const char *name)
{
    for (size_t i = 0; i < N_MIXTURES; i++)
        if (same_name(mixtures[i].name, name)) return &mixtures[i];
    return NULL;
}

const char *weft__mixture_name(size_t i)
{
    return i < N_MIXTURES ? mixtures[i].name : NULL;
}

uint32_t weft__mixture_file_type(const weft__mixture *m)
{
    return m->file_type;
}

/* ---- roles ---- */

static bool has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

static role role_of(const weft__mixture_model *model, const weft__file_tensor *t)
{
    const char *name = t->name;
    if (!strcmp(name, "output.weight")) return ROLE_OUTPUT;
    if (!strcmp(name, "token_embd.weight")) return model->tied ? ROLE_OUTPUT : ROLE_EMBED;
    if (has(name, "attn_v.") || has(name, "attn_qkv.") || has(name, "attn_kv_b.")) return ROLE_V;
    if (has(name, "attn_k.")) return ROLE_K;
    if (has(name, "attn_output.")) return ROLE_O;
    return has(name, "ffn_down") ? ROLE_DOWN : ROLE_OTHER;
}

uint32_t weft__mixture_layer(const char *name)
{
    if (strncmp(name, "blk.", 4) || !isdigit((unsigned char)name[4])) return UINT32_MAX;
    const unsigned long n = strtoul(name + 4, NULL, 10);
    return n < UINT16_MAX ? (uint32_t)n : UINT32_MAX;
}

static bool holds(where w, const weft__mixture_model *model, uint32_t i)
{
    const uint32_t n = model->layers;
    switch (w) {
    case ALWAYS: return true;
    case FIRST_TWO: return i < 2;
    case FIRST_FOUR: return i < 4;
    case FIRST_16TH: return i < n / 16;
    case FIRST_8TH: return i < n / 8;
    case GUESSED: return i < n / 8 && !model->importance;
    case OUTER: return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
    case SHARED: return model->queries >= 4;
    case OF_EIGHT: return model->experts == 8;
    }
    return false;
}

static bool stays(const weft__file_tensor *t)
{
    size_t n = strlen(t->name);
    if (t->rank < 2 || n < 7 || strcmp(t->name + n - 7, ".weight")) return true;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (has(t->name, kept[i])) return true;
    return t->dtype->type == WEFT_I32;
}

/* ---- types ---- */

static const weft__file_dtype *fitting(const char *name, const weft__file_tensor *t)
{
    const weft__file_dtype *d = weft__file_dtype_find(name);
    for (size_t i = 0; i < sizeof narrower / sizeof *narrower && !weft__file_is_whole(d, t->rank, t->dims); i++)
        if (!strcmp(d->name, narrower[i].type)) d = weft__file_dtype_find(narrower[i].instead);
    return weft__file_is_whole(d, t->rank, t->dims) ? d : weft__file_dtype_find("F16");
}

const weft__file_dtype *weft__mixture_type(const weft__mixture *m, const weft__mixture_model *model,
                                           const weft__file_tensor *t)
{
    if (stays(t)) return t->dtype;
    const role r = role_of(model, t);
    const char *type = m->type;
    for (int i = 0; i < MAX_EXCEPTIONS && m->but[i].type; i++) {
        bool fits = m->but[i].role == ROLE_EXPERTS ? t->rank == 3 : m->but[i].role == r;
        if (fits && holds(m->but[i].where, model, weft__mixture_layer(t->name))) type = m->but[i].type;
    }
    if (r != ROLE_OUTPUT || !m->output) return fitting(type, t);
    return fitting(weft__file_is_whole(weft__file_dtype_find(m->output), t->rank, t->dims) ? m->output : "Q8_0", t);
}

/* ---- exceptions of the user's ---- */

weft_status weft__mixture_keep_parse(const char *text, weft__mixture_keep *out, weft_error *err)
{
    const char *equals = strrchr(text, '=');
    const weft__mixture *m = equals ? weft__mixture_find(equals + 1) : NULL;
    if (!equals || equals == text)
        return WEFT_FAIL(err, WEFT_INVALID, "'%s': must be PATTERN=TYPE, such as output.weight=q8_0", text);
    if (!m || m->output || m->but[0].type)
        return WEFT_FAIL(err, WEFT_INVALID, "'%s': '%s' is no type that weights can be turned into", text, equals + 1);
    *out = (weft__mixture_keep){ text, (size_t)(equals - text), weft__file_dtype_find(m->type) };
    return WEFT_OK;
}

/* * and ? as in shells; a star is tried at its shortest first, and only the last one is gone back to. */
bool weft__mixture_keeps(const weft__mixture_keep *k, const char *name)
{
    size_t i = 0, star = SIZE_MAX;
    const char *from = name;
    while (*name) {
        if (i < k->length && k->pattern[i] == '*') {
            star = i++;
            from = name;
        } else if (i < k->length && (k->pattern[i] == '?' || k->pattern[i] == *name)) {
            i++;
            name++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (i < k->length && k->pattern[i] == '*') i++;
    return i == k->length;
}
