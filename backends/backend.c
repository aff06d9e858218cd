/* backend.c: the registry of backends and the front of their life cycle. */
#include "backends/contract.h"

#include <string.h>

/* Best first: what a program that names no device tries. */
static const weft_backend_vt *const backends[] = {
#ifdef WEFT_VULKAN
    &weft__backend_vulkan,
#endif
    &weft__backend_cpu, &weft__backend_null
};
enum { BACKEND_COUNT = sizeof backends / sizeof *backends, MAX_WHICH = 128 };

const char *const *weft_backend_names(uint32_t *n)
{
    static const char *const names[BACKEND_COUNT] = {
#ifdef WEFT_VULKAN
        "vulkan",
#endif
        "cpu", "null"
    };
    *n = BACKEND_COUNT;
    return names;
}

/* A spec in its parts: "name:which,options". */
typedef struct parts {
    const weft_backend_vt *vt;
    char which[MAX_WHICH];
    const char *options;
} parts;

/* "threads=4": what an option looks like, and a comma's other side in a device's name does not. */
static bool is_option(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz-");
    return n && s[n] == '=';
}

/* How long the device after the ':' is: a number up to the comma, a name up to the first option. */
static size_t which_length(const char *s)
{
    size_t n = strcspn(s, ",");
    if (n && strspn(s, "0123456789") == n) return n;
    while (s[n] && s[n + 1] && !is_option(s + n + 1)) n += 1 + strcspn(s + n + 1, ",");
    return n;
}

static weft_status parse_spec(const char *spec, parts *out, weft_error *err)
{
    size_t n = strcspn(spec, ":,"), which = 0;
    *out = (parts){ .options = spec + n };
    for (uint32_t i = 0; i < BACKEND_COUNT; i++)
        if (strlen(backends[i]->name) == n && !memcmp(backends[i]->name, spec, n)) out->vt = backends[i];
    if (!out->vt)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "device '%.*s': no such backend (%scpu, null)", (int)(n > 100 ? 100 : n),
                         spec, BACKEND_COUNT > 2 ? "vulkan, " : "");
    if (spec[n] == ':') {
        which = which_length(spec + n + 1);
        if (!which || which >= sizeof out->which)
            return WEFT_FAIL(err, WEFT_INVALID, "device '%.100s': a number or a part of a name stands after ':'", spec);
        memcpy(out->which, spec + n + 1, which);
        out->options += 1 + which;
    }
    if (*out->options == ',') out->options++;
    return WEFT_OK;
}

weft_status weft_backend_open(const char *spec, weft_backend **out, weft_error *err)
{
    parts p;
    weft_backend *b;
    *out = NULL;
    WEFT_TRY(parse_spec(spec, &p, err));
    WEFT_TRY(p.vt->open(p.which, p.options, &b, err));
    b->vt = p.vt;
    *out = b;
    return WEFT_OK;
}

weft_status weft_backend_list(const char *spec, uint32_t index, weft_device_info *out, weft_error *err)
{
    parts p;
    *out = (weft_device_info){ 0 };
    WEFT_TRY(parse_spec(spec, &p, err));
    if (*p.which) return WEFT_FAIL(err, WEFT_INVALID, "device '%.100s': listing takes no device", spec);
    return p.vt->list(index, p.options, out, err);
}

void weft_backend_close(weft_backend *b)
{
    if (b) b->vt->close(b);
}

void weft_backend_info(const weft_backend *b, weft_device_info *out)
{
    b->vt->info(b, out);
}
