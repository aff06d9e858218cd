/* build.h: the builders: one function per op, and what each computes. Part of graph.h, whose head shows a graph being
 * built and says how errors are kept. */
#ifndef WEFT_BUILD_H
#define WEFT_BUILD_H

#include "graph/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The extent's dimension; the same name gives the same extent (and must give the same bound). Bound >= 1. */
WEFT_API weft_dim weft_extent(weft_graph *g, const char *name, uint32_t bound);
WEFT_API weft_dim weft_dim_mul(weft_dim a, int64_t factor);

/* A scope prefixes weight and state names ("gpt.layers.0." + "weight") and is the layer path of nodes made inside.
 * weft_scope_end returns `r` unchanged, so that a function can end with `return weft_scope_end(g, y);`. */
WEFT_API void weft_scope_begin(weft_graph *g, const char *fmt, ...) WEFT_PRINTF(2, 3);
WEFT_API weft_ref weft_scope_end(weft_graph *g, weft_ref r);

/* Records an error of the model's own ("heads do not divide hidden_size"), as a builder would. */
WEFT_API void weft_graph_fail(weft_graph *g, weft_status status, const char *fmt, ...) WEFT_PRINTF(3, 4);

/* Sources. Inputs and outputs have graph-wide names, and an input stands in no scope; weights and states are prefixed
 * by it. Naming a weight or state twice gives the same value (tied weights). Block types need last dim % block == 0;
 * they are for weights and, if numbers can be turned into them (weft_dtype_info.encodes), for states. */
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
 * the population variance (Ba et al., arXiv:1607.06450); rms_norm: x / sqrt(mean(x^2) + eps) * w (arXiv:1910.07467);
 * l2_norm: x / sqrt(sum(x^2) + eps), without weight. */
typedef enum weft_norm_kind { WEFT_NORM_LAYER, WEFT_NORM_RMS, WEFT_NORM_L2 } weft_norm_kind;
typedef struct weft_norm_desc {
    weft_norm_kind kind;
    weft_ref w, b; /* [n] or none; b: LAYER only */
    float eps;
    uint32_t group; /* the last axis in groups of so many, each normalised by itself; 0: as one */
    bool one_plus;  /* times 1 + w */
} weft_norm_desc;
WEFT_API weft_ref weft_norm(weft_graph *g, weft_ref x, const weft_norm_desc *d);
WEFT_API weft_ref weft_layer_norm(weft_graph *g, weft_ref x, weft_ref w, weft_ref b, float eps);
WEFT_API weft_ref weft_rms_norm(weft_graph *g, weft_ref x, weft_ref w, float eps);
WEFT_API weft_ref weft_l2_norm(weft_graph *g, weft_ref x, float eps);
/* Along `axis`. Reductions drop the axis. argmax: i32, the first of equals. */
WEFT_API weft_ref weft_softmax(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_cumsum(weft_graph *g, weft_ref x, int axis); /* of all up to each, itself included */
WEFT_API weft_ref weft_reduce_sum(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_reduce_mean(weft_graph *g, weft_ref x, int axis); /* finite where all of x are */
WEFT_API weft_ref weft_reduce_max(weft_graph *g, weft_ref x, int axis);
WEFT_API weft_ref weft_argmax(weft_graph *g, weft_ref x, int axis);
/* The k largest of the last axis, descending, the lower index first among equals: values f32 and indices i32 [.., k].
 * A NaN counts as smaller than every number (in argmax and reduce_max too). */
WEFT_API void weft_top_k(weft_graph *g, weft_ref x, uint32_t k, weft_ref *values, weft_ref *indices);

/* a [.., M, K] b [.., K, N] -> [.., M, N]; matmul_nt: b [.., N, K], as checkpoints store weights. Leading dims
 * broadcast. b may be a block type in matmul_nt. */
WEFT_API weft_ref weft_matmul(weft_graph *g, weft_ref a, weft_ref b);
WEFT_API weft_ref weft_matmul_nt(weft_graph *g, weft_ref a, weft_ref b);
/* Of E matrices the K that a token chooses: x [T, n], or [T, K, n] with a row for each choice; experts [E, m, n] of any
 * type; ids i32 [T, K] -> [T, K, m] = experts[ids[t, k]] x[t (, k)]. An id outside 0..E-1 gives a row of zeros, and
 * reads nothing. The sum over K with weights w [T, K] is matmul([T, 1, K], [T, K, m]). */
WEFT_API weft_ref weft_linear_select(weft_graph *g, weft_ref x, weft_ref experts, weft_ref ids);
/* table [V, ..] of any type, index i32 [..]: rows of the table as f32, [index dims.., table dims after the first..].
 * An index outside 0..V-1 gives a row of zeros. */
WEFT_API weft_ref weft_gather(weft_graph *g, weft_ref table, weft_ref index);
WEFT_API weft_ref weft_concat(weft_graph *g, const weft_ref *x, uint32_t n, int axis);

/* Writes rows into a state: result = state, but [.., index[t], ..] = rows [.., t, ..] along `axis`. index i32 [T];
 * rows have the state's dims with T at `axis`. Converts to the state's type; finite numbers too large for f16 become
 * NaN. A block type takes whole blocks (`axis` is not the last), and a block with what is no finite number, or with too
 * large a scale, becomes NaN. An index outside the state is ignored (padding); one that stands there twice in one run
 * is INVALID, and which of its rows stays is not defined. The value passed as `state` is read by what was built before,
 * and by nothing afterwards: later readers take the result. */
WEFT_API weft_ref weft_store(weft_graph *g, weft_ref state, weft_ref rows, weft_ref index, int axis);

/* Recurrence. The tokens of a batch belong to sequences, in any mixture: sequence i32 [T], a row of the state each;
 * outside of it, such as -1, is padding: y is 0 there, and nothing else comes of it. Those of one sequence follow upon
 * each other in the order of the batch, the first of them upon what the state holds, or upon zeros where reset i32 [T]
 * is not 0: such a token begins its sequence anew. After the last one the state's row is what the sequence's next token
 * follows upon; rows without a token stay. So it does not matter how tokens are cut into batches. Both return y f32
 * [T, E]; *next, unless it is NULL, gets the state's new value. They read the value passed as `state` and then replace
 * it, so that, as with weft_store, nothing that is built later reads it.
 *
 * conv1d: causal, per channel: y[t, e] = bias[e] + sum over k of weight[e, k] x[t - (K-1) + k, e], where t counts
 * within the sequence. x [T, E], weight [E, K] with K >= 2, bias [E] or none, state [S, K-1, E]: the last rows of x.
 * linear_scan: y[t] = h = a[t] h + b[t], element-wise; a, b [T, E], state [S, E]: the last h. */
WEFT_API weft_ref weft_conv1d(weft_graph *g, weft_ref state, weft_ref x, weft_ref weight, weft_ref bias,
                              weft_ref sequence, weft_ref reset, weft_ref *next);
WEFT_API weft_ref weft_linear_scan(weft_graph *g, weft_ref state, weft_ref a, weft_ref b, weft_ref sequence,
                                   weft_ref reset, weft_ref *next);

/* Rotary embedding (Su et al., arXiv:2104.09864) in two steps, so that all layers share one table.
 * rope_table: pos i32 [T] -> f32 [T, n_rot/2, 2] of (cos, sin) of pos * frequency[i], times a scale. Angles are
 * computed in double precision. frequency[i] is theta^(-2i / n_rot), which the kinds change as transformers does
 * (docs/ops.md has the formulas). A zeroed field is not used, or has the kind's default.
 * rope: x [T, .., D] with D >= n_rot; rotates pairs (i, i + n_rot/2), or (2i, 2i+1) if interleaved; the rest passes. */
typedef struct weft_rope_desc {
    weft_rope_kind kind;
    uint32_t n_rot;
    float theta;
    float factor;    /* by which contexts are stretched: all kinds but DEFAULT; LONGROPE: for the scale alone */
    float original;  /* length that the model was trained with: DYNAMIC, BANDS, YARN, LONGROPE */
    float low, high; /* BANDS: low and high frequency factor; YARN: beta slow and fast (1, 32) */
    bool untruncated; /* YARN: the ramp's ends are no whole pairs */
    float scale;     /* of cos and sin; 0: as the kind says (YARN, LONGROPE: by factor), else 1 */
    uint32_t pairs;  /* only the first so many turn; 0: all */
    weft_ref length; /* i32 [T], how long each token's sequence is: DYNAMIC, LONGROPE */
    weft_ref factors, long_factors; /* f32 [n_rot/2] that divide frequencies: LONGROPE up to the original length and
                                     * beyond; the first alone with any other kind but DYNAMIC */
} weft_rope_desc;
WEFT_API weft_ref weft_rope_table(weft_graph *g, weft_ref pos, const weft_rope_desc *d);
WEFT_API weft_ref weft_rope_angles(weft_graph *g, weft_ref pos, uint32_t n_rot, float theta); /* of kind DEFAULT */
WEFT_API weft_ref weft_rope(weft_graph *g, weft_ref x, weft_ref angles, bool interleaved);

/* Scaled dot-product attention over cells. q [T, H, D]; k [G, C, D] and v [G, C, E] of C cells (G divides H: head h
 * reads group h / (H/G)); first, last i32 [T]: query t sees the cells first[t]..last[t] inclusive (none if last is
 * below first: zeros). Causality, sequences and sliding windows are therefore data. softmax(scale q k^T) v gives
 * [T, H, E]. Any number of nodes may read one state, v may be a slice of k, and k and v may be of block types. */
WEFT_API weft_ref weft_attention(weft_graph *g, weft_ref q, weft_ref k, weft_ref v, weft_ref first, weft_ref last,
                                 float scale);

/* What attention may have besides; zeros: nothing.
 * Cells in pages: C is a multiple of `page` (a power of two, 16 to 256), first and last are positions p of the token's
 * sequence (i32 [T]), and position p is cell pages[sequence][p / page] * page + p % page (pages i32 [S, N]). Positions
 * past N * page, on pages that are not there (-1: given back) and of sequences outside 0..S-1 are not seen: they count
 * as masked. The same pages may stand in several rows.
 * Scores, in this order: soft_cap c > 0 makes c tanh(s / c) of the score s; slopes f32 [H] add slope (p - last[t]) to
 * that of position p (ALiBi, arXiv:2108.12409); bias f32 [H, T, P] or [1, T, P] of P positions (C, or N * page) adds
 * what it has for head, token and position. sinks f32 [H]: a score besides, whose weight counts in the softmax's sum
 * and whose value is zero. */
typedef struct weft_attention_desc {
    uint32_t page;
    weft_ref sequence, pages;
    float soft_cap;
    weft_ref sinks, slopes, bias;
} weft_attention_desc;
WEFT_API weft_ref weft_attention_with(weft_graph *g, weft_ref q, weft_ref k, weft_ref v, weft_ref first,
                                      weft_ref last, float scale, const weft_attention_desc *more);

/* Names a value as an output; returns x. Outputs are readable after a run. */
WEFT_API weft_ref weft_output(weft_graph *g, weft_ref x, const char *fmt, ...) WEFT_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
