/* choose.h: which kernel a GPU runs a node with: a function of what the device can do, what its user has taken away and
 * what the self-test has said, all of it data. */
#ifndef GPU_CHOOSE_H
#define GPU_CHOOSE_H

#include "backends/gpu/kernel.h"
#include "backends/gpu/tuned.h"

/* ---- verdicts ---- */

/* What is known of a kernel on this device, by its name and what is compiled for it (weft_kernel_choice). */
typedef struct gpu_verdict {
    char name[48], detail[160];
    uint64_t compiled;
    weft_verdict verdict;
} gpu_verdict;

enum { GPU_MAX_VERDICTS = 1024 };

typedef struct gpu_verdicts {
    gpu_verdict items[GPU_MAX_VERDICTS];
    uint32_t n;
} gpu_verdicts;

const gpu_verdict *gpu_verdicts_find(const gpu_verdicts *v, const char *name, uint64_t compiled); /* NULL: none */
/* Whether the kernel compiled as this number says failed; 0: any of its forms. */
bool gpu_verdicts_failed(const gpu_verdicts *v, const char *name, uint64_t compiled);
void gpu_verdicts_list(const gpu_verdicts *v, char *out, size_t size); /* of those that failed: "matvec/q8_0, norm" */
/* Adds or changes one; NONE takes it away. What is UNTESTED becomes FAILED where another form failed. */
void gpu_verdicts_set(gpu_verdicts *v, const char *name, uint64_t compiled, weft_verdict verdict, const char *detail);

/* ---- choice ---- */

typedef struct gpu_rules {
    const gpu_caps *caps;
    const char *without;          /* names of kernels and features, "+matvec_subgroup+storage16+"; "" none */
    const gpu_verdicts *verdicts; /* NULL: nothing is known */
    const gpu_tuned_set *tuned;   /* the same */
} gpu_rules;

/* Whether a list like gpu_rules.without has this name. */
bool gpu_named(const char *list, const char *name);

/* The contract's choose, joins and probe. `large`: probes that would take software devices long, too. */
weft_place_reason gpu_choose(const gpu_rules *rules, const weft_kernel_query *q, weft_kernel_choice *out);
bool gpu_joins(const weft_kernel_choice *const *launch, uint32_t n, const weft_kernel_choice *next);
const char *gpu_probe(uint32_t i, bool large);

/* ---- tuning ---- */

/* Whose implementation of the interface it is, as far as rows of tuning.def ask. */
typedef enum gpu_driver { GPU_DRIVER_OTHER, GPU_DRIVER_LAVAPIPE, GPU_DRIVER_SWIFTSHADER } gpu_driver;

/* Who made a device and its driver: what alone decides the row, with subgroup_min and dot_mixed of the caps. */
typedef struct gpu_maker {
    uint32_t vendor; /* PCI number */
    gpu_driver driver;
    uint32_t version; /* of the interface that the driver offers, 100 * major + minor */
} gpu_maker;

const gpu_tuning *gpu_tuning_find(const gpu_caps *f, const gpu_maker *maker);
const gpu_tuning *gpu_tuning_named(const char *name); /* NULL: no such row */

#endif
