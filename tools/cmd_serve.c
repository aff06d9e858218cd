/* cmd_serve.c: `weft serve`: models over HTTP, in the form of OpenAI's API. The server is in tools/serve/. */
#include "tools/cli.h"
#ifdef WEFT_SERVE
#include "tools/serve/serve.h"
#endif

static const cli_option options[] = {
    { .name = "host", .kind = CLI_TEXT, .value = "ADDRESS",
      .help = "where to listen (default: 127.0.0.1, which other machines cannot reach)" },
    { .name = "port", .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 65535,
      .help = "0: any free one (default: 8080)" },
    { .name = "api-key", .kind = CLI_TEXT, .value = "FILE",
      .help = "a file of keys, one a line; requests must have one of them" },
    { .name = "name", .kind = CLI_TEXT, .value = "NAME",
      .help = "what requests call the model, of which there is one (default: the last part of its path)" },
    { .name = "memory", .kind = CLI_TEXT, .value = "BYTES",
      .help = "that loaded models may take of each device by their plans, K, M, G may follow; auto: what it has left "
              "(default: auto)" },
    { .name = "keep-alive", .kind = CLI_REAL, .value = "S", .min = -1, .max = 1e9,
      .help = "seconds that a model stays loaded unused, -1: for ever (default: -1)" },
    { .name = "preload", .kind = CLI_FLAG, .help = "load all models at the start, not the first alone" },
    { .name = "slots", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 256,
      .help = "texts that are continued at once (default: 16)" },
    { .name = "queue", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "texts that may wait for that; more are refused (default: 256)" },
    { .name = "cells", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1u << 31,
      .help = "tokens that the cache has room for, over all texts (default: 4 contexts)" },
    { .name = "pace", .kind = CLI_REAL, .value = "R", .min = 1, .max = 1000,
      .help = "how many times as long a text may wait for its next token while prompts are read (default: 2.5)" },
    { .name = "speculate", .kind = CLI_TEXT, .value = "ngram|MODEL",
      .help = "guess the next tokens of every text from what it has so far, or by a smaller model with the same "
              "tokenizer, and check several at once: the same text sooner, where it pays (default: off; requests may "
              "give a prediction anyway)" },
    { .name = "draft-always", .kind = CLI_FLAG, .help = "guess whether or not it pays: for measurements" },
    { .name = "context-shift", .kind = CLI_FLAG,
      .help = "where a text has filled the context drop its oldest half and go on, unless its request says otherwise "
              "(default: it ends there)" },
    { .name = "embeddings", .kind = CLI_FLAG, .help = "give vectors, too (/v1/embeddings)" },
    { .name = "chat-template", .kind = CLI_TEXT, .value = "FILE", .help = "instead of the model's own" },
    { .name = "connections", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 16,
      .help = "open at once (default: 2048)" },
    { .name = "timeout", .kind = CLI_WHOLE, .value = "S", .min = 1, .max = 1 << 16,
      .help = "seconds in which a request must have come, some of an answer be taken, a model in the way of another "
              "be left (default: 60)" },
    { .name = "max-body", .kind = CLI_WHOLE, .value = "BYTES", .min = 1024, .max = 1 << 30,
      .help = "of a request (default: 8388608)" },
    { .name = NULL },
};

static int run(const cli_args *a)
{
#ifdef WEFT_SERVE
    return serve_run(a);
#else
    return cli_fail("serve: this weft was built without libmicrohttpd (Debian: libmicrohttpd-dev), which speaks HTTP: "
                    "%s is not served", a->models[0]);
#endif
}

const cli_command cli_serve = {
    .name = "serve", .summary = "Serves models over HTTP, in the form of OpenAI's API",
    .positional = "MODEL...", .runs = true, .options = options, .run = run,
};
