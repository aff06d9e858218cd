/* backend.h: devices, weights, states, and programs: a graph scheduled on devices, ready to run.
 *
 *     weft_backend *cpu;   weft_backend_open("cpu,threads=4", &cpu, &err);
 *     weft_program *p;
 *     weft_program_create(graph, &(weft_program_desc){ .devices = &cpu, .n_devices = 1 }, &p, &err);
 *     weft_program_print(p, &writer, &err);            // placement, kernels, memory: before a weight is read
 *     weft_weights *w;   weft_weights_create(&source, 1, &w, &err);
 *     weft_program_load(p, w, NULL, &err);             // reads and packs weights, allocates everything
 *     weft_program_set_extent(p, "tokens", 3, &err);
 *     weft_ref x;     weft_program_port(p, "x", &x, &err);
 *     weft_program_write(p, x, 0, data, bytes, &err);
 *     weft_program_run(p, &err);                       // allocates nothing, takes no lock
 *     weft_program_read(p, y, 0, data, bytes, &err);
 *
 * Lifetimes: backend > weights, states > program. Destroy in the opposite order. A graph is copied by
 * weft_program_create. Programs that are loaded with the same weights or states share them by name (a prompt program
 * and a decode program, say); with the same states they also work in the same memory, so they run in turn: inputs are
 * written after, and outputs read before another of them runs. One thread at a time may use a backend and what is on
 * it; different backends are independent. */
#ifndef WEFT_BACKEND_H
#define WEFT_BACKEND_H

#include "graph/graph.h"
#include "graph/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- devices --------------------------------------------------------------------------------------------------- */

typedef struct weft_backend weft_backend;

typedef enum weft_device_type {
    WEFT_DEVICE_CPU, WEFT_DEVICE_DISCRETE, WEFT_DEVICE_INTEGRATED, WEFT_DEVICE_VIRTUAL,
    WEFT_DEVICE_SOFTWARE, /* a GPU interface that a processor carries out */
    WEFT_DEVICE_NONE      /* runs nothing */
} weft_device_type;

typedef struct weft_device_info {
    const char *name;      /* of the backend: "cpu", "vulkan", "null" */
    weft_device_type type;
    uint32_t index;        /* among the backend's devices: "vulkan:1" */
    char model[128];       /* "AMD Radeon RX 7900 XTX" */
    char description[256]; /* "AMD EPYC, avx512, 2 threads" */
    char variant[64];      /* instruction set or driver in use: "avx512" */
    char driver[128];      /* driver and its version; "" for the CPU */
    char features[256];    /* what kernels can make use of: "subgroups of 32, 16-bit storage, matrices of 16x16x16" */
    uint32_t threads;      /* CPU: threads in the pool */
    uint64_t memory;       /* bytes that the device has left at this moment, which may be none */
    bool memory_known;     /* false: memory says nothing */
    uint64_t spilled;      /* bytes that it uses of the host's memory for want of room in its own: slow to read */
    char disabled[256];    /* kernels that failed the self-test: "matvec/q8_0, norm"; "": none */
    bool is_default;       /* what the backend opens when no device is named */
    char unusable[256];    /* when listed: why it cannot be opened; "": it can */
    char remark[64];       /* when listed: "the same card as vulkan:0, under another driver" */
} weft_device_info;
WEFT_API const char *weft_device_type_name(weft_device_type t); /* "discrete" */

/* spec: a backend ("cpu", "vulkan", "null"), where it has several devices ":" and the number or a part of the name of
 * one (with its commas), then comma-separated options, each name=value.
 * cpu: threads=N (default: physical cores), cpus=0-3+8 (they run there alone), isa=scalar|avx2|avxvnni|avx512|neon|
 * dotprod|i8mm (default: the best there is; more is UNSUPPORTED), spin=MICROSECONDS that idle threads stay awake
 * (default 50), memory=BYTES that it uses at most (K, M, G may follow; default: what the process can have).
 * vulkan: the best discrete device (by memory; of a card with several drivers the better known), else an integrated
 * one; software drivers only when named. Options:
 *   loader=PATH       the Vulkan loader (default: the system's)
 *   max-binding=BYTES no binding is larger; weights are split into more pieces (default: the device's limit)
 *   memory=BYTES      use no more of the device than this (default: what the driver says is free)
 *   staging=1         upload and read back through staging buffers even where memory is shared
 *   import=1          where memory is shared and the driver can (VK_EXT_external_memory_host), read weights that need
 *                     no change where their file is mapped, those of weft_weights_keep too, instead of copying them
 *   cache=DIR         keep compiled pipelines, the self-test's verdicts and what weft_backend_tune has found there
 *                     (default: keep none)
 *   self-test=0|1     compare every kernel with the CPU before its first use (default: 1 with a cache, where a verdict
 *                     holds until driver or shaders change, else 0); a kernel that fails is not used
 *   without=A+B       do without these: subgroup (operations), storage16 (16-bit elements), dot (integer products),
 *                     matrix (cooperative matrices), panels (of weights), or kernels by their names in a placement;
 *                     other names are INVALID
 *   dot=1             use the integer dot product wherever there is one, not only where it pays
 *   matrix=MxNxK      compute cooperative matrices of this shape in the shader: slow, to test what is around them
 *   tuning=NAME       run as this row of the table of devices says (amd_rdna3, ...): to test what GPUs run
 *   validation=1      with the Khronos validation layer; what it says becomes an error
 *   labels=1          name every launch by its nodes for profilers and debuggers of GPUs (VK_EXT_debug_utils)
 *   statistics=1      let the driver's compiler keep register counts and the like (for the compile test)
 *   submit-ms=N       predicted length of one submission (default 50)
 * NOT_FOUND: no such backend or device, no loader or driver; INVALID: an unknown option. */
WEFT_API WEFT_MUST_USE weft_status weft_backend_open(const char *spec, weft_backend **out, weft_error *err);
/* What opening a device would say about it, without opening it: spec is as above without ":device", index counts from
 * 0. NOT_FOUND past the last (or, with the reason in the error, at 0 if there is none). */
WEFT_API WEFT_MUST_USE weft_status weft_backend_list(const char *spec, uint32_t index, weft_device_info *out,
                                                      weft_error *err);
/* All weights, states and programs that use it must be gone. NULL is accepted. */
WEFT_API void weft_backend_close(weft_backend *b);
WEFT_API void weft_backend_info(const weft_backend *b, weft_device_info *out);
/* Names that weft_backend_open knows; the array is static. */
WEFT_API const char *const *weft_backend_names(uint32_t *n);

/* What the device reaches at best with its present threads and instruction set: a stream that is only read, from beyond
 * the caches, multiply-adds in registers, and the time from one step to the next that waits for it, when both do next
 * to nothing. Measures for about `seconds` each; the median of short passes counts. The denominators of every fraction
 * that tools print. progress may be NULL. UNSUPPORTED on devices that run nothing. */
typedef struct weft_roof {
    double bytes_per_second, f32_ops_per_second, int8_ops_per_second; /* 0: the device has no such arithmetic */
    double f16_matrix_ops_per_second; /* cooperative matrices, f16 to f32; 0: none */
    double launch_seconds;
} weft_roof;
WEFT_API WEFT_MUST_USE weft_status weft_backend_roof(weft_backend *b, double seconds,
                                                     const weft_progress_sink *progress, weft_roof *out,
                                                     weft_error *err);

/* What a kernel multiplies with: which peak its operations count against. */
typedef enum weft_arith {
    WEFT_ARITH_F32,
    WEFT_ARITH_INT8,      /* integer dot products */
    WEFT_ARITH_BF16,      /* products of bf16 pairs, at twice the rate of f32 */
    WEFT_ARITH_F16_MATRIX /* matrix units */
} weft_arith;
WEFT_API const char *weft_arith_name(weft_arith a); /* "f32", "int8", "bf16", "f16 matrix" */
/* Operations per second at best; f32's where the roof has no number for the arithmetic. */
WEFT_API double weft_roof_peak(const weft_roof *roof, weft_arith a);

/* Compares the device's kernels with the CPU's plain scalar ones, afresh, and keeps the verdicts as the option
 * self-test does. `report` is told, at the end, each kernel's name and, if it failed, why. progress may be NULL; a
 * kernel whose test was cancelled has no verdict. UNSUPPORTED: the backend has no self-test. Blocks. */
typedef void weft_self_test_fn(void *ctx, const char *kernel, bool passed, const char *detail);
WEFT_API WEFT_MUST_USE weft_status weft_backend_self_test(weft_backend *b, weft_self_test_fn *report, void *ctx,
                                                          const weft_progress_sink *progress, weft_error *err);

/* ---- weights and states ---------------------------------------------------------------------------------------- */

/* Bytes of a file, as it was when it was opened. */
typedef struct weft_file_place {
    const char *path;                 /* lent until the source is asked again */
    uint64_t device, inode, size;
    uint64_t modified, changed;       /* nanoseconds since 1970: its contents; those or what else is known of it */
    uint64_t offset;
} weft_file_place;

/* A tensor as a checkpoint holds it, row-major; `bytes` must be what dtype and dims come to. The data must stay
 * readable as long as the weights live. What lies in parts (experts that are a tensor each, projections that are one
 * here and two there), or turned, is not put right first: it is read where it is.
 *
 * `done`, which may be NULL, is told of bytes that were read into a device's memory and are not needed now, so that
 * the pages of a mapped file can be given back: loading then takes no more memory than what is loaded. They stay
 * readable. They need not be its source's own: another one may have put others in their place.
 *
 * `place`, which may be NULL, tells where in which file bytes lie, for weft_weights_keep; false: in none. */
typedef struct weft_weight_data {
    weft_dtype dtype;
    uint32_t rank;
    int64_t dims[WEFT_MAX_RANK];
    const void *data;
    uint64_t bytes;
    const void *const *parts; /* NULL: it lies at `data`; else equally many whole rows at each, one after the other */
    uint32_t n_parts;         /* the array itself must stay until the source is asked again */
    bool turned; /* its last two dims lie the other way round at `data`, as [.., n, m]; no blocks, no parts */
    void (*done)(void *ctx, const void *data, uint64_t bytes);
    bool (*place)(void *ctx, const void *data, uint64_t bytes, weft_file_place *out);
    void *ctx; /* of both */
} weft_weight_data;

/* Fills *out, which is zeros, for a name of the graph's. NOT_FOUND: there is none. Called while loading only. */
typedef struct weft_weight_source {
    void *ctx;
    weft_status (*find)(void *ctx, const char *name, weft_weight_data *out, weft_error *err);
} weft_weight_source;

/* Weights on devices, as any number of programs and sessions read them: each is loaded when a program first needs it on
 * a device, in the layout that its kernels there want, and never changes. What programs share is there once. */
typedef struct weft_weights weft_weights;
/* The `n` sources are copied; a weight comes from the first that has it. n may be 0 (for graphs without weights). */
WEFT_API WEFT_MUST_USE weft_status weft_weights_create(const weft_weight_source *sources, uint32_t n,
                                                        weft_weights **out, weft_error *err);
/* From now on what is packed for a device is also written to a file in `folder`, which is made if it is not there, and
 * is read from there instead of packed where it was before: by the same release of the library, for the same
 * instruction set or layout of the device, from a file that has not changed since. On a CPU it is used where that file
 * is mapped. A file that is not whole and sound counts as none and is written anew. Any number of processes may use one
 * folder, and what lies in it may be removed at any time. Not kept is what is used where the model's file is mapped, is
 * small, or lies in no file (weft_weight_data.place). Loading fails with IO where a file cannot be written. IO: the
 * folder cannot be made, or not be written in. */
WEFT_API WEFT_MUST_USE weft_status weft_weights_keep(weft_weights *w, const char *folder, weft_error *err);
/* Every program that uses them must be gone. NULL is accepted. */
WEFT_API void weft_weights_destroy(weft_weights *w);
/* on all devices, kept files as they are mapped among them; borrowed pages of the model's files not counted */
WEFT_API uint64_t weft_weights_bytes(const weft_weights *w);

/* What programs keep from one run to the next: a set of states, by name. Programs that are loaded with one set share
 * the states that both have, and the memory that they work in (the arena of the one that needs most of it: load that
 * one first, or memory is taken for each that needs more than those before). */
typedef struct weft_states weft_states;
typedef struct weft_state_info {
    const char *name; /* as in the graph; lent */
    weft_dtype dtype;
    uint32_t rank;
    int64_t dims[WEFT_MAX_RANK]; /* at the program's bounds; row-major */
    uint64_t bytes;
} weft_state_info;
typedef struct weft_state_span { uint64_t from, to, n; } weft_state_span; /* bytes of one state */
WEFT_API WEFT_MUST_USE weft_status weft_states_create(weft_states **out, weft_error *err); /* without any states */
/* Every program that was loaded with it must be gone. NULL is accepted. */
WEFT_API void weft_states_destroy(weft_states *s);
/* States are numbered as programs brought them. False past the end. UINT32_MAX: none of that name. */
WEFT_API bool weft_states_get(const weft_states *s, uint32_t i, weft_state_info *out);
WEFT_API uint32_t weft_states_find(const weft_states *s, const char *name);
WEFT_API uint64_t weft_states_bytes(const weft_states *s); /* of all, on all devices */
/* Of the arenas that their programs work in, on all devices: they are the states', because programs over the same
 * states run in turn and share them. 0 before the first is loaded. */
WEFT_API uint64_t weft_states_arena_bytes(const weft_states *s);
/* Bytes of state i. INVALID: beyond its end, a number past the last. All four block, and belong between runs. */
WEFT_API WEFT_MUST_USE weft_status weft_states_write(weft_states *s, uint32_t i, uint64_t offset, const void *src,
                                                    uint64_t n, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_states_read(const weft_states *s, uint32_t i, uint64_t offset, void *dst,
                                                   uint64_t n, weft_error *err);
/* Where they lie, on the device. No span may overlap itself, and none may read what another writes. */
WEFT_API WEFT_MUST_USE weft_status weft_states_copy(weft_states *s, uint32_t i, const weft_state_span *spans,
                                                    uint32_t n, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_states_clear(weft_states *s, weft_error *err); /* all of them, to zero */

/* ---- programs -------------------------------------------------------------------------------------------------- */

/* Why a node is where it is. X(name, sentence) */
#define WEFT_PLACE_LIST(X)                                                     \
    X(REQUESTED, "on the device that was asked for")                           \
    X(FOLLOWS, "a view, source or copy: where its data is")                     \
    X(SPLIT, "its layer was given to this device")                             \
    X(MEMORY, "the memory of the devices before does not hold its layer")      \
    X(DISABLED, "its kernel failed the self-test, or was switched off")         \
    X(LIMIT, "a tensor is larger than the requested device can bind")          \
    X(NO_KERNEL, "the requested device has no kernel for the op")              \
    X(NO_TYPE, "the requested device has no kernel for these types and shapes")
typedef enum weft_place_reason {
#define X(name, sentence) WEFT_PLACE_##name,
    WEFT_PLACE_LIST(X)
#undef X
    WEFT_PLACE_COUNT
} weft_place_reason;
WEFT_API const char *weft_place_name(weft_place_reason r);
WEFT_API const char *weft_place_sentence(weft_place_reason r);

typedef struct weft_place {
    uint32_t device;       /* index into weft_program_desc.devices */
    weft_place_reason reason;
    const char *kernel;    /* variant, "linear/q8_0/avx512"; "" for sources and views */
    const char *layout;    /* weights: "plain" or how they are packed; else "" */
    weft_arith arithmetic; /* of the kernel */
} weft_place;

typedef struct weft_program_desc {
    /* The first is the one asked for; the others take what it cannot run, in order. Each is there once. */
    weft_backend *const *devices;
    uint32_t n_devices;
    /* Layers (groups of nodes whose scopes agree up to their first number, "model.layers.3") given to each of the
     * devices: n_devices numbers, the last device takes what is left. NULL: all to the first, unless `spread`. */
    const uint32_t *split;
    bool spread; /* layers that the memory of one device cannot hold go to the next; weft_program_split tells */
    const weft_bound *bounds; /* tighter bounds than the graph's extents; may be NULL */
    uint32_t n_bounds;
    const char *const *outputs; /* the outputs wanted; NULL: all */
    uint32_t n_outputs;
    bool strict;     /* UNSUPPORTED instead of a fallback to another device or with a kernel variant disabled */
    bool exact;      /* float32 activations everywhere: no int8 or bf16 shortcuts */
    /* A token's results depend on its own inputs, positions and the shapes that programs of one graph share, to the
     * bit: not on how many tokens a run has, which others there are, where its pages lie or how full the cache is.
     * docs/numerics.md says what it costs. */
    bool deterministic;
    bool as_built;   /* run no passes */
    bool keep;       /* no memory reuse, so that every value can be read after a run */
    /* Told of long work for the program: the self-test while creating, then loading, compiling, checking. As long as
     * the program lives. */
    weft_progress_sink progress;
} weft_program_desc;

typedef struct weft_program weft_program;

/* Copies and optimises the graph, places nodes, picks kernels, plans memory. Reads no weight, allocates nothing on a
 * device. */
WEFT_API WEFT_MUST_USE weft_status weft_program_create(const weft_graph *g, const weft_program_desc *desc,
                                                       weft_program **out, weft_error *err);
WEFT_API void weft_program_destroy(weft_program *p);

WEFT_API const weft_graph *weft_program_graph(const weft_program *p); /* as it will run */
WEFT_API const weft_plan *weft_program_plan(const weft_program *p);
WEFT_API weft_place weft_program_place(const weft_program *p, uint32_t node_id);

/* Layers on a device (below n_devices) as they were split; UINT32_MAX where nothing was: all are on the first. Another
 * program over the same weights takes them as its desc's split, so that both find weights and states on one device. */
WEFT_API uint32_t weft_program_split(const weft_program *p, uint32_t device);

typedef struct weft_program_memory { uint64_t weights, states, arena, constants; } weft_program_memory;
/* What the program needs on one device (below n_devices), weights and states as if it did not share them. */
WEFT_API weft_program_memory weft_program_device_memory(const weft_program *p, uint32_t device);
/* What programs need that are made from one graph, on the same devices and split alike, and that share weights and
 * states, with which they share arenas: what loading them in this order takes. Bytes on one device; and whether every
 * device has them, LIMIT with the numbers if not. */
WEFT_API uint64_t weft_programs_bytes(const weft_program *const *programs, uint32_t n, uint32_t device);
WEFT_API WEFT_MUST_USE weft_status weft_programs_check_memory(const weft_program *const *programs, uint32_t n,
                                                              weft_error *err);
/* Devices, memory table, then the plan with the placement of every step. */
WEFT_API WEFT_MUST_USE weft_status weft_program_print(const weft_program *p, const weft_writer *w, weft_error *err);

/* One of the programs of a dump. */
typedef struct weft_profile weft_profile; /* profile.h */
typedef struct weft_dump_program {
    const char *name;             /* "prompt", "decode", "graph" */
    const weft_graph *built;      /* before any pass; NULL: the dump begins with the planned stage */
    const weft_program *program;  /* made from `built`; NULL: there is no planned stage */
    const char *const *outputs;   /* without a program: those that the passes keep; NULL: all */
    uint32_t n_outputs;
    bool as_built;                /* leave out the passes and the optimised stage */
    const weft_profile *profile;  /* of `program`, finished; its sizes are the dump's; NULL: none */
    const struct weft_check_node *checks; /* of `program`; NULL: not checked */
    uint32_t n_checks;
} weft_dump_program;

/* The graphs, what each pass did, placement and plan as data (docs/dump-format.md). JSON takes any number of programs,
 * the other formats the last stage of one; TEXT of a program is weft_program_print. desc's extents that a program does
 * not have, or bounds tighter, get its bound. desc may be NULL. */
WEFT_API WEFT_MUST_USE weft_status weft_program_dump(const weft_dump_program *programs, uint32_t n,
                                                     weft_dump_format format, const weft_dump_desc *desc,
                                                     const weft_writer *w, weft_error *err);

/* Everything slow: finds weights or loads them, makes states, allocates arenas, compiles. `weights` may be NULL for a
 * graph that has none (NOT_FOUND, with the name, if it has); `states` NULL: the program has states of its own. Both
 * must outlive the program. Blocks. Once per program; after a failure (or CANCELLED) again: what was loaded before is
 * kept in them. INVALID: a state is in `states` with another type, shape or device. */
WEFT_API WEFT_MUST_USE weft_status weft_program_load(weft_program *p, weft_weights *weights, weft_states *states,
                                                     weft_error *err);

/* A named input or output. NOT_FOUND, with the name, if there is none. */
WEFT_API WEFT_MUST_USE weft_status weft_program_port(const weft_program *p, const char *name, weft_ref *out,
                                                     weft_error *err);
/* 1 <= value <= bound; extents start at their bounds and keep their value. */
WEFT_API WEFT_MUST_USE weft_status weft_program_set_extent(weft_program *p, const char *name, uint32_t value,
                                                           weft_error *err);
/* Bytes [offset, offset + n) of a value laid out row-major at the bounds. write: inputs, before every run
 * (a run uses their bytes for other things once they are read); read: outputs
 * (after it), and with `keep` or between steps any value but weights and constants. UNSUPPORTED: those, and views that
 * do not lie in one piece (transposed, broadcast). Block. */
WEFT_API WEFT_MUST_USE weft_status weft_program_write(weft_program *p, weft_ref r, uint64_t offset, const void *src,
                                                      uint64_t n, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_program_read(weft_program *p, weft_ref r, uint64_t offset, void *dst,
                                                     uint64_t n, weft_error *err);
/* What the program's runs have done since it was loaded, over all devices. */
typedef struct weft_counters {
    uint64_t launches;   /* kernel launches (GPU dispatches) */
    uint64_t barriers;
    uint64_t submits;
    uint64_t recordings; /* command buffers recorded */
    uint64_t bindings;   /* descriptor sets written */
    uint64_t allocations; /* of device memory */
    uint64_t bytes_in, bytes_out; /* between host and device, inputs and outputs of runs */
    double host_seconds; /* spent by the host in starting runs, without waiting */
} weft_counters;
WEFT_API weft_counters weft_program_counters(const weft_program *p);

/* Starts a run and returns: the host is free for other things, until weft_program_wait blocks for its end. Meanwhile
 * nothing else may be done with the program, or with one that shares its states (INVALID, of this program). What a
 * device works at alone, in the background, is the run up to its first transfer to another device; the rest is done
 * while waiting. On a CPU the submit itself computes that much. */
WEFT_API WEFT_MUST_USE weft_status weft_program_submit(weft_program *p, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_program_wait(weft_program *p, weft_error *err);
/* Both: runs all steps and waits. */
WEFT_API WEFT_MUST_USE weft_status weft_program_run(weft_program *p, weft_error *err);
/* Runs one step (index into the plan's steps) and waits: for node-by-node checks and isolated timing. */
WEFT_API WEFT_MUST_USE weft_status weft_program_run_step(weft_program *p, uint32_t step, weft_error *err);

/* ---- checking -------------------------------------------------------------------------------------------------- */

typedef struct weft_check_node {
    uint32_t node; /* id in the program's graph */
    uint32_t output;
    double max_error, mean_error; /* absolute */
    double rms;                   /* of the reference values: errors mean something relative to it */
    double tolerance;             /* max_error above this counts as a failure */
    uint64_t n_values, n_nan, n_inf; /* not-a-numbers and infinities that the reference does not have */
    /* Of the program's result, whatever the reference has: what is NaN or +inf (-inf is what masks are made of). The
     * first node that reports some made them, for its inputs had none, unless a weight did: */
    uint64_t n_not_finite;
    const char *weight; /* read by the first such node, and NaN or infinite as it is stored; NULL: none; lent */
    bool failed;
} weft_check_node;

/* Runs the program's current inputs step by step beside the CPU's plain scalar float32 kernels: each step of the
 * reference gets the inputs that the program's step had, so an error is named where it arises. Calls `report` for every
 * output of every step; returning false stops. `source` gives the weights again. The result of the run is the program's
 * own. */
WEFT_API WEFT_MUST_USE weft_status weft_program_check(weft_program *p, const weft_weight_source *source,
                                                      bool (*report)(void *ctx, const weft_check_node *n), void *ctx,
                                                      weft_error *err);

#ifdef __cplusplus
}
#endif

#include "backends/profile.h"
#endif
