/* http.c: one request, and where it is sent on to. Redirects are followed here rather than by libcurl: the token goes
 * to the endpoint's scheme, host and port alone, and nothing goes from https to http. */
#include "tools/pull/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "tools/cli.h"
#include "tools/pull/http_impl.h"

enum { MAX_REDIRECTS = 10, MAX_REFUSAL = 64 << 10, SMALL_SECONDS = 120 };

const char *pull_shown(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++) {
        const unsigned char c = (unsigned char)*text;
        out[n++] = c < ' ' || c > '~' ? '?' : *text;
    }
    out[n] = 0;
    return out;
}

bool pull_append_quoted(char *url, size_t size, const char *text, bool keep_slash)
{
    size_t n = strlen(url);
    for (; *text && n + 4 < size; text++) {
        const unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-_.~", c) || (c == '/' && keep_slash)) url[n++] = (char)c;
        else n += (size_t)snprintf(url + n, size - n, "%%%02X", c);
    }
    url[n] = 0;
    return !*text;
}

/* ---- addresses ---- */

/* As pull_shown, without what stands before '@': that may be a password. */
static const char *shown_address(const char *url, char *out, size_t size)
{
    const char *at = strrchr(url, '@');
    const size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyz");
    if (!at) return pull_shown(url, out, size);
    const int n = strncmp(url + scheme, "://", 3) ? 0 : snprintf(out, size, "%.*s://", (int)scheme, url);
    if (n < 0 || (size_t)n >= size) return "";
    pull_shown(at + 1, out + n, size - (size_t)n);
    return out;
}

static bool part_of(const pull_curl *c, CURLU *u, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    bool ok = !c->url_get(u, part, &text, flags) && strlen(text) < size;
    if (ok) strcpy(out, text);
    c->free(text);
    return ok;
}

weft_status pull_origin_of(const pull_curl *c, const char *url, pull_origin *out, weft_error *err)
{
    char shown[120];
    CURLU *u = c->url();
    if (!u) return WEFT_OOM_FAIL(err, "an address");
    const bool ok = !c->url_set(u, CURLUPART_URL, url, 0) &&
                    part_of(c, u, CURLUPART_SCHEME, 0, out->scheme, sizeof out->scheme) &&
                    part_of(c, u, CURLUPART_HOST, 0, out->host, sizeof out->host) &&
                    part_of(c, u, CURLUPART_PORT, CURLU_DEFAULT_PORT, out->port, sizeof out->port) &&
                    (!strcmp(out->scheme, "https") || !strcmp(out->scheme, "http"));
    char *name = NULL;
    const bool named = ok && !c->url_get(u, CURLUPART_USER, &name, 0);
    c->free(name);
    c->url_cleanup(u);
    if (!ok)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: no address of http or https", shown_address(url, shown, sizeof shown));
    if (named) return WEFT_FAIL(err, WEFT_INVALID, "%s://%s: an address with a user's name", out->scheme, out->host);
    return WEFT_OK;
}

bool pull_is_same_origin(const pull_origin *a, const pull_origin *b)
{
    return !strcmp(a->scheme, b->scheme) && !strcasecmp(a->host, b->host) && !strcmp(a->port, b->port);
}

/* What an answer from `url` calls an address, which may be a part of one, as a whole: in `out`, which may be either of
 * the two. false: it is none. */
static bool resolve(const pull_curl *c, const char *url, const char *location, char out[PULL_MAX_URL])
{
    char *whole = NULL;
    CURLU *u = c->url();
    bool ok = u && *location && !c->url_set(u, CURLUPART_URL, url, 0) &&
              !c->url_set(u, CURLUPART_URL, location, CURLU_URLENCODE) &&
              !c->url_get(u, CURLUPART_URL, &whole, 0) && strlen(whole) < PULL_MAX_URL;
    if (ok) strcpy(out, whole);
    c->free(whole);
    c->url_cleanup(u);
    return ok;
}

/* ---- one request ---- */

typedef struct hop {
    pull_http *h;
    const pull_taker *taker;
    pull_answer *answer;
    uint64_t from;
    bool home;      /* the endpoint itself is asked */
    bool taken;     /* some of it */
    size_t refused; /* bytes of an answer that nobody takes */
    weft_status status; /* of the taker */
    weft_error *err;
    char why[CURL_ERROR_SIZE];
} hop;

static bool is_taken(const hop *p)
{
    return p->answer->status == 200 || (p->answer->status == 206 && p->from);
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    hop *p = ctx;
    p->h->answered = true;
    return pull_answer_line(p->answer, data, size * n) ? size * n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    hop *p = ctx;
    p->h->curl.easy_getinfo(p->h->easy, CURLINFO_RESPONSE_CODE, &p->answer->status);
    p->answer->own = p->home;
    if (is_taken(p)) {
        const bool first = !p->taken;
        p->taken = true;
        p->status = p->taker->take(p->taker->ctx, p->answer, first, data, size * n, p->err);
        return p->status ? 0 : size * n;
    }
    p->refused += size * n;
    return p->refused > MAX_REFUSAL ? 0 : size * n;
}

/* Called at least once a second. */
static int on_time(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)ctx, (void)a, (void)b, (void)c, (void)d;
    return cli_interrupted();
}

/* Whom to trust, where the environment says so. */
static bool set_certificates(const hop *p)
{
    const char *file = p->h->hub->certificates;
    return !*file || !p->h->curl.easy_setopt(p->h->easy, CURLOPT_CAINFO, file);
}

static bool set_options(hop *p, const char *url, struct curl_slist *headers, const char *range)
{
    CURL *e = p->h->easy;
    const pull_curl *c = &p->h->curl;
    const long timeout = (long)p->h->hub->timeout;
    c->easy_reset(e); /* connections stay open */
    return !c->easy_setopt(e, CURLOPT_URL, url) && !c->easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !c->easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) && !c->easy_setopt(e, CURLOPT_NOSIGNAL, 1L) &&
           !c->easy_setopt(e, CURLOPT_HTTPHEADER, headers) && !c->easy_setopt(e, CURLOPT_RANGE, range) &&
           !c->easy_setopt(e, CURLOPT_CONNECTTIMEOUT, timeout) && !c->easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 64L) &&
           !c->easy_setopt(e, CURLOPT_LOW_SPEED_TIME, timeout) &&
           !c->easy_setopt(e, CURLOPT_TIMEOUT, p->taker->small ? (long)SMALL_SECONDS : 0L) &&
           !c->easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && !c->easy_setopt(e, CURLOPT_NOPROGRESS, 0L) &&
           !c->easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_time) &&
           !c->easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) && !c->easy_setopt(e, CURLOPT_HEADERDATA, p) &&
           !c->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) && !c->easy_setopt(e, CURLOPT_WRITEDATA, p) &&
           !c->easy_setopt(e, CURLOPT_BUFFERSIZE, 256L << 10) && !c->easy_setopt(e, CURLOPT_ERRORBUFFER, p->why);
}

/* The token only where `token` says so. NULL: out of memory. */
static struct curl_slist *make_headers(const pull_http *h, bool token)
{
    char line[HUB_MAX_TOKEN + 64];
    struct curl_slist *list = h->curl.slist_append(NULL, "Accept-Encoding: identity"), *more = list;
    snprintf(line, sizeof line, "User-Agent: weft/%s", weft_version());
    if (more) more = h->curl.slist_append(list, line);
    snprintf(line, sizeof line, "Authorization: Bearer %s", h->hub->token);
    if (more && token && *h->hub->token) more = h->curl.slist_append(list, line);
    if (!more) h->curl.slist_free_all(list);
    return more ? list : NULL;
}

static bool is_unreached(CURLcode code)
{
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT ||
           code == CURLE_OPERATION_TIMEDOUT;
}

/* Failures that may pass: connections that break or stand still. What never came to be is not tried again while nothing
 * says that there is a network. */
static bool may_pass(const pull_http *h, CURLcode code)
{
    if (is_unreached(code) || code == CURLE_SSL_CONNECT_ERROR) return h->answered;
    switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    default: return false;
    }
}

static weft_status report(const hop *p, CURLcode code, pull_try *how, weft_error *err)
{
    char text[160];
    const pull_http *h = p->h;
    if (p->status) return p->status;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return WEFT_FAIL(err, WEFT_CANCELLED, "cancelled while pulling %s", h->repository);
    if (p->answer->bytes && code == CURLE_WRITE_ERROR && !is_taken(p) && p->refused)
        return WEFT_OK; /* a long page that says no: the status is enough */
    how->passes = may_pass(h, code);
    return WEFT_FAIL(err, WEFT_IO, "%s: %s: %s: %s%s", h->repository, p->taker->what, how->asked.host,
                     pull_shown(*p->why ? p->why : h->curl.easy_strerror(code), text, sizeof text),
                     is_unreached(code) && !h->answered ? " (is there a network?)" : "");
}

static weft_status ask(hop *p, const char *url, pull_try *how, weft_error *err)
{
    char range[32];
    struct curl_slist *headers = make_headers(p->h, p->home);
    if (!headers) return WEFT_OOM_FAIL(err, "a request");
    snprintf(range, sizeof range, "%llu-", (unsigned long long)p->from);
    pull_answer_init(p->answer);
    *p->why = 0;
    CURLcode code = CURLE_UNKNOWN_OPTION;
    if (set_options(p, url, headers, p->from ? range : NULL) && set_certificates(p))
        code = p->h->curl.easy_perform(p->h->easy);
    p->h->curl.easy_getinfo(p->h->easy, CURLINFO_RESPONSE_CODE, &p->answer->status);
    p->h->curl.slist_free_all(headers);
    return code ? report(p, code, how, err) : WEFT_OK;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

weft_status pull_http_try(pull_http *h, const char *first, const pull_taker *t, uint64_t from, pull_answer *answer,
                          pull_try *how, weft_error *err)
{
    pull_origin home;
    char url[PULL_MAX_URL];
    *how = (pull_try){ 0 };
    if ((size_t)snprintf(url, sizeof url, "%s", first) >= sizeof url)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s: the address is too long", h->repository, t->what);
    WEFT_TRY(pull_origin_of(&h->curl, h->hub->endpoint, &home, err));
    for (int i = 0; i <= MAX_REDIRECTS; i++) {
        hop p = { .h = h, .taker = t, .answer = answer, .from = from, .err = err };
        WEFT_TRY(pull_origin_of(&h->curl, url, &how->asked, err));
        if (!strcmp(home.scheme, "https") && strcmp(how->asked.scheme, "https") != 0)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: %s: the hub sends on from https to http (%s), which is refused",
                             h->repository, t->what, how->asked.host);
        p.home = pull_is_same_origin(&home, &how->asked);
        WEFT_TRY(ask(&p, url, how, err));
        if (!is_redirect(answer->status)) {
            resolve(&h->curl, url, answer->next, answer->next); /* what is none stays, for who asks for it to say so */
            return WEFT_OK;
        }
        if (p.home && t->sent_on) WEFT_TRY(t->sent_on(t->ctx, answer, err));
        if (!resolve(&h->curl, url, answer->location, url))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s sends on to no address", how->asked.host);
    }
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s: sent on more than %d times", h->repository, t->what, MAX_REDIRECTS);
}

weft_status pull_http_open(pull_http *out, const hub_settings *hub, const char *repository, weft_error *err)
{
    pull_origin home;
    *out = (pull_http){ .hub = hub, .repository = repository };
    WEFT_TRY(pull_curl_open(&out->curl, err));
    weft_status s = pull_origin_of(&out->curl, hub->endpoint, &home, err);
    if (s) return weft__annotate(err, s, "HF_ENDPOINT");
    out->easy = out->curl.easy_init();
    return out->easy ? WEFT_OK : WEFT_OOM_FAIL(err, "a connection");
}

void pull_http_close(pull_http *h)
{
    if (h->easy) h->curl.easy_cleanup(h->easy);
    h->easy = NULL;
}
