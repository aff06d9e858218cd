/* verdicts.c: what the self-test has said about kernels on this device, kept in the cache as lines of text:
 *
 *     weft-verdicts 2
 *     matvec_subgroup/f16 9ae16a3b2f90404f passed
 *     norm 84222325cbf29ce4 failed layer_norm %6: max error 0.3, ...
 *     attention_split/f16 100000001b3cbf29 testing 4711:99
 *
 * The number is of what is compiled: shaders, specialization constants, size of subgroups (weft_kernel_choice).
 * "testing" is there while process 4711 runs the test. Where that process is gone, the kernel took it or the device
 * down: that counts as failed. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "weft-verdicts 2\n";
static const char *const words[] = { "none", "testing", "passed", "failed", "untested" };

/* ---- the file ---- */

static void take_line(gpu_verdicts *v, const char *line)
{
    gpu_verdict it = { 0 };
    char word[16];
    int used = 0;
    unsigned long long compiled = 0;
    if (v->n == GPU_MAX_VERDICTS || sscanf(line, "%47s %16llx %15s%n", it.name, &compiled, word, &used) != 3) return;
    it.compiled = compiled;
    line += (size_t)used + strspn(line + used, " ");
    for (uint32_t i = 1; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) it.verdict = (weft_verdict)i;
    if (it.verdict == WEFT_VERDICT_TESTING) {
        if (vk_process_lives(line)) return; /* another process is at it: no verdict yet */
        it.verdict = WEFT_VERDICT_FAILED;
        line = "its test did not come back";
    }
    snprintf(it.detail, sizeof it.detail, "%.*s", (int)strcspn(line, "\n"), line);
    if (it.verdict != WEFT_VERDICT_NONE) v->items[v->n++] = it;
}

static void read_file(vk_backend *vk)
{
    size_t n;
    char *data = vk_cache_read(vk, "verdicts", &n), *text = data ? realloc(data, n + 1) : NULL;
    if (!text) {
        free(data);
        return;
    }
    text[n] = 0;
    if (!strncmp(text, head, sizeof head - 1))
        for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
            take_line(vk->verdicts, line + 1);
    free(text);
}

static void write_file(const vk_backend *vk)
{
    const gpu_verdicts *v = vk->verdicts;
    size_t size = sizeof head + v->n * (sizeof(gpu_verdict) + 64), at = 0;
    char *text = malloc(size);
    if (!text) return;
    at += (size_t)snprintf(text, size, "%s", head);
    for (uint32_t i = 0; i < v->n; i++) {
        const gpu_verdict *it = &v->items[i];
        char process[48] = "";
        if (it->verdict == WEFT_VERDICT_TESTING) vk_process(process);
        at += (size_t)snprintf(text + at, size - at, "%s %llx %s %s%s\n", it->name, (unsigned long long)it->compiled,
                               words[it->verdict], process, it->detail);
    }
    vk_cache_write(vk, "verdicts", text, at);
    free(text);
}

/* ---- life ---- */

weft_status vk_verdicts_create(vk_backend *vk, weft_error *err)
{
    vk->verdicts = calloc(1, sizeof *vk->verdicts);
    if (!vk->verdicts) return WEFT_OOM_FAIL(err, "verdicts");
    read_file(vk);
    return WEFT_OK;
}

void vk_verdicts_destroy(vk_backend *vk)
{
    free(vk->verdicts);
    vk->verdicts = NULL;
}

/* ---- use ---- */

weft_verdict vk_verdict(const weft_backend *b, const weft_kernel_choice *c)
{
    const vk_backend *vk = (const vk_backend *)b;
    const gpu_verdict *it = gpu_verdicts_find(vk->verdicts, c->name, c->compiled);
    return it ? it->verdict : vk->options.self_test ? WEFT_VERDICT_NONE : WEFT_VERDICT_UNTESTED;
}

void vk_judge(weft_backend *b, const weft_kernel_choice *c, weft_verdict v, const char *detail)
{
    vk_backend *vk = (vk_backend *)b;
    if (c) gpu_verdicts_set(vk->verdicts, c->name, c->compiled, v, detail);
    else {
        vk->verdicts->n = 0;
        vk->options.self_test = true; /* somebody wants to know */
    }
    write_file(vk);
}
