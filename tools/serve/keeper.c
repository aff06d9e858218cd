/* keeper.c: the thread that loads models when requests want them and gives them back: those that nobody has used for as
 * long as they are to be kept, those that somebody has asked to be unloaded, and those that are in the way of another,
 * the one first that was not used for longest. A model with a text under way stays. */
#include "tools/serve/server.h"

#include <errno.h>
#include <string.h>

/* ---- giving back ---- */

/* Whether nobody would miss it; under the lock. */
static bool is_idle(const served *m)
{
    return m->state == SERVED_LOADED && !m->users && !m->n_waiting;
}

/* What the engine has counted stays counted. */
static void keep_counts(served *m)
{
    const engine_counts *c = engine_count(m->engine);
#define KEEP(name) atomic_fetch_add(&m->before.name, atomic_load(&c->name));
    ENGINE_COUNTERS(KEEP)
#undef KEEP
}

/* Takes the lock for granted, and lets it go meanwhile. */
static void give_back(server *s, served *m)
{
    m->state = SERVED_UNLOADING;
    m->unload = false;
    keep_counts(m);
    pthread_mutex_unlock(&s->lock);
    served_close(m);
    fprintf(stderr, "unloaded %s\n", m->name);
    pthread_mutex_lock(&s->lock);
    m->state = SERVED_UNLOADED;
    if (m->n_waiting) served_want(s, m);
}

/* ---- room ---- */

/* Bytes of the device that loaded models have, by their plans; under the lock. */
static uint64_t taken(const server *s, const weft_device_info *device)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->n_models; i++) {
        const served *m = &s->models[i];
        for (uint32_t k = 0; m->state == SERVED_LOADED && k < m->n_devices; k++)
            if (!strcmp(m->devices[k].name, device->name) && m->devices[k].index == device->index) n += m->planned[k];
    }
    return n;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576;
}

static weft_status fits(const server *s, const served *m, weft_error *err)
{
    for (uint32_t k = 0; k < m->n_devices; k++) {
        const uint64_t others = taken(s, &m->devices[k]);
        if (m->planned[k] + others > s->memory)
            return WEFT_FAIL(err, WEFT_LIMIT, "it takes %.1f MiB on %s, and models that are in use have %.1f of the "
                             "%.1f that --memory allows", mib(m->planned[k]), m->devices[k].name, mib(others),
                             mib(s->memory));
    }
    return WEFT_OK;
}

static weft_status fits_alone(const server *s, const served *m, weft_error *err)
{
    for (uint32_t k = 0; k < m->n_devices; k++)
        if (m->planned[k] > s->memory)
            return WEFT_FAIL(err, WEFT_LIMIT, "it takes %.1f MiB on %s, of which --memory allows %.1f",
                             mib(m->planned[k]), m->devices[k].name, mib(s->memory));
    return WEFT_OK;
}

/* That was not used for longest, of those that nobody uses; NULL: there is none. */
static served *oldest_idle(server *s)
{
    served *oldest = NULL;
    for (unsigned i = 0; i < s->n_models; i++)
        if (is_idle(&s->models[i]) && (!oldest || s->models[i].used < oldest->used)) oldest = &s->models[i];
    return oldest;
}

static bool any_loaded(const server *s)
{
    for (unsigned i = 0; i < s->n_models; i++)
        if (s->models[i].state == SERVED_LOADED) return true;
    return false;
}

static void await_change(server *s, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* One model less, at once or when the texts of one have ended. False: there is none, or that takes too long. */
static bool reduce(server *s, double until)
{
    served *oldest = oldest_idle(s);
    const double left = until - weft__seconds();
    if (!s->keeping || atomic_load(&s->stopping) || !any_loaded(s)) return false;
    if (oldest) give_back(s, oldest);
    else if (left > 0) await_change(s, left);
    return oldest || left > 0;
}

/* By --memory, else by what the devices have left; where that is too little the session says so, with what may help. */
static weft_status make_room(void *ctx, served *m, const weft_session_plan *plan, weft_error *err)
{
    server *s = ctx;
    weft_error now;
    const double until = weft__seconds() + s->patience;
    *err = (weft_error){ 0 };
    pthread_mutex_lock(&s->lock);
    weft_status ever = s->memory ? fits_alone(s, m, err) : WEFT_OK, status = ever;
    while (!ever && (status = s->memory ? fits(s, m, &now) : weft_session_plan_check(plan, &now))) {
        if (reduce(s, until)) continue;
        *err = now;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return s->memory ? status : WEFT_OK;
}

/* ---- loading ---- */

static bool goes_on(void *ctx, const weft_progress *p)
{
    const server *s = ctx;
    (void)p;
    return !atomic_load(&s->stopping);
}

/* Those that wait, taken out; under the lock. They hold the model if there is one. */
static exchange *take_waiting(served *m, bool loaded)
{
    exchange *first = m->first;
    for (exchange *x = first; x && loaded; x = x->next) {
        x->model = m;
        m->users++;
    }
    m->first = NULL;
    m->last = &m->first;
    m->n_waiting = 0;
    return first;
}

static void tell_waiting(exchange *x, const served *m, const char *why)
{
    for (exchange *next; x; x = next) {
        next = x->next;
        if (why) exchange_error(x, 503, "model_not_loaded", "model", "'%s' could not be loaded: %s", m->name, why);
        else if (!desk_put(x)) exchange_error(x, 503, "not_ready", NULL, "the server is ending");
        exchange_release(x);
    }
}

/* A model that is LOADING; not under the lock. */
static int load(server *s, served *m, weft_progress_sink progress)
{
    weft_error why;
    int status = served_open(m, s->n_models > 1 ? &s->cores : NULL, progress, make_room, s, &why);
    pthread_mutex_lock(&s->lock);
    m->state = status ? SERVED_UNLOADED : SERVED_LOADED;
    m->used = weft__seconds();
    m->loads += !status;
    exchange *waiting = take_waiting(m, !status);
    pthread_mutex_unlock(&s->lock);
    tell_waiting(waiting, m, status ? why.text : NULL);
    return status;
}

int keeper_load(server *s, served *m)
{
    m->state = SERVED_LOADING;
    return load(s, m, (weft_progress_sink){ 0 });
}

/* ---- the thread ---- */

static served *next_wanted(server *s)
{
    served *next = NULL;
    for (unsigned i = 0; i < s->n_models; i++)
        if (s->models[i].state == SERVED_WANTED && (!next || s->models[i].order < next->order)) next = &s->models[i];
    return next;
}

/* One that is to be given back now; else *wait becomes the seconds until there may be one, or stays. */
static served *next_spent(server *s, double *wait)
{
    const double now = weft__seconds();
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (!is_idle(m) || (m->keep_alive < 0 && !m->unload)) continue;
        const double left = m->used + m->keep_alive - now;
        if (m->unload || left <= 0) return m;
        if (left < *wait) *wait = left;
    }
    return NULL;
}

static void *keep(void *ctx)
{
    enum { LONGEST = 3600 };
    server *s = ctx;
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        double wait = LONGEST;
        served *wanted = next_wanted(s), *spent = wanted ? NULL : next_spent(s, &wait);
        if (wanted) {
            wanted->state = SERVED_LOADING;
            pthread_mutex_unlock(&s->lock);
            fprintf(stderr, "loading %s\n", wanted->name);
            load(s, wanted, (weft_progress_sink){ goes_on, s });
            pthread_mutex_lock(&s->lock);
        } else if (spent) {
            give_back(s, spent);
        } else {
            await_change(s, wait + 0.001);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool keeper_start(server *s)
{
    return s->keeping = !pthread_create(&s->keeper, NULL, keep, s);
}

void keeper_stop(server *s)
{
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->keeping) pthread_join(s->keeper, NULL);
    s->keeping = false;
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        pthread_mutex_lock(&s->lock);
        exchange *waiting = take_waiting(m, false);
        pthread_mutex_unlock(&s->lock);
        tell_waiting(waiting, m, "the server is ending");
    }
}
