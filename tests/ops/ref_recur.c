/* ref_recur.c: the oracle's recurrences, token after token. */
#include "ref_impl.h"

/* The sequence of a token, or -1. */
static int64_t sequence_of(const ref_call *c, int64_t t)
{
    double s = c->in[3]->v[t];
    return s >= 0.0 && s < (double)c->in[0]->dim[0] ? (int64_t)s : -1;
}

/* What a state of the result's type keeps. */
static void keep(ref_tensor *state, int64_t i, double v, double e)
{
    ref_set(state, i, v, e);
    if (state->dtype == WEFT_F16 && isinf(state->v[i]) && !isinf(v)) state->v[i] = NAN;
}

/* The results: the state, of which `exact` is a copy that does not round, and y. */
static void results(const ref_call *c, ref_tensor *exact)
{
    ref_copy(&c->out[0], c->in[0]);
    ref_copy(exact, c->in[0]);
    exact->dtype = WEFT_F32;
    ref_alloc(&c->out[1], WEFT_F32, c->in[1]->rank, c->in[1]->dim);
}

/* The rows of the sequences that have a token. */
static void store_rows(const ref_call *c, ref_tensor *exact)
{
    int64_t row = exact->n / exact->dim[0];
    for (int64_t t = 0; t < c->in[1]->dim[0]; t++) {
        int64_t s = sequence_of(c, t);
        for (int64_t i = s * row; s >= 0 && i < (s + 1) * row; i++) keep(&c->out[0], i, exact->v[i], exact->e[i]);
    }
    ref_free(exact);
}

static void reset_row(const ref_call *c, int64_t t, ref_tensor *exact, int64_t s)
{
    int64_t row = exact->n / exact->dim[0];
    for (int64_t i = s * row; c->in[4]->v[t] != 0.0 && i < (s + 1) * row; i++) exact->v[i] = exact->e[i] = 0.0;
}

bool ref_op_linear_scan(const ref_call *c)
{
    const ref_tensor *a = c->in[1], *b = c->in[2];
    int64_t E = a->dim[1];
    ref_tensor h;
    results(c, &h);
    for (int64_t t = 0; t < a->dim[0]; t++) {
        int64_t s = sequence_of(c, t);
        if (s < 0) continue;
        reset_row(c, t, &h, s);
        for (int64_t i = 0; i < E; i++) {
            int64_t at = s * E + i, k = t * E + i;
            double product = a->v[k] * h.v[at], v = product + b->v[k];
            double e = fabs(a->v[k]) * h.e[at] + fabs(h.v[at]) * a->e[k] + a->e[k] * h.e[at] + b->e[k];
            ref_set(&h, at, v, e + REF_U * (fabs(product) + fabs(v)));
            ref_set(&c->out[1], k, h.v[at], h.e[at]);
        }
    }
    store_rows(c, &h);
    return true;
}

/* One element of y; the tail's rows are E apart. */
static void convolve(const ref_call *c, const ref_tensor *tail, int64_t s, int64_t t, int64_t i)
{
    const ref_tensor *x = c->in[1], *w = c->in[2], *bias = c->n_in > 5 ? c->in[5] : NULL;
    int64_t E = x->dim[1], K = w->dim[1];
    double sum = bias ? bias->v[i] : 0.0, magnitude = fabs(sum), e = bias ? bias->e[i] : 0.0;
    for (int64_t k = 0; k < K; k++) {
        int64_t at = (s * (K - 1) + k) * E + i, now = t * E + i, weight = i * K + k;
        double v = k < K - 1 ? tail->v[at] : x->v[now], ev = k < K - 1 ? tail->e[at] : x->e[now];
        sum += v * w->v[weight];
        magnitude += fabs(v * w->v[weight]);
        e += fabs(v) * w->e[weight] + fabs(w->v[weight]) * ev;
    }
    ref_set(&c->out[1], t * E + i, sum, e + ref_gamma(K + 1) * magnitude);
}

bool ref_op_conv1d(const ref_call *c)
{
    const ref_tensor *x = c->in[1];
    int64_t E = x->dim[1], K = c->in[2]->dim[1];
    ref_tensor tail;
    results(c, &tail);
    for (int64_t t = 0; t < x->dim[0]; t++) {
        int64_t s = sequence_of(c, t);
        if (s < 0) continue;
        reset_row(c, t, &tail, s);
        for (int64_t i = 0; i < E; i++) {
            convolve(c, &tail, s, t, i);
            for (int64_t k = 0; k < K - 1; k++) {
                int64_t at = (s * (K - 1) + k) * E + i, from = k < K - 2 ? at + E : t * E + i;
                const ref_tensor *source = k < K - 2 ? &tail : x;
                ref_set(&tail, at, source->v[from], source->e[from]);
            }
        }
    }
    store_rows(c, &tail);
    return true;
}
