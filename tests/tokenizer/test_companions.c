/* test_companions.c: the files beside tokenizer.json: what each of them changes, what is noted, and each of them
 * broken: an error that names it. The ids that the reference gives are among the vectors. */
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>


/* Six tokens; ' stands for ". */
#define VOCAB  "{'a': 0, 'b': 1, 'ab': 2, '<s>': 3, '\xC4\xA0': 4, '<e>': 5}"
#define LEVEL  "{'type': 'ByteLevel', 'add_prefix_space': false}"
#define MODEL  "'model': {'type': 'BPE', 'vocab': " VOCAB ", 'merges': ['a b']}, 'decoder': " LEVEL
#define BASE   "{" MODEL ", 'pre_tokenizer': " LEVEL "}"
#define MERGES "#version: 0.2\na b\n"
#define REST   "'decoder': " LEVEL ", 'pre_tokenizer': " LEVEL
#define META   "{" MODEL ", 'pre_tokenizer': {'type': 'Metaspace', 'replacement': '\xC4\xA0'}}"
#define SPACED "{" MODEL ", 'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': true}}"
/* One added token; a vocabulary of two tokens. */
#define WITH(id, text) \
    "{'added_tokens': [{'id': " id ", 'content': '" text "', 'special': true, " FLAGS "}], " MODEL \
    ", 'pre_tokenizer': " LEVEL "}"
#define TWO(a, b) "{'model': {'type': 'BPE', 'vocab': {'a': " a ", 'b': " b "}, 'merges': []}, " REST "}"
#define FLAGS  "'lstrip': false, 'rstrip': false, 'single_word': false, 'normalized': false"

typedef struct companions {
    const char *file[WEFT__N_FILES]; /* NULL: not there */
} companions;

static weft_status parse(const companions *c, weft_tokenizer **out, weft_error *err)
{
    weft__tokenizer_file files[WEFT__N_FILES] = { { 0 } };
    char *text[WEFT__N_FILES] = { 0 };
    for (unsigned i = 0; i < WEFT__N_FILES; i++) {
        if (!c->file[i]) continue;
        text[i] = strdup(c->file[i]);
        for (char *p = text[i]; *p; p++)
            if (*p == '\'') *p = '"';
        files[i] = (weft__tokenizer_file){ NULL, text[i], strlen(text[i]) };
    }
    weft_status status = weft__tokenizer_parse_files(files, out, err);
    for (unsigned i = 0; i < WEFT__N_FILES; i++) free(text[i]);
    CHECK((status == WEFT_OK) == (*out != NULL));
    return status;
}

#define T(text)            .file[WEFT__FILE_TOKENIZER] = text
#define CONFIG(text)       .file[WEFT__FILE_CONFIG] = text
#define SPECIAL(text)      .file[WEFT__FILE_SPECIAL] = text
#define ADDED(text)        .file[WEFT__FILE_ADDED] = text
#define PAIR(vocab, merge) .file[WEFT__FILE_VOCAB] = vocab, .file[WEFT__FILE_MERGES] = merge
#define GPT2               CONFIG("{'tokenizer_class': 'GPT2Tokenizer'}")
#define TEMPLATE                                                                                 \
    "{" MODEL ", 'pre_tokenizer': " LEVEL ", 'post_processor': {'type': 'TemplateProcessing', " \
    "'single': [{'SpecialToken': {'id': '<s>'}}, {'Sequence': {'id': 'A'}}], 'special_tokens': " \
    "{'<s>': {'id': '<s>', 'ids': [3]}}}}"

/* ---- what they change ---- */

static const struct {
    companions files;
    const char *text, *ids, *note; /* note: part of the first, NULL: none */
    int32_t bos;
} good[] = {
    { { T(BASE) }, "ab<s>", "[2]", NULL, -1 }, /* < s > are no tokens */
    { { T(BASE), CONFIG("{'bos_token': '<s>'}") }, "ab<s>", "[2,3]", NULL, 3 },
    { { T(BASE), CONFIG("{'bos_token': {'content': '<s>', 'lstrip': true}}") }, "ab <s>", "[2,3]", NULL, 3 },
    { { T(BASE), CONFIG("{'bos_token': null, 'eos_token': '<x>'}") }, "<x>", "[6]", NULL, -1 },
    { { T(BASE), CONFIG("{'image_token': '<i>', 'mask_token': '<m>'}") }, "<m><i>", "[6,7]", NULL, -1 },
    { { T(BASE), CONFIG("{'extra_special_tokens': {'x_token': '<i>'}, 'additional_special_tokens': ['<s>', '<j>']}") },
      "<i><j><s>", "[6,7,3]", NULL, -1 },
    { { T(BASE), CONFIG("{'bos_token': '<s>', 'split_special_tokens': true}") }, "ab<s>", "[2]", NULL, 3 },
    { { T(BASE), SPECIAL("{'bos_token': '<e>'}"), CONFIG("{'bos_token': '<s>'}") }, "<s><e>", "[5]", NULL, 5 },
    { { T(BASE), SPECIAL("{'bos_token': '<e>'}"), CONFIG("{'bos_token': '<s>', 'added_tokens_decoder': {}}") },
      "<s><e>", "[3]", NULL, 3 },
    { { T(BASE), ADDED("{'<y>': 7, '<x>': 6}") }, "<x><y>", "[6,7]", NULL, -1 },
    { { T(BASE), ADDED("{'<x>': 9}") }, "<x>", "[6]", "added_tokens.json: ids of added tokens", -1 },
    { { T(WITH("6", "<t>")),
        ADDED("{'<y>': 6, '<x>': 7}") },
      "<t><x><y>", "[6,7]", NULL, -1 },
    { { T(BASE), CONFIG("{'added_tokens_decoder': {'10': {'content': '<y>'}, '9': {'content': '<x>'}}}"),
        ADDED("{'<z>': 6}") },
      "<x><y><z>", "[6,7]", "tokenizer_config.json: ids of added tokens are those of the vocabulary", -1 },
    { { T(WITH("8", "<t>")) },
      "<t>", "[6]", "of 1, the first is \"<t>\", 6 instead of 8", -1 },
    { { T(TWO("0", "90")),
        CONFIG("{'bos_token': '<s>'}") },
      "ba<s>", "[90,0,2]", NULL, 2 },

    /* spaces */
    { { T(BASE), CONFIG("{'add_prefix_space': true}") }, "a", "[4,0]", NULL, -1 },
    { { T(SPACED), CONFIG("{}") }, "a", "[4,0]",
      NULL, -1 },
    { { T(SPACED), GPT2 }, "a", "[0]", NULL, 6 }, /* the class names <|endoftext|> */
    { { T(BASE), CONFIG("{'add_prefix_space': true, 'tokenizer_class': 'PreTrainedTokenizerFast'}") }, "a", "[0]",
      "tokenizer_config.json: add_prefix_space is ignored", -1 },
    { { T(META), CONFIG("{'add_prefix_space': true}") }, "a", "[4,0]", NULL, -1 },
    { { T(META), CONFIG("{'add_prefix_space': false}") }, "a", "[4,0]",
      "add_prefix_space is false, but the steps of tokenizer.json decide, which put a space there", -1 },
    { { T("{" MODEL "}"), CONFIG("{'add_prefix_space': true}") }, "a", "[0]",
      "add_prefix_space is true, but the steps of tokenizer.json decide, which put no space there", -1 },
    { { T("{" MODEL ", 'normalizer': {'type': 'Prepend', 'prepend': '\xC4\xA0'}}"),
        CONFIG("{'add_prefix_space': true}") },
      "a", "[4,0]", NULL, -1 },

    /* tokens around a text */
    { { T(BASE), CONFIG("{'bos_token': '<s>', 'add_bos_token': true}") }, "a", "[0]", "add_bos_token is true, but", 3 },
    { { T(BASE), CONFIG("{'bos_token': '<s>', 'add_eos_token': true}") }, "a", "[0]", "add_eos_token is true, but", 3 },
    { { T(BASE), CONFIG("{'add_bos_token': false, 'add_eos_token': false}") }, "a", "[0]", NULL, -1 },
    { { T(TEMPLATE), CONFIG("{'add_bos_token': true}") }, "a", "[3,0]", NULL, -1 },
    { { T(TEMPLATE), CONFIG("{'add_bos_token': false}") }, "a", "[3,0]", "add_bos_token is false, but", -1 },
    { { T(BASE), CONFIG("{'auto_map': {}}") }, "a", "[0]", "auto_map", -1 },

    /* no tokenizer.json */
    { { PAIR(VOCAB, MERGES), GPT2 }, "ab<|endoftext|>", "[2,6]", NULL, 6 },
    { { PAIR(VOCAB, "a b"), CONFIG("{'tokenizer_class': 'GPTNeoXTokenizerFast', 'add_prefix_space': true}") },
      "ab", "[4,2]", NULL, 6 },
    { { PAIR(VOCAB, "#version: 0.2\r\na b\r\n"),
        .file[WEFT__FILE_MODEL] = "{'model_type': 'gpt2'}" }, "ab", "[2]", NULL, 6 },
    { { PAIR(VOCAB, MERGES),
        CONFIG("{'tokenizer_class': 'GPT2Tokenizer', 'add_bos_token': true, 'add_eos_token': true, "
               "'bos_token': '<s>', 'eos_token': '<e>'}") },
      "ab", "[3,2,5]", NULL, 3 },
    { { PAIR(VOCAB, MERGES), CONFIG("{'tokenizer_class': 'GPT2Tokenizer', 'add_bos_token': true, 'bos_token': null}") },
      "ab", "[2]",
      "add_bos_token is true, but no bos_token is named", -1 },
    { { T(BASE), PAIR("broken", "broken"), .file[WEFT__FILE_MODEL] = "broken" }, "ab", "[2]", NULL, -1 },
};

static void changes(void)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft_tokenizer *tok;
        weft_error err = { 0 };
        unsigned before = weft_test_now.failures;
        if (CHECK_OK(parse(&good[i].files, &tok, &err), err)) {
            json_t *ids = json_loads(good[i].ids, 0, NULL);
            encodes_to(tok, good[i].text, strlen(good[i].text), NULL, ids);
            const char *note = weft_tokenizer_note(tok, NULL, 0);
            CHECK(!note == !good[i].note);
            if (note && good[i].note) CHECK_CONTAINS(note, good[i].note);
            CHECK(!note || !weft_tokenizer_note(tok, NULL, 1));
            CHECK_EQ_INT(weft_tokenizer_named(tok, WEFT_TOKEN_BOS), good[i].bos);
            json_decref(ids);
            weft_tokenizer_close(tok);
        }
        if (weft_test_now.failures > before) printf("  in row %zu\n", i);
    }
}

/* ---- broken ones ---- */

static const struct {
    companions files;
    weft_status status;
    const char *text;
} bad[] = {
    { { T("{") }, WEFT_FORMAT, "tokenizer.json: " },
    { { T(BASE), CONFIG("{") }, WEFT_FORMAT, "tokenizer_config.json: " },
    { { T(BASE), CONFIG("[]") }, WEFT_FORMAT, "tokenizer_config.json: " },
    { { T(BASE), CONFIG("") }, WEFT_FORMAT, "tokenizer_config.json: " },
    { { T(BASE), SPECIAL("{") }, WEFT_FORMAT, "special_tokens_map.json: " },
    { { T(BASE), SPECIAL("7") }, WEFT_FORMAT, "special_tokens_map.json: " },
    { { T(BASE), ADDED("{'a'}") }, WEFT_FORMAT, "added_tokens.json: " },
    { { T(BASE), ADDED("[]") }, WEFT_FORMAT, "added_tokens.json: " },
    { { T(BASE), CONFIG("{'add_bos_token': 1}") },
      WEFT_FORMAT, "tokenizer_config.json: the file: \"add_bos_token\" is not a boolean" },
    { { T(BASE), CONFIG("{'add_eos_token': 'x'}") },
      WEFT_FORMAT, "tokenizer_config.json: the file: \"add_eos_token\"" },
    { { T(BASE), CONFIG("{'add_prefix_space': 'x'}") },
      WEFT_FORMAT, "tokenizer_config.json: the file: \"add_prefix_space\"" },
    { { T(BASE), CONFIG("{'split_special_tokens': 0}") },
      WEFT_FORMAT, "tokenizer_config.json: the file: \"split_special_tokens\"" },
    { { T(BASE), CONFIG("{'bos_token': 3}") },
      WEFT_FORMAT, "tokenizer_config.json: \"bos_token\" is neither a text nor a token" },
    { { T(BASE), CONFIG("{'eos_token': {'content': 3}}") },
      WEFT_FORMAT, "tokenizer_config.json: \"eos_token\": \"content\" is not a text" },
    { { T(BASE), SPECIAL("{'pad_token': []}") }, WEFT_FORMAT, "special_tokens_map.json: \"pad_token\" is neither" },
    { { T(BASE), SPECIAL("{'pad_token': {'content': 'x', 'lstrip': 1}}") }, WEFT_FORMAT,
      "special_tokens_map.json: \"pad_token\": \"lstrip\" is not a boolean" },
    { { T(BASE), SPECIAL("{'additional_special_tokens': 'x'}") }, WEFT_FORMAT,
      "special_tokens_map.json: \"additional_special_tokens\" is not an array" },
    { { T(BASE), CONFIG("{'extra_special_tokens': [[]]}") },
      WEFT_FORMAT, "tokenizer_config.json: \"extra_special_tokens\" is neither" },
    { { T(BASE), CONFIG("{'added_tokens_decoder': []}") },
      WEFT_FORMAT, "tokenizer_config.json: \"added_tokens_decoder\" is not an object" },
    { { T(BASE), CONFIG("{'added_tokens_decoder': {'x': {}}}") }, WEFT_FORMAT,
      "tokenizer_config.json: \"added_tokens_decoder\": \"x\" is not a token id" },
    { { T(BASE), CONFIG("{'added_tokens_decoder': {'-1': {}}}") }, WEFT_FORMAT, "\"-1\" is not a token id" },
    { { T(BASE), CONFIG("{'added_tokens_decoder': {'99999999999999999999': {}}}") }, WEFT_FORMAT, "is not a token id" },
    { { T(BASE), CONFIG("{'added_tokens_decoder': {'7': '<x>'}}") }, WEFT_FORMAT,
      "tokenizer_config.json: added_tokens_decoder 7 is not an object" },
    { { T(BASE), CONFIG("{'added_tokens_decoder': {'7': {}}}") }, WEFT_FORMAT,
      "tokenizer_config.json: added_tokens_decoder 7: \"content\" is not a text" },
    { { T(BASE), ADDED("{'<x>': '6'}") }, WEFT_FORMAT, "added_tokens.json: the id of \"<x>\" is not an integer" },
    { { T(BASE), ADDED("{'<x>': -6}") }, WEFT_FORMAT, "added_tokens.json: the id of \"<x>\" is -6" },
    { { T(TWO("0", "2")),
        CONFIG("{'bos_token': '<s>'}") },
      WEFT_UNSUPPORTED, "tokenizer.json: the added token \"<s>\" and \"b\" both get the id 2" },

    /* no tokenizer.json */
    { { PAIR("{", MERGES), GPT2 }, WEFT_FORMAT, "vocab.json: " },
    { { PAIR("{}", MERGES), GPT2 }, WEFT_FORMAT, "vocab.json: the vocabulary is empty" },
    { { PAIR("{'a': 'b'}", MERGES), GPT2 }, WEFT_FORMAT, "vocab.json: the id of \"a\" is not an integer" },
    { { PAIR(VOCAB, "#version\na b\na b c\n"), GPT2 }, WEFT_FORMAT, "merges.txt: line 3 is not a pair of tokens" },
    { { PAIR(VOCAB, "a b\n\n"), GPT2 }, WEFT_FORMAT, "merges.txt: line 2 is not a pair of tokens" },
    { { PAIR(VOCAB, "ab\n"), GPT2 }, WEFT_FORMAT, "merges.txt: line 1 is not a pair of tokens" },
    { { PAIR(VOCAB, "a \xFF\n"), GPT2 }, WEFT_FORMAT, "merges.txt: the file is not UTF-8" },
    { { PAIR(VOCAB, "a b\na c\n"), GPT2 },
      WEFT_FORMAT, "merges.txt: merge 1 needs \"c\", which is not in the vocabulary" },
    { { PAIR(VOCAB, MERGES) }, WEFT_UNSUPPORTED, "vocab.json: without a tokenizer.json only GPT2Tokenizer" },
    { { PAIR(VOCAB, MERGES), CONFIG("{'tokenizer_class': 'Qwen2TokenizerFast'}") },
      WEFT_UNSUPPORTED, "the class is \"Qwen2Tokenizer\"" },
    { { PAIR(VOCAB, MERGES), .file[WEFT__FILE_MODEL] = "{" }, WEFT_FORMAT, "config.json: " },
};

static void broken(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_tokenizer *tok;
        weft_error err = { 0 };
        bool ok = CHECK_STATUS(parse(&bad[i].files, &tok, &err), bad[i].status, err);
        if (!CHECK_CONTAINS(err.text, bad[i].text) || !ok) printf("  in row %zu\n", i);
    }
}

/* ---- folders ---- */

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!text) {
        CHECK(unlink(path) == 0);
        return;
    }
    FILE *f = fopen(path, "w");
    if (!CHECK(f)) return;
    for (const char *p = text; *p; p++) fputc(*p == '\'' ? '"' : *p, f);
    fclose(f);
}

static void check_ids(const weft_tokenizer *tok, const char *text, weft_bos bos, const char *want)
{
    weft_tokens t;
    weft_error err = { 0 };
    char got[256] = "";
    size_t n = 0;
    weft_encode_desc desc = { .bos = bos };
    if (!CHECK_OK(weft_tokenizer_encode(tok, text, strlen(text), &desc, &t, &err), err)) return;
    for (size_t i = 0; i < t.n; i++) n += (size_t)snprintf(got + n, sizeof got - n, "%s%d", i ? "," : "", t.ids[i]);
    if (!CHECK(strcmp(got, want) == 0)) printf("  \"%s\" gives %s, not %s\n", text, got, want);
    weft_tokens_free(&t);
}

/* A folder without config.json: opened for its text, with and without the files beside tokenizer.json. */
static void folders(void)
{
    weft_tokenizer *tok;
    weft_error err = { 0 };
    weft_tokens t;
    snprintf(folder, sizeof folder, "/tmp/weft-test-XXXXXX");
    if (!CHECK(mkdtemp(folder))) return;
    CHECK_STATUS(weft_tokenizer_open(folder, &tok, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "tokenizer.json: not there");
    write_file("vocab.json", VOCAB);
    CHECK_STATUS(weft_tokenizer_open(folder, &tok, &err), WEFT_NOT_FOUND, err);
    write_file("merges.txt", MERGES);
    write_file("tokenizer_config.json",
               "{'tokenizer_class': 'GPT2Tokenizer', 'bos_token': '<s>', 'add_bos_token': true}");
    if (CHECK_OK(weft_tokenizer_open(folder, &tok, &err), err)) {
        check_ids(tok, "ab", WEFT_BOS_AS_FILES, "3,2");
        check_ids(tok, "ab", WEFT_BOS_ON, "3,2"); /* once */
        check_ids(tok, "<s>ab", WEFT_BOS_ON, "3,3,2");
        check_ids(tok, "ab", WEFT_BOS_OFF, "2");
        check_ids(tok, "<s>ab", WEFT_BOS_OFF, "3,2"); /* the text has it */
        CHECK_EQ_INT(weft_tokenizer_named(tok, WEFT_TOKEN_BOS), 3);
        CHECK_STR(weft_tokenizer_token(tok, weft_tokenizer_named(tok, WEFT_TOKEN_EOS)), "<|endoftext|>");
        CHECK_EQ_INT(weft_tokenizer_named(tok, WEFT_TOKEN_MASK), -1);
        CHECK_EQ_INT(weft_tokenizer_named(tok, WEFT_TOKEN_COUNT), -1);
        weft_encode_desc bare = { .bos = WEFT_BOS_ON, .no_template = true };
        CHECK_OK(weft_tokenizer_encode(tok, "ab", 2, &bare, &t, &err), err);
        CHECK(t.n == 2 && t.ids[0] == 3 && t.ids[1] == 2); /* asked for: there, without any template */
        weft_tokens_free(&t);
        weft_tokenizer_close(tok);
    }
    write_file("tokenizer.json", BASE);
    write_file("config.json", "{'model_type': 'gpt_neox', 'bos_token_id': 5}");
    if (CHECK_OK(weft_tokenizer_open(folder, &tok, &err), err)) {
        CHECK_CONTAINS(weft_tokenizer_note(tok, NULL, 0), "add_bos_token");
        CHECK(!weft_tokenizer_note(tok, NULL, 1));
        CHECK_CONTAINS(weft_tokenizer_note(tok, &(weft_encode_desc){ 0 }, 0), "add_bos_token");
        CHECK(!weft_tokenizer_note(tok, &(weft_encode_desc){ .bos = WEFT_BOS_ON }, 0)); /* asked for, so done */
        check_ids(tok, "ab", WEFT_BOS_AS_FILES, "2");
        check_ids(tok, "ab", WEFT_BOS_ON, "3,2");
        weft_tokenizer_close(tok);
    }
    write_file("tokenizer_config.json", NULL);
    if (CHECK_OK(weft_tokenizer_open(folder, &tok, &err), err)) {
        check_ids(tok, "", WEFT_BOS_ON, "5"); /* the configuration's */
        weft_tokenizer_close(tok);
    }
    write_file("tokenizer.json", TEMPLATE);
    if (CHECK_OK(weft_tokenizer_open(folder, &tok, &err), err)) {
        check_ids(tok, "a", WEFT_BOS_ON, "5,3,0"); /* what the template puts in front is another */
        weft_tokenizer_close(tok);
    }
    write_file("tokenizer.json", BASE);
    char path[128];
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    if (CHECK_OK(weft_tokenizer_open(path, &tok, &err), err)) {
        check_ids(tok, "ab", WEFT_BOS_AS_FILES, "2");
        weft_encode_desc on = { .bos = WEFT_BOS_ON };
        CHECK_STATUS(weft_tokenizer_encode(tok, "a", 1, &on, &t, &err), WEFT_INVALID, err);
        CHECK(!t.ids && !t.n);
        CHECK_CONTAINS(err.text, "bos token");
        CHECK_CONTAINS(err.text, path);
        weft_tokenizer_close(tok);
    }
    static const char *const names[] = { "vocab.json", "merges.txt", "tokenizer.json", "config.json" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) write_file(names[i], NULL);
    CHECK(rmdir(folder) == 0);
}

static void faults(void)
{
    CHECK_EQ_INT(weft_text_faults("", 0), 0);
    CHECK_EQ_INT(weft_text_faults("a\xC3\xA9\xF0\x9F\x98\x80", 7), 0);
    CHECK_EQ_INT(weft_text_faults("a\xFF\xFEz\xE2\x82", 6), 3);
    CHECK_EQ_INT(weft_text_faults("\0\0", 2), 0);
}

static const weft_test tests[] = {
    { "changes", changes }, { "broken", broken }, { "folders", folders }, { "faults", faults }
};
TEST_MAIN(tests)
