/* adapters.c: --lora FOLDER[=SCALE]: the adapters that a command's session has: all at once, but of a server each by
 * itself, of which requests choose. */
#include "tools/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "folder=0.5": what stands behind the last '=' if it is a number, else 1, of a folder whose name has one. */
float cli_adapter_scale(const char *value, size_t *n)
{
    const char *at = strrchr(value, '=');
    char *end = NULL;
    float scale = at ? strtof(at + 1, &end) : 1;
    const bool given = at && end != at + 1 && !*end && isfinite(scale);
    *n = given ? (size_t)(at - value) : strlen(value);
    return given ? scale : 1;
}

int cli_adapters_open(const cli_args *a, cli_adapters *out, weft_session_desc *desc)
{
    weft_error err;
    const char *const *values;
    const unsigned n = cli_texts(a, "lora", &values);
    for (unsigned i = 0; i < n; i++) {
        size_t length;
        const float scale = cli_adapter_scale(values[i], &length);
        if (scale == 0) continue; /* nothing of it */
        char *folder = strndup(values[i], length);
        if (!folder) return cli_fail("out of memory");
        weft_status s = weft_adapter_open(folder, &out->opened[out->n], &err);
        free(folder);
        if (s) return cli_report(&err);
        out->uses[out->n] = (weft_adapter_use){ .adapter = out->opened[out->n], .scale = scale,
                                                .choice = a->command == &cli_serve ? out->n : 0 };
        out->n++;
    }
    desc->adapters = out->uses;
    desc->n_adapters = out->n;
    return 0;
}

void cli_adapters_close(cli_adapters *l)
{
    while (l->n) weft_adapter_close(l->opened[--l->n]);
}
