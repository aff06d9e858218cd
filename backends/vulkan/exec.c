/* exec.c: the steps of a device, compiled, and their runs.
 *
 * A run copies the inputs' shadows in, runs the chunks of its recording, and copies outputs to their shadows: one
 * submission, unless there are several chunks. The first run calibrates the rates by which recordings are cut. */
#include "backends/vulkan/exec.h"

#include <stdlib.h>

weft_status vk_exec_create(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err)
{
    *out = NULL;
    weft_exec *e = calloc(1, sizeof *e);
    if (!e) return WEFT_OOM_FAIL(err, "the compiled steps");
    e->vk = (vk_backend *)b;
    e->desc = *d;
    e->arena = d->arena->blocks;
    weft_status s = vk_io_create(e, err);
    if (!s) s = vk_dispatches_create(e, true, &e->joined, err);
    if (s) {
        vk_exec_destroy(e);
        return s;
    }
    *out = e;
    return WEFT_OK;
}

void vk_exec_destroy(weft_exec *e)
{
    if (!e) return;
    vk_backend *vk = e->vk;
    vk_idle(vk);
    vk_recordings_drop(e, false);
    vk_io_destroy(e);
    vk_dispatches_destroy(vk, &e->joined);
    vk_dispatches_destroy(vk, &e->single);
    free(e);
}

/* ---- running ---- */

/* One submission per chunk; the inputs' copies go with the first, the outputs' with the last. */
static weft_status submit_all(weft_exec *e, vk_recording *r, bool copy_in, bool copy_out, uint64_t *ticket,
                              weft_error *err)
{
    uint32_t last = r->n_chunks ? r->n_chunks - 1 : 0;
    for (uint32_t i = 0; i <= last; i++) {
        VkCommandBuffer batch[3];
        uint32_t n = 0;
        vk_chunk *c = r->n_chunks ? &r->chunks[i] : NULL;
        if (copy_in && !i) batch[n++] = e->upload_commands;
        if (c) batch[n++] = c->commands;
        if (copy_out && i == last) batch[n++] = e->readback_commands;
        if (!n) return WEFT_OK;
        WEFT_TRY(vk_submit(e->vk, batch, n, ticket, err));
        e->counters.submits++;
        if (!c) return WEFT_OK;
        c->ticket = *ticket;
        e->counters.launches += c->n;
        e->counters.barriers += c->barriers;
    }
    return WEFT_OK;
}

weft_status vk_exec_submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                           weft_error *err)
{
    double start = weft__seconds();
    vk_recording *r;
    if (e->profiled) e->submit_ns = weft__nanoseconds();
    WEFT_TRY(vk_io_extents(e, extents, err));
    WEFT_TRY(vk_recording_find(e, first, n, &r, err));
    *ticket = e->vk->submitted;
    bool copy_in = e->dirty && !e->direct_in, copy_out = r->reads_back && e->readback_commands;
    e->dirty = e->fresh = false;
    WEFT_TRY(submit_all(e, r, copy_in, copy_out, ticket, err));
    e->fresh = copy_out;
    e->ticket = *ticket;
    e->running = r;
    e->started = start;
    e->counters.host_seconds += weft__seconds() - start;
    return WEFT_OK;
}

/* The device's rates from one run of everything: both are scaled alike, since only their larger share is seen. */
static void calibrate(weft_exec *e)
{
    double total = 0, took = weft__seconds() - e->started;
    for (uint32_t i = 0; i < e->running->n_chunks; i++)
        total += vk_predicted(e->vk, e->running->chunks[i].bytes, e->running->chunks[i].flops);
    if (!e->running->reads_back || total < 1e-4) return;
    for (uint32_t i = 0; i < weft_graph_extent_count(e->desc.g); i++)
        if (e->extents.extent[i] != (uint32_t)e->desc.bounds[i]) return;
    double factor = took / total;
    factor = factor < 1.0 / 16 ? 1.0 / 16 : factor > 4 ? 4 : factor; /* a first run can be slow for other reasons */
    e->vk->seconds_per_byte *= factor;
    e->vk->seconds_per_op *= factor;
    e->timed = true;
}

/* Whether the chunks of a recording turn out much longer than wanted, or much shorter than needed. */
static bool vk_recording_outdated(const weft_exec *e, const vk_recording *r)
{
    double longest = 0, limit = e->vk->options.submit_seconds;
    uint32_t dispatches = 0;
    for (uint32_t i = 0; i < r->n_chunks; i++) {
        double s = vk_predicted(e->vk, r->chunks[i].bytes, r->chunks[i].flops);
        bool cut = r->chunks[i].n > 1 || r->list->dispatches[r->chunks[i].first].in_pieces;
        if (s > longest && cut) longest = s;
        dispatches += r->chunks[i].n;
    }
    return longest > 2 * limit || (r->n_chunks > 1 && r->n_chunks < dispatches && longest < limit / 4);
}

/* Within the first run, so that no later one records anything. */
weft_status vk_exec_settle(weft_exec *e, weft_error *err)
{
    if (e->timed || !e->running) return WEFT_OK;
    calibrate(e);
    vk_recording *old = e->running, *r;
    if (!e->timed || !vk_recording_outdated(e, old)) return WEFT_OK;
    WEFT_TRY(vk_recording_make(e, old->first, old->n, &r, err));
    for (vk_recording **at = &e->recordings; *at; at = &(*at)->next)
        if (*at == old) {
            *at = old->next;
            break;
        }
    e->running = r;
    vk_recording_destroy(e->vk, old);
    return WEFT_OK;
}

/* Names the steps that were running when the device was lost. */
static weft_status lost(weft_exec *e, weft_status s, weft_error *err)
{
    uint64_t done = 0;
    char from[256], to[256];
    VkResult r = e->vk->api.GetSemaphoreCounterValue(e->vk->device, e->vk->timeline, &done);
    const vk_chunk *c = NULL;
    for (uint32_t i = 0; e->running && i < e->running->n_chunks && !c; i++)
        if (r || e->running->chunks[i].ticket > done) c = &e->running->chunks[i];
    if (!c) return s;
    const vk_dispatch *a = &e->running->list->dispatches[c->first], *b = a + c->n - 1;
    return weft__annotate(err, s, "between %s and %s", vk_step_text(e, a->first_step, from, sizeof from),
                          vk_step_text(e, b->first_step + b->n_steps - 1, to, sizeof to));
}

weft_status vk_exec_wait(weft_exec *e, uint64_t ticket, weft_error *err)
{
    weft_status s = vk_wait(e->vk, ticket, err);
    if (e->profiled) e->done_ns = weft__nanoseconds();
    if (s == WEFT_DEVICE_LOST) return lost(e, s, err);
    if (!s && !e->profiled) s = vk_exec_settle(e, err); /* profiled: when the times are read */
    if (!s) s = vk_validation_check(e->vk, err);
    return s;
}

void vk_exec_counters(const weft_exec *e, weft_counters *out)
{
    out->launches += e->counters.launches;
    out->barriers += e->counters.barriers;
    out->submits += e->counters.submits;
    out->recordings += e->counters.recordings;
    out->bindings += e->counters.bindings;
    out->allocations += e->vk->allocations;
    out->bytes_in += e->counters.bytes_in;
    out->bytes_out += e->counters.bytes_out;
    out->host_seconds += e->counters.host_seconds;
}
