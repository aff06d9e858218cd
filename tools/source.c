/* source.c: from the argument MODEL to a graph and to programs: a model folder, a config.json by itself, or a graph
 * text (docs/graph-text.md). */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

/* "gpt-neox-20b" of models/configs/gpt-neox-20b.json; the folder's name of folder/ and folder/config.json. */
static void write_name(const char *path, char *out, size_t size)
{
    size_t n = strlen(path);
    static const char config[] = "/config.json";
    if (n >= sizeof config - 1 && !strcmp(path + n - (sizeof config - 1), config)) n -= sizeof config - 1;
    while (n > 1 && path[n - 1] == '/') n--;
    size_t begin = n;
    while (begin && path[begin - 1] != '/') begin--;
    static const char *const ends[] = { ".json", ".txt", ".weft" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t k = strlen(ends[i]);
        if (n <= begin + k || strncmp(path + n - k, ends[i], k)) continue;
        n -= k;
        break;
    }
    snprintf(out, size, "%.*s", (int)(n - begin), path + begin);
}

/* And of the text that says what it is: "pythia-160m, wider". "." has the name of the folder that it is. */
static void make_title(const cli_args *a, char *out, size_t size)
{
    const char *text = cli_text(a, "graph", NULL);
    write_name(a->named, out, size);
    char *real = !strcmp(out, ".") || !strcmp(out, "..") ? realpath(a->named, NULL) : NULL;
    if (real) write_name(real, out, size);
    free(real);
    size_t n = strlen(out);
    if (text && n + 3 < size) {
        memcpy(out + n, ", ", 2);
        write_name(text, out + n + 2, size - n - 2);
    }
}

static int open_text(const cli_args *a, cli_source *out)
{
    int status = cli_text_open(a, &out->text, &out->model);
    out->graph = out->text;
    return status;
}

static int plan_model(const cli_args *a, cli_source *out)
{
    weft_error err;
    int status = cli_session_desc(a, &out->devices, out->split, &out->desc);
    if (!status) status = cli_adapters_open(a, &out->adapters, &out->desc);
    if (!status && cli_has(a, "fit")) status = cli_fit(out->model, &out->desc);
    if (!status && weft_session_plan_create(out->model, &out->desc, &out->plan, &err)) status = cli_report(&err);
    cli_progress_end();
    if (status) return status;
    out->graph = weft_session_plan_graph(out->plan);
    for (int decode = 0; decode < 2; decode++) {
        const weft_program *p = weft_session_plan_program(out->plan, decode ? 1 : SIZE_MAX);
        if (!p || (out->n && p == out->programs[0])) continue;
        out->names[out->n] = decode ? "decode" : "prompt";
        out->programs[out->n++] = p;
    }
    return 0;
}

int cli_text_program(const cli_args *a, const cli_device_list *l, const weft_graph *g, weft_program **out)
{
    weft_error err;
    weft_session_desc s = { 0 }; /* where nodes go is asked for in the same words */
    uint32_t split[CLI_MAX_DEVICES];
    if (cli_has(a, "lora")) return cli_fail("--lora: an adapter is of a model, and %s is a graph", a->named);
    int status = cli_session_desc(a, l, split, &s);
    if (status) return status;
    weft_program_desc d = { .devices = s.devices, .n_devices = s.n_devices, .split = s.split, .spread = s.spread,
                            .exact = s.exact, .strict = s.strict, .deterministic = s.deterministic,
                            .progress = s.progress };
    if (weft_program_create(g, &d, out, &err)) status = cli_report(&err);
    cli_progress_end();
    return status;
}

static int plan_text(const cli_args *a, cli_source *out)
{
    int status = cli_text_program(a, &out->devices, out->text, &out->program);
    if (status) return status;
    out->names[0] = "graph";
    out->programs[out->n++] = out->program;
    return 0;
}

int cli_source_open(const cli_args *a, bool planned, cli_source *out)
{
    *out = (cli_source){ 0 };
    int status = cli_is_graph_text(a->model) ? open_text(a, out) : cli_model_open(a, &out->model);
    make_title(a, out->title, sizeof out->title);
    if (!status && planned) status = cli_devices_open(a, &out->devices);
    if (!status && out->model) return plan_model(a, out);
    return !status && planned ? plan_text(a, out) : status;
}

void cli_source_close(cli_source *s)
{
    weft_session_plan_destroy(s->plan);
    cli_adapters_close(&s->adapters);
    weft_program_destroy(s->program);
    weft_graph_destroy(s->text);
    cli_devices_close(&s->devices);
    weft_model_close(s->model);
    *s = (cli_source){ 0 };
}

const char *const *cli_source_outputs(const cli_source *s, uint32_t *n)
{
    *n = 0;
    return s->plan ? weft_session_plan_outputs(s->plan, n) : NULL;
}

uint64_t cli_source_bytes(const cli_source *s, uint32_t device)
{
    return weft_programs_bytes(s->programs, s->n, device);
}

void cli_source_hint(const cli_source *s, char *out, size_t size)
{
    *out = 0;
    if (s->plan && weft_session_plan_check(s->plan, NULL)) cli_fit_hint(s->model, &s->desc, out, size);
}
