/* graph.h: the static tensor graph: its life from the first builder (build.h) to sealing, passes, printing and reading
 * back. Includes types.h and build.h.
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

#include "graph/build.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- life ------------------------------------------------------------------------------------------------------ */

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
WEFT_API double weft_config_f64_or(weft_graph *g, const weft_config *c, const char *key, double fallback, double min,
                                   double max);
WEFT_API bool weft_config_bool(weft_graph *g, const weft_config *c, const char *key);
WEFT_API bool weft_config_bool_or(weft_graph *g, const weft_config *c, const char *key, bool fallback);
/* Lent by the configuration. */
WEFT_API const char *weft_config_text_or(weft_graph *g, const weft_config *c, const char *key, const char *fallback);
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
