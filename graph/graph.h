/* graph.h: the static tensor graph: types, builders, sealing, passes, printing and reading back.
 *
 * A graph is SSA: a value (weft_ref) is made once, by a node with one op, typed attributes and input values.
 *
 *     weft_graph *g;
 *     weft_graph_create(NULL, &g, &err);
 *     weft_dim T = weft_extent(g, "tokens", 512);                    // 1..512, chosen per run
 *     weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(T, 64), "x");
 *     weft_ref w = weft_weight(g, WEFT_F16, WEFT_DIMS(256, 64), "w");
 *     weft_output(g, weft_gelu(g, weft_matmul_nt(g, x, w)), "y");
 *     if (weft_graph_seal(g, &err)) ...                              // the first error of any call above
 *
 * Builders are sticky: the first error is kept (with op, scope and shapes), later builders return id 0 and do nothing,
 * weft_graph_seal returns it. So code that builds a model checks nothing. A builder that is called after the sealing is
 * such an error too: the graph stays as it is, and weft_graph_seal (again), weft_graph_clone, weft_graph_keep_outputs,
 * weft_graph_optimise and weft_program_create return it.
 *
 * Shapes are outermost first and row-major, as numpy prints them. A dimension is a number, or a number times a named
 * extent with an upper bound. Memory is laid out for the bounds; a run gives the actual values.
 * Arithmetic is float32 unless an op or i32 operands say otherwise: floating inputs may be f32, f16 or bf16, results
 * are f32.
 * A graph belongs to one thread at a time. It copies every name, attribute and constant given to it. */
#ifndef WEFT_GRAPH_H
#define WEFT_GRAPH_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_MAX_RANK 6
#define WEFT_MAX_INPUTS 16
#define WEFT_MAX_OUTPUTS 2
#define WEFT_MAX_EXTENTS 8

/* ---- types ----------------------------------------------------------------------------------------------------- */

typedef enum weft_dtype {
    WEFT_ANY, /* weft_weight only: the weight_types of the graph's description decide */
#define WEFT_DTYPE(id, name, block, bytes, class_) WEFT_##id,
#include "dtype.def"
#undef WEFT_DTYPE
    WEFT_DTYPE_COUNT
} weft_dtype;

typedef enum weft_dtype_class { WEFT_DTYPE_NONE, WEFT_DTYPE_FLOAT, WEFT_DTYPE_INT, WEFT_DTYPE_BLOCK } weft_dtype_class;

typedef struct weft_dtype_info {
    const char *name;
    uint32_t block, bytes; /* elements and bytes per block; block is 1 for plain types */
    weft_dtype_class class_;
} weft_dtype_info;

WEFT_API const weft_dtype_info *weft_dtype_get(weft_dtype t); /* never NULL; unknown: name "?", block 1, bytes 0 */
WEFT_API bool weft_dtype_parse(const char *name, weft_dtype *out);
/* Bytes of a row of n elements; false if n is negative, no multiple of the block, or the size overflows. */
WEFT_API bool weft_dtype_row_bytes(weft_dtype t, int64_t n, uint64_t *out);

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
typedef weft_dims weft__attr_dims;
typedef weft_perm weft__attr_perm;
#define F(type, name) weft__attr_##type name;
#define WEFT_ATTR(name, fields) typedef struct weft_attr_##name { fields int end_; } weft_attr_##name;
#include "attr.def"
#undef WEFT_ATTR
#define WEFT_ATTR(name, fields) weft_attr_##name name;
typedef union weft_attrs {
#include "attr.def"
} weft_attrs;
#undef WEFT_ATTR
#undef F

typedef struct weft_op_info {
    const char *name;
    uint32_t min_in, max_in, n_out, traits;
    const char *attrs; /* "norm": the row of attr.def */
    const char *stem;
} weft_op_info;
WEFT_API const weft_op_info *weft_op_get(weft_op op); /* never NULL */

/* ---- building -------------------------------------------------------------------------------------------------- */

typedef struct weft_graph weft_graph;

typedef struct weft_bound { const char *extent; uint32_t bound; } weft_bound;

typedef struct weft_weight_type { const char *name; weft_dtype type; } weft_weight_type;

typedef struct weft_graph_desc {
    /* Stored types of weights that are declared WEFT_ANY, by full name, best in the order of declaration. Lent
     * until the graph is sealed. Such a weight that is not among them is refused; NULL: each is f32. */
    const weft_weight_type *weight_types;
    uint32_t n_weight_types;
    const weft_bound *bounds; /* bounds that replace those given to weft_extent; may be NULL */
    uint32_t n_bounds;
} weft_graph_desc;

/* desc may be NULL. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_create(const weft_graph_desc *desc, weft_graph **out, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_graph_clone(const weft_graph *g, weft_graph **out, weft_error *err);
WEFT_API void weft_graph_destroy(weft_graph *g);

/* The extent's dimension; the same name gives the same extent (and must give the same bound). Bound >= 1. */
WEFT_API weft_dim weft_extent(weft_graph *g, const char *name, uint32_t bound);
WEFT_API weft_dim weft_dim_mul(weft_dim a, int64_t factor);

/* A scope prefixes weight and state names ("gpt.layers.0." + "weight") and is the layer path of nodes made inside.
 * weft_scope_end returns `r` unchanged, so that a function can end with `return weft_scope_end(g, y);`. */
WEFT_API void weft_scope_begin(weft_graph *g, const char *fmt, ...) WEFT_PRINTF(2, 3);
WEFT_API weft_ref weft_scope_end(weft_graph *g, weft_ref r);

/* Records an error of the model's own ("heads do not divide hidden_size"), as a builder would. */
WEFT_API void weft_graph_fail(weft_graph *g, weft_status status, const char *fmt, ...) WEFT_PRINTF(3, 4);

/* Sources. Inputs, outputs and constants have graph-wide names; weights and states are prefixed by the scope.
 * Naming a weight or state twice gives the same value (tied weights). Block types need last dim % block == 0. */
WEFT_API weft_ref weft_input(weft_graph *g, weft_dtype t, weft_dims d, const char *name);
WEFT_API weft_ref weft_weight(weft_graph *g, weft_dtype t, weft_dims d, const char *name);
WEFT_API weft_ref weft_state(weft_graph *g, weft_dtype t, weft_dims d, const char *name); /* zero at first */
WEFT_API weft_ref weft_constant(weft_graph *g, weft_dtype t, weft_dims d, const void *data);

/* Views: no copy, no arithmetic. reshape keeps the element order; a permuted or sliced value is copied first where it
 * must be. order[i] is the source axis of result axis i. Axes may be negative (from the end). */
WEFT_API weft_ref weft_reshape(weft_graph *g, weft_ref x, weft_dims d);
WEFT_API weft_ref weft_permute(weft_graph *g, weft_ref x, const uint8_t *order, uint32_t rank);
WEFT_API weft_ref weft_transpose(weft_graph *g, weft_ref x, int axis0, int axis1);
WEFT_API weft_ref weft_slice(weft_graph *g, weft_ref x, int axis, int64_t start, int64_t size);
WEFT_API weft_ref weft_select(weft_graph *g, weft_ref x, int axis, int64_t index); /* slice of 1, axis dropped */
WEFT_API void weft_split(weft_graph *g, weft_ref x, int axis, uint32_t n, weft_ref *out); /* n equal slices */
WEFT_API weft_ref weft_broadcast(weft_graph *g, weft_ref x, weft_dims d);              /* numpy rules */

/* Element-wise, a builder per row of map.def and act.def: weft_gelu(g, x), weft_add(g, x, y), weft_scale(g, x, factor).
 * Operands broadcast as numpy's do. gelu: x/2 (1 + erf(x/sqrt 2)); gelu_tanh: x/2 (1 + tanh(sqrt(2/pi)
 * (x + 0.044715 x^3))) (Hendrycks and Gimpel, arXiv:1606.08415); silu: x sigmoid(x); scale: x times the factor;
 * clamp: low where x is below it, else high where x is above it; a NaN stays.
 * softplus: log(1 + e^x); relu2: x^2 where x is above 0, else 0; pow as C's; min, max: a NaN if one is.
 * less, less_equal, equal, not_equal: i32, 1 or 0 (of a NaN 0, but not_equal 1). weft_where(g, c, x, y): x where the
 * i32 c is not 0, else y.
 * add, sub, mul, div, abs, neg, min, max, where and the comparisons also take i32 operands (all of them, c apart; the
 * result is i32): 32-bit two's complement that wraps; a quotient is cut towards zero, and is 0 where the divisor is. */
#define WEFT__BUILDER_1_none(name) WEFT_API weft_ref weft_##name(weft_graph *g, weft_ref x);
#define WEFT__BUILDER_2_none(name) WEFT_API weft_ref weft_##name(weft_graph *g, weft_ref x, weft_ref y);
#define WEFT__BUILDER_3_none(name) WEFT_API weft_ref weft_##name(weft_graph *g, weft_ref c, weft_ref x, weft_ref y);
#define WEFT__BUILDER_1_scale(name) WEFT_API weft_ref weft_##name(weft_graph *g, weft_ref x, float factor);
#define WEFT__BUILDER_1_clamp(name) WEFT_API weft_ref weft_##name(weft_graph *g, weft_ref x, float low, float high);
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) WEFT__BUILDER_##inputs##_##attrs(name)
#include "map.def"
#undef WEFT_MAP
#undef WEFT__BUILDER_1_none
#undef WEFT__BUILDER_2_none
#undef WEFT__BUILDER_3_none
#undef WEFT__BUILDER_1_scale
#undef WEFT__BUILDER_1_clamp
WEFT_API weft_ref weft_activation(weft_graph *g, weft_ref x, weft_act act); /* NONE returns x */
WEFT_API weft_ref weft_cast(weft_graph *g, weft_ref x, weft_dtype t); /* f32, f16, bf16 (to nearest even), i32 */

/* Along the last axis; w and b are [n] or none ((weft_ref){0}). layer_norm: (x - mean) / sqrt(var + eps) * w + b with
 * the population variance (Ba et al., arXiv:1607.06450); rms_norm: x / sqrt(mean(x^2) + eps) * w (arXiv:1910.07467). */
WEFT_API weft_ref weft_layer_norm(weft_graph *g, weft_ref x, weft_ref w, weft_ref b, float eps);
WEFT_API weft_ref weft_rms_norm(weft_graph *g, weft_ref x, weft_ref w, float eps);
/* Along `axis`. Reductions drop the axis. argmax: i32, the first of equals. */
WEFT_API weft_ref weft_softmax(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_reduce_sum(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_reduce_mean(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_reduce_max(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_argmax(weft_graph *g, weft_ref x, int axis);
/* The k largest of the last axis, descending, the lower index first among equals: values f32 and indices i32 [.., k].
 * A NaN counts as smaller than every number (in argmax and reduce_max too). */
WEFT_API void weft_top_k(weft_graph *g, weft_ref x, uint32_t k, weft_ref *values, weft_ref *indices);

/* a [.., M, K] b [.., K, N] -> [.., M, N]; matmul_nt: b [.., N, K], as checkpoints store weights. Leading dims
 * broadcast. b may be a block type in matmul_nt. */
WEFT_API weft_ref weft_matmul(weft_graph *g, weft_ref a, weft_ref b);
WEFT_API weft_ref weft_matmul_nt(weft_graph *g, weft_ref a, weft_ref b);
/* table [V, ..] of any type, index i32 [..]: rows of the table as f32, [index dims.., table dims after the first..].
 * An index outside 0..V-1 gives a row of zeros. */
WEFT_API weft_ref weft_gather(weft_graph *g, weft_ref table, weft_ref index);
WEFT_API weft_ref weft_concat(weft_graph *g, const weft_ref *x, uint32_t n, int axis);

/* Writes rows into a state: result = state, but [.., index[t], ..] = rows [.., t, ..] along `axis`. index i32 [T];
 * rows have the state's dims with T at `axis`. Converts to the state's type; finite numbers too large for f16 become
 * NaN. An index outside the state is ignored (padding). The value passed as `state` must not be read afterwards:
 * readers take the result. */
WEFT_API weft_ref weft_store(weft_graph *g, weft_ref state, weft_ref rows, weft_ref index, int axis);

/* Rotary embedding (Su et al., arXiv:2104.09864) in two steps, so that all layers share one table.
 * angles: pos i32 [T] -> f32 [T, n_rot/2, 2] of (cos, sin) of pos * position_scale * theta^(-2i/n_rot) / factor[i];
 * factors f32 [n_rot/2] or none. Angles are computed in double precision.
 * rope: x [T, .., D] with D >= n_rot; rotates pairs (i, i + n_rot/2), or (2i, 2i+1) if interleaved; the rest passes. */
WEFT_API weft_ref weft_rope_angles(weft_graph *g, weft_ref pos, weft_ref factors, uint32_t n_rot, float theta,
                                   float position_scale);
WEFT_API weft_ref weft_rope(weft_graph *g, weft_ref x, weft_ref angles, bool interleaved);

/* Scaled dot-product attention over cells. q [T, H, D]; k, v [G, C, D] of C cells (G divides H: head h reads group
 * h / (H/G)); first, last i32 [T]: query t sees the cells first[t]..last[t] inclusive (none if last < first: zeros).
 * Causality, sequences and sliding windows are therefore data. softmax(scale q k^T) v -> [T, H, D]. */
WEFT_API weft_ref weft_attention(weft_graph *g, weft_ref q, weft_ref k, weft_ref v, weft_ref first, weft_ref last,
                                 float scale);

/* Names a value as an output; returns x. Outputs are readable after a run. */
WEFT_API weft_ref weft_output(weft_graph *g, weft_ref x, const char *fmt, ...) WEFT_PRINTF(3, 4);

/* Verifies everything and freezes the graph for builders. Returns the first builder error if there was one. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_seal(weft_graph *g, weft_error *err);

/* ---- hyperparameters of a model definition --------------------------------------------------------------------- */

/* A value that a definition got. */
typedef struct weft_config_value {
    const char *key;  /* as it was asked for */
    const char *text; /* of a text; NULL of a number */
    double number;
    bool truth; /* the number is a yes or a no */
    bool found; /* false: the fallback that the definition gave */
} weft_config_value;

/* Read access to a configuration, whatever file it came from. Lookups return 1 found, 0 absent, -1 wrong type. What a
 * model type takes where a file has no such key is for `number` and `text` to know: definitions serve several types. */
typedef struct weft_config {
    const void *ctx;
    int (*number)(const void *ctx, const char *key, double *out); /* true and false read as 1 and 0 */
    int (*text)(const void *ctx, const char *key, const char **out);
    const char *origin; /* named in errors, such as a file's path */
    /* The rest may be NULL. How the file spells a key, for messages; without: the key. */
    const char *(*spelling)(const void *ctx, const char *key);
    void (*asked)(void *sink, const weft_config_value *v); /* told of every value that a definition gets */
    void *sink;
} weft_config;

/* Sticky like builders: a missing or unfit value is recorded in g and a harmless value returned. */
WEFT_API uint32_t weft_config_u32(weft_graph *g, const weft_config *c, const char *key, uint32_t min, uint32_t max);
/* For what follows from other keys unless the file has it. */
WEFT_API uint32_t weft_config_u32_or(weft_graph *g, const weft_config *c, const char *key, uint32_t fallback,
                                     uint32_t min, uint32_t max);
/* Double, because what is derived from it is derived in double precision elsewhere. */
WEFT_API double weft_config_f64(weft_graph *g, const weft_config *c, const char *key, double min, double max);
WEFT_API bool weft_config_bool(weft_graph *g, const weft_config *c, const char *key);
/* An activation by any of its usual names: gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, silu, swish, ... */
WEFT_API weft_act weft_config_act(weft_graph *g, const weft_config *c, const char *key);

/* ---- reading a graph ------------------------------------------------------------------------------------------- */

typedef struct weft_value {
    weft_dtype dtype;
    weft_dims dims;
    uint32_t node;  /* position-independent node id: pass it to weft_graph_node_by_id */
    uint32_t index; /* which output of the node */
} weft_value;

typedef struct weft_node {
    weft_op op;
    uint32_t id; /* 1-based, never reused, stable under passes */
    uint32_t n_in, n_out;
    const weft_ref *in;
    weft_ref out[WEFT_MAX_OUTPUTS];
    weft_attrs attrs;
    const char *scope; /* layer path such as "layers.3.attention"; "" at the top */
    const char *name;  /* sources: the full name; others NULL */
    const void *data;  /* constants: the bytes */
    const uint32_t *origin; /* fused nodes: ids of the nodes it replaced */
    uint32_t n_origin;
} weft_node;

typedef struct weft_named { const char *name; weft_ref ref; } weft_named;

/* Live nodes in topological order, position 0..count-1. Pointers hold until the graph changes or is destroyed. */
WEFT_API uint32_t weft_graph_node_count(const weft_graph *g);
WEFT_API const weft_node *weft_graph_node(const weft_graph *g, uint32_t position);
WEFT_API const weft_node *weft_graph_node_by_id(const weft_graph *g, uint32_t id); /* NULL: none, or removed */
WEFT_API const weft_value *weft_graph_value(const weft_graph *g, weft_ref r);      /* NULL: none, or removed */
WEFT_API uint32_t weft_graph_value_limit(const weft_graph *g); /* every value id is below this */
WEFT_API uint32_t weft_graph_node_limit(const weft_graph *g);  /* every node id is below this */
WEFT_API const weft_named *weft_graph_outputs(const weft_graph *g, uint32_t *n);
WEFT_API weft_ref weft_graph_find(const weft_graph *g, const char *name); /* an input or output by name; id 0: none */
WEFT_API uint32_t weft_graph_extent_count(const weft_graph *g);
WEFT_API const char *weft_graph_extent(const weft_graph *g, uint32_t extent, uint32_t *bound); /* 1-based; NULL: none */
/* dims with extents replaced by values[extent - 1]; values NULL: the bounds. out has WEFT_MAX_RANK entries. */
WEFT_API void weft_dims_resolve(const weft_graph *g, const weft_dims *d, const int64_t *values, int64_t *out);
/* Elements, and bytes, of a value at those extents. */
WEFT_API int64_t weft_value_elements(const weft_graph *g, weft_ref r, const int64_t *values);
WEFT_API uint64_t weft_value_bytes(const weft_graph *g, weft_ref r, const int64_t *values);

/* Work of a node: operations (a multiply-add counts 2) and bytes that must move if nothing is cached twice. */
typedef struct weft_cost { double flops, bytes_read, bytes_written; } weft_cost;
WEFT_API weft_cost weft_node_cost(const weft_graph *g, const weft_node *n, const int64_t *values);

/* ---- changing a sealed graph ----------------------------------------------------------------------------------- */

/* Keeps only these outputs (NOT_FOUND names an unknown one); what no longer feeds an output is removed by the dce
 * pass. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_keep_outputs(weft_graph *g, const char *const *names, uint32_t n,
                                                           weft_error *err);
/* Runs passes by name, in order (NULL: the default list), each followed by the verifier. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_optimise(weft_graph *g, const char *const *passes, uint32_t n,
                                                       weft_error *err);
WEFT_API const char *const *weft_pass_names(uint32_t *n); /* the default list */
/* Recomputes every fact (arity, shapes, types, uses, order, state discipline) and compares. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_verify(const weft_graph *g, weft_error *err);

/* The text form, which weft_graph_parse reads back to an equal graph (docs/graph-text.md). `origin` is named in
 * errors. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_print(const weft_graph *g, const weft_writer *w, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_graph_parse(const char *text, size_t n, const char *origin,
                                                    const weft_graph_desc *desc, weft_graph **out, weft_error *err);

/* ---- dumps ----------------------------------------------------------------------------------------------------- */

typedef enum weft_dump_format {
    WEFT_DUMP_TEXT,           /* weft_graph_print */
    WEFT_DUMP_DOT,            /* Graphviz: layers as clusters, those that are alike drawn once */
    WEFT_DUMP_JSON,           /* docs/dump-format.md */
    WEFT_DUMP_MODEL_EXPLORER, /* Google's Model Explorer */
    WEFT_DUMP_FORMAT_COUNT
} weft_dump_format;

typedef struct weft_dump_desc {
    const char *title;         /* may be NULL */
    const weft_bound *extents; /* sizes and costs are given for these values; what is not named: for its bound */
    uint32_t n_extents;
    uint32_t first_layer, n_layers; /* DOT: these layers are drawn in full; n_layers 0: none asked for */
    bool unfold;                    /* DOT: all of them are */
} weft_dump_desc;

/* desc may be NULL. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_dump(const weft_graph *g, weft_dump_format format,
                                                   const weft_dump_desc *desc, const weft_writer *w, weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
