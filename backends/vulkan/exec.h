/* exec.h: the compiled steps of a device, and what the files that make and run them share: dispatches.c (steps to
 * dispatches), times.c, record.c (commands), exec_io.c (inputs and outputs), exec.c (runs), exec_times.c (spans). */
#ifndef VULKAN_EXEC_H
#define VULKAN_EXEC_H

#include "backends/vulkan/vk.h"

/* One dispatch, ready to be recorded. */
typedef struct vk_dispatch {
    VkPipeline pipeline;
    VkDescriptorSet set;
    uint32_t groups[3];
    bool in_pieces;              /* may be cut */
    bool barrier;                /* before it */
    uint32_t first_step, n_steps; /* of the plan */
    double bytes, flops;         /* at the bounds */
} vk_dispatch;

/* All dispatches of the device's steps, with (or without) steps joined as the plan says, and what they are bound to.
 * Written once; nothing changes from run to run but the run's extents and the inputs' bytes. */
typedef struct vk_dispatch_list {
    vk_dispatch *dispatches;
    uint32_t n_dispatches;
    VkDescriptorPool pool;
    vk_block params, tables, counters; /* parameter blocks; constant tables; words that launches leave zero */
} vk_dispatch_list;

/* Commands for some steps, cut into submissions: some dispatches, or a piece of a single one that takes too long. */
typedef struct vk_chunk {
    VkCommandBuffer commands;
    uint32_t first, n;       /* dispatches of the list */
    uint32_t piece, n_pieces; /* of the dispatch; 0, 1: whole ones */
    uint32_t barriers;
    double bytes, flops;
    uint64_t ticket;         /* of the last submission */
} vk_chunk;

typedef struct vk_recording {
    struct vk_recording *next;
    const vk_dispatch_list *list;
    uint32_t first, n;       /* plan steps */
    uint32_t first_dispatch, n_dispatches; /* of the list */
    bool profiled;           /* with timestamps before and after each dispatch */
    VkQueryPool queries;     /* two per dispatch, if there are dispatches */
    uint64_t *times;         /* what was read of them */
    vk_chunk *chunks;
    uint32_t n_chunks;
    bool reads_back;         /* ends with the copies of outputs */
} vk_recording;

/* A range of the arena that host and device exchange in every run. */
typedef struct vk_port { uint64_t at, bytes, shadow; } vk_port; /* shadow: offset in the upload or readback block */

struct weft_exec {
    vk_backend *vk;
    weft_exec_desc desc;
    vk_block *arena;
    vk_block run;            /* weft_run_params */
    vk_block upload, readback; /* shadows of inputs and outputs where the arena itself is out of the host's sight */
    vk_port *inputs, *outputs;
    uint32_t n_inputs, n_outputs;
    VkCommandBuffer upload_commands, readback_commands;
    bool direct_in, direct_out; /* the host writes, reads the arena itself */
    bool dirty, fresh;          /* inputs or extents changed since the last submit; readback has the last outputs */
    bool timed;                 /* rates were calibrated with this exec */
    vk_dispatch_list joined, single;     /* single: made when a step is first run alone */
    vk_recording *recordings;
    weft_run_params extents;
    uint64_t ticket;
    vk_recording *running;
    double started;
    bool profiled;           /* runs now are */
    bool has_tick;           /* last_tick is the last timestamp of a profiled run */
    uint64_t last_tick;
    uint64_t submit_ns, done_ns; /* host times of the last profiled run: before its submit, after its wait */
    weft_counters counters;
};

/* The tensors of one node with their places in the plan; call points into it. Reads desc and vk alone; weights that do
 * not exist yet (desc.bufs NULL) are whole. */
typedef struct vk_located {
    gpu_tensor in[WEFT_MAX_INPUTS], out[WEFT_MAX_OUTPUTS];
    gpu_call call;
} vk_located;
void vk_locate(const weft_exec *e, const weft_node *n, vk_located *l);

/* ---- dispatches.c ---- */
/* Seconds that work is expected to take, by the rates of runs so far. */
double vk_predicted(const vk_backend *vk, double bytes, double flops);
/* joined: as the plan says; else one launch per step at least. */
weft_status vk_dispatches_create(weft_exec *e, bool joined, vk_dispatch_list *list, weft_error *err);
void vk_dispatches_destroy(vk_backend *vk, vk_dispatch_list *list);
/* "layers.3.attention.dense linear %41" of a plan step; returns buf. */
const char *vk_step_text(const weft_exec *e, uint32_t step, char *buf, size_t size);

/* ---- times.c: the queries of a profiled recording, and their commands around dispatch i of the list ---- */
weft_status vk_times_create(vk_backend *vk, vk_recording *r, weft_error *err);
void vk_times_destroy(vk_backend *vk, vk_recording *r);
void vk_times_reset(vk_backend *vk, VkCommandBuffer c, const vk_recording *r, const vk_chunk *chunk);
void vk_times_write(vk_backend *vk, VkCommandBuffer c, const vk_recording *r, uint32_t i, bool after);

/* ---- record.c ---- */
weft_status vk_commands_begin(vk_backend *vk, VkCommandBuffer *c, weft_error *err);
weft_status vk_commands_end(weft_exec *e, VkCommandBuffer c, weft_error *err);
void vk_commands_free(vk_backend *vk, VkCommandBuffer c); /* NULL: none */
/* Whatever ran before is seen by what follows; and by the host after the wait. */
void vk_barrier_before(vk_backend *vk, VkCommandBuffer c);
void vk_barrier_to_host(vk_backend *vk, VkCommandBuffer c);
/* The recording of n plan steps, made now if there is none; a fresh one, put into the exec's list; and its end. */
weft_status vk_recording_find(weft_exec *e, uint32_t first, uint32_t n, vk_recording **out, weft_error *err);
weft_status vk_recording_make(weft_exec *e, uint32_t first, uint32_t n, vk_recording **out, weft_error *err);
void vk_recording_destroy(vk_backend *vk, vk_recording *r); /* one that is in no list */
/* Removes and destroys the exec's recordings that are profiled, or all of them. */
void vk_recordings_drop(weft_exec *e, bool only_profiled);

/* ---- exec_io.c ---- */
weft_status vk_io_create(weft_exec *e, weft_error *err);
void vk_io_destroy(weft_exec *e);
weft_status vk_io_extents(weft_exec *e, const int64_t *extents, weft_error *err); /* of the next run */

/* ---- exec.c ---- */
/* Corrects the rates and records again what turned out badly cut, if no run of this exec has done that. */
weft_status vk_exec_settle(weft_exec *e, weft_error *err);

#endif
