/* types.h: what a graph is made of: element types, dims, ops with their typed attributes. Part of graph.h, which says
 * what a graph is. */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_graph weft_graph;

#define WEFT_MAX_RANK 6
#define WEFT_MAX_INPUTS 16
#define WEFT_MAX_OUTPUTS 2
#define WEFT_MAX_EXTENTS 8

/* ---- types ----------------------------------------------------------------------------------------------------- */

typedef enum weft_dtype {
    WEFT_ANY, /* weft_weight only: the weight_types of the graph's description decide */
#define WEFT_DTYPE(number, id, name, block, bytes, class_, bits, group, minimum, encodes) WEFT_##id = number,
#include "dtype.def"
#undef WEFT_DTYPE
    WEFT_DTYPE_COUNT
} weft_dtype;

typedef enum weft_dtype_class { WEFT_DTYPE_NONE, WEFT_DTYPE_FLOAT, WEFT_DTYPE_INT, WEFT_DTYPE_BLOCK } weft_dtype_class;

typedef struct weft_dtype_info {
    const char *name;
    uint32_t block, bytes; /* elements and bytes per block; block is 1 for plain types */
    weft_dtype_class class_;
    uint32_t bits;         /* of one value, what a block has besides left out */
    uint32_t group;        /* elements that share a scale: a block or a part of one */
    bool minimum;          /* groups have an offset beside their scale */
    bool encodes;          /* floats can be turned into it on every device: for weights, and for states */
} weft_dtype_info;

WEFT_API const weft_dtype_info *weft_dtype_get(weft_dtype t); /* never NULL; unknown: name "?", block 1, bytes 0 */
WEFT_API bool weft_dtype_parse(const char *name, weft_dtype *out);
/* Whether weights can be turned into it when they are loaded or written: it encodes, or its scales are searched for.
 * Other types are only read, or hold integers. */
WEFT_API bool weft_dtype_quantizes(weft_dtype t);
/* Bytes of a row of n elements; false if n is negative, no multiple of the block, or the size overflows. */
WEFT_API bool weft_dtype_row_bytes(weft_dtype t, int64_t n, uint64_t *out);

/* Kinds of rotary embedding: see weft_rope_table. */
typedef enum weft_rope_kind {
#define WEFT_ROPE(id, name) WEFT_ROPE_##id,
#include "rope.def"
#undef WEFT_ROPE
    WEFT_ROPE_COUNT
} weft_rope_kind;

typedef struct weft_ref { uint32_t id; } weft_ref; /* a value; 0 is "none" */

/* A dimension: n, or n times the value of extent number `extent` (1-based; 0 = none). */
typedef struct weft_dim { int64_t n; uint32_t extent; } weft_dim;
typedef struct weft_dims { uint32_t rank; weft_dim d[WEFT_MAX_RANK]; } weft_dims;
typedef struct weft_perm { uint32_t rank; uint8_t axis[WEFT_MAX_RANK]; } weft_perm;

typedef enum weft_act {
    WEFT_ACT_NONE,
#define WEFT_ACT(number, id, name, value) WEFT_ACT_##id = number,
#include "act.def"
#undef WEFT_ACT
    WEFT_ACT_COUNT
} weft_act;

/* WEFT_DIMS(T, 12, 64): each argument is a weft_dim or an integer; 1 to 6 of them. */
static inline weft_dim weft__dim_same(weft_dim d) { return d; }
static inline weft_dim weft__dim_number(int64_t n) { weft_dim d = { n, 0 }; return d; }
#ifdef __cplusplus
extern "C++" {
static inline weft_dim weft__dim_of(weft_dim d) { return d; }
static inline weft_dim weft__dim_of(int64_t n) { return weft__dim_number(n); }
}
#define WEFT__DIM(x) weft__dim_of(x)
#define WEFT__DIMS_OF weft_dims /* weft_dims{ .. } */
#else
#define WEFT__DIM(x) (_Generic((x), weft_dim: weft__dim_same, default: weft__dim_number)(x))
#define WEFT__DIMS_OF (weft_dims)
#endif
#define WEFT__DIMS1(a) { 1, { WEFT__DIM(a) } }
#define WEFT__DIMS2(a, b) { 2, { WEFT__DIM(a), WEFT__DIM(b) } }
#define WEFT__DIMS3(a, b, c) { 3, { WEFT__DIM(a), WEFT__DIM(b), WEFT__DIM(c) } }
#define WEFT__DIMS4(a, b, c, d) { 4, { WEFT__DIM(a), WEFT__DIM(b), WEFT__DIM(c), WEFT__DIM(d) } }
#define WEFT__DIMS5(a, b, c, d, e) { 5, { WEFT__DIM(a), WEFT__DIM(b), WEFT__DIM(c), WEFT__DIM(d), WEFT__DIM(e) } }
#define WEFT__DIMS6(a, b, c, d, e, f)                                                                        \
    { 6, { WEFT__DIM(a), WEFT__DIM(b), WEFT__DIM(c), WEFT__DIM(d), WEFT__DIM(e), WEFT__DIM(f) } }
#define WEFT__DIMS_PICK(_1, _2, _3, _4, _5, _6, name, ...) name
#define WEFT_DIMS(...)                                                                                       \
    (WEFT__DIMS_OF WEFT__DIMS_PICK(__VA_ARGS__, WEFT__DIMS6, WEFT__DIMS5, WEFT__DIMS4, WEFT__DIMS3, WEFT__DIMS2, \
                                WEFT__DIMS1, unused)(__VA_ARGS__))

/* ---- ops and attributes, generated from op.def and attr.def ---------------------------------------------------- */

typedef enum weft_op {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) WEFT_OP_##name,
#include "op.def"
#undef WEFT_OP
    WEFT_OP_COUNT
} weft_op;

enum {
    WEFT_TRAIT_SOURCE = 1, WEFT_TRAIT_VIEW = 2, WEFT_TRAIT_MAP = 4, WEFT_TRAIT_INPLACE_0 = 16,
    WEFT_TRAIT_STATE = 32, WEFT_TRAIT_FUSED = 64, WEFT_TRAIT_SCHED = 128
};

typedef float weft__attr_f32;
typedef int32_t weft__attr_i32;
typedef int64_t weft__attr_i64;
typedef weft_dtype weft__attr_dtype;
typedef weft_act weft__attr_act;
typedef weft_rope_kind weft__attr_rope;
typedef weft_dims weft__attr_dims;
typedef weft_perm weft__attr_perm;
#define F(type, name) weft__attr_##type name;
#define O(type, name) weft__attr_##type name;
#define WEFT_ATTR(name, fields) typedef struct weft_attr_##name { fields int end_; } weft_attr_##name;
#include "attr.def"
#undef WEFT_ATTR
#define WEFT_ATTR(name, fields) weft_attr_##name name;
typedef union weft_attrs {
#include "attr.def"
} weft_attrs;
#undef WEFT_ATTR
#undef F
#undef O

typedef struct weft_op_info {
    const char *name;
    uint32_t min_in, max_in, n_out, traits;
    const char *attrs; /* "norm": the row of attr.def */
    const char *stem;
} weft_op_info;
WEFT_API const weft_op_info *weft_op_get(weft_op op); /* never NULL */

#ifdef __cplusplus
}
#endif
#endif
