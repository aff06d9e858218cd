/* main.c: the `weft` program: finds the subcommand and lets it work. */
#include "graph/guess.h"
#include "tools/cli.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

const cli_command *const cli_commands[] = {
    &cli_generate, &cli_logits, &cli_embed, &cli_classify, &cli_tokenize, &cli_detokenize, &cli_chat_template,
    &cli_chat, &cli_serve, &cli_pull, &cli_perplexity,
    &cli_inspect, &cli_bench, &cli_kernels, &cli_profile, &cli_graph, &cli_memory, &cli_init,
    &cli_convert, &cli_quantize, &cli_imatrix, &cli_devices, &cli_tune, &cli_report_command, NULL,
};

static const cli_command *find(const char *name)
{
    for (const cli_command *const *c = cli_commands; *c; c++)
        if (!strcmp((*c)->name, name)) return *c;
    return NULL;
}

static int refuse(const char *name)
{
    static const char *const words[] = { "help", "--help", "--version", "--man", "--completion" };
    weft__guess g = { .word = name };
    char hint[80];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) weft__guess_try(&g, words[i], strlen(words[i]));
    for (const cli_command *const *c = cli_commands; *c; c++) weft__guess_try(&g, (*c)->name, strlen((*c)->name));
    return cli_misuse("%s: no such command%s; see `weft --help`", name, weft__guess_text(&g, hint, sizeof hint));
}

/* `weft help COMMAND`, and the words that are no commands. 0..2: done, -1: no such word. */
static int run_word(int argc, char **argv)
{
    const char *word = argv[1];
    if (!strcmp(word, "--version")) return printf("weft %s\n", weft_version()), 0;
    if (!strcmp(word, "--man")) return cli_man(stdout), 0;
    if (!strcmp(word, "--completion"))
        return argc > 2 && cli_completion(stdout, argv[2]) ? 0 : cli_misuse("--completion: expected bash, zsh or fish");
    if (strcmp(word, "--help") && strcmp(word, "-h") && strcmp(word, "help")) return -1;
    if (argc < 3) return cli_usage(stdout), 0;
    const cli_command *c = find(argv[2]);
    if (!c) return refuse(argv[2]);
    return cli_help(stdout, c), 0;
}

/* What was printed last may still be unwritten. */
static int finish(int status)
{
    cli_progress_end();
    if (fflush(stdout) || ferror(stdout)) return cli_fail("standard output: could not be written");
    return status;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* numbers keep the C locale's form */
    if (argc < 2) {
        cli_usage(stderr);
        return 2;
    }
    int status = run_word(argc, argv);
    if (status >= 0) return finish(status);
    const cli_command *c = find(argv[1]);
    if (!c) return refuse(argv[1]);
    cli_args args;
    status = cli_parse(c, argc - 1, argv + 1, &args);
    if (status) return finish(status - 1);
    bool takes_model = args.model && c->positional && !strncmp(c->positional, "MODEL", 5);
    takes_model &= !cli_takes_several(c); /* it looks for each of them itself */
    status = takes_model ? cli_find_model(&args) : 0;
    cli_progress_init(&args);
    if (!status) status = c->run(&args);
    free(args.found);
    return finish(status);
}
