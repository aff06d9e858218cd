/* subject.c: the data of a subject, its oracle, and the comparison of outputs. */
#include "subject_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t subject_hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state) /* [0, 1) */
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

/* ---- data ---- */

static void plant(const subject_data *d, uint64_t *rng)
{
    static const double edge[] = { 0.0, -0.0, 1e-30, 37.5, -21.25 };
    static const double special[] = { INFINITY, -INFINITY, NAN };
    static const double large[] = { 1e30, -3e29, 1e20, -1e25 };
    static const double large_half[] = { 6e4, -5e4, 3e4, -1e4 };
    for (size_t i = 0; i < sizeof edge / sizeof *edge && d->n > 8; i++)
        d->v[next_random(rng) % (uint64_t)d->n] = edge[i];
    if (d->n > 8) { /* neighbours that are equal */
        int64_t at = (int64_t)(next_random(rng) % (uint64_t)(d->n - 1));
        d->v[at + 1] = d->v[at];
    }
    for (size_t i = 0; i < 3 && d->fill == FILL_SPECIAL; i++)
        d->v[next_random(rng) % (uint64_t)d->n] = special[i];
    for (size_t i = 0; i < 4 && d->fill == FILL_LARGE; i++)
        d->v[next_random(rng) % (uint64_t)d->n] = d->dtype == WEFT_F16 ? large_half[i] : large[i];
    int64_t row = d->rank ? d->dim[d->rank - 1] : 1, from = d->n > row ? row : 0;
    if (d->fill == FILL_LONE) d->v[from + (int64_t)(next_random(rng) % (uint64_t)row)] = NAN;
    for (int64_t i = 0; i < 9 * d->n / 20 && d->fill == FILL_DARK; i++) d->v[i] = -INFINITY;
}

static void fill_unique(const subject_data *d, uint64_t *rng)
{
    for (int64_t i = 0; i < d->n; i++) {
        bool again;
        do {
            d->v[i] = (double)(next_random(rng) % (uint64_t)d->hi);
            again = false;
            for (int64_t j = 0; j < i; j++) again |= d->v[j] == d->v[i];
        } while (again);
    }
    if (d->n > 3) d->v[1] = -1.0;
    if (d->n > 4) d->v[2] = (double)d->hi + 3.0;
}

static void fill(const subject *s, const subject_data *d, uint32_t run)
{
    uint64_t rng = s->seed ^ subject_hash(d->name) ^ run * 0x9e3779b97f4a7c15u;
    if (d->kind == WEFT_OP_state) return;
    if (d->fill == FILL_UNIQUE) {
        fill_unique(d, &rng);
        return;
    }
    for (int64_t i = 0; i < d->n; i++) {
        if (d->fill == FILL_INDEX)
            d->v[i] = d->lo + (double)(next_random(&rng) % (uint64_t)((int64_t)d->hi - d->lo + 1));
        else
            d->v[i] = 4.0 * uniform(&rng) - 2.0 + (d->fill == FILL_OFFSET ? 1000.0 : 0.0);
    }
    if (d->fill != FILL_INDEX) plant(d, &rng);
    bool few = d->fill == FILL_INDEX && (int64_t)d->hi - d->lo < 4; /* flags can be alike by chance */
    bool constant = d->n > 1;
    for (int64_t i = 1; i < d->n; i++) constant &= d->v[i] == d->v[0];
    if (constant && !(d->fill == FILL_INDEX && d->lo == d->hi) && d->n > (few ? 32 : 8)) {
        printf("%s: the data of '%s' is constant\n", s->label, d->name);
        exit(3);
    }
}

static uint64_t bytes_of(weft_dtype t, int64_t n)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    return (uint64_t)(n / info->block) * info->bytes;
}

/* Through the source's type, then the graph's: what a loader that converts must come to. */
static void settle(subject_data *d)
{
    ref_encode(d->stored, d->v, d->n, d->bytes);
    ref_decode(d->stored, d->bytes, d->n, d->v);
    if (d->stored == d->dtype) return;
    void *other = malloc(bytes_of(d->dtype, d->n));
    if (!other) exit(3);
    ref_encode(d->dtype, d->v, d->n, other);
    ref_decode(d->dtype, other, d->n, d->v);
    free(other);
}

void subject_begin(subject *s, const char *label, uint64_t seed)
{
    weft_error err;
    memset(s, 0, sizeof *s);
    snprintf(s->label, sizeof s->label, "%s", label);
    s->seed = seed;
    if (weft_graph_create(NULL, &s->g, &err) != WEFT_OK) {
        printf("%s: %s\n", label, err.text);
        exit(3);
    }
}

void subject_source(subject *s, weft_op kind, const char *name, weft_dtype dtype, weft_dtype stored,
                    const weft_dims *dims, subject_fill fill_kind, int32_t lo, int32_t hi)
{
    for (uint32_t i = 0; i < s->n_data; i++)
        if (!strcmp(s->data[i].name, name)) return;
    if (s->n_data == SUBJECT_MAX_DATA) {
        printf("%s: too many sources\n", s->label);
        exit(3);
    }
    subject_data *d = &s->data[s->n_data++];
    *d = (subject_data){
        .kind = kind, .dtype = dtype, .stored = stored, .fill = fill_kind, .lo = lo, .hi = hi
    };
    snprintf(d->name, sizeof d->name, "%s", name);
    d->rank = dims->rank;
    d->n = 1;
    for (uint32_t i = 0; i < d->rank; i++) {
        uint32_t bound = 1;
        if (dims->d[i].extent) weft_graph_extent(s->g, dims->d[i].extent, &bound);
        d->n *= d->dim[i] = dims->d[i].n * bound;
    }
    d->n_bytes = bytes_of(stored, d->n);
    d->v = calloc((size_t)d->n, sizeof *d->v);
    d->e = calloc((size_t)d->n, sizeof *d->e);
    d->bytes = calloc(1, d->n_bytes);
    if (!d->v || !d->e || !d->bytes) exit(3);
    fill(s, d, 0);
    if (kind != WEFT_OP_state) settle(d);
}

void subject_end(subject *s)
{
    for (uint32_t i = 0; i < s->n_data; i++) {
        free(s->data[i].v);
        free(s->data[i].e);
        free(s->data[i].bytes);
    }
    for (uint32_t r = 0; r < s->n_runs; r++) {
        for (uint32_t i = 0; s->expected[r] && i < s->n_outputs; i++) ref_free(&s->expected[r][i]);
        free(s->expected[r]);
    }
    weft_graph_destroy(s->g);
}

subject_data *subject_find(subject *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_data; i++)
        if (!strcmp(s->data[i].name, name)) return &s->data[i];
    printf("%s: no data for '%s'\n", s->label, name);
    return NULL;
}

static void new_inputs(subject *s, uint32_t run)
{
    for (uint32_t i = 0; i < s->n_data; i++) {
        if (s->data[i].kind != WEFT_OP_input) continue;
        fill(s, &s->data[i], run);
        settle(&s->data[i]);
    }
}

/* ---- boxes: the actual sizes inside the bounds ---- */

/* Element i of a dense tensor of `actual` dims, counted in one of `bound` dims. */
int64_t subject_in_box(uint32_t rank, const int64_t *bound, const int64_t *actual, int64_t i)
{
    int64_t at = 0, step = 1;
    for (uint32_t k = rank; k-- > 0;) {
        at += i % actual[k] * step;
        i /= actual[k];
        step *= bound[k];
    }
    return at;
}

void subject_extents(const subject *s, const weft_graph *g, uint32_t r, int64_t *out)
{
    for (uint32_t e = 1; e <= weft_graph_extent_count(g); e++) {
        uint32_t bound, own = 0;
        const char *name = weft_graph_extent(g, e, &bound);
        for (uint32_t k = 1; k <= weft_graph_extent_count(s->g); k++)
            if (!strcmp(weft_graph_extent(s->g, k, NULL), name)) own = k;
        int64_t actual = own && s->actual[own - 1] ? s->actual[own - 1] : bound;
        out[e - 1] = r == 1 ? bound : r == 2 ? 1 : actual;
    }
}

/* ---- the oracle ---- */

void subject_meet(subject *s, const weft_backend *device)
{
    weft_device_info info;
    weft_backend_info(device, &info);
    s->half = strstr(info.features, "matrices of") != NULL;
}

static bool give(void *ctx, const weft_node *n, ref_tensor *out)
{
    subject_data *d = subject_find(ctx, n->name);
    if (!d || d->rank != out->rank) return false;
    for (int64_t i = 0; i < out->n; i++) {
        int64_t at = subject_in_box(d->rank, d->dim, out->dim, i);
        out->v[i] = d->v[at];
        out->e[i] = d->e[at];
    }
    return true;
}

/* The last value of each state becomes its data for the next run. */
static void keep_states(subject *s, const ref_run *run)
{
    uint32_t n = weft_graph_node_count(run->g);
    for (uint32_t i = 0; i < n; i++) {
        const weft_node *node = weft_graph_node(run->g, i), *root = node;
        if (!(weft_op_get(node->op)->traits & WEFT_TRAIT_STATE)) continue;
        while (root->op != WEFT_OP_state)
            root = weft_graph_node_by_id(run->g, weft_graph_value(run->g, root->in[0])->node);
        subject_data *d = subject_find(s, root->name);
        const ref_tensor *t = &run->values[node->out[0].id];
        for (int64_t k = 0; d && k < t->n; k++) {
            int64_t at = subject_in_box(d->rank, d->dim, t->dim, k);
            d->v[at] = t->v[k];
            d->e[at] = t->e[k];
        }
    }
}

static void clear_states(subject *s)
{
    for (uint32_t i = 0; i < s->n_data; i++) {
        if (s->data[i].kind != WEFT_OP_state) continue;
        memset(s->data[i].v, 0, (size_t)s->data[i].n * sizeof(double));
        memset(s->data[i].e, 0, (size_t)s->data[i].n * sizeof(double));
    }
}

bool subject_expect(subject *s, bool exact)
{
    const weft_named *outputs = weft_graph_outputs(s->g, &s->n_outputs);
    for (uint32_t r = 0; r < s->n_runs; r++) {
        for (uint32_t i = 0; s->expected[r] && i < s->n_outputs; i++) ref_free(&s->expected[r][i]);
        free(s->expected[r]);
    }
    s->n_runs = weft_graph_extent_count(s->g) ? 4 : 2;
    s->n_unsure = 0;
    clear_states(s);
    for (uint32_t r = 0; r < s->n_runs; r++) {
        int64_t extents[WEFT_MAX_EXTENTS];
        ref_run run;
        subject_extents(s, s->g, r, extents);
        new_inputs(s, r);
        s->expected[r] = calloc(s->n_outputs, sizeof **s->expected);
        if (!s->expected[r]) exit(3);
        bool ok = ref_graph(s->g, extents, (ref_mode){ exact, s->half }, give, s, &run);
        for (uint32_t i = 0; ok && i < s->n_outputs; i++) {
            ref_copy(&s->expected[r][i], &run.values[outputs[i].ref.id]);
            s->n_unsure += s->expected[r][i].unsure;
        }
        if (ok) keep_states(s, &run);
        ref_run_free(&run);
        if (!ok) {
            printf("%s: the oracle failed\n", s->label);
            return false;
        }
    }
    return true;
}

/* ---- on a device ---- */

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    const subject *s = ctx;
    for (uint32_t i = 0; i < s->n_data; i++) {
        const subject_data *d = &s->data[i];
        if (d->kind != WEFT_OP_weight || strcmp(d->name, name) != 0) continue;
        *out = (weft_weight_data){
            .dtype = d->stored, .rank = d->rank, .data = d->bytes, .bytes = d->n_bytes
        };
        memcpy(out->dims, d->dim, sizeof d->dim);
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "no weight '%s'", name);
}

weft_weight_source subject_weights(const subject *s)
{
    return (weft_weight_source){ (void *)(uintptr_t)s, find_weight };
}

/* The bytes of an input at the bounds, with NaN (i32: a huge number) outside what the run uses. */
static void *poisoned(const subject_data *d, const int64_t *actual)
{
    double *v = malloc((size_t)d->n * sizeof *v);
    void *bytes = malloc(d->n_bytes);
    if (!v || !bytes) exit(3);
    int64_t used = 1;
    for (uint32_t i = 0; i < d->rank; i++) used *= actual[i];
    for (int64_t i = 0; i < d->n; i++) v[i] = d->dtype == WEFT_I32 ? 2147483647.0 : NAN;
    for (int64_t i = 0; i < used; i++) {
        int64_t at = subject_in_box(d->rank, d->dim, actual, i);
        v[at] = d->v[at];
    }
    ref_encode(d->dtype, v, d->n, bytes);
    free(v);
    return bytes;
}

weft_status subject_write(subject *s, weft_program *p, uint32_t r, weft_error *err)
{
    const weft_graph *g = weft_program_graph(p);
    int64_t extents[WEFT_MAX_EXTENTS], actual[WEFT_MAX_RANK];
    subject_extents(s, g, r, extents);
    for (uint32_t e = 1; e <= weft_graph_extent_count(g); e++)
        WEFT_TRY(weft_program_set_extent(p, weft_graph_extent(g, e, NULL), (uint32_t)extents[e - 1],
                                         err));
    new_inputs(s, r);
    for (uint32_t i = 0; i < s->n_data; i++) {
        weft_ref port = weft_graph_find(weft_program_graph(p), s->data[i].name);
        if (s->data[i].kind != WEFT_OP_input || !port.id) continue;
        weft_dims_resolve(g, &weft_graph_value(g, port)->dims, extents, actual);
        void *bytes = poisoned(&s->data[i], actual);
        weft_status status = weft_program_write(p, port, 0, bytes, s->data[i].n_bytes, err);
        free(bytes);
        WEFT_TRY(status);
    }
    return WEFT_OK;
}

/* Reads a value whole and gives its elements at the actual sizes; NULL: *err says why. */
double *subject_read(weft_program *p, weft_ref ref, const int64_t *extents, int64_t *n,
                     weft_error *err)
{
    const weft_graph *g = weft_program_graph(p);
    const weft_value *v = weft_graph_value(g, ref);
    int64_t bound[WEFT_MAX_RANK], actual[WEFT_MAX_RANK], all = weft_value_elements(g, ref, NULL);
    weft_dims_resolve(g, &v->dims, NULL, bound);
    weft_dims_resolve(g, &v->dims, extents, actual);
    *n = weft_value_elements(g, ref, extents);
    uint64_t size = bytes_of(v->dtype, all);
    void *bytes = malloc(size);
    double *values = malloc((size_t)all * sizeof *values), *out = malloc((size_t)*n * sizeof *out);
    if (!bytes || !values || !out) exit(3);
    if (weft_program_read(p, ref, 0, bytes, size, err) == WEFT_OK) {
        ref_decode(v->dtype, bytes, all, values);
        for (int64_t i = 0; i < *n; i++)
            out[i] = values[subject_in_box(v->dims.rank, bound, actual, i)];
    } else {
        free(out);
        out = NULL;
    }
    free(bytes);
    free(values);
    return out;
}

static void describe(const subject *s, const subject_way *way)
{
    printf("%s\n    on %s%s%s: ", s->label, way->spec, way->as_built ? ", as built" : "",
           way->exact ? ", exact" : "");
}

unsigned subject_fault(const subject *s, const subject_way *way, const char *where,
                       const weft_error *err)
{
    describe(s, way);
    printf("%s: %s: %s\n", where, weft_status_name(err->status), err->text);
    return 1;
}

/* Compares got[0..n) with want; says where it is worst. */
unsigned subject_compare_values(const subject *s, const subject_way *way, const char *what,
                                const ref_tensor *want, const double *got, double *worst)
{
    int64_t at = 0, wrong = 0;
    double most = 0.0;
    for (int64_t i = 0; i < want->n; i++) {
        double excess = ref_excess(want, i, got[i]);
        if (excess > 1.0) wrong++;
        if (excess > most) {
            most = excess;
            at = i;
        }
    }
    if (most > *worst) *worst = most;
    if (most <= 1.0) return 0;
    describe(s, way);
    printf("%s: %lld of %lld wrong; [", what, (long long)wrong, (long long)want->n);
    int64_t rest = at, coordinate[WEFT_MAX_RANK];
    for (uint32_t k = want->rank; k-- > 0; rest /= want->dim[k])
        coordinate[k] = rest % want->dim[k];
    for (uint32_t k = 0; k < want->rank; k++)
        printf("%s%lld", k ? ", " : "", (long long)coordinate[k]);
    printf("] is %.9g, not %.9g (within %.3g)\n", got[at], want->v[at], want->e[at]);
    return 1;
}

/* The passes must not change what the graph means: the oracle runs the program's own graph too. */
static unsigned compare_rewritten(subject *s, const subject_way *way, const weft_program *p)
{
    const weft_graph *g = weft_program_graph(p);
    const weft_named *outputs = weft_graph_outputs(s->g, &s->n_outputs);
    int64_t extents[WEFT_MAX_EXTENTS];
    ref_run run;
    unsigned faults = 0;
    double worst = 0.0;
    new_inputs(s, 0);
    clear_states(s);
    subject_extents(s, g, 0, extents);
    if (ref_graph(g, extents, (ref_mode){ .exact = true }, give, s, &run)) {
        for (uint32_t i = 0; i < s->n_outputs; i++) {
            const ref_tensor *got = &run.values[weft_graph_find(g, outputs[i].name).id];
            if (!got->unsure && !s->expected[0][i].unsure)
                faults += subject_compare_values(s, way, "the optimised graph means something else",
                                                 &s->expected[0][i], got->v, &worst);
        }
    } else {
        describe(s, way);
        printf("the oracle failed on the optimised graph\n");
        faults = 1;
    }
    ref_run_free(&run);
    return faults;
}

static unsigned compare_run(subject *s, const subject_way *way, weft_program *p, uint32_t r,
                            double *worst)
{
    weft_error err;
    int64_t extents[WEFT_MAX_EXTENTS], n;
    unsigned faults = 0;
    const weft_named *outputs = weft_graph_outputs(s->g, &s->n_outputs);
    if (subject_write(s, p, r, &err) != WEFT_OK) return subject_fault(s, way, "write", &err);
    if (weft_program_run(p, &err) != WEFT_OK) return subject_fault(s, way, "run", &err);
    subject_extents(s, weft_program_graph(p), r, extents);
    for (uint32_t i = 0; i < s->n_outputs; i++) {
        char what[160];
        snprintf(what, sizeof what, "run %u, output %s", r, outputs[i].name);
        if (s->expected[r][i].unsure) continue;
        double *got = subject_read(p, weft_graph_find(weft_program_graph(p), outputs[i].name), extents, &n, &err);
        if (!got) return subject_fault(s, way, what, &err);
        faults += subject_compare_values(s, way, what, &s->expected[r][i], got, worst);
        free(got);
    }
    return faults;
}

unsigned subject_compare(subject *s, const subject_way *way, double *worst,
                         void (*visit)(void *ctx, const weft_program *p), void *ctx)
{
    weft_error err;
    weft_program *p;
    weft_weights *weights;
    weft_weight_source source = subject_weights(s);
    const weft_program_desc desc = { .devices = &way->device,
                                     .n_devices = 1,
                                     .strict = true,
                                     .exact = way->exact,
                                     .as_built = way->as_built };
    unsigned faults = 0;
    if (weft_program_create(s->g, &desc, &p, &err) != WEFT_OK)
        return subject_fault(s, way, "create", &err);
    if (visit) visit(ctx, p);
    if (!way->as_built && way->exact) faults += compare_rewritten(s, way, p);
    if (weft_weights_create(&source, 1, &weights, &err) != WEFT_OK)
        faults += subject_fault(s, way, "weights", &err);
    else if (weft_program_load(p, weights, NULL, &err) != WEFT_OK)
        faults += subject_fault(s, way, "load", &err);
    else
        for (uint32_t r = 0; r < s->n_runs && !faults; r++)
            faults += compare_run(s, way, p, r, worst);
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    return faults;
}
