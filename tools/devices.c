/* devices.c: from --device and what belongs to it to open devices. The program looks at the environment here, for the
 * folder of caches, as the XDG Base Directory Specification says, and in hub.c. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

const cli_option cli_device_options[] = {
    { .name = "device", .kind = CLI_TEXT, .value = "SPEC",
      .help = "where to run: cpu or vulkan[:N|:NAME], options with commas (cpu,threads=2), several in order of "
              "preference (vulkan:0,vulkan:1,cpu; one that is not there is left out unless --strict); see `weft "
              "devices` (default: the best GPU, else cpu)" },
    { .name = "threads", .letter = 't', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1024,
      .help = "threads of the cpu, unless its SPEC says (default: one per core); GPUs do not use it" },
    { .name = "split", .kind = CLI_TEXT, .value = "N,N",
      .help = "layers on each device, the last takes what is left (default: as many as its memory holds)" },
    { .name = "max-binding", .kind = CLI_TEXT, .value = "BYTES",
      .help = "bind no more than this of a GPU's memory at once, K, M, G may follow (default: the device's limit)" },
    { .name = "no-cache", .kind = CLI_FLAG,
      .help = "neither read nor write compiled shaders and test results (in ~/.cache/weft)" },
    { .name = NULL },
};

/* "$XDG_CACHE_HOME/weft", else "$HOME/.cache/weft"; false: there is none, or a spec cannot name it. */
static bool cache_folder(char *out, size_t size)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (xdg && *xdg == '/') n = snprintf(out, size, "%s/weft", xdg);
    else if (home && *home == '/') n = snprintf(out, size, "%s/.cache/weft", home);
    return n > 0 && (size_t)n < size && !strchr(out, ',');
}

/* A GPU's spec with what the other options say, unless it says so itself. */
weft_status cli_device_spec(const cli_args *a, const char *spec, char *out, size_t size, weft_error *err)
{
    char folder[CLI_MAX_SPEC / 2];
    bool gpu = !strncmp(spec, "vulkan", 6), cpu = !strncmp(spec, "cpu", 3);
    bool cached = gpu && !cli_has(a, "no-cache") && !strstr(spec, ",cache=") && cache_folder(folder, sizeof folder);
    const char *binding = gpu && !strstr(spec, ",max-binding=") ? cli_text(a, "max-binding", NULL) : NULL;
    const char *threads = cpu && !strstr(spec, ",threads=") ? cli_text(a, "threads", NULL) : NULL;
    size_t length = (size_t)snprintf(out, size, "%s%s%s%s%s%s%s", spec, cached ? ",cache=" : "", cached ? folder : "",
                                     binding ? ",max-binding=" : "", binding ? binding : "", threads ? ",threads=" : "",
                                     threads ? threads : "");
    return length < size ? WEFT_OK : WEFT_FAIL(err, WEFT_INVALID, "'%.60s...' is too long", spec);
}

static weft_status try_open(const cli_args *a, const char *spec, cli_device_list *out, weft_error *err)
{
    char full[CLI_MAX_SPEC];
    WEFT_TRY(cli_device_spec(a, spec, full, sizeof full, err));
    weft_status s = weft_backend_open(full, &out->device[out->n], err);
    out->n += !s;
    return s;
}

/* A wrong spec is wrong usage; a device that is not there is a failure. */
static int tell_refused(const weft_error *err)
{
    return err->status == WEFT_INVALID ? cli_misuse("--device: %s", err->text) : cli_report(err);
}

/* The best GPU; where there is none, for whatever reason, the processor. */
static int open_default(const cli_args *a, cli_device_list *out)
{
    weft_error err;
    weft_status s = try_open(a, "vulkan", out, &err);
    if (s == WEFT_UNSUPPORTED) fprintf(stderr, "note: %s: running on the processor\n", err.text);
    if (s == WEFT_NOT_FOUND || s == WEFT_UNSUPPORTED) s = try_open(a, "cpu", out, &err);
    return s ? tell_refused(&err) : 0;
}

/* "vulkan" of "vulkan:0": whether a device begins here. */
static bool begins_device(const char *item)
{
    uint32_t n_names;
    const char *const *names = weft_backend_names(&n_names);
    size_t n = strcspn(item, ":,");
    bool is = n == 6 && !memcmp(item, "vulkan", 6); /* also in a build without */
    for (uint32_t i = 0; i < n_names; i++) is |= strlen(names[i]) == n && !memcmp(names[i], item, n);
    return is;
}

/* Cuts "vulkan:0,cache=x,cpu,threads=2" into the specs of its devices: each begins with the name of a backend. */
static int split_devices(const char *text, char *copy, char **specs, uint32_t *n)
{
    *n = 0;
    if (!begins_device(text)) {
        uint32_t n_names;
        const char *const *names = weft_backend_names(&n_names);
        char known[128] = "";
        for (uint32_t i = 0, at = 0; i < n_names && at < sizeof known; i++)
            at += (uint32_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
        return cli_misuse("--device %s: expected one of %s; see `weft devices`", text, known);
    }
    for (char *at = copy, *comma = NULL; at; at = comma ? comma + 1 : NULL) {
        if (begins_device(at)) {
            if (*n == CLI_MAX_DEVICES) return cli_misuse("--device: more than %d devices", CLI_MAX_DEVICES);
            if (*n) at[-1] = 0;
            specs[(*n)++] = at;
        }
        comma = strchr(at, ',');
    }
    return 0;
}

/* Of several devices those that cannot be opened are left out, unless --strict. */
static int open_each(const cli_args *a, char *const *specs, uint32_t n, cli_device_list *out)
{
    weft_error err, first = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        weft_status s = try_open(a, specs[i], out, &err);
        if (!s) continue;
        if (s == WEFT_INVALID || n == 1 || cli_has(a, "strict")) return tell_refused(&err);
        if (!first.status) first = err;
        fprintf(stderr, "note: %s is left out: %s\n", specs[i], err.text);
    }
    return out->n ? 0 : tell_refused(&first);
}

int cli_devices_open(const cli_args *a, cli_device_list *out)
{
    *out = (cli_device_list){ 0 };
    const char *text = cli_text(a, "device", NULL);
    if (!text) return open_default(a, out);
    char *copy = strdup(text), *specs[CLI_MAX_DEVICES];
    uint32_t n;
    if (!copy) return cli_fail("out of memory");
    int status = split_devices(text, copy, specs, &n);
    if (!status) status = open_each(a, specs, n, out);
    free(copy);
    return status;
}

void cli_devices_close(cli_device_list *l)
{
    while (l->n) weft_backend_close(l->device[--l->n]);
}

int cli_split(const cli_args *a, const cli_device_list *l, uint32_t *out, bool *given)
{
    const char *text = cli_text(a, "split", NULL);
    weft_tokens numbers = { 0 };
    *given = text != NULL;
    if (!text) return 0;
    bool ok = cli_parse_tokens(text, strlen(text), &numbers) && numbers.n <= l->n && numbers.n + 1 >= l->n;
    for (size_t i = 0; ok && i < numbers.n; i++) {
        ok = numbers.ids[i] >= 0;
        out[i] = (uint32_t)numbers.ids[i];
    }
    if (numbers.n < l->n && l->n) out[l->n - 1] = UINT32_MAX;
    weft_tokens_free(&numbers);
    return ok ? 0 : cli_misuse("--split %s: expected as many numbers of layers as --device names devices (%u)", text,
                               l->n);
}
