/* ref_nn.c: the oracle's norms, softmax, products, rotary embedding and attention, and the fused
 * ops, which are computed as what they stand for. */
#include "ref_impl.h"

#include <stdlib.h>

/* ---- norms: rows of the last axis ---- */

typedef struct norm_row {
    double mean, inverse, e_mean, e_inverse; /* inverse: 1 / sqrt(var + eps); e_inverse relative */
} norm_row;

static norm_row norm_facts(const double *x, const double *e, int64_t n, double eps, weft_op op)
{
    bool centred = op == WEFT_OP_layer_norm || op == WEFT_OP_norm_pair;
    double count = op == WEFT_OP_l2_norm ? 1.0 : (double)n;
    norm_row r = { 0 };
    double magnitude = 0.0, square = 0.0, e_square = 0.0;
    if (centred) {
        for (int64_t i = 0; i < n; i++) {
            r.mean += x[i] / (double)n;
            magnitude += fabs(x[i]) / (double)n;
            r.e_mean += e[i] / (double)n;
        }
        r.e_mean += ref_gamma(n) * magnitude;
    }
    for (int64_t i = 0; i < n; i++) {
        double d = x[i] - r.mean, ed = e[i] + REF_U * fabs(d);
        square += d * d / count;
        e_square += 2.0 * fabs(d) * ed / count;
    }
    /* A shift of all differences by e_mean changes the variance by e_mean^2 alone. */
    e_square += r.e_mean * r.e_mean + ref_gamma(n) * square;
    r.inverse = 1.0 / sqrt(square + eps);
    double relative = e_square / (square + eps);
    r.e_inverse = relative < 0.5 ? relative + 4 * REF_U : INFINITY;
    return r;
}

static void norm(const ref_call *c, ref_tensor *out, const ref_tensor *w, const ref_tensor *b)
{
    const ref_tensor *x = c->in[0];
    const weft_attr_norm *a = &c->n->attrs.norm;
    int64_t row = x->dim[x->rank - 1], n = a->group ? a->group : row;
    ref_alloc(out, WEFT_F32, x->rank, x->dim);
    for (int64_t at = 0; at < x->n; at += n) {
        const double *v = x->v + at, *e = x->e + at;
        norm_row r = norm_facts(v, e, n, (double)a->eps, c->n->op);
        for (int64_t i = 0; i < n; i++) {
            int64_t k = (at + i) % row;
            double d = v[i] - r.mean, y = d * r.inverse;
            double ey = r.inverse * (e[i] + r.e_mean + REF_U * fabs(d)) +
                        fabs(y) * (r.e_inverse + 2 * REF_U);
            double scale = w ? w->v[k] + a->one_plus : 1.0, shift = b ? b->v[k] : 0.0;
            ey = fabs(scale) * ey + REF_U * ((2 + a->one_plus) * fabs(y * scale) + fabs(y * scale + shift));
            if (w) ey += w->e[k] * fabs(y);
            if (b) ey += b->e[k];
            ref_set(out, at + i, y * scale + shift, ey);
        }
    }
}

bool ref_op_layer_norm(const ref_call *c)
{
    norm(c, c->out, c->n_in > 1 ? c->in[1] : NULL, c->n_in > 2 ? c->in[2] : NULL);
    return true;
}

bool ref_op_rms_norm(const ref_call *c)
{
    norm(c, c->out, c->n_in > 1 ? c->in[1] : NULL, NULL);
    return true;
}

bool ref_op_l2_norm(const ref_call *c)
{
    norm(c, c->out, NULL, NULL);
    return true;
}

bool ref_op_cumsum(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    int64_t n = x->dim[x->rank - 1];
    ref_alloc(c->out, WEFT_F32, x->rank, x->dim);
    for (int64_t row = 0; row < x->n; row += n) {
        double sum = 0.0, e = 0.0, magnitude = 0.0;
        for (int64_t i = row; i < row + n; i++) {
            sum += x->v[i];
            e += x->e[i];
            magnitude += fabs(x->v[i]);
            ref_set(c->out, i, sum, e + ref_gamma(i + 1 - row) * magnitude);
        }
    }
    return true;
}

/* x, weight and bias of the first, weight and bias of the second. */
bool ref_op_norm_pair(const ref_call *c)
{
    norm(c, &c->out[0], c->in[1], c->in[2]);
    norm(c, &c->out[1], c->in[3], c->in[4]);
    return true;
}

/* p = softmax(s) of n scores; e: bounds of s in, of p out. Errors common to all scores cancel, so
 * only the spread of the bounds would count; 2 max(e) is on the safe side. */
static void softmax(const double *s, double *e, int64_t n, double *p)
{
    double most = -INFINITY, sum = 0.0, e_most = 0.0, rounding = 0.0;
    bool nan = false;
    for (int64_t i = 0; i < n; i++) {
        nan |= isnan(s[i]) || s[i] == INFINITY;
        if (s[i] > most) most = s[i];
    }
    nan |= most == -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        p[i] = nan ? NAN : exp(s[i] - most);
        sum += p[i];
        if (p[i] > 0.0) {
            e_most = fmax(e_most, e[i]);
            rounding += p[i] * REF_U * fabs(s[i] - most);
        }
    }
    for (int64_t i = 0; i < n; i++) {
        p[i] /= sum;
        double own = p[i] > 0.0 ? REF_U * (fabs(s[i] - most) + 12) : 0.0;
        e[i] = p[i] * (expm1(2 * e_most) + own + rounding / sum + ref_gamma(n));
    }
}

bool ref_op_softmax(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    int64_t n = x->dim[x->rank - 1];
    ref_copy(c->out, x);
    c->out->dtype = WEFT_F32;
    for (int64_t row = 0; row < x->n / n; row++) {
        double *e = c->out->e + row * n;
        softmax(x->v + row * n, e, n, c->out->v + row * n);
        for (int64_t i = 0; i < n; i++) ref_set(c->out, row * n + i, c->out->v[row * n + i], e[i]);
    }
    return true;
}

/* ---- products ---- */

/* What f16 can lose of v: a unit in the last place, of its denormals, and what is beyond its range. */
static double half_loss(double v)
{
    double a = fabs(v);
    return fmax(a * ldexp(1.0, -10), ldexp(1.0, -24)) + (a > 65504.0 ? a - 65504.0 : 0.0);
}

/* What rounding of the row a (K long) to a shorter type can change in a product with the vector b of stride `step`. */
static double shortcut(ref_mode mode, weft_dtype weight, const double *a, const double *b,
                       int64_t step, int64_t K)
{
    if (mode.exact) return 0.0;
    double e = 0.0;
    for (int64_t k = 0; k < K && mode.half && weight != WEFT_F32; k++) {
        double p = a[k], q = b[k * step], ep = half_loss(p), eq = weight == WEFT_F16 ? 0.0 : half_loss(q);
        e += fabs(p) * eq + fabs(q) * ep + ep * eq;
    }
    if (weight == WEFT_BF16)
        for (int64_t k = 0; k < K; k++) e += fabs(a[k] * b[k * step]) * ldexp(1.0, -8);
    if (weft_dtype_get(weight)->class_ != WEFT_DTYPE_BLOCK) return e; /* allowed to any format, done for some */
    for (int64_t near = 0; near < K; near += 256) { /* 32 elements share a scale, somewhere within so many */
        double most = 0.0, sum = 0.0;
        for (int64_t k = near; k < near + 256 && k < K; k++) {
            most = fmax(most, fabs(a[k]));
            sum += fabs(b[k * step]);
        }
        e += most / 127.0 * 0.505 * sum; /* half a step; the rest is the scale's own rounding */
    }
    return e;
}

/* out[i] = a row . b column; b's elements of one column are `step` apart. */
static void dot(const ref_call *c, int64_t i, const ref_tensor *a, int64_t at, const ref_tensor *b,
                int64_t bt, int64_t step, int64_t K)
{
    double s = 0.0, magnitude = 0.0, e = 0.0;
    for (int64_t k = 0; k < K; k++) {
        double p = a->v[at + k], q = b->v[bt + k * step];
        s += p * q;
        magnitude += fabs(p * q);
        e += fabs(p) * b->e[bt + k * step] + fabs(q) * a->e[at + k];
    }
    e += ref_gamma(K) * magnitude + shortcut(c->mode, b->dtype, a->v + at, b->v + bt, step, K);
    ref_set(c->out, i, s, e);
}

static bool matmul(const ref_call *c, bool nt)
{
    const ref_tensor *a = c->in[0], *b = c->in[1];
    int64_t M = a->dim[a->rank - 2], K = a->dim[a->rank - 1];
    int64_t N = b->dim[b->rank - (nt ? 2 : 1)], dim[WEFT_MAX_RANK];
    uint32_t rank;
    ref_tensor la = *a, lb = *b, lead = { 0 }; /* the leading dims, as tensors of matrices */
    la.rank -= 2;
    lb.rank -= 2;
    if (K != b->dim[b->rank - (nt ? 1 : 2)]) return ref_complain(c, "inner sizes differ");
    if (!ref_broadcast_dims(&la, &lb, &rank, dim))
        return ref_complain(c, "leading sizes do not broadcast");
    lead.rank = rank;
    for (uint32_t i = 0; i < rank; i++) lead.dim[i] = dim[i];
    dim[rank] = M;
    dim[rank + 1] = N;
    ref_alloc(c->out, WEFT_F32, rank + 2, dim);
    for (int64_t m = 0; m < c->out->n / (M * N); m++) {
        int64_t at = ref_broadcast_index(&lead, &la, m) * M * K,
                bt = ref_broadcast_index(&lead, &lb, m) * K * N;
        for (int64_t i = 0; i < M * N; i++)
            dot(c, m * M * N + i, a, at + i / N * K, b, bt + (nt ? i % N * K : i % N), nt ? 1 : N,
                K);
    }
    return true;
}

bool ref_op_matmul(const ref_call *c)
{
    return matmul(c, false);
}

bool ref_op_matmul_nt(const ref_call *c)
{
    return matmul(c, true);
}

/* x [T, n] or [T, K, n], experts [E, m, n], ids [T, K]. */
bool ref_op_linear_select(const ref_call *c)
{
    const ref_tensor *x = c->in[0], *w = c->in[1], *ids = c->in[2];
    int64_t E = w->dim[0], m = w->dim[1], n = w->dim[2], K = ids->dim[1], dim[] = { ids->dim[0], K, m };
    ref_alloc(c->out, WEFT_F32, 3, dim);
    for (int64_t i = 0; i < c->out->n; i++) {
        double e = ids->v[i / m];
        int64_t row = x->rank == 3 ? i / m : i / m / K;
        if (e >= 0 && e < (double)E) dot(c, i, x, row * n, w, ((int64_t)e * m + i % m) * n, 1, n);
    }
    return true;
}

/* out = x w^T + bias, of w and bias by number; bias 0: none. */
static bool biased(const ref_call *c, const ref_tensor *x, uint32_t w, uint32_t bias, ref_tensor *out)
{
    const ref_tensor *in[2] = { x, c->in[w] };
    const ref_call product = { c->n, in, 2, c->mode, c->extents, out };
    if (!matmul(&product, true)) return false;
    const int64_t N = out->dim[out->rank - 1];
    for (int64_t i = 0; i < out->n && bias; i++) {
        const double v = out->v[i] + c->in[bias]->v[i % N];
        ref_set(out, i, v, out->e[i] + c->in[bias]->e[i % N] + REF_U * fabs(v));
    }
    return true;
}

/* What the second product makes of the first. */
static void gate(ref_tensor *y, const ref_tensor *up)
{
    for (int64_t i = 0; i < y->n; i++) {
        const double a = y->v[i], b = up->v[i], e = fabs(a) * up->e[i] + fabs(b) * y->e[i] + y->e[i] * up->e[i];
        ref_set(y, i, a * b, e + REF_U * fabs(a * b));
    }
}

/* x, w, then by the attributes the second matrix, biases, the norm's weight; the rest are residuals. */
bool ref_op_linear(const ref_call *c)
{
    const weft_attr_linear *a = &c->n->attrs.linear;
    const bool two = a->has_bias && a->gated;
    uint32_t next = 2, up = a->gated ? next++ : 0, bias = a->has_bias ? next++ : 0, up_bias = two ? next++ : 0;
    ref_tensor normed = { 0 }, gated = { 0 };
    const ref_tensor *x = c->in[0];
    if (a->norm) {
        weft_node as = { .op = WEFT_OP_rms_norm, .attrs.norm = { .eps = a->eps, .one_plus = a->one_plus } };
        norm(&(ref_call){ &as, c->in, 1, c->mode, c->extents, NULL }, &normed, c->in[next++], NULL);
        x = &normed;
    }
    bool ok = biased(c, x, 1, bias, c->out) && (!up || biased(c, x, up, up_bias, &gated));
    for (int64_t i = 0; ok && i < c->out->n; i++) {
        double e = c->out->e[i], v = ref_act(a->act, c->out->v[i], &e);
        for (uint32_t k = next; k < c->n_in; k++) {
            v += c->in[k]->v[i];
            e += c->in[k]->e[i] + REF_U * (fabs(v) + fabs(c->in[k]->v[i]));
        }
        ref_set(c->out, i, v, e);
    }
    if (ok && up) gate(c->out, &gated);
    ref_free(&normed);
    ref_free(&gated);
    return ok;
}

/* ---- rotary embedding ---- */

/* The pair, as a real number, that turns so often within the original length. */
static double yarn_pair(const weft_attr_rope_table *a, double turns)
{
    return log((double)a->original / (turns * 2 * acos(-1.0))) / log((double)a->theta) * a->n_rot / 2;
}

/* Radians per position of pair i in a sequence of this length, before factors that are data divide it. */
static double rope_frequency(const weft_attr_rope_table *a, int64_t i, double length)
{
    double n = a->n_rot, base = (double)a->theta, f = (double)a->factor, L = (double)a->original;
    if (a->pairs && i >= a->pairs) return 0.0;
    if (a->kind == WEFT_ROPE_DYNAMIC && length > L) base *= pow(f * length / L - (f - 1), n / (n - 2));
    double w = 1.0 / pow(base, 2.0 * (double)i / n), wave = 2 * acos(-1.0) / w;
    if (a->kind == WEFT_ROPE_LINEAR) return w / f;
    if (a->kind == WEFT_ROPE_BANDS) {
        if (wave < L / (double)a->high) return w;
        if (wave > L / (double)a->low) return w / f;
        double smooth = (L / wave - (double)a->low) / ((double)a->high - (double)a->low);
        return (1 - smooth) * w / f + smooth * w;
    }
    if (a->kind == WEFT_ROPE_YARN) {
        double from = yarn_pair(a, a->high != 0 ? (double)a->high : 32.0);
        double to = yarn_pair(a, a->low != 0 ? (double)a->low : 1.0);
        from = fmax(a->untruncated ? from : floor(from), 0.0);
        to = fmin(a->untruncated ? to : ceil(to), n - 1);
        double kept = 1 - fmin(fmax(((double)i - from) / (from == to ? 0.001 : to - from), 0.0), 1.0);
        return w / f * (1 - kept) + w * kept;
    }
    return w;
}

static double rope_scale(const weft_attr_rope_table *a)
{
    double f = (double)a->factor;
    if (a->scale != 0) return (double)a->scale;
    if (a->kind == WEFT_ROPE_YARN && f > 1) return 0.1 * log(f) + 1;
    if (a->kind == WEFT_ROPE_LONGROPE && f > 1) return sqrt(1 + log(f) / log((double)a->original));
    return 1;
}

/* Of a dynamic kind with frequencies to 40 bits, of which pos takes as many as it has. */
bool ref_op_rope_table(const ref_call *c)
{
    const weft_attr_rope_table *a = &c->n->attrs.rope_table;
    bool by_length = a->kind == WEFT_ROPE_DYNAMIC || a->kind == WEFT_ROPE_LONGROPE;
    const ref_tensor *pos = c->in[0], *length = by_length ? c->in[1] : NULL;
    int64_t half = a->n_rot / 2, dim[] = { pos->n, half, 2 };
    double scale = rope_scale(a);
    ref_alloc(c->out, WEFT_F32, 3, dim);
    for (int64_t t = 0; t < pos->n; t++)
        for (int64_t i = 0; i < half; i++) {
            double l = length ? length->v[t] : 0.0, turn = pos->v[t] * rope_frequency(a, i, l);
            uint32_t at = a->kind == WEFT_ROPE_LONGROPE && l > (double)a->original ? 3 : by_length ? 2 : 1;
            const ref_tensor *factors = at < c->n_in ? c->in[at] : NULL;
            if (factors) turn /= factors->v[i];
            double e = 2 * REF_U + (factors ? fabs(turn / factors->v[i]) * factors->e[i] : 0.0);
            if (a->kind == WEFT_ROPE_DYNAMIC) e += fabs(turn) * ldexp(1.0, -40);
            if (scale != 1) e = scale * (e + REF_U);
            ref_set(c->out, (t * half + i) * 2, scale * cos(turn), e);
            ref_set(c->out, (t * half + i) * 2 + 1, scale * sin(turn), e);
        }
    return true;
}

/* Rotates x [T, .., D] by angles [T, half, 2]. */
static void rotate(const ref_tensor *x, const ref_tensor *angles, bool interleaved, ref_tensor *out)
{
    int64_t T = x->dim[0], D = x->dim[x->rank - 1], half = angles->dim[1], rows = x->n / T / D;
    ref_copy(out, x);
    out->dtype = WEFT_F32;
    for (int64_t r = 0; r < T * rows; r++)
        for (int64_t i = 0; i < half; i++) {
            int64_t angle = (r / rows * half + i) * 2;
            int64_t p = r * D + (interleaved ? 2 * i : i), q = interleaved ? p + 1 : p + half;
            double cosine = angles->v[angle], sine = angles->v[angle + 1];
            double e = angles->e[angle] + angles->e[angle + 1] + 3 * REF_U;
            double a = x->v[p], b = x->v[q], ea = x->e[p], eb = x->e[q];
            e *= fabs(a) + fabs(b);
            ref_set(out, p, a * cosine - b * sine, e + ea * fabs(cosine) + eb * fabs(sine));
            ref_set(out, q, b * cosine + a * sine, e + eb * fabs(cosine) + ea * fabs(sine));
        }
}

bool ref_op_rope(const ref_call *c)
{
    rotate(c->in[0], c->in[1], c->n->attrs.rope.interleaved != 0, c->out);
    return true;
}

/* state, rows [T, G, D] before rotation, angles, index: the rotated rows are stored along `axis` of
 * [G, C, D] or [C, G, D]. */
bool ref_op_rope_store(const ref_call *c)
{
    ref_tensor turned, rows;
    rotate(c->in[1], c->in[2], c->n->attrs.rope_store.interleaved != 0, &turned);
    int64_t T = turned.dim[0], G = turned.dim[1], D = turned.dim[2], dim[] = { G, T, D };
    if (c->n->attrs.rope_store.axis == 1) {
        ref_alloc(&rows, WEFT_F32, 3, dim);
        for (int64_t i = 0; i < rows.n; i++) {
            int64_t from = (i / D % T * G + i / D / T) * D + i % D;
            ref_set(&rows, i, turned.v[from], turned.e[from]);
        }
    } else {
        ref_copy(&rows, &turned);
    }
    weft_node n = *c->n;
    n.attrs = (weft_attrs){ .axis = { .axis = c->n->attrs.rope_store.axis } };
    const ref_tensor *in[] = { c->in[0], &rows, c->in[3] };
    bool ok = ref_op_store(&(ref_call){ &n, in, 3, c->mode, c->extents, c->out });
    ref_free(&turned);
    ref_free(&rows);
    return ok;
}

/* ---- attention ---- */

/* The inputs that attributes say the node has, in their order; NULL: it has none such. */
typedef struct attend_inputs {
    const ref_tensor *sequence, *pages, *sinks, *slopes, *bias;
} attend_inputs;

static attend_inputs inputs_of(const ref_call *c)
{
    const weft_attr_attention *a = &c->n->attrs.attention;
    attend_inputs in = { .sequence = NULL };
    uint32_t n = 5;
    if (a->page) {
        in.sequence = c->in[n++];
        in.pages = c->in[n++];
    }
    if (a->sinks) in.sinks = c->in[n++];
    if (a->slopes) in.slopes = c->in[n++];
    if (a->bias) in.bias = c->in[n++];
    return in;
}

/* The cell of a position of token t's sequence; -1: there is none. */
static int64_t cell_of(const ref_call *c, const attend_inputs *in, int64_t t, int64_t position)
{
    int64_t page = c->n->attrs.attention.page, C = c->in[1]->dim[1];
    if (!page) return position < C ? position : -1;
    double s = in->sequence->v[t];
    if (s < 0 || s >= (double)in->pages->dim[0] || position / page >= in->pages->dim[1]) return -1;
    double at = in->pages->v[(int64_t)s * in->pages->dim[1] + position / page];
    return at < 0 || at >= (double)(C / page) ? -1 : (int64_t)at * page + position % page;
}

static int64_t positions_of(const ref_call *c, const attend_inputs *in)
{
    return in->pages ? in->pages->dim[1] * c->n->attrs.attention.page : c->in[1]->dim[1];
}

typedef struct attend_room {
    int64_t *cell, *position;
    double *s, *e, *p;
} attend_room;

/* Lists the cells that token t sees. */
static int64_t cells_seen(const ref_call *c, const attend_inputs *in, int64_t t, const attend_room *r)
{
    int64_t n = 0, from = (int64_t)fmax(c->in[3]->v[t], 0.0);
    int64_t to = (int64_t)fmin(c->in[4]->v[t], (double)(positions_of(c, in) - 1));
    for (int64_t p = from; p <= to; p++) {
        r->cell[n] = cell_of(c, in, t, p);
        r->position[n] = p;
        n += r->cell[n] >= 0;
    }
    return n;
}

/* What is made of a score: capped, with a slope, with a bias. */
static void dress(const ref_call *c, const attend_inputs *in, int64_t t, int64_t h, int64_t position, double *s,
                  double *e)
{
    double cap = (double)c->n->attrs.attention.soft_cap;
    if (cap != 0) {
        *s = cap * tanh(*s / cap);
        *e += 16 * REF_U * cap;
    }
    if (in->slopes) {
        double added = in->slopes->v[h] * ((double)position - c->in[4]->v[t]);
        *s += added;
        *e += in->slopes->e[h] * fabs((double)position - c->in[4]->v[t]) + REF_U * (fabs(added) + fabs(*s));
    }
    if (in->bias) {
        const ref_tensor *b = in->bias;
        int64_t at = ((b->dim[0] == 1 ? 0 : h) * b->dim[1] + t) * b->dim[2] + position;
        *s += b->v[at];
        *e += b->e[at] + REF_U * fabs(*s);
    }
}

/* Query t of head h against n cells, and the sink as one that has no value. */
static void attend(const ref_call *c, const attend_inputs *in, int64_t t, int64_t h, int64_t n, const attend_room *r)
{
    const ref_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2];
    int64_t H = q->dim[1], D = q->dim[2], E = v->dim[2], C = k->dim[1], group = h / (H / k->dim[0]);
    double scale = (double)c->n->attrs.attention.scale;
    for (int64_t i = 0; i < n; i++) {
        int64_t cell = (group * C + r->cell[i]) * D, row = (t * H + h) * D;
        double sum = 0.0, magnitude = 0.0, error = 0.0;
        for (int64_t d = 0; d < D; d++) {
            double a = q->v[row + d], b = k->v[cell + d];
            sum += a * b;
            magnitude += fabs(a * b);
            error += fabs(a) * k->e[cell + d] + fabs(b) * q->e[row + d];
        }
        r->s[i] = scale * sum;
        r->e[i] = fabs(scale) * (error + ref_gamma(D) * magnitude) + REF_U * fabs(r->s[i]);
        dress(c, in, t, h, r->position[i], &r->s[i], &r->e[i]);
    }
    if (in->sinks) {
        r->s[n] = in->sinks->v[h];
        r->e[n] = in->sinks->e[h];
    }
    softmax(r->s, r->e, n + (in->sinks != NULL), r->p);
    for (int64_t d = 0; d < E; d++) {
        double sum = 0.0, error = 0.0, magnitude = 0.0;
        for (int64_t i = 0; i < n; i++) {
            int64_t at = (group * C + r->cell[i]) * E + d;
            sum += r->p[i] * v->v[at];
            magnitude += r->p[i] * fabs(v->v[at]);
            error += r->e[i] * fabs(v->v[at]) + r->p[i] * v->e[at];
        }
        ref_set(c->out, (t * H + h) * E + d, sum, error + ref_gamma(n) * magnitude);
    }
}

bool ref_op_attention(const ref_call *c)
{
    const ref_tensor *q = c->in[0];
    attend_inputs in = inputs_of(c);
    int64_t T = q->dim[0], H = q->dim[1], most = positions_of(c, &in) + 1;
    int64_t *cells = calloc((size_t)(2 * most), sizeof *cells);
    double *room = calloc((size_t)(3 * most), sizeof *room);
    bool ok = cells && room;
    if (ok) {
        attend_room r = { cells, cells + most, room, room + most, room + 2 * most };
        ref_alloc(c->out, WEFT_F32, 3, (int64_t[]){ T, H, c->in[2]->dim[2] });
        for (int64_t t = 0; t < T; t++) {
            int64_t n = cells_seen(c, &in, t, &r);
            for (int64_t h = 0; h < H && n; h++) attend(c, &in, t, h, n, &r);
        }
    }
    free(room);
    free(cells);
    return ok || ref_complain(c, "memory is short");
}
