/* curl.c: opens libcurl. Its interface, and with it the number in its name, has stayed the same since 2006; Debian has
 * it built with one library for TLS or another. */
#include "tools/pull/curl.h"

#include <dlfcn.h>

weft_status pull_curl_open(pull_curl *out, weft_error *err)
{
    static const char *const names[] = { "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib" };
    *out = (pull_curl){ 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names && !out->library; i++)
        out->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!out->library)
        return WEFT_FAIL(err, WEFT_NOT_FOUND,
                         "pull: there is no libcurl.so.4 (Debian and Ubuntu: libcurl4), which speaks HTTP");
#define X(name)                                                            \
    *(void **)&out->name = dlsym(out->library, "curl_" #name);             \
    if (!out->name) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "pull: libcurl has no curl_" #name ": it is too old");
    PULL_CURL(X)
#undef X
    if (out->global_init(CURL_GLOBAL_DEFAULT)) return WEFT_FAIL(err, WEFT_INTERNAL, "pull: libcurl does not start");
    return WEFT_OK;
}
