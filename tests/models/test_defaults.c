/* test_defaults.c: what a missing key of a configuration is, for every architecture: what transformers' class has
 * (tests/reference/defaults.json, which make_defaults.py there writes). */
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "models/arch.h"
#include "tests/checkpoint/temp.h"
#include "tests/test.h"

static weft_error err;
static json_t *classes; /* by model_type */

static const json_t *at_path(const json_t *v, const char *path)
{
    char part[64];
    const char *dot;
    while (v && (dot = strchr(path, '.'))) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - path), path);
        v = json_object_get(v, part);
        path = dot + 1;
    }
    return json_object_get(v, path);
}

/* The class's value of a row, under whichever of its spellings, or of a key without one. */
static const json_t *value_of(const json_t *defaults, const weft__config_key *row, const char *key)
{
    const json_t *v = NULL;
    if (!row || !row->spelling[0]) return at_path(defaults, key);
    for (size_t k = 0; !v && k < WEFT__MAX_SPELLINGS && row->spelling[k]; k++) v = at_path(defaults, row->spelling[k]);
    return v;
}

static bool is_equal(const json_t *v, double number, const char *text)
{
    if (json_is_string(v)) return text && !strcmp(json_string_value(v), text);
    if (json_is_boolean(v)) return number == (double)json_is_true(v);
    return json_is_number(v) && json_number_value(v) == number;
}

/* What no attribute shows: arguments that the class takes beside, and what the model's code has as a constant. */
static bool is_constant(const char *type, const char *key)
{
    static const char *const constants[][2] = {
        { "gemma3_text", "sliding_window_pattern" }, { "cohere2", "sliding_window_pattern" },
        { "olmo", "layer_norm_eps" }, { "opt", "layer_norm_eps" }, { "mpt", "hidden_act" }, { "mpt", "alibi_bias_max" },
        { "bloom", "hidden_act" }, { "bloom", "max_position_embeddings" },
        { "mixtral", "norm_topk_prob" }, { "gpt_oss", "norm_topk_prob" },
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(constants[i][0], type) && !strcmp(constants[i][1], key)) return true;
    return false;
}

static void check_rows(const weft__arch *a, const json_t *defaults)
{
    for (size_t i = 0; i < a->keys.n_own; i++) {
        const weft__config_key *row = &a->keys.own[i];
        if (row->fallback == WEFT__NO_DEFAULT || is_constant(a->keys.type, row->key)) continue;
        const json_t *v = value_of(defaults, row, row->key);
        char *text = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
        if (!CHECK(is_equal(v, row->number, row->text)))
            printf("  %s: %s is %s, not %g%s\n", a->keys.type, row->key, text ? text : "nothing", row->number,
                   row->text ? row->text : "");
        free(text);
    }
}

static void tables_are_those_of_transformers(void)
{
    const weft__arch *a;
    for (size_t i = 0; (a = weft__arch_at(i)); i++) {
        const json_t *defaults = json_object_get(classes, a->keys.type);
        if (!CHECK(defaults != NULL)) printf("  %s: run tests/reference/make_defaults.py\n", a->keys.type);
        if (defaults) check_rows(a, defaults);
    }
}

/* What a definition asks for, derived or not, where there is nothing but the type. */
static void check_settings(const weft__arch *a, const json_t *defaults, const temp_folder *t)
{
    char text[128];
    weft_model *m = NULL;
    const weft_setting_info *s;
    snprintf(text, sizeof text, "{\"model_type\":\"%s\"}", a->keys.type);
    temp_write_text(t, "config.json", text);
    if (CHECK_OK(weft_model_open(temp_path(t, "config.json"), NULL, &m, &err), err))
        for (uint32_t i = 0; (s = weft_model_setting(m, i)); i++) {
            const json_t *v = value_of(defaults, weft__config_key_find(&a->keys, s->key), s->key);
            if (v && !CHECK(is_equal(v, s->number, s->value)))
                printf("  %s: %s is %s here\n", a->keys.type, s->key, s->value);
        }
    weft_model_close(m);
}

static void models_of_a_type_alone_are_those_of_transformers(void)
{
    const weft__arch *a;
    temp_folder t = temp_make();
    for (size_t i = 0; (a = weft__arch_at(i)); i++) {
        const json_t *defaults = json_object_get(classes, a->keys.type);
        if (defaults) check_settings(a, defaults, &t);
    }
    temp_remove(&t);
}

static void wrappers_are_those_of_transformers(void)
{
    const char *type;
    json_t *class_;
    size_t n = 0;
    json_object_foreach(classes, type, class_) {
        const json_t *text = at_path(class_, "text_config.model_type"), *tie = at_path(class_, "tie_word_embeddings");
        if (!text) continue;
        const weft__wrapper *w = weft__wrapper_of_type(type);
        if (!CHECK(w && is_equal(text, NAN, w->text_type) && is_equal(tie, w->config.tie.number, NULL)))
            printf("  %s\n", type);
        n++;
    }
    CHECK(n > 0);
}

static const weft_test tests[] = {
    { "tables are those of transformers", tables_are_those_of_transformers },
    { "models of a type alone are those of transformers", models_of_a_type_alone_are_those_of_transformers },
    { "wrappers are those of transformers", wrappers_are_those_of_transformers },
};

weft_test_state weft_test_now;

int main(int argc, char **argv)
{
    json_error_t fault;
    classes = json_load_file(WEFT_TEST_ROOT "/tests/reference/defaults.json", 0, &fault);
    int status = test_run_all(tests, sizeof tests / sizeof *tests, argc - 1, argv + 1);
    if (!classes) printf("tests/reference/defaults.json: %s\n", fault.text);
    status |= !classes;
    json_decref(classes);
    return status;
}
