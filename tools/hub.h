/* hub.h: the Hugging Face hub as its own programs see it: names of repositories, and what the environment says of the
 * cache, the server and the token. The cache:
 *
 *   models--OWNER--NAME/refs/main            the commit of a branch, as text
 *   models--OWNER--NAME/blobs/HASH           a file's bytes, named by SHA-256 (large ones) or git's hash (small ones)
 *   models--OWNER--NAME/snapshots/COMMIT/... its name, a link to the blob
 *   .locks/models--OWNER--NAME/HASH.lock     held by who fetches the blob */
#ifndef WEFT_TOOLS_HUB_H
#define WEFT_TOOLS_HUB_H

#include <stdbool.h>

enum {
    HUB_MAX_PATH = 4096,
    HUB_MAX_NAME = 96,
    HUB_MAX_REVISION = 200,
    HUB_MAX_TOKEN = 1024,
    HUB_MAX_INDEX = 64 << 20, /* bytes of what names a model's shards, as when it is loaded */
};

/* "owner/name" or "name", with "@REVISION" or without: in two. *revision: NULL, or a branch, tag or commit, which may
 * be a path below refs/. false: it is no such name, by the hub's rules and git's. */
bool hub_split(const char *named, char name[HUB_MAX_NAME + 1], const char **revision);
/* false: too long. */
bool hub_join(char out[HUB_MAX_PATH], const char *folder, const char *name);
/* Whether there is such a file; a link counts where it leads somewhere. */
bool hub_exists(const char *path);
/* "CACHE/models--owner--name". false: too long. */
bool hub_repository_folder(const char *cache, const char *name, char out[HUB_MAX_PATH]);

/* The folder of all repositories. false: nothing says where, not even HOME. */
bool hub_cache_folder(char out[HUB_MAX_PATH]);

/* What else `weft pull` needs (hub_settings.c). */
typedef struct hub_settings {
    char cache[HUB_MAX_PATH];
    char endpoint[HUB_MAX_PATH];  /* "https://huggingface.co": without a slash at the end */
    char token[HUB_MAX_TOKEN];    /* "": none */
    char token_from[HUB_MAX_PATH]; /* "HF_TOKEN", or the file */
    char certificates[HUB_MAX_PATH]; /* a file of those to trust; "": the system's */
    unsigned timeout;             /* seconds that a server may say nothing */
    bool offline;                 /* HF_HUB_OFFLINE: nothing may be fetched */
} hub_settings;
/* 0, or 1 after a message: a value is none that can be used. */
int hub_settings_read(hub_settings *out);

#endif
