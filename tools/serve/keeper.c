/* keeper.c: the thread that loads models when requests want them and gives them back: those that nobody has used for as
 * long as they are to be kept, those that somebody has asked to be unloaded, and those that are in the way of another,
 * the one first that was not used for longest. A model with a text under way stays; who wants its room is postponed
 * until it is left, and others are loaded meanwhile. */
#include "tools/serve/room.h"

#include <string.h>

/* ---- giving back ---- */

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
    m->unload = m->leaving = false;
    keep_counts(m);
    pthread_mutex_unlock(&s->lock);
    served_close(m);
    fprintf(stderr, "unloaded %s\n", m->name);
    pthread_mutex_lock(&s->lock);
    const bool unload = m->unload;
    m->state = SERVED_UNLOADED;
    s->n_freed++;
    if (m->n_waiting) served_want(s, m);
    m->unload = unload && m->n_waiting;
}

/* ---- room ---- */

/* Until those that are in use have left. */
static void postpone(server *s, served *m, const weft_error *why)
{
    if (m->until == 0) m->until = weft__seconds() + s->patience;
    m->postponed = true;
    m->tried = s->n_freed;
    m->why = *why;
}

/* By --memory, else by what the devices have left; where that is too little the session says so, with what may help.
 * Nothing is given back for a model that there would be no room for then. */
static weft_status make_room(void *ctx, served *m, const weft_session_plan *plan, weft_error *err)
{
    server *s = ctx;
    weft_status status = WEFT_OK;
    const weft_device_info *device;
    *err = (weft_error){ 0 };
    pthread_mutex_lock(&s->lock);
    while (room_look(s, m), (device = room_short(s, m, ROOM_LOADED))) {
        const weft_device_info *in_use = room_short(s, m, ROOM_IN_USE);
        served *oldest = in_use || !s->keeping || atomic_load(&s->stopping) ? NULL : room_oldest(s, device, true);
        if (oldest) {
            give_back(s, oldest);
            continue;
        }
        status = room_fail(s, m, in_use ? in_use : device, err);
        if (in_use && s->keeping && !room_short(s, m, ROOM_NONE)) postpone(s, m, err);
        break;
    }
    if (!device && !s->memory) (void)!weft_session_plan_check(plan, err);
    status = s->memory || m->postponed ? status : WEFT_OK;
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- loading ---- */

typedef struct watch {
    server *s;
    served *m;
    double next; /* look for clients that have gone */
    bool abandoned;
} watch;

static bool goes_on(void *ctx, const weft_progress *p)
{
    watch *w = ctx;
    (void)p;
    if (weft__seconds() >= w->next) {
        pthread_mutex_lock(&w->s->lock);
        w->abandoned = !served_is_awaited(w->m);
        pthread_mutex_unlock(&w->s->lock);
        w->next = weft__seconds() + 0.25;
    }
    return !atomic_load(&w->s->stopping) && !w->abandoned;
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

static void tell_waiting(server *s, exchange *x, const served *m, const char *why)
{
    for (exchange *next; x; x = next) {
        next = x->next;
        if (why && !atomic_load(&s->stopping))
            exchange_error(x, 503, "model_not_loaded", "model", "'%s' could not be loaded: %s", m->name, why);
        else if (why || !desk_put(x))
            exchange_error(x, 503, "not_ready", NULL, "the server is ending");
        exchange_release(x);
    }
}

/* Takes the lock for granted, and lets it go meanwhile. why NULL: it is loaded. */
static void answer_waiting(server *s, served *m, const char *why)
{
    exchange *waiting = take_waiting(m, !why);
    pthread_mutex_unlock(&s->lock);
    tell_waiting(s, waiting, m, why);
    pthread_mutex_lock(&s->lock);
}

/* A model that is LOADING; not under the lock. */
static int load(server *s, served *m, weft_progress_sink progress, const bool *abandoned)
{
    weft_error why;
    int status = served_open(m, s->n_models > 1 ? &s->cores : NULL, progress, make_room, s, &why);
    pthread_mutex_lock(&s->lock);
    const bool later = status && m->postponed;
    m->state = later ? SERVED_WANTED : status ? SERVED_UNLOADED : SERVED_LOADED;
    m->used = weft__seconds();
    m->loads += !status;
    if (status && !later) m->unload = false;
    if (status && *abandoned && m->n_waiting) served_want(s, m); /* somebody has come since */
    else if (!later) answer_waiting(s, m, status ? why.text : NULL);
    pthread_mutex_unlock(&s->lock);
    return status;
}

int keeper_load(server *s, served *m)
{
    m->state = SERVED_LOADING;
    return load(s, m, (weft_progress_sink){ 0 }, &(bool){ false });
}

/* ---- the thread ---- */

/* Of those that there may be room for now the one that was wanted first. */
static served *next_wanted(server *s)
{
    served *next = NULL;
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (m->state != SERVED_WANTED || (next && next->order < m->order)) continue;
        if (!m->postponed || (m->tried != s->n_freed && !room_short(s, m, ROOM_IN_USE))) next = m;
    }
    return next;
}

/* Whether there would be too little room for some model even if those that leave had left. */
static bool is_room_lacking(const server *s)
{
    bool lacks = false;
    for (unsigned i = 0; i < s->n_models; i++) {
        const served *m = &s->models[i];
        lacks |= m->state == SERVED_WANTED && m->postponed && room_short(s, m, ROOM_STAYING);
    }
    return lacks;
}

/* Models in use whose room is waited for: who asks for them from now on waits until they have been given back. */
static void choose_leaving(server *s)
{
    const weft_device_info *device;
    served *in_way;
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (!m->leaving) continue;
        m->leaving = false;
        m->leaving = is_room_lacking(s);
    }
    for (unsigned i = 0; i < s->n_models; i++) {
        const served *m = &s->models[i];
        if (m->state != SERVED_WANTED || !m->postponed) continue;
        while ((device = room_short(s, m, ROOM_STAYING)) && (in_way = room_oldest(s, device, false)))
            in_way->leaving = true;
    }
}

/* Looks after those that wait: gives up a model that nobody waits for any more, or that there was no room for in time.
 * Under the lock, which it lets go meanwhile. */
static void look_after_waiting(server *s)
{
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (m->state != SERVED_WANTED) continue;
        const bool late = m->postponed && weft__seconds() >= m->until;
        if (served_is_awaited(m) && !late) continue;
        m->state = SERVED_UNLOADED;
        m->postponed = m->unload = false;
        if (late) fprintf(stderr, "%s: %s\n", m->name, m->why.text);
        answer_waiting(s, m, m->why.text);
    }
    choose_leaving(s);
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (m->state == SERVED_LOADED && !m->leaving && m->n_waiting) answer_waiting(s, m, NULL);
    }
}

/* Seconds until the keeper must look again for the sake of those that wait; else `wait`. */
static double next_look(const server *s, double wait)
{
    const double now = weft__seconds();
    for (unsigned i = 0; i < s->n_models; i++) {
        const served *m = &s->models[i];
        if (m->n_waiting && wait > 1) wait = 1;
        if (m->state == SERVED_WANTED && m->postponed && m->until - now < wait) wait = m->until - now;
    }
    return wait > 0 ? wait : 0;
}

static void await_change(server *s, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* One that is to be given back now; else *wait becomes the seconds until there may be one, or stays. */
static served *next_spent(server *s, double *wait)
{
    const double now = weft__seconds();
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (!room_is_idle(m) || m->n_waiting || (m->stays < 0 && !m->unload)) continue;
        const double left = m->used + m->stays - now;
        if (m->unload || left <= 0) return m;
        if (left < *wait) *wait = left;
    }
    return NULL;
}

/* Takes the lock for granted, and lets it go meanwhile. */
static void load_wanted(server *s, served *m)
{
    watch w = { .s = s, .m = m, .next = weft__seconds() + 0.25 };
    m->state = SERVED_LOADING;
    const bool again = m->postponed;
    m->postponed = false;
    pthread_mutex_unlock(&s->lock);
    if (!again) fprintf(stderr, "loading %s\n", m->name);
    load(s, m, (weft_progress_sink){ goes_on, &w }, &w.abandoned);
    pthread_mutex_lock(&s->lock);
}

static void *keep(void *ctx)
{
    enum { LONGEST = 3600 };
    server *s = ctx;
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        double wait = LONGEST;
        look_after_waiting(s);
        served *wanted = next_wanted(s), *spent = wanted ? NULL : next_spent(s, &wait);
        if (wanted) load_wanted(s, wanted);
        else if (spent) give_back(s, spent);
        else if (!atomic_load(&s->stopping)) await_change(s, next_look(s, wait) + 0.001);
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
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n_models; i++) answer_waiting(s, &s->models[i], "the server is ending");
    pthread_mutex_unlock(&s->lock);
}
