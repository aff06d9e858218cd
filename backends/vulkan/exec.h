/* exec.h: what exec.c (steps to launches, descriptor sets) and record.c (commands, submits, waits) share. */
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
typedef struct vk_form {
    vk_dispatch *dispatches;
    uint32_t n_dispatches;
    VkDescriptorPool pool;
    vk_block params, tables, counters; /* parameter blocks; constant tables; words that launches leave zero */
} vk_form;

/* Commands for some steps, cut into submissions: some dispatches, or a piece of a single one that takes too long. */
typedef struct vk_chunk {
    VkCommandBuffer commands;
    uint32_t first, n;       /* dispatches of the form */
    uint32_t piece, n_pieces; /* of the dispatch; 0, 1: whole ones */
    uint32_t barriers;
    double bytes, flops;
    uint64_t ticket;         /* of the last submission */
} vk_chunk;

typedef struct vk_recording {
    struct vk_recording *next;
    const vk_form *form;
    uint32_t first, n;       /* plan steps */
    uint32_t first_dispatch, n_dispatches; /* of the form */
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
    vk_form joined, single;     /* single: made when a step is first run alone */
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
    vk_tensor in[WEFT_MAX_INPUTS], out[WEFT_MAX_OUTPUTS];
    vk_call call;
} vk_located;
void vk_locate(const weft_exec *e, const weft_node *n, vk_located *l);
/* Seconds that work is expected to take, by the rates of runs so far. */
double vk_predicted(const vk_backend *vk, double bytes, double flops);
/* Compiles a form. joined: as the plan says; else one launch per step at least. */
weft_status vk_form_create(weft_exec *e, bool joined, vk_form *f, weft_error *err);
void vk_form_destroy(vk_backend *vk, vk_form *f);
/* Corrects the rates and records again what turned out badly cut, if no run of this exec has done that. */
weft_status vk_exec_settle(weft_exec *e, weft_error *err);

/* times.c: the queries of a profiled recording, and their commands around dispatch i of the form. */
weft_status vk_times_create(vk_backend *vk, vk_recording *r, weft_error *err);
void vk_times_destroy(vk_backend *vk, vk_recording *r);
void vk_times_reset(vk_backend *vk, VkCommandBuffer c, const vk_recording *r, const vk_chunk *chunk);
void vk_times_write(vk_backend *vk, VkCommandBuffer c, const vk_recording *r, uint32_t i, bool after);
/* Removes and destroys the exec's recordings that are profiled, or all of them. */
void vk_recordings_drop(weft_exec *e, bool only_profiled);

/* "layers.3.attention.dense linear %41" of a plan step; returns buf. */
const char *vk_step_text(const weft_exec *e, uint32_t step, char *buf, size_t size);

#endif
