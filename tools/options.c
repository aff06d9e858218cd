/* options.c: parsing of a subcommand's options with getopt_long, from its table. */
#include "tools/cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const cli_option cli_run_options[] = {
    { .name = "weights", .kind = CLI_TEXT, .value = "FORMAT",
      .help = "how matrices are stored in memory (default: as in the files)",
      .choices = "f32|f16|bf16|q8_0|q4_0" },
    { .name = "kv", .kind = CLI_TEXT, .value = "FORMAT",
      .help = "how the cache is stored (default: f16, f32 with --exact)",
      .choices = "f32|f16|bf16" },
    { .name = "context", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens a sequence can have (default: the model's)" },
    { .name = "chunk", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "prompt tokens per run (default: 512)" },
    { .name = "exact", .kind = CLI_FLAG, .help = "float32 activations and cache: no int8 or bf16 arithmetic" },
    { .name = "strict", .kind = CLI_FLAG, .help = "fail instead of running a node elsewhere than asked" },
    { .name = "check", .kind = CLI_FLAG,
      .help = "compare every node with the plain float32 path first; exit with 1 if one differs" },
    { .name = "verbose", .kind = CLI_FLAG, .help = "notes on the model, then devices, memory and placement on stderr" },
    { .name = NULL },
};

const cli_option cli_source_options[] = {
    { .name = "weights", .kind = CLI_TEXT, .value = "FORMAT", .choices = "f32|f16|bf16|q8_0|q4_0",
      .help = "how matrices are stored (default: as in the files)" },
    { .name = "kv", .kind = CLI_TEXT, .value = "FORMAT", .choices = "f32|f16|bf16",
      .help = "how the cache is stored (default: f16, f32 with --exact)" },
    { .name = "context", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens of the cache (default: the model's context)" },
    { .name = "chunk", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "prompt tokens per run at most (default: 512)" },
    { .name = "exact", .kind = CLI_FLAG, .help = "plan for float32 activations and cache" },
    { .name = NULL },
};

const cli_option cli_common_options[] = {
    { .name = "help", .kind = CLI_FLAG, .help = "print this help" },
    { .name = NULL },
};

static unsigned collect(const cli_command *c, const cli_option **all)
{
    const cli_option *tables[] = { c->options, c->sources ? cli_source_options : NULL,
                                   c->runs || c->plans ? cli_device_options : NULL, c->runs ? cli_run_options : NULL,
                                   cli_common_options };
    unsigned n = 0;
    for (unsigned t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const cli_option *o = tables[t]; o && o->name && n < CLI_MAX_OPTIONS; o++) all[n++] = o;
    return n;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (n && !strncmp(p, value, n) && (p[n] == 0 || p[n] == '|')) return true;
    return false;
}

/* 0, or 2 after a message. */
static int check_value(const cli_option *o, const char *value)
{
    if (o->choices && !is_choice(o->choices, value))
        return cli_misuse("--%s %s: expected %s", o->name, value, o->choices);
    if (o->kind != CLI_WHOLE && o->kind != CLI_REAL) return 0;
    char *end;
    errno = 0;
    double x = o->kind == CLI_WHOLE ? (double)strtoull(value, &end, 10) : strtod(value, &end);
    bool starts = o->kind == CLI_WHOLE ? *value >= '0' && *value <= '9' : end != value;
    if (!starts || *end || errno || !isfinite(x) || x < o->min || x > o->max)
        return cli_misuse("--%s %s: expected a %s from %.9g to %.9g", o->name, value,
                          o->kind == CLI_WHOLE ? "whole number" : "number", o->min, o->max);
    return 0;
}

static int add_value(cli_args *a, const cli_option *o, const char *value)
{
    unsigned i = 0;
    while (i < a->n_given && a->given[i].option != o) i++;
    if (i == a->n_given) {
        a->given[i].option = o;
        a->n_given++;
    }
    if (o->kind == CLI_FLAG) return 0;
    if (!o->repeats) a->given[i].n = 0; /* the last one counts */
    if (a->given[i].n == CLI_MAX_VALUES) return cli_misuse("--%s: more than %d times", o->name, CLI_MAX_VALUES);
    a->given[i].values[a->given[i].n++] = value;
    return check_value(o, value);
}

static int take_positional(const cli_command *c, int argc, char **argv, cli_args *out)
{
    int n = argc - optind, want = !c->positional ? 0 : strchr(c->positional, ' ') ? 2 : 1;
    if (n < want) return cli_misuse("%s: expected %s; see `weft %s --help`", c->name, c->positional, c->name);
    if (n > want) return cli_misuse("%s: unexpected argument '%s'", c->name, argv[optind + want]);
    out->model = want > 0 ? argv[optind] : NULL;
    out->second = want > 1 ? argv[optind + 1] : NULL;
    return 0;
}

int cli_parse(const cli_command *c, int argc, char **argv, cli_args *out)
{
    const cli_option *all[CLI_MAX_OPTIONS];
    struct option longs[CLI_MAX_OPTIONS + 1] = { 0 };
    unsigned n = collect(c, all);
    *out = (cli_args){ .command = c };
    for (unsigned i = 0; i < n; i++)
        longs[i] =
            (struct option){ all[i]->name, all[i]->kind == CLI_FLAG ? no_argument : required_argument, NULL, (int)i };
    opterr = 0;
    optind = 1;
    for (int k; (k = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (k == ':') return 1 + cli_misuse("%s: %s needs a value", c->name, word);
        if (k == '?') return 1 + cli_misuse("%s: unknown option %s; see `weft %s --help`", c->name, word, c->name);
        if (k == 'h' || !strcmp(all[k]->name, "help")) {
            cli_help(stdout, c);
            return 1;
        }
        int status = add_value(out, all[k], optarg);
        if (status) return 1 + status;
    }
    int status = take_positional(c, argc, argv, out);
    return status ? 1 + status : 0;
}

/* ---- values ---- */

bool cli_has(const cli_args *a, const char *name)
{
    for (unsigned i = 0; i < a->n_given; i++)
        if (!strcmp(a->given[i].option->name, name)) return true;
    return false;
}

unsigned cli_texts(const cli_args *a, const char *name, const char *const **values)
{
    for (unsigned i = 0; i < a->n_given; i++)
        if (!strcmp(a->given[i].option->name, name)) {
            *values = a->given[i].values;
            return a->given[i].n;
        }
    *values = NULL;
    return 0;
}

const char *cli_text(const cli_args *a, const char *name, const char *fallback)
{
    const char *const *values;
    unsigned n = cli_texts(a, name, &values);
    return n ? values[n - 1] : fallback;
}

uint64_t cli_u64(const cli_args *a, const char *name, uint64_t fallback)
{
    const char *text = cli_text(a, name, NULL);
    return text ? strtoull(text, NULL, 10) : fallback;
}

uint32_t cli_u32(const cli_args *a, const char *name, uint32_t fallback)
{
    return (uint32_t)cli_u64(a, name, fallback);
}

float cli_f32(const cli_args *a, const char *name, float fallback)
{
    const char *text = cli_text(a, name, NULL);
    return text ? strtof(text, NULL) : fallback;
}
