/* given.c: the graph's text that a model is: --graph and --param, or a text in place of MODEL. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

/* What a description of a model borrows. */
typedef struct given {
    char *text;
    size_t n_text;
    char *names[CLI_MAX_VALUES]; /* "NAME" and "VALUE" of --param, one behind the other */
    weft_graph_param params[CLI_MAX_VALUES];
    uint32_t n_params;
} given;

static void forget(given *g)
{
    free(g->text);
    for (uint32_t i = 0; i < g->n_params; i++) free(g->names[i]);
}

bool cli_is_graph_text(const char *path)
{
    static const char first[] = "weft-graph ";
    char head[4096], *at = head;
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof head - 1, f) : 0;
    if (f) fclose(f);
    head[n] = 0;
    if (!strncmp(at, "\xef\xbb\xbf", 3)) at += 3; /* UTF-8, as some editors mark it */
    for (size_t blanks; (blanks = strspn(at, " \t\r\n")) || *at == '#';) at += blanks ? blanks : strcspn(at, "\n");
    return !strncmp(at, first, sizeof first - 1);
}

/* A number, true or false, else a text, which may stand in quotes. */
static void read_value(char *value, weft_graph_param *out)
{
    char *end;
    const size_t n = strlen(value);
    const double number = strtod(value, &end);
    out->text = NULL;
    out->number = number;
    if (end != value && !*end) return;
    out->number = !strcmp(value, "true");
    if (out->number != 0 || !strcmp(value, "false")) return;
    out->text = value;
    if (n < 2 || *value != '"' || value[n - 1] != '"') return;
    value[n - 1] = 0;
    out->text = value + 1;
}

static int read_param(given *g, const char *option)
{
    const char *equals = strchr(option, '=');
    if (!equals || equals == option) return cli_misuse("--param %s: expected NAME=VALUE", option);
    const size_t n = (size_t)(equals - option);
    for (uint32_t i = 0; i < g->n_params; i++)
        if (strlen(g->params[i].name) == n && !strncmp(g->params[i].name, option, n))
            return cli_misuse("--param %s: '%s' is given twice", option, g->params[i].name);
    char *copy = strdup(option);
    if (!copy) return cli_fail("out of memory");
    copy[equals - option] = 0;
    g->names[g->n_params] = copy;
    g->params[g->n_params].name = copy;
    read_value(copy + (equals - option) + 1, &g->params[g->n_params++]);
    return 0;
}

/* The description borrows from g. */
static int read_given(const cli_args *a, given *g, weft_model_desc *out)
{
    const char *const *params, *file = cli_text(a, "graph", NULL);
    const unsigned n = cli_texts(a, "param", &params);
    const bool instead = cli_is_graph_text(a->model);
    if (file && instead) return cli_misuse("--graph %s: MODEL, %s, is a graph's text already", file, a->named);
    if (instead) file = a->model;
    if (file && !(g->text = cli_read_file(file, &g->n_text))) return 1;
    for (unsigned i = 0; i < n; i++) {
        int status = read_param(g, params[i]);
        if (status) return status;
    }
    out->text = g->text;
    out->n_text = g->n_text;
    out->text_origin = file;
    out->params = g->params;
    out->n_params = g->n_params;
    return 0;
}

/* That a model is what its folder's own text says, or that it is not, is told even where nobody asked; inspect prints
 * it with the rest. */
static void tell_own_text(const cli_args *a, const weft_model *m, const weft_model_desc *desc)
{
    const char *note, *text = weft_model_info_get(m)->text;
    if (desc->text || a->command == &cli_inspect || cli_has(a, "verbose")) return;
    cli_progress_end();
    if (text) fprintf(stderr, "note: %s: its architecture is not known, its graph is %s\n", a->named, text);
    for (uint32_t i = 0; !text && (note = weft_model_note(m, i)); i++)
        if (strstr(note, "model.weft is not used")) fprintf(stderr, "note: %s\n", note);
}

int cli_model_open(const cli_args *a, weft_model **out)
{
    weft_error err;
    given g = { 0 };
    weft_model_desc desc = { 0 };
    int status = read_given(a, &g, &desc);
    const char *path = !status && cli_is_graph_text(a->model) ? NULL : a->model;
    if (!status && weft_model_open(path, &desc, out, &err)) status = cli_report_open(a, &err);
    if (!status) tell_own_text(a, *out, &desc);
    forget(&g);
    return status;
}

/* Whether a text that is no graph by itself may be a model's: it uses what sessions have, or asks for parameters. */
static bool may_be_model(const given *g, weft_status why)
{
    return why == WEFT_NOT_FOUND || strstr(g->text, "cached_attention") || strstr(g->text, "alibi");
}

int cli_text_open(const cli_args *a, weft_graph **graph, weft_model **model)
{
    weft_error err;
    given g = { 0 };
    weft_model_desc desc = { 0 };
    weft_graph_text *t = NULL;
    int status = read_given(a, &g, &desc);
    const weft_graph_text_desc with = { .params = g.params, .n_params = g.n_params };
    weft_status s = status ? WEFT_OK : weft_graph_text_read(g.text, g.n_text, a->model, &t, &err);
    const bool is_model = t && weft_graph_text_model(t, NULL);
    if (t && !is_model) s = weft_graph_parse_with(g.text, g.n_text, a->model, NULL, &with, graph, &err);
    const bool tries = t && weft_graph_text_version(t) > 1 && (is_model || (s && may_be_model(&g, s)));
    weft_graph_text_destroy(t);
    forget(&g);
    if (tries) return cli_model_open(a, model);
    return s ? cli_report(&err) : status;
}

int cli_model_init(const cli_args *a, weft_dtype dtype, uint64_t seed, uint64_t shard_bytes)
{
    weft_error err;
    given g = { 0 };
    weft_model_desc desc = { 0 };
    const weft_progress_sink progress = cli_progress();
    int status = read_given(a, &g, &desc);
    if (!status && weft_model_init(a->model, &desc, a->second, dtype, seed, shard_bytes, &progress, &err))
        status = cli_report(&err);
    forget(&g);
    return status;
}
