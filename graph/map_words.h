/* map_words.h: the words in which map.def is written, in C. The file that includes this defines MAP_REAL, float or
 * double, before: the type of floating operands. exp, erfc and the like are those of the C library for that type. */
#ifndef WEFT_MAP_WORDS_H
#define WEFT_MAP_WORDS_H

#include <tgmath.h>

#define real(v)   ((MAP_REAL)(v))
#define is_nan(v) ((v) != (v))

#endif
