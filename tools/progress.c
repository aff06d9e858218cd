/* progress.c: long work on a terminal: the line that says how far it is, and Ctrl-C. The first Ctrl-C while the library
 * works makes the next report cancel it, the second ends the process as the system does. The same holds for SIGTERM and
 * SIGHUP: a process that is killed in the self-test leaves a kernel behind that "did not come back". */
#include "tools/cli.h"
#include "tools/meter.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted; /* by this signal */

static void on_interrupt(int signal_number)
{
    interrupted = signal_number;
}

bool cli_interrupted(void)
{
    return interrupted;
}

int cli_interrupted_status(void)
{
    return 128 + (interrupted ? interrupted : SIGINT);
}

/* ---- the line ---- */

static double read_clock(void *ctx)
{
    (void)ctx;
    return weft__seconds();
}

static bool write_terminal(void *ctx, const char *data, size_t n)
{
    (void)ctx;
    return fwrite(data, 1, n, stderr) == n && !fflush(stderr);
}

/* The line, drawn by whoever reports and, where nobody does for a while, by a thread. */
static struct line {
    meter m;
    bool wanted, ticking; /* on a terminal that may be written to; there is the thread */
    const weft__task *outer;
    pthread_mutex_t lock; /* of m */
    pthread_cond_t begun;
} line = { .m = { .seconds = read_clock, .terminal = { NULL, write_terminal } }, .lock = PTHREAD_MUTEX_INITIALIZER,
           .begun = PTHREAD_COND_INITIALIZER };

static void *tick(void *ctx)
{
    const struct timespec pause = { .tv_nsec = 250000000 };
    (void)ctx;
    for (;;) {
        pthread_mutex_lock(&line.lock);
        while (!line.m.active) pthread_cond_wait(&line.begun, &line.lock);
        meter_tick(&line.m);
        pthread_mutex_unlock(&line.lock);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void start_ticking(void)
{
    pthread_t thread;
    line.ticking = true; /* or is never to be: reports draw, too */
    if (!pthread_create(&thread, NULL, tick, NULL)) pthread_detach(thread);
}

static bool report(void *ctx, const weft_progress *p)
{
    (void)ctx;
    if (line.wanted) {
        struct winsize size;
        if (!line.ticking) start_ticking();
        pthread_mutex_lock(&line.lock);
        line.m.columns = !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
        meter_report(&line.m, line.outer ? &line.outer->at : p);
        pthread_cond_signal(&line.begun);
        pthread_mutex_unlock(&line.lock);
    }
    return !interrupted;
}

void cli_progress_init(const cli_args *a)
{
    line.wanted = isatty(STDERR_FILENO) && !cli_has(a, "quiet");
}

bool cli_on_terminal(void)
{
    return line.wanted;
}

static void arm(int signal_number)
{
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)(SA_RESETHAND | SA_RESTART) }, old;
    if (!sigaction(signal_number, NULL, &old) && old.sa_handler != SIG_IGN) sigaction(signal_number, &action, NULL);
}

weft_progress_sink cli_progress(void)
{
    static bool armed;
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; !armed && i < sizeof signals / sizeof *signals; i++) arm(signals[i]);
    armed = true;
    return (weft_progress_sink){ report, NULL };
}

void cli_progress_end(void)
{
    pthread_mutex_lock(&line.lock);
    meter_end(&line.m);
    pthread_mutex_unlock(&line.lock);
}

/* ---- work of the program's own ---- */

weft_status cli_work_begin(cli_work *w, const char *what, uint64_t total, const char *unit, weft_error *err)
{
    w->sink = cli_progress();
    line.outer = &w->task;
    return weft__task_begin(&w->task, &w->sink, what, total, unit, err);
}

weft_status cli_work_did(cli_work *w, uint64_t n, weft_error *err)
{
    return weft__task_reach(&w->task, w->task.at.done + n, err);
}

void cli_work_end(cli_work *w)
{
    if (line.outer == &w->task) line.outer = NULL;
    cli_progress_end();
}
