/* cases.h: the rows of op_cases.def as data. */
#ifndef TEST_CASES_H
#define TEST_CASES_H

#include "subject.h"

typedef struct op_case {
    weft_op op;
    bool bench;
    const char *text;
} op_case;

const op_case *op_cases(uint32_t *n);
/* Builds and seals the case's graph with its data. False: said on stdout. */
bool op_case_build(uint32_t i, subject *s);

#endif
