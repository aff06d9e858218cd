/* cmd_devices.c: `weft devices`: what there is to run on. */
#include "tools/cli.h"

#include <string.h>

static const cli_option options[] = {
    { .name = "json", .kind = CLI_FLAG, .help = "print an array of objects" },
    { .name = NULL },
};

static void print_device(const weft_device_info *d)
{
    char spec[32];
    bool one = strcmp(d->name, "vulkan") != 0;
    snprintf(spec, sizeof spec, one ? "%s" : "%s:%u", d->name, d->index);
    printf("%-10s %s%s\n", spec, d->description, d->is_default && !one ? " (default of vulkan)" : "");
    if (!one)
        printf("%-10s %s, %.0f MiB free, %s; tuned as %s\n", "", weft_device_type_name(d->type),
               (double)d->memory / 1048576.0, d->features, d->variant);
}

static json_t *device_json(const weft_device_info *d)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:b}", "name", d->name, "index", (int)d->index,
                     "type", weft_device_type_name(d->type), "model", d->model, "description", d->description,
                     "variant", d->variant, "driver", d->driver, "features", d->features, "threads", (int)d->threads,
                     "memory", (json_int_t)d->memory, "default", (int)d->is_default);
}

static int run_devices(const cli_args *a)
{
    uint32_t n;
    const char *const *names = weft_backend_names(&n);
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        weft_device_info info;
        weft_error err;
        uint32_t k = 0;
        for (; weft_backend_list(names[i], k, &info, &err) == WEFT_OK; k++) {
            if (!cli_has(a, "json")) print_device(&info);
            json_array_append_new(list, device_json(&info));
        }
        if (!k) fprintf(stderr, "%-10s not usable: %s\n", names[i], err.text);
    }
    if (cli_has(a, "json")) cli_print_json(list);
    else json_decref(list);
    return 0;
}

const cli_command cli_devices = {
    .name = "devices", .summary = "Lists the devices", .options = options, .run = run_devices
};
