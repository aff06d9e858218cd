/* temp.h: a temporary folder below the working folder (the build folder, by CMakeLists.txt) and
 * the files in it. */
#ifndef WEFT_TEST_TEMP_H
#define WEFT_TEST_TEMP_H

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#define TEMP_PATH 512

typedef struct temp_folder {
    char path[64];
} temp_folder;

static inline temp_folder temp_make(void)
{
    temp_folder t = { "checkpoint-test-XXXXXX" };
    if (!mkdtemp(t.path)) perror("mkdtemp");
    return t;
}

/* The path of a file in the folder; one of four buffers in turn. */
static inline const char *temp_path(const temp_folder *t, const char *name)
{
    static char paths[4][TEMP_PATH];
    static unsigned turn;
    char *p = paths[turn++ % 4];
    snprintf(p, TEMP_PATH, "%s/%s", t->path, name);
    return p;
}

static inline void temp_write(const temp_folder *t, const char *name, const void *data, size_t n)
{
    FILE *f = fopen(temp_path(t, name), "wb");
    CHECK(f && fwrite(data, 1, n, f) == n);
    if (f) fclose(f);
}

static inline void temp_write_text(const temp_folder *t, const char *name, const char *text)
{
    temp_write(t, name, text, strlen(text));
}

/* A safetensors file of this header; the data are the bytes 0, 1, 2, ... */
static inline void temp_write_safetensors(const temp_folder *t, const char *name,
                                          const char *header, size_t n_data)
{
    size_t n = strlen(header);
    unsigned char *image = calloc(8 + n + n_data, 1);
    if (!CHECK(image)) return;
    for (int i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(image + 8, header, n);
    for (size_t i = 0; i < n_data; i++) image[8 + n + i] = (unsigned char)i;
    temp_write(t, name, image, 8 + n + n_data);
    free(image);
}

static inline unsigned temp_count(const char *path)
{
    unsigned n = 0;
    DIR *dir = opendir(path);
    if (!dir) return 0;
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static inline int temp_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* Removes the folder and all that is in it. */
static inline void temp_remove(const temp_folder *t)
{
    CHECK(nftw(t->path, temp_remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

#endif
