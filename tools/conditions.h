/* conditions.h: what goes on beside a measurement: how busy others keep the processors, and the roofs of the devices,
 * measured in turn with what is measured.
 *
 *     conditions_begin(&c, devices, progress);
 *     conditions_turn(&c, &err);       // a roof of every device; before, between and after the runs
 *     ... runs, further turns ...
 *     conditions_end(&c);
 *     c.sum                            // for weft_profile_set_conditions and weft__conditions_warnings */
#ifndef WEFT_TOOLS_CONDITIONS_H
#define WEFT_TOOLS_CONDITIONS_H

#include "backends/conditions.h"
#include "tools/cli.h"

/* The processors at a moment, in seconds of processor time since the machine started. */
typedef struct processor_times {
    double wall;   /* of the clock */
    double busy;   /* of all processors, by everybody; below 0: not known */
    double own;    /* by this process */
    double count;  /* of processors */
    double tick;   /* what `busy` is counted in */
} processor_times;

typedef struct conditions {
    const cli_device_list *devices;
    weft_progress_sink progress; /* of the turns */
    processor_times begin;
    weft_roof turn[CLI_MAX_DEVICES][WEFT_MAX_ROOF_TURNS];
    weft_roof roofs[CLI_MAX_DEVICES], least[CLI_MAX_DEVICES], most[CLI_MAX_DEVICES];
    weft_conditions sum; /* of the turns so far; processors and others by conditions_end */
} conditions;

void conditions_begin(conditions *c, const cli_device_list *devices, weft_progress_sink progress);
/* More than WEFT_MAX_ROOF_TURNS do nothing. */
weft_status conditions_turn(conditions *c, weft_error *err);
void conditions_end(conditions *c);

/* Reads the text of /proc/stat: `busy`, in ticks, and `count`. False: it is no such text. Time that a hypervisor gave
 * to other machines ("steal") counts as busy: it is not ours either. */
bool processor_times_parse(const char *text, processor_times *out);
/* Processors that others kept busy between two moments, on the average; below 0: not known, or too short a time to
 * tell, for each processor's count may be off by a tick at both ends. */
double processor_times_others(const processor_times *begin, const processor_times *end);

#endif
