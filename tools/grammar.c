/* grammar.c: what generated text must be, from the options of commands that generate. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *option;
    weft_grammar_kind kind;
} kinds[] = {
    { "grammar", WEFT_GRAMMAR_GBNF },
    { "json-schema", WEFT_GRAMMAR_JSON_SCHEMA },
    { "json-object", WEFT_GRAMMAR_JSON_OBJECT },
};

static int make_trie(weft_model *m, weft_session *s, cli_grammar *g)
{
    enum { MOST = 64 };
    int32_t ends[MOST];
    uint32_t n = 0;
    const weft_tokenizer *tok;
    weft_error err;
    while (n < MOST && weft_model_eos(m, n) >= 0) {
        ends[n] = weft_model_eos(m, n);
        n++;
    }
    if (weft_model_tokenizer(m, &tok, &err)) return cli_report(&err);
    return weft_token_trie_create(tok, weft_session_n_vocab(s), ends, n, &g->trie, &err) ? cli_report(&err) : 0;
}

bool cli_grammar_asked(const cli_args *a)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (cli_has(a, kinds[i].option)) return true;
    return false;
}

int cli_grammar_open(const cli_args *a, weft_model *m, weft_session *s, cli_grammar *g)
{
    size_t which = 0, n = 0;
    weft_error err;
    if (!cli_grammar_asked(a)) return 0;
    while (!cli_has(a, kinds[which].option)) which++;
    for (size_t i = which + 1; i < sizeof kinds / sizeof *kinds; i++)
        if (cli_has(a, kinds[i].option))
            return cli_misuse("--%s and --%s: a text has one grammar", kinds[which].option, kinds[i].option);
    const char *file = cli_text(a, kinds[which].option, NULL);
    char *text = file ? cli_read_file(file, &n) : NULL;
    if (file && !text) return 1;
    int status = make_trie(m, s, g);
    const char *name = file ? file : "--json-object";
    if (!status && (weft_grammar_parse(kinds[which].kind, text, n, name, g->trie, &g->grammar, &err) ||
                    weft_matcher_create(g->grammar, &g->matcher, &err)))
        status = cli_report(&err);
    free(text);
    return status;
}

void cli_grammar_close(cli_grammar *g)
{
    weft_matcher_destroy(g->matcher);
    weft_grammar_destroy(g->grammar);
    weft_token_trie_destroy(g->trie);
}
