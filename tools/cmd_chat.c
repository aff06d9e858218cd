/* cmd_chat.c: `weft chat`: a conversation, on the terminal or through pipes. What it is made of is in tools/chat/. */
#include "tools/chat/chat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

const cli_option cli_chat_options[] = {
    { .name = "system", .kind = CLI_TEXT, .value = "TEXT", .help = "what the model is told before the conversation" },
    { .name = "chat-template", .kind = CLI_TEXT, .value = "FILE", .help = "instead of the model's own" },
    { .name = "max-tokens", .letter = 'n', .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "tokens of an answer at most (default: what the context holds; 128 of a base model)" },
    CLI_SPECULATE_OPTIONS,
    { .name = NULL },
};

static int open_template(const cli_args *a, weft_chat_template **out)
{
    weft_error err;
    size_t n;
    const char *path = cli_text(a, "chat-template", NULL);
    char *text = path ? cli_read_file(path, &n) : NULL;
    if (path && !text) return 1;
    weft_status s = text ? weft_chat_template_parse(text, n, path, out, &err)
                         : weft_chat_template_open(a->model, NULL, out, &err);
    free(text);
    if (s && (s != WEFT_NOT_FOUND || path)) return cli_report(&err);
    if (!s) return 0;
    *out = NULL;
    if (cli_has(a, "system"))
        return cli_fail("--system: %s has no chat template, so there is nobody to tell it: it is a base model "
                        "(--chat-template gives it one)", a->named);
    fprintf(stderr, "note: %s has no chat template: it is a base model, which continues what you type\n", a->named);
    return 0;
}

static int open_chat(const cli_args *a, chat *c)
{
    weft_error err;
    *c = (chat){ .args = *a, .system = cli_text(a, "system", NULL) };
    if (cli_has(a, "check")) return cli_misuse("chat: --check is for one prompt: `weft generate` has it");
    int status = cli_sampling_of(a, &c->sampling);
    if (status) return status;
    /* whatever /set asks for: all logits */
    weft_session_desc desc = { .outputs = WEFT_WANT_LOGITS, .n_sequences = 1 };
    cli_speculation_desc(a, &desc);
    status = cli_run_open(a, desc, &c->run);
    if (!status) status = cli_speculation_open(a, &c->run, &c->speculation);
    if (status) return status;
    if (weft_model_tokenizer(c->run.model, &c->tokenizer, &err)) return cli_report(&err);
    status = open_template(a, &c->template);
    if (!status) status = chat_apply(c, &c->sampling);
    return status ? status : chat_reset(c);
}

static void close_chat(chat *c)
{
    json_decref(c->messages);
    weft_tokens_free(&c->text);
    weft_chat_template_close(c->template);
    cli_sampling_free(&c->sampling);
    for (size_t i = 0; i < CLI_MAX_OPTIONS; i++) free(c->owned[i]);
    cli_speculation_close(&c->speculation);
    cli_run_close(&c->run);
}

/* One line, or several. 0, or an exit status. */
static int turn(chat *c, const weft_text *line, bool *ends)
{
    const char *text = line->data;
    size_t n = line->size;
    if (!n) return 0;
    if (*text != '/') return chat_say(c, text, n);
    if (n > 1 && text[1] == '/') return chat_say(c, text + 1, n - 1);
    return chat_command(c, text, ends);
}

/* Who types goes on after what went wrong; a script does not. Ctrl-C ends an answer or a line, the other signals, and
 * Ctrl-C where nobody types, the conversation. */
static int converse(chat *c, chat_lines *lines)
{
    weft_text line = { 0 };
    bool ends = false;
    int status = 0;
    while (!ends) {
        const chat_got got = chat_read(lines, &line);
        if (got == CHAT_LINE) status = turn(c, &line, &ends);
        if (got == CHAT_FAILED) status = 1;
        const int by = chat_signal();
        const bool told_to_end = by && (!c->prompted || by != SIGINT);
        if (told_to_end) status = 128 + by;
        const bool stuck = got == CHAT_FAILED || ferror(stdout) || (status && !c->prompted);
        ends = ends || got == CHAT_END || told_to_end || stuck;
        if (!ends) chat_signal_clear();
        if (!ends && c->prompted) status = 0;
    }
    weft_text_free(&line);
    return status;
}

static int run(const cli_args *a)
{
    chat c = { 0 };
    chat_lines *lines = NULL;
    int status = open_chat(a, &c);
    if (!status) {
        lines = chat_signals_begin(c.run.session) ? chat_lines_open() : NULL;
        if (!lines) status = cli_fail("out of memory");
    }
    if (!status) {
        c.prompted = chat_lines_prompted(lines);
        c.told = cli_has(a, "verbose") || (cli_on_terminal() && c.prompted);
        if (c.prompted) fprintf(stderr, "/help lists what else there is; Ctrl-D ends\n");
        status = converse(&c, lines);
    }
    chat_lines_close(lines);
    close_chat(&c);
    return status;
}

const cli_command cli_chat = {
    .name = "chat",
#ifdef WEFT_LIBEDIT
    .summary = "Holds a conversation with a model, on the terminal or through pipes",
#else
    .summary = "Holds a conversation with a model, on the terminal or through pipes (this weft was built without "
               "libedit: lines are not edited, and there is no history)",
#endif
    .positional = "MODEL", .runs = true, .samples = true, .options = cli_chat_options, .run = run,
};
