/* test_hostile.c: configurations that make no sense, of every architecture: each value that a golden's config.json has,
 * and each key that its definition asks for, made absurd in turn. An error that names the file and the key, or a model;
 * nothing large is allocated for it. A new architecture is in as soon as it has a golden.
 *
 *     test_hostile only=qwen3        # goldens whose names contain it */
#include "altered.h"
#include "tests/oom.h"
#include "tests/sample.h"

#define GOLDENS WEFT_TEST_ROOT "/tests/reference/arch"

enum { LARGE = 16 << 20 }; /* bytes in one piece, for a model that is not even read */

static weft_error err;
static const char *only = ""; /* what a golden's name must contain */
static char long_text[1 << 12], deep[4096];

typedef struct subject {
    const json_t *config;
    const weft_model *model; /* as it is */
    temp_folder folder;
    size_t opened;
} subject;

/* Opens it; no model, with an error that tells neither file nor key, is a fault. */
static weft_model *open_altered(subject *s, const char *path, const char *value)
{
    oom_arm(-1);
    weft_model *m = altered_open(s->config, &s->folder, path, value, &err);
    bool small = CHECK(oom_largest() < LARGE);
    oom_disarm();
    s->opened++;
    if (!small) printf("  %s = %.40s\n", path, value ? value : "nothing");
    return m;
}

static bool is_told(const char *path)
{
    return strstr(err.text, "config.json") && strstr(err.text, altered_last_part(path));
}

/* Whether a message holds the name of a key of these, or of what stands in them. */
static bool names_member(const char *text, const json_t *v)
{
    const char *key;
    const json_t *item;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
        if (strstr(text, key) || names_member(text, item)) return true;
    json_array_foreach(v, i, item)
        if (names_member(text, item)) return true;
    return false;
}

/* Of a value that contradicts another one, the other's key may be named. */
static bool names_a_key(const subject *s)
{
    const char *text = strstr(err.text, "config.json");
    const weft_setting_info *i;
    if (!text || names_member(text, s->config)) return text != NULL;
    if (strstr(text, "architecture '")) return true; /* architectures, in words */
    for (uint32_t k = 0; s->model && (i = weft_model_setting(s->model, k)); k++)
        if (strstr(text, i->key)) return true;
    return false;
}

/* ---- keys that a definition asks for ---- */

/* What no reader of the key can take. A key that is the class's default here may have another name in files, and then
 * is not read. */
static void refuse(subject *s, const char *path, bool is_default, const char *value)
{
    weft_model *m = open_altered(s, path, value);
    bool fine = m ? is_default : is_told(path);
    if (!CHECK(fine)) printf("  %s = %.40s: %s\n", path, value, m ? "opens" : err.text);
    weft_model_close(m);
}

/* What may mean something. */
static void try_value(subject *s, const char *path, const char *value)
{
    weft_model *m = open_altered(s, path, value);
    if (!CHECK(m || names_a_key(s))) printf("  %s = %.40s: %s\n", path, value ? value : "nothing", err.text);
    weft_model_close(m);
}

static void alter_setting(subject *s, const weft_setting_info *i)
{
    const char *const no_number[] = { "\"x\"", "[1]", "{}", "-1", "1e308", "NaN", "Infinity", long_text, deep, NULL };
    const char *const no_text[] = { "7", "{}", "[]", "NaN", "\"no_such\"", long_text, deep, NULL };
    static const char *const maybe[] = { "null", NULL, "0", "0.5", "1000000", "9223372036854775808", "1e-300", "true" };
    char path[ALTERED_PATH];
    altered_path(s->config, i, path);
    bool is_default = !strncmp(i->source, "default", 7);
    bool listed = strstr(path, "_factor."); /* elements of lists: below */
    if (listed || strstr(path, "_token_id") || (is_default && strchr(i->key, '.'))) return;
    const char *const *value = i->kind == WEFT_SETTING_TEXT ? no_text : no_number;
    for (; *value; value++) refuse(s, path, is_default, *value);
    for (size_t k = 0; k < sizeof maybe / sizeof *maybe; k++) try_value(s, path, maybe[k]);
}

/* ---- whatever stands in the file ---- */

static const char *const anything[] = { "null", NULL, "-1", "9223372036854775808", "\"x\"", "[]", "{}", long_text };

static void alter_members(subject *s, const json_t *v, const char *path);

static void alter_member(subject *s, const json_t *v, const char *path)
{
    for (size_t k = 0; k < sizeof anything / sizeof *anything; k++) {
        weft_model *m = open_altered(s, path, anything[k]);
        if (!CHECK(m || names_a_key(s)))
            printf("  %s = %.40s: %s\n", path, anything[k] ? anything[k] : "nothing", err.text);
        weft_model_close(m);
    }
    alter_members(s, v, path);
}

static void alter_members(subject *s, const json_t *v, const char *path)
{
    char inner[ALTERED_PATH];
    const char *key;
    const json_t *item;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        if (strstr(key, "vision_config")) continue;
        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "", key);
        alter_member(s, item, inner);
    }
    json_array_foreach(v, i, item)
    {
        snprintf(inner, sizeof inner, "%s.%zu", path, i);
        alter_member(s, item, inner);
    }
}

/* ---- goldens ---- */

static void check_golden(const char *file)
{
    char path[512];
    json_error_t fault;
    snprintf(path, sizeof path, GOLDENS "/%s", file);
    json_t *root = json_load_file(path, 0, &fault);
    subject s = { .config = json_object_get(root, "config"), .folder = temp_make() };
    unsigned before = weft_test_now.failures;
    if (CHECK(s.config != NULL)) {
        weft_model *m = altered_open(s.config, &s.folder, "no_such_key", "1", &err);
        const weft_setting_info *setting;
        if (CHECK_OK(m ? WEFT_OK : err.status, err))
            for (uint32_t i = 0; s.model = m, (setting = weft_model_setting(m, i)); i++) alter_setting(&s, setting);
        alter_members(&s, s.config, "");
        weft_model_close(m);
        printf("  %s: %zu\n", file, s.opened);
    }
    if (weft_test_now.failures != before) printf("  in %s\n", file);
    temp_remove(&s.folder);
    json_decref(root);
}

static int is_wanted(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".json") && strstr(e->d_name, only) && sample_takes(e->d_name, "hostile");
}

static void absurd_values_are_refused(void)
{
    struct dirent **files;
    int n = scandir(GOLDENS, &files, is_wanted, alphasort);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        check_golden(files[i]->d_name);
        free(files[i]);
    }
    if (n >= 0) free(files);
}

static const weft_test tests[] = {
    { "absurd values are refused", absurd_values_are_refused },
};

weft_test_state weft_test_now;

int main(int argc, char **argv)
{
    if (argc > 1 && !strncmp(argv[1], "only=", 5)) only = argv[1] + 5;
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[0] = long_text[sizeof long_text - 2] = '"';
    memset(deep, '[', 1500);
    memset(deep + 1500, ']', 1500);
    return test_run_all(tests, sizeof tests / sizeof *tests, 0, NULL);
}
