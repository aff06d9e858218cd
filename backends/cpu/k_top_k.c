/* k_top_k.c: the k largest of the last axis, descending, the lower index first among equals, NaN
 * after every number.
 *
 * A heap of the best so far stands in scratch, its worst entry on top; a vector search skips
 * what cannot enter. */
#include <math.h>

#include "walk.h"

typedef struct entry {
    float x;
    int32_t at;
} entry;

static bool accepts(const cpu_call *c)
{
    return c->in[0].layout == CPU_LAYOUT_PLAIN && cpu_is_float(c->in[0].dtype) &&
           c->out[0].dtype == WEFT_F32 && c->out[1].dtype == WEFT_I32;
}

/* Two threads' heaps are a cache line apart. */
static uint64_t heap_bytes(const cpu_call *c)
{
    uint64_t k = (uint64_t)c->attrs->top_k.k;
    return (k * sizeof(entry) + 127) / 64 * 64;
}

static uint64_t scratch(const cpu_call *c)
{
    return c->n_threads * heap_bytes(c);
}

/* a stands before b in the result */
static bool before(entry a, entry b)
{
    if (isnan(a.x) || isnan(b.x)) return isnan(a.x) == isnan(b.x) ? a.at < b.at : isnan(b.x);
    return a.x != b.x ? a.x > b.x : a.at < b.at;
}

/* Puts e into the heap of n at i or below, where both branches are heaps: every parent stands
 * after its children. */
static void sift(entry *heap, int64_t n, int64_t i, entry e)
{
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && before(heap[child], heap[child + 1])) child++;
        if (!before(e, heap[child])) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = e;
}

/* Offers x[0..n), whose places start at `from`, to a full heap. */
static void offer(const cpu_vec_ops *v, entry *heap, int64_t k, const float *x, int64_t n,
                  int64_t from)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isnan(heap[0].x)) { /* an equal number comes later, so it does not enter */
            i = v->find(x, i, n, heap[0].x, false);
            if (i == n) return;
        }
        entry e = { x[i], (int32_t)(from + i) };
        if (before(e, heap[0])) sift(heap, k, 0, e);
    }
}

static void select_row(const cpu_vec_ops *v, entry *heap, int64_t k, const cpu_walk *w, int64_t row)
{
    float buf[CPU_BLOCK];
    weft_dtype t = w->t[0]->dtype;
    int64_t filled = 0;
    for (int64_t i = 0; i < w->cols; i += CPU_BLOCK) {
        int64_t n = w->cols - i < CPU_BLOCK ? w->cols - i : CPU_BLOCK, j = 0;
        const float *x = cpu_row_load(v, cpu_walk_at(w, 0, row, i), t, w->step[0], n, buf);
        for (; j < n && filled < k; j++, filled++) heap[filled] = (entry){ x[j], (int32_t)(i + j) };
        if (filled == k && j) /* just filled: make it a heap */
            for (int64_t p = k / 2; p-- > 0;) sift(heap, k, p, heap[p]);
        offer(v, heap, k, x + j, n - j, i + j);
    }
    for (int64_t n = k; n-- > 1;) { /* the worst goes last, again and again */
        entry worst = heap[0];
        sift(heap, n, 0, heap[n]);
        heap[n] = worst;
    }
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0];
    entry *heap = (entry *)(void *)(c->scratch + c->thread * heap_bytes(c));
    int64_t k = c->attrs->top_k.k, begin, end;
    cpu_walk in, values, indices;
    cpu_walk_begin(&in, &x, 1, true);
    cpu_walk_begin(&values, (const cpu_tensor *const[]){ &c->out[0] }, 1, true);
    cpu_walk_begin(&indices, (const cpu_tensor *const[]){ &c->out[1] }, 1, true);
    if (k > in.cols) return; /* refused by the shape rule */
    cpu_share(c, in.rows, in.cols < 2048 ? 2048 / in.cols : 1, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        select_row(v, heap, k, &in, row);
        float *y = cpu_walk_at(&values, 0, row, 0);
        int32_t *at = cpu_walk_at(&indices, 0, row, 0);
        for (int64_t i = 0; i < k; i++) {
            y[i * values.step[0]] = heap[i].x;
            at[i * indices.step[0]] = heap[i].at;
        }
    }
}

const cpu_kernel cpu_top_k = {
    .name = "top_k", .run = run, .accepts = accepts, .scratch = scratch, .need = WEFT_NEED_ANY
};
