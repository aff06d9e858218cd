/* test_gguf.c: models from GGUF files, whose metadata llama.cpp's converter wrote, against double precision: every
 * architecture that both have. */
#include <stdlib.h>

#include "gguf_golden.h"
#include "models/checkpoint/gguf_out.h"
#include "tests/sample.h"

static weft_error err;
static const char *only = "";

static void meets(const golden *g, weft_backend *device)
{
    golden_meets(g, NULL, device);
}

static void cpu(void)
{
    golden_each_on_cpu("gguf", only, gguf_golden_open, meets);
}

static void meets_some(const golden *g, weft_backend *device)
{
    if (sample_takes(g->name, "vulkan_gguf")) meets(g, device);
}

static void vulkan(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err)) return;
    golden_each_of("gguf", only, gguf_golden_open, meets_some, b);
    weft_backend_close(b);
}

/* ---- what other converters join ---- */

enum { MOST = 256 };

/* A tensor of the file that is being written: one, or several one after the other: whole, or expert by expert. */
typedef struct joined { const weft__file_tensor *of[3]; size_t n; bool experts; } joined;

static weft_status fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *e)
{
    const joined *j = (const joined *)ctx + index;
    const uint64_t parts = j->experts ? j->of[0]->dims[0] : 1;
    unsigned char *to = out;
    uint64_t at = 0;
    (void)e;
    for (uint64_t p = 0; p < parts; p++)
        for (size_t k = 0; k < j->n; k++) {
            const uint64_t size = j->of[k]->size / parts;
            for (uint64_t i = 0; i < size; i++, at++)
                if (at >= offset && at - offset < n)
                    to[at - offset] = ((const unsigned char *)j->of[k]->data)[p * size + i];
        }
    return WEFT_OK;
}

static const weft__file_tensor *named(const weft__gguf_file *f, const char *like, const char *part, const char *other)
{
    size_t n;
    char name[128];
    const weft__file_tensor *all = weft__gguf_tensors(f, &n);
    const char *at = strstr(like, part);
    snprintf(name, sizeof name, "%.*s%s%s", (int)(at - like), like, other, at + strlen(part));
    return weft__file_tensor_find(all, n, name);
}

static int first_kind; /* 1: experts alone */

/* Queries, keys and values in one; gates and what they scale in one. False: the tensor is in another one. */
static bool join(const weft__gguf_file *f, const weft__file_tensor *t, joined *j, weft__file_tensor *made)
{
    static const char *const first[] = { ".attn_q.", ".ffn_gate_exps." };
    static const char *const more[][2] = { { ".attn_k.", ".attn_v." }, { ".ffn_up_exps.", NULL } };
    static const char *const whole[] = { ".attn_qkv.", ".ffn_gate_up_exps." };
    static char names[MOST][128];
    size_t n;
    *j = (joined){ { t }, 1, false };
    *made = *t;
    for (int i = first_kind; i < 2; i++) {
        for (int k = 0; k < 2 && more[i][k]; k++)
            if (strstr(t->name, more[i][k])) return false;
        const char *at = strstr(t->name, first[i]);
        if (!at) continue;
        for (int k = 0; k < 2 && more[i][k]; k++) {
            j->of[j->n] = named(f, t->name, first[i], more[i][k]);
            made->dims[i] += j->of[j->n++]->dims[i];
        }
        j->experts = i == 1;
        char *name = names[t - weft__gguf_tensors(f, &n)];
        snprintf(name, sizeof names[0], "%.*s%s%s", (int)(at - t->name), t->name, whole[i], at + strlen(first[i]));
        made->name = name;
    }
    return true;
}

static bool open_joined(golden *g, const char *file)
{
    static joined from[MOST];
    static weft__file_tensor made[MOST];
    weft__gguf_file *f = NULL;
    weft__gguf_kv kv = { 0 };
    size_t n, count = 0;
    if (!gguf_golden_open(g, file) || !CHECK_OK(weft__gguf_open(temp_path(&g->folder, "model.gguf"), &f, &err), err))
        return false;
    const weft__gguf_value *v;
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++) weft__gguf_put_copy(&kv, v);
    const weft__file_tensor *t = weft__gguf_tensors(f, &n);
    for (size_t i = 0; i < n && CHECK(n < MOST); i++)
        if (join(f, &t[i], &from[count], &made[count])) count++;
    CHECK(count < n);
    const weft__gguf_write_desc d = { .path = temp_path(&g->folder, "joined.gguf"), .values = &kv, .tensors = made,
                                      .n_tensors = count, .fill = fill, .ctx = from };
    weft_status s = weft__gguf_write(&d, &err);
    weft__gguf_kv_free(&kv);
    weft__gguf_close(f);
    remove(temp_path(&g->folder, "model.gguf"));
    return CHECK_OK(s, err);
}

static void joined_tensors_are_taken_apart(void)
{
    static const char *const files[] = { "gguf/qwen2-full.json", "gguf/llama-biases.json", "gguf/mixtral.json",
                                         "gguf/mixtral-q5_0.json" };
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        golden g;
        first_kind = i == 3; /* whose queries, keys and values are of three types */
        if (open_joined(&g, files[i])) meets(&g, b);
        golden_close(&g);
    }
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "joined tensors are taken apart", joined_tensors_are_taken_apart },
    { "CPU", cpu },
    { "Vulkan", vulkan },
};

GOLDEN_MAIN(tests, only)
