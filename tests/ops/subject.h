/* subject.h: a graph under test, the data of its sources, what the oracle makes of it, and how a
 * device is compared with that. Both the op cases and the random graphs become subjects.
 *
 * Every subject runs several times in a row with new inputs: at the extents asked for, at their
 * bounds, at 1 and again as at first (states carry over, scratch and arenas are used again). What
 * lies beyond an input's actual size is NaN. */
#ifndef TEST_SUBJECT_H
#define TEST_SUBJECT_H

#include "backends/backend.h"
#include "ref_ops.h"

#define SUBJECT_MAX_DATA 64
#define SUBJECT_MAX_RUNS 4

typedef enum subject_fill {
    FILL_FLOAT,   /* -2..2, with 0, -0, tiny, equal and somewhat large values planted */
    FILL_SPECIAL, /* the same with infinities and not-a-numbers */
    FILL_LARGE,   /* the same with magnitudes up to 1e30 (f16: 6e4) */
    FILL_OFFSET,  /* the same, 1000 added */
    FILL_LONE,    /* the same with one not-a-number, in the second of the rows (the last axis) if there are several */
    FILL_DARK,    /* the same, but the first nine twentieths of the data are -infinity */
    FILL_INDEX,   /* i32 lo..hi */
    FILL_UNIQUE   /* i32 in 0..hi-1, all different, some outside */
} subject_fill;

typedef struct subject_data {
    char name[96];
    weft_op kind;             /* input, weight or state */
    weft_dtype dtype, stored; /* stored: weights, as the source holds them */
    subject_fill fill;
    int32_t lo, hi;
    uint32_t rank;
    int64_t dim[WEFT_MAX_RANK], n; /* at the bounds */
    double *v;                     /* what the graph sees, dense at the bounds */
    double *e;                     /* states: the bounds of what earlier runs stored */
    void *bytes;                   /* of `stored` (weights) or `dtype` (inputs) */
    uint64_t n_bytes;
} subject_data;

typedef struct subject {
    weft_graph *g; /* owned */
    char label[256];
    uint64_t seed;
    bool half; /* the device may multiply in f16 (cooperative matrices) */
    int64_t actual[WEFT_MAX_EXTENTS]; /* extents of the first run; 0: the bound */
    subject_data data[SUBJECT_MAX_DATA];
    uint32_t n_data;
    uint32_t n_runs;
    ref_tensor *expected[SUBJECT_MAX_RUNS]; /* by output */
    uint32_t n_outputs;
    uint32_t n_unsure; /* outputs that cannot be compared */
} subject;

/* How a subject is run on a device. */
typedef struct subject_way {
    weft_backend *device;
    const char *spec;
    bool as_built, exact;
} subject_way;

void subject_begin(subject *s, const char *label,
                   uint64_t seed); /* zeroes it and creates the graph */
/* Registers a source that has just been built (or read from a parsed graph) and fills in its data. */
void subject_source(subject *s, weft_op kind, const char *name, weft_dtype dtype, weft_dtype stored,
                    const weft_dims *dims, subject_fill fill, int32_t lo, int32_t hi);
void subject_end(subject *s); /* frees everything */

/* What the oracle must know of the device that the subject is compared on. */
void subject_meet(subject *s, const weft_backend *device);
/* Values of the extents of `g` (by name) in run r. */
void subject_extents(const subject *s, const weft_graph *g, uint32_t r, int64_t *out);
/* Runs the oracle for all runs; the graph is sealed. False: said on stdout. */
bool subject_expect(subject *s, bool exact);
/* Creates a program, runs it and compares. Returns the number of faults, said on stdout; *worst is the largest error as
 * a fraction of what is allowed. `visit` sees the program before it is loaded (may be NULL). */
unsigned subject_compare(subject *s, const subject_way *way, double *worst,
                         void (*visit)(void *ctx, const weft_program *p), void *ctx);
/* Runs the steps one by one and compares each node with the oracle on the inputs that the device itself had. */
unsigned subject_compare_steps(subject *s, const subject_way *way, double *worst);
weft_weight_source subject_weights(const subject *s);
/* Writes run r's inputs and extents. */
weft_status subject_write(subject *s, weft_program *p, uint32_t r, weft_error *err);
uint64_t subject_hash(const char *text);

#endif
