/* help.c: --help, the man page and the short usage, all from the tables of commands and options. */
#include "tools/cli.h"

#include <string.h>


static void print_options(FILE *f, const char *title, const cli_option *options)
{
    fprintf(f, "\n%s:\n", title);
    for (const cli_option *o = options; o->name; o++) {
        char head[64], letter[8] = "    ";
        if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(head, sizeof head, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(f, "  %-27s %s%s%s%s\n", head, o->help, o->choices ? ": " : "", o->choices ? o->choices : "",
                o->repeats ? " (repeatable)" : "");
    }
}

void cli_help(FILE *f, const cli_command *c)
{
    fprintf(f, "usage: weft %s%s%s%s [options]\n\n%s.\n", c->name, c->positional ? c->optional ? " [" : " " : "",
            c->positional ? c->positional : "", c->optional ? "]" : "", c->summary);
    cli_table tables[CLI_MAX_TABLES];
    cli_tables(c, tables);
    for (const cli_table *t = tables; t->options; t++) print_options(f, t->title, t->options);
}

void cli_usage(FILE *f)
{
    fprintf(f, "usage: weft COMMAND [arguments]\n\n"
               "Runs transformers from Hugging Face folders as they are. MODEL is such a folder.\n\nCommands:\n");
    for (const cli_command *const *c = cli_commands; *c; c++) fprintf(f, "  %-12s %s\n", (*c)->name, (*c)->summary);
    fprintf(
        f,
        "\n`weft COMMAND --help` tells more. Also: weft --version, weft --man (a man page), "
        "weft --completion bash|zsh|fish.\n");
}

/* ---- man page ---- */

static void man_text(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '-' || *s == '\\') fputc('\\', f);
        fputc(*s, f);
    }
}

static void man_options(FILE *f, const cli_option *options)
{
    for (const cli_option *o = options; o && o->name; o++) {
        fprintf(f, ".TP\n\\fB");
        if (o->letter) fprintf(f, "\\-%c\\fR, \\fB", o->letter);
        fprintf(f, "\\-\\-");
        man_text(f, o->name);
        fprintf(f, "\\fR%s\\fI%s\\fR\n", o->value ? " " : "", o->value ? o->value : "");
        man_text(f, o->help);
        if (o->choices) {
            fprintf(f, ": ");
            man_text(f, o->choices);
        }
        fprintf(f, "%s.\n", o->repeats ? " (repeatable)" : "");
    }
}

void cli_man(FILE *f)
{
    fprintf(
        f,
        ".TH WEFT 1 \"\" \"weft %s\" \"User Commands\"\n.SH NAME\nweft \\- run transformers from Hugging Face folders\n"
        ".SH SYNOPSIS\n.B weft\n\\fICOMMAND\\fR [\\fIarguments\\fR]\n.SH DESCRIPTION\n"
        "Describes a transformer once, as a static tensor graph, and runs it. MODEL is a Hugging Face folder "
        "(config.json, safetensors, tokenizer.json), used as it is.\n.SH COMMANDS\n",
        weft_version());
    for (const cli_command *const *c = cli_commands; *c; c++) {
        fprintf(f, ".SS weft %s %s\n", (*c)->name, (*c)->positional ? (*c)->positional : "");
        man_text(f, (*c)->summary);
        fprintf(f, ".\n");
        man_options(f, (*c)->options);
        if ((*c)->sources) man_options(f, cli_source_options);
    }
    fprintf(f, ".SS Options of every command that runs or plans a model\n");
    man_options(f, cli_device_options);
    fprintf(f, ".SS Options of every command that runs a model\n");
    man_options(f, cli_run_options);
    fprintf(f, ".SS Options of every command that opens a model's graph, and of init\n");
    man_options(f, cli_graph_options);
    fprintf(f, ".SS Options of every command\n");
    man_options(f, cli_model_options);
    man_options(f, cli_common_options);
    fprintf(f, ".SH EXIT STATUS\n0: done. 1: failed; one line on standard error says what and why. 2: wrong usage. "
            "130: stopped by Ctrl-C, 143: by a request to end (SIGTERM).\n");
}
