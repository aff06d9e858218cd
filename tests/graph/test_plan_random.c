/* Plans of random graphs, judged by brute force (plan_check.h): any alignment, scratch, in-place wishes and devices. */
#include "graph/rewrite.h"
#include "plan_check.h"
#include "support.h"
#include "tests/random_graph.h"

enum { SEEDS = 300, SIZE = 40 };

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* A copy in front of every reshape that is no view, as a scheduler puts it. */
static bool copy_where_needed(weft_graph *g)
{
    weft_error err = { 0 };
    uint32_t count = weft_graph_node_count(g);
    uint32_t *ids = calloc(count + 1, sizeof *ids);
    bool ok = ids != NULL;
    for (uint32_t i = 0; i < count && ok; i++) ids[i] = weft_graph_node(g, i)->id;
    for (uint32_t i = 0; i < count && ok; i++) {
        const weft_node *n = weft_graph_node_by_id(g, ids[i]);
        weft_slot s;
        weft_ref made = { 0 };
        if (n->op != WEFT_OP_reshape || weft_plan_view(g, n->out[0], NULL, &s)) continue;
        ok = CHECK_OK(weft__rewrite_insert(g, WEFT_OP_copy, n->id, 0, &made, &err), err);
    }
    free(ids);
    return ok && CHECK_OK(weft__rewrite_finish(g, &err), err);
}

static void describe(const weft_graph *g, uint64_t *state, weft_plan_desc *desc, weft_plan_node *nodes)
{
    *desc =
        (weft_plan_desc){ .nodes = nodes, .n_devices = 1 + (uint32_t)(next(state) % 3), .keep = next(state) % 10 == 0 };
    desc->alignment = 1u << next(state) % 9;
    uint32_t device = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        weft_plan_node *info = &nodes[n->id];
        if (next(state) % 8 == 0) device = (uint32_t)next(state) % desc->n_devices;
        info->device = device;
        info->inplace = next(state) % 4 != 0;
        info->scratch_bytes = next(state) % 4 == 0 ? next(state) % 3000 : 0;
    }
}

static void random_plans_are_right(void)
{
    weft_error err = { 0 };
    random_graph r;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!CHECK_OK(random_graph_make(seed, SIZE, &r, &err), err)) return;
        if (seed % 2) CHECK_OK(weft_graph_optimise(r.g, NULL, 0, &err), err);
        if (!copy_where_needed(r.g)) return;
        uint64_t state = seed;
        plan_judge judge;
        weft_plan_desc desc;
        weft_plan_node *nodes = calloc(weft_graph_node_limit(r.g), sizeof *nodes);
        describe(r.g, &state, &desc, nodes);
        weft_plan *p = NULL;
        bool ok = CHECK_OK(weft_plan_create(r.g, &desc, &p, &err), err);
        ok = ok && CHECK_STR(plan_fault(&judge, r.g, p, &desc), NULL);
        if (!ok) printf("  seed %" PRIu64 "\n", seed);
        weft_plan_destroy(p);
        free(nodes);
        weft_graph_destroy(r.g);
    }
}

/* ---- layouts: every element of every view, by the meaning of the ops, at actual sizes below the bounds ---- */

typedef struct layout {
    const weft_graph *g;
    const int64_t *extents;
} layout;

/* Where element `at` of input 0 comes from: index of a view's element -> index in its input. */
static void trace(const layout *l, const weft_node *n, const int64_t *at, int64_t *from)
{
    int64_t in[WEFT_MAX_RANK], out[WEFT_MAX_RANK], flat = 0;
    const weft_dims *a = &weft_graph_value(l->g, n->in[0])->dims, *b = &weft_graph_value(l->g, n->out[0])->dims;
    weft_dims_resolve(l->g, a, l->extents, in);
    weft_dims_resolve(l->g, b, l->extents, out);
    if (n->op == WEFT_OP_reshape) {
        for (uint32_t i = 0; i < b->rank; i++) flat = flat * out[i] + at[i];
        for (uint32_t i = a->rank; i-- > 0; flat /= in[i]) from[i] = flat % in[i];
    } else if (n->op == WEFT_OP_permute) {
        for (uint32_t i = 0; i < a->rank; i++) from[n->attrs.permute.order.axis[i]] = at[i];
    } else if (n->op == WEFT_OP_broadcast) {
        for (uint32_t i = 0; i < a->rank; i++) from[i] = in[i] == 1 ? 0 : at[i + b->rank - a->rank];
    } else if (n->op == WEFT_OP_slice) {
        for (uint32_t i = 0; i < a->rank; i++) from[i] = at[i];
        from[n->attrs.slice.axis] += n->attrs.slice.start;
    } else { /* select */
        for (uint32_t i = 0; i < a->rank; i++) from[i] = at[i - (i > (uint32_t)n->attrs.select.axis)];
        from[n->attrs.select.axis] = n->attrs.select.index;
    }
}

/* Element `at` of r, counted in its root's storage, which is laid out for the bounds. */
static int64_t stored_at(const layout *l, weft_ref r, const int64_t *at)
{
    int64_t here[WEFT_MAX_RANK], from[WEFT_MAX_RANK] = { 0 }, dim[WEFT_MAX_RANK], element = 0;
    memcpy(here, at, sizeof here);
    for (;;) {
        const weft_node *n = weft_graph_node_by_id(l->g, weft_graph_value(l->g, r)->node);
        uint32_t traits = weft_op_get(n->op)->traits;
        if (!(traits & (WEFT_TRAIT_VIEW | WEFT_TRAIT_STATE))) break;
        if (traits & WEFT_TRAIT_VIEW) {
            trace(l, n, here, from);
            memcpy(here, from, sizeof here);
        }
        r = n->in[0];
    }
    const weft_dims *d = &weft_graph_value(l->g, r)->dims;
    weft_dims_resolve(l->g, d, NULL, dim);
    for (uint32_t i = 0; i < d->rank; i++) element = element * dim[i] + here[i];
    return element;
}

static bool layout_is_right(const layout *l, weft_ref r, const weft_slot *s)
{
    const weft_dims *d = &weft_graph_value(l->g, r)->dims;
    int64_t dim[WEFT_MAX_RANK], at[WEFT_MAX_RANK] = { 0 }, n = weft_value_elements(l->g, r, l->extents);
    weft_dims_resolve(l->g, d, l->extents, dim);
    for (int64_t k = 0; k < n; k++) {
        int64_t place = s->first, rest = k;
        for (uint32_t i = d->rank; i-- > 0; rest /= dim[i]) at[i] = rest % dim[i];
        for (uint32_t i = 0; i < d->rank; i++) place += at[i] * s->stride[i];
        if (place != stored_at(l, r, at)) return false;
    }
    return true;
}

/* Five random views of an input, one upon the other. Reshapes join two axes or split one. */
static weft_ref view_chain(weft_graph *g, uint64_t *state, weft_dim T, const char *name)
{
    weft_dim a = { 1 + (int64_t)(next(state) % 4), 0 };
    weft_dims first = { 3, { a, T, { 6, 0 } } };
    if (next(state) % 2) first.d[0] = T, first.d[1] = a;
    weft_ref x = weft_input(g, WEFT_F32, first, name);
    for (int i = 0; i < 5; i++) {
        weft_dims d = weft_graph_value(g, x)->dims;
        uint32_t axis = d.rank ? (uint32_t)next(state) % d.rank : 0, kind = (uint32_t)next(state) % 8;
        weft_dim size = d.rank ? d.d[axis] : (weft_dim){ 1, 0 };
        if (kind < 2 && d.rank > 1) {
            x = weft_transpose(g, x, (int)axis, (int)(next(state) % d.rank));
        } else if (kind < 4 && axis + 1 < d.rank && !(size.extent && d.d[axis + 1].extent)) { /* join */
            d.d[axis] = (weft_dim){ size.n * d.d[axis + 1].n, size.extent + d.d[axis + 1].extent };
            for (uint32_t k = axis + 1; k + 1 < d.rank; k++) d.d[k] = d.d[k + 1];
            d.rank--;
            x = weft_reshape(g, x, d);
        } else if (kind < 6 && size.n % 2 == 0 && d.rank < 5) { /* split */
            for (uint32_t k = d.rank++; k > axis; k--) d.d[k] = d.d[k - 1];
            bool outer = next(state) % 2;
            d.d[axis] = (weft_dim){ outer ? size.n / 2 : 2, outer ? size.extent : 0 };
            d.d[axis + 1] = (weft_dim){ outer ? 2 : size.n / 2, outer ? 0 : size.extent };
            x = weft_reshape(g, x, d);
        } else if (kind == 6 && !size.extent && size.n > 1) {
            x = weft_slice(g, x, (int)axis, 1, size.n - 1);
        } else if (kind == 7 && d.rank < 5) {
            for (uint32_t k = d.rank++; k > 0; k--) d.d[k] = d.d[k - 1];
            d.d[0] = (weft_dim){ 2, 0 };
            x = weft_broadcast(g, x, d);
        } else if (!size.extent && d.rank > 1) {
            x = weft_select(g, x, (int)axis, size.n - 1);
        }
    }
    return x;
}

static void views_lie_where_the_ops_say(void)
{
    weft_error err = { 0 };
    uint32_t views = 0, copies = 0;
    uint64_t state = 1;
    for (uint32_t round = 0; round < 100; round++) {
        weft_graph *g = test_graph();
        uint32_t bound = 1 + (uint32_t)next(&state) % 5;
        weft_dim T = weft_extent(g, "tokens", bound);
        for (int i = 0; i < 20; i++) {
            char name[16];
            snprintf(name, sizeof name, "in%d", i);
            weft_output(g, view_chain(g, &state, T, name), "out%d", i);
        }
        CHECK_OK(weft_graph_seal(g, &err), err);
        int64_t extents[] = { 1 + (int64_t)(next(&state) % bound) };
        layout l = { g, extents };
        for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
            const weft_node *n = weft_graph_node(g, i);
            weft_slot s;
            if (!(weft_op_get(n->op)->traits & WEFT_TRAIT_VIEW)) continue;
            bool view = weft_plan_view(g, n->out[0], NULL, &s);
            views += view;
            copies += !view;
            if (view && !CHECK(layout_is_right(&l, n->out[0], &s)))
                printf("  round %u, value %u\n", round, n->out[0].id);
        }
        weft_graph_destroy(g);
    }
    CHECK(views > 3000);
    CHECK(copies > 300);
}

/* What a fault in the planner would look like: the judge sees nearly all of what is changed at random. */
static void the_judge_notices_random_faults(void)
{
    weft_error err = { 0 };
    random_graph r;
    uint32_t planted = 0, seen = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        if (!CHECK_OK(random_graph_make(seed, SIZE, &r, &err), err) || !copy_where_needed(r.g)) return;
        uint64_t state = seed;
        plan_judge judge;
        weft_plan_node *nodes = calloc(weft_graph_node_limit(r.g), sizeof *nodes);
        weft_plan_desc desc = { .nodes = nodes, .n_devices = 1, .alignment = 64 };
        weft_plan *p = NULL;
        if (!CHECK_OK(weft_plan_create(r.g, &desc, &p, &err), err)) return;
        for (uint32_t i = 1; i < p->n_steps; i++) { /* a missing barrier */
            if (!p->steps[i].barrier) continue;
            p->steps[i].barrier = false;
            p->n_barriers--;
            planted++;
            seen += plan_fault(&judge, r.g, p, &desc) != NULL;
            p->steps[i].barrier = true;
            p->n_barriers++;
        }
        for (uint32_t i = 1; i < p->n_slots; i++) { /* a value that moves to the start of the arena */
            weft_slot *s = &p->slots[i];
            if (s->storage != WEFT_STORAGE_ARENA || s->root.id != i || next(&state) % 4 || !s->offset) continue;
            uint64_t offset = s->offset;
            bool meets = false;
            s->offset = 0;
            for (uint32_t k = 1; k < p->n_slots; k++) {
                const weft_slot *t = &p->slots[k];
                meets |= t->storage == WEFT_STORAGE_ARENA && t->root.id != i && t->birth <= s->death &&
                         s->birth <= t->death && t->offset < s->bytes;
            }
            planted += meets;
            seen += meets && plan_fault(&judge, r.g, p, &desc) != NULL;
            s->offset = offset;
        }
        weft_plan_destroy(p);
        free(nodes);
        weft_graph_destroy(r.g);
    }
    CHECK(planted > 500);
    CHECK_EQ_INT(seen, planted);
}

static const weft_test tests[] = {
    { "random plans are right", random_plans_are_right },
    { "views lie where the ops say", views_lie_where_the_ops_say },
    { "the judge notices random faults", the_judge_notices_random_faults },
};
TEST_MAIN(tests)
