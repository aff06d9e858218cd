/* test_conditions.c: the processors' times, from texts and moments made by hand. */
#include "tests/test.h"
#include "tools/conditions.h"

/* user nice system idle iowait irq softirq steal guest guest_nice */
static const char stat_text[] = "cpu  100 10 50 1000 20 3 7 30 40 0\n"
                                "cpu0 50 5 25 500 10 1 3 15 20 0\n"
                                "cpu1 50 5 25 500 10 2 4 15 20 0\n"
                                "intr 12345 0 1 2\nctxt 99\ncpufreq 1\n";

static void a_text_is_read(void)
{
    processor_times t;
    CHECK(processor_times_parse(stat_text, &t));
    CHECK_NEAR(t.busy, 200, 0); /* without idle, iowait and what is counted twice */
    CHECK_NEAR(t.count, 2, 0);
}

static void other_texts_are_refused(void)
{
    static const char *const texts[] = { "",         "cpu", "cpu \n", "cpu  1 2 3\ncpu0 1 2 3\n",
                                         "intr 1\n", "cpu  1 2 3 4\n" };
    processor_times t;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) CHECK(!processor_times_parse(texts[i], &t));
    CHECK(processor_times_parse("cpu  1 2 3 4\ncpu0 1 2 3 4", &t)); /* kernels of long ago */
    CHECK_NEAR(t.busy, 6, 0);
}

static processor_times moment(double wall, double busy, double own)
{
    return (processor_times){ .wall = wall, .busy = busy, .own = own, .count = 2, .tick = 0.01 };
}

static void others_are_what_is_not_ours(void)
{
    processor_times begin = moment(10, 100, 5), end = moment(14, 107, 9);
    CHECK_NEAR(processor_times_others(&begin, &end), 0.75, 1e-12);
    end = moment(14, 103.9, 9); /* ticks and clocks differ a little */
    CHECK_NEAR(processor_times_others(&begin, &end), 0, 0);
    end = moment(10.4, 100.4, 5.2);
    CHECK(processor_times_others(&begin, &end) < 0); /* too short to tell */
    end = moment(14, -1, 9);
    CHECK(processor_times_others(&begin, &end) < 0);
}

static const weft_test tests[] = {
    { "a_text_is_read", a_text_is_read },
    { "other_texts_are_refused", other_texts_are_refused },
    { "others_are_what_is_not_ours", others_are_what_is_not_ours },
};
TEST_MAIN(tests)
