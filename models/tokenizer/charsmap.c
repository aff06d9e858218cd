/* charsmap.c: a double-array trie from characters to texts.
 *
 * The table: the trie's size in bytes (32 bits, little endian), its units (32 bits each), then texts that each end
 * in a zero byte. A unit holds a label (bits 0..7 and 31), whether a leaf follows (bit 8), and an offset (bits
 * 10..30, 8 more to the left if bit 9 is set) to which a byte is added, exclusively, to find the next unit; a
 * leaf's unit holds the place of its text.
 *
 * Hugging Face looks up a grapheme (what a reader takes for one character) of up to five bytes as a whole, and
 * takes the text of the SHORTEST beginning of it that has one for all of it; failing that, each character by
 * itself. */
#include "charsmap.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "unicode.h"

struct weft__charsmap {
    uint32_t *units;
    size_t n_units;
    char *texts; /* n_texts bytes, the last of which is zero */
    size_t n_texts;
};

enum { GRAPHEME_MAX = 5 };

/* ---- reading ---- */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Into `out`, which has room for n bytes. False: it is not base64. */
static bool decode_base64(const char *text, size_t n, uint8_t *out, size_t *n_out)
{
    uint32_t bits = 0;
    size_t k = 0;
    if (n % 4) return false;
    while (n > 0 && k < 2 && text[n - 1] == '=') n--, k++;
    k = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) out[k++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *n_out = k;
    return true;
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static weft_status read_table(weft__charsmap *map, const uint8_t *data, size_t n, weft_error *err)
{
    uint32_t size = n < 4 ? 0 : read_u32(data);
    if (n < 4 || size % 4 || size < 4 || size > n - 4)
        return WEFT_FAIL(err, WEFT_FORMAT, "the table has %zu bytes and a trie of %u", n, size);
    map->n_units = size / 4;
    map->n_texts = n - 4 - size + 1;
    map->units = malloc(size);
    map->texts = calloc(map->n_texts, 1);
    if (!map->units || !map->texts) return WEFT_OOM_FAIL(err, "a table of characters");
    for (size_t i = 0; i < map->n_units; i++) map->units[i] = read_u32(data + 4 + 4 * i);
    memcpy(map->texts, data + 4 + size, map->n_texts - 1);
    if (!weft__utf8_is_valid(map->texts, map->n_texts))
        return WEFT_FAIL(err, WEFT_FORMAT, "the texts of the table are not UTF-8");
    return WEFT_OK;
}

weft_status weft__charsmap_create(const char *base64, size_t n, weft__charsmap **out, weft_error *err)
{
    *out = calloc(1, sizeof **out);
    uint8_t *data = malloc(n + 1);
    size_t size = 0;
    weft_status status = *out && data ? WEFT_OK : WEFT_OOM_FAIL(err, "a table of characters");
    if (status == WEFT_OK && !decode_base64(base64, n, data, &size))
        status = WEFT_FAIL(err, WEFT_FORMAT, "\"precompiled_charsmap\" is not base64");
    if (status == WEFT_OK) status = read_table(*out, data, size, err);
    free(data);
    if (status == WEFT_OK) return WEFT_OK;
    weft__charsmap_destroy(*out);
    *out = NULL;
    return status;
}

void weft__charsmap_destroy(weft__charsmap *map)
{
    if (!map) return;
    free(map->units);
    free(map->texts);
    free(map);
}

/* ---- looking up ---- */

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

/* The text of the shortest beginning of key that has one; NULL: none. A table that leads astray has none, either. */
static const char *find(const weft__charsmap *map, const char *key, size_t n)
{
    size_t at = offset_of(map->units[0]);
    for (size_t i = 0; i < n && key[i]; i++) {
        at ^= (uint8_t)key[i];
        if (at >= map->n_units) return NULL;
        uint32_t unit = map->units[at];
        if ((unit & 0x800000FFu) != (uint8_t)key[i]) return NULL;
        at ^= offset_of(unit);
        if (!(unit & 0x100)) continue;
        if (at >= map->n_units) return NULL;
        size_t text = map->units[at] & 0x7FFFFFFFu;
        return text < map->n_texts ? map->texts + text : NULL;
    }
    return NULL;
}

/* The length of the grapheme that a text begins with. */
static size_t grapheme(const char *text, size_t n)
{
    utf8proc_int32_t state = 0, before = 0;
    size_t i = 0, k;
    for (; i < n; i += k) {
        utf8proc_int32_t c = (utf8proc_int32_t)weft__utf8_decode(text + i, &k);
        if (i > 0 && utf8proc_grapheme_break_stateful(before, c, &state)) return i;
        before = c;
    }
    return i;
}

const char *weft__charsmap_find(const weft__charsmap *map, const char *text, size_t n, size_t *single, size_t *used,
                                size_t *n_out)
{
    const char *found = NULL;
    if (!*single) {
        *single = *used = grapheme(text, n);
        if (*used <= GRAPHEME_MAX) found = find(map, text, *used);
    }
    if (!found) {
        weft__utf8_decode(text, used);
        found = find(map, text, *used);
    }
    *single -= *used;
    *n_out = found ? strlen(found) : *used;
    return found ? found : text;
}
