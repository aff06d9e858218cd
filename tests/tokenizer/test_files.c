/* test_files.c: broken and unsupported tokenizer files: each is refused, with a text that names
 * file and fault. */
#include "support.h"

/* A sound file with four tokens; tests replace parts of it. */
static const char sound[] =
    "{'version': '1.0', 'added_tokens': [%ADDED%], 'normalizer': %NORM%, 'pre_tokenizer': %PRE%,"
    " 'post_processor': %POST%, 'decoder': %DEC%,"
    " 'model': {'type': 'BPE', %OPT% 'vocab': {%VOCAB%}, 'merges': [%MERGES%]}}";

static const char *const defaults[][2] = {
    { "%ADDED%", "" },
    { "%NORM%", "{'type': 'NFC'}" },
    { "%PRE%", "{'type': 'ByteLevel', 'add_prefix_space': false, 'trim_offsets': true}" },
    { "%POST%", "null" },
    { "%DEC%", "{'type': 'ByteLevel'}" },
    { "%OPT%", "'dropout': null," },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 2, 'ab': 3" },
    { "%MERGES%", "'a b'" },
};

static void replace(char *text, size_t size, const char *what, const char *with)
{
    char *at = strstr(text, what);
    if (!at) return;
    size_t k = strlen(what), w = strlen(with), rest = strlen(at + k) + 1;
    if (!CHECK(strlen(text) + w + 1 < size)) return;
    memmove(at + w, at + k, rest);
    memcpy(at, with, w);
}

/* The sound file with one place filled differently, ' as ", in `out`. */
static void make_file(char *out, size_t size, const char *place, const char *content)
{
    snprintf(out, size, "%s", sound);
    replace(out, size, place, content);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        replace(out, size, defaults[i][0], defaults[i][1]);
    for (char *p = out; *p; p++)
        if (*p == '\'') *p = '"';
}

static weft_status parse(const char *text, size_t n, weft_error *err)
{
    weft_tokenizer *tok = (weft_tokenizer *)1;
    weft_status status = weft_tokenizer_parse(text, n, "x/tokenizer.json", &tok, err);
    CHECK((status == WEFT_OK) == (tok != NULL));
    if (status == WEFT_OK) weft_tokenizer_close(tok);
    return status;
}

#define TOKEN(id, text)                                          \
    "{'id': " id ", 'content': '" text                           \
    "', 'special': false, 'normalized': true, 'lstrip': false, " \
    "'rstrip': false, 'single_word': false}"

/* Nine sequences in each other. */
#define IN_ONE(list, part)   "{'type': 'Sequence', '" list "': [" part "]}"
#define IN_THREE(list, part) IN_ONE(list, IN_ONE(list, IN_ONE(list, part)))
#define NESTED(list, part)   IN_THREE(list, IN_THREE(list, IN_THREE(list, part)))

static const struct {
    const char *place, *content;
    weft_status status;
    const char *text; /* part of the error */
} cases[] = {
    /* Values at the limits that are fine. */
    { "%MERGES%", "['a', 'b']", WEFT_OK, "" },
    { "%MERGES%", "'#version: 0.2', 'a b', 'a b'", WEFT_OK, "" },
    { "%NORM%", "null", WEFT_OK, "" },
    { "%NORM%", "{'type': 'Sequence', 'normalizers': []}", WEFT_OK, "" },
    { "%ADDED%", TOKEN("4", "xx") ", " TOKEN("0", "a") ", " TOKEN("5", "yy"), WEFT_OK, "" },
    { "%OPT%", "'dropout': 0.0, 'unk_token': null, 'continuing_subword_prefix': '',", WEFT_OK, "" },
    { "%POST%", "{'type': 'Sequence', 'processors': []}", WEFT_OK, "" },

    /* ids */
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 2, 'ab': 65551", WEFT_OK, "" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 2, 'ab': 65552", WEFT_FORMAT,
      "the id of \"ab\" is 65552, outside 0..65551" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': -1, 'ab': 3", WEFT_FORMAT,
      "the id of \"c\" is -1, outside 0..65551" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 9223372036854775807, 'ab': 3", WEFT_FORMAT, "outside 0..65551" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 99999999999999999999, 'ab': 3", WEFT_FORMAT, "integer" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 1, 'ab': 3", WEFT_FORMAT,
      "\"b\" and \"c\" have the same id 1" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 2.0, 'ab': 3", WEFT_FORMAT,
      "the id of \"c\" is not an integer" },
    { "%VOCAB%", "'a': 0, 'b': '1', 'c': 2, 'ab': 3", WEFT_FORMAT,
      "the id of \"b\" is not an integer" },
    { "%VOCAB%", "'a': 0, 'b': 1, 'c': 2, 'c': 3, 'ab': 4", WEFT_FORMAT, "\"c\"" },
    { "%VOCAB%", "", WEFT_FORMAT, "the vocabulary is empty" },

    /* merges */
    { "%MERGES%", "'a d'", WEFT_FORMAT, "merge 0 needs \"d\", which is not in the vocabulary" },
    { "%MERGES%", "'a b', 'b c'", WEFT_FORMAT, "merge 1 needs \"bc\"" },
    { "%MERGES%", "'ab'", WEFT_FORMAT, "merge 0 is not a pair" },
    { "%MERGES%", "'a b c'", WEFT_FORMAT, "merge 0 is not a pair" },
    { "%MERGES%", "'a '", WEFT_FORMAT, "merge 0 needs \"\"" },
    { "%MERGES%", "['a']", WEFT_FORMAT, "merge 0 is not a pair" },
    { "%MERGES%", "['a', 'b', 'c']", WEFT_FORMAT, "merge 0 is not a pair" },
    { "%MERGES%", "['a', 1]", WEFT_FORMAT, "merge 0 is not a pair" },
    { "%MERGES%", "7", WEFT_FORMAT, "merge 0 is not a pair" },

    /* added tokens */
    { "%ADDED%", "7", WEFT_FORMAT, "added token 0 is not an object" },
    { "%ADDED%", "{'id': 4}", WEFT_FORMAT, "added token 0: \"content\" is not a text" },
    { "%ADDED%", "{'id': 4, 'content': 4}", WEFT_FORMAT,
      "added token 0: \"content\" is not a text" },
    { "%ADDED%", TOKEN("4", ""), WEFT_OK, "" },
    { "%ADDED%", "{'id': 4, 'content': 'x'}", WEFT_FORMAT,
      "added token 0: \"special\" is missing" },
    { "%ADDED%", TOKEN("7", "xx"), WEFT_OK, "" }, /* it gets id 4 */
    { "%ADDED%", TOKEN("4", "ab"), WEFT_OK, "" }, /* it stays 3 */
    { "%ADDED%", TOKEN("2147483648", "xx"), WEFT_FORMAT, "the id of \"xx\" is 2147483648" },
    { "%ADDED%", TOKEN("-1", "xx"), WEFT_FORMAT, "the id of \"xx\" is -1" },
    { "%ADDED%", TOKEN("4", "xx") "," TOKEN("5", "xx"), WEFT_OK, "" },
    { "%ADDED%", TOKEN("0", "a") "," TOKEN("0", "a"), WEFT_OK, "" },
    { "%ADDED%", TOKEN("4", "\xC3\xA9") "," TOKEN("5", "e\\u0301"), WEFT_FORMAT, "is there twice" },
    { "%ADDED%", TOKEN("4", "a\\u0000"), WEFT_FORMAT, "x/tokenizer.json" },

    /* normalizers */
    { "%NORM%", "{'type': 'Nmt'}", WEFT_UNSUPPORTED, "the normalizer \"Nmt\" is not supported" },
    { "%NORM%", "{'type': 'Sequence', 'normalizers': [{'type': 'NFC'}, {'type': 'Upper'}]}",
      WEFT_UNSUPPORTED, "the normalizer \"Upper\"" },
    { "%NORM%", "{'type': 'Sequence', 'normalizers': [{'type': 'Sequence', 'normalizers': [{'type': 'NFKD'}]}]}",
      WEFT_OK, "" },
    { "%NORM%", "{'type': 'Strip', 'strip_left': true}", WEFT_FORMAT,
      "the normalizer \"Strip\": its options: \"strip_right\" is missing" },
    { "%NORM%", "{'type': 'Prepend'}", WEFT_FORMAT, "the normalizer \"Prepend\": \"prepend\" is not a text" },
    { "%NORM%", "{'type': 'Replace', 'content': ''}", WEFT_FORMAT, "the normalizer \"Replace\": it has no pattern" },
    { "%NORM%", "{'type': 'Replace', 'pattern': {'String': 'a'}}", WEFT_FORMAT,
      "the normalizer \"Replace\": \"content\" is not a text" },
    { "%NORM%", "{'type': 'Replace', 'pattern': {'String': ''}, 'content': ''}", WEFT_FORMAT,
      "the normalizer \"Replace\": the pattern is empty" },
    { "%NORM%", "{'type': 'Replace', 'pattern': {'Regex': '('}, 'content': ''}", WEFT_FORMAT,
      "the normalizer \"Replace\": the regular expression is not valid" },
    { "%NORM%", "{'type': 'Precompiled'}", WEFT_FORMAT,
      "the normalizer \"Precompiled\": \"precompiled_charsmap\" is not a text" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': 'AAA'}", WEFT_FORMAT, "is not base64" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': 'A?AA'}", WEFT_FORMAT, "is not base64" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': ''}", WEFT_FORMAT, "the table has 0 bytes" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': 'BAAAAA=='}", WEFT_FORMAT,
      "the table has 4 bytes and a trie of 4" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': '/////wAAAAA='}", WEFT_FORMAT,
      "the table has 8 bytes and a trie of 4294967295" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': 'BAAAAAAAAAD/'}", WEFT_FORMAT, "not UTF-8" },
    { "%NORM%", "{'type': 'Precompiled', 'precompiled_charsmap': 'BAAAAP////8='}", WEFT_OK, "" },
    { "%NORM%", "{'type': 'BertNormalizer'}", WEFT_FORMAT, "\"clean_text\" is missing" },
    { "%NORM%",
      "{'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': true, 'lowercase': true, "
      "'strip_accents': 1}",
      WEFT_FORMAT, "\"strip_accents\" is not a boolean" },
    { "%NORM%", NESTED("normalizers", "{'type': 'NFC'}"), WEFT_UNSUPPORTED, "\"normalizer\": more than 8 Sequences" },
    { "%NORM%", "{'type': 'Sequence'}", WEFT_FORMAT, "\"normalizers\" is not an array" },
    { "%NORM%", "'NFC'", WEFT_FORMAT, "\"normalizer\" is not an object" },
    { "%NORM%", "{}", WEFT_UNSUPPORTED, "the normalizer \"(without a type)\"" },

    /* pre-tokenizers */
    { "%PRE%", "null", WEFT_OK, "" },
    { "%PRE%", "{'type': 'UnicodeScripts'}", WEFT_UNSUPPORTED, "the pre-tokenizer \"UnicodeScripts\"" },
    { "%PRE%", "{'type': 'Metaspace'}", WEFT_FORMAT,
      "the pre-tokenizer \"Metaspace\": \"replacement\" is not one character" },
    { "%PRE%", "{'type': 'Metaspace', 'replacement': ''}", WEFT_FORMAT, "\"replacement\" is not one character" },
    { "%PRE%", "{'type': 'Metaspace', 'replacement': 'ab'}", WEFT_FORMAT, "\"replacement\" is not one character" },
    { "%PRE%", "{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 'last'}", WEFT_FORMAT,
      "\"prepend_scheme\" is none of" },
    { "%PRE%", "{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 2}", WEFT_FORMAT,
      "\"prepend_scheme\" is none of" },
    { "%PRE%", "{'type': 'Metaspace', 'replacement': '_', 'add_prefix_space': false}", WEFT_FORMAT,
      "\"add_prefix_space\" is false" },
    { "%PRE%", "{'type': 'Metaspace', 'replacement': '_', 'split': 1}", WEFT_FORMAT, "\"split\" is not a boolean" },
    { "%PRE%", "{'type': 'Punctuation', 'behavior': 'Sideways'}", WEFT_UNSUPPORTED, "behavior \"Sideways\"" },
    { "%PRE%", "{'type': 'CharDelimiterSplit'}", WEFT_FORMAT, "\"delimiter\" is not one character" },
    { "%PRE%", "{'type': 'Whitespace'}", WEFT_OK, "" },
    { "%PRE%", NESTED("pretokenizers", "{'type': 'Whitespace'}"), WEFT_UNSUPPORTED,
      "\"pre_tokenizer\": more than 8 Sequences" },
    { "%PRE%", "{'type': 'ByteLevel'}", WEFT_FORMAT, "\"add_prefix_space\" is missing" },
    { "%PRE%", "{'type': 'ByteLevel', 'add_prefix_space': 1}", WEFT_FORMAT,
      "\"add_prefix_space\" is not a boolean" },
    { "%PRE%", "{'type': 'Digits'}", WEFT_FORMAT, "\"individual_digits\" is missing" },
    { "%PRE%", "{'type': 'Digits', 'individual_digits': true}", WEFT_OK, "" },
    { "%PRE%", "{'type': 'Sequence', 'pretokenizers': []}", WEFT_OK, "" },
    { "%PRE%", "{'type': 'Sequence', 'pretokenizers': [7]}", WEFT_UNSUPPORTED,
      "the pre-tokenizer" },

    /* decoders */
    { "%DEC%", "null", WEFT_OK, "" },
    { "%DEC%", "{'type': 'CTC'}", WEFT_UNSUPPORTED, "the decoder \"CTC\" is not supported" },
    { "%DEC%", "{'type': 'WordPiece'}", WEFT_FORMAT, "the decoder \"WordPiece\": \"prefix\" is not a text" },
    { "%DEC%", "{'type': 'WordPiece', 'prefix': '##'}", WEFT_FORMAT, "\"cleanup\" is missing" },
    { "%DEC%", "{'type': 'BPEDecoder', 'suffix': ''}", WEFT_FORMAT, "the decoder \"BPEDecoder\": \"suffix\" is empty" },
    { "%DEC%", "{'type': 'Metaspace', 'replacement': 3}", WEFT_FORMAT, "\"replacement\" is not a text" },
    { "%DEC%", "{'type': 'Replace', 'pattern': {'Regex': 'a'}, 'content': ''}", WEFT_UNSUPPORTED,
      "the decoder \"Replace\": a regular expression is not supported here" },
    { "%DEC%", "{'type': 'Strip', 'content': 'ab', 'start': 1, 'stop': 0}", WEFT_FORMAT, "is not one character" },
    { "%DEC%", "{'type': 'Strip', 'content': 'a', 'start': -1, 'stop': 0}", WEFT_FORMAT,
      "the decoder \"Strip\": \"start\" is not a number" },
    { "%DEC%", "{'type': 'Strip', 'content': 'a', 'start': 1, 'stop': 9223372036854775807}", WEFT_UNSUPPORTED,
      "\"stop\" is more than 1024" },
    { "%DEC%", "{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'ByteFallback'}]}", WEFT_UNSUPPORTED,
      "the decoder \"ByteFallback\": it comes after Fuse" },
    { "%DEC%", "{'type': 'Sequence', 'decoders': [{'type': 'ByteLevel'}, {'type': 'ByteLevel'}]}", WEFT_UNSUPPORTED,
      "it comes after ByteLevel" },
    { "%DEC%", NESTED("decoders", "{'type': 'Fuse'}"), WEFT_UNSUPPORTED, "\"decoder\": more than 8 Sequences" },

    /* the model */
    { "%OPT%", "'byte_fallback': true,", WEFT_OK, "" },
    { "%OPT%", "'byte_fallback': 'x',", WEFT_FORMAT, "\"byte_fallback\" is not a boolean" },
    { "%OPT%", "'byte_fallback': true, 'unk_token': 'zz',", WEFT_FORMAT, "byte 0x00 has no token" },
    { "%OPT%", "'dropout': 0.1,", WEFT_UNSUPPORTED, "\"dropout\"" },
    { "%OPT%", "'dropout': 'x',", WEFT_FORMAT, "\"dropout\" is not a number" },
    { "%OPT%", "'end_of_word_suffix': 1,", WEFT_FORMAT, "\"end_of_word_suffix\" is not a text" },
    { "%OPT%", "'continuing_subword_prefix': '##',", WEFT_FORMAT,
      "merge 0: the right part is shorter than the prefix" },
    { "%OPT%", "'ignore_merges': 3,", WEFT_FORMAT, "\"ignore_merges\" is not a boolean" },
    { "%OPT%", "'unk_token': 3,", WEFT_FORMAT, "\"unk_token\" is not a text" },
    { "%OPT%", "'unk_token': 'zz',", WEFT_FORMAT,
      "byte 0x00 has no token, and the unk_token \"zz\"" },

    /* post-processors */
    { "%POST%", "{'type': 'Around'}", WEFT_UNSUPPORTED, "the post-processor \"Around\"" },
    { "%POST%", "{'type': 'BertProcessing'}", WEFT_FORMAT,
      "the post-processor \"BertProcessing\": \"cls\" is not a token and its id" },
    { "%POST%", "{'type': 'RobertaProcessing', 'cls': ['a', 0], 'sep': ['b', 4]}", WEFT_FORMAT,
      "the post-processor \"RobertaProcessing\": the id of \"b\" is 4, outside 0..3" },
    { "%POST%", "{'type': 'RobertaProcessing', 'cls': ['a', 0], 'sep': ['b', 1, 2]}", WEFT_FORMAT,
      "\"sep\" is not a token and its id" },
    { "%POST%", NESTED("processors", "{'type': 'ByteLevel'}"), WEFT_UNSUPPORTED, "more than 8 Sequences" },
    { "%POST%", "{'type': 'TemplateProcessing'}", WEFT_FORMAT,
      "the template has no \"single\" array" },
    { "%POST%", "{'type': 'TemplateProcessing', 'single': []}", WEFT_FORMAT,
      "the template leaves out the text" },
    { "%POST%", "{'type': 'TemplateProcessing', 'single': [{'Sequence': {'id': 'B'}}]}",
      WEFT_FORMAT, "part 0 of the template" },
    { "%POST%", "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': 'z'}}]}",
      WEFT_FORMAT, "the template's \"z\"" },
    { "%POST%",
      "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': 'z'}}], "
      "'special_tokens': {'z': {'ids': [4]}}}",
      WEFT_FORMAT, "the id of \"z\" is 4, outside 0..3" },
};

static void broken_parts(void)
{
    char file[8192];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_error err = { 0 };
        make_file(file, sizeof file, cases[i].place, cases[i].content);
        bool ok = CHECK_STATUS(parse(file, strlen(file), &err), cases[i].status, err);
        if (cases[i].status != WEFT_OK) {
            ok = CHECK_CONTAINS(err.text, cases[i].text) && ok;
            ok = CHECK(strncmp(err.text, "x/tokenizer.json: ", 18) == 0) && ok;
        }
        if (!ok) printf("  with %s = %s\n", cases[i].place, cases[i].content);
    }
}

/* Split expressions: one per row, as the whole pre-tokenizer. */
static const struct {
    const char *pattern, *behavior;
    weft_status status;
    const char *text;
} splits[] = {
    { "{'Regex': '\\\\p{L}+'}", "Isolated", WEFT_OK, "" },
    { "{'Regex': '[]a]|[^]b]|[[:alpha:]]'}", "Isolated", WEFT_OK, "" },
    { "{'String': 'a['}", "Removed", WEFT_OK, "" },
    { "{'Regex': 'a['}", "Isolated", WEFT_FORMAT, "the regular expression is not valid" },
    { "{'Regex': '(a'}", "Isolated", WEFT_FORMAT, "the regular expression is not valid" },
    { "{'Regex': '\\\\'}", "Isolated", WEFT_FORMAT, "the regular expression is not valid" },
    { "{'Regex': '\\\\p{Nonsense}'}", "Isolated", WEFT_FORMAT,
      "the regular expression is not valid" },
    { "{'Regex': '\\\\C'}", "Isolated", WEFT_UNSUPPORTED, "has the escape \\C at byte 0" },
    { "{'Regex': 'a\\\\Qb'}", "Isolated", WEFT_UNSUPPORTED, "has the escape \\Q at byte 1" },
    { "{'Regex': '[a-w&&[^c-g]]'}", "Isolated", WEFT_OK, "" },
    { "{'Regex': '[a[bc]]'}", "Isolated", WEFT_OK, "" },
    { "{'Regex': '[a&&]'}", "Isolated", WEFT_UNSUPPORTED, "has an empty class" },
    { "{'Regex': '[[a]'}", "Isolated", WEFT_FORMAT, "the regular expression is not valid" },
    { "{'Regex': '[[:nothing:]]'}", "Isolated", WEFT_UNSUPPORTED, "an unknown class in brackets" },
    { "{'Regex': '(?R)'}", "Isolated", WEFT_UNSUPPORTED, "an unknown kind of group at byte 2" },
    { "{'Regex': '(*LIMIT_MATCH=1)a'}", "Isolated", WEFT_UNSUPPORTED, "has (* at byte 0" },
    { "{'Regex': 'a{2}?'}", "Isolated", WEFT_UNSUPPORTED, "has {n}? at byte 1" },
    { "{'Regex': '(?#a'}", "Isolated", WEFT_UNSUPPORTED, "a comment without an end" },
    { "{'Regex': '\\\\xE9'}", "Isolated", WEFT_UNSUPPORTED, "a byte beyond" },
    { "{'Regex': '(((((a{1,999}){1,999}){1,999}){1,999}){1,999})'}", "Isolated", WEFT_FORMAT,
      "not valid" },
    { "{'Regex': ''}", "Isolated", WEFT_FORMAT, "the pattern is empty" },
    { "{'Regex': 3}", "Isolated", WEFT_FORMAT, "has no pattern" },
    { "{}", "Isolated", WEFT_FORMAT, "has no pattern" },
    { "null", "Isolated", WEFT_FORMAT, "has no pattern" },
    { "{'String': 'a'}", "MergedWithNext", WEFT_OK, "" },
    { "{'String': 'a'}", "Joined", WEFT_UNSUPPORTED, "behavior \"Joined\" is not supported" },
};

static void split_expressions(void)
{
    char file[8192], part[1024];
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        snprintf(part, sizeof part,
                 "{'type': 'Sequence', 'pretokenizers': [{'type': 'Split', 'pattern': %s, "
                 "'behavior': '%s', "
                 "'invert': false}, {'type': 'ByteLevel', 'add_prefix_space': false, 'use_regex': "
                 "false}]}",
                 splits[i].pattern, splits[i].behavior);
        weft_error err = { 0 };
        make_file(file, sizeof file, "%PRE%", part);
        bool ok = CHECK_STATUS(parse(file, strlen(file), &err), splits[i].status, err);
        if (splits[i].status != WEFT_OK) ok = CHECK_CONTAINS(err.text, splits[i].text) && ok;
        if (!ok) printf("  with %s\n", splits[i].pattern);
    }
}

/* There are not too many steps. */
static void too_many_steps(void)
{
    static const struct {
        const char *place, *list, *part, *text;
    } rows[] = {
        { "%PRE%", "pretokenizers", "{'type': 'WhitespaceSplit'}", "more than 16 steps" },
        { "%DEC%", "decoders", "{'type': 'Fuse'}", "more than 16 steps" },
        { "%NORM%", "normalizers", "{'type': 'NFC'}", "more than 64 steps" },
    };
    static char file[8192], part[4096];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_error err = { 0 };
        int n = snprintf(part, sizeof part, "{'type': 'Sequence', '%s': [%s", rows[i].list, rows[i].part);
        for (int k = 0; k < 64; k++) n += snprintf(part + n, sizeof part - (size_t)n, ",%s", rows[i].part);
        snprintf(part + n, sizeof part - (size_t)n, "]}");
        make_file(file, sizeof file, rows[i].place, part);
        CHECK_STATUS(parse(file, strlen(file), &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, rows[i].text);
    }
}

/* Texts that grow without end are stopped. */
static void growth(void)
{
    static const char grow[] = "{'type': 'Replace', 'pattern': {'String': 'a'}, 'content': 'aaaaaaaaaaaaaaaaaaaaaaaa'}";
    static char file[8192], part[4096], text[40000];
    weft_tokenizer *tok;
    weft_tokens ids;
    weft_error err = { 0 };
    snprintf(part, sizeof part, "{'type': 'Sequence', 'normalizers': [%s, %s, %s, %s, %s, %s]}", grow, grow, grow, grow,
             grow, grow);
    make_file(file, sizeof file, "%NORM%", part);
    if (!CHECK_OK(weft_tokenizer_parse(file, strlen(file), "x", &tok, &err), err)) return;
    memset(text, 'a', sizeof text);
    CHECK_STATUS(weft_tokenizer_encode(tok, text, sizeof text, NULL, &ids, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "normalizer makes the text longer");
    weft_tokenizer_close(tok);
    snprintf(part, sizeof part, "{'type': 'Sequence', 'decoders': [%s, %s, %s, %s, %s, %s]}", grow, grow, grow, grow,
             grow, grow);
    make_file(file, sizeof file, "%DEC%", part);
    CHECK_STATUS(parse(file, strlen(file), &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "x/tokenizer.json: the decoder makes texts of more than");
}

/* A pattern whose matching explodes ends in an error, not in a hang. */
static void explosive_expression(void)
{
    char file[8192];
    weft_tokenizer *tok;
    weft_error err;
    weft_tokens ids;
    make_file(file, sizeof file, "%PRE%",
              "{'type': 'Sequence', 'pretokenizers': [{'type': 'Split', 'pattern': {'Regex': "
              "'(?:a|aa|a?a)*\\\\\\\\d'}, "
              "'behavior': 'Isolated', 'invert': false}, {'type': 'ByteLevel', 'add_prefix_space': "
              "false}]}");
    replace(file, sizeof file, "\\\\\\\\", "\\\\");
    if (!CHECK_OK(weft_tokenizer_parse(file, strlen(file), "x", &tok, &err), err)) return;
    char text[101];
    memset(text, 'a', 100);
    CHECK_STATUS(weft_tokenizer_encode(tok, text, 100, NULL, &ids, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "regular expression failed");
    CHECK(!ids.ids && ids.n == 0);
    weft_tokenizer_close(tok);
}

/* Nor does one whose matches are each bearable, but of which a text has too many. */
static void costly_text(void)
{
    static char file[8192], text[20000];
    weft_tokenizer *tok;
    weft_error err;
    weft_tokens ids;
    make_file(file, sizeof file, "%PRE%",
              "{'type': 'Split', 'pattern': {'Regex': '(?:a|aa|a?a)*[0-9]'}, 'behavior': 'Isolated', 'invert': false}");
    if (!CHECK_OK(weft_tokenizer_parse(file, strlen(file), "x", &tok, &err), err)) return;
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 14 ? 'a' : ' ';
    CHECK_OK(weft_tokenizer_encode(tok, text, 14, NULL, &ids, &err), err);
    weft_tokens_free(&ids);
    CHECK_STATUS(weft_tokenizer_encode(tok, text, sizeof text, NULL, &ids, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "regular expression failed");
    weft_tokenizer_close(tok);
}

/* Whole files that are no tokenizer at all. */
static void not_a_tokenizer(void)
{
    static const struct {
        const char *file, *text;
        weft_status status;
    } rows[] = {
        { "", "x/tokenizer.json: ", WEFT_FORMAT },
        { "{", "x/tokenizer.json: ", WEFT_FORMAT },
        { "[]", "not an object", WEFT_FORMAT },
        { "7", "not an object", WEFT_FORMAT },
        { "\xFF\xFE", "x/tokenizer.json: ", WEFT_FORMAT },
        { "{}", "there is no \"model\" object", WEFT_FORMAT },
        { "{\"version\": \"2.0\"}", "\"version\" is not \"1.0\"", WEFT_UNSUPPORTED },
        { "{\"version\": 1}", "\"version\" is not \"1.0\"", WEFT_UNSUPPORTED },
        { "{\"model\": {}, \"model\": {}}", "twice", WEFT_FORMAT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_error err = { 0 };
        CHECK_STATUS(parse(rows[i].file, strlen(rows[i].file), &err), rows[i].status, err);
        CHECK_CONTAINS(err.text, rows[i].text);
    }
    /* Nesting without end. */
    static char deep[200000];
    weft_error err = { 0 };
    memset(deep, '[', sizeof deep);
    CHECK_STATUS(parse(deep, sizeof deep, &err), WEFT_FORMAT, err);
}

/* Keys of the model: removed, or of another type. */
static void broken_model(void)
{
    static const struct {
        const char *key, *value, *text;
        weft_status status;
    } rows[] = {
        { "type", "\"WordLevel\"", "the model type \"WordLevel\" is not supported", WEFT_UNSUPPORTED },
        { "type", "\"Unigram\"", "the model has no \"vocab\" array", WEFT_FORMAT },
        { "type", "\"WordPiece\"", "the model's \"max_input_chars_per_word\" is not a number", WEFT_FORMAT },
        { "type", "3", "the model type", WEFT_UNSUPPORTED },
        { "vocab", "[]", "the model has no \"vocab\" object", WEFT_FORMAT },
        { "merges", "{}", "the model has no \"merges\" array", WEFT_FORMAT },
    };
    json_t *file = json_load_file(BUNDLED, 0, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *copy = json_deep_copy(file), *model = json_object_get(copy, "model");
        weft_tokenizer *tok;
        weft_error err = { 0 };
        json_object_set_new(model, rows[i].key, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        CHECK_STATUS(parse_tree(copy, &tok, &err), rows[i].status, err);
        CHECK_CONTAINS(err.text, rows[i].text);
        json_decref(copy);
    }
    json_object_set_new(file, "added_tokens", json_integer(1));
    weft_tokenizer *tok;
    weft_error err = { 0 };
    CHECK_STATUS(parse_tree(file, &tok, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "\"added_tokens\" is not an array");
    json_object_del(file, "model");
    CHECK_STATUS(parse_tree(file, &tok, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "there is no \"model\" object");
    json_decref(file);
}

/* Models of other kinds, broken. */
static void other_models(void)
{
    static const struct {
        const char *model, *text;
        weft_status status;
    } rows[] = {
        { "'type': 'Unigram', 'vocab': [['a', -1]], 'unk_id': 0", "", WEFT_OK },
        { "'type': 'Unigram', 'vocab': {}", "the model has no \"vocab\" array", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': []", "the vocabulary is empty", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': ['a']", "entry 0 of the vocabulary is not a text and its score", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': [['a', -1], ['b', '2']]", "entry 1 of the vocabulary", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': [['a', -1], ['a', -2]]", "\"a\" is in the vocabulary twice", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': [['a', 1e999]]", "the score of entry 0 is not finite", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': [['a', NaN]]", "the score of entry 0 is not finite", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': [['a', -1]], 'unk_id': 1", "the id of unk_id is 1, outside 0..0", WEFT_FORMAT },
        { "'type': 'Unigram', 'vocab': [['a', -1]], 'unk_id': 'a'", "the id of unk_id is not an integer", WEFT_FORMAT },
        { "'type': 'WordPiece', 'vocab': {'a': 0}", "\"max_input_chars_per_word\" is not a number", WEFT_FORMAT },
        { "'type': 'WordPiece', 'vocab': {'a': 0}, 'max_input_chars_per_word': -1", "is not a number", WEFT_FORMAT },
        { "'type': 'WordPiece', 'vocab': {'a': 0}, 'max_input_chars_per_word': 5",
          "\"continuing_subword_prefix\" is not a text", WEFT_FORMAT },
        { "'type': 'WordPiece', 'vocab': {'a': 0}, 'max_input_chars_per_word': 5, 'continuing_subword_prefix': ''",
          "\"unk_token\" is not a text", WEFT_FORMAT },
        { "'type': 'WordPiece', 'vocab': {'a': 0}, 'max_input_chars_per_word': 5, 'continuing_subword_prefix': '', "
          "'unk_token': 'b'",
          "the unk_token \"b\" is not in the vocabulary", WEFT_FORMAT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char file[1024];
        weft_error err = { 0 };
        snprintf(file, sizeof file, "{'model': {%s}}", rows[i].model);
        for (char *p = file; *p; p++)
            if (*p == '\'') *p = '"';
        bool ok = CHECK_STATUS(parse(file, strlen(file), &err), rows[i].status, err);
        if (!(CHECK_CONTAINS(err.text, rows[i].text) && ok)) printf("  with %s\n", rows[i].model);
    }
}

/* A character that the vocabulary lacks, and nothing to stand for it. */
static void no_unknown_token(void)
{
    static const char file[] = "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -1]], \"unk_id\": null}}";
    weft_tokenizer *tok;
    weft_tokens ids;
    weft_error err = { 0 };
    if (!CHECK_OK(weft_tokenizer_parse(file, sizeof file - 1, "x", &tok, &err), err)) return;
    CHECK_STATUS(weft_tokenizer_encode(tok, "aab", 3, NULL, &ids, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "no token for \"b\", and no unk_id");
    weft_tokenizer_close(tok);
}

/* The bundled file cut off anywhere is an error. */
static void truncated(void)
{
    FILE *f = fopen(BUNDLED, "rb");
    static char text[200000];
    if (!CHECK(f)) return;
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    weft_error err = { 0 };
    CHECK_OK(parse(text, n, &err), err);
    for (size_t cut = 0; cut < n - 2; cut += 997) {
        char *part = malloc(cut + 1); /* of its exact size, for the address sanitizer */
        memcpy(part, text, cut);
        CHECK_STATUS(parse(part, cut, &err), WEFT_FORMAT, err);
        free(part);
    }
}

static void missing_file(void)
{
    weft_tokenizer *tok;
    weft_error err = { 0 };
    CHECK_STATUS(weft_tokenizer_open("no/such/tokenizer.json", &tok, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "no/such/tokenizer.json");
    CHECK(!tok);
    CHECK(weft_tokenizer_open("/", &tok, &err) != WEFT_OK);
    weft_tokenizer_close(NULL);
}

/* Of small files that are sound: brackets in first place, unknown bytes around known ones. As the reference has it. */
static void ids_of_small_files(void)
{
    static const char brackets[] =
        "{'type': 'Sequence', 'pretokenizers': [{'type': 'Split', 'pattern': {'Regex': '[]\\\\s]+'}, "
        "'behavior': 'Removed', 'invert': false}, {'type': 'ByteLevel', 'add_prefix_space': false, "
        "'use_regex': false}]}";
    static const struct {
        const char *place, *content, *text, *ids;
    } rows[] = {
        { "%PRE%", brackets, "a ]b ab", "[0,1,3]" },
        { "%PRE%", brackets, "a b", "[0,1]" },
        { "%PRE%", brackets, "a[b", "[3]" },
        { "%OPT%", "'unk_token': 'c', 'fuse_unk': false,", "zzabzzaz", "[2,2,3,2,2,0,2]" },
        { "%OPT%", "'unk_token': 'c', 'fuse_unk': true,", "zzabzzaz", "[2,3,2,0,2]" },
    };
    char file[8192];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_tokenizer *tok;
        weft_error err = { 0 };
        make_file(file, sizeof file, rows[i].place, rows[i].content);
        if (!CHECK_OK(weft_tokenizer_parse(file, strlen(file), "x", &tok, &err), err)) continue;
        json_t *want = json_loads(rows[i].ids, 0, NULL);
        CHECK(encodes_to(tok, rows[i].text, strlen(rows[i].text), NULL, want));
        json_decref(want);
        weft_tokenizer_close(tok);
    }
}

static const weft_test tests[] = {
    { "broken_parts", broken_parts },
    { "split_expressions", split_expressions },
    { "too_many_steps", too_many_steps },
    { "growth", growth },
    { "other_models", other_models },
    { "no_unknown_token", no_unknown_token },
    { "explosive_expression", explosive_expression },
    { "costly_text", costly_text },
    { "ids_of_small_files", ids_of_small_files },
    { "not_a_tokenizer", not_a_tokenizer },
    { "broken_model", broken_model },
    { "truncated", truncated },
    { "missing_file", missing_file },
};
TEST_MAIN(tests)
