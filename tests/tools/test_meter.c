/* test_meter.c: when the line of long work is drawn, and what it says, on a clock that the test moves; and what words
 * are taken for. */
#include "tests/test.h"

#include "graph/guess.h"
#include "tools/meter.h"

static double now;
static weft_text shown;
static double last_drawn, longest_gap;

static double read_clock(void *ctx)
{
    (void)ctx;
    return now;
}

static bool take(void *ctx, const char *data, size_t n)
{
    (void)ctx;
    if (now - last_drawn > longest_gap) longest_gap = now - last_drawn;
    last_drawn = now;
    return weft_text_writer(&shown).write(&shown, data, n);
}

static meter fresh(unsigned columns)
{
    weft_text_free(&shown);
    now = last_drawn = 100;
    longest_gap = 0;
    return (meter){ .seconds = read_clock, .terminal = { NULL, take }, .columns = columns };
}

/* What was written since the last look. */
static const char *seen(void)
{
    static char text[1024];
    snprintf(text, sizeof text, "%s", shown.data ? shown.data : "");
    weft_text_free(&shown);
    return text;
}

static void report_at(meter *m, double at, const char *what, uint64_t done, uint64_t total, const char *unit)
{
    now = 100 + at;
    meter_report(m, &(weft_progress){ what, done, total, unit });
}

static void short_work_shows_nothing(void)
{
    meter m = fresh(80);
    for (int i = 0; i <= 99; i++) report_at(&m, 0.01 * i, "loading weights", (uint64_t)i, 100, "B");
    meter_end(&m);
    meter_tick(&m);
    CHECK_STR(seen(), "");
}

static void a_line_says_how_far(void)
{
    meter m = fresh(80);
    report_at(&m, 0, "loading weights", 0, 4096ull << 20, "B");
    report_at(&m, 1, "loading weights", 1024ull << 20, 4096ull << 20, "B");
    CHECK_STR(seen(), "\rloading weights: 1.0 of 4.0 GiB, 25 %, 1.0 GiB/s, 3 s left\033[K");
    report_at(&m, 1.05, "loading weights", 1100ull << 20, 4096ull << 20, "B");
    CHECK_STR(seen(), ""); /* at most ten times a second */
    report_at(&m, 1.5, "compiling kernels", 0, 40, "kernels");
    CHECK_STR(seen(), "\rcompiling kernels: 0 of 40 kernels, 0 %\033[K"); /* another piece: at once */
    report_at(&m, 3.5, "compiling kernels", 4, 40, "kernels");
    CHECK_STR(seen(), "\rcompiling kernels: 4 of 40 kernels, 10 %, 2.0 kernels/s, 18 s left\033[K");
    report_at(&m, 1001.5, "compiling kernels", 5, 40, "kernels");
    CHECK_CONTAINS(seen(), "0.0 kernels/s, 2 h left");
    report_at(&m, 1002, "measuring the device", 0, 0, "passes");
    report_at(&m, 1003, "measuring the device", 50, 0, "passes");
    CHECK_CONTAINS(seen(), "\rmeasuring the device: 50 passes, 50 passes/s\033[K");
    meter_end(&m);
    CHECK_STR(seen(), "\r\033[K");
    meter_end(&m);
    CHECK_STR(seen(), "");
    report_at(&m, 1004, "loading weights", 0, 10, "B"); /* new work has its own second */
    report_at(&m, 1004.9, "loading weights", 5, 10, "B");
    CHECK_STR(seen(), "");
    report_at(&m, 1005, "loading weights", 6, 10, "B");
    CHECK_STR(seen(), "\rloading weights: 6 of 10 B, 60 %, 6.0 B/s, 1 s left\033[K");
    weft_text_free(&shown);
}

static void a_narrow_terminal(void)
{
    meter m = fresh(20);
    report_at(&m, 0, "loading weights", 0, 100, "B");
    report_at(&m, 2, "loading weights", 50, 100, "B");
    CHECK_STR(seen(), "\rloading weights: 50\033[K"); /* 19: a full line would wrap */
    weft_text_free(&shown);
}

/* Pieces of any length, with reports as rare as they come: never silent for more than two seconds, if only the clock
 * ticks, and mostly because of it where no report comes for long. */
static void never_silent(void)
{
    static const double steps[] = { 0.05, 0.3, 0.9, 1.9, 7.0 };
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        meter m = fresh(80);
        double at = 0, tick = 0;
        for (uint64_t i = 0; i < 400; i++) {
            for (; tick < at; tick += 0.25) {
                now = 100 + tick;
                meter_tick(&m);
            }
            report_at(&m, at, i / 3 % 2 ? "compiling kernels" : "loading weights", i % 3, 3, "B");
            at += steps[k];
        }
        CHECK(longest_gap <= 2.0);
        CHECK(shown.size > 0);
    }
    weft_text_free(&shown);
}

static const char *meant(const char *word)
{
    static const char *const words[] = { "generate", "logits", "embed", "perplexity", "prompt", "max-tokens", "q8_0",
                                         "q4_0" };
    static char text[80];
    weft__guess g = { .word = word };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) weft__guess_try(&g, words[i], strlen(words[i]));
    return weft__guess_text(&g, text, sizeof text);
}

static void what_was_meant(void)
{
    CHECK_EQ_INT(weft__guess_distance("", "abc"), 3);
    CHECK_EQ_INT(weft__guess_distance("kitten", "sitting"), 3);
    CHECK_EQ_INT(weft__guess_distance("ab", "ba"), 1);
    CHECK_EQ_INT(weft__guess_distance("genrate", "generate"), 1);
    CHECK_STR(meant("genrate"), " (did you mean 'generate'?)");
    CHECK_STR(meant("pormpt"), " (did you mean 'prompt'?)");
    CHECK_STR(meant("max_token"), " (did you mean 'max-tokens'?)");
    CHECK_STR(meant("q8"), " (did you mean 'q8_0'?)");
    CHECK_STR(meant("frobnicate"), "");
    CHECK_STR(meant("x"), "");
    CHECK_STR(meant("a-word-that-is-longer-than-any-that-there-are-in-the-table"), "");
}

static const weft_test tests[] = {
    { "short work shows nothing", short_work_shows_nothing },
    { "a line says how far", a_line_says_how_far },
    { "a narrow terminal", a_narrow_terminal },
    { "never silent", never_silent },
    { "what was meant", what_was_meant },
};
TEST_MAIN(tests)
