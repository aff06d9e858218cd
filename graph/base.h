/* base.h: the vocabulary that every folder of Weft shares: status codes, the error record, text output, arenas.
 *
 * Conventions of the whole library
 *  - Every fallible function returns weft_status and takes `weft_error *err` as its last argument. `err` may be NULL.
 *    On failure the record says what, where and why; on success it is left as it was.
 *  - Out-parameters come just before `err`, are set to NULL or 0 on failure; what create and open give there is
 *    the caller's.
 *  - Functions named weft_x_destroy accept NULL. Strings are UTF-8 and NUL-terminated unless a length goes with them.
 *  - No function aborts, exits, prints or reads the environment. There is no global mutable state.
 *  - Names that start with weft__ (two underscores) are shared inside the library and are not part of its interface. */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 6
#define WEFT_VERSION_PATCH 0

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_MUST_USE __attribute__((warn_unused_result))
#define WEFT_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define WEFT_API
#define WEFT_MUST_USE
#define WEFT_PRINTF(fmt, first)
#endif

/* "0.2.0": the version of the library that is running (the macros above give the headers' version). */
WEFT_API const char *weft_version(void);

/* ---- status ---------------------------------------------------------------------------------------------------- */

/* X(name, sentence) */
#define WEFT_STATUS_LIST(X)                                                    \
    X(OK, "success")                                                           \
    X(OOM, "out of memory")                                                    \
    X(INVALID, "an argument or a call is not valid")                           \
    X(SHAPE, "shapes or types do not fit together")                            \
    X(UNSUPPORTED, "valid, but not supported by this build or device")         \
    X(FORMAT, "a file's contents are not what its format demands")             \
    X(IO, "a file could not be read or written")                               \
    X(NOT_FOUND, "a named thing does not exist")                               \
    X(LIMIT, "a limit (memory, context, binding size) would be exceeded")      \
    X(CANCELLED, "stopped by the caller")                                      \
    X(DEVICE_LOST, "the device stopped answering")                             \
    X(NOT_FINITE, "a result is no number, or infinite")                        \
    X(INTERNAL, "a fault of the library itself")

typedef enum weft_status {
#define X(name, sentence) WEFT_##name,
    WEFT_STATUS_LIST(X)
#undef X
    WEFT_STATUS_COUNT
} weft_status;

/* "OOM", and the sentence above. Never NULL; an unknown value gives "?". */
WEFT_API const char *weft_status_name(weft_status s);
WEFT_API const char *weft_status_sentence(weft_status s);

/* One failure. `text` is complete by itself: it names the file, the tensor or node, and the fault. */
typedef struct weft_error {
    weft_status status;
    int line;         /* where in the library's source it was found */
    const char *file;
    char text[512];   /* never empty after a failure; cut with "..." if it would not fit */
} weft_error;

/* Fills *err (if err is not NULL) and returns `status`. Call it through WEFT_FAIL. */
WEFT_API weft_status weft__fail(weft_error *err, weft_status status, const char *file, int line, const char *fmt, ...)
    WEFT_PRINTF(5, 6);
WEFT_API weft_status weft__fail_v(weft_error *err, weft_status status, const char *file, int line, const char *fmt,
                                  va_list args);
/* Puts "fmt: " before the text that *err already holds, and returns err's status (or `status` if err is NULL). */
WEFT_API weft_status weft__annotate(weft_error *err, weft_status status, const char *fmt, ...) WEFT_PRINTF(3, 4);

/* return WEFT_FAIL(err, WEFT_SHAPE, "matmul: inner sizes %u and %u differ", a, b); the message is mandatory. */
#define WEFT_FAIL(err, status, ...) weft__fail((err), (status), __FILE__, __LINE__, __VA_ARGS__)
#define WEFT_OOM_FAIL(err, what) WEFT_FAIL((err), WEFT_OOM, "out of memory for %s", (what))
/* Evaluates a call that returns weft_status; returns from this function if it failed. */
#define WEFT_TRY(call)                                                         \
    do {                                                                       \
        weft_status try_status_ = (call);                                      \
        if (try_status_ != WEFT_OK) return try_status_;                        \
    } while (0)

/* ---- progress -------------------------------------------------------------------------------------------------- */

/* How far a piece of long work is. It is told at the start (done 0) and then often: per kernel or run, and within a
 * large tensor every few MiB. One call can be several pieces of work, one after the other; `done` never falls within
 * one. */
typedef struct weft_progress {
    const char *what;     /* "loading weights"; static text */
    uint64_t done, total; /* total 0: not known */
    const char *unit;     /* "B", "kernels", "tokens"; static text */
} weft_progress;

/* Who is told. Called on the thread that called the library, which waits meanwhile. Returning false cancels: the call
 * fails with CANCELLED, and nothing is left of what it was making. */
typedef struct weft_progress_sink {
    bool (*report)(void *ctx, const weft_progress *p); /* NULL: nobody */
    void *ctx;
} weft_progress_sink;

/* A piece of work under way. `sink` may be NULL and outlives it. */
typedef struct weft__task {
    const weft_progress_sink *sink;
    weft_progress at;
} weft__task;
WEFT_API WEFT_MUST_USE weft_status weft__task_begin(weft__task *t, const weft_progress_sink *sink, const char *what,
                                                    uint64_t total, const char *unit, weft_error *err);
/* Reports `done`, or again what was done if that is more. t may be NULL. */
WEFT_API WEFT_MUST_USE weft_status weft__task_reach(weft__task *t, uint64_t done, weft_error *err);
/* A sink for work that is a part of t: whatever it tells, t reports where it is. */
WEFT_API weft_progress_sink weft__task_part(weft__task *t);

/* ---- text output ----------------------------------------------------------------------------------------------- */

/* Where printed text goes. `write` returns false to stop; the printing function then returns WEFT_IO. */
typedef struct weft_writer {
    void *ctx;
    bool (*write)(void *ctx, const char *data, size_t n);
} weft_writer;

/* printf into a writer: no length limit, no locale. Returns false once a write has failed. */
WEFT_API bool weft_writef(const weft_writer *w, const char *fmt, ...) WEFT_PRINTF(2, 3);

/* A growing, NUL-terminated text in memory: zero-initialise, write through weft_text_writer, read data/size, free.
 * After an allocation failure `failed` is set and further writes are refused. `data` is NULL while nothing was
 * written. */
typedef struct weft_text {
    char *data;
    size_t size, capacity;
    bool failed;
} weft_text;
WEFT_API weft_writer weft_text_writer(weft_text *t);
WEFT_API void weft_text_free(weft_text *t);

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* A bump allocator: everything in it is freed at once. Zero-initialise; blocks grow as needed.
 * Allocations are zeroed and aligned to 16 bytes. */
typedef struct weft__arena {
    struct weft__arena_block *head;
    size_t total; /* bytes asked of the C library so far */
} weft__arena;
WEFT_API void *weft__arena_alloc(weft__arena *a, size_t n, size_t size); /* n * size, overflow-checked; NULL = OOM */
WEFT_API char *weft__arena_strdup(weft__arena *a, const char *s);
WEFT_API void weft__arena_free(weft__arena *a);

/* Seconds on a clock that only goes forward; only differences mean anything. */
WEFT_API double weft__seconds(void);
WEFT_API uint64_t weft__nanoseconds(void); /* of CLOCK_MONOTONIC */

/* Grows *array (elements of `size` bytes) so that it holds `need` elements; *capacity is updated. False = OOM. */
WEFT_API bool weft__grow(void *array, size_t *capacity, size_t need, size_t size);

#ifdef __cplusplus
}
#endif
#endif
