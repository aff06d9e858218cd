/* cache.c: files in the directory of the option `cache`, under a name made of vendor, device, driver version, the
 * driver's cache UUID and a hash of all shaders: what was kept for another driver or other shaders is not found. */
#include "backends/vulkan/vk.h"

#include <errno.h>
#include <signal.h>
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

bool vk_cache_write(const vk_backend *vk, const char *suffix, const void *data, size_t n)
{
    char path[1200], temporary[1240];
    if (!vk->options.cache) return true;
    if (!cache_path(vk, suffix, path, sizeof path)) return false;
    make_directory(vk->options.cache);
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    if (!f) return false;
    bool ok = fwrite(data, 1, n, f) == n;
    if (!fclose(f) && ok && !rename(temporary, path)) return true;
    unlink(temporary);
    return false;
}

/* ---- processes, whose marks in those files must not outlive them ---- */

/* Clock ticks from the system's start; 0: unknown. The number of a process alone says little: in a container it is the
 * same every time. */
static unsigned long long begin_of(long process)
{
    char path[48], text[1024];
    unsigned long long begin = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *at = strrchr(text, ')'); /* the end of its name, field 2 */
    for (uint32_t field = 2; at && field < 22; field++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    return at && sscanf(at, "%llu", &begin) == 1 ? begin : 0;
}

void vk_process(char out[48])
{
    const long process = (long)getpid();
    snprintf(out, 48, "%ld:%llu", process, begin_of(process));
}

bool vk_process_lives(const char *text)
{
    char *end;
    const long process = strtol(text, &end, 10);
    const unsigned long long begin = *end == ':' ? strtoull(end + 1, NULL, 10) : 0;
    if (process <= 0 || (kill((pid_t)process, 0) && errno != EPERM)) return false;
    const unsigned long long now = begin_of(process);
    return begin && now ? begin == now : process != (long)getpid();
}
