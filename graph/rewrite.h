/* rewrite.h: the changes that schedulers make to a sealed graph: a copy or transfer in front of an input, a fused
 * product taken apart where no kernel runs it as one. Nodes keep their ids, and values theirs. Order is restored by
 * rewrite_finish. And two that models make: factors of products, and what adapters add. */
#ifndef WEFT_REWRITE_H
#define WEFT_REWRITE_H

#include "graph/graph.h"

/* Puts a node `op` (copy or transfer) between input number `input` of node `node` and its value, or, if *made is not 0,
 * lets that input read *made, which an earlier call gave for the same value. */
weft_status weft__rewrite_insert(weft_graph *g, weft_op op, uint32_t node, uint32_t input, weft_ref *made,
                                 weft_error *err);
/* The same for output number `output`. */
weft_status weft__rewrite_output(weft_graph *g, weft_op op, uint32_t output, weft_ref *made, weft_error *err);
/* Node `node`, a product with a norm of its input, reads the result of a norm instead: of a new node, or, if *made is
 * not 0, of the one that an earlier call gave for the same input, gain and attributes. */
weft_status weft__rewrite_part_norm(weft_graph *g, uint32_t node, weft_ref *made, weft_error *err);
/* Node `node`, a gated product without a norm, becomes the multiplication of two products, which are new. */
weft_status weft__rewrite_part_gate(weft_graph *g, uint32_t node, weft_error *err);
/* A product of which files have a factor. */
typedef struct weft__factor {
    uint32_t node;    /* matmul_nt or linear_select */
    const char *name; /* of the weight that it becomes, f32 */
    weft_dims dims;   /* [1]; of experts [n], or [n, what each gives] */
} weft__factor;
/* What reads the results of these products reads them multiplied. Sorts and verifies. */
weft_status weft__rewrite_factors(weft_graph *g, const weft__factor *list, uint32_t n, weft_error *err);
/* What adapters add to the rows of a value: to each B A x, of matrices that the row's id chooses, and a bias that it
 * chooses. An id that is none of the choices (-1) adds zeros. */
typedef struct weft__side {
    weft_ref value;       /* [T, m] */
    weft_ref ids;         /* i32 [T] */
    const char *a, *b;    /* weights, f32: [choices, rank, n] and [choices, m, rank]; NULL: no product */
    const char *bias;     /* weight, f32 [choices, m]; NULL: none */
    weft_ref x;           /* [T, n]; of a table: i32 [T], its rows */
    uint32_t rank, choices;
    uint32_t rows;        /* > 0: A is a table [choices rows, rank] */
} weft__side;
/* What reads these values reads them with that added; several may be of one value. Sorts and verifies. */
weft_status weft__rewrite_sides(weft_graph *g, const weft__side *list, uint32_t n, weft_error *err);
/* The input of that name, which it makes: i32 [n]. */
weft_status weft__rewrite_input(weft_graph *g, const char *name, weft_dim n, weft_ref *out, weft_error *err);
/* Sorts and verifies. */
weft_status weft__rewrite_finish(weft_graph *g, weft_error *err);

#endif
