/* oom.h: counts allocations, and makes one of them fail. For test programs linked by weft_test_oom(name), which routes
 * malloc, calloc, realloc, aligned_alloc, strdup, free, mmap and pthread_create of the program and of the static
 * libraries through oom.c.
 *
 *     OOM_LOOP (n) {                            // n = 0, 1, .. until a round in which nothing failed
 *         weft_status s = weft_graph_clone(g, &copy, &err);
 *         OOM_CHECK(s, err);                    // OOM if this round's allocation failed, else OK
 *         weft_graph_destroy(copy);
 *     }                                         // checks that every round left as many blocks as it found */
#ifndef TEST_OOM_H
#define TEST_OOM_H

#include "test.h"

/* The n-th allocation from now (0: the next) fails, once. Negative: none. Starts the count anew. */
void oom_arm(int64_t n);
/* Ends it; returns whether an allocation failed. */
bool oom_disarm(void);
int64_t oom_count(void); /* allocations since oom_arm */
int64_t oom_live(void);  /* blocks that are allocated now */
size_t oom_largest(void); /* bytes of the largest request since oom_arm, mapped files aside */

static inline bool oom_round_end(int64_t n, int64_t before)
{
    bool failed = oom_disarm();
    if (oom_live() != before) printf("after failure of allocation %" PRId64 ":\n", n);
    CHECK_EQ_INT(oom_live(), before);
    return failed && n < 100000;
}

#define OOM_LOOP(n)                                                         \
    for (int64_t n = 0, oom_before_ = oom_live(), oom_more_ = 1; oom_more_; \
         oom_more_ = oom_round_end(n, oom_before_), n++)                    \
        for (int oom_once_ = (oom_arm(n), 1); oom_once_; oom_once_ = 0)
/* Ends the injection of this round, so that what follows can allocate, and checks the status against it. */
#define OOM_CHECK(status, err) CHECK_STATUS(status, oom_failed() ? WEFT_OOM : WEFT_OK, err)
bool oom_failed(void); /* an allocation has failed since oom_arm */

#endif
