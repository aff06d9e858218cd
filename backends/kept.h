/* kept.h: weights as devices have them, kept in files of a folder: one file each, which is mapped.
 *
 * A file is a page of header and the weight's bytes. The header says of what and for what they were made (the key), how
 * many they are and their checksum; a file that says anything else, or is not what it says, counts as none, and the
 * next one that is written takes its place. Nobody takes half a file for one: it is written under another name, by one
 * process at a time (a lock, which the system takes from who ends), header last, and renamed. */
#ifndef WEFT_KEPT_H
#define WEFT_KEPT_H

#include "graph/base.h"

enum { WEFT__KEPT_HEADER = 4096, WEFT__KEPT_TEXT = 1024 };

/* Which file of the folder, and what it must hold. */
typedef struct weft__kept_key {
    uint64_t slot;              /* the file's name: another weight, or another form of it, has another one */
    char text[WEFT__KEPT_TEXT]; /* all that the bytes follow from */
    uint64_t bytes;
} weft__kept_key;

/* Bytes of a file, as long as they are mapped; data NULL: none. */
typedef struct weft__kept_map {
    const unsigned char *data;
    uint64_t bytes;
} weft__kept_map;

/* The folder is there, made with its parents if it was not, and files can be written in it. IO, with its name. */
WEFT_MUST_USE weft_status weft__kept_prepare(const char *folder, weft_error *err);

/* data NULL: there is no such file, or not a whole and sound one. Reads all of it. */
weft__kept_map weft__kept_find(const char *folder, const weft__kept_key *key);
void weft__kept_unmap(weft__kept_map *m);

/* Gives n bytes from `at` on. */
typedef weft_status weft__kept_read(void *ctx, uint64_t at, void *dst, uint64_t n, weft_error *err);
/* Writes a file; where another process is writing it, nothing. IO, with its name. */
WEFT_MUST_USE weft_status weft__kept_write(const char *folder, const weft__kept_key *key, weft__kept_read *read,
                                           void *ctx, weft_error *err);

/* Of words: not for enemies. */
static inline uint64_t weft__kept_mix(uint64_t h, uint64_t word)
{
    h ^= word;
    return (h << 29 | h >> 35) * UINT64_C(0x9e3779b97f4a7c15);
}
uint64_t weft__kept_mix_text(uint64_t h, const char *text);

#endif
