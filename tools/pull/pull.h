/* pull.h: `weft pull`: a repository's files from the Hugging Face hub into the cache of its own programs (tools/hub.h).
 *
 *   names   the hub is asked which commit a revision is, and what files it has, with sizes and hashes   listing.c
 *   choice  which of them are wanted                                                                    choose.c
 *   blobs   each is fetched under a lock, from where it broke off last time, checked, and named by its hash   blob.c
 *   links   once all blobs are there, the snapshot gets its names, and the revision its commit          snapshot.c */
#ifndef WEFT_PULL_H
#define WEFT_PULL_H

#include "tools/cli.h"
#include "tools/pull/http.h"

enum { PULL_DIGEST = 65, PULL_COMMIT = 65, PULL_MARK = 17 };

typedef struct pull_file {
    char *path;               /* in the repository; of those that are wanted it is safe (pull_is_safe_path) */
    char digest[PULL_DIGEST]; /* SHA-256 of a large file (LFS), of others git's: the name of the blob */
    bool large;
    bool wanted;
    uint64_t size;
} pull_file;

typedef struct pull_job {
    const hub_settings *hub;
    const char *repository, *revision;
    const char *const *include; /* patterns; none: what Weft needs */
    unsigned n_include;
    pull_http http;
    char commit[PULL_COMMIT];
    pull_file *files;   /* sorted by path */
    size_t n, capacity, names; /* and bytes of their names */
    char folder[HUB_MAX_PATH]; /* models--owner--name in the cache */
    char locks[HUB_MAX_PATH];
    char model[HUB_MAX_PATH];  /* at the end: what is MODEL to other commands */
} pull_job;

/* ---- listing.c ---- */
/* Which commit the revision is, and the files of it. */
weft_status pull_list(pull_job *j, weft_error *err);
void pull_list_free(pull_job *j);
/* Whether a name from the hub stays below the folder that it is put into, and is one that a terminal can show. */
bool pull_is_safe_path(const char *path);
/* NULL: there is no such file. */
pull_file *pull_find(const pull_job *j, const char *path);

/* ---- choose.c ---- */
/* Sets `wanted`. *index: a file that says which others are wanted, to be fetched first; or NULL. */
weft_status pull_choose(pull_job *j, const pull_file **index, weft_error *err);
/* After that, with the index as it is here: the files that it names are wanted. */
weft_status pull_choose_shards(pull_job *j, const char *index, weft_error *err);
/* The GGUF file to begin with, where what is wanted is one GGUF model; else NULL. */
const pull_file *pull_only_gguf(const pull_job *j);

/* ---- blob.c ---- */
/* The blob's path, and whether it is there with the right size. false: the path is too long. */
bool pull_blob_path(const pull_job *j, const pull_file *f, char out[HUB_MAX_PATH], bool *here);
/* The blob is there, whole and checked. Waits while somebody else fetches it. work may be NULL. */
weft_status pull_blob(pull_job *j, const pull_file *f, cli_work *work, weft_error *err);
/* A part of a file's name that no other pull has, on whatever host: many may share the cache. Returns out. */
const char *pull_mark(char out[PULL_MARK]);

/* ---- snapshot.c ---- */
/* Makes the folders of the repository; the revision can be written there in the end. */
weft_status pull_prepare(pull_job *j, weft_error *err);
/* The bytes of wanted blobs that are not there whole, and how many of them are missing, for which the disk has room. */
weft_status pull_check_room(const pull_job *j, uint64_t *bytes, uint64_t *missing, weft_error *err);
/* Links for all that is wanted, and then the revision. */
weft_status pull_link(pull_job *j, weft_error *err);

/* ---- digest.c ---- */
typedef struct pull_digest pull_digest;
pull_digest *pull_digest_new(const pull_file *f); /* NULL: out of memory */
void pull_digest_reset(pull_digest *d);
void pull_digest_add(pull_digest *d, const void *data, size_t n);
/* The hash in hexadecimal digits; what comes then begins anew. */
void pull_digest_end(pull_digest *d, char out[PULL_DIGEST]);

#endif
