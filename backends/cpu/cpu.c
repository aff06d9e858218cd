/* cpu.c: the CPU backend's object: options, buffers, description. */
#include "backends/cpu/cpu.h"
#include "backends/cpu/roof.h"
#include "backends/process_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_THREADS = 1024, MAP_FROM = 1 << 20 };

/* threads 0: one per core */
typedef struct options { uint32_t threads, spin_us; cpu_isa isa; uint64_t memory; cpu_cpus cpus; } options;

static bool parse_number(const char *s, uint32_t max, uint32_t *out)
{
    char *end;
    unsigned long v = strtoul(s, &end, 10);
    if (*s < '0' || *s > '9' || *end || v > max) return false;
    *out = (uint32_t)v;
    return true;
}

static weft_status parse_isa(const char *s, cpu_isa *out, weft_error *err)
{
    for (cpu_isa i = 0; i < CPU_ISA_COUNT; i++) {
        if (strcmp(s, cpu_isa_name(i))) continue;
        if (!cpu_isa_runs(i)) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "cpu: this processor or build has no %s", s);
        *out = i;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_INVALID,
                     "cpu: isa=%s: expected scalar, avx2, avxvnni, avx512, neon, dotprod or i8mm", s);
}

static weft_status parse_option(const char *item, options *o, weft_error *err)
{
    if (!strncmp(item, "threads=", 8)) {
        if (parse_number(item + 8, MAX_THREADS, &o->threads) && o->threads) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_INVALID, "cpu: %s: expected 1 to %d", item, MAX_THREADS);
    }
    if (!strncmp(item, "spin=", 5)) {
        if (parse_number(item + 5, 1000000, &o->spin_us)) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_INVALID, "cpu: %s: expected 0 to 1000000 microseconds", item);
    }
    if (!strncmp(item, "cpus=", 5)) return cpu_cpus_parse(item + 5, &o->cpus, err);
    if (!strncmp(item, "isa=", 4)) return parse_isa(item + 4, &o->isa, err);
    if (!strncmp(item, "memory=", 7)) {
        if (weft__parse_bytes(item + 7, &o->memory)) return WEFT_OK;
        return WEFT_FAIL(err, WEFT_INVALID, "cpu: %s: expected a number of bytes (K, M, G may follow)", item);
    }
    return WEFT_FAIL(err, WEFT_INVALID,
                     "cpu: unknown option '%s' (threads=N, cpus=N-N, isa=NAME, spin=MICROSECONDS, memory=BYTES)", item);
}

static weft_status parse_options(const char *text, options *o, weft_error *err)
{
    char item[64];
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n >= sizeof item) return WEFT_FAIL(err, WEFT_INVALID, "cpu: option too long: %.40s", text);
        memcpy(item, text, n);
        item[n] = 0;
        WEFT_TRY(parse_option(item, o, err));
        text += n + (text[n] == ',');
    }
    return WEFT_OK;
}

/* What was not said. */
static uint32_t threads_of(const options *o)
{
    return o->threads ? o->threads : o->cpus.given ? cpu_cpus_cores(&o->cpus) : cpu_physical_cores();
}

static weft_status cpu_open(const char *which, const char *text, weft_backend **out, weft_error *err)
{
    if (*which) return WEFT_FAIL(err, WEFT_NOT_FOUND, "cpu:%s: there is one CPU", which);
    options o = { .spin_us = 50, .isa = cpu_isa_best() };
    WEFT_TRY(parse_options(text, &o, err));
    cpu_backend *b = calloc(1, sizeof *b);
    if (!b) return WEFT_OOM_FAIL(err, "the CPU backend");
    b->isa = o.isa;
    b->memory = o.memory;
    weft_status s = cpu_pool_create(threads_of(&o), o.spin_us, &b->pool, err);
    if (s) {
        free(b);
        return s;
    }
    if (o.cpus.given) cpu_pool_pin(b->pool, &o.cpus);
    *out = &b->base;
    return WEFT_OK;
}

static void cpu_close(weft_backend *base)
{
    cpu_backend *b = (cpu_backend *)base;
    cpu_pool_destroy(b->pool);
    free(b);
}

static void describe(cpu_isa isa, uint32_t threads, weft_device_info *out)
{
    uint64_t memory = weft__process_memory("");
    *out = (weft_device_info){ .name = "cpu", .type = WEFT_DEVICE_CPU, .threads = threads, .is_default = true,
                               .memory = memory, .memory_known = memory > 0 };
    cpu_model_name(out->model, 64);
    snprintf(out->variant, sizeof out->variant, "%s", cpu_isa_name(isa));
    snprintf(out->features, sizeof out->features, "%s", out->variant);
    snprintf(out->description, sizeof out->description, "%.63s, %.20s, %u thread%s", out->model, out->variant,
             out->threads, out->threads == 1 ? "" : "s");
}

static void cpu_info(const weft_backend *base, weft_device_info *out)
{
    const cpu_backend *b = (const cpu_backend *)base;
    describe(b->isa, cpu_pool_size(b->pool), out);
    if (!b->memory) return;
    uint64_t left = b->memory > b->allocated ? b->memory - b->allocated : 0;
    if (!out->memory_known || left < out->memory) out->memory = left;
    out->memory_known = true;
}

static weft_status cpu_list(uint32_t index, const char *text, weft_device_info *out, weft_error *err)
{
    options o = { .isa = cpu_isa_best() };
    WEFT_TRY(parse_options(text, &o, err));
    if (index) return WEFT_FAIL(err, WEFT_NOT_FOUND, "cpu: there is one CPU");
    describe(o.isa, threads_of(&o), out);
    if (o.memory && (!out->memory_known || o.memory < out->memory)) out->memory = o.memory;
    out->memory_known |= o.memory != 0;
    return WEFT_OK;
}

static weft_status cpu_roof(weft_backend *base, double seconds, weft__task *task, weft_roof *out, weft_error *err)
{
    cpu_backend *b = (cpu_backend *)base;
    WEFT_TRY(weft__cpu_stream(b, seconds, task, &out->bytes_per_second, err));
    return weft__cpu_peak(b, seconds, task, &out->f32_ops_per_second, &out->int8_ops_per_second, err);
}

static uint32_t cpu_alignment(const weft_backend *b)
{
    (void)b;
    return 64;
}

/* ---- buffers ---- */

static weft_status new_buf(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return WEFT_OOM_FAIL(err, "a buffer");
    (*out)->b = (cpu_backend *)b;
    (*out)->bytes = bytes;
    return WEFT_OK;
}

/* Large buffers are mapped: they come zeroed and page by page as they are used, in huge pages where there are any. */
static weft_status cpu_buf_create(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err)
{
    weft_buf *buf;
    WEFT_TRY(new_buf(b, bytes, &buf, err));
    if (bytes >= MAP_FROM) {
        buf->kind = CPU_BUF_MAP;
        buf->data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (buf->data == MAP_FAILED) buf->data = NULL;
#ifdef MADV_HUGEPAGE
        if (buf->data) madvise(buf->data, bytes, MADV_HUGEPAGE);
#endif
    } else {
        buf->kind = CPU_BUF_HEAP;
        size_t size = ((size_t)bytes + 127) / 64 * 64; /* never empty */
        buf->data = aligned_alloc(64, size);
        if (buf->data) memset(buf->data, 0, size);
    }
    if (!buf->data) {
        free(buf);
        return WEFT_FAIL(err, WEFT_OOM, "cpu: no memory for a buffer of %llu bytes", (unsigned long long)bytes);
    }
    buf->b->allocated += bytes;
    *out = buf;
    return WEFT_OK;
}

static weft_status cpu_weight_wrap(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank,
                                   const int64_t *dims, const void *data, weft_buf **out, weft_error *err)
{
    WEFT_TRY(new_buf(b, b->vt->weight_bytes(b, layout, t, rank, dims), out, err));
    (*out)->kind = CPU_BUF_BORROWED;
    (*out)->data = (void *)(uintptr_t)data;
    return WEFT_OK;
}

static void cpu_buf_destroy(weft_buf *buf)
{
    if (buf->kind != CPU_BUF_BORROWED) buf->b->allocated -= buf->bytes;
    if (buf->kind == CPU_BUF_MAP) munmap(buf->data, buf->bytes);
    if (buf->kind == CPU_BUF_HEAP) free(buf->data);
    free(buf);
}

static weft_status cpu_buf_write(weft_buf *buf, uint64_t offset, const void *src, uint64_t n, weft_error *err)
{
    (void)err;
    memcpy((unsigned char *)buf->data + offset, src, n);
    return WEFT_OK;
}

static weft_status cpu_buf_read(weft_buf *buf, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    (void)err;
    memcpy(dst, (const unsigned char *)buf->data + offset, n);
    return WEFT_OK;
}

static weft_status cpu_buf_copy(weft_buf *buf, const weft_state_span *spans, uint32_t n, weft_error *err)
{
    (void)err;
    unsigned char *data = (unsigned char *)buf->data;
    for (uint32_t i = 0; i < n; i++) memcpy(data + spans[i].to, data + spans[i].from, spans[i].n);
    return WEFT_OK;
}

const weft_backend_vt weft__backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .info = cpu_info,
    .list = cpu_list,
    .roof = cpu_roof,
    .alignment = cpu_alignment,
    .weight_layout = cpu_weight_layout,
    .layout_name = cpu_layout_name,
    .layout_form = cpu_layout_form,
    .weight_bytes = cpu_weight_bytes,
    .choose = cpu_choose,
    .buf_create = cpu_buf_create,
    .weight_wrap = cpu_weight_wrap,
    .buf_destroy = cpu_buf_destroy,
    .buf_write = cpu_buf_write,
    .buf_read = cpu_buf_read,
    .buf_copy = cpu_buf_copy,
    .weight_write = cpu_weight_write,
    .exec_create = cpu_exec_create,
    .exec_destroy = cpu_exec_destroy,
    .exec_submit = cpu_exec_submit,
    .exec_wait = cpu_exec_wait,
    .exec_write = cpu_exec_write,
    .exec_read = cpu_exec_read,
    .exec_counters = cpu_exec_counters,
    .exec_profile = cpu_exec_profile,
    .exec_spans = cpu_exec_spans,
};
