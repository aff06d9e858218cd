/* test_window.c: a sliding window that a graph works out from positions, by i32 arithmetic of its own, beside masking
 * by hand: attention over all cells where those outside the window are left out one by one, in double precision. */
#include "backends/backend.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

enum { TOKENS = 9, HEADS = 2, CELLS = 23, WIDTH = 16, WINDOW = 5 };

typedef struct data {
    float q[TOKENS][HEADS][WIDTH], k[CELLS][WIDTH], v[CELLS][WIDTH];
    int32_t position[TOKENS];
} data;

static weft_error err;

static float value(uint32_t i)
{
    i = (i + 1) * 2654435761u;
    return (float)(i >> 16) / 32768.0f - 1.0f;
}

static void fill(data *d)
{
    for (uint32_t i = 0; i < TOKENS * HEADS * WIDTH; i++) (&d->q[0][0][0])[i] = 2 * value(i);
    for (uint32_t i = 0; i < CELLS * WIDTH; i++) {
        (&d->k[0][0])[i] = value(i + 1000);
        (&d->v[0][0])[i] = value(i + 2000);
    }
    for (int32_t t = 0; t < TOKENS; t++) d->position[t] = t < 4 ? t : 2 * t + (t & 1) + 4;
}

/* A token at an even position sees the WINDOW cells up to its own, one at an odd position all of them. */
static weft_graph *build(void)
{
    weft_graph *g;
    if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return NULL;
    weft_dim t = weft_extent(g, "tokens", TOKENS);
    weft_ref q = weft_input(g, WEFT_F32, WEFT_DIMS(t, HEADS, WIDTH), "q");
    weft_ref k = weft_input(g, WEFT_F32, WEFT_DIMS(1, CELLS, WIDTH), "k");
    weft_ref v = weft_input(g, WEFT_F32, WEFT_DIMS(1, CELLS, WIDTH), "v");
    weft_ref position = weft_input(g, WEFT_I32, WEFT_DIMS(t), "position");
    const int32_t before[] = { WINDOW - 1 }, zero[] = { 0 }, two[] = { 2 };
    weft_ref nothing = weft_constant(g, WEFT_I32, WEFT_DIMS(1), zero);
    weft_ref begin = weft_sub(g, position, weft_constant(g, WEFT_I32, WEFT_DIMS(1), before));
    weft_ref pair = weft_constant(g, WEFT_I32, WEFT_DIMS(1), two);
    weft_ref even = weft_equal(g, weft_mul(g, weft_div(g, position, pair), pair), position);
    weft_ref first = weft_where(g, even, weft_max(g, begin, nothing), nothing);
    weft_output(g, weft_attention(g, q, k, v, first, position, 0.25f), "y");
    if (CHECK_OK(weft_graph_seal(g, &err), err)) return g;
    weft_graph_destroy(g);
    return NULL;
}

static bool masked(const data *d, int t, int cell)
{
    int p = d->position[t];
    return cell > p || (p % 2 == 0 && cell <= p - WINDOW);
}

static double by_hand(const data *d, int t, int h, int i)
{
    double score[CELLS], most = -INFINITY, sum = 0, y = 0;
    for (int c = 0; c < CELLS; c++) {
        score[c] = 0;
        for (int n = 0; n < WIDTH; n++) score[c] += (double)d->q[t][h][n] * (double)d->k[c][n];
        score[c] = masked(d, t, c) ? -INFINITY : 0.25 * score[c];
        most = fmax(most, score[c]);
    }
    for (int c = 0; c < CELLS; c++) {
        sum += exp(score[c] - most);
        y += exp(score[c] - most) * (double)d->v[c][i];
    }
    return y / sum;
}

static bool write(weft_program *p, const char *name, const void *bytes, uint64_t n)
{
    weft_ref r;
    return CHECK_OK(weft_program_port(p, name, &r, &err), err) &&
           CHECK_OK(weft_program_write(p, r, 0, bytes, n, &err), err);
}

/* Runs the tokens [from, from + n). */
static bool run(weft_program *p, const data *d, int from, uint32_t n, float *y)
{
    weft_ref r;
    return CHECK_OK(weft_program_set_extent(p, "tokens", n, &err), err) &&
           write(p, "q", d->q[from], n * sizeof d->q[0]) && write(p, "k", d->k, sizeof d->k) &&
           write(p, "v", d->v, sizeof d->v) && write(p, "position", d->position + from, n * sizeof *d->position) &&
           CHECK_OK(weft_program_run(p, &err), err) && CHECK_OK(weft_program_port(p, "y", &r, &err), err) &&
           CHECK_OK(weft_program_read(p, r, 0, y, n * HEADS * WIDTH * sizeof *y, &err), err);
}

static void compare(const data *d, int from, uint32_t n, const float *y)
{
    double worst = 0;
    for (uint32_t t = 0; t < n; t++)
        for (int h = 0; h < HEADS; h++)
            for (int i = 0; i < WIDTH; i++)
                worst = fmax(worst, fabs(*y++ - by_hand(d, from + (int)t, h, i)));
    CHECK(worst < 2e-5);
    if (worst >= 2e-5) printf("  tokens %d to %d: off by %g\n", from, from + (int)n - 1, worst);
}

static void compare_on(const char *spec)
{
    data d;
    float y[TOKENS * HEADS * WIDTH];
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_weights *weights = NULL;
    weft_graph *g = build();
    fill(&d);
    if (g && CHECK_OK(weft_backend_open(spec, &b, &err), err) &&
        CHECK_OK(weft_program_create(g, &(weft_program_desc){ .devices = &b, .n_devices = 1, .strict = true }, &p,
                                     &err), err) &&
        CHECK_OK(weft_weights_create(NULL, 0, &weights, &err), err) &&
        CHECK_OK(weft_program_load(p, weights, NULL, &err), err)) {
        if (run(p, &d, 0, TOKENS, y)) compare(&d, 0, TOKENS, y);
        for (int t = 0; t < TOKENS; t++)
            if (run(p, &d, t, 1, y)) compare(&d, t, 1, y);
    }
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    weft_backend_close(b);
    weft_graph_destroy(g);
}

static void on_the_cpu(void)
{
    compare_on("cpu,isa=scalar");
    compare_on("cpu");
}

static void on_vulkan(void)
{
    compare_on("vulkan:0");
}

static const weft_test tests[] = {
    { "on the CPU", on_the_cpu },
    { "on Vulkan", on_vulkan },
};
TEST_MAIN(tests)
