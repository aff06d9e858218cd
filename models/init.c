/* init.c: a randomly initialised checkpoint, from a configuration alone: its graph says which tensors there are. */
#include "graph/convert.h"
#include "models/checkpoint/file.h"
#include "models/checkpoint/random_init.h"
#include "models/init_gguf.h"
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
        char name[WEFT__TENSOR_NAME], buf[WEFT__TENSOR_NAME];
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

/* A text that the model is goes with it, so that the folder can be opened by itself. */
static weft_status write_text(const weft_model *m, weft_text *out, weft_error *err)
{
    const weft_writer w = weft_text_writer(out);
    weft_status s = m->text.tree ? weft_graph_text_format(m->text.tree, &w, err) : WEFT_OK;
    return s == WEFT_IO && out->failed ? WEFT_OOM_FAIL(err, m->text.origin) : s;
}

static weft_status read_range(const weft_model *m, float *out, weft_error *err)
{
    double range;
    int found = weft_config_file_number(m->hf, "initializer_range", &range);
    if (!found) range = 0.02;
    *out = (float)range;
    if (found >= 0 && range >= 0 && range <= 10) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: 'initializer_range' must be a number from 0 to 10", m->config.origin);
}

/* d says what is to be written, and where. */
static weft_status write(const weft_model *m, weft__write_desc *d, uint64_t seed, float range, weft_error *err)
{
    char *config;
    size_t size;
    weft_text text = { 0 };
    WEFT_TRY(weft__file_read(weft__config_origin(m->hf), MAX_CONFIG, &config, &size, err));
    weft_status s = write_text(m, &text, err);
    const weft__write_text texts[] = { { WEFT__TEXT_FILE, text.data, text.size }, { "config.json", config, size } };
    weft__random_init init = { .tensors = d->tensors, .seed = seed, .deviation = range };
    d->texts = m->text.tree ? texts : texts + 1;
    d->n_texts = m->text.tree ? 2 : 1;
    d->fill = weft__random_fill;
    d->ctx = &init;
    if (!s) s = weft__checkpoint_write(d, err);
    weft_text_free(&text);
    free(config);
    return s;
}

static weft_status write_folder(const weft_model *m, weft__write_desc *d, weft_dtype dtype, uint64_t seed, float range,
                                weft_error *err)
{
    weft_graph *g;
    list l = { 0 };
    WEFT_TRY(weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, err));
    weft_status s = collect(m, g, dtype, &l, err);
    d->tensors = l.tensors;
    d->n_tensors = l.n;
    if (!s) s = write(m, d, seed, range, err);
    free(l.tensors);
    weft__arena_free(&l.names);
    weft_graph_destroy(g);
    return s;
}

weft_status weft_model_init(const char *config, const weft_model_desc *desc, const char *folder, weft_dtype dtype,
                            uint64_t seed, uint64_t shard_bytes, const weft_progress_sink *progress, weft_error *err)
{
    weft_model *m;
    float range;
    const bool gguf = weft__ends_with(folder, ".gguf");
    if (!gguf && !file_dtype_name(dtype))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: files hold f32, f16 or bf16", weft_dtype_get(dtype)->name);
    if (gguf && (shard_bytes || !weft__converts(WEFT_F32, dtype)))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: is one file, of a type that values can be turned into", folder);
    WEFT_TRY(weft__model_open_config(config, desc, &m, err));
    weft_status s = read_range(m, &range, err);
    if (!s && gguf) s = weft__init_gguf(m, folder, dtype, seed, range, progress, err);
    else if (!s) {
        weft__write_desc d = { .folder = folder, .shard_bytes = shard_bytes, .progress = progress };
        s = write_folder(m, &d, dtype, seed, range, err);
    }
    weft_model_close(m);
    return s;
}
