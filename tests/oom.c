/* oom.c: the allocation functions behind oom.h, by the linker's --wrap. The counters are atomic: pool threads allocate
 * too. */
#include "oom.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void __real_free(void *p);
void *__real_mmap(void *p, size_t n, int protection, int flags, int fd, off_t offset);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);
void *__wrap_mmap(void *p, size_t n, int protection, int flags, int fd, off_t offset);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);

static atomic_int_least64_t fail_at = -1, count, live;
static atomic_bool failed;
static atomic_size_t largest;

void oom_arm(int64_t n)
{
    fail_at = n;
    count = 0;
    failed = false;
    largest = 0;
}

bool oom_disarm(void)
{
    fail_at = -1;
    return failed;
}

bool oom_failed(void)
{
    return failed;
}

int64_t oom_count(void)
{
    return count;
}

int64_t oom_live(void)
{
    return live;
}

size_t oom_largest(void)
{
    return largest;
}

static bool refuse(size_t n_bytes)
{
    size_t most = largest;
    while (n_bytes > most && !atomic_compare_exchange_weak(&largest, &most, n_bytes)) {}
    int64_t n = atomic_fetch_add(&count, 1);
    if (n != fail_at) return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

static void *counted(void *p)
{
    if (p) live++;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return refuse(n) ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse(n * size) ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (refuse(n)) return NULL;
    void *q = __real_realloc(p, n);
    return p ? q : counted(q);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return refuse(n) ? NULL : counted(__real_aligned_alloc(alignment, n));
}

void __wrap_free(void *p)
{
    if (p) live--;
    __real_free(p);
}

char *__wrap_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = __wrap_malloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}

void *__wrap_mmap(void *p, size_t n, int protection, int flags, int fd, off_t offset)
{
    return refuse(0) ? MAP_FAILED : __real_mmap(p, n, protection, flags, fd, offset);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
    return refuse(0) ? EAGAIN : __real_pthread_create(t, a, run, arg);
}
