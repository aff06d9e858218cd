/* cmd_graph.c: `weft graph`: a graph as built, after the passes, or as planned: as text, as a drawing, as data. A graph
 * text as text is that text in its canonical form. */
#include "graph/text.h"
#include "tools/cli.h"
#include "tools/page.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { .name = "stage", .kind = CLI_TEXT, .value = "STAGE", .choices = "built|optimised|planned",
      .help = "how far it has come (default: built)" },
    { .name = "format", .kind = CLI_TEXT, .value = "FORMAT", .choices = "text|flat|dot|json|model-explorer|html",
      .help = "text follows config.json and can be edited; flat has every node with its id, as later stages always "
              "have; json and the page in html hold all stages up to --stage; dot is for Graphviz (default: text)" },
    { .name = "program", .kind = CLI_TEXT, .value = "NAME", .choices = "prompt|decode",
      .help = "which of a planned model's programs (default: both in json, else prompt)" },
    { .name = "layers", .kind = CLI_TEXT, .value = "A-B",
      .help = "dot: draw these layers in full (default: layers that are alike once)" },
    { .name = "unfold", .kind = CLI_FLAG, .help = "dot: draw all layers in full" },
    { .name = "tokens", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "give sizes and costs for a run of so many tokens (default: the most there can be)" },
    { .name = "output", .kind = CLI_TEXT, .value = "FILE", .help = "write there (default: standard output)" },
    { .name = NULL },
};

enum { BUILT, OPTIMISED, PLANNED, MAX_LAYER = 999999 };

/* Whether program i is meant by a name; where one serves prompts and decoding, by either. */
static bool is_wanted(const cli_source *s, uint32_t i, const char *name)
{
    return !name || s->n == 1 || !strcmp(name, s->names[i]);
}

static int dump_planned(const cli_args *a, const cli_source *s, weft_dump_format format, const weft_dump_desc *desc,
                        const weft_writer *w)
{
    weft_error err;
    weft_dump_program d[2];
    const char *wanted = s->model ? cli_text(a, "program", format == WEFT_DUMP_JSON ? NULL : "prompt") : NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (is_wanted(s, i, wanted))
            d[n++] = (weft_dump_program){ .name = s->names[i], .built = s->graph, .program = s->programs[i] };
    return weft_program_dump(d, n, format, desc, w, &err) ? cli_report(&err) : 0;
}

/* "3-5", or "3" for one. */
static int read_layers(const cli_args *a, weft_dump_desc *desc)
{
    const char *text = cli_text(a, "layers", NULL);
    unsigned first, last;
    int end = 0, n = text ? sscanf(text, "%6u%n-%6u%n", &first, &end, &last, &end) : 0;
    if (!text) return 0;
    if (n == 1) last = first;
    if (n < 1 || text[end] || last < first || last > MAX_LAYER || text[strspn(text, "0123456789-")])
        return cli_misuse("--layers %s: expected a number or two, such as 3-5", text);
    desc->first_layer = first;
    desc->n_layers = last - first + 1;
    return 0;
}

static bool has_tokens(const weft_graph *g)
{
    const char *name;
    for (uint32_t i = 1; (name = weft_graph_extent(g, i, NULL)); i++)
        if (!strcmp(name, "tokens")) return true;
    return false;
}

static int dump(const cli_args *a, const cli_source *s, int stage, weft_dump_format format, const weft_writer *w)
{
    weft_error err;
    weft_bound tokens = { "tokens", cli_u32(a, "tokens", 0) };
    weft_dump_desc desc = { .title = s->title, .extents = &tokens, .n_extents = cli_has(a, "tokens"),
                            .unfold = cli_has(a, "unfold") };
    weft_dump_program d = { .name = "graph", .built = s->graph, .as_built = stage == BUILT };
    int status = read_layers(a, &desc);
    if (!status && desc.n_extents && !has_tokens(s->graph))
        status = cli_misuse("--tokens: the graph has no extent of that name");
    if (status) return status;
    if (stage == PLANNED) return dump_planned(a, s, format, &desc, w);
    d.outputs = cli_source_outputs(s, &d.n_outputs);
    return weft_program_dump(&d, 1, format, &desc, w, &err) ? cli_report(&err) : 0;
}

static const struct {
    const char *name;
    weft_dump_format format;
} formats[] = {
    { "text", WEFT_DUMP_TEXT }, /* of a stage that has no text of its own */
    { "flat", WEFT_DUMP_TEXT },
    { "dot", WEFT_DUMP_DOT },
    { "json", WEFT_DUMP_JSON },
    { "model-explorer", WEFT_DUMP_MODEL_EXPLORER },
    { "html", WEFT_DUMP_JSON },
};

static bool is_stdin(const cli_args *a)
{
    return !strcmp(a->model, "-");
}

/* Comments stay, and nothing is looked up or built: a text that lacks a parameter is formatted, too. */
static int format_text(const cli_args *a, const char *file)
{
    const char *origin = is_stdin(a) ? "standard input" : a->model;
    weft_error err;
    weft_text out = { 0 };
    weft_writer w = weft_text_writer(&out);
    weft_graph_text *t = NULL;
    size_t n;
    char *text = cli_read_file(a->model, &n);
    if (!text) return 1;
    bool failed = weft_graph_text_read(text, n, origin, &t, &err) || weft_graph_text_format(t, &w, &err);
    int status = failed ? cli_report(&err) : cli_write_file(file ? file : "-", out.data, out.size);
    weft_graph_text_destroy(t);
    weft_text_free(&out);
    free(text);
    return status;
}

static int run_graph(const cli_args *a)
{
    const char *stage_name = cli_text(a, "stage", "built"), *format = cli_text(a, "format", "text");
    const char *file = cli_text(a, "output", NULL);
    int stage = !strcmp(stage_name, "planned") ? PLANNED : !strcmp(stage_name, "optimised") ? OPTIMISED : BUILT;
    bool is_text = is_stdin(a) || cli_is_graph_text(a->model);
    if (stage == BUILT && !strcmp(format, "text") && is_text) return format_text(a, file);
    weft_error err;
    weft_text text = { 0 };
    bool html = !strcmp(format, "html");
    weft_writer w = file || html ? weft_text_writer(&text) : cli_stdout();
    cli_source s;
    unsigned f = 0;
    while (strcmp(formats[f].name, format)) f++; /* one of the option's choices */
    int status = cli_source_open(a, stage == PLANNED, &s);
    if (!status && cli_has(a, "program") && (stage != PLANNED || !s.model))
        status = cli_misuse("--program: only a planned model has programs of these names");
    bool follows = !cli_has(a, "lora") && s.model && stage == BUILT && !strcmp(format, "text");
    if (!status && follows) status = weft_model_print_text(s.model, &w, &err) ? cli_report(&err) : 0;
    else if (!status) status = dump(a, &s, stage, formats[f].format, &w);
    if (!status && html) status = cli_page_write(s.title, text.data, text.size, NULL, 0, file);
    else if (!status && file) status = cli_write_file(file, text.data, text.size);
    weft_text_free(&text);
    cli_source_close(&s);
    return status;
}

const cli_command cli_graph = {
    .name = "graph", .summary = "Prints a model's graph, its passes and its plan: as text, a drawing or data",
    .positional = "MODEL", .plans = true, .sources = true, .options = options, .run = run_graph,
};
