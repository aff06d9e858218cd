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
    *desc = (weft_plan_desc){ .nodes = nodes, .n_devices = 1 + (uint32_t)(next(state) % 3), .keep = next(state) % 10 == 0 };
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
    { "the judge notices random faults", the_judge_notices_random_faults },
};
TEST_MAIN(tests)
