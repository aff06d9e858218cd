/* golden.h: texts that are kept in tests/graph/golden/ and compared with what the library prints now. After a wanted
 * change, run the test with --update and look at the difference before committing it. Programs end with
 * GOLDEN_MAIN(tests) in place of TEST_MAIN(tests). */
#ifndef WEFT_TEST_GOLDEN_H
#define WEFT_TEST_GOLDEN_H

#include <stdlib.h>

#include "tests/test.h"

extern bool golden_update;

static inline char *golden_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    size_t size = 0, capacity = 0, n;
    char *text = NULL;
    do {
        capacity += 65536;
        text = realloc(text, capacity + 1);
        if (!text) abort();
        n = fread(text + size, 1, capacity - size, f);
        size += n;
    } while (n > 0);
    text[size] = 0;
    fclose(f);
    return text;
}

/* Line number and both lines where two texts first differ. */
static inline void golden_show(const char *path, const char *want, const char *got)
{
    unsigned line = 1;
    for (;;) {
        size_t n = strcspn(want, "\n"), m = strcspn(got, "\n");
        if (n != m || memcmp(want, got, n) != 0) {
            printf("%s:%u:\n  kept: %.*s\n  now:  %.*s\n", path, line, (int)n, want, (int)m, got);
            return;
        }
        if (!want[n] || !got[m]) {
            printf("%s:%u: one text ends here\n", path, line);
            return;
        }
        want += n + 1;
        got += m + 1;
        line++;
    }
}

static inline void check_golden(const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/graph/golden/%s.txt", WEFT_TEST_ROOT, name);
    if (!CHECK(text != NULL)) return;
    if (golden_update) {
        FILE *f = fopen(path, "wb");
        bool ok = f && fputs(text, f) >= 0;
        if (f) ok = fclose(f) == 0 && ok;
        CHECK(ok);
        return;
    }
    char *kept = golden_read(path);
    bool same = kept && !strcmp(kept, text);
    if (!CHECK(same)) golden_show(path, kept ? kept : "", text);
    free(kept);
}

#define GOLDEN_MAIN(tests)                                                                      \
    weft_test_state weft_test_now;                                                              \
    bool golden_update;                                                                         \
    int main(int argc, char **argv)                                                             \
    {                                                                                           \
        golden_update = argc > 1 && !strcmp(argv[1], "--update");                               \
        return test_run_all((tests), sizeof(tests) / sizeof *(tests), argc - 1 - golden_update, \
                            argv + 1 + golden_update);                                          \
    }

#endif
