/* completion.c: completion for bash, zsh and fish, from the tables of commands and options: commands, options, and
 * values: choices, files, folders, devices. */
#include "tools/cli.h"

#include <string.h>

static const char device_words[] = "cpu|vulkan|null";

cli_completes cli_completes_of(const char *value)
{
    if (!value) return CLI_NOTHING;
    if (!strcmp(value, "FILE") || strstr(value, ".json")) return CLI_FILES;
    if (!strcmp(value, "DIR")) return CLI_FOLDERS;
    if (strstr(value, "MODEL")) return CLI_MODELS; /* a folder or a file */
    if (!strcmp(value, "SPEC")) return CLI_DEVICES;
    return CLI_NOTHING;
}

static const char *words_of(const cli_option *o)
{
    return o->choices ? o->choices : cli_completes_of(o->value) == CLI_DEVICES ? device_words : NULL;
}

typedef void each_option(FILE *f, const cli_command *c, const cli_option *o);

static void for_options(FILE *f, const cli_command *c, each_option *use)
{
    cli_table tables[CLI_MAX_TABLES];
    cli_tables(c, tables);
    for (const cli_table *t = tables; t->options; t++)
        for (const cli_option *o = t->options; o->name; o++) use(f, c, o);
}

static void put_spaced(FILE *f, const char *words)
{
    for (; *words; words++) fputc(*words == '|' ? ' ' : *words, f);
}

/* ---- bash ---- */

static void bash_word(FILE *f, const cli_command *c, const cli_option *o)
{
    (void)c;
    fprintf(f, " --%s", o->name);
}

static void bash_value(FILE *f, const cli_command *c, const cli_option *o)
{
    const char *words = words_of(o);
    if (o->kind == CLI_FLAG) return;
    fprintf(f, "        %s:--%s", c->name, o->name);
    if (o->letter) fprintf(f, "|%s:-%c", c->name, o->letter);
    cli_completes what = cli_completes_of(o->value);
    if (words) {
        fprintf(f, ") COMPREPLY=($(compgen -W \"");
        put_spaced(f, words);
        fprintf(f, "\" -- \"$word\"));;\n");
    } else if (what == CLI_FOLDERS) fprintf(f, ") COMPREPLY=($(compgen -d -- \"$word\"));;\n");
    else if (what != CLI_NOTHING) fprintf(f, ") COMPREPLY=($(compgen -f -- \"$word\"));;\n");
    else fprintf(f, ") ;;\n");
}

/* readline cuts words at '=': "--option=value" comes as three. */
static void bash(FILE *f)
{
    fputs("# bash completion for weft\n_weft()\n{\n"
          "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" words=\"\"\n"
          "    COMPREPLY=()\n"
          "    if [ \"$word\" = \"=\" ]; then word=\"\"\n"
          "    elif [ \"$before\" = \"=\" ] && [ \"$COMP_CWORD\" -gt 2 ]; then\n"
          "        before=\"${COMP_WORDS[COMP_CWORD-2]}\"\n    fi\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"",
          f);
    for (const cli_command *const *c = cli_commands; *c; c++) fprintf(f, "%s ", (*c)->name);
    fputs("help --help --version --man --completion\" -- \"$word\"))\n        return\n    fi\n"
          "    case \"${COMP_WORDS[1]}:$before\" in\n        help:*) COMPREPLY=($(compgen -W \"",
          f);
    for (const cli_command *const *c = cli_commands; *c; c++) fprintf(f, "%s ", (*c)->name);
    fputs("\" -- \"$word\"));;\n"
          "        --completion:*) COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$word\"));;\n",
          f);
    for (const cli_command *const *c = cli_commands; *c; c++) for_options(f, *c, bash_value);
    fputs("        *)\n            case \"${COMP_WORDS[1]}\" in\n", f);
    for (const cli_command *const *c = cli_commands; *c; c++) {
        fprintf(f, "                %s) words=\"", (*c)->name);
        for_options(f, *c, bash_word);
        fputs("\";;\n", f);
    }
    fputs("            esac\n"
          "            if [[ \"$word\" == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "            else COMPREPLY=($(compgen -f -- \"$word\")); fi;;\n    esac\n}\n"
          "complete -o filenames -F _weft weft\n",
          f);
}

/* ---- zsh ---- */

/* Inside single quotes, and inside the brackets of _arguments. */
static void zsh_text(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '\'') fputs("'\\''", f);
        else {
            if (strchr("[]:\\", *s)) fputc('\\', f);
            fputc(*s, f);
        }
    }
}

static void zsh_action(FILE *f, const char *words, const char *value)
{
    static const char *const actions[] = { [CLI_NOTHING] = " ", [CLI_FILES] = "_files", [CLI_FOLDERS] = "_files -/",
                                           [CLI_MODELS] = "_files", [CLI_DEVICES] = " " };
    zsh_text(f, value);
    fputc(':', f);
    if (words) {
        fputc('(', f);
        put_spaced(f, words);
        fputc(')', f);
    } else fputs(actions[cli_completes_of(value)], f);
}

static void zsh_option(FILE *f, const cli_command *c, const cli_option *o)
{
    (void)c;
    const char *many = o->repeats ? "*" : "";
    if (o->letter) {
        fprintf(f, " \\\n            ");
        if (!o->repeats) fprintf(f, "'(-%c --%s)'", o->letter, o->name);
        fprintf(f, "%s{-%c,--%s}'[", many, o->letter, o->name);
    } else fprintf(f, " \\\n            '%s--%s[", many, o->name);
    zsh_text(f, o->help);
    fputc(']', f);
    if (o->kind != CLI_FLAG) {
        fputc(':', f);
        zsh_action(f, words_of(o), o->value);
    }
    fputc('\'', f);
}

static void zsh_positionals(FILE *f, const char *names)
{
    char name[32];
    for (int i = 1; names && *names; i++) {
        size_t n = strcspn(names, " "), bare = strcspn(names, " .");
        bool several = bare + 3 == n && !memcmp(names + bare, "...", 3);
        snprintf(name, sizeof name, "%.*s", (int)(several ? bare : n), names);
        if (several) fprintf(f, " \\\n            '*:");
        else fprintf(f, " \\\n            '%d:", i);
        zsh_action(f, NULL, name);
        fputc('\'', f);
        names += n + (names[n] == ' ');
    }
}

static void zsh(FILE *f)
{
    fputs("#compdef weft\n_weft()\n{\n    local -a commands\n    commands=(\n", f);
    for (const cli_command *const *c = cli_commands; *c; c++) {
        fprintf(f, "        '%s:", (*c)->name);
        zsh_text(f, (*c)->summary);
        fputs("'\n", f);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
          "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n"
          "        help) _describe command commands;;\n",
          f);
    for (const cli_command *const *c = cli_commands; *c; c++) {
        fprintf(f, "        %s)\n            _arguments -s", (*c)->name);
        for_options(f, *c, zsh_option);
        zsh_positionals(f, (*c)->positional);
        fputs(";;\n", f);
    }
    fputs("    esac\n}\nif [[ \"$funcstack[1]\" == _weft ]]; then _weft \"$@\"; else compdef _weft weft; fi\n", f);
}

/* ---- fish ---- */

static void fish_text(FILE *f, const char *s)
{
    fputc('\'', f);
    for (; *s; s++) {
        if (*s == '\'' || *s == '\\') fputc('\\', f);
        fputc(*s, f);
    }
    fputc('\'', f);
}

static void fish_option(FILE *f, const cli_command *c, const cli_option *o)
{
    const char *words = words_of(o);
    cli_completes what = cli_completes_of(o->value);
    fprintf(f, "complete -c weft -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
    if (o->letter) fprintf(f, " -s %c", o->letter);
    if (o->kind != CLI_FLAG && words) {
        fputs(" -x -a '", f);
        put_spaced(f, words);
        fputc('\'', f);
    } else if (o->kind != CLI_FLAG && what == CLI_FOLDERS) fputs(" -x -a '(__fish_complete_directories)'", f);
    else if (o->kind != CLI_FLAG && what != CLI_NOTHING) fputs(" -r -F", f);
    else if (o->kind != CLI_FLAG) fputs(" -x", f);
    fputs(" -d ", f);
    fish_text(f, o->help);
    fputc('\n', f);
}

static void fish(FILE *f)
{
    fputs("# fish completion for weft\ncomplete -c weft -n __fish_use_subcommand -f\n", f);
    for (const cli_command *const *c = cli_commands; *c; c++) {
        fprintf(f, "complete -c weft -n __fish_use_subcommand -a %s -d ", (*c)->name);
        fish_text(f, (*c)->summary);
        fputc('\n', f);
    }
    for (const cli_command *const *c = cli_commands; *c; c++) for_options(f, *c, fish_option);
}

bool cli_completion(FILE *f, const char *shell)
{
    static const struct { const char *name; void (*print)(FILE *f); } shells[] = {
        { "bash", bash }, { "zsh", zsh }, { "fish", fish }
    };
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (!strcmp(shells[i].name, shell)) {
            shells[i].print(f);
            return true;
        }
    return false;
}
