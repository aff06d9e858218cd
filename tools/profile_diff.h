/* profile_diff.h: two profiles joined: what profile_diff.c reads and judges and profile_diff_print.c prints.
 *
 * A change counts if it exceeds the noise that was measured in both files: three times sqrt(ea^2 + eb^2), where e is
 * the standard error of a median, 1.2533 * 1.4826 * MAD / sqrt(n), and n the number of runs, but at most 16: runs of
 * one process share its luck (clock, neighbours, where memory lies), so more of them do not make it better known. */
#ifndef WEFT_TOOLS_PROFILE_DIFF_H
#define WEFT_TOOLS_PROFILE_DIFF_H

#include "tools/cli.h"

enum { DIFF_A, DIFF_B, DIFF_MAX_PROGRAMS = 8, DIFF_PARTS = 5, DIFF_MIN_RUNS = 3, DIFF_MAX_RUNS = 16 };

/* A node, or a group of them. */
typedef struct diff_row {
    const char *op, *scope;
    uint32_t ordinal;     /* among nodes of the same op and scope, in the order of steps */
    bool in[2];           /* which of the files have it */
    uint32_t node[2];     /* ids there */
    double seconds[2];
    double variance[2];   /* the square of the standard error */
    double change, noise; /* seconds; of what is in both */
    bool counts;          /* |change| is above the noise, and the noise is known */
} diff_row;

typedef struct diff_program {
    const char *name;
    uint32_t runs[2];
    diff_row *rows; /* the largest change first; what is in one file alone comes last */
    size_t n_rows;
    diff_row run;               /* a whole run */
    diff_row parts[DIFF_PARTS]; /* op is the part's name; no noise is known */
} diff_program;

typedef struct diff {
    const char *path[2];
    char *text[2]; /* as read */
    size_t size[2];
    json_t *doc[2];
    diff_program programs[DIFF_MAX_PROGRAMS];
    uint32_t n;
} diff;

/* Reads both files and joins them. 0, or 1 after a message; close in any case. */
int diff_open(const char *a, const char *b, diff *out);
void diff_close(diff *d);
/* Whether something got slower by more than this fraction of a run in A, and by more than the noise: a whole run, or a
 * node by itself. Says what, on stderr. */
bool diff_exceeds(const diff *d, double fraction);
/* Rows of one op, or of one layer, as one row each. False without memory. */
bool diff_group(diff_program *p, bool by_layer);

/* profile_diff_print.c */
weft_status diff_print_text(const diff *d, uint32_t top, bool markdown, const weft_writer *w, weft_error *err);
json_t *diff_json(const diff *d); /* NULL without memory */

#endif
