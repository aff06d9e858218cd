/* cmd_chat_template.c: `weft chat-template`: a conversation, one JSON object on standard input, as the prompt that a
 * model's chat template makes of it. Other programs call it: the prompt alone goes to standard output. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/template/template.h"

static const cli_option options[] = {
    { .name = "name",
      .kind = CLI_TEXT,
      .value = "NAME",
      .help = "one of the model's templates (default: \"default\", and with tools \"tool_use\" where there is one)" },
    { .name = "show", .kind = CLI_FLAG, .help = "print the template itself, and read nothing" },
    { .name = NULL },
};

/* The object's `chat_template`, or MODEL's. */
static int open_template(const cli_args *a, const json_t *own, weft_chat_template **out)
{
    weft_error err;
    const char *text = json_string_value(own), *name = cli_text(a, "name", text);
    if (a->model) return weft_chat_template_open(a->model, name, out, &err) ? cli_report_open(a, &err) : 0;
    if (!text) return cli_misuse("chat-template: expected MODEL, or `chat_template` in the object");
    return weft_chat_template_parse(text, json_string_length(own), "chat_template", out, &err) ? cli_report(&err) : 0;
}

/* The template's clock is here: the library looks at none. */
static bool add_now(json_t *root)
{
    char text[40];
    struct tm tm;
    const time_t now = time(NULL);
    if (json_object_get(root, "now")) return true;
    if (!localtime_r(&now, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm)) return false;
    return json_object_set_new(root, "now", json_string(text)) == 0;
}

static int print_prompt(const cli_args *a, json_t *root)
{
    weft_chat_template *t = NULL;
    weft_text out = { 0 };
    weft_error err;
    int status = open_template(a, json_object_get(root, "chat_template"), &t);
    if (status) return status;
    char *json = add_now(root) ? json_dumps(root, 0) : NULL;
    if (!json)
        status = cli_fail("chat-template: out of memory");
    else if (weft_chat_template_render(t, json, strlen(json), NULL, &out, &err))
        status = cli_report(&err);
    else
        fwrite(out.data ? out.data : "", 1, out.size, stdout);
    free(json);
    weft_text_free(&out);
    weft_chat_template_close(t);
    return status;
}

static int show(const cli_args *a)
{
    weft_chat_template *t;
    size_t n;
    int status = a->model ? open_template(a, NULL, &t) : cli_misuse("chat-template: --show needs MODEL");
    if (status) return status;
    const char *text = weft_chat_template_text(t, false, &n);
    fwrite(text, 1, n, stdout);
    weft_chat_template_close(t);
    return 0;
}

static int run(const cli_args *a)
{
    json_error_t fault;
    if (cli_has(a, "show")) return show(a);
    json_t *root = json_loadf(stdin, JSON_ALLOW_NUL, &fault);
    if (!root) return cli_fail("standard input: line %d, column %d: %s", fault.line, fault.column, fault.text);
    const int status =
        json_is_object(root) ? print_prompt(a, root) : cli_fail("standard input: expected one JSON object");
    json_decref(root);
    return status;
}

const cli_command cli_chat_template = {
    .name = "chat-template",
    .summary = "Prints the prompt that a chat template makes of a conversation",
    .positional = "MODEL",
    .optional = true,
    .options = options,
    .run = run,
};
