/* json.c: jansson with the library's error texts. jansson names a duplicate key only if it is
 * short, so the key is read back from the text in front of the place where it stopped. */
#include "json.h"

#include <errno.h>
#include <string.h>

#include "file.h"

/* The string token that ends just before text[end]; false if there is none. */
static bool token_before(const char *text, size_t end, char out[WEFT__QUOTE_SIZE])
{
    while (end && text[end - 1] != '"') end--;
    if (end < 2) return false;
    size_t last = end - 1, first = last;
    while (first) {
        first--;
        size_t slashes = 0;
        if (text[first] != '"') continue;
        while (slashes < first && text[first - 1 - slashes] == '\\') slashes++;
        if (slashes % 2 == 0) break;
    }
    char key[WEFT__QUOTE_SIZE];
    size_t n = last - first - 1;
    if (text[first] != '"') return false;
    if (n > sizeof key - 1) n = sizeof key - 1;
    memcpy(key, text + first + 1, n);
    key[n] = 0;
    weft__quote(out, key);
    return true;
}

/* jansson's lexer ignores a failure to grow its token buffer and goes on without a byte, and
 * resets errno when it converts a number. So it is fed byte by byte, and errno looked at between the bytes. */
typedef struct source {
    const char *text;
    size_t n, at;
    bool alarm; /* an allocation failed, or malloc had to try a second way */
} source;

static size_t next_byte(void *buffer, size_t size, void *ctx)
{
    source *s = ctx;
    if (errno == ENOMEM) s->alarm = true;
    errno = 0;
    if (size == 0 || s->at == s->n) return 0;
    *(char *)buffer = s->text[s->at++];
    return 1;
}

/* After an alarm the text is read once more, and both readings must be equal. */
static json_t *load(const char *text, size_t n, bool *oom, json_error_t *e)
{
    source s = { .text = text, .n = n };
    errno = 0;
    json_t *v = json_load_callback(next_byte, &s, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, e);
    *oom = s.alarm || errno == ENOMEM;
    if (!v || !*oom) return v;
    json_error_t ignored;
    json_t *again = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &ignored);
    *oom = !again || !json_equal(v, again);
    json_decref(again);
    if (!*oom) return v;
    json_decref(v);
    return NULL;
}

weft_status weft__json_parse(const char *text, size_t n, const char *what, json_t **out,
                             weft_error *err)
{
    json_error_t e;
    char key[WEFT__QUOTE_SIZE];
    bool oom;
    *out = load(text, n, &oom, &e);
    if (!*out) {
        enum json_error_code code = json_error_code(&e);
        if (oom || code == json_error_out_of_memory) return WEFT_OOM_FAIL(err, what);
        if (code == json_error_duplicate_key && e.position >= 0 && (size_t)e.position <= n &&
            token_before(text, (size_t)e.position, key))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: the key \"%s\" stands there twice", what, key);
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: not JSON: %s (line %d, byte %d)", what,
                         weft__quote(key, e.text), e.line, e.position);
    }
    if (!json_is_object(*out)) {
        weft_status s =
            WEFT_FAIL(err, WEFT_FORMAT, "%s: is %s, not an object", what, weft__json_kind(*out));
        json_decref(*out);
        *out = NULL;
        return s;
    }
    return WEFT_OK;
}

static int dump_piece(const char *data, size_t n, void *text)
{
    weft_writer w = weft_text_writer(text);
    return w.write(w.ctx, data, n) ? 0 : -1;
}

/* Not json_dumps: it loses the failure of some of its own allocations and gives a text with a hole.
 * weft_text remembers. */
char *weft__json_dump(const json_t *v, size_t flags, size_t *n)
{
    weft_text text = { 0 };
    int failed = json_dump_callback(v, dump_piece, &text, flags);
    *n = text.size;
    if (!failed && !text.failed) return text.data;
    weft_text_free(&text);
    return NULL;
}

const char *weft__json_kind(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",        [JSON_NULL] = "null",
    };
    return v ? names[json_typeof(v)] : "nothing";
}
