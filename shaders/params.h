/* params.h: what a launch tells its kernel: one block for all kernels, legal in C and in GLSL (std140: only
 * members of 16 bytes, so that both lay it out the same way; tests/vulkan compares the two).
 *
 * Bindings of set 0: the block, the extents of the run, an array of buffers that are read and one of buffers that
 * are written. A kernel's slots are its inputs, then its outputs; those of job j follow those of job j - 1 in the
 * arrays. */
#ifndef WEFT_PARAMS_H
#define WEFT_PARAMS_H

#define WEFT_BINDING_PARAMS 0
#define WEFT_BINDING_RUN 1
#define WEFT_BINDING_IN 2
#define WEFT_BINDING_OUT 3
#define WEFT_MAX_IN 18
#define WEFT_MAX_OUT 4
#define WEFT_MAX_SLOTS 13   /* of one job */
#define WEFT_MAX_JOBS 3     /* nodes that share a launch */
#define WEFT_MAX_TENSORS 11 /* tensors of one job */
#define WEFT_MAX_SPECS 16   /* specialization constants 0..15; 0 is the workgroup's size */

#ifdef WEFT_GLSL
#define WEFT_UVEC4 uvec4
#define WEFT_VEC4 vec4
#else
#include <stdint.h>
typedef struct weft_uvec4 { uint32_t x, y, z, w; } weft_uvec4;
typedef struct weft_vec4 { float x, y, z, w; } weft_vec4;
#define WEFT_UVEC4 weft_uvec4
#define WEFT_VEC4 weft_vec4
typedef struct weft_tensor_params weft_tensor_params;
typedef struct weft_job_params weft_job_params;
#endif

/* A tensor of up to six axes, outermost first; axes past the rank have dim 1 and stride 0. A dim is n, or n times the
 * run's value of an extent. Strides and `first` count elements. */
struct weft_tensor_params {
    WEFT_UVEC4 dim_a, dim_b;       /* n of axes 0..3; 4, 5, then: rank, elements at the bounds */
    WEFT_UVEC4 extent_a, extent_b; /* 1-based extents of axes 0..3; 4, 5, then: dtype, first element */
    WEFT_UVEC4 stride_a, stride_b; /* of axes 0..3; 4, 5, then: first row of a weight's part, its rows */
};

/* Workgroups first_group .. first_group + n_groups - 1 belong to the job. u and f are the kernel's own. */
struct weft_job_params {
    WEFT_UVEC4 groups; /* first_group, n_groups, the op, a free one */
    WEFT_UVEC4 u0, u1, u2, u3;
    WEFT_VEC4 f0, f1;
    weft_tensor_params t[WEFT_MAX_TENSORS];
};

#ifndef WEFT_GLSL
typedef struct weft_params {
    WEFT_UVEC4 head; /* number of jobs, workgroups in x */
    weft_job_params job[WEFT_MAX_JOBS];
} weft_params;

typedef struct weft_run_params { uint32_t extent[8]; } weft_run_params;
#endif

#endif
