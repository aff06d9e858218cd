/* profile.h: what the files of `weft profile` share: cmd_profile.c (options, output), profile_run.c (measuring),
 * profile_diff.c (two profiles against each other). */
#ifndef WEFT_TOOLS_PROFILE_H
#define WEFT_TOOLS_PROFILE_H

#include "backends/noise.h"
#include "tools/conditions.h"

typedef struct profile_checks {
    weft_check_node *nodes;
    size_t cap;
    uint32_t n, n_failed;
    bool no_memory;
} profile_checks;

/* A program that was measured. */
typedef struct profile_entry {
    const char *name; /* "prompt", "decode", "draft", "graph" */
    weft_program *program;
    const weft_graph *built;
    weft_profile *profile;
    profile_checks checks; /* with --check */
} profile_entry;

enum { PROFILE_MOST = 3 }; /* programs */

typedef struct profile_set {
    cli_work work;
    cli_source source;
    weft__noise noise;        /* where there are no weights */
    cli_run run;            /* of a model; its devices are those of a graph text, too */
    weft_weights *weights;        /* of a graph text */
    weft_program *program;
    weft_profile_mode mode;
    conditions conditions; /* of all that is measured; its roofs are measured in turn with the runs */
    profile_entry entry[PROFILE_MOST];
    uint32_t n;
} profile_set;

/* What a measurement consists of: begin with a program, add each run that began at `begin` (cells: of a sequence's that
 * it read, of a session's page; 0: all of them), end. What is measured belongs to set->conditions. */
weft_status profile_begin(profile_set *s, const char *name, weft_program *p, const weft_graph *built, double tokens,
                          profile_entry **out, weft_error *err);
weft_status profile_add(profile_entry *e, uint64_t begin, uint32_t cells, uint32_t page, weft_error *err);
weft_status profile_end(profile_entry *e, weft_error *err);
/* When all have ended; all share the conditions of the whole. */
weft_status profile_finish(profile_set *s, weft_error *err);
/* The whole as a document (docs/dump-format.md). */
weft_status profile_json(const profile_set *s, const char *title, const weft_writer *w, weft_error *err);

/* Opens MODEL, runs and profiles it as the options say. 0, or an exit status; close in any case. */
int profile_measure(const cli_args *a, profile_set *out);
void profile_close(profile_set *s);

/* `weft profile --diff A.json B.json`: compares and prints; the exit status. */
int profile_diff(const cli_args *a);

#endif
