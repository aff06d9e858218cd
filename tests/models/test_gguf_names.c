/* test_gguf_names.c: names and forms in GGUF files against what llama.cpp's converter makes of the small models of
 * tests/reference/arch (tests/reference/gguf has its results). */
#include <stdlib.h>

#include <jansson.h>

#include "models/arch.h"
#include "models/config.h"
#include "tests/test.h"

#define REFERENCE WEFT_TEST_ROOT "/tests/reference/"

static weft_error err;

/* A line: model, name, name in GGUF, form and what belongs to it. */
typedef struct line {
    char model[64], name[128], in_file[128], form[16];
    const char *rest;
} line;

/* The model of lines: heads of queries and keys, of D. */
typedef struct model {
    char name[64];
    const weft__arch *arch;
    uint32_t H, G, D;
} model;

static uint32_t number(const weft_config_file *c, const char *key, uint32_t otherwise)
{
    double n;
    return weft_config_file_number(c, key, &n) == 1 ? (uint32_t)n : otherwise;
}

static void model_read(model *m, const char *name)
{
    char path[512];
    weft_config_file *c = NULL;
    snprintf(path, sizeof path, REFERENCE "arch/%s.json", name);
    json_t *root = json_load_file(path, 0, NULL), *config = json_object_get(root, "config");
    char *text = json_dumps(config, 0);
    *m = (model){ .arch = weft__arch_of_type(json_string_value(json_object_get(config, "model_type"))) };
    snprintf(m->name, sizeof m->name, "%s", name);
    if (CHECK(text && m->arch) && CHECK_OK(weft_config_file_parse(text, strlen(text), NULL, 0, path, &c, &err), err)) {
        m->H = number(c, "num_attention_heads", 1);
        m->G = number(c, "num_key_value_heads", m->H);
        m->D = number(c, "head_dim", number(c, "hidden_size", 0) / m->H);
    }
    weft_config_file_close(c);
    free(text);
    json_decref(root);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* A matrix that checkpoints hold as [in, out], and graphs and GGUF as [out, in]. */
static bool is_turned(const weft__arch *a, const char *name)
{
    for (int i = 0; i < WEFT__MAX_NAMES && a->transposed[i]; i++)
        if (ends_with(name, a->transposed[i])) return true;
    return false;
}

static bool rows_are(const model *m, weft__gguf_form form, const char *list)
{
    char *end;
    uint32_t i = 0;
    for (; *list; list = end, i++)
        if (strtoul(list, &end, 10) != weft__gguf_row(form, m->H, m->G, m->D, i) || end == list) return false;
    return i > 0;
}

static bool form_is(const model *m, const line *l, const weft__gguf_place *p)
{
    if (!strcmp(l->form, "same")) return p->form == WEFT__GGUF_SAME && !is_turned(m->arch, l->name);
    if (!strcmp(l->form, "turned")) return p->form == WEFT__GGUF_SAME && is_turned(m->arch, l->name);
    if (!strcmp(l->form, "more")) return p->form == WEFT__GGUF_MORE;
    if (!strcmp(l->form, "half")) return p->form == WEFT__GGUF_HALVES;
    if (!strcmp(l->form, "turn")) return p->form == WEFT__GGUF_TURNS;
    return !strcmp(l->form, "rows") && rows_are(m, p->form, l->rest);
}

/* A number and then `after`; without such: nothing. */
static bool ends_as(const char *text, const char *after, unsigned *n)
{
    char *end;
    if (!after) return !*text;
    *n = (unsigned)strtoul(text, &end, 10);
    return !strcmp(end, after);
}

/* What the graph has in place of a file's tensor: a name that ends like one of a weight's parts ends as the weight
 * does; the expert, and which of the weight's tensors it is. False: it has it itself. */
static bool is_part(const weft__arch *a, const char *name, char *whole, size_t size, unsigned *expert, int *half)
{
    for (const weft__parts *w = a->parts; w < a->parts + WEFT__MAX_NAMES && w->name; w++)
        for (*half = 0; *half < 2 && w->of[*half]; ++*half) {
            const char *of = w->of[*half], *hash = strchr(of, '#');
            size_t before = hash ? (size_t)(hash - of) : strlen(of);
            for (const char *at = name; (at = strchr(at, '.')); at++) {
                if (strncmp(at, of, before) != 0 || !ends_as(at + before, hash ? hash + 1 : NULL, expert)) continue;
                snprintf(whole, size, "%.*s%s", (int)(at - name), name, w->name);
                return true;
            }
        }
    return false;
}

/* A name of the graph. */
static bool whole_is(const model *m, const line *l)
{
    weft__gguf_place p;
    if (!weft__gguf_place_of(m->arch, l->name, &p)) return false;
    bool second = (!strcmp(l->form, "half") || !strcmp(l->form, "turn")) && strtoul(l->rest, NULL, 10) == 1;
    return !strcmp(second ? p.second : p.name, l->in_file) && form_is(m, l, &p);
}

/* A tensor of one expert, or of a weight that the graph calls otherwise. */
static bool part_is(const model *m, const line *l)
{
    char whole[160];
    unsigned expert = 0;
    int half;
    weft__gguf_place p;
    if (!is_part(m->arch, l->name, whole, sizeof whole, &expert, &half)) return false;
    if (!weft__gguf_place_of(m->arch, whole, &p) || strcmp(half ? p.second : p.name, l->in_file) != 0) return false;
    return !strcmp(l->form, "row") ? strtoul(l->rest, NULL, 10) == expert : !strcmp(l->form, "same");
}

static void check_line(const model *m, const line *l)
{
    const char *arch = m->arch->gguf.arch;
    bool fine = !strcmp(l->name, "general.architecture")
                    ? arch && !strcmp(arch, l->in_file)
                    : part_is(m, l) || whole_is(m, l);
    if (!CHECK(fine)) printf("  %s %s: not %s, or not in this form\n", l->model, l->name, l->in_file);
}

/* Calls it for each line; the first of a model comes with the model read anew. */
static void each_line(void (*take)(const model *m, const line *l))
{
    static char text[1 << 14];
    model m = { 0 };
    FILE *f = fopen(REFERENCE "gguf/names.txt", "r");
    if (!CHECK(f != NULL)) return;
    while (fgets(text, sizeof text, f)) {
        line l = { .rest = "" };
        int n = 0;
        text[strcspn(text, "\n")] = 0;
        int got = sscanf(text, "%63s %127s %127s %15s%n", l.model, l.name, l.in_file, l.form, &n);
        if (!CHECK(got >= 3)) continue;
        if (got == 4) l.rest = text + n;
        if (strcmp(m.name, l.model)) model_read(&m, l.model);
        if (m.arch) take(&m, &l);
    }
    fclose(f);
}

static void names_and_forms_are_those_of_the_converter(void)
{
    each_line(check_line);
}

static bool seen[256]; /* by the place of the architecture */

static void note(const model *m, const line *l)
{
    (void)l;
    for (size_t i = 0; i < sizeof seen; i++)
        if (weft__arch_at(i) == m->arch) seen[i] = true;
}

static void every_architecture_of_the_converter_has_names(void)
{
    const weft__arch *a;
    memset(seen, 0, sizeof seen);
    each_line(note);
    for (size_t i = 0; i < sizeof seen && (a = weft__arch_at(i)); i++)
        if (!CHECK_EQ_INT(a->gguf.arch != NULL, seen[i])) printf("  %s\n", a->keys.type);
}

/* The converter of 0.3.36 loses them: as its tensor_mapping.py calls them, stacked. */
static void a_norm_of_each_head_is_a_row(void)
{
    weft__gguf_place p;
    const weft__arch *a = weft__arch_of_type("stablelm");
    CHECK(weft__gguf_place_of(a, "model.layers.12.self_attn.k_layernorm.norms.7.weight", &p));
    CHECK_STR(p.name, "blk.12.attn_k_norm.weight");
    CHECK(p.form == WEFT__GGUF_ROW && p.row == 7);
}

static void other_names_are_not_found(void)
{
    static const char *const names[] = { "", "weight", "model.layers.0.weight", "model.layers.0.mlp.weight",
                                         "model.layers.x.mlp.up_proj.weight", "mlp", "model.layers.0.mlp.up_proj" };
    weft__gguf_place p;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!CHECK(!weft__gguf_place_of(weft__arch_of_type("llama"), names[i], &p))) printf("  %s\n", names[i]);
    CHECK(!weft__gguf_place_of(weft__arch_of_type("opt"), "model.decoder.layers.0.fc1.weight", &p));
}

static const weft_test tests[] = {
    { "names and forms are those of the converter", names_and_forms_are_those_of_the_converter },
    { "every architecture of the converter has names", every_architecture_of_the_converter_has_names },
    { "a norm of each head is a row", a_norm_of_each_head_is_a_row },
    { "other names are not found", other_names_are_not_found },
};

TEST_MAIN(tests)
