/* walk.c: see walk.h. */
#include "walk.h"

#include <math.h>

#include "graph/convert.h"

/* Strides of t over the axes of `shape`: 0 where t is repeated. */
static void broadcast(const cpu_tensor *t, const cpu_tensor *shape, int64_t *stride)
{
    uint32_t skip = shape->rank - t->rank;
    for (uint32_t i = 0; i < shape->rank; i++)
        stride[i] = i < skip || (t->dim[i - skip] == 1) ? 0 : t->stride[i - skip];
}

static bool mergeable(const cpu_walk *w, uint32_t outer, int64_t inner_dim, const int64_t *inner)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (w->stride[i][outer] != inner_dim * inner[i]) return false;
    return true;
}

void cpu_walk_begin(cpu_walk *w, const cpu_tensor *const *t, uint32_t n, bool keep_last)
{
    const cpu_tensor *shape = t[0];
    int64_t stride[CPU_WALK_MAX][WEFT_MAX_RANK];
    uint32_t n_axes = 0;
    *w = (cpu_walk){ .n = n, .rows = 1, .cols = 1 };
    for (uint32_t i = 0; i < n; i++) {
        w->t[i] = t[i];
        broadcast(t[i], shape, stride[i]);
    }
    for (uint32_t axis = 0; axis < shape->rank; axis++) {
        bool last = axis + 1 == shape->rank;
        int64_t d = shape->dim[axis], own[CPU_WALK_MAX];
        if (d == 1 && !(last && keep_last)) continue;
        for (uint32_t i = 0; i < n; i++) own[i] = stride[i][axis];
        if (n_axes && !(last && keep_last) && mergeable(w, n_axes - 1, d, own)) {
            n_axes--;
            d *= w->dim[n_axes];
        }
        w->dim[n_axes] = d;
        for (uint32_t i = 0; i < n; i++) w->stride[i][n_axes] = own[i];
        n_axes++;
    }
    if (n_axes) { /* the innermost axis left is the columns */
        n_axes--;
        w->cols = w->dim[n_axes];
        for (uint32_t i = 0; i < n; i++) w->step[i] = w->stride[i][n_axes];
    }
    w->rank = n_axes;
    for (uint32_t i = 0; i < n_axes; i++) w->rows *= w->dim[i];
}

void *cpu_walk_at(const cpu_walk *w, uint32_t i, int64_t row, int64_t col)
{
    int64_t offset = col * w->step[i];
    for (uint32_t axis = w->rank; axis-- > 1;) {
        offset += row % w->dim[axis] * w->stride[i][axis];
        row /= w->dim[axis];
    }
    if (w->rank) offset += row * w->stride[i][0];
    return (char *)w->t[i]->data + cpu_bytes(w->t[i]->dtype, offset);
}

cpu_part cpu_walk_part(const cpu_walk *w, const cpu_call *c, int64_t block, int64_t least)
{
    cpu_part p = { .block = block < w->cols ? block : w->cols };
    if (!w->cols || !w->rows) return p;
    p.per_row = (w->cols + p.block - 1) / p.block;
    int64_t unit = least / p.block;
    cpu_share(c, w->rows * p.per_row, unit > 1 ? unit : 1, &p.begin, &p.end);
    return p;
}

int64_t cpu_part_item(const cpu_part *p, const cpu_walk *w, int64_t k, int64_t *col, int64_t *n)
{
    *col = k % p->per_row * p->block;
    *n = w->cols - *col < p->block ? w->cols - *col : p->block;
    return k / p->per_row;
}

const float *cpu_row_load(const cpu_vec_ops *v, const void *x, weft_dtype t, int64_t step,
                          int64_t n, float *buf)
{
    if (step == 1 && t == WEFT_F32) return x;
    if (step == 1 && cpu_is_float(t)) {
        v->load(buf, x, t, n);
        return buf;
    }
    if (cpu_is_block(t)) {
        (void)weft__convert_row(t, x, WEFT_F32, buf, n);
        return buf;
    }
    const float *f = x;
    const uint16_t *h = x;
    const int32_t *k = x;
    for (int64_t i = 0; i < n; i++) {
        if (step == 0 && i) {
            buf[i] = buf[0];
            continue;
        }
        switch (t) {
        case WEFT_F32:
            buf[i] = f[i * step];
            break;
        case WEFT_F16:
            buf[i] = weft__f32_from_f16(h[i * step]);
            break;
        case WEFT_BF16:
            buf[i] = weft__f32_from_bf16(h[i * step]);
            break;
        default:
            buf[i] = (float)k[i * step];
            break;
        }
    }
    return buf;
}

/* Towards zero; what does not fit becomes the nearest end of the range, NaN 0. */
static int32_t to_i32(float x)
{
    if (isnan(x)) return 0;
    return x >= 2147483648.0f ? INT32_MAX : x < -2147483648.0f ? INT32_MIN : (int32_t)x;
}

void cpu_row_store(const cpu_vec_ops *v, void *y, weft_dtype t, int64_t step, const float *x,
                   int64_t n)
{
    if (step == 1 && cpu_is_float(t)) {
        v->store(y, t, x, n);
        return;
    }
    float *f = y;
    uint16_t *h = y;
    int32_t *k = y;
    for (int64_t i = 0; i < n; i++) {
        switch (t) {
        case WEFT_F32:
            f[i * step] = x[i];
            break;
        case WEFT_F16:
            h[i * step] = weft__f16_from_f32(x[i]);
            break;
        case WEFT_BF16:
            h[i * step] = weft__bf16_from_f32(x[i]);
            break;
        default:
            k[i * step] = to_i32(x[i]);
            break;
        }
    }
}

void cpu_row_keep(const cpu_vec_ops *v, void *y, weft_dtype t, int64_t step, const float *x,
                  int64_t n)
{
    if (cpu_is_block(t)) {
        (void)weft__convert_row(WEFT_F32, x, t, y, n);
        return;
    }
    cpu_row_store(v, y, t, step, x, n);
    if (t != WEFT_F16) return;
    uint16_t *h = y;
    uint32_t infinite = 0; /* hardly ever; without a branch it is a few instructions a row */
    for (int64_t i = 0; i < n; i++) infinite |= (h[i * step] & 0x7fff) == 0x7c00;
    for (int64_t i = 0; infinite && i < n; i++)
        if ((h[i * step] & 0x7fff) == 0x7c00 && !isinf(x[i])) h[i * step] |= WEFT_F16_OVERFLOW;
}

int64_t cpu_elements(const cpu_tensor *t)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

/* Elements of one size, unchanged. */
static void move_row(char *y, int64_t y_step, const char *x, int64_t x_step, int64_t n,
                     int64_t size)
{
    if (x_step == 1 && y_step == 1) {
        memmove(y, x, (size_t)(n * size));
    } else if (size == 4) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)y)[i * y_step] = ((const uint32_t *)(const void *)x)[i * x_step];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)(void *)y)[i * y_step] = ((const uint16_t *)(const void *)x)[i * x_step];
    }
}

void cpu_copy(const cpu_call *c, const cpu_tensor *dst, const cpu_tensor *src)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    bool same = src->dtype == dst->dtype;
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ dst, src }, 2, false);
    cpu_part p = cpu_walk_part(&w, c, 4096, 8192);
    for (int64_t k = p.begin; k < p.end; k++) {
        float buf[CPU_BLOCK];
        int64_t col, n, row = cpu_part_item(&p, &w, k, &col, &n);
        char *y = cpu_walk_at(&w, 0, row, col);
        const char *x = cpu_walk_at(&w, 1, row, col);
        if (same) {
            move_row(y, w.step[0], x, w.step[1], n, cpu_size(src->dtype));
            continue;
        }
        for (int64_t i = 0; i < n; i += CPU_BLOCK) {
            int64_t m = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
            const float *f = cpu_row_load(v, x + i * w.step[1] * cpu_size(src->dtype), src->dtype,
                                          w.step[1], m, buf);
            cpu_row_store(v, y + i * w.step[0] * cpu_size(dst->dtype), dst->dtype, w.step[0], f, m);
        }
    }
}

bool cpu_accepts_floats(const cpu_call *c)
{
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (i && c->in[i].dtype == WEFT_ANY) continue; /* an optional input left out */
        if (!cpu_is_float(c->in[i].dtype) || c->in[i].layout != CPU_LAYOUT_PLAIN) return false;
    }
    return c->out[0].dtype == WEFT_F32;
}
