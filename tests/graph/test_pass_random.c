/* Passes must not change what a graph computes: random graphs and random tails of products are run through the oracle
 * before and after, with the same inputs, and compared within what a float32 implementation may differ. */
#include <math.h>

#include "support.h"
#include "tests/ops/ref_ops.h"
#include "tests/random_graph.h"

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* ---- contents of sources, by name ---- */

static const random_index *index_named(const random_graph *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_indices; i++)
        if (!strcmp(r->indices[i].name, name)) return &r->indices[i];
    return NULL;
}

static bool fill(void *ctx, const weft_node *n, ref_tensor *out)
{
    const random_index *index = index_named(ctx, n->name);
    uint64_t state = 88172645463325252u;
    for (const char *c = n->name; *c; c++) state = state * 31 + (unsigned char)*c;
    int64_t at = next(&state) % 8;
    for (int64_t i = 0; i < out->n; i++) {
        double unit = (double)next(&state) / 2147483648.0 * 2 - 1;
        if (!index) {
            out->v[i] = weft_dtype_get(out->dtype)->class_ == WEFT_DTYPE_BLOCK ? unit : ref_round(out->dtype, unit);
        } else {
            int64_t span = (int64_t)index->hi - index->lo + 1;
            at = index->unique ? at + 1 : (int64_t)next(&state);
            out->v[i] = (double)(index->lo + at % span);
        }
    }
    return true;
}

/* ---- comparing ---- */

static bool same_tensor(const ref_tensor *want, const ref_tensor *got, const char *name)
{
    if (!CHECK(want->v && got->v && want->n == got->n && want->dtype == got->dtype)) return false;
    for (int64_t i = 0; i < want->n; i++) {
        double slack = want->e[i] + 1e-6 * fabs(want->v[i]) + 1e-9;
        bool close =
            want->v[i] == got->v[i] || fabs(want->v[i] - got->v[i]) <= slack || (isnan(want->v[i]) && isnan(got->v[i]));
        if (close || want->unsure) continue;
        printf("  %s[%lld] is %.9g, not %.9g\n", name, (long long)i, got->v[i], want->v[i]);
        return CHECK(close);
    }
    return CHECK(true);
}

/* The stored contents of each state: the value of the last store into it. */
static weft_ref final_state(const weft_graph *g, const char *name)
{
    weft_ref r = { 0 };
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_state && !strcmp(n->name, name)) r = n->out[0];
        if (r.id && weft_op_get(n->op)->traits & WEFT_TRAIT_STATE && n->in[0].id == r.id) r = n->out[0];
    }
    return r;
}

static bool same_results(random_graph *r, const weft_graph *a, const weft_graph *b, const int64_t *extents)
{
    ref_mode mode = { .exact = true };
    ref_run x, y;
    bool ok = CHECK(ref_graph(a, extents, mode, fill, r, &x));
    ok = CHECK(ref_graph(b, extents, mode, fill, r, &y)) && ok;
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(a, &n_outputs);
    for (uint32_t i = 0; i < n_outputs && ok; i++) {
        weft_ref other = weft_graph_find(b, outputs[i].name);
        ok = CHECK(other.id != 0) && same_tensor(&x.values[outputs[i].ref.id], &y.values[other.id], outputs[i].name);
    }
    for (uint32_t i = 0; i < weft_graph_node_count(a) && ok; i++) {
        const weft_node *n = weft_graph_node(a, i);
        if (n->op != WEFT_OP_state) continue;
        weft_ref s = final_state(a, n->name), t = final_state(b, n->name);
        if (s.id == n->out[0].id) continue; /* never stored to: may be gone */
        ok = CHECK(t.id != 0) && same_tensor(&x.values[s.id], &y.values[t.id], n->name);
    }
    ref_run_free(&x);
    ref_run_free(&y);
    return ok;
}

static void optimise_and_compare(random_graph *r, uint64_t seed, uint32_t *n_fused)
{
    weft_error err = { 0 };
    weft_graph *after;
    if (!CHECK_OK(weft_graph_clone(r->g, &after, &err), err)) return;
    int64_t extents[WEFT_MAX_EXTENTS];
    for (uint32_t i = 0; i < weft_graph_extent_count(r->g); i++) {
        uint32_t bound;
        weft_graph_extent(r->g, i + 1, &bound);
        extents[i] = seed % 3 ? (int64_t)bound : 1 + (int64_t)(seed % bound);
    }
    bool ok = CHECK_OK(weft_graph_optimise(after, NULL, 0, &err), err) && same_results(r, r->g, after, extents);
    if (!ok) printf("  seed %" PRIu64 "\n", seed);
    for (uint32_t i = 0; i < weft_graph_node_count(after); i++)
        *n_fused += (weft_op_get(weft_graph_node(after, i)->op)->traits & WEFT_TRAIT_FUSED) != 0;
    weft_graph_destroy(after);
}

static void random_graphs_compute_the_same(void)
{
    weft_error err = { 0 };
    random_graph r;
    uint32_t n_fused = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        if (!CHECK_OK(random_graph_make(seed, 30, &r, &err), err)) return;
        optimise_and_compare(&r, seed, &n_fused);
        weft_graph_destroy(r.g);
    }
    CHECK(n_fused > 50);
}

/* ---- tails: what may follow products, norms and rotations, in any mixture ---- */

enum { POOL = 64 };

typedef struct tails {
    weft_graph *g;
    uint64_t state;
    weft_dim T;
    weft_ref pool[POOL]; /* f32 [T, 8] */
    uint32_t n, names;
} tails;

static weft_ref any(tails *t)
{
    return t->pool[next(&t->state) % t->n];
}

static weft_ref weight(tails *t, weft_dims d)
{
    char name[32];
    snprintf(name, sizeof name, "w%u", t->names++);
    return weft_weight(t->g, next(&t->state) % 2 ? WEFT_F32 : WEFT_F16, d, name);
}

static weft_ref constant(tails *t)
{
    static const float numbers[] = { 0, -0.0f, 1, 2, 0.25f, 3, -1, 1e-3f };
    return weft_constant(t->g, WEFT_F32, WEFT_DIMS(1), &numbers[next(&t->state) % 8]);
}

static weft_ref step(tails *t)
{
    weft_graph *g = t->g;
    weft_ref x = any(t), last = t->pool[t->n - 1], c;
    uint32_t kind = (uint32_t)(next(&t->state) % 19);
    if (next(&t->state) % 4) x = last; /* long chains are likelier to match */
    if (kind < 4) return weft_matmul_nt(g, x, weight(t, WEFT_DIMS(8, 8)));
    if (kind < 6) return weft_add(g, x, weight(t, WEFT_DIMS(8)));
    if (kind == 6) return weft_add(g, weight(t, WEFT_DIMS(8)), x);
    if (kind < 9) return weft_activation(g, x, (weft_act)(1 + next(&t->state) % (WEFT_ACT_COUNT - 1)));
    if (kind < 11) return weft_add(g, any(t), x);
    if (kind == 11) return weft_layer_norm(g, any(t), weight(t, WEFT_DIMS(8)), weight(t, WEFT_DIMS(8)), 1e-5f);
    if (kind == 12) return weft_transpose(g, weft_transpose(g, x, 0, 1), -2, -1);
    if (kind == 13) return weft_scale(g, weft_scale(g, x, 0.5f), 3.0f);
    if (kind == 16) return weft_rms_norm(g, any(t), weight(t, WEFT_DIMS(8)), 1e-5f);
    if (kind > 16) {
        weft_ref y = weft_matmul_nt(g, x, weight(t, WEFT_DIMS(8, 8)));
        return weft_mul(g, weft_silu(g, weft_matmul_nt(g, x, weight(t, WEFT_DIMS(8, 8)))), y);
    }
    c = constant(t);
    if (next(&t->state) % 2) c = weft_sub(g, weft_exp(g, c), constant(t));
    return next(&t->state) % 2 ? weft_mul(g, c, x) : weft_add(g, x, constant(t));
}

/* Some rotated rows into caches of both layouts. */
static void add_caches(tails *t, weft_ref pos, weft_ref index)
{
    weft_graph *g = t->g;
    for (int i = 0; i < 2; i++) {
        weft_ref angles = weft_rope_angles(g, pos, 4, 100);
        weft_ref x = weft_rope(g, weft_reshape(g, any(t), WEFT_DIMS(t->T, 2, 4)), angles, i);
        if (next(&t->state) % 4 == 0) weft_output(g, x, "rotated%d", i);
        weft_store(g, weft_state(g, WEFT_F16, WEFT_DIMS(20, 2, 4), i ? "a" : "b"), x, index, 0);
        x = weft_rope(g, weft_reshape(g, any(t), WEFT_DIMS(t->T, 2, 4)), angles, i);
        weft_store(g, weft_state(g, WEFT_F16, WEFT_DIMS(2, 20, 4), i ? "c" : "d"), weft_transpose(g, x, 0, 1), index,
                   1);
    }
}

static bool make_tails(uint64_t seed, random_graph *r, weft_error *err)
{
    *r = (random_graph){ .indices = { { "pos", 0, 50, false }, { "index", -1, 19, true } }, .n_indices = 2 };
    if (weft_graph_create(NULL, &r->g, err) != WEFT_OK) return false;
    tails t = { .g = r->g, .state = seed, .T = weft_extent(r->g, "tokens", 5), .n = 1 };
    t.pool[0] = weft_input(t.g, WEFT_F32, WEFT_DIMS(t.T, 8), "x");
    weft_ref pos = weft_input(t.g, WEFT_I32, WEFT_DIMS(t.T), "pos");
    weft_ref index = weft_input(t.g, WEFT_I32, WEFT_DIMS(t.T), "index");
    while (t.n < 24) {
        t.pool[t.n] = step(&t);
        if (next(&t.state) % 12 == 0) weft_output(t.g, t.pool[t.n], "mid%u", t.n);
        t.n++;
    }
    add_caches(&t, pos, index);
    weft_output(t.g, t.pool[t.n - 1], "y");
    return weft_graph_seal(t.g, err) == WEFT_OK;
}

static void random_tails_compute_the_same(void)
{
    weft_error err = { 0 };
    random_graph r;
    uint32_t n_fused = 0;
    for (uint64_t seed = 0; seed < 500; seed++) {
        if (!make_tails(seed, &r, &err)) {
            CHECK_STR(err.text, NULL);
            return;
        }
        optimise_and_compare(&r, seed, &n_fused);
        weft_graph_destroy(r.g);
    }
    CHECK(n_fused > 1000);
}

static const weft_test tests[] = {
    { "random graphs compute the same", random_graphs_compute_the_same },
    { "random tails compute the same", random_tails_compute_the_same },
};
TEST_MAIN(tests)
