/* probes.c: the graphs of the self-test, from probes.def. */
#include "backends/gpu/choose.h"

static const char *const small[] = {
#define GPU_PROBE(...) __VA_ARGS__,
#define GPU_LARGE_PROBE(...)
#include "backends/gpu/probes.def"
#undef GPU_PROBE
#undef GPU_LARGE_PROBE
};
static const char *const large_ones[] = {
#define GPU_PROBE(...)
#define GPU_LARGE_PROBE(...) __VA_ARGS__,
#include "backends/gpu/probes.def"
#undef GPU_PROBE
#undef GPU_LARGE_PROBE
};
enum { N_SMALL = sizeof small / sizeof *small, N_LARGE = sizeof large_ones / sizeof *large_ones };

const char *gpu_probe(uint32_t i, bool large)
{
    if (i < N_SMALL) return small[i];
    return large && i - N_SMALL < N_LARGE ? large_ones[i - N_SMALL] : NULL;
}
