/* plan.h: the memory and execution plan of a sealed graph: a pure function of the graph, the bounds and what the chosen
 * kernels need. Backends and tools read it; only plan_*.c writes it.
 *
 * Each device has one arena for activations. A value lives in the arena, or in the storage of a weight, state or
 * constant, or it is a view of such a root. Everything is laid out for the extents' bounds, row-major. */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_storage {
    WEFT_STORAGE_NONE, /* a value no step makes or reads */
    WEFT_STORAGE_ARENA,
    WEFT_STORAGE_WEIGHT,
    WEFT_STORAGE_STATE,
    WEFT_STORAGE_CONSTANT
} weft_storage;

/* Where a value is. Views share their root's storage. Offsets and strides of the view are in elements. */
typedef struct weft_slot {
    weft_storage storage;
    uint32_t device;
    /* the value that owns the bytes; itself if no view. After an in-place op or a store: the first owner */
    weft_ref root;
    uint64_t offset;   /* arena: bytes from its start to the root's first element */
    uint64_t bytes;    /* of the root, at the bounds */
    int64_t first;     /* elements from the root's start to this value's first element */
    int64_t stride[WEFT_MAX_RANK];
    uint32_t birth, death; /* arena: first and last step (index into steps) at which the root's bytes are in use */
} weft_slot;

typedef struct weft_step {
    uint32_t node; /* node id */
    uint32_t device;
    bool barrier;  /* must see, or not overwrite, what steps since the last barrier on this device touch */
    bool joined;   /* runs in one launch with the step before it (set by the scheduler) */
    uint64_t scratch_offset, scratch_bytes; /* in the arena; live during this step alone */
} weft_step;

typedef struct weft_plan {
    uint32_t n_slots, n_steps, n_devices; /* slots are indexed by value id */
    weft_slot *slots;
    weft_step *steps;
    uint64_t *arena_bytes;   /* per device: with reuse */
    uint64_t *arena_unshared; /* per device: the sum without any reuse, for the report */
    uint32_t *peak_step;      /* per device: the first step at which most is live */
    uint64_t *live;           /* [device * n_steps + step]: bytes of the arena in use during the step */
    uint32_t n_barriers;
    uint32_t n_launches; /* over all devices (set by the scheduler) */
} weft_plan;

/* What the scheduler knows of a node, by node id. */
typedef struct weft_plan_node {
    uint32_t device;
    uint64_t scratch_bytes;
    bool inplace; /* the chosen kernel may write its result over input 0 */
} weft_plan_node;

typedef struct weft_plan_desc {
    const int64_t *bounds;        /* per extent; NULL: the graph's */
    const weft_plan_node *nodes;  /* weft_graph_node_limit entries */
    uint32_t n_devices;
    uint32_t alignment;           /* of arena offsets, a power of two (64 on a CPU, 256 on GPUs) */
    bool keep;                    /* no reuse: every value keeps its bytes (for debugging dumps) */
} weft_plan_desc;

/* The order is chosen here: by depth, so that independent nodes stand side by side and few barriers are needed. Inputs
 * are live from step 0, outputs to the end. Views and sources make no step. */
WEFT_API WEFT_MUST_USE weft_status weft_plan_create(const weft_graph *g, const weft_plan_desc *desc, weft_plan **out,
                                                    weft_error *err);
WEFT_API void weft_plan_destroy(weft_plan *p);

/* The layout of one value by itself: its root and the view on it. False when a reshape cannot be expressed as a view of
 * its input (the input must then be copied). Used by the scheduler to see where copies must go. */
WEFT_API bool weft_plan_view(const weft_graph *g, weft_ref r, const int64_t *bounds, weft_slot *out);

/* The values that own arena bytes of a device during a step, largest first, into `out`, which has room for n_slots
 * entries. Returns how many. */
WEFT_API uint32_t weft_plan_live(const weft_plan *p, uint32_t device, uint32_t step, weft_ref *out);
/* Whether two steps, the earlier one first, may run at the same time: no barrier or change of device lies between. */
WEFT_API bool weft_plan_same_group(const weft_plan *p, uint32_t earlier, uint32_t later);

/* Text: arena sizes, one line per step with offsets, and the values live at the peak. */
WEFT_API WEFT_MUST_USE weft_status weft_plan_print(const weft_graph *g, const weft_plan *p, const weft_writer *w,
                                                   weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
