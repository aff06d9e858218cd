/* conditions.c: spreads of repeated measurements of a roof, and what of the conditions is worth a warning. */
#include "backends/conditions.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double others_share = 0.05, roof_share = 0.10;

/* The numbers of a roof, and whom they are a limit of. name NULL: its moving is no sign of anything. */
static const struct {
    size_t offset;
    const char *name;
    uint32_t arithmetic;
} numbers[] = {
    { offsetof(weft_roof, bytes_per_second), "bandwidth", UINT32_MAX },
    { offsetof(weft_roof, f32_ops_per_second), "f32 peak", 1u << WEFT_ARITH_F32 | 1u << WEFT_ARITH_BF16 },
    { offsetof(weft_roof, int8_ops_per_second), "int8 peak", 1u << WEFT_ARITH_INT8 },
    { offsetof(weft_roof, f16_matrix_ops_per_second), "f16 matrix peak", 1u << WEFT_ARITH_F16_MATRIX },
    { offsetof(weft_roof, launch_seconds), NULL, 0 },
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static double number_of(const weft_roof *r, size_t i)
{
    double x;
    memcpy(&x, (const char *)r + numbers[i].offset, sizeof x);
    return x;
}

static void set_number(weft_roof *r, size_t i, double x)
{
    memcpy((char *)r + numbers[i].offset, &x, sizeof x);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void weft__roof_spread(const weft_roof *turns, uint32_t n, weft_roof *median, weft_roof *least, weft_roof *most)
{
    double x[WEFT_MAX_ROOF_TURNS];
    if (n > WEFT_MAX_ROOF_TURNS) n = WEFT_MAX_ROOF_TURNS;
    for (size_t i = 0; i < N_NUMBERS; i++) {
        for (uint32_t k = 0; k < n; k++) x[k] = number_of(&turns[k], i);
        qsort(x, n, sizeof *x, by_size);
        set_number(median, i, n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2);
        set_number(least, i, x[0]);
        set_number(most, i, x[n - 1]);
    }
}

uint32_t weft__program_arithmetic(const weft_program *p)
{
    const weft_plan *plan = weft_program_plan(p);
    uint32_t bits = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++)
        bits |= 1u << weft_program_place(p, plan->steps[i].node).arithmetic;
    return bits;
}

double weft__roof_moved(const weft_conditions *c, uint32_t n_devices, const char **what)
{
    double moved = 0;
    *what = "";
    for (uint32_t d = 0; c->turns > 1 && d < n_devices; d++)
        for (size_t i = 0; i < N_NUMBERS; i++) {
            double median = number_of(&c->roofs[d], i);
            double range = number_of(&c->most[d], i) - number_of(&c->least[d], i);
            bool counts = numbers[i].name && (!c->arithmetic || c->arithmetic & numbers[i].arithmetic);
            if (!counts || !(median > 0) || range / median <= moved) continue;
            moved = range / median;
            *what = numbers[i].name;
        }
    return moved;
}

void weft__conditions_warnings(const weft_conditions *c, uint32_t n_devices, weft__warnings *out)
{
    const char *what;
    double moved = weft__roof_moved(c, n_devices, &what);
    *out = (weft__warnings){ 0 };
    if (c->processors > 0 && c->others > others_share * c->processors)
        snprintf(out->text[out->n++], WEFT__WARNING_SIZE, "others kept %.2f of %.0f processors busy meanwhile",
                 c->others, c->processors);
    if (moved > roof_share)
        snprintf(out->text[out->n++], WEFT__WARNING_SIZE,
                 "the device's %s moved by %.0f%% from one measurement to another", what, 100 * moved);
}
