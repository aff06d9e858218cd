/* devices.c: from --device and what belongs to it to open devices. The one place of the program that looks at the
 * environment: for the folder of caches, as the XDG Base Directory Specification says. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

const cli_option cli_device_options[] = {
    { .name = "device", .kind = CLI_TEXT, .value = "SPEC",
      .help = "where to run: cpu or vulkan[:N|:NAME], options with commas (cpu,threads=2), several in order of "
              "preference (vulkan:0,vulkan:1,cpu); see `weft devices` (default: the best GPU, else cpu)" },
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

/* A GPU's spec with what the other options say; what the spec itself says comes later and counts. */
int cli_device_spec(const cli_args *a, const char *spec, char *out, size_t size)
{
    char folder[CLI_MAX_SPEC / 2], which[CLI_MAX_SPEC / 4] = "";
    const char *options = strchr(spec, ',');
    size_t n = options ? (size_t)(options - spec) : strlen(spec);
    if (strncmp(spec, "vulkan", 6)) {
        return (size_t)snprintf(out, size, "%s", spec) < size ? 0 : cli_fail("--device: '%.60s...' is too long", spec);
    }
    if (n >= sizeof which) return cli_fail("--device: '%.60s...' is too long", spec);
    memcpy(which, spec, n);
    bool cached = !cli_has(a, "no-cache") && cache_folder(folder, sizeof folder);
    const char *binding = cli_text(a, "max-binding", NULL);
    size_t length = (size_t)snprintf(out, size, "%s%s%s%s%s%s", which, cached ? ",cache=" : "", cached ? folder : "",
                                     binding ? ",max-binding=" : "", binding ? binding : "", options ? options : "");
    return length < size ? 0 : cli_fail("--device: '%.60s...' is too long", spec);
}

static int open_one(const cli_args *a, const char *spec, cli_device_list *out)
{
    char full[CLI_MAX_SPEC];
    weft_error err;
    if (out->n == CLI_MAX_DEVICES) return cli_misuse("--device: more than %d devices", CLI_MAX_DEVICES);
    int status = cli_device_spec(a, spec, full, sizeof full);
    if (status) return status;
    if (weft_backend_open(full, &out->device[out->n], &err)) return cli_report(&err);
    out->n++;
    return 0;
}

/* The best GPU; where there is none, for whatever reason, the processor. */
static int open_default(const cli_args *a, cli_device_list *out)
{
    char full[CLI_MAX_SPEC];
    weft_error err;
    if (cli_device_spec(a, "vulkan", full, sizeof full)) return 1;
    weft_status s = weft_backend_open(full, &out->device[0], &err);
    if (s && s != WEFT_NOT_FOUND) return cli_report(&err);
    out->n = s ? 0 : 1;
    return s ? open_one(a, "cpu", out) : 0;
}

/* "vulkan:0,cache=x,cpu,threads=2": what has no '=' begins the next device. */
int cli_devices_open(const cli_args *a, cli_device_list *out)
{
    *out = (cli_device_list){ 0 };
    const char *text = cli_text(a, "device", NULL);
    if (!text) return open_default(a, out);
    char *copy = strdup(text);
    if (!copy) return cli_fail("out of memory");
    int status = 0;
    for (char *at = copy; at && !status;) {
        char *end = at;
        do end += strcspn(end + 1, ",") + 1;
        while (*end && memchr(end + 1, '=', strcspn(end + 1, ",")));
        char *next = *end ? end + 1 : NULL;
        *end = 0;
        status = *at ? open_one(a, at, out) : cli_misuse("--device %s: a device is empty", text);
        at = next;
    }
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
