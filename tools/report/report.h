/* report.h: the parts of `weft report`: each measures as much as there is time for, says what it left out and why, and
 * puts nothing into the report that tells who or where somebody is. */
#ifndef WEFT_TOOLS_REPORT_H
#define WEFT_TOOLS_REPORT_H

#include "tools/cli.h"

typedef struct report {
    weft_backend *b;
    weft_device_info info;
    weft_roof roof;      /* zeros: it could not be measured */
    double begin, end;   /* of the time there is, by weft__seconds */
    double until;        /* of the part under way */
    weft_progress_sink terminal, sink; /* sink: also ends work that goes beyond `until` */
    bool late;           /* it did */
    bool lost;           /* the device is: nothing can be measured any more */
    json_t *root, *errors;
} report;

/* The part that begins has this share of the time that is left. */
void report_part(report *r, double share);
/* Why a piece of work was left out, in a report's words: "no time was left for it", or the error without its paths
 * (which goes into `errors`, too). err NULL: it was not tried. The text lives until the next call. */
const char *report_why(report *r, const char *part, const weft_error *err);

json_t *report_kernels(report *r); /* matrix products: GB/s and TFLOP/s */
json_t *report_models(report *r);  /* prompt and decode at several lengths */

#endif
