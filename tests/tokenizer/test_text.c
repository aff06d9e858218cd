/* test_text.c: streams, bytes that are not UTF-8, accessors, long words, and one tokenizer used by
 * many threads. */
#include <pthread.h>
#include <stdlib.h>

#include "models/tokenizer/internal.h"
#include "models/tokenizer/unicode.h"
#include "tests/progress.h"
#include "tests/test.h"

#define BUNDLED WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/tokenizer.json"

static weft_tokenizer *open_bundled(void)
{
    weft_tokenizer *tok = NULL;
    weft_error err = { 0 };
    CHECK_OK(weft_tokenizer_open(BUNDLED, &tok, &err), err);
    return tok;
}

/* The token of a single byte. */
static int32_t byte_token(const weft_tokenizer *tok, uint8_t byte)
{
    char text[5] = "";
    weft__utf8_encode(weft__byte_char(byte), text);
    return weft_tokenizer_find(tok, text);
}

/* Streams bytes one token each; what comes out, all together, must be the lossy form, and whole at
 * each step. */
static void check_stream(const weft_tokenizer *tok, const char *bytes, size_t n)
{
    weft_token_stream *stream;
    weft_token_stream_desc all = { .keep_special = true };
    weft_error err;
    weft__bytes got = { 0 }, want = { 0 };
    size_t k;
    if (!CHECK_OK(weft_token_stream_create(tok, &all, &stream, &err), err)) return;
    for (size_t i = 0; i <= n; i++) {
        const char *piece =
            i < n ? weft_token_stream_push(stream, byte_token(tok, (uint8_t)bytes[i]), &k)
                  : weft_token_stream_finish(stream, &k);
        CHECK(weft__utf8_is_valid(piece, k));
        CHECK(weft__bytes_append(&got, piece, k));
    }
    CHECK(weft__utf8_append_lossy(&want, bytes, n));
    CHECK(got.size == want.size && (got.size == 0 || memcmp(got.data, want.data, got.size) == 0));
    free(got.data);
    free(want.data);
    weft_token_stream_destroy(stream);
}

static void stream_bytes(void)
{
    static const char *const texts[] = {
        "",
        "plain",
        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x",
        "\xF0\x9F\x98",
        "\xF0\x9F\x98\x41",
        "\xE2\x82\xE2\x82\xAC",
        "\xF0\x9F\xF0\x9F\x98\x80",
        "\xED\xA0\x80\xC0\x80\xF5\xFF",
        "\xF4\x90\x80\x80\xE0\x80\x80",
    };
    weft_tokenizer *tok = open_bundled();
    if (!tok) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_stream(tok, texts[i], strlen(texts[i]));
    uint32_t state = 1; /* bytes that often look like UTF-8 */
    for (int round = 0; round < 3000; round++) {
        static const uint8_t lead[] = { 0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xE1,
                                        0xED, 0xF0, 0xF1, 0xF4, 0x9F, 0xA0 };
        char text[12];
        for (size_t i = 0; i < sizeof text; i++) {
            state = state * 1664525 + 1013904223;
            text[i] = (char)(state >> 29 ? lead[(state >> 8) % sizeof lead] : state >> 16);
        }
        check_stream(tok, text, sizeof text);
    }
    weft_tokenizer_close(tok);
}

/* A stream can be ended and used again, and ids without text are quiet. */
static void stream_reuse(void)
{
    weft_tokenizer *tok = open_bundled();
    weft_token_stream *stream;
    weft_error err;
    size_t n;
    if (!tok || !CHECK_OK(weft_token_stream_create(tok, NULL, &stream, &err), err)) return;
    weft_token_stream_push(stream, byte_token(tok, 0xE2), &n);
    CHECK_EQ_INT(n, 0);
    weft_token_stream_push(stream, weft_tokenizer_find(tok, "<|endoftext|>"), &n);
    CHECK_EQ_INT(n, 0); /* skipped, and the sequence may go on after it */
    weft_token_stream_push(stream, -1, &n);
    CHECK_EQ_INT(n, 0);
    weft_token_stream_push(stream, INT32_MAX, &n);
    CHECK_EQ_INT(n, 0);
    weft_token_stream_push(stream, byte_token(tok, 0x82), &n);
    CHECK_EQ_INT(n, 0);
    const char *piece = weft_token_stream_push(stream, byte_token(tok, 0xAC), &n);
    CHECK(n == 3 && memcmp(piece, "\xE2\x82\xAC", 3) == 0);
    weft_token_stream_push(stream, byte_token(tok, 0xF0), &n);
    piece = weft_token_stream_finish(stream, &n);
    CHECK(n == 3 && memcmp(piece, WEFT__REPLACEMENT, 3) == 0);
    piece = weft_token_stream_push(stream, byte_token(tok, 'x'), &n);
    CHECK(n == 1 && piece[0] == 'x');
    weft_token_stream_finish(stream, &n);
    CHECK_EQ_INT(n, 0);
    weft_token_stream_destroy(stream);
    weft_tokenizer_close(tok);
}

/* ---- stop strings ---- */

/* The definition: byte by byte, until one of the strings ends the text so far; of several the longest. -1: none. */
static int stops_at(const char *text, const char *const *stop, uint32_t n_stop, size_t *cut)
{
    size_t n = strlen(text);
    for (size_t end = 1; end <= n; end++) {
        int which = -1;
        for (uint32_t i = 0; i < n_stop; i++) {
            size_t k = strlen(stop[i]);
            bool ends = k && k <= end && !memcmp(text + end - k, stop[i], k);
            if (ends && (which < 0 || k > strlen(stop[which]))) which = (int)i;
        }
        if (which >= 0) return *cut = end - strlen(stop[which]), which;
    }
    return *cut = n, -1;
}

/* Streams a text in tokens of its own choosing: each piece is whole, none holds the beginning of a stop string that
 * comes, and all of them together end where the definition says. */
static void check_stops(const weft_tokenizer *tok, const char *text, const char *const *stop, uint32_t n_stop,
                        bool bytewise)
{
    weft_token_stream_desc desc = { .stop = stop, .n_stop = n_stop };
    weft_token_stream *s;
    weft_error err;
    weft_tokens t;
    char got[256] = "";
    size_t cut, size = 0, n;
    int want = stops_at(text, stop, n_stop, &cut);
    if (!CHECK_OK(weft_tokenizer_encode(tok, text, strlen(text), NULL, &t, &err), err)) return;
    if (!CHECK_OK(weft_token_stream_create(tok, &desc, &s, &err), err)) return;
    for (int round = 0; round < 2; round++, size = 0) { /* a stream can be used again, also after a stop */
        size_t n_ids = bytewise ? strlen(text) : t.n;
        for (size_t i = 0; i <= n_ids; i++) {
            int32_t id = i == n_ids ? -1 : bytewise ? byte_token(tok, (uint8_t)text[i]) : t.ids[i];
            const char *piece = i < n_ids ? weft_token_stream_push(s, id, &n) : weft_token_stream_finish(s, &n);
            CHECK(weft__utf8_is_valid(piece, n));
            if (!CHECK(size + n <= cut)) break; /* not a byte of the stop string */
            memcpy(got + size, piece, n);
            size += n;
        }
        CHECK_EQ_INT(weft_token_stream_stopped(s), want);
        if (!CHECK(size == cut && !memcmp(got, text, cut))) printf("  of \"%s\" came \"%.*s\"\n", text, (int)size, got);
    }
    weft_token_stream_destroy(s);
    weft_tokens_free(&t);
}

static void stop_strings(void)
{
    static const struct {
        const char *text, *stop[3];
    } rows[] = {
        { "Once upon a time there was", { "time" } },
        { "Once upon a time there was", { "me th" } },
        { "Once upon a time there was", { "no such text", "" } },
        { "Once upon a time there was", { "was not", "was", "s" } },
        { "Once", { "Once" } },
        { "aaaaab", { "aab" } },
        { "ababac", { "abac", "x" } },
        { "one two three", { "wo three", "o t", "two" } }, /* the first to be complete */
        { "one two three", { "two", "e two", "o" } },      /* of those that are so together the longest */
        { "caf\xC3\xA9 au lait", { "\xC3\xA9" } },
        { "caf\xC3\xA8 au lait", { "f\xC3\xA9", "\xC3\xA8 a" } },
        { "\xF0\x9F\x98\x80\xF0\x9F\x98\x81!", { "\xF0\x9F\x98\x81" } },
        { "\n\nUser: hello", { "\nUser:", "\n\n\n" } },
    };
    weft_tokenizer *tok = open_bundled();
    if (!tok) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t n = 0;
        while (n < 3 && rows[i].stop[n]) n++;
        for (int bytewise = 0; bytewise < 2; bytewise++) check_stops(tok, rows[i].text, rows[i].stop, n, bytewise);
    }
    uint32_t state = 5; /* texts and strings of two letters, which often begin and seldom end */
    for (int round = 0; round < 2000; round++) {
        char text[24], stop[2][6];
        const char *const stops[] = { stop[0], stop[1] };
        for (size_t i = 0; i < sizeof text + sizeof stop; i++) {
            state = state * 1664525 + 1013904223;
            *(i < sizeof text ? &text[i] : &stop[0][0] + (i - sizeof text)) = state >> 31 ? 'a' : 'b';
        }
        text[sizeof text - 1] = 0;
        stop[0][2 + round % 4] = stop[1][1 + round / 4 % 5] = 0;
        check_stops(tok, text, stops, 2, round % 2);
    }
    weft_tokenizer_close(tok);
}

/* What comes after a stop string counts for nothing, however much and whatever it is. */
static void after_a_stop(void)
{
    static const char *const stop[] = { "x" };
    weft_tokenizer *tok = open_bundled();
    weft_token_stream_desc desc = { .stop = stop, .n_stop = 1 };
    weft_token_stream *s;
    weft_error err;
    size_t n;
    if (!tok) return;
    if (CHECK_OK(weft_token_stream_create(tok, &desc, &s, &err), err)) {
        weft_token_stream_push(s, byte_token(tok, 'x'), &n);
        for (unsigned byte = 0; byte < 256; byte++) {
            weft_token_stream_push(s, byte_token(tok, (uint8_t)byte), &n);
            if (!CHECK(n == 0 && weft_token_stream_stopped(s) == 0)) break;
        }
        weft_token_stream_finish(s, &n);
        CHECK(n == 0 && weft_token_stream_stopped(s) == 0);
        weft_token_stream_destroy(s);
    }
    weft_tokenizer_close(tok);
}

/* A string that is not UTF-8 could never come, and is refused; a cut character at the end may complete one. */
static void odd_stop_strings(void)
{
    static const char *const broken[] = { "fine", "\xC3" }, *const mark[] = { "x" WEFT__REPLACEMENT };
    weft_tokenizer *tok = open_bundled();
    weft_token_stream_desc desc = { .stop = broken, .n_stop = 2 };
    weft_token_stream *s;
    weft_error err;
    size_t n;
    if (!tok) return;
    CHECK_STATUS(weft_token_stream_create(tok, &desc, &s, &err), WEFT_INVALID, err);
    CHECK(!s);
    CHECK_CONTAINS(err.text, "stop string 1");
    desc = (weft_token_stream_desc){ .stop = mark, .n_stop = 1 };
    if (CHECK_OK(weft_token_stream_create(tok, &desc, &s, &err), err)) {
        weft_token_stream_push(s, byte_token(tok, 'x'), &n);
        CHECK_EQ_INT(n, 0);
        weft_token_stream_push(s, byte_token(tok, 0xC3), &n);
        weft_token_stream_finish(s, &n);
        CHECK(n == 0 && weft_token_stream_stopped(s) == 0);
        weft_token_stream_push(s, byte_token(tok, 'y'), &n);
        CHECK(n == 1 && weft_token_stream_stopped(s) == -1);
        weft_token_stream_destroy(s);
    }
    weft_token_stream_destroy(NULL);
    weft_tokenizer_close(tok);
}

static void accessors(void)
{
    weft_tokenizer *tok = open_bundled();
    size_t n;
    if (!tok) return;
    CHECK_EQ_INT(weft_tokenizer_size(tok), 4096);
    CHECK_EQ_INT(weft_tokenizer_find(tok, "<|endoftext|>"), 0);
    CHECK_EQ_INT(weft_tokenizer_find(tok, "no such token"), -1);
    CHECK_EQ_INT(weft_tokenizer_find(tok, ""), -1);
    CHECK(weft_tokenizer_is_special(tok, 0) && weft_tokenizer_is_special(tok, 1));
    CHECK(!weft_tokenizer_is_special(tok, 2) && !weft_tokenizer_is_special(tok, -1) &&
          !weft_tokenizer_is_special(tok, 4096));
    CHECK_EQ_INT(weft_tokenizer_added_count(tok), 25);
    CHECK_EQ_INT(weft_tokenizer_added(tok, 1), 1);
    CHECK_EQ_INT(weft_tokenizer_added(tok, 24), 4095);
    CHECK_EQ_INT(weft_tokenizer_added(tok, 25), -1);
    CHECK(!weft_tokenizer_token(tok, 4096) && !weft_tokenizer_token(tok, -1));
    CHECK(!weft_tokenizer_bytes(tok, 4096, &n) && n == 0);
    const char *bytes = weft_tokenizer_bytes(tok, 4095, &n);
    CHECK(n == 2 && memcmp(bytes, "  ", 2) == 0);
    int32_t the = weft_tokenizer_find(tok, "\xC4\xA0the");
    bytes = weft_tokenizer_bytes(tok, the, &n);
    CHECK(n == 4 && memcmp(bytes, " the", 4) == 0);
    for (int32_t id = 0; id < 4096; id++)
        CHECK_EQ_INT(weft_tokenizer_find(tok, weft_tokenizer_token(tok, id)), id);
    weft_tokenizer_close(tok);
}

/* Exact bytes, and the other forms of decoding. */
static void decode_forms(void)
{
    weft_tokenizer *tok = open_bundled();
    weft_text text;
    weft_error err = { 0 };
    if (!tok) return;
    int32_t ids[] = { 0, byte_token(tok, 0xFF), byte_token(tok, 'a'), 100000 };
    CHECK_OK(weft_tokenizer_decode(tok, ids, 4, NULL, &text, &err), err);
    CHECK(text.size == 15 && memcmp(text.data, "<|endoftext|>\xFF" "a", 16) == 0);
    weft_text_free(&text);
    weft_decode_desc desc = { .skip_special = true, .repair = true };
    CHECK_OK(weft_tokenizer_decode(tok, ids, 4, &desc, &text, &err), err);
    CHECK(text.size == 4 && memcmp(text.data, WEFT__REPLACEMENT "a", 5) == 0);
    weft_text_free(&text);
    CHECK_OK(weft_tokenizer_decode(tok, NULL, 0, NULL, &text, &err), err);
    CHECK(text.size == 0 && text.data && text.data[0] == 0);
    weft_text_free(&text);
    ids[2] = -7;
    CHECK_STATUS(weft_tokenizer_decode(tok, ids, 4, NULL, &text, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "id 2 is -7");
    CHECK(!text.data);
    weft_tokenizer_close(tok);
}

static void empty_text(void)
{
    weft_tokenizer *tok = open_bundled();
    weft_tokens t;
    weft_error err = { 0 };
    if (!tok) return;
    CHECK_OK(weft_tokenizer_encode(tok, NULL, 0, NULL, &t, &err), err);
    CHECK(t.ids && t.n == 0);
    weft_tokens_free(&t);
    CHECK_STATUS(weft_tokenizer_encode(tok, NULL, 1, NULL, &t, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_tokenizer_encode(tok, "", SIZE_MAX, NULL, &t, &err), WEFT_LIMIT, err);
    weft_tokenizer_close(tok);
}

/* Texts that make careless tokenizers quadratic; a megabyte each would then take longer
 * than the test may run. What comes back is the text. */
static void long_texts(void)
{
    static const char *const units[] = {
        "a", " ", "ab", "\n", "\xE5\x93\x88", "a\xCC\x81", "\xCC\x96\xCC\x81", "\xFF", "x9", "'s"
    };
    weft_tokenizer *tok = open_bundled();
    if (!tok) return;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t k = strlen(units[i]), n = (size_t)1000000 / k * k;
        char *text = malloc(n);
        weft_tokens t;
        weft_text back;
        weft_error err = { 0 };
        for (size_t j = 0; j < n; j++) text[j] = units[i][j % k];
        if (!CHECK_OK(weft_tokenizer_encode(tok, text, n, NULL, &t, &err), err)) continue;
        CHECK_OK(weft_tokenizer_decode(tok, t.ids, t.n, NULL, &back, &err), err);
        bool changes = units[i][0] == '\xCC' || units[i][1] == '\xCC' || units[i][0] == '\xFF';
        CHECK(changes || (back.size == n && memcmp(back.data, text, n) == 0));
        weft_text_free(&back);
        weft_tokens_free(&t);
        free(text);
    }
    weft_tokenizer_close(tok);
}

/* ---- the cache of words ---- */

/* Encodes a text of units, each a word of its own for the bundled tokenizer, and each unit alone: the ids must be the
 * same, although only the long text has the cache. */
static void check_words(const weft_tokenizer *tok, const char *units, const size_t *sizes,
                        size_t n)
{
    size_t total = 0, at = 0;
    weft_tokens all, alone;
    weft_error err = { 0 };
    for (size_t i = 0; i < n; i++) total += sizes[i];
    CHECK(total >= WEFT__CACHE_MIN_TEXT);
    if (!CHECK_OK(weft_tokenizer_encode(tok, units, total, NULL, &all, &err), err)) return;
    for (size_t i = 0, from = 0; i < n; from += sizes[i++]) {
        if (!CHECK_OK(weft_tokenizer_encode(tok, units + from, sizes[i], NULL, &alone, &err), err)) break;
        size_t k = alone.n;
        bool same = at + k <= all.n && memcmp(all.ids + at, alone.ids, k * sizeof *all.ids) == 0;
        if (!CHECK(same)) printf("  word %zu of %zu, \"%.*s\"\n", i, n, (int)sizes[i], units + from);
        weft_tokens_free(&alone);
        if (!same) break;
        at += k;
    }
    CHECK_EQ_INT(at, all.n);
    weft_tokens_free(&all);
}

enum { TRIED = 24, VARIED = 5, LONGEST = 40 };

/* Words that share an entry: `stem` and VARIED more characters, of the alphabet's 26. */
static size_t find_words(const char *stem, size_t n_stem, const char *alphabet, uint32_t slot,
                         char found[TRIED][LONGEST])
{
    size_t n = 0;
    for (uint32_t i = 0; i < 26u * 26 * 26 * 26 * 26 && n < TRIED; i++) {
        memcpy(found[n], stem, n_stem);
        for (uint32_t k = 0, rest = i; k < VARIED; k++, rest /= 26)
            found[n][n_stem + k] = alphabet[rest % 26];
        n += weft__cache_slot(found[n], n_stem + VARIED) == slot;
    }
    return n;
}

/* Words of one length that share an entry, each after each; or each after its own stem, which shares it too. */
static void colliding_words(void)
{
    static const struct {
        const char *stem;
        size_t n;
        const char *alphabet;
        bool with_stem; /* the stem is a word of the same entry */
    } rows[] = {
        { " ", 1, "abcdefghijklmnopqrstuvwxyz", false },
        { " the", 4, "abcdefghijklmnopqrstuvwxyz", true },
        { " \0", 2, "!#$%&()*+,-./:;<=>?@[]^_`{", false }, /* what strcmp would not tell apart */
        { " aaaaaaaaaaaaaaaaaaaa", 21, "abcdefghijklmnopqrstuvwxyz", false },
        { " aaaaaaaaaaaaaaaaaaaaaaaaa", 26, "abcdefghijklmnopqrstuvwxyz", false }, /* too long to be kept */
    };
    weft_tokenizer *tok = open_bundled();
    for (size_t r = 0; tok && r < sizeof rows / sizeof *rows; r++) {
        static char found[TRIED][LONGEST], units[2 * TRIED * TRIED * LONGEST];
        static size_t sizes[2 * TRIED * TRIED];
        size_t n_word = rows[r].n + VARIED, at = 0, n_units = 0;
        uint32_t slot = weft__cache_slot(rows[r].stem, rows[r].n);
        if (!CHECK_EQ_INT(find_words(rows[r].stem, rows[r].n, rows[r].alphabet, slot, found), TRIED))
            break;
        for (size_t i = 0; i < 2 * TRIED * TRIED; i++) {
            bool stem = rows[r].with_stem && i % 2;
            size_t k = stem ? rows[r].n : n_word;
            memcpy(units + at, stem ? rows[r].stem : found[i % 2 ? i / 2 / TRIED : i / 2 % TRIED], k);
            sizes[n_units++] = k;
            at += k;
        }
        check_words(tok, units, sizes, n_units);
    }
    weft_tokenizer_close(tok);
}

/* Words that are the beginning of each other, those with NUL bytes among them, and words around the longest that the
 * cache takes (26 bytes). */
static void alike_words(void)
{
    enum { WORDS = 3000 };
    static char units[WORDS * LONGEST];
    static size_t sizes[WORDS];
    size_t at = 0;
    uint32_t state = 7;
    for (size_t i = 0; i < WORDS; i++) {
        state = state * 1664525 + 1013904223;
        bool punctuation = i % 2; /* the two kinds in turn, so that each is a word */
        size_t n = 1 + (state >> 8) % 31;
        for (size_t k = 0; k < n; k++)
            units[at + k] = punctuation ? "\0\0\1"[(state >> 16) % 3 * (k + 1 == n)]
                                        : (char)("abc"[(state >> 16) % 3 * (k + 1 == n)]);
        sizes[i] = n;
        at += n;
    }
    weft_tokenizer *tok = open_bundled();
    if (!tok) return;
    check_words(tok, units, sizes, WORDS);
    weft_tokenizer_close(tok);
}

/* ---- threads ---- */

static const char shared_text[] =
    "Once upon a time, there was a little girl named Lily. e\xCC\x81 <|endoftext|>   x";

static void *encode_often(void *arg)
{
    const weft_tokenizer *tok = arg;
    uintptr_t sum = 0;
    for (int i = 0; i < 50; i++) {
        weft_tokens t;
        if (weft_tokenizer_encode(tok, shared_text, sizeof shared_text - 1, NULL, &t, NULL)) return NULL;
        for (size_t k = 0; k < t.n; k++) sum = sum * 31 + (uintptr_t)t.ids[k];
        weft_tokens_free(&t);
    }
    return (void *)(sum | 1);
}

static void threads(void)
{
    weft_tokenizer *tok = open_bundled();
    if (!tok) return;
    pthread_t thread[4];
    void *sum[4];
    for (int i = 0; i < 4; i++)
        if (!CHECK(pthread_create(&thread[i], NULL, encode_often, tok) == 0)) return;
    for (int i = 0; i < 4; i++) pthread_join(thread[i], &sum[i]);
    for (int i = 0; i < 4; i++) CHECK(sum[i] && sum[i] == sum[0]);
    weft_tokenizer_close(tok);
}

/* A long text tells how far it is, from its first byte to its last, and can be stopped at any report. */
static void long_texts_tell_and_stop(void)
{
    enum { SIZE = 300000 };
    weft_tokenizer *tok = open_bundled();
    char *text = malloc(SIZE);
    int64_t reports = 1;
    weft_error err;
    if (!tok || !CHECK(text != NULL)) return;
    for (size_t i = 0; i < SIZE; i++) text[i] = (char)(i % 7 ? 'a' + i * i % 26 : ' ');
    for (int64_t n = 0; n <= reports; n++) {
        progress_log log = { .cancel_at = n };
        weft_encode_desc desc = { .progress = progress_sink(&log) };
        weft_tokens t;
        weft_status s = weft_tokenizer_encode(tok, text, SIZE, &desc, &t, &err);
        CHECK_EQ_INT(s, log.cancelled ? WEFT_CANCELLED : WEFT_OK);
        CHECK(!s == (t.ids != NULL));
        if (s) reports = n + 1; /* one more than was reached */
        else CHECK(progress_of(&log, "encoding", 1) == reports && log.last.total == SIZE);
        weft_tokens_free(&t);
    }
    CHECK(reports > 1 + 3);
    progress_log quiet = { .cancel_at = 0 };
    weft_encode_desc desc = { .progress = progress_sink(&quiet) };
    weft_tokens t;
    CHECK_OK(weft_tokenizer_encode(tok, text, 1000, &desc, &t, &err), err);
    CHECK_EQ_INT(quiet.n, 0);
    weft_tokens_free(&t);
    free(text);
    weft_tokenizer_close(tok);
}

/* By each token's bytes, of the bundled vocabulary. */
static void tokens_that_contain_a_text(void)
{
    weft_tokenizer *tok = open_bundled();
    static const char *const texts[] = { "\n", "he" };
    weft_tokens got;
    weft_error err;
    size_t next = 0;
    if (!tok || !CHECK_OK(weft_tokenizer_containing(tok, texts, 2, &got, &err), err)) return;
    for (int32_t id = 0; id < (int32_t)weft_tokenizer_size(tok); id++) {
        size_t n;
        const char *bytes = weft_tokenizer_bytes(tok, id, &n);
        bool has = false;
        for (size_t i = 0; bytes && i < n; i++)
            has |= bytes[i] == '\n' || (i + 1 < n && bytes[i] == 'h' && bytes[i + 1] == 'e');
        if (has) CHECK(next < got.n && got.ids[next] == id);
        next += has;
    }
    CHECK(next == got.n && next > 20);
    weft_tokens_free(&got);
    CHECK_STATUS(weft_tokenizer_containing(tok, (const char *const[]){ "a", "" }, 2, &got, &err), WEFT_INVALID, err);
    weft_tokenizer_close(tok);
}

static const weft_test tests[] = {
    { "tokens that contain a text", tokens_that_contain_a_text },
    { "stream_bytes", stream_bytes }, { "stream_reuse", stream_reuse },
    { "accessors", accessors },       { "decode_forms", decode_forms },
    { "empty_text", empty_text },     { "long_texts", long_texts },
    { "threads", threads },           { "colliding_words", colliding_words },
    { "stop_strings", stop_strings }, { "odd_stop_strings", odd_stop_strings },
    { "after_a_stop", after_a_stop }, { "alike_words", alike_words },
    { "long texts tell and stop", long_texts_tell_and_stop },
};
TEST_MAIN(tests)
