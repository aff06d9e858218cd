/* pool.c: a persistent thread pool without locks.
 *
 * A job is published by raising `generation`; every worker runs it once and counts itself into `done`. A waiting worker
 * spins for a while and then sleeps on its own semaphore: it announces that in `asleep`, and whoever publishes a job
 * wakes the announced ones. The barrier within a job counts arrivals and turns over `barrier_turn`. */
#include "backends/cpu/cpu.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

/* Spins before a thread yields its processor. With more threads than processors whom we wait for may not be running, so
 * the processor is given away almost at once. */
enum { SPINS_BEFORE_YIELD = 256, SPINS_CROWDED = 32, SPINS_PER_CLOCK = 64 };

typedef struct worker {
    _Alignas(64) atomic_int asleep;
    cpu_pool *pool;
    uint32_t index;
    pthread_t thread;
    sem_t wake;
} worker;

struct cpu_pool {
    _Alignas(64) atomic_uint generation;
    _Alignas(64) atomic_uint done;
    _Alignas(64) atomic_uint arrived;
    _Alignas(64) atomic_uint barrier_turn;
    cpu_job *job; /* written before generation rises */
    void *ctx;
    atomic_bool quit;
    uint32_t n_threads, n_started;
    unsigned patience; /* spins before a yield */
    uint64_t spin_ns;
    cpu_cpus cpus;
    worker *workers; /* n_threads - 1 */
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Spins until (*word == value) is `equal`; gives the processor away now and then. `ahead` may be NULL. */
static void spin_until(const cpu_pool *p, atomic_uint *word, unsigned value, bool equal, cpu_ahead *ahead)
{
    for (unsigned i = 1; (atomic_load_explicit(word, memory_order_acquire) == value) != equal; i++) {
        if (ahead && ahead->left > 0) cpu_bring(ahead, 2);
        else pause_cpu();
        if (i % p->patience == 0) sched_yield();
    }
}

static void wait_for_job(worker *w, unsigned seen)
{
    cpu_pool *p = w->pool;
    uint64_t start = 0;
    for (unsigned i = 0; atomic_load_explicit(&p->generation, memory_order_acquire) == seen; i++) {
        pause_cpu();
        if (i % SPINS_PER_CLOCK) continue;
        uint64_t now = weft__nanoseconds();
        if (!start) start = now;
        if (now - start < p->spin_ns) continue;
        atomic_store(&w->asleep, 1);
        /* A job may have come since; then take the announcement back, unless its publisher has seen it already. */
        if (atomic_load(&p->generation) != seen && atomic_exchange(&w->asleep, 0)) return;
        while (sem_wait(&w->wake) && errno == EINTR) {}
    }
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    cpu_pool *p = w->pool;
    for (unsigned seen = 0;; seen++) {
        wait_for_job(w, seen);
        if (atomic_load_explicit(&p->quit, memory_order_acquire)) return NULL;
        p->job(p->ctx, w->index, p->n_threads);
        atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
    }
}

static void publish(cpu_pool *p)
{
    atomic_fetch_add(&p->generation, 1);
    for (uint32_t i = 0; i < p->n_started; i++)
        if (atomic_exchange(&p->workers[i].asleep, 0)) sem_post(&p->workers[i].wake);
}

weft_status cpu_pool_create(uint32_t n_threads, uint32_t spin_us, cpu_pool **out, weft_error *err)
{
    *out = NULL;
    cpu_pool *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
    if (!p) return WEFT_OOM_FAIL(err, "the thread pool");
    *p = (cpu_pool){ .n_threads = n_threads, .spin_ns = spin_us * UINT64_C(1000) };
    p->patience = n_threads > cpu_processors() ? SPINS_CROWDED : SPINS_BEFORE_YIELD;
    if (n_threads > 1) {
        p->workers = aligned_alloc(64, (n_threads - 1) * sizeof *p->workers);
        if (!p->workers) {
            free(p);
            return WEFT_OOM_FAIL(err, "the thread pool");
        }
    }
    for (uint32_t i = 0; i + 1 < n_threads; i++) {
        worker *w = &p->workers[i];
        *w = (worker){ .pool = p, .index = i + 1 };
        sem_init(&w->wake, 0, 0);
        if (pthread_create(&w->thread, NULL, worker_main, w)) {
            sem_destroy(&w->wake);
            cpu_pool_destroy(p);
            return WEFT_FAIL(err, WEFT_OOM, "cpu: thread %u of %u could not be started", i + 1, n_threads);
        }
        p->n_started++;
    }
    *out = p;
    return WEFT_OK;
}

void cpu_pool_destroy(cpu_pool *p)
{
    if (!p) return;
    atomic_store(&p->quit, true);
    publish(p);
    for (uint32_t i = 0; i < p->n_started; i++) {
        pthread_join(p->workers[i].thread, NULL);
        sem_destroy(&p->workers[i].wake);
    }
    free(p->workers);
    free(p);
}

static void pin_worker(void *ctx, uint32_t thread, uint32_t n_threads)
{
    const cpu_pool *p = ctx;
    (void)n_threads;
    if (thread) cpu_cpus_enter(&p->cpus, NULL);
}

void cpu_pool_pin(cpu_pool *p, const cpu_cpus *cpus)
{
    uint32_t n = 0;
    p->cpus = *cpus;
    for (unsigned i = 0; i < CPU_MOST_CPUS / 64; i++) n += (uint32_t)__builtin_popcountll(cpus->word[i]);
    if (p->n_threads > n) p->patience = SPINS_CROWDED;
    cpu_pool_run(p, pin_worker, p);
}

uint32_t cpu_pool_size(const cpu_pool *p)
{
    return p->n_threads;
}

void cpu_pool_run(cpu_pool *p, cpu_job *job, void *ctx)
{
    cpu_cpus before;
    if (p->cpus.given) cpu_cpus_enter(&p->cpus, &before);
    if (p->n_threads > 1) {
        p->job = job;
        p->ctx = ctx;
        atomic_store_explicit(&p->done, 0, memory_order_relaxed);
        publish(p);
    }
    job(ctx, 0, p->n_threads);
    spin_until(p, &p->done, p->n_threads - 1, true, NULL);
    if (p->cpus.given) cpu_cpus_enter(&before, NULL);
}

void cpu_pool_barrier(cpu_pool *p, cpu_look *look, void *ctx)
{
    if (p->n_threads == 1) return;
    unsigned turn = atomic_load_explicit(&p->barrier_turn, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) + 1 == p->n_threads) {
        atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&p->barrier_turn, turn + 1, memory_order_release);
    } else {
        spin_until(p, &p->barrier_turn, turn, false, look ? look(ctx) : NULL);
    }
}
