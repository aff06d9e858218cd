/* source.c: from the argument MODEL to a graph and to programs: a model folder, a config.json by itself, or a graph
 * text (docs/graph-text.md). */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

/* "gpt-neox-20b" of models/configs/gpt-neox-20b.json; the folder's name of folder/ and folder/config.json. */
static void make_title(const char *path, char *out, size_t size)
{
    size_t n = strlen(path);
    static const char config[] = "/config.json";
    if (n >= sizeof config - 1 && !strcmp(path + n - (sizeof config - 1), config)) n -= sizeof config - 1;
    while (n > 1 && path[n - 1] == '/') n--;
    size_t begin = n;
    while (begin && path[begin - 1] != '/') begin--;
    const char *dot = memrchr(path + begin, '.', n - begin);
    if (dot && dot > path + begin && (!strncmp(dot, ".json", n - (size_t)(dot - path)) || !strncmp(dot, ".txt", 4)))
        n = (size_t)(dot - path);
    snprintf(out, size, "%.*s", (int)(n - begin), path + begin);
}

/* Whether a file begins as a graph text does. What cannot be read is none: opening it as a model says why. */
static bool is_graph_text(const char *path)
{
    static const char first[] = "weft-graph ";
    char head[sizeof first - 1];
    FILE *f = fopen(path, "rb");
    bool is = f && fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, first, sizeof head);
    if (f) fclose(f);
    return is;
}

static int open_text(const char *path, cli_source *out)
{
    weft_error err;
    size_t n;
    char *text = cli_read_file(path, &n);
    if (!text) return 1;
    weft_status s = weft_graph_parse(text, n, path, NULL, &out->graph, &err);
    free(text);
    return s ? cli_report(&err) : 0;
}

static void name_output(const weft_model_info *info, char *out, size_t size)
{
    if (info->head == WEFT_HEAD_NONE) snprintf(out, size, "hidden.%u", info->n_layer);
    else snprintf(out, size, info->head == WEFT_HEAD_LOGITS ? "logits" : "scores");
}

void cli_source_of(weft_model *m, const weft_model_graph_desc *desc, cli_source *out)
{
    weft_model_info info;
    weft_model_info_get(m, &info);
    *out = (cli_source){ .model = m, .desc = *desc };
    name_output(&info, out->output, sizeof out->output);
    out->outputs[0] = out->output;
    out->context = desc->context ? desc->context : info.context;
    out->chunk = desc->max_tokens ? desc->max_tokens : 512;
    if (out->chunk > out->context) out->chunk = out->context;
}

static int open_model(const cli_args *a, cli_source *out)
{
    weft_error err;
    weft_model *m;
    weft_model_graph_desc d = { .context = cli_u32(a, "context", 0), .max_tokens = cli_u32(a, "chunk", 0),
                                .kv = cli_has(a, "exact") ? WEFT_F32 : WEFT_ANY };
    if (cli_has(a, "weights")) cli_dtype(cli_text(a, "weights", ""), &d.weights);
    if (cli_has(a, "kv")) cli_dtype(cli_text(a, "kv", ""), &d.kv);
    int status = cli_model_open(a, &m);
    if (status) return status;
    cli_source_of(m, &d, out);
    return weft_model_graph(m, &d, &out->graph, &err) ? cli_report(&err) : 0;
}

int cli_source_open(const cli_args *a, cli_source *out)
{
    *out = (cli_source){ 0 };
    int status = is_graph_text(a->model) ? open_text(a->model, out) : open_model(a, out);
    make_title(a->named, out->title, sizeof out->title);
    return status;
}

void cli_source_close(cli_source *s)
{
    weft_graph_destroy(s->graph);
    weft_model_close(s->model);
    *s = (cli_source){ 0 };
}

/* ---- programs ---- */

const char *const *cli_source_outputs(const cli_source *s, uint32_t *n)
{
    *n = s->model ? 1 : 0;
    return s->model ? s->outputs : NULL;
}

static weft_status create(const cli_args *a, const cli_source *s, const uint32_t *split, cli_programs *out,
                          weft_error *err)
{
    weft_bound bounds[] = { { "tokens", out->n && s->model ? 1 : s->chunk }, { "rows", 1 } };
    weft_program_desc d = { .devices = out->devices.device, .n_devices = out->devices.n, .split = split,
                            .spread = true, .exact = cli_has(a, "exact"), .progress = cli_progress() };
    d.outputs = cli_source_outputs(s, &d.n_outputs);
    if (s->model) {
        d.bounds = bounds;
        d.n_bounds = 2;
    }
    return weft_program_create(s->graph, &d, &out->program[out->n], err);
}

weft_status cli_programs_plan(const cli_args *a, const cli_source *s, const uint32_t *split, cli_programs *out,
                              weft_error *err)
{
    static const char *const names[] = { "prompt", "decode" };
    uint32_t same[CLI_MAX_DEVICES];
    for (uint32_t n = s->model ? 2 : 1; out->n < n;) {
        WEFT_TRY(create(a, s, split, out, err));
        for (uint32_t k = 0; k < out->devices.n; k++) same[k] = weft_program_split(out->program[out->n], k);
        split = same[0] != UINT32_MAX ? same : NULL; /* the second is split as the first */
        out->name[out->n] = s->model ? names[out->n] : "graph";
        out->n++;
    }
    return WEFT_OK;
}

int cli_programs_open(const cli_args *a, const cli_source *s, cli_programs *out)
{
    weft_error err;
    bool given;
    uint32_t split[CLI_MAX_DEVICES];
    *out = (cli_programs){ 0 };
    int status = cli_devices_open(a, &out->devices);
    if (!status) status = cli_split(a, &out->devices, split, &given);
    if (!status && cli_programs_plan(a, s, given ? split : NULL, out, &err)) status = cli_report(&err);
    cli_progress_end();
    return status;
}

void cli_programs_close(cli_programs *p)
{
    while (p->n) weft_program_destroy(p->program[--p->n]);
    cli_devices_close(&p->devices);
}

uint64_t cli_programs_bytes(const cli_programs *p, uint32_t device)
{
    weft_program_memory m = weft_program_device_memory(p->program[0], device);
    uint64_t bytes = m.weights + m.states + m.constants + m.arena;
    for (uint32_t i = 1; i < p->n; i++) bytes += weft_program_device_memory(p->program[i], device).arena;
    return bytes;
}
