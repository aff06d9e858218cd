/* test_text.c: streams, bytes that are not UTF-8, accessors, long words, and one tokenizer used by
 * many threads. */
#include <pthread.h>
#include <stdlib.h>

#include "models/tokenizer/internal.h"
#include "models/tokenizer/unicode.h"
#include "tests/progress.h"
#include "tests/test.h"

#define BUNDLED WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/tokenizer.json"

static weft__tokenizer *open_bundled(void)
{
    weft__tokenizer *tok = NULL;
    weft_error err = { 0 };
    CHECK_OK(weft__tokenizer_open(BUNDLED, &tok, &err), err);
    return tok;
}

/* The token of a single byte. */
static int32_t byte_token(const weft__tokenizer *tok, uint8_t byte)
{
    char text[5] = "";
    weft__utf8_encode(weft__byte_char(byte), text);
    return weft__tokenizer_find(tok, text);
}

/* Streams bytes one token each; what comes out, all together, must be the lossy form, and whole at
 * each step. */
static void check_stream(const weft__tokenizer *tok, const char *bytes, size_t n)
{
    weft__token_stream stream;
    weft_error err;
    weft__bytes got = { 0 }, want = { 0 };
    size_t k;
    if (!CHECK_OK(weft__token_stream_init(&stream, tok, false, &err), err)) return;
    for (size_t i = 0; i <= n; i++) {
        const char *piece =
            i < n ? weft__token_stream_push(&stream, byte_token(tok, (uint8_t)bytes[i]), &k)
                  : weft__token_stream_flush(&stream, &k);
        CHECK(weft__utf8_is_valid(piece, k));
        CHECK(stream.n_pending < 4);
        CHECK(weft__bytes_append(&got, piece, k));
    }
    CHECK(weft__utf8_append_lossy(&want, bytes, n));
    CHECK(got.size == want.size && (got.size == 0 || memcmp(got.data, want.data, got.size) == 0));
    free(got.data);
    free(want.data);
    weft__token_stream_free(&stream);
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
    weft__tokenizer *tok = open_bundled();
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
    weft__tokenizer_destroy(tok);
}

/* A stream can be ended and used again, and ids without text are quiet. */
static void stream_reuse(void)
{
    weft__tokenizer *tok = open_bundled();
    weft__token_stream stream;
    weft_error err;
    size_t n;
    if (!tok || !CHECK_OK(weft__token_stream_init(&stream, tok, true, &err), err)) return;
    weft__token_stream_push(&stream, byte_token(tok, 0xE2), &n);
    CHECK_EQ_INT(n, 0);
    weft__token_stream_push(&stream, weft__tokenizer_find(tok, "<|endoftext|>"), &n);
    CHECK_EQ_INT(n, 0); /* skipped, and the sequence may go on after it */
    weft__token_stream_push(&stream, -1, &n);
    CHECK_EQ_INT(n, 0);
    weft__token_stream_push(&stream, INT32_MAX, &n);
    CHECK_EQ_INT(n, 0);
    weft__token_stream_push(&stream, byte_token(tok, 0x82), &n);
    CHECK_EQ_INT(n, 0);
    const char *piece = weft__token_stream_push(&stream, byte_token(tok, 0xAC), &n);
    CHECK(n == 3 && memcmp(piece, "\xE2\x82\xAC", 3) == 0);
    weft__token_stream_push(&stream, byte_token(tok, 0xF0), &n);
    piece = weft__token_stream_flush(&stream, &n);
    CHECK(n == 3 && memcmp(piece, WEFT__REPLACEMENT, 3) == 0);
    piece = weft__token_stream_push(&stream, byte_token(tok, 'x'), &n);
    CHECK(n == 1 && piece[0] == 'x');
    weft__token_stream_flush(&stream, &n);
    CHECK_EQ_INT(n, 0);
    weft__token_stream_free(&stream);
    weft__tokenizer_destroy(tok);
}

static void accessors(void)
{
    weft__tokenizer *tok = open_bundled();
    size_t n;
    if (!tok) return;
    CHECK_EQ_INT(weft__tokenizer_size(tok), 4096);
    CHECK_EQ_INT(weft__tokenizer_find(tok, "<|endoftext|>"), 0);
    CHECK_EQ_INT(weft__tokenizer_find(tok, "no such token"), -1);
    CHECK_EQ_INT(weft__tokenizer_find(tok, ""), -1);
    CHECK(weft__tokenizer_is_special(tok, 0) && weft__tokenizer_is_special(tok, 1));
    CHECK(!weft__tokenizer_is_special(tok, 2) && !weft__tokenizer_is_special(tok, -1) &&
          !weft__tokenizer_is_special(tok, 4096));
    CHECK_EQ_INT(weft__tokenizer_added_count(tok), 25);
    CHECK_EQ_INT(weft__tokenizer_added(tok, 1), 1);
    CHECK_EQ_INT(weft__tokenizer_added(tok, 24), 4095);
    CHECK_EQ_INT(weft__tokenizer_added(tok, 25), -1);
    CHECK(!weft__tokenizer_token(tok, 4096) && !weft__tokenizer_token(tok, -1));
    CHECK(!weft__tokenizer_bytes(tok, 4096, &n) && n == 0);
    const char *bytes = weft__tokenizer_bytes(tok, 4095, &n);
    CHECK(n == 2 && memcmp(bytes, "  ", 2) == 0);
    int32_t the = weft__tokenizer_find(tok, "\xC4\xA0the");
    bytes = weft__tokenizer_bytes(tok, the, &n);
    CHECK(n == 4 && memcmp(bytes, " the", 4) == 0);
    for (int32_t id = 0; id < 4096; id++)
        CHECK_EQ_INT(weft__tokenizer_find(tok, weft__tokenizer_token(tok, id)), id);
    weft__tokenizer_destroy(tok);
}

/* Exact bytes, and the other forms of decoding. */
static void decode_forms(void)
{
    weft__tokenizer *tok = open_bundled();
    char *text;
    size_t n;
    weft_error err = { 0 };
    if (!tok) return;
    int32_t ids[] = { 0, byte_token(tok, 0xFF), byte_token(tok, 'a'), 100000 };
    CHECK_OK(weft__tokenizer_decode(tok, ids, 4, 0, &text, &n, &err), err);
    CHECK(n == 15 && memcmp(text,
                            "<|endoftext|>\xFF"
                            "a",
                            16) == 0);
    free(text);
    CHECK_OK(weft__tokenizer_decode(tok, ids, 4, WEFT__DECODE_SKIP_SPECIAL | WEFT__DECODE_LOSSY,
                                    &text, &n, &err),
             err);
    CHECK(n == 4 && memcmp(text, WEFT__REPLACEMENT "a", 5) == 0);
    free(text);
    CHECK_OK(weft__tokenizer_decode(tok, NULL, 0, 0, &text, &n, &err), err);
    CHECK(n == 0 && text && text[0] == 0);
    free(text);
    ids[2] = -7;
    CHECK_STATUS(weft__tokenizer_decode(tok, ids, 4, 0, &text, &n, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "id 2 is -7");
    CHECK(!text);
    weft__tokenizer_destroy(tok);
}

static void empty_text(void)
{
    weft__tokenizer *tok = open_bundled();
    int32_t *ids;
    size_t n;
    weft_error err = { 0 };
    if (!tok) return;
    CHECK_OK(weft__tokenizer_encode(tok, NULL, 0, 0, NULL, &ids, &n, &err), err);
    CHECK(ids && n == 0);
    free(ids);
    CHECK_STATUS(weft__tokenizer_encode(tok, NULL, 1, 0, NULL, &ids, &n, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft__tokenizer_encode(tok, "", SIZE_MAX, 0, NULL, &ids, &n, &err), WEFT_LIMIT, err);
    weft__tokenizer_destroy(tok);
}

/* Texts that make careless tokenizers quadratic; a megabyte each would then take longer
 * than the test may run. What comes back is the text. */
static void long_texts(void)
{
    static const char *const units[] = {
        "a", " ", "ab", "\n", "\xE5\x93\x88", "a\xCC\x81", "\xCC\x96\xCC\x81", "\xFF", "x9", "'s"
    };
    weft__tokenizer *tok = open_bundled();
    if (!tok) return;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t k = strlen(units[i]), n = (size_t)1000000 / k * k, n_ids, n_back;
        char *text = malloc(n), *back;
        int32_t *ids;
        weft_error err = { 0 };
        for (size_t j = 0; j < n; j++) text[j] = units[i][j % k];
        if (!CHECK_OK(weft__tokenizer_encode(tok, text, n, 0, NULL, &ids, &n_ids, &err), err)) continue;
        CHECK_OK(weft__tokenizer_decode(tok, ids, n_ids, 0, &back, &n_back, &err), err);
        bool changes = units[i][0] == '\xCC' || units[i][1] == '\xCC' || units[i][0] == '\xFF';
        CHECK(changes || (n_back == n && memcmp(back, text, n) == 0));
        free(back);
        free(ids);
        free(text);
    }
    weft__tokenizer_destroy(tok);
}

/* ---- the cache of words ---- */

/* Encodes a text of units, each a word of its own for the bundled tokenizer, and each unit alone: the ids must be the
 * same, although only the long text has the cache. */
static void check_words(const weft__tokenizer *tok, const char *units, const size_t *sizes,
                        size_t n)
{
    size_t total = 0, n_ids, at = 0;
    int32_t *ids, *alone;
    weft_error err = { 0 };
    for (size_t i = 0; i < n; i++) total += sizes[i];
    CHECK(total >= WEFT__CACHE_MIN_TEXT);
    if (!CHECK_OK(weft__tokenizer_encode(tok, units, total, 0, NULL, &ids, &n_ids, &err), err)) return;
    for (size_t i = 0, from = 0; i < n; from += sizes[i++]) {
        size_t k;
        if (!CHECK_OK(weft__tokenizer_encode(tok, units + from, sizes[i], 0, NULL, &alone, &k, &err),
                      err))
            break;
        bool same = at + k <= n_ids && memcmp(ids + at, alone, k * sizeof *ids) == 0;
        if (!CHECK(same)) printf("  word %zu of %zu, \"%.*s\"\n", i, n, (int)sizes[i], units + from);
        free(alone);
        if (!same) break;
        at += k;
    }
    CHECK_EQ_INT(at, n_ids);
    free(ids);
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
    weft__tokenizer *tok = open_bundled();
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
    weft__tokenizer_destroy(tok);
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
    weft__tokenizer *tok = open_bundled();
    if (!tok) return;
    check_words(tok, units, sizes, WORDS);
    weft__tokenizer_destroy(tok);
}

/* ---- threads ---- */

static const char shared_text[] =
    "Once upon a time, there was a little girl named Lily. e\xCC\x81 <|endoftext|>   x";

static void *encode_often(void *arg)
{
    const weft__tokenizer *tok = arg;
    uintptr_t sum = 0;
    for (int i = 0; i < 50; i++) {
        int32_t *ids;
        size_t n;
        if (weft__tokenizer_encode(tok, shared_text, sizeof shared_text - 1, 0, NULL, &ids, &n, NULL) !=
            WEFT_OK)
            return NULL;
        for (size_t k = 0; k < n; k++) sum = sum * 31 + (uintptr_t)ids[k];
        free(ids);
    }
    return (void *)(sum | 1);
}

static void threads(void)
{
    weft__tokenizer *tok = open_bundled();
    if (!tok) return;
    pthread_t thread[4];
    void *sum[4];
    for (int i = 0; i < 4; i++)
        if (!CHECK(pthread_create(&thread[i], NULL, encode_often, tok) == 0)) return;
    for (int i = 0; i < 4; i++) pthread_join(thread[i], &sum[i]);
    for (int i = 0; i < 4; i++) CHECK(sum[i] && sum[i] == sum[0]);
    weft__tokenizer_destroy(tok);
}

/* A long text tells how far it is, from its first byte to its last, and can be stopped at any report. */
static void long_texts_tell_and_stop(void)
{
    enum { SIZE = 300000 };
    weft__tokenizer *tok = open_bundled();
    char *text = malloc(SIZE);
    int64_t reports = 1;
    weft_error err;
    if (!tok || !CHECK(text != NULL)) return;
    for (size_t i = 0; i < SIZE; i++) text[i] = (char)(i % 7 ? 'a' + i * i % 26 : ' ');
    for (int64_t n = 0; n <= reports; n++) {
        progress_log log = { .cancel_at = n };
        weft_progress_sink sink = progress_sink(&log);
        int32_t *ids;
        size_t n_ids;
        weft_status s = weft__tokenizer_encode(tok, text, SIZE, 0, &sink, &ids, &n_ids, &err);
        CHECK_EQ_INT(s, log.cancelled ? WEFT_CANCELLED : WEFT_OK);
        CHECK(!s == (ids != NULL));
        if (s) reports = n + 1; /* one more than was reached */
        else CHECK(progress_of(&log, "encoding", 1) == reports && log.last.total == SIZE);
        free(ids);
    }
    CHECK(reports > 1 + 3);
    progress_log quiet = { .cancel_at = 0 };
    weft_progress_sink sink = progress_sink(&quiet);
    int32_t *ids;
    size_t n_ids;
    CHECK_OK(weft__tokenizer_encode(tok, text, 1000, 0, &sink, &ids, &n_ids, &err), err);
    CHECK_EQ_INT(quiet.n, 0);
    free(ids);
    free(text);
    weft__tokenizer_destroy(tok);
}

static const weft_test tests[] = {
    { "stream_bytes", stream_bytes }, { "stream_reuse", stream_reuse },
    { "accessors", accessors },       { "decode_forms", decode_forms },
    { "empty_text", empty_text },     { "long_texts", long_texts },
    { "threads", threads },           { "colliding_words", colliding_words },
    { "alike_words", alike_words },   { "long texts tell and stop", long_texts_tell_and_stop },
};
TEST_MAIN(tests)
