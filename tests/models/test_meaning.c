/* test_meaning.c: what a configuration makes of a model: the rotation in its graph, what it says of itself, what it
 * refuses. What is right was seen with transformers 5.24, whose logits of such models are met to 3e-6. */
#include <math.h>
#include <string.h>

#include "models/model.h"
#include "tests/checkpoint/temp.h"

static weft_error err;

#define SMALL                                                                                                  \
    "\"architectures\": [\"GPTNeoXForCausalLM\"], \"model_type\": \"gpt_neox\", \"num_hidden_layers\": 1, "    \
    "\"num_attention_heads\": 1, \"hidden_size\": 100, \"intermediate_size\": 8, \"vocab_size\": 11, "         \
    "\"max_position_embeddings\": 64"

static weft_model *open_text(const temp_folder *t, const char *text)
{
    weft_model *m = NULL;
    temp_write_text(t, "config.json", text);
    err = (weft_error){ 0 };
    (void)!weft_model_open(temp_path(t, "config.json"), NULL, &m, &err);
    return m;
}

/* ---- rotation ---- */

static const struct {
    const char *more;
    int n_rot; /* 0: nothing rotates */
    double theta, scale;
} rotations[] = {
    { "", 26, 14454.397707, 1 }, /* 25 of 100: one more, at the frequencies of 25 */
    { ", \"rotary_pct\": 0.29", 28, 10000, 1 }, /* int(0.29 * 100) */
    { ", \"rotary_pct\": 0.58", 58, 10000, 1 }, /* 57.99999999999999 and one more: theta^(58 / 57) */
    { ", \"rotary_pct\": 1", 100, 10000, 1 },
    { ", \"rotary_pct\": 0.0", 0, 0, 0 },
    { ", \"rotary_pct\": 0.5, \"rotary_emb_base\": 40, \"rope_theta\": 10000", 50, 40, 1 },
    { ", \"rotary_pct\": 0.5, \"head_dim\": 40", 20, 10000, 1 },
    { ", \"rotary_pct\": 0.5, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}, \"rope_parameters\": "
      "{\"rope_type\": \"default\", \"rope_theta\": 7, \"partial_rotary_factor\": 1.0}",
      50, 10000, 0.125 },
    { ", \"rotary_pct\": 0.5, \"rope_scaling\": {}", 50, 10000, 1 },
    { ", \"rotary_pct\": 0.5, \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 3.3}", 50, 10000, 1 },
};

static const weft_attr_rope_table *find_rotation(const weft_graph *g)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++)
        if (weft_graph_node(g, i)->op == WEFT_OP_rope_table) return &weft_graph_node(g, i)->attrs.rope_table;
    return NULL;
}

static void check_rotation(const weft_model *m, size_t i)
{
    weft_graph *g;
    if (!CHECK_OK(weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, &err), err)) return;
    const weft_attr_rope_table *a = find_rotation(g);
    bool ok = CHECK((a != NULL) == (rotations[i].n_rot > 0));
    if (ok && a) {
        double theta = rotations[i].n_rot == 58 ? pow(10000, 58.0 / 57) : rotations[i].theta;
        ok &= CHECK_EQ_INT(a->n_rot, rotations[i].n_rot);
        ok &= CHECK_NEAR((double)a->theta, theta, 1e-6 * theta);
        ok &= CHECK_NEAR(a->kind == WEFT_ROPE_LINEAR ? 1 / (double)a->factor : 1, rotations[i].scale, 0);
    }
    if (!ok) printf("  in %s\n", rotations[i].more);
    weft_graph_destroy(g);
}

static void rotates_as_the_reference(void)
{
    temp_folder t = temp_make();
    for (size_t i = 0; i < sizeof rotations / sizeof *rotations; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{ " SMALL "%s }", rotations[i].more);
        weft_model *m = open_text(&t, text);
        if (CHECK_OK(m ? WEFT_OK : err.status, err)) check_rotation(m, i);
        weft_model_close(m);
    }
    temp_remove(&t);
}

/* What truncate makes of yarn's ramp: null is not true, and so false. In groups by type of layer nobody reads it. */
static const struct { const char *key, *rope; } ramps[] = {
    { "rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 4%s}" },
    { "rope_parameters", "{\"rope_type\": \"yarn\", \"factor\": 4%s}" },
    { "rope_parameters", "{\"full_attention\": {\"rope_type\": \"yarn\", \"factor\": 4%s}}" },
};
static const struct { const char *more; int untruncated; } truncations[] = {
    { "", 0 }, { ", \"truncate\": true", 0 }, { ", \"truncate\": false", 1 }, { ", \"truncate\": null", 1 },
};

static void check_truncation(const temp_folder *t, size_t k, size_t i)
{
    char text[1024], rope[256];
    const bool several = strstr(ramps[k].rope, "full_attention") != NULL;
    snprintf(rope, sizeof rope, ramps[k].rope, truncations[i].more);
    snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"num_hidden_layers\": 1, \"hidden_size\": 16, "
             "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 8, \"intermediate_size\": 8, "
             "\"vocab_size\": 8, \"layer_types\": [\"full_attention\"], \"%s\": %s}",
             several ? "gemma3_text" : "llama", ramps[k].key, rope);
    weft_model *m = open_text(t, text);
    weft_graph *g = NULL;
    if (CHECK_OK(m ? WEFT_OK : err.status, err) &&
        CHECK_OK(weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, &err), err)) {
        const weft_attr_rope_table *a = find_rotation(g);
        const int want = several ? 0 : truncations[i].untruncated;
        if (CHECK(a && a->kind == WEFT_ROPE_YARN) && !CHECK_EQ_INT(a->untruncated, want))
            printf("  in %s\n", text);
    }
    weft_graph_destroy(g);
    weft_model_close(m);
}

static void truncates_as_the_reference(void)
{
    temp_folder t = temp_make();
    for (size_t k = 0; k < sizeof ramps / sizeof *ramps; k++)
        for (size_t i = 0; i < sizeof truncations / sizeof *truncations; i++) check_truncation(&t, k, i);
    temp_remove(&t);
}

/* Beyond its own length dynamic scaling would make what is cached wrong: a session of that length is refused. */
static void refuses_what_dynamic_scaling_cannot_keep(void)
{
    temp_folder t = temp_make();
    weft_model *m = open_text(&t, "{ " SMALL ", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2} }");
    weft_model_info info;
    weft_session *s;
    if (CHECK_OK(m ? WEFT_OK : err.status, err)) {
        info = *weft_model_info_get(m);
        CHECK_EQ_INT(info.context_limit, 64);
        CHECK_STR(weft_model_note(m, 0), "rope_type dynamic: contexts beyond 64 tokens are refused");
        CHECK_STATUS(weft_session_create(m, &(weft_session_desc){ .context = 65 }, &s, &err),
                     WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "a context of 65 tokens: rope_type dynamic");
    }
    weft_model_close(m);
    m = open_text(&t, "{ " SMALL " }");
    info = *weft_model_info_get(m);
    CHECK_EQ_INT(info.context_limit, 0);
    weft_model_close(m);
    temp_remove(&t);
}

/* ---- settings ---- */

static void tells_every_setting(void)
{
    static const weft_setting_info want[] = {
        { "num_hidden_layers", "1", "config.json", 1, WEFT_SETTING_NUMBER },
        { "hidden_size", "100", "config.json", 100, WEFT_SETTING_NUMBER },
        { "num_attention_heads", "1", "config.json", 1, WEFT_SETTING_NUMBER },
        { "intermediate_size", "8", "config.json", 8, WEFT_SETTING_NUMBER },
        { "vocab_size", "11", "config.json", 11, WEFT_SETTING_NUMBER },
        { "max_position_embeddings", "64", "config.json", 64, WEFT_SETTING_NUMBER },
        { "hidden_act", "gelu_new", "config.json", (double)NAN, WEFT_SETTING_TEXT },
        { "tie_word_embeddings", "false", "default of gpt_neox", 0, WEFT_SETTING_TRUTH },
        { "layer_norm_eps", "1e-05", "default of gpt_neox", 1e-5, WEFT_SETTING_NUMBER },
        { "head_dim", "100", "default", 100, WEFT_SETTING_NUMBER },
        { "partial_rotary_factor", "0.29", "config.json: rotary_pct", 0.29, WEFT_SETTING_NUMBER },
        { "rope_theta", "1000000", "config.json: rope_scaling.rope_theta", 1e6, WEFT_SETTING_NUMBER },
        { "rope_type", "linear", "config.json: rope_scaling.type", (double)NAN, WEFT_SETTING_TEXT },
        { "rope.factor", "4", "config.json: rope_scaling.factor", 4, WEFT_SETTING_NUMBER },
        { "use_parallel_residual", "false", "config.json", 0, WEFT_SETTING_TRUTH },
        { "attention_bias", "true", "default of gpt_neox", 1, WEFT_SETTING_TRUTH },
        { "bos_token_id", "none", "config.json", (double)NAN, WEFT_SETTING_TEXT },
        { "eos_token_id", "3, 4", "generation_config.json", (double)NAN, WEFT_SETTING_TEXT },
    };
    temp_folder t = temp_make();
    temp_write_text(&t, "generation_config.json", "{\"eos_token_id\": [3, -1, 4]}");
    weft_model *m = open_text(&t, "{ " SMALL ", \"use_parallel_residual\": false, \"hidden_act\": \"gelu_new\", "
                                  "\"rotary_pct\": 0.29, \"bos_token_id\": -1, \"rope_scaling\": {\"type\": "
                                  "\"linear\", \"factor\": 4, \"rope_theta\": 1e6} }");
    const weft_setting_info *got;
    size_t n = sizeof want / sizeof *want;
    for (uint32_t i = 0; CHECK_OK(m ? WEFT_OK : err.status, err) && i < n; i++) {
        if (!CHECK((got = weft_model_setting(m, i)) != NULL)) break;
        CHECK_STR(got->key, want[i].key);
        CHECK_STR(got->value, want[i].value);
        CHECK_STR(got->source, want[i].source);
        CHECK_EQ_INT(got->kind, want[i].kind);
        CHECK(isnan(want[i].number) ? isnan(got->number) : got->number == want[i].number);
    }
    CHECK(m && !weft_model_setting(m, (uint32_t)n));
    weft_model_close(m);
    temp_remove(&t);
}

/* ---- what opens, and what does not ---- */

static const struct {
    const char *text, *fault; /* NULL: opens */
} files[] = {
    { "{ " SMALL ", \"length\": [0.0, Infinity, NaN], \"n\": 1000000000000000019884624838656 }", NULL },
    { "{ " SMALL ", \"x\": 1, \"x\": -1e999 }", NULL },
    { "{ " SMALL ", \"layer_norm_eps\": NaN }", "'layer_norm_eps' is nan" },
    { "{ " SMALL ", \"rotary_pct\": Infinity }", "'rotary_pct' is inf" },
    { "{ " SMALL ", \"rope_parameters\": {\"rope_theta\": 1e999} }", "'rope_parameters.rope_theta' is inf" },
    { "{ " SMALL ", \"rotary_emb_base\": null }", "'rotary_emb_base' is not a number" },
    { "{ " SMALL ", \"rotary_pct\": 1.0, \"head_dim\": 128 }", "128 rotary dimensions in heads of 100" },
    { "{ \"architectures\": [\"NoSuchForCausalLM\"] }",
      "'NoSuchForCausalLM' is not known; known families are GPTNeoX" },
    { "{ \"architectures\": [\"GPTNeoXForCausalLM\"], \"model_type\": \"llama\" }",
      "'GPTNeoXForCausalLM' is of model_type 'gpt_neox', not 'llama'" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"spiral\", \"factor\": 2} }",
      "rope_type \"spiral\" is not supported" },
    { "{ " SMALL ", \"rotary_pct\": 0.04, \"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2]} }",
      "'rope.long_factor.0' is missing" },
    { "{ " SMALL ", \"rotary_pct\": 0.04, \"rope_scaling\": {\"type\": \"su\", \"short_factor\": [1, 2, 3], "
      "\"long_factor\": [1, 2]} }", "'rope.short_factor' must have 2 numbers" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"linear\"} }", "'rope_scaling.factor' is missing" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"dynamic\"} }", "'rope_scaling.factor' is missing" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2\"} }",
      "'rope_scaling.factor' is not a number" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 0} }", "'rope_scaling.factor' is 0" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 1e300} }", "'rope_scaling.factor' is 1e+300" },
    { "{ " SMALL ", \"rope_parameters\": {\"type\": \"linear\", \"factor\": NaN} }",
      "'rope_parameters.factor' is nan" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 1} }",
      "'rope_scaling.high_freq_factor' is missing" },
    { "{ " SMALL ", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_fast\": -1} }",
      "'rope_scaling.beta_fast' is -1" },
    { "{ " SMALL ", \"rotary_pct\": 0.25, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2} }",
      "this rope_type of 25 dimensions (head_dim), an odd number" },
    { "{ \"architectures\": NaN, \"model_type\": Infinity }", "neither 'architectures' nor 'model_type'" },
};

static void refuses_only_what_is_needed(void)
{
    temp_folder t = temp_make();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        weft_model *m = open_text(&t, files[i].text);
        if (files[i].fault) CHECK_CONTAINS(err.text, files[i].fault);
        if (!CHECK((m == NULL) == (files[i].fault != NULL))) printf("  in %s: %s\n", files[i].text, err.text);
        weft_model_close(m);
    }
    temp_write_text(&t, "generation_config.json", "{\"eos_token_id\": \"</s>\"}");
    CHECK(open_text(&t, "{ " SMALL " }") == NULL);
    CHECK_CONTAINS(err.text, "/generation_config.json: eos_token_id holds a string");
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "rotates_as_the_reference", rotates_as_the_reference },
    { "truncates_as_the_reference", truncates_as_the_reference },
    { "refuses_what_dynamic_scaling_cannot_keep", refuses_what_dynamic_scaling_cannot_keep },
    { "tells_every_setting", tells_every_setting },
    { "refuses_only_what_is_needed", refuses_only_what_is_needed },
};
TEST_MAIN(tests)
