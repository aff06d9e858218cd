/* cmd_report.c: `weft report`: what a device is and does, as one JSON object (docs/report-1.schema.json), in a bounded
 * time: what users of cards that nobody here has can send. Nothing in it is personal: no path, no name of a machine or
 * of somebody. */
#include "backends/tune.h"
#include "tools/conditions.h"
#include "tools/report/report.h"

#include <string.h>

static const cli_option options[] = {
    { .name = "budget", .kind = CLI_WHOLE, .value = "SECONDS", .min = 5, .max = 86400,
      .help = "seconds that it may take; what there is no time for is left out (default: 300)" },
    { .name = NULL },
};

/* ---- time, and what there was none for ---- */

static bool in_time(void *ctx, const weft_progress *p)
{
    report *r = ctx;
    r->late = weft__seconds() > r->until;
    return r->terminal.report(r->terminal.ctx, p) && !r->late;
}

void report_part(report *r, double share)
{
    const double now = weft__seconds();
    r->until = now + (r->end - now) * share;
    r->late = false;
}

/* Words that begin with '/' are paths, or '~/'; "matvec/q8_0" is none. A path may have spaces: it ends with a quotation
 * mark, a comma, a bracket or ": ", where an error's text goes on. */
static void drop_paths(const char *from, char *out, size_t size)
{
    size_t at = 0;
    bool begins = true;
    while (*from && at + 8 < size) {
        const bool path = begins && (*from == '/' || !strncmp(from, "~/", 2));
        begins = strchr(" '\"(=,:", *from) != NULL;
        if (!path) {
            out[at++] = *from++;
            continue;
        }
        while (*from && !strchr("'\"),", *from) && strncmp(from, ": ", 2)) from++;
        at += (size_t)snprintf(out + at, size - at, "(path)");
    }
    out[at] = 0;
}

const char *report_why(report *r, const char *part, const weft_error *err)
{
    static char why[512];
    if (cli_interrupted()) return "it was stopped";
    if (r->lost) return "the device was lost before it";
    if (r->late || !err) return "no time was left for it";
    drop_paths(err->text, why, sizeof why);
    r->lost = r->lost || err->status == WEFT_DEVICE_LOST;
    if (err->status != WEFT_LIMIT && err->status != WEFT_OOM)
        json_array_append_new(r->errors, json_pack("{s:s, s:s}", "part", part, "error", why));
    return why;
}

/* ---- parts ---- */

static json_t *device_json(const weft_device_info *d)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "backend", d->name, "type", weft_device_type_name(d->type),
                     "model", d->model, "driver", d->driver, "features", d->features, "threads", (int)d->threads,
                     "memory", d->memory_known ? json_integer((json_int_t)d->memory) : json_null());
}

typedef struct verdicts { uint32_t passed; json_t *failed; } verdicts;

static void add_verdict(void *ctx, const char *kernel, bool passed, const char *detail)
{
    verdicts *v = ctx;
    char plain[512];
    drop_paths(detail, plain, sizeof plain);
    v->passed += passed;
    if (!passed) json_array_append_new(v->failed, json_pack("{s:s, s:s}", "kernel", kernel, "detail", plain));
}

static json_t *test_json(report *r)
{
    weft_error err;
    verdicts v = { 0, json_array() };
    const weft_status s = weft_backend_self_test(r->b, add_verdict, &v, &r->sink, &err);
    json_t *o = json_pack("{s:i, s:o}", "passed", (int)v.passed, "failed", v.failed);
    const bool none = s == WEFT_UNSUPPORTED; /* a processor's kernels are what others are compared with */
    const char *why = none ? "the device has none" : s ? report_why(r, "self-test", &err) : NULL;
    if (why) json_object_set_new(o, "left_out", json_string(why));
    return o;
}

static json_t *roof_json(report *r)
{
    weft_error err;
    if (weft_backend_roof(r->b, 0.2, &r->sink, &r->roof, &err))
        return json_pack("{s:s}", "left_out", report_why(r, "roof", &err));
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "gb_per_second", r->roof.bytes_per_second * 1e-9, "f32_tflops",
                     r->roof.f32_ops_per_second * 1e-12, "int8_tops", r->roof.int8_ops_per_second * 1e-12,
                     "f16_matrix_tflops", r->roof.f16_matrix_ops_per_second * 1e-12, "launch_us",
                     r->roof.launch_seconds * 1e6);
}

static json_t *conditions_json(const conditions *c)
{
    return json_pack("{s:f, s:o}", "processors", c->sum.processors, "others",
                     c->sum.others >= 0 ? json_real(c->sum.others) : json_null());
}

/* The parameters in use; a processor has none. */
static void add_row(report *r)
{
    weft_text text = { 0 };
    const weft_writer w = weft_text_writer(&text);
    if (!weft_backend_tuned(r->b, "here", &w, NULL) && !text.failed)
        json_object_set_new(json_object_get(r->root, "tuning"), "as_row", json_string(text.data));
    weft_text_free(&text);
}

/* What was measured before a failure is in the report, with the failure. */
static void measure(report *r)
{
    report_part(r, 0.5);
    json_object_set_new(r->root, "roof", roof_json(r));
    report_part(r, 0.3);
    if (!r->lost) json_object_set_new(r->root, "self_test", test_json(r));
    report_part(r, 0.4);
    json_object_set_new(r->root, "kernels", report_kernels(r));
    json_object_set_new(r->root, "models", report_models(r));
}

static int run_report(const cli_args *a)
{
    cli_device_list devices;
    int status = cli_devices_open(a, &devices);
    if (!status && devices.n > 1) status = cli_misuse("--device: a report is of one device");
    if (status) {
        cli_devices_close(&devices);
        return status;
    }
    conditions around;
    const uint32_t budget = cli_u32(a, "budget", 300);
    report r = { .b = devices.device[0], .begin = weft__seconds(), .terminal = cli_progress(), .root = json_object(),
                 .errors = json_array() };
    r.end = r.begin + budget;
    r.sink = (weft_progress_sink){ in_time, &r };
    uint32_t changed, tuned = weft_backend_tuned_shapes(r.b, &changed);
    weft_backend_info(r.b, &r.info);
    conditions_begin(&around, &devices, r.sink);
    json_t *head = json_pack("{s:s, s:i, s:s, s:i, s:o, s:{s:s, s:i, s:i}}", "format", "weft-report", "version", 1,
                             "weft", weft_version(), "budget", (int)budget, "device", device_json(&r.info), "tuning",
                             "row", r.info.variant, "measured", (int)tuned, "changed", (int)changed);
    json_object_update(r.root, head);
    json_decref(head);
    add_row(&r);
    measure(&r);
    conditions_end(&around);
    json_object_set_new(r.root, "conditions", conditions_json(&around));
    json_object_set_new(r.root, "errors", r.errors);
    json_object_set_new(r.root, "seconds", json_real(weft__seconds() - r.begin));
    cli_progress_end();
    status = cli_print_json(r.root);
    if (!status && cli_interrupted()) status = cli_interrupted_status();
    if (!status && r.lost) status = cli_fail("report: the device was lost; the report says where");
    cli_devices_close(&devices);
    return status;
}

const cli_command cli_report_command = {
    .name = "report", .summary = "Measures what a device is and does, as one JSON object to send to others",
    .plans = true, .options = options, .run = run_report,
};
