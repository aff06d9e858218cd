/* progress.h: a sink that listens to long work, checks what it is told, and cancels at a given report. */
#ifndef TEST_PROGRESS_H
#define TEST_PROGRESS_H

#include "tests/test.h"

enum { PROGRESS_KINDS = 8 };

/* Zero but for cancel_at (and what belongs to it) before use. */
typedef struct progress_log {
    int64_t cancel_at; /* the report, from 0, that is answered with false; negative: none */
    int64_t n;         /* reports */
    bool cancelled;
    weft_progress last;
    struct { const char *what; int64_t reports, begun, ended; } kind[PROGRESS_KINDS]; /* pieces of work by their name */
    unsigned n_kinds;
} progress_log;

static inline bool progress_note(void *ctx, const weft_progress *p)
{
    progress_log *l = ctx;
    unsigned k = 0;
    while (k < l->n_kinds && strcmp(l->kind[k].what, p->what)) k++;
    if (k == l->n_kinds && CHECK(l->n_kinds < PROGRESS_KINDS)) l->kind[l->n_kinds++].what = p->what;
    if (k == PROGRESS_KINDS) return false;
    bool same = l->last.what && !strcmp(l->last.what, p->what) && p->done;
    if (same) CHECK(p->done >= l->last.done && p->total == l->last.total);
    else CHECK_EQ_INT(p->done, 0);
    CHECK(!l->cancelled);
    if (p->total) CHECK(p->done <= p->total);
    l->kind[k].reports++;
    l->kind[k].begun += !same;
    l->kind[k].ended += p->total && p->done == p->total && (!same || l->last.done < p->done);
    l->last = *p;
    l->cancelled = l->n++ == l->cancel_at;
    return !l->cancelled;
}

static inline weft_progress_sink progress_sink(progress_log *l)
{
    return (weft_progress_sink){ progress_note, l };
}

/* Reports of a piece of work by its name; checks that it was begun and ended `times` times. */
static inline int64_t progress_of(const progress_log *l, const char *what, int64_t times)
{
    for (unsigned k = 0; k < l->n_kinds; k++)
        if (!strcmp(l->kind[k].what, what)) {
            CHECK_EQ_INT(l->kind[k].begun, times);
            CHECK_EQ_INT(l->kind[k].ended, times);
            return l->kind[k].reports;
        }
    CHECK_EQ_INT(0, times);
    return 0;
}

#endif
