/* cores.c: a counting semaphore with tickets, so that nobody is overtaken. */
#include "tools/serve/cores.h"

#include "graph/base.h"

void cores_init(cores *c, uint32_t count)
{
    *c = (cores){ .count = count, .free = count, .handed = -1e9 };
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
}

static uint32_t at_most(const cores *c, uint32_t n)
{
    return n < c->count ? n : c->count;
}

void cores_take(cores *c, uint32_t n, const void *who)
{
    if (!c || !n) return;
    n = at_most(c, n);
    pthread_mutex_lock(&c->lock);
    const uint64_t ticket = c->next++;
    while (c->serving != ticket || c->free < n) pthread_cond_wait(&c->changed, &c->lock);
    c->free -= n;
    c->serving++;
    if (c->who && c->who != who) c->handed = weft__seconds();
    c->who = who;
    pthread_cond_broadcast(&c->changed); /* the next may find some, too */
    pthread_mutex_unlock(&c->lock);
}

void cores_give(cores *c, uint32_t n)
{
    if (!c || !n) return;
    pthread_mutex_lock(&c->lock);
    c->free += at_most(c, n);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

bool cores_are_shared(cores *c)
{
    if (!c) return false;
    pthread_mutex_lock(&c->lock);
    const bool shared = weft__seconds() - c->handed < 1;
    pthread_mutex_unlock(&c->lock);
    return shared;
}
