/* test_pipelines.c: the sets of pipelines.json: tokenizers with the components of published ones, each text encoded,
 * decoded and streamed. make_pipelines.py says how they are made. */
#include "support.h"

#include "models/tokenizer/classes.h"
#include "models/tokenizer/forms.h"
#include "models/tokenizer/regex.h"

typedef struct vector_file {
    json_t *root;
    const json_t *texts, *models, *sets;
} vector_file;

static bool load(vector_file *f)
{
    json_error_t why;
    f->root = json_load_file(WEFT_TEST_ROOT "/tests/tokenizer/pipelines.json", JSON_ALLOW_NUL, &why);
    f->texts = json_object_get(f->root, "texts");
    f->models = json_object_get(f->root, "models");
    f->sets = json_object_get(f->root, "sets");
    return CHECK(f->root && f->sets);
}

/* The tokenizer of a set, its model put together. */
static weft_status open_set(const vector_file *f, const json_t *set, weft_tokenizer **out, weft_error *err)
{
    json_t *file = json_deep_copy(json_object_get(set, "file"));
    json_t *model = json_deep_copy(json_object_get(f->models, json_string_value(json_object_get(set, "model"))));
    json_object_update(model, json_object_get(set, "options"));
    json_object_set_new(file, "model", model);
    weft_status status = parse_tree(file, out, err);
    json_decref(file);
    return status;
}

static bool same_text(const char *what, const char *got, size_t n, const json_t *want)
{
    bool same = n == json_string_length(want) && (n == 0 || memcmp(got, json_string_value(want), n) == 0);
    if (!CHECK(same)) printf("  %s \"%.*s\", not \"%s\"\n", what, (int)n, got ? got : "", json_string_value(want));
    return same;
}

/* The ids as a whole and one by one give the text; without repair, a text that holds no U+FFFD is the same. */
static bool decodes_to(const weft_tokenizer *tok, const int32_t *ids, size_t n, bool skip_special, const json_t *want)
{
    weft_text text, raw;
    weft_error err;
    weft_decode_desc desc = { .skip_special = skip_special, .repair = true }, bytes = { .skip_special = skip_special };
    if (!CHECK_OK(weft_tokenizer_decode(tok, ids, n, &desc, &text, &err), err)) return false;
    bool same = same_text("decoded", text.data, text.size, want);
    if (CHECK_OK(weft_tokenizer_decode(tok, ids, n, &bytes, &raw, &err), err)) {
        bool whole = true;
        for (size_t i = 0; i + 3 <= text.size; i++) whole &= memcmp(text.data + i, WEFT__REPLACEMENT, 3) != 0;
        if (whole) same &= same_text("bytes", raw.data, raw.size, want);
        weft_text_free(&raw);
    }
    weft_text_free(&text);

    weft_token_stream *stream;
    weft__bytes all = { 0 };
    weft_token_stream_desc how = { .keep_special = !skip_special };
    if (!CHECK_OK(weft_token_stream_create(tok, &how, &stream, &err), err)) return false;
    for (size_t i = 0; i <= n; i++) {
        size_t k;
        const char *piece = i < n ? weft_token_stream_push(stream, ids[i], &k) : weft_token_stream_finish(stream, &k);
        CHECK(weft__utf8_is_valid(piece, k) && weft__bytes_append(&all, piece, k));
    }
    same &= same_text("streamed", all.data, all.size, want);
    weft_token_stream_destroy(stream);
    free(all.data);
    return same;
}

static size_t to_ids(const json_t *list, int32_t *out, size_t most)
{
    size_t n = json_array_size(list);
    if (!CHECK(n <= most)) return 0;
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

/* One text of a set. */
static void check_text(const weft_tokenizer *tok, const json_t *set, const json_t *text, size_t i)
{
    static const weft_encode_desc bare = { .no_template = true };
    const json_t *around = json_object_get(set, "around"), *ids = json_array_get(json_object_get(set, "ids"), i);
    const json_t *decoded = json_array_get(json_object_get(set, "texts"), i);
    int32_t id[1024];
    size_t n, n_ids = to_ids(ids, id, 1024);
    char *bytes = text_bytes(text, &n);
    bool ok = encodes_to(tok, bytes, n, &bare, ids);
    json_t *all = json_copy(json_array_get(around, 0));
    json_array_extend(all, (json_t *)(uintptr_t)ids);
    json_array_extend(all, json_array_get(around, 1));
    ok &= encodes_to(tok, bytes, n, NULL, all);
    json_decref(all);
    weft__bytes itself = { 0 };
    CHECK(weft__utf8_append_lossy(&itself, bytes, n));
    json_t *want = json_is_null(decoded) ? json_stringn(itself.data ? itself.data : "", itself.size)
                                         : json_incref((json_t *)(uintptr_t)decoded);
    ok &= decodes_to(tok, id, n_ids, false, want);
    if (!ok) printf("  text %zu of %s\n", i, json_string_value(json_object_get(set, "name")));
    json_decref(want);
    free(itself.data);
    free(bytes);
}

static void every_set(void)
{
    vector_file f;
    const json_t *set, *text, *item;
    size_t i, k, n_sets = 0;
    if (!load(&f)) return;
    json_array_foreach(f.sets, i, set)
    {
        weft_tokenizer *tok;
        weft_error err;
        const char *name = json_string_value(json_object_get(set, "name"));
        if (!CHECK_OK(open_set(&f, set, &tok, &err), err)) {
            printf("  %s\n", name);
            continue;
        }
        json_array_foreach(f.texts, k, text) check_text(tok, set, text, k);
        json_array_foreach(json_object_get(set, "decode"), k, item)
        {
            int32_t id[64];
            size_t n = to_ids(json_array_get(item, 0), id, 64);
            bool ok = decodes_to(tok, id, n, false, json_array_get(item, 1));
            if (!decodes_to(tok, id, n, true, json_array_get(item, 2)) || !ok) printf("  ids %zu of %s\n", k, name);
        }
        n_sets++;
        weft_tokenizer_close(tok);
    }
    printf("  %zu sets of %zu texts\n", n_sets, json_array_size(f.texts));
    CHECK(n_sets >= 12 && json_array_size(f.texts) >= 500);
    json_decref(f.root);
}

/* ---- small models ---- */

static const json_t *normalizer_of(const vector_file *f, const char *name)
{
    const json_t *set;
    size_t i;
    json_array_foreach(f->sets, i, set)
        if (strcmp(json_string_value(json_object_get(set, "name")), name) == 0)
            return json_object_get(json_object_get(set, "file"), "normalizer");
    return NULL;
}

/* What the sets' texts leave open: ties, the length of a word, a class beside a newline, marks that a table knows one
 * by one. The reference gives these ids. */
static void small_models(void)
{
    static const struct {
        const char *file, *normalizer; /* ' as "; of this set */
        const char *text, *ids;
    } rows[] = {
        { "{'model': {'type': 'Unigram', 'unk_id': 0, 'vocab': [['?', 0], ['a', -1], ['b', -1], ['ab', -2]]}}", NULL,
          "abab", "[3,3]" },
        { "{'model': {'type': 'WordPiece', 'unk_token': '?', 'continuing_subword_prefix': '##', "
          "'max_input_chars_per_word': 3, 'vocab': {'?': 0, '\xC3\xA9': 1, '##\xC3\xA9': 2}}}",
          NULL, "\xC3\xA9\xC3\xA9\xC3\xA9", "[1,2,2]" },
        { "{'pre_tokenizer': {'type': 'Split', 'pattern': {'Regex': '[^[a]\\\\d]'}, 'behavior': 'Removed', "
          "'invert': false}, 'model': {'type': 'Unigram', 'unk_id': 0, 'vocab': [['?', 0], ['a', -1], ['a\\n', -1]]}}",
          NULL, "a\nb", "[1]" },
        { "{'model': {'type': 'Unigram', 'unk_id': 0, 'vocab': [['?', 0], ['x', -1], ['\xCC\x82', -1]]}}", "T5",
          "x\xCC\x81\xCC\x82x", "[1,0,2,1]" },
    };
    vector_file f;
    if (!load(&f)) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        weft_tokenizer *tok;
        weft_error err;
        snprintf(text, sizeof text, "%s", rows[i].file);
        for (char *p = text; *p; p++)
            if (*p == '\'') *p = '"';
        json_t *file = json_loads(text, 0, NULL), *ids = json_loads(rows[i].ids, 0, NULL);
        if (rows[i].normalizer)
            CHECK(json_object_set_new(file, "normalizer", json_deep_copy(normalizer_of(&f, rows[i].normalizer))) == 0);
        if (CHECK(file && ids) && CHECK_OK(parse_tree(file, &tok, &err), err)) {
            CHECK(encodes_to(tok, rows[i].text, strlen(rows[i].text), NULL, ids));
            weft_tokenizer_close(tok);
        }
        json_decref(file);
        json_decref(ids);
    }
    json_decref(f.root);
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

static bool is_surrogate(uint32_t c)
{
    return c >= 0xD800 && c < 0xE000;
}

/* All characters, one after the other. */
static weft__bytes every_character(void)
{
    weft__bytes out = { 0 };
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        if (!is_surrogate(c)) CHECK(weft__bytes_append(&out, text, weft__utf8_encode(c, text)));
    }
    return out;
}

/* `pattern` matches exactly the code points of the set, one at a time. */
static void check_pattern(const char *pattern, const weft__bytes *every, uint8_t *set)
{
    weft__regex *regex;
    weft_error err;
    unsigned wrong = 0;
    weft__regex_scratch *scratch = weft__regex_scratch_create();
    if (!CHECK(scratch) || !CHECK_OK(weft__regex_create(pattern, strlen(pattern), false, &regex, &err), err)) return;
    weft__regex_walk w = { .regex = regex, .scratch = scratch, .text = every->data, .n = every->size };
    for (bool found = true; found;) {
        size_t n;
        if (!CHECK_OK(weft__regex_next(&w, &found, &err), err) || !found) break;
        set[weft__utf8_decode(every->data + w.start, &n)] ^= 1;
        wrong += n != w.end - w.start;
    }
    for (uint32_t c = 0; c < 0x110000; c++)
        if (set[c] && wrong++ < 1000) printf("  %s and U+%04X\n", pattern, c);
    CHECK_EQ_INT(wrong, 0);
    weft__regex_destroy(regex);
    weft__regex_scratch_destroy(scratch);
}

static bool (*class_of(const char *name))(uint32_t c)
{
    static const struct {
        const char *name;
        bool (*holds)(uint32_t c);
    } rows[] = { { "punctuation", weft__is_punctuation },
                 { "mark", weft__is_mark },
                 { "nonspacing", weft__is_nonspacing },
                 { "control", weft__is_control } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].holds;
    return NULL;
}

static void check_class(const char *name, bool (*holds)(uint32_t c), const uint8_t *set)
{
    unsigned wrong = 0;
    for (uint32_t c = 0; c < 0x110000; c++)
        if (!is_surrogate(c) && holds(c) != set[c] && wrong++ < 10) printf("  %s and U+%04X\n", name, c);
    CHECK_EQ_INT(wrong, 0);
}

/* [code point, text, ...]; every other character stays. */
static void check_lower(const json_t *pairs)
{
    unsigned wrong = 0;
    for (uint32_t c = 0, k = 0; c < 0x110000; c++) {
        uint32_t out[2];
        char text[8];
        size_t n_text = 0, n = weft__to_lower(c, out);
        if (is_surrogate(c)) continue;
        for (size_t i = 0; i < n; i++) n_text += weft__utf8_encode(out[i], text + n_text);
        bool changes = json_integer_value(json_array_get(pairs, k)) == c && k < json_array_size(pairs);
        const char *want = changes ? json_string_value(json_array_get(pairs, k + 1)) : NULL;
        bool same = want ? strlen(want) == n_text && memcmp(want, text, n_text) == 0 : n == 1 && out[0] == c;
        if (changes) k += 2;
        if (!same && wrong++ < 10) printf("  lower case of U+%04X\n", c);
    }
    CHECK_EQ_INT(wrong, 0);
}

static void check_form(const char *name, weft__form form, const json_t *want)
{
    weft__bytes out = { 0 };
    uint64_t h = 0xCBF29CE484222325u;
    char hash[20];
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        if (is_surrogate(c)) continue;
        out.size = 0;
        bool ok = weft__form_append(&out, form, text, weft__utf8_encode(c, text)) && weft__bytes_append(&out, "\n", 1);
        if (!CHECK(ok)) break;
        for (size_t i = 0; i < out.size; i++) h = (h ^ (uint8_t)out.data[i]) * 0x100000001B3u;
    }
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)h);
    if (!CHECK(strcmp(hash, json_string_value(want)) == 0)) printf("  %s of all characters\n", name);
    free(out.data);
}

static void classes(void)
{
    vector_file f;
    const char *name;
    json_t *item;
    if (!load(&f)) return;
    json_t *known = json_object_get(f.root, "classes");
    uint8_t *set = malloc(0x110000);
    weft__bytes every = every_character();
    json_object_foreach(known, name, item)
    {
        if (strcmp(name, "lower") == 0 || strcmp(name, "forms") == 0) continue;
        mark(item, set);
        if (class_of(name)) check_class(name, class_of(name), set);
        else check_pattern(name, &every, set);
    }
    check_lower(json_object_get(known, "lower"));
    json_t *forms = json_object_get(known, "forms");
    check_form("NFC", WEFT__FORM_C, json_object_get(forms, "NFC"));
    check_form("NFD", WEFT__FORM_D, json_object_get(forms, "NFD"));
    check_form("NFKC", WEFT__FORM_KC, json_object_get(forms, "NFKC"));
    check_form("NFKD", WEFT__FORM_KD, json_object_get(forms, "NFKD"));
    free(set);
    free(every.data);
    json_decref(f.root);
}

static const weft_test tests[] = {
    { "every set", every_set }, { "small models", small_models }, { "classes", classes }
};
TEST_MAIN(tests)
