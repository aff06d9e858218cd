/* backend.c: the registry of backends and the front of their life cycle. */
#include "backends/contract.h"

#include <string.h>

static const weft_backend_vt *const backends[] = { &weft__backend_cpu, &weft__backend_null };
enum { BACKEND_COUNT = sizeof backends / sizeof *backends };

const char *const *weft_backend_names(uint32_t *n)
{
    static const char *const names[BACKEND_COUNT] = { "cpu", "null" };
    *n = BACKEND_COUNT;
    return names;
}

weft_status weft_backend_open(const char *spec, weft_backend **out, weft_error *err)
{
    *out = NULL;
    size_t n = strcspn(spec, ",");
    for (uint32_t i = 0; i < BACKEND_COUNT; i++) {
        const weft_backend_vt *vt = backends[i];
        if (strlen(vt->name) != n || memcmp(vt->name, spec, n)) continue;
        weft_backend *b;
        WEFT_TRY(vt->open(spec + n + (spec[n] == ','), &b, err));
        b->vt = vt;
        *out = b;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "device '%.*s': no such backend (cpu, null)", (int)(n > 100 ? 100 : n), spec);
}

void weft_backend_close(weft_backend *b)
{
    if (b) b->vt->close(b);
}

void weft_backend_info(const weft_backend *b, weft_device_info *out)
{
    b->vt->info(b, out);
}

weft_status weft_backend_roof(weft_backend *b, double seconds, weft_roof *out, weft_error *err)
{
    *out = (weft_roof){ 0 };
    if (!(seconds > 0 && seconds <= 60)) return WEFT_FAIL(err, WEFT_INVALID, "a roof is measured for up to 60 seconds");
    return b->vt->roof(b, seconds, out, err);
}

const char *weft_place_name(weft_place_reason r)
{
    static const char *const names[WEFT_PLACE_COUNT] = {
#define X(name, sentence) #name,
        WEFT_PLACE_LIST(X)
#undef X
    };
    return (unsigned)r < WEFT_PLACE_COUNT ? names[r] : "?";
}
