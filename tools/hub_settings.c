/* hub_settings.c: the environment of huggingface_hub, read by its rules. */
#include "tools/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

#define DEFAULT_ENDPOINT "https://huggingface.co"
enum { DEFAULT_TIMEOUT = 10, MAX_TIMEOUT = 3600 };

/* NULL: the variable is not set, or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_true(const char *name)
{
    static const char *const words[] = { "1", "ON", "YES", "TRUE" };
    const char *value = variable(name);
    for (size_t i = 0; value && i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(value, words[i])) return true;
    return false;
}

/* A path that a variable holds, "~" for the home folder, and what is below it; false: the variable is not set. */
static bool from_variable(const char *name, const char *below, char *out)
{
    const char *value = variable(name), *home = variable("HOME");
    if (!value) return false;
    bool tilde = *value == '~' && (value[1] == '/' || !value[1]) && home;
    int n = snprintf(out, HUB_MAX_PATH, "%s%s%s", tilde ? home : "", tilde ? value + 1 : value, below);
    return n > 0 && n < HUB_MAX_PATH;
}

/* What is below the folder of all that Hugging Face's programs keep. */
static bool from_home(const char *below, char *out)
{
    char tail[64];
    if (from_variable("HF_HOME", below, out)) return true;
    snprintf(tail, sizeof tail, "/huggingface%s", below);
    if (from_variable("XDG_CACHE_HOME", tail, out)) return true;
    snprintf(tail, sizeof tail, "/.cache/huggingface%s", below);
    return from_variable("HOME", tail, out);
}

bool hub_cache_folder(char out[HUB_MAX_PATH])
{
    return from_variable("HF_HUB_CACHE", "", out) || from_variable("HUGGINGFACE_HUB_CACHE", "", out) ||
           from_home("/hub", out);
}

/* ---- the token ---- */

/* Without white space around it. 0, or 1 after a message: it cannot stand in a header. The value is never shown. */
static int take_token(hub_settings *s, const char *value)
{
    value += strspn(value, " \t\r\n");
    size_t n = strlen(value);
    while (n && strchr(" \t\r\n", value[n - 1])) n--;
    if (n >= sizeof s->token) return cli_fail("%s: the token is too long", s->token_from);
    for (size_t i = 0; i < n; i++)
        if (value[i] <= ' ' || value[i] > '~')
            return cli_fail("%s: the token has a character that no token has", s->token_from);
    memcpy(s->token, value, n);
    s->token[n] = 0;
    return 0;
}

static int read_token(hub_settings *s)
{
    static const char *const names[] = { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" };
    char text[HUB_MAX_TOKEN + 64];
    if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!variable(names[i])) continue;
        strcpy(s->token_from, names[i]);
        return take_token(s, variable(names[i]));
    }
    if (!from_variable("HF_TOKEN_PATH", "", s->token_from) && !from_home("/token", s->token_from)) return 0;
    FILE *f = fopen(s->token_from, "re");
    if (!f) return errno == ENOENT || errno == ENOTDIR ? 0 : cli_fail("%s: %s", s->token_from, strerror(errno));
    size_t n = fread(text, 1, sizeof text - 1, f);
    int why = ferror(f) ? errno : 0;
    fclose(f);
    if (why) return cli_fail("%s: %s", s->token_from, strerror(why));
    text[n] = 0;
    return take_token(s, text);
}

/* ---- all of it ---- */

static int read_timeout(hub_settings *s)
{
    const char *value = variable("HF_HUB_DOWNLOAD_TIMEOUT");
    char *end;
    s->timeout = DEFAULT_TIMEOUT;
    if (!value) return 0;
    unsigned long n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n < 1 || n > MAX_TIMEOUT)
        return cli_fail("HF_HUB_DOWNLOAD_TIMEOUT: '%s': expected seconds from 1 to %d", value, MAX_TIMEOUT);
    s->timeout = (unsigned)n;
    return 0;
}

static int read_endpoint(hub_settings *s)
{
    const char *value = variable("HF_ENDPOINT");
    if (!value) value = DEFAULT_ENDPOINT;
    size_t n = strlen(value);
    while (n && value[n - 1] == '/') n--;
    if (n >= sizeof s->endpoint / 2) return cli_fail("HF_ENDPOINT: the address is too long");
    memcpy(s->endpoint, value, n);
    s->endpoint[n] = 0;
    return 0;
}

int hub_settings_read(hub_settings *out)
{
    *out = (hub_settings){ .offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE") };
    static const char *const trusted[] = { "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE" };
    for (size_t i = 0; i < sizeof trusted / sizeof *trusted && !*out->certificates; i++)
        if (!from_variable(trusted[i], "", out->certificates)) *out->certificates = 0;
    if (!hub_cache_folder(out->cache))
        return cli_fail("no folder for what is pulled: HF_HUB_CACHE, HF_HOME or HOME says where it is");
    int status = read_endpoint(out);
    if (!status) status = read_timeout(out);
    return status ? status : read_token(out);
}
