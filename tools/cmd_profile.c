/* cmd_profile.c: `weft profile`: where the time of a model's programs goes, node by node, and how far each is from what
 * the device can do. */
#include "tools/page.h"
#include "tools/profile.h"

#include <string.h>

static const cli_option options[] = {
    { .name = "prompt-tokens", .letter = 'p', .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 1 << 20,
      .help = "length of the prompt, 0: none (default: 512, or the context)" },
    { .name = "decode-tokens", .letter = 'n', .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 1 << 20,
      .help = "tokens to decode, 0: none (default: 64)" },
    { .name = "repeat", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1000,
      .help = "runs of the prompt, and of all the decoding (default: 5); runs of a graph (default: 20)" },
    { .name = "mode", .kind = CLI_TEXT, .value = "MODE", .choices = "scheduled|isolated",
      .help = "as the program really runs, or one step at a time (default: scheduled)" },
    { .name = "by", .kind = CLI_TEXT, .value = "WHAT", .choices = "op|layer|shape|node",
      .help = "what a row of the table is (default: op)" },
    { .name = "top", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 20,
      .help = "rows of the table at most (default: all)" },
    { .name = "format", .kind = CLI_TEXT, .value = "FORMAT", .choices = "text|md|json|html|perfetto",
      .help = "table, table in Markdown, the whole document, a page, or a trace (default: text)" },
    { .name = "output", .kind = CLI_TEXT, .value = "FILE", .help = "write there (default: standard output)" },
    { .name = "diff", .kind = CLI_TEXT, .value = "A.json",
      .help = "measure nothing: MODEL is a profile, compare it with this older one" },
    { .name = "fail-above", .kind = CLI_REAL, .value = "PERCENT", .min = 0, .max = 1e6,
      .help = "with --diff: exit status 1 if anything got slower by more than this, and more than the noise" },
    { .name = NULL },
};

static weft_profile_by find_by(const char *name)
{
    weft_profile_by by = 0;
    while (by + 1 < WEFT_BY_COUNT && strcmp(weft_profile_by_name(by), name)) by++;
    return by;
}

/* What --check found, below a program's table. */
static bool print_checks(const profile_entry *e, bool markdown, const weft_writer *w)
{
    double worst = 0;
    const weft_check_node *first = NULL;
    for (uint32_t i = 0; i < e->checks.n; i++) {
        const weft_check_node *c = &e->checks.nodes[i];
        if (c->tolerance > 0 && c->max_error / c->tolerance > worst) worst = c->max_error / c->tolerance;
        if (c->failed && !first) first = c;
    }
    if (!e->checks.n) return true;
    const char *before = markdown ? "\n" : "";
    if (!weft_writef(w, "%scheck: %u results compared with the plain float32 path, %u differ; the largest error is "
                        "%.2g of its tolerance\n", before, e->checks.n, e->checks.n_failed, worst))
        return false;
    if (!first) return true;
    const weft_node *n = weft_graph_node_by_id(weft_program_graph(e->program), first->node);
    return weft_writef(w, "%sthe first that differs: %s%s%s %%%u\n", before, n->scope, *n->scope ? " " : "",
                       weft_op_get(n->op)->name, n->out[first->output].id);
}

static weft_status print_tables(const cli_args *a, const profile_set *s, const weft_writer *w, weft_error *err)
{
    weft_profile_table_desc d = { .by = find_by(cli_text(a, "by", "op")), .top = cli_u32(a, "top", 0),
                                  .markdown = !strcmp(cli_text(a, "format", "text"), "md") };
    if (!weft_writef(w, d.markdown ? "### %s\n" : "%s\n", s->source.title))
        return WEFT_FAIL(err, WEFT_IO, "the table could not be written");
    for (uint32_t i = 0; i < s->n; i++) {
        if (!weft_writef(w, "\n")) return WEFT_FAIL(err, WEFT_IO, "the table could not be written");
        WEFT_TRY(weft_profile_table(s->entry[i].profile, &d, w, err));
        if (!print_checks(&s->entry[i], d.markdown, w))
            return WEFT_FAIL(err, WEFT_IO, "the table could not be written");
    }
    return WEFT_OK;
}

weft_status profile_json(const profile_set *s, const char *title, const weft_writer *w, weft_error *err)
{
    weft_dump_program d[PROFILE_MOST];
    for (uint32_t i = 0; i < s->n; i++) {
        const profile_entry *e = &s->entry[i];
        d[i] = (weft_dump_program){ .name = e->name, .built = e->built, .program = e->program, .profile = e->profile,
                                    .checks = e->checks.nodes, .n_checks = e->checks.n };
    }
    return weft_program_dump(d, s->n, WEFT_DUMP_JSON, &(weft_dump_desc){ .title = title }, w, err);
}

static weft_status print_trace(const profile_set *s, const weft_writer *w, weft_error *err)
{
    const weft_profile *profiles[PROFILE_MOST];
    for (uint32_t i = 0; i < s->n; i++) profiles[i] = s->entry[i].profile;
    return weft_profile_trace(profiles, s->n, w, err);
}

static weft_status print(const cli_args *a, const profile_set *s, const weft_writer *w, weft_error *err)
{
    const char *format = cli_text(a, "format", "text");
    if (!strcmp(format, "json") || !strcmp(format, "html")) return profile_json(s, s->source.title, w, err);
    if (!strcmp(format, "perfetto")) return print_trace(s, w, err);
    return print_tables(a, s, w, err);
}

/* Failed checks do not keep the profile from being written. */
static int judge(const profile_set *s)
{
    uint32_t n = 0, failed = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        n += s->entry[i].checks.n;
        failed += s->entry[i].checks.n_failed;
    }
    return failed ? cli_fail("check: %u of %u results differ from the plain float32 path", failed, n) : 0;
}

static int run_profile(const cli_args *a)
{
    weft_error err;
    profile_set s;
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    if (cli_has(a, "diff")) return profile_diff(a);
    if (cli_has(a, "fail-above")) return cli_misuse("--fail-above: only with --diff");
    int status = profile_measure(a, &s);
    if (!status && print(a, &s, &w, &err)) status = cli_report(&err);
    if (!status && !strcmp(cli_text(a, "format", "text"), "html"))
        status = cli_page_write(s.source.title, text.data, text.size, NULL, 0, cli_text(a, "output", NULL));
    else if (!status) status = cli_write_file(cli_text(a, "output", "-"), text.data, text.size);
    if (!status) status = judge(&s);
    profile_close(&s);
    weft_text_free(&text);
    return status;
}

const cli_command cli_profile = {
    .name = "profile", .summary = "Shows where the time goes, node by node, beside the device's own limits",
    .positional = "MODEL", .runs = true, .options = options, .run = run_profile,
};
