/* map_words.h: the words in which map.def is written, in C. The file that includes this defines MAP_REAL, float or
 * double, before: the type of floating operands. exp, erfc and the like are those of the C library for that type. */
#ifndef WEFT_MAP_WORDS_H
#define WEFT_MAP_WORDS_H

#include <stdint.h>
#include <tgmath.h>

#define real(v)   ((MAP_REAL)(v))
#define is_nan(v) ((v) != (v))

/* Of i32: two's complement, whatever the result. A quotient is cut towards zero; by zero it is 0. */
static inline int32_t wrap_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t wrap_sub(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline int32_t wrap_mul(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

static inline int32_t whole_div(int32_t a, int32_t b)
{
    return b == 0 ? 0 : b == -1 ? wrap_sub(0, a) : a / b;
}

#endif
