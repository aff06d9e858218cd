/* run.h: `weft pull` as tools/cmd_pull.c calls it. */
#ifndef WEFT_PULL_RUN_H
#define WEFT_PULL_RUN_H

#include "tools/cli.h"

int pull_run(const cli_args *a); /* an exit status */

#endif
