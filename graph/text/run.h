/* run.h: one build of a graph from a text: what its files share.
 *
 * The statements run twice. The first time nothing is made: nodes are counted, parameters read and requirements
 * checked; conditions, bounds of repeats and attributes of blocks depend on parameters and counters alone, never on
 * values. The second time nodes are made. */
#ifndef WEFT_TEXT_RUN_H
#define WEFT_TEXT_RUN_H

#include "graph/text.h"
#include "graph/text/frame.h"

enum {
    WEFT__TEXT_NODES = 1000000,       /* that a text may make */
    WEFT__TEXT_STATEMENTS = 4000000,  /* that may run, turns of repeats included */
    WEFT__TEXT_STEPS = 64000000,      /* parts of expressions and elements of data */
    WEFT__TEXT_BODIES = 128,          /* bodies and blocks within each other while the text runs */
    WEFT__TEXT_LIST = 65536,          /* elements of a parameter */
    WEFT__TEXT_ATTRS = 256,           /* of a block */
};

/* A block that is running; the first frame is the text's. */
typedef struct weft__frame {
    weft__names names;
    const weft__stmt *block, *call; /* NULL: the text's own */
    uint32_t rank;                  /* of the block; blocks of lower ranks can be used */
    weft_ref out[WEFT_MAX_INPUTS];
    uint32_t n_out;
    bool returned;
    uint32_t n_bound; /* of the run when the block began */
} weft__frame;

typedef struct weft__counter { const char *name; int64_t at; } weft__counter;

typedef struct weft__run {
    const weft_graph_text *t;
    const weft_graph_text_desc *desc; /* never NULL, as err */
    weft_graph *g;
    weft_error *err;
    bool counting;
    uint32_t statements, nodes, steps;
    uint32_t first_node, first_order, first_extent; /* of the text: what the graph had before them can be taken */
    uint32_t n_extents;                /* of the text, while it is counted */

    weft__heap heap;
    weft__frame *frames[WEFT__TEXT_BODIES + 1]; /* by depth, made as they are needed */
    uint32_t depth, bodies;                     /* of the frame that runs; bodies open in all frames */
    uint32_t *bound;                            /* places of names of the frame to be unbound at the ends of bodies */
    size_t bound_cap;
    uint32_t n_bound;
    weft__counter counters[WEFT__TEXT_BODIES + 1];
    uint32_t n_counters;
    weft__names blocks;

    weft__arena kept;      /* what parameters are */
    weft__datum *params;   /* by the order of their statements */
    size_t param_cap;
    uint32_t n_params, next_param;
    bool *param_used;      /* by the caller's parameters */

    unsigned char *data; /* a constant's elements */
    size_t data_cap;
} weft__run;

static inline weft__frame *weft__run_frame(const weft__run *r)
{
    return r->frames[r->depth];
}

/* A fault at a place, with the blocks in which it stands and their counters. locate: of a fault that r->err has;
 * sticky: of one that a builder has recorded, OK if there is none. */
weft_status weft__run_fail(weft__run *r, const char *at, weft_status status, const char *fmt, ...) WEFT_PRINTF(4, 5);
weft_status weft__run_locate(weft__run *r, const char *at, weft_status status);
weft_status weft__run_sticky(weft__run *r, const char *at);
/* "what 'name'", and the nearest of n names, which rows of `size` bytes begin with. unbound: of those known here. */
weft_status weft__run_unknown(weft__run *r, const weft__ident *name, const char *what, const void *rows, uint32_t n,
                              size_t size);
weft_status weft__run_unbound(weft__run *r, const weft__ident *name, const char *what, bool is_value);
/* "a whole number is wanted, not 1.5" */
weft_status weft__run_unfit(weft__run *r, const weft__expr *e, const weft__datum *d, const char *wanted);
/* Work done: LIMIT if that is too much. */
weft_status weft__run_step(weft__run *r, const char *at, uint64_t n);

/* A parameter, a let, a counter or an extent known here; NULL: none. */
const weft__datum *weft__run_find(const weft__run *r, const char *name);
/* Binds it up to the end of the body; "given twice" if something is called so already. */
weft_status weft__run_bind(weft__run *r, const weft__ident *name, const weft__datum *d);

/* Values. */
weft_status weft__run_value(weft__run *r, const weft__ident *name, weft_ref *out);
weft_status weft__run_bind_value(weft__run *r, const weft__ident *name, weft_ref ref);

/* ---- eval.c ---- */
weft_status weft__eval(weft__run *r, const weft__expr *e, weft__datum *out);
/* Where a field takes words: a name that is nothing else is one. */
weft_status weft__eval_word(weft__run *r, const weft__expr *e, weft__datum *out);
/* Of the kind that is wanted. */
weft_status weft__eval_whole(weft__run *r, const weft__expr *e, int64_t lo, int64_t hi, int64_t *out);
weft_status weft__eval_number(weft__run *r, const weft__expr *e, double *out);
weft_status weft__eval_truth(weft__run *r, const weft__expr *e, bool *out);
weft_status weft__eval_text(weft__run *r, const weft__expr *e, const char **out);
/* eval_op.c: operators and functions of data. */
weft_status weft__eval_unary(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out);
weft_status weft__eval_binary(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *y,
                              weft__datum *out);
weft_status weft__eval_call(weft__run *r, const weft__expr *e, const weft__datum *args, weft__datum *out);

/* ---- param.c ---- */
weft_status weft__run_param(weft__run *r, const weft__stmt *s);
weft_status weft__run_require(weft__run *r, const weft__stmt *s);
weft_status weft__run_params_used(weft__run *r); /* NOT_FOUND: the caller gave one that the text does not have */

/* ---- field.c ---- */
weft_status weft__field_whole(weft__run *r, const weft__expr *e, int64_t lo, int64_t hi, int64_t *out); /* or a truth */
weft_status weft__field_act(weft__run *r, const weft__expr *e, weft_act *out);
weft_status weft__field_type(weft__run *r, const weft__type *type, weft_dtype *dtype, weft_dims *dims);
weft_status weft__field_attrs(weft__run *r, const weft__stmt *s, weft_op op, weft_attrs *attrs);
weft_status weft__field_data(weft__run *r, const weft__stmt *s, weft_dtype dtype, const weft_dims *dims);

/* ---- node.c ---- */
/* What a node's statement says; the types of its results lie in dtype and dims. */
typedef struct weft__line {
    weft__node_desc d;
    weft_attrs attrs;
    weft_dtype dtype[WEFT_MAX_OUTPUTS];
    weft_dims dims[WEFT_MAX_OUTPUTS];
} weft__line;
weft_status weft__line_read(weft__run *r, const weft__stmt *s, weft_op op, weft__line *l);
/* Types that are given must be what the results are. */
weft_status weft__line_compare(weft__run *r, const weft__stmt *s, const weft__line *l, const weft_ref *out);
weft_status weft__node_compare(weft__run *r, const weft__stmt *s, const weft_ref *out); /* the same of any results */
weft_status weft__node_made(weft__run *r, const weft__stmt *s, weft_ref made); /* tells the caller */
weft_status weft__node_inputs(weft__run *r, const weft__stmt *s, weft_ref *in);
weft_status weft__node_bind(weft__run *r, const weft__stmt *s, const weft_ref *out);
weft_status weft__node_rename(weft__run *r, const weft__stmt *s, const weft_ref *in); /* %a = %b */
weft_status weft__node_count(weft__run *r, const weft__stmt *s); /* and its data */
/* An op or an activation. Both arrays have WEFT_MAX_INPUTS values. */
weft_status weft__node_make(weft__run *r, const weft__stmt *s, const weft_ref *in, weft_ref *out);
weft_status weft__node_unknown(weft__run *r, const weft__stmt *s); /* the fault: there is no such op */

/* ---- block.c ---- */
weft_status weft__run_block(weft__run *r, const weft__stmt *s); /* its definition */
/* A use: a frame for the block, whose definition is given (NULL: there is none of this name). leave: what it has
 * returned. */
weft_status weft__block_enter(weft__run *r, const weft__stmt *s, const weft_ref *in, const weft__stmt **out);
weft_status weft__block_leave(weft__run *r, weft_ref *out);

/* ---- host.c ---- */
/* *found false: the caller has no such block. */
weft_status weft__host_make(weft__run *r, const weft__stmt *s, const weft_ref *in, weft_ref *out, bool *found);

/* ---- flat.c: texts of version 1 ---- */
weft_status weft__run_flat(weft__run *r);

#endif
