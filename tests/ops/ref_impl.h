/* ref_impl.h: what the files of the oracle share. One function per row of op.def: a row without one does not link. */
#ifndef TEST_REF_IMPL_H
#define TEST_REF_IMPL_H

#include "ref_ops.h"

#include <math.h>

#define REF_U 5.9604644775390625e-8 /* 2^-24: half a unit of float32 */

typedef struct ref_call {
    const weft_node *n;
    const ref_tensor *const *in; /* NULL where an optional input is absent */
    uint32_t n_in;
    ref_mode mode;
    const int64_t *extents;
    ref_tensor *out;
} ref_call;

#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) \
    bool ref_op_##name(const ref_call *c);
#include "graph/op.def"
#undef WEFT_OP

/* A tensor seen as [outer, n, inner] around one axis. */
typedef struct ref_axis {
    int64_t outer, n, inner;
} ref_axis;
ref_axis ref_around(const ref_tensor *t, int32_t axis);

/* Sets an element: rounds to the tensor's type, and widens the bound where that rounding can go two ways. */
void ref_set(ref_tensor *t, int64_t i, double v, double e);
void ref_resolve(const ref_call *c, const weft_dims *d, int64_t *out);
/* Element of x that a broadcast to `out` reads for the output's element i. */
int64_t ref_broadcast_index(const ref_tensor *out, const ref_tensor *x, int64_t i);
/* numpy's common shape; false if there is none. */
bool ref_broadcast_dims(const ref_tensor *a, const ref_tensor *b, uint32_t *rank, int64_t *dim);
bool ref_complain(const ref_call *c, const char *what);
/* An activation's value, and the bound that follows from the argument's. */
double ref_act(weft_act act, double x, double *e);

static inline double ref_gamma(int64_t n)
{
    return REF_U * (4.0 + 4.0 * sqrt((double)n));
}

#endif
