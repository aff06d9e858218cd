/* cmd_devices.c: `weft devices`: what there is to run on. */
#include "tools/cli.h"

#include <string.h>

static const cli_option options[] = {
    { .name = "test", .kind = CLI_TEXT, .value = "SPEC",
      .help = "compare every kernel of this device with the CPU, and keep what comes out" },
    { .name = "no-cache", .kind = CLI_FLAG, .help = "do not look at earlier tests (in ~/.cache/weft)" },
    { .name = "json", .kind = CLI_FLAG, .help = "print an array of objects" },
    { .name = NULL },
};

static void print_device(const weft_device_info *d)
{
    char spec[32];
    bool one = strcmp(d->name, "vulkan") != 0;
    snprintf(spec, sizeof spec, one ? "%s" : "%s:%u", d->name, d->index);
    printf("%-10s %s%s\n", spec, d->description, d->is_default && !one ? " (default of vulkan)" : "");
    if (*d->unusable) printf("%-10s not usable: %s\n", "", d->unusable);
    else if (!one)
        printf("%-10s %s, %.0f MiB free, %s; tuned as %s\n", "", weft_device_type_name(d->type),
               (double)d->memory / 1048576.0, d->features, d->variant);
    if (*d->remark) printf("%-10s %s\n", "", d->remark);
    if (*d->disabled)
        printf("%-10s failed the self-test and are not used: %s (`weft devices --test %s` tests anew)\n", "",
               d->disabled, spec);
}

static json_t *device_json(const weft_device_info *d)
{
    json_t *o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "name", d->name, "index", (int)d->index, "type",
                          weft_device_type_name(d->type), "model", d->model, "description", d->description, "driver",
                          d->driver);
    json_t *more = json_pack("{s:s, s:s, s:i, s:I, s:s, s:b}", "variant", d->variant, "features", d->features,
                             "threads", (int)d->threads, "memory", (json_int_t)d->memory, "disabled", d->disabled,
                             "default", (int)d->is_default);
    if (*d->unusable) json_object_set_new(more, "unusable", json_string(d->unusable));
    if (*d->remark) json_object_set_new(more, "remark", json_string(d->remark));
    json_object_update(o, more);
    json_decref(more);
    return o;
}

static void print_verdict(void *ctx, const char *kernel, bool passed, const char *detail)
{
    uint32_t *n = ctx;
    n[!passed]++;
    cli_progress_end();
    printf("%-28s %s%s%s\n", kernel, passed ? "passed" : "FAILED", *detail ? ": " : "", detail);
    fflush(stdout);
}

static int test_device(const cli_args *a, const char *spec)
{
    weft_backend *b;
    weft_error err;
    uint32_t n[2] = { 0, 0 };
    char full[CLI_MAX_SPEC];
    int status = 0;
    if (cli_device_spec(a, spec, full, sizeof full, &err)) return cli_misuse("--test: %s", err.text);
    if (weft_backend_open(full, &b, &err)) return cli_report(&err);
    weft_progress_sink progress = cli_progress();
    if (weft_backend_self_test(b, print_verdict, n, &progress, &err)) status = cli_report(&err);
    weft_backend_close(b);
    if (status) return status;
    return n[1] ? cli_fail("%u of %u kernels failed and will not be used", n[1], n[0] + n[1]) : 0;
}

static int run_devices(const cli_args *a)
{
    if (cli_has(a, "test")) return test_device(a, cli_text(a, "test", ""));
    uint32_t n;
    const char *const *names = weft_backend_names(&n);
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        weft_device_info info;
        weft_error err;
        uint32_t k = 0;
        char spec[CLI_MAX_SPEC];
        if (cli_device_spec(a, names[i], spec, sizeof spec, NULL)) snprintf(spec, sizeof spec, "%s", names[i]);
        for (; weft_backend_list(spec, k, &info, &err) == WEFT_OK; k++) {
            if (!cli_has(a, "json")) print_device(&info);
            json_array_append_new(list, device_json(&info));
        }
        if (!k) fprintf(stderr, "%-10s not usable: %s\n", names[i], err.text);
    }
    if (cli_has(a, "json")) return cli_print_json(list);
    json_decref(list);
    return 0;
}

const cli_command cli_devices = {
    .name = "devices", .summary = "Lists the devices", .options = options, .run = run_devices
};
