/* split.c: regular expressions of the pre-tokenizers.
 *
 * They are written for Oniguruma with Unicode 16, and PCRE2 runs them. Before it compiles one, a
 * pattern is rewritten where the two differ: \s has U+180E in PCRE2 but is White_Space in
 * Oniguruma, and the \p{L} and \p{N} of PCRE2 10.42 know Unicode 14, so what later versions added
 * is spelled out (nothing was taken out; tests/tokenizer compares all code points). A-Z and a-z are
 * spelled out too: that puts them into the bitmap of a class, which is tried first. Left to PCRE2's
 * own Unicode version: \S and \P inside brackets, \d, \w, and the finer categories such as \p{Lu}. */
#include "split.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "unicode.h"

const char weft__gpt2_regex[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const char weft__digit_regex[] = "[\\p{N}\\x{11DE0}-\\x{11DE9}\\x{16FF4}-\\x{16FF6}]";

/* Bounds of one match; they stop a hostile pattern, no known tokenizer comes near. Heap in KiB. */
#define MATCH_LIMIT 10000000u
#define HEAP_LIMIT  65536u
#define PATTERN_MAX 65536u

struct weft__splitter {
    pcre2_code *code;
    weft__split_options options;
};

struct weft__split_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* ---- rewriting ---- */

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
/* clang-format on */

static const struct {
    const char *escape, *members;
    bool negated;
} classes[] = {
    { "\\s", WHITE_SPACE, false }, { "\\S", WHITE_SPACE, true }, { "\\p{L}", LETTERS, false },
    { "\\P{L}", LETTERS, true },   { "\\p{N}", NUMBERS, false }, { "\\P{N}", NUMBERS, true },
};

static bool append_text(weft__bytes *out, const char *s)
{
    return weft__bytes_append(out, s, strlen(s));
}

/* Rewrites the escape at p[0..n) and returns its length in *used. False = out of memory. */
static bool rewrite_escape(weft__bytes *out, const char *p, size_t n, bool in_class, size_t *used)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t k = strlen(classes[i].escape);
        if (k > n || memcmp(p, classes[i].escape, k) != 0) continue;
        if (in_class && classes[i].negated) break;
        *used = k;
        if (in_class) return append_text(out, classes[i].members);
        return append_text(out, classes[i].negated ? "[^" : "[") &&
               append_text(out, classes[i].members) && append_text(out, "]");
    }
    *used = n < 2 ? n : 2;
    return weft__bytes_append(out, p, *used);
}

/* Oniguruma nests and intersects bracketed classes, PCRE2 takes the same characters literally. */
static bool class_differs(const char *p, size_t n)
{
    return (p[0] == '[' && !(n > 1 && p[1] == ':')) || (p[0] == '&' && n > 1 && p[1] == '&');
}

static weft_status rewrite(const char *p, size_t n, weft__bytes *out, weft_error *err)
{
    bool in_class = false;
    for (size_t i = 0, used; i < n; i += used) {
        bool ok;
        used = 1;
        if (p[i] == '\\') {
            ok = rewrite_escape(out, p + i, n - i, in_class, &used);
        } else if (!in_class && p[i] == '[') {
            in_class = true;
            if (i + used < n && p[i + used] == '^') used++;
            if (i + used < n && p[i + used] == ']')
                used++; /* a bracket in first place is a member */
            ok = weft__bytes_append(out, p + i, used);
        } else if (in_class && class_differs(p + i, n - i)) {
            return WEFT_FAIL(
                err, WEFT_UNSUPPORTED,
                "the regular expression nests or intersects character classes at byte %zu", i);
        } else {
            if (in_class && p[i] == '[') { /* [:name:] */
                const char *end = memchr(p + i, ']', n - i);
                if (end) used = (size_t)(end - (p + i)) + 1;
            } else if (in_class && p[i] == ']') {
                in_class = false;
            }
            ok = weft__bytes_append(out, p + i, used);
        }
        if (!ok) return WEFT_OOM_FAIL(err, "a regular expression");
    }
    return WEFT_OK;
}

/* ---- life ---- */

static weft_status compile(weft__splitter *s, const char *pattern, size_t n, weft_error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t flags = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    flags |= s->options.literal ? PCRE2_LITERAL : PCRE2_UCP;
    if (s->options.literal) flags &= ~(uint32_t)PCRE2_NEVER_BACKSLASH_C; /* not allowed together */
    s->code = pcre2_compile((PCRE2_SPTR)pattern, n, flags, &code, &at, NULL);
    if (!s->code) {
        if (code == PCRE2_ERROR_HEAP_FAILED) return WEFT_OOM_FAIL(err, "a regular expression");
        char text[160] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
        return WEFT_FAIL(err, WEFT_FORMAT, "the regular expression is not valid: %s", text);
    }
    pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE); /* without a JIT, pcre2_match interprets */
    return WEFT_OK;
}

weft_status weft__splitter_create(const char *pattern, size_t n, weft__split_options options,
                                  weft__splitter **out, weft_error *err)
{
    *out = NULL;
    if (n == 0) return WEFT_FAIL(err, WEFT_FORMAT, "the split pattern is empty");
    if (n > PATTERN_MAX) return WEFT_FAIL(err, WEFT_LIMIT, "the split pattern has %zu bytes", n);
    weft__splitter *s = calloc(1, sizeof *s);
    if (!s) return WEFT_OOM_FAIL(err, "a regular expression");
    s->options = options;
    weft__bytes rewritten = { 0 };
    weft_status status;
    if (options.literal) {
        status = compile(s, pattern, n, err);
    } else {
        status = rewrite(pattern, n, &rewritten, err);
        if (status == WEFT_OK) status = compile(s, rewritten.data, rewritten.size, err);
    }
    free(rewritten.data);
    if (status != WEFT_OK)
        weft__splitter_destroy(s);
    else
        *out = s;
    return status;
}

void weft__splitter_destroy(weft__splitter *s)
{
    if (!s) return;
    pcre2_code_free(s->code);
    free(s);
}

weft__split_scratch *weft__split_scratch_create(void)
{
    weft__split_scratch *scratch = calloc(1, sizeof *scratch);
    if (!scratch) return NULL;
    scratch->data = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    if (!scratch->data || !scratch->context) {
        weft__split_scratch_destroy(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
    pcre2_set_heap_limit(scratch->context, HEAP_LIMIT);
    return scratch;
}

void weft__split_scratch_destroy(weft__split_scratch *scratch)
{
    if (!scratch) return;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    free(scratch);
}

/* ---- matching ---- */

/* The next match at or after *at: false if there is none. */
static weft_status next_match(const weft__splitter *s, weft__split_scratch *scratch,
                              const char *text, size_t n, size_t at, bool *found, size_t *start,
                              size_t *end, weft_error *err)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int rc =
        pcre2_match(s->code, subject, n, at, PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter has the heap */
        rc = pcre2_match(s->code, subject, n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->data,
                         scratch->context);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return WEFT_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return WEFT_OOM_FAIL(err, "matching a regular expression");
    if (rc < 0) {
        char why[160] = "";
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        return WEFT_FAIL(err, WEFT_LIMIT,
                         "the tokenizer's regular expression failed on this text: %s", why);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(scratch->data);
    *start = range[0];
    *end = range[1];
    if (*start > *end || *end > n || *start < at) /* \K can do that */
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "the tokenizer's regular expression moves its own start");
    return WEFT_OK;
}

/* ---- pieces ---- */

/* The piece that may still grow: [start, end), made of matches and gaps. */
typedef struct piece_state {
    const weft__splitter *s;
    const char *text;
    size_t start, end;
    bool open, last_match; /* there is one; its last part is a match */
    weft__piece_fn *piece;
    void *ctx;
} piece_state;

static bool joins(weft__split_behavior behavior, bool is_match, bool after_match)
{
    switch (behavior) {
    case WEFT__SPLIT_PREVIOUS: return is_match && !after_match;
    case WEFT__SPLIT_NEXT: return !is_match && after_match;
    case WEFT__SPLIT_CONTIGUOUS: return is_match == after_match;
    default: return false;
    }
}

static weft_status flush_piece(piece_state *p, weft_error *err)
{
    bool full = p->open && p->end > p->start;
    p->open = false;
    return full ? p->piece(p->ctx, p->text + p->start, p->end - p->start, err) : WEFT_OK;
}

/* The next match, perhaps empty, or gap. Empty ones give no piece, but they stand between others. */
static weft_status add_part(piece_state *p, size_t start, size_t end, bool is_match,
                            weft_error *err)
{
    is_match ^= p->s->options.invert;
    if (p->open && joins(p->s->options.behavior, is_match, p->last_match)) {
        p->end = end;
    } else {
        WEFT_TRY(flush_piece(p, err));
        p->start = start;
        p->end = end;
        p->open = !(is_match && p->s->options.behavior == WEFT__SPLIT_REMOVED);
    }
    p->last_match = is_match;
    return WEFT_OK;
}

weft_status weft__split(const weft__splitter *s, weft__split_scratch *scratch, const char *text,
                        size_t n, weft__piece_fn *piece, void *ctx, weft_error *err)
{
    piece_state p = { .s = s, .text = text, .piece = piece, .ctx = ctx };
    size_t done = 0; /* the end of the last match */
    bool matched = false;
    for (size_t at = 0; at <= n;) {
        bool found;
        size_t start = 0, end = 0;
        WEFT_TRY(next_match(s, scratch, text, n, at, &found, &start, &end, err));
        if (!found) break;
        if (start == end && matched &&
            end == done) { /* an empty match next to the last match does not count */
            if (at == n) break;
            size_t step;
            weft__utf8_decode(text + at, &step);
            at += step;
            continue;
        }
        if (start > done) WEFT_TRY(add_part(&p, done, start, false, err));
        WEFT_TRY(add_part(&p, start, end, true, err));
        at = done = end;
        matched = true;
    }
    if (n > done) WEFT_TRY(add_part(&p, done, n, false, err));
    return flush_piece(&p, err);
}
