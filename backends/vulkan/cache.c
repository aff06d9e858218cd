/* cache.c: files in the directory of the option `cache`, under a name made of vendor, device, driver version, the
 * driver's cache UUID and a hash of all shaders: what was kept for another driver or other shaders is not found. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_CACHE_BYTES = 1 << 28 };

static uint64_t shader_hash(void)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (uint32_t i = 0; i < WEFT_SHADER_COUNT; i++)
        for (uint32_t k = 0; k < weft__shaders[i].n_words; k++) h = (h ^ weft__shaders[i].code[k]) * 1099511628211u;
    return h;
}

static bool cache_path(const vk_backend *vk, const char *suffix, char *out, size_t size)
{
    const VkPhysicalDeviceProperties *p = &vk->properties;
    char uuid[2 * VK_UUID_SIZE + 1];
    if (!vk->options.cache) return false;
    for (uint32_t i = 0; i < VK_UUID_SIZE; i++) snprintf(uuid + 2 * i, 3, "%02x", p->pipelineCacheUUID[i]);
    int n = snprintf(out, size, "%s/%04x-%04x-%x-%s-%016llx.%s", vk->options.cache, p->vendorID, p->deviceID,
                     p->driverVersion, uuid, (unsigned long long)shader_hash(), suffix);
    return n > 0 && (size_t)n < size;
}

/* Creates the directory and its parents; a failure shows when the file is opened. */
static void make_directory(const char *path)
{
    char part[1024];
    for (size_t i = 1; path[i - 1] && i < sizeof part; i++) {
        if (path[i] != '/' && path[i]) continue;
        memcpy(part, path, i);
        part[i] = 0;
        mkdir(part, 0777);
    }
}

void *vk_cache_read(const vk_backend *vk, const char *suffix, size_t *n)
{
    char path[1200];
    *n = 0;
    FILE *f = cache_path(vk, suffix, path, sizeof path) ? fopen(path, "rb") : NULL;
    if (!f) return NULL;
    struct stat st;
    void *data = NULL;
    if (!fstat(fileno(f), &st) && st.st_size > 0 && st.st_size < MAX_CACHE_BYTES) data = malloc((size_t)st.st_size);
    if (data) *n = fread(data, 1, (size_t)st.st_size, f);
    fclose(f);
    return data;
}

void vk_cache_write(const vk_backend *vk, const char *suffix, const void *data, size_t n)
{
    char path[1200], temporary[1240];
    if (!cache_path(vk, suffix, path, sizeof path)) return;
    make_directory(vk->options.cache);
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    if (!f) return;
    bool ok = fwrite(data, 1, n, f) == n;
    if (fclose(f) || !ok || rename(temporary, path)) unlink(temporary);
}
