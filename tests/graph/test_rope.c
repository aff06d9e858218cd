/* test_rope.c: frequencies and scales of each kind of rotary embedding, against what transformers makes of them
 * (rope_golden.h, written by make_rope.py). */
#include "tests/test.h"

#include <math.h>

#include "graph/rope.h"

#include "rope_golden.h"

static bool check_row(size_t row)
{
    const weft_attr_rope_table *a = &golden[row].attrs;
    double w[WEFT__MAX_ROTARY / 2];
    weft__rope_frequencies(a, w);
    bool ok = CHECK_NEAR(weft__rope_scale(a), golden[row].scale, 1e-7);
    double stretch = weft__rope_stretch(a, golden[row].length);
    for (int32_t i = 0; i < a->n_rot / 2; i++) {
        double f = w[i] * pow(stretch, -2.0 * i / (a->n_rot - 2)), want = golden[row].frequency[i];
        if (golden[row].factors[0] != 0) f /= golden[row].factors[i];
        ok &= CHECK_NEAR(f, want, 2e-6 * want); /* the reference computes in float32, powers among it */
    }
    return ok;
}

static void are_those_of_the_reference(void)
{
    bool seen[WEFT_ROPE_COUNT] = { false };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        if (!check_row(i)) printf("  in row %zu, %s\n", i, weft__rope_name(golden[i].attrs.kind));
        seen[golden[i].attrs.kind] = true;
    }
    for (int k = 0; k < WEFT_ROPE_COUNT; k++) CHECK(seen[k]);
}

static void have_names(void)
{
    weft_rope_kind kind;
    for (int k = 0; k < WEFT_ROPE_COUNT; k++) {
        CHECK(weft__rope_parse(weft__rope_name((weft_rope_kind)k), &kind));
        CHECK_EQ_INT(kind, k);
    }
    CHECK(!weft__rope_parse("ntk", &kind));
    CHECK_STR(weft__rope_name(WEFT_ROPE_COUNT), "?");
}

static const weft_test tests[] = {
    { "are_those_of_the_reference", are_those_of_the_reference },
    { "have_names", have_names },
};

TEST_MAIN(tests)
