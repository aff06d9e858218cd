/* test_check.c: how near a check looks. A device's copy of a weight is planted with an error of one percent in one row:
 * every kernel that computes in float32 or with whole numbers is found out, whatever the type of the weight. */
#include <math.h>
#include <stdlib.h>

#include "backends/contract.h"
#include "tests/test.h"

enum { TOKENS = 5, IN = 96, OUT = 96, ROW = 41 };

static weft_error err;
static float weights[OUT * IN];

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)ctx;
    (void)e;
    bool matrix = *name == 'w' || *name == 'u';
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = matrix ? 2 : 1, .dims = { OUT, matrix ? IN : 0 },
                               .data = weights, .bytes = sizeof(float) * (matrix ? OUT * IN : OUT) };
    return WEFT_OK;
}

/* ---- a device whose copy of a matrix is off ---- */

static const weft_backend_vt *real;
static weft_backend_vt planted;

static weft_status write_off(weft_buf *buf, weft_layout layout, weft_dtype t, const weft_weight_data *src,
                             weft__task *task, weft_error *e)
{
    static float copy[OUT * IN];
    weft_weight_data off = *src;
    if (src->rank != 2) return real->weight_write(buf, layout, t, src, task, e);
    memcpy(copy, src->data, sizeof copy);
    for (int i = 0; i < IN; i++) copy[ROW * IN + i] *= 1.01f;
    off.data = copy;
    return real->weight_write(buf, layout, t, &off, task, e);
}

typedef struct report {
    uint32_t n, failed, node;
    double error, tolerance, rms; /* of the last product */
} report;

static bool note(void *ctx, const weft_check_node *n)
{
    report *r = ctx;
    r->n++;
    r->error = n->max_error;
    r->tolerance = n->tolerance;
    r->rms = n->rms;
    if (n->failed && !r->failed++) r->node = n->node;
    return true;
}

/* How x gets to the product: as it is; a part of longer rows that begins within a block; as what is added, too; by a
 * norm that the product makes itself, of a part, with a second product as its gate. */
typedef enum way { AS_IT_IS, A_SLICE, ADDED, NORMED } way;

static void build(weft_graph *g, weft_dtype type, way w)
{
    const bool slice = w == A_SLICE || w == NORMED;
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(TOKENS, slice ? 2 * IN : IN), "x");
    if (slice) x = weft_slice(g, x, 1, 13, IN);
    if (w == NORMED) x = weft_rms_norm(g, x, weft_weight(g, WEFT_F32, WEFT_DIMS(IN), "gain"), 1e-5f);
    weft_ref y = weft_matmul_nt(g, x, weft_weight(g, type, WEFT_DIMS(OUT, IN), "w"));
    if (w == NORMED)
        y = weft_mul(g, y, weft_sigmoid(g, weft_matmul_nt(g, x, weft_weight(g, type, WEFT_DIMS(OUT, IN), "u"))));
    weft_output(g, w == ADDED ? weft_add(g, x, y) : y, "y");
}

static bool check_way(const char *spec, weft_dtype type, bool exact, bool plant, way how, report *out)
{
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_weights *loaded = NULL;
    weft_graph *g = NULL;
    weft_weight_source source = { NULL, find };
    float x[2 * TOKENS * IN] = { 0 };
    *out = (report){ 0 };
    weft_status s = weft_backend_open(spec, &b, &err);
    if (s == WEFT_UNSUPPORTED) return false;
    real = b ? b->vt : NULL;
    if (plant && b) {
        planted = *real;
        planted.weight_write = write_off;
        b->vt = &planted;
    }
    if (!s) s = weft_graph_create(NULL, &g, &err);
    if (!s) build(g, type, how);
    if (!s) s = weft_graph_seal(g, &err);
    weft_program_desc d = { .devices = &b, .n_devices = 1, .exact = exact };
    if (!s) s = weft_program_create(g, &d, &p, &err);
    if (!s) s = weft_weights_create(&source, 1, &loaded, &err);
    if (!s) s = weft_program_load(p, loaded, NULL, &err);
    for (int i = 0; i < 2 * TOKENS * IN; i++) x[i] = (float)(i * 37 % 101) * 0.02f - 1.0f;
    uint64_t n_x = TOKENS * (how == A_SLICE || how == NORMED ? 2 * IN : IN);
    if (!s) s = weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, 4 * n_x, &err);
    if (!s) s = weft_program_check(p, &source, note, out, &err);
    CHECK_OK(s, err);
    weft_program_destroy(p);
    weft_weights_destroy(loaded);
    weft_graph_destroy(g);
    weft_backend_close(b);
    return s == WEFT_OK;
}

static bool check_product(const char *spec, weft_dtype type, bool exact, bool plant, report *out)
{
    return check_way(spec, type, exact, plant, AS_IT_IS, out);
}

static void one_percent_of_one_row_is_found(void)
{
    static const char *const specs[] = { "cpu,isa=scalar", "cpu,isa=avx2", "cpu,isa=avxvnni", "cpu,isa=avx512",
                                         "cpu,isa=neon",   "cpu,isa=dotprod", "cpu,isa=i8mm" };
    static const weft_dtype types[] = { WEFT_F32, WEFT_F16, WEFT_BF16, WEFT_Q8_0, WEFT_Q4_0 };
    for (int i = 0; i < OUT * IN; i++) weights[i] = (float)(i * 53 % 97) * 0.02f - 0.9f;
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            report r;
            if (!check_product(specs[k], types[i], true, false, &r)) break; /* not this processor's */
            for (int exact = 0; exact < 2; exact++) {
                if (types[i] == WEFT_BF16 && !exact) continue; /* rounds activations where the processor can */
                CHECK(check_product(specs[k], types[i], exact, false, &r));
                if (!CHECK_EQ_INT(r.failed, 0))
                    printf("  %s, %s: error %.3g, tolerance %.3g\n", specs[k], weft_dtype_get(types[i])->name, r.error,
                           r.tolerance);
                if (check_product(specs[k], types[i], exact, true, &r) && !CHECK(r.failed == 1))
                    printf("  %s, %s: error %.3g, tolerance %.3g\n", specs[k], weft_dtype_get(types[i])->name,
                           r.error, r.tolerance);
            }
        }
}

/* What rounds activations is given that much, and no more: what the reference rounds, too, is given nothing. */
static void tolerance_follows_the_arithmetic(void)
{
    report r;
    for (int i = 0; i < OUT * IN; i++) weights[i] = (float)(i * 53 % 97) * 0.02f - 0.9f;
    CHECK(check_product("cpu,isa=scalar", WEFT_Q4_0, true, false, &r));
    CHECK(r.tolerance < 1e-3 * r.rms);
    CHECK(check_product("cpu,isa=scalar", WEFT_Q4_0, false, false, &r)); /* int8 */
    CHECK(r.tolerance < 1e-3 * r.rms);
    CHECK(check_product("cpu,isa=scalar", WEFT_BF16, false, false, &r)); /* widened to f32 there */
    CHECK(r.tolerance < 1e-3 * r.rms);
}

/* The reference rounds the blocks of x as the product sees it, and nothing that another reads. */
static void activations_are_rounded_where_they_lie(void)
{
    static const weft_dtype types[] = { WEFT_Q8_0, WEFT_Q4_0 };
    report r;
    for (int i = 0; i < OUT * IN; i++) weights[i] = (float)(i * 53 % 97) * 0.02f - 0.9f;
    for (size_t i = 0; i < 2; i++) {
        CHECK(check_way("cpu", types[i], false, false, A_SLICE, &r));
        CHECK_EQ_INT(r.failed, 0);
        CHECK(r.tolerance < 1e-3 * r.rms);
        CHECK(check_way("cpu", types[i], false, true, A_SLICE, &r));
        CHECK_EQ_INT(r.failed, 1);
        CHECK(check_way("cpu", types[i], false, false, NORMED, &r));
        CHECK_EQ_INT(r.failed, 0);
        CHECK_EQ_INT(r.n, 1);
        CHECK(r.tolerance < 1e-3 * r.rms);
        CHECK(check_way("cpu", types[i], false, true, NORMED, &r));
        CHECK_EQ_INT(r.failed, 1);
        CHECK(check_way("cpu", types[i], false, false, ADDED, &r));
        CHECK_EQ_INT(r.failed, 0);
        CHECK_NEAR(r.tolerance, 0.1 * r.rms, 1e-6);
    }
}

/* A run shorter than its bound: rows lie as far apart as the bound has them, and each is compared as far as it goes. */
static void short_rows_are_walked_whole(void)
{
    enum { N = 3, BOUND = 8, LENGTH = 5 };
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_graph *g = NULL;
    float x[N][BOUND] = { { 0 } };
    report r = { 0 };
    for (int i = 0; i < LENGTH; i++) x[0][i] = x[1][i] = 1, x[2][i] = 100;
    weft_status s = weft_backend_open("cpu,threads=1", &b, &err);
    if (!s) s = weft_graph_create(NULL, &g, &err);
    if (!s) weft_output(g, weft_relu(g, weft_input(g, WEFT_F32, WEFT_DIMS(N, weft_extent(g, "t", BOUND)), "x")), "y");
    if (!s) s = weft_graph_seal(g, &err);
    const weft_program_desc d = { .devices = &b, .n_devices = 1 };
    if (!s) s = weft_program_create(g, &d, &p, &err);
    if (!s) s = weft_program_load(p, NULL, NULL, &err);
    if (!s) s = weft_program_set_extent(p, "t", LENGTH, &err);
    if (!s) s = weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, sizeof x, &err);
    if (!s) s = weft_program_check(p, NULL, note, &r, &err);
    CHECK_OK(s, err);
    CHECK_EQ_INT(r.n, 1);
    CHECK_EQ_INT(r.failed, 0);
    CHECK_NEAR(r.rms, sqrt((2.0 + 100 * 100) / N), 1e-3);
    weft_program_destroy(p);
    weft_graph_destroy(g);
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "one percent of one row is found", one_percent_of_one_row_is_found },
    { "tolerance follows the arithmetic", tolerance_follows_the_arithmetic },
    { "activations are rounded where they lie", activations_are_rounded_where_they_lie },
    { "short rows are walked whole", short_rows_are_walked_whole },
};
TEST_MAIN(tests)
