/* settings.c: /set: the options of picking tokens, while a conversation goes on. */
#include "graph/guess.h"
#include "tools/chat/chat.h"

#include <stdlib.h>
#include <string.h>

static const cli_option *find_in(const cli_option *table, const char *name, weft__guess *g)
{
    for (; table->name; table++) {
        if (!strcmp(table->name, name)) return table;
        weft__guess_try(g, table->name, strlen(table->name));
    }
    return NULL;
}

static const cli_option *find(const char *name)
{
    char hint[80];
    weft__guess g = { .word = name };
    const cli_option *o = find_in(cli_sampling_options, name, &g);
    if (!o && !strcmp(name, "max-tokens")) o = find_in(cli_chat_options, name, &g);
    if (!o) cli_fail("/set: there is no '%s'%s", name, weft__guess_text(&g, hint, sizeof hint));
    return o;
}

static void show(const chat *c, const cli_option *o)
{
    const char *value = cli_text(&c->args, o->name, NULL);
    fprintf(stderr, "  %-20s %-8s %s\n", o->name, value ? value : "-", o->help);
}

int chat_apply(chat *c, cli_sampling *out)
{
    int status = cli_sampling_of(&c->args, out);
    return status ? status : cli_sampling_breakers(&c->args, c->run.model, out);
}

/* The place of an option's values among the arguments; n_given: it has none. */
static unsigned place_of(const cli_args *a, const cli_option *o)
{
    unsigned i = 0;
    while (i < a->n_given && strcmp(a->given[i].option->name, o->name)) i++;
    return i;
}

static int change(chat *c, const cli_option *o, const char *value)
{
    const cli_args was = c->args;
    const unsigned i = place_of(&c->args, o);
    char *copy = strdup(value);
    cli_sampling next = { 0 };
    if (!copy) return cli_fail("out of memory");
    int status = cli_set(&c->args, o, copy);
    if (!status) status = chat_apply(c, &next);
    if (status) {
        c->args = was;
        cli_sampling_free(&next);
        free(copy);
        return status;
    }
    free(c->owned[i]);
    c->owned[i] = copy;
    cli_sampling_free(&c->sampling);
    return chat_apply(c, &c->sampling); /* it points into itself: made where it stays */
}

int chat_set(chat *c, const char *rest)
{
    char name[48];
    const size_t n = strcspn(rest, " \t=");
    const char *value = rest + n + strspn(rest + n, " \t=");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), rest);
    for (char *at = name; *at; at++)
        if (*at == '_') *at = '-';
    for (const cli_option *o = cli_sampling_options; !*name && o->name; o++) show(c, o);
    if (!*name) return 0;
    const cli_option *o = find(name);
    if (!o) return 1;
    if (*value) return change(c, o, value);
    show(c, o);
    return 0;
}
