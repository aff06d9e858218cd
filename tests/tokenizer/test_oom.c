/* test_oom.c: opening, encoding and decoding with every allocation failing in turn: OOM each time,
 * nothing leaked. */
#include "tests/checkpoint/temp.h"
#include "tests/oom.h"

#include <jansson.h>
#include <stdlib.h>

#include "models/checkpoint/file.h"
#include "models/tokenizer/files.h"
#include "models/tokenizer/gguf.h"
#include "models/tokenizer/vocab.h"

/* Small, but with every part that allocates. */
static const char file[] = "{\"added_tokens\":["
                           "{\"id\":4,\"content\":\"<x>\",\"special\":true,\"normalized\":false,"
                           "\"single_word\":false,\"lstrip\":false,"
                           "\"rstrip\":false},"
                           "{\"id\":5,\"content\":\"e\xCC\x81\",\"special\":false,\"normalized\":"
                           "true,\"single_word\":false,\"lstrip\":false,"
                           "\"rstrip\":false}],"
                           "\"normalizer\":{\"type\":\"NFC\"},"
                           "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
                           "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}\"},\"behavior\":"
                           "\"Isolated\",\"invert\":false},"
                           "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}]},"
                           "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
                           "\"SpecialToken\":{\"id\":\"<x>\"}},"
                           "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"<x>\"}}],"
                           "\"special_tokens\":{\"<x>\":{\"ids\":[4]}}},"
                           "\"decoder\":{\"type\":\"ByteLevel\"},"
                           "\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"a\":0,"
                           "\"b\":1,\"ab\":2,\"\xC4\xA0\":3},"
                           "\"merges\":[\"a b\"]}}";

static void opening(void)
{
    json_set_alloc_funcs(malloc, free); /* those of oom.c: the linker sends the names there */
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_tokenizer *tok;
        weft_status status = weft_tokenizer_parse(file, sizeof file - 1, "x", &tok, &err);
        OOM_CHECK(status, err);
        weft_tokenizer_close(tok);
    }
}

/* All that may lie beside it, and what is read where it is not there. */
static void opening_folders(void)
{
#define TEXT(kind, text) [kind] = { NULL, text, sizeof(text) - 1 }
#define VOCAB            "{\"a\":0,\"b\":1,\"ab\":2}"
    static const weft__tokenizer_file folders[][WEFT__N_FILES] = {
        { TEXT(WEFT__FILE_TOKENIZER, file),
          TEXT(WEFT__FILE_CONFIG, "{\"add_bos_token\":false,\"auto_map\":1,\"y_token\":\"<y>\"}"),
          TEXT(WEFT__FILE_SPECIAL, "{\"bos_token\":\"<x>\",\"pad_token\":{\"content\":\"<p>\"}}"),
          TEXT(WEFT__FILE_ADDED, "{\"<b>\":9,\"<a>\":8}") },
        { TEXT(WEFT__FILE_TOKENIZER, file),
          TEXT(WEFT__FILE_CONFIG, "{\"added_tokens_decoder\":{\"9\":{\"content\":\"<b>\"},\"7\":{\"content\":\"<a>\"}},"
                                  "\"extra_special_tokens\":{\"k\":\"<k>\"}}") },
        { TEXT(WEFT__FILE_VOCAB, VOCAB), TEXT(WEFT__FILE_MERGES, "a b\n"),
          TEXT(WEFT__FILE_CONFIG,
               "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"add_eos_token\":true}") },
        { TEXT(WEFT__FILE_VOCAB, VOCAB), TEXT(WEFT__FILE_MERGES, "a b\n"),
          TEXT(WEFT__FILE_MODEL, "{\"model_type\":\"gpt_neox\"}") },
    };
    json_set_alloc_funcs(malloc, free);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    {
        OOM_LOOP(n)
        {
            weft_error err = { 0 };
            weft_tokenizer *tok;
            weft_status status = weft__tokenizer_parse_files(folders[i], &tok, &err);
            OOM_CHECK(status, err);
            CHECK((status == WEFT_OK) == (tok != NULL));
            weft_tokenizer_close(tok);
        }
    }
}

/* Opening a folder for its text alone, where its configuration names the token that begins one. */
static void opening_a_path(void)
{
    temp_folder t = temp_make();
    temp_write_text(&t, "tokenizer.json", file);
    temp_write_text(&t, "config.json", "{\"bos_token_id\":2}");
    json_set_alloc_funcs(malloc, free);
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_tokenizer *tok;
        weft_status status = weft_tokenizer_open(t.path, &tok, &err);
        OOM_CHECK(status, err);
        CHECK((status == WEFT_OK) == (tok != NULL));
        weft_tokenizer_close(tok);
    }
    temp_remove(&t);
}

/* The metadata of GGUF files. */
#define GGUF     "GGUF\3\0\0\0\0\0\0\0\0\0\0\0"
#define TEXT_KEY(n, key)  n "\0\0\0\0\0\0\0" "tokenizer.ggml." key "\x8\0\0\0"
#define ARRAY_KEY(n, key) n "\0\0\0\0\0\0\0" "tokenizer.ggml." key "\x9\0\0\0"
#define ONE   "\1\0\0\0\0\0\0\0"
#define TWO   "\2\0\0\0\0\0\0\0"
#define THREE "\3\0\0\0\0\0\0\0"
#define FOUR  "\4\0\0\0\0\0\0\0"
#define FIVE  "\5\0\0\0\0\0\0\0"
#define TOKENS ARRAY_KEY("\x15", "tokens") "\x8\0\0\0" THREE ONE "a" ONE "b" TWO "ab"
#define TYPES  ARRAY_KEY("\x19", "token_type") "\x5\0\0\0" THREE "\1\0\0\0" "\4\0\0\0" "\1\0\0\0"

static void gguf_files(void)
{
    static const char gpt2[] = GGUF FIVE TEXT_KEY("\x14", "model") FOUR "gpt2" TEXT_KEY("\x12", "pre") FIVE "qwen2"
        TOKENS TYPES ARRAY_KEY("\x15", "merges") "\x8\0\0\0" ONE THREE "a b";
    static const char llama[] = GGUF TWO TEXT_KEY("\x14", "model") FIVE "llama" TOKENS;
    static const char t5[] = GGUF TWO TEXT_KEY("\x14", "model") TWO "t5" TOKENS;
    static const char bert[] = GGUF TWO TEXT_KEY("\x14", "model") FOUR "bert" TOKENS;
    static const weft__span files[] = { { gpt2, sizeof gpt2 - 1 }, { llama, sizeof llama - 1 }, { t5, sizeof t5 - 1 },
                                        { bert, sizeof bert - 1 } };
    json_set_alloc_funcs(malloc, free);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    {
        weft_error err = { 0 };
        weft__gguf_file *f;
        if (!CHECK_OK(weft__gguf_parse(files[i].data, files[i].n, "x.gguf", &f, &err), err)) continue;
        OOM_LOOP(n)
        {
            weft_tokenizer *tok;
            weft_status status = weft__tokenizer_from_gguf(f, -1, &tok, &err);
            OOM_CHECK(status, err);
            CHECK((status == WEFT_OK) == (tok != NULL));
            weft_tokenizer_close(tok);
        }
        weft__gguf_close(f);
    }
}

static void encoding(void)
{
    /* Long enough for the cache of words; marks enough for the counting sort; something broken. */
    static char text[4096];
    for (size_t i = 0; i < sizeof text; i += 8) memcpy(text + i, "ab a1 \xFFq", 8);
    for (size_t i = 1000; i < 1200; i += 4) memcpy(text + i, "\xCC\x81\xCC\x96", 4);
    weft_tokenizer *tok;
    weft_error err = { 0 };
    if (!CHECK_OK(weft_tokenizer_parse(file, sizeof file - 1, "x", &tok, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_tokens t;
        weft_encode_desc desc = { .bos = n % 2 ? WEFT_BOS_AS_FILES : WEFT_BOS_OFF };
        weft_status status = weft_tokenizer_encode(tok, text, sizeof text, &desc, &t, &err);
        OOM_CHECK(status, err);
        CHECK((status == WEFT_OK) == (t.ids != NULL));
        weft_tokens_free(&t);
    }
    weft_tokenizer_close(tok);
}

static void decoding(void)
{
    static const int32_t ids[] = { 0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1 };
    weft_tokenizer *tok;
    weft_error err = { 0 };
    if (!CHECK_OK(weft_tokenizer_parse(file, sizeof file - 1, "x", &tok, &err), err)) return;
    OOM_LOOP(n)
    {
        weft_text text;
        weft_decode_desc desc = { .repair = true };
        weft_status status = weft_tokenizer_decode(tok, ids, sizeof ids / sizeof *ids, &desc, &text, &err);
        OOM_CHECK(status, err);
        weft_text_free(&text);
    }
    OOM_LOOP(n)
    {
        static const char *const stop[] = { "ab", "" };
        weft_token_stream *stream;
        weft_token_stream_desc desc = { .stop = stop, .n_stop = 2 };
        weft_status status = weft_token_stream_create(tok, &desc, &stream, &err);
        OOM_CHECK(status, err);
        CHECK((status == WEFT_OK) == (stream != NULL));
        weft_token_stream_destroy(stream);
    }
    weft_tokenizer_close(tok);
}

/* Files of the fuzzer's corpus, which have every kind of component between them. First of all, as long as jansson has
 * its own allocator: it does not survive a failure within a long string. */
static void other_components(void)
{
    static const char *const names[] = { "llama.json",     "metaspace.json", "unigram.json",
                                         "wordpiece.json", "affixes.json",   "regexes.json" };
    static const char text[] = "<x> ab-a  A1\xEF\xAC\x81 e\xCC\x81q \xFF.";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], *data;
        size_t n_data;
        weft_tokenizer *tok = NULL;
        weft_error err = { 0 };
        weft_tokens t;
        weft_text back;
        snprintf(path, sizeof path, WEFT_TEST_ROOT "/tests/tokenizer/corpus/file/%s", names[i]);
        if (!CHECK_OK(weft__file_read(path, 65536, &data, &n_data, &err), err)) continue;
        OOM_LOOP(n)
        {
            weft_status status = weft_tokenizer_parse(data, n_data, "x", &tok, &err);
            OOM_CHECK(status, err);
            weft_tokenizer_close(tok);
        }
        if (!CHECK_OK(weft_tokenizer_parse(data, n_data, "x", &tok, &err), err)) continue;
        OOM_LOOP(n)
        {
            weft_status status = weft_tokenizer_encode(tok, text, sizeof text - 1, NULL, &t, &err);
            OOM_CHECK(status, err);
            weft_tokens_free(&t);
        }
        static const int32_t ids[] = { 4, 5, 5, 2, 1, 3, 0 };
        OOM_LOOP(n)
        {
            weft_decode_desc desc = { .repair = n % 2 };
            weft_status status = weft_tokenizer_decode(tok, ids, sizeof ids / sizeof *ids, &desc, &back, &err);
            OOM_CHECK(status, err);
            weft_text_free(&back);
        }
        OOM_LOOP(n)
        {
            weft_token_stream *stream;
            weft_status status = weft_token_stream_create(tok, NULL, &stream, &err);
            OOM_CHECK(status, err);
            weft_token_stream_destroy(stream);
        }
        weft_tokenizer_close(tok);
        free(data);
    }
}

static const weft_test tests[] = { { "other_components", other_components },
                                   { "opening", opening },
                                   { "opening_folders", opening_folders },
                                   { "opening_a_path", opening_a_path },
                                   { "gguf_files", gguf_files },
                                   { "encoding", encoding },
                                   { "decoding", decoding } };
TEST_MAIN(tests)
