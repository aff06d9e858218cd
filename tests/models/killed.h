/* killed.h: work that is killed half-way, as kill -9 does it. */
#ifndef WEFT_TEST_KILLED_H
#define WEFT_TEST_KILLED_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/base.h"

static inline bool killed_die(void *ctx, const weft_progress *p)
{
    (void)ctx;
    if (p->total && p->done > p->total / 2) raise(SIGKILL);
    return true;
}

/* Does the work in a process of its own. Whether it was killed, and did not end before. */
static inline bool killed_half_way(weft_status (*work)(void *ctx, const weft_progress_sink *progress), void *ctx)
{
    const weft_progress_sink sink = { killed_die, NULL };
    int status = 0;
    pid_t child = fork();
    if (!child) _exit(work(ctx, &sink) ? 3 : 4);
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

#endif
