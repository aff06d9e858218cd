/* bench.c: llama.cpp, or its relative ik_llama.cpp (compiled with -DIK), doing what `weft bench` does, over its C
 * interface: a prompt of random ids in one batch with the logits of the last; then, of every sequence, greedy tokens
 * after 16, the largest logit looked for after each. Prints one line of JSON: seconds of each repetition. compare.py
 * builds and runs it.
 *
 *     bench BACKENDS MODEL.gguf [NAME=VALUE...]
 *
 * BACKENDS is the folder of libggml-*.so. threads, prompt, decode, repeat, sequences, depth (tokens that a sequence has
 * before what is measured), context (of a sequence), layers on a GPU; kv=f16|q8_0|q4_0; state=FILE where sequence 0's
 * depth is kept from run to run; logits=FILE for the prompt's last logits, as float32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef IK
#include "ggml-backend.h"
#endif
#include "llama.h"

enum { SHORT = 16, BATCH = 512, MANY = 64 };

typedef struct numbers { int32_t threads, prompt, decode, repeat, sequences, depth, context, layers; } numbers;

static struct llama_context *ctx;
static struct llama_batch batch;
static int32_t n_vocab;
static numbers set = { 2, 512, 64, 3, 1, 0, 1024, 0 };
static const char *kv = "f16", *state, *logits;

static void nothing(enum ggml_log_level level, const char *line, void *data)
{
    (void)data;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(line, stderr);
}

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s failed\n", what);
    exit(1);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Of the batch's token i. Two loops, which compilers make faster than one. */
static llama_token best(int32_t i)
{
    const float *x = llama_get_logits_ith(ctx, i);
    float most = x[0];
    llama_token b = 0;
    for (int32_t k = 1; k < n_vocab; k++) most = x[k] > most ? x[k] : most;
    while (x[b] < most) b++;
    return b;
}

static void add(llama_token id, int32_t position, int32_t sequence, bool wanted)
{
    int32_t i = batch.n_tokens++;
    batch.token[i] = id;
    batch.pos[i] = position;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = sequence;
    batch.logits[i] = wanted;
}

static void run(void)
{
    if (llama_decode(ctx, batch)) fail("llama_decode");
    batch.n_tokens = 0;
}

/* A sequence is cut down to `from` tokens. */
static void cut(int32_t sequence, int32_t from)
{
#ifdef IK
    llama_kv_cache_seq_rm(ctx, sequence, from, -1);
#else
    llama_memory_seq_rm(llama_get_memory(ctx), sequence, from, -1);
#endif
}

/* n more tokens of a sequence that has `from`, in runs of BATCH: the ids that compare.py gives weft (7, 108, ...). */
static void feed(int32_t sequence, int32_t from, int32_t n)
{
    cut(sequence, from);
    for (int32_t i = 0; i < n; i++) {
        add((7 + 101 * (from + i)) % n_vocab, from + i, sequence, i == n - 1);
        if (batch.n_tokens == BATCH || i == n - 1) run();
    }
}

static void fill(void)
{
    size_t n;
    if (state && llama_state_seq_load_file(ctx, state, 0, NULL, 0, &n)) return;
    for (int32_t s = 0; s < set.sequences && set.depth; s++) feed(s, 0, set.depth);
    if (state && !llama_state_seq_save_file(ctx, state, 0, NULL, 0)) fail("llama_state_seq_save_file");
}

static double prompt(void)
{
    cut(0, set.depth);
    double start = seconds();
    feed(0, set.depth, set.prompt);
    (void)best(-1);
    return seconds() - start;
}

/* Memory is touched and threads are there. */
static void warm_up(void)
{
    feed(0, set.depth, set.prompt < 4 * SHORT ? SHORT : 4 * SHORT);
}

static double decode(void)
{
    llama_token next[MANY];
    for (int32_t s = 0; s < set.sequences; s++) feed(s, set.depth, SHORT), next[s] = best(-1);
    double start = seconds();
    for (int32_t i = 0; i < set.decode; i++) {
        for (int32_t s = 0; s < set.sequences; s++) add(next[s], set.depth + SHORT + i, s, true);
        run();
        for (int32_t s = 0; s < set.sequences; s++) next[s] = best(s);
    }
    return seconds() - start;
}

static void measure(const char *name, double (*once)(void), const char *after)
{
    printf("\"%s\": [", name);
    for (int32_t r = 0; r < set.repeat; r++) printf("%s%.5f", r ? ", " : "", once());
    printf("]%s", after);
}

static void keep_logits(void)
{
    const size_t n = (size_t)n_vocab;
    FILE *f = fopen(logits, "wb");
    if (!f || fwrite(llama_get_logits_ith(ctx, -1), sizeof(float), n, f) != n || fclose(f)) fail(logits);
}

static void read_setting(const char *text)
{
    static const struct { const char *name; int32_t *at; } known[] = {
        { "threads", &set.threads }, { "prompt", &set.prompt }, { "decode", &set.decode }, { "repeat", &set.repeat },
        { "sequences", &set.sequences }, { "depth", &set.depth }, { "context", &set.context },
        { "layers", &set.layers },
    };
    const char *value = strchr(text, '=');
    size_t n = value ? (size_t)(value - text) : 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n == strlen(known[i].name) && !strncmp(text, known[i].name, n)) {
            *known[i].at = atoi(value + 1);
            return;
        }
    if (!strncmp(text, "kv=", 3)) kv = value + 1;
    else if (!strncmp(text, "state=", 6)) state = value + 1;
    else if (!strncmp(text, "logits=", 7)) logits = value + 1;
    else fail(text);
}

static void open_model(const char *path)
{
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = set.layers;
    struct llama_model *model = llama_model_load_from_file(path, mp);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = (uint32_t)(set.context * set.sequences);
    cp.n_batch = cp.n_ubatch = BATCH;
    cp.n_seq_max = (uint32_t)set.sequences;
    cp.n_threads = cp.n_threads_batch = (uint32_t)set.threads;
    cp.type_k = !strcmp(kv, "q8_0")   ? GGML_TYPE_Q8_0
                : !strcmp(kv, "q4_0") ? GGML_TYPE_Q4_0
                                      : GGML_TYPE_F16;
    cp.type_v = cp.type_k;
#ifdef IK
    cp.flash_attn = set.sequences == 1; /* of several it fails an assertion: rows that see nothing of a block */
#endif
    ctx = model ? llama_init_from_model(model, cp) : NULL;
    if (!ctx) fail(path);
    n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    batch = llama_batch_init(BATCH, 0, 1);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    for (int i = 3; i < argc; i++) read_setting(argv[i]);
    const int32_t longest = set.prompt > SHORT + set.decode ? set.prompt : SHORT + set.decode;
    if (set.prompt < 0 || set.depth + longest > set.context || set.sequences < 1 || set.sequences > MANY)
        fail("a number");
    llama_log_set(nothing, NULL);
#ifndef IK
    ggml_backend_load_all_from_path(argv[1]);
#endif
    llama_backend_init();
    open_model(argv[2]);
    fill();
    printf("{");
    warm_up();
    if (set.prompt) measure("prompt", prompt, set.decode ? ", " : "");
    if (logits) keep_logits();
    if (set.decode) measure("decode", decode, "");
    puts("}");
    return 0;
}
