/* forms.c: Unicode's normal forms, by utf8proc's data.
 *
 * A form is put together here from utf8proc's single-character decomposition and its composition pass, because its own
 * ordering of marks is quadratic in their number. Text is handled in segments that start at an ASCII character: those
 * are starters and compose with nothing before them, so segments do not depend on each other.
 *
 * Hugging Face normalises with the data of Unicode 9, and a tokenizer was trained on what that gave. Characters that
 * came later and that utf8proc would reorder, compose or decompose therefore pass through unchanged, as unassigned ones
 * do. */
#include "forms.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "classes.h"

/* ---- quick looks ---- */

/* True for characters that are starters, are their own form and compose with nothing before them. Not all of them:
 * of the composed forms Latin, Cyrillic, punctuation, kana, Han and Hangul syllables, which make up most text. */
static bool is_inert(weft__form form, uint32_t c)
{
    bool compat = form & WEFT__FORM_KD;
    if (c < 0xA0) return true;
    if (!(form & WEFT__FORM_C)) return c >= 0x4E00 && c <= 0x9FFF;
    return (!compat && (c < 0x300 || (c >= 0x2010 && c <= 0x2027))) || (c >= 0x400 && c <= 0x482) ||
           (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA) || (c >= 0x4E00 && c <= 0x9FFF) ||
           (c >= 0xAC00 && c <= 0xD7A3);
}

bool weft__form_quick(weft__form form, const char *text, size_t n)
{
    for (size_t i = 0, step; i < n; i += step)
        if (!is_inert(form, weft__utf8_decode(text + i, &step))) return false;
    return true;
}

/* ---- characters that came after Unicode 9 ---- */

/* Characters that nothing may be reordered across or composed with: those that have a combining class or a
 * decomposition (up to Unicode 17, by blocks where a whole block is new), and U+11A7, which composes with nothing
 * but which utf8proc swallows after a Hangul syllable. */
static const uint32_t barriers[][2] = {
    { 0x7FD, 0x7FD },     { 0x890, 0x89F },     { 0x8C8, 0x8D3 },     { 0x9FE, 0x9FE },
    { 0xC3C, 0xC3C },     { 0xD3B, 0xD3C },     { 0xEBA, 0xEBA },     { 0x11A7, 0x11A7 },
    { 0x1715, 0x1715 },   { 0x1ABF, 0x1AFF },   { 0x1DF6, 0x1DFA },   { 0xA82C, 0xA82C },
    { 0x105C0, 0x105FF }, { 0x10D00, 0x10E5F }, { 0x10E80, 0x10FFF }, { 0x11070, 0x11070 },
    { 0x1133B, 0x1133B }, { 0x11380, 0x113FF }, { 0x1145E, 0x1145E }, { 0x11800, 0x1184F },
    { 0x11900, 0x11ABF }, { 0x11B60, 0x11BFF }, { 0x11D00, 0x11FAF }, { 0x16100, 0x1613F },
    { 0x16D40, 0x16D7F }, { 0x16FF0, 0x16FF6 }, { 0x1E030, 0x1E08F }, { 0x1E100, 0x1E7DF },
};

/* Those that have a compatibility decomposition alone. */
static const uint32_t late_compat[][2] = {
    { 0x32FF, 0x32FF },   { 0xA7F1, 0xA7F4 },   { 0xAB69, 0xAB69 },   { 0x10780, 0x107BF },
    { 0x1CCD6, 0x1CCF9 }, { 0x1F16C, 0x1F16C }, { 0x1FBF0, 0x1FBF9 },
};

static bool is_barrier(weft__form form, uint32_t c)
{
    if (c < barriers[0][0]) return false;
    return WEFT__IN_RANGES(barriers, c) || ((form & WEFT__FORM_KD) && WEFT__IN_RANGES(late_compat, c));
}

/* ---- forms ---- */

typedef struct char_list {
    utf8proc_int32_t *data;
    size_t size, capacity;
} char_list;

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

enum { PARTS_MAX = 32 }; /* a decomposition has at most 18 characters */

/* Appends the decomposition of one character. */
static bool append_decomposed(char_list *chars, weft__form form, uint32_t c)
{
    utf8proc_int32_t parts[PARTS_MAX];
    int last_class = 0;
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
    if (form & WEFT__FORM_KD) options |= UTF8PROC_COMPAT;
    utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)c, parts, PARTS_MAX, options, &last_class);
    if (k < 1 || k > PARTS_MAX) {
        parts[0] = (utf8proc_int32_t)c;
        k = 1;
    }
    if (!weft__grow(&chars->data, &chars->capacity, chars->size + (size_t)k, sizeof *chars->data))
        return false;
    memcpy(chars->data + chars->size, parts, (size_t)k * sizeof *parts);
    chars->size += (size_t)k;
    return true;
}

/* Orders the marks of decomposed characters, composes them if the form does, writes them, and empties the list. */
static bool append_composed(weft__bytes *out, weft__form form, char_list *chars)
{
    for (size_t i = 0; i < chars->size;) {
        size_t end = i;
        while (end < chars->size && mark_class(chars->data[end]) != 0) end++;
        if (end - i > 1 && !sort_marks(chars->data + i, end - i)) return false;
        i = end + 1;
    }
    utf8proc_ssize_t n = (utf8proc_ssize_t)chars->size;
    if (n > 0 && (form & WEFT__FORM_C))
        n = utf8proc_normalize_utf32(chars->data, n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    chars->size = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char utf8[4];
        size_t k = weft__utf8_encode((uint32_t)chars->data[i], utf8);
        if (!weft__bytes_append(out, utf8, k)) return false;
    }
    return true;
}

static bool append_segment(weft__bytes *out, weft__form form, char_list *chars, const char *text, size_t n)
{
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t c = weft__utf8_decode(text + i, &step);
        if (!is_barrier(form, c)) {
            if (!append_decomposed(chars, form, c)) return false;
        } else if (!append_composed(out, form, chars) || !weft__bytes_append(out, text + i, step)) {
            return false;
        }
    }
    return append_composed(out, form, chars);
}

bool weft__form_append(weft__bytes *out, weft__form form, const char *text, size_t n)
{
    if (n == 0) return true; /* text may be NULL */
    char_list chars = { 0 };
    bool ok = true;
    size_t copied = 0, i = 0; /* text before `copied` is in `out` */
    while (ok && i < n) {
        while (i < n && (uint8_t)text[i] < 0x80) i++;
        if (i == n) break;
        size_t from =
            i > copied ? i - 1 : i; /* with the ASCII character that the first mark may join */
        while (i < n && (uint8_t)text[i] >= 0x80) i++;
        if (weft__form_quick(form, text + from, i - from)) continue;
        ok = weft__bytes_append(out, text + copied, from - copied) &&
             append_segment(out, form, &chars, text + from, i - from);
        copied = i;
    }
    free(chars.data);
    return ok && weft__bytes_append(out, text + copied, n - copied);
}
