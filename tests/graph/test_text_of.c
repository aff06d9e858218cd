/* test_text_of.c: graphs become texts with repeats, which read back to equal graphs and are printed the same again:
 * graphs of random ops, and graphs of layers of several kinds. tests/sample.h says what a run takes; all of it:
 *
 *     env -u WEFT_TEST_SAMPLE test_text_of      # 10,000 graphs of layers, 2,000 of random ops */
#include "graph/same.h"
#include "language.h"
#include "support.h"
#include "tests/oom.h"
#include "tests/random_graph.h"
#include "tests/sample.h"

enum { LAYERED = 10000, PLAIN = 2000 };

static weft_error err;

static char *print_folded(const weft_graph *g)
{
    weft_graph_text *t;
    if (!CHECK_OK(weft_graph_text_of(g, &t, &err), err)) return NULL;
    char *text = language_format(t);
    weft_graph_text_destroy(t);
    return text;
}

/* The text; NULL after a failure. */
static char *round_trip(const weft_graph *g)
{
    char *text = print_folded(g), *again = NULL;
    weft_graph *back = NULL;
    bool ok = text && CHECK_OK(weft_graph_parse(text, strlen(text), "t", NULL, &back, &err), err) &&
              CHECK_OK(weft__graph_same(g, back, &err), err) && (again = print_folded(back)) && CHECK_STR(again, text);
    weft_graph_destroy(back);
    free(again);
    if (ok) return text;
    if (text) printf("%s\n", text);
    free(text);
    return NULL;
}

/* ---- graphs of layers ---- */

typedef struct gen {
    weft_graph *g;
    uint64_t state;
    weft_dim T;
    int64_t width;
    weft_ref x, embed, other, angles; /* handed on; from before the layers; a second one handed on */
    uint32_t L, kind, every, threshold;
    uint64_t members;
    uint64_t shape; /* what layers are made of: the same for all of them */
} gen;

static uint32_t below(gen *r, uint32_t n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33) % n;
}

static weft_ref project(gen *r, weft_ref in, const char *name, int64_t n_out, bool bias)
{
    const weft_value *v = weft_graph_value(r->g, in);
    weft_scope_begin(r->g, "%s", name);
    weft_ref w = weft_weight(r->g, WEFT_F16, WEFT_DIMS(n_out, v->dims.d[v->dims.rank - 1].n), "weight");
    weft_ref y = weft_matmul_nt(r->g, in, w);
    if (bias) y = weft_add(r->g, y, weft_weight(r->g, WEFT_F32, WEFT_DIMS(n_out), "bias"));
    return weft_scope_end(r->g, y);
}

static weft_ref norm(gen *r, weft_ref in, const char *name, float eps)
{
    weft_scope_begin(r->g, "%s", name);
    weft_ref w = weft_weight(r->g, WEFT_F32, WEFT_DIMS(r->width), "weight");
    return weft_scope_end(r->g, weft_rms_norm(r->g, in, w, eps));
}

/* Whether layer i is of the other kind. */
static bool is_other(const gen *r, uint32_t i)
{
    switch (r->kind) {
    case 0: return false;
    case 1: return i % r->every == r->threshold % r->every;
    case 2: return i < r->threshold;
    case 3: return i >= r->threshold;
    default: return r->members >> i & 1;
    }
}

static weft_ref heads(gen *r, weft_ref in, const char *name, bool turn)
{
    weft_ref y = weft_reshape(r->g, project(r, in, name, r->width, r->shape & 1), WEFT_DIMS(r->T, r->width / 4, 4));
    return turn ? weft_rope(r->g, y, r->angles, r->shape >> 1 & 1) : y;
}

/* Rows of a state, as caches are. */
static weft_ref cached(gen *r, weft_ref in, const char *name)
{
    weft_ref at = weft_graph_find(r->g, "cell");
    weft_ref state = weft_state(r->g, WEFT_F16, WEFT_DIMS(r->width / 4, 32, 4), name);
    return weft_store(r->g, state, weft_transpose(r->g, in, 0, 1), at, 1);
}

static weft_ref attention(gen *r, weft_ref in, uint32_t i)
{
    bool turn = !(r->shape >> 2 & 1) || !is_other(r, i);
    weft_scope_begin(r->g, r->shape >> 3 & 1 ? "attn.core" : "self_attn");
    weft_ref q = heads(r, in, "q_proj", turn), k = heads(r, in, "k_proj", turn), v = heads(r, in, "v_proj", false);
    weft_ref keys = cached(r, k, "key"), values = cached(r, v, "value");
    float scale = r->shape >> 4 & 1 ? 0.5f / (float)(i + 1) : 0.5f;
    weft_ref first = weft_graph_find(r->g, "first"), pos = weft_graph_find(r->g, "pos");
    weft_ref y = weft_attention(r->g, q, keys, values, first, pos, scale);
    y = weft_reshape(r->g, y, WEFT_DIMS(r->T, r->width));
    return weft_scope_end(r->g, project(r, y, "o_proj", r->width, false));
}

static weft_ref experts(gen *r, weft_ref in)
{
    weft_ref best, ids;
    weft_scope_begin(r->g, "experts");
    weft_top_k(r->g, project(r, in, "gate", 4, false), 2, &best, &ids);
    weft_ref w = weft_weight(r->g, WEFT_F16, WEFT_DIMS(4, r->width, r->width), "down");
    weft_ref y = weft_linear_select(r->g, in, w, ids);
    y = weft_matmul(r->g, weft_reshape(r->g, weft_softmax(r->g, best, -1), WEFT_DIMS(r->T, 1, 2)), y);
    return weft_scope_end(r->g, weft_reshape(r->g, y, WEFT_DIMS(r->T, r->width)));
}

static weft_ref mlp(gen *r, weft_ref in, uint32_t i)
{
    bool other = is_other(r, i);
    if (other && r->shape >> 5 & 1) return experts(r, in);
    int64_t inner = r->width * (r->shape >> 6 & 1 ? 2 + i : 2);
    weft_scope_begin(r->g, "mlp");
    weft_ref gate = project(r, in, "gate_proj", inner, false);
    gate = other && r->shape >> 7 & 1 ? weft_relu(r->g, gate) : weft_silu(r->g, gate);
    weft_ref y = r->shape >> 8 & 1 ? weft_mul(r->g, gate, project(r, in, "up_proj", inner, false)) : gate;
    return weft_scope_end(r->g, project(r, y, "down_proj", r->width, r->shape >> 9 & 1));
}

/* A weight for each head, put together one by one. */
static weft_ref listed(gen *r)
{
    weft_ref all = { 0 };
    for (uint32_t j = 0; j < 3 + (r->shape >> 10 & 1); j++) {
        weft_scope_begin(r->g, "norms.%u", j);
        weft_ref pair[2] = { all, weft_weight(r->g, WEFT_F32, WEFT_DIMS(r->width), "weight") };
        all = weft_scope_end(r->g, j ? weft_concat(r->g, pair, 2, 0) : pair[1]);
    }
    return weft_reduce_sum(r->g, weft_reshape(r->g, all, WEFT_DIMS(3 + (r->shape >> 10 & 1), r->width)), 0);
}

static void layer(gen *r, uint32_t i)
{
    weft_ref n = norm(r, r->x, "input_layernorm", 1e-5f);
    weft_ref h = weft_add(r->g, r->x, attention(r, n, i));
    if (r->shape >> 11 & 1) h = weft_add(r->g, h, r->embed); /* what the first layer read */
    if (r->shape >> 12 & 1) n = norm(r, h, "post_attention_layernorm", r->shape >> 13 & 1 ? 1e-6f : 1e-5f);
    if (r->shape >> 14 & 1) n = weft_mul(r->g, n, listed(r));
    weft_ref y = mlp(r, n, i);
    if (r->shape >> 15 & 1) { /* a second value that is handed on */
        r->other = weft_add(r->g, r->other, y);
        y = weft_mul(r->g, y, r->other);
    }
    r->x = weft_add(r->g, h, y);
}

static void layers(gen *r)
{
    const char *name = r->shape >> 16 & 1 ? "h" : "model.layers";
    bool last = r->shape >> 17 & 1, outputs = r->shape >> 18 & 1;
    for (uint32_t i = 0; i < r->L; i++) {
        if (outputs && last) weft_output(r->g, r->x, "hidden.%u", i);
        weft_scope_begin(r->g, "%s.%u", name, i);
        layer(r, i);
        weft_scope_end(r->g, r->x);
        if (outputs && !last) weft_output(r->g, r->x, "after.%u", i + 1);
    }
}

static weft_graph *make_layered(uint64_t seed)
{
    gen r = { .state = seed * 0x9e3779b97f4a7c15u + 1 };
    if (!CHECK_OK(weft_graph_create(NULL, &r.g, &err), err)) return NULL;
    for (int i = 0; i < 20; i++) r.shape = r.shape << 1 | below(&r, 2);
    r.L = 1 + below(&r, 9);
    r.kind = below(&r, 5);
    r.every = 2 + below(&r, 3);
    r.threshold = below(&r, r.L);
    r.members = below(&r, 1u << 16);
    r.width = 4 * (1 + below(&r, 3));
    r.T = weft_extent(r.g, "tokens", 8);
    weft_ref tokens = weft_input(r.g, WEFT_I32, WEFT_DIMS(r.T), "tokens");
    weft_ref pos = weft_input(r.g, WEFT_I32, WEFT_DIMS(r.T), "pos");
    weft_input(r.g, WEFT_I32, WEFT_DIMS(r.T), "cell");
    weft_input(r.g, WEFT_I32, WEFT_DIMS(r.T), "first");
    r.angles = weft_rope_angles(r.g, pos, 4, 10000);
    r.embed = weft_gather(r.g, weft_weight(r.g, WEFT_F16, WEFT_DIMS(50, r.width), "model.embed.weight"), tokens);
    r.x = r.shape >> 19 & 1 ? weft_scale(r.g, r.embed, 0.3f) : r.embed;
    r.other = weft_tanh(r.g, r.embed);
    layers(&r);
    weft_output(r.g, norm(&r, r.x, "model.norm", 1e-5f), "y");
    if (CHECK_OK(weft_graph_seal(r.g, &err), err)) return r.g;
    weft_graph_destroy(r.g);
    return NULL;
}

static uint32_t count_lines(const char *s)
{
    uint32_t n = 0;
    for (; *s; s++) n += *s == '\n';
    return n;
}

static bool take(const char *what, uint64_t seed)
{
    char row[40];
    snprintf(row, sizeof row, "%s %" PRIu64, what, seed);
    return sample_takes(row, "graph");
}

static void layers_round_trip(void)
{
    uint64_t nodes = 0, lines = 0, n = 0, unfolded = 0;
    sample_print();
    for (uint64_t seed = 0; seed < LAYERED && weft_test_now.failures < 3; seed++) {
        weft_graph *g = take("layers", seed) ? make_layered(seed) : NULL;
        char *text = g ? round_trip(g) : NULL;
        if (g && !text) printf("  seed %" PRIu64 "\n", seed);
        if (text) {
            n++;
            nodes += weft_graph_node_count(g);
            lines += count_lines(text);
            bool flat = !strstr(text, "repeat i in 0..") && (strstr(text, "\"h.2\"") || strstr(text, "layers.2"));
            if (flat && !unfolded++) printf("  seed %" PRIu64 " has no repeat\n", seed);
        }
        free(text);
        weft_graph_destroy(g);
    }
    printf("  %" PRIu64 " graphs, %" PRIu64 " nodes in %" PRIu64 " lines; %" PRIu64 " without a repeat\n", n, nodes,
           lines, unfolded);
    CHECK(nodes > lines);
    CHECK_EQ_INT(unfolded, 0);
}

static void random_graphs_round_trip(void)
{
    for (uint64_t seed = 0; seed < PLAIN && weft_test_now.failures < 3; seed++) {
        random_graph r;
        if (!take("ops", seed)) continue;
        if (!CHECK_OK(random_graph_make(seed, 25, &r, &err), err)) return;
        char *text = round_trip(r.g);
        if (!text) printf("  seed %" PRIu64 "\n", seed);
        free(text);
        weft_graph_destroy(r.g);
    }
}

static void allocations_may_fail(void)
{
    for (uint64_t seed = 10; seed < 13; seed++) {
        weft_graph *g = make_layered(seed);
        weft_graph_text *t;
        OOM_LOOP (n) {
            weft_status s = weft_graph_text_of(g, &t, &err);
            OOM_CHECK(s, err);
            CHECK((t != NULL) == (s == WEFT_OK));
            weft_graph_text_destroy(t);
        }
        weft_graph_destroy(g);
    }
}

/* Names of many numbers, which go up in a repeat. */
static void names_of_many_numbers(void)
{
    for (int n = 20; n <= 500; n += 20) {
        weft_graph *g = NULL;
        char name[1024];
        if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return;
        weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(3), "x");
        for (int turn = 0; turn < 4; turn++) {
            int used = 0;
            for (int i = 0; i < n; i++) used += snprintf(name + used, sizeof name - (size_t)used, "%d.", turn);
            snprintf(name + used, sizeof name - (size_t)used, "w");
            x = weft_add(g, x, weft_weight(g, WEFT_F32, WEFT_DIMS(3), name));
        }
        weft_output(g, x, "y");
        if (CHECK_OK(weft_graph_seal(g, &err), err)) free(round_trip(g));
        weft_graph_destroy(g);
    }
}

/* The longest that a node of a flat text may stand in: one part, or many. */
static void scopes_of_any_length(void)
{
    for (int part = 1; part <= 1100; part += 157) {
        char scope[1024], flat[1400];
        for (int i = 0; i < 1023; i++) {
            scope[i] = (char)('a' + i % 7);
            if (i % (part + 1) == part && i < 1022) scope[i] = '.';
        }
        scope[1023] = 0;
        snprintf(flat, sizeof flat,
                 "weft-graph 1\n%%1 = input \"x\" : f32[3]\n%%2 = relu %%1 : f32[3] @ \"%s\"\n"
                 "output \"y\" = %%2\n", scope);
        weft_graph *g = NULL;
        if (!CHECK_OK(weft_graph_parse(flat, strlen(flat), "flat", NULL, &g, &err), err)) return;
        free(round_trip(g));
        weft_graph_destroy(g);
    }
}

static const weft_test tests[] = {
    { "scopes_of_any_length", scopes_of_any_length },
    { "names_of_many_numbers", names_of_many_numbers },
    { "allocations_may_fail", allocations_may_fail },
    { "layers_round_trip", layers_round_trip },
    { "random_graphs_round_trip", random_graphs_round_trip },
};
TEST_MAIN(tests)
