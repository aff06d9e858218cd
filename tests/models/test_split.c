/* test_split.c: a model's layers on several devices, as asked and by memory, give what one device gives. */
#include "reference.h"

#include <math.h>
#include <string.h>

#include "backends/contract.h"
#include "tests/checkpoint/temp.h"
#include "tests/sample.h"

static weft_error err;

static const int32_t story[] = { 424, 436, 260, 398, 13, 400, 284 };
enum { STORY = sizeof story / sizeof *story, MIB = 1 << 20 };

/* A CPU that says it has `left` bytes. */
static weft_backend_vt small_vt;
static uint64_t left;

static void small_info(const weft_backend *b, weft_device_info *out)
{
    weft__backend_cpu.info(b, out);
    out->memory = left;
}

typedef struct pair {
    weft_model *m;
    weft_backend *device[2];
} pair;

static bool pair_open(pair *p)
{
    *p = (pair){ 0 };
    static const char path[] = WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox";
    if (!CHECK_OK(weft_model_open(path, NULL, &p->m, &err), err)) return false;
    for (int i = 0; i < 2; i++)
        if (!CHECK_OK(weft_backend_open("cpu,threads=1", &p->device[i], &err), err)) return false;
    small_vt = weft__backend_cpu;
    small_vt.info = small_info;
    return true;
}

static void pair_close(pair *p)
{
    p->device[0]->vt = &weft__backend_cpu;
    weft_backend_close(p->device[0]);
    weft_backend_close(p->device[1]);
    weft_model_close(p->m);
}

static bool run(pair *p, const weft_session_desc *desc, uint32_t *layers, float *logits)
{
    weft_session *s;
    weft_batch_token t[STORY];
    for (uint32_t i = 0; i < STORY; i++) t[i] = (weft_batch_token){ story[i], 0, i + 1 == STORY };
    if (!CHECK_OK(weft_session_create(p->m, desc, &s, &err), err)) return false;
    for (uint32_t decode = 0; decode < 2; decode++)
        for (uint32_t d = 0; d < desc->n_devices; d++)
            layers[2 * decode + d] = weft_program_split(weft_session_program(s, decode ? 1 : SIZE_MAX), d);
    /* the last token runs on the decode program, over the cache that the prompt program filled */
    bool ok = CHECK_OK(weft_session_eval(s, t, STORY - 1, NULL, &err), err) &&
              CHECK_OK(weft_session_eval(s, t + STORY - 1, 1, &(weft_rows){ .logits = logits }, &err), err);
    weft_session_destroy(s);
    return ok;
}

static void layers_go_where_they_are_given(void)
{
    pair p;
    float one[REF_VOCAB], two[REF_VOCAB];
    uint32_t layers[4];
    weft_session_desc desc = { .n_devices = 1, .max_tokens = 8 };
    if (!pair_open(&p)) return;
    desc.devices = p.device;
    if (run(&p, &desc, layers, one)) CHECK_EQ_INT(layers[0], UINT32_MAX);
    desc.n_devices = 2;
    for (uint32_t first = 0; first <= 7; first++) {
        uint32_t split[2] = { first, 0 };
        desc.split = split;
        if (!run(&p, &desc, layers, two)) break;
        CHECK_EQ_INT(layers[0], first < 6 ? first : 6); /* there are six */
        CHECK_EQ_INT(layers[1], first < 6 ? 6 - first : 0);
        CHECK(!memcmp(layers, layers + 2, 2 * sizeof *layers)); /* the decode program as the prompt program */
        CHECK(!memcmp(one, two, sizeof one));
    }
    pair_close(&p);
}

static void reasons_say_so(void)
{
    pair p;
    weft_graph *g;
    weft_program *program;
    const uint32_t split[] = { 4, 2 };
    weft_model_graph_desc d = { .max_tokens = 8 };
    if (!pair_open(&p)) return;
    weft_program_desc desc = { .devices = p.device, .n_devices = 2, .split = split, .strict = true };
    if (CHECK_OK(weft_model_graph(p.m, &d, &g, &err), err) &&
        CHECK_OK(weft_program_create(g, &desc, &program, &err), err)) {
        const weft_graph *run = weft_program_graph(program);
        uint32_t there = 0;
        for (uint32_t i = 0; i < weft_graph_node_count(run); i++) {
            const weft_node *n = weft_graph_node(run, i);
            weft_place place = weft_program_place(program, n->id);
            if (n->op != WEFT_OP_linear && n->op != WEFT_OP_attention) continue;
            bool second = strstr(n->scope, "layers.4") || strstr(n->scope, "layers.5") || strstr(n->scope, "embed_out");
            CHECK_EQ_INT(place.device, second);
            CHECK_EQ_INT(place.reason, second ? WEFT_PLACE_SPLIT : WEFT_PLACE_REQUESTED);
            there += second;
        }
        CHECK(there >= 10); /* five of each layer at most fuse away to less than this */
        weft_program_destroy(program);
    }
    weft_graph_destroy(g);
    pair_close(&p);
}

/* The f16 model is 13 MiB, its cache of 512 tokens 3 MiB. */
static void what_does_not_fit_goes_on(void)
{
    pair p;
    float one[REF_VOCAB], two[REF_VOCAB];
    uint32_t layers[4], before = 0;
    weft_session_desc desc = { .n_devices = 1, .max_tokens = 8 };
    weft_session *s;
    if (!pair_open(&p)) return;
    desc.devices = p.device;
    if (!run(&p, &desc, layers, one)) return;
    p.device[0]->vt = &small_vt;
    left = 8 * MIB;
    desc.spread = true; /* of no use with one device */
    CHECK_STATUS(weft_session_create(p.m, &desc, &s, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "cpu has 8 MiB");
    CHECK_CONTAINS(err.text, "weights 13");
    desc.n_devices = 2;
    static const uint64_t sizes[] = { 1, 4, 7, 10, 13, 64 };
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        left = sizes[i] * MIB;
        if (!run(&p, &desc, layers, two)) break;
        CHECK(!memcmp(one, two, sizeof one));
        CHECK(!memcmp(layers, layers + 2, 2 * sizeof *layers));
        if (sizes[i] == 64) CHECK_EQ_INT(layers[0], UINT32_MAX); /* all of it fits */
        else {
            CHECK_EQ_INT(layers[0] + layers[1], 6);
            CHECK(i ? layers[0] >= before : layers[0] == 0);
            before = layers[0];
        }
    }
    CHECK(before > 2 && before < 6);
    pair_close(&p);
}

/* ---- from a GGUF file ---- */

typedef struct two_devices {
    const char *one, *first, *second; /* where the whole model runs, and where its parts do */
    bool same;                        /* the same kernels: the same bits */
} two_devices;

static const two_devices cpus = { "cpu,threads=1", "cpu,threads=1", "cpu,threads=1", true };
static const two_devices mixed = { "cpu,threads=1", "vulkan:0", "cpu,threads=1", false };
static const two_devices gpus = { "vulkan:0", "vulkan:0", "vulkan:0", true };

static bool open_three(const two_devices *d, weft_backend *out[3])
{
    const char *const specs[] = { d->one, d->first, d->second };
    for (int i = 0; i < 3; i++)
        if (!CHECK_OK(weft_backend_open(specs[i], &out[i], &err), err)) return false;
    return true;
}

static double distance(const float *a, const float *b)
{
    double most = 0;
    for (int i = 0; i < REF_VOCAB; i++) {
        double apart = fabs((double)a[i] - (double)b[i]);
        if (!(apart <= most)) most = apart; /* NaN, too */
    }
    return most;
}

static void compare(const two_devices *d, pair *p, uint32_t first)
{
    weft_backend *device[3] = { 0 };
    float one[REF_VOCAB], two[REF_VOCAB];
    uint32_t layers[4], split[2] = { first, 6 - first };
    if (open_three(d, device)) {
        weft_session_desc desc = { .devices = device, .n_devices = 1, .max_tokens = 8, .exact = !d->same };
        bool ok = run(p, &desc, layers, one);
        desc.devices = device + 1;
        desc.n_devices = 2;
        desc.split = split;
        if (ok && run(p, &desc, layers, two)) {
            CHECK_EQ_INT(layers[0], first);
            if (d->same) CHECK(!memcmp(one, two, sizeof one));
            else CHECK(distance(one, two) < 1e-3);
        }
    }
    for (int i = 0; i < 3; i++) weft_backend_close(device[i]);
}

static void from_gguf(const two_devices *const *kinds, uint32_t n)
{
    static const weft_dtype types[] = { WEFT_Q4_0, WEFT_Q4_K, WEFT_Q6_K, WEFT_IQ4_NL, WEFT_F16 };
    temp_folder t = temp_make();
    for (uint32_t i = 0; i < sizeof types / sizeof *types; i++) {
        pair p = { 0 };
        if (!sample_takes(weft_dtype_get(types[i])->name, kinds[0]->first)) continue;
        if (CHECK_OK(weft_model_init(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/config.json", NULL,
                                     temp_path(&t, "split.gguf"), types[i], 3, 0, NULL, &err), err) &&
            CHECK_OK(weft_model_open(temp_path(&t, "split.gguf"), NULL, &p.m, &err), err))
            for (uint32_t k = 0; k < n; k++) compare(kinds[k], &p, 1 + (i + k) % 5);
        weft_model_close(p.m);
        remove(temp_path(&t, "split.gguf"));
    }
    temp_remove(&t);
}

static void layers_of_a_gguf_file(void)
{
    from_gguf((const two_devices *const[]){ &cpus }, 1);
}

static void layers_on_vulkan(void)
{
    from_gguf((const two_devices *const[]){ &mixed, &gpus }, 2);
}

static const weft_test tests[] = {
    { "layers go where they are given", layers_go_where_they_are_given },
    { "reasons say so", reasons_say_so },
    { "what does not fit goes on", what_does_not_fit_goes_on },
    { "layers of a GGUF file", layers_of_a_gguf_file },
    { "Vulkan", layers_on_vulkan },
};
TEST_MAIN(tests)
