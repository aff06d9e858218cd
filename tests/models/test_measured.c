/* test_measured.c: what a plan says a model takes, beside what the system says the process takes: the most while it is
 * loaded and while its whole context is run. A case is a process of its own, so that none works in memory that another
 * gave back. Linux, whose kernel counts pages; the vocabulary is small, so that all rows of the table are looked at. */
#include <sys/wait.h>

#include "models/model.h"
#include "tests/checkpoint/temp.h"
#include "tests/sample.h"

static weft_error err;

enum { VOCAB = 256, CONTEXT = 128, MIB = 1 << 20 };

/* Kilobytes of a line of /proc/self/status, as bytes; 0: there is none. */
static uint64_t bytes_of(const char *field)
{
    char line[256];
    unsigned long long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    const size_t n = strlen(field);
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, field, n) && line[n] == ':') sscanf(line + n + 1, "%llu", &kb);
    if (f) fclose(f);
    return (uint64_t)kb * 1024;
}

/* From now on VmHWM is the most since now. */
static bool forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    bool ok = f && fputs("5", f) >= 0;
    if (f) ok &= !fclose(f);
    return ok;
}

typedef struct measured_case {
    const char *name;
    weft_dtype file, weights, kv; /* a GGUF file's type, or of a folder's tensors */
    bool folder;
} measured_case;

static const measured_case cases[] = {
    { "q4_0", WEFT_Q4_0, WEFT_ANY, WEFT_ANY, false },
    { "q4_K", WEFT_Q4_K, WEFT_ANY, WEFT_ANY, false },
    { "q6_K and a cache of q8_0", WEFT_Q6_K, WEFT_ANY, WEFT_Q8_0, false },
    { "f16, loaded as q8_0", WEFT_F16, WEFT_Q8_0, WEFT_F32, true },
};

typedef struct result {
    bool whole;
    uint64_t plan, peak; /* of the peak what was there before loading is taken away */
} result;

static bool evaluate(weft_session *s, uint32_t n)
{
    static weft_batch_token t[CONTEXT];
    static float logits[VOCAB];
    for (uint32_t i = 0; i < n; i++) t[i] = (weft_batch_token){ (int32_t)(i * 2 % VOCAB), 0, i + 1 == n };
    return CHECK_OK(weft_session_eval(s, t, n - 1, NULL, &err), err) &&
           CHECK_OK(weft_session_eval(s, t + n - 1, 1, &(weft_rows){ .logits = logits }, &err), err);
}

/* On the CPU the process is measured. Of lavapipe from Mesa 25 the kernel tells the device's memory apart, for that is
 * shared memory: there it alone counts, since the driver's compiler takes more than such a model. All of it is there
 * once it is loaded, so a few tokens do. */
static result measure(const measured_case *c, const char *path, const char *spec)
{
    weft_model *m = NULL;
    weft_backend *b = NULL;
    weft_session_plan *plan = NULL;
    weft_session *s = NULL;
    result r = { 0 };
    weft_session_desc d = { .devices = &b, .n_devices = 1, .weights = c->weights, .kv = c->kv, .context = CONTEXT };
    const bool gpu = strncmp(spec, "cpu", 3) != 0;
    const char *field = gpu ? "RssShmem" : "VmHWM";
    if (gpu) d.max_tokens = 8;
    bool ok = CHECK_OK(weft_model_open(path, NULL, &m, &err), err) &&
              CHECK_OK(weft_backend_open(spec, &b, &err), err) &&
              CHECK_OK(weft_session_plan_create(m, &d, &plan, &err), err) && CHECK(forget_peak());
    if (ok) r.plan = weft_session_plan_bytes(plan, 0);
    const uint64_t before = bytes_of(field);
    ok = ok && CHECK_OK(weft_session_open(plan, NULL, &s, &err), err) && evaluate(s, gpu ? 2 : CONTEXT);
    if (ok) r.peak = bytes_of(field) - before;
    r.whole = ok;
    weft_session_destroy(s);
    weft_backend_close(b);
    weft_model_close(m);
    return r;
}

static result measure_alone(const measured_case *c, const char *path, const char *spec)
{
    int ends[2];
    result r = { 0 };
    fflush(stdout);
    if (!CHECK(!pipe(ends))) return r;
    pid_t child = fork();
    if (!child) {
        r = measure(c, path, spec);
        fflush(stdout);
        _exit(write(ends[1], &r, sizeof r) != (ssize_t)sizeof r);
    }
    close(ends[1]);
    CHECK(child > 0 && read(ends[0], &r, sizeof r) == (ssize_t)sizeof r);
    close(ends[0]);
    CHECK(child > 0 && waitpid(child, NULL, 0) == child);
    return r;
}

static void make_file(const temp_folder *t, const measured_case *c, const char *path)
{
    temp_write_text(t, "config.json",
                    "{\"architectures\": [\"GPTNeoXForCausalLM\"], \"model_type\": \"gpt_neox\", \"hidden_size\": 2048,"
                    "\"num_hidden_layers\": 3, \"num_attention_heads\": 16, \"intermediate_size\": 8192,"
                    "\"vocab_size\": 256, \"max_position_embeddings\": 128, \"rotary_pct\": 0.25}");
    CHECK_OK(weft_model_init(temp_path(t, "config.json"), NULL, path, c->file, 1, 0, NULL, &err), err);
}

static void meets(const measured_case *c, const char *spec)
{
    temp_folder t = temp_make();
    char path[TEMP_PATH];
    snprintf(path, sizeof path, "%s", temp_path(&t, c->folder ? "model" : "model.gguf"));
    make_file(&t, c, path);
    result r = measure_alone(c, path, spec);
    temp_remove(&t);
    CHECK(r.whole);
    double more = r.plan ? 100.0 * ((double)r.peak / (double)r.plan - 1) : 100;
    printf("  %s: planned %.1f MiB, measured %.1f MiB (%+.1f %%)\n", c->name, (double)r.plan / MIB,
           (double)r.peak / MIB, more);
    CHECK(more < 3);
    CHECK(more > -3);
}

static void cpu(void)
{
    if (!bytes_of("VmHWM") || !forget_peak()) TEST_SKIP("the system does not count this process's pages");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sample_takes(cases[i].name, "measured cpu")) meets(&cases[i], "cpu,threads=2");
}

static void vulkan(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sample_takes(cases[i].name, "measured vulkan")) meets(&cases[i], "vulkan:0");
}

static const weft_test tests[] = {
    { "CPU", cpu },
    { "Vulkan", vulkan },
};

TEST_MAIN(tests)
