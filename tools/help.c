/* help.c: --help, the man page and bash completion, all from the tables of commands and options. */
#include "tools/cli.h"

#include <string.h>


static void print_options(FILE *f, const char *title, const cli_option *options)
{
    if (!options || !options->name) return;
    fprintf(f, "\n%s:\n", title);
    for (const cli_option *o = options; o->name; o++) {
        char head[64];
        snprintf(head, sizeof head, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(f, "  %-24s %s%s%s%s\n", head, o->help, o->choices ? ": " : "", o->choices ? o->choices : "",
                o->repeats ? " (repeatable)" : "");
    }
}

void cli_help(FILE *f, const cli_command *c)
{
    fprintf(f, "usage: weft %s%s%s [options]\n\n%s.\n", c->name, c->positional ? " " : "",
            c->positional ? c->positional : "", c->summary);
    print_options(f, "Options", c->options);
    if (c->sources) print_options(f, "Model", cli_source_options);
    if (c->runs || c->plans) print_options(f, "Devices", cli_device_options);
    if (c->runs) print_options(f, "Running", cli_run_options);
    print_options(f, "Other", cli_common_options);
}

void cli_usage(FILE *f)
{
    fprintf(f, "usage: weft COMMAND [arguments]\n\n"
               "Runs transformers from Hugging Face folders as they are. MODEL is such a folder.\n\nCommands:\n");
    for (const cli_command *const *c = cli_commands; *c; c++) fprintf(f, "  %-12s %s\n", (*c)->name, (*c)->summary);
    fprintf(
        f,
        "\n`weft COMMAND --help` tells more. Also: weft --version, weft --man (a man page), weft --completion bash.\n");
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
        fprintf(f, ".TP\n\\fB\\-\\-");
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
    fprintf(f, ".SH EXIT STATUS\n0: done. 1: failed; one line on standard error says what and why. 2: wrong usage.\n");
}

/* ---- bash completion ---- */

static void completion_words(FILE *f, const cli_option *options)
{
    for (const cli_option *o = options; o && o->name; o++) fprintf(f, " --%s", o->name);
}

static void completion_values(FILE *f, const cli_option *options)
{
    for (const cli_option *o = options; o && o->name; o++) {
        if (!o->choices) continue;
        fprintf(f, "        --%s) COMPREPLY=($(compgen -W \"", o->name);
        for (const char *s = o->choices; *s; s++) fputc(*s == '|' ? ' ' : *s, f);
        fprintf(f, "\" -- \"$word\")); return;;\n");
    }
}

void cli_completion(FILE *f)
{
    fprintf(f, "# bash completion for weft\n_weft()\n{\n    local word=\"${COMP_WORDS[COMP_CWORD]}\" "
               "before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
               "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    for (const cli_command *const *c = cli_commands; *c; c++)
        fprintf(f, "%s%s", c == cli_commands ? "" : " ", (*c)->name);
    fprintf(f,
            " --help --version --man --completion\" -- \"$word\"))\n        return\n    fi\n    case \"$before\" in\n");
    completion_values(f, cli_run_options);
    fprintf(f, "    esac\n    local words=\"\"\n    case \"${COMP_WORDS[1]}\" in\n");
    for (const cli_command *const *c = cli_commands; *c; c++) {
        fprintf(f, "        %s) words=\"", (*c)->name);
        completion_words(f, (*c)->options);
        if ((*c)->sources) completion_words(f, cli_source_options);
        if ((*c)->runs || (*c)->plans) completion_words(f, cli_device_options);
        if ((*c)->runs) completion_words(f, cli_run_options);
        completion_words(f, cli_common_options);
        fprintf(f, "\";;\n");
    }
    fprintf(f, "    esac\n    if [[ \"$word\" == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\")); else "
               "COMPREPLY=($(compgen -f -- \"$word\")); fi\n}\ncomplete -o filenames -F _weft weft\n");
}
