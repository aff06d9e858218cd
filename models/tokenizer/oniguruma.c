/* oniguruma.c: what Oniguruma (as tokenizers uses it: Ruby's syntax, Unicode 16) and PCRE2 read differently.
 *
 * Classes: \s has U+180E in PCRE2 but is White_Space in Oniguruma; \w has marks in Oniguruma; \h is a hexadecimal
 * digit there, \v one character; and PCRE2 10.42 knows Unicode 14, so that what later versions added is spelled out
 * (tests/tokenizer compares all code points; \p{Mn} is right but for U+1171E). A-Z and a-z are spelled out too: that
 * puts them into the bitmap of a class, which is tried first. Classes that nest, intersect, or hold the complement of
 * another become alternatives. Left to PCRE2: properties that are not in the table below.
 *
 * Syntax: (?m) means that a dot takes newlines, (?i) in the middle of a group encloses what is left of the group,
 * {,n} begins at 0 and {n,m}+ repeats. ^ and $ are those of lines; the caller asks PCRE2 for that. */
#include "oniguruma.h"

#include <stdlib.h>

/* ---- classes ---- */

/* clang-format off */
#define WHITE_SPACE \
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}-\\x{2029}" \
    "\\x{202F}\\x{205F}\\x{3000}"
#define LETTERS \
    "a-zA-Z\\p{L}\\x{1C89}\\x{1C8A}\\x{A7CB}-\\x{A7CD}\\x{A7DA}-\\x{A7DC}" \
    "\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D65}\\x{10D6F}-\\x{10D85}\\x{10EC2}-\\x{10EC4}" \
    "\\x{1123F}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}" \
    "\\x{113B7}\\x{113D1}\\x{113D3}\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}" \
    "\\x{11F12}-\\x{11F33}\\x{1342F}\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}" \
    "\\x{16100}-\\x{1611D}\\x{16D40}-\\x{16D6C}\\x{18CFF}\\x{1B132}\\x{1B155}" \
    "\\x{1DF25}-\\x{1DF2A}\\x{1E030}-\\x{1E06D}\\x{1E4D0}-\\x{1E4EB}\\x{1E5D0}-\\x{1E5ED}" \
    "\\x{1E5F0}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
#define NUMBERS \
    "0-9\\p{N}\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}" \
    "\\x{11F50}-\\x{11F59}\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}" \
    "\\x{1D2C0}-\\x{1D2D3}\\x{1E4F0}-\\x{1E4F9}\\x{1E5F1}-\\x{1E5FA}"
#define MARKS \
    "\\p{M}\\x{897}\\x{CF3}\\x{ECE}\\x{10D69}-\\x{10D6D}\\x{10EFC}-\\x{10EFF}\\x{11241}" \
    "\\x{113B8}-\\x{113C0}\\x{113C2}\\x{113C5}\\x{113C7}-\\x{113CA}\\x{113CC}-\\x{113D0}\\x{113D2}" \
    "\\x{113E1}-\\x{113E2}\\x{11F00}-\\x{11F01}\\x{11F03}\\x{11F34}-\\x{11F3A}\\x{11F3E}-\\x{11F42}" \
    "\\x{11F5A}\\x{13440}\\x{13447}-\\x{13455}\\x{1611E}-\\x{1612F}\\x{1E08F}\\x{1E4EC}-\\x{1E4EF}" \
    "\\x{1E5EE}-\\x{1E5EF}"
#define NONSPACING \
    "\\p{Mn}\\x{897}\\x{ECE}\\x{10D69}-\\x{10D6D}\\x{10EFC}-\\x{10EFF}\\x{11241}" \
    "\\x{113BB}-\\x{113C0}\\x{113CE}\\x{113D0}\\x{113D2}\\x{113E1}-\\x{113E2}\\x{11F00}-\\x{11F01}" \
    "\\x{11F36}-\\x{11F3A}\\x{11F40}\\x{11F42}\\x{11F5A}\\x{13440}\\x{13447}-\\x{13455}" \
    "\\x{1611E}-\\x{16129}\\x{1612D}-\\x{1612F}\\x{1E08F}\\x{1E4EC}-\\x{1E4EF}\\x{1E5EE}-\\x{1E5EF}"
#define DIGITS \
    "\\p{Nd}\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}" \
    "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1E4F0}-\\x{1E4F9}" \
    "\\x{1E5F1}-\\x{1E5FA}"
#define PUNCTUATION \
    "\\p{P}\\x{1B4E}-\\x{1B4F}\\x{1B7F}\\x{10D6E}\\x{113D4}-\\x{113D5}\\x{113D7}-\\x{113D8}" \
    "\\x{11B00}-\\x{11B09}\\x{11BE1}\\x{11F43}-\\x{11F4F}\\x{16D6D}-\\x{16D6F}\\x{1E5FF}"
#define SYMBOLS \
    "\\p{S}\\x{2427}-\\x{2429}\\x{2FFC}-\\x{2FFF}\\x{31E4}-\\x{31E5}\\x{31EF}\\x{10D8E}-\\x{10D8F}" \
    "\\x{1CC00}-\\x{1CCEF}\\x{1CD00}-\\x{1CEB3}\\x{1F6DC}\\x{1F774}-\\x{1F776}\\x{1F77B}-\\x{1F77F}" \
    "\\x{1F7D9}\\x{1F8B2}-\\x{1F8BB}\\x{1F8C0}-\\x{1F8C1}\\x{1FA75}-\\x{1FA77}\\x{1FA87}-\\x{1FA89}" \
    "\\x{1FA8F}\\x{1FAAD}-\\x{1FAAF}\\x{1FABB}-\\x{1FABF}\\x{1FAC6}\\x{1FACE}-\\x{1FACF}" \
    "\\x{1FADA}-\\x{1FADC}\\x{1FADF}\\x{1FAE8}-\\x{1FAE9}\\x{1FAF7}-\\x{1FAF8}\\x{1FBCB}-\\x{1FBEF}"
#define UPPER \
    "A-Z\\p{Lu}\\x{1C89}\\x{A7CB}-\\x{A7CC}\\x{A7DA}\\x{A7DC}\\x{10D50}-\\x{10D65}"
#define LOWER \
    "a-z\\p{Ll}\\x{1C8A}\\x{A7CD}\\x{A7DB}\\x{10D70}-\\x{10D85}\\x{1DF25}-\\x{1DF2A}"
#define MODIFIERS \
    "\\p{Lm}\\x{10D4E}\\x{10D6F}\\x{16D40}-\\x{16D42}\\x{16D6B}-\\x{16D6C}\\x{1E030}-\\x{1E06D}" \
    "\\x{1E4EB}"
#define OTHER_LETTERS \
    "\\p{Lo}\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D4D}\\x{10D4F}\\x{10EC2}-\\x{10EC4}" \
    "\\x{1123F}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}\\x{113B7}" \
    "\\x{113D1}\\x{113D3}\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}\\x{11F12}-\\x{11F33}" \
    "\\x{1342F}\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}\\x{16100}-\\x{1611D}\\x{16D43}-\\x{16D6A}" \
    "\\x{18CFF}\\x{1B132}\\x{1B155}\\x{1E4D0}-\\x{1E4EA}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}" \
    "\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
/* Oniguruma takes these numbers and symbols for parts of words. */
#define WORD \
    LETTERS MARKS DIGITS "\\p{Nl}\\p{Pc}" \
    "\\x{B2}-\\x{B3}\\x{B9}\\x{BC}-\\x{BE}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}" \
    "\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define ALPHABETIC \
    LETTERS "\\p{Alphabetic}" \
    "\\x{363}-\\x{36F}\\x{897}\\x{C04}\\x{CF3}\\x{F82}-\\x{F83}\\x{1DD3}-\\x{1DE6}\\x{10D69}" \
    "\\x{10EFC}\\x{11080}-\\x{11081}\\x{11241}\\x{113B8}-\\x{113C0}\\x{113C2}\\x{113C5}" \
    "\\x{113C7}-\\x{113CA}\\x{113CC}-\\x{113CD}\\x{11F00}-\\x{11F01}\\x{11F03}\\x{11F34}-\\x{11F3A}" \
    "\\x{11F3E}-\\x{11F40}\\x{1611E}-\\x{1612E}\\x{1E08F}"
#define UPPER_CASE \
    UPPER \
    "\\x{2160}-\\x{216F}\\x{24B6}-\\x{24CF}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}" \
    "\\x{1F170}-\\x{1F189}"
#define LOWER_CASE \
    LOWER \
    "\\x{AA}\\x{BA}\\x{2B0}-\\x{2B8}\\x{2C0}-\\x{2C1}\\x{2E0}-\\x{2E4}\\x{345}\\x{37A}\\x{10FC}" \
    "\\x{1D2C}-\\x{1D6A}\\x{1D78}\\x{1D9B}-\\x{1DBF}\\x{2071}\\x{207F}\\x{2090}-\\x{209C}" \
    "\\x{2170}-\\x{217F}\\x{24D0}-\\x{24E9}\\x{2C7C}-\\x{2C7D}\\x{A69C}-\\x{A69D}\\x{A770}" \
    "\\x{A7F2}-\\x{A7F4}\\x{A7F8}-\\x{A7F9}\\x{AB5C}-\\x{AB5F}\\x{AB69}\\x{10780}" \
    "\\x{10783}-\\x{10785}\\x{10787}-\\x{107B0}\\x{107B2}-\\x{107BA}\\x{1E030}-\\x{1E06D}"
#define HEX_DIGITS "0-9a-fA-F"
/* clang-format on */

/* Classes by name: an escape and that of its complement, or what stands in brackets alone. */
static const struct {
    const char *name, *complement, *members;
} classes[] = {
    { "\\s", "\\S", WHITE_SPACE },
    { "\\w", "\\W", WORD },
    { "\\d", "\\D", DIGITS },
    { "\\h", "\\H", HEX_DIGITS },
    { "\\p{L}", "\\P{L}", LETTERS },
    { "\\p{Lu}", "\\P{Lu}", UPPER },
    { "\\p{Ll}", "\\P{Ll}", LOWER },
    { "\\p{Lm}", "\\P{Lm}", MODIFIERS },
    { "\\p{Lo}", "\\P{Lo}", OTHER_LETTERS },
    { "\\p{M}", "\\P{M}", MARKS },
    { "\\p{Mn}", "\\P{Mn}", NONSPACING },
    { "\\p{N}", "\\P{N}", NUMBERS },
    { "\\p{Nd}", "\\P{Nd}", DIGITS },
    { "\\p{P}", "\\P{P}", PUNCTUATION },
    { "\\p{S}", "\\P{S}", SYMBOLS },
    { "[:alpha:]", "[:^alpha:]", ALPHABETIC },
    { "[:alnum:]", "[:^alnum:]", ALPHABETIC DIGITS },
    { "[:digit:]", "[:^digit:]", DIGITS },
    { "[:lower:]", "[:^lower:]", LOWER_CASE },
    { "[:upper:]", "[:^upper:]", UPPER_CASE },
    { "[:punct:]", "[:^punct:]", PUNCTUATION SYMBOLS },
    { "[:space:]", "[:^space:]", WHITE_SPACE },
    { "[:word:]", "[:^word:]", WORD },
    { "[:xdigit:]", "[:^xdigit:]", HEX_DIGITS },
};

/* ---- rewriting ---- */

enum { GROUPS_MAX = 250, NESTED_MAX = 16 };

typedef struct rewriting {
    const char *p; /* the pattern, n bytes */
    size_t n, i;
    weft__bytes *out;
    size_t atom; /* where in `out` the last thing begins that a quantifier would repeat; SIZE_MAX: there is none */
    struct {
        size_t at;    /* where in `out` it begins */
        size_t extra; /* groups that end with it */
    } group[GROUPS_MAX + 1]; /* [0]: the pattern itself */
    size_t depth;
    bool oom;
} rewriting;

static void put(rewriting *r, const char *s, size_t n)
{
    r->oom |= !weft__bytes_append(r->out, s, n);
}

static void put_text(rewriting *r, const char *s)
{
    put(r, s, strlen(s));
}

static bool looking_at(const rewriting *r, const char *s)
{
    size_t k = strlen(s);
    return r->n - r->i >= k && memcmp(r->p + r->i, s, k) == 0;
}

static weft_status refuse(const rewriting *r, const char *what, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the regular expression has %s at byte %zu, which is not supported", what,
                     r->i);
}

/* The class that is named at r->i, and steps over it; NULL: none. */
static const char *take_class(rewriting *r, bool *complement)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        *complement = looking_at(r, classes[i].complement);
        if (!*complement && !looking_at(r, classes[i].name)) continue;
        r->i += strlen(*complement ? classes[i].complement : classes[i].name);
        return classes[i].members;
    }
    return NULL;
}

/* Copies a character of the pattern. */
static void copy_char(rewriting *r)
{
    size_t step;
    weft__utf8_decode(r->p + r->i, &step);
    put(r, r->p + r->i, step);
    r->i += step;
}

/* \u00e9 */
static weft_status code_point(rewriting *r, weft_error *err)
{
    for (size_t k = 2; k < 6; k++)
        if (r->i + k >= r->n || !strchr("0123456789abcdefABCDEF", r->p[r->i + k]) || !r->p[r->i + k])
            return refuse(r, "\\u without four digits", err);
    put_text(r, "\\x{");
    put(r, r->p + r->i + 2, 4);
    put_text(r, "}");
    r->i += 6;
    return WEFT_OK;
}

/* An escape that names no class of the table. */
static weft_status plain_escape(rewriting *r, bool in_class, weft_error *err)
{
    static const char both[] = "pPnrtfaexAzZGkgKRXN0123456789", brackets[] = "pPnrtfaex01234567";
    char what[] = "the escape \\?", c = r->i + 1 < r->n ? r->p[r->i + 1] : 0;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    what[sizeof what - 2] = c;
    if (c == 'u') return code_point(r, err);
    if (c == 'v') {
        put_text(r, "\\x{B}");
        r->i += 2;
        return WEFT_OK;
    }
    if (letter && !strchr(in_class ? brackets : both, c)) return refuse(r, what, err);
    if (c == 'x' && r->i + 2 < r->n && strchr("89abcdefABCDEF", r->p[r->i + 2]))
        return refuse(r, "a byte beyond \\x7F", err);
    put(r, r->p + r->i++, 1);
    if (r->i < r->n) copy_char(r);
    return WEFT_OK;
}

/* ---- classes in brackets ---- */

/* A class in brackets is an intersection of parts; each is what stands in it and other classes. */
typedef struct class_part {
    weft__bytes plain, others; /* "a-z", "[^0-9]|[x]" */
} class_part;

static weft_status bracketed(rewriting *r, unsigned depth, weft_error *err);

static void put_part(rewriting *r, const class_part *part, bool negated)
{
    bool plain = part->plain.size > 0, others = part->others.size > 0;
    if (others) put_text(r, "(?:");
    if (plain) {
        put_text(r, negated ? "[^" : "[");
        put(r, part->plain.data, part->plain.size);
        put_text(r, "]");
    }
    if (plain && others) put_text(r, "|");
    put(r, part->others.data, part->others.size);
    if (others) put_text(r, ")");
}

static void add_other(rewriting *r, weft__bytes *others)
{
    if (others->size) r->oom |= !weft__bytes_append(others, "|", 1);
}

/* One member of a part. */
static weft_status member(rewriting *r, class_part *part, unsigned depth, weft_error *err)
{
    bool complement;
    weft__bytes *whole = r->out;
    weft_status status = WEFT_OK;
    r->out = &part->plain;
    const char *members = take_class(r, &complement);
    if (members && complement) {
        add_other(r, r->out = &part->others);
        put_text(r, "[^");
        put_text(r, members);
        put_text(r, "]");
    } else if (members) {
        put_text(r, members);
    } else if (r->p[r->i] == '\\') {
        status = plain_escape(r, true, err);
    } else if (looking_at(r, "[:")) {
        status = refuse(r, "an unknown class in brackets", err);
    } else if (r->p[r->i] != '[') {
        copy_char(r);
    } else {
        add_other(r, r->out = &part->others);
        status = bracketed(r, depth + 1, err);
    }
    r->out = whole;
    return status;
}

/* The parts of a class, but for the last one, as look-aheads into `out`. *end: the closing bracket was there. */
static weft_status parts(rewriting *r, weft__bytes *ahead, class_part *part, unsigned depth, bool *end, weft_error *err)
{
    weft__bytes *whole = r->out;
    bool first = true; /* a bracket in first place is a member */
    for (*end = false; r->i < r->n && !*end; first = false) {
        if (r->p[r->i] == ']' && !first) {
            r->i++;
            *end = true;
        } else if (looking_at(r, "&&")) {
            if (!part->plain.size && !part->others.size) return refuse(r, "an empty class", err);
            r->out = ahead;
            put_text(r, "(?=");
            put_part(r, part, false);
            put_text(r, ")");
            r->out = whole;
            part->plain.size = part->others.size = 0;
            r->i += 2;
        } else if (r->p[r->i] == ']') {
            r->oom |= !weft__bytes_append(&part->plain, "\\]", 2);
            r->i++;
        } else {
            WEFT_TRY(member(r, part, depth, err));
        }
    }
    if (*end && !part->plain.size && !part->others.size) return refuse(r, "an empty class", err);
    return WEFT_OK;
}

static weft_status bracketed(rewriting *r, unsigned depth, weft_error *err)
{
    class_part part = { { 0 }, { 0 } };
    weft__bytes ahead = { 0 };
    bool end;
    if (depth > NESTED_MAX) return refuse(r, "classes nested too deep", err);
    r->i++;
    bool negated = r->i < r->n && r->p[r->i] == '^';
    r->i += negated;
    weft_status status = parts(r, &ahead, &part, depth, &end, err);
    if (status == WEFT_OK && !end) {
        put_text(r, "["); /* which PCRE2 then reports */
    } else if (status == WEFT_OK && !ahead.size && !part.others.size) {
        put_part(r, &part, negated);
    } else if (status == WEFT_OK) {
        put_text(r, negated ? "(?:(?!" : "(?:");
        put(r, ahead.data, ahead.size);
        put_part(r, &part, false);
        put_text(r, negated ? ")(?s:.))" : ")");
    }
    free(part.plain.data);
    free(part.others.data);
    free(ahead.data);
    return status;
}

/* ---- groups and quantifiers ---- */

/* The flags after "(?", up to and with ':' or ')'. */
static weft_status flags(rewriting *r, weft_error *err)
{
    put_text(r, "(?");
    for (r->i += 2; r->i < r->n; r->i++) {
        char c = r->p[r->i];
        if (c == ':' || c == ')') break;
        if (c != 'i' && c != 'x' && c != 'm' && c != '-') return refuse(r, "an unknown kind of group", err);
        put(r, c == 'm' ? "s" : &r->p[r->i], 1);
    }
    put_text(r, ":");
    if (r->i < r->n && r->p[r->i] == ')') r->group[r->depth].extra++;
    else r->depth++;
    r->i += r->i < r->n;
    return WEFT_OK;
}

static weft_status open_group(rewriting *r, weft_error *err)
{
    static const char *const kinds[] = { "(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?<", "(?'" };
    size_t k = 1, n_kinds = sizeof kinds / sizeof *kinds, i = 0;
    if (r->depth == GROUPS_MAX) return refuse(r, "groups nested too deep", err);
    r->atom = SIZE_MAX;
    if (looking_at(r, "(*")) return refuse(r, "(*", err);
    r->group[r->depth + 1].at = r->out->size;
    r->group[r->depth + 1].extra = 0;
    if (looking_at(r, "(?#")) {
        while (r->i < r->n && r->p[r->i] != ')') r->i += r->p[r->i] == '\\' ? 2u : 1u;
        if (r->i >= r->n) return refuse(r, "a comment without an end", err);
        r->i++;
        return WEFT_OK;
    }
    if (looking_at(r, "(?")) {
        while (i < n_kinds && !looking_at(r, kinds[i])) i++;
        if (i == n_kinds) return flags(r, err);
        k = strlen(kinds[i]);
    }
    put(r, r->p + r->i, k);
    r->i += k;
    r->depth++;
    return WEFT_OK;
}

static void close_extra(rewriting *r)
{
    for (; r->group[r->depth].extra; r->group[r->depth].extra--) put_text(r, ")");
}

static void close_group(rewriting *r)
{
    close_extra(r);
    put_text(r, ")");
    r->i++;
    r->atom = r->depth ? r->group[r->depth].at : SIZE_MAX;
    r->depth -= r->depth > 0;
}

/* Digits from *at on. */
static bool digits(const rewriting *r, size_t *at)
{
    size_t from = *at;
    while (*at < r->n && r->p[*at] >= '0' && r->p[*at] <= '9') ++*at;
    return *at > from;
}

/* {n}, {n,}, {n,m}, {,m}, or a brace that means itself. */
static weft_status interval(rewriting *r, weft_error *err)
{
    size_t at = r->i + 1;
    bool low = digits(r, &at), comma = at < r->n && r->p[at] == ',', high = false;
    at += comma;
    if (comma) high = digits(r, &at);
    if ((!low && !high) || at >= r->n || r->p[at] != '}' || r->atom == SIZE_MAX) {
        r->atom = r->out->size;
        put_text(r, "\\{");
        r->i++;
        return WEFT_OK;
    }
    char next = at + 1 < r->n ? r->p[at + 1] : 0;
    if (next == '?' && !comma) return refuse(r, "{n}?", err);
    if (next == '+') { /* repeats, where PCRE2 would keep what it has */
        weft__bytes tail = { 0 };
        r->oom |= !weft__bytes_append(&tail, r->out->data + r->atom, r->out->size - r->atom);
        r->out->size = r->atom;
        put_text(r, "(?:");
        put(r, tail.data, tail.size);
        free(tail.data);
    }
    put_text(r, low ? "{" : "{0");
    put(r, r->p + r->i + 1, at - r->i);
    if (next == '+') put_text(r, ")");
    r->i = at + 1;
    return WEFT_OK;
}

static weft_status escape(rewriting *r, weft_error *err)
{
    bool complement;
    r->atom = r->out->size;
    if (looking_at(r, "\\b") || looking_at(r, "\\B")) {
        bool inside = r->p[r->i + 1] == 'B';
        put_text(r, inside ? "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))"
                           : "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))");
        r->i += 2;
        return WEFT_OK;
    }
    const char *members = take_class(r, &complement);
    if (!members) return plain_escape(r, false, err);
    put_text(r, complement ? "[^" : "[");
    put_text(r, members);
    put_text(r, "]");
    return WEFT_OK;
}

static weft_status next(rewriting *r, weft_error *err)
{
    char c = r->p[r->i];
    switch (c) {
    case '\\': return escape(r, err);
    case '[': r->atom = r->out->size; return bracketed(r, 0, err);
    case '(': return open_group(r, err);
    case ')': close_group(r); return WEFT_OK;
    case '{': return interval(r, err);
    default: break;
    }
    if (c == '|') r->atom = SIZE_MAX;
    else if (c != '*' && c != '+' && c != '?') r->atom = r->out->size;
    copy_char(r);
    return WEFT_OK;
}

weft_status weft__oniguruma_rewrite(const char *pattern, size_t n, weft__bytes *out, weft_error *err)
{
    rewriting r = { .p = pattern, .n = n, .out = out, .atom = SIZE_MAX };
    weft_status status = WEFT_OK;
    while (r.i < r.n && !r.oom && status == WEFT_OK) status = next(&r, err);
    close_extra(&r);
    return r.oom ? WEFT_OOM_FAIL(err, "a regular expression") : status; /* without memory a class may seem empty */
}
