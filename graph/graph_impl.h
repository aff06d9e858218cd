/* graph_impl.h: the graph's own data, shared by the files of this folder only (builders, passes, parser, printer).
 *
 * Nodes and values live in arrays indexed by id. Ids are never reused: a pass that replaces nodes makes new ids and
 * removes the old ones, so that a profile of the optimised graph can name the nodes it came from. */
#ifndef WEFT_GRAPH_IMPL_H
#define WEFT_GRAPH_IMPL_H

#include "graph/graph.h"

#define WEFT__MAX_NAME 1023 /* bytes of a name or scope */

typedef struct weft__call weft__call; /* calls.h */
typedef struct weft__extent_def { const char *name; uint32_t bound; } weft__extent_def;

struct weft_graph {
    weft__arena arena; /* names, nodes, inputs, constants */
    weft_node **nodes; /* by id; NULL = removed; [0] unused */
    size_t node_cap;
    uint32_t node_limit;
    weft_value *values; /* by id; node 0 = removed; [0] unused */
    size_t value_cap;
    uint32_t value_limit;
    uint32_t *order; /* ids of live nodes, topological */
    size_t order_cap;
    uint32_t n_order;
    weft__extent_def extents[WEFT_MAX_EXTENTS];
    uint32_t n_extents;
    weft_named *outputs;
    size_t output_cap;
    uint32_t n_outputs;
    uint32_t *output_names; /* hash table: places in `outputs`, from 1, by name; 0 = free */
    uint32_t output_name_cap;
    uint32_t *names; /* hash table: ids of sources by (op, name); 0 = free */
    uint32_t name_cap, n_names;
    weft_graph_desc desc; /* bounds copied into the arena */
    uint32_t next_weight_type; /* position in desc.weight_types after the one found last */
    char scope[WEFT__MAX_NAME + 1];
    uint32_t scope_ends[32]; /* lengths of `scope` to return to */
    uint32_t scope_depth;
    weft__call *calls; /* by their first node */
    size_t call_cap;
    uint32_t n_calls, call_depth;
    weft_error error; /* the first builder error; status WEFT_OK while there is none */
    bool sealed;
};

/* Sticky failure of a builder: keeps the first. Returns ref 0. */
weft_ref weft__graph_sticky(weft_graph *g, weft_status status, const char *file, int line, const char *fmt, ...)
    WEFT_PRINTF(5, 6);
#define WEFT__STICKY(g, status, ...) weft__graph_sticky((g), (status), __FILE__, __LINE__, __VA_ARGS__)

/* Appends a node at the end of the order: checks arity, runs the shape rule, makes the outputs. The one way by which
 * nodes come into being (builders, parser, passes). `scope` and `name` are copied. NULL on failure, *err says why. */
weft_node *weft__graph_add(weft_graph *g, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n_in,
                           const char *scope, const char *name, weft_error *err);
/* For sources, whose type and dims come from outside instead of from a rule. */
weft_node *weft__graph_add_source(weft_graph *g, weft_op op, weft_dtype t, const weft_dims *d, const char *scope,
                                  const char *name, const void *data, weft_error *err);


/* What a node is made from; both functions above are forms of weft__graph_make. The parser gives the ids, too. */
typedef struct weft__node_desc {
    weft_op op;
    const weft_attrs *attrs; /* NULL: zeros */
    const weft_ref *in;
    uint32_t n_in;
    const char *scope, *name; /* scope NULL: "" */
    weft_dtype dtype;         /* sources */
    const weft_dims *dims;    /* sources */
    const void *data;         /* constants: copied */
    uint32_t node_id, value_id[WEFT_MAX_OUTPUTS]; /* 0: the next free; else unused so far */
} weft__node_desc;
weft_node *weft__graph_make(weft_graph *g, const weft__node_desc *d, weft_error *err);

/* A source by op and full name; NULL: none. */
weft_node *weft__graph_source(const weft_graph *g, weft_op op, const char *name);
/* An output by name; NULL: none. */
const weft_named *weft__graph_output(const weft_graph *g, const char *name);
/* Fills the table of output names, which is large enough, from the outputs. */
void weft__graph_index_outputs(weft_graph *g);
/* As weft_extent, weft_output and so on, but failing at once: shared by builders and parser. extent is 1-based. */
weft_status weft__graph_add_extent(weft_graph *g, const char *name, uint32_t bound, uint32_t *extent, weft_error *err);
weft_status weft__graph_add_output(weft_graph *g, weft_ref r, const char *name, weft_error *err);
/* The type that a weight declared *t is stored in: looks WEFT_ANY up in the description. */
weft_status weft__graph_weight_dtype(weft_graph *g, const char *name, weft_dtype *t, weft_error *err);

/* The first error of a builder, if there was one: also of one that was called after the sealing. */
weft_status weft__graph_broken(const weft_graph *g, weft_error *err);

/* ---- for passes (graph is sealed) ---- */
/* Uses per value id (outputs count as a use); calloc'd, weft_graph_value_limit entries; NULL = OOM. */
uint32_t *weft__graph_uses(const weft_graph *g);
/* Restores topological order after additions and replacements: stable, each node as early as where it stood. */
weft_status weft__graph_sort(weft_graph *g, weft_error *err);
/* Marks `n` as made from the nodes ids[0..count). Origins of origins are flattened. False = OOM. */
bool weft__graph_set_origin(weft_graph *g, weft_node *n, const uint32_t *ids, uint32_t count);

/* ---- rules, one function per row of op.def ---- */
typedef struct weft__shape_result {
    weft_dtype dtype[WEFT_MAX_OUTPUTS];
    weft_dims dims[WEFT_MAX_OUTPUTS];
} weft__shape_result;
weft_status weft__shape(const weft_graph *g, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n_in,
                        weft__shape_result *out, weft_error *err);

/* Checks rank, every n and extent, and gives the number of elements at the bounds: what a layout needs to be
 * computable. */
weft_status weft__dims_check(const weft_graph *g, const weft_dims *d, int64_t *elements, weft_error *err);
/* Whether a source may have the type: blocks are for weights, and for states into which numbers can be stored. */
bool weft__source_takes(weft_op op, weft_dtype t);
/* A weight in blocks is no output: nothing copies it. */
bool weft__is_block_weight(const weft_graph *g, weft_ref r);
/* Whether a value of this type and these dims can exist: rank, sizes, extents, blocks, bytes at the bounds. */
weft_status weft__value_check(const weft_graph *g, weft_dtype t, const weft_dims *d, weft_error *err);

/* ---- attributes, generated from attr.def ---- */
typedef struct weft__attr_field {
    const char *name;
    enum { ATTR_f32, ATTR_i32, ATTR_i64, ATTR_dtype, ATTR_act, ATTR_rope, ATTR_dims, ATTR_perm } type;
    uint32_t offset;
    bool optional;
} weft__attr_field;
const weft__attr_field *weft__attr_fields(weft_op op, uint32_t *n);
bool weft__attr_shown(const weft__attr_field *f, const weft_attrs *a); /* not an optional one that is 0 */
bool weft__attrs_equal(weft_op op, const weft_attrs *a, const weft_attrs *b);
uint64_t weft__attrs_hash(weft_op op, const weft_attrs *a);

/* Human text of dims such as "[tokens, 768]", for errors. buf of 160 bytes is always enough; returns buf. */
const char *weft__dims_text(const weft_graph *g, const weft_dims *d, char *buf, size_t size);
bool weft__dim_equal(weft_dim a, weft_dim b);
bool weft__dims_equal(const weft_dims *a, const weft_dims *b);

/* ---- passes: each in its own pass_<name>.c; *changed is set when it did something ---- */
typedef weft_status weft__pass_fn(weft_graph *g, bool *changed, weft_error *err);

#endif
