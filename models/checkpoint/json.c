/* json.c: jansson with the library's error texts and Python's numbers. jansson names a duplicate key
 * only if it is short, so the key is read back from the text in front of the place where it stopped. */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
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

/* ---- what jansson is fed ---- */

/* jansson has no value for NaN and the infinities, which Python writes and reads: each travels as a
 * finite number near the end of the range that weft__json_number knows. A file that has that very
 * number reads as not finite; it is as far beyond all that anybody asks for. */
#define NAN_TEXT      "1.797693134862314e308"
#define INFINITY_TEXT "1.797693134862315e308"
static const double nan_mark = 1.797693134862314e308, infinity_mark = 1.797693134862315e308;

/* The text, byte by byte, with those tokens spelled anew that jansson would refuse. Nothing is
 * allocated. Byte by byte because jansson's lexer ignores a failure to grow its token buffer and
 * goes on without a byte, and resets errno when it converts a number: errno is looked at between. */
typedef struct source {
    const char *text;
    size_t n, at;
    size_t plain;         /* so many bytes pass as they are, */
    const char *then;     /* then these instead of `skip` bytes; "" at rest */
    size_t skip, n_then;  /* n_then: how many of them were given */
    ptrdiff_t shift;      /* bytes taken from the text less bytes given, up to here */
    bool in_string, replace; /* replace: \u0000 and lone surrogates by U+FFFD */
    bool alarm;           /* an allocation failed, or malloc had to try a second way */
} source;

typedef struct number {
    bool whole;        /* digits alone */
    bool seen;         /* a digit other than 0 */
    long long power;   /* of ten, of the first such digit */
    char lead[20];     /* from it on */
    size_t n_lead;
} number;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits from t[i] on; returns the place behind them. */
static size_t take_digits(const char *t, size_t i, size_t n, bool fraction, number *x)
{
    for (; i < n && is_digit(t[i]); i++) {
        if (x->seen && !fraction) x->power++;
        if (!x->seen && fraction) x->power--;
        x->seen |= t[i] != '0';
        if (x->seen && x->n_lead < sizeof x->lead) x->lead[x->n_lead++] = t[i];
    }
    return i;
}

/* Whether the n bytes are a number of JSON, and how large it is. */
static bool scan_number(const char *t, size_t n, number *x)
{
    size_t first = t[0] == '-', i;
    *x = (number){ .whole = true };
    memset(x->lead, '0', sizeof x->lead);
    i = take_digits(t, first, n, false, x);
    if (i == first || (t[first] == '0' && i > first + 1)) return false;
    if (i < n && t[i] == '.') {
        x->whole = false;
        first = i + 1;
        i = take_digits(t, first, n, true, x);
        if (i == first) return false;
    }
    if (i < n && (t[i] == 'e' || t[i] == 'E')) {
        long long e = 0;
        bool down = i + 1 < n && t[i + 1] == '-';
        x->whole = false;
        first = i + 1 + (i + 1 < n && (down || t[i + 1] == '+'));
        for (i = first; i < n && is_digit(t[i]); i++)
            if (e < 1000000000) e = 10 * e + (t[i] - '0');
        if (i == first) return false;
        x->power += down ? -e : e;
    }
    return i == n;
}

/* What would round to an infinity: from DBL_MAX and half a step on, to 20 digits. */
static bool is_beyond(const number *x)
{
    if (!x->seen || x->power != 308) return x->seen && x->power > 308;
    return memcmp(x->lead, "17976931348623158079", sizeof x->lead) >= 0;
}

/* Whether a whole number fits no 64 bits. */
static bool is_long(const number *x)
{
    if (!x->whole || x->power != 18) return x->whole && x->power > 18;
    return memcmp(x->lead, "9223372036854775807", 19) > 0;
}

/* A token outside of strings that begins like a number, NaN or Infinity. */
static void start_token(source *s)
{
    const char *t = s->text + s->at;
    size_t left = s->n - s->at, n = 0;
    bool minus = t[0] == '-';
    number x;
    while (n < left && (is_digit(t[n]) || memchr("+-.eENaInfity", t[n], 13))) n++;
    s->plain = n ? n : 1;
    s->then = "";
    s->skip = s->n_then = 0;
    if (n == 3 && !memcmp(t, "NaN", 3)) {
        s->then = NAN_TEXT;
    } else if (n == 8u + minus && !memcmp(t + minus, "Infinity", 8)) {
        s->then = minus ? "-" INFINITY_TEXT : INFINITY_TEXT;
    } else if (scan_number(t, n, &x)) {
        if (is_beyond(&x)) s->then = minus ? "-" INFINITY_TEXT : INFINITY_TEXT;
        else if (is_long(&x)) {
            s->then = ".0"; /* Python's integers are of any size; here the nearest double */
            return;
        }
    }
    if (!*s->then) return;
    s->plain = 0;
    s->skip = n;
}

/* The code unit of "\uXXXX" at t, or -1. */
static int code_unit(const char *t, size_t n)
{
    int unit = 0;
    if (n < 6 || t[0] != '\\' || t[1] != 'u') return -1;
    for (int i = 2; i < 6; i++) {
        const char *hex = "0123456789abcdef", *at;
        char c = t[i] >= 'A' && t[i] <= 'F' ? (char)(t[i] - 'A' + 'a') : t[i];
        if (!c || !(at = strchr(hex, c))) return -1;
        unit = 16 * unit + (int)(at - hex);
    }
    return unit;
}

/* An escape in a string. */
static void start_escape(source *s)
{
    const char *t = s->text + s->at;
    size_t left = s->n - s->at;
    int unit = code_unit(t, left), next = unit < 0 ? -1 : code_unit(t + 6, left - 6);
    bool high = unit >= 0xd800 && unit < 0xdc00, low = unit >= 0xdc00 && unit < 0xe000;
    bool pair = high && next >= 0xdc00 && next < 0xe000;
    s->plain = pair ? 12 : unit >= 0 ? 6 : 2;
    s->then = "";
    s->skip = s->n_then = 0;
    if (!s->replace || pair || !(high || low || unit == 0)) return;
    s->plain = 0;
    s->then = "\\ufffd";
    s->skip = 6;
}

static size_t next_byte(void *buffer, size_t size, void *ctx)
{
    source *s = ctx;
    char *out = buffer;
    if (errno == ENOMEM) s->alarm = true;
    errno = 0;
    if (size == 0) return 0;
    if (!s->plain && !s->then[s->n_then] && s->at < s->n) {
        char c = s->text[s->at];
        if (s->in_string && c == '\\') start_escape(s);
        else if (!s->in_string && (is_digit(c) || c == '-' || c == 'N' || c == 'I')) start_token(s);
        else s->plain = 1;
        if (c == '"') s->in_string = !s->in_string;
    }
    if (s->plain && s->at < s->n) {
        s->plain--;
        *out = s->text[s->at++];
        return 1;
    }
    s->plain = 0;
    if (!s->then[s->n_then]) return 0;
    s->at += s->skip;
    s->shift += (ptrdiff_t)s->skip - 1;
    s->skip = 0;
    *out = s->then[s->n_then++];
    return 1;
}

/* ---- parsing ---- */

/* After an alarm the text is read once more, and both readings must be equal. */
static json_t *load(source s, size_t flags, bool *oom, ptrdiff_t *shift, json_error_t *e)
{
    source first = s;
    errno = 0;
    json_t *v = json_load_callback(next_byte, &first, flags, e);
    *oom = first.alarm || errno == ENOMEM;
    *shift = first.shift;
    if (!v || !*oom) return v;
    json_error_t ignored;
    json_t *again = json_load_callback(next_byte, &s, flags, &ignored);
    *oom = !again || !json_equal(v, again);
    json_decref(again);
    if (!*oom) return v;
    json_decref(v);
    return NULL;
}

/* One reading. `twice`: the key that stands there twice, where that is the fault; else "". */
static weft_status read_text(source s, const char *what, size_t flags, json_t **out,
                             char twice[WEFT__QUOTE_SIZE], weft_error *err)
{
    json_error_t e;
    bool oom;
    ptrdiff_t shift;
    char quoted[WEFT__QUOTE_SIZE];
    *twice = 0;
    *out = load(s, flags | JSON_DECODE_ANY, &oom, &shift, &e);
    if (!*out) {
        ptrdiff_t at = e.position + shift;
        enum json_error_code code = json_error_code(&e);
        if (oom || code == json_error_out_of_memory) return WEFT_OOM_FAIL(err, what);
        if (code == json_error_duplicate_key && at >= 0 && (size_t)at <= s.n &&
            token_before(s.text, (size_t)at, twice))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: the key \"%s\" stands there twice", what, twice);
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: not JSON: %s (line %d, byte %d)", what,
                         weft__quote(quoted, e.text), e.line, (int)at);
    }
    if (json_is_object(*out)) return WEFT_OK;
    weft_status status =
        WEFT_FAIL(err, WEFT_FORMAT, "%s: is %s, not an object", what, weft__json_kind(*out));
    json_decref(*out);
    *out = NULL;
    return status;
}

static weft_status check_start(const char *text, size_t n, const char *what, weft_error *err)
{
    if (n < 3 || memcmp(text, "\xef\xbb\xbf", 3) != 0) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT,
                     "%s: not JSON: begins with a byte order mark; save it as UTF-8 without one",
                     what);
}

weft_status weft__json_parse(const char *text, size_t n, const char *what, json_t **out,
                             weft_error *err)
{
    char twice[WEFT__QUOTE_SIZE];
    source s = { .text = text, .n = n, .then = "" };
    *out = NULL;
    WEFT_TRY(check_start(text, n, what, err));
    return read_text(s, what, JSON_REJECT_DUPLICATES, out, twice, err);
}

weft_status weft__json_parse_lenient(const char *text, size_t n, const char *what, json_t **out,
                                     char twice[WEFT__QUOTE_SIZE], weft_error *err)
{
    weft_error first = { 0 };
    char ignored[WEFT__QUOTE_SIZE];
    source s = { .text = text, .n = n, .then = "", .replace = true };
    *out = NULL;
    *twice = 0;
    WEFT_TRY(check_start(text, n, what, err));
    weft_status status = read_text(s, what, JSON_REJECT_DUPLICATES, out, twice, &first);
    if (status != WEFT_OK && *twice) return read_text(s, what, 0, out, ignored, err);
    if (status != WEFT_OK && err) *err = first;
    return status;
}

/* ---- values ---- */

bool weft__json_number(const json_t *v, double *out)
{
    *out = json_number_value(v);
    if (json_is_integer(v)) return true;
    if (*out == nan_mark) *out = (double)NAN;
    else if (fabs(*out) == infinity_mark) *out = copysign((double)INFINITY, *out);
    return json_is_real(v);
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
    double x;
    if (json_is_real(v) && weft__json_number(v, &x) && !isfinite(x))
        return isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity";
    return v ? names[json_typeof(v)] : "nothing";
}
