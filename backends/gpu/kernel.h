/* kernel.h: what a GPU kernel is on the host's side: a row that says which nodes it takes and describes its launches as
 * data. No Vulkan object appears in this folder, so that choosing, planning and printing need none, nor a device.
 *
 * A node becomes one or more launches (a weight in several parts: one each). A backend makes descriptor sets and
 * commands of them, and lets steps that the plan joins share one launch, one job each (see shaders/params.h). */
#ifndef GPU_KERNEL_H
#define GPU_KERNEL_H

#include "backends/contract.h"
#include "backends/gpu/shaders.h"
#include "shaders/params.h"

/* How weights are stored: 0 is row-major as in the graph (vectors, and whatever is no matrix); PANEL: weights.h. */
enum { GPU_LAYOUT_PLAIN = WEFT_LAYOUT_PLAIN, GPU_LAYOUT_PANEL };

/* A number for each width of a weight: 32 and 16 bits; 8; 4. */
typedef struct gpu_by_bits { uint32_t bits16, bits8, bits4; } gpu_by_bits;

/* What kernels are tuned by; one row per kind of device in tuning.def, which names the source of each row. Nothing else
 * in the backend asks who made a device. */
typedef struct gpu_tuning {
    const char *name;       /* "amd_rdna" */
    uint32_t subgroup;      /* size to ask for where the device lets one choose; 0: the driver's own */
    uint32_t panel;         /* rows of a weight panel that lie interleaved by 16 bytes; 1: row by row, in turns */
    uint32_t block;         /* invocations of a matrix-vector workgroup */
    gpu_by_bits rows;       /* of a matrix-vector product, per subgroup; on processors per lane */
    gpu_by_bits most;       /* columns per matrix-vector workgroup */
    gpu_by_bits steps;      /* of a matrix-vector product of one column: chunks of a row that a lane has in flight */
    gpu_by_bits dot;        /* columns of a matrix of a block type from which one row of x is quantised for the integer
                             * dot product; 0: never. Several rows always are, unless it is 0 */
    uint32_t columns;       /* columns at once where a matrix product runs lane by row; 0: the tiled kernel */
    struct { uint32_t rows, columns, block; } tile; /* tiled matrix product: of a workgroup, and its invocations */
    /* product by cooperative matrices: of a workgroup, of a subgroup; 0: not on these devices */
    struct { uint32_t rows, columns, sub_rows, sub_columns; } matrix;
    uint32_t row_block;     /* invocations of workgroups that work on one row (norm, softmax, ...) */
    uint32_t flat_block;    /* invocations of element-wise workgroups */
    uint32_t keys;          /* attention: cells per split in decoding */
    /* where lanes share a cell in decoding: invocations, heads of a group at once at most, workgroups that fill the
     * device, cells that a split has at least; 0: a cell per invocation, in splits of `keys` */
    struct { uint32_t block, heads, fill, keys; } decode;
    uint32_t lanes;         /* attention for prompts lane by token: elements of queries per lane; 0: the tiled kernel */
} gpu_tuning;

/* By the bits of a weight of type t, its share of a block's scale left out. */
uint32_t gpu_for_bits(const gpu_by_bits *n, weft_dtype t);

/* M x K by K x N; m 0: none. */
typedef struct gpu_matrix {
    uint32_t m, n, k;
    bool in_shader; /* by a subgroup's invocations from shared memory (option matrix): for tests */
} gpu_matrix;

/* What a device can do, after options that take features away. */
typedef struct gpu_caps {
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
    gpu_by_bits dot_least;   /* tuning->dot where they are used, else 0 */
    bool dot_mixed;          /* of signed and unsigned bytes are accelerated, too: on AMD's since RDNA3 */
    bool nearest16;          /* f16 is rounded to nearest even where a shader asks for it */
    gpu_matrix matrix;       /* cooperative matrices: f16 x f16 to f32, held by a subgroup */
    bool as_stored;          /* weights lie as in the file, in no panels (without=panels): for tests */
    const gpu_tuning *tuning;
} gpu_caps;

/* A weight that is larger than a binding lies in parts of whole rows (rows: all axes but the last). */
typedef struct gpu_part {
    uint64_t offset, bytes;
    int64_t first_row, n_rows;
    uint32_t block; /* which allocation */
} gpu_part;

/* A tensor of a node. Before the plan exists strides are those of a dense tensor and `first` is 0. */
typedef struct gpu_tensor {
    weft_dtype dtype;
    weft_layout layout;
    uint32_t rank;
    int64_t dim[WEFT_MAX_RANK], stride[WEFT_MAX_RANK], first; /* dims at the bounds */
    weft_dims dims;         /* with extents */
    uint32_t n_parts;       /* 1, or more for weights */
    const gpu_part *parts;  /* weights, once they exist: NULL while a kernel is chosen */
} gpu_tensor;

typedef struct gpu_call {
    const gpu_caps *caps;
    const gpu_tensor *in, *out; /* absent optional inputs are not counted in n_in */
    uint32_t n_in, n_out;
    weft_op op;
    const weft_attrs *attrs;
    bool exact, deterministic;
} gpu_call;

typedef enum gpu_bind_kind {
    GPU_BIND_NONE, GPU_BIND_IN, GPU_BIND_OUT, GPU_BIND_SCRATCH, GPU_BIND_COUNTERS, GPU_BIND_TABLE
} gpu_bind_kind;

/* One buffer of a launch: input or output `index` (its part `part`), the node's scratch, counters or table. */
typedef struct gpu_bind { uint8_t kind, index; uint16_t part; } gpu_bind;

typedef struct gpu_launch {
    weft_shader_id shader;
    uint32_t n_specs, spec[WEFT_MAX_SPECS]; /* spec[0]: invocations per workgroup */
    uint32_t subgroup;                      /* size that the kernel needs, with full subgroups; 0: any */
    gpu_bind bind[WEFT_MAX_SLOTS];          /* by slot: the kernel's inputs, then its outputs */
    weft_job_params job;                    /* groups.x and .y are filled in by exec.c; tensors by gpu_set_tensor */
    uint32_t groups[3];                     /* workgroups, by gpu_spread; launches with y above 1 are not joined */
    bool barrier;                           /* must see what earlier launches of the same node wrote */
} gpu_launch;

/* Functions that may be NULL have the default named. They are pure: the same call gives the same answer. */
typedef struct gpu_kernel {
    const char *name;                                /* family and variant: "matvec", "attention_split" */
    bool (*accepts)(const gpu_call *c);              /* NULL: every call of the op */
    uint64_t (*scratch)(const gpu_call *c);          /* bytes in the arena, not zeroed; NULL: none */
    uint32_t (*counters)(const gpu_call *c);         /* words, zero before and after every launch; NULL: none */
    uint64_t (*table)(const gpu_call *c, void *out); /* bytes of constants, written to out unless NULL; NULL: none */
    uint32_t (*launches)(const gpu_call *c);         /* NULL: 1 */
    void (*launch)(const gpu_call *c, uint32_t i, gpu_launch *out); /* *out is zeroed before */
    uint64_t (*variant)(const gpu_call *c);          /* nodes with equal ones have equal shader and specs; NULL: 0 */
    uint8_t need;                                    /* WEFT_NEED_* of inputs that are no weights */
    bool inplace;
    uint8_t ins, outs;                               /* slots per job that are read, that are written */
    uint8_t jobs;                                    /* that may share a launch (no counters, no table); 0 or 1: none */
    weft_arith arithmetic;                           /* 0: f32 */
    const gpu_caps *form;                            /* what it runs by (tuned.h); NULL: the device's own caps */
} gpu_kernel;

/* The first fitting kernel of kernels.def for a call; NULL, with *why set. `disabled` (may be NULL) says no to kernels;
 * *better (may be NULL) is then the one that would have been taken. */
const gpu_kernel *gpu_kernel_find(const gpu_call *c, bool (*disabled)(const void *ctx, const gpu_kernel *k),
                                  const void *ctx, weft_place_reason *why, const gpu_kernel **better);
/* The kernels of all rows: one that serves several ops appears for each. */
const gpu_kernel *const *gpu_kernels(uint32_t *n);

/* Whether a device takes workgroups of so many invocations in subgroups of this size (0: any): INTERNAL, with what it
 * does not take, if not. */
weft_status gpu_workgroup_check(const gpu_caps *f, weft_shader_id shader, uint32_t invocations, uint32_t subgroup,
                                weft_error *err);

/* Whether cooperative matrices of this shape can make up the tuned tile. */
bool gpu_matrix_fits(const gpu_caps *f, uint32_t m, uint32_t n, uint32_t k);

/* ---- for kernels ---- */

/* Writes tensor t into slot's params. Stride and dims as they are; `part` gives a weight's first row and rows. */
void gpu_set_tensor(gpu_launch *l, uint32_t slot, const gpu_tensor *t, const gpu_part *part);
/* Binds and sets in one go. */
void gpu_bind_in(const gpu_call *c, gpu_launch *l, uint32_t slot, uint32_t index, uint32_t part);
void gpu_bind_out(const gpu_call *c, gpu_launch *l, uint32_t slot, uint32_t index);
static inline int64_t gpu_elements(const gpu_tensor *t) /* at the bounds */
{
    int64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}
static inline uint32_t gpu_groups(int64_t items, uint32_t per_group)
{
    return (uint32_t)((items + per_group - 1) / per_group);
}
/* A workgroup's size: the largest power of two that is at most `block` and the device's most. */
uint32_t gpu_workgroup(const gpu_caps *f, uint32_t block);
/* Sets the workgroup's size for kernels with subgroup operations, in full subgroups: of the device's tuned size, or of
 * the nearest that the workgroup is a multiple of and the device allows so many of in one; else the workgroup is
 * made to fit. Returns how many subgroups a workgroup has at most. */
uint32_t gpu_set_subgroups(const gpu_call *c, gpu_launch *l, uint32_t block);
/* Spreads n workgroups over x and y (group_number() in common.glsl is the other side). */
void gpu_spread(const gpu_call *c, gpu_launch *l, uint64_t n);

/* A tensor's dims at the bounds, by which walk.glsl counts: u2 and u3.xy. */
void gpu_set_walk(gpu_launch *l, const gpu_tensor *t);
/* t as a tensor of the shape of `like`: missing and broadcast axes get stride 0. */
gpu_tensor gpu_broadcast(const gpu_tensor *t, const gpu_tensor *like);
bool gpu_is_dense(const gpu_tensor *t);
bool gpu_plain_type(weft_dtype t); /* f32, f16, bf16, i32 */
bool gpu_reads_stored(weft_dtype t); /* those, and blocks that load_stored() in blocks.glsl reads */
/* Every operand plain, with elements that 32 bits count: the usual accepts(). */
bool gpu_accepts_plain(const gpu_call *c);
/* The same, but that inputs whose bit is set in `stored` may be in any format that shaders read as stored, and in
 * parts. */
bool gpu_accepts_stored(const gpu_call *c, uint32_t stored);
/* Of one operand: as for gpu_accepts_plain; as for those of gpu_accepts_stored. */
bool gpu_is_plain(const gpu_tensor *t);
bool gpu_is_stored(const gpu_tensor *t);
/* One invocation per item in workgroups of tuning->flat_block; one workgroup of tuning->row_block per row. */
void gpu_launch_flat(const gpu_call *c, gpu_launch *l, weft_shader_id shader, int64_t items);
void gpu_launch_rows(const gpu_call *c, gpu_launch *l, weft_shader_id shared, weft_shader_id subgroup, int64_t rows);

#endif
