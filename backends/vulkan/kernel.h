/* kernel.h: what a GPU kernel is on the host's side: a row that says which nodes it takes and describes its launches as
 * data. No Vulkan object appears here, so that choosing, planning and printing need none.
 *
 * A node becomes one or more launches (a weight in several parts: one each). exec.c turns launches into descriptor sets
 * and commands, and lets steps that the plan joins share one launch, one job each (see shaders/params.h). */
#ifndef VULKAN_KERNEL_H
#define VULKAN_KERNEL_H

#include "backends/contract.h"
#include "backends/vulkan/shaders.h"
#include "shaders/params.h"

/* How weights are stored: 0 is row-major as in the graph (vectors, and whatever is no matrix); PANEL: weights.h. */
enum { VK_LAYOUT_PLAIN = WEFT_LAYOUT_PLAIN, VK_LAYOUT_PANEL };

/* What kernels are tuned by; one row per kind of device in tuning.def, which names the source of each row. Nothing else
 * in the backend asks who made a device. */
typedef struct vk_tuning {
    const char *name;       /* "amd_rdna" */
    uint32_t subgroup;      /* size to ask for where the device lets one choose; 0: the driver's own */
    uint32_t panel;         /* rows of a weight panel that lie interleaved by 16 bytes; 1: row by row */
    uint32_t block;         /* invocations of a matrix-vector workgroup */
    uint32_t rows[3];       /* rows per matrix-vector workgroup and lane group: 32/16-bit, 8-bit, 4-bit weights */
    uint32_t columns;       /* columns at once where a matrix product runs lane by row; 0: the tiled kernel */
    uint32_t tile[3];       /* tiled matrix product: rows, columns, invocations */
    uint32_t row_block;     /* invocations of workgroups that work on one row (norm, softmax, ...) */
    uint32_t flat_block;    /* invocations of element-wise workgroups */
    uint32_t keys;          /* attention: cells per split in decoding */
    uint32_t most[2];       /* columns per matrix-vector workgroup: 32- to 8-bit, 4-bit weights */
    uint32_t lanes;         /* attention for prompts lane by token: elements of queries per lane; 0: the tiled kernel */
    uint32_t dot[2];        /* q8_0, q4_0: columns of a matrix from which one row of x is quantised for the integer dot
                             * product; 0: never. Several rows always are, unless it is 0 */
    uint32_t matrix[4];     /* product by cooperative matrices: rows and columns of a workgroup, of a subgroup; 0: not
                             * on these devices */
} vk_tuning;

/* M x K by K x N; m 0: none. */
typedef struct vk_matrix {
    uint32_t m, n, k;
    bool in_shader; /* by a subgroup's invocations from shared memory (option matrix): for tests */
} vk_matrix;

/* What a device can do, after options that take features away. */
typedef struct vk_caps {
    weft_device_type type;
    uint32_t subgroup;       /* size that kernels run with where their workgroups are large enough */
    uint32_t subgroup_min, subgroup_max;
    bool subgroup_control;   /* a size within min..max can be asked for, with full subgroups */
    bool subgroup_ops;       /* arithmetic, ballot, shuffle in compute */
    uint32_t max_subgroups;  /* per workgroup, where a size is asked for */
    uint32_t max_invocations; /* per workgroup */
    uint32_t max_groups;     /* in x; in y and z at least 65535 */
    uint64_t max_binding;    /* bytes of one storage buffer binding */
    uint64_t max_allocation;
    uint32_t max_shared;     /* bytes of a workgroup's shared memory */
    uint32_t alignment;      /* of binding offsets */
    bool storage16;          /* 16-bit elements in storage buffers */
    bool dot, dot_accelerated; /* products of four signed bytes; faster than four multiply-adds */
    uint32_t dot_least[2];   /* tuning->dot where they are used, else 0 */
    bool dot_mixed;          /* of signed and unsigned bytes are accelerated, too: on AMD's since RDNA3 */
    bool nearest16;          /* f16 is rounded to nearest even where a shader asks for it */
    vk_matrix matrix;        /* cooperative matrices: f16 x f16 to f32, held by a subgroup */
    const vk_tuning *tuning;
} vk_caps;

/* A weight that is larger than a binding lies in parts of whole rows (rows: all axes but the last). */
typedef struct vk_part {
    uint64_t offset, bytes;
    int64_t first_row, n_rows;
    uint32_t block; /* which allocation */
} vk_part;

/* A tensor of a node. Before the plan exists strides are those of a dense tensor and `first` is 0. */
typedef struct vk_tensor {
    weft_dtype dtype;
    weft_layout layout;
    uint32_t rank;
    int64_t dim[WEFT_MAX_RANK], stride[WEFT_MAX_RANK], first; /* dims at the bounds */
    weft_dims dims;         /* with extents */
    uint32_t n_parts;       /* 1, or more for weights */
    const vk_part *parts;   /* weights, once they exist: NULL while a kernel is chosen */
} vk_tensor;

typedef struct vk_call {
    const vk_caps *caps;
    const vk_tensor *in, *out; /* absent optional inputs are not counted in n_in */
    uint32_t n_in, n_out;
    weft_op op;
    const weft_attrs *attrs;
    bool exact;
} vk_call;

typedef enum vk_bind_kind {
    VK_BIND_NONE, VK_BIND_IN, VK_BIND_OUT, VK_BIND_SCRATCH, VK_BIND_COUNTERS, VK_BIND_TABLE
} vk_bind_kind;

/* One buffer of a launch: input or output `index` (its part `part`), the node's scratch, counters or table. */
typedef struct vk_bind { uint8_t kind, index; uint16_t part; } vk_bind;

typedef struct vk_launch {
    weft_shader_id shader;
    uint32_t n_specs, spec[WEFT_MAX_SPECS]; /* spec[0]: invocations per workgroup */
    uint32_t subgroup;                      /* size that the kernel needs, with full subgroups; 0: any */
    vk_bind bind[WEFT_MAX_SLOTS];           /* by slot: the kernel's inputs, then its outputs */
    weft_job_params job;                    /* groups.x and .y are filled in by exec.c; tensors by vk_set_tensor */
    uint32_t groups[3];                     /* workgroups, by vk_spread; launches with y above 1 are not joined */
    bool barrier;                           /* must see what earlier launches of the same node wrote */
} vk_launch;

/* Functions that may be NULL have the default named. They are pure: the same call gives the same answer. */
typedef struct vk_kernel {
    const char *name;                                /* family and variant: "matvec", "attention_split" */
    bool (*accepts)(const vk_call *c);               /* NULL: every call of the op */
    uint64_t (*scratch)(const vk_call *c);           /* bytes in the arena, not zeroed; NULL: none */
    uint32_t (*counters)(const vk_call *c);          /* words, zero before and after every launch; NULL: none */
    uint64_t (*table)(const vk_call *c, void *out);  /* bytes of constants, written to out unless NULL; NULL: none */
    uint32_t (*launches)(const vk_call *c);          /* NULL: 1 */
    void (*launch)(const vk_call *c, uint32_t i, vk_launch *out); /* *out is zeroed before */
    uint64_t (*variant)(const vk_call *c);           /* nodes with equal ones have equal shader and specs; NULL: 0 */
    uint8_t need;                                    /* WEFT_NEED_* of inputs that are no weights */
    bool inplace;
    uint8_t ins, outs;                               /* slots per job that are read, that are written */
    uint8_t jobs;                                    /* that may share a launch (no counters, no table); 0 or 1: none */
    weft_arith arithmetic;                           /* 0: f32 */
} vk_kernel;

/* The first fitting kernel of kernels.def for a call; NULL, with *why set. `disabled` (may be NULL) says no to kernels;
 * *better (may be NULL) is then the one that would have been taken. */
const vk_kernel *vk_kernel_find(const vk_call *c, bool (*disabled)(const void *ctx, const vk_kernel *k),
                                const void *ctx, weft_place_reason *why, const vk_kernel **better);
/* The kernels of all rows: one that serves several ops appears for each. */
const vk_kernel *const *vk_kernels(uint32_t *n);

/* ---- for kernels ---- */

/* Writes tensor t into slot's params. Stride and dims as they are; `part` gives a weight's first row and rows. */
void vk_set_tensor(vk_launch *l, uint32_t slot, const vk_tensor *t, const vk_part *part);
/* Binds and sets in one go. */
void vk_bind_in(const vk_call *c, vk_launch *l, uint32_t slot, uint32_t index, uint32_t part);
void vk_bind_out(const vk_call *c, vk_launch *l, uint32_t slot, uint32_t index);
static inline int64_t vk_elements(const vk_tensor *t) /* at the bounds */
{
    int64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}
static inline uint32_t vk_groups(int64_t items, uint32_t per_group)
{
    return (uint32_t)((items + per_group - 1) / per_group);
}
/* A workgroup's size: the largest power of two that is at most `block` and the device's most. */
uint32_t vk_workgroup(const vk_caps *f, uint32_t block);
/* Sets the workgroup's size for kernels with subgroup operations, in full subgroups: of the device's tuned size, or of
 * the nearest that the workgroup is a multiple of and the device allows so many of in one; else the workgroup is
 * made to fit. Returns how many subgroups a workgroup has at most. */
uint32_t vk_set_subgroups(const vk_call *c, vk_launch *l, uint32_t block);
/* Spreads n workgroups over x and y (group_number() in common.glsl is the other side). */
void vk_spread(const vk_call *c, vk_launch *l, uint64_t n);

/* A tensor's dims at the bounds, by which walk.glsl counts: u2 and u3.xy. */
void vk_set_walk(vk_launch *l, const vk_tensor *t);
/* t as a tensor of the shape of `like`: missing and broadcast axes get stride 0. */
vk_tensor vk_broadcast(const vk_tensor *t, const vk_tensor *like);
bool vk_is_dense(const vk_tensor *t);
bool vk_plain_type(weft_dtype t); /* f32, f16, bf16, i32 */
/* Every operand plain, with elements that 32 bits count: the usual accepts(). */
bool vk_accepts_plain(const vk_call *c);
/* One invocation per item in workgroups of tuning->flat_block; one workgroup of tuning->row_block per row. */
void vk_launch_flat(const vk_call *c, vk_launch *l, weft_shader_id shader, int64_t items);
void vk_launch_rows(const vk_call *c, vk_launch *l, weft_shader_id shared, weft_shader_id subgroup, int64_t rows);

#endif
