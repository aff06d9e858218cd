/* test_decode.c: every decoder and what they do one after the other, token by token and as a whole. The texts are those
 * that Tokenizer.decode of tokenizers 0.23.3 gives. */
#include "support.h"

#include "models/tokenizer/unicode.h"

enum { TOKENS_MAX = 24 };

static const struct {
    const char *decoder; /* with ' for " */
    const char *tokens[TOKENS_MAX], *text;
} rows[] = {
    { "null",
      { "a", "b", " c" }, "a b  c" },
    { "{'type': 'Sequence', 'decoders': []}",
      { "a", "b" }, "ab" },
    { "{'type': 'Fuse'}",
      { "a", " ", "b" }, "a b" },
    { "{'type': 'Strip', 'content': '_', 'start': 1, 'stop': 0}",
      { "_a", "__b", "c_", "_" }, "a_bc_" },
    { "{'type': 'Strip', 'content': '_', 'start': 1, 'stop': 1}",
      { "_a_", "__b__", "c_", "ab" }, "a_b_cab" },
    { "{'type': 'Strip', 'content': 'é', 'start': 2, 'stop': 0}",
      { "éa", "éééb" }, "aéb" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Strip', 'content': '_', 'start': 2, "
      "'stop': 0}]}",
      { "_", "_", "_a", "_b" }, "_a_b" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Strip', 'content': '_', 'start': 1, "
      "'stop': 2}]}",
      { "_", "_a", "_", "_", "b_", "__" }, "_a__b_" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Strip', 'content': '_', 'start': 0, "
      "'stop': 1}]}",
      { "a", "_", "_" }, "a_" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Strip', 'content': 'é', 'start': 0, "
      "'stop': 2}]}",
      { "éé", "aé", "éé" }, "ééaé" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Strip', 'content': '_', 'start': 1, "
      "'stop': 0}, {'type': 'Strip', 'content': 'a', 'start': 1, 'stop': 1}]}",
      { "__a", "a", "ba" }, "_aab" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': 'ab'}, 'content': 'xyz'}, "
      "{'type': 'Replace', 'pattern': {'String': 'z'}, 'content': ''}]}",
      { "abab", "a", "b", "zabz" }, "xyxyabxy" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'}]}",
      { "<0x41>", "<0xC3>", "<0xA9>", "b" }, "Aéb" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'}]}",
      { "<0x41>", "<0xC3>", "b" }, "��b" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'}]}",
      { "<0xC3>", "<0xA9>", "<0xFF>", "<0x41>", "b" }, "����b" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'}]}",
      { "<0xE2>", "<0x82>" }, "��" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'}]}",
      { "<0xc3>", "<0xa9>", "<0x+5>", "<0xG1>", "<0x1>", "<0x123>" }, "é<0xG1><0x1><0x123>" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'}, {'type': 'Metaspace', 'replacement': '_'}]}",
      { "<0x5F>", "<0x41>", "_a", "<0xFF>", "<0xFF>", "_" }, "A a�� " },
    { "{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 'always'}",
      { "_a_", "_b", "c" }, "a bc" },
    { "{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 'never'}",
      { "_a_", "_b", "c" }, " a  bc" },
    { "{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'first'}",
      { "▁", "▁a", "b" }, " ab" },
    { "{'type': 'WordPiece', 'prefix': '##', 'cleanup': true}",
      { "##a", "b", "##c", "##", "do", "not", "it", "'", "s", "'s", "n't", "'m", "'re", ".", ",", "?", "!",
        "do not", "' ", "a ' b" }, "##a bc do not it ' s'sn't'm're.,?! don't' a'b" },
    { "{'type': 'WordPiece', 'prefix': '##', 'cleanup': false}",
      { "a", ".", "##b", "!" }, "a .b !" },
    { "{'type': 'WordPiece', 'prefix': '', 'cleanup': true}",
      { "a", "b" }, "ab" },
    { "{'type': 'BPEDecoder', 'suffix': '</w>'}",
      { "a</w>", "b", "c</w>", "d</w>" }, "a bc d" },
    { "{'type': 'BPEDecoder', 'suffix': '</w>'}",
      { "a</w></w>b" }, "ab" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'BPEDecoder', 'suffix': '_'}, {'type': 'WordPiece', "
      "'prefix': 'a', 'cleanup': false}]}",
      { "a_", "ab_", "c_" }, "a b  c" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '_'}, 'content': ' '}, "
      "{'type': 'ByteLevel'}]}",
      { "Ġa_", "ĠÃ", "©" }, "Ġa  é" },
    { "{'type': 'Sequence', 'decoders': [{'type': 'ByteLevel'}, {'type': 'Fuse'}, {'type': 'Strip', "
      "'content': ' ', 'start': 1, 'stop': 0}]}",
      { "ĠĠa", "Ġb" }, " a b" },
};

/* A tokenizer whose tokens are those of a row, with their ids. */
static weft_tokenizer *open_row(const char *decoder, const char *const *tokens, int32_t *ids, size_t *n)
{
    char quoted[1024];
    json_t *vocab = json_object();
    size_t k = 0;
    for (; decoder[k] && k + 1 < sizeof quoted; k++) quoted[k] = decoder[k] == '\'' ? '"' : decoder[k];
    quoted[k] = 0;
    for (*n = 0; *n < TOKENS_MAX && tokens[*n]; ++*n) {
        if (!json_object_get(vocab, tokens[*n]))
            json_object_set_new(vocab, tokens[*n], json_integer((json_int_t)json_object_size(vocab)));
        ids[*n] = (int32_t)json_integer_value(json_object_get(vocab, tokens[*n]));
    }
    json_t *file = json_pack("{s:o, s:{s:s, s:o, s:[]}}", "decoder", json_loads(quoted, JSON_DECODE_ANY, NULL), "model",
                             "type", "BPE", "vocab", vocab, "merges");
    weft_tokenizer *tok = NULL;
    weft_error err;
    CHECK_OK(parse_tree(file, &tok, &err), err);
    json_decref(file);
    return tok;
}

/* What a stream gives, in one piece. */
static weft__bytes streamed(const weft_tokenizer *tok, const int32_t *ids, size_t n)
{
    weft_token_stream *stream;
    weft_error err;
    weft__bytes all = { 0 };
    if (!CHECK_OK(weft_token_stream_create(tok, NULL, &stream, &err), err)) return all;
    for (size_t i = 0; i <= n; i++) {
        size_t k;
        const char *piece = i < n ? weft_token_stream_push(stream, ids[i], &k) : weft_token_stream_finish(stream, &k);
        CHECK(weft__utf8_is_valid(piece, k) && weft__bytes_append(&all, piece, k));
    }
    weft_token_stream_destroy(stream);
    return all;
}

static bool decodes(const weft_tokenizer *tok, const int32_t *ids, size_t n, const char *want, size_t n_want)
{
    static const weft_decode_desc repaired = { .repair = true };
    weft_text text;
    weft_error err;
    if (!CHECK_OK(weft_tokenizer_decode(tok, ids, n, &repaired, &text, &err), err)) return false;
    bool same = text.size == n_want && memcmp(text.data, want, n_want) == 0;
    if (!CHECK(same)) printf("  decoded \"%s\", not \"%s\"\n", text.data, want);
    weft__bytes all = streamed(tok, ids, n);
    if (!CHECK(all.size == n_want && (n_want == 0 || memcmp(all.data, want, n_want) == 0)))
        printf("  streamed \"%.*s\", not \"%s\"\n", (int)all.size, all.data, want);
    free(all.data);
    weft_text_free(&text);
    return same;
}

static void every_row(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t ids[TOKENS_MAX];
        size_t n;
        weft_tokenizer *tok = open_row(rows[i].decoder, rows[i].tokens, ids, &n);
        if (tok && !decodes(tok, ids, n, rows[i].text, strlen(rows[i].text))) printf("  with %s\n", rows[i].decoder);
        weft_tokenizer_close(tok);
    }
}

/* Of a very long run of byte tokens what is full comes out; the rest is as decided at its end. */
static void long_run(void)
{
    static const char *const tokens[] = { "<0xC3>", "<0xA9>", "a", NULL };
    enum { PAIRS = 5000 };
    static int32_t ids[2 * PAIRS + 1];
    static char want[2 * PAIRS + 16];
    size_t n;
    weft_tokenizer *tok = open_row("{'type': 'ByteFallback'}", tokens, ids, &n);
    if (!tok) return;
    for (size_t i = 0; i < PAIRS; i++) {
        ids[2 * i] = 0;
        ids[2 * i + 1] = 1;
        memcpy(want + 2 * i, "\xC3\xA9", 2);
    }
    ids[2 * PAIRS] = 2;
    memcpy(want + 2 * PAIRS, "a", 2);
    decodes(tok, ids, 2 * PAIRS + 1, want, 2 * PAIRS + 1);
    weft_tokenizer_close(tok);
}

/* The bytes of tokens within a text, and the raw bytes of a text that is not UTF-8. */
static void token_bytes(void)
{
    static const char decoder[] =
        "{'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '_'}, 'content': ' '}, "
        "{'type': 'ByteFallback'}, {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]}";
    static const char *const tokens[] = { "_the", "<0xC3>", "_", NULL };
    int32_t ids[TOKENS_MAX];
    size_t n, k;
    weft_text text;
    weft_error err;
    weft_tokenizer *tok = open_row(decoder, tokens, ids, &n);
    if (!tok) return;
    const char *bytes = weft_tokenizer_bytes(tok, 0, &k);
    CHECK(k == 4 && memcmp(bytes, " the", 4) == 0);
    bytes = weft_tokenizer_bytes(tok, 1, &k);
    CHECK(k == 1 && *bytes == '\xC3');
    bytes = weft_tokenizer_bytes(tok, 2, &k);
    CHECK(k == 1 && *bytes == ' ');
    if (CHECK_OK(weft_tokenizer_decode(tok, ids, n, NULL, &text, &err), err)) {
        CHECK(text.size == 5 && memcmp(text.data, "the\xC3 ", 5) == 0);
        weft_text_free(&text);
    }
    weft_tokenizer_close(tok);
}

static const weft_test tests[] = { { "every_row", every_row },
                                   { "long_run", long_run },
                                   { "token_bytes", token_bytes } };
TEST_MAIN(tests)
