/* test_random.c: random graphs on every device, whole (as built and optimised) and step by step, against the oracle.
 *
 *   test_random [--seed S] [--count N] [--size OPS] [--device SPEC]
 *
 * A failing graph is named by its seed: --seed S --count 1 repeats it alone, and prints its text. Which of the graphs
 * are run: tests/sample.h. */
#include "subject.h"
#include "tests/random_graph.h"
#include "tests/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const devices[] = { "cpu,isa=scalar", "cpu,isa=avx2", "cpu,isa=avxvnni",
                                       "cpu,isa=avx512", "cpu,isa=neon", "cpu,isa=dotprod", "cpu,isa=i8mm" };

typedef struct tally {
    unsigned graphs, failed, outputs, unsure;
    double worst;
} tally;

static void add_sources(subject *s, const random_graph *r)
{
    for (uint32_t i = 0; i < weft_graph_node_count(r->g); i++) {
        const weft_node *n = weft_graph_node(r->g, i);
        if (!(weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) || n->op == WEFT_OP_constant)
            continue;
        const weft_value *v = weft_graph_value(r->g, n->out[0]);
        const random_index *index = NULL;
        for (uint32_t k = 0; k < r->n_indices; k++)
            if (!strcmp(r->indices[k].name, n->name)) index = &r->indices[k];
        if (index && index->unique)
            subject_source(s, n->op, n->name, v->dtype, v->dtype, &v->dims, FILL_UNIQUE, 0,
                           index->hi + 1);
        else if (v->dtype == WEFT_I32)
            subject_source(s, n->op, n->name, v->dtype, v->dtype, &v->dims, FILL_INDEX,
                           index ? index->lo : -50, index ? index->hi : 50);
        else
            subject_source(s, n->op, n->name, v->dtype, v->dtype, &v->dims, FILL_FLOAT, 0, 0);
    }
}

/* False: said on stdout. */
static bool make(subject *s, uint64_t seed, uint32_t size)
{
    random_graph r;
    weft_error err;
    char label[80];
    memset(s, 0, sizeof *s);
    if (random_graph_make(seed, size, &r, &err) != WEFT_OK) {
        printf("seed %llu: %s\n", (unsigned long long)seed, err.text);
        return false;
    }
    snprintf(label, sizeof label, "random graph, --seed %llu --size %u", (unsigned long long)seed,
             size);
    subject_begin(s, label, seed);
    weft_graph_destroy(s->g);
    s->g = r.g;
    for (uint32_t e = 1; e <= weft_graph_extent_count(r.g); e++) {
        uint32_t bound;
        weft_graph_extent(r.g, e, &bound);
        s->actual[e - 1] = 1 + (int64_t)((seed * 5 + e * 3) % bound); /* not all alike */
    }
    add_sources(s, &r);
    return true;
}

static void print_graph(const weft_graph *g)
{
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    weft_error err;
    if (weft_graph_print(g, &w, &err) == WEFT_OK) printf("%s", text.data);
    weft_text_free(&text);
}

static void run(subject *s, weft_backend *device, const char *spec, unsigned round, tally *t)
{
    /* Whole runs alternate in exactness from graph to graph; both forms of the graph always run. */
    bool exact = round % 2;
    unsigned faults = 0;
    subject_meet(s, device);
    if (!subject_expect(s, exact)) {
        t->failed++;
        return;
    }
    t->graphs++;
    t->outputs += s->n_outputs * s->n_runs;
    t->unsure += s->n_unsure;
    for (int as_built = 0; as_built < 2; as_built++) {
        subject_way way = { device, spec, as_built, exact };
        faults += subject_compare(s, &way, &t->worst, NULL, NULL);
        faults += subject_compare_steps(s, &way, &t->worst);
    }
    if (faults) t->failed++;
}

static weft_backend *open_device(const char *spec, char *full, size_t size)
{
    weft_error err;
    weft_backend *b = NULL;
    snprintf(full, size, "%s%s", spec, strncmp(spec, "cpu", 3) ? "" : ",threads=2");
    if (weft_backend_open(full, &b, &err) != WEFT_OK) printf("skipped: %s: %s\n", spec, err.text);
    return b;
}

static void test_device(const char *spec, uint64_t seed, uint32_t count, uint32_t size, tally *t)
{
    char full[512];
    weft_backend *device = open_device(spec, full, sizeof full);
    for (uint32_t i = 0; device && i < count; i++) {
        subject s;
        char row[32];
        unsigned failed = t->failed;
        snprintf(row, sizeof row, "graph %llu", (unsigned long long)(seed + i));
        if (count > 1 && !sample_takes(row, full)) continue;
        if (make(&s, seed + i, size))
            run(&s, device, full, i, t);
        else
            t->failed++;
        if (count == 1 && t->failed > failed) print_graph(s.g);
        subject_end(&s);
    }
    if (device) printf("%s: %u graphs so far, %u failed\n", full, t->graphs, t->failed);
    weft_backend_close(device);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint32_t count = 200, size = 24;
    const char *only = NULL;
    tally t = { 0 };
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed")) seed = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--count")) count = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--size")) size = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--device")) only = argv[i + 1];
    }
    sample_print();
    for (size_t d = 0; !only && d < sizeof devices / sizeof *devices; d++)
        test_device(devices[d], seed, count, size, &t);
    if (only) test_device(only, seed, count, size, &t);
    printf("seeds %llu..%llu: %u graphs, %u failed; %u outputs, %u of them not comparable; largest "
           "error %.2f of what is "
           "allowed\n",
           (unsigned long long)seed, (unsigned long long)(seed + count - 1), t.graphs, t.failed,
           t.outputs, t.unsure, t.worst);
    return t.failed ? 1 : t.graphs ? 0 : 77;
}
