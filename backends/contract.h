/* contract.h: what a backend implements. See docs/adding-a-backend.md.
 *
 * The front (backend.c, weights.c, states.c, program.c) checks every argument; a backend sees only legal calls.
 * Functions block unless they say otherwise. A backend object, its buffers and execs are used by one thread at a
 * time. */
#ifndef WEFT_CONTRACT_H
#define WEFT_CONTRACT_H

#include "backends/backend.h"

/* How a weight is stored on the device: 0 is row-major as in the graph; other numbers belong to the backend. */
typedef uint32_t weft_layout;
#define WEFT_LAYOUT_PLAIN 0u

/* How the nodes that read a weight use it: a set. */
typedef enum weft_weight_use {
    WEFT_USE_MULTIPLIED = 1, /* the matrix w of products x w^T */
    WEFT_USE_GATHERED = 2,   /* rows of it by index */
    WEFT_USE_SELECTED = 4,   /* the experts of linear_select */
    WEFT_USE_ELEMENTS = 8    /* in any other way: as it lies in the graph, with strides */
} weft_weight_use;

/* What a kernel needs of an input's strides. */
enum { WEFT_NEED_ANY, WEFT_NEED_ROWS /* last axis contiguous */, WEFT_NEED_DENSE /* row-major without gaps */ };

typedef struct weft_kernel_query {
    const weft_graph *g;
    const weft_node *node;
    const int64_t *bounds;      /* per extent */
    const weft_layout *layouts; /* per input; PLAIN for what is no weight */
    bool exact, deterministic;
} weft_kernel_query;

typedef struct weft_kernel_choice {
    char name[48];        /* "linear/q8_0/avx2": family, type of the matrix it reads, instruction set or the like */
    const void *kernel;   /* the backend's own */
    uint8_t needs[WEFT_MAX_INPUTS];
    uint64_t scratch_bytes;
    bool inplace;      /* may write over input 0 */
    uint32_t launches; /* launches that the node takes by itself; 0 counts as 1 */
    uint64_t variant;  /* the backend's own: which of the kernel's forms */
    uint64_t compiled; /* for the self-test: kernels of one name that differ here are other code */
    weft_arith arithmetic;
    const char *instead_of; /* a better kernel that is disabled; NULL: none (strict programs refuse it) */
} weft_kernel_choice;

typedef enum weft_verdict {
    WEFT_VERDICT_NONE,    /* not known */
    WEFT_VERDICT_TESTING, /* its probe is running; found later: it did not come back */
    WEFT_VERDICT_PASSED, WEFT_VERDICT_FAILED,
    WEFT_VERDICT_UNTESTED /* no probe uses it: trusted */
} weft_verdict;

typedef struct weft_buf weft_buf;   /* device memory; defined by each backend */
typedef struct weft_exec weft_exec; /* a compiled run of the steps of one device */

/* What an exec runs: the steps of plan with device == device. `bufs[value id]` is the storage of each weight, state and
 * constant root (NULL elsewhere); offsets into it are bytes. */
typedef struct weft_exec_desc {
    const weft_graph *g;
    const weft_plan *plan;
    const weft_kernel_choice *choices; /* by node id */
    const weft_layout *layouts;        /* by value id */
    uint32_t device;
    weft_buf *arena;
    weft_buf *const *bufs;
    const int64_t *bounds;
    bool exact, deterministic;
    const weft_progress_sink *progress; /* of long work, such as compiling; as long as the exec, or NULL */
} weft_exec_desc;

/* Where the spans of profiled runs go: as many as there is room for, the rest is counted. */
typedef struct weft__span_log {
    weft_span *spans;
    uint64_t n, room, dropped;
} weft__span_log;

static inline void weft__span_add(weft__span_log *log, weft_span s)
{
    if (log->n < log->room) log->spans[log->n++] = s;
    else log->dropped++;
}

/* What an exec says of its profiling: spans that one run of all its steps gives at most, and whether their times are
 * the host's or mapped onto them by calibrated timestamps. */
typedef struct weft__exec_timing {
    uint64_t n_spans;
    bool calibrated;
} weft__exec_timing;

/* What a launch of n steps is called in traces and labels: "%284 linear layers.3.mlp.dense + %290 ..."; returns buf. */
const char *weft__launch_name(const weft_graph *g, const weft_plan *plan, uint32_t first, uint32_t n, char *buf,
                              size_t size);

typedef struct weft_backend_vt {
    const char *name;
    /* spec "name:which,options": `which` and `options` are "" where there are none. */
    weft_status (*open)(const char *which, const char *options, weft_backend **out, weft_error *err);
    void (*close)(weft_backend *b);
    void (*info)(const weft_backend *b, weft_device_info *out);
    /* Device number `index` without opening it. NOT_FOUND past the last one, and, with the reason, where index is 0 and
     * there is none. */
    weft_status (*list)(uint32_t index, const char *options, weft_device_info *out, weft_error *err);
    /* Keeps telling `task` (weft__task_reach) that it is alive. */
    weft_status (*roof)(weft_backend *b, double seconds, weft__task *task, weft_roof *out, weft_error *err);
    uint32_t (*alignment)(const weft_backend *b); /* of arena offsets, a power of two */

    /* The layout that serves all uses of a weight best (weft_weight_use; 0: nothing reads it), and its name. */
    weft_layout (*weight_layout)(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims,
                                 uint32_t uses);
    const char *(*layout_name)(const weft_backend *b, weft_layout layout);
    /* What the bytes of a weight in it follow from, beside its type and dims: "avx2 panel 1"; the number rises with
     * each change of them. NULL: weights are not kept in files (weft_weights_keep). */
    void (*layout_form)(const weft_backend *b, weft_layout layout, char out[64]);
    uint64_t (*weight_bytes)(const weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank,
                             const int64_t *dims);
    /* The best kernel for a node, or why there is none: REQUESTED = found, else NO_KERNEL or NO_TYPE. */
    weft_place_reason (*choose)(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out);
    /* Whether a step with kernel `next` can run in one launch with the n steps before it, which have no barrier among
     * them and share a launch already. NULL: never. */
    bool (*joins)(const weft_backend *b, const weft_kernel_choice *const *launch, uint32_t n,
                  const weft_kernel_choice *next);

    /* The self-test (selftest.c); all three or none. Graph text number i, NULL past the last: together they use every
     * kernel. What is known of a kernel by its name and `compiled`; UNTESTED for all if the device is not to be
     * tested. To be kept, by the same: choose() gives no kernel that FAILED; c NULL: forget all. What is judged
     * UNTESTED may be kept as FAILED. */
    const char *(*probe)(const weft_backend *b, uint32_t i);
    weft_verdict (*verdict)(const weft_backend *b, const weft_kernel_choice *c);
    void (*judge)(weft_backend *b, const weft_kernel_choice *c, weft_verdict v, const char *detail);

    weft_status (*buf_create)(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err); /* zeroed */
    void (*buf_destroy)(weft_buf *buf);
    weft_status (*buf_write)(weft_buf *buf, uint64_t offset, const void *src, uint64_t n, weft_error *err);
    weft_status (*buf_read)(weft_buf *buf, uint64_t offset, void *dst, uint64_t n, weft_error *err);
    /* Within one buffer, on the device; no span reads what another writes. NULL: through the host. */
    weft_status (*buf_copy)(weft_buf *buf, const weft_state_span *spans, uint32_t n, weft_error *err);
    /* A weight that lies in host memory as the device wants it, used where it is; NULL if the backend cannot. The
     * memory outlives the buffer and is only read. */
    weft_status (*weight_wrap)(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                               const void *data, weft_buf **out, weft_error *err);
    /* Room for one weight: weight_bytes in as many pieces as the device's limits ask for. NULL: as buf_create. */
    weft_status (*weight_create)(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                                 weft_buf **out, weft_error *err);
    /* Converts src to type t and layout `layout`, filling buf (of weight_create); reads it by weft__weight_rows. task
     * counts the bytes of buf that are done, every few MiB; it may be NULL. */
    weft_status (*weight_write)(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                                weft__task *task, weft_error *err);

    weft_status (*exec_create)(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err);
    void (*exec_destroy)(weft_exec *e);
    /* Starts steps [first, first + n) of the plan that belong to this device, with these extent values. Allocates
     * nothing, takes no lock. `ticket` counts up; a CPU may have finished on return. */
    weft_status (*exec_submit)(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                               weft_error *err);
    weft_status (*exec_wait)(weft_exec *e, uint64_t ticket, weft_error *err);
    /* Bytes [at, at + n) of the arena. Fast for inputs (before a submit), outputs (after the wait); works for all. */
    weft_status (*exec_write)(weft_exec *e, uint64_t at, const void *src, uint64_t n, weft_error *err);
    weft_status (*exec_read)(weft_exec *e, uint64_t at, void *dst, uint64_t n, weft_error *err);
    void (*exec_counters)(const weft_exec *e, weft_counters *out); /* adds to *out; NULL: none */

    /* Profiling; both or none. Submits from now on time their steps, or no longer do (off: never fails, also if it was
     * off). What times cost lies here and in the first submit; later ones allocate nothing. */
    weft_status (*exec_profile)(weft_exec *e, bool on, weft__exec_timing *out, weft_error *err);
    /* Adds the STEP spans of the last submit, whose wait is over. */
    weft_status (*exec_spans)(weft_exec *e, weft__span_log *log, weft_error *err);
} weft_backend_vt;

/* weight_rows.c. Rows [row, row + n) of a weight, seen as a matrix of its last dim, in type t: where they lie, or in
 * `room` for n such rows. The types convert (weft__converts), and their blocks divide the rows. */
const void *weft__weight_rows(const weft_weight_data *src, int64_t row, int64_t n, weft_dtype t, void *room);
/* They, or as many as there are, have been read (weft_weight_data.done): told after each piece of what is large, and of
 * the whole in the end. Of what lies turned nothing is told before its last row. */
void weft__weight_done(const weft_weight_data *src, int64_t row, int64_t n);
/* All of it is going to be read: the system may begin to. */
void weft__weight_soon(const weft_weight_data *src);
/* It lies at `data`, row by row. */
bool weft__weight_is_plain(const weft_weight_data *src);
/* INVALID: parts that are no whole rows, or what cannot be turned. */
weft_status weft__weight_check(const weft_weight_data *src, weft_error *err);

/* Every backend's object starts with this. */
struct weft_backend {
    const weft_backend_vt *vt;
    uint32_t users; /* weights', states' buffers and programs alive on it */
};

extern const weft_backend_vt weft__backend_cpu, weft__backend_null;
#ifdef WEFT_VULKAN
extern const weft_backend_vt weft__backend_vulkan;
#endif

#endif
