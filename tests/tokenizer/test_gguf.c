/* test_gguf.c: tokenizers in the metadata of GGUF files: those of gguf.json (make_gguf.py says how it is made), small
 * ones, and broken ones. */
#include "support.h"

#include "models/tokenizer/fill.h"
#include "models/tokenizer/gguf.h"
#include "models/tokenizer/gguf_pre.h"
#include "models/tokenizer/unicode.h"
#include "tests/tokenizer/gguf_json.h"

/* ---- files in memory ---- */

static weft_status open_image(const image *f, weft_tokenizer **out, weft_error *err)
{
    weft__gguf_file *file;
    *out = NULL;
    WEFT_TRY(weft__gguf_parse(f->data, f->size, "x.gguf", &file, err));
    weft_status status = weft__tokenizer_from_gguf(file, -1, out, err);
    weft__gguf_close(file);
    return status;
}

/* ---- published ones ---- */

static bool gives_back(const weft_tokenizer *tok, const json_t *text, const json_t *ids)
{
    int32_t id[512];
    size_t n = json_array_size(ids);
    weft_text out;
    weft_error err;
    if (!CHECK(n <= 512)) return false;
    for (size_t i = 0; i < n; i++) id[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    const weft_decode_desc desc = { .repair = true };
    if (!CHECK_OK(weft_tokenizer_decode(tok, id, n, &desc, &out, &err), err)) return false;
    bool same = CHECK(out.size == json_string_length(text) && !memcmp(out.data, json_string_value(text), out.size));
    if (!same) printf("  decoded \"%s\", not \"%s\"\n", out.data, json_string_value(text));
    weft_text_free(&out);
    return same;
}

static bool check_texts(const weft_tokenizer *tok, const json_t *file, const json_t *c)
{
    static const weft_encode_desc bare = { .no_template = true };
    const json_t *texts = json_object_get(file, "texts"), *around = json_object_get(c, "around"), *text;
    size_t i, back = (size_t)json_integer_value(json_object_get(file, "back"));
    bool ok = true;
    json_array_foreach(texts, i, text)
    {
        const json_t *ids = json_array_get(json_object_get(c, "ids"), i);
        json_t *all = json_copy(json_array_get(around, 0));
        json_array_extend(all, (json_t *)(uintptr_t)ids);
        json_array_extend(all, json_array_get(around, 1));
        ok &= encodes_to(tok, json_string_value(text), json_string_length(text), &bare, ids);
        ok &= encodes_to(tok, json_string_value(text), json_string_length(text), NULL, all);
        if (i < back) ok &= gives_back(tok, text, ids);
        json_decref(all);
    }
    return ok;
}

static json_t *load(void)
{
    json_error_t why;
    json_t *files = json_load_file(WEFT_TEST_ROOT "/tests/tokenizer/gguf.json", 0, &why);
    CHECK(json_is_array(files));
    return files;
}

static void published(void)
{
    json_t *files = load(), *file, *c, *pre;
    size_t i, k, j, n_names = 0;
    json_array_foreach(files, i, file)
    {
        json_array_foreach(json_object_get(file, "cases"), k, c)
        {
            json_t *names = json_object_get(c, "pre");
            for (j = 0; j == 0 || j < json_array_size(names); j++) {
                weft_tokenizer *tok;
                weft_error err;
                pre = json_array_get(names, j);
                image f = make_image(file, pre);
                if (CHECK_OK(open_image(&f, &tok, &err), err) && !check_texts(tok, file, c))
                    printf("  file %zu, pre %s\n", i, pre ? json_string_value(pre) : "of its own");
                n_names += pre != NULL;
                CHECK(!tok || !weft_tokenizer_note(tok, NULL, 0));
                weft_tokenizer_close(tok);
                free(f.data);
            }
        }
    }
    printf("  %zu files, %zu names of pre-tokenizers\n", json_array_size(files), n_names);
    CHECK(json_array_size(files) >= 9 && n_names >= 75);
    json_decref(files);
}

/* ---- small ones ---- */

/* What a text says, in which ' stands for ". */
static image image_of(const char *text)
{
    char copy[2048];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy; *at; at++) *at = *at == '\'' ? '"' : *at;
    json_t *file = json_loads(copy, 0, NULL);
    CHECK(file != NULL);
    image f = make_image(file, json_object_get(file, "pre"));
    json_decref(file);
    return f;
}

static weft_status open_small(const char *text, weft_tokenizer **out, weft_error *err)
{
    image f = image_of(text);
    weft_status status = open_image(&f, out, err);
    free(f.data);
    return status;
}

#define BPE "'keys':{'model':'gpt2'},'pre':'gpt-2',"

static void broken(void)
{
    static const struct {
        const char *file;
        weft_status status;
        const char *message;
    } rows[] = {
        { "{'keys':{}}", WEFT_NOT_FOUND, "no tokenizer" },
        { "{'keys':{'model':7},'tokens':['a']}", WEFT_NOT_FOUND, "no tokenizer" },
        { "{'keys':{'model':'rwkv'},'tokens':['a']}", WEFT_UNSUPPORTED, "\"rwkv\"" },
        { "{'keys':{'model':'gpt2'},'pre':'gpt','tokens':['a'],'merges':['a b']}", WEFT_UNSUPPORTED, "\"gpt\"" },
        { "{'keys':{'model':'gpt2'},'pre':'gpt-2 phi-2','tokens':['a']}", WEFT_UNSUPPORTED, "not known" },
        { "{" BPE "'tokens':[1]}", WEFT_FORMAT, "tokenizer.ggml.tokens" },
        { "{" BPE "'tokens':['a','']}", WEFT_FORMAT, "tokenizer.ggml.merges" },
        { "{" BPE "'tokens':[''],'merges':['a b']}", WEFT_FORMAT, "tokenizer.ggml.tokens" },
        { "{" BPE "'tokens':['a','b','a'],'merges':['a b']}", WEFT_FORMAT, "tokens 0 and 2 are both \"a\"" },
        { "{" BPE "'tokens':['a','b'],'merges':['a b']}", WEFT_FORMAT, "merge 0 needs \"ab\"" },
        { "{" BPE "'tokens':['a','b'],'merges':['ab']}", WEFT_FORMAT, "merge 0 is not a pair" },
        { "{" BPE "'tokens':['a','b'],'merges':['a ']}", WEFT_FORMAT, "merge 0 is not a pair" },
        { "{" BPE "'tokens':['a','b'],'merges':[3]}", WEFT_FORMAT, "merge 0 is not a pair" },
        { "{" BPE "'tokens':['a','b'],'types':[1],'merges':['a b']}", WEFT_FORMAT, "type of token 1" },
        { "{'keys':{'model':'llama'},'tokens':['a','b'],'scores':[1]}", WEFT_FORMAT, "score of token 1" },
        { "{'keys':{'model':'llama'},'tokens':['a','b'],'scores':['1','2']}", WEFT_FORMAT, "score of token 0" },
        { "{'keys':{'model':'t5','precompiled_charsmap':['a','b']},'tokens':['a'],'scores':[1]}", WEFT_FORMAT,
          "array of bytes" },
        { "{'keys':{'model':'t5','precompiled_charsmap':[200,0,0,0,1]},'tokens':['a'],'scores':[1]}", WEFT_FORMAT,
          "a trie of 200" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_tokenizer *tok;
        weft_error err;
        CHECK_STATUS(open_small(rows[i].file, &tok, &err), rows[i].status, err);
        if (!CHECK(!tok && strstr(err.text, rows[i].message) && strstr(err.text, "x.gguf")))
            printf("  row %zu: %s\n", i, err.text);
    }
}

/* Every byte in turn is another one: a tokenizer or an error, and what opens also encodes. */
static void altered(void)
{
    static const char *const files[] = {
        "{'keys':{'model':'gpt2','bos_token_id':1},'pre':'tekken','tokens':['a','<s>','ab'],'types':[1,3,4],'merges':[]}",
        "{'keys':{'model':'llama'},'tokens':['<unk>','a','b','ab'],'types':[2,1,6,1],'scores':[0,-1,-2,-3]}",
        "{'keys':{'model':'t5','precompiled_charsmap':[4,0,0,0,0,0,0,0]},'tokens':['a','b'],'types':[1,3],'scores':[0,-1]}",
        "{'keys':{'model':'bert','unknown_token_id':0},'tokens':['\\u2581a','b'],'types':[1,1]}",
    };
    static const unsigned char changes[] = { 1, 3, 0x20, 0x80, 0xFF };
    size_t n_open = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        image f = image_of(files[i]);
        for (size_t at = 0; at < f.size * sizeof changes; at++) {
            weft_tokenizer *tok;
            weft_tokens ids;
            weft_error err;
            unsigned char *byte = &f.data[at / sizeof changes], before = *byte;
            *byte = (unsigned char)(before ^ changes[at % sizeof changes]);
            if (open_image(&f, &tok, &err) == WEFT_OK) {
                if (weft_tokenizer_encode(tok, "ab <s> c", 8, NULL, &ids, &err) == WEFT_OK) weft_tokens_free(&ids);
                n_open++;
            } else {
                CHECK(!tok && err.text[0]);
            }
            weft_tokenizer_close(tok);
            *byte = before;
        }
        free(f.data);
    }
    CHECK(n_open > 100);
}

static void not_utf8(void)
{
    static const char *const texts[] = { "a\xFF", "a\0b" };
    for (size_t i = 0; i < 2; i++) {
        json_t *file = json_pack("{s:{s:s}}", "keys", "model", "llama");
        weft_tokenizer *tok;
        weft_error err;
        image f = make_image(file, NULL);
        put_key(&f, "tokenizer.ggml.tokens", WEFT__GGUF_ARRAY);
        put_number(&f, WEFT__GGUF_STRING, 4);
        put_number(&f, 1, 8);
        put_text(&f, texts[i], 3 - (i == 0));
        f.data[16]++; /* one value more */
        CHECK_STATUS(open_image(&f, &tok, &err), WEFT_FORMAT, err);
        CHECK(strstr(err.text, "token 0"));
        free(f.data);
        json_decref(file);
    }
}

/* Ids of a text, for short; "-" in front of an error. */
static const char *ids_of(const weft_tokenizer *tok, const char *text, const weft_encode_desc *desc)
{
    static char out[256];
    weft_tokens ids;
    weft_error err;
    size_t at = 0;
    out[0] = 0;
    if (!tok) return "-";
    if (!CHECK_OK(weft_tokenizer_encode(tok, text, strlen(text), desc, &ids, &err), err)) return "-";
    for (size_t i = 0; i < ids.n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%d", i ? " " : "", ids.ids[i]);
    weft_tokens_free(&ids);
    return out;
}

static bool check_ids(const weft_tokenizer *tok, const char *text, const char *want)
{
    const char *got = ids_of(tok, text, NULL);
    bool same = CHECK(strcmp(got, want) == 0);
    if (!same) printf("  \"%s\": %s, not %s\n", text, got, want);
    return same;
}

#define LLAMA "'keys':{'model':'llama','add_bos_token':false,'add_space_prefix':false},"

/* The pair with the best score merges first, of equal ones the leftmost; parts need not be tokens, and characters
 * without one become bytes. */
static void scores(void)
{
    weft_tokenizer *tok;
    weft_error err;
    CHECK_OK(open_small("{" LLAMA "'tokens':['<unk>','a','b','ab','ba','aba','<0xC3>','<0xA9>','\\u2581','x\\u20ac'],"
                        "'types':[2,1,1,1,1,1,6,6,1,1],'scores':[0,-9,-9,-2,-1,-3,0,0,-9,-4]}", &tok, &err), err);
    check_ids(tok, "bab", "4 2");   /* the better one goes first */
    check_ids(tok, "abab", "5 2");  /* and then the one that it makes possible */
    check_ids(tok, "\xC3\xA9", "6 7");
    check_ids(tok, "a b", "1 8 2");
    check_ids(tok, "x\xE2\x82\xAC", "9"); /* neither part is a token */
    check_ids(tok, "\xE2\x82\xAC\xE2\x82\xAC" "b", "0 2"); /* nor have all of its bytes one */
    check_ids(tok, "<0xC3>", "0");
    weft_tokenizer_close(tok);
    /* Without scores that differ the ids tell the order. */
    CHECK_OK(open_small("{" LLAMA "'tokens':['<unk>','a','b','ab','ba'],'types':[2,1,1,1,1],'scores':[-1000,-1000,"
                        "-1000,-1000,-1000]}", &tok, &err), err);
    check_ids(tok, "bab", "2 3");
    weft_tokenizer_close(tok);
    CHECK_OK(open_small("{" LLAMA "'tokens':['<unk>','a','b','ba','ab'],'types':[2,1,1,1,1]}", &tok, &err), err);
    check_ids(tok, "bab", "3 2");
    weft_tokenizer_close(tok);
}

/* Files from before they named it, and named tokens that are no tokens. */
static void notes(void)
{
    weft_tokenizer *tok;
    weft_error err;
    CHECK_OK(open_small("{'arch':'gptneox','keys':{'model':'gpt2'},'tokens':['a','\\u00c3','\\u00a9','\\u00c3\\u00a9'],"
                        "'merges':['\\u00c3 \\u00a9']}", &tok, &err), err);
    CHECK(tok && strstr(weft_tokenizer_note(tok, NULL, 0), "olmo") && !weft_tokenizer_note(tok, NULL, 1));
    check_ids(tok, "e\xCC\x81", "3"); /* in its normal form */
    weft_tokenizer_close(tok);
    CHECK_OK(open_small("{'arch':'llama','keys':{'model':'gpt2','bos_token_id':9,'add_bos_token':true},'tokens':['a'],"
                        "'merges':[]}", &tok, &err), err);
    CHECK(tok && strstr(weft_tokenizer_note(tok, NULL, 0), "default"));
    CHECK(tok && strstr(weft_tokenizer_note(tok, NULL, 1), "bos_token_id"));
    CHECK(tok && strstr(weft_tokenizer_note(tok, NULL, 2), "add_bos_token") && !weft_tokenizer_note(tok, NULL, 3));
    weft_tokenizer_close(tok);
}

/* What stands around a text, by the file and by the kind. */
static void around(void)
{
    static const struct {
        const char *keys, *ids;
    } rows[] = {
        { "'model':'llama','add_space_prefix':false", "1 0" },
        { "'model':'llama','add_space_prefix':false,'bos_token_id':2,'add_eos_token':true,'eos_token_id':1", "2 0 1" },
        { "'model':'llama','add_space_prefix':false,'add_bos_token':false", "0" },
        { "'model':'gemma4','bos_token_id':2,'add_bos_token':false", "2 0" },
        { "'model':'gpt2','bos_token_id':2,'pre':'gpt-2'", "0" },
        { "'model':'gpt2','bos_token_id':2,'pre':'tekken'", "2 0" },
        { "'model':'gpt2','bos_token_id':2,'pre':'tekken','add_bos_token':false", "0" },
        { "'model':'t5','add_space_prefix':false", "0 1" },
        { "'model':'bert','cls_token_id':2,'seperator_token_id':1,'unknown_token_id':1", "2 0 1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        weft_tokenizer *tok;
        weft_error err;
        const char *first = strstr(rows[i].keys, "bert") ? "\\u2581a" : "a";
        snprintf(text, sizeof text, "{'keys':{%s},'tokens':['%s','<b>','<c>'],'types':[1,3,3],'merges':[]}",
                 rows[i].keys, first);
        if (CHECK_OK(open_small(text, &tok, &err), err) && !check_ids(tok, "a", rows[i].ids)) printf("  row %zu\n", i);
        weft_tokenizer_close(tok);
    }
}

/* Rows past the tokenizer's end, named tokens of files without types, and what is special. */
static void kinds_of_tokens(void)
{
    weft_tokenizer *tok;
    weft_error err;
    CHECK_OK(open_small("{'keys':{'model':'gpt2','bos_token_id':1},'pre':'gpt-2','tokens':['a','<s>','<u>','[PAD3]',"
                        "'[PAD3] ','[PAD5]'],'types':[1,3,4,5,5,5],'merges':[]}", &tok, &err), err);
    CHECK(weft_tokenizer_size(tok) == 5 && !weft_tokenizer_token(tok, 3) && weft_tokenizer_token(tok, 4));
    CHECK(weft_tokenizer_is_special(tok, 1) && !weft_tokenizer_is_special(tok, 2));
    CHECK(weft_tokenizer_added_count(tok) == 2 && weft_tokenizer_named(tok, WEFT_TOKEN_BOS) == 1);
    check_ids(tok, "a<u>a<s>", "0 2 0 1");
    CHECK(strcmp(ids_of(tok, "a<u>a<s>", &(weft_encode_desc){ .special_as_text = true }), "0 2 0") == 0);
    weft_tokenizer_close(tok);
    CHECK_OK(open_small("{'keys':{'model':'gpt2','eos_token_id':1},'pre':'gpt-2','tokens':['a','<s>'],'merges':[]}",
                        &tok, &err), err);
    CHECK(weft_tokenizer_is_special(tok, 1));
    check_ids(tok, "<s>a", "1 0");
    weft_tokenizer_close(tok);
    CHECK_OK(open_small("{'keys':{'model':'gpt2','eos_token_id':1,'bos_token_id':2},'pre':'gpt-2','tokens':['a','',"
                        "'[PAD2]'],'types':[1,3,5],'merges':[]}", &tok, &err), err);
    for (weft_named_token k = 0; k < WEFT_TOKEN_COUNT; k++) CHECK(weft_tokenizer_named(tok, k) == -1);
    weft_tokenizer_close(tok);
}

/* Tokens for filling in, by keys of today and of before. */
static void fills_are_named(void)
{
    static const struct { const char *keys; int32_t ids[WEFT__FILLS]; } rows[] = {
        { "'fim_pre_token_id':1,'fim_suf_token_id':2,'fim_mid_token_id':0,'fim_rep_token_id':2,'fim_sep_token_id':1",
          { 1, 2, 0, 2, 1 } },
        { "'prefix_token_id':2,'suffix_token_id':1,'middle_token_id':0", { 2, 1, 0, -1, -1 } },
        { "'prefix_token_id':2,'fim_pre_token_id':1,'fim_suf_token_id':7,'fim_mid_token_id':-1",
          { 1, -1, -1, -1, -1 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        weft_tokenizer *tok;
        weft_error err;
        snprintf(text, sizeof text, "{'keys':{'model':'gpt2',%s},'pre':'gpt-2','tokens':['a','<b>','<c>'],"
                 "'types':[1,3,3],'merges':[]}", rows[i].keys);
        if (CHECK_OK(open_small(text, &tok, &err), err))
            for (weft__fill k = 0; k < WEFT__FILLS; k++) CHECK_EQ_INT(weft__tokenizer_fill(tok, k), rows[i].ids[k]);
        weft_tokenizer_close(tok);
    }
}

/* ---- ends and templates ---- */

static void check_ends(const char *keys, const char *want)
{
    char text[1024], got[64] = "";
    const char *last = strstr(keys, "eom") ? "<|return|>" : "<|call|>";
    snprintf(text, sizeof text,
             "{\"keys\":{\"model\":\"gpt2\"%s},\"tokens\":[\"a\",\"<|end|>\",\"<|im_end|>\",\"<|endoftext|>\",\"b\","
             "\"%s\"],\"types\":[1,3,3,3,3,%d]}", keys, last, strstr(keys, "eot") ? 1 : 3);
    json_t *file = json_loads(text, 0, NULL);
    image f = make_image(file, NULL);
    weft__gguf_file *open;
    weft_error err;
    int32_t ids[8];
    if (CHECK_OK(weft__gguf_parse(f.data, f.size, "x.gguf", &open, &err), err)) {
        size_t n = weft__gguf_end_tokens(open, ids, 8), at = 0;
        for (size_t i = 0; i < n; i++) at += (size_t)snprintf(got + at, sizeof got - at, "%s%d", i ? " " : "", ids[i]);
        if (!CHECK(strcmp(got, want) == 0)) printf("  %s: %s, not %s\n", keys, got, want);
        CHECK(weft__gguf_end_tokens(open, ids, 1) == 1);
        weft__gguf_close(open);
    }
    free(f.data);
    json_decref(file);
}

static void ends(void)
{
    check_ends("", "2 3 5 1");
    check_ends(",\"eos_token_id\":3", "3 2 5 1");
    check_ends(",\"eos_token_id\":4,\"eot_token_id\":0", "4 0 2 3 1"); /* a normal token of that text is none */
    check_ends(",\"eom_token_id\":4", "4 2 3 5"); /* <|end|> does not end a turn where <|return|> does */
}

static void templates(void)
{
    image f = { 0 };
    weft__gguf_file *open;
    weft__gguf_string text;
    weft_error err;
    put(&f, "GGUF", 4);
    put_number(&f, 3, 4);
    put_number(&f, 0, 8);
    put_number(&f, 2, 8);
    put_key(&f, "tokenizer.chat_template", WEFT__GGUF_STRING);
    put_text(&f, "{{ a }}", 7);
    put_key(&f, "tokenizer.chat_template.rag", WEFT__GGUF_STRING);
    put_text(&f, "{{ b }}", 7);
    if (!CHECK_OK(weft__gguf_parse(f.data, f.size, "x.gguf", &open, &err), err)) return;
    CHECK(weft__gguf_chat_template(open, NULL, &text) && text.size == 7 && text.text[3] == 'a');
    CHECK(weft__gguf_chat_template(open, "rag", &text) && text.size == 7 && text.text[3] == 'b');
    CHECK(!weft__gguf_chat_template(open, "tool_use", &text) && !weft__gguf_has_tokenizer(open));
    weft__gguf_close(open);
    free(f.data);
}

/* ---- names of pre-tokenizers ---- */

static bool same_steps(const weft__gguf_pre *a, const weft__gguf_pre *b)
{
    bool same = ((a->flags ^ b->flags) & ~(unsigned)WEFT__PRE_BOS) == 0;
    for (int i = 0; i < WEFT__PRE_STEP_COUNT && same && (a->step[i] || b->step[i]); i++)
        same = a->step[i] && b->step[i] && !strcmp(a->step[i], b->step[i]);
    return same;
}

static void check_name(const char *name)
{
    const weft__gguf_pre *row = weft__gguf_pre_find(name, strlen(name)), *found;
    char back[WEFT__PRE_NAME] = "";
    weft_error err;
    if (!row || row->flags & (WEFT__PRE_RAW | WEFT__PRE_MASK)) return; /* which no tokenizer.json tells */
    json_t *root = json_pack("{s:{s:b}}", "model", "ignore_merges", (row->flags & WEFT__PRE_WHOLE) != 0);
    CHECK_OK(weft__gguf_pre_add(row, root, &err), err);
    if (!CHECK(weft__gguf_pre_name(root, back) && (found = weft__gguf_pre_find(back, strlen(back))) &&
               same_steps(row, found)))
        printf("  %s: '%s'\n", name, back);
    json_decref(root);
}

/* What a name stands for is told by a name that stands for the same. */
static void names_of_steps(void)
{
    json_t *files = load(), *file, *c, *name;
    size_t i, k, n;
    json_array_foreach(files, i, file)
        json_array_foreach(json_object_get(file, "cases"), k, c)
            json_array_foreach(json_object_get(c, "pre"), n, name)
                if (json_is_string(name)) check_name(json_string_value(name));
    json_decref(files);
}

/* ---- files ---- */

static void from_a_path(void)
{
    json_t *files = load();
    image f = make_image(json_array_get(files, 1), NULL);
    weft_tokenizer *tok;
    weft_error err;
    const char *path = "tokenizer-of-test.gguf";
    FILE *out = fopen(path, "wb");
    if (CHECK(out && fwrite(f.data, 1, f.size, out) == f.size && fclose(out) == 0) &&
        CHECK_OK(weft_tokenizer_open(path, &tok, &err), err)) {
        CHECK(strcmp(weft_tokenizer_component(tok, WEFT_TOKENIZER_NORMALIZER, 0), "Prepend") == 0);
        CHECK(strcmp(weft_tokenizer_component(tok, WEFT_TOKENIZER_MODEL, 0), "BPE") == 0);
        CHECK(weft_tokenizer_before(tok, 0) == weft_tokenizer_named(tok, WEFT_TOKEN_BOS));
        weft_tokenizer_close(tok);
    }
    remove(path);
    free(f.data);
    json_decref(files);
}

/* The files of a folder in a GGUF file count as they would in the folder, over what else it has. */
static void whole_files(void)
{
    static const char json[] =
        "{\"added_tokens\":[],\"pre_tokenizer\":null,\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
        "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":3},\"merges\":[\"a b\"]}}";
    static const char *const configs[] = { "{\"bos_token\":\"c\"}", "{}", "{\"bos_token\":3}" };
    for (size_t i = 0; i < 3; i++) {
        json_t *file = json_pack("{s:{s:s, s:i}, s:[s, s]}", "keys", "model", i ? "none" : "gpt2", "bos_token_id", 1,
                                 "tokens", "x", "y");
        image f = make_image(file, NULL);
        weft_tokenizer *tok;
        weft_error err;
        put_key(&f, "tokenizer.huggingface.json", WEFT__GGUF_STRING);
        put_text(&f, json, sizeof json - 1);
        put_key(&f, "huggingface.tokenizer_config.json", WEFT__GGUF_STRING);
        put_text(&f, configs[i], strlen(configs[i]));
        f.data[16] = (unsigned char)(f.data[16] + 2); /* values more */
        CHECK_STATUS(open_image(&f, &tok, &err), i == 2 ? WEFT_FORMAT : WEFT_OK, err);
        if (i == 2) {
            CHECK(strstr(err.text, "x.gguf") && strstr(err.text, "huggingface.tokenizer_config.json"));
        } else {
            check_ids(tok, "ab", "2");
            CHECK(strcmp(ids_of(tok, "ab", &(weft_encode_desc){ .bos = WEFT_BOS_ON }), i ? "1 2" : "3 2") == 0);
        }
        weft_tokenizer_close(tok);
        free(f.data);
        json_decref(file);
    }
}

static const weft_test tests[] = { { "published", published },
                                   { "broken", broken },
                                   { "altered", altered },
                                   { "not_utf8", not_utf8 },
                                   { "scores", scores },
                                   { "notes", notes },
                                   { "around", around },
                                   { "kinds_of_tokens", kinds_of_tokens },
                                   { "fills_are_named", fills_are_named },
                                   { "ends", ends },
                                   { "templates", templates },
                                   { "names_of_steps", names_of_steps },
                                   { "whole_files", whole_files },
                                   { "from_a_path", from_a_path } };
TEST_MAIN(tests)
