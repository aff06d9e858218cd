/* golden.c: reading goldens, writing their models into folders, and holding sessions to them. */
#include "golden.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

#define GOLDENS WEFT_TEST_ROOT "/tests/reference"

static weft_error err;

/* ---- the model ---- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void golden_fill(const char *name, size_t rank, float *out, size_t n)
{
    uint64_t start = 0xcbf29ce484222325u;
    size_t length = strlen(name);
    for (const char *c = name; *c; c++) start = (start ^ (unsigned char)*c) * 0x100000001b3u;
    bool gain = rank == 1 && length >= 6 && !strcmp(name + length - 6, "weight");
    for (size_t i = 0; i < n; i++) {
        double x = ((double)(mix(start + (i + 1) * 0x9e3779b97f4a7c15u) >> 48) / 32768 - 1) / 4;
        out[i] = (float)(gain ? 1 + x : x);
    }
}

static size_t elements(const json_t *shape)
{
    size_t n = 1;
    for (size_t i = 0; i < json_array_size(shape); i++) n *= (size_t)json_integer_value(json_array_get(shape, i));
    return n;
}

void golden_write_weights(const golden *g)
{
    json_t *tensors = json_object_get(g->root, "tensors"), *shape, *header = json_object();
    const char *name;
    size_t at = 0;
    json_object_foreach(tensors, name, shape) {
        size_t bytes = 4 * elements(shape);
        json_object_set_new(header, name, json_pack("{s:s, s:O, s:[I, I]}", "dtype", "F32", "shape", shape,
                                                    "data_offsets", (json_int_t)at, (json_int_t)(at + bytes)));
        at += bytes;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0, padded = (n + 7) / 8 * 8;
    unsigned char *image = calloc(8 + padded + at + 1, 1);
    if (CHECK(text && image)) {
        for (int i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)padded >> (8 * i));
        memset(image + 8, ' ', padded);
        memcpy(image + 8, text, n);
        float *to = (float *)(void *)(image + 8 + padded);
        json_object_foreach(tensors, name, shape) {
            golden_fill(name, json_array_size(shape), to, elements(shape));
            to += elements(shape);
        }
        temp_write(&g->folder, "model.safetensors", image, 8 + padded + at);
    }
    free(image);
    free(text);
    json_decref(header);
}

static size_t read_ids(const golden *g, const char *key, int32_t *out)
{
    const json_t *list = json_object_get(g->root, key);
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < GOLDEN_IDS; i++) out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static json_t *load(const char *file)
{
    char path[512];
    json_error_t fault;
    snprintf(path, sizeof path, GOLDENS "/%s", file);
    json_t *root = json_load_file(path, 0, &fault);
    if (!CHECK(root != NULL)) printf("  %s: %s\n", path, fault.text);
    return root;
}

/* What another one says of the model, if it names that. */
static bool read_other(golden *g)
{
    const char *other = json_string_value(json_object_get(g->root, "golden"));
    if (!other) return true;
    json_t *root = load(other);
    bool fine = root && !json_object_update(g->root, root);
    json_decref(root);
    return fine;
}

bool golden_read(golden *g, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    *g = (golden){ 0 };
    snprintf(g->name, sizeof g->name, "%.*s", (int)strcspn(name, "."), name);
    g->root = load(file);
    if (!g->root || !CHECK(read_other(g))) return false;
    int32_t rows[GOLDEN_IDS];
    const json_t *logits = json_object_get(g->root, "logits");
    g->n_prompt = read_ids(g, "prompt", g->prompt);
    g->n_greedy = read_ids(g, "greedy", g->greedy);
    g->n_rows = read_ids(g, "rows", rows);
    g->n_vocab = json_array_size(json_array_get(logits, 0));
    if (!CHECK(g->n_prompt && g->n_prompt <= GOLDEN_IDS && g->n_greedy && g->n_greedy <= GOLDEN_IDS) ||
        !CHECK(g->n_rows && g->n_rows <= GOLDEN_ROWS && g->n_vocab && g->n_vocab <= GOLDEN_VOCAB))
        return false;
    for (size_t i = 0; i < g->n_rows; i++) {
        g->row[i] = (size_t)rows[i];
        for (size_t v = 0; v < g->n_vocab; v++)
            g->logits[i * g->n_vocab + v] = json_number_value(json_array_get(json_array_get(logits, i), v));
    }
    g->folder = temp_make();
    return true;
}

bool golden_open(golden *g, const char *file)
{
    if (!golden_read(g, file)) return false;
    char *text = json_dumps(json_object_get(g->root, "config"), 0);
    if (CHECK(text)) temp_write_text(&g->folder, "config.json", text);
    free(text);
    golden_write_weights(g);
    return true;
}

void golden_close(golden *g)
{
    if (g->folder.path[0]) temp_remove(&g->folder);
    json_decref(g->root);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum { MAX_GOLDENS = 1024 };

/* "arch/llama-3.json" and so on, to be freed. */
static size_t list(const char *folder, const char *only, char *names[MAX_GOLDENS])
{
    char path[512];
    size_t n = 0;
    snprintf(path, sizeof path, GOLDENS "/%s", folder);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && n < MAX_GOLDENS && (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".json") != 0 || !strstr(e->d_name, only)) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        names[n++] = strdup(path);
    }
    if (dir) closedir(dir);
    qsort(names, n, sizeof *names, by_name);
    return n;
}

void golden_each_of(const char *folder, const char *only, bool (*open)(golden *g, const char *file),
                    void (*test)(const golden *g, weft_backend *device), weft_backend *device)
{
    char *names[MAX_GOLDENS];
    size_t n = list(folder, only, names);
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++) {
        golden g;
        if (open(&g, names[i])) {
            unsigned before = weft_test_now.failures;
            test(&g, device);
            if (weft_test_now.failures != before) printf("  in %s\n", g.name);
        }
        golden_close(&g);
        free(names[i]);
    }
}

void golden_each(const char *folder, const char *only, void (*test)(const golden *g, weft_backend *device),
                 weft_backend *device)
{
    golden_each_of(folder, only, golden_open, test, device);
}

/* ---- runs ---- */

static bool wants(const golden *g, size_t i)
{
    for (size_t k = 0; k < g->n_rows; k++)
        if (g->row[k] == i) return true;
    return false;
}

static double error_of(const golden *g, const float *got, size_t stride)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < g->n_rows; i++)
        for (size_t v = 0; v < g->n_vocab; v++) {
            double want = g->logits[i * g->n_vocab + v], d = (double)got[i * stride * g->n_vocab + v] - want;
            error += d * d;
            size += want * want;
        }
    return sqrt(error / size);
}

enum { BESIDE = 3 }; /* sequences at once */

/* The relative error of the prompt's logits, where n sequences run it token by token beside each other. */
static double prompt_error(weft_session *s, const golden *g, uint32_t n)
{
    weft_batch_token t[BESIDE * GOLDEN_IDS];
    static float got[BESIDE * GOLDEN_ROWS * GOLDEN_VOCAB];
    size_t count = 0;
    double worst = 0;
    for (uint32_t i = 0; i < n; i++) CHECK_OK(weft_session_truncate(s, i, 0, &err), err);
    for (size_t i = 0; i < g->n_prompt; i++)
        for (uint32_t k = 0; k < n; k++)
            t[count++] = (weft_batch_token){ g->prompt[i], k, wants(g, i) ? WEFT_WANT_LOGITS : 0 };
    if (!CHECK_OK(weft_session_eval(s, t, count, &(weft_rows){ .logits = got }, &err), err)) return INFINITY;
    for (uint32_t k = 0; k < n; k++) worst = fmax(worst, error_of(g, got + k * g->n_vocab, n));
    return worst;
}

static void check_greedy(weft_session *s, const golden *g)
{
    weft_generated out;
    const weft_generate_desc how = { .max_tokens = (uint32_t)g->n_greedy, .ignore_eos = true };
    CHECK_OK(weft_session_truncate(s, 0, 0, &err), err);
    if (!CHECK_OK(weft_generate(s, 0, g->prompt, g->n_prompt, &how, &out, &err), err)) return;
    CHECK_EQ_INT(out.n_tokens, g->n_greedy);
    for (size_t i = 0; i < out.n_tokens && i < g->n_greedy; i++) CHECK_EQ_INT(out.tokens[i], g->greedy[i]);
    weft_generated_free(&out);
}

typedef struct errors { double whole, chunks, beside, usual, stored; } errors;

/* In one run; in chunks of 7 tokens, and as one of several sequences in such chunks, on small pages; as sessions are by
 * default, and on from there. */
static void run_whole(weft_session *s, const golden *g, errors *e)
{
    e->whole = prompt_error(s, g, 1);
}

static void run_pieces(weft_session *s, const golden *g, errors *e)
{
    e->chunks = prompt_error(s, g, 1);
    e->beside = prompt_error(s, g, BESIDE);
}

static void run_stored(weft_session *s, const golden *g, errors *e)
{
    e->stored = prompt_error(s, g, 1);
    check_greedy(s, g);
}

static void run_usual(weft_session *s, const golden *g, errors *e)
{
    e->usual = prompt_error(s, g, 1);
    if (!json_object_get(g->root, "usual")) check_greedy(s, g);
}

void golden_meets(const golden *g, const weft_model_desc *desc, weft_backend *device)
{
    static const struct {
        weft_session_desc d;
        void (*run)(weft_session *s, const golden *g, errors *e);
    } ways[] = {
        { { .weights = WEFT_F32, .exact = true }, run_whole },
        { { .weights = WEFT_F32, .exact = true, .max_tokens = 7, .page = 16, .n_sequences = BESIDE }, run_pieces },
        { { .exact = true }, run_stored },
        { { 0 }, run_usual },
    };
    const json_t *limit = json_object_get(g->root, "usual"); /* of files in types that are multiplied otherwise */
    weft_model *m;
    errors e = { INFINITY, INFINITY, INFINITY, INFINITY, 0 };
    if (!CHECK_OK(weft_model_open(g->folder.path, desc, &m, &err), err)) return;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        weft_session *s = NULL;
        weft_session_desc d = ways[i].d;
        if (!limit && ways[i].run == run_stored) continue;
        d.devices = &device;
        d.n_devices = 1;
        if (CHECK_OK(weft_session_create(m, &d, &s, &err), err)) ways[i].run(s, g, &e);
        weft_session_destroy(s);
    }
    printf("  %-24s %.2g, in chunks %.2g, beside others %.2g, usual precision %.2g\n", g->name, e.whole, e.chunks,
           e.beside, e.usual);
    CHECK(e.whole < 2e-5 && e.chunks < 2e-5 && e.beside < 2e-5);
    CHECK(e.usual < (limit ? json_number_value(limit) : 3e-3) && e.stored < 3e-3);
    if (limit) printf("  %-24s as stored, exact %.2g\n", g->name, e.stored);
    weft_model_close(m);
}

void golden_each_on_cpu(const char *folder, const char *only, bool (*open)(golden *g, const char *file),
                        void (*test)(const golden *g, weft_backend *device))
{
    static const char *const specs[] = { "cpu,isa=scalar,threads=1", "cpu,isa=avx2,threads=1",
                                         "cpu,isa=avx512,threads=1", "cpu,isa=neon,threads=1" };
    weft_backend *b;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (weft_backend_open(specs[i], &b, &err)) continue; /* not this processor's */
        printf("  %s\n", specs[i]);
        golden_each_of(folder, only, open, test, b);
        weft_backend_close(b);
    }
}

int golden_filters(int argc, char **argv, const char **only)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only=", 5)) *only = argv[i] + 5;
        else argv[++n] = argv[i];
    }
    return n;
}
