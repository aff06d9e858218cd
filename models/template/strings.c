/* strings.c: see strings.h. */
#include "strings.h"

#include <string.h>

#include "graph/number.h"

const char *jinja_find(jinja_run *r, const char *s, const char *end, const jinja_text *what)
{
    jinja_work(r, (size_t)(end - s) / 64 + 1);
    for (; what->n <= (size_t)(end - s); s++) {
        if (!(s = memchr(s, what->s[0], (size_t)(end - s) - what->n + 1))) return NULL;
        if (memcmp(s, what->s, what->n) == 0) return s;
    }
    return NULL;
}

static bool strips(jinja_run *r, const jinja_text *chars, const char *p, size_t n)
{
    if (!chars) return jinja_is_space(jinja_char(p, &n));
    const jinja_text c = { p, n, 1, false };
    return jinja_find(r, chars->s, chars->s + chars->n, &c) != NULL;
}

const jinja_text *jinja_strip(jinja_run *r, const jinja_text *t, const jinja_text *chars, char side)
{
    const char *s = t->s, *end = s + t->n;
    size_t n;
    while (side != 'r' && s < end) {
        jinja_char(s, &n);
        if (!strips(r, chars, s, n)) break;
        s += n;
    }
    while (side != 'l' && end > s) {
        const char *p = end - 1;
        while (p > s && ((unsigned char)*p & 0xC0) == 0x80) p--;
        if (!strips(r, chars, p, (size_t)(end - p))) break;
        end = p;
    }
    return jinja_text_part(r, t, s, (size_t)(end - s));
}

const jinja_text *jinja_replace(jinja_run *r, const jinja_text *t, const jinja_text *old, const jinja_text *by,
                                int64_t count)
{
    const char *s = t->s, *end = s + t->n;
    jinja_buffer b = { 0 };
    size_t n;
    if (!count) return t;
    if (!old->n) { /* before each character and at the end */
        for (; count; count--) {
            jinja_put(r, &b, by->s, by->n);
            jinja_work(r, 1);
            if (s == end) break;
            jinja_char(s, &n);
            jinja_put(r, &b, s, n);
            s += n;
        }
    }
    for (const char *p; old->n && count && (p = jinja_find(r, s, end, old)); count--) {
        jinja_put(r, &b, s, (size_t)(p - s));
        jinja_put(r, &b, by->s, by->n);
        s = p + old->n;
    }
    jinja_put(r, &b, s, (size_t)(end - s));
    return jinja_buffer_value(r, &b).text;
}

const jinja_text *jinja_pad(jinja_run *r, const jinja_text *t, int64_t width, const char *fill, char side)
{
    const int64_t pad = width - (int64_t)t->chars;
    if (pad <= 0) return t;
    if (pad > (int64_t)(r->max_bytes / 4))
        jinja_fail_as(r, WEFT_LIMIT, "a text of more than %zu MiB", r->max_bytes >> 22);
    const int64_t left = side == 'l' ? pad : side == 'r' ? 0 : pad / 2 + (pad & width & 1);
    jinja_buffer b = { 0 };
    size_t n;
    jinja_char(fill, &n);
    for (int64_t i = 0; i < left; i++) jinja_put(r, &b, fill, n);
    jinja_put(r, &b, t->s, t->n);
    for (int64_t i = left; i < pad; i++) jinja_put(r, &b, fill, n);
    return jinja_buffer_value(r, &b).text;
}

static bool ends_line(uint32_t c)
{
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

jinja_list *jinja_lines(jinja_run *r, const jinja_text *t, bool keep)
{
    const char *s = t->s, *end = s + t->n, *from = s;
    jinja_list *l = jinja_list_new(r, 0);
    jinja_work(r, t->n / 16);
    while (s < end) {
        size_t n;
        const uint32_t c = jinja_char(s, &n);
        const char *stop = s;
        s += n;
        if (!ends_line(c)) continue;
        if (c == '\r' && s < end && *s == '\n') s++;
        jinja_push(r, l, jinja_from_text(jinja_text_part(r, t, from, (size_t)((keep ? s : stop) - from))));
        from = s;
    }
    if (from < end) jinja_push(r, l, jinja_from_text(jinja_text_part(r, t, from, (size_t)(end - from))));
    return l;
}

const jinja_text *jinja_capitalize(jinja_run *r, const jinja_text *t)
{
    jinja_buffer b = { 0 };
    size_t n = 0;
    if (t->n) jinja_char(t->s, &n);
    jinja_title_to(r, &b, t->s, n);
    jinja_lower_part(r, &b, t->s, t->n, n, t->n);
    return jinja_buffer_value(r, &b).text;
}

/* ---- numbers ---- */

bool jinja_parse_int(jinja_run *r, const jinja_text *t, int64_t base, int64_t *out)
{
    const jinja_text *s = jinja_strip(r, t, NULL, 'b');
    const char *p = s->s, *end = p + s->n;
    bool minus = false, any = false, gap = false;
    *out = 0;
    if (p < end && (*p == '-' || *p == '+')) minus = *p++ == '-';
    if (end - p > 2 && *p == '0') {
        const char kind = (char)(p[1] | 32);
        const int64_t named = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
        if (named && (base == named || !base)) base = named, p += 2, gap = true;
    }
    const bool strict = !base && p < end && *p == '0'; /* "010" is no number of base 0 */
    if (!base) base = 10;
    if (base < 2 || base > 36) jinja_fail(r, "int() base must be >= 2 and <= 36, or 0");
    for (; p < end; p++) {
        const int c = *p | 32;
        const int d = *p >= '0' && *p <= '9' ? *p - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
        if (*p == '_' && (any || gap) && p + 1 < end && p[1] != '_') continue;
        if (d >= base || (strict && d)) return false;
        if (__builtin_mul_overflow(*out, base, out) || __builtin_sub_overflow(*out, (int64_t)d, out))
            jinja_fail_as(r, WEFT_LIMIT, "an integer beyond 64 bits");
        any = true;
    }
    if (!minus && *out == INT64_MIN) jinja_fail_as(r, WEFT_LIMIT, "an integer beyond 64 bits");
    if (!minus) *out = -*out;
    return any;
}

static bool is_word(const char *s, const char *word)
{
    for (; *word && (*s | 32) == *word; s++) word++;
    return !*word && !*s;
}

bool jinja_parse_float(jinja_run *r, const jinja_text *t, double *out)
{
    const jinja_text *s = jinja_strip(r, t, NULL, 'b');
    char buf[90];
    size_t n = 0;
    if (s->n >= sizeof buf) return false;
    for (size_t i = 0; i < s->n; i++) {
        const char c = s->s[i];
        const bool between =
            i && i + 1 < s->n && s->s[i - 1] >= '0' && s->s[i - 1] <= '9' && s->s[i + 1] >= '0' && s->s[i + 1] <= '9';
        if (c == '_' && between) continue;
        buf[n++] = c;
    }
    buf[n] = 0;
    const char *p = buf + (*buf == '-' || *buf == '+');
    const double sign = *buf == '-' ? -1 : 1;
    if (is_word(p, "inf") || is_word(p, "infinity")) return *out = sign * (double)(1e308 * 10), true;
    if (is_word(p, "nan")) return *out = (double)(0 * (1e308 * 10)), true;
    if (!n || strspn(buf, "0123456789.eE+-") != n) return false;
    return weft__double_scan(buf, out);
}
