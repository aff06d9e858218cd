/* test_hostile.c: tokenizer files that make no sense, of every component: each member of each of the files in a folder
 * (the sets of pipelines.json, their models cut short by fuzz_seeds) made absurd in turn. An error that names the file
 * and a part of it, or a tokenizer that encodes and decodes.
 *
 *     test_tokenizer_hostile FOLDER */
#include "models/tokenizer/tokenizer.h"
#include "tests/models/altered.h"
#include "tests/sample.h"

enum { FIRST = 2 }; /* of long lists, and of vocabularies */

static const char *folder;
static char long_text[1 << 12], deep[4096];

typedef struct subject {
    const json_t *root;
    size_t tried, opened;
} subject;

static void use(const weft_tokenizer *tok)
{
    static const char text[] = "Hello, world's  12 <s>e\xCC\x81 \xE5\x93\x88\n\n ab";
    static const weft_decode_desc repaired = { .repair = true };
    weft_tokens t;
    weft_text back;
    if (weft_tokenizer_encode(tok, text, sizeof text - 1, NULL, &t, NULL) != WEFT_OK) return;
    for (size_t i = 0; i < t.n; i++) CHECK(t.ids[i] >= 0 && (uint32_t)t.ids[i] < weft_tokenizer_size(tok));
    if (CHECK_EQ_INT(weft_tokenizer_decode(tok, t.ids, t.n, &repaired, &back, NULL), WEFT_OK)) weft_text_free(&back);
    weft_tokens_free(&t);
}

/* Members that messages call by a word. */
static const char *const words[][2] = {
    { "added_tokens", "added token" }, { "pre_tokenizer", "pre-tokenizer" }, { "post_processor", "post-processor" },
    { "vocab", "vocabulary" },         { "vocab", "entry" },
    { "merges", "merge" },             { "continuing_subword_prefix", "merge" }, /* which do not fit to it */
};

static bool has_word(const char *text, const char *member)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], member) && strstr(text, words[i][1])) return true;
    return strstr(text, member) != NULL;
}

/* The file, and a member on the path: by its name, or by what its "type" says. */
static bool is_told(const subject *s, const char *path, const char *text)
{
    char part[64];
    const json_t *v = s->root;
    if (!strstr(text, "x/tokenizer.json")) return false;
    for (const char *at = path; *at; at += *at == '.') {
        size_t n = strcspn(at, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, at);
        at += n;
        bool number = json_is_array(v);
        v = number ? json_array_get(v, strtoul(part, NULL, 10)) : json_object_get(v, part);
        if (!number && has_word(text, part)) return true;
        const char *type = json_string_value(json_object_get(v, "type"));
        if (type && strstr(text, type)) return true;
    }
    return false;
}

static void try_value(subject *s, const char *path, const char *value)
{
    weft_tokenizer *tok = NULL;
    weft_error err = { 0 };
    char *text = altered_text(s->root, path, value);
    if (!text) return;
    s->tried++;
    if (weft_tokenizer_parse(text, strlen(text), "x/tokenizer.json", &tok, &err) == WEFT_OK) {
        use(tok);
        s->opened++;
    } else if (!CHECK(is_told(s, path, err.text))) {
        printf("  %s = %.40s: %s\n", path, value ? value : "nothing", err.text);
    }
    weft_tokenizer_close(tok);
    free(text);
}

static void alter(subject *s, const json_t *v, const char *path)
{
    const char *const values[] = { "null", NULL, "-1", "0", "1e308", "9223372036854775808", "NaN", "\"x\"", "\"\"",
                                   "[]", "{}", "[[1]]", "true", long_text, deep };
    char inner[ALTERED_PATH];
    const char *key;
    const json_t *item;
    size_t i, n = 0;
    for (size_t k = 0; *path && k < sizeof values / sizeof *values; k++) try_value(s, path, values[k]);
    bool vocabulary = altered_last_part(path) == strstr(path, "vocab");
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        if (vocabulary && (n++ >= FIRST || strchr(key, '.'))) continue;
        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "", key);
        alter(s, item, inner);
    }
    json_array_foreach(v, i, item)
    {
        snprintf(inner, sizeof inner, "%s.%zu", path, i);
        if (i < FIRST || (json_array_size(v) < 8 && strcmp(path, "added_tokens"))) alter(s, item, inner);
    }
}

static void check_file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, NULL);
    subject s = { .root = root };
    if (CHECK(root)) alter(&s, root, "");
    printf("  %s: %zu, of which %zu are tokenizers\n", name, s.tried, s.opened);
    CHECK(s.opened > 0 && s.opened < s.tried);
    json_decref(root);
}

static int is_wanted(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".json") && sample_takes(e->d_name, "tokenizer_hostile");
}

static void absurd_members_are_refused(void)
{
    struct dirent **files;
    int n = scandir(folder, &files, is_wanted, alphasort);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        check_file(files[i]->d_name);
        free(files[i]);
    }
    if (n >= 0) free(files);
}

static const weft_test tests[] = {
    { "absurd members are refused", absurd_members_are_refused },
};

weft_test_state weft_test_now;

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    folder = argv[1];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[0] = long_text[sizeof long_text - 2] = '"';
    memset(deep, '[', 1500);
    memset(deep + 1500, ']', 1500);
    return test_run_all(tests, sizeof tests / sizeof *tests, 0, NULL);
}
