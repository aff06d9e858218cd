/* test_recurrence.c: a small gated recurrent layer as a graph, several sequences in one batch, cut into batches in any
 * way and forked, beside the same layer computed token after token in double precision over each sequence's history.
 *
 *     f = sigmoid(F x)    c = silu(conv1d(x))    h = f h + (1 - f) c    y = O (h silu(G x))
 *
 * Forks are in the graph, which reads the states' old rows before it stores them elsewhere, and by weft_states_copy. */
#include "backends/backend.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 24, TAPS = 4, SLOTS = 5, TOKENS = 16, LENGTH = 40 };

typedef struct layer {
    float forget[WIDTH][WIDTH], gate[WIDTH][WIDTH], out[WIDTH][WIDTH], taps[WIDTH][TAPS], bias[WIDTH];
} layer;

/* A sequence, from its first token. */
typedef struct history {
    float x[LENGTH][WIDTH];
    double y[LENGTH][WIDTH];
    int slot, done; /* its row of the states; tokens that the graph has seen */
} history;

static weft_error err;
static layer weights;

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % n;
}

static void fill(float *x, size_t n, uint64_t seed, float scale)
{
    for (size_t i = 0; i < n; i++) x[i] = scale * ((float)draw(&seed, 2001) / 1000 - 1);
}

/* ---- by hand ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double dot(const float *w, const float *x)
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++) sum += (double)w[i] * (double)x[i];
    return sum;
}

static double convolved(const history *s, int t, int e)
{
    double sum = (double)weights.bias[e];
    for (int k = 0; k < TAPS; k++) {
        int from = t - (TAPS - 1) + k;
        if (from >= 0) sum += (double)weights.taps[e][k] * (double)s->x[from][e];
    }
    return sum;
}

static void by_hand(history *s)
{
    double h[WIDTH] = { 0 };
    for (int t = 0; t < LENGTH; t++) {
        double gated[WIDTH];
        for (int e = 0; e < WIDTH; e++) {
            double f = sigmoid(dot(weights.forget[e], s->x[t])), c = convolved(s, t, e);
            double g = dot(weights.gate[e], s->x[t]);
            h[e] = f * h[e] + (1 - f) * c * sigmoid(c);
            gated[e] = h[e] * g * sigmoid(g);
        }
        for (int e = 0; e < WIDTH; e++) {
            s->y[t][e] = 0;
            for (int i = 0; i < WIDTH; i++) s->y[t][e] += (double)weights.out[e][i] * gated[i];
        }
    }
}

/* A history whose first `shared` tokens are those of `like`. */
static history make_history(uint64_t seed, int slot, const history *like, int shared)
{
    history s = { .slot = slot, .done = shared };
    fill(&s.x[0][0], (size_t)LENGTH * WIDTH, seed, 2);
    if (like) memcpy(s.x, like->x, (size_t)shared * sizeof s.x[0]);
    by_hand(&s);
    return s;
}

/* ---- as a graph ---- */

/* Row to[0] of the state becomes row from[0]: -1: none does. */
static weft_ref forked(weft_graph *g, weft_ref state, weft_ref from, weft_ref to)
{
    return weft_store(g, state, weft_gather(g, state, from), to, 0);
}

static weft_graph *build(void)
{
    weft_graph *g;
    if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return NULL;
    weft_dim T = weft_extent(g, "tokens", TOKENS);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(T, WIDTH), "x");
    weft_ref sequence = weft_input(g, WEFT_I32, WEFT_DIMS(T), "sequence");
    weft_ref reset = weft_input(g, WEFT_I32, WEFT_DIMS(T), "reset");
    weft_ref from = weft_input(g, WEFT_I32, WEFT_DIMS(1), "from"), to = weft_input(g, WEFT_I32, WEFT_DIMS(1), "to");
    weft_ref tail = forked(g, weft_state(g, WEFT_F32, WEFT_DIMS(SLOTS, TAPS - 1, WIDTH), "tail"), from, to);
    weft_ref state = forked(g, weft_state(g, WEFT_F32, WEFT_DIMS(SLOTS, WIDTH), "h"), from, to);
    weft_dims square = WEFT_DIMS(WIDTH, WIDTH);
    weft_ref f = weft_sigmoid(g, weft_matmul_nt(g, x, weft_weight(g, WEFT_F32, square, "forget")));
    weft_ref gate = weft_silu(g, weft_matmul_nt(g, x, weft_weight(g, WEFT_F32, square, "gate")));
    weft_ref taps = weft_weight(g, WEFT_F32, WEFT_DIMS(WIDTH, TAPS), "taps");
    weft_ref bias = weft_weight(g, WEFT_F32, WEFT_DIMS(WIDTH), "bias");
    weft_ref c = weft_silu(g, weft_conv1d(g, tail, x, taps, bias, sequence, reset, NULL));
    weft_ref one = weft_constant(g, WEFT_F32, WEFT_DIMS(1), (const float[]){ 1 });
    weft_ref h = weft_linear_scan(g, state, f, weft_mul(g, weft_sub(g, one, f), c), sequence, reset, NULL);
    weft_output(g, weft_matmul_nt(g, weft_mul(g, h, gate), weft_weight(g, WEFT_F32, square, "out")), "y");
    if (CHECK_OK(weft_graph_seal(g, &err), err)) return g;
    weft_graph_destroy(g);
    return NULL;
}

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    const struct { const char *name; const float *data; uint32_t rank; int64_t dims[2]; } all[] = {
        { "forget", &weights.forget[0][0], 2, { WIDTH, WIDTH } }, { "gate", &weights.gate[0][0], 2, { WIDTH, WIDTH } },
        { "out", &weights.out[0][0], 2, { WIDTH, WIDTH } },       { "taps", &weights.taps[0][0], 2, { WIDTH, TAPS } },
        { "bias", weights.bias, 1, { WIDTH } },
    };
    (void)ctx;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name)) continue;
        *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = all[i].rank, .data = all[i].data };
        memcpy(out->dims, all[i].dims, sizeof all[i].dims);
        out->bytes = (uint64_t)(all[i].dims[0] * (all[i].rank > 1 ? all[i].dims[1] : 1)) * sizeof(float);
        return WEFT_OK;
    }
    return WEFT_FAIL(e, WEFT_NOT_FOUND, "no weight is called '%s'", name);
}

typedef struct world {
    weft_graph *g;
    weft_backend *b;
    weft_program *p;
    weft_weights *weights;
    weft_states *states;
    uint64_t chance;
} world;

static bool begin(world *w, const char *spec)
{
    *w = (world){ .g = build(), .chance = 1 };
    fill(&weights.forget[0][0], sizeof weights / sizeof(float), 5, 0.5f);
    weft_weight_source source = { .find = find_weight };
    return w->g && CHECK_OK(weft_backend_open(spec, &w->b, &err), err) &&
           CHECK_OK(weft_program_create(w->g, &(weft_program_desc){ .devices = &w->b, .n_devices = 1, .strict = true },
                                        &w->p, &err), err) &&
           CHECK_OK(weft_weights_create(&source, 1, &w->weights, &err), err) &&
           CHECK_OK(weft_states_create(&w->states, &err), err) &&
           CHECK_OK(weft_program_load(w->p, w->weights, w->states, &err), err);
}

static void end(world *w)
{
    weft_program_destroy(w->p);
    weft_states_destroy(w->states);
    weft_weights_destroy(w->weights);
    weft_backend_close(w->b);
    weft_graph_destroy(w->g);
}

/* ---- batches ---- */

typedef struct batch {
    uint32_t n;
    float x[TOKENS][WIDTH], y[TOKENS][WIDTH];
    int32_t sequence[TOKENS], reset[TOKENS], from, to;
    const history *of[TOKENS]; /* NULL: padding */
    int at[TOKENS];
} batch;

static bool write(weft_program *p, const char *name, const void *bytes, uint64_t n)
{
    weft_ref r;
    return CHECK_OK(weft_program_port(p, name, &r, &err), err) &&
           CHECK_OK(weft_program_write(p, r, 0, bytes, n, &err), err);
}

static bool run(weft_program *p, batch *b)
{
    weft_ref r;
    return CHECK_OK(weft_program_set_extent(p, "tokens", b->n, &err), err) &&
           write(p, "x", b->x, b->n * sizeof b->x[0]) && write(p, "sequence", b->sequence, b->n * sizeof(int32_t)) &&
           write(p, "reset", b->reset, b->n * sizeof(int32_t)) && write(p, "from", &b->from, sizeof b->from) &&
           write(p, "to", &b->to, sizeof b->to) && CHECK_OK(weft_program_run(p, &err), err) &&
           CHECK_OK(weft_program_port(p, "y", &r, &err), err) &&
           CHECK_OK(weft_program_read(p, r, 0, b->y, b->n * sizeof b->y[0], &err), err);
}

/* The next token of some history that has one, or padding. */
static void add_token(world *w, batch *b, history *all, uint32_t n)
{
    history *s = &all[draw(&w->chance, n)];
    uint32_t t = b->n++;
    bool padding = s->done == LENGTH || draw(&w->chance, 8) == 0;
    fill(b->x[t], WIDTH, w->chance, 2);
    b->of[t] = padding ? NULL : s;
    b->sequence[t] = padding ? (draw(&w->chance, 2) ? -1 : SLOTS) : s->slot;
    b->reset[t] = padding ? 1 : s->done == 0;
    if (padding) return;
    memcpy(b->x[t], s->x[s->done], sizeof b->x[t]);
    b->at[t] = s->done++;
}

static double distance(const batch *b)
{
    double worst = 0;
    for (uint32_t t = 0; t < b->n; t++)
        for (int e = 0; e < WIDTH; e++) {
            double off = fabs((double)b->y[t][e] - (b->of[t] ? b->of[t]->y[b->at[t]][e] : 0));
            worst = fmax(worst, isnan(off) ? INFINITY : off);
        }
    return worst;
}

/* Batches of `size` tokens, 0: of any size, until `until` tokens of each are done. The first one forks. */
static void go_on(world *w, history *all, uint32_t n, int until, uint32_t size, int from, int to)
{
    bool more = true;
    double worst = 0;
    for (uint32_t round = 0; more; round++) {
        batch b = { .from = round ? -1 : from, .to = round ? -1 : to };
        uint32_t tokens = size ? size : 1 + draw(&w->chance, TOKENS);
        while (b.n < tokens) add_token(w, &b, all, n);
        if (!run(w->p, &b)) return;
        worst = fmax(worst, distance(&b));
        more = false;
        for (uint32_t i = 0; i < n; i++) more = more || all[i].done < until;
    }
    CHECK(worst < 1e-5);
    if (worst >= 1e-5) printf("  batches of %u: off by %g\n", size, worst);
}

/* ---- tests ---- */

static void mixed_on(const char *spec)
{
    static const uint32_t sizes[] = { 1, 3, TOKENS, 0 };
    world w;
    if (begin(&w, spec))
        for (uint64_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* over what the last ones left in the states */
            history all[] = { make_history(3 * i, 2, NULL, 0), make_history(3 * i + 1, 0, NULL, 0),
                              make_history(3 * i + 2, 4, NULL, 0) };
            go_on(&w, all, 3, LENGTH, sizes[i], -1, -1);
        }
    end(&w);
}

static bool copy_row(weft_states *s, const char *name, uint64_t bytes, uint64_t from, uint64_t to)
{
    weft_state_span span = { from * bytes, to * bytes, bytes };
    return CHECK_OK(weft_states_copy(s, weft_states_find(s, name), &span, 1, &err), err);
}

static void forked_on(const char *spec)
{
    world w;
    history all[3] = { { .slot = 0 } };
    if (begin(&w, spec)) {
        all[0] = make_history(100, 1, NULL, 0);
        go_on(&w, all, 1, 9, 0, -1, -1);
        all[1] = make_history(101, 3, &all[0], all[0].done);
        go_on(&w, all, 2, 20, 5, all[0].slot, all[1].slot); /* by the graph, in the batch in which both go on */
        all[2] = make_history(102, 0, &all[1], all[1].done);
        if (copy_row(w.states, "tail", (TAPS - 1) * WIDTH * sizeof(float), 3, 0) &&
            copy_row(w.states, "h", WIDTH * sizeof(float), 3, 0))
            go_on(&w, all, 3, LENGTH, 0, -1, -1);
    }
    end(&w);
}

static void on_the_cpu(void)
{
    mixed_on("cpu,isa=scalar");
    mixed_on("cpu");
    forked_on("cpu,isa=scalar");
    forked_on("cpu");
}

static void on_vulkan(void)
{
    mixed_on("vulkan:0");
    forked_on("vulkan:0");
}

static const weft_test tests[] = {
    { "on the CPU", on_the_cpu },
    { "on Vulkan", on_vulkan },
};
TEST_MAIN(tests)
