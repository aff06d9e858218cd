/* test_vectors.c: every vector of vectors.json, encoded and decoded; and the character classes it
 * lists. */
#include "support.h"

#include "models/tokenizer/classes.h"
#include "models/tokenizer/forms.h"
#include "models/tokenizer/split.h"

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (!CHECK(root)) printf("  %s: %s\n", path, why.text);
    return root;
}

static json_t *load_vectors(void)
{
    return load(WEFT_TEST_ROOT "/tests/tokenizer/vectors.json");
}

/* Decodes ids and compares with a text, bytes not being UTF-8 replaced on both sides. */
static void check_decode(const weft_tokenizer *tok, const json_t *ids, bool skip_special,
                         const char *want, size_t n_want)
{
    int32_t id[1024];
    size_t n = json_array_size(ids), n_text;
    if (!CHECK(n <= sizeof id / sizeof *id)) return;
    for (size_t i = 0; i < n; i++) id[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    weft__bytes lossy = { 0 };
    CHECK(weft__utf8_append_lossy(&lossy, want, n_want));
    weft_text text;
    weft_error err;
    weft_decode_desc desc = { .skip_special = skip_special, .repair = true };
    if (CHECK_OK(weft_tokenizer_decode(tok, id, n, &desc, &text, &err), err) &&
        !CHECK(text.size == lossy.size && (text.size == 0 || memcmp(text.data, lossy.data, text.size) == 0)))
        printf("  decoded \"%.*s\", not \"%.*s\"\n", (int)text.size, text.data, (int)lossy.size, lossy.data);
    weft_text_free(&text);

    /* The stream gives the same, id by id. */
    weft_token_stream *stream;
    weft__bytes streamed = { 0 };
    weft_token_stream_desc how = { .keep_special = !skip_special };
    if (!CHECK_OK(weft_token_stream_create(tok, &how, &stream, &err), err)) return;
    for (size_t i = 0; i <= n; i++) {
        const char *piece = i < n ? weft_token_stream_push(stream, id[i], &n_text)
                                  : weft_token_stream_finish(stream, &n_text);
        CHECK(weft__utf8_is_valid(piece, n_text));
        CHECK(weft__bytes_append(&streamed, piece, n_text));
    }
    CHECK(streamed.size == lossy.size &&
          (lossy.size == 0 || memcmp(streamed.data, lossy.data, lossy.size) == 0));
    weft_token_stream_destroy(stream);
    free(streamed.data);
    free(lossy.data);
}

/* A decoded text of the vectors, or the text that stands for it when it is left out. */
static void check_decodes(const weft_tokenizer *tok, const json_t *ids, const json_t *full,
                          const json_t *bare, const char *text, size_t n)
{
    if (full) {
        text = json_string_value(full);
        n = json_string_length(full);
    }
    check_decode(tok, ids, false, text, n);
    if (bare) {
        text = json_string_value(bare);
        n = json_string_length(bare);
    }
    check_decode(tok, ids, true, text, n);
}

static bool has_flag(const json_t *set, const char *flag)
{
    const json_t *value;
    size_t i;
    json_array_foreach(json_object_get(set, "flags"), i,
                       value) if (strcmp(json_string_value(value), flag) == 0) return true;
    return false;
}

/* The tokenizer of a set: a file, or a folder of files. */
static weft_status open_set(const json_t *set, const json_t *patched, weft_tokenizer **out,
                            weft_error *err)
{
    static const char *const names[] = { WEFT__TOKENIZER_FILES };
    const json_t *beside = json_object_get(set, "beside"), *model = json_object_get(patched, "model");
    if (!beside) return parse_tree(patched, out, err);
    weft__tokenizer_file files[WEFT__N_FILES] = { { 0 } };
    char *text[WEFT__N_FILES] = { 0 };
    for (unsigned i = 0; i < WEFT__N_FILES; i++)
        if (json_object_get(beside, names[i])) text[i] = json_dumps(json_object_get(beside, names[i]), JSON_COMPACT);
    if (json_is_null(json_object_get(beside, names[WEFT__FILE_TOKENIZER]))) {
        free(text[WEFT__FILE_TOKENIZER]);
        text[WEFT__FILE_TOKENIZER] = NULL;
        text[WEFT__FILE_VOCAB] = json_dumps(json_object_get(model, "vocab"), JSON_COMPACT);
        text[WEFT__FILE_MERGES] = merges_text(json_object_get(model, "merges"));
    } else {
        text[WEFT__FILE_TOKENIZER] = json_dumps(patched, JSON_COMPACT);
    }
    for (unsigned i = 0; i < WEFT__N_FILES; i++)
        if (text[i]) files[i] = (weft__tokenizer_file){ names[i], text[i], strlen(text[i]) };
    weft_status status = weft__tokenizer_parse_files(files, out, err);
    for (unsigned i = 0; i < WEFT__N_FILES; i++) free(text[i]);
    return status;
}

static void run_set(const json_t *set, const json_t *texts, const json_t *file)
{
    json_t *patched = patched_file(file, json_object_get(set, "patch")), *item;
    weft_tokenizer *tok;
    weft_error err;
    size_t i, n;
    weft_encode_desc desc = { .special_as_text = has_flag(set, "special_as_text"),
                              .no_template = has_flag(set, "no_template") };
    if (CHECK_OK(open_set(set, patched, &tok, &err), err)) {
        json_array_foreach(json_object_get(set, "cases"), i, item)
        {
            const json_t *text = json_array_get(item, 0), *ids = json_array_get(item, 1);
            if (json_is_integer(text))
                text = json_array_get(texts, (size_t)json_integer_value(text));
            char *bytes = text_bytes(text, &n);
            encodes_to(tok, bytes, n, &desc, ids);
            if (!has_flag(set, "no_decode"))
                check_decodes(tok, ids, json_array_get(item, 2), json_array_get(item, 3), bytes, n);
            free(bytes);
        }
        json_array_foreach(json_object_get(set, "decode"), i, item)
            check_decodes(tok, json_array_get(item, 0), json_array_get(item, 1),
                          json_array_get(item, 2), NULL, 0);
        weft_tokenizer_close(tok);
    }
    json_decref(patched);
}

static void run_sets(const char *name, const char *path)
{
    json_t *vectors = load_vectors(), *file = load(path), *set;
    size_t i, n_cases = 0;
    json_array_foreach(json_object_get(vectors, "sets"), i, set)
    {
        if (!file || strcmp(json_string_value(json_object_get(set, "file")), name) != 0) continue;
        unsigned failures = weft_test_now.failures;
        run_set(set, json_object_get(vectors, "texts"), file);
        if (weft_test_now.failures > failures) printf("  in set %zu\n", i);
        n_cases += json_array_size(json_object_get(set, "cases")) +
                   json_array_size(json_object_get(set, "decode"));
    }
    printf("  %zu vectors\n", n_cases);
    CHECK(n_cases > 1000);
    json_decref(file);
    json_decref(vectors);
}

static void bundled(void)
{
    run_sets("bundled", BUNDLED);
}

static void neox(void)
{
    if (!WEFT_NEOX_TOKENIZER[0])
        TEST_SKIP("the 50,277-token tokenizer.json is not given (-DWEFT_NEOX_TOKENIZER=FILE)");
    run_sets("neox", WEFT_NEOX_TOKENIZER);
}

/* ---- classes ---- */

/* Marks the code points of [first, last, ...] in set[0x110000]. */
static void mark(const json_t *ranges, uint8_t *set)
{
    memset(set, 0, 0x110000);
    for (size_t i = 0; i + 1 < json_array_size(ranges); i += 2)
        for (json_int_t c = json_integer_value(json_array_get(ranges, i));
             c <= json_integer_value(json_array_get(ranges, i + 1)); c++)
            set[c] = 1;
}

static weft_status count_piece(void *ctx, const char *text, size_t n, weft_error *err)
{
    (void)text, (void)n, (void)err;
    (*(size_t *)ctx)++;
    return WEFT_OK;
}

/* `pattern` matches exactly the code points of the set. */
static void check_pattern(const char *pattern, const uint8_t *set)
{
    weft__split_options options = { .behavior = WEFT__SPLIT_REMOVED, .invert = true };
    weft__splitter *splitter;
    weft_error err;
    weft__regex_scratch *scratch = weft__regex_scratch_create();
    if (!CHECK(scratch) ||
        !CHECK_OK(weft__splitter_create(pattern, strlen(pattern), options, &splitter, &err), err))
        return;
    unsigned wrong = 0;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000) continue;
        char text[4];
        size_t n = weft__utf8_encode(c, text), matches = 0;
        CHECK_OK(weft__split(splitter, scratch, text, n, count_piece, &matches, &err), err);
        if (matches != set[c] && wrong++ < 10) printf("  %s and U+%04X\n", pattern, c);
    }
    CHECK_EQ_INT(wrong, 0);
    weft__splitter_destroy(splitter);
    weft__regex_scratch_destroy(scratch);
}

static void classes(void)
{
    static const char *const patterns[][2] = { { "\\p{L}", "\\P{L}" },
                                               { "\\p{N}", "\\P{N}" },
                                               { "\\s", "\\S" } };
    static const char *const in_brackets[] = { "[\\p{L}]", "[\\p{N}]", "[\\s]" };
    json_t *vectors = load_vectors();
    const json_t *known = json_object_get(vectors, "classes");
    uint8_t *set = malloc(0x110000);
    for (size_t i = 0; i < 3; i++) {
        mark(json_object_get(known, patterns[i][0]), set);
        check_pattern(patterns[i][0], set);
        check_pattern(in_brackets[i], set);
        for (uint32_t c = 0; i == 2 && c < 0x110000; c++)
            if (set[c] != weft__is_space(c)) CHECK_EQ_INT(c, -1);
        for (size_t c = 0; c < 0x110000; c++) set[c] = !set[c];
        check_pattern(patterns[i][1], set);
    }
    unsigned wrong = 0;
    mark(json_object_get(known, "word"), set);
    for (uint32_t c = 0; c < 0x110000; c++) wrong += set[c] && !weft__is_word(c);
    CHECK_EQ_INT(wrong, 0);
    mark(json_object_get(known, "not word"), set);
    for (uint32_t c = 0; c < 0x110000; c++) wrong += set[c] && weft__is_word(c);
    CHECK_EQ_INT(wrong, 0);
    free(set);
    json_decref(vectors);
}

/* Exactly the marks that Hugging Face reorders are reordered. */
static void marks(void)
{
    json_t *vectors = load_vectors();
    uint8_t *set = malloc(0x110000);
    mark(json_object_get(json_object_get(vectors, "classes"), "moves"), set);
    weft__bytes out = { 0 };
    unsigned wrong = 0;
    for (uint32_t c = 0x80; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000) continue;
        char text[8] = "a\xCD\x85"; /* U+0345 has the highest class of all */
        size_t n = 3 + weft__utf8_encode(c, text + 3);
        out.size = 0;
        CHECK(weft__form_append(&out, WEFT__FORM_C, text, n));
        bool moved = out.size < 3 || memcmp(out.data, text, 3) != 0;
        if (moved != set[c] && wrong++ < 10) printf("  U+%04X\n", c);
    }
    CHECK_EQ_INT(wrong, 0);
    free(out.data);
    free(set);
    json_decref(vectors);
}

static const weft_test tests[] = {
    { "bundled", bundled }, { "neox", neox }, { "classes", classes }, { "marks", marks }
};
TEST_MAIN(tests)
