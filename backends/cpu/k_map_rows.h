/* k_map_rows.h: every row of graph/map.def as a loop that the compiler turns into the instructions of the file that
 * includes this. A block of results is kept apart until it is whole, so that it may become the bytes of an operand and
 * the compiler need not ask. */
#ifndef CPU_K_MAP_ROWS_H
#define CPU_K_MAP_ROWS_H

#include <string.h>

#include "vec_ops.h"

#define MAP_REAL float
#include "graph/map_words.h"

enum { MAP_BLOCK = 64 };

#define OPERANDS_1(type) const type x = ((const type *)in[0])[i + j];
#define OPERANDS_2(type) OPERANDS_1(type) const type y = ((const type *)in[1])[i + j];
#define OPERANDS_3(type)                                   \
    const int32_t c = ((const int32_t *)in[0])[i + j];     \
    const type x = ((const type *)in[1])[i + j];           \
    const type y = ((const type *)in[2])[i + j];
#define MAP_LOOP(function, inputs, type, result, value)                                  \
    static void function(void *to, const void *const *in, int64_t n, const float *param) \
    {                                                                                    \
        const float p = param[0], q = param[1];                                          \
        (void)p;                                                                         \
        (void)q;                                                                         \
        for (int64_t i = 0; i < n; i += MAP_BLOCK) {                                     \
            result r[MAP_BLOCK];                                                         \
            int64_t m = n - i < MAP_BLOCK ? n - i : MAP_BLOCK;                           \
            for (int64_t j = 0; j < m; j++) {                                            \
                OPERANDS_##inputs(type) r[j] = (result)(value);                          \
            }                                                                            \
            memcpy((result *)to + i, r, (size_t)m * sizeof *r);                          \
        }                                                                                \
    }

/* By kind: what floats give, and the loop of i32. */
typedef float of_FLOAT, of_NUMBER, of_CHOICE;
typedef int32_t of_TRUTH;
#define WHOLE_LOOP_FLOAT(name, inputs, whole)
#define WHOLE_LOOP_NUMBER(name, inputs, whole) MAP_LOOP(i32_##name, inputs, int32_t, int32_t, whole)
#define WHOLE_LOOP_TRUTH  WHOLE_LOOP_NUMBER
#define WHOLE_LOOP_CHOICE WHOLE_LOOP_NUMBER
#define WHOLE_FLOAT(name)  NULL
#define WHOLE_NUMBER(name) i32_##name
#define WHOLE_TRUTH  WHOLE_NUMBER
#define WHOLE_CHOICE WHOLE_NUMBER
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole)      \
    MAP_LOOP(plain_##name, inputs, float, of_##kind, value)            \
    WHOLE_LOOP_##kind(name, inputs, whole)
#include "graph/map.def"
#undef WEFT_MAP

static cpu_map_fn *const plain_map[WEFT_OP_COUNT] = {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) [WEFT_OP_##name] = plain_##name,
#include "graph/map.def"
#undef WEFT_MAP
};

static cpu_map_fn *const whole_map[WEFT_OP_COUNT] = {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) [WEFT_OP_##name] = WHOLE_##kind(name),
#include "graph/map.def"
#undef WEFT_MAP
};

#endif
