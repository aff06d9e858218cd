/* sample.h: which rows of a wide product (cases x devices, seeds x devices) a run takes.
 *
 * Without WEFT_TEST_SAMPLE in the environment a run takes all of them. With "SEED/N" it takes about one in N, by a hash
 * of seed, row and device: another seed takes others, and each device has its own choice. tools/check takes the commit
 * for a seed, so that many commits see everything; `tools/check --all` leaves the variable out. A failure is seen again
 * with the SEED/N that was printed, or without.
 *
 * WEFT_TEST_BRIEF marks a driver beside another on which the same tests run, because it is many times slower or much
 * the same: half as much is taken there, and of some tests that are whole elsewhere, a sample too. It says nothing
 * where WEFT_TEST_SAMPLE is not set. */
#ifndef WEFT_TESTS_SAMPLE_H
#define WEFT_TESTS_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline uint64_t sample_hash(uint64_t h, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

/* N of "SEED/N" or twice that; 1: everything. */
static inline unsigned long sample_n(void)
{
    const char *spec = getenv("WEFT_TEST_SAMPLE"), *slash = spec ? strchr(spec, '/') : NULL;
    unsigned long n = slash ? strtoul(slash + 1, NULL, 10) : 1;
    if (n < 2) return 1;
    return getenv("WEFT_TEST_BRIEF") ? 2 * n : n;
}

static inline uint64_t sample_seed(void)
{
    const char *spec = getenv("WEFT_TEST_SAMPLE");
    return sample_hash(UINT64_C(0xcbf29ce484222325), spec, strcspn(spec, "/"));
}

static inline bool sample_takes(const char *row, const char *device)
{
    unsigned long n = sample_n();
    if (n < 2) return true;
    uint64_t h = sample_hash(sample_seed(), device, strlen(device));
    h = sample_hash(h, row, strlen(row));
    return (h * UINT64_C(0x9e3779b97f4a7c15) >> 32) % n == 0;
}

/* Of a short list of long work, numbered from 0: every 2 N-th, so that a run takes as many as another. */
static inline bool sample_takes_number(uint64_t i)
{
    unsigned long n = 2 * sample_n();
    return n < 4 || ((sample_seed() * UINT64_C(0x9e3779b97f4a7c15) >> 32) + i) % n == 0;
}

/* For a product that is whole on other drivers. */
static inline bool sample_takes_slow(const char *row, const char *device)
{
    return !getenv("WEFT_TEST_BRIEF") || sample_takes(row, device);
}

/* Says so, where a run is a sample. */
static inline void sample_print(void)
{
    const char *spec = getenv("WEFT_TEST_SAMPLE");
    if (spec) printf("a sample: WEFT_TEST_SAMPLE=%s\n", spec);
}

#endif
