/* fuzz_tokenizer_pipelines.c: any bytes as text for the tokenizers of pipelines.json; the first one chooses which, the
 * second how. Ids lie in the vocabulary, and a stream gives what decoding gives. The bytes are tried as ids, too. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SETS_MAX = 64 };

static size_t open_all(weft_tokenizer *tok[SETS_MAX])
{
    json_t *root = json_load_file(WEFT_TEST_ROOT "/tests/tokenizer/pipelines.json", JSON_ALLOW_NUL, NULL);
    json_t *models = json_object_get(root, "models"), *sets = json_object_get(root, "sets"), *set;
    size_t i;
    if (!json_array_size(sets) || json_array_size(sets) > SETS_MAX) abort();
    json_array_foreach(sets, i, set)
    {
        json_t *file = json_object_get(set, "file");
        json_t *model = json_deep_copy(json_object_get(models, json_string_value(json_object_get(set, "model"))));
        json_object_update(model, json_object_get(set, "options"));
        json_object_set_new(file, "model", model);
        char *text = json_dumps(file, JSON_COMPACT);
        if (!text || weft_tokenizer_parse(text, strlen(text), "x", &tok[i], NULL) != WEFT_OK) abort();
        free(text);
    }
    size_t n = json_array_size(sets);
    json_decref(root);
    return n;
}

static void check_ids(const weft_tokenizer *tok, const int32_t *ids, size_t n, bool skip_special)
{
    weft_text text;
    weft_decode_desc desc = { .skip_special = skip_special, .repair = true };
    weft_token_stream *stream;
    weft_token_stream_desc how = { .keep_special = !skip_special };
    size_t at = 0, k;
    if (weft_tokenizer_decode(tok, ids, n, &desc, &text, NULL) != WEFT_OK) abort();
    if (!weft__utf8_is_valid(text.data, text.size)) abort();
    if (weft_token_stream_create(tok, &how, &stream, NULL) != WEFT_OK) abort();
    for (size_t i = 0; i <= n; i++) {
        const char *piece = i < n ? weft_token_stream_push(stream, ids[i], &k) : weft_token_stream_finish(stream, &k);
        if (!weft__utf8_is_valid(piece, k) || k > text.size - at || memcmp(piece, text.data + at, k) != 0) abort();
        at += k;
    }
    if (at != text.size) abort();
    weft_token_stream_destroy(stream);
    weft_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static weft_tokenizer *tok[SETS_MAX];
    static size_t n_sets;
    if (!n_sets) n_sets = open_all(tok);
    if (size < 2) return 0;
    const weft_tokenizer *t = tok[data[0] % n_sets];
    bool skip = data[1] & 1;
    weft_encode_desc how = { .special_as_text = data[1] & 2, .no_template = data[1] & 4 };
    weft_tokens ids;
    weft_status status = weft_tokenizer_encode(t, (const char *)data + 2, size - 2, &how, &ids, NULL);
    if (status == WEFT_OK) {
        for (size_t i = 0; i < ids.n; i++)
            if (!weft_tokenizer_token(t, ids.ids[i])) abort();
        check_ids(t, ids.ids, ids.n, skip);
        weft_tokens_free(&ids);
    } else if (status != WEFT_LIMIT) {
        abort();
    }
    int32_t raw[256];
    size_t n = size - 2 < 256 ? size - 2 : 256;
    for (size_t i = 0; i < n; i++) raw[i] = data[i + 2];
    check_ids(t, raw, n, skip);
    return 0;
}
