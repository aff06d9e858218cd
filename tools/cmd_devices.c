/* cmd_devices.c: `weft devices`: what there is to run on. */
#include "tools/cli.h"

static const cli_option options[] = {
    { .name = "json", .kind = CLI_FLAG, .help = "print an array of objects" },
    { .name = NULL },
};

static int run_devices(const cli_args *a)
{
    uint32_t n;
    const char *const *names = weft_backend_names(&n);
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        weft_backend *b;
        weft_error err;
        weft_device_info info;
        if (weft_backend_open(names[i], &b, &err)) {
            fprintf(stderr, "%-8s not usable: %s\n", names[i], err.text);
            continue;
        }
        weft_backend_info(b, &info);
        weft_backend_close(b);
        if (!cli_has(a, "json")) printf("%-8s %s\n", info.name, info.description);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:I}", "name", info.name, "description",
                                              info.description, "variant", info.variant, "threads", (int)info.threads,
                                              "memory", (json_int_t)info.memory));
    }
    if (cli_has(a, "json")) cli_print_json(list);
    else json_decref(list);
    return 0;
}

const cli_command cli_devices = {
    .name = "devices", .summary = "Lists the devices", .options = options, .run = run_devices
};
