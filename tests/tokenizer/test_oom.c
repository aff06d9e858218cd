/* test_oom.c: opening, encoding and decoding with every allocation failing in turn: OOM each time,
 * nothing leaked. */
#include "tests/oom.h"

#include <jansson.h>
#include <stdlib.h>

#include "models/tokenizer/tokenizer.h"

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
        weft__tokenizer *tok;
        weft_status status = weft__tokenizer_parse(file, sizeof file - 1, "x", &tok, &err);
        OOM_CHECK(status, err);
        weft__tokenizer_destroy(tok);
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
            weft__tokenizer *tok;
            weft_status status = weft__tokenizer_parse_files(folders[i], &tok, &err);
            OOM_CHECK(status, err);
            CHECK((status == WEFT_OK) == (tok != NULL));
            weft__tokenizer_destroy(tok);
        }
    }
}

static void encoding(void)
{
    /* Long enough for the cache of words; marks enough for the counting sort; something broken. */
    static char text[4096];
    for (size_t i = 0; i < sizeof text; i += 8) memcpy(text + i, "ab a1 \xFFq", 8);
    for (size_t i = 1000; i < 1200; i += 4) memcpy(text + i, "\xCC\x81\xCC\x96", 4);
    weft__tokenizer *tok;
    weft_error err = { 0 };
    if (!CHECK_OK(weft__tokenizer_parse(file, sizeof file - 1, "x", &tok, &err), err)) return;
    OOM_LOOP(n)
    {
        int32_t *ids;
        size_t n_ids;
        weft_status status = weft__tokenizer_encode(tok, text, sizeof text, 0, NULL, &ids, &n_ids, &err);
        OOM_CHECK(status, err);
        CHECK((status == WEFT_OK) == (ids != NULL));
        free(ids);
    }
    weft__tokenizer_destroy(tok);
}

static void decoding(void)
{
    static const int32_t ids[] = { 0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1 };
    weft__tokenizer *tok;
    weft_error err = { 0 };
    if (!CHECK_OK(weft__tokenizer_parse(file, sizeof file - 1, "x", &tok, &err), err)) return;
    OOM_LOOP(n)
    {
        char *text;
        size_t size;
        weft_status status = weft__tokenizer_decode(tok, ids, sizeof ids / sizeof *ids,
                                                    WEFT__DECODE_LOSSY, &text, &size, &err);
        OOM_CHECK(status, err);
        free(text);
    }
    OOM_LOOP(n)
    {
        weft__token_stream stream;
        weft_status status = weft__token_stream_init(&stream, tok, false, &err);
        OOM_CHECK(status, err);
        weft__token_stream_free(&stream);
    }
    weft__tokenizer_destroy(tok);
}

static const weft_test tests[] = { { "opening", opening },
                                   { "opening_folders", opening_folders },
                                   { "encoding", encoding },
                                   { "decoding", decoding } };
TEST_MAIN(tests)
