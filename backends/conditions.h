/* conditions.h: under which conditions something was measured: what others did with the processors meanwhile, and how
 * far the device's own limits moved. What is worth a warning is decided here alone. */
#ifndef WEFT_CONDITIONS_H
#define WEFT_CONDITIONS_H

#include "backends/profile.h"

enum { WEFT__MAX_WARNINGS = 2, WEFT__WARNING_SIZE = 128 };
typedef struct weft__warnings {
    char text[WEFT__MAX_WARNINGS][WEFT__WARNING_SIZE]; /* sentences without a full stop */
    uint32_t n;
} weft__warnings;

/* Of n >= 1 measurements of one device, the median, the least and the most of each number. */
void weft__roof_spread(const weft_roof *turns, uint32_t n, weft_roof *median, weft_roof *least, weft_roof *most);

/* The bits of weft_conditions.arithmetic for a program. */
uint32_t weft__program_arithmetic(const weft_program *p);

/* (most - least) / median of the bandwidth or peak that moved the most on any of the devices, of those that count, and
 * its name; 0 if fewer than two measurements were made. The time of a launch does not count: it is next to nothing on a
 * CPU. */
double weft__roof_moved(const weft_conditions *c, uint32_t n_devices, const char **what);

/* Warnings: others used more than a twentieth of the processors; the roof moved by more than a tenth. */
void weft__conditions_warnings(const weft_conditions *c, uint32_t n_devices, weft__warnings *out);

#endif
