/* desk.c: the thread that reads requests: JSON, templates, tokens. They wait here in the order in which they came; a
 * long one delays the beginning of others, but no stream that runs. */
#include "tools/serve/server.h"

static struct desk {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    exchange *first, **last;
    bool running, stopping;
} desk = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last = &desk.first };

static exchange *take(void)
{
    pthread_mutex_lock(&desk.lock);
    while (!desk.first && !desk.stopping) pthread_cond_wait(&desk.changed, &desk.lock);
    exchange *x = desk.first;
    if (x) desk.first = x->next;
    if (!desk.first) desk.last = &desk.first;
    pthread_mutex_unlock(&desk.lock);
    return x;
}

static void *work(void *ctx)
{
    (void)ctx;
    for (exchange *x; (x = take());) {
        if (!exchange_gone(x)) route_run(x);
        exchange_release(x);
    }
    return NULL;
}

bool desk_start(void)
{
    return desk.running = !pthread_create(&desk.thread, NULL, work, NULL);
}

bool desk_put(exchange *x)
{
    pthread_mutex_lock(&desk.lock);
    bool takes = !desk.stopping;
    if (takes) {
        exchange_hold(x);
        x->next = NULL;
        *desk.last = x;
        desk.last = &x->next;
        pthread_cond_signal(&desk.changed);
    }
    pthread_mutex_unlock(&desk.lock);
    return takes;
}

void desk_stop(void)
{
    if (!desk.running) return;
    desk.running = false;
    pthread_mutex_lock(&desk.lock);
    desk.stopping = true;
    pthread_cond_signal(&desk.changed);
    pthread_mutex_unlock(&desk.lock);
    pthread_join(desk.thread, NULL);
}
