/* program_io.c: a program's ports, extents and values: written before a run, read after it. */
#include "backends/program.h"

#include <string.h>

weft_status weft_program_port(const weft_program *p, const char *name, weft_ref *out, weft_error *err)
{
    *out = weft_graph_find(p->s->g, name);
    return out->id ? WEFT_OK : WEFT_FAIL(err, WEFT_NOT_FOUND, "the program has no input or output '%s'", name);
}

weft_status weft_program_set_extent(weft_program *p, const char *name, uint32_t value, weft_error *err)
{
    if (p->running) return weft__program_check_idle(p, err);
    for (uint32_t i = 0; i < weft_graph_extent_count(p->s->g); i++) {
        uint32_t bound;
        if (strcmp(weft_graph_extent(p->s->g, i + 1, &bound), name)) continue;
        if (!value || value > p->s->bounds[i])
            return WEFT_FAIL(err, WEFT_INVALID, "extent '%s' = %u is not within 1..%lld", name, value,
                             (long long)p->s->bounds[i]);
        p->extents[i] = value;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "the program has no extent '%s'", name);
}

/* Where bytes of a value are: at `at` of its device's arena, or of a state's buffer. */
typedef struct place {
    const weft_backend_vt *vt;
    weft_exec *exec; /* the arena's; NULL: buf */
    weft_buf *buf;
    uint64_t at;
} place;

static weft_status locate(const weft_program *p, weft_ref r, uint64_t offset, uint64_t n, place *out, weft_error *err)
{
    const weft_value *v = weft_graph_value(p->s->g, r);
    if (!v) return WEFT_FAIL(err, WEFT_INVALID, "the program has no value %%%u", r.id);
    const weft_slot *s = &p->s->plan->slots[r.id];
    uint64_t bytes = weft_value_bytes(p->s->g, r, p->s->bounds);
    if (offset > bytes || n > bytes - offset)
        return WEFT_FAIL(err, WEFT_INVALID, "bytes %llu..%llu are outside value %%%u of %llu bytes",
                         (unsigned long long)offset, (unsigned long long)(offset + n), r.id, (unsigned long long)bytes);
    if (s->storage != WEFT_STORAGE_ARENA && s->storage != WEFT_STORAGE_STATE)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "value %%%u is no activation or state", r.id);
    if (!weft__is_dense(p->s->g, r, s, p->s->bounds))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "value %%%u is a view that does not lie in one piece", r.id);
    const weft_dtype_info *t = weft_dtype_get(v->dtype);
    bool arena = s->storage == WEFT_STORAGE_ARENA;
    *out = (place){ .vt = p->devices[s->device]->vt, .exec = arena ? p->execs[s->device] : NULL,
                    .buf = arena ? NULL : p->bufs[weft__at(p->s, s->device, s->root.id)],
                    .at = (arena ? s->offset : 0) + (uint64_t)s->first / t->block * t->bytes + offset };
    return WEFT_OK;
}

weft_status weft__write_value(weft_program *p, weft_ref r, uint64_t offset, const void *src, uint64_t n,
                              weft_error *err)
{
    place to;
    WEFT_TRY(locate(p, r, offset, n, &to, err));
    return to.exec ? to.vt->exec_write(to.exec, to.at, src, n, err) : to.vt->buf_write(to.buf, to.at, src, n, err);
}

weft_status weft__read_value(weft_program *p, weft_ref r, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    place from;
    WEFT_TRY(locate(p, r, offset, n, &from, err));
    return from.exec ? from.vt->exec_read(from.exec, from.at, dst, n, err)
                     : from.vt->buf_read(from.buf, from.at, dst, n, err);
}

/* The host's span of a write or read that began at `begin`. */
static void note(weft_program *p, weft_span_kind kind, weft_ref r, uint64_t begin)
{
    if (!p->profile) return;
    weft__span_add(&p->spans, (weft_span){ .begin = begin, .end = weft__nanoseconds(),
                                           .device = (uint16_t)p->s->plan->slots[r.id].device,
                                           .track = WEFT_TRACK_HOST, .kind = (uint8_t)kind });
}

weft_status weft_program_write(weft_program *p, weft_ref r, uint64_t offset, const void *src, uint64_t n,
                               weft_error *err)
{
    uint64_t begin = weft__program_now(p);
    WEFT_TRY(weft__program_check_idle(p, err));
    WEFT_TRY(weft__write_value(p, r, offset, src, n, err));
    note(p, WEFT_SPAN_WRITE, r, begin);
    return WEFT_OK;
}

weft_status weft_program_read(weft_program *p, weft_ref r, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    uint64_t begin = weft__program_now(p);
    WEFT_TRY(weft__program_check_idle(p, err));
    WEFT_TRY(weft__read_value(p, r, offset, dst, n, err));
    note(p, WEFT_SPAN_READ, r, begin);
    return WEFT_OK;
}
