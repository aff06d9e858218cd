/* digest.c: the hash that the hub names a file by: SHA-256, or git's of a blob, which is SHA-1 of "blob SIZE", a zero
 * and the bytes. */
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <nettle/version.h>
#include <stdlib.h>

#include "tools/pull/pull.h"

struct pull_digest {
    bool large;
    uint64_t size;
    union {
        struct sha256_ctx sha256;
        struct sha1_ctx sha1;
    } as;
};

void pull_digest_reset(pull_digest *d)
{
    char head[32];
    if (d->large) {
        sha256_init(&d->as.sha256);
        return;
    }
    const int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)d->size);
    sha1_init(&d->as.sha1);
    sha1_update(&d->as.sha1, (size_t)n + 1, (const uint8_t *)head);
}

pull_digest *pull_digest_new(const pull_file *f)
{
    pull_digest *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->large = f->large;
    d->size = f->size;
    pull_digest_reset(d);
    return d;
}

void pull_digest_add(pull_digest *d, const void *data, size_t n)
{
    if (d->large) sha256_update(&d->as.sha256, n, data);
    else sha1_update(&d->as.sha1, n, data);
}

void pull_digest_end(pull_digest *d, char out[PULL_DIGEST])
{
    uint8_t bytes[SHA256_DIGEST_SIZE];
    const size_t n = d->large ? SHA256_DIGEST_SIZE : SHA1_DIGEST_SIZE;
#if NETTLE_VERSION_MAJOR >= 4 /* which knows the length itself */
    if (d->large) sha256_digest(&d->as.sha256, bytes);
    else sha1_digest(&d->as.sha1, bytes);
#else
    if (d->large) sha256_digest(&d->as.sha256, n, bytes);
    else sha1_digest(&d->as.sha1, n, bytes);
#endif
    for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    pull_digest_reset(d);
}
