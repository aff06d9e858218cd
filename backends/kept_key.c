/* kept_key.c: what the bytes of a packed weight follow from: the release, the device's form of the layout, type and
 * shape, and where they come from: which files, unchanged since, and where in them. */
#include "backends/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Clocks of file systems tick: what was changed within a tick of being opened may change again and show the same time.
 * Where no nanoseconds are told a tick may be two seconds. */
static bool may_still_change(uint64_t changed)
{
    const uint64_t second = UINT64_C(1000000000), tick = changed % second ? second / 10 : 2 * second;
    struct timespec t;
    if (clock_gettime(CLOCK_REALTIME, &t)) return true;
    return (uint64_t)t.tv_sec * second + (uint64_t)t.tv_nsec < changed + tick;
}

/* One piece of a weight into *h; false: it is in no file. */
static bool mix_place(const weft_weight_data *src, const void *data, uint64_t bytes, weft_file_place *p, uint64_t *h,
                      bool *fresh)
{
    if (!src->place || !src->place(src->ctx, data, bytes, p)) return false;
    const uint64_t words[] = { p->device, p->inode, p->size, p->modified, p->changed, p->offset };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) *h = weft__kept_mix(*h, words[i]);
    *fresh |= may_still_change(p->modified > p->changed ? p->modified : p->changed);
    return true;
}

static bool mix_source(const weft_weight_data *src, weft_file_place *first, uint64_t *h, bool *fresh)
{
    weft_file_place p;
    if (!src->n_parts) return mix_place(src, src->data, src->bytes, first, h, fresh);
    for (uint32_t i = 0; i < src->n_parts; i++)
        if (!mix_place(src, src->parts[i], src->bytes / src->n_parts, i ? &p : first, h, fresh)) return false;
    return true;
}

static void write_dims(const weft_weight_data *src, char out[160])
{
    size_t n = 0;
    for (uint32_t i = 0; i < src->rank && n < 140; i++)
        n += (size_t)snprintf(out + n, 160 - n, "%s%lld", i ? ", " : "", (long long)src->dims[i]);
    out[n] = 0;
}

/* Where the file is, however it was called. */
static uint64_t mix_path(uint64_t h, const char *path)
{
    char *whole = realpath(path, NULL);
    h = weft__kept_mix_text(h, whole ? whole : path);
    free(whole);
    return h;
}

bool weft__weight_key(const weft_backend *b, const char *name, weft_layout layout, weft_dtype t,
                      const weft_weight_data *src, weft__kept_key *out, bool *fresh)
{
    char form[64], dims[160];
    weft_file_place first;
    uint64_t source = 1;
    *fresh = false;
    if (!b->vt->layout_form || !mix_source(src, &first, &source, fresh)) return false;
    b->vt->layout_form(b, layout, form);
    write_dims(src, dims);
    *out = (weft__kept_key){ .bytes = b->vt->weight_bytes(b, layout, t, src->rank, src->dims) };
    const int n = snprintf(out->text, sizeof out->text, "weft %s; %s %s; %s [%s] of %s%s in %u parts; source %016llx",
                           weft_version(), b->vt->name, form, weft_dtype_get(t)->name, dims,
                           weft_dtype_get(src->dtype)->name, src->turned ? " turned" : "", src->n_parts,
                           (unsigned long long)source);
    if (n < 0 || (size_t)n >= sizeof out->text) return false;
    uint64_t slot = weft__kept_mix_text(mix_path(1, first.path), name);
    slot = weft__kept_mix_text(weft__kept_mix_text(slot, b->vt->name), form);
    out->slot = weft__kept_mix_text(slot, weft_dtype_get(t)->name);
    return true;
}
