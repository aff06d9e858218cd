/* exec_times.c: when launches ran. A profiled recording writes a timestamp before and after each dispatch; they are
 * read after the wait and put on the host's clock: by calibrated timestamps where the device's clock and the host's
 * can be read together, else so that the last launch ends when the host saw the run end. */
#include "backends/vulkan/exec.h"

/* ---- on the host's clock ---- */

/* A moment on both clocks. */
typedef struct moment { double ticks, ns; } moment; /* ticks since the run's first timestamp */

static weft_status calibrated_moment(const weft_exec *e, uint64_t first, moment *out, weft_error *err)
{
    const vk_backend *vk = e->vk;
    static const VkCalibratedTimestampInfoEXT clocks[] = {
        { .sType = VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, .timeDomain = VK_TIME_DOMAIN_DEVICE_EXT },
        { .sType = VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, .timeDomain = VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT }
    };
    uint64_t now[2], deviation;
    VkResult r = vk->calibrated_timestamps(vk->device, 2, clocks, now, &deviation);
    if (r) return vk_fail(err, r, "vkGetCalibratedTimestamps", "%s", vk->properties.deviceName);
    /* Differences of nanoseconds fit a double, times since the machine's start might not. */
    *out = (moment){ vk_ticks_between(vk, first, now[0]), (double)(int64_t)(now[1] - e->submit_ns) };
    return WEFT_OK;
}

static weft_status find_moment(const weft_exec *e, const vk_recording *r, moment *out, weft_error *err)
{
    if (e->vk->calibrated_timestamps) return calibrated_moment(e, r->times[0], out, err);
    *out = (moment){ 0, (double)(e->done_ns - e->submit_ns) };
    for (uint32_t i = 0; i < r->n_dispatches; i++) {
        double ticks = vk_ticks_between(e->vk, r->times[0], r->times[2 * i + 1]);
        if (ticks > out->ticks) out->ticks = ticks;
    }
    return WEFT_OK;
}

/* A timestamp as the host's time, within the run: clocks may disagree by a little. */
static uint64_t host_time(const weft_exec *e, const vk_recording *r, const moment *m, uint64_t t)
{
    double ns = m->ns + (vk_ticks_between(e->vk, r->times[0], t) - m->ticks) *
                            (double)e->vk->properties.limits.timestampPeriod;
    if (ns <= 0) return e->submit_ns;
    uint64_t at = e->submit_ns + (uint64_t)ns;
    return at < e->done_ns ? at : e->done_ns;
}

/* ---- spans ---- */

weft_status vk_exec_profile(weft_exec *e, bool on, weft__exec_timing *out, weft_error *err)
{
    vk_backend *vk = e->vk;
    const weft_plan *plan = e->desc.plan;
    *out = (weft__exec_timing){ .calibrated = vk->calibrated_timestamps != NULL };
    vk_idle(vk);
    vk_recordings_drop(e, true);
    e->profiled = e->has_tick = false;
    if (!on) return WEFT_OK;
    if (!vk_has_timestamps(vk))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: the queue of %s has no timestamps",
                         vk->properties.deviceName);
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const weft_kernel_choice *c = &e->desc.choices[plan->steps[i].node];
        if (plan->steps[i].device == e->desc.device && c->kernel) out->n_spans += c->launches ? c->launches : 1;
    }
    e->profiled = true;
    return WEFT_OK;
}

/* A timestamp before a launch is written when its command is reached, which may be while what its barrier waits for
 * still runs: no launch begins before that has ended. */
static void add_spans(const weft_exec *e, const vk_recording *r, const moment *m, weft__span_log *log)
{
    uint64_t floor = e->submit_ns, last = floor;
    for (uint32_t k = 0, i = 0; k < r->n_chunks; k++) {
        if (r->chunks[k].piece + 1 < r->chunks[k].n_pieces) continue; /* its last piece tells */
        for (uint32_t n = 0; n < r->chunks[k].n; n++, i++) {
            const vk_dispatch *d = &r->list->dispatches[r->first_dispatch + i];
            if (!n || d->barrier) floor = last;
            uint64_t begin = host_time(e, r, m, r->times[2 * i]), end = host_time(e, r, m, r->times[2 * i + 1]);
            if (begin < floor) begin = floor;
            if (end < begin) end = begin;
            if (end > last) last = end;
            weft__span_add(log, (weft_span){ .begin = begin, .end = end, .step = d->first_step, .n_steps = d->n_steps,
                                             .device = (uint16_t)e->desc.device, .track = WEFT_TRACK_QUEUE,
                                             .kind = WEFT_SPAN_STEP });
        }
    }
}

/* A clock that stands still gives no times: all timestamps of a run are one, or a lone launch's are those of the launch
 * before, although the host has waited in between. */
static weft_status check_advance(weft_exec *e, const vk_recording *r, weft_error *err)
{
    uint32_t n = 2 * r->n_dispatches, same = 1;
    while (same < n && r->times[same] == r->times[0]) same++;
    bool stands = n && same == n && (n > 2 || (e->has_tick && e->last_tick == r->times[0]));
    if (n) e->last_tick = r->times[n - 1];
    e->has_tick |= n > 0;
    if (!stands) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "vulkan: %s: the driver's timestamps do not advance",
                     e->vk->properties.deviceName);
}

weft_status vk_exec_spans(weft_exec *e, weft__span_log *log, weft_error *err)
{
    vk_backend *vk = e->vk;
    const vk_recording *r = e->running;
    moment m = { 0, 0 };
    if (!r || !r->queries) return WEFT_OK;
    WEFT_TRY(vk_stamps_read(vk, r->queries, 2 * r->n_dispatches, r->times, err));
    WEFT_TRY(check_advance(e, r, err));
    WEFT_TRY(find_moment(e, r, &m, err));
    add_spans(e, r, &m, log);
    return vk_exec_settle(e, err);
}
