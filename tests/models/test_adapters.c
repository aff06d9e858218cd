/* test_adapters.c: LoRA adapters against what PEFT makes of them in double precision (tests/reference/adapters): alone,
 * beside each other in one batch, added up, over shared weights, on a GGUF file; and what is refused.
 *
 *     test_adapters CPU only=llama    # goldens whose names contain it */
#include <math.h>
#include <stdlib.h>

#include "golden.h"
#include "models/adapter_impl.h"
#include "models/convert.h"
#include "tests/oom.h"
#include "tests/sample.h"

#define Q0 "base_model.model.model.layers.0.self_attn.q_proj"

enum { MOST = 3 }; /* adapters of a golden */

static weft_error err;
static const char *only = "";

/* ---- the files ---- */

typedef struct world {
    const golden *g;
    temp_folder folders[MOST];
    weft_adapter *adapters[MOST];
    size_t n;
} world;

static void write_adapter(const temp_folder *folder, const json_t *config, json_t *tensors)
{
    golden as = { .root = json_pack("{s:O}", "tensors", tensors), .folder = *folder };
    char *text = json_dumps(config, 0);
    golden_write_weights(&as);
    char from[TEMP_PATH], to[TEMP_PATH];
    snprintf(from, sizeof from, "%s", temp_path(folder, "model.safetensors"));
    snprintf(to, sizeof to, "%s", temp_path(folder, "adapter_model.safetensors"));
    CHECK(!rename(from, to));
    if (CHECK(text)) temp_write_text(folder, "adapter_config.json", text);
    free(text);
    json_decref(as.root);
}

static const json_t *adapter_of(const world *w, size_t i)
{
    return json_array_get(json_object_get(w->g->root, "adapters"), i);
}

static bool world_open(world *w, const golden *g)
{
    *w = (world){ .g = g };
    size_t n = json_array_size(json_object_get(g->root, "adapters"));
    if (!CHECK(n && n <= MOST)) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *a = adapter_of(w, i);
        w->folders[w->n] = temp_make();
        write_adapter(&w->folders[w->n++], json_object_get(a, "config"), json_object_get(a, "tensors"));
        if (!CHECK_OK(weft_adapter_open(w->folders[i].path, &w->adapters[i], &err), err)) return false;
    }
    return true;
}

static void world_close(world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        weft_adapter_close(w->adapters[i]);
        temp_remove(&w->folders[i]);
    }
}

/* ---- runs ---- */

static const weft_session_desc exactly = { .exact = true, .n_sequences = MOST + 2, .page = 16, .max_tokens = 64 };

static double error_of(const golden *g, const json_t *want, const float *got, size_t stride)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < g->n_rows; i++)
        for (size_t v = 0; v < g->n_vocab; v++) {
            double x = json_number_value(json_array_get(json_array_get(want, i), v));
            error += ((double)got[i * stride * g->n_vocab + v] - x) * ((double)got[i * stride * g->n_vocab + v] - x);
            size += x * x;
        }
    return size > 0 ? sqrt(error / size) : INFINITY;
}

static bool wants(const golden *g, size_t i)
{
    for (size_t k = 0; k < g->n_rows; k++)
        if (g->row[k] == i) return true;
    return false;
}

/* The logits of sequences 0 to n - 1, token by token beside each other; `got` is [rows][n][vocab]. */
static bool run(weft_session *s, const golden *g, uint32_t n, float *got)
{
    static weft_batch_token t[(MOST + 2) * GOLDEN_IDS];
    size_t count = 0;
    for (size_t i = 0; i < g->n_prompt; i++)
        for (uint32_t k = 0; k < n; k++)
            t[count++] = (weft_batch_token){ g->prompt[i], k, wants(g, i) ? WEFT_WANT_LOGITS : 0 };
    return CHECK_OK(weft_session_eval(s, t, count, &(weft_rows){ .logits = got }, &err), err);
}

static float results[GOLDEN_ROWS * (MOST + 2) * GOLDEN_VOCAB];

static const json_t *adapted(const world *w, size_t i)
{
    return json_object_get(adapter_of(w, i), "adapted");
}

/* Every adapter is a choice of a sequence of its own, one sequence has none, and the first choice again. */
static void check_batch(const world *w, weft_session *s)
{
    const golden *g = w->g;
    const uint32_t n = (uint32_t)w->n + 2;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t choice = i < w->n ? (int32_t)i : i == w->n ? WEFT_ADAPTER_NONE : 0;
        CHECK_OK(weft_session_truncate(s, i, 0, &err), err);
        CHECK_OK(weft_session_adapt(s, i, choice, &err), err);
        CHECK_EQ_INT(weft_session_adapted(s, i), choice);
    }
    if (!run(s, g, n, results)) return;
    for (uint32_t i = 0; i < n; i++) {
        const float *got = results + i * g->n_vocab;
        if (i == w->n)
            for (size_t k = 0; k < g->n_rows * g->n_vocab; k++)
                CHECK_NEAR((double)got[k / g->n_vocab * n * g->n_vocab + k % g->n_vocab], g->logits[k], 1e-4);
        else if (!CHECK(error_of(g, adapted(w, i < w->n ? i : 0), got, n) < 1e-5))
            printf("  sequence %u: %g\n", i, error_of(g, adapted(w, i < w->n ? i : 0), got, n));
    }
}

static weft_session *open(weft_model *m, weft_session_desc d, const weft_adapter_use *uses, uint32_t n,
                          weft_backend *device)
{
    weft_session *s;
    d.devices = &device;
    d.n_devices = 1;
    d.adapters = uses;
    d.n_adapters = n;
    return CHECK_OK(weft_session_create(m, &d, &s, &err), err) ? s : NULL;
}

static const char *saved(const world *w, size_t sequence)
{
    char name[24];
    snprintf(name, sizeof name, "saved-%zu", sequence);
    return temp_path(&w->g->folder, name);
}

static void check_refused(weft_session *s, uint32_t sequence, const char *path)
{
    CHECK_STATUS(weft_session_load(s, sequence, path, NULL, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "with an adapter that hashes to");
}

/* What a sequence of a session with all adapters left, that of this one's or none goes on here, another's not. */
static void check_load(const world *w, weft_session *s, size_t mine, size_t others)
{
    if (!CHECK_OK(weft_session_load(s, 1, saved(w, mine), NULL, &err), err)) printf("  sequence %zu\n", mine);
    CHECK_OK(weft_session_truncate(s, 1, 0, &err), err);
    check_refused(s, 1, saved(w, others));
}

static void check_without(const world *w, weft_model *m, weft_backend *device)
{
    weft_session *s = open(m, exactly, NULL, 0, device);
    if (s) check_load(w, s, w->n, w->n - 1);
    weft_session_destroy(s);
}

static void check_alone(const world *w, weft_model *m, size_t i, weft_backend *device)
{
    const weft_adapter_use use = { .adapter = w->adapters[i] };
    weft_session *s = open(m, exactly, &use, 1, device);
    if (!s) return;
    if (run(s, w->g, 1, results) && !CHECK(error_of(w->g, adapted(w, i), results, 1) < 1e-5))
        printf("  adapter %zu: %g\n", i, error_of(w->g, adapted(w, i), results, 1));
    check_load(w, s, i, i ? i - 1 : w->n);
    weft_session_destroy(s);
}

static void check_both(const world *w, weft_model *m, weft_backend *device)
{
    const json_t *both = json_object_get(w->g->root, "both");
    const weft_adapter_use uses[] = { { .adapter = w->adapters[0] }, { .adapter = w->adapters[1], .scale = 1 } };
    weft_session *s = both ? open(m, exactly, uses, 2, device) : NULL;
    if (!s) return;
    if (run(s, w->g, 1, results) && !CHECK(error_of(w->g, both, results, 1) < 1e-5))
        printf("  both: %g\n", error_of(w->g, both, results, 1));
    weft_session_destroy(s);
}

static void check(const golden *g, weft_backend *device, bool thorough)
{
    world w;
    weft_model *m = NULL;
    if (world_open(&w, g) && CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err)) {
        weft_adapter_use uses[MOST] = { { 0 } };
        for (uint32_t i = 0; i < w.n; i++) uses[i] = (weft_adapter_use){ .adapter = w.adapters[i], .choice = i };
        weft_session *s = open(m, exactly, uses, (uint32_t)w.n, device);
        if (s) check_batch(&w, s);
        for (uint32_t i = 0; s && thorough && i <= w.n; i++)
            CHECK_OK(weft_session_save(s, i, NULL, 0, saved(&w, i), &err), err);
        weft_session_destroy(s);
        for (size_t i = 0; i < w.n && thorough; i++) check_alone(&w, m, i, device);
        if (thorough) {
            check_without(&w, m, device);
            check_both(&w, m, device);
        }
    }
    weft_model_close(m);
    world_close(&w);
}

static void meets(const golden *g, weft_backend *device)
{
    check(g, device, true);
}

/* ---- what sequences do with them ---- */

static const char *const base = "adapters/llama-linear.json";

/* A world over the base's golden, its model and a device. */
typedef struct bench {
    golden g;
    world w;
    weft_model *m;
    weft_backend *device;
    weft_adapter_use uses[MOST];
} bench;

static bool bench_open(bench *b)
{
    *b = (bench){ 0 };
    if (!golden_open(&b->g, base) || !world_open(&b->w, &b->g) ||
        !CHECK_OK(weft_model_open(b->g.folder.path, NULL, &b->m, &err), err))
        return false;
    for (uint32_t i = 0; i < b->w.n; i++) b->uses[i] = (weft_adapter_use){ .adapter = b->w.adapters[i], .choice = i };
    return CHECK_OK(weft_backend_open("cpu,threads=1", &b->device, &err), err);
}

static void bench_close(bench *b)
{
    weft_backend_close(b->device);
    weft_model_close(b->m);
    world_close(&b->w);
    golden_close(&b->g);
}

static void check_error(const bench *b, const json_t *want, uint32_t stride)
{
    CHECK(error_of(&b->g, want, results, stride) < 1e-5);
}

/* Sessions with one adapter, with another one and with none are over the same weights, which stay as they are. */
static void sessions_share_weights(void)
{
    bench b;
    weft_weights *weights = NULL;
    uint64_t before = 0;
    if (bench_open(&b)) {
        const weft_weight_source source = weft_model_weights(b.m);
        CHECK_OK(weft_weights_create(&source, 1, &weights, &err), err);
        for (uint32_t i = 0; weights && i < 4; i++) {
            const weft_adapter_use use = { .adapter = b.w.adapters[i % 2] };
            weft_session_desc d = exactly;
            weft_session_plan *p;
            weft_session *s;
            d.devices = &b.device;
            d.n_devices = 1;
            d.adapters = i == 1 ? NULL : &use;
            d.n_adapters = i != 1;
            if (!CHECK_OK(weft_session_plan_create(b.m, &d, &p, &err), err) ||
                !CHECK_OK(weft_session_open(p, weights, &s, &err), err))
                break;
            if (run(s, &b.g, 1, results) && i != 1) check_error(&b, adapted(&b.w, i % 2), 1);
            CHECK_EQ_INT(weft_session_adapted(s, 0), i == 1 ? WEFT_ADAPTER_NONE : 0);
            if (!i) before = weft_weights_bytes(weights);
            CHECK(before && weft_weights_bytes(weights) == before);
            CHECK(i == 1 ? weft_session_bytes(s) > before : weft_session_bytes(s) > before + 1000);
            weft_session_destroy(s);
        }
    }
    weft_weights_destroy(weights);
    bench_close(&b);
}

static void evaluate(weft_session *s, const bench *b, uint32_t sequence, size_t from, size_t to)
{
    weft_batch_token t[GOLDEN_IDS];
    for (size_t i = from; i < to; i++)
        t[i - from] = (weft_batch_token){ b->g.prompt[i], sequence, wants(&b->g, i) ? WEFT_WANT_LOGITS : 0 };
    CHECK_OK(weft_session_eval(s, t, to - from, &(weft_rows){ .logits = results }, &err), err);
}

/* The last row of results is the last of the golden's. */
static void check_last(const bench *b, size_t i)
{
    const json_t *want = json_array_get(adapted(&b->w, i), b->g.n_rows - 1);
    for (size_t v = 0; v < b->g.n_vocab; v++)
        CHECK_NEAR((double)results[v], json_number_value(json_array_get(want, v)), 1e-4);
}

static void check_forks(const bench *b, weft_session *s)
{
    const size_t half = b->g.row[b->g.n_rows - 1], n = b->g.n_prompt;
    uint32_t shared = 0;
    CHECK_STATUS(weft_session_adapt(s, 1, 2, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_adapt(s, 1, -2, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_adapt(s, 99, 0, &err), WEFT_INVALID, err);
    CHECK_OK(weft_session_adapt(s, 0, 1, &err), err);
    evaluate(s, b, 0, 0, half);
    CHECK_STATUS(weft_session_adapt(s, 0, 0, &err), WEFT_INVALID, err); /* it has tokens */
    CHECK_OK(weft_session_fork(s, 0, 1, &err), err);
    CHECK_EQ_INT(weft_session_adapted(s, 1), 1);
    evaluate(s, b, 1, half, n);
    check_last(b, 1);
    CHECK_OK(weft_session_share(s, 2, b->g.prompt, n - 1, &shared, &err), err); /* it has choice 0 */
    CHECK_EQ_INT(shared, 0);
    CHECK_OK(weft_session_adapt(s, 2, 1, &err), err);
    CHECK_OK(weft_session_share(s, 2, b->g.prompt, n - 1, &shared, &err), err);
    CHECK_EQ_INT(shared, n - 1);
    evaluate(s, b, 2, n - 1, n);
    check_last(b, 1);
}

static void check_saved(const bench *b, weft_session *s)
{
    const size_t half = b->g.row[b->g.n_rows - 1];
    char path[TEMP_PATH];
    snprintf(path, sizeof path, "%s", temp_path(&b->g.folder, "saved"));
    CHECK_OK(weft_session_save(s, 0, NULL, 0, path, &err), err);
    check_refused(s, 3, path); /* it has choice 0 */
    CHECK_OK(weft_session_adapt(s, 3, WEFT_ADAPTER_NONE, &err), err);
    CHECK_STATUS(weft_session_load(s, 3, path, NULL, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "here it is none");
    CHECK_OK(weft_session_adapt(s, 3, 1, &err), err);
    CHECK_OK(weft_session_load(s, 3, path, NULL, &err), err);
    evaluate(s, b, 3, half, b->g.n_prompt);
    check_last(b, 1);
}

/* A choice is another one if a single number of it differs, far from both ends and the middle of a tensor. */
static void check_altered(const bench *b)
{
    const weft_adapter *from = b->w.adapters[1];
    const weft__file_tensor *t = from->modules[0].part[WEFT__LORA_A];
    const size_t at = 4 * (size_t)(t->dims[0] * t->dims[1] / 3);
    const temp_folder *to = &b->w.folders[1];
    weft_adapter *altered = NULL;
    weft_session *s = NULL;
    const unsigned char *byte = (const unsigned char *)t->data + at, other = *byte ^ 1;
    FILE *f = fopen(temp_path(to, "adapter_model.safetensors"), "r+b");
    CHECK(f && at > 1000 && !fseek(f, byte - from->file->map.data, SEEK_SET) && fwrite(&other, 1, 1, f) == 1);
    if (f) fclose(f);
    if (CHECK_OK(weft_adapter_open(to->path, &altered, &err), err))
        s = open(b->m, exactly, &(weft_adapter_use){ .adapter = altered }, 1, b->device);
    if (s) check_refused(s, 0, temp_path(&b->g.folder, "saved"));
    weft_session_destroy(s);
    weft_adapter_close(altered);
}

static void sequences_keep_theirs(void)
{
    bench b;
    weft_session *s = bench_open(&b) ? open(b.m, exactly, b.uses, (uint32_t)b.w.n, b.device) : NULL;
    if (s) {
        check_forks(&b, s);
        check_saved(&b, s);
        check_altered(&b);
    }
    weft_session_destroy(s);
    bench_close(&b);
}

static void choices_are_checked(void)
{
    bench b;
    weft_session_plan *p;
    if (bench_open(&b)) {
        const weft_adapter_use none = { 0 }, far = { .adapter = b.w.adapters[0], .choice = 1 };
        weft_session_desc d = { .adapters = &none, .n_adapters = 1 };
        CHECK_STATUS(weft_session_plan_create(b.m, &d, &p, &err), WEFT_INVALID, err);
        d.adapters = &far;
        CHECK_STATUS(weft_session_plan_create(b.m, &d, &p, &err), WEFT_INVALID, err);
        d.n_adapters = WEFT_MAX_ADAPTERS + 1;
        CHECK_STATUS(weft_session_plan_create(b.m, &d, &p, &err), WEFT_LIMIT, err);
        const weft_adapter_info *info = weft_adapter_info_get(b.w.adapters[1]);
        CHECK_EQ_INT(info->rank, 20);
        CHECK_CONTAINS(info->base, "llama-linear");
        CHECK(info->modules && info->parameters);
    }
    bench_close(&b);
}

static void memory_may_be_short(void)
{
    bench b;
    if (bench_open(&b))
        OOM_LOOP (n) {
            weft_adapter *a = NULL;
            weft_session *s = NULL;
            weft_status status = weft_adapter_open(b.w.folders[0].path, &a, &err);
            const weft_adapter_use use = { .adapter = a };
            weft_session_desc d = { .devices = &b.device, .n_devices = 1, .adapters = &use, .n_adapters = 1,
                                    .context = 32, .max_tokens = 1 };
            if (!status) status = weft_session_create(b.m, &d, &s, &err);
            OOM_CHECK(status, err);
            weft_session_destroy(s);
            weft_adapter_close(a);
        }
    bench_close(&b);
}

/* The same adapters on a GGUF file, whose rows of queries and keys lie in another order. */
static void gguf(const golden *g, weft_backend *device)
{
    world w;
    char path[TEMP_PATH];
    weft_model *m = NULL, *there = NULL;
    if (strstr(g->name, "llama-biases")) return; /* no GGUF file says its activation, ... */
    if (strstr(g->name, "llava")) return; /* ... nor that a language model was part of another */
    snprintf(path, sizeof path, "%s", temp_path(&g->folder, "model.gguf"));
    if (world_open(&w, g) && CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err) &&
        CHECK_OK(weft_model_convert(m, path, NULL, &err), err) &&
        CHECK_OK(weft_model_open(path, NULL, &there, &err), err)) {
        weft_adapter_use uses[MOST] = { { 0 } };
        for (uint32_t i = 0; i < w.n; i++) uses[i] = (weft_adapter_use){ .adapter = w.adapters[i], .choice = i };
        weft_session *s = open(there, exactly, uses, (uint32_t)w.n, device);
        if (s) check_batch(&w, s);
        weft_session_destroy(s);
    }
    weft_model_close(there);
    weft_model_close(m);
    world_close(&w);
}

static void gguf_files_take_them(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    golden_each("adapters", only, gguf, b);
    weft_backend_close(b);
}

/* ---- what is refused ---- */

typedef struct refusal {
    const char *key, *value;  /* of the configuration, as JSON; NULL: of the tensors */
    const char *name, *shape; /* a tensor that is added (or changed); "null": taken out */
    const char *says;
    bool later;               /* when a session is planned */
} refusal;

static const refusal refusals[] = {
    { .key = "use_dora", .value = "true", .says = "'use_dora' is not supported" },
    { .key = "use_dora", .value = "1", .says = "'use_dora' is not supported" },
    { .key = "use_rslora", .value = "1", .says = "'use_rslora' must be true or false, but it is an integer" },
    { .key = "modules_to_save", .value = "[\"lm_head\"]", .says = "'modules_to_save' is not supported" },
    { .key = "trainable_token_indices", .value = "[3]", .says = "'trainable_token_indices' is not supported" },
    { .key = "something_new", .value = "true", .says = "'something_new' is not supported" },
    { .key = "peft_type", .value = "\"IA3\"", .says = "peft_type is 'IA3'" },
    { .key = "init_lora_weights", .value = "\"pissa\"", .says = "init_lora_weights is 'pissa'" },
    { .key = "r", .value = "5", .says = "lora_A.weight' is of rank 4, but" },
    { .key = "r", .value = "[]", .says = "'r' must be a number, but it is an array" },
    { .key = "lora_alpha", .value = "1e999", .says = "'lora_alpha' must be a number" },
    { .key = "rank_pattern", .value = "{\"q_proj\": 3}", .says = "q_proj.lora_A.weight' is of rank 4, but" },
    { .key = "rank_pattern", .value = "{\"q_(proj\": 3}", .says = "regular expression" },
    { .key = "target_modules", .value = "[\"q_proj\"]", .says = "is of a module that target_modules of" },
    { .key = "target_modules", .value = "[3]", .says = "'target_modules' must be a list of names" },
    { .key = "target_modules", .value = "\".*(\"", .says = "regular expression" },
    { .key = "layers_to_transform", .value = "[1]", .says = "is of a module that layers_to_transform of" },
    { .key = "exclude_modules", .value = "[\"q_proj\"]", .says = "is of a module that exclude_modules of" },
    { .name = Q0 ".lora_A.weight", .shape = "null", .says = "has no other half" },
    { .name = Q0 ".lora_A.other.weight", .shape = "[4, 48]", .says = "is there a second time" },
    { .name = Q0 ".lora_A.weight", .shape = "[3, 48]", .says = "is of rank 3, but its other half of 4" },
    { .name = Q0 ".lora_A.weight", .shape = "[4, 3, 16]", .says = "has 3 dimensions" },
    { .name = Q0 ".lora_A.weight", .shape = "[4, 0]", .says = "no elements" },
    { .name = Q0 ".lora_A.weight", .shape = "[4, 47]", .later = true,
      .says = "is [4, 47], but config.json makes it [4, 48]" },
    { .name = Q0 ".lora_B.weight", .shape = "[47, 4]", .says = "does not fit its lora_B.weight" },
    { .name = Q0 ".lora_magnitude_vector", .shape = "[48]", .says = "is DoRA" },
    { .name = Q0 ".base_layer.bias", .shape = "[48]", .says = "is a bias, but bias is 'none'" },
    { .name = "base_model.model.lm_head.weight", .shape = "[61, 48]", .says = "is a weight of the base model" },
    { .name = "base_model.model.lm_head.modules_to_save.weight", .shape = "[1, 4]", .says = "modules_to_save" },
    { .name = "layers.0.self_attn.q_proj.lora_A.weight", .shape = "[4, 48]", .says = "is not named as PEFT does" },
};

/* The golden's first adapter, altered; what opening it and, with a model, planning with it gives. */
static weft_status try(const golden *g, const refusal *r, weft_model *m)
{
    json_t *a = json_deep_copy(json_array_get(json_object_get(g->root, "adapters"), 0));
    json_t *config = json_object_get(a, "config"), *tensors = json_object_get(a, "tensors");
    json_t *value = json_loads(r->key ? r->value : r->shape, JSON_DECODE_ANY, NULL);
    if (r->key) json_object_set(config, r->key, value);
    else if (json_is_null(value)) json_object_del(tensors, r->name);
    else json_object_set(tensors, r->name, value);
    temp_folder folder = temp_make();
    weft_adapter *adapter = NULL;
    weft_session_plan *p = NULL;
    write_adapter(&folder, config, tensors);
    if (r->key && !value) { /* what jansson does not read */
        char text[256];
        snprintf(text, sizeof text, "{\"peft_type\": \"LORA\", \"%s\": %s}", r->key, r->value);
        temp_write_text(&folder, "adapter_config.json", text);
    }
    weft_status s = weft_adapter_open(folder.path, &adapter, &err);
    CHECK(!r->later || !s);
    const weft_adapter_use use = { .adapter = adapter };
    if (!s && r->later)
        s = weft_session_plan_create(m, &(weft_session_desc){ .adapters = &use, .n_adapters = 1 }, &p, &err);
    weft_session_plan_destroy(p);
    weft_adapter_close(adapter);
    json_decref(value);
    json_decref(a);
    temp_remove(&folder);
    return s;
}

static void refuses_what_it_cannot_do(void)
{
    golden g;
    weft_model *m = NULL;
    if (golden_open(&g, base) && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err))
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
            const refusal *r = &refusals[i];
            unsigned before = weft_test_now.failures;
            CHECK(try(&g, r, m) != WEFT_OK);
            CHECK_CONTAINS(err.text, r->says);
            if (weft_test_now.failures != before) printf("  %s\n", r->key ? r->key : r->name);
        }
    weft_model_close(m);
    golden_close(&g);
}

static void takes_what_is_off(void)
{
    static const refusal off[] = { { .key = "use_dora", .value = "0" }, { .key = "use_rslora", .value = "null" } };
    golden g;
    if (golden_open(&g, base))
        for (size_t i = 0; i < sizeof off / sizeof *off; i++) CHECK_OK(try(&g, &off[i], NULL), err);
    golden_close(&g);
}

/* One that was made for another base: its name and shape are told. */
static void refuses_another_base(void)
{
    golden g, other;
    world w = { 0 };
    weft_model *m = NULL;
    weft_session_plan *p = NULL;
    const bool opened = golden_open(&g, "adapters/gpt2-usual.json");
    if (golden_open(&other, base) && opened && world_open(&w, &g) &&
        CHECK_OK(weft_model_open(other.folder.path, NULL, &m, &err), err)) {
        const weft_adapter_use use = { .adapter = w.adapters[1] };
        const weft_session_desc d = { .adapters = &use, .n_adapters = 1 };
        CHECK_STATUS(weft_session_plan_create(m, &d, &p, &err), WEFT_NOT_FOUND, err);
        CHECK_CONTAINS(err.text, "c_attn.lora_A.weight' [16, 48] is of a module that");
        CHECK_CONTAINS(err.text, "LlamaForCausalLM");
        CHECK_CONTAINS(err.text, "it was made for gpt2-usual");
    }
    weft_model_close(m);
    world_close(&w);
    golden_close(&other);
    golden_close(&g);
}

/* ---- drivers ---- */

/* Drivers compile the kernels of every session. */
static void meets_some(const golden *g, weft_backend *device)
{
    if (strstr(g->name, "gpt_neox") || (strstr(g->name, "llama-biases") && sample_takes(g->name, "vulkan_adapters")))
        check(g, device, false);
}

static void cpu(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("cpu,threads=2", &b, &err), err)) return;
    golden_each("adapters", only, meets, b);
    weft_backend_close(b);
}

static void vulkan(void)
{
    weft_backend *b;
    if (weft_backend_open("vulkan:0", &b, &err) != WEFT_OK) TEST_SKIP(err.text);
    golden_each("adapters", only, meets_some, b);
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "refuses what it cannot do", refuses_what_it_cannot_do },
    { "refuses nothing that is off", takes_what_is_off },
    { "refuses another base", refuses_another_base },
    { "sessions share weights", sessions_share_weights },
    { "sequences keep theirs", sequences_keep_theirs },
    { "choices are checked", choices_are_checked },
    { "memory may be short", memory_may_be_short },
    { "GGUF files take them", gguf_files_take_them },
    { "CPU", cpu },
    { "Vulkan", vulkan },
};

GOLDEN_MAIN(tests, only)
