/* shim.h: steering shim.c, which tests open as a library. */
#ifndef TEST_SHIM_H
#define TEST_SHIM_H

#define SHIM_API __attribute__((visibility("default")))
/* Counts from zero; the fail-th fallible call fails, the swallow-th barrier between dispatches is left out (0: none) */
SHIM_API void shim_begin(int fail, int swallow);
/* Modules made from exactly this code subtract where they should add, from the next shim_begin on not any more. */
SHIM_API void shim_corrupt(const unsigned *code, unsigned long words);
SHIM_API int shim_calls(void);    /* fallible calls so far */
SHIM_API int shim_alive(void);    /* objects made and not destroyed */
SHIM_API int shim_barriers(void); /* barriers between dispatches so far */
/* Devices opened from now on have no timestamps, no calibrated ones; until the next shim_begin. */
enum { SHIM_TIMESTAMPS = 1, SHIM_CALIBRATION = 2 };
SHIM_API void shim_without(int what);
SHIM_API unsigned long shim_digest(void); /* of the sequence of commands recorded so far, labels left out */
SHIM_API int shim_timestamps(void);       /* commands that write one, so far */
/* Labels so far, -1: one is still open. *first: their texts, SHIM_LABELS of them at most, each in 256 bytes. */
enum { SHIM_LABELS = 32 };
SHIM_API int shim_labels(const char **first);

#endif
