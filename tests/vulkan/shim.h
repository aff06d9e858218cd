/* shim.h: steering shim.c, which test_faults.c opens as a library. */
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

#endif
