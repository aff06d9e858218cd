/* test_gguf_export.c: a model's tensors as GGUF files have them, against what llama.cpp's converter makes of each
 * (tests/reference/gguf/names.txt): random models of the configurations of tests/reference/arch, value by value. */
#include <jansson.h>
#include <stdlib.h>

#include "models/gguf_export.h"
#include "models/model_impl.h"
#include "tests/checkpoint/temp.h"

#include "graph/convert.h"

#define REFERENCE WEFT_TEST_ROOT "/tests/reference/"

static weft_error err;
static unsigned n_lines, n_models;

/* A tensor as numbers, in its file's order. */
typedef struct numbers {
    float *x;
    uint64_t dims[WEFT__FILE_RANK], n;
    uint32_t rank;
} numbers;

typedef struct made {
    temp_folder folder;
    weft_model *model;
    weft__gguf_export *export;
} made;

static bool make(made *m, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, REFERENCE "arch/%s.json", name);
    m->folder = temp_make();
    m->model = NULL;
    m->export = NULL;
    json_t *root = json_load_file(path, 0, NULL);
    char *text = json_dumps(json_object_get(root, "config"), 0);
    temp_write_text(&m->folder, "config.json", text ? text : "");
    free(text);
    json_decref(root);
    if (!CHECK_OK(weft_model_init(temp_path(&m->folder, "config.json"), NULL, temp_path(&m->folder, "model"), WEFT_F32,
                                  7, 0, NULL, &err), err) ||
        !CHECK_OK(weft_model_open(temp_path(&m->folder, "model"), NULL, &m->model, &err), err))
        return false;
    n_models++;
    return CHECK_OK(weft__gguf_export_make(m->model, &m->export, &err), err);
}

static void unmake(made *m)
{
    weft__gguf_export_free(m->export);
    weft_model_close(m->model);
    temp_remove(&m->folder);
}

static bool set(numbers *out, const weft__file_tensor *t)
{
    *out = (numbers){ .rank = t->rank, .n = 1 };
    for (uint32_t k = 0; k < t->rank; k++) out->n *= out->dims[k] = t->dims[k];
    return CHECK((out->x = malloc(out->n * sizeof *out->x + 1)) != NULL);
}

/* Of the model's files. */
static bool read_model(const made *m, const char *name, numbers *out)
{
    const weft__file_tensor *t = weft__checkpoint_find(m->model->checkpoint, name);
    if (!t || !set(out, t)) return false;
    memcpy(out->x, t->data, out->n * sizeof *out->x);
    return true;
}

/* As it is written: in pieces of one row. */
static bool read_export(const made *m, const char *name, numbers *out)
{
    size_t n, i = 0;
    const weft__file_tensor *t = weft__gguf_export_tensors(m->export, &n);
    while (i < n && strcmp(t[i].name, name)) i++;
    if (i == n || !set(out, &t[i])) return false;
    if (!CHECK(t[i].dtype->type == WEFT_F32)) return false;
    const size_t row = (size_t)t[i].dims[t[i].rank - 1] * sizeof(float), size = (size_t)out->n * sizeof(float);
    for (size_t at = 0; at < size; at += row)
        if (!CHECK_OK(weft__gguf_export_fill(m->export, i, at, (unsigned char *)out->x + at, row, &err), err)) return
            false;
    return true;
}

/* ---- what belongs to a form ---- */

/* One row of as many as there are in the first dim. */
static bool is_row(const numbers *hf, const numbers *g, unsigned j)
{
    return g->dims[0] > j && g->n == hf->n * g->dims[0] && !memcmp(hf->x, g->x + j * hf->n, hf->n * sizeof *hf->x);
}

/* The last two dims. */
static bool is_turned(const numbers *hf, const numbers *g)
{
    if (hf->rank != g->rank || hf->rank < 2 || hf->n != g->n) return false;
    const uint64_t rows = hf->dims[hf->rank - 2], columns = hf->dims[hf->rank - 1], size = rows * columns;
    if (rows != g->dims[hf->rank - 1] || columns != g->dims[hf->rank - 2]) return false;
    for (uint64_t i = 0; i < hf->n; i++)
        if (hf->x[i] != g->x[i / size * size + i % columns * rows + i % size / columns]) return false;
    return true;
}

/* Of each expert the first or second half, or every other row (of what has no rows: element). */
static bool is_half(const numbers *hf, const numbers *g, unsigned j, bool turns)
{
    const uint64_t experts = g->dims[0], each = g->dims[1], length = g->n / experts / each;
    const bool turned = hf->rank == 3 && hf->dims[1] == length && hf->dims[2] == 2 * each;
    if (hf->n != 2 * g->n || (!turned && hf->dims[1] != 2 * each)) return false;
    for (uint64_t i = 0; i < g->n; i++) {
        const uint64_t e = i / length / each, r = i / length % each, row = turns ? 2 * r + j : j * each + r;
        const uint64_t at = turned ? i % length * 2 * each + row : row * length + i % length;
        if (g->x[i] != hf->x[e * 2 * each * length + at]) return false;
    }
    return true;
}

static bool is_moved(const numbers *hf, const numbers *g, const char *list)
{
    char *end;
    uint64_t i = 0;
    const uint64_t length = g->n / g->dims[0];
    if (hf->n != g->n) return false;
    for (; *list; list = end, i++) {
        unsigned long row = strtoul(list, &end, 10);
        if (end == list || row >= g->dims[0] || i >= g->dims[0] ||
            memcmp(g->x + i * length, hf->x + row * length, length * sizeof *g->x) != 0)
            return false;
    }
    return i == g->dims[0];
}

static bool form_is(const numbers *hf, const numbers *g, const char *form, const char *rest)
{
    const unsigned j = (unsigned)strtoul(rest, NULL, 10);
    if (!strcmp(form, "turned")) return is_turned(hf, g);
    if (!strcmp(form, "row")) return is_row(hf, g, j);
    if (!strcmp(form, "half") || !strcmp(form, "turn")) return is_half(hf, g, j, !strcmp(form, "turn"));
    if (!strcmp(form, "rows")) return is_moved(hf, g, rest);
    if (hf->n != g->n) return false;
    for (uint64_t i = 0; i < hf->n; i++)
        if (g->x[i] != (strcmp(form, "more") ? hf->x[i] : hf->x[i] + 1)) return false;
    return !strcmp(form, "same") || !strcmp(form, "more");
}

static void check_line(const made *m, const char *name, const char *in_file, const char *form, const char *rest)
{
    numbers hf = { 0 }, g = { 0 };
    if (!strcmp(name, "general.architecture")) CHECK_STR(weft__gguf_export_arch(m->export), in_file);
    else if (read_model(m, name, &hf)) { /* else the golden's files have it otherwise than published ones */
        n_lines++;
        if (!CHECK(read_export(m, in_file, &g) && form_is(&hf, &g, form, rest)))
            printf("  %s: %s is not %s of %s\n", m->model->path, in_file, form, name);
    }
    free(hf.x);
    free(g.x);
}

static void tensors_are_those_of_the_converter(void)
{
    static char text[1 << 14];
    char last[64] = "";
    made m = { 0 };
    FILE *f = fopen(REFERENCE "gguf/names.txt", "r");
    if (!CHECK(f != NULL)) return;
    while (fgets(text, sizeof text, f)) {
        char model[64], name[128], in_file[128], form[16] = "";
        int n = 0;
        text[strcspn(text, "\n")] = 0;
        int got = sscanf(text, "%63s %127s %127s %15s%n", model, name, in_file, form, &n);
        if (!CHECK(got >= 3)) continue;
        if (strcmp(model, last)) {
            if (*last) unmake(&m);
            snprintf(last, sizeof last, "%s", model);
            make(&m, model);
        }
        if (m.export) check_line(&m, name, in_file, form, got == 4 ? text + n : "");
    }
    if (*last) unmake(&m);
    fclose(f);
    CHECK(n_models >= 50 && n_lines >= 450);
    printf("  %u tensors of %u models\n", n_lines, n_models);
}

/* Vectors and the like are f32, matrices as they are. */
static void types_are_those_that_llama_cpp_wants(void)
{
    temp_folder t = temp_make();
    weft_model *m;
    weft__gguf_export *e;
    size_t n;
    temp_write_text(&t, "config.json",
                    "{\"model_type\":\"mixtral\",\"architectures\":[\"MixtralForCausalLM\"],\"hidden_size\":32,"
                    "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":16,"
                    "\"intermediate_size\":64,\"vocab_size\":64,\"num_local_experts\":2,\"num_experts_per_tok\":1,"
                    "\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"rope_theta\":10000}");
    if (CHECK_OK(weft_model_init(temp_path(&t, "config.json"), NULL, temp_path(&t, "m"), WEFT_BF16, 1, 0, NULL, &err),
                 err) &&
        CHECK_OK(weft_model_open(temp_path(&t, "m"), NULL, &m, &err), err)) {
        if (CHECK_OK(weft__gguf_export_make(m, &e, &err), err)) {
            const weft__file_tensor *x = weft__gguf_export_tensors(e, &n);
            for (size_t i = 0; i < n; i++) {
                bool single = x[i].rank < 2 || strstr(x[i].name, "gate_inp");
                if (!CHECK_EQ_INT(x[i].dtype->type, single ? WEFT_F32 : WEFT_BF16)) printf("  %s\n", x[i].name);
            }
            weft__gguf_export_free(e);
        }
        weft_model_close(m);
    }
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "tensors_are_those_of_the_converter", tensors_are_those_of_the_converter },
    { "types_are_those_that_llama_cpp_wants", types_are_those_that_llama_cpp_wants },
};
TEST_MAIN(tests)
