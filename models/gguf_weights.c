/* gguf_weights.c: the tensors of a GGUF file as the weights of a graph. What llama.cpp's converter did to them is
 * undone while they are read: rows are taken in the graph's order, from where they lie, and whole, so that blocks of
 * quantised ones stay as they are. What has no rows (biases), and what is another number in the file, is made anew. */
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/convert.h"

enum { MAX_ROWS = 1 << 24 };

/* Where a weight of the graph is: rows [first, first + n) of a tensor, or of each of two tensors every other one. */
typedef struct place {
    weft__gguf_place at;
    const weft__file_tensor *t, *second; /* t NULL: nowhere */
    uint64_t first; /* of queries, keys and values in one tensor */
    bool part;      /* it is of such */
    const char *name; /* in the graph */
} place;

struct weft__made {
    struct weft__made *next;
    char *name;
    float *values;
};

/* ---- places ---- */

static uint32_t read_u32(const weft_model *m, const char *key, uint32_t otherwise)
{
    double x;
    return weft_config_file_number(m->hf, key, &x) == 1 && x >= 1 && x <= UINT32_MAX ? (uint32_t)x : otherwise;
}

/* Heads of queries and of keys, and how wide they are. */
static void read_heads(const weft_model *m, uint32_t *H, uint32_t *G, uint32_t *D)
{
    *H = read_u32(m, "num_attention_heads", 1);
    *G = read_u32(m, "num_key_value_heads", *H);
    *D = read_u32(m, "head_dim", 1);
}

/* "blk.3.attn_k.weight" in "blk.3.attn_qkv.weight". */
static void find_in_fused(const weft_model *m, place *p)
{
    static const char *const names[] = { ".attn_q.", ".attn_k.", ".attn_v." };
    char fused[sizeof p->at.name + 8];
    uint32_t H, G, D;
    read_heads(m, &H, &G, &D);
    const uint64_t first[] = { 0, (uint64_t)H * D, ((uint64_t)H + G) * D };
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(p->at.name, names[i]);
        if (!at) continue;
        snprintf(fused, sizeof fused, "%.*s.attn_qkv.%s", (int)(at - p->at.name), p->at.name, at + strlen(names[i]));
        p->t = weft__checkpoint_find(m->checkpoint, fused);
        p->first = first[i];
        p->part = true;
    }
}

/* "blk.3.ffn_gate_up_exps.weight", which has the halves of each expert. */
static void find_whole_experts(const weft_model *m, place *p)
{
    static const char gate[] = ".ffn_gate_exps.";
    char whole[sizeof p->at.name + 8];
    const char *at = strstr(p->at.name, gate);
    if (p->at.form != WEFT__GGUF_HALVES || !at) return;
    snprintf(whole, sizeof whole, "%.*s.ffn_gate_up_exps.%s", (int)(at - p->at.name), p->at.name, at + sizeof gate - 1);
    p->t = weft__checkpoint_find(m->checkpoint, whole);
    p->at.form = p->t ? WEFT__GGUF_SAME : p->at.form;
}

static place find_place(const weft_model *m, const char *name)
{
    place p = { .name = name, .t = weft__checkpoint_find(m->checkpoint, name) };
    if (p.t || !m->arch || !weft__gguf_place_of(m->arch, name, &p.at)) return p;
    p.t = weft__checkpoint_find(m->checkpoint, p.at.name);
    if (p.t && *p.at.second) p.second = weft__checkpoint_find(m->checkpoint, p.at.second);
    if (!p.t) find_whole_experts(m, &p);
    if (!p.t) find_in_fused(m, &p);
    return p;
}

const weft__file_tensor *weft__gguf_tensor(const weft_model *m, const char *name, uint32_t i)
{
    const place p = find_place(m, name);
    return i == 0 ? p.t : i == 1 ? p.second : NULL;
}

/* ---- shapes ---- */

/* What the graph's weight makes of the dims of the file's tensor. */
static uint32_t file_dims(const place *p, const weft_dims *d, uint64_t out[WEFT__FILE_RANK])
{
    uint32_t rank = d->rank;
    for (uint32_t k = 0; k < rank; k++) out[k] = (uint64_t)d->d[k].n;
    if (p->second && rank > 1) out[1] /= 2;
    return rank;
}

/* Outer ones are not worth a dim to some who write files. */
static bool same_dims(uint32_t rank, const uint64_t *dims, const weft__file_tensor *t)
{
    const uint64_t *other = t->dims;
    uint32_t n = t->rank;
    for (; rank > 1 && *dims == 1; rank--) dims++;
    for (; n > 1 && *other == 1; n--) other++;
    return rank == n && !memcmp(dims, other, rank * sizeof *dims);
}

/* Of a part of a tensor: all its other dims, and its rows in the whole, which has those of queries, keys and values. */
static bool is_inside(const weft_model *m, const place *p, uint32_t rank, const uint64_t *dims)
{
    const weft__file_tensor *t = p->t;
    uint32_t H, G, D;
    if (p->at.form == WEFT__GGUF_ROW)
        return rank == 1 && t->rank == 2 && p->at.row < t->dims[0] && dims[0] == t->dims[1];
    read_heads(m, &H, &G, &D);
    return rank && rank == t->rank && t->dims[0] == ((uint64_t)H + 2 * (uint64_t)G) * D && p->first <= t->dims[0] &&
           dims[0] <= t->dims[0] - p->first && !memcmp(dims + 1, t->dims + 1, (rank - 1) * sizeof *dims);
}

static weft_status check_one(const weft_model *m, const place *p, const weft__file_tensor *t, const weft_dims *d,
                             weft_error *err)
{
    uint64_t dims[WEFT__FILE_RANK];
    const weft__file_tensor *checked;
    const uint32_t rank = file_dims(p, d, dims);
    WEFT_TRY(weft__checkpoint_weight(m->checkpoint, t->name, &checked, err));
    const bool inside = p->part || p->at.form == WEFT__GGUF_ROW;
    if (inside ? is_inside(m, p, rank, dims) : same_dims(rank, dims, t)) return WEFT_OK;
    return weft__model_shape_fault(m, t, rank, dims, err);
}

weft_status weft__gguf_check_weight(const weft_model *m, const weft_node *n, const weft_dims *d, weft_error *err)
{
    const place p = find_place(m, n->name);
    const char *wanted = *p.at.name ? p.at.name : n->name;
    const weft__file_tensor *none;
    if (!p.t) return weft__checkpoint_weight(m->checkpoint, wanted, &none, err);
    if (*p.at.second && p.at.form != WEFT__GGUF_SAME && !p.second)
        return weft__checkpoint_weight(m->checkpoint, p.at.second, &none, err);
    if (d->rank > WEFT__FILE_RANK || (p.second && (d->rank < 2 || d->d[1].n % 2)))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: weight '%s' is of a rank or width that no tensor has", m->path, n->name);
    WEFT_TRY(check_one(m, &p, p.t, d, err));
    return p.second ? check_one(m, &p, p.second, d, err) : WEFT_OK;
}

/* ---- data ---- */

static uint64_t row_bytes(const weft_weight_data *d)
{
    uint64_t bytes = 0;
    return weft_dtype_row_bytes(d->dtype, d->rank ? d->dims[d->rank - 1] : 1, &bytes) ? bytes : 0;
}

static int64_t row_count(const weft_weight_data *d)
{
    int64_t rows = 1;
    for (uint32_t k = 0; k + 1 < d->rank; k++) rows *= d->dims[k];
    return rows;
}

static const unsigned char *row_at(const weft_weight_data *d, uint64_t row)
{
    return (const unsigned char *)d->data + row * row_bytes(d);
}

/* Numbers of the weight's own, that were made before; NULL: they have to be. */
static const float *find_made(const weft_model *m, const char *name)
{
    const struct weft__made *made = m->made;
    for (; made && strcmp(made->name, name); made = made->next) continue;
    return made ? made->values : NULL;
}

/* Room for n of them, to be filled. */
static weft_status begin(const weft_model *m, const char *name, int64_t n, struct weft__made **out, weft_error *err)
{
    struct weft__made *made = *out = calloc(1, sizeof *made);
    if (made) made->name = strdup(name);
    if (made && made->name) made->values = malloc((size_t)n * sizeof *made->values + 1);
    if (made && made->values) return WEFT_OK;
    weft__gguf_free(made);
    *out = NULL;
    return WEFT_FAIL(err, WEFT_OOM, "%s: out of memory for weight '%s'", m->path, name);
}

/* They are kept as long as the model, if s is OK. Returns s. */
static weft_status finish(weft_model *m, struct weft__made *made, weft_status s)
{
    if (s) return weft__gguf_free(made), s;
    made->next = m->made;
    m->made = made;
    return WEFT_OK;
}

weft_status weft__gguf_make(weft_model *m, const char *name, int64_t n, float **out, weft_error *err)
{
    struct weft__made *made = m->made;
    while (made && strcmp(made->name, name)) made = made->next;
    if (!made) {
        WEFT_TRY(begin(m, name, n, &made, err));
        WEFT_TRY(finish(m, made, WEFT_OK));
    }
    *out = made->values;
    return WEFT_OK;
}

void weft__gguf_free(struct weft__made *made)
{
    for (struct weft__made *next; made; made = next) {
        next = made->next;
        free(made->name);
        free(made->values);
        free(made);
    }
}

static weft_status as_floats(const weft_weight_data *d, int64_t n, float *out, const place *p, weft_error *err)
{
    if (weft__convert_row(d->dtype, d->data, WEFT_F32, out, n)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s': weights of type %s are not read as numbers", p->t->file,
                     p->t->name, p->t->dtype->name);
}

static void set_floats(weft_weight_data *d, const float *values)
{
    d->done = NULL;
    int64_t n = row_count(d) * (d->rank ? d->dims[d->rank - 1] : 1);
    d->dtype = WEFT_F32;
    d->data = values;
    d->bytes = (uint64_t)n * sizeof *values;
}

/* One number for each row that a matrix would have: where element i of the file's is in the graph. */
static weft_status reorder(weft_model *m, const place *p, weft_weight_data *d, weft_error *err)
{
    const int64_t n = d->dims[0];
    uint32_t H, G, D;
    read_heads(m, &H, &G, &D);
    if (!find_made(m, p->name)) {
        struct weft__made *made;
        WEFT_TRY(begin(m, p->name, 2 * n, &made, err));
        float *values = made->values;
        weft_status s = as_floats(d, n, values + n, p, err);
        for (int64_t i = 0; !s && i < n; i++) values[weft__gguf_row(p->at.form, H, G, D, (uint32_t)i)] = values[n + i];
        WEFT_TRY(finish(m, made, s));
    }
    set_floats(d, find_made(m, p->name));
    return WEFT_OK;
}

/* Less 1. */
static weft_status lessen(weft_model *m, const place *p, weft_weight_data *d, weft_error *err)
{
    const int64_t n = row_count(d) * d->dims[d->rank - 1];
    if (!find_made(m, p->name)) {
        struct weft__made *made;
        WEFT_TRY(begin(m, p->name, n, &made, err));
        weft_status s = as_floats(d, n, made->values, p, err);
        for (int64_t i = 0; !s && i < n; i++) made->values[i] -= 1;
        WEFT_TRY(finish(m, made, s));
    }
    set_floats(d, find_made(m, p->name));
    return WEFT_OK;
}

/* Numbers by turns from two lists for each expert: what has a row for an expert, and no rows in it. */
static weft_status interleave(weft_model *m, const place *p, weft_weight_data *d, const weft_weight_data *second,
                              weft_error *err)
{
    const int64_t experts = d->dims[0], each = d->dims[1], n = experts * each;
    const bool turns = p->at.form == WEFT__GGUF_TURNS;
    if (!find_made(m, p->name)) {
        struct weft__made *made;
        WEFT_TRY(begin(m, p->name, 4 * n, &made, err));
        float *values = made->values;
        weft_status s = as_floats(d, n, values + 2 * n, p, err);
        if (!s) s = as_floats(second, n, values + 3 * n, p, err);
        for (int64_t i = 0; !s && i < 2 * n; i++) {
            const int64_t e = i / n, j = i % n, expert = j / each, k = j % each;
            values[expert * 2 * each + (turns ? 2 * k + e : e * each + k)] = values[2 * n + i];
        }
        WEFT_TRY(finish(m, made, s));
    }
    d->dims[1] *= 2;
    set_floats(d, find_made(m, p->name));
    return WEFT_OK;
}

/* What was read row by row is given back as a whole, when the next weight is asked for. */
static void give_back(weft_model *m, weft_weight_data *next)
{
    if (m->unread.done) m->unread.done(m->unread.ctx, m->unread.data, m->unread.bytes);
    m->unread = next ? *next : (weft_weight_data){ 0 };
    if (next) next->done = NULL;
}

static weft_status take_parts(weft_model *m, uint64_t n, weft_weight_data *d, weft_error *err)
{
    if (n > MAX_ROWS) return WEFT_FAIL(err, WEFT_LIMIT, "%s: a weight of %llu rows", m->path, (unsigned long long)n);
    if (!weft__grow(&m->parts, &m->parts_capacity, n, sizeof *m->parts))
        return WEFT_FAIL(err, WEFT_OOM, "%s: out of memory for the rows of a weight", m->path);
    d->parts = m->parts;
    d->n_parts = (uint32_t)n;
    return WEFT_OK;
}

/* Rows in another order: of those that turn each by itself, else heads. */
static weft_status reorder_rows(weft_model *m, const place *p, weft_weight_data *d, weft_error *err)
{
    uint32_t H, G, D;
    read_heads(m, &H, &G, &D);
    const uint32_t each = p->at.form == WEFT__GGUF_PAIRS ? 1 : D;
    const uint64_t rows = (uint64_t)row_count(d), n = rows / each;
    WEFT_TRY(take_parts(m, n, d, err));
    give_back(m, d);
    for (uint64_t i = 0; i < n; i++)
        m->parts[weft__gguf_row(p->at.form, H, G, D, (uint32_t)(i * each)) / each] = row_at(d, i * each);
    d->data = NULL;
    return WEFT_OK;
}

/* Of each expert the rows of one tensor and of another: one after the other, or by turns. */
static weft_status join_rows(weft_model *m, const place *p, weft_weight_data *d, const weft_weight_data *second,
                             weft_error *err)
{
    const bool turns = p->at.form == WEFT__GGUF_TURNS;
    if (turns || !second->done) d->done = NULL; /* rows are smaller than pages; or not all are a mapped file's */
    const uint64_t rows = (uint64_t)row_count(d), each = turns ? 1 : (uint64_t)d->dims[1], n = rows / each;
    if (d->dtype != second->dtype)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensors '%s' and '%s' are parts of one weight, but differ in type",
                         p->t->file, p->t->name, p->second->name);
    WEFT_TRY(take_parts(m, 2 * n, d, err));
    for (uint64_t i = 0; i < n; i++) {
        m->parts[2 * i] = row_at(d, i * each);
        m->parts[2 * i + 1] = row_at(second, i * each);
    }
    d->dims[1] *= 2;
    d->bytes *= 2;
    d->data = NULL;
    return WEFT_OK;
}

/* Rows of a tensor as a weight; the others count by what stands before them. */
static weft_status cut(const weft_model *m, const place *p, weft_weight_data *d, weft_error *err)
{
    static const char *const kinds[] = { "q_proj", "k_proj", "v_proj" };
    uint32_t H, G, D;
    read_heads(m, &H, &G, &D);
    const uint64_t rows[] = { (uint64_t)H * D, (uint64_t)G * D, (uint64_t)G * D };
    const uint64_t size = d->rank > 1 ? row_bytes(d) : weft_dtype_get(d->dtype)->bytes;
    if (d->rank == 1 && weft_dtype_get(d->dtype)->block > 1)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensor '%s': a vector of type %s is not cut into parts",
                         p->t->file, p->t->name, p->t->dtype->name);
    for (int i = 0; i < 3 && d->rank > 0 && (uint64_t)d->dims[0] == rows[0] + rows[1] + rows[2]; i++) {
        if (!strstr(p->name, kinds[i])) continue;
        d->data = (const unsigned char *)d->data + p->first * size;
        d->dims[0] = (int64_t)rows[i];
        d->bytes = rows[i] * size;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' has not the rows of '%s'", p->t->file, p->t->name, p->name);
}

static void take_row(const place *p, weft_weight_data *d)
{
    d->data = row_at(d, p->at.row);
    d->bytes = row_bytes(d);
    d->dims[0] = d->dims[1];
    d->rank = 1;
}

/* What is put in another order has as many rows as the heads have, whoever asks for it. */
static bool has_heads(const weft_model *m, const place *p, const weft_weight_data *d)
{
    uint32_t H, G, D;
    read_heads(m, &H, &G, &D);
    if (d->rank < 1 || d->rank > 2 || d->dims[0] > MAX_ROWS) return false;
    if (p->at.form == WEFT__GGUF_PAIRS) return D % 2 == 0 && d->dims[0] % D == 0;
    return H % G == 0 && (uint64_t)d->dims[0] == ((uint64_t)H + 2 * (uint64_t)G) * D;
}

static weft_status shape_fault(const place *p, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' has not the shape that a weight '%s' is made of", p->t->file,
                     p->t->name, p->name);
}

static weft_status undo(weft_model *m, const place *p, weft_weight_data *d, weft_error *err)
{
    const weft__gguf_form form = p->at.form;
    if (form == WEFT__GGUF_MORE) return d->rank ? lessen(m, p, d, err) : shape_fault(p, err);
    if (form == WEFT__GGUF_ROW) {
        if (d->rank != 2 || p->at.row >= d->dims[0]) return shape_fault(p, err);
        take_row(p, d);
    }
    if (form != WEFT__GGUF_PAIRS && form != WEFT__GGUF_GROUPS) return WEFT_OK;
    if (!has_heads(m, p, d)) return shape_fault(p, err);
    return d->rank > 1 ? reorder_rows(m, p, d, err) : reorder(m, p, d, err);
}

static weft_status join(weft_model *m, const place *p, weft_weight_data *d, weft_error *err)
{
    weft_weight_data second = { 0 };
    WEFT_TRY(weft__checkpoint_data(m->checkpoint, p->second, &second, err));
    if (d->rank < 2 || d->rank != second.rank || memcmp(d->dims, second.dims, d->rank * sizeof *d->dims))
        return shape_fault(p, err);
    return d->rank > 2 ? join_rows(m, p, d, &second, err) : interleave(m, p, d, &second, err);
}

weft_status weft__gguf_weight(weft_model *m, const char *name, weft_weight_data *out, weft_error *err)
{
    const place p = find_place(m, name);
    const weft__file_tensor *t;
    give_back(m, NULL);
    if (!p.t) return weft__checkpoint_weight(m->checkpoint, *p.at.name ? p.at.name : name, &t, err);
    WEFT_TRY(weft__checkpoint_weight(m->checkpoint, p.t->name, &t, err));
    WEFT_TRY(weft__checkpoint_data(m->checkpoint, t, out, err));
    if (p.part) WEFT_TRY(cut(m, &p, out, err));
    return p.second ? join(m, &p, out, err) : undo(m, &p, out, err);
}
