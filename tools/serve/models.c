/* models.c: which model a request means, and who holds it. A request that needs a model which is not loaded waits for
 * the keeper, in the order in which requests came, and is then read again from the beginning. So does one that needs a
 * model which is to make room for another. */
#include "tools/serve/server.h"

#include <string.h>

const char *served_state_name(served_state s)
{
    static const char *const names[SERVED_STATES] = { "unloaded", "loading", "loading", "loaded", "unloading" };
    return names[s];
}

const char *server_adapter_name(const served *m, uint32_t i)
{
    return m->adapter_names[i];
}

int32_t server_adapter(const served *m, const char *name)
{
    const size_t n = strlen(m->name);
    for (uint32_t i = 0; name && !strncmp(name, m->name, n) && name[n] == ':' && i < m->n_adapters; i++)
        if (!strcmp(name + n + 1, m->adapter_names[i])) return (int32_t)i;
    return WEFT_ADAPTER_NONE;
}

served *server_find(server *s, const char *name)
{
    if (!name) return &s->models[0];
    for (unsigned i = 0; i < s->n_models; i++)
        if (!strcmp(s->models[i].name, name)) return &s->models[i];
    for (unsigned i = 0; i < s->n_models; i++)
        if (server_adapter(&s->models[i], name) >= 0) return &s->models[i];
    return NULL;
}

void served_want(server *s, served *m)
{
    m->unload = false;
    if (m->state != SERVED_UNLOADED) return; /* of one that is being given back the keeper looks who waits */
    m->state = SERVED_WANTED;
    m->postponed = false;
    m->until = 0;
    m->order = s->n_wanted++;
    pthread_cond_signal(&s->changed);
}

void served_unwant(server *s, served *m)
{
    if (m->state == SERVED_WANTED && !m->n_waiting) m->state = SERVED_UNLOADED;
    m->unload = m->state != SERVED_UNLOADED; /* when those that wait already have been served */
    pthread_cond_signal(&s->changed);
}

bool served_is_awaited(served *m)
{
    exchange **at = &m->first;
    while (*at) {
        exchange *x = *at;
        if (!exchange_gone(x)) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        m->n_waiting--;
        exchange_release(x); /* it holds no model */
    }
    m->last = at;
    return m->n_waiting;
}

/* Under the lock. False: too many wait already. */
static bool wait_for(exchange *x, served *m)
{
    if (m->n_waiting >= m->queue) served_is_awaited(m);
    if (m->n_waiting >= m->queue) return false;
    exchange_hold(x);
    x->next = NULL;
    *m->last = x;
    m->last = &x->next;
    m->n_waiting++;
    served_want(x->server, m);
    return true;
}

/* loads false: an error where it is not loaded. */
static served *claim(exchange *x, const char *name, bool loads)
{
    server *s = x->server;
    served *m = x->model ? x->model : server_find(s, name);
    if (x->model) return m; /* it is held: what was asked before, or has been waited for */
    if (!m) {
        exchange_error(x, 404, "model_not_found", "model", "there is no model '%.200s' here", name ? name : "");
        return NULL;
    }
    pthread_mutex_lock(&s->lock);
    const bool loaded = m->state == SERVED_LOADED && !m->leaving, ends = atomic_load(&s->stopping);
    const bool waits = !loaded && !ends && loads && wait_for(x, m); /* another thread may read x again from here on */
    if (loaded) {
        m->users++;
        x->model = m;
    }
    pthread_mutex_unlock(&s->lock);
    if (loaded) return m;
    if (ends) exchange_error(x, 503, "not_ready", NULL, "the server is ending");
    else if (!loads) exchange_error(x, 409, "model_not_loaded", "model", "'%s' is not loaded", m->name);
    else if (!waits) exchange_error(x, 429, "queue_full", NULL, "too many requests wait for '%s'", m->name);
    return NULL;
}

served *server_model(exchange *x, const char *name)
{
    return claim(x, name, true);
}

served *server_loaded_model(exchange *x, const char *name)
{
    return claim(x, name, false);
}

served *server_text_model(exchange *x, const char *name)
{
    served *m = server_model(x, name);
    if (!m || m->generates) return m;
    exchange_error(x, 422, "no_text", "model", "'%s' has no head that gives the next token", m->name);
    return NULL;
}

void server_stay(server *s, served *m, double seconds)
{
    pthread_mutex_lock(&s->lock);
    m->stays = seconds;
    pthread_mutex_unlock(&s->lock);
}

void server_release(server *s, served *m)
{
    pthread_mutex_lock(&s->lock);
    m->used = weft__seconds();
    if (!--m->users) {
        s->n_freed++;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- /models/load, /models/unload ---- */

static served *named_model(exchange *x)
{
    json_t *request = request_json(x);
    if (!request) return NULL;
    const char *name = json_string_value(json_object_get(request, "model"));
    served *m = name ? server_find(x->server, name) : NULL;
    if (!name) exchange_error(x, 400, "invalid_value", "model", "'model': expected the name of a model");
    else if (!m) exchange_error(x, 404, "model_not_found", "model", "there is no model '%.200s' here", name);
    json_decref(request);
    return m;
}

/* The answer comes when it is loaded, or has failed to. Of what was asked before, it is the later one that counts. */
void serve_load(exchange *x)
{
    const bool at_once = !x->model; /* else it was waited for, and may have been unloaded since */
    served *m = at_once ? named_model(x) : x->model;
    if (!m || !server_model(x, m->name)) return;
    pthread_mutex_lock(&x->server->lock);
    if (at_once) m->unload = false;
    pthread_mutex_unlock(&x->server->lock);
    exchange_answer(x, 200, json_pack("{s:b}", "success", 1));
}

/* The answer comes at once: texts under way are finished first. */
void serve_unload(exchange *x)
{
    served *m = named_model(x);
    if (!m) return;
    pthread_mutex_lock(&x->server->lock);
    served_unwant(x->server, m);
    pthread_mutex_unlock(&x->server->lock);
    exchange_answer(x, 200, json_pack("{s:b}", "success", 1));
}
