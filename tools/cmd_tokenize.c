/* cmd_tokenize.c: `weft tokenize` and `weft detokenize`. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option tokenize_options[] = {
    { .name = "prompt", .letter = 'p', .kind = CLI_TEXT, .value = "TEXT", .help = "the text" },
    { .name = "file", .letter = 'f', .kind = CLI_TEXT, .value = "FILE",
      .help = "the text: a file's bytes as they are ('-': standard input)" },
    CLI_TEXT_OPTIONS,
    { .name = "json", .kind = CLI_FLAG, .help = "print one object with `tokens`" },
    { .name = NULL },
};

static const cli_option detokenize_options[] = {
    { .name = "tokens", .kind = CLI_TEXT, .value = "IDS", .help = "token ids: 1,2,3" },
    { .name = NULL },
};

static int open_tokenizer(const cli_args *a, weft_tokenizer **out)
{
    weft_error err;
    return weft_tokenizer_open(a->model, out, &err) ? cli_report_open(a, &err) : 0;
}

static int run_tokenize(const cli_args *a)
{
    weft_tokenizer *tok;
    weft_tokens t = { 0 };
    int status = open_tokenizer(a, &tok);
    if (status) return status;
    status = cli_prompt(a, NULL, tok, &t);
    if (!status && cli_has(a, "json")) {
        json_t *ids = json_array();
        for (size_t i = 0; i < t.n; i++) json_array_append_new(ids, json_integer(t.ids[i]));
        status = cli_print_json(json_pack("{s:o}", "tokens", ids));
    } else if (!status) {
        for (size_t i = 0; i < t.n; i++) printf("%s%d", i ? "," : "", t.ids[i]);
        putchar('\n');
    }
    weft_tokens_free(&t);
    weft_tokenizer_close(tok);
    return status;
}

static int run_detokenize(const cli_args *a)
{
    weft_tokenizer *tok;
    weft_tokens t;
    weft_text text = { 0 };
    weft_error err;
    const char *ids = cli_text(a, "tokens", NULL);
    if (!ids) return cli_misuse("detokenize: --tokens is missing");
    if (!*ids) t = (weft_tokens){ 0 }; /* what tokenize prints for an empty text */
    else if (!cli_parse_tokens(ids, strlen(ids), &t))
        return cli_misuse("--tokens %s: expected ids such as 1,2,3", ids);
    int status = open_tokenizer(a, &tok);
    if (!status) {
        if (weft_tokenizer_decode(tok, t.ids, t.n, NULL, &text, &err)) status = cli_report(&err);
        else fwrite(text.data, 1, text.size, stdout);
        weft_text_free(&text);
        weft_tokenizer_close(tok);
    }
    weft_tokens_free(&t);
    return status;
}

const cli_command cli_tokenize = {
    .name = "tokenize", .summary = "Prints the token ids of a text", .positional = "MODEL", .options = tokenize_options,
    .run = run_tokenize,
};
const cli_command cli_detokenize = {
    .name = "detokenize", .summary = "Prints the bytes of token ids",
    .positional = "MODEL", .options = detokenize_options,
    .run = run_detokenize,
};
