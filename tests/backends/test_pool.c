/* test_pool.c: the CPU backend's thread pool: every thread runs every job once, barriers hold, sleepers wake. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backends/cpu/cpu.h"
#include "tests/test.h"

enum { ROUNDS = 40 };

typedef struct shared {
    atomic_uint calls[16], arrived[ROUNDS];
    atomic_uint early;
} shared;

static void count(void *ctx, uint32_t thread, uint32_t n_threads)
{
    shared *s = ctx;
    (void)n_threads;
    atomic_fetch_add(&s->calls[thread], 1);
}

static weft_error err;

static void every_thread_runs_every_job(void)
{
    for (uint32_t threads = 1; threads <= 8; threads++) {
        cpu_pool *p;
        shared s = { 0 };
        if (!CHECK_OK(cpu_pool_create(threads, threads % 3 ? 20 : 0, &p, &err), err)) continue;
        CHECK_EQ_INT(cpu_pool_size(p), threads);
        for (int i = 0; i < 200; i++) cpu_pool_run(p, count, &s);
        for (uint32_t t = 0; t < threads; t++) CHECK_EQ_INT(s.calls[t], 200);
        cpu_pool_destroy(p);
    }
    cpu_pool_destroy(NULL);
}

static cpu_pool *pool;

/* Before a barrier all add to one counter; after it, it must be complete. */
static void meet(void *ctx, uint32_t thread, uint32_t n_threads)
{
    shared *s = ctx;
    (void)thread;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&s->arrived[i], 1);
        cpu_pool_barrier(pool, NULL, NULL);
        if (atomic_load(&s->arrived[i]) != n_threads) atomic_fetch_add(&s->early, 1);
    }
}

/* One thread is the last to come; the others look for what to bring nearer, which is there or lies beyond what is. */
typedef struct looks {
    atomic_uint n;
    cpu_ahead ahead[8];
} looks;

static cpu_ahead *look(void *ctx)
{
    looks *l = ctx;
    unsigned n = atomic_fetch_add(&l->n, 1);
    return n % 3 ? &l->ahead[n % 8] : NULL;
}

static void meet_and_look(void *ctx, uint32_t thread, uint32_t n_threads)
{
    (void)thread, (void)n_threads;
    cpu_pool_barrier(pool, look, ctx);
}

static void who_waits_looks_ahead(void)
{
    for (uint32_t threads = 1; threads <= 6; threads++) {
        if (!CHECK_OK(cpu_pool_create(threads, 10, &pool, &err), err)) continue;
        looks l = { 0 };
        for (int i = 0; i < 8; i++)
            l.ahead[i] = (cpu_ahead){ { (unsigned char *)&l, i % 2 ? (unsigned char *)&l : NULL }, i * 1000 };
        for (int i = 0; i < ROUNDS; i++) cpu_pool_run(pool, meet_and_look, &l);
        CHECK_EQ_INT(l.n, (threads - 1) * ROUNDS);
        cpu_pool_destroy(pool);
    }
}

static void barriers_hold(void)
{
    for (uint32_t threads = 1; threads <= 6; threads++) {
        if (!CHECK_OK(cpu_pool_create(threads, 10, &pool, &err), err)) continue;
        for (int round = 0; round < 10; round++) {
            shared s = { 0 };
            cpu_pool_run(pool, meet, &s);
            CHECK_EQ_INT(s.early, 0);
        }
        cpu_pool_destroy(pool);
    }
}

/* What a job writes without atomics is seen by the caller, and by the next job. */
static void add_rows(void *ctx, uint32_t thread, uint32_t n_threads)
{
    long *data = ctx;
    for (uint32_t i = thread; i < 1000; i += n_threads) data[i]++;
}

static void memory_is_seen(void)
{
    long data[1000] = { 0 };
    if (!CHECK_OK(cpu_pool_create(4, 5, &pool, &err), err)) return;
    for (int round = 0; round < 300; round++) cpu_pool_run(pool, add_rows, data);
    for (int i = 0; i < 1000; i++) CHECK_EQ_INT(data[i], 300);
    cpu_pool_destroy(pool);
}

/* Longer pauses than the spinning time: the workers sleep, and still come. */
static void sleepers_wake(void)
{
    shared s = { 0 };
    if (!CHECK_OK(cpu_pool_create(3, 1, &pool, &err), err)) return;
    for (int i = 0; i < 30; i++) {
        struct timespec pause = { 0, 2000000 };
        nanosleep(&pause, NULL);
        cpu_pool_run(pool, count, &s);
    }
    for (uint32_t t = 0; t < 3; t++) CHECK_EQ_INT(s.calls[t], 30);
    cpu_pool_destroy(pool);
}

static void pools_come_and_go(void)
{
    for (int i = 0; i < 40; i++) {
        if (!CHECK_OK(cpu_pool_create(1 + (uint32_t)i % 5, i % 2 ? 0 : 50, &pool, &err), err))
            return;
        shared s = { 0 };
        if (i % 3) cpu_pool_run(pool, count, &s);
        cpu_pool_destroy(pool);
    }
}

/* ---- giving the processor away ---- */

static atomic_uint given_away;

/* In place of the C library's: counts, for whoever waits in a pool calls it. */
int sched_yield(void)
{
    atomic_fetch_add(&given_away, 1);
    return (int)syscall(SYS_sched_yield);
}

enum { TIMES = 1000 };

/* Thread 0 lets the others wait until they have given the processor away a thousand times; others that only spun
 * would wait for ever. */
static void come_late(void *ctx, uint32_t thread, uint32_t n_threads)
{
    (void)ctx;
    (void)n_threads;
    unsigned start = atomic_load(&given_away);
    while (!thread && atomic_load(&given_away) - start < TIMES) {}
    cpu_pool_barrier(pool, NULL, NULL);
}

/* More threads than processors: whoever is waited for may not be running. No clock decides here. */
static void who_waits_gives_the_processor_away(void)
{
    for (uint32_t threads = 2; threads <= 16; threads *= 2) {
        if (!CHECK_OK(cpu_pool_create(threads, 10, &pool, &err), err)) return;
        unsigned start = atomic_load(&given_away);
        cpu_pool_run(pool, come_late, NULL);
        CHECK(atomic_load(&given_away) - start >= TIMES);
        cpu_pool_destroy(pool);
    }
}

/* ---- where threads run ---- */

typedef struct places {
    cpu_set_t set[3];
} places;

static void where(void *ctx, uint32_t thread, uint32_t n_threads)
{
    places *p = ctx;
    (void)n_threads;
    if (sched_getaffinity(0, sizeof p->set[thread], &p->set[thread])) CPU_ZERO(&p->set[thread]);
}

/* All threads run on the last processor that this process may use; the caller only as long as the job takes. */
static void pinned_threads_run_where_they_are_to(void)
{
    cpu_set_t all, after;
    cpu_cpus cpus;
    places p;
    char text[32];
    unsigned last = 0;
    if (sched_getaffinity(0, sizeof all, &all)) return;
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all)) last = i;
    snprintf(text, sizeof text, "%u-%u", last, last);
    if (!CHECK_OK(cpu_cpus_parse(text, &cpus, &err), err)) return;
    CHECK_EQ_INT(cpu_cpus_cores(&cpus), 1);
    if (!CHECK_OK(cpu_pool_create(3, 10, &pool, &err), err)) return;
    cpu_pool_pin(pool, &cpus);
    cpu_pool_run(pool, where, &p);
    for (uint32_t t = 0; t < 3; t++) CHECK(CPU_COUNT(&p.set[t]) == 1 && CPU_ISSET(last, &p.set[t]));
    CHECK(!sched_getaffinity(0, sizeof after, &after) && CPU_EQUAL(&after, &all));
    cpu_pool_destroy(pool);
}

static const weft_test tests[] = {
    { "every thread runs every job", every_thread_runs_every_job },
    { "barriers hold", barriers_hold },
    { "who waits looks ahead", who_waits_looks_ahead },
    { "memory is seen", memory_is_seen },
    { "sleepers wake", sleepers_wake },
    { "pools come and go", pools_come_and_go },
    { "pinned threads run where they are to", pinned_threads_run_where_they_are_to },
    { "who waits gives the processor away", who_waits_gives_the_processor_away },
};
TEST_MAIN(tests)
