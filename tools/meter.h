/* meter.h: one line on a terminal that says how far long work is: what, how much of it, rate, time left. It appears
 * once work has lasted a second, is drawn again at most ten times a second, and is erased when the work ends.
 *
 * The clock and the terminal are the caller's. */
#ifndef WEFT_TOOLS_METER_H
#define WEFT_TOOLS_METER_H

#include "graph/base.h"

typedef struct meter {
    double (*seconds)(void *ctx); /* a clock that goes forward */
    void *ctx;
    weft_writer terminal;
    unsigned columns; /* of the terminal; 0: 80 */
    /* the meter's own; zero at first */
    bool active, visible;
    double since;     /* when the work began; it may have several pieces */
    weft_progress at; /* the piece under way */
    double begun;     /* that piece, with `first` done */
    uint64_t first;
    double drawn;
} meter;

void meter_report(meter *m, const weft_progress *p);
/* Time has passed without a report: draws again if the line is out of date. */
void meter_tick(meter *m);
/* The work is over, or something else is about to be printed. */
void meter_end(meter *m);

#endif
