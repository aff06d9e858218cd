/* adapter_impl.h: an open adapter (adapter.c, adapter_config.c), and the adapters of a plan: where they meet a model's
 * graph (adapter_sites.c), and their numbers as its weights (adapter_weights.c). */
#ifndef WEFT_ADAPTER_IMPL_H
#define WEFT_ADAPTER_IMPL_H

#include "models/adapter.h"
#include "models/checkpoint/json.h"
#include "models/checkpoint/safetensors.h"
#include "models/model_impl.h"

/* What a module of an adapter may have. */
typedef enum weft__adapter_part {
    WEFT__LORA_A,       /* [r, n] */
    WEFT__LORA_B,       /* [m, r] */
    WEFT__LORA_TABLE_A, /* [r, V]: of an embedding */
    WEFT__LORA_TABLE_B,
    WEFT__LORA_BIAS,    /* [m], beside B */
    WEFT__BIAS,         /* [m], instead of the base's */
    WEFT__ADAPTER_PARTS
} weft__adapter_part;

typedef struct weft__adapter_module {
    const char *name; /* of the base model's module */
    const weft__file_tensor *part[WEFT__ADAPTER_PARTS];
    uint32_t rank;    /* 0: a bias alone */
    double factor;    /* of B A */
} weft__adapter_module;

struct weft_adapter {
    weft_adapter_info info;
    weft__safetensors *file;
    weft__adapter_module *modules; /* sorted by name */
    size_t n_modules;
    weft__arena texts;
};

const weft__adapter_module *weft__adapter_find(const weft_adapter *a, const char *name);
/* The first tensor of a module, for messages. */
static inline const weft__file_tensor *weft__adapter_tensor(const weft__adapter_module *m)
{
    int i = 0;
    while (i + 1 < WEFT__ADAPTER_PARTS && !m->part[i]) i++;
    return m->part[i];
}
/* adapter_config.c. What the folder's configuration says of the modules, which have their tensors: fills in factors,
 * and the name of the base. */
weft_status weft__adapter_configure(weft_adapter *a, weft_error *err);

/* ---- of a plan ---- */

/* A value of the graph that adapters add to. */
typedef struct weft__adapter_site {
    const char *name;     /* of the module, as the graph's weights are called */
    const char *weights[3]; /* A, B, bias, as the graph calls them; NULL: it has none */
    uint32_t node;
    bool is_bias;         /* they stand for a bias of the base, else beside a product or a table */
    uint32_t rank, rows;  /* of A, padded; rows of a table, else 0 */
    int64_t m, n;
    const weft__adapter_module **of; /* [n_uses]; NULL: this one does not */
} weft__adapter_site;

typedef struct weft__adapters {
    const weft_model *m;
    weft_adapter_use *uses;
    uint32_t n_uses, n_choices;
    weft__adapter_site *sites;
    size_t n_sites, capacity;
    weft__arena memory;
    float *values;       /* of the weight that was asked for last */
    const void *part;    /* it */
} weft__adapters;

/* Puts the adapters of a description into the graph of its model; *out is NULL where there are none. NOT_FOUND, SHAPE:
 * the model has no such module, or of another shape. */
weft_status weft__adapters_create(const weft_model *m, weft_graph *g, const weft_session_desc *d, weft__adapters **out,
                                  weft_error *err);
void weft__adapters_destroy(weft__adapters *a);
/* Their weights; what it gives is good until it is asked again. */
weft_weight_source weft__adapters_source(weft__adapters *a);
/* A number that differs where a choice does. */
uint64_t weft__adapters_identity(const weft__adapters *a, int32_t choice);

weft__adapters *weft__plan_adapters(const weft_session_plan *p); /* NULL: none */

#endif
