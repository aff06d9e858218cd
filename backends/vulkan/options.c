/* options.c: the options of a "vulkan" spec (backends/backend.h lists them). */
#include "backends/vulkan/vk.h"

#include "backends/process_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static weft_status bad(const char *item, const char *expected, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_INVALID, "vulkan: %.200s: expected %s", item, expected);
}

static weft_status parse_bytes(const char *item, const char *value, uint64_t *out, weft_error *err)
{
    if (weft__parse_bytes(value, out)) return WEFT_OK;
    return bad(item, "a number of bytes (K, M, G may follow)", err);
}

static weft_status parse_switch(const char *item, const char *value, bool *out, weft_error *err)
{
    if (strcmp(value, "0") && strcmp(value, "1")) return bad(item, "0 or 1", err);
    *out = *value == '1';
    return WEFT_OK;
}

static weft_status parse_path(const char *value, char **out, weft_error *err)
{
    free(*out);
    *out = strdup(value);
    return *out ? WEFT_OK : WEFT_OOM_FAIL(err, "an option");
}

/* What `without` can name: features (caps.c asks for them), then kernels. NULL past the end. */
static const char *removable(uint32_t i)
{
    static const char *const features[] = { "subgroup", "storage16", "dot", "matrix", "panels" };
    uint32_t n, n_features = sizeof features / sizeof *features;
    const gpu_kernel *const *kernels = gpu_kernels(&n);
    if (i < n_features) return features[i];
    return i - n_features < n ? kernels[i - n_features]->name : NULL;
}

/* Each name once: rows of several ops share a kernel. */
static void list_removable(char *out, size_t size)
{
    size_t at = 0;
    const char *name;
    for (uint32_t i = 0; (name = removable(i)) && at < size; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < i && !seen; k++) seen = !strcmp(removable(k), name);
        if (!seen) at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", name);
    }
}

static weft_status check_removable(const char *names, weft_error *err)
{
    char all[448];
    for (size_t n; *names; names += n + (names[n] == '+')) {
        const char *name;
        uint32_t i = 0;
        n = strcspn(names, "+");
        while ((name = removable(i)) && (strlen(name) != n || memcmp(name, names, n))) i++;
        if (name) continue;
        list_removable(all, sizeof all);
        return WEFT_FAIL(err, WEFT_INVALID, "vulkan: without=%.*s: no feature or kernel of that name (%s)",
                         (int)(n > 40 ? 40 : n), names, all);
    }
    return WEFT_OK;
}

static weft_status parse_without(const char *item, const char *value, vk_options *o, weft_error *err)
{
    size_t n = strlen(value);
    if (!n || value[n - 1] == '+' || n + 3 > sizeof o->without) return bad(item, "names with '+' between them", err);
    WEFT_TRY(check_removable(value, err));
    o->without[0] = '+';
    memcpy(o->without + 1, value, n);
    strcpy(o->without + 1 + n, "+");
    return WEFT_OK;
}

static weft_status parse_shape(const char *item, const char *value, uint32_t *out, weft_error *err)
{
    int used = 0;
    bool ok = sscanf(value, "%2ux%2ux%2u%n", &out[0], &out[1], &out[2], &used) == 3 && !value[used];
    return ok && out[0] && out[1] && out[2] ? WEFT_OK : bad(item, "a shape like 16x16x16", err);
}

static weft_status parse_item(const char *item, vk_options *o, weft_error *err)
{
    const char *value = strchr(item, '=');
    size_t n = value ? (size_t)(value++ - item) : 0;
#define IS(name) (n == sizeof name - 1 && !memcmp(item, name, n))
    if (IS("loader")) return parse_path(value, &o->loader, err);
    if (IS("cache")) return parse_path(value, &o->cache, err);
    if (IS("max-binding")) {
        WEFT_TRY(parse_bytes(item, value, &o->max_binding, err));
        return o->max_binding >= 256 ? WEFT_OK : bad(item, "at least 256 bytes", err);
    }
    if (IS("max-groups")) {
        uint64_t groups = 0;
        WEFT_TRY(parse_bytes(item, value, &groups, err));
        o->max_groups = (uint32_t)(groups < UINT32_MAX ? groups : UINT32_MAX);
        return WEFT_OK;
    }
    if (IS("memory")) return parse_bytes(item, value, &o->memory, err);
    if (IS("staging")) return parse_switch(item, value, &o->staging, err);
    if (IS("import")) return parse_switch(item, value, &o->import, err);
    if (IS("self-test")) {
        o->self_test_given = true;
        o->large_probes = !strcmp(value, "2");
        o->self_test = o->large_probes;
        return o->large_probes ? WEFT_OK : parse_switch(item, value, &o->self_test, err);
    }
    if (IS("statistics")) return parse_switch(item, value, &o->statistics, err);
    if (IS("validation")) return parse_switch(item, value, &o->validation, err);
    if (IS("labels")) return parse_switch(item, value, &o->labels, err);
    if (IS("without")) return parse_without(item, value, o, err);
    if (IS("dot")) return parse_switch(item, value, &o->dot, err);
    if (IS("matrix")) return parse_shape(item, value, o->matrix, err);
    if (IS("tuning")) {
        o->tuning = gpu_tuning_named(value);
        return o->tuning ? WEFT_OK : bad(item, "a row of tuning.def", err);
    }
    if (IS("submit-ms")) {
        char *end;
        double ms = strtod(value, &end);
        if (end == value || *end || !(ms > 0 && ms <= 1e6)) return bad(item, "milliseconds above 0", err);
        o->submit_seconds = ms * 1e-3;
        return WEFT_OK;
    }
#undef IS
    return WEFT_FAIL(err, WEFT_INVALID, "vulkan: unknown option '%.200s' (loader, cache, dot, import, labels, "
                     "matrix, max-binding, max-groups, memory, self-test, staging, statistics, submit-ms, tuning, validation, "
                     "without; each as name=value)", item);
}

weft_status vk_options_parse(const char *which, const char *text, vk_options *o, weft_error *err)
{
    *o = (vk_options){ .submit_seconds = 0.05 };
    strncpy(o->which, which, sizeof o->which - 1);
    char *copy = strdup(text), *rest = copy, *item;
    if (!copy) return WEFT_OOM_FAIL(err, "options");
    weft_status s = WEFT_OK;
    while (!s && (item = strsep(&rest, ","))) s = *item ? parse_item(item, o, err) : WEFT_OK;
    free(copy);
    if (!o->self_test_given) o->self_test = o->cache != NULL;
    if (s) vk_options_free(o);
    return s;
}

void vk_options_free(vk_options *o)
{
    free(o->loader);
    free(o->cache);
    o->loader = o->cache = NULL;
}
