/* words.c: what the command line says of a model: PATH or NAME=PATH, then options of its own with commas between them:
 * "tiny=models/tiny,context=4096,device=vulkan:0,keep-alive=600". Other options hold for all. */
#include "tools/serve/server.h"

#include "models/tokenizer/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Options of the whole server, which are no model's own. */
static bool is_the_servers(const char *name)
{
    static const char *const names[] = { "host", "port", "api-key", "connections", "timeout", "max-body", "memory",
                                         "preload", "name", "model", "quiet", "help", "check", "verbose", "no-cache" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

/* Whether a value goes on behind a comma: "device=cpu,threads=2", "split=3,4", "kv=q8_0,q4_0". */
static bool goes_on(const cli_option *o)
{
    return o && (!strcmp(o->name, "device") || !strcmp(o->name, "split") || !strcmp(o->name, "kv"));
}

/* "LAST-PART" of a path, without what stands behind it. */
static char *last_part(const char *path, size_t n)
{
    while (n > 1 && path[n - 1] == '/') n--;
    size_t from = n;
    while (from && path[from - 1] != '/') from--;
    return from < n ? strndup(path + from, n - from) : strndup(path, n);
}

static int refuse_option(const char *item, const cli_option *o, const char *hint)
{
    const int n = (int)strcspn(item, "=");
    if (o) return cli_misuse("serve: %.*s is no option of one model: give it before MODEL, as --%s", n, item, o->name);
    return cli_misuse("serve: %.*s: a model has no such option%s", n, item, hint);
}

/* One option: takes it out of the words, which are cut. *rest moves behind it. */
static int read_option(served *m, char **rest, const cli_option **seen, unsigned *n_seen)
{
    char hint[80], *item = *rest, *end = item + strcspn(item, ",");
    const size_t n = strcspn(item, "=,");
    const cli_option *o = cli_find_option(&cli_serve, item, n, hint, sizeof hint);
    if (!o || is_the_servers(o->name)) return refuse_option(item, o, hint);
    char *value = item[n] == '=' ? item + n + 1 : NULL;
    while (goes_on(o) && *end) { /* up to what is an option itself */
        const char *next = end + 1;
        const cli_option *other = cli_find_option(&cli_serve, next, strcspn(next, "=,"), hint, sizeof hint);
        if (other && !is_the_servers(other->name)) break;
        end += 1 + strcspn(next, ",");
    }
    *rest = *end ? end + 1 : end;
    *end = 0;
    if (value && o->kind == CLI_FLAG) return cli_misuse("serve: %s takes no value: %s", o->name, value);
    if (!value && o->kind != CLI_FLAG) return cli_misuse("serve: %s needs a value: %s=%s", o->name, o->name, o->value);
    bool again = false;
    for (unsigned i = 0; i < *n_seen; i++) again |= seen[i] == o;
    if (!again && *n_seen < CLI_MAX_OPTIONS) seen[(*n_seen)++] = o;
    return again ? cli_add(&m->args, o, value) : cli_set(&m->args, o, value); /* instead of what holds for all */
}

static int read_options(served *m, char *rest)
{
    const cli_option *seen[CLI_MAX_OPTIONS];
    unsigned n = 0;
    int status = 0;
    while (*rest && !status) status = read_option(m, &rest, seen, &n);
    return status;
}

/* The last parts of the adapters' folders. */
static int name_adapters(served *m)
{
    const char *const *values;
    const unsigned count = cli_texts(&m->args, "lora", &values);
    for (unsigned i = 0; i < count; i++) {
        size_t n;
        if (cli_adapter_scale(values[i], &n) == 0) continue; /* nothing of it */
        char *name = last_part(values[i], n);
        if (!name) return cli_fail("out of memory");
        m->adapter_names[m->n_adapters++] = name;
        if (!weft__utf8_is_valid(name, strlen(name)))
            return cli_misuse("serve: %s: the folder's name is not UTF-8", name);
    }
    return 0;
}

int served_read(const cli_args *a, const char *word, served *m)
{
    struct stat st;
    m->words = strdup(word);
    m->args = *a;
    if (!m->words) return cli_fail("out of memory");
    const bool is_path = !lstat(word, &st); /* whatever it looks like */
    char *path = m->words, *rest = path + (is_path ? strlen(path) : strcspn(path, ","));
    if (*rest) *rest++ = 0;
    char *equals = is_path ? NULL : strchr(path, '=');
    if (equals) *equals = 0;
    if (equals && (!*path || !equals[1])) return cli_misuse("serve: %s: expected NAME=PATH", word);
    const char *given = cli_text(a, "name", NULL);
    m->name = given ? strdup(given) : equals ? strdup(path) : last_part(path, strlen(path));
    if (!m->name) return cli_fail("out of memory");
    if (!weft__utf8_is_valid(m->name, strlen(m->name)))
        return cli_misuse("serve: %s: a name is UTF-8: NAME=PATH gives the model another", m->name);
    m->args.model = equals ? equals + 1 : path;
    int status = read_options(m, rest);
    if (!status) status = cli_find_model(&m->args);
    if (!status) status = draft_find(m);
    if (!status) status = name_adapters(m);
    m->queue = cli_u32(&m->args, "queue", 256);
    m->keep_alive = (double)cli_f32(&m->args, "keep-alive", -1);
    m->stays = m->keep_alive;
    m->last = &m->first;
    m->since = time(NULL);
    return status;
}

void served_forget(served *m)
{
    for (uint32_t i = 0; i < m->n_adapters; i++) free((char *)(uintptr_t)m->adapter_names[i]);
    free(m->args.found);
    free(m->draft_args.found);
    free(m->words);
    free(m->name);
    *m = (served){ 0 };
}
