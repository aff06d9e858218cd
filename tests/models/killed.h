/* killed.h: work that is killed half-way, as kill -9 does it. */
#ifndef WEFT_TEST_KILLED_H
#define WEFT_TEST_KILLED_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/base.h"

/* Moments of work: before anything is written, in the middle, and when all is written but has not its name. */
enum { KILLED_FIRST, KILLED_HALF_WAY, KILLED_LAST, KILLED_MOMENTS };

static inline bool killed_die(void *ctx, const weft_progress *p)
{
    const int moment = *(const int *)ctx;
    const uint64_t half = p->total / 2;
    if (moment == KILLED_FIRST || (p->total && p->done > half && (moment != KILLED_LAST || p->done == p->total)))
        raise(SIGKILL);
    return true;
}

/* Does the work in a process of its own. Whether it was killed, and did not end before. */
static inline bool killed_at(int moment, weft_status (*work)(void *ctx, const weft_progress_sink *progress), void *ctx)
{
    const weft_progress_sink sink = { killed_die, &moment };
    int status = 0;
    pid_t child = fork();
    if (!child) _exit(work(ctx, &sink) ? 3 : 4);
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

#endif
