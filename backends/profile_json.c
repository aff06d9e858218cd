/* profile_json.c: the section "profile" of a program in a dump (docs/dump-format.md). */
#include "backends/conditions.h"
#include "backends/dump.h"
#include "backends/profile_impl.h"

#include <stdio.h>
#include <stdlib.h>

void weft__json_roof(weft__json *j, const char *key, const weft_roof *r)
{
    weft__json_object(j, key);
    weft__json_f64(j, "bytes_per_second", r->bytes_per_second);
    weft__json_f64(j, "f32_ops_per_second", r->f32_ops_per_second);
    weft__json_f64(j, "int8_ops_per_second", r->int8_ops_per_second);
    weft__json_f64(j, "f16_matrix_ops_per_second", r->f16_matrix_ops_per_second);
    weft__json_f64(j, "launch_seconds", r->launch_seconds);
    weft__json_end_object(j);
}

const char *weft__span_kind_name(uint8_t kind)
{
    static const char *const names[WEFT_SPAN_COUNT] = { "step", "submit", "wait", "write", "read", "transfer" };
    return kind < WEFT_SPAN_COUNT ? names[kind] : "?";
}

void weft__profile_track(const weft_profile *prof, const weft_span *s, char *buf, size_t size)
{
    weft_device_info info;
    weft_backend_info(prof->p->devices[s->device < prof->p->s->n_devices ? s->device : 0], &info);
    if (s->track == WEFT_TRACK_HOST) snprintf(buf, size, "host");
    else if (info.type == WEFT_DEVICE_CPU) snprintf(buf, size, "thread %d", s->track - WEFT_TRACK_THREAD);
    else if (s->track == WEFT_TRACK_QUEUE) snprintf(buf, size, "queue");
    else snprintf(buf, size, "queue %d", s->track - WEFT_TRACK_QUEUE);
}

static void put_spread(weft__json *j, const weft_profile_spread *s)
{
    weft__json_f64(j, "median", s->median);
    weft__json_f64(j, "min", s->min);
    weft__json_f64(j, "max", s->max);
    weft__json_f64(j, "mad", s->mad);
}

static void put_node(weft__json *j, const weft_profile_node *n, bool has_roofs)
{
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_u64(j, "node", n->node);
    weft__json_u64(j, "step", n->step);
    weft__json_f64(j, "seconds", n->seconds.median);
    weft__json_f64(j, "min", n->seconds.min);
    weft__json_f64(j, "max", n->seconds.max);
    weft__json_f64(j, "mad", n->seconds.mad);
    weft__json_f64(j, "elapsed", n->elapsed);
    weft__json_f64(j, "flops", n->flops);
    weft__json_f64(j, "bytes", n->bytes);
    weft__json_f64(j, "bytes_per_second", n->bytes_per_second);
    weft__json_f64(j, "ops_per_second", n->ops_per_second);
    if (has_roofs) weft__json_f64(j, "roof", n->roof);
    else weft__json_null(j, "roof");
    if (n->bound) weft__json_string(j, "bound", weft_profile_bound_name(n->bound));
    else weft__json_null(j, "bound");
    weft__json_bool(j, "shared", n->shared);
    weft__json_end_object(j);
}

/* A number for a device and a track of it; the order of tracks in the file is that of these. */
static uint32_t track_key(const weft_span *s)
{
    return (uint32_t)s->device << 16 | s->track;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t find_tracks(const weft__kept_spans *kept, uint32_t *keys)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < kept->n; i++) keys[i] = track_key(&kept->spans[i]);
    qsort(keys, kept->n, sizeof *keys, by_number);
    for (uint32_t i = 0; i < kept->n; i++)
        if (!n || keys[i] != keys[n - 1]) keys[n++] = keys[i];
    return n;
}

static void put_spans(weft__json *j, const weft_profile *prof, const uint32_t *keys, uint32_t n_keys)
{
    char name[32];
    weft__json_line(j);
    weft__json_array(j, "tracks");
    for (uint32_t i = 0; i < n_keys; i++) {
        weft_span s = { .device = (uint16_t)(keys[i] >> 16), .track = (uint16_t)keys[i] };
        weft__profile_track(prof, &s, name, sizeof name);
        weft__json_object(j, NULL);
        weft__json_u64(j, "id", i);
        weft__json_u64(j, "device", s.device);
        weft__json_string(j, "name", name);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
    weft__json_line(j);
    weft__json_array(j, "spans");
    for (uint32_t i = 0; i < prof->shown->n; i++) {
        const weft_span *s = &prof->shown->spans[i];
        uint32_t key = track_key(s);
        const uint32_t *at = bsearch(&key, keys, n_keys, sizeof *keys, by_number);
        weft__json_line(j);
        weft__json_array(j, NULL);
        weft__json_u64(j, NULL, (uint64_t)(at - keys));
        weft__json_string(j, NULL, weft__span_kind_name(s->kind));
        weft__json_u64(j, NULL, s->step);
        weft__json_u64(j, NULL, s->n_steps);
        weft__json_u64(j, NULL, s->begin);
        weft__json_u64(j, NULL, s->end);
        weft__json_end_array(j);
    }
    weft__json_end_array(j);
}

static void put_conditions(weft__json *j, const weft_profile *prof)
{
    const weft_conditions *c = &prof->conditions;
    weft__warnings w;
    weft__conditions_warnings(c, prof->p->s->n_devices, &w);
    weft__json_line(j);
    weft__json_object(j, "conditions");
    if (c->processors > 0) weft__json_f64(j, "processors", c->processors);
    else weft__json_null(j, "processors");
    if (c->processors > 0 && c->others >= 0) weft__json_f64(j, "others", c->others);
    else weft__json_null(j, "others");
    weft__json_u64(j, "turns", c->turns);
    weft__json_array(j, "roofs");
    for (uint32_t d = 0; c->turns && d < prof->p->s->n_devices; d++) {
        weft__json_object(j, NULL);
        weft__json_roof(j, "least", &c->least[d]);
        weft__json_roof(j, "most", &c->most[d]);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
    weft__json_array(j, "warnings");
    for (uint32_t i = 0; i < w.n; i++) weft__json_string(j, NULL, w.text[i]);
    weft__json_end_array(j);
    weft__json_end_object(j);
}

weft_status weft__profile_json(const weft_profile *prof, weft__json *j, weft_error *err)
{
    if (!prof->shown) return WEFT_FAIL(err, WEFT_INVALID, "the profile of '%s' is not finished", prof->name);
    uint32_t *keys = calloc((size_t)prof->shown->n + 1, sizeof *keys);
    if (!keys) return WEFT_OOM_FAIL(err, "a profile's tracks");
    const weft_profile_parts *p = &prof->total.parts;
    weft__json_object(j, "profile");
    weft__json_string(j, "mode", weft_profile_mode_name(prof->mode));
    weft__json_u64(j, "runs", prof->total.kept);
    weft__json_f64(j, "tokens", prof->tokens);
    weft__json_bool(j, "calibrated", prof->calibrated);
    weft__json_object(j, "seconds");
    put_spread(j, &prof->total.seconds);
    weft__json_end_object(j);
    weft__json_object(j, "parts");
    weft__json_f64(j, "nodes", p->nodes);
    weft__json_f64(j, "submit", p->submit);
    weft__json_f64(j, "wait", p->wait);
    weft__json_f64(j, "host", p->host);
    weft__json_f64(j, "gaps", p->gaps);
    weft__json_end_object(j);
    put_conditions(j, prof);
    weft__json_line(j);
    weft__json_array(j, "nodes");
    for (uint32_t i = 0; i < prof->n_steps; i++) put_node(j, &prof->nodes[i], prof->has_roofs);
    weft__json_end_array(j);
    put_spans(j, prof, keys, find_tracks(prof->shown, keys));
    weft__json_end_object(j);
    free(keys);
    return WEFT_OK;
}
