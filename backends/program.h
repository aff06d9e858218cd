/* program.h: a program's data, shared by schedule.c (placement and plan), program.c (loading, running), spans.c,
 * program_print.c and check.c. Per-device arrays are indexed [device * value_limit + value id]. */
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include "backends/contract.h"

/* Consecutive steps of one device, or one transfer. */
typedef struct weft__segment {
    uint32_t first, n, device;
    bool transfer;
} weft__segment;

struct weft_program {
    weft_graph *g;
    weft_plan *plan;
    weft_backend **devices;
    uint32_t n_devices, value_limit, node_limit;
    bool strict, exact, keep, probing; /* probing: itself a part of the self-test */
    weft_progress_sink progress;
    int64_t bounds[WEFT_MAX_EXTENTS], extents[WEFT_MAX_EXTENTS];
    uint32_t *split;               /* layers per device; NULL: not split */
    bool by_memory;                /* the split comes from what the devices' memories hold */
    uint32_t *first_device;        /* by node id, of the graph before scheduling: where its layer is; NULL: device 0 */
    uint32_t *device_of;           /* by node id */
    weft_place_reason *reasons;    /* by node id */
    weft_kernel_choice *choices;   /* by node id; kernel NULL for sources, views, transfers */
    weft_layout *layouts;          /* per device and value */
    bool *resident;                /* per device and value: a weight, state or constant is needed there */
    weft__segment *segments;
    uint32_t n_segments;
    /* after loading */
    weft_bank *bank;
    weft_buf **bufs;   /* per device and value; constants are the program's own, the rest the bank's */
    weft_buf **arenas; /* per device */
    weft_exec **execs; /* per device */
    unsigned char *bounce; /* for transfers */
    weft_profile_mode profile;
    weft__span_log spans;
    bool *calibrated; /* per device; NULL: not profiled */
};

/* Places, legalises and plans: fills everything above "after loading" (g, devices, bounds and flags are set). */
weft_status weft__schedule(weft_program *p, weft_error *err);

/* program.c. Carries a transfer step out. */
weft_status weft__run_transfer(weft_program *p, uint32_t step, weft_error *err);

/* spans.c. Runs a segment with its spans. */
weft_status weft__run_profiled(weft_program *p, const weft__segment *s, weft_error *err);
/* A span of the host that began at `begin` ends. */
void weft__span_end(weft_program *p, weft_span_kind kind, uint32_t device, uint64_t begin);
void weft__profile_off(weft_program *p);

/* split.c. Finds first_device from split. */
weft_status weft__split_nodes(weft_program *p, weft_error *err);
/* A scheduled program: whether every device holds what is on it; split as its devices' memories ask for. */
bool weft__fits(const weft_program *p);
weft_status weft__split_by_memory(weft_program *p, weft_error *err);

static inline size_t weft__at(const weft_program *p, uint32_t device, uint32_t value)
{
    return (size_t)device * p->value_limit + value;
}

/* The value whose storage a chain of views shows (r itself if it is no view), and the node that makes a value. */
weft_ref weft__behind_views(const weft_graph *g, weft_ref r);
static inline const weft_node *weft__maker(const weft_graph *g, weft_ref r)
{
    return weft_graph_node_by_id(g, weft_graph_value(g, r)->node);
}
/* Whether a view's elements lie row-major without gaps at these bounds. */
bool weft__is_dense(const weft_graph *g, weft_ref r, const weft_slot *s, const int64_t *bounds);

/* Bytes that a weight, state or constant takes on a device; 0 where it is not needed. */
uint64_t weft__resident_bytes(const weft_program *p, uint32_t device, weft_ref r);

/* "layers.3.attention.dense linear %41", for messages; returns buf. */
const char *weft__node_text(const weft_node *n, char *buf, size_t size);

#endif
