/* cpu.h: what the files of the CPU backend share: the backend object and its buffers. */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "backends/cpu/kernel.h"
#include "backends/cpu/pool.h"

/* ---- processor ---- */
cpu_isa cpu_isa_best(void);              /* the best instruction set that this processor and build have */
bool cpu_isa_runs(cpu_isa isa);          /* compiled in, and the processor can execute it */
const char *cpu_isa_name(cpu_isa isa);   /* "avx512" */
bool cpu_isa_includes(cpu_isa have, cpu_isa need);
void cpu_model_name(char *out, size_t size);

/* ---- kernels ---- */
/* The first fitting kernel of the op for the types and sizes of the call, and its row's instruction set; NULL, with
 * *why set. */
const cpu_kernel *cpu_kernel_find(const cpu_call *call, weft_place_reason *why, cpu_isa *isa);
/* The first kernel of an op that an instruction set can run, whatever it accepts. */
const cpu_kernel *cpu_kernel_of(weft_op op, cpu_isa isa);

/* ---- objects ---- */
typedef struct cpu_backend {
    weft_backend base;
    cpu_isa isa;
    cpu_pool *pool;
    uint64_t memory; /* what it may use; 0: what there is */
    uint64_t allocated;
} cpu_backend;

struct weft_buf {
    cpu_backend *b;
    void *data;
    uint64_t bytes;
    enum { CPU_BUF_HEAP, CPU_BUF_MAP, CPU_BUF_BORROWED } kind;
};

weft_layout cpu_weight_layout(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims, uint32_t uses);
const char *cpu_layout_name(const weft_backend *b, weft_layout layout);
void cpu_layout_form(const weft_backend *b, weft_layout layout, char out[64]);
uint64_t cpu_weight_bytes(const weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims);
weft_status cpu_weight_write(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                             weft__task *task, weft_error *err);

weft_status cpu_exec_create(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err);
void cpu_exec_destroy(weft_exec *e);
weft_status cpu_exec_submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                            weft_error *err);
weft_status cpu_exec_wait(weft_exec *e, uint64_t ticket, weft_error *err);
weft_status cpu_exec_write(weft_exec *e, uint64_t at, const void *src, uint64_t n, weft_error *err);
weft_status cpu_exec_read(weft_exec *e, uint64_t at, void *dst, uint64_t n, weft_error *err);
void cpu_exec_counters(const weft_exec *e, weft_counters *out);
weft_status cpu_exec_profile(weft_exec *e, bool on, weft__exec_timing *out, weft_error *err);
weft_status cpu_exec_spans(weft_exec *e, weft__span_log *log, weft_error *err);
weft_place_reason cpu_choose(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out);

#endif
