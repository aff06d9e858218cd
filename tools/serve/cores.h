/* cores.h: the processor's cores as models share them: a step takes as many as its device has threads, and waits until
 * so many are free, in the order in which steps came. So models that run at the same time never have more threads than
 * there are cores, and none waits for another longer than for its one step. */
#ifndef WEFT_SERVE_CORES_H
#define WEFT_SERVE_CORES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cores {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t count, free;
    uint64_t next, serving; /* tickets */
    const void *who;        /* took some last */
    double handed;          /* when they last went from one to another */
} cores;

void cores_init(cores *c, uint32_t count);
/* n of them, or all if there are fewer; 0: none are needed. Blocks. c NULL: nobody shares them. */
void cores_take(cores *c, uint32_t n, const void *who);
void cores_give(cores *c, uint32_t n);
/* Whether they went from one to another within the last second. */
bool cores_are_shared(cores *c);

#endif
