/* gguf_export.c: see gguf_export.h. What gguf_names.h says of a weight is done to it here; gguf_weights.c undoes it.
 * Its data structure is a list of tensors and, beside it, of what each is made of. */
#include "models/gguf_export.h"
#include "models/gguf_factors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/contract.h"
#include "graph/convert.h"
#include "models/model_impl.h"

/* What a tensor is made of. */
typedef struct origin {
    const char *weight; /* of the graph; of a stack its row 0; of a GGUF file the tensor's own name */
    weft__gguf_form form;
    bool second; /* HALVES, TURNS: the other of two */
    float *values; /* NULL, or they, which the configuration says */
} origin;

/* Row `row` of the stack that is tensor `index`. */
typedef struct stacked { size_t index; uint32_t row; const char *weight; } stacked;

struct weft__gguf_export {
    weft_model *model;
    weft_weight_source source;
    const char *arch;
    bool plain; /* the model is a GGUF file */
    weft_dtype type; /* of a plan; WEFT_ANY: it is none */
    weft__file_tensor *tensors;
    origin *origins;
    size_t n, tensors_capacity, origins_capacity;
    stacked *rows;
    size_t n_rows, rows_capacity;
    uint32_t H, G, D; /* heads of queries and of keys, and how wide they are */
    weft__arena names;
    const void **parts; /* of the tensor that was asked for last */
    size_t parts_capacity;
    void *made; /* its bytes, if they are in no file: most often other numbers than the model's, as f32 */
    size_t filled; /* 1 + index of the tensor that `data` is */
    weft_weight_data data;
};

static weft_status oom(const weft__gguf_export *e, const char *what, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_OOM, "%s: out of memory for %s", e->model->path, what);
}

/* ---- which there are ---- */

/* Types that llama.cpp expects, whatever the model has. */
static bool is_single(const char *name, uint32_t rank)
{
    return rank < 2 || !weft__ends_with(name, ".weight") || weft__ends_with(name, "_norm.weight") ||
           strstr(name, "ffn_gate_inp") || !strcmp(name, "position_embd.weight");
}

static const weft__file_dtype *row_of(weft_dtype type)
{
    const weft__file_dtype *t = NULL;
    for (uint32_t n = 0; n < 64 && !(t && t->type == type && t->bytes == weft_dtype_get(type)->bytes); n++)
        t = weft__file_dtype_ggml(n);
    return t;
}

static weft_status add(weft__gguf_export *e, const char *name, const origin *from, const weft__file_tensor *like,
                       weft_error *err)
{
    if (!weft__grow(&e->tensors, &e->tensors_capacity, e->n + 1, sizeof *e->tensors) ||
        !weft__grow(&e->origins, &e->origins_capacity, e->n + 1, sizeof *e->origins))
        return oom(e, "a list of tensors", err);
    weft__file_tensor *t = &e->tensors[e->n];
    *t = *like;
    t->name = weft__arena_strdup(&e->names, name);
    e->origins[e->n] = *from;
    e->origins[e->n].weight = weft__arena_strdup(&e->names, from->weight);
    if (!t->name || !e->origins[e->n].weight) return oom(e, "a list of tensors", err);
    e->n++;
    return WEFT_OK;
}

/* A row of a stack: the tensor is added with its first one. */
static weft_status add_row(weft__gguf_export *e, const weft__gguf_place *p, const origin *from,
                           const weft__file_tensor *like, weft_error *err)
{
    size_t i = 0;
    while (i < e->n && strcmp(e->tensors[i].name, p->name)) i++;
    if (i == e->n) {
        weft__file_tensor t = *like;
        t.rank = 2;
        t.dims[1] = like->dims[0];
        t.dims[0] = 0;
        WEFT_TRY(add(e, p->name, from, &t, err));
    }
    if (like->rank != 1 || e->tensors[i].dims[1] != like->dims[0] || p->row != e->tensors[i].dims[0]++)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: weight '%s' is no row %u of %s", e->model->path, from->weight,
                         p->row, p->name);
    if (!weft__grow(&e->rows, &e->rows_capacity, e->n_rows + 1, sizeof *e->rows))
        return oom(e, "a list of tensors", err);
    e->rows[e->n_rows++] = (stacked){ i, p->row, weft__arena_strdup(&e->names, from->weight) };
    return e->rows[e->n_rows - 1].weight ? WEFT_OK : oom(e, "a list of tensors", err);
}

static const weft__file_dtype *planned_type(const weft__gguf_export *e, const weft_dims *d)
{
    const weft_dtype types[] = { e->type, WEFT_Q8_0, WEFT_F16 };
    const int64_t length = d->rank ? d->d[d->rank - 1].n : 1;
    for (int i = 0; i < 2; i++)
        if (length % weft_dtype_get(types[i])->block == 0) return row_of(types[i]);
    return row_of(types[2]);
}

static weft_status add_weight(weft__gguf_export *e, const weft_graph *g, const weft_node *node, weft_error *err)
{
    weft__gguf_place p;
    const weft_dims *d = &weft_graph_value(g, node->out[0])->dims;
    const weft__file_tensor *in_files = e->type ? NULL : weft__model_tensor(e->model, node->name, 0);
    if (!weft__gguf_place_of(e->model->arch, node->name, &p))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: llama.cpp's %s has no weight '%s'", e->model->path, e->arch,
                         node->name);
    if (!in_files && !e->type)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: no weight '%s'", e->model->path, node->name);
    weft__file_tensor t = { .rank = d->rank, .dtype = in_files ? row_of(in_files->dtype->type) : planned_type(e, d) };
    origin from = { .weight = node->name, .form = p.form };
    for (uint32_t k = 0; k < d->rank; k++) t.dims[k] = (uint64_t)d->d[k].n;
    if (is_single(p.name, p.form == WEFT__GGUF_ROW ? 2 : d->rank)) t.dtype = row_of(WEFT_F32);
    if (!t.dtype)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: weight '%s': GGUF has no weights of type %s", e->model->path,
                         node->name, in_files ? in_files->dtype->name : weft_dtype_get(e->type)->name);
    if (p.form == WEFT__GGUF_ROW) return add_row(e, &p, &from, &t, err);
    if (*p.second) {
        if (t.rank < 2 || t.dims[1] % 2)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: weight '%s' has no halves", e->model->path, node->name);
        t.dims[1] /= 2;
    }
    WEFT_TRY(add(e, p.name, &from, &t, err));
    from.second = true;
    return *p.second ? add(e, p.second, &from, &t, err) : WEFT_OK;
}

/* Divisors of the rotary frequencies, which have no key. */
static weft_status add_factors(weft__gguf_export *e, weft_error *err)
{
    weft__gguf_factors f;
    for (uint32_t i = 0; weft__gguf_factors_of(e->model, i, &f); i++) {
        weft__file_tensor t = { .dtype = row_of(WEFT_F32), .rank = 1, .dims = { f.n } };
        float *values = weft__arena_alloc(&e->names, f.n, sizeof *values);
        if (!values) return oom(e, f.name, err);
        memcpy(values, f.values, f.n * sizeof *values);
        WEFT_TRY(add(e, f.name, &(origin){ .weight = f.name, .values = values }, &t, err));
    }
    return WEFT_OK;
}

static weft_status add_all(weft__gguf_export *e, weft_error *err)
{
    weft_graph *g;
    if (!e->model->arch || !e->model->arch->gguf.arch)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: llama.cpp has no architecture for %s", e->model->path,
                         e->model->info.architecture);
    if (!e->model->checkpoint && !e->type) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: has no weights", e->model->path);
    e->arch = e->model->arch->gguf.arch;
    WEFT_TRY(weft_model_graph(e->model, &(weft_model_graph_desc){ 0 }, &g, err));
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; !s && i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node->op == WEFT_OP_weight) s = add_weight(e, g, node, err);
    }
    weft_graph_destroy(g);
    return s ? s : add_factors(e, err);
}

/* Those of a GGUF file, in the order of their names. */
static weft_status add_plain(weft__gguf_export *e, weft_error *err)
{
    const weft__file_tensor *t;
    weft__gguf_string arch = { "", 0 };
    const weft__gguf_file *f = weft__checkpoint_gguf(e->model->checkpoint);
    (void)weft__gguf_text(weft__gguf_find(f, "general.architecture"), 0, &arch);
    char *name = weft__arena_alloc(&e->names, arch.size + 1, 1);
    if (!name) return WEFT_OOM_FAIL(err, e->model->path);
    memcpy(name, arch.text, arch.size);
    e->arch = name;
    for (size_t i = 0; (t = weft__checkpoint_at(e->model->checkpoint, i)); i++) {
        weft__file_tensor like = *t;
        WEFT_TRY(weft__checkpoint_weight(e->model->checkpoint, t->name, &t, err));
        like.dtype = row_of(t->dtype->type); /* F64: as it is read */
        WEFT_TRY(add(e, t->name, &(origin){ .weight = t->name }, &like, err));
    }
    return WEFT_OK;
}

/* ---- their data ---- */

static int64_t row_count(const weft_weight_data *d)
{
    int64_t rows = 1;
    for (uint32_t k = 0; k + 1 < d->rank; k++) rows *= d->dims[k];
    return rows;
}

static int64_t row_length(const weft_weight_data *d)
{
    return d->rank ? d->dims[d->rank - 1] : 1;
}

/* Room for the values of a tensor. */
static weft_status make_room(weft__gguf_export *e, int64_t n, weft_error *err)
{
    free(e->made);
    e->made = malloc((size_t)n * sizeof(float) + 1);
    return e->made ? WEFT_OK : oom(e, "a tensor", err);
}

static void set_made(const weft__gguf_export *e, weft_weight_data *d)
{
    *d = (weft_weight_data){ .dtype = WEFT_F32, .rank = d->rank, .data = e->made };
}

static void read_floats(const weft_weight_data *d, int64_t row, int64_t n, float *out)
{
    const void *at = weft__weight_rows(d, row, n, WEFT_F32, out);
    if (at != out) memcpy(out, at, (size_t)(n * row_length(d)) * sizeof *out);
}

/* Every value of a weight, as numbers. */
static weft_status as_floats(weft__gguf_export *e, const weft_weight_data *d, const char *name, weft_error *err)
{
    if (!weft__converts(d->dtype, WEFT_F32))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: weight '%s': %s is not read as numbers", e->model->path, name,
                         weft_dtype_get(d->dtype)->name);
    WEFT_TRY(make_room(e, row_count(d) * row_length(d), err));
    read_floats(d, 0, row_count(d), e->made);
    return WEFT_OK;
}

/* Which row of the graph's weight is the tensor's row i; of what has no rows: element. */
static int64_t graph_row(const weft__gguf_export *e, const origin *o, int64_t each, int64_t i)
{
    if (o->form == WEFT__GGUF_HALVES) return i / each * 2 * each + (o->second ? each : 0) + i % each;
    if (o->form == WEFT__GGUF_TURNS) return i / each * 2 * each + 2 * (i % each) + o->second;
    return weft__gguf_row(o->form, e->H, e->G, e->D, (uint32_t)i);
}

/* Whether the rows (or elements) that are to be moved are there. */
static bool fits(const weft__gguf_export *e, const origin *o, const weft_weight_data *d)
{
    if (o->form == WEFT__GGUF_HALVES || o->form == WEFT__GGUF_TURNS) return d->rank >= 2 && d->dims[1] % 2 == 0;
    if (d->rank < 1 || d->rank > 2) return false;
    if (o->form == WEFT__GGUF_PAIRS) return e->D % 2 == 0 && d->dims[0] % e->D == 0;
    return e->H % e->G == 0 && (uint64_t)d->dims[0] == ((uint64_t)e->H + 2 * (uint64_t)e->G) * e->D;
}

/* Where row `row` lies of what is not turned. */
static const void *row_at(const weft_weight_data *d, int64_t row, uint64_t bytes)
{
    if (!d->n_parts) return (const unsigned char *)d->data + (uint64_t)row * bytes;
    const int64_t each = row_count(d) / d->n_parts;
    return (const unsigned char *)d->parts[row / each] + (uint64_t)(row % each) * bytes;
}

/* Numbers that a matrix would have rows for: the last dim is what is moved. */
static weft_status move_elements(weft__gguf_export *e, const origin *o, weft_weight_data *d, weft_error *err)
{
    const bool halved = d->rank == 2;
    const int64_t each = halved ? d->dims[1] / 2 : d->dims[0], n = halved ? d->dims[0] * each : each;
    WEFT_TRY(as_floats(e, d, o->weight, err));
    float *moved = malloc((size_t)n * sizeof *moved + 1);
    if (!moved) return oom(e, o->weight, err);
    const float *made = e->made;
    for (int64_t i = 0; i < n; i++) moved[i] = made[graph_row(e, o, each, i)];
    free(e->made);
    e->made = moved;
    set_made(e, d);
    return WEFT_OK;
}

/* Of what lies turned, whose rows are nowhere in one piece: n of them, read many at a time. */
static weft_status copy_rows(weft__gguf_export *e, const origin *o, int64_t each, int64_t n, uint64_t bytes,
                             weft_weight_data *d, weft_error *err)
{
    enum { MANY = 64 };
    const int64_t rows = row_count(d);
    unsigned char *out = malloc((size_t)n * bytes + 1), *some = malloc(MANY * bytes + 1);
    free(e->made);
    e->made = out;
    for (int64_t i = 0, first = -MANY; out && some && i < n; i++) {
        const int64_t row = graph_row(e, o, each, i);
        if (row < first || row >= first + MANY) {
            first = row;
            weft__weight_rows(d, first, rows - first < MANY ? rows - first : MANY, d->dtype, some);
        }
        memcpy(out + (uint64_t)i * bytes, some + (uint64_t)(row - first) * bytes, bytes);
    }
    free(some);
    *d = (weft_weight_data){ .dtype = d->dtype, .rank = d->rank, .data = out };
    return out && some ? WEFT_OK : oom(e, o->weight, err);
}

static weft_status move_rows(weft__gguf_export *e, const origin *o, weft_weight_data *d, weft_error *err)
{
    const bool halved = d->rank > 2;
    const int64_t each = halved ? d->dims[1] / 2 : d->dims[0], n = halved ? d->dims[0] * each : each;
    uint64_t bytes;
    if (n > UINT32_MAX || !weft_dtype_row_bytes(d->dtype, row_length(d), &bytes))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: weight '%s': its rows cannot be moved", e->model->path,
                         o->weight);
    if (d->turned) return copy_rows(e, o, each, n, bytes, d, err);
    if (!weft__grow(&e->parts, &e->parts_capacity, (size_t)n, sizeof *e->parts)) return oom(e, o->weight, err);
    for (int64_t i = 0; i < n; i++) e->parts[i] = row_at(d, graph_row(e, o, each, i), bytes);
    d->data = NULL;
    d->parts = e->parts;
    d->n_parts = (uint32_t)n;
    return WEFT_OK;
}

static weft_status stack(weft__gguf_export *e, size_t index, weft_weight_data *out, weft_error *err)
{
    const int64_t n = (int64_t)e->tensors[index].dims[1];
    WEFT_TRY(make_room(e, (int64_t)e->tensors[index].dims[0] * n, err));
    for (size_t i = 0; i < e->n_rows; i++) {
        weft_weight_data d = { 0 };
        if (e->rows[i].index != index) continue;
        WEFT_TRY(e->source.find(e->source.ctx, e->rows[i].weight, &d, err));
        if (d.rank != 1 || d.dims[0] != n || !weft__converts(d.dtype, WEFT_F32))
            return WEFT_FAIL(err, WEFT_SHAPE, "%s: weight '%s' is no row of %lld", e->model->path, e->rows[i].weight,
                             (long long)n);
        read_floats(&d, 0, 1, (float *)e->made + e->rows[i].row * n);
    }
    set_made(e, out);
    return WEFT_OK;
}

/* Of the graph's weight the tensor. */
static weft_status transform(weft__gguf_export *e, const origin *o, weft_weight_data *d, weft_error *err)
{
    if (o->form == WEFT__GGUF_SAME) return WEFT_OK;
    if (o->form == WEFT__GGUF_MORE) {
        const int64_t n = row_count(d) * row_length(d);
        WEFT_TRY(as_floats(e, d, o->weight, err));
        float *made = e->made;
        for (int64_t i = 0; i < n; i++) made[i] += 1;
        set_made(e, d);
        return WEFT_OK;
    }
    if (!fits(e, o, d))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: weight '%s': its rows are not those of heads or halves",
                         e->model->path, o->weight);
    const bool halved = o->form == WEFT__GGUF_HALVES || o->form == WEFT__GGUF_TURNS;
    return d->rank < (halved ? 3u : 2u) ? move_elements(e, o, d, err) : move_rows(e, o, d, err);
}

weft_status weft__gguf_export_data(weft__gguf_export *e, size_t i, weft_weight_data *out, weft_error *err)
{
    const weft__file_tensor *t = &e->tensors[i], *from;
    *out = (weft_weight_data){ 0 };
    e->filled = 0;
    if (e->plain) {
        WEFT_TRY(weft__checkpoint_weight(e->model->checkpoint, t->name, &from, err));
        return weft__checkpoint_data(e->model->checkpoint, from, out, err);
    }
    if (e->origins[i].values)
        *out = (weft_weight_data){ .dtype = WEFT_F32, .data = e->origins[i].values };
    else if (e->origins[i].form == WEFT__GGUF_ROW) WEFT_TRY(stack(e, i, out, err));
    else {
        WEFT_TRY(e->source.find(e->source.ctx, e->origins[i].weight, out, err));
        WEFT_TRY(transform(e, &e->origins[i], out, err));
    }
    uint64_t rows = 1, bytes = 0;
    out->rank = t->rank;
    for (uint32_t k = 0; k < t->rank; k++) out->dims[k] = (int64_t)t->dims[k];
    for (uint32_t k = 0; k + 1 < t->rank; k++) rows *= t->dims[k];
    if (!weft_dtype_row_bytes(out->dtype, row_length(out), &bytes) || !weft__converts(out->dtype, t->dtype->type))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s': %s does not become %s", e->model->path, t->name,
                         weft_dtype_get(out->dtype)->name, t->dtype->name);
    out->bytes = rows * bytes;
    return WEFT_OK;
}

weft_status weft__gguf_export_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    weft__gguf_export *e = ctx;
    const weft__file_tensor *t = &e->tensors[index];
    if (e->filled != index + 1) WEFT_TRY(weft__gguf_export_data(e, index, &e->data, err));
    e->filled = index + 1;
    uint64_t row_bytes = t->dtype->bytes;
    if (t->rank == 1) { /* in pieces of its one row */
        const uint64_t size = weft_dtype_get(e->data.dtype)->bytes, first = offset / t->dtype->bytes;
        if (e->data.data && weft__convert_row(e->data.dtype, (const unsigned char *)e->data.data + first * size,
                              t->dtype->type, out, (int64_t)(n / t->dtype->bytes) * t->dtype->block))
            return WEFT_OK;
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s' has no values that can be written", e->model->path,
                         t->name);
    }
    weft_dtype_row_bytes(t->dtype->type, row_length(&e->data), &row_bytes);
    const int64_t row = (int64_t)(offset / row_bytes), rows = (int64_t)(n / row_bytes);
    const void *at = weft__weight_rows(&e->data, row, rows, t->dtype->type, out);
    if (at != out) memcpy(out, at, n);
    weft__weight_done(&e->data, row, rows);
    return WEFT_OK;
}

/* ---- the whole ---- */

static uint32_t read_u32(const weft_model *m, const char *key, uint32_t otherwise)
{
    double x;
    return weft_config_file_number(m->hf, key, &x) == 1 && x >= 1 && x <= UINT32_MAX ? (uint32_t)x : otherwise;
}

static weft_status make(weft_model *m, weft_dtype type, weft__gguf_export **out, weft_error *err)
{
    weft__gguf_export *e = calloc(1, sizeof *e);
    *out = e;
    if (!e) return WEFT_OOM_FAIL(err, m->path);
    e->model = m;
    e->source = weft_model_weights(m);
    e->type = type;
    e->plain = m->checkpoint && weft__checkpoint_gguf(m->checkpoint);
    e->H = read_u32(m, "num_attention_heads", 1);
    e->G = read_u32(m, "num_key_value_heads", e->H);
    e->D = read_u32(m, "head_dim", read_u32(m, "hidden_size", 1) / e->H);
    if (!e->D) e->D = 1;
    weft_status s = e->plain ? add_plain(e, err) : add_all(e, err);
    if (!s) return WEFT_OK;
    weft__gguf_export_free(e);
    *out = NULL;
    return s;
}

weft_status weft__gguf_export_make(weft_model *m, weft__gguf_export **out, weft_error *err)
{
    return make(m, WEFT_ANY, out, err);
}

weft_status weft__gguf_export_plan(weft_model *m, weft_dtype type, weft__gguf_export **out, weft_error *err)
{
    return make(m, type, out, err);
}

void weft__gguf_export_free(weft__gguf_export *e)
{
    if (!e) return;
    weft__arena_free(&e->names);
    free(e->tensors);
    free(e->origins);
    free(e->rows);
    free(e->parts);
    free(e->made);
    free(e);
}

weft_model *weft__gguf_export_model(const weft__gguf_export *e)
{
    return e->model;
}

const char *weft__gguf_export_arch(const weft__gguf_export *e)
{
    return e->arch;
}

const weft__file_tensor *weft__gguf_export_tensors(const weft__gguf_export *e, size_t *n)
{
    *n = e->n;
    return e->tensors;
}
