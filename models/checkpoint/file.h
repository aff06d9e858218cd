/* file.h: what reading a model folder needs of the file system: maps, small whole files, paths, names in messages. */
#ifndef WEFT_CHECKPOINT_FILE_H
#define WEFT_CHECKPOINT_FILE_H

#include "graph/base.h"

/* By which a file is known again: another one, or changed contents, differ in something. Times are nanoseconds. */
typedef struct weft__file_id { uint64_t device, inode, modified, changed; } weft__file_id;

/* A regular file, mapped read-only. The bytes are valid until it is unmapped, if nobody shortens
 * the file meanwhile (the kernel answers a read behind the new end with SIGBUS; replacing a file by rename is safe). */
typedef struct weft__file_map {
    const unsigned char *data; /* NULL if size is 0 */
    size_t size;
    weft__file_id id; /* as it was when it was opened */
} weft__file_map;

/* NOT_FOUND if there is no such file, or a link to none, IO for every other failure; the text names the path. */
WEFT_MUST_USE weft_status weft__file_map_open(const char *path, weft__file_map *out,
                                              weft_error *err);
void weft__file_map_close(weft__file_map *m);
/* Whether these bytes are some of the file's. */
bool weft__file_map_holds(const weft__file_map *m, const void *data, uint64_t bytes);

/* Whether a file's beginning shows that a download ended before its contents came: it is empty, or the pointer that a
 * clone without Git LFS has in its place. FORMAT with the reason. */
WEFT_MUST_USE weft_status weft__file_check_fetched(const char *path, const void *data, size_t size, weft_error *err);

/* Reads a whole file of at most `max` bytes; *data is NUL-terminated and freed by the caller. LIMIT if it is larger;
 * FORMAT as above. */
WEFT_MUST_USE weft_status weft__file_read(const char *path, size_t max, char **data, size_t *size,
                                          weft_error *err);

/* "folder/name", to be freed; NULL: out of memory. */
char *weft__path_join(const char *folder, const char *name);
/* The folder that holds `path` ("." if it has no slash), to be freed; NULL: out of memory. */
char *weft__path_parent(const char *path);
/* The part after the last slash: a pointer into `path`. */
const char *weft__path_name(const char *path);
/* There is an entry of that name, be it a link that leads nowhere: then opening it says so. */
bool weft__path_exists(const char *path);
bool weft__path_is_dangling(const char *path); /* a link to nothing */
bool weft__path_is_folder(const char *path);
bool weft__file_begins(const char *path, const char *text); /* a regular file, with that text */
bool weft__ends_with(const char *s, const char *tail);

/* A name from a file as it may stand in a message: control characters as '?', cut to fit. Returns buf. */
#define WEFT__QUOTE_SIZE 128
const char *weft__quote(char buf[WEFT__QUOTE_SIZE], const char *s);

#endif
