/* tuned.h: parameters that a device's user has had measured (backends/tune.h), beside those of its row of tuning.def:
 * for shapes of work, as settings like "block=64,rows=2" that change a few fields of the row. */
#ifndef GPU_TUNED_H
#define GPU_TUNED_H

#include "backends/gpu/kernel.h"
#include "backends/tune.h"

/* Shapes that are tuned alike. Products that can share a launch (few tokens) are told apart by the length of their rows
 * alone, so that they still can. */
typedef struct gpu_tuned_key {
    bool attention;
    weft_dtype type;
    uint32_t tokens;  /* up to so many: 1, 8, 32, 128, 512 */
    uint32_t rows;    /* of the matrix, rounded up to a power of two; 0: any */
    uint32_t columns; /* the same; of attention the elements of a head */
} gpu_tuned_key;

gpu_tuned_key gpu_tuned_key_of_shape(const weft_tune_shape *s);
/* False: nothing of such a call is tuned. */
bool gpu_tuned_key_of(const gpu_call *c, gpu_tuned_key *out);

/* A device's caps with another row. They live as long as the set they are in, and never change. */
typedef struct gpu_form {
    gpu_caps caps;
    gpu_tuning tuning;
    char setting[WEFT_TUNE_TEXT];
    weft_dtype type;
    gpu_kernel *kernels; /* all, by the numbers of gpu_kernels(), running by these caps */
    struct gpu_form *next;
} gpu_form;

typedef enum gpu_tuned_state { GPU_TUNED_KEPT, GPU_TUNED_WRONG, GPU_TUNED_TRYING } gpu_tuned_state;

typedef struct gpu_tuned {
    gpu_tuned_key key;
    gpu_tuned_state state;
    char setting[WEFT_TUNE_TEXT], detail[96];
    double seconds, row_seconds; /* of what is kept */
    const gpu_caps *caps;        /* of what is kept; NULL: the row's */
} gpu_tuned;

enum { GPU_MAX_TUNED = 1024 };

typedef struct gpu_tuned_set {
    gpu_tuned items[GPU_MAX_TUNED];
    uint32_t n;
    bool tries; /* this setting counts for this key, whatever is kept */
    gpu_tuned_key trial;
    const gpu_caps *trial_caps;
    gpu_form *forms;
} gpu_tuned_set;

void gpu_tuned_free(gpu_tuned_set *s);
/* A kernel as it runs by such caps; k itself by the device's own (base). */
const gpu_kernel *gpu_tuned_kernel(const gpu_tuned_set *s, const gpu_caps *base, const gpu_caps *caps,
                                   const gpu_kernel *k);
/* The caps that a call is run with: the device's own (base) where nothing else is known. */
const gpu_caps *gpu_tuned_caps(const gpu_tuned_set *s, const gpu_caps *base, const gpu_call *c);
const gpu_tuned *gpu_tuned_find(const gpu_tuned_set *s, const gpu_tuned_key *key, gpu_tuned_state state,
                                const char *setting); /* setting NULL: any */
/* Adds or changes the entry of a key (of what is kept) or of a key and a setting. False: no such setting, no room. */
bool gpu_tuned_put(gpu_tuned_set *s, const gpu_caps *base, const gpu_tuned *item);
void gpu_tuned_drop(gpu_tuned_set *s, const gpu_tuned_key *key, gpu_tuned_state state, const char *setting);
/* From now on calls of the key take this setting; NULL: what is kept again. False: there is no such setting. */
bool gpu_tuned_try(gpu_tuned_set *s, const gpu_caps *base, const gpu_tuned_key *key, const char *setting);
uint32_t gpu_tuned_count(const gpu_tuned_set *s, uint32_t *changed); /* keys that are kept; those with a setting */
/* Lines of a file. take: one of them, without its end; false: it is none. process: of a trial under way. */
bool gpu_tuned_take(gpu_tuned_set *s, const gpu_caps *base, const char *line, bool (*alive)(const char *process));
void gpu_tuned_print(const gpu_tuned_set *s, const char *process, const weft_writer *w);
/* Whether a line is about something that the set knows, or of a trial of this process that is over: what print writes
 * takes its place. False of lines that are none. */
bool gpu_tuned_replaces(const gpu_tuned_set *s, const char *line, const char *process);

/* ---- knobs.c ---- */

/* base with a setting; NULL: it has a name or a value that is none, or that this device does not take, or there is no
 * memory. "" is base itself. */
const gpu_caps *gpu_form_of(gpu_tuned_set *s, const gpu_caps *base, const gpu_tuned_key *key, const char *setting);
/* The i-th setting that differs from `from` in one parameter which matters to the shape. */
bool gpu_setting_next(const gpu_caps *base, const gpu_tuned_key *key, const char *from, uint32_t i,
                      char out[WEFT_TUNE_TEXT]);
/* A number that changes with any field of a row. */
uint64_t gpu_tuning_hash(const gpu_tuning *t);
/* The row of tuning.def that the device's own has become by what is kept. */
bool gpu_tuned_row(const gpu_tuned_set *s, const gpu_caps *base, const char *name, const weft_writer *w);

#endif
