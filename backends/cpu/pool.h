/* pool.h: threads that wait for work. Other backends pack weights with them. */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include "backends/cpu/kernel.h"

uint32_t cpu_physical_cores(void);       /* that this process may run on; at least 1 */
uint32_t cpu_processors(void);           /* hardware threads that it may run on; at least 1 */

/* ---- which hardware threads ---- */
enum { CPU_MOST_CPUS = 1024 };
typedef struct cpu_cpus { uint64_t word[CPU_MOST_CPUS / 64]; bool given; } cpu_cpus; /* not given: all there are */
/* "0-3+8": numbers and ranges as the system counts them, of those alone that this process may run on. */
weft_status cpu_cpus_parse(const char *text, cpu_cpus *out, weft_error *err);
uint32_t cpu_cpus_cores(const cpu_cpus *c); /* as many cores as they are of */
/* The calling thread runs on these alone; *before is where it ran, to be given back so. */
void cpu_cpus_enter(const cpu_cpus *c, cpu_cpus *before);

/* ---- pool: n threads, of which the caller is number 0 ---- */
typedef struct cpu_pool cpu_pool;
typedef void cpu_job(void *ctx, uint32_t thread, uint32_t n_threads);
weft_status cpu_pool_create(uint32_t n_threads, uint32_t spin_us, cpu_pool **out, weft_error *err);
void cpu_pool_destroy(cpu_pool *p);
/* Its threads run on these alone, and whoever runs a job, as long as that takes. */
void cpu_pool_pin(cpu_pool *p, const cpu_cpus *cpus);
uint32_t cpu_pool_size(const cpu_pool *p);
void cpu_pool_run(cpu_pool *p, cpu_job *job, void *ctx); /* returns when every thread has finished; takes no lock */
/* Within a job: all threads meet. Who has to wait asks `look`, unless it is NULL, and brings nearer what it is told,
 * until the last one is there. */
typedef cpu_ahead *cpu_look(void *ctx);
void cpu_pool_barrier(cpu_pool *p, cpu_look *look, void *ctx);

#endif
