/* subject_impl.h: what the two comparisons share: of outputs (subject.c) and of single steps (steps.c). */
#ifndef TEST_SUBJECT_IMPL_H
#define TEST_SUBJECT_IMPL_H

#include "subject.h"

/* Element i of a dense tensor of `actual` dims, counted in one of `bound` dims. */
int64_t subject_in_box(uint32_t rank, const int64_t *bound, const int64_t *actual, int64_t i);
subject_data *subject_find(subject *s, const char *name); /* NULL: none, said on stdout */
/* Reads a value whole and gives its elements at the actual sizes; NULL: *err says why. */
double *subject_read(weft_program *p, weft_ref ref, const int64_t *extents, int64_t *n,
                     weft_error *err);
/* Prints where and what; returns 1. */
unsigned subject_fault(const subject *s, const subject_way *way, const char *where,
                       const weft_error *err);
/* Compares got[0..n) with want; says where it is worst. */
unsigned subject_compare_values(const subject *s, const subject_way *way, const char *what,
                                const ref_tensor *want, const double *got, double *worst);

#endif
