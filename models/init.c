/* init.c: a randomly initialised checkpoint, from a configuration alone: its graph says which tensors there are. */
#include "models/checkpoint/file.h"
#include "models/checkpoint/random_init.h"
#include "models/model_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 16 << 20 };

static const char *file_dtype_name(weft_dtype t)
{
    return t == WEFT_F32 ? "F32" : t == WEFT_F16 ? "F16" : t == WEFT_BF16 ? "BF16" : NULL;
}

/* The tensors of a file. */
typedef struct list {
    weft__file_tensor *tensors;
    size_t n, capacity;
    weft__arena names;
} list;

/* Those that hold one weight. */
static weft_status add(list *l, const weft_model *m, const weft__held *h, weft_dtype t, weft_error *err)
{
    if (!weft__grow(&l->tensors, &l->capacity, l->n + h->n, sizeof *l->tensors))
        return WEFT_OOM_FAIL(err, "a list of tensors");
    for (uint32_t i = 0; i < h->n; i++) {
        char name[WEFT__MAX_NAME], buf[WEFT__MAX_NAME];
        if (!weft__held_name(h, i, name))
            return WEFT_FAIL(err, WEFT_LIMIT, "the name of weight '%s' is too long", h->name);
        weft__file_tensor tensor = { .name = weft__arena_strdup(&l->names, weft__model_file_name(m, name, buf)),
                                     .dtype = weft__file_dtype_find(file_dtype_name(t)), .rank = h->rank };
        if (!tensor.name) return WEFT_OOM_FAIL(err, "a list of tensors");
        memcpy(tensor.dims, h->dims, h->rank * sizeof *h->dims);
        l->tensors[l->n++] = tensor;
    }
    return WEFT_OK;
}

/* The graph's weights as published files have them. */
static weft_status collect(const weft_model *m, const weft_graph *g, weft_dtype t, list *out, weft_error *err)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node->op != WEFT_OP_weight) continue;
        weft__held held = weft__model_held(m, node->name, &weft_graph_value(g, node->out[0])->dims);
        WEFT_TRY(add(out, m, &held, t, err));
    }
    return WEFT_OK;
}

static weft_status write(const weft_model *m, const char *folder, const weft__file_tensor *tensors, size_t n,
                         uint64_t seed, uint64_t shard_bytes, const weft_progress_sink *progress, weft_error *err)
{
    double range;
    int found = weft_config_file_number(m->hf, "initializer_range", &range);
    if (!found) range = 0.02;
    if (found < 0 || !(range >= 0 && range <= 10))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: 'initializer_range' must be a number from 0 to 10", m->config.origin);
    char *config;
    size_t size;
    WEFT_TRY(weft__file_read(weft__config_origin(m->hf), MAX_CONFIG, &config, &size, err));
    weft__random_init init = { .tensors = tensors, .seed = seed, .deviation = (float)range };
    weft__write_desc d = { .folder = folder, .tensors = tensors, .n_tensors = n, .shard_bytes = shard_bytes,
                           .config = config, .config_size = size, .fill = weft__random_fill, .ctx = &init,
                           .progress = progress };
    weft_status s = weft__checkpoint_write(&d, err);
    free(config);
    return s;
}

weft_status weft_model_init(const char *config, const char *folder, weft_dtype dtype, uint64_t seed,
                            uint64_t shard_bytes, const weft_progress_sink *progress, weft_error *err)
{
    weft_model *m;
    weft_graph *g;
    list l = { 0 };
    if (!file_dtype_name(dtype))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: files hold f32, f16 or bf16", weft_dtype_get(dtype)->name);
    WEFT_TRY(weft__model_open_config(config, &m, err));
    weft_status s = weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, err);
    if (!s) {
        s = collect(m, g, dtype, &l, err);
        if (!s) s = write(m, folder, l.tensors, l.n, seed, shard_bytes, progress, err);
        free(l.tensors);
        weft__arena_free(&l.names);
        weft_graph_destroy(g);
    }
    weft_model_close(m);
    return s;
}
