/* init.c: a randomly initialised checkpoint, from a configuration alone: its graph says which tensors there are. */
#include "models/checkpoint/file.h"
#include "models/checkpoint/random_init.h"
#include "models/model_impl.h"

#include <stdlib.h>

enum { MAX_CONFIG = 16 << 20 };

static const char *file_dtype_name(weft_dtype t)
{
    return t == WEFT_F32 ? "F32" : t == WEFT_F16 ? "F16" : t == WEFT_BF16 ? "BF16" : NULL;
}

/* The graph's weights as tensors of a file, named in `names`. */
static weft_status collect(const weft_model *m, const weft_graph *g, weft_dtype t, weft__arena *names,
                           weft__file_tensor **out, size_t *n, weft_error *err)
{
    char name[WEFT__MAX_NAME];
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node->op != WEFT_OP_weight) continue;
        if (!weft__grow(out, &cap, *n + 1, sizeof **out)) return WEFT_OOM_FAIL(err, "a list of tensors");
        const weft_dims *d = &weft_graph_value(g, node->out[0])->dims;
        weft__file_tensor tensor = { .name = weft__arena_strdup(names, weft__model_file_name(m, node->name, name)),
                                     .dtype = weft__file_dtype_find(file_dtype_name(t)),
                                     .rank = d->rank };
        if (!tensor.name) return WEFT_OOM_FAIL(err, "a list of tensors");
        bool turned = weft__model_is_transposed(m, node->name);
        for (uint32_t k = 0; k < d->rank; k++) tensor.dims[k] = (uint64_t)d->d[turned ? d->rank - 1 - k : k].n;
        (*out)[(*n)++] = tensor;
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
    weft__file_tensor *tensors;
    weft__arena names = { 0 };
    size_t n;
    if (!file_dtype_name(dtype))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: files hold f32, f16 or bf16", weft_dtype_get(dtype)->name);
    WEFT_TRY(weft__model_open_config(config, &m, err));
    weft_status s = weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, err);
    if (!s) {
        s = collect(m, g, dtype, &names, &tensors, &n, err);
        if (!s) s = write(m, folder, tensors, n, seed, shard_bytes, progress, err);
        free(tensors);
        weft__arena_free(&names);
        weft_graph_destroy(g);
    }
    weft_model_close(m);
    return s;
}
