/* logits.c: the logits that llama.cpp has of windows of a text, over its C interface. quality.py builds and runs it.
 *
 *     logits BACKENDS MODEL.gguf IDS WINDOW OUT
 *
 * BACKENDS is the folder of libggml-*.so, IDS a file of int32, OUT one of float32 [ids, vocabulary]. Every window
 * begins anew. */
#include <stdio.h>
#include <stdlib.h>

#include "ggml-backend.h"
#include "llama.h"

static void nothing(enum ggml_log_level level, const char *line, void *data)
{
    (void)data;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(line, stderr);
}

static struct llama_context *open_model(const char *path, int32_t window, int32_t *n_vocab)
{
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(path, mp);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = cp.n_batch = cp.n_ubatch = (uint32_t)window;
    cp.n_threads = cp.n_threads_batch = 2;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    *n_vocab = model ? llama_vocab_n_tokens(llama_model_get_vocab(model)) : 0;
    return model ? llama_init_from_model(model, cp) : NULL;
}

static int write_window(struct llama_context *ctx, const int32_t *ids, int32_t n, int32_t n_vocab, FILE *out)
{
    struct llama_batch b = llama_batch_init(n, 0, 1);
    llama_memory_clear(llama_get_memory(ctx), true);
    b.n_tokens = n;
    for (int32_t i = 0; i < n; i++) {
        b.token[i] = ids[i];
        b.pos[i] = i;
        b.n_seq_id[i] = 1;
        b.seq_id[i][0] = 0;
        b.logits[i] = 1;
    }
    int failed = llama_decode(ctx, b);
    for (int32_t i = 0; !failed && i < n; i++)
        failed = fwrite(llama_get_logits_ith(ctx, i), sizeof(float), (size_t)n_vocab, out) != (size_t)n_vocab;
    llama_batch_free(b);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    int32_t n_vocab, window = atoi(argv[4]), *ids = calloc((size_t)window + 1, sizeof *ids), failed = 0;
    llama_log_set(nothing, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    llama_backend_init();
    FILE *in = fopen(argv[3], "rb"), *out = fopen(argv[5], "wb");
    struct llama_context *ctx = window > 0 ? open_model(argv[2], window, &n_vocab) : NULL;
    failed = !in || !out || !ctx || !ids;
    for (size_t n; !failed && (n = fread(ids, sizeof *ids, (size_t)window, in));)
        failed = write_window(ctx, ids, (int32_t)n, n_vocab, out);
    if (out && fclose(out)) failed = 1;
    if (failed) fprintf(stderr, "%s: no logits\n", argv[2]);
    return failed;
}
