/* gguf_kinds.c: what each kind of tokenizer does, told in the components of a tokenizer.json. */
#include "gguf_kinds.h"

#include <stdlib.h>
#include <string.h>

#define SPACE "\xE2\x96\x81" /* U+2581 */

bool weft__gguf_flag(const weft__gguf_file *f, const char *key, bool otherwise)
{
    int64_t value;
    return weft__gguf_integer(weft__gguf_find(f, key), 0, &value) ? value != 0 : otherwise;
}

/* Neither part is empty, and the first may begin with the space. */
bool weft__gguf_merge(const void *merges, size_t i, weft__span *left, weft__span *right)
{
    weft__gguf_string text;
    if (!weft__gguf_text(merges, i, &text) || text.size < 3) return false;
    const char *space = memchr(text.text + 1, ' ', text.size - 1);
    if (!space || space + 1 == text.text + text.size) return false;
    *left = (weft__span){ text.text, (size_t)(space - text.text) };
    *right = (weft__span){ space + 1, text.size - left->n - 1 };
    return true;
}

/* Takes the parts, which may be NULL: out of memory. */
static weft_status put(json_t *root, const char *key, json_t *part, weft_error *err)
{
    return json_object_set_new(root, key, part) == 0 ? WEFT_OK : WEFT_OOM_FAIL(err, "a tokenizer");
}

static json_t *replace(const char *what, const char *with)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", what, "content", with);
}

static json_t *sequence(const char *list, json_t *steps)
{
    return json_pack("{s:s, s:o}", "type", "Sequence", list, steps);
}

/* ---- SentencePiece's BPE ---- */

/* Spaces become U+2581 and back; `lead`: each stretch of text gets one in front, which the whole text loses again. */
static weft_status shape_spaces(json_t *root, bool lead, weft_error *err)
{
    json_t *prepend = json_pack("{s:s, s:s}", "type", "Prepend", "prepend", SPACE);
    json_t *normalizers = json_pack("[o, o]", prepend, replace(" ", SPACE));
    if (normalizers && !lead) json_array_remove(normalizers, 0);
    WEFT_TRY(put(root, "normalizer", sequence("normalizers", normalizers), err));
    json_t *strip = json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0);
    json_t *decoders =
        json_pack("[o, {s:s}, {s:s}, o]", replace(SPACE, " "), "type", "ByteFallback", "type", "Fuse", strip);
    if (decoders && !lead) json_array_remove(decoders, 3);
    WEFT_TRY(put(root, "decoder", sequence("decoders", decoders), err));
    json_t *model = json_pack("{s:s, s:b, s:b, s:[]}", "type", "BPE", "byte_fallback", 1, "fuse_unk", 1, "merges");
    return put(root, "model", model, err);
}

static weft_status shape_llama(const weft__gguf_file *f, const weft__gguf_pre *pre, json_t *root, weft_error *err)
{
    (void)pre;
    return shape_spaces(root, weft__gguf_flag(f, "tokenizer.ggml.add_space_prefix", true), err);
}

static weft_status shape_gemma(const weft__gguf_file *f, const weft__gguf_pre *pre, json_t *root, weft_error *err)
{
    (void)pre;
    return shape_spaces(root, weft__gguf_flag(f, "tokenizer.ggml.add_space_prefix", false), err);
}

/* ---- byte-level BPE ---- */

static weft_status shape_gpt2(const weft__gguf_file *f, const weft__gguf_pre *pre, json_t *root, weft_error *err)
{
    if (pre->flags & WEFT__PRE_RAW) return shape_gemma(f, pre, root, err);
    int whole = (pre->flags & WEFT__PRE_WHOLE) != 0;
    WEFT_TRY(weft__gguf_pre_add(pre, root, err));
    WEFT_TRY(put(root, "decoder", json_pack("{s:s}", "type", "ByteLevel"), err));
    return put(root, "model", json_pack("{s:s, s:b, s:[]}", "type", "BPE", "ignore_merges", whole, "merges"), err);
}

/* ---- WordPiece ---- */

static weft_status shape_bert(const weft__gguf_file *f, const weft__gguf_pre *pre, json_t *root, weft_error *err)
{
    (void)pre;
    bool lower = weft__gguf_flag(f, "tokenizer.ggml.normalizer.lowercase", true);
    bool accents = weft__gguf_flag(f, "tokenizer.ggml.normalizer.strip_accents", lower);
    json_t *normalizer = json_pack("{s:s, s:b, s:b, s:b, s:b}", "type", "BertNormalizer", "clean_text", 1,
                                   "handle_chinese_chars", 1, "strip_accents", (int)accents, "lowercase", (int)lower);
    WEFT_TRY(put(root, "normalizer", normalizer, err));
    WEFT_TRY(put(root, "pre_tokenizer", json_pack("{s:s}", "type", "BertPreTokenizer"), err));
    json_t *decoder = json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1);
    WEFT_TRY(put(root, "decoder", decoder, err));
    json_t *model = json_pack("{s:s, s:i, s:s}", "type", "WordPiece", "max_input_chars_per_word", 100,
                              "continuing_subword_prefix", "##");
    return put(root, "model", model, err);
}

/* ---- Unigram ---- */

/* The bytes of an array as base64; NULL: out of memory, or they are none. */
static char *to_base64(const weft__gguf_value *v)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = (size_t)v->count;
    char *out = n <= SIZE_MAX / 2 ? malloc((n + 2) / 3 * 4 + 1) : NULL, *at = out;
    for (size_t i = 0; out && i < n; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            int64_t byte = 0;
            if (i + k < n && !weft__gguf_integer(v, i + k, &byte)) goto none;
            bits = bits << 8 | (uint32_t)(byte & 255);
        }
        for (unsigned k = 0; k < 4; k++) *at++ = i + k > n ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    if (out) *at = 0;
    return out;
none:
    free(out);
    return NULL;
}

static weft_status shape_t5(const weft__gguf_file *f, const weft__gguf_pre *pre, json_t *root, weft_error *err)
{
    (void)pre;
    const weft__gguf_value *map = weft__gguf_find(f, "tokenizer.ggml.precompiled_charsmap");
    bool lead = weft__gguf_flag(f, "tokenizer.ggml.add_space_prefix", true);
    bool merge = weft__gguf_flag(f, "tokenizer.ggml.remove_extra_whitespaces", true);
    if (map && map->count) {
        char *text = to_base64(map);
        if (!text) return WEFT_FAIL(err, WEFT_FORMAT, "tokenizer.ggml.precompiled_charsmap is not an array of bytes");
        json_t *part = json_pack("{s:s, s:s}", "type", "Precompiled", "precompiled_charsmap", text);
        free(text);
        WEFT_TRY(put(root, "normalizer", part, err));
    }
    json_t *space = json_pack("{s:s, s:s, s:s}", "type", "Metaspace", "replacement", SPACE, "prepend_scheme",
                              lead ? "always" : "never");
    json_t *steps = json_pack("[{s:s}, O]", "type", "WhitespaceSplit", space);
    if (steps && !merge) json_array_remove(steps, 0);
    weft_status status = put(root, "pre_tokenizer", sequence("pretokenizers", steps), err);
    if (status == WEFT_OK) status = put(root, "decoder", json_incref(space), err);
    json_decref(space);
    WEFT_TRY(status);
    return put(root, "model", json_pack("{s:s, s:[]}", "type", "Unigram", "vocab"), err);
}

/* ---- kinds ---- */

/* What stands where the file says nothing is as llama.cpp has it. */
static const weft__gguf_kind kinds[] = {
    { "llama", shape_llama, .scores = true, .raw = true, .add_bos = true, .bos = 1, .eos = 2, .unk = 0, .sep = -1,
      .pad = -1, .mask = -1 },
    { "gpt2", shape_gpt2, .merges = true, .bos = -1, .eos = -1, .unk = -1, .sep = -1, .pad = -1, .mask = -1 },
    { "gemma4", shape_gemma, .merges = true, .raw = true, .add_bos = true, .bos = -1, .eos = -1, .unk = -1, .sep = -1,
      .pad = -1, .mask = -1 },
    { "bert", shape_bert, .raw = true, .wordpiece = true, .add_bos = true, .bos = 101, .eos = -1, .unk = 100,
      .sep = 102, .pad = 0, .mask = 103 },
    { "t5", shape_t5, .scores = true, .raw = true, .add_eos = true, .bos = -1, .eos = 1, .unk = 2, .sep = -1, .pad = 0,
      .mask = -1 },
};

const weft__gguf_kind *weft__gguf_kind_find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].name) == n && memcmp(kinds[i].name, name, n) == 0) return &kinds[i];
    return NULL;
}
