/* unicode.c: steps through UTF-8, the byte-level alphabet. */
#include "unicode.h"

size_t weft__utf8_step(const char *text, size_t n, weft__utf8_kind *kind)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t want;
    uint8_t low = 0x80, high = 0xBF; /* bounds of the second byte */
    *kind = WEFT__UTF8_VALID;
    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        want = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        want = 3;
        if (s[0] == 0xE0) low = 0xA0;  /* shorter forms exist */
        if (s[0] == 0xED) high = 0x9F; /* surrogates */
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        want = 4;
        if (s[0] == 0xF0) low = 0x90;
        if (s[0] == 0xF4) high = 0x8F; /* past U+10FFFF */
    } else {
        *kind = WEFT__UTF8_BROKEN;
        return 1;
    }
    for (size_t i = 1; i < want; i++) {
        if (i == n) {
            *kind = WEFT__UTF8_CUT;
            return i;
        }
        if (s[i] < low || s[i] > high) {
            *kind = WEFT__UTF8_BROKEN;
            return i;
        }
        low = 0x80;
        high = 0xBF;
    }
    return want;
}

uint32_t weft__utf8_decode(const char *text, size_t *n)
{
    const uint8_t *s = (const uint8_t *)text;
    if (s[0] < 0x80) {
        *n = 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *n = 2;
        return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    }
    if (s[0] < 0xF0) {
        *n = 3;
        return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    }
    *n = 4;
    return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
}

size_t weft__utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    static const uint8_t lead[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    out[0] = (char)(lead[n] | c);
    return n;
}

bool weft__utf8_is_valid(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        weft__utf8_kind kind;
        i += weft__utf8_step(text + i, n - i, &kind);
        if (kind != WEFT__UTF8_VALID) return false;
    }
    return true;
}

bool weft__utf8_append_lossy(weft__bytes *out, const char *text, size_t n)
{
    if (n == 0) return true; /* text may be NULL */
    size_t from = 0; /* start of the valid text not yet copied */
    for (size_t i = 0; i < n;) {
        weft__utf8_kind kind;
        size_t step = weft__utf8_step(text + i, n - i, &kind);
        if (kind != WEFT__UTF8_VALID) {
            if (!weft__bytes_append(out, text + from, i - from)) return false;
            if (!weft__bytes_append(out, WEFT__REPLACEMENT, 3)) return false;
            from = i + step;
        }
        i += step;
    }
    return weft__bytes_append(out, text + from, n - from);
}

/* ---- the byte-level alphabet ---- */

static bool stands_for_itself(uint32_t c)
{
    return (c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF);
}

/* The bytes that do not stand for themselves, in order: 0..32, 127..160, 173. */
uint32_t weft__byte_char(uint8_t byte)
{
    if (stands_for_itself(byte)) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    if (byte == 0xAD) return 0x143;
    return 0x121u + (byte - 0x7Fu);
}

int weft__char_byte(uint32_t c)
{
    if (stands_for_itself(c)) return (int)c;
    if (c >= 0x100 && c <= 0x120) return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142) return (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}
