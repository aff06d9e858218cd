/* schedule.h: what is decided about a graph before anything is done with it: where each node runs and with which
 * kernel, what must be copied for that, in which order, where every value lies, and how many bytes that takes.
 *
 * A schedule is made from a graph, devices, bounds, options and what is known of kernels (the devices' verdicts), and
 * from nothing else: it sees devices as const, so making one cannot create, load or run a program. It never changes.
 * Per-device arrays are indexed [device * value_limit + value id]. */
#ifndef WEFT_SCHEDULE_H
#define WEFT_SCHEDULE_H

#include "backends/contract.h"
#include "graph/alias.h"

/* Consecutive steps of one device, or one transfer. */
typedef struct weft__segment {
    uint32_t first, n, device;
    bool transfer;
} weft__segment;

typedef struct weft__schedule {
    weft_graph *g; /* as it runs: optimised, with transfers and copies */
    weft_plan *plan;
    const weft_backend **devices;
    uint32_t n_devices, value_limit, node_limit;
    bool strict, exact, deterministic, keep;
    int64_t bounds[WEFT_MAX_EXTENTS];
    uint32_t *split;             /* layers per device; NULL: not split */
    bool by_memory;              /* the split comes from what the devices' memories hold */
    uint32_t *first_device;      /* by node id, of the graph before scheduling: where its layer is; NULL: device 0 */
    uint32_t *device_of;         /* by node id */
    weft_place_reason *reasons;  /* by node id */
    weft_kernel_choice *choices; /* by node id; kernel NULL for sources, views, transfers */
    weft_layout *layouts;        /* per device and value */
    bool *resident;              /* per device and value: a weight, state or constant is needed there */
    weft__segment *segments;
    uint32_t n_segments;
} weft__schedule;

/* Copies the graph. desc's progress is not told: nothing here lasts. */
weft_status weft__schedule_create(const weft_graph *g, const weft_program_desc *desc, const weft__schedule **out,
                                  weft_error *err);
void weft__schedule_destroy(const weft__schedule *s);

weft_place weft__schedule_place(const weft__schedule *s, uint32_t node_id);

/* schedule_memory.c. Bytes that a weight, state or constant takes on a device; 0 where it is not needed. */
uint64_t weft__resident_bytes(const weft__schedule *s, uint32_t device, weft_ref r);
/* What all of it takes on one device. */
weft_program_memory weft__schedule_memory(const weft__schedule *s, uint32_t device);
static inline uint64_t weft__memory_sum(const weft_program_memory *m)
{
    return m->weights + m->states + m->constants + m->arena;
}
/* Whether every device has room for what is on it. */
bool weft__schedule_fits(const weft__schedule *s);

/* The same, refusing: a sentence of every device, with what is needed there beyond what is loaded; LIMIT if one lacks
 * it. */
typedef struct weft__fit {
    bool lacks;
    size_t length;
    char text[400];
} weft__fit;
void weft__fit_add(weft__fit *f, const weft_backend *b, const weft_program_memory *m, uint64_t need);
weft_status weft__fit_end(const weft__fit *f, weft_error *err);

static inline size_t weft__at(const weft__schedule *s, uint32_t device, uint32_t value)
{
    return (size_t)device * s->value_limit + value;
}

/* views.c. Whether a view's elements lie row-major without gaps at these bounds. */
bool weft__is_dense(const weft_graph *g, weft_ref r, const weft_slot *s, const int64_t *bounds);

#endif
