/* kernels.c: matrix products of a report: one vector, a few, many, in the formats that models come in. */
#include "tools/products.h"
#include "tools/report/report.h"

static const weft_dtype types[] = { WEFT_F16, WEFT_Q8_0, WEFT_Q4_0, WEFT_Q4_K, WEFT_Q6_K };
static const uint32_t columns[] = { 1, 8, 512 };
enum { LARGEST = 4096, SMALLEST = 512, RUNS = 40 /* of a product, at least: products.c */ };

/* The largest square matrix whose runs take about `seconds` where the device does its work at a quarter of its roof. */
static uint32_t size_for(const report *r, uint32_t n_columns, double seconds)
{
    uint32_t n = LARGEST;
    for (; n > SMALLEST; n /= 2) {
        const double ops = 2.0 * n * n * n_columns, bytes = 2.0 * n * n;
        const double took = ops / (r->roof.f32_ops_per_second / 4) + bytes / (r->roof.bytes_per_second / 4);
        if (RUNS * took < seconds) break;
    }
    return n;
}

static json_t *left_out(const product *p, const char *why)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:s}", "type", weft_dtype_get(p->type)->name, "rows", (int)p->n, "columns",
                     (int)p->k, "tokens", (int)p->columns, "left_out", why);
}

static json_t *product_json(const report *r, const product *p, const product_time *t)
{
    const double bytes = t->bytes / t->seconds, ops = t->ops / t->seconds;
    return json_pack("{s:s, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f}", "type", weft_dtype_get(p->type)->name,
                     "rows", (int)p->n, "columns", (int)p->k, "tokens", (int)p->columns, "kernel", t->kernel,
                     "seconds", t->seconds, "gb_per_second", bytes * 1e-9, "of_bandwidth",
                     bytes / r->roof.bytes_per_second, "tflops", ops * 1e-12, "of_peak",
                     ops / weft_roof_peak(&r->roof, t->arithmetic));
}

static json_t *measure(report *r, const product *p)
{
    weft_error err;
    product_time t;
    if (!(r->roof.f32_ops_per_second > 0)) return left_out(p, "the roof is not known");
    if (r->lost || cli_interrupted() || weft__seconds() >= r->until) return left_out(p, report_why(r, "", NULL));
    const weft_status s = product_measure(r->b, &r->info, &r->roof, p, &r->sink, &t, &err);
    return s ? left_out(p, report_why(r, "kernels", &err)) : product_json(r, p, &t);
}

json_t *report_kernels(report *r)
{
    enum { N_TYPES = sizeof types / sizeof *types, N_COLUMNS = sizeof columns / sizeof *columns };
    json_t *list = json_array();
    const double each = (r->until - weft__seconds()) / (N_TYPES * N_COLUMNS) / 2;
    for (uint32_t c = 0; c < N_COLUMNS; c++)
        for (uint32_t t = 0; t < N_TYPES; t++) {
            const uint32_t n = size_for(r, columns[c], each);
            const product p = { .n = n, .k = n, .columns = columns[c], .type = types[t] };
            json_array_append_new(list, measure(r, &p));
        }
    return list;
}
