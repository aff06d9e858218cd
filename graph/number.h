/* number.h: floats as text that reads back bit for bit, whatever locale the program has set. */
#ifndef WEFT_NUMBER_H
#define WEFT_NUMBER_H

#include <stdbool.h>

#define WEFT__FLOAT_TEXT 48

/* The shortest of 6 to 9 digits that reads back; infinities and NaNs as their bits, "0x7fc00000". Returns buf. */
const char *weft__float_text(float x, char buf[WEFT__FLOAT_TEXT]);

/* The shortest of 6 to 17 digits that reads back; x is finite. */
const char *weft__double_text(double x, char buf[WEFT__FLOAT_TEXT]);

/* Reads a decimal number, all of `text`; false if it is none or is beyond the range of f32 (of a double). */
bool weft__float_scan(const char *text, float *out);
bool weft__double_scan(const char *text, double *out);

#endif
