/* make_page.c: make_page TITLE OUTPUT A.json [B.json]: the page with these documents. */
#include "tools/cli.h"
#include "tools/page.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    size_t n[2] = { 0, 0 };
    char *json[2] = { NULL, NULL };
    int status = argc < 4 || argc > 5;
    if (!weft_page_size) return 77;
    for (int i = 3; i < argc && !status; i++) {
        json[i - 3] = cli_read_file(argv[i], &n[i - 3]);
        status = !json[i - 3];
    }
    if (!status) status = cli_page_write(argv[1], json[0], n[0], json[1], n[1], argv[2]);
    free(json[0]);
    free(json[1]);
    return status;
}
