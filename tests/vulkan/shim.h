/* shim.h: steering shim.c, which tests open as a library. */
#ifndef TEST_SHIM_H
#define TEST_SHIM_H

#include "tests/vulkan/profiles.h"

#define SHIM_API __attribute__((visibility("default")))
/* Counts from zero; the fail-th fallible call fails, the swallow-th barrier between dispatches is left out (0: none) */
SHIM_API void shim_begin(int fail, int swallow);
/* Modules made from exactly this code subtract where they should add, from the next shim_begin on not any more. */
SHIM_API void shim_corrupt(const unsigned *code, unsigned long words);
SHIM_API int shim_calls(void);    /* fallible calls so far */
SHIM_API int shim_alive(void);    /* objects made and not destroyed */
SHIM_API int shim_barriers(void); /* barriers between dispatches so far */
SHIM_API int shim_outer_barriers(void); /* all others */
/* Devices opened from now on have no timestamps, no calibrated ones, import none of the host's memory; until the next
 * shim_begin. */
enum { SHIM_TIMESTAMPS = 1, SHIM_CALIBRATION = 2, SHIM_IMPORTS = 4 };
SHIM_API void shim_without(int what);
SHIM_API unsigned long shim_digest(void); /* of the sequence of commands recorded so far, labels left out */
SHIM_API int shim_timestamps(void);       /* commands that write one, so far */
/* Labels so far, -1: one is still open. *first: their texts, SHIM_LABELS of them at most, each in 256 bytes. */
enum { SHIM_LABELS = 32 };
SHIM_API int shim_labels(const char **first);
/* From now on waits find the device lost, until the next shim_begin. */
SHIM_API void shim_lose(void);

/* Adds a device to the list, which then has no others until the next shim_begin: the driver's first one, said to be a
 * profile. Returns a copy of the profile to change before the device is opened; NULL: no such profile. One of them may
 * be open at a time. */
SHIM_API shim_profile *shim_device(const char *key);

/* What has happened since shim_begin. */
enum { SHIM_TIMES = 256 };
typedef struct shim_report {
    unsigned allocations, live_allocations, most_allocations; /* of device memory */
    unsigned refused;             /* for want of room */
    unsigned imports, no_imports; /* of the host's memory: done, refused */
    unsigned by_type[SHIM_TYPES]; /* allocations */
    unsigned flushes, invalidates;
    unsigned misused;             /* maps of what cannot be mapped, ranges that are not whole atoms */
    unsigned submits, waits, polls, fault_queries;
    unsigned n_times;
    uint64_t times[SHIM_TIMES];   /* timestamps that were read last, in nanoseconds */
    char extensions[1024];        /* that the device was opened with, each with a space behind it */
} shim_report;
SHIM_API const shim_report *shim_reported(void);

#endif
