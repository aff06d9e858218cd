/* pool.h: threads that wait for work. Other backends pack weights with them. */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include "backends/cpu/kernel.h"

uint32_t cpu_physical_cores(void);       /* that this process may run on; at least 1 */
uint32_t cpu_processors(void);           /* hardware threads that it may run on; at least 1 */

/* ---- pool: n threads, of which the caller is number 0 ---- */
typedef struct cpu_pool cpu_pool;
typedef void cpu_job(void *ctx, uint32_t thread, uint32_t n_threads);
weft_status cpu_pool_create(uint32_t n_threads, uint32_t spin_us, cpu_pool **out, weft_error *err);
void cpu_pool_destroy(cpu_pool *p);
uint32_t cpu_pool_size(const cpu_pool *p);
void cpu_pool_run(cpu_pool *p, cpu_job *job, void *ctx); /* returns when every thread has finished; takes no lock */
/* Within a job: all threads meet. Who has to wait asks `look`, unless it is NULL, and brings nearer what it is told,
 * until the last one is there. */
typedef cpu_ahead *cpu_look(void *ctx);
void cpu_pool_barrier(cpu_pool *p, cpu_look *look, void *ctx);

#endif
