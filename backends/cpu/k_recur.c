/* k_recur.c: recurrences along the tokens of sequences: conv1d and linear_scan. Threads share the channels; each walks
 * the tokens of a sequence in their order, with what the sequence carries on in floats, and stores that at the end. */
#include "walk.h"

enum { STATE = 0, X = 1, W = 2, A = 1, B = 2, SEQUENCE = 3, RESET = 4, BIAS = 5, NEXT = 0, Y = 1, LEAST = 64 };

/* Lists of the tokens of each sequence, in their order: indices from 1, 0 ends a list. */
typedef struct lists {
    uint32_t *first, *next; /* by sequence; by token */
    int64_t n_sequences, n_tokens;
} lists;

static uint64_t lists_bytes(const cpu_call *c)
{
    return ((uint64_t)(c->in[STATE].dim[0] + c->in[X].dim[0]) * sizeof(uint32_t) + 63) / 64 * 64;
}

static int32_t int_at(const cpu_tensor *t, int64_t i)
{
    return ((const int32_t *)t->data)[i * t->stride[0]];
}

/* The sequence of a token; -1: it is padding. */
static int64_t sequence_of(const cpu_call *c, int64_t token)
{
    int64_t s = int_at(&c->in[SEQUENCE], token);
    return s >= 0 && s < c->in[STATE].dim[0] ? s : -1;
}

static lists make_lists(const cpu_call *c, void *room)
{
    lists l = { room, NULL, c->in[STATE].dim[0], c->in[X].dim[0] };
    l.next = l.first + l.n_sequences;
    memset(l.first, 0, (size_t)l.n_sequences * sizeof *l.first);
    for (int64_t t = l.n_tokens; t-- > 0;) {
        int64_t s = sequence_of(c, t);
        l.next[t] = s < 0 ? 0 : l.first[s];
        if (s >= 0) l.first[s] = (uint32_t)t + 1;
    }
    return l;
}

/* Channels [at, at + n) of the row of the tensor at these places. */
static void *place(const cpu_tensor *t, int64_t i, int64_t k, int64_t at)
{
    int64_t last = t->rank - 1, element = i * t->stride[0] + at * t->stride[last];
    if (t->rank == 3) element += k * t->stride[1];
    return (char *)t->data + element * cpu_size(t->dtype);
}

static const float *get(const cpu_call *c, const cpu_tensor *t, int64_t i, int64_t k, int64_t at, int64_t n, float *buf)
{
    return cpu_row_load(cpu_vec(c->isa), place(t, i, k, at), t->dtype, t->stride[t->rank - 1], n, buf);
}

static void get_into(const cpu_call *c, const cpu_tensor *t, int64_t i, int64_t k, int64_t at, int64_t n, float *to)
{
    const float *from = get(c, t, i, k, at, n, to);
    if (from != to) memcpy(to, from, (size_t)n * sizeof *to);
}

static void keep(const cpu_call *c, int64_t s, int64_t k, int64_t at, int64_t n, const float *from)
{
    const cpu_tensor *t = &c->out[NEXT];
    cpu_row_keep(cpu_vec(c->isa), place(t, s, k, at), t->dtype, t->stride[t->rank - 1], from, n);
}

static void clear_padding(const cpu_call *c, int64_t at, int64_t n)
{
    for (int64_t t = 0; t < c->in[X].dim[0]; t++)
        if (sequence_of(c, t) < 0) memset(place(&c->out[Y], t, 0, at), 0, (size_t)n * sizeof(float));
}

/* This thread's channels, block after block. */
typedef void block_fn(const cpu_call *c, const lists *l, float *room, int64_t at, int64_t n);

static void run_blocks(const cpu_call *c, uint64_t room_bytes, block_fn *block)
{
    unsigned char *mine = c->scratch + c->thread * (lists_bytes(c) + room_bytes);
    int64_t begin, end;
    cpu_share(c, c->in[X].dim[1], LEAST, &begin, &end);
    if (begin == end) return;
    lists l = make_lists(c, mine);
    for (int64_t at = begin; at < end; at += CPU_BLOCK) {
        int64_t n = end - at < CPU_BLOCK ? end - at : CPU_BLOCK;
        clear_padding(c, at, n);
        block(c, &l, (float *)(void *)(mine + lists_bytes(c)), at, n);
    }
}

/* ---- linear_scan ---- */

static void scan_sequence(const cpu_call *c, const lists *l, int64_t s, int64_t at, int64_t n)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    float h[CPU_BLOCK], buf[CPU_BLOCK];
    get_into(c, &c->out[NEXT], s, 0, at, n, h);
    for (uint32_t i = l->first[s]; i; i = l->next[i - 1]) {
        int64_t t = i - 1;
        if (int_at(&c->in[RESET], t)) memset(h, 0, (size_t)n * sizeof *h);
        cpu_zip(v, WEFT_OP_mul, h, h, get(c, &c->in[A], t, 0, at, n, buf), n);
        cpu_zip(v, WEFT_OP_add, h, h, get(c, &c->in[B], t, 0, at, n, buf), n);
        memcpy(place(&c->out[Y], t, 0, at), h, (size_t)n * sizeof *h);
    }
    keep(c, s, 0, at, n, h);
}

static void scan_block(const cpu_call *c, const lists *l, float *room, int64_t at, int64_t n)
{
    (void)room;
    for (int64_t s = 0; s < l->n_sequences; s++)
        if (l->first[s]) scan_sequence(c, l, s, at, n);
}

static uint64_t scan_scratch(const cpu_call *c)
{
    return c->n_threads * lists_bytes(c);
}

static void run_scan(const cpu_call *c)
{
    run_blocks(c, 0, scan_block);
}

/* ---- conv1d: K rows of the weight, one per place in the window, then the K - 1 rows of the tail as a ring ---- */

static uint64_t window_bytes(const cpu_call *c)
{
    return (2 * (uint64_t)c->in[W].dim[1] - 1) * CPU_BLOCK * sizeof(float);
}

static uint64_t conv_scratch(const cpu_call *c)
{
    return c->n_threads * (lists_bytes(c) + window_bytes(c));
}

/* y = bias + the window's sum; the ring's oldest row is number `head`. */
static void convolve(const cpu_call *c, const float *weight, const float *ring, int64_t head, const float *x,
                     int64_t at, int64_t n, float *y)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    int64_t tail = c->in[W].dim[1] - 1;
    float product[CPU_BLOCK];
    if (c->n_in > BIAS && c->in[BIAS].data) get_into(c, &c->in[BIAS], 0, 0, at, n, y);
    else memset(y, 0, (size_t)n * sizeof *y);
    for (int64_t k = 0; k <= tail; k++) {
        const float *row = k < tail ? ring + (head + k) % tail * CPU_BLOCK : x;
        cpu_zip(v, WEFT_OP_mul, product, row, weight + k * CPU_BLOCK, n);
        cpu_zip(v, WEFT_OP_add, y, y, product, n);
    }
}

static void conv_sequence(const cpu_call *c, const lists *l, int64_t s, const float *weight, float *ring, int64_t at,
                          int64_t n)
{
    int64_t tail = c->in[W].dim[1] - 1, head = 0;
    for (int64_t k = 0; k < tail; k++) get_into(c, &c->out[NEXT], s, k, at, n, ring + k * CPU_BLOCK);
    for (uint32_t i = l->first[s]; i; i = l->next[i - 1]) {
        int64_t t = i - 1;
        float x[CPU_BLOCK];
        if (int_at(&c->in[RESET], t)) memset(ring, 0, (size_t)tail * CPU_BLOCK * sizeof *ring);
        get_into(c, &c->in[X], t, 0, at, n, x);
        convolve(c, weight, ring, head, x, at, n, place(&c->out[Y], t, 0, at));
        memcpy(ring + head * CPU_BLOCK, x, (size_t)n * sizeof *x);
        head = (head + 1) % tail;
    }
    for (int64_t k = 0; k < tail; k++) keep(c, s, k, at, n, ring + (head + k) % tail * CPU_BLOCK);
}

static void conv_block(const cpu_call *c, const lists *l, float *weight, int64_t at, int64_t n)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *w = &c->in[W];
    int64_t length = w->dim[1];
    for (int64_t k = 0; k < length; k++) {
        const char *column = (const char *)w->data + (at * w->stride[0] + k * w->stride[1]) * cpu_size(w->dtype);
        float *to = weight + k * CPU_BLOCK;
        const float *from = cpu_row_load(v, column, w->dtype, w->stride[0], n, to);
        if (from != to) memcpy(to, from, (size_t)n * sizeof *to);
    }
    for (int64_t s = 0; s < l->n_sequences; s++)
        if (l->first[s]) conv_sequence(c, l, s, weight, weight + length * CPU_BLOCK, at, n);
}

static void run_conv(const cpu_call *c)
{
    run_blocks(c, window_bytes(c), conv_block);
}

/* ---- rows ---- */

static bool accepts(const cpu_call *c)
{
    bool ok = cpu_is_float(c->out[NEXT].dtype) && c->out[Y].dtype == WEFT_F32;
    for (uint32_t i = 0; i < c->n_in; i++) {
        const cpu_tensor *t = &c->in[i];
        bool absent = i >= BIAS && t->dtype == WEFT_ANY, index = i == SEQUENCE || i == RESET;
        ok = ok && t->layout == CPU_LAYOUT_PLAIN && (absent || (index ? t->dtype == WEFT_I32 : cpu_is_float(t->dtype)));
    }
    return ok;
}

const cpu_kernel cpu_linear_scan = { .name = "linear_scan", .run = run_scan, .accepts = accepts,
                                     .scratch = scan_scratch, .need = WEFT_NEED_ANY };
const cpu_kernel cpu_conv1d = { .name = "conv1d", .run = run_conv, .accepts = accepts, .scratch = conv_scratch,
                                .need = WEFT_NEED_ANY };
