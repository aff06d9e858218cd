/* test.h: the harness of every C test. A file of tests is
 *
 *     static void adds(void) { CHECK_EQ_INT(1 + 1, 2); }
 *     static const weft_test tests[] = { { "adds", adds } };
 *     TEST_MAIN(tests)
 *
 * A failed check prints its place and its values, is counted, and the test goes on; every CHECK is also a value, so
 * `if (!CHECK(p)) return;` stops where going on makes no sense. Arguments are filters: a test runs if its name contains
 * one of them. Exit status: 1 if a check failed, 77 if every test that ran was skipped, 2 if a filter matched nothing.
 * A program of several files includes this in each and has TEST_MAIN in one. */
#ifndef WEFT_TEST_H
#define WEFT_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "graph/base.h"

typedef struct weft_test {
    const char *name;
    void (*run)(void);
} weft_test;

/* The counts of the test that is running; defined by TEST_MAIN. */
typedef struct weft_test_state {
    unsigned checks, failures;
    bool skipped;
} weft_test_state;
extern weft_test_state weft_test_now;

#define CHECK(cond) test_check((cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ_INT(got, want)                                                                    \
    test_check_int((intmax_t)(got), (intmax_t)(want), #got, __FILE__, __LINE__)
#define CHECK_STR(got, want) test_check_str((got), (want), #got, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) test_check_contains((text), (part), #text, __FILE__, __LINE__)
/* |got - want| <= tolerance; NaN equals NaN. */
#define CHECK_NEAR(got, want, tolerance)                                                           \
    test_check_near((got), (want), (tolerance), #got, __FILE__, __LINE__)
/* A call that returns weft_status, and the weft_error that it filled. */
#define CHECK_OK(call, err) test_check_status((call), WEFT_OK, &(err), #call, __FILE__, __LINE__)
#define CHECK_STATUS(call, want, err)                                                              \
    test_check_status((call), (want), &(err), #call, __FILE__, __LINE__)
/* Ends a test (a function that returns void) as skipped; the reason is mandatory. */
#define TEST_SKIP(reason)                                                                          \
    do {                                                                                           \
        printf("  skipped: %s\n", (reason));                                                       \
        weft_test_now.skipped = true;                                                              \
        return;                                                                                    \
    } while (0)

static inline bool test_note(bool ok, const char *file, int line)
{
    weft_test_now.checks++;
    if (ok) return true;
    weft_test_now.failures++;
    printf("%s:%d: ", file, line);
    return false;
}

static inline bool test_check(bool ok, const char *what, const char *file, int line)
{
    if (!test_note(ok, file, line)) printf("%s is false\n", what);
    return ok;
}

static inline bool test_check_int(intmax_t got, intmax_t want, const char *what, const char *file,
                                  int line)
{
    bool ok = test_note(got == want, file, line);
    if (!ok) printf("%s is %" PRIdMAX ", not %" PRIdMAX "\n", what, got, want);
    return ok;
}

static inline bool test_check_str(const char *got, const char *want, const char *what,
                                  const char *file, int line)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;
    bool ok = test_note(same, file, line);
    if (!ok) printf("%s is \"%s\", not \"%s\"\n", what, got ? got : "NULL", want ? want : "NULL");
    return ok;
}

static inline bool test_check_contains(const char *text, const char *part, const char *what,
                                       const char *file, int line)
{
    bool ok = test_note(text && strstr(text, part), file, line);
    if (!ok) printf("%s is \"%s\", without \"%s\"\n", what, text ? text : "NULL", part);
    return ok;
}

static inline bool test_check_near(double got, double want, double tolerance, const char *what,
                                   const char *file, int line)
{
    double error = got > want ? got - want : want - got;
    bool both_nan = got != got && want != want; /* NaN is the value that differs from itself */
    bool ok = test_note(both_nan || got == want || error <= tolerance, file, line);
    if (!ok) printf("%s is %.9g, not %.9g (within %.3g)\n", what, got, want, tolerance);
    return ok;
}

static inline bool test_check_status(weft_status got, weft_status want, const weft_error *err,
                                     const char *what, const char *file, int line)
{
    bool ok = test_note(got == want, file, line);
    if (!ok)
        printf("%s returned %s, not %s: %s\n", what, weft_status_name(got), weft_status_name(want),
               got == WEFT_OK ? "no error" : err->text);
    return ok;
}

static inline bool test_wanted(const char *name, int n_filters, char **filters)
{
    for (int i = 0; i < n_filters; i++)
        if (strstr(name, filters[i])) return true;
    return n_filters == 0;
}

static inline int test_run_all(const weft_test *tests, size_t n, int n_filters, char **filters)
{
    unsigned ran = 0, failed = 0, skipped = 0, checks = 0;
    for (size_t i = 0; i < n; i++) {
        if (!test_wanted(tests[i].name, n_filters, filters)) continue;
        weft_test_now = (weft_test_state){ 0 };
        printf("%s\n", tests[i].name);
        fflush(stdout); /* so that a crash leaves the name behind */
        tests[i].run();
        ran++;
        checks += weft_test_now.checks;
        if (weft_test_now.failures)
            failed++;
        else if (weft_test_now.skipped)
            skipped++;
    }
    printf("%u tests, %u checks, %u failed, %u skipped\n", ran, checks, failed, skipped);
    if (failed) return 1;
    if (!ran) return 2;
    return skipped == ran ? 77 : 0;
}

#define TEST_MAIN(tests)                                                                           \
    weft_test_state weft_test_now;                                                                 \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_run_all((tests), sizeof(tests) / sizeof *(tests), argc - 1, argv + 1);         \
    }

#endif
