/* imatrix.c: reads what products multiply with before each of their steps, and adds up its squares by column. Its data
 * structure is a list of weights by their GGUF names. */
#include "models/quantize/imatrix_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/program.h"
#include "graph/alias.h"
#include "graph/convert.h"
#include "models/gguf_names.h"
#include "models/session_impl.h"

typedef weft__imatrix_entry entry;

weft_status weft_imatrix_create(weft_session *s, weft_imatrix **out, weft_error *err)
{
    *out = NULL;
    if (!s->desc.as_built)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: importance is gathered of sessions that are as built", s->m->path);
    if (!s->m->arch || !s->m->arch->gguf.arch)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: llama.cpp has no architecture for %s", s->m->path,
                         s->m->info.architecture);
    *out = calloc(1, sizeof **out);
    if (!*out) return WEFT_FAIL(err, WEFT_OOM, "%s: out of memory for importance", s->m->path);
    (*out)->session = s;
    return WEFT_OK;
}

void weft_imatrix_destroy(weft_imatrix *i)
{
    if (!i) return;
    for (size_t k = 0; k < i->n; k++) {
        free(i->entries[k].sums);
        free(i->entries[k].counts);
    }
    free(i->entries);
    free(i->root);
    free(i->numbers);
    free(i->ids);
    free(i);
}

static weft_status oom(const weft_imatrix *i, const char *what, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_OOM, "%s: out of memory for the importance of %s", i->session->m->path, what);
}

/* ---- entries ---- */

static weft_status find_entry(weft_imatrix *i, const weft_node *weight, const weft_dims *d, entry **out,
                              weft_error *err)
{
    weft__gguf_place p;
    if (!weft__gguf_place_of(i->session->m->arch, weight->name, &p))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: GGUF files have no name for the weight '%s'", i->session->m->path,
                         weight->name);
    for (size_t k = 0; k < i->n; k++) {
        *out = &i->entries[k];
        if (!strcmp((*out)->name, p.name)) return WEFT_OK;
    }
    if (!weft__grow(&i->entries, &i->capacity, i->n + 1, sizeof *i->entries)) return oom(i, p.name, err);
    entry e = { .matrices = d->rank == 3 ? (uint64_t)d->d[0].n : 1, .columns = (uint64_t)d->d[d->rank - 1].n };
    snprintf(e.name, sizeof e.name, "%s", p.name);
    snprintf(e.second, sizeof e.second, "%s", p.second);
    e.sums = calloc(e.matrices * e.columns, sizeof *e.sums);
    e.counts = calloc(e.matrices, sizeof *e.counts);
    if (!e.sums || !e.counts) {
        free(e.sums);
        free(e.counts);
        return oom(i, p.name, err);
    }
    *out = &i->entries[i->n];
    i->entries[i->n++] = e;
    return WEFT_OK;
}

/* ---- values ---- */

static weft_status read_root(weft_imatrix *i, weft_program *p, weft_ref r, weft_error *err)
{
    const uint64_t bytes = p->s->plan->slots[r.id].bytes;
    if (!weft__grow(&i->root, &i->root_room, bytes, 1)) return oom(i, "a value", err);
    return weft_program_read(p, r, 0, i->root, bytes, err);
}

/* n numbers, `stride` elements apart, from element `at` of the root on. */
static void read_row(const weft_imatrix *i, weft_dtype t, int64_t at, int64_t stride, int64_t n, void *out)
{
    const uint64_t size = weft_dtype_get(t)->bytes;
    const weft_dtype to = t == WEFT_I32 ? WEFT_I32 : WEFT_F32;
    const unsigned char *from = i->root + (uint64_t)at * size;
    if (stride == 1) weft__convert_row(t, from, to, out, n);
    else
        for (int64_t k = 0; k < n; k++)
            weft__convert_row(t, from + (uint64_t)(k * stride) * size, to, (unsigned char *)out + 4 * k, 1);
}

/* What this run has of a value, [rows, columns], be it a view of whichever strides: numbers, or whole ones of i32. */
static weft_status read_rows(weft_imatrix *i, weft_program *p, weft_ref r, int64_t *rows, int64_t *columns,
                             weft_error *err)
{
    const weft_value *v = weft_graph_value(p->s->g, r);
    const weft_ref root = weft__behind_views(p->s->g, r);
    const weft_slot *slots = p->s->plan->slots, *s = &slots[r.id];
    const uint32_t last = v->dims.rank - 1;
    const bool whole = v->dtype == WEFT_I32;
    int64_t dim[WEFT_MAX_RANK] = { 0 };
    weft_dims_resolve(p->s->g, &v->dims, p->extents, dim);
    WEFT_TRY(read_root(i, p, root, err));
    *columns = dim[last];
    *rows = 1;
    for (uint32_t k = 0; k < last; k++) *rows *= dim[k];
    const size_t n = (size_t)(*rows * *columns);
    if (!weft__grow(&i->numbers, &i->numbers_room, n, sizeof *i->numbers) ||
        !weft__grow(&i->ids, &i->ids_room, whole ? n : 0, sizeof *i->ids))
        return oom(i, "a value", err);
    for (int64_t row = 0; row < *rows; row++) {
        int64_t at = s->first - slots[root.id].first, rest = row;
        for (uint32_t k = last; k-- > 0; rest /= dim[k]) at += rest % dim[k] * s->stride[k];
        void *out = whole ? (void *)(i->ids + row * *columns) : (void *)(i->numbers + row * *columns);
        read_row(i, v->dtype, at, s->stride[last], *columns, out);
    }
    return WEFT_OK;
}

/* ---- products ---- */

static void add_row(entry *e, uint64_t matrix, const float *x)
{
    double *sums = e->sums + matrix * e->columns;
    for (uint64_t k = 0; k < e->columns; k++) sums[k] += (double)x[k] * (double)x[k];
    e->counts[matrix]++;
}

/* Rows of x go to the experts whose ids stand beside them: a row for all ids of a token, or one for each. */
static weft_status add_selected(weft_imatrix *i, weft_program *p, const weft_node *n, entry *e, weft_error *err)
{
    int64_t tokens, each, rows, columns;
    WEFT_TRY(read_rows(i, p, n->in[2], &tokens, &each, err));
    WEFT_TRY(read_rows(i, p, n->in[0], &rows, &columns, err));
    const bool own = rows == tokens * each;
    for (int64_t t = 0; t < tokens * each; t++) {
        const int32_t id = i->ids[t];
        const float *x = i->numbers + (own ? t : t / each) * columns;
        if (id >= 0 && (uint64_t)id < e->matrices) add_row(e, (uint64_t)id, x);
    }
    return WEFT_OK;
}

static weft_status add_product(weft_imatrix *i, weft_program *p, const weft_node *n, entry *e, weft_error *err)
{
    int64_t rows, columns;
    WEFT_TRY(read_rows(i, p, n->in[0], &rows, &columns, err));
    for (int64_t row = 0; row < rows; row++) add_row(e, 0, i->numbers + row * columns);
    return WEFT_OK;
}

/* Whether all tokens go through a product. Of some alone, as those that logits are wanted of, there are too few. */
static bool takes_all(const weft_program *p, const weft_node *n, uint32_t tokens)
{
    int64_t dim[WEFT_MAX_RANK] = { 0 }, rows = 1;
    const weft_dims *d = &weft_graph_value(p->s->g, n->in[0])->dims;
    weft_dims_resolve(p->s->g, d, p->extents, dim);
    for (uint32_t k = 0; k + 1 < d->rank; k++) rows *= dim[k];
    return rows >= (int64_t)tokens;
}

/* Before a step. */
static weft_status look_at(weft_imatrix *i, weft_program *p, const weft_node *n, weft_error *err)
{
    entry *e;
    if ((n->op != WEFT_OP_matmul_nt && n->op != WEFT_OP_linear_select) || !takes_all(p, n, i->tokens)) return WEFT_OK;
    const weft_node *weight = weft__maker(p->s->g, weft__behind_views(p->s->g, n->in[1]));
    if (weight->op != WEFT_OP_weight) return WEFT_OK;
    WEFT_TRY(find_entry(i, weight, &weft_graph_value(p->s->g, weight->out[0])->dims, &e, err));
    WEFT_TRY(n->op == WEFT_OP_linear_select ? add_selected(i, p, n, e, err) : add_product(i, p, n, e, err));
    for (uint64_t k = 0; k < e->matrices * e->columns; k++)
        if (!isfinite(e->sums[k]))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: what %s is multiplied with is no finite number",
                             i->session->m->path, e->name);
    return WEFT_OK;
}

static weft_status visit(void *ctx, weft_program *p, weft_error *err)
{
    weft_imatrix *i = ctx;
    for (uint32_t k = 0; k < p->s->plan->n_steps; k++) {
        WEFT_TRY(look_at(i, p, weft_graph_node_by_id(p->s->g, p->s->plan->steps[k].node), err));
        WEFT_TRY(weft_program_run_step(p, k, err));
    }
    return WEFT_OK;
}

weft_status weft_imatrix_add(weft_imatrix *i, const int32_t *ids, size_t n, weft_error *err)
{
    i->tokens = n < i->session->desc.max_tokens ? (uint32_t)n : i->session->desc.max_tokens;
    WEFT_TRY(weft__session_visit(i->session, ids, n, visit, i, err));
    i->chunks++;
    return WEFT_OK;
}

weft_status weft__imatrix_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    const weft__imatrix_writing *w = ctx;
    const entry *e = w->of[index];
    (void)err;
    for (size_t k = 0; k < n / 4; k++) {
        const uint64_t at = offset / 4 + k;
        const float x = index % 2 ? (float)e->counts[at] : (float)e->sums[at];
        memcpy((unsigned char *)out + 4 * k, &x, 4);
    }
    return WEFT_OK;
}
