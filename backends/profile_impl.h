/* profile_impl.h: a profile's data, shared by profile.c (collecting, statistics), profile_share.c (how a run is
 * divided) and those that write it: profile_table.c, profile_json.c, profile_trace.c. */
#ifndef WEFT_PROFILE_IMPL_H
#define WEFT_PROFILE_IMPL_H

#include "backends/program.h"
#include "graph/json.h"

/* What is kept of a run: a row of numbers. */
enum {
    WEFT__ROW_SECONDS,
    WEFT__ROW_NODES, /* the parts, in the order of weft_profile_parts */
    WEFT__ROW_SUBMIT,
    WEFT__ROW_WAIT,
    WEFT__ROW_HOST,
    WEFT__ROW_GAPS,
    WEFT__ROW_STEPS /* then the additive seconds of every step, then its elapsed ones */
};

/* The spans of one run, by their begin; times count from the run's begin. */
typedef struct weft__kept_spans {
    weft_span *spans;
    size_t cap;
    uint32_t n;
    double seconds; /* of the run */
} weft__kept_spans;

enum { WEFT__KEPT_SPANS = 8 };

/* One end of a span: what the sweep over a run goes through. */
typedef struct weft__moment {
    uint64_t at;
    uint32_t span;
    bool ends;
} weft__moment;

/* Room for dividing one run; grows with the number of spans. */
typedef struct weft__sweep {
    weft__moment *moments;
    double *opened; /* per span: the shared-out time when it began */
    size_t moments_cap, opened_cap;
    uint64_t *first, *last; /* per step: the outermost ends of its spans; first UINT64_MAX: none */
} weft__sweep;

struct weft_profile {
    const weft_program *p;
    char *name;
    weft_profile_mode mode;
    bool has_roofs;
    weft_roof *roofs; /* per device; zero without. Behind them the least and the most of the conditions' */
    weft_conditions conditions;
    double tokens;
    uint32_t n_steps, max_rows, n_rows, width;
    uint32_t runs, stride, counted; /* every stride-th run has a row; runs that ever got one */
    double *rows;   /* [n_rows, width] */
    size_t rows_cap;
    double *column; /* one number of every row, to be sorted */
    double *least;  /* per step: seconds at the roof, in the run at hand; without roofs bytes + operations */
    double *flops, *bytes; /* per step: sums over the runs */
    int64_t work[WEFT_MAX_EXTENTS];       /* extents of the run at hand */
    bool work_known;
    weft_cost *costs; /* per step, at `work` */
    bool *shared;     /* per step */
    weft__sweep sweep;
    weft__kept_spans kept[WEFT__KEPT_SPANS];
    uint32_t n_kept;
    /* of the last finish */
    weft_profile_node *nodes;
    weft_profile_totals total;
    const weft__kept_spans *shown; /* the run nearest to the median; NULL before the first finish */
    bool calibrated;               /* all devices' times were, in every run */
};

/* profile_share.c. Divides a run's time into a row; the spans are those of the run, its interval is [begin, end]. */
weft_status weft__profile_share(weft_profile *prof, const weft_span *spans, uint32_t n, uint64_t begin, uint64_t end,
                                double *row, weft_error *err);
bool weft__span_is_step(const weft_profile *prof, const weft_span *s); /* STEP or TRANSFER, and steps of the plan */

/* profile_json.c. The section "profile" of a dump, into an open object. */
weft_status weft__profile_json(const weft_profile *prof, weft__json *j, weft_error *err);
const char *weft__span_kind_name(uint8_t kind); /* "step" */
void weft__profile_track(const weft_profile *prof, const weft_span *s, char *buf, size_t size); /* "thread 0" */

/* profile_json.c. What a device reaches at best, as an object. */
void weft__json_roof(weft__json *j, const char *key, const weft_roof *r);

#endif
