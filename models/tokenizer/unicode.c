/* unicode.c: UTF-8 steps, NFC by utf8proc's data, character classes, the byte-level alphabet.
 *
 * NFC is put together here from utf8proc's single-character decomposition and its composition pass,
 * because its own ordering of marks is quadratic in their number. Text is handled in segments that
 * start at an ASCII character: those are starters and compose with nothing before them, so segments
 * do not depend on each other.
 *
 * Hugging Face normalises with the data of Unicode 9, and a tokenizer was trained on what that
 * gave. Characters that came later and that utf8proc would reorder or compose therefore pass
 * through unchanged, as unassigned ones do. */
#include "unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

/* ---- UTF-8 ---- */

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

/* ---- NFC ---- */

/* True for characters that are starters, are their own NFC and compose with nothing before them.
 * Not all of them: Latin, Cyrillic, punctuation, kana, Han and Hangul syllables, which make up most text. */
static bool nfc_inert(uint32_t c)
{
    return c < 0x300 || (c >= 0x400 && c <= 0x482) || (c >= 0x2010 && c <= 0x2027) ||
           (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3);
}

bool weft__nfc_quick(const char *text, size_t n)
{
    for (size_t i = 0, step; i < n; i += step)
        if (!nfc_inert(weft__utf8_decode(text + i, &step))) return false;
    return true;
}

/* Characters that nothing may be reordered across or composed with: those assigned after Unicode 9
 * that have a combining class or a decomposition (up to Unicode 17, by blocks where a whole block
 * is new), and U+11A7, which composes with nothing but which utf8proc swallows after a Hangul syllable. */
static bool is_barrier(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0x7FD, 0x7FD },     { 0x890, 0x89F },     { 0x8C8, 0x8D3 },     { 0x9FE, 0x9FE },
        { 0xC3C, 0xC3C },     { 0xD3B, 0xD3C },     { 0xEBA, 0xEBA },     { 0x11A7, 0x11A7 },
        { 0x1715, 0x1715 },   { 0x1ABF, 0x1AFF },   { 0x1DF6, 0x1DFA },   { 0xA82C, 0xA82C },
        { 0x105C0, 0x105FF }, { 0x10D00, 0x10E5F }, { 0x10E80, 0x10FFF }, { 0x11070, 0x11070 },
        { 0x1133B, 0x1133B }, { 0x11380, 0x113FF }, { 0x1145E, 0x1145E }, { 0x11800, 0x1184F },
        { 0x11900, 0x11ABF }, { 0x11B60, 0x11BFF }, { 0x11D00, 0x11FAF }, { 0x16100, 0x1613F },
        { 0x16D40, 0x16D7F }, { 0x16FF0, 0x16FF6 }, { 0x1E030, 0x1E08F }, { 0x1E100, 0x1E7DF },
    };
    if (c < ranges[0][0]) return false;
    size_t low = 0,
           high = sizeof ranges / sizeof *ranges; /* the first range that ends at or after c */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle][1] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof ranges / sizeof *ranges && c >= ranges[low][0];
}

typedef struct nfc_chars {
    utf8proc_int32_t *data;
    size_t size, capacity;
} nfc_chars;

static unsigned mark_class(utf8proc_int32_t c)
{
    return (unsigned)utf8proc_get_property(c)->combining_class;
}

/* Sorts marks by combining class, stably: insertion for a few, counting for many. False = out of memory. */
static bool sort_marks(utf8proc_int32_t *marks, size_t n)
{
    if (n < 32) {
        for (size_t i = 1; i < n; i++) {
            utf8proc_int32_t c = marks[i];
            size_t k = i;
            for (; k > 0 && mark_class(marks[k - 1]) > mark_class(c); k--) marks[k] = marks[k - 1];
            marks[k] = c;
        }
        return true;
    }
    size_t at[256] = { 0 }; /* combining classes are 1..254 */
    utf8proc_int32_t *sorted = malloc(n * sizeof *sorted);
    if (!sorted) return false;
    for (size_t i = 0; i < n; i++) at[(mark_class(marks[i]) + 1) & 255]++;
    for (size_t k = 1; k < 256; k++) at[k] += at[k - 1];
    for (size_t i = 0; i < n; i++) sorted[at[mark_class(marks[i])]++] = marks[i];
    memcpy(marks, sorted, n * sizeof *marks);
    free(sorted);
    return true;
}

/* Appends the decomposition of one character. */
static bool append_decomposed(nfc_chars *chars, uint32_t c)
{
    utf8proc_int32_t parts[8]; /* a canonical decomposition has at most 4 characters */
    int last_class = 0;
    utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8,
                                                 UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &last_class);
    if (k < 1 || k > 8) {
        parts[0] = (utf8proc_int32_t)c;
        k = 1;
    }
    if (!weft__grow(&chars->data, &chars->capacity, chars->size + (size_t)k, sizeof *chars->data))
        return false;
    memcpy(chars->data + chars->size, parts, (size_t)k * sizeof *parts);
    chars->size += (size_t)k;
    return true;
}

/* Orders the marks of decomposed characters, composes them, writes them, and empties the list. */
static bool append_composed(weft__bytes *out, nfc_chars *chars)
{
    for (size_t i = 0; i < chars->size;) {
        size_t end = i;
        while (end < chars->size && mark_class(chars->data[end]) != 0) end++;
        if (end - i > 1 && !sort_marks(chars->data + i, end - i)) return false;
        i = end + 1;
    }
    utf8proc_ssize_t n = 0;
    if (chars->size > 0)
        n = utf8proc_normalize_utf32(chars->data, (utf8proc_ssize_t)chars->size,
                                     UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    chars->size = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char utf8[4];
        size_t k = weft__utf8_encode((uint32_t)chars->data[i], utf8);
        if (!weft__bytes_append(out, utf8, k)) return false;
    }
    return true;
}

static bool nfc_segment(weft__bytes *out, nfc_chars *chars, const char *text, size_t n)
{
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t c = weft__utf8_decode(text + i, &step);
        if (!is_barrier(c)) {
            if (!append_decomposed(chars, c)) return false;
        } else if (!append_composed(out, chars) || !weft__bytes_append(out, text + i, step)) {
            return false;
        }
    }
    return append_composed(out, chars);
}

bool weft__nfc_append(weft__bytes *out, const char *text, size_t n)
{
    if (n == 0) return true; /* text may be NULL */
    nfc_chars chars = { 0 };
    bool ok = true;
    size_t copied = 0, i = 0; /* text before `copied` is in `out` */
    while (ok && i < n) {
        while (i < n && (uint8_t)text[i] < 0x80) i++;
        if (i == n) break;
        size_t from =
            i > copied ? i - 1 : i; /* with the ASCII character that the first mark may join */
        while (i < n && (uint8_t)text[i] >= 0x80) i++;
        if (weft__nfc_quick(text + from, i - from)) continue;
        ok = weft__bytes_append(out, text + copied, from - copied) &&
             nfc_segment(out, &chars, text + from, i - from);
        copied = i;
    }
    free(chars.data);
    return ok && weft__bytes_append(out, text + copied, n - copied);
}

/* ---- classes ---- */

bool weft__is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

bool weft__is_word(uint32_t c)
{
    if (c == 0x200C || c == 0x200D) return true; /* the joiners */
    /* Symbols with the property Alphabetic: circled, squared and negative letters. */
    if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
        (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189))
        return true;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
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
