/* test_deterministic.c: in a deterministic session a token's logits have the same bits however its sequence is cut, and
 * whatever is evaluated beside it: alone, in chunks, in a batch of many sequences, in another place of the cache. */
#include "reference.h"
#include "tests/checkpoint/temp.h"

#include <stdlib.h>
#include <string.h>

enum { SEQUENCES = 17, LONG = 520, LENGTH = 70, SHORT = 12 }; /* SHORT: where a processor plays the GPU */

static weft_error err;

/* Token i of sequence q; sequence 0 is the one that is compared. */
static int32_t token(uint32_t q, uint32_t i)
{
    return (int32_t)(((i * 2654435761u + q * 40503u) >> 8) % REF_VOCAB);
}

/* Logits of the last token of the text in sequence q, evaluated in pieces of so many tokens. */
static void alone(weft_session *s, uint32_t q, uint32_t length, uint32_t chunk, float *out)
{
    weft_batch_token t[LONG];
    for (uint32_t i = 0; i < length; i++) t[i] = (weft_batch_token){ token(0, i), q, 0 };
    t[length - 1].wants = WEFT_WANT_LOGITS;
    for (uint32_t at = 0; at < length; at += chunk) {
        uint32_t n = length - at < chunk ? length - at : chunk;
        CHECK_OK(weft_session_eval(s, t + at, n, &(weft_rows){ .logits = out }, &err), err);
    }
}

/* The same as sequence `q` of many, of which each goes on by a token in turn. */
static void among_others(weft_session *s, uint32_t q, uint32_t length, float *out)
{
    weft_batch_token t[SEQUENCES];
    for (uint32_t i = 0; i < length; i++) {
        for (uint32_t k = 0; k < SEQUENCES; k++)
            t[k] = (weft_batch_token){ k == q ? token(0, i) : token(k + 1, i), k, 0 };
        t[q].wants = i + 1 == length ? WEFT_WANT_LOGITS : 0;
        CHECK_OK(weft_session_eval(s, t, SEQUENCES, &(weft_rows){ .logits = out }, &err), err);
    }
}

static void clear(weft_session *s)
{
    for (uint32_t q = 0; q < SEQUENCES; q++) CHECK_OK(weft_session_truncate(s, q, 0, &err), err);
}

static void same(const char *device, const weft_session_desc *d, const char *how, const float *got, const float *want)
{
    if (!CHECK(!memcmp(got, want, REF_VOCAB * sizeof *got)))
        printf("  %s, weights %d%s: %s: off by %g\n", device, (int)d->weights, d->exact ? ", exact" : "", how,
               relative_difference(got, want, REF_VOCAB));
}

/* A random model whose products gate one another and norm what they read, and which norms its queries and keys: as many
 * ids as the bundled one has. */
static bool gated_open(bundled *b, const char *device, weft_session_desc d)
{
    static const char config[] =
        "{ \"architectures\": [\"Qwen3ForCausalLM\"], \"model_type\": \"qwen3\", \"vocab_size\": 4096,\n"
        "\"hidden_size\": 96, \"intermediate_size\": 160, \"num_hidden_layers\": 3, \"num_attention_heads\": 6,\n"
        "\"num_key_value_heads\": 2, \"head_dim\": 32, \"rms_norm_eps\": 1e-6, \"max_position_embeddings\": 1024,\n"
        "\"initializer_range\": 0.2 }";
    temp_folder folder = temp_make();
    *b = (bundled){ 0 };
    temp_write_text(&folder, "config.json", config);
    d.devices = &b->device;
    d.n_devices = 1;
    bool ok = CHECK_OK(weft_model_init(temp_path(&folder, "config.json"), NULL, temp_path(&folder, "model"),
                                       WEFT_F16, 1, 0, NULL, &err), err) &&
              CHECK_OK(weft_model_open(temp_path(&folder, "model"), NULL, &b->m, &err), err) &&
              CHECK_OK(weft_backend_open(device, &b->device, &err), err) &&
              CHECK_OK(weft_session_create(b->m, &d, &b->s, &err), err);
    temp_remove(&folder); /* what is mapped stays */
    return ok;
}

static void one_way(const char *device, weft_session_desc d, uint32_t length, bool gated)
{
    static const uint32_t chunks[] = { 1, 7, 64, 512 };
    static float want[REF_VOCAB], got[REF_VOCAB];
    bundled b;
    d.deterministic = true;
    d.n_sequences = SEQUENCES;
    d.context = LONG + 8;
    d.max_tokens = LONG; /* all of it in one run, which is what is compared with */
    if (gated ? gated_open(&b, device, d) : bundled_open(&b, device, &d)) {
        alone(b.s, 0, length, length, want);
        for (size_t i = 0; i < sizeof chunks / sizeof *chunks && chunks[i] < length; i++) {
            clear(b.s);
            alone(b.s, (uint32_t)i + 3, length, chunks[i], got); /* in other pages, too */
            same(device, &d, i == 0 ? "token by token" : "in chunks", got, want);
        }
        clear(b.s);
        if (length < LONG) among_others(b.s, 11, length, got), same(device, &d, "among others", got, want);
    }
    bundled_close(&b);
}

static const weft_session_desc ways[] = {
    { .weights = WEFT_F16 }, { .weights = WEFT_Q8_0 },
    { .weights = WEFT_Q4_0, .kv = WEFT_Q8_0, .kv_values = WEFT_Q4_0 }, { .weights = WEFT_F32, .exact = true },
    { .weights = WEFT_Q4_0, .exact = true },
    { .weights = WEFT_BF16, .kv = WEFT_BF16 },
};
enum { N_WAYS = sizeof ways / sizeof *ways };

static void on_the_cpu(void)
{
    for (size_t i = 0; i < (REF_QUICK ? 2 : N_WAYS); i++)
        one_way("cpu,threads=2", ways[i], REF_QUICK ? SHORT : LENGTH, false);
    one_way("cpu,threads=1,isa=scalar", ways[0], SHORT, false);
    if (!REF_QUICK) one_way("cpu,threads=2", ways[0], LONG, false);
}

static void gated_on_the_cpu(void)
{
    for (size_t i = 0; i < N_WAYS; i++) one_way("cpu,threads=2", ways[i], REF_QUICK ? SHORT : LENGTH, true);
    one_way("cpu,threads=1,isa=scalar", ways[1], SHORT, true);
}

static void on_vulkan(void)
{
    for (size_t i = 0; i < 2; i++) one_way("vulkan:0", ways[i], SHORT, false);
}

static void gated_on_vulkan(void)
{
    for (size_t i = 0; i < 2; i++) one_way("vulkan:0", ways[i], SHORT, true);
}

static const weft_test tests[] = {
    { "CPU", on_the_cpu },
    { "gated on a CPU", gated_on_the_cpu },
    { "Vulkan", on_vulkan },
    { "gated on Vulkan", gated_on_vulkan },
};
TEST_MAIN(tests)
