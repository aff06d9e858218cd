/* unicode.c: code points of texts, their classes and cases, as Python's str has them, by utf8proc's tables. */
#include <string.h>
#include <utf8proc.h>

#include "jinja.h"
#include "models/tokenizer/classes.h"

uint32_t jinja_char(const char *s, size_t *n)
{
    const unsigned char c = (unsigned char)*s;
    if (c < 0x80) return *n = 1, c;
    return weft__utf8_decode(s, n); /* every text is valid UTF-8 */
}

void jinja_put_char(jinja_run *r, jinja_buffer *b, uint32_t c)
{
    char text[4];
    jinja_put(r, b, text, weft__utf8_encode(c, text));
}

const char *jinja_at(const jinja_text *t, size_t i)
{
    const char *p = t->s;
    if (t->chars == t->n) return p + i;
    for (; i; i--) {
        size_t n;
        jinja_char(p, &n);
        p += n;
    }
    return p;
}

bool jinja_is_space(uint32_t c)
{
    return weft__is_space(c) || (c >= 0x1C && c <= 0x1F);
}

/* ---- cases ---- */

/* Characters whose upper case is several, but for Greek letters with iota below, which are refused. */
static const struct {
    uint16_t c, upper[3], title[3];
} several[] = {
    { 0x00DF, { 'S', 'S' }, { 'S', 's' } },
    { 0x0149, { 0x02BC, 'N' }, { 0x02BC, 'N' } },
    { 0x01F0, { 'J', 0x030C }, { 'J', 0x030C } },
    { 0x0390, { 0x0399, 0x0308, 0x0301 }, { 0x0399, 0x0308, 0x0301 } },
    { 0x03B0, { 0x03A5, 0x0308, 0x0301 }, { 0x03A5, 0x0308, 0x0301 } },
    { 0x0587, { 0x0535, 0x0552 }, { 0x0535, 0x0582 } },
    { 0x1E96, { 'H', 0x0331 }, { 'H', 0x0331 } },
    { 0x1E97, { 'T', 0x0308 }, { 'T', 0x0308 } },
    { 0x1E98, { 'W', 0x030A }, { 'W', 0x030A } },
    { 0x1E99, { 'Y', 0x030A }, { 'Y', 0x030A } },
    { 0x1E9A, { 'A', 0x02BE }, { 'A', 0x02BE } },
    { 0xFB00, { 'F', 'F' }, { 'F', 'f' } },
    { 0xFB01, { 'F', 'I' }, { 'F', 'i' } },
    { 0xFB02, { 'F', 'L' }, { 'F', 'l' } },
    { 0xFB03, { 'F', 'F', 'I' }, { 'F', 'f', 'i' } },
    { 0xFB04, { 'F', 'F', 'L' }, { 'F', 'f', 'l' } },
    { 0xFB05, { 'S', 'T' }, { 'S', 't' } },
    { 0xFB06, { 'S', 'T' }, { 'S', 't' } },
};

static const uint16_t *find_several(uint32_t c, bool title)
{
    if (c < 0xDF) return NULL;
    for (size_t i = 0; i < sizeof several / sizeof *several; i++)
        if (several[i].c == c) return title ? several[i].title : several[i].upper;
    return NULL;
}

static void put_case(jinja_run *r, jinja_buffer *b, uint32_t c, bool title)
{
    const uint16_t *many = find_several(c, title);
    for (size_t i = 0; many && i < 3 && many[i]; i++) jinja_put_char(r, b, many[i]);
    if (many) return;
    if (c >= 0x1F80 && c <= 0x1FFF && utf8proc_totitle((utf8proc_int32_t)c) != (utf8proc_int32_t)c && !title)
        jinja_fail(r, "upper case of Greek letters with iota below is not supported");
    jinja_put_char(r, b,
                   (uint32_t)(title ? utf8proc_totitle((utf8proc_int32_t)c) : utf8proc_toupper((utf8proc_int32_t)c)));
}

void jinja_upper_to(jinja_run *r, jinja_buffer *b, const char *s, size_t n)
{
    size_t k;
    for (size_t i = 0; i < n; i += k) put_case(r, b, jinja_char(s + i, &k), false);
}

void jinja_title_to(jinja_run *r, jinja_buffer *b, const char *s, size_t n)
{
    size_t k;
    if (n) put_case(r, b, jinja_char(s, &k), true);
}

/* Whether a letter stands before (or after) place i, marks and the like aside: that makes a sigma final. */
static bool cased_before(const char *s, size_t i)
{
    while (i) {
        size_t k;
        for (i--; i && ((unsigned char)s[i] & 0xC0) == 0x80;) i--;
        const uint32_t c = jinja_char(s + i, &k);
        if (jinja_is(c, JINJA_CASED)) return true;
        if (!weft__is_mark(c) && c != '\'' && c != 0x2019 && c != 0xAD && c != '.' && c != ':') return false;
    }
    return false;
}

static bool cased_after(const char *s, size_t n, size_t i)
{
    size_t k;
    for (; i < n; i += k) {
        const uint32_t c = jinja_char(s + i, &k);
        if (jinja_is(c, JINJA_CASED)) return true;
        if (!weft__is_mark(c) && c != '\'' && c != 0x2019 && c != 0xAD && c != '.' && c != ':') return false;
    }
    return false;
}

void jinja_lower_part(jinja_run *r, jinja_buffer *b, const char *s, size_t n, size_t from, size_t to)
{
    size_t k;
    for (size_t i = from; i < to; i += k) {
        const uint32_t c = jinja_char(s + i, &k);
        if (c == 0x0130)
            jinja_puts(r, b, "i\xCC\x87");
        else if (c == 0x03A3)
            jinja_put_char(r, b, cased_before(s, i) && !cased_after(s, n, i + k) ? 0x03C2 : 0x03C3);
        else
            jinja_put_char(r, b, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
}

void jinja_lower_to(jinja_run *r, jinja_buffer *b, const char *s, size_t n)
{
    jinja_lower_part(r, b, s, n, 0, n);
}

/* ---- classes ---- */

static bool is_decimal(uint32_t c)
{
    return c < 0x80 ? c >= '0' && c <= '9' : utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

/* Digits that are no decimals: superscripts, circled ones. */
static bool is_digit(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0xB2, 0xB3 },     { 0xB9, 0xB9 },       { 0x1369, 0x1371 },   { 0x19DA, 0x19DA },   { 0x2070, 0x2070 },
        { 0x2074, 0x2079 }, { 0x2080, 0x2089 },   { 0x2460, 0x2468 },   { 0x2474, 0x247C },   { 0x2488, 0x2490 },
        { 0x24EA, 0x24EA }, { 0x24F5, 0x24FD },   { 0x24FF, 0x24FF },   { 0x2776, 0x277E },   { 0x2780, 0x2788 },
        { 0x278A, 0x2792 }, { 0x10A40, 0x10A43 }, { 0x10E60, 0x10E68 }, { 0x11052, 0x1105A }, { 0x1F100, 0x1F10A },
    };
    return is_decimal(c) || WEFT__IN_RANGES(ranges, c);
}

static bool is_numeric(uint32_t c)
{
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

static bool is_printable(utf8proc_category_t k)
{
    return k != UTF8PROC_CATEGORY_CC && k != UTF8PROC_CATEGORY_CF && k != UTF8PROC_CATEGORY_CS &&
           k != UTF8PROC_CATEGORY_CO && k != UTF8PROC_CATEGORY_CN && k != UTF8PROC_CATEGORY_ZL &&
           k != UTF8PROC_CATEGORY_ZP && k != UTF8PROC_CATEGORY_ZS;
}

/* Lower case besides letters: ordinals, modifiers, small numerals and circled letters. */
static bool is_other_lower(uint32_t c)
{
    static const uint32_t ranges[][2] = { { 0xAA, 0xAA },     { 0xBA, 0xBA },     { 0x2B0, 0x2B8 },
                                          { 0x2C0, 0x2C1 },   { 0x2E0, 0x2E4 },   { 0x345, 0x345 },
                                          { 0x37A, 0x37A },   { 0x1D2C, 0x1D6A }, { 0x1D78, 0x1D78 },
                                          { 0x1D9B, 0x1DBF }, { 0x2071, 0x2071 }, { 0x207F, 0x207F },
                                          { 0x2090, 0x209C }, { 0x2170, 0x217F }, { 0x24D0, 0x24E9 } };
    return WEFT__IN_RANGES(ranges, c);
}

bool jinja_is(uint32_t c, jinja_class which)
{
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    const bool alpha = k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
    const bool upper = k == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) || (c >= 0x24B6 && c <= 0x24CF);
    const bool lower = k == UTF8PROC_CATEGORY_LL || is_other_lower(c);
    switch (which) {
    case JINJA_ALNUM:
        return alpha || is_numeric(c);
    case JINJA_ALPHA:
        return alpha;
    case JINJA_ASCII:
        return c < 0x80;
    case JINJA_DECIMAL:
        return is_decimal(c);
    case JINJA_DIGIT:
        return is_digit(c);
    case JINJA_NUMERIC:
        return is_numeric(c);
    case JINJA_PRINTABLE:
        return c == ' ' || is_printable(k);
    case JINJA_SPACE:
        return jinja_is_space(c);
    case JINJA_LOWER:
        return lower;
    case JINJA_UPPER:
        return upper;
    case JINJA_TITLE:
        return k == UTF8PROC_CATEGORY_LT;
    case JINJA_CASED:
        return lower || upper || k == UTF8PROC_CATEGORY_LT;
    }
    return false;
}
