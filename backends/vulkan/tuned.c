/* tuned.c: what weft_backend_tune has found on this device, kept in the cache as lines of text (backends/gpu/tuned.c)
 * in a file for each row of tuning.def. Another row of that name, in another release, is another file's. */
#include "backends/tuning.h"
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all that options can take away, and the kernels that they forbid: what was measured with another device in mind is
 * another file's. */
static uint64_t caps_hash(const vk_backend *vk)
{
    const gpu_caps *f = &vk->caps;
    const uint64_t n[] = {
        f->type, f->subgroup, f->subgroup_min, f->subgroup_max, f->subgroup_control, f->subgroup_ops, f->max_subgroups,
        f->max_invocations, f->max_groups, f->max_binding, f->max_allocation, f->max_shared, f->alignment, f->storage16,
        f->dot, f->dot_accelerated, f->dot_least.bits16, f->dot_least.bits8, f->dot_least.bits4, f->dot_mixed,
        f->nearest16, f->matrix.m, f->matrix.n, f->matrix.k, f->matrix.in_shader, f->as_stored };
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) h = (h ^ n[i]) * 1099511628211u;
    for (const char *p = vk->options.without; *p; p++) h = (h ^ (unsigned char)*p) * 1099511628211u;
    return h;
}

static void file_suffix(const vk_backend *vk, char out[96])
{
    const gpu_tuning *t = vk->caps.tuning;
    const uint64_t hash = gpu_tuning_hash(t) ^ caps_hash(vk);
    snprintf(out, 96, "%.60s-%016llx.tuned", t->name, (unsigned long long)hash);
}

static const char head[] = "weft-tuned 1\n";

typedef void line_fn(vk_backend *vk, void *ctx, const char *line);

static void read_lines(vk_backend *vk, line_fn *each, void *ctx)
{
    size_t n;
    char suffix[96], line[512];
    file_suffix(vk, suffix);
    char *data = vk_cache_read(vk, suffix, &n);
    const char *at = data, *end = data ? data + n : NULL;
    const bool ours = data && n >= sizeof head - 1 && !memcmp(data, head, sizeof head - 1);
    for (at = ours ? data + sizeof head - 1 : end; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t length = (size_t)((stop ? stop : end) - at);
        if (length && length < sizeof line) {
            memcpy(line, at, length);
            line[length] = 0;
            each(vk, ctx, line);
        }
        at += length + 1;
    }
    free(data);
}

static void take(vk_backend *vk, void *ctx, const char *line)
{
    (void)ctx;
    gpu_tuned_take(vk->tuned, &vk->caps, line, vk_process_lives); /* what is damaged counts as not there */
}

typedef struct merger { const weft_writer *w; const char *process; } merger;

/* What another process has found meanwhile, or another release writes, stays. */
static void merge(vk_backend *vk, void *ctx, const char *line)
{
    const merger *m = ctx;
    if (!gpu_tuned_replaces(vk->tuned, line, m->process)) weft_writef(m->w, "%s\n", line);
}

static weft_status write_file(vk_backend *vk, weft_error *err)
{
    char suffix[96], process[48];
    weft_text text = { 0 };
    const weft_writer w = weft_text_writer(&text);
    merger m = { &w, process };
    vk_process(process);
    file_suffix(vk, suffix);
    weft_writef(&w, "%s", head);
    gpu_tuned_print(vk->tuned, process, &w);
    read_lines(vk, merge, &m);
    const bool failed = text.failed, written = failed || vk_cache_write(vk, suffix, text.data, text.size);
    weft_text_free(&text);
    if (failed) return WEFT_OOM_FAIL(err, "what was measured");
    return written ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "vulkan: %.200s: what was measured cannot be written there",
                                         vk->options.cache);
}

weft_status vk_tuned_create(vk_backend *vk, weft_error *err)
{
    vk->tuned = calloc(1, sizeof *vk->tuned);
    if (!vk->tuned) return WEFT_OOM_FAIL(err, "what was measured");
    read_lines(vk, take, NULL);
    return WEFT_OK;
}

/* ---- for tune.c ---- */

static bool setting_next(const weft_backend *b, const weft_tune_shape *shape, const char *from, uint32_t i,
                     char out[WEFT_TUNE_TEXT])
{
    const vk_backend *vk = (const vk_backend *)b;
    const gpu_tuned_key key = gpu_tuned_key_of_shape(shape);
    for (uint32_t k = 0; gpu_setting_next(&vk->caps, &key, from, k, out); k++) /* without those that are wrong */
        if (!gpu_tuned_find(vk->tuned, &key, GPU_TUNED_WRONG, out) && !i--) return true;
    return false;
}

static bool setting_is_wrong(const weft_backend *b, const weft_tune_shape *shape, const char *setting)
{
    const gpu_tuned_key key = gpu_tuned_key_of_shape(shape);
    return gpu_tuned_find(((const vk_backend *)b)->tuned, &key, GPU_TUNED_WRONG, setting) != NULL;
}

static bool setting_kept(const weft_backend *b, const weft_tune_shape *shape, weft__setting *out)
{
    const gpu_tuned_key key = gpu_tuned_key_of_shape(shape);
    const gpu_tuned *it = gpu_tuned_find(((const vk_backend *)b)->tuned, &key, GPU_TUNED_KEPT, NULL);
    if (!it) return false;
    *out = (weft__setting){ .state = WEFT__SETTING_BEST, .seconds = it->seconds, .row_seconds = it->row_seconds };
    memcpy(out->text, it->setting, sizeof out->text);
    return true;
}

static weft_status setting_try(weft_backend *b, const weft_tune_shape *shape, const char *setting, weft_error *err)
{
    vk_backend *vk = (vk_backend *)b;
    const gpu_tuned_key key = gpu_tuned_key_of_shape(shape);
    if (gpu_tuned_try(vk->tuned, &vk->caps, &key, setting)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_INVALID, "vulkan: '%.90s' is no setting of %s", setting, vk->properties.deviceName);
}

static weft_status setting_keep(weft_backend *b, const weft_tune_shape *shape, const weft__setting *s, weft_error *err)
{
    static const gpu_tuned_state states[] = { GPU_TUNED_KEPT, GPU_TUNED_WRONG, GPU_TUNED_TRYING, GPU_TUNED_TRYING };
    vk_backend *vk = (vk_backend *)b;
    gpu_tuned it = { .key = gpu_tuned_key_of_shape(shape), .state = states[s->state], .seconds = s->seconds,
                     .row_seconds = s->row_seconds };
    memcpy(it.setting, s->text, sizeof it.setting);
    snprintf(it.detail, sizeof it.detail, "%s", s->detail);
    for (char *p = it.detail; *p; p++)
        if (*p == '\n') *p = ' ';
    if (s->state == WEFT__SETTING_RIGHT) {
        gpu_tuned_drop(vk->tuned, &it.key, GPU_TUNED_TRYING, s->text);
        return write_file(vk, err);
    }
    if (!gpu_tuned_put(vk->tuned, &vk->caps, &it))
        return WEFT_FAIL(err, WEFT_LIMIT, "vulkan: '%.90s' cannot be kept: %d settings are", s->text,
                         GPU_MAX_TUNED);
    return write_file(vk, err);
}

static weft_status setting_row(const weft_backend *b, const char *name, const weft_writer *w, weft_error *err)
{
    const vk_backend *vk = (const vk_backend *)b;
    return gpu_tuned_row(vk->tuned, &vk->caps, name, w) ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a row cannot be written");
}

static uint32_t count(const weft_backend *b, uint32_t *changed)
{
    return gpu_tuned_count(((const vk_backend *)b)->tuned, changed);
}

const weft__tuning weft__tuning_vulkan = { .next = setting_next, .is_wrong = setting_is_wrong, .kept = setting_kept,
                                           .try = setting_try, .keep = setting_keep, .count = count,
                                           .row = setting_row };
