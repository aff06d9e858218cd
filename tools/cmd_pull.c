/* cmd_pull.c: `weft pull`: a model from the Hugging Face hub into the cache of its own programs. The work is in
 * tools/pull/. */
#include "tools/cli.h"
#ifdef WEFT_PULL
#include "tools/pull/run.h"
#endif

static const cli_option options[] = {
    { .name = "include", .kind = CLI_TEXT, .value = "PATTERN", .repeats = true,
      .help = "the files of these names alone; * and ? stand for others (default: what weft needs to run the model)" },
    { .name = "retries", .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 1000,
      .help = "how often to try again, one after the other, what fails but may pass (default: 5)" },
    { .name = "wait", .kind = CLI_REAL, .value = "S", .min = 0, .max = 60,
      .help = "seconds before the first of them; twice as many before each further one (default: 1)" },
    { .name = NULL },
};

static int run(const cli_args *a)
{
#ifdef WEFT_PULL
    return pull_run(a);
#else
    return cli_fail("pull: this weft was built without libcurl and nettle (Debian: libcurl4-openssl-dev, nettle-dev): "
                    "%s is not pulled", a->model);
#endif
}

const cli_command cli_pull = {
    .name = "pull", .summary = "Fetches a model from the Hugging Face hub into its cache, and prints where it is",
    .positional = "REPO[@REVISION]", .options = options, .run = run,
};
