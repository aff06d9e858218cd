/* commands.c: what begins with a slash. */
#include "graph/guess.h"
#include "tools/chat/chat.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int help(chat *c, const char *rest);

static int reset(chat *c, const char *rest)
{
    (void)rest;
    return chat_reset(c);
}

/* ---- files ---- */

/* Of a base model the text, of others the messages. */
static json_t *as_json(const chat *c, weft_error *err)
{
    weft_text text = { 0 };
    const weft_decode_desc how = { .skip_special = true, .repair = true };
    if (c->template) return json_pack("{s:O}", "messages", c->messages);
    if (weft_tokenizer_decode(c->tokenizer, c->text.ids, c->text.n, &how, &text, err)) return NULL;
    json_t *o = json_pack("{s:o}", "text", json_stringn(text.data ? text.data : "", text.size));
    weft_text_free(&text);
    return o;
}

static int save(chat *c, const char *path)
{
    weft_error err = { .text = "out of memory" };
    if (!*path) return cli_fail("/save: expected a file");
    json_t *o = as_json(c, &err);
    char *data = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
    const size_t n = data ? strlen(data) : 0;
    if (data) data[n] = '\n'; /* instead of its end */
    int status = data ? cli_write_file(path, data, n + 1) : cli_fail("/save: %s", err.text);
    free(data);
    json_decref(o);
    return status;
}

static bool are_messages(const json_t *list)
{
    bool ok = json_is_array(list);
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);
        ok = json_is_string(json_object_get(m, "role")) && json_is_string(json_object_get(m, "content"));
    }
    return ok;
}

static int take(chat *c, const char *path, json_t *root)
{
    weft_error err;
    weft_tokens ids;
    json_t *messages = json_object_get(root, "messages"), *text = json_object_get(root, "text");
    if (c->template && are_messages(messages)) {
        json_decref(c->messages);
        c->messages = json_incref(messages);
        return 0;
    }
    if (c->template) return cli_fail("%s: expected an object with `messages`, each with a role and a content", path);
    if (!json_is_string(text)) return cli_fail("%s: expected an object with `text`: this is a base model", path);
    if (weft_tokenizer_encode(c->tokenizer, json_string_value(text), json_string_length(text), NULL, &ids, &err))
        return cli_report(&err);
    weft_tokens_free(&c->text);
    c->text = ids;
    return 0;
}

static int load(chat *c, const char *path)
{
    size_t n;
    json_error_t fault;
    if (!*path) return cli_fail("/load: expected a file");
    char *data = cli_read_file(path, &n);
    if (!data) return 1;
    json_t *root = json_loadb(data, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &fault);
    free(data);
    if (!root) return cli_fail("%s: line %d, column %d: %s", path, fault.line, fault.column, fault.text);
    int status = take(c, path, root);
    json_decref(root);
    return status;
}

/* ---- all of them ---- */

static const struct row {
    const char *name, *argument, *help;
    int (*run)(chat *c, const char *rest); /* NULL: it ends */
} rows[] = {
    { "reset", "", "begin anew, with the same system prompt", reset },
    { "save", " FILE", "keep the conversation, as JSON", save },
    { "load", " FILE", "go on with one that was kept", load },
    { "set", " NAME VALUE", "change how tokens are picked: temperature, top-k...; without VALUE: say it", chat_set },
    { "help", "", "this", help },
    { "quit", "", "end; so does Ctrl-D", NULL },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static int help(chat *c, const char *rest)
{
    (void)c;
    (void)rest;
    for (size_t i = 0; i < N_ROWS; i++) {
        char head[32];
        snprintf(head, sizeof head, "/%s%s", rows[i].name, rows[i].argument);
        fprintf(stderr, "  %-18s %s\n", head, rows[i].help);
    }
    fputs("A backslash at a line's end, or lines between two of \"\"\", say several lines at once.\n"
          "A line that begins with // is said with one slash. Ctrl-C ends an answer.\n", stderr);
    return 0;
}

int chat_command(chat *c, const char *line, bool *ends)
{
    const size_t n = strcspn(line + 1, " \t");
    const char *rest = line + 1 + n + strspn(line + 1 + n, " \t");
    char name[32], hint[80];
    snprintf(name, sizeof name, "%.*s", (int)(n < 31 ? n : 31), line + 1);
    weft__guess g = { .word = name };
    for (size_t i = 0; i < N_ROWS; i++) {
        weft__guess_try(&g, rows[i].name, strlen(rows[i].name));
        if (strcmp(rows[i].name, name)) continue;
        if (rows[i].run) return rows[i].run(c, rest);
        *ends = true;
        return 0;
    }
    return cli_fail("/%s: no such command%s; /help lists them", name, weft__guess_text(&g, hint, sizeof hint));
}
