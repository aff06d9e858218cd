/* serve.h: from the command to the server. */
#ifndef WEFT_SERVE_SERVE_H
#define WEFT_SERVE_SERVE_H

#include "tools/cli.h"

int serve_run(const cli_args *a);

#endif
