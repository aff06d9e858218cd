/* room.c: whether there is room for a model on its devices, and which models are in its way. By what their plans take:
 * of a number of bytes on each device (--memory), or of what a device has left together with what is loaded there. All
 * of it under the server's lock. */
#include "tools/serve/room.h"

#include <string.h>

bool room_is_idle(const served *m)
{
    return m->state == SERVED_LOADED && !m->users && (!m->n_waiting || m->leaving);
}

static bool same_device(const weft_device_info *a, const weft_device_info *b)
{
    return !strcmp(a->name, b->name) && a->index == b->index;
}

/* Bytes of a device that the model's plan takes: the same one may be named more than once. */
static uint64_t bytes_on(const served *m, const weft_device_info *device)
{
    uint64_t n = 0;
    for (uint32_t k = 0; k < m->n_devices; k++)
        if (same_device(&m->devices[k], device)) n += m->planned[k];
    return n;
}

/* Whether a loaded model is counted. */
static bool counts(const served *m, room_of whose)
{
    if (m->state != SERVED_LOADED) return false;
    return whose == ROOM_LOADED || (!room_is_idle(m) && (whose == ROOM_IN_USE || !m->leaving));
}

/* Bytes of a device that others have. */
static uint64_t taken(const server *s, const weft_device_info *device, room_of whose)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->n_models; i++)
        if (whose != ROOM_NONE && counts(&s->models[i], whose)) n += bytes_on(&s->models[i], device);
    return n;
}

void room_look(const server *s, served *m)
{
    enum { UNKNOWN = 62 };
    for (uint32_t k = 0; k < m->n_devices; k++) {
        m->most[k] = s->memory;
        if (s->memory) continue;
        weft_device_info now;
        weft_backend_info(m->run.devices.device[k], &now);
        m->most[k] = now.memory_known ? now.memory + taken(s, &now, ROOM_LOADED) : UINT64_C(1) << UNKNOWN;
    }
}

const weft_device_info *room_short(const server *s, const served *m, room_of whose)
{
    for (uint32_t k = 0; k < m->n_devices; k++)
        if (bytes_on(m, &m->devices[k]) + taken(s, &m->devices[k], whose) > m->most[k]) return &m->devices[k];
    return NULL;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576;
}

weft_status room_fail(const server *s, const served *m, const weft_device_info *device, weft_error *err)
{
    const double need = mib(bytes_on(m, device)), others = mib(taken(s, device, ROOM_LOADED));
    uint64_t most = 0;
    for (uint32_t k = 0; k < m->n_devices; k++)
        if (same_device(&m->devices[k], device)) most = m->most[k];
    const char *what = s->memory ? "that --memory allows" : "that there are";
    if (room_short(s, m, ROOM_NONE))
        return WEFT_FAIL(err, WEFT_LIMIT, "it takes %.1f MiB on %s, of the %.1f %s", need, device->name, mib(most),
                         what);
    return WEFT_FAIL(err, WEFT_LIMIT, "it takes %.1f MiB on %s, and models that are in use have %.1f of the %.1f %s",
                     need, device->name, others, mib(most), what);
}

served *room_oldest(server *s, const weft_device_info *device, bool idle)
{
    served *oldest = NULL;
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        if (!(idle ? room_is_idle(m) : counts(m, ROOM_STAYING)) || !bytes_on(m, device)) continue;
        if (!oldest || m->used < oldest->used) oldest = m;
    }
    return oldest;
}
