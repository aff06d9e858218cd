/* make_page.c: make_page TITLE OUTPUT A.json [B.json]: the page with these documents, by the function that the program
 * calls. What that needs of the program's files stands here, so that the test does not link all commands. */
#include "tools/cli.h"
#include "tools/page.h"

#include <stdlib.h>

int cli_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    return 1;
}

int cli_write_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(data, 1, n, f) == n;
    return f && !fclose(f) && ok ? 0 : cli_fail("%s: cannot be written\n", path);
}

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    long size = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    char *data = size > 0 ? malloc((size_t)size) : NULL;
    if (data) rewind(f);
    *n = data ? fread(data, 1, (size_t)size, f) : 0;
    if (f) fclose(f);
    return data;
}

int main(int argc, char **argv)
{
    size_t n[2] = { 0, 0 };
    char *json[2] = { NULL, NULL };
    int status = argc < 4 || argc > 5;
    if (!weft_page_size) return 77;
    for (int i = 3; i < argc && !status; i++) {
        json[i - 3] = read_file(argv[i], &n[i - 3]);
        if (!json[i - 3]) status = cli_fail("%s: cannot be read\n", argv[i]);
    }
    if (!status) status = cli_page_write(argv[1], json[0], n[0], json[1], n[1], argv[2]);
    free(json[0]);
    free(json[1]);
    return status;
}
