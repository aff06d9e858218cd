/* bench.c: llama.cpp doing what `weft bench` does, over its C interface: a prompt of random ids in one batch with the
 * logits of the last, then greedy tokens after 16, the largest logit looked for after each; a cache of f16.
 * Prints one line of JSON: seconds of each repetition, and the logits' first argmax. compare.py builds and runs it.
 *
 *     bench BACKENDS MODEL.gguf THREADS PROMPT DECODE REPEAT [LOGITS]
 *
 * BACKENDS is the folder of libggml-*.so. LOGITS: a file for the prompt's last logits, as float32. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ggml-backend.h"
#include "llama.h"

enum { CONTEXT = 1024, SHORT = 16, BATCH = 512 };

static struct llama_context *ctx;
static int32_t n_vocab;

static void nothing(enum ggml_log_level level, const char *line, void *data)
{
    (void)data;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(line, stderr);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static llama_token best(void)
{
    const float *x = llama_get_logits_ith(ctx, -1);
    llama_token b = 0;
    for (int32_t i = 1; i < n_vocab; i++)
        if (x[i] > x[b]) b = i;
    return b;
}

static void feed(llama_token *t, int32_t n)
{
    if (!llama_decode(ctx, llama_batch_get_one(t, n))) return;
    fputs("llama_decode failed\n", stderr);
    exit(1);
}

/* The ids that compare.py --check gives weft: 7, 108, 209, ... */
static void prompt(llama_token *t, int32_t n)
{
    for (int32_t i = 0; i < n; i++) t[i] = (7 + 101 * i) % n_vocab;
    llama_memory_clear(llama_get_memory(ctx), true);
}

static void keep_logits(const char *path)
{
    const size_t n = (size_t)n_vocab;
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(llama_get_logits_ith(ctx, -1), sizeof(float), n, f) != n || fclose(f)) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static llama_token t[CONTEXT];
    if (argc < 7) return 2;
    const int32_t n_prompt = atoi(argv[4]), n_decode = atoi(argv[5]), repeat = atoi(argv[6]);
    if (n_prompt < 1 || n_prompt > BATCH || SHORT + n_decode > CONTEXT) return 2;
    llama_log_set(nothing, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    llama_backend_init();
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(argv[2], mp);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = CONTEXT;
    cp.n_batch = cp.n_ubatch = BATCH;
    cp.n_threads = cp.n_threads_batch = atoi(argv[3]);
    ctx = model ? llama_init_from_model(model, cp) : NULL;
    if (!ctx) return 1;
    n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    printf("{\"prompt\": [");
    for (int32_t r = 0; r < repeat; r++) {
        prompt(t, n_prompt);
        double start = seconds();
        feed(t, n_prompt);
        (void)best();
        printf("%s%.5f", r ? ", " : "", seconds() - start);
    }
    if (argc > 7) keep_logits(argv[7]);
    printf("], \"decode\": [");
    for (int32_t r = 0; r < repeat; r++) {
        prompt(t, SHORT);
        feed(t, SHORT);
        llama_token next = best();
        double start = seconds();
        for (int32_t i = 0; i < n_decode; i++) feed(&next, 1), next = best();
        printf("%s%.5f", r ? ", " : "", seconds() - start);
    }
    puts("]}");
    return 0;
}
