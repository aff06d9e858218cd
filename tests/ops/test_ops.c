/* test_ops.c: the op cases on every device.
 *
 *   test_ops [test] [--device SPEC] [--op NAME] [--case TEXT] [--verbose]  compare with the oracle
 *   test_ops list  ...                                                   which kernel serves each case; fails if
 *                                                                        none does (BENCH rows may be too large)
 *   test_ops bench ...                                                   time the BENCH rows
 *
 * SPEC names a device without threads, "cpu,isa=avx2"; without it the test runs on all that the processor has. Each
 * case runs with one thread and with three, as built and optimised, exact and not. Which cases: tests/sample.h. */
#include "cases.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sample.h"

typedef struct options {
    const char *mode, *device, *op, *text;
    bool verbose;
} options;

static const char *const all_devices[] = { "cpu,isa=scalar", "cpu,isa=avx2", "cpu,isa=avxvnni",
                                           "cpu,isa=avx512", "cpu,isa=neon", "cpu,isa=dotprod", "cpu,isa=i8mm" };

static bool wanted(const options *o, const op_case *c)
{
    return (!o->op || !strcmp(weft_op_get(c->op)->name, o->op)) &&
           (!o->text || strstr(c->text, o->text));
}

/* Opens a device; NULL if this machine lacks it (said once). A GPU has no threads to choose. */
static weft_backend *open_device(const char *spec, unsigned threads, char *full, size_t size)
{
    weft_error err;
    weft_backend *b = NULL;
    bool cpu = !strncmp(spec, "cpu", 3);
    snprintf(full, size, cpu ? "%s,threads=%u" : "%s", spec, threads);
    weft_status status = weft_backend_open(full, &b, &err);
    if (status == WEFT_OK) return b;
    bool skip = status == WEFT_UNSUPPORTED || (!cpu && status == WEFT_NOT_FOUND);
    printf("%s: %s: %s\n", skip ? "skipped" : "failed", spec, err.text);
    if (!skip) exit(1);
    return NULL;
}

/* ---- test ---- */

typedef struct seen {
    weft_op op;
    bool found;
} seen;

static void look(void *ctx, const weft_program *p)
{
    seen *s = ctx;
    const weft_graph *g = weft_program_graph(p);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++)
        s->found |= weft_graph_node(g, i)->op == s->op;
}

typedef struct tally {
    unsigned runs, failed, unsure;
    double worst;
} tally;

/* One case on one device, in the four ways. */
static bool run_case(const op_case *c, subject *s, weft_backend *device, const char *spec, tally *t,
                     bool verbose)
{
    bool ok = true, found = false;
    double worst = 0.0;
    subject_meet(s, device);
    for (int exact = 0; exact < 2; exact++) {
        if (!subject_expect(s, exact)) return false;
        t->unsure += s->n_unsure;
        for (int as_built = 0; as_built < 2; as_built++) {
            subject_way way = { device, spec, as_built, exact };
            seen look_for = { c->op, false };
            t->runs++;
            if (subject_compare(s, &way, &worst, look, &look_for)) {
                ok = false;
                t->failed++;
            }
            found |= look_for.found;
        }
    }
    if (ok && !found) {
        printf("%s\n    on %s: no program contains the op\n", c->text, spec);
        t->failed++;
        ok = false;
    }
    if (verbose) printf("%8.3f  %s\n", worst, c->text);
    if (worst > t->worst && isfinite(worst)) t->worst = worst;
    return ok;
}

/* A product of few cases is no sample, which might have none of them. */
static bool few_wanted(const options *o)
{
    uint32_t n, n_wanted = 0;
    const op_case *cases = op_cases(&n);
    for (uint32_t i = 0; i < n; i++) n_wanted += !cases[i].bench && wanted(o, &cases[i]);
    return n_wanted <= 16;
}

static bool names(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n)
        if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[n]) && at[n] != '_')
            return true;
    return false;
}

/* Whether a sample has the case. On GPUs nearly all of the time goes into compiling kernels, most of them anew for each
 * format of blocks. So all devices of Vulkan run the same cases, whose kernels a driver then keeps; and those of a
 * format beyond the two that everybody uses are taken by format, all of it or none, half as often. */
static bool in_sample(const char *text, const char *device)
{
    static const char *const formats[] = {
#define WEFT_BLOCK(number, id, ...) #id,
#include "graph/block.def"
#undef WEFT_BLOCK
    };
    if (!strncmp(device, "cpu", 3)) return sample_takes(text, device);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i], "Q8_0") && strcmp(formats[i], "Q4_0") && names(text, formats[i]))
            return sample_takes_number(i);
    return sample_takes(text, "gpu");
}

static void test_device(const options *o, const char *spec, tally *t)
{
    char full[512];
    uint32_t n;
    const op_case *cases = op_cases(&n);
    bool whole = few_wanted(o);
    for (unsigned threads = 1; threads <= (strncmp(spec, "cpu", 3) ? 1 : 3); threads += 2) {
        weft_backend *device = open_device(spec, threads, full, sizeof full);
        if (!device) return;
        tally before = *t;
        t->worst = 0.0;
        for (uint32_t i = 0; i < n; i++) {
            subject s;
            if (cases[i].bench || !wanted(o, &cases[i])) continue;
            if (!whole && !in_sample(cases[i].text, full)) continue;
            if (op_case_build(i, &s))
                run_case(&cases[i], &s, device, full, t, o->verbose);
            else
                t->failed++;
            subject_end(&s);
        }
        printf("%s: %u runs, %u failed; largest error %.2f of what is allowed\n", full,
               t->runs - before.runs, t->failed - before.failed, t->worst);
        fflush(stdout);
        weft_backend_close(device);
    }
}

/* Every op with a kernel has a case. A transfer needs two kinds of device, and its kernel is the program itself. */
static unsigned check_coverage(void)
{
    unsigned missing = 0;
    uint32_t n;
    const op_case *cases = op_cases(&n);
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft_op_info *info = weft_op_get((weft_op)op);
        bool covered =
            (info->traits & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) || op == WEFT_OP_transfer;
        for (uint32_t i = 0; i < n; i++) covered |= !cases[i].bench && cases[i].op == (weft_op)op;
        if (!covered) printf("op %s has no case\n", info->name);
        missing += !covered;
    }
    return missing;
}

static int test(const options *o)
{
    tally t = { 0 };
    unsigned missing = check_coverage();
    sample_print();
    for (size_t i = 0; !o->device && i < sizeof all_devices / sizeof *all_devices; i++)
        test_device(o, all_devices[i], &t);
    if (o->device) test_device(o, o->device, &t);
    printf("%u runs, %u failed, %u ops without a case, %u outputs not comparable\n", t.runs,
           t.failed, missing, t.unsure);
    if (t.failed || missing) return 1;
    return t.runs ? 0 : 77;
}

/* ---- list ---- */

static void print_kernels(void *ctx, const weft_program *p)
{
    const weft_graph *g = weft_program_graph(p);
    const char *text = ctx;
    printf("%s\n", text);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        weft_place place = weft_program_place(p, n->id);
        if (place.kernel[0])
            printf("    %-12s %-28s %s\n", weft_op_get(n->op)->name, place.kernel,
                   weft_place_name(place.reason));
    }
}

static int list(const options *o)
{
    uint32_t n;
    weft_error err;
    const op_case *cases = op_cases(&n);
    const char *spec = o->device ? o->device : "cpu";
    weft_backend *device = NULL;
    if (weft_backend_open(spec, &device, &err) != WEFT_OK) {
        printf("%s: %s\n", spec, err.text);
        return 1;
    }
    int gaps = 0;
    for (uint32_t i = 0; i < n; i++) {
        subject s;
        weft_program *p = NULL;
        if (!wanted(o, &cases[i])) continue;
        const weft_program_desc desc = { .devices = &device, .n_devices = 1, .strict = true };
        if (!op_case_build(i, &s) || weft_program_create(s.g, &desc, &p, &err) != WEFT_OK) {
            printf("%s\n    %s: %s\n", cases[i].text, cases[i].bench ? "not here" : "gap", err.text);
            gaps += !cases[i].bench;
        } else {
            print_kernels((void *)(uintptr_t)cases[i].text, p);
        }
        weft_program_destroy(p);
        subject_end(&s);
    }
    printf("%d gaps\n", gaps);
    weft_backend_close(device);
    return gaps != 0;
}

/* ---- bench ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median time of a run, over a fifth of a second and at least seven runs. */
static double time_runs(weft_program *p, weft_error *err)
{
    double times[1000], start = seconds();
    uint32_t n = 0;
    if (weft_program_run(p, err) != WEFT_OK) return -1.0;
    while (n < 1000 && (n < 7 || seconds() - start < 0.2)) {
        double before = seconds();
        if (weft_program_run(p, err) != WEFT_OK) return -1.0;
        times[n++] = seconds() - before;
    }
    qsort(times, n, sizeof *times, by_value);
    return times[n / 2];
}

static void bench_case(const op_case *c, subject *s, weft_backend *device)
{
    weft_error err;
    weft_program *p = NULL;
    weft_weights *weights = NULL;
    weft_weight_source source = subject_weights(s);
    const weft_program_desc desc = { .devices = &device, .n_devices = 1 };
    double time = -1.0;
    weft_cost total = { 0 };
    if (weft_program_create(s->g, &desc, &p, &err) == WEFT_OK &&
        weft_weights_create(&source, 1, &weights, &err) == WEFT_OK &&
        weft_program_load(p, weights, NULL, &err) == WEFT_OK && subject_write(s, p, 0, &err) == WEFT_OK)
        time = time_runs(p, &err);
    if (time < 0.0) {
        printf("%s: %s\n", c->text, err.text);
    } else {
        const weft_graph *g = weft_program_graph(p);
        for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
            weft_cost cost = weft_node_cost(g, weft_graph_node(g, i), NULL);
            total.flops += cost.flops;
            total.bytes_read += cost.bytes_read + cost.bytes_written;
        }
        printf("%10.1f us %8.1f GFLOP/s %8.1f GB/s  %s\n", time * 1e6, total.flops / time * 1e-9,
               total.bytes_read / time * 1e-9, c->text);
    }
    weft_program_destroy(p);
    weft_weights_destroy(weights);
}

static int bench(const options *o)
{
    uint32_t n;
    weft_error err;
    weft_backend *device;
    const op_case *cases = op_cases(&n);
    if (weft_backend_open(o->device ? o->device : "cpu", &device, &err) != WEFT_OK) {
        printf("%s\n", err.text);
        return 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        subject s;
        if (!cases[i].bench || !wanted(o, &cases[i])) continue;
        if (op_case_build(i, &s)) bench_case(&cases[i], &s, device);
        subject_end(&s);
    }
    weft_backend_close(device);
    return 0;
}

int main(int argc, char **argv)
{
    options o = { .mode = "test" };
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--verbose"))
            o.verbose = true;
        else if (!strcmp(argv[i], "--device") && value)
            o.device = argv[++i];
        else if (!strcmp(argv[i], "--op") && value)
            o.op = argv[++i];
        else if (!strcmp(argv[i], "--case") && value)
            o.text = argv[++i];
        else
            o.mode = argv[i];
    }
    if (!strcmp(o.mode, "test")) return test(&o);
    if (!strcmp(o.mode, "list")) return list(&o);
    if (!strcmp(o.mode, "bench")) return bench(&o);
    fprintf(stderr, "test_ops: %s: one of test, list, bench\n", o.mode);
    return 2;
}
