/* verdicts.c: the list of what the self-test has said about kernels (choose.h). A backend keeps it in a file. */
#include "backends/gpu/choose.h"

#include <stdio.h>
#include <string.h>

const gpu_verdict *gpu_verdicts_find(const gpu_verdicts *v, const char *name, uint64_t compiled)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->items[i].compiled == compiled && !strcmp(v->items[i].name, name)) return &v->items[i];
    return NULL;
}

bool gpu_verdicts_failed(const gpu_verdicts *v, const char *name, uint64_t compiled)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const gpu_verdict *it = &v->items[i];
        if (it->verdict == WEFT_VERDICT_FAILED && (!compiled || it->compiled == compiled) && !strcmp(it->name, name))
            return true;
    }
    return false;
}

void gpu_verdicts_list(const gpu_verdicts *v, char *out, size_t size)
{
    size_t at = 0;
    *out = 0;
    for (uint32_t i = 0; i < v->n && at < size; i++) {
        const gpu_verdict *all = v->items, *it = &all[i];
        bool again = it->verdict != WEFT_VERDICT_FAILED;
        for (uint32_t k = 0; k < i && !again; k++) /* in another form */
            again = all[k].verdict == WEFT_VERDICT_FAILED && !strcmp(all[k].name, it->name);
        if (!again) at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", it->name);
    }
}

void gpu_verdicts_set(gpu_verdicts *v, const char *name, uint64_t compiled, weft_verdict verdict, const char *detail)
{
    const gpu_verdict *known = gpu_verdicts_find(v, name, compiled);
    gpu_verdict *it = known ? &v->items[known - v->items] : v->n < GPU_MAX_VERDICTS ? &v->items[v->n++] : NULL;
    if (!it) return;
    if (!known) *it = (gpu_verdict){ .compiled = compiled };
    if (verdict == WEFT_VERDICT_UNTESTED && gpu_verdicts_failed(v, name, 0)) {
        verdict = WEFT_VERDICT_FAILED;
        detail = "not tested, and another form of it failed";
    }
    snprintf(it->name, sizeof it->name, "%s", name);
    snprintf(it->detail, sizeof it->detail, "%s", detail);
    for (char *p = it->detail; *p; p++)
        if (*p == '\n') *p = ' ';
    it->verdict = verdict;
    if (verdict == WEFT_VERDICT_NONE) *it = v->items[--v->n];
}
