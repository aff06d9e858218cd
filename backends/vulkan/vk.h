/* vk.h: what the files of the Vulkan backend share: the loaded interface, the device, its memory, pipelines, execs.
 *
 *   vulkan.c     the backend's table, opening and closing    options.c     the options of a spec
 *   api.c        libvulkan and its functions, at run time    instance.c    the instance, listing and picking devices
 *   caps.c       what a device can do, what is enabled       limits.c      limits without which nothing runs
 *   memory.c     blocks of memory, by kind of heap           slabs.c       few allocations for many blocks
 *   transfer.c   host <-> device, staging ring               buffers.c     weft_buf: plain buffers, weights in parts
 *   weights.c    filling of weights                          pipelines.c   pipelines, their cache file
 *   dispatches.c steps -> dispatches, descriptor sets        record.c      command buffers
 *   exec*.c      runs, their inputs, outputs and times       queue.c       submits, waits, lost devices
 *   clock.c      the device's clock, timestamps              times.c       timestamps of a recording
 *   verdicts.c   the file of the self-test's verdicts        cache.c       files of the cache folder
 *   tuned.c      the file of what was measured
 *   validate.c   messages of the validation layer            roof.c        what the device reaches at best
 *
 * Which kernel runs a node, and with what launches, is decided in backends/gpu/, which knows no Vulkan.
 */
#ifndef VULKAN_VK_H
#define VULKAN_VK_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "backends/gpu/choose.h"
#include "backends/vulkan/matrix_ext.h"

/* ---- the interface, loaded at run time: vk->api.CmdDispatch(...) ---- */
typedef struct vk_api {
    void *library;
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define VK_FN(name) PFN_vk##name name;
#include "backends/vulkan/api.def"
#undef VK_FN
} vk_api;
/* What Vulkan's loader is called, in the order to try; NULL ends the list. */
typedef enum vk_platform { VK_PLATFORM_ELF, VK_PLATFORM_APPLE, VK_PLATFORM_WINDOWS } vk_platform;
const char *const *vk_loader_names(vk_platform p);
/* path NULL: the platform's. NOT_FOUND: no loader. */
weft_status vk_api_load(vk_api *api, const char *path, weft_error *err);
weft_status vk_api_load_instance(vk_api *api, VkInstance instance, weft_error *err);
weft_status vk_api_load_device(vk_api *api, VkDevice device, weft_error *err);
void vk_api_unload(vk_api *api);

/* Turns a VkResult into a status with text: "vulkan: vkCreateBuffer failed (VK_ERROR_OUT_OF_DEVICE_MEMORY): what". */
weft_status vk_fail(weft_error *err, VkResult r, const char *call, const char *fmt, ...) WEFT_PRINTF(4, 5);

/* ---- options of a spec ---- */
typedef struct vk_options {
    char which[128]; /* number or part of a name; "" the default */
    char *loader, *cache; /* NULL: default, none; owned */
    uint64_t max_binding, memory; /* 0: the device's */
    uint32_t max_groups;          /* the same */
    bool staging, import, validation, labels;
    bool self_test, self_test_given;
    bool large_probes; /* test software devices like others */
    bool statistics; /* ask the compiler for register counts and the like (option statistics=1) */
    bool dot;                /* use the integer dot product wherever there is one */
    uint32_t matrix[3];      /* compute matrices of this shape in the shader; 0: none */
    const gpu_tuning *tuning; /* NULL: the device's own row */
    double submit_seconds;
    char without[256]; /* for gpu_named: "+storage16+dot+" */
} vk_options;
weft_status vk_options_parse(const char *which, const char *text, vk_options *o, weft_error *err);
void vk_options_free(vk_options *o);

/* ---- memory ---- */

/* What memory is for decides its type: see memory.c. */
typedef enum vk_memory_use {
    VK_MEMORY_WEIGHTS, /* the device's own; written in place where that is free of charge */
    VK_MEMORY_ARENA,   /* the same */
    VK_MEMORY_UPLOAD,  /* host-visible, written in order */
    VK_MEMORY_READBACK /* host-visible, cached */
} vk_memory_use;

typedef struct vk_block {
    VkBuffer buffer;
    uint64_t bytes;
    unsigned char *host;     /* where the host sees it; NULL: nowhere */
    bool writable, readable; /* the host writes it in place; and reads it there as fast as its own memory */
    bool coherent;           /* else flush after writes, invalidate before reads (vk_flush, vk_invalidate) */
    bool spilled;            /* in the host's memory, for want of room in the device's own */
    VkDeviceMemory memory;   /* which it shares with others: at `offset`, `taken` bytes of slab */
    struct vk_slab *slab;
    uint64_t offset, taken;
} vk_block;

typedef struct vk_backend vk_backend;

weft_status vk_block_create(vk_backend *vk, uint64_t bytes, vk_memory_use use, vk_block *out, weft_error *err);
void vk_block_destroy(vk_backend *vk, vk_block *b);
/* imports.c: a block that is these bytes of the host's memory, and the pages around them, to be read where they are;
 * *at is where they begin in it. False: the device cannot (see vk_imports_find). */
bool vk_block_import(vk_backend *vk, const void *data, uint64_t bytes, vk_block *out, uint64_t *at);
weft_status vk_flush(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n, weft_error *err);
weft_status vk_invalidate(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n, weft_error *err);
/* Copies between host and any block, through staging memory where the block is not writable, not readable. They wait
 * until they are done (writes: until the source may be reused; vk_transfer_flush waits for all). */
weft_status vk_block_write(vk_backend *vk, const vk_block *b, uint64_t offset, const void *src, uint64_t n,
                           weft_error *err);
weft_status vk_block_read(vk_backend *vk, const vk_block *b, uint64_t offset, void *dst, uint64_t n, weft_error *err);
weft_status vk_block_zero(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n, weft_error *err);
/* From one place of a block to another, by the device. */
weft_status vk_block_copy(vk_backend *vk, const vk_block *b, const weft_state_span *spans, uint32_t n,
                          weft_error *err);
/* Memory to fill that ends up in a block: its own or the staging ring. `fill` writes n bytes; what is at
 * most VK_FILL_BYTES long comes in one piece. */
enum { VK_FILL_BYTES = 16 << 20 };
weft_status vk_block_fill(vk_backend *vk, const vk_block *b, uint64_t offset, uint64_t n,
                          void (*fill)(void *ctx, void *dst, uint64_t at, uint64_t n), void *ctx, weft_error *err);
weft_status vk_transfer_flush(vk_backend *vk, weft_error *err);

/* slabs.c: fills b's memory, slab, offset, taken and (map) host with a place in memory of this type, made if there is
 * none (TOO_MANY_OBJECTS: there may be no more). `bytes` and `align` are multiples of 256. */
VkResult vk_slabs_take(vk_backend *vk, uint64_t bytes, uint64_t align, uint32_t type, bool map, vk_block *b);
void vk_slabs_give(vk_backend *vk, vk_block *b);
uint64_t vk_slabs_bytes(const vk_block *b);                       /* of the memory that b lies in */
uint64_t vk_slabs_free(const vk_backend *vk, uint32_t heap);      /* bytes of a heap in slabs that no block has */

/* ---- buffers of the contract ---- */
struct weft_buf {
    vk_backend *vk;
    uint64_t bytes;
    uint32_t n_blocks, n_parts;
    vk_block *blocks; /* one, or several where the allocation limit asks for it */
    gpu_part *parts;   /* weights: at least one; others: one part that is the whole */
};

/* ---- pipelines ---- */
typedef struct vk_pipeline_key {
    weft_shader_id shader;
    uint32_t subgroup, n_specs, spec[WEFT_MAX_SPECS];
    bool in_pieces; /* launches may be cut: vkCmdDispatchBase */
} vk_pipeline_key;
/* Creates what is missing, in threads; pipelines belong to the backend and live as long as it. */
weft_status vk_pipelines_get(vk_backend *vk, const vk_pipeline_key *keys, uint32_t n,
                             const weft_progress_sink *progress, VkPipeline *out, weft_error *err);

/* ---- the backend ---- */
struct vk_backend {
    weft_backend base;
    vk_options options;
    vk_api api;
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t queue_family;
    uint32_t index;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceDriverProperties driver;
    VkPhysicalDeviceMemoryProperties memory;
    bool has_budget;      /* VK_EXT_memory_budget */
    bool has_fault;       /* VK_EXT_device_fault is on */
    bool has_import;      /* VK_EXT_external_memory_host is on */
    uint64_t import_pages; /* whole pages of this size are imported of the host's memory; 0: none are (imports.c) */
    uint32_t timestamp_bits; /* of the queue's timestamps that count; 0: it has none */
    const char *calibration; /* "EXT", "KHR": whose calibrated timestamps the device has; NULL: none */
    PFN_vkGetCalibratedTimestampsEXT calibrated_timestamps; /* of the device and CLOCK_MONOTONIC; NULL: cannot */
    bool in_place;        /* the host sees all memory of the device and fills it there (memory.c) */
    gpu_caps caps;
    VkDescriptorSetLayout set_layout; /* set 0 of every kernel, see shaders/params.h */
    VkPipelineLayout pipeline_layout;
    VkCommandPool command_pool;
    VkSemaphore timeline;     /* one for all submits of the backend */
    uint64_t submitted;       /* its value after the last submit */
    uint64_t waited;          /* up to where work is known to be done */
    bool lost;                /* the device was lost: every call fails with DEVICE_LOST until it is closed */
    uint64_t allocations;     /* of device memory, ever */
    uint32_t n_allocations;   /* at this moment */
    uint64_t allocated;       /* bytes of all blocks at this moment */
    uint64_t spilled;         /* of them, bytes in the host's memory for want of room */
    uint64_t heap_used[VK_MAX_MEMORY_HEAPS]; /* bytes of allocations */
    struct vk_slab *slabs;    /* slabs.c */
    double seconds_per_byte, seconds_per_op; /* predicted cost, calibrated by record.c */
    struct vk_pipeline_set *pipelines; /* pipelines.c */
    gpu_verdicts *verdicts;            /* of the self-test, kept by verdicts.c */
    gpu_tuned_set *tuned;              /* what was measured here, kept by tuned.c */
    struct vk_staging *staging;        /* transfer.c */
    struct cpu_pool *packers;          /* weights.c; NULL until the first weight */
    struct vk_validation *validation;  /* validate.c; NULL: off */
};

/* ---- the parts of opening and closing, in order ---- */
weft_status vk_instance_create(vk_backend *vk, weft_error *err);
void vk_instance_destroy(vk_backend *vk);
weft_status vk_validation_create(vk_backend *vk, weft_error *err);
void vk_validation_destroy(vk_backend *vk);
weft_status vk_device_pick(vk_backend *vk, weft_error *err); /* physical, properties, caps */
weft_status vk_caps_read(vk_backend *vk, weft_error *err);
weft_status vk_limits_check(const vk_backend *vk, weft_error *err);
weft_device_type vk_device_type(const VkPhysicalDeviceProperties *p);
void vk_memory_classify(vk_backend *vk);
bool vk_shares_memory(const vk_backend *vk); /* with the host */
void vk_imports_find(vk_backend *vk);        /* import_pages */
uint64_t vk_memory_free(const vk_backend *vk); /* bytes, at this moment */
weft_status vk_device_create(vk_backend *vk, weft_error *err);
weft_status vk_clock_create(vk_backend *vk, weft_error *err); /* finds calibrated_timestamps */
weft_status vk_queue_find(vk_backend *vk, weft_error *err);   /* before the device exists: which family */
weft_status vk_queue_create(vk_backend *vk, weft_error *err); /* queue, command pool, timeline */
void vk_queue_destroy(vk_backend *vk);
weft_status vk_layouts_create(vk_backend *vk, weft_error *err);
weft_status vk_staging_create(vk_backend *vk, weft_error *err);
void vk_staging_destroy(vk_backend *vk);
weft_status vk_pipelines_create(vk_backend *vk, weft_error *err);
void vk_pipelines_destroy(vk_backend *vk); /* saves the cache file */

weft_status vk_open(const char *which, const char *options, weft_backend **out, weft_error *err);
void vk_close(weft_backend *b);
weft_status vk_list(uint32_t index, const char *options, weft_device_info *out, weft_error *err);
void vk_info(const weft_backend *b, weft_device_info *out);

/* Submits command buffers in order; the timeline reaches *ticket when they are done. */
weft_status vk_submit(vk_backend *vk, const VkCommandBuffer *c, uint32_t n, uint64_t *ticket, weft_error *err);
weft_status vk_wait(vk_backend *vk, uint64_t ticket, weft_error *err);
/* The error of a call on the device that gave r. A lost device's has the driver and what that says of the fault. */
weft_status vk_queue_fail(vk_backend *vk, VkResult r, const char *call, weft_error *err);
/* Before anything is destroyed that submitted work may use: waits for all of it, as far as the device still can. */
void vk_idle(vk_backend *vk);
/* The first error that the validation layer has reported since the last call, or OK. */
weft_status vk_validation_check(vk_backend *vk, weft_error *err);

/* clock.c: timestamps of the queue, if it has any. Number i of a pool is written when its command is reached, or after
 * the compute work before it. */
bool vk_has_timestamps(const vk_backend *vk);
weft_status vk_stamps_create(vk_backend *vk, uint32_t n, VkQueryPool *out, weft_error *err);
void vk_stamp(const vk_backend *vk, VkCommandBuffer c, VkQueryPool stamps, uint32_t i, bool after);
weft_status vk_stamps_read(vk_backend *vk, VkQueryPool stamps, uint32_t n, uint64_t *out, weft_error *err);
/* Ticks (of limits.timestampPeriod nanoseconds) from `since` to t, by the bits that count. What is a little earlier
 * comes out as 0. */
double vk_ticks_between(const vk_backend *vk, uint64_t since, uint64_t t);

/* ---- contract functions of the other files ---- */
void vk_layout_form(const weft_backend *b, weft_layout layout, char out[64]);
weft_status vk_weight_create(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                             weft_buf **out, weft_error *err);
weft_status vk_weight_write(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                            weft__task *task, weft_error *err);
weft_status vk_buf_create(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err);
weft_status vk_weight_wrap(weft_backend *b, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                           const void *data, weft_buf **out, weft_error *err);
void vk_buf_destroy(weft_buf *buf);
weft_status vk_buf_write(weft_buf *buf, uint64_t offset, const void *src, uint64_t n, weft_error *err);
weft_status vk_buf_read(weft_buf *buf, uint64_t offset, void *dst, uint64_t n, weft_error *err);
weft_status vk_buf_copy(weft_buf *buf, const weft_state_span *spans, uint32_t n, weft_error *err);
weft_status vk_roof(weft_backend *b, double seconds, weft__task *task, weft_roof *out, weft_error *err);
weft_status vk_exec_create(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err);
void vk_exec_destroy(weft_exec *e);
weft_status vk_exec_submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                           weft_error *err);
weft_status vk_exec_wait(weft_exec *e, uint64_t ticket, weft_error *err);
weft_status vk_exec_write(weft_exec *e, uint64_t at, const void *src, uint64_t n, weft_error *err);
weft_status vk_exec_read(weft_exec *e, uint64_t at, void *dst, uint64_t n, weft_error *err);
void vk_exec_counters(const weft_exec *e, weft_counters *out);
weft_status vk_exec_profile(weft_exec *e, bool on, weft__exec_timing *out, weft_error *err);
weft_status vk_exec_spans(weft_exec *e, weft__span_log *log, weft_error *err);

/* ---- the cache folder: no file, no cache and no room are no errors ---- */
void *vk_cache_read(const vk_backend *vk, const char *suffix, size_t *n); /* malloc'd; NULL: nothing there */
/* Written beside and renamed, so that nobody reads half a file. False: it is not there. */
bool vk_cache_write(const vk_backend *vk, const char *suffix, const void *data, size_t n);

/* This process as text for marks in those files, and whether one that wrote such a text is still there. */
void vk_process(char out[48]);
bool vk_process_lives(const char *text);

/* ---- the self-test ---- */
weft_status vk_verdicts_create(vk_backend *vk, weft_error *err); /* reads what the cache knows */
void vk_verdicts_destroy(vk_backend *vk);
weft_verdict vk_verdict(const weft_backend *b, const weft_kernel_choice *c);
void vk_judge(weft_backend *b, const weft_kernel_choice *c, weft_verdict v, const char *detail);

/* ---- tuning (tuned.c, with weft__tuning_vulkan) ---- */
weft_status vk_tuned_create(vk_backend *vk, weft_error *err); /* reads what the cache knows */

#endif
