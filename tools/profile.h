/* profile.h: what the files of `weft profile` share: cmd_profile.c (options, output), profile_run.c (measuring),
 * profile_diff.c (two profiles against each other). */
#ifndef WEFT_TOOLS_PROFILE_H
#define WEFT_TOOLS_PROFILE_H

#include "tools/conditions.h"

typedef struct profile_checks {
    weft_check_node *nodes;
    size_t cap;
    uint32_t n, n_failed;
    bool no_memory;
} profile_checks;

/* A program that was measured. */
typedef struct profile_entry {
    const char *name; /* "prompt", "decode", "graph" */
    weft_program *program;
    const weft_graph *built;
    weft_profile *profile;
    profile_checks checks; /* with --check */
} profile_entry;

typedef struct profile_set {
    cli_work work;
    cli_source source;
    cli_noise noise;        /* where there are no weights */
    cli_run run;            /* of a model; its devices are those of a graph text, too */
    weft_weights *weights;        /* of a graph text */
    weft_program *program;
    weft_profile_mode mode;
    conditions conditions; /* of all that is measured; its roofs are measured in turn with the runs */
    profile_entry entry[2];
    uint32_t n;
} profile_set;

/* Opens MODEL, runs and profiles it as the options say. 0, or an exit status; close in any case. */
int profile_measure(const cli_args *a, profile_set *out);
void profile_close(profile_set *s);

/* `weft profile --diff A.json B.json`: compares and prints; the exit status. */
int profile_diff(const cli_args *a);

#endif
