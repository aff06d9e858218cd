/* fuzz_replay.c: runs a libFuzzer target over the files of its seed corpora, once each, in builds without libFuzzer. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs one file; false if it cannot be read. */
static bool replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    uint8_t *data = NULL;
    bool ok = fseek(f, 0, SEEK_END) == 0;
    long size = ok ? ftell(f) : -1;
    ok = size >= 0 && fseek(f, 0, SEEK_SET) == 0 && (data = malloc(size ? (size_t)size : 1)) &&
         fread(data, 1, (size_t)size, f) == (size_t)size;
    if (ok) LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    fclose(f);
    return ok;
}

/* The files of a folder; false: it has none, or one cannot be read. */
static bool replay_all(const char *folder)
{
    DIR *dir = opendir(folder);
    unsigned n = 0, unread = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[4096];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        n++;
        if (!replay(path)) unread++;
    }
    if (dir) closedir(dir);
    printf("%s: %u inputs, %u could not be read\n", folder, n, unread);
    return n && !unread;
}

int main(int argc, char **argv)
{
    bool fine = argc > 1;
    if (!fine) fprintf(stderr, "usage: %s CORPUS_FOLDER...\n", argv[0]);
    for (int i = 1; i < argc; i++) fine &= replay_all(argv[i]);
    return fine ? 0 : 1;
}
