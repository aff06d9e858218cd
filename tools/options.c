/* options.c: parsing of a subcommand's options with getopt_long, from its table. */
#include "graph/guess.h"
#include "tools/cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What keys and values, and weights, can be turned into, with '|' before each. */
#define CHOICE_0(name)
#define CHOICE_1(name) "|" #name
#define WEFT_DTYPE(number, id, name, block, bytes, class_, bits, group, minimum, encodes) CHOICE_##encodes(name)
static const char cache_formats[] = ""
#include "graph/dtype.def"
    ;
static const char formats[] = ""
#include "graph/dtype.def"
#define WEFT_SEARCH(id, name, groups, size, lo, hi, table, scale_lo, scale_hi, min_hi, pack) CHOICE_1(name)
#include "graph/quantize/search.def"
    ;
#undef WEFT_DTYPE
#undef CHOICE_0
#undef CHOICE_1

const cli_option cli_run_options[] = {
    { .name = "weights", .kind = CLI_TEXT, .value = "FORMAT",
      .help = "how matrices are stored in memory (default: as in the files)",
      .choices = formats + 1 },
    { .name = "kv", .kind = CLI_TEXT, .value = "FORMAT",
      .help = "how the cache is stored, or keys and values, as in q8_0,q4_0 (default: f16, f32 with --exact)",
      .choices = cache_formats + 1, .pair = true },
    { .name = "context", .letter = 'c', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens a sequence can have (default: the model's)" },
    { .name = "chunk", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "prompt tokens per run (default: 512)" },
    { .name = "fit", .kind = CLI_FLAG,
      .help = "choose context and cache, unless they are given, so that it fits the devices; says what and why" },
    { .name = "cache-weights", .kind = CLI_TEXT, .value = "DIR",
      .help = "keep weights as they are packed in files there, for the next start; removing them is always safe" },
    { .name = "lora", .kind = CLI_TEXT, .value = "FOLDER[=SCALE]", .repeats = true,
      .help = "a LoRA adapter in PEFT's layout beside the weights, times a scale (default: 1); several add up" },
    { .name = "exact", .kind = CLI_FLAG, .help = "float32 activations and cache: no int8 or bf16 arithmetic" },
    { .name = "deterministic", .kind = CLI_FLAG,
      .help = "the same bits for a token, whatever is run beside it and in which pieces" },
    { .name = "strict", .kind = CLI_FLAG, .help = "fail instead of running a node elsewhere than asked" },
    { .name = "check", .kind = CLI_FLAG,
      .help = "compare every node with the plain float32 path first; exit with 1 if one differs" },
    { .name = "verbose", .kind = CLI_FLAG, .help = "on stderr: notes, devices, memory, how nodes are placed, speed" },
    { .name = NULL },
};

const cli_option cli_source_options[] = {
    { .name = "weights", .kind = CLI_TEXT, .value = "FORMAT", .choices = formats + 1,
      .help = "how matrices are stored (default: as in the files)" },
    { .name = "kv", .kind = CLI_TEXT, .value = "FORMAT", .choices = cache_formats + 1, .pair = true,
      .help = "how the cache is stored, or keys and values, as in q8_0,q4_0 (default: f16, f32 with --exact)" },
    { .name = "context", .letter = 'c', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens of the cache (default: the model's context)" },
    { .name = "chunk", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "prompt tokens per run at most (default: 512)" },
    { .name = "fit", .kind = CLI_FLAG,
      .help = "choose context and cache, unless they are given, so that it fits the devices; says what and why" },
    { .name = "lora", .kind = CLI_TEXT, .value = "FOLDER[=SCALE]", .repeats = true,
      .help = "a LoRA adapter in PEFT's layout beside the weights, times a scale (default: 1); several add up" },
    { .name = "exact", .kind = CLI_FLAG, .help = "plan for float32 activations and cache" },
    { .name = "deterministic", .kind = CLI_FLAG, .help = "plan for the same bits in whatever pieces a text is run" },
    { .name = NULL },
};

const cli_option cli_model_options[] = {
    { .name = "model", .letter = 'm', .kind = CLI_TEXT, .value = "MODEL", .help = "another way to name MODEL" },
    { .name = NULL },
};

const cli_option cli_graph_options[] = {
    { .name = "graph", .kind = CLI_TEXT, .value = "FILE",
      .help = "the model's graph is this text, whatever its architecture is; config.json has its parameters" },
    { .name = "param", .kind = CLI_TEXT, .value = "NAME=VALUE", .repeats = true,
      .help = "a parameter of the text, instead of what config.json says" },
    { .name = NULL },
};

const cli_option cli_common_options[] = {
    { .name = "quiet", .kind = CLI_FLAG, .help = "no line on the terminal that says how far long work is" },
    { .name = "help", .letter = 'h', .kind = CLI_FLAG, .help = "print this help" },
    { .name = NULL },
};

void cli_tables(const cli_command *c, cli_table out[CLI_MAX_TABLES])
{
    bool model = c->positional && !strncmp(c->positional, "MODEL", 5);
    const cli_table all[] = { { "Options", c->options },
                              { "Picking tokens", c->samples ? cli_sampling_options : NULL },
                              { "Model", model ? cli_model_options : NULL },
                              { "Graph", c->runs || c->sources || c->graphs ? cli_graph_options : NULL },
                              { "Plan", c->sources ? cli_source_options : NULL },
                              { "Devices", c->runs || c->plans ? cli_device_options : NULL },
                              { "Running", c->runs ? cli_run_options : NULL },
                              { "Other", cli_common_options } };
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].options && all[i].options->name) out[n++] = all[i];
    out[n] = (cli_table){ NULL, NULL };
}

static unsigned collect(const cli_command *c, const cli_option **all)
{
    cli_table tables[CLI_MAX_TABLES];
    unsigned n = 0;
    cli_tables(c, tables);
    for (const cli_table *t = tables; t->options; t++)
        for (const cli_option *o = t->options; o->name && n < CLI_MAX_OPTIONS; o++) all[n++] = o;
    return n;
}

void cli_each_choice(const char *choices, void (*use)(void *ctx, const char *word, size_t n), void *ctx)
{
    for (const char *at = choices; at; at += *at == '|') {
        size_t n = strcspn(at, "|");
        use(ctx, at, n);
        at += n;
        if (!*at) break;
    }
}

static void try_choice(void *ctx, const char *word, size_t n)
{
    weft__guess_try(ctx, word, n);
}

static bool is_choice(const char *choices, const char *value, size_t n)
{
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (n && !strncmp(p, value, n) && (p[n] == 0 || p[n] == '|')) return true;
    return false;
}

static int refuse_number(const cli_option *o, const char *value)
{
    if (o->kind == CLI_REAL)
        return cli_misuse("--%s %s: expected a number from %.9g to %.9g", o->name, value, o->min, o->max);
    uint64_t most = o->max >= CLI_U64_MAX ? UINT64_MAX : (uint64_t)o->max;
    return cli_misuse("--%s %s: expected a whole number from %.0f to %llu", o->name, value, o->min,
                      (unsigned long long)most);
}

static bool is_allowed(const cli_option *o, const char *value)
{
    size_t first = o->pair ? strcspn(value, ",") : strlen(value);
    const char *second = value[first] ? value + first + 1 : NULL;
    return is_choice(o->choices, value, first) && (!second || is_choice(o->choices, second, strlen(second)));
}

/* 0, or 2 after a message. */
static int check_value(const cli_option *o, const char *value)
{
    if (o->choices && !is_allowed(o, value)) {
        const char *last = o->pair ? strrchr(value, ',') : NULL;
        weft__guess g = { .word = last ? last + 1 : value };
        char hint[80];
        cli_each_choice(o->choices, try_choice, &g);
        return cli_misuse("--%s %s: expected %s%s", o->name, value, o->choices,
                          weft__guess_text(&g, hint, sizeof hint));
    }
    if (o->kind != CLI_WHOLE && o->kind != CLI_REAL) return 0;
    char *end;
    errno = 0;
    double x = o->kind == CLI_WHOLE ? (double)strtoull(value, &end, 10) : strtod(value, &end);
    bool starts = o->kind == CLI_WHOLE ? *value >= '0' && *value <= '9' : end != value;
    if (!starts || *end || errno || !isfinite(x) || x < o->min || x > o->max) return refuse_number(o, value);
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
    if (!o->repeats && a->given[i].n)
        return cli_misuse("--%s is given twice: '%s' and '%s'%s", o->name, a->given[i].values[0], value,
                          cli_completes_of(o->value) == CLI_DEVICES ? "; several devices are named in one, with commas"
                                                                    : "");
    if (a->given[i].n == CLI_MAX_VALUES) return cli_misuse("--%s: more than %d times", o->name, CLI_MAX_VALUES);
    a->given[i].values[a->given[i].n++] = value;
    return check_value(o, value);
}

int cli_set(cli_args *a, const cli_option *o, const char *value)
{
    const cli_args was = *a;
    for (unsigned i = 0; i < a->n_given; i++)
        if (a->given[i].option == o) a->given[i].n = 0;
    int status = add_value(a, o, value);
    if (status) *a = was;
    return status;
}

int cli_add(cli_args *a, const cli_option *o, const char *value)
{
    return add_value(a, o, value);
}

const cli_option *cli_find_option(const cli_command *c, const char *name, size_t n, char *hint, size_t size)
{
    const cli_option *all[CLI_MAX_OPTIONS];
    const unsigned count = collect(c, all);
    char word[48];
    snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), name);
    weft__guess g = { .word = word };
    for (unsigned i = 0; i < count; i++) {
        if (strlen(all[i]->name) == n && !strncmp(all[i]->name, name, n)) return all[i];
        weft__guess_try(&g, all[i]->name, strlen(all[i]->name));
    }
    weft__guess_text(&g, hint, size);
    return NULL;
}

bool cli_takes_several(const cli_command *c)
{
    return c->positional && strstr(c->positional, "...");
}

/* One or more; none is left out. */
static int take_models(const cli_command *c, int argc, char **argv, cli_args *out)
{
    const char *named = cli_text(out, "model", NULL);
    if (named) out->models[out->n_models++] = named;
    for (int i = optind; i < argc; i++) {
        if (out->n_models == CLI_MAX_MODELS) return cli_misuse("%s: more than %d models", c->name, CLI_MAX_MODELS);
        out->models[out->n_models++] = argv[i];
    }
    if (!out->n_models) return cli_misuse("%s: expected %s; see `weft %s --help`", c->name, c->positional, c->name);
    out->model = out->named = out->models[0];
    return 0;
}

static int take_positional(const cli_command *c, int argc, char **argv, cli_args *out)
{
    int n = argc - optind, want = !c->positional ? 0 : strchr(c->positional, ' ') ? 2 : 1;
    if (cli_takes_several(c)) return take_models(c, argc, argv, out);
    const char *named = cli_text(out, "model", NULL);
    if (named && n > want - 1)
        return cli_misuse("%s: MODEL is given twice: '%s' and '%s'", c->name, named, argv[optind]);
    if (named) argv[--optind] = (char *)(uintptr_t)named;
    if (named) n++;
    if (n < want && !c->optional)
        return cli_misuse("%s: expected %s; see `weft %s --help`", c->name, c->positional, c->name);
    if (n > want) return cli_misuse("%s: unexpected argument '%s'", c->name, argv[optind + want]);
    out->model = want > 0 && n > 0 ? argv[optind] : NULL;
    out->second = want > 1 ? argv[optind + 1] : NULL;
    return 0;
}

/* A word that is no option: what getopt_long complains of. */
static int refuse_word(const cli_command *c, const char *word, const cli_option *const *all, unsigned n)
{
    const char *name = word + strspn(word, "-");
    char bare[48], hint[80];
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(name, "="), name);
    weft__guess g = { .word = bare };
    for (unsigned i = 0; i < n && word[1] == '-'; i++) weft__guess_try(&g, all[i]->name, strlen(all[i]->name));
    if (*g.best) {
        memmove(g.best + 2, g.best, sizeof g.best - 2);
        memcpy(g.best, "--", 2);
        g.best[sizeof g.best - 1] = 0;
    }
    return cli_misuse("%s: unknown option %s%s; see `weft %s --help`", c->name, word,
                      weft__guess_text(&g, hint, sizeof hint), c->name);
}

/* What getopt_long gives for option i that has no letter. */
enum { FIRST_LONG = 256 };

/* What getopt_long does not take: an unknown letter, which may stand among others, a value for a flag, a word. */
static int refuse(const cli_command *c, const char *word, const cli_option *const *all, unsigned n)
{
    if (optopt >= FIRST_LONG)
        return cli_misuse("%s: --%s takes no value: %s", c->name, all[optopt - FIRST_LONG]->name, word);
    char letter[3] = { '-', (char)optopt, 0 };
    return refuse_word(c, optopt ? letter : word, all, n);
}

static void fill_getopt(const cli_option *const *all, unsigned n, char *letters, struct option *longs)
{
    *letters++ = ':';
    for (unsigned i = 0; i < n; i++) {
        bool value = all[i]->kind != CLI_FLAG;
        longs[i] = (struct option){ all[i]->name, value ? required_argument : no_argument, NULL, FIRST_LONG + (int)i };
        if (all[i]->letter) *letters++ = all[i]->letter;
        if (all[i]->letter && value) *letters++ = ':';
    }
    *letters = 0;
}

static unsigned find_letter(const cli_option *const *all, unsigned n, int letter)
{
    unsigned i = 0;
    while (i < n && all[i]->letter != letter) i++;
    return i;
}

int cli_parse(const cli_command *c, int argc, char **argv, cli_args *out)
{
    const cli_option *all[CLI_MAX_OPTIONS];
    struct option longs[CLI_MAX_OPTIONS + 1] = { 0 };
    char letters[2 * CLI_MAX_OPTIONS + 2];
    unsigned n = collect(c, all);
    *out = (cli_args){ .command = c };
    fill_getopt(all, n, letters, longs);
    opterr = 0;
    optind = 1;
    for (int k; (k = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (k == ':') return 1 + cli_misuse("%s: %s needs a value", c->name, word);
        if (k == '?') return 1 + refuse(c, word, all, n);
        const cli_option *o = all[k >= FIRST_LONG ? (unsigned)(k - FIRST_LONG) : find_letter(all, n, k)];
        if (o->letter == 'h') {
            cli_help(stdout, c);
            return 1;
        }
        int status = add_value(out, o, optarg);
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
