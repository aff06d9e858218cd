/* test_kernels.c: kernels called directly, on tensors that no graph of tests/ops makes: any
 * strides, sizes below their bounds with gaps between, repeated axes, odd sizes, and work cut
 * among 1, 3 and 16 threads. The oracle of tests/ops says what is right and how exactly; bytes
 * that do not belong to a result, and those behind the scratch, must stay. */
#include <math.h>
#include <stdlib.h>

#include "backends/cpu/cpu.h"
#include "tests/ops/ref_ops.h"
#include "tests/test.h"

enum { MAX_ARGS = 7, GUARD = 64, POISON = 0xa5 };

/* One operand. Unset bounds are the dims. order: axes from the outermost in memory ("102");
 * NULL: as they are. fixed: axes with stride 0. Floats are in -2..2, plus `offset`; i32 are in
 * lo..hi, or count up from lo where rising. special: some NaN and infinities. */
typedef struct arg {
    weft_dtype t;
    uint32_t rank;
    int64_t dim[4], bound[4];
    const char *order;
    uint32_t fixed;
    int lo, hi;
    double offset;
    bool special, rising;
} arg;

typedef struct row {
    const char *name;
    weft_op op;
    arg in[MAX_ARGS];
    weft_attrs attrs;
    int64_t slack; /* bounds of the results above their sizes, on every axis */
} row;

typedef struct operand {
    cpu_tensor t;
    unsigned char *storage, *before;
    size_t bytes;
} operand;

static uint64_t seed;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53;
}

static void *take(size_t n)
{
    void *p = aligned_alloc(64, (n + 127) / 64 * 64);
    if (!p) exit(3);
    memset(p, POISON, (n + 127) / 64 * 64);
    return p;
}

static int64_t element(const cpu_tensor *t, int64_t i)
{
    int64_t at = 0;
    for (uint32_t a = t->rank; a-- > 0; i /= t->dim[a]) at += i % t->dim[a] * t->stride[a];
    return at;
}

static int64_t size_of(weft_dtype t)
{
    return t == WEFT_F16 || t == WEFT_BF16 ? 2 : 4;
}

static int64_t bound_of(const arg *a, uint32_t axis)
{
    return a->bound[axis] ? a->bound[axis] : a->dim[axis];
}

/* Strides and storage for the bounds; the tensor starts GUARD bytes in. */
static void lay_out(const arg *a, operand *o)
{
    int64_t stride = 1;
    o->t = (cpu_tensor){ .dtype = a->t, .rank = a->rank };
    for (uint32_t i = a->rank; i-- > 0;) {
        uint32_t axis = a->order ? (uint32_t)(a->order[i] - '0') : i;
        o->t.dim[axis] = a->dim[axis];
        o->t.stride[axis] = a->fixed >> axis & 1 ? 0 : stride;
        if (o->t.stride[axis]) stride *= bound_of(a, axis);
    }
    o->bytes = (size_t)(stride * size_of(a->t)) + 2 * GUARD;
    if (weft_dtype_get(a->t)->block > 1) o->bytes = (size_t)(stride * 2) + 2 * GUARD;
    o->storage = take(o->bytes);
    o->before = take(o->bytes);
    o->t.data = o->storage + GUARD;
}

static double value_of(const arg *a, int64_t i)
{
    if (a->rising) return (double)(a->lo + i);
    if (a->t == WEFT_I32) return a->lo + floor(uniform() * (a->hi - a->lo + 1));
    double u = uniform();
    if (a->special && u < 0.06) return u < 0.02 ? NAN : u < 0.04 ? INFINITY : -INFINITY;
    return uniform() * 4 - 2 + a->offset;
}

/* Random contents; what the kernel will read is what the oracle gets. */
static void fill(const arg *a, operand *o, ref_tensor *ref)
{
    lay_out(a, o);
    ref_alloc(ref, a->t, a->rank, a->dim);
    for (int64_t i = 0; i < ref->n; i++) ref->v[i] = value_of(a, i);
    if (weft_dtype_get(a->t)->block > 1) {
        ref_encode(a->t, ref->v, ref->n, o->t.data);
        ref_decode(a->t, o->t.data, ref->n, ref->v);
        return;
    }
    for (int64_t i = 0; i < ref->n; i++) {
        unsigned char *at = (unsigned char *)o->t.data + element(&o->t, i) * size_of(a->t);
        ref_encode(a->t, &ref->v[i], 1, at);
    }
    for (int64_t i = 0; i < ref->n; i++) { /* again: a repeated element has one value */
        unsigned char *at = (unsigned char *)o->t.data + element(&o->t, i) * size_of(a->t);
        ref_decode(a->t, at, 1, &ref->v[i]);
    }
}

static void release(operand *o)
{
    free(o->storage);
    free(o->before);
}

static bool run_threads(const cpu_kernel *k, const cpu_call *at_bounds, const cpu_call *call)
{
    uint64_t bytes = k->scratch ? k->scratch(at_bounds) : 0;
    unsigned char *scratch = take(bytes + GUARD);
    uint32_t phases = k->phases ? k->phases(call) : 1;
    for (uint32_t phase = 0; phase < phases; phase++) {
        atomic_uint next = 0;
        for (uint32_t t = 0; t < call->n_threads; t++) {
            cpu_call mine = *call;
            mine.thread = (t + 1) % call->n_threads; /* not the order of their numbers */
            mine.phase = phase;
            mine.scratch = scratch;
            mine.next = &next;
            k->run(&mine);
        }
    }
    bool whole = true;
    for (int i = 0; i < GUARD; i++) whole = whole && scratch[bytes + (uint64_t)i] == POISON;
    free(scratch);
    return whole;
}

/* The result's elements against the oracle's; every other byte as it was. */
static bool compare(const char *what, operand *o, const ref_tensor *want)
{
    for (int64_t i = 0; i < want->n; i++) {
        int64_t offset = element(&o->t, i) * size_of(o->t.dtype);
        unsigned char *at = (unsigned char *)o->t.data + offset;
        double got;
        ref_decode(o->t.dtype, at, 1, &got);
        double excess = ref_excess(want, i, got);
        if (!want->unsure && excess > 1.0) {
            printf("%s: element %" PRId64 " is %.9g, not %.9g (%.3g times the tolerance)\n", what,
                   i, got, want->v[i], excess);
            return false;
        }
        memcpy(o->before + GUARD + offset, at, (size_t)size_of(o->t.dtype));
    }
    if (!memcmp(o->storage, o->before, o->bytes)) return true;
    printf("%s: bytes outside the result were written\n", what);
    return false;
}

/* Tensors as accepts() and scratch() see them: bounds, dense. */
static void at_bounds(cpu_tensor *t, const int64_t *bound)
{
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= bound[i]) {
        t->dim[i] = bound[i];
        t->stride[i] = stride;
    }
    t->data = NULL;
}

static uint32_t count_args(const row *r)
{
    uint32_t n = 0;
    while (n < MAX_ARGS && r->in[n].t != WEFT_ANY) n++;
    return n;
}

static bool writes_state(weft_op op)
{
    return (weft_op_get(op)->traits & WEFT_TRAIT_STATE) != 0;
}

static void run_case(const row *r, cpu_isa isa, uint32_t threads, bool in_place)
{
    operand in[MAX_ARGS], out[WEFT_MAX_OUTPUTS];
    ref_tensor ref_in[MAX_ARGS], want[WEFT_MAX_OUTPUTS];
    const ref_tensor *ref[MAX_ARGS];
    cpu_tensor tin[MAX_ARGS], tout[WEFT_MAX_OUTPUTS], bin[MAX_ARGS], bout[WEFT_MAX_OUTPUTS];
    uint32_t n_in = count_args(r), n_out = weft_op_get(r->op)->n_out;
    char what[160];
    seed = 42;
    snprintf(what, sizeof what, "%s, %s, %u threads%s", r->name, cpu_isa_name(isa), threads,
             in_place ? ", in place" : "");
    for (uint32_t i = 0; i < n_in; i++) {
        int64_t bound[4] = { 0 };
        fill(&r->in[i], &in[i], &ref_in[i]);
        for (uint32_t j = 0; j < r->in[i].rank; j++) bound[j] = bound_of(&r->in[i], j);
        ref[i] = &ref_in[i];
        tin[i] = bin[i] = in[i].t;
        at_bounds(&bin[i], bound);
    }
    weft_node node = { .op = r->op, .n_in = n_in, .n_out = n_out, .attrs = r->attrs };
    if (!CHECK(ref_node(&node, ref, (ref_mode){ .exact = true }, NULL, want))) return;
    for (uint32_t i = 0; i < n_out; i++) {
        arg a = { .t = want[i].dtype, .rank = want[i].rank };
        for (uint32_t j = 0; j < a.rank; j++) {
            a.dim[j] = want[i].dim[j];
            a.bound[j] = a.dim[j] + r->slack;
        }
        if (i == 0 && (in_place || writes_state(r->op))) {
            out[i] = in[0];
            tout[i] = bout[i] = in[0].t;
            at_bounds(&bout[i], r->in[0].dim);
        } else {
            lay_out(&a, &out[i]);
            tout[i] = bout[i] = out[i].t;
            at_bounds(&bout[i], a.bound);
        }
        memcpy(out[i].before, out[i].storage, out[i].bytes);
    }
    cpu_call call = { .in = bin,
                      .out = bout,
                      .n_in = n_in,
                      .n_out = n_out,
                      .op = r->op,
                      .attrs = &r->attrs,
                      .isa = isa,
                      .exact = true,
                      .n_threads = threads };
    cpu_call now = call;
    now.in = tin;
    now.out = tout;
    weft_place_reason why;
    cpu_isa row_isa;
    const cpu_kernel *k = cpu_kernel_find(&call, &why, &row_isa);
    if (CHECK(k != NULL) && (!in_place || k->inplace)) {
        if (!CHECK(run_threads(k, &call, &now))) printf("%s: scratch overrun\n", what);
        for (uint32_t i = 0; i < n_out; i++) CHECK(compare(what, &out[i], &want[i]));
    }
    if (!k) printf("%s: no kernel\n", what);
    for (uint32_t i = 0; i < n_in; i++) ref_free(&ref_in[i]), release(&in[i]);
    for (uint32_t i = 0; i < n_out; i++) {
        if (out[i].storage != in[0].storage) release(&out[i]);
        ref_free(&want[i]);
    }
}

/* In place needs a first operand that lies as the result does. */
static bool may_be_in_place(const row *r)
{
    const arg *a = &r->in[0];
    if (a->t != WEFT_F32 || a->order || a->fixed || r->slack ||
        !(weft_op_get(r->op)->traits & WEFT_TRAIT_INPLACE_0))
        return false;
    for (uint32_t i = 0; i < a->rank; i++) {
        if (a->bound[i]) return false;
        bool map = (weft_op_get(r->op)->traits & WEFT_TRAIT_MAP) != 0;
        if (map && r->in[1].t && r->in[1].rank == a->rank && r->in[1].dim[i] > a->dim[i]) return false;
    }
    return true;
}

static void run_rows(const row *rows, size_t n)
{
    static const uint32_t threads[] = { 1, 3, 16 };
    for (size_t i = 0; i < n; i++)
        for (cpu_isa isa = 0; isa < CPU_ISA_COUNT; isa++)
            for (size_t t = 0; cpu_isa_runs(isa) && t < sizeof threads / sizeof *threads; t++) {
                run_case(&rows[i], isa, threads[t], false);
                if (may_be_in_place(&rows[i])) run_case(&rows[i], isa, threads[t], true);
            }
}
#define RUN(rows) run_rows(rows, sizeof(rows) / sizeof *(rows))

#include "kernel_cases.h"

TEST_MAIN(tests)
