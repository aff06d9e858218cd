/* convert_tensors.c: the tensors that a folder of safetensors has of a model. Each is a run of elements of one weight
 * of the graph, in the graph's order or with its last two dims the other way round. */
#include "models/convert_tensors.h"

#include <stdlib.h>
#include <string.h>

#include "backends/contract.h"
#include "graph/convert.h"
#include "models/gguf_scales.h"

/* Where a tensor of the folder comes from. */
typedef struct origin {
    const char *weight; /* of the graph */
    uint64_t first;     /* element of it */
    bool turned;        /* its last two dims lie the other way round in files */
} origin;

struct weft__folder_tensors {
    weft_model *m;
    weft_weight_source source;
    weft_dtype dtype; /* WEFT_ANY: as stored */
    bool same_types;  /* as stored, all of them */
    weft__file_tensor *tensors;
    origin *origins;
    size_t n, tensors_capacity, origins_capacity;
    weft__arena names;
    const char *asked; /* the weight that `data` is */
    weft_weight_data data;
    size_t filled;         /* 1 + index of the tensor that `whole` is */
    unsigned char *whole;  /* a turned one */
    unsigned char *rows;   /* room for some */
    size_t rows_capacity;
};

typedef weft__folder_tensors job;

/* ---- which there are ---- */

/* What a weight is written as. */
static weft_status type_of(const job *j, const weft__file_tensor *in_files, weft_dtype *out, weft_error *err)
{
    const weft_dtype stored = in_files->dtype->type;
    *out = j->dtype;
    if (j->dtype == WEFT_ANY) *out = weft_dtype_get(stored)->class_ == WEFT_DTYPE_FLOAT ? stored : WEFT_F32;
    if (weft__converts(stored, *out)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s': %s does not become %s", in_files->file, in_files->name,
                     in_files->dtype->name, weft_dtype_get(*out)->name);
}

static const weft__file_dtype *row_of(weft_dtype t)
{
    return weft__file_dtype_find(t == WEFT_F32 ? "F32" : t == WEFT_F16 ? "F16" : "BF16");
}

static weft_status add_part(job *j, const weft__held *h, uint32_t i, weft_dtype type, weft_error *err)
{
    char name[WEFT__TENSOR_NAME], buf[WEFT__TENSOR_NAME];
    if (!weft__grow(&j->tensors, &j->tensors_capacity, j->n + 1, sizeof *j->tensors) ||
        !weft__grow(&j->origins, &j->origins_capacity, j->n + 1, sizeof *j->origins))
        return WEFT_OOM_FAIL(err, "a list of tensors");
    if (!weft__held_name(h, i, name)) return WEFT_FAIL(err, WEFT_LIMIT, "the name of weight '%s' is too long", h->name);
    weft__file_tensor *t = &j->tensors[j->n];
    *t = (weft__file_tensor){ .name = weft__arena_strdup(&j->names, weft__model_file_name(j->m, name, buf)),
                              .dtype = row_of(type), .rank = h->rank };
    uint64_t elements = 1;
    for (uint32_t k = 0; k < h->rank; k++) elements *= t->dims[k] = h->dims[k];
    j->origins[j->n] = (origin){ .weight = weft__arena_strdup(&j->names, h->name), .first = i * elements,
                                 .turned = h->rank > 1 && weft__model_is_transposed(j->m, h->name) };
    if (!t->name || !j->origins[j->n].weight) return WEFT_OOM_FAIL(err, "a list of tensors");
    j->n++;
    return WEFT_OK;
}

static weft_status add_weight(job *j, const weft_graph *g, const weft_node *node, weft_error *err)
{
    weft_dtype type;
    weft__gguf_scale scale;
    const weft__file_tensor *in_files = weft__model_tensor(j->m, node->name, 0);
    if (weft__checkpoint_gguf(j->m->checkpoint) && weft__gguf_scale_of(j->m, node->name, &scale))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s': folders have no place for factors of products",
                         in_files->file, in_files->name);
    if (!in_files) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no weight '%s'", j->m->path, node->name);
    WEFT_TRY(type_of(j, in_files, &type, err));
    j->same_types = j->same_types && type == in_files->dtype->type;
    const weft__held h = weft__model_held(j->m, node->name, &weft_graph_value(g, node->out[0])->dims);
    for (uint32_t i = 0; i < h.n; i++) WEFT_TRY(add_part(j, &h, i, type, err));
    return WEFT_OK;
}

static weft_status add_all(job *j, weft_error *err)
{
    weft_graph *g;
    if (!j->m->checkpoint) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: has no weights", j->m->path);
    WEFT_TRY(weft_model_graph(j->m, &(weft_model_graph_desc){ 0 }, &g, err));
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; !s && i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node->op == WEFT_OP_weight) s = add_weight(j, g, node, err);
    }
    weft_graph_destroy(g);
    return s;
}

/* ---- their data ---- */

static uint64_t row_length(const job *j)
{
    return j->data.rank ? (uint64_t)j->data.dims[j->data.rank - 1] : 1;
}

/* `count` elements of the weight from `first` on, in type t. */
static weft_status read_elements(job *j, weft_dtype t, uint64_t first, uint64_t count, unsigned char *out, weft_error
                                 *err)
{
    const uint64_t length = row_length(j), size = weft_dtype_get(t)->bytes;
    const uint64_t row = first / length, rows = (first + count - 1) / length + 1 - row;
    if (!weft__grow(&j->rows, &j->rows_capacity, rows * length * size, 1)) return WEFT_OOM_FAIL(err, j->asked);
    const unsigned char *at = weft__weight_rows(&j->data, (int64_t)row, (int64_t)rows, t, j->rows);
    memcpy(out, at + (first - row * length) * size, count * size);
    weft__weight_done(&j->data, (int64_t)row, (int64_t)rows);
    return WEFT_OK;
}

/* The whole of a turned tensor. */
static weft_status read_turned(job *j, size_t index, weft_error *err)
{
    const weft__file_tensor *t = &j->tensors[index];
    const size_t size = t->dtype->bytes, m = (size_t)t->dims[t->rank - 2], n = (size_t)t->dims[t->rank - 1];
    size_t total = m * n;
    for (uint32_t k = 0; k + 2 < t->rank; k++) total *= (size_t)t->dims[k];
    free(j->whole);
    j->filled = 0;
    j->whole = malloc(total * size + 1);
    unsigned char *straight = malloc(total * size + 1);
    weft_status s = j->whole && straight ? WEFT_OK : WEFT_OOM_FAIL(err, t->name);
    if (!s && total) s = read_elements(j, t->dtype->type, j->origins[index].first, total, straight, err);
    for (size_t i = 0; !s && i < total; i++)
        memcpy(j->whole + i * size, straight + (i / (m * n) * m * n + i % n * m + i % (m * n) / n) * size, size);
    free(straight);
    if (!s) j->filled = index + 1;
    return s;
}

weft_status weft__folder_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    job *j = ctx;
    const weft__file_tensor *t = &j->tensors[index];
    const origin *o = &j->origins[index];
    if (!j->asked || strcmp(j->asked, o->weight) != 0) {
        j->data = (weft_weight_data){ 0 };
        WEFT_TRY(j->source.find(j->source.ctx, o->weight, &j->data, err));
        j->asked = o->weight;
    }
    if (o->turned) {
        if (j->filled != index + 1) WEFT_TRY(read_turned(j, index, err));
        memcpy(out, j->whole + offset, n);
        return WEFT_OK;
    }
    const uint64_t size = t->dtype->bytes;
    return read_elements(j, t->dtype->type, o->first + offset / size, n / size, out, err);
}

/* ---- the whole ---- */

weft_status weft__folder_tensors_make(weft_model *m, weft_dtype dtype, weft__folder_tensors **out, weft_error *err)
{
    job *j = calloc(1, sizeof *j);
    *out = j;
    if (!j) return WEFT_OOM_FAIL(err, "a list of tensors");
    j->m = m;
    j->source = weft_model_weights(m);
    j->dtype = dtype;
    j->same_types = true;
    weft_status s = add_all(j, err);
    if (!s) return WEFT_OK;
    weft__folder_tensors_free(j);
    *out = NULL;
    return s;
}

void weft__folder_tensors_free(weft__folder_tensors *j)
{
    if (!j) return;
    free(j->tensors);
    free(j->origins);
    free(j->whole);
    free(j->rows);
    weft__arena_free(&j->names);
    free(j);
}

const weft__file_tensor *weft__folder_tensors_list(const weft__folder_tensors *j, size_t *n, bool *same_types)
{
    *n = j->n;
    *same_types = j->same_types;
    return j->tensors;
}
